//! One number from many: `Reduce…`, `ArgMax`, `ArgMin`, `CumSum`, `CumProd`.

use super::quantize::{from_real, real};
use crate::import::build::axes::{counter, reversed};
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{
    Arg, Cumulative, CumulativeOperation, ElementWiseOperation as Ew, ReduceOperation, TopK,
    TopKOperation, UnaryOperation as Un,
};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("ArgMax", 1..=NOW, "data", |ctx, node| arg(ctx, node, TopKOperation::Max)),
    onnx("ArgMin", 1..=NOW, "data", |ctx, node| arg(ctx, node, TopKOperation::Min)),
    onnx("CumProd", 26..=NOW, "x axis", cumulative_product),
    onnx("CumSum", 11..=NOW, "x axis", cumulative_sum),
    onnx("ReduceL1", 1..=17, "data", |ctx, node| by_attribute(ctx, node, l1)),
    onnx("ReduceL1", 18..=NOW, "data axes?", |ctx, node| by_input(ctx, node, l1)),
    onnx("ReduceL2", 1..=17, "data", |ctx, node| by_attribute(ctx, node, l2)),
    onnx("ReduceL2", 18..=NOW, "data axes?", |ctx, node| by_input(ctx, node, l2)),
    onnx("ReduceLogSum", 1..=17, "data", |ctx, node| by_attribute(ctx, node, log_sum)),
    onnx("ReduceLogSum", 18..=NOW, "data axes?", |ctx, node| by_input(ctx, node, log_sum)),
    onnx("ReduceLogSumExp", 1..=17, "data", |ctx, node| by_attribute(ctx, node, log_sum_exp)),
    onnx("ReduceLogSumExp", 18..=NOW, "data axes?", |ctx, node| by_input(ctx, node, log_sum_exp)),
    onnx("ReduceMax", 1..=17, "data", |ctx, node| by_attribute(ctx, node, max)),
    onnx("ReduceMax", 18..=NOW, "data axes?", |ctx, node| by_input(ctx, node, max)),
    onnx("ReduceMean", 1..=17, "data", |ctx, node| by_attribute(ctx, node, mean)),
    onnx("ReduceMean", 18..=NOW, "data axes?", |ctx, node| by_input(ctx, node, mean)),
    onnx("ReduceMin", 1..=17, "data", |ctx, node| by_attribute(ctx, node, min)),
    onnx("ReduceMin", 18..=NOW, "data axes?", |ctx, node| by_input(ctx, node, min)),
    onnx("ReduceProd", 1..=17, "data", |ctx, node| by_attribute(ctx, node, prod)),
    onnx("ReduceProd", 18..=NOW, "data axes?", |ctx, node| by_input(ctx, node, prod)),
    onnx("ReduceSum", 1..=12, "data", |ctx, node| by_attribute(ctx, node, sum)),
    onnx("ReduceSum", 13..=NOW, "data axes?", |ctx, node| by_input(ctx, node, sum)),
    onnx("ReduceSumSquare", 1..=17, "data", |ctx, node| by_attribute(ctx, node, sum_square)),
    onnx("ReduceSumSquare", 18..=NOW, "data axes?", |ctx, node| by_input(ctx, node, sum_square)),
];

/// What is computed over some axes, which stay as axes of size 1 where the flag says so.
type Over = fn(&mut Ctx<'_>, ValueId, Vec<usize>, bool) -> Result<ValueId, OpError>;

/// A reduction whose axes are an attribute; none means all.
fn by_attribute(ctx: &mut Ctx<'_>, node: &Node, compute: Over) -> Result<Values, OpError> {
    let axes = node.attrs.ints("axes")?.map(<[i64]>::to_vec);
    reduced(ctx, node, axes, false, compute)
}

/// A reduction whose axes are an input, which must be known; none means all, or nothing with
/// `noop_with_empty_axes`.
fn by_input(ctx: &mut Ctx<'_>, node: &Node, compute: Over) -> Result<Values, OpError> {
    let noop = node.attrs.int_or("noop_with_empty_axes", 0)? != 0;
    let axes = ctx.ints(1)?;
    reduced(ctx, node, axes, noop, compute)
}

fn reduced(
    ctx: &mut Ctx<'_>,
    node: &Node,
    axes: Option<Vec<i64>>,
    noop: bool,
    compute: Over,
) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let rank = ctx.rank(x);
    let keep = node.attrs.int_or("keepdims", 1)? != 0;
    let mut axes = axes
        .unwrap_or_default()
        .into_iter()
        .map(|axis| ctx.axis(axis, rank))
        .collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    if axes.is_empty() && !noop {
        axes = (0..rank).collect();
    }
    Ok(smallvec![compute(ctx, x, axes, keep)?])
}

/// `ReduceSum`. Becomes Reduce.
fn sum(ctx: &mut Ctx<'_>, x: ValueId, axes: Vec<usize>, keep: bool) -> Result<ValueId, OpError> {
    ctx.reduce(ReduceOperation::Sum, x, axes, keep)
}

