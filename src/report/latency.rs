//! How long a plan takes on a GPU, without copies to and from it.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// Runs of one plan, by CUDA's events.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Latency {
    /// Each run put into a stream by itself.
    pub stream: Timing,
    /// Each run launched as a CUDA graph; absent where the plan cannot be captured.
    pub graph: Option<Timing>,
}

/// Runs that were measured. Serializes as their number and quantiles.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timing {
    /// Runs before those that count, in all.
    pub warmup: usize,
    /// Each run that counts, in milliseconds.
    pub runs_ms: Vec<f32>,
}

impl Timing {
    /// Takes in the runs of another turn.
    pub fn add(&mut self, other: &Timing) {
        self.warmup += other.warmup;
        self.runs_ms.extend_from_slice(&other.runs_ms);
    }

    /// The run at a share of all runs sorted by time, in milliseconds: 0.5 is the median, 0 the
    /// fastest. 0 where nothing ran.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a few runs"
    )]
    pub fn quantile(&self, share: f64) -> f32 {
        let mut runs = self.runs_ms.clone();
        runs.sort_by(f32::total_cmp);
        let at = (share * runs.len() as f64).ceil() as usize;
        runs.get(at.saturating_sub(1)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Timing {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timing".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let number = serde_json::json!({"type": "number"});
        let names = ["warmup", "runs", "min_ms", "median_ms", "p90_ms", "p99_ms", "max_ms"];
        let fields: serde_json::Map<_, _> =
            names.iter().map(|name| ((*name).to_owned(), number.clone())).collect();
        // Older reports do not count the runs before those that count.
        schemars::json_schema!({"type": "object", "properties": fields, "required": names[1..]})
    }
}

impl Serialize for Timing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Timing", 7)?;
        fields.serialize_field("warmup", &self.warmup)?;
        fields.serialize_field("runs", &self.runs_ms.len())?;
        for (name, share) in [
            ("min_ms", 0.0),
            ("median_ms", 0.5),
            ("p90_ms", 0.9),
            ("p99_ms", 0.99),
            ("max_ms", 1.0),
        ] {
            fields.serialize_field(name, &self.quantile(share))?;
        }
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp, reason = "quantiles are samples, bit for bit")]
    fn quantiles_are_runs() {
        let mut timing = Timing { warmup: 1, runs_ms: vec![4.0, 1.0] };
        timing.add(&Timing { warmup: 1, runs_ms: vec![3.0, 2.0] });
        let quantiles = [0.0, 0.5, 0.9, 1.0].map(|share| timing.quantile(share));
        let near = quantiles
            .iter()
            .zip([1.0, 2.0, 4.0, 4.0])
            .all(|(a, b): (&f32, f32)| (a - b).abs() < f32::EPSILON);
        assert!(near, "{quantiles:?}");
        assert!(Timing::default().quantile(0.5).abs() < f32::EPSILON);
        let json = serde_json::to_value(&timing).unwrap();
        assert_eq!(
            (&json["runs"], &json["warmup"], &json["median_ms"]),
            (&4.into(), &2.into(), &2.0.into())
        );
    }
}
