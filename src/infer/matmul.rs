//! The rule of matrix products.

use super::InferError;
use super::ctx::{Ctx, Result, ensure, float, min_rank};
use crate::network::layer::{MatrixMultiply, MatrixOperation};
use crate::network::{Dim, Shape, ValueType};

pub(super) fn matrix_multiply(ctx: &Ctx<'_>, layer: &MatrixMultiply) -> Result {
    let [a, b] = ctx.inputs()?;
    float("operands", a)?;
    ctx.same_type(a, b)?;
    let (batch_a, rows, inner_a) = operand(a, layer.op0)?;
    let (batch_b, columns, inner_b) = match operand(b, layer.op1)? {
        (batch, Some(inner), columns) => (batch, Some(columns), inner),
        (batch, None, inner) => (batch, None, inner),
    };
    ctx.equal(inner_a, inner_b)?;
    let (rank_a, rank_b) = (batch_a.rank(), batch_b.rank());
    ensure(rank_a == rank_b, || InferError::Ranks {
        kind: "MatrixMultiply batches",
        a: rank_a,
        b: rank_b,
    })?;
    let mut shape = ctx.broadcast_shapes(&batch_a, &batch_b)?;
    shape.extend(rows.into_iter().chain(columns).cloned());
    Ok(ValueType::new(a.dtype, shape))
}

/// The batch axes, then rows and columns of the matrix as it enters the product; a vector has no
/// rows.
fn operand(ty: &ValueType, operation: MatrixOperation) -> Result<(Shape, Option<&Dim>, &Dim)> {
    let least = if operation == MatrixOperation::Vector { 1 } else { 2 };
    let (batch, rows, columns) = match (operation, ty.shape.as_slice()) {
        (MatrixOperation::Vector, [batch @ .., entries]) => (batch, None, entries),
        (MatrixOperation::None, [batch @ .., rows, columns])
        | (MatrixOperation::Transpose, [batch @ .., columns, rows]) => (batch, Some(rows), columns),
        _ => {
            min_rank("a matrix operand", ty, least)?;
            return Err(InferError::Rank {
                what: "a matrix operand",
                actual: ty.shape.rank(),
                expected: least.to_string(),
            });
        }
    };
    Ok((Shape(batch.to_vec()), rows, columns))
}