/// `ReduceProd`. Becomes Reduce.
fn prod(ctx: &mut Ctx<'_>, x: ValueId, axes: Vec<usize>, keep: bool) -> Result<ValueId, OpError> {
    ctx.reduce(ReduceOperation::Prod, x, axes, keep)
}

/// `ReduceMax`. Becomes Reduce; `bool` in `i32`, 8-bit numbers in `f32`.
fn max(ctx: &mut Ctx<'_>, x: ValueId, axes: Vec<usize>, keep: bool) -> Result<ValueId, OpError> {
    extreme(ctx, ReduceOperation::Max, x, axes, keep)
}

/// `ReduceMin`. Becomes Reduce; `bool` in `i32`, 8-bit numbers in `f32`.
fn min(ctx: &mut Ctx<'_>, x: ValueId, axes: Vec<usize>, keep: bool) -> Result<ValueId, OpError> {
    extreme(ctx, ReduceOperation::Min, x, axes, keep)
}

fn extreme(
    ctx: &mut Ctx<'_>,
    operation: ReduceOperation,
    x: ValueId,
    axes: Vec<usize>,
    keep: bool,
) -> Result<ValueId, OpError> {
    let dtype = ctx.dtype(x);
    let wide = widened(ctx, x)?;
    let y = ctx.reduce(operation, wide, axes, keep)?;
    if dtype == DType::Bool {
        // The extreme of nothing is neither 0 nor 1.
        return ctx.binary_scalar(Ew::Greater, y, 0.0);
    }
    if wide == x { Ok(y) } else { from_real(ctx, y, dtype) }
}

/// Types that TensorRT does not compare in one that it does: `bool` in `i32`, 8-bit numbers in
/// `f32`.
pub(super) fn widened(ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
    match ctx.dtype(x) {
        DType::Bool => ctx.cast(x, DType::I32),
        DType::U8 | DType::I8 => real(ctx, x),
        _ => Ok(x),
    }
}

/// `ReduceMean`. Becomes Reduce; for whole numbers the sum divided once, truncated.
fn mean(ctx: &mut Ctx<'_>, x: ValueId, axes: Vec<usize>, keep: bool) -> Result<ValueId, OpError> {
    if ctx.dtype(x).is_float() {
        return ctx.reduce(ReduceOperation::Avg, x, axes, keep);
    }
    let mut count = ctx.i64s(&[1]);
    for &axis in &axes {
        let size = ctx.size_of(x, axis)?;
        count = ctx.binary(Ew::Prod, count, size)?;
    }
    // The mean of nothing may be any whole number, but not a quotient by 0.
    let count = ctx.at_least_one(count)?;
    let count = ctx.squeeze(count, vec![0])?;
    let count = ctx.cast(count, ctx.dtype(x))?;
    let total = ctx.reduce(ReduceOperation::Sum, x, axes, keep)?;
    ctx.binary(Ew::Div, total, count)
}

/// `ReduceSumSquare`: the sum of x².
fn sum_square(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    axes: Vec<usize>,
    keep: bool,
) -> Result<ValueId, OpError> {
    let squares = ctx.binary(Ew::Prod, x, x)?;
    ctx.reduce(ReduceOperation::Sum, squares, axes, keep)
}

/// `ReduceL1`: the sum of |x|.
fn l1(ctx: &mut Ctx<'_>, x: ValueId, axes: Vec<usize>, keep: bool) -> Result<ValueId, OpError> {
    let magnitudes = ctx.unary(Un::Abs, x)?;
    ctx.reduce(ReduceOperation::Sum, magnitudes, axes, keep)
}

/// `ReduceL2`: the root of the sum of x².
fn l2(ctx: &mut Ctx<'_>, x: ValueId, axes: Vec<usize>, keep: bool) -> Result<ValueId, OpError> {
    floating(ctx, x)?;
    let sum = sum_square(ctx, x, axes, keep)?;
    ctx.unary(Un::Sqrt, sum)
}

/// `ReduceLogSum`: the logarithm of the sum.
fn log_sum(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    axes: Vec<usize>,
    keep: bool,
) -> Result<ValueId, OpError> {
    floating(ctx, x)?;
    let sum = ctx.reduce(ReduceOperation::Sum, x, axes, keep)?;
    ctx.unary(Un::Log, sum)
}

/// `ReduceLogSumExp`: m + ln Σ e^(x − m), with m the maximum, or 0 where that is infinite.
fn log_sum_exp(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    axes: Vec<usize>,
    keep: bool,
) -> Result<ValueId, OpError> {
    floating(ctx, x)?;
    let largest = ctx.reduce(ReduceOperation::Max, x, axes.clone(), true)?;
    let infinite = ctx.unary(Un::IsInf, largest)?;
    let zero = ctx.filled(ctx.dtype(x), 0.0, ctx.rank(x))?;
    let shift = ctx.select(infinite, zero, largest)?;
    let shifted = ctx.binary(Ew::Sub, x, shift)?;
    let powers = ctx.unary(Un::Exp, shifted)?;
    let sum = ctx.reduce(ReduceOperation::Sum, powers, axes.clone(), true)?;
    let logarithm = ctx.unary(Un::Log, sum)?;
    let y = ctx.binary(Ew::Sum, logarithm, shift)?;
    if keep { Ok(y) } else { ctx.squeeze(y, axes) }
}

