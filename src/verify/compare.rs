//! One output against its reference, element by element.

use super::data::at_boundary;
use super::rounding::Spread;
use crate::eval;
use crate::network::layer::Cast;
use crate::onnx::Constant;
use crate::report::histogram::Errors;
use crate::report::verification::{Element, Judgment, OutputComparison, Statistics, Tolerance};
use crate::tensor::{DType, Tensor};
use std::borrow::Cow;

/// How far computed elements may be from the reference, by the type they are computed in.
///
/// Not listed: types whose elements must be equal. The relative parts leave a product of a few
/// thousand terms room to be summed in another order; the absolute parts do the same for sums that
/// come out near 0.
pub const TOLERANCES: &[(DType, Tolerance)] = &[
    (DType::F32, Tolerance { absolute: 1e-5, relative: 1e-3 }),
    (DType::F16, Tolerance { absolute: 1e-3, relative: 4e-3 }),
    (DType::BF16, Tolerance { absolute: 1e-2, relative: 3e-2 }),
];

/// The tolerance for elements computed in a type.
pub fn tolerance(dtype: DType) -> Tolerance {
    let listed = TOLERANCES.iter().find(|(listed, _)| *listed == dtype);
    listed.map_or(Tolerance { absolute: 0.0, relative: 0.0 }, |(_, tolerance)| *tolerance)
}

/// The tolerance for an output of a type: where all of it is small, what is allowed around 0 is
/// small as well. Else numbers would agree with their opposites.
pub fn scaled(dtype: DType, expected: &Constant) -> Tolerance {
    let Tolerance { absolute, relative } = tolerance(dtype);
    let scale = expected.tensor().map(Tensor::scale).unwrap_or_default();
    let scale = if scale > 0.0 { scale.min(1.0) } else { 1.0 };
    Tolerance { absolute: absolute * scale, relative }
}

/// What is usual for a type, and a share of the [scale](Tensor::scale) of a reference besides;
/// `None` where it has no numbers.
pub fn share(expected: &Constant, share: f64, usual: Tolerance) -> Option<Tolerance> {
    let scale = expected.tensor().ok()?.scale();
    Some(Tolerance { absolute: usual.absolute + share * scale, ..usual })
}

/// Compares what was computed with what was expected, within [the type's tolerance](tolerance).
///
/// Where `f64` was computed in `f32`, the reference is rounded to it.
pub fn compare(name: &str, actual: &Tensor, expected: &Constant) -> OutputComparison {
    compare_within(name, actual, expected, tolerance(actual.dtype()), None)
}

/// The same, or within a share of the reference's largest number where the type allows any error.
pub fn compare_or_within(
    name: &str,
    actual: &Tensor,
    expected: &Constant,
    within: Option<f64>,
) -> OutputComparison {
    let standard = tolerance(actual.dtype());
    let said =
        within.filter(|_| standard.relative > 0.0).and_then(|of| share(expected, of, standard));
    compare_within(name, actual, expected, said.unwrap_or(standard), None)
}

/// The same within another tolerance, or as far off as rounding can be where that is known.
pub fn compare_within(
    name: &str,
    actual: &Tensor,
    expected: &Constant,
    tolerance: Tolerance,
    spread: Option<&Spread>,
) -> OutputComparison {
    let text = |element: &dyn std::fmt::Display, dims: &[usize]| format!("{element}{dims:?}");
    let mut comparison = OutputComparison {
        name: name.to_owned(),
        actual: text(&actual.dtype(), actual.dims()),
        expected: text(&expected.element(), expected.dims()),
        agrees: false,
        verdict: Judgment::Differs,
        incomparable: None,
        untested: None,
        unwritten: 0,
        tolerance,
        rounding: spread.map(Spread::said),
        metrics: Vec::new(),
        statistics: None,
        errors: None,
    };
    match statistics(actual, expected, tolerance, spread) {
        Ok((statistics, errors)) => {
            let scale = expected.tensor().map(Tensor::scale).unwrap_or_default();
            let off = statistics.max_absolute / scale;
            let determined = spread.is_none_or(|spread| spread.determines(off));
            comparison.judged(match (statistics.mismatches, determined) {
                (0, true) => Judgment::Agrees,
                (0, false) => Judgment::Undetermined,
                _ => Judgment::Differs,
            });
            comparison.statistics = Some(statistics);
            comparison.errors =
                (tolerance.absolute > 0.0 || tolerance.relative > 0.0).then_some(errors);
        }
        Err(why) => comparison.incomparable = Some(why),
    }
    comparison
}

