//! `Einsum`: the equation parsed, and brought to the form that TensorRT's layer takes.

use crate::import::build::axes::counter;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{
    Einsum, ElementWiseOperation as Ew, Equation, Letter, ReduceOperation,
};
use crate::network::{Dim, ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[onnx("Einsum", 12..=NOW, "Inputs Inputs*", einsum)];

/// `Einsum`. Becomes Einsum layers of at most two operands each; whole numbers, which those do not
/// take, become products summed by Reduce, which is exact.
///
/// TensorRT takes lower-case letters only, no ellipsis, no letter twice in a term and no
/// broadcasting: letters are renamed, an ellipsis becomes letters, diagonals are taken by a Select,
/// and axes of size 1 that broadcast vanish.
fn einsum(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let text = node
        .attrs
        .string("equation")?
        .ok_or_else(|| OpError::invalid("attribute `equation` is missing"))?;
    let operands = ctx.all_inputs()?;
    if let Some(&first) = operands.first()
        && !ctx.dtype(first).is_float()
        && !matches!(ctx.dtype(first), DType::I64 | DType::I32)
    {
        let dtype = ctx.dtype(first);
        return Err(OpError::DType {
            what: "input `Inputs`",
            dtype,
            supported: "f32, f16, bf16, i64, i32",
        });
    }
    let ranks: Vec<_> = operands.iter().map(|&operand| ctx.rank(operand)).collect();
    let equation = Equation::parse(text, &ranks).map_err(|why| {
        OpError::invalid(format!(
            "attribute `equation` is `{text}` with operands of rank {ranks:?}: {why}"
        ))
    })?;
    let mut factors = Vec::with_capacity(operands.len());
    for (&operand, term) in operands.iter().zip(equation.terms) {
        factors.push(diagonal(ctx, operand, term)?);
    }
    drop_broadcasts(ctx, &mut factors)?;
    let mut rest = factors.into_iter();
    let Some(mut left) = rest.next() else { return Err(OpError::invalid("there are no operands")) };
    if rest.len() == 0 {
        return Ok(smallvec![sum_of_products(ctx, &[&left], &equation.result)?]);
    }
    while let Some(right) = rest.next() {
        let needed = |letter: &Letter| {
            equation.result.contains(letter)
                || rest.as_slice().iter().any(|factor| factor.term.contains(letter))
        };
        let mut term = if rest.len() == 0 { equation.result.clone() } else { Vec::new() };
        if rest.len() > 0 {
            for letter in left.term.iter().chain(&right.term).filter(|letter| needed(letter)) {
                if !term.contains(letter) {
                    term.push(*letter);
                }
            }
        }
        let value = sum_of_products(ctx, &[&left, &right], &term)?;
        left = Factor { value, term };
    }
    Ok(smallvec![left.value])
}

/// An operand with a letter for each axis.
struct Factor {
    value: ValueId,
    term: Vec<Letter>,
}

/// An operand in whose term no letter stands twice: of axes that share one, only the diagonal is
/// left.
fn diagonal(ctx: &mut Ctx<'_>, operand: ValueId, term: Vec<Letter>) -> Result<Factor, OpError> {
    let mut factor = Factor { value: operand, term };
    while let Some((first, second)) = Letter::repeated(&factor.term) {
        let (rows, columns) =
            (counter(ctx, factor.value, first)?, counter(ctx, factor.value, second)?);
        let on_diagonal = ctx.binary(Ew::Equal, rows, columns)?;
        let zero = ctx.filled(ctx.dtype(operand), 0.0, factor.term.len())?;
        let kept = ctx.select(on_diagonal, factor.value, zero)?;
        factor.value = ctx.reduce(ReduceOperation::Sum, kept, vec![second], false)?;
        factor.term.remove(second);
    }
    Ok(factor)
}

/// Takes axes of size 1 out of operands where another operand has the same letter with another
/// size.
fn drop_broadcasts(ctx: &mut Ctx<'_>, factors: &mut [Factor]) -> Result<(), OpError> {
    let mut wide = Vec::new();
    for factor in factors.iter() {
        let shape = ctx.shape(factor.value);
        wide.extend(
            factor
                .term
                .iter()
                .zip(shape.iter())
                .filter(|(_, size)| **size != Dim::Known(1))
                .map(|(l, _)| *l),
        );
    }
    for factor in factors {
        let broadcast = |axis: &usize| {
            ctx.size(factor.value, *axis) == Some(1)
                && factor.term.get(*axis).is_some_and(|l| wide.contains(l))
        };
        let axes: Vec<usize> = (0..factor.term.len()).filter(broadcast).collect();
        factor.term =
            (0..).zip(&factor.term).filter(|(i, _)| !axes.contains(i)).map(|(_, l)| *l).collect();
        factor.value = ctx.squeeze(factor.value, axes)?;
    }
    Ok(())
}

fn sum_of_products(
    ctx: &mut Ctx<'_>,
    factors: &[&Factor],
    result: &[Letter],
) -> Result<ValueId, OpError> {
    if factors.iter().any(|factor| ctx.dtype(factor.value).is_int()) {
        return whole_sum_of_products(ctx, factors, result);
    }
    let terms = factors.iter().map(|factor| factor.term.clone()).collect();
    let equation = Equation { terms, result: result.to_vec() };
    let values: Vec<_> = factors.iter().map(|factor| factor.value).collect();
    ctx.add(Einsum { equation }, &values)
}

/// The same with all operands laid out along the letters of the result and, behind those, the ones
/// that are summed.
fn whole_sum_of_products(
    ctx: &mut Ctx<'_>,
    factors: &[&Factor],
    result: &[Letter],
) -> Result<ValueId, OpError> {
    let mut letters = result.to_vec();
    for letter in factors.iter().flat_map(|factor| &factor.term) {
        if !letters.contains(letter) {
            letters.push(*letter);
        }
    }
    let mut product = None;
    for factor in factors {
        let places = letters.iter().map(|letter| factor.term.iter().position(|own| own == letter));
        let missing = places
            .clone()
            .enumerate()
            .filter(|(_, place)| place.is_none())
            .map(|(axis, _)| axis)
            .collect();
        let value = ctx.transpose(factor.value, places.flatten().collect())?;
        let value = ctx.unsqueeze(value, missing)?;
        product = Some(product.map_or(Ok(value), |product| ctx.binary(Ew::Prod, product, value))?);
    }
    let product = product.ok_or_else(|| OpError::invalid("there are no operands"))?;
    ctx.reduce(ReduceOperation::Sum, product, (result.len()..letters.len()).collect(), false)
}