fn floating(ctx: &Ctx<'_>, x: ValueId) -> Result<(), OpError> {
    match ctx.dtype(x) {
        dtype if dtype.is_float() => Ok(()),
        dtype => Err(OpError::DType { what: "input `data`", dtype, supported: "floating point" }),
    }
}

/// `ArgMax`, `ArgMin`. Become TopK; `select_last_index` searches the reversed axis.
fn arg(ctx: &mut Ctx<'_>, node: &Node, operation: TopKOperation) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let rank = ctx.rank(x);
    let keep = node.attrs.int_or("keepdims", 1)? != 0;
    let last = node.attrs.int_or("select_last_index", 0)? != 0;
    let axis = ctx.axis(node.attrs.int_or("axis", 0)?, rank)?;
    let wide = widened(ctx, x)?;
    let searched = if last { reversed(ctx, wide, axis)? } else { wide };
    let top = ctx.add_all(TopK { operation, k: Arg::Static(1), axis }, &[searched])?;
    let index = top.get(1).copied().ok_or_else(|| OpError::invalid("TopK without indices"))?;
    let mut index = ctx.cast(index, DType::I64)?;
    if last {
        let size = ctx.size_of(x, axis)?;
        let one = ctx.i64s(&[1]);
        let end = ctx.binary(Ew::Sub, size, one)?;
        index = ctx.binary(Ew::Sub, end, index)?;
    }
    Ok(smallvec![if keep { index } else { ctx.squeeze(index, vec![axis])? }])
}

/// `CumSum`. Becomes Cumulative.
fn cumulative_sum(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (exclusive, reverse) = directions(node)?;
    along_axis(ctx, |ctx, x, axis| {
        ctx.add(Cumulative { operation: CumulativeOperation::Sum, axis, exclusive, reverse }, &[x])
    })
}

/// What is computed of data along an axis, which is an input. An axis that only the run knows picks
/// from the results along every axis.
fn along_axis(
    ctx: &mut Ctx<'_>,
    compute: impl Fn(&mut Ctx<'_>, ValueId, usize) -> Result<ValueId, OpError>,
) -> Result<Values, OpError> {
    let (x, axis) = (ctx.input(0)?, ctx.input(1)?);
    let rank = ctx.rank(x);
    let [axis] = ctx.numbers(axis)?[..] else {
        return Err(OpError::invalid("input `axis` is not one number"));
    };
    if let Some(axis) = ctx.known(axis) {
        let axis = ctx.axis(axis, rank)?;
        return Ok(smallvec![compute(ctx, x, axis)?]);
    }
    let mut result = None;
    for (at, number) in (0..rank).zip(0i64..) {
        let along = compute(ctx, x, at)?;
        result = Some(match result {
            None => along,
            Some(before) => {
                let count = i64::try_from(rank).unwrap_or(i64::MAX);
                let (from_start, from_end) = (
                    ctx.compute(Ew::Equal, axis, number)?,
                    ctx.compute(Ew::Equal, axis, number - count)?,
                );
                let here = ctx.binary(Ew::Or, from_start, from_end)?;
                ctx.select(here, along, before)?
            }
        });
    }
    let result =
        result.ok_or(OpError::Rank { what: "input `x`", rank: 0, supported: "1 or more" })?;
    Ok(smallvec![result])
}

fn directions(node: &Node) -> Result<(bool, bool), OpError> {
    Ok((node.attrs.int_or("exclusive", 0)? != 0, node.attrs.int_or("reverse", 0)? != 0))
}

/// `CumProd`: for each element the product of a row in which all elements that do not
/// count are 1. The rows take n times the data's memory.
fn cumulative_product(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (exclusive, reverse) = directions(node)?;
    along_axis(ctx, |ctx, x, axis| running_product(ctx, x, axis, exclusive, reverse))
}

fn running_product(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    axis: usize,
    exclusive: bool,
    reverse: bool,
) -> Result<ValueId, OpError> {
    // The new axis stands before the one that is multiplied.
    let rows = ctx.unsqueeze(x, vec![axis])?;
    let inner = counter(ctx, rows, axis + 1)?;
    let rank = ctx.rank(rows);
    let mut order: Vec<_> = (0..rank).collect();
    order.swap(axis, axis + 1);
    let outer = ctx.transpose(inner, order)?;
    let before = ctx.binary(if reverse { Ew::Greater } else { Ew::Less }, inner, outer)?;
    let counts = if exclusive {
        before
    } else {
        let itself = ctx.binary(Ew::Equal, inner, outer)?;
        ctx.binary(Ew::Or, before, itself)?
    };
    let one = ctx.filled(ctx.dtype(x), 1.0, rank)?;
    let kept = ctx.select(counts, rows, one)?;
    ctx.reduce(ReduceOperation::Prod, kept, vec![axis + 1], false)
}
