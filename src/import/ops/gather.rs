//! Data picked by index.

use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{
    Arg, ElementWiseOperation as Ew, Gather, GatherMode, ReverseSequence, TopK, TopKOperation,
};
use crate::network::{LayerKind, ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("ArrayFeatureExtractor", 1..=NOW, "X Y", array_feature_extractor).of("ai.onnx.ml"),
    onnx("Compress", 9..=NOW, "input condition", compress),
    onnx("Gather", 1..=NOW, "data indices", gather),
    onnx("GatherElements", 11..=NOW, "data indices", gather_elements),
    onnx("GatherND", 11..=NOW, "data indices", gather_nd),
    onnx("NonZero", 9..=NOW, "X", non_zero),
    onnx("OneHot", 9..=NOW, "indices depth values", one_hot),
    onnx("ReverseSequence", 10..=NOW, "input sequence_lens", reverse_sequence),
    onnx("TopK", 1..=9, "X", top_k_attribute),
    onnx("TopK", 10..=NOW, "X K", top_k),
];

/// The most elements that TensorRT's TopK gives.
const MAX_TOP_K: i64 = 3840;

pub(super) fn axis_of(
    ctx: &Ctx<'_>,
    node: &Node,
    default: i64,
    data: ValueId,
) -> Result<usize, OpError> {
    ctx.axis(node.attrs.int_or("axis", default)?, ctx.rank(data))
}

/// `Gather`. Becomes Gather; negative indices are wrapped.
fn gather(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, indices) = (ctx.input(0)?, ctx.input(1)?);
    let axis = axis_of(ctx, node, 0, data)?;
    Ok(smallvec![ctx.gather(data, indices, axis)?])
}

/// `GatherElements`. Becomes Gather; negative indices are wrapped.
fn gather_elements(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, indices) = (ctx.input(0)?, ctx.input(1)?);
    let axis = axis_of(ctx, node, 0, data)?;
    let indices = ctx.wrap_indices(data, indices, axis)?;
    Ok(smallvec![
        ctx.add(
            Gather { mode: GatherMode::Element, axis, element_wise_dims: 0 },
            &[data, indices]
        )?
    ])
}

/// `GatherND`. Becomes Gather; negative indices are wrapped.
fn gather_nd(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, indices) = (ctx.input(0)?, ctx.input(1)?);
    let batch = node.attrs.int_or("batch_dims", 0)?;
    let batch = ctx.axis(batch, ctx.rank(data))?;
    let indices = wrap_index_vectors(ctx, data, indices, batch)?;
    Ok(smallvec![ctx.add(
        Gather { mode: GatherMode::Nd, axis: 0, element_wise_dims: batch },
        &[data, indices]
    )?])
}

/// Index vectors along the last axis with the sizes added where they are negative, which TensorRT
/// does not do.
pub(super) fn wrap_index_vectors(
    ctx: &mut Ctx<'_>,
    data: ValueId,
    indices: ValueId,
    batch: usize,
) -> Result<ValueId, OpError> {
    if is_nonnegative(ctx, indices) {
        return Ok(indices);
    }
    let last = ctx.rank(indices).checked_sub(1);
    let depth = last.and_then(|last| ctx.size(indices, last));
    let depth = depth.ok_or(OpError::Feature("index vectors of unknown length"))?;
    let sizes = (batch..batch + depth)
        .map(|axis| ctx.size_of(data, axis))
        .collect::<Result<Vec<_>, _>>()?;
    let sizes = ctx.concat(&sizes, 0)?;
    let sizes = ctx.cast(sizes, ctx.dtype(indices))?;
    wrap(ctx, indices, sizes)
}

fn is_nonnegative(ctx: &Ctx<'_>, indices: ValueId) -> bool {
    let known = ctx.constant(indices).and_then(|indices| indices.to_i64s());
    known.is_some_and(|known| known.iter().all(|&index| index >= 0))
}

fn wrap(ctx: &mut Ctx<'_>, indices: ValueId, sizes: ValueId) -> Result<ValueId, OpError> {
    let zero = ctx.scalar(ctx.dtype(indices), 0.0)?;
    let negative = ctx.binary(Ew::Less, indices, zero)?;
    let wrapped = ctx.binary(Ew::Sum, indices, sizes)?;
    ctx.select(negative, wrapped, indices)
}

/// `OneHot`: on where the index equals the position along the new axis, off elsewhere.
///
/// TensorRT's own OneHot neither wraps negative indices nor ignores those out of range.
fn one_hot(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (indices, depth, values) = (ctx.input(0)?, ctx.input(1)?, ctx.input(2)?);
    let rank = ctx.rank(indices);
    let axis = ctx.axis(node.attrs.int_or("axis", -1)?, rank + 1)?;
    let [depth] = ctx.numbers(depth)?[..] else {
        return Err(OpError::invalid("input `depth` is no scalar"));
    };
    let [off, on] = ctx.vector_elements(values)?[..] else {
        return Err(OpError::invalid("input `values` does not hold two elements"));
    };
    let indices = ctx.cast(indices, DType::I64)?;
    let size = ctx.as_scalar(depth)?;
    let indices = wrap(ctx, indices, size)?;
    let rows = ctx.unsqueeze(indices, vec![axis])?;
    let positions = ctx.count_up(depth)?;
    let positions = ctx.unsqueeze(positions, (1..=rank - axis).collect())?;
    let hot = ctx.binary(Ew::Equal, rows, positions)?;
    Ok(smallvec![ctx.select(hot, on, off)?])
}