fn statistics(
    actual: &Tensor,
    expected: &Constant,
    tolerance: Tolerance,
    spread: Option<&Spread>,
) -> Result<(Statistics, Errors), String> {
    let expected = expected
        .tensor()
        .map_err(|_| format!("the reference holds elements of type {}", expected.element()))?;
    let expected =
        &if actual.dtype() == DType::F32 { at_boundary(expected) } else { expected.clone() };
    if actual.dtype() != expected.dtype() {
        return Err(format!(
            "computed as {}, but the reference is {}",
            actual.dtype(),
            expected.dtype()
        ));
    }
    if actual.dims() != expected.dims() {
        return Err(format!(
            "has shape {:?}, but the reference has {:?}",
            actual.dims(),
            expected.dims()
        ));
    }
    let (a, e) = (Numbers::of(actual), Numbers::of(expected));
    let off = |at: usize| (a.get(at) - e.get(at)).abs();
    let allowed =
        spread.map(|spread| spread.allows(&(0..actual.len()).map(off).collect::<Vec<_>>()));
    let allowed = allowed.unwrap_or_default();
    let mut sums = Sums::default();
    for at in 0..actual.len() {
        sums.element(at, &a, &e, (tolerance, allowed.get(at).copied().unwrap_or_default()));
    }
    let errors = std::mem::take(&mut sums.errors);
    Ok((sums.finish(actual.len(), actual.dims(), &a, &e), errors))
}

/// The elements of a tensor as real numbers.
pub(super) fn numbers(tensor: &Tensor) -> Vec<f64> {
    let numbers = Numbers::of(tensor);
    (0..tensor.len()).map(|at| numbers.get(at)).collect()
}

/// The elements of a tensor, to compare and to print.
enum Numbers {
    Real(Vec<f64>),
    Whole(Vec<i64>),
    /// Of a type that nothing here decodes: the bytes.
    Bytes(Vec<u8>),
}

impl Numbers {
    fn of(tensor: &Tensor) -> Self {
        if let Some(values) = tensor.values::<f64>() {
            return Self::Real(values.into_owned());
        }
        if let Some(values) = tensor.to_f32s() {
            return Self::Real(values.iter().map(|&value| value.into()).collect());
        }
        if let Some(values) = tensor.to_i64s() {
            return Self::Whole(values);
        }
        // Every number of the quantized types is one of `f32`.
        let widened = eval::layer(&Cast { to: DType::F32 }.into(), &[tensor]).ok();
        let widened = widened.and_then(|outputs| {
            outputs.first().and_then(|tensor| tensor.to_f32s().map(Cow::into_owned))
        });
        widened.map_or_else(
            || Self::Bytes(tensor.bytes().to_vec()),
            |values| Self::Real(values.into_iter().map(f64::from).collect()),
        )
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "whole numbers are compared exactly before they are rounded"
    )]
    fn get(&self, at: usize) -> f64 {
        match self {
            Self::Real(values) => values.get(at).copied(),
            Self::Whole(values) => values.get(at).map(|&value| value as f64),
            Self::Bytes(values) => values.get(at).map(|&value| value.into()),
        }
        .unwrap_or(f64::NAN)
    }

    fn text(&self, at: usize) -> String {
        match self {
            Self::Real(values) => values.get(at).map(|value| format!("{value}")),
            Self::Whole(values) => values.get(at).map(ToString::to_string),
            Self::Bytes(values) => values.get(at).map(|value| format!("0x{value:02x}")),
        }
        .unwrap_or_default()
    }

    /// Whether both hold the same at this position, bit patterns of NaN aside.
    #[allow(clippy::float_cmp, reason = "equal is what is asked")]
    fn same(&self, other: &Self, at: usize) -> bool {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.get(at) == b.get(at),
            (Self::Bytes(a), Self::Bytes(b)) => a.get(at) == b.get(at),
            _ => {
                let (a, b) = (self.get(at), other.get(at));
                a == b || a.is_nan() && b.is_nan()
            }
        }
    }
}

