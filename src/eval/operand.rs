//! Operands as numbers, and results as tensors.

use super::error::EvalError;
use super::index::count;
use crate::network::layer::Arg;
use crate::tensor::{DType, Element, Tensor, TensorError};
use std::borrow::Cow;

/// The operand at this position.
pub(super) fn operand<'a>(inputs: &[&'a Tensor], at: usize) -> Result<&'a Tensor, EvalError> {
    inputs.get(at).copied().ok_or(EvalError::Operands { at, count: inputs.len() })
}

/// The elements of a floating-point operand as `f32`, in which all floating-point layers compute.
pub(super) fn reals<'a>(inputs: &[&'a Tensor], at: usize) -> Result<Cow<'a, [f32]>, EvalError> {
    real_elements(operand(inputs, at)?, at)
}

/// The same for a tensor that stands for the operand at position `at`.
pub(super) fn real_elements(tensor: &Tensor, at: usize) -> Result<Cow<'_, [f32]>, EvalError> {
    tensor.to_f32s().ok_or(EvalError::Type {
        at,
        actual: tensor.dtype(),
        expected: "floating point",
    })
}

/// The elements of an operand with positions or sizes.
pub(super) fn integers(inputs: &[&Tensor], at: usize) -> Result<Vec<i64>, EvalError> {
    let tensor = operand(inputs, at)?;
    let wrong = EvalError::Type { at, actual: tensor.dtype(), expected: "i32 or i64" };
    if !matches!(tensor.dtype(), DType::I32 | DType::I64) {
        return Err(wrong);
    }
    tensor.to_i64s().ok_or(wrong)
}

/// The elements of a `bool` operand, where every value but 0 is true.
pub(super) fn truths<'a>(inputs: &[&'a Tensor], at: usize) -> Result<&'a [u8], EvalError> {
    let tensor = operand(inputs, at)?;
    tensor.bools().ok_or(EvalError::Type { at, actual: tensor.dtype(), expected: "bool" })
}

/// The only element of an operand.
pub(super) fn integer(inputs: &[&Tensor], at: usize) -> Result<i64, EvalError> {
    only(&integers(inputs, at)?, inputs, at)
}

/// The only element of a list read from the operand at this position.
pub(super) fn only<T: Copy>(values: &[T], inputs: &[&Tensor], at: usize) -> Result<T, EvalError> {
    match values {
        [value] => Ok(*value),
        _ => Err(EvalError::Shape {
            at,
            dims: operand(inputs, at)?.dims().to_vec(),
            rule: "hold one element",
        }),
    }
}

/// A list of whole numbers that is an attribute or comes from an operand.
pub(super) fn list<'a>(
    arg: &'a Arg<Vec<i64>>,
    inputs: &[&Tensor],
) -> Result<Cow<'a, [i64]>, EvalError> {
    match arg {
        Arg::Static(values) => Ok(Cow::Borrowed(values)),
        Arg::Input(at) => integers(inputs, *at).map(Cow::Owned),
    }
}

/// A size that came as a number.
pub(super) fn size(what: &'static str, value: i64) -> Result<usize, EvalError> {
    usize::try_from(value).map_err(|_| EvalError::Attribute {
        what,
        value,
        rule: "not be negative",
    })
}

/// Refuses a list without one entry per axis.
pub(super) fn entries(what: &'static str, actual: usize, expected: usize) -> Result<(), EvalError> {
    if actual == expected { Ok(()) } else { Err(EvalError::Entries { what, actual, expected }) }
}

/// Refuses an operand that is not of the first one's type.
pub(super) fn same_type(inputs: &[&Tensor], at: usize) -> Result<(), EvalError> {
    let (first, other) = (operand(inputs, 0)?.dtype(), operand(inputs, at)?.dtype());
    if first == other {
        return Ok(());
    }
    Err(EvalError::Type { at, actual: other, expected: "of the first operand's type" })
}

/// A tensor of `dtype`, which is floating point, from values that are rounded to it half to even.
pub(super) fn rounded(
    dtype: DType,
    dims: Vec<usize>,
    values: Vec<f32>,
) -> Result<Tensor, EvalError> {
    match Tensor::of_reals(dtype, dims, values) {
        Err(TensorError::NotReal(to)) => Err(EvalError::Conversion { from: DType::F32, to }),
        made => Ok(made?),
    }
}

/// A buffer for a result of this shape.
pub(super) fn buffer<T: Element>(dims: &[usize]) -> Result<Vec<T>, EvalError> {
    Ok(vec![T::zeroed(); count(dims)?])
}
