//! The rule of Einsum.

use super::InferError;
use super::ctx::{Ctx, Result, ensure, float};
use crate::network::layer::{Einsum, Letter};
use crate::network::{Dim, Shape, ValueType};
use std::collections::BTreeMap;

/// Each letter at most once in a term: TensorRT takes no diagonals.
pub(super) fn einsum(ctx: &Ctx<'_>, Einsum { equation }: &Einsum) -> Result {
    let error = |why| InferError::Equation { equation: equation.clone(), why };
    let Some(&first) = ctx.types.first().filter(|_| ctx.types.len() <= 2) else {
        return Err(InferError::Inputs {
            kind: ctx.kind,
            expected: "1 or 2".into(),
            actual: ctx.types.len(),
        });
    };
    ensure(equation.terms.len() == ctx.types.len(), || error("has not one term per input"))?;
    float("operands", first)?;
    let once = |term: &[Letter]| {
        ensure(Letter::repeated(term).is_none(), || error("repeats a letter within a term"))
    };
    let mut sizes = BTreeMap::<Letter, Dim>::new();
    for (term, ty) in equation.terms.iter().zip(&ctx.types) {
        ctx.same_type(first, ty)?;
        once(term)?;
        ensure(term.len() == ty.shape.rank(), || {
            error("has a term with another number of letters than axes")
        })?;
        for (&letter, size) in term.iter().zip(ty.shape.iter()) {
            let size = match sizes.get(&letter) {
                Some(known) => ctx.equal(known, size)?,
                None => size.clone(),
            };
            sizes.insert(letter, size);
        }
    }
    once(&equation.result)?;
    let size = |letter| {
        sizes.get(letter).cloned().ok_or_else(|| error("gives a letter that no input has"))
    };
    Ok(ValueType::new(first.dtype, equation.result.iter().map(size).collect::<Result<Shape>>()?))
}