/// What is summed up over the elements.
#[derive(Default)]
struct Sums {
    mismatches: usize,
    special_mismatches: usize,
    finite: usize,
    relative_count: usize,
    max_absolute: f64,
    sum_absolute: f64,
    max_relative: f64,
    sum_relative: f64,
    /// actual · expected, actual², expected²
    products: [f64; 3],
    /// Elements by their error.
    errors: Errors,
    /// The worst element, and its error as a multiple of what is allowed.
    worst: Option<(usize, f64)>,
}

impl Sums {
    /// `allowed` is the tolerance, and how far rounding may have moved the element.
    fn element(
        &mut self,
        at: usize,
        actual: &Numbers,
        expected: &Numbers,
        (tolerance, rounding): (Tolerance, f64),
    ) {
        let (a, e) = (actual.get(at), expected.get(at));
        let same = actual.same(expected, at);
        let excess = if same || rounding.is_infinite() {
            0.0
        } else if a.is_finite() && e.is_finite() {
            let allowed = tolerance.absolute + tolerance.relative * e.abs() + rounding;
            if allowed > 0.0 { (a - e).abs() / allowed } else { f64::MAX }
        } else {
            self.special_mismatches += 1;
            self.errors.not_finite += 1;
            f64::INFINITY
        };
        if excess > 1.0 {
            self.mismatches += 1;
        }
        if self.worst.is_none_or(|(_, worst)| excess > worst) {
            self.worst = Some((at, excess));
        }
        if a.is_finite() && e.is_finite() {
            self.finite(a, e, excess > 1.0);
        } else if same {
            self.errors.equal += 1;
        }
    }

    fn finite(&mut self, actual: f64, expected: f64, mismatch: bool) {
        // Beyond the largest number there is none to say how far.
        let error = (actual - expected).abs().min(f64::MAX);
        self.errors.add(error, mismatch);
        self.finite += 1;
        self.max_absolute = self.max_absolute.max(error);
        self.sum_absolute += error;
        if expected != 0.0 {
            let relative = (error / expected.abs()).min(f64::MAX);
            self.relative_count += 1;
            self.max_relative = self.max_relative.max(relative);
            self.sum_relative += relative;
        }
        for (sum, product) in
            self.products.iter_mut().zip([actual * expected, actual * actual, expected * expected])
        {
            *sum += product;
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "counts in a mean")]
    fn finish(
        self,
        elements: usize,
        dims: &[usize],
        actual: &Numbers,
        expected: &Numbers,
    ) -> Statistics {
        let mean = |sum: f64, count: usize| {
            if count == 0 { 0.0 } else { (sum / count as f64).min(f64::MAX) }
        };
        let [dot, aa, ee] = self.products;
        let norm = aa.sqrt() * ee.sqrt();
        Statistics {
            elements,
            mismatches: self.mismatches,
            special_mismatches: self.special_mismatches,
            max_absolute: self.max_absolute,
            mean_absolute: mean(self.sum_absolute, self.finite),
            max_relative: self.max_relative,
            mean_relative: mean(self.sum_relative, self.relative_count),
            cosine: (norm > 0.0 && norm.is_finite()).then(|| dot / norm),
            worst: self.worst.map(|(at, _)| Element {
                index: position(at, dims),
                actual: actual.text(at),
                expected: expected.text(at),
            }),
        }
    }
}

/// Position along each axis of the element that is `at` in row-major order.
fn position(mut at: usize, dims: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = dims
        .iter()
        .rev()
        .map(|&size| {
            let along = at.checked_rem(size).unwrap_or(0);
            at = at.checked_div(size).unwrap_or(0);
            along
        })
        .collect();
    index.reverse();
    index
}