/// `TopK` with k as an attribute.
fn top_k_attribute(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let k = node.attrs.int("k")?.ok_or_else(|| OpError::invalid("attribute `k` is missing"))?;
    let k = ctx.number(k);
    top_k_of(ctx, node, k)
}

/// `TopK`. Becomes TopK, whose indices are `i32`; k is at most 3840. `sorted` is always so.
fn top_k(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let k = ctx.input(1)?;
    let [k] = ctx.numbers(k)?[..] else {
        return Err(OpError::invalid("input `K` does not hold one element"));
    };
    node.attrs.int("sorted")?;
    top_k_of(ctx, node, k)
}

fn top_k_of(ctx: &mut Ctx<'_>, node: &Node, k: ValueId) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let axis = axis_of(ctx, node, -1, data)?;
    let largest = node.attrs.int_or("largest", 1)? != 0;
    let operation = if largest { TopKOperation::Max } else { TopKOperation::Min };
    let outputs = if let Some(known) = ctx.known(k) {
        let fixed = usize::try_from(known).ok().filter(|_| (1..=MAX_TOP_K).contains(&known));
        let fixed = fixed.ok_or(OpError::Value {
            what: "k",
            value: known.to_string(),
            supported: "1 to 3840",
        })?;
        ctx.add_all(TopK { operation, k: Arg::Static(fixed), axis }, &[data])?
    } else {
        let k = ctx.as_scalar(k)?;
        ctx.add_all(TopK { operation, k: Arg::Input(1), axis }, &[data, k])?
    };
    let [values, indices] = outputs[..] else {
        return Err(OpError::invalid("a TopK layer without two outputs"));
    };
    Ok(smallvec![values, ctx.cast(indices, DType::I64)?])
}

/// `NonZero`. Becomes NonZero; types that the layer lacks are converted to `bool`.
fn non_zero(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    Ok(smallvec![non_zero_of(ctx, data)?])
}

pub(super) fn non_zero_of(ctx: &mut Ctx<'_>, data: ValueId) -> Result<ValueId, OpError> {
    if ctx.rank(data) == 0 {
        return Err(OpError::Rank { what: "the data", rank: 0, supported: "1 or more" });
    }
    let data = match ctx.dtype(data) {
        DType::F32 | DType::F16 | DType::I32 | DType::Bool => data,
        _ => ctx.cast(data, DType::Bool)?,
    };
    ctx.add(LayerKind::NonZero, &[data])
}

/// `ReverseSequence`. Becomes ReverseSequence.
fn reverse_sequence(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, lengths) = (ctx.input(0)?, ctx.input(1)?);
    let rank = ctx.rank(data);
    let batch_axis = ctx.axis(node.attrs.int_or("batch_axis", 1)?, rank)?;
    let sequence_axis = ctx.axis(node.attrs.int_or("time_axis", 0)?, rank)?;
    Ok(smallvec![ctx.add(ReverseSequence { batch_axis, sequence_axis }, &[data, lengths])?])
}

/// `Compress`: a Gather of the places where the condition holds, which are found at run time unless
/// they are known.
fn compress(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, condition) = (ctx.input(0)?, ctx.input(1)?);
    let (data, axis) = match node.attrs.int("axis")? {
        Some(axis) => (data, ctx.axis(axis, ctx.rank(data))?),
        None => (ctx.reshape(data, vec![-1])?, 0),
    };
    let places =
        if let Some(known) = ctx.constant(condition).and_then(|condition| condition.to_i64s()) {
            let holds = (0i64..).zip(&known).filter(|(_, holds)| **holds != 0);
            ctx.i64s(&holds.map(|(at, _)| at).collect::<Vec<_>>())
        } else {
            let places = non_zero_of(ctx, condition)?;
            ctx.squeeze(places, vec![0])?
        };
    Ok(smallvec![
        ctx.add(Gather { mode: GatherMode::Default, axis, element_wise_dims: 0 }, &[data, places])?
    ])
}

/// `ArrayFeatureExtractor`: a Gather along the last axis; the result of a vector has a leading
/// axis.
fn array_feature_extractor(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (data, indices) = (ctx.input(0)?, ctx.input(1)?);
    let data = if ctx.rank(data) == 1 { ctx.unsqueeze(data, vec![0])? } else { data };
    let indices = ctx.reshape(indices, vec![-1])?;
    let axis = ctx.axis(-1, ctx.rank(data))?;
    Ok(smallvec![ctx.gather(data, indices, axis)?])
}
