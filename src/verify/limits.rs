//! Outputs judged by limits that a user set, for those who must match another tool.

use super::compare::numbers;
use crate::error::{Error, Kind, Result};
use crate::onnx::Constant;
use crate::report::limit::{Limit, Measure, Metric};
use crate::report::verification::{Judgment, OutputComparison, Tolerance};
use crate::tensor::Tensor;

/// The limits of one output: those that name it, else those that name none.
#[derive(Debug)]
pub(super) struct Limits<'l> {
    of: Vec<&'l Limit>,
    /// Whether they name it, and so count in place of all that names none.
    named: bool,
}

impl<'l> Limits<'l> {
    pub(super) fn of(limits: &'l [Limit], output: &str) -> Self {
        let named = |limit: &&Limit| limit.output.as_deref() == Some(output);
        let mut of: Vec<&Limit> = limits.iter().filter(named).collect();
        let named = !of.is_empty();
        if !named {
            of = limits.iter().filter(|limit| limit.output.is_none()).collect();
        }
        Self { of, named }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// How far each element may be off, where that is said; `general` is said of all outputs.
    pub(super) fn tolerance(&self, general: Option<Tolerance>) -> Option<Tolerance> {
        let [absolute, relative] = [Metric::Atol, Metric::Rtol].map(|metric| {
            self.of.iter().find(|limit| limit.metric == metric).map(|limit| limit.value)
        });
        if absolute.or(relative).is_none() {
            return general.filter(|_| !self.named);
        }
        let or_none = Option::unwrap_or_default;
        Some(Tolerance { absolute: or_none(absolute), relative: or_none(relative) })
    }

    /// Judges an output that was compared element by element. `within` says whether that counts as
    /// well. Whole numbers must be equal whatever the limits are.
    pub(super) fn judge(
        &self,
        compared: &mut OutputComparison,
        (actual, expected): (&Tensor, &Constant),
        within: bool,
    ) {
        let metrics = self.of.iter().filter(|limit| !is_of_elements(limit.metric));
        let Ok(expected) = expected.tensor() else { return };
        if compared.statistics.is_none() || !actual.dtype().is_float() {
            return;
        }
        let sides = Sides { actual: numbers(actual), expected: numbers(expected) };
        let row = actual.dims().last().copied().unwrap_or(1);
        let measured = metrics.map(|limit| {
            let value = sides.measure(limit.metric, row);
            let least = limit.metric.is_least();
            let holds = if least { value >= limit.value } else { value <= limit.value };
            let value = value.clamp(f64::MIN, f64::MAX);
            Measure { metric: limit.metric, value, limit: limit.value, holds }
        });
        compared.metrics = measured.collect();
        if compared.metrics.is_empty() {
            return;
        }
        let hold = compared.metrics.iter().all(|measure| measure.holds);
        let good = hold && (compared.agrees || !within);
        compared.judged(if good { Judgment::Agrees } else { Judgment::Differs });
    }
}

/// Whether a limit is how far each element may be off.
fn is_of_elements(metric: Metric) -> bool {
    matches!(metric, Metric::Atol | Metric::Rtol)
}

/// Refuses limits of outputs that a model does not have.
///
/// # Errors
/// [`Kind::Usage`] with the outputs that it has.
pub(super) fn check(limits: &[Limit], outputs: &[&str]) -> Result<()> {
    let unknown =
        |limit: &&Limit| limit.output.as_deref().is_some_and(|output| !outputs.contains(&output));
    let Some(limit) = limits.iter().find(unknown) else { return Ok(()) };
    let name = limit.output.as_deref().unwrap_or_default();
    let message = format!("the limit `{limit}` is for `{name}`, and the model has no such output");
    let known: Vec<String> = outputs.iter().map(|output| format!("`{output}`")).collect();
    Err(Error::new(Kind::Usage, message).with_hint(format!("it has {}", known.join(", "))))
}

/// The elements of an output, and what they should be.
struct Sides {
    actual: Vec<f64>,
    expected: Vec<f64>,
}

impl Sides {
    /// `row` is the length of the last axis. No number, where an element is none.
    fn measure(&self, metric: Metric, row: usize) -> f64 {
        let pairs = || self.actual.iter().zip(&self.expected);
        let sum = |of: fn(f64, f64) -> f64| pairs().map(|(&a, &e)| of(a, e)).sum::<f64>();
        match metric {
            Metric::Atol | Metric::Rtol | Metric::Max => pairs()
                .filter(|(a, e)| a.to_bits() != e.to_bits())
                .map(|(a, e)| (a - e).abs())
                .fold(0.0, |most, off| if off > most || off.is_nan() { off } else { most }),
            Metric::Cosine => {
                let (aa, ee) = (sum(|a, _| a * a), sum(|_, e| e * e));
                if aa == 0.0 && ee == 0.0 {
                    return 1.0;
                }
                if aa == 0.0 || ee == 0.0 {
                    return 0.0;
                }
                sum(|a, e| a * e) / (aa.sqrt() * ee.sqrt())
            }
            Metric::Snr => {
                let noise = sum(|a, e| (a - e) * (a - e));
                if noise == 0.0 {
                    f64::INFINITY
                } else {
                    10.0 * (sum(|_, e| e * e) / noise).log10()
                }
            }
            Metric::Top1 => {
                let rows = self.actual.chunks(row.max(1)).zip(self.expected.chunks(row.max(1)));
                let same = rows.clone().filter(|(a, e)| first(a) == first(e)).count();
                #[allow(clippy::cast_precision_loss, reason = "counts in a share")]
                let share = |same: usize, all: usize| same as f64 / all as f64;
                if rows.len() == 0 { 1.0 } else { share(same, rows.len()) }
            }
        }
    }
}

/// The place of the largest number of a row, the first of several; `None` where one is no number.
fn first(row: &[f64]) -> Option<usize> {
    if row.iter().any(|number| number.is_nan()) {
        return None;
    }
    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    row.iter().position(|&number| number >= most)
}

#[cfg(test)]
mod tests {
    use super::super::compare;
    use super::*;

