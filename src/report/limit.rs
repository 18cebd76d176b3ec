//! Limits that a user sets for outputs: `--metric`, and `--atol` and `--rtol` of one output.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What is measured of an output beside a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Metric {
    /// How far each element may be off.
    Atol,
    /// The same, as a share of the expected value.
    Rtol,
    /// The largest |actual − expected|, at most.
    Max,
    /// The cosine of the angle between the two as vectors, at least.
    Cosine,
    /// 10·log₁₀(Σ expected² / Σ (actual − expected)²) in decibels, at least.
    Snr,
    /// The share of rows along the last axis whose largest element is the same, at least.
    Top1,
}

impl Metric {
    const ALL: [Self; 6] = [Self::Atol, Self::Rtol, Self::Max, Self::Cosine, Self::Snr, Self::Top1];

    /// Its name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Atol => "atol",
            Self::Rtol => "rtol",
            Self::Max => "max",
            Self::Cosine => "cosine",
            Self::Snr => "snr",
            Self::Top1 => "top1",
        }
    }

    /// Whether a limit is the least that is good enough; else it is the most.
    pub fn is_least(self) -> bool {
        matches!(self, Self::Cosine | Self::Snr | Self::Top1)
    }

    /// Whether a number can be a limit.
    fn takes(self, limit: f64) -> bool {
        limit.is_finite()
            && match self {
                Self::Atol | Self::Rtol | Self::Max => limit >= 0.0,
                Self::Cosine => (-1.0..=1.0).contains(&limit),
                Self::Snr => true,
                Self::Top1 => (0.0..=1.0).contains(&limit),
            }
    }
}

/// A limit: `cosine=0.999`; of one output only, `logits:cosine=0.999`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Limit {
    /// The output, by its name; absent where it is for all of which no limit speaks by name.
    pub output: Option<String>,
    /// What is measured.
    pub metric: Metric,
    /// The limit.
    pub value: f64,
}

impl FromStr for Limit {
    type Err = String;

    /// The name of the output ends at the last `:`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let metrics = Metric::ALL.map(Metric::name).join(", ");
            format!("`{text}`: written like cosine=0.999 or OUTPUT:cosine=0.999; of {metrics}")
        };
        let (what, value) = text.rsplit_once('=').ok_or_else(wrong)?;
        let (output, metric) = match what.rsplit_once(':') {
            Some((output, metric)) => (Some(output.to_owned()), metric),
            None => (None, what),
        };
        let metric = Metric::ALL.into_iter().find(|known| known.name() == metric);
        let metric = metric.ok_or_else(wrong)?;
        let value = value.parse().ok().filter(|value| metric.takes(*value));
        let value = value.ok_or_else(|| {
            let range = match metric {
                Metric::Atol | Metric::Rtol | Metric::Max => "0 or more",
                Metric::Cosine => "from -1 to 1",
                Metric::Snr => "a number of decibels",
                Metric::Top1 => "from 0 to 1",
            };
            format!("`{text}`: a limit of {} is {range}", metric.name())
        })?;
        Ok(Self { output, metric, value })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(output) = &self.output {
            write!(f, "{output}:")?;
        }
        write!(f, "{}={}", self.metric.name(), self.value)
    }
}

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> Self {
        limit.to_string()
    }
}

/// What was measured of an output, beside its limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Measure {
    /// What was measured.
    pub metric: Metric,
    /// What it came to; of what is infinite, the largest number.
    pub value: f64,
    /// The limit.
    pub limit: f64,
    /// Whether it holds.
    pub holds: bool,
}

impl fmt::Display for Measure {
    /// `cosine 0.9991 (at least 0.999)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.metric.is_least() { "at least" } else { "at most" };
        let (metric, value, limit) = (self.metric.name(), self.value, self.limit);
        match self.metric {
            Metric::Max => write!(f, "{metric} {value:.3e} ({side} {limit:e})"),
            Metric::Snr if value >= f64::MAX => write!(f, "{metric} infinite ({side} {limit})"),
            Metric::Snr => write!(f, "{metric} {value:.1} ({side} {limit})"),
            _ => write!(f, "{metric} {value:.7} ({side} {limit})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_written() {
        for text in
            ["cosine=0.999", "logits:top1=1", "Identity:0:max=0.001", "snr=-3", "a=b:atol=0"]
        {
            let limit: Limit = text.parse().unwrap();
            assert_eq!(limit.to_string(), text);
        }
        let limit: Limit = "Identity:0:max=1e-3".parse().unwrap();
        assert_eq!(limit.output.as_deref(), Some("Identity:0"));
        assert_eq!(limit.metric, Metric::Max);
    }

    #[test]
    fn other_words_are_refused() {
        let written = |text: &str| {
            format!(
                "`{text}`: written like cosine=0.999 or OUTPUT:cosine=0.999; of atol, rtol, max, \
                 cosine, snr, top1"
            )
        };
        for text in ["cosine", "cosin=1", "logits=0.9", "cosine:logits=1"] {
            assert_eq!(text.parse::<Limit>().unwrap_err(), written(text));
        }
        for (text, says) in [
            ("cosine=2", "`cosine=2`: a limit of cosine is from -1 to 1"),
            ("y:top1=-0.5", "`y:top1=-0.5`: a limit of top1 is from 0 to 1"),
            ("max=nan", "`max=nan`: a limit of max is 0 or more"),
            ("snr=inf", "`snr=inf`: a limit of snr is a number of decibels"),
        ] {
            assert_eq!(text.parse::<Limit>().unwrap_err(), says);
        }
    }
}
