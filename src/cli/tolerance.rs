//! How far numbers may be off, where the user says it.

use crate::report::verification::Tolerance;

/// An element may differ by `atol` + `rtol` · |expected|.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Tolerance")]
pub(super) struct ToleranceArguments {
    /// Let elements be off by this much, instead of what their type and rounding allow; without
    /// --rtol, by no more than this
    #[arg(long, value_name = "ERROR", value_parser = error)]
    atol: Option<f64>,
    /// Let elements be off by this share of the expected value; with --atol, by the sum of both
    #[arg(long, value_name = "SHARE", value_parser = error)]
    rtol: Option<f64>,
}

impl ToleranceArguments {
    /// What is given; `None` where nothing is.
    pub(super) fn tolerance(self) -> Option<Tolerance> {
        let given = self.atol.or(self.rtol).is_some();
        let or_none = |error: Option<f64>| error.unwrap_or_default();
        given.then(|| Tolerance { absolute: or_none(self.atol), relative: or_none(self.rtol) })
    }
}

fn error(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "it is a number from 0 on, such as 1e-3".to_owned())
}
