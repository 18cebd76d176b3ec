//! How far numbers may be off, where the user says it.

use crate::error::Kind;
use crate::report::limit::{Limit, Metric};
use crate::report::verification::Tolerance;
use std::collections::HashSet;
use std::str::FromStr;

/// An element may differ by `atol` + `rtol` · |expected|.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Tolerance")]
pub(super) struct ToleranceArguments {
    /// Let elements be off by this much, instead of what their type and rounding allow; without
    /// --rtol, by no more than this. With a name, those of one output
    #[arg(long, value_name = "[OUTPUT:]ERROR")]
    atol: Vec<Error>,
    /// Let elements be off by this share of the expected value; with --atol, by the sum of both
    #[arg(long, value_name = "[OUTPUT:]SHARE")]
    rtol: Vec<Error>,
    /// Judge outputs by what is measured of the whole of each: `max=1e-3` is the largest error,
    /// `cosine=0.999`, `snr=40` (decibels) and `top1=0.99` (share of rows) the least that will do
    #[arg(long, value_name = "[OUTPUT:]METRIC=LIMIT")]
    metric: Vec<Limit>,
}

/// How far elements may be off, of all outputs or of one.
#[derive(Debug, Clone)]
struct Error {
    output: Option<String>,
    value: f64,
}

impl FromStr for Error {
    type Err = String;

    /// The name of the output ends at the last `:`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (output, number) = match text.rsplit_once(':') {
            Some((output, number)) => (Some(output.to_owned()), number),
            None => (None, text),
        };
        let value = number.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0);
        let value = value.ok_or("it is a number from 0 on, such as 1e-3")?;
        Ok(Self { output, value })
    }
}

impl ToleranceArguments {
    /// What is given; `None` where nothing is.
    pub(super) fn tolerance(&self) -> Option<Tolerance> {
        let [absolute, relative] = [&self.atol, &self.rtol].map(|given| {
            given.iter().find(|error| error.output.is_none()).map(|error| error.value)
        });
        absolute.or(relative)?;
        let or_none = Option::unwrap_or_default;
        Some(Tolerance { absolute: or_none(absolute), relative: or_none(relative) })
    }

    /// Refuses what is said twice.
    ///
    /// # Errors
    /// [`Kind::Usage`] with the option.
    pub(super) fn check(&self) -> crate::error::Result<()> {
        let mut seen = HashSet::new();
        let elements = [(&self.atol, Metric::Atol), (&self.rtol, Metric::Rtol)];
        let elements = elements.into_iter().flat_map(|(given, metric)| {
            given.iter().map(move |error| (metric.name(), (&error.output, metric)))
        });
        let metrics = self.metric.iter().map(|limit| ("metric", (&limit.output, limit.metric)));
        for (option, what) in elements.chain(metrics) {
            if !seen.insert(what) {
                let whose = match what.0 {
                    Some(output) => format!("of output `{output}`"),
                    None => "of all outputs".to_owned(),
                };
                let message = format!("`--{option}` says {} {whose} twice", what.1.name());
                return Err(crate::error::Error::new(Kind::Usage, message));
            }
        }
        Ok(())
    }

    /// The limits of outputs beyond that.
    pub(super) fn limits(&self) -> Vec<Limit> {
        let named = [(&self.atol, Metric::Atol), (&self.rtol, Metric::Rtol)].into_iter();
        let named = named.flat_map(|(given, metric)| {
            let named = given.iter().filter(|error| error.output.is_some());
            named.map(move |error| Limit {
                output: error.output.clone(),
                metric,
                value: error.value,
            })
        });
        self.metric.iter().cloned().chain(named).collect()
    }
}
