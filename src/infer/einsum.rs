//! The rule of Einsum.

use super::InferError;
use super::ctx::{Ctx, Result, ensure, float};
use crate::network::layer::math::Einsum;
use crate::network::{Dim, Shape, ValueType};
use std::collections::BTreeMap;

/// Lower-case letters, each at most once in a term: TensorRT takes no diagonals.
pub(super) fn einsum(ctx: &Ctx<'_>, layer: &Einsum) -> Result {
    let error = |why| InferError::Equation { equation: layer.equation.clone(), why };
    let (left, right) = layer.equation.split_once("->").ok_or_else(|| error("has no `->`"))?;
    let terms: Vec<&str> = left.split(',').collect();
    let Some(&first) = ctx.types.first().filter(|_| ctx.types.len() <= 2) else {
        return Err(InferError::Inputs {
            kind: ctx.kind,
            expected: "1 or 2".into(),
            actual: ctx.types.len(),
        });
    };
    ensure(terms.len() == ctx.types.len(), || error("has not one term per input"))?;
    float("operands", first)?;
    let mut sizes = BTreeMap::<char, Dim>::new();
    for (term, ty) in terms.into_iter().zip(&ctx.types) {
        ctx.same_type(first, ty)?;
        check_term(term).map_err(error)?;
        ensure(term.len() == ty.shape.rank(), || {
            error("has a term with another number of letters than axes")
        })?;
        for (letter, size) in term.chars().zip(ty.shape.iter()) {
            let size = match sizes.get(&letter) {
                Some(known) => ctx.equal(known, size)?,
                None => size.clone(),
            };
            sizes.insert(letter, size);
        }
    }
    check_term(right).map_err(error)?;
    let size = |letter| {
        sizes.get(&letter).cloned().ok_or_else(|| error("gives a letter that no input has"))
    };
    Ok(ValueType::new(first.dtype, right.chars().map(size).collect::<Result<Shape>>()?))
}

fn check_term(term: &str) -> std::result::Result<(), &'static str> {
    if !term.bytes().all(|b| b.is_ascii_lowercase()) {
        return Err("has other characters than lower-case letters");
    }
    let repeated = term
        .char_indices()
        .any(|(i, letter)| term.chars().take(i).any(|earlier| earlier == letter));
    if repeated { Err("repeats a letter within a term") } else { Ok(()) }
}