    fn judged(limits: &[&str], actual: &[f32], expected: &[f32]) -> OutputComparison {
        judged_beside(None, limits, actual, expected)
    }

    /// The same where something is said of all outputs, too.
    fn judged_beside(
        general: Option<Tolerance>,
        limits: &[&str],
        actual: &[f32],
        expected: &[f32],
    ) -> OutputComparison {
        let limits: Vec<Limit> = limits.iter().map(|text| text.parse().unwrap()).collect();
        let dims = vec![actual.len() / 2, 2];
        let actual = Tensor::of(dims.clone(), actual.to_vec()).unwrap();
        let expected = Constant::Tensor(Tensor::of(dims, expected.to_vec()).unwrap());
        let limits = Limits::of(&limits, "y");
        let within = limits.tolerance(general);
        let tolerance = within.unwrap_or(compare::tolerance(actual.dtype()));
        let mut compared = compare::compare_within("y", &actual, &expected, tolerance, None);
        limits.judge(&mut compared, (&actual, &expected), within.is_some());
        compared
    }

    #[test]
    fn outputs_are_judged_by_what_is_measured() {
        let (actual, expected) = ([1.0, 2.0, 4.0, 3.0], [1.0, 2.5, 4.0, 3.0]);
        let verdict = |limit: &str| judged(&[limit], &actual, &expected).verdict;
        for (good, bad) in [
            ("max=0.5", "max=0.49"),
            ("cosine=0.996", "cosine=0.997"),
            ("snr=21", "snr=22"),
            ("top1=1", "y:atol=0.1"),
        ] {
            assert_eq!((verdict(good), verdict(bad)), (Judgment::Agrees, Judgment::Differs));
        }
        let swapped = judged(&["top1=0.6"], &[2.0, 1.0, 4.0, 3.0], &expected);
        assert_eq!(swapped.verdict, Judgment::Differs);
        assert_eq!(swapped.metrics[0].to_string(), "top1 0.5000000 (at least 0.6)");
        let same = judged(&["snr=100"], &expected, &expected);
        assert_eq!(same.metrics[0].to_string(), "snr infinite (at least 100)");
        assert_eq!(judged(&["cosine=0.9"], &[f32::NAN; 2], &[1.0; 2]).verdict, Judgment::Differs);
    }

    #[test]
    fn limits_add_up_and_those_by_name_go_first() {
        let (actual, expected) = ([1.0, 2.0], [1.0, 2.5]);
        let verdict = |limits: &[&str]| judged(limits, &actual, &expected).verdict;
        assert_eq!(verdict(&["cosine=0.9", "max=0.1"]), Judgment::Differs);
        assert_eq!(verdict(&["cosine=0.9", "atol=0.1"]), Judgment::Differs);
        assert_eq!(verdict(&["max=0.1", "y:max=1"]), Judgment::Agrees);
        assert_eq!(verdict(&["max=1", "y:max=0.1"]), Judgment::Differs);
        assert_eq!(verdict(&["max=1", "z:max=0.1"]), Judgment::Agrees);
        let narrow = Some(Tolerance { absolute: 0.1, relative: 0.0 });
        let beside = |limit: &str| judged_beside(narrow, &[limit], &actual, &expected).verdict;
        assert_eq!(beside("max=1"), Judgment::Differs);
        assert_eq!(beside("y:max=1"), Judgment::Agrees);
    }

    #[test]
    fn limits_name_outputs_that_there_are() {
        let limit = ["logitz:cosine=0.9".parse().unwrap()];
        assert_eq!(
            check(&limit, &["logits", "boxes"]).unwrap_err().to_string(),
            "the limit `logitz:cosine=0.9` is for `logitz`, and the model has no such output\n\n\
             hint: it has `logits`, `boxes`"
        );
        assert!(check(&limit, &["logitz"]).is_ok());
    }
}
