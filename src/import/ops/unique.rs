//! `Unique`: what differs, from a table of every element by every other.

use super::gather::non_zero_of;
use super::reduce::widened;
use crate::import::build::axes::along;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{
    Cumulative, CumulativeOperation, ElementWiseOperation as Ew, Gather, GatherMode,
    ReduceOperation, Scatter, ScatterMode, UnaryOperation as Un,
};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[onnx("Unique", 11..=NOW, "X", unique)];

/// The most pairs that are compared, where their number is known.
const MOST_PAIRS: i64 = 1 << 26;

/// `Unique`: the first of equal elements (or of equal slices along an axis), in order or sorted;
/// where they first stand, which of them each element is, and how often they occur. How many there
/// are only the run knows: TensorRT finds them with NonZero.
fn unique(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let sorted = node.attrs.int_or("sorted", 1)? != 0;
    let (data, axis) = match node.attrs.int("axis")? {
        Some(axis) => (x, ctx.axis(axis, ctx.rank(x))?),
        None => (ctx.reshape(x, vec![-1])?, 0),
    };
    let count = ctx.size_of(data, axis)?;
    let volume = ctx.sizes(data)?;
    let volume = ctx.product(&volume)?;
    if let (Some(count), Some(volume)) = (ctx.known(count), ctx.known(volume))
        && count.saturating_mul(volume) > MOST_PAIRS
    {
        let value = format!("of {count} by {volume}");
        return Err(OpError::Value {
            what: "a comparison",
            value,
            supported: "their product up to 2^26",
        });
    }
    let rows = rows(ctx, data, axis, count)?;
    let Compared { equal, less } = compared(ctx, rows)?;
    // Tables have one element per row, each by every other: [self, other].
    let here = ctx.count_up(count)?;
    let other = along(ctx, here, 1, 2)?;
    let here = along(ctx, here, 0, 2)?;
    let earlier = ctx.binary(Ew::Less, other, here)?;
    let repeats = ctx.binary(Ew::And, equal, earlier)?;
    let repeats = any(ctx, repeats)?;
    let first = ctx.unary(Un::Not, repeats)?;
    // An element's place is the number of different ones before it.
    let before = if sorted {
        less
    } else {
        let start = ctx.select(equal, other, count)?;
        let start = ctx.reduce(ReduceOperation::Min, start, vec![1], true)?;
        ctx.binary(Ew::Less, other, start)?
    };
    let firsts = along(ctx, first, 1, 2)?;
    let before = ctx.binary(Ew::And, before, firsts)?;
    let places = number_of(ctx, before)?;
    let occurrences = number_of(ctx, equal)?;
    let starts = non_zero_of(ctx, first)?;
    let starts = ctx.squeeze(starts, vec![0])?;
    let pick = |ctx: &mut Ctx<'_>, data, indices, axis| {
        ctx.add(Gather { mode: GatherMode::Default, axis, element_wise_dims: 0 }, &[data, indices])
    };
    let indices = if sorted {
        let order = pick(ctx, places, starts, 0)?;
        ctx.add(Scatter { mode: ScatterMode::Element, axis: 0 }, &[starts, order, starts])?
    } else {
        starts
    };
    let y = pick(ctx, data, indices, axis)?;
    let counts = pick(ctx, occurrences, indices, 0)?;
    Ok(smallvec![y, indices, places, counts])
}

/// The slices along an axis as rows, in a type that can be compared.
fn rows(ctx: &mut Ctx<'_>, data: ValueId, axis: usize, count: ValueId) -> Result<ValueId, OpError> {
    let data = widened(ctx, data)?;
    let rank = ctx.rank(data);
    let order = [axis].into_iter().chain((0..rank).filter(|&other| other != axis)).collect();
    let data = ctx.transpose(data, order)?;
    let sizes = ctx.sizes(data)?;
    let length = ctx.product(sizes.get(1..).unwrap_or_default())?;
    ctx.reshape_to(data, &[count, length])
}

/// Of each row and every other: whether they are equal, and whether the other is less.
struct Compared {
    equal: ValueId,
    less: ValueId,
}

/// Rows compare as words do: by the first element that differs.
fn compared(ctx: &mut Ctx<'_>, rows: ValueId) -> Result<Compared, OpError> {
    let (here, other) = (ctx.unsqueeze(rows, vec![1])?, ctx.unsqueeze(rows, vec![0])?);
    let equal = ctx.binary(Ew::Equal, here, other)?;
    let less = ctx.binary(Ew::Less, other, here)?;
    if ctx.size(rows, 1) == Some(1) {
        return Ok(Compared {
            equal: ctx.squeeze(equal, vec![2])?,
            less: ctx.squeeze(less, vec![2])?,
        });
    }
    let differs = ctx.unary(Un::Not, equal)?;
    let differs = ctx.cast(differs, DType::I32)?;
    let sum = CumulativeOperation::Sum;
    let before = ctx
        .add(Cumulative { operation: sum, axis: 2, exclusive: true, reverse: false }, &[differs])?;
    let zero = ctx.filled(DType::I32, 0.0, 3)?;
    let so_far = ctx.binary(Ew::Equal, before, zero)?;
    let decides = ctx.binary(Ew::And, so_far, less)?;
    let decides = ctx.cast(decides, DType::I32)?;
    let less = ctx.reduce(ReduceOperation::Max, decides, vec![2], false)?;
    let less = ctx.binary_scalar(Ew::Greater, less, 0.0)?;
    let differs = ctx.reduce(ReduceOperation::Max, differs, vec![2], false)?;
    let differs = ctx.binary_scalar(Ew::Greater, differs, 0.0)?;
    Ok(Compared { equal: ctx.unary(Un::Not, differs)?, less })
}

/// Whether any element of a row is true.
fn any(ctx: &mut Ctx<'_>, table: ValueId) -> Result<ValueId, OpError> {
    let count = number_of(ctx, table)?;
    ctx.binary_scalar(Ew::Greater, count, 0.0)
}

/// How many elements of a row are true: `i64`.
fn number_of(ctx: &mut Ctx<'_>, table: ValueId) -> Result<ValueId, OpError> {
    let table = ctx.cast(table, DType::I64)?;
    ctx.reduce(ReduceOperation::Sum, table, vec![1], false)
}
