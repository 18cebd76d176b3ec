//! `Softmax` and its kin: one axis from opset 13 on, all axes from one on before.

use crate::import::build::axes::counter;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{
    Arg, ElementWiseOperation as Ew, ReduceOperation, SoftMax, TopK, TopKOperation,
    UnaryOperation as Un,
};
use crate::network::{ValueId, Values, dim};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("Hardmax", 1..=12, "input", |ctx, node| flattened(ctx, node, hard)),
    onnx("Hardmax", 13..=NOW, "input", |ctx, node| along_axis(ctx, node, hard)),
    onnx("LogSoftmax", 1..=12, "input", |ctx, node| flattened(ctx, node, logarithmic)),
    onnx("LogSoftmax", 13..=NOW, "input", |ctx, node| along_axis(ctx, node, logarithmic)),
    onnx("Softmax", 1..=12, "input", |ctx, node| flattened(ctx, node, soft)),
    onnx("Softmax", 13..=NOW, "input", |ctx, node| along_axis(ctx, node, soft)),
];

/// What is computed along one axis.
type Along = fn(&mut Ctx<'_>, ValueId, usize) -> Result<ValueId, OpError>;

/// `Softmax`, `LogSoftmax`, `Hardmax` along one axis.
fn along_axis(ctx: &mut Ctx<'_>, node: &Node, compute: Along) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let axis = ctx.axis(node.attrs.int_or("axis", -1)?, ctx.rank(x))?;
    Ok(smallvec![compute(ctx, x, axis)?])
}

/// The same before opset 13: all axes from `axis` on count as one.
fn flattened(ctx: &mut Ctx<'_>, node: &Node, compute: Along) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let axis = ctx.axis(node.attrs.int_or("axis", 1)?, ctx.rank(x))?;
    Ok(smallvec![as_one_axis(ctx, x, axis, compute)?])
}

/// SoftMax over all axes from one on.
pub(super) fn over_axes_from(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    axis: usize,
) -> Result<ValueId, OpError> {
    as_one_axis(ctx, x, axis, soft)
}

/// What is computed along all axes from one on as if they were one.
fn as_one_axis(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    axis: usize,
    compute: Along,
) -> Result<ValueId, OpError> {
    let rank = ctx.rank(x);
    if axis + 1 == rank {
        return compute(ctx, x, axis);
    }
    let dims = ctx.shape(x).to_vec();
    let parts = (0..rank).map(|axis| ctx.size_of(x, axis)).collect::<Result<Vec<_>, _>>()?;
    let (before, behind) = dims.split_at(axis);
    let (first, second) = parts.split_at(axis);
    let sizes = [product(ctx, first)?, product(ctx, second)?];
    let matrix = ctx.reshape_dims(x, &[dim::product(before), dim::product(behind)], &sizes)?;
    let result = compute(ctx, matrix, 1)?;
    ctx.reshape_dims(result, &dims, &parts)
}

/// The product of sizes, `i64[1]` each.
fn product(ctx: &mut Ctx<'_>, sizes: &[ValueId]) -> Result<ValueId, OpError> {
    let one = ctx.i64s(&[1]);
    sizes.iter().try_fold(one, |product, &size| ctx.binary(Ew::Prod, product, size))
}

/// Becomes SoftMax.
fn soft(ctx: &mut Ctx<'_>, x: ValueId, axis: usize) -> Result<ValueId, OpError> {
    ctx.add(SoftMax { axis }, &[x])
}

/// x − max − ln Σ e^(x − max): the logarithm of SoftMax would lose the small ones.
pub(super) fn logarithmic(ctx: &mut Ctx<'_>, x: ValueId, axis: usize) -> Result<ValueId, OpError> {
    let largest = ctx.reduce(ReduceOperation::Max, x, vec![axis], true)?;
    let shifted = ctx.binary(Ew::Sub, x, largest)?;
    let powers = ctx.unary(Un::Exp, shifted)?;
    let sum = ctx.reduce(ReduceOperation::Sum, powers, vec![axis], true)?;
    let logarithm = ctx.unary(Un::Log, sum)?;
    ctx.binary(Ew::Sub, shifted, logarithm)
}

/// 1 at the first maximum, else 0: TopK's index compared with a counter.
fn hard(ctx: &mut Ctx<'_>, x: ValueId, axis: usize) -> Result<ValueId, OpError> {
    let top = ctx.add_all(TopK { operation: TopKOperation::Max, k: Arg::Static(1), axis }, &[x])?;
    let index = top.get(1).copied().ok_or_else(|| OpError::invalid("TopK without indices"))?;
    let index = ctx.cast(index, DType::I64)?;
    let counter = counter(ctx, x, axis)?;
    let first = ctx.binary(Ew::Equal, index, counter)?;
    ctx.cast(first, ctx.dtype(x))
}
