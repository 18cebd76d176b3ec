//! Operators of ONNX Runtime's own that are in no larger family: gates, inverses, positions, and
//! sequences with a state.

use super::fused::halves;
use super::row;
use crate::import::build::axes::{rounded, whole as all_of};
use crate::import::build::ctx::Ctx;
use crate::import::build::heads::matrices;
use crate::import::build::op::Op;
use crate::import::error::OpError;
use crate::import::ops::activation::swish_of;
use crate::import::ops::matmul::placed;
use crate::import::ops::norm::rms_norm_of;
use crate::import::ops::state::{causal_conv, linear_attention};
use crate::network::layer::{
    ActivationType, ElementWiseOperation as Ew, ReduceOperation, SampleMode, UnaryOperation as Un,
};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

const LINEAR: &str = "query key value past_state? decay? beta?";

pub(in crate::import::ops) const OPS: &[Op] = &[
    row("CausalConvWithState", "input weight bias? past_state?", causal),
    row("GatedRMSNorm", "X scale gate", gated_rms_norm),
    row("Inverse", "X", inverse),
    row("LinearAttention", LINEAR, linear).ignoring(&["chunk_size"]),
    row("RelativePositionBias", "bias_table query_length key_length", relative_positions),
    row("SwiGLU", "gate up?", swiglu).ignoring(&["round_activation"]),
];

/// Refuses other values of attributes than the one given.
fn only(node: &Node, attributes: &[(&'static str, &'static str, i64)]) -> Result<(), OpError> {
    for &(what, name, usual) in attributes {
        let value = node.attrs.int_or(name, usual)?;
        if value != usual {
            let supported = if usual == 0 { "0" } else { "1" };
            return Err(OpError::Value { what, value: value.to_string(), supported });
        }
    }
    Ok(())
}

/// `CausalConvWithState`: ONNX's own, which has a single axis and takes every element of it.
fn causal(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    only(
        node,
        &[
            ("attribute `ndim`", "ndim", 1),
            ("attribute `dilation`", "dilation", 1),
            ("attribute `channels_last`", "channels_last", 0),
            ("attribute `state_window`", "state_window", 0),
            ("attribute `state_length`", "state_length", 0),
            ("attribute `input_channels`", "input_channels", 0),
            ("attribute `input_channel_offset`", "input_channel_offset", 0),
            ("attribute `state_update_capacity`", "state_update_capacity", 0),
        ],
    )?;
    causal_conv(ctx, node)
}

/// `LinearAttention`: ONNX's own.
fn linear(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    only(node, &[("attribute `state_window`", "state_window", 0)])?;
    linear_attention(ctx, node)
}

/// `GatedRMSNorm`: X / √(mean of squares + ε) · scale · a function of the gate, over runs of as
/// many elements as the scale has, in `f32`.
fn gated_rms_norm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let epsilon = node.attrs.float_or("epsilon", 1e-5)?;
    let kind = node.attrs.string_or("activation", "silu")?;
    let (x, scale, gate) = (ctx.input(0)?, ctx.input(1)?, ctx.input(2)?);
    let dtype = ctx.dtype(x);
    let (x, gate) = (ctx.cast(x, DType::F32)?, ctx.cast(gate, DType::F32)?);
    let scale = ctx.cast(scale, DType::F32)?;
    let sizes = ctx.sizes(x)?;
    let run = ctx.size_of(scale, 0)?;
    let mut runs = sizes.clone();
    let last = runs.pop().ok_or_else(|| OpError::invalid("input `X` is a single number"))?;
    let count = ctx.binary(Ew::FloorDiv, last, run)?;
    runs.extend([count, run]);
    let split = ctx.reshape_to(x, &runs)?;
    let [y, _] = rms_norm_of(ctx, split, scale, runs.len() - 1, (epsilon, DType::F32))?;
    let y = ctx.reshape_to(y, &sizes)?;
    let open = ctx.activation(ActivationType::Sigmoid, 0.0, 0.0, gate)?;
    let open = match kind {
        "sigmoid" => open,
        "silu" | "swish" => ctx.binary(Ew::Prod, gate, open)?,
        other => return Err(OpError::invalid(format!("attribute `activation` is `{other}`"))),
    };
    let y = ctx.binary(Ew::Prod, y, open)?;
    Ok(smallvec![ctx.cast(y, dtype)?])
}

/// `SwiGLU`, see [`gated`]. Without `up`, the last axis holds the gate and then it.
fn swiglu(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let gate = ctx.input(0)?;
    let dtype = ctx.dtype(gate);
    let (gate, up) = match ctx.maybe(1) {
        Some(up) => (gate, up),
        None => halves(ctx, gate)?,
    };
    let swish = Gate {
        alpha: node.attrs.float_or("activation_alpha", 1.0)?,
        beta: node.attrs.float_or("activation_beta", 0.0)?,
        limit: node.attrs.float("limit")?.filter(|&limit| limit > 0.0),
    };
    let (gate, up) = (ctx.cast(gate, DType::F32)?, ctx.cast(up, DType::F32)?);
    let y = gated(ctx, gate, up, &swish)?;
    Ok(smallvec![ctx.cast(y, dtype)?])
}

/// The parameters of [`gated`].
pub(super) struct Gate {
    pub(super) alpha: f32,
    pub(super) beta: f32,
    /// What the gate is at most, and the other's magnitude.
    pub(super) limit: Option<f32>,
}

/// gate · sigmoid(α · gate) · (up + β).
#[allow(clippy::float_cmp, reason = "exactly 0 adds nothing")]
pub(super) fn gated(
    ctx: &mut Ctx<'_>,
    mut gate: ValueId,
    mut up: ValueId,
    of: &Gate,
) -> Result<ValueId, OpError> {
    if let Some(limit) = of.limit {
        gate = ctx.binary_scalar(Ew::Min, gate, limit.into())?;
        up = ctx.binary_scalar(Ew::Min, up, limit.into())?;
        up = ctx.binary_scalar(Ew::Max, up, (-limit).into())?;
    }
    let swish = swish_of(ctx, gate, of.alpha)?;
    if of.beta != 0.0 {
        up = ctx.binary_scalar(Ew::Sum, up, of.beta.into())?;
    }
    ctx.binary(Ew::Prod, swish, up)
}

/// `Inverse` of matrices up to 5 by 5: cofactors, each a sum of signed products, divided by the
/// determinant that they give with the first row. No pivot can be 0.
fn inverse(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let rank = ctx.rank(x);
    let size = rank.checked_sub(2).and_then(|axis| ctx.size(x, axis));
    let size = size.filter(|&size| (1..=5).contains(&size) && ctx.size(x, rank - 1) == Some(size));
    let size = size.ok_or(OpError::Feature(
        "an inverse of anything but square matrices of known size up to 5",
    ))?;
    if size == 1 {
        return Ok(smallvec![ctx.unary(Un::Recip, x)?]);
    }
    let dtype = ctx.dtype(x);
    let wide = ctx.cast(x, DType::F32)?;
    let mut shape = ctx.sizes(wide)?;
    let square = shape.clone();
    shape.truncate(rank - 2);
    let edge = i64::try_from(size).map_err(|_| OpError::invalid("a matrix too large"))?;
    shape.push(ctx.number(edge * edge));
    let flat = ctx.reshape_to(wide, &shape)?;
    let (places, signs) = cofactors(size)?;
    let (places, signs) = (ctx.constant_value(places), ctx.constant_value(signs));
    // [.., transposed place, permutation, factor]
    let terms = ctx.gather(flat, places, rank - 2)?;
    let products = ctx.reduce(ReduceOperation::Prod, terms, vec![rank], false)?;
    let products = ctx.binary(Ew::Prod, products, signs)?;
    let adjugate = ctx.reduce(ReduceOperation::Sum, products, vec![rank - 1], false)?;
    let adjugate = ctx.reshape_to(adjugate, &square)?;
    let one = matrices(ctx, wide, adjugate)?;
    let (zero, count) = (ctx.number(0), ctx.number(1));
    let mut steps = all_of(ctx, one)?;
    steps.set(rank - 2, zero, count);
    steps.set(rank - 1, zero, count);
    let determinant = ctx.slice(one, &steps, SampleMode::StrictBounds, None)?;
    let y = ctx.binary(Ew::Div, adjugate, determinant)?;
    Ok(smallvec![ctx.cast(y, dtype)?])
}

/// For each place of the adjugate: the places that the products of its minor take, `[places,
/// permutations, factors]`, and the products' signs.
fn cofactors(size: usize) -> Result<(Tensor, Tensor), OpError> {
    let mut permutations = vec![(Vec::new(), 1.0)];
    for row in 0..size - 1 {
        permutations = permutations
            .into_iter()
            .flat_map(|(columns, sign)| placed(row, &columns, sign))
            .collect();
    }
    let (mut places, mut signs) = (Vec::new(), Vec::new());
    // The adjugate's (i, j) is the minor without row j and column i.
    for (column, row) in (0..size).flat_map(|i| (0..size).map(move |j| (i, j))) {
        let side = if (row + column) % 2 == 0 { 1.0 } else { -1.0 };
        for (columns, sign) in &permutations {
            signs.push(side * sign);
            for (at, &to) in columns.iter().enumerate() {
                let place = (at + usize::from(at >= row)) * size + to + usize::from(to >= column);
                places.push(i64::try_from(place).unwrap_or(0));
            }
        }
    }
    let count = permutations.len();
    let places = Tensor::of(vec![size * size, count, size - 1], places)?;
    Ok((places, rounded(DType::F32, vec![size * size, count], &signs)?))
}

/// `RelativePositionBias`: for each head, an entry of its table by how far a key is from a query.
///
/// Half of the buckets are for keys behind the query, if `is_bidirectional`. Of those for one side,
/// half stand for a distance each, and the rest for ranges that grow up to `max_distance`.
fn relative_positions(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let farthest = node.attrs.int("max_distance")?;
    let farthest =
        farthest.ok_or_else(|| OpError::invalid("attribute `max_distance` is missing"))?;
    let both = node.attrs.int_or("is_bidirectional", 0)? != 0;
    let table = ctx.input(0)?;
    let buckets = ctx.size(table, 0).and_then(|size| i64::try_from(size).ok());
    let buckets = buckets.ok_or_else(|| ctx.open_size("the number of buckets", table, 0))?;
    let side = if both { buckets / 2 } else { buckets };
    let exact = side / 2;
    if i32::try_from(farthest).is_err() {
        let (what, value) = ("attribute `max_distance`", farthest.to_string());
        return Err(OpError::Value { what, value, supported: "below 2^31" });
    }
    if exact < 1 || farthest <= exact {
        return Err(OpError::invalid(format!("{buckets} buckets for distances up to {farthest}")));
    }
    let numbers = |ctx: &mut Ctx<'_>, at| {
        let count = ctx.numbers(ctx.input(at)?)?.first().copied();
        let count = count.ok_or_else(|| OpError::invalid("a length is empty"))?;
        ctx.count_up(count)
    };
    let (rows, columns) = (numbers(ctx, 1)?, numbers(ctx, 2)?);
    let rows = ctx.unsqueeze(rows, vec![1])?;
    let ahead = ctx.binary(Ew::Sub, columns, rows)?;
    let behind = if both {
        let zero = ctx.filled(DType::I64, 0.0, 2)?;
        let behind = ctx.binary(Ew::Greater, ahead, zero)?;
        let behind = ctx.cast(behind, DType::I64)?;
        Some(ctx.binary_scalar(Ew::Prod, behind, whole(side))?)
    } else {
        None
    };
    let distance = if both {
        ctx.unary(Un::Abs, ahead)?
    } else {
        let back = ctx.binary_scalar(Ew::Prod, ahead, -1.0)?;
        ctx.binary_scalar(Ew::Max, back, 0.0)?
    };
    let near = ctx.filled(DType::I64, whole(exact), 2)?;
    let is_near = ctx.binary(Ew::Less, distance, near)?;
    let far = range_of(ctx, distance, [exact, side, farthest])?;
    let place = ctx.select(is_near, distance, far)?;
    let bucket = behind.map_or(Ok(place), |behind| ctx.binary(Ew::Sum, behind, place))?;
    // The table's elements stand column by column.
    let (heads, buckets) = (ctx.size_of(table, 1)?, ctx.number(buckets));
    let columns = ctx.reshape_to(table, &[heads, buckets])?;
    let entries = ctx.gather(columns, bucket, 1)?;
    Ok(smallvec![ctx.unsqueeze(entries, vec![0])?])
}

/// The bucket of a distance that shares it: exact + ln(distance / exact) / ln(farthest / exact) ·
/// (side − exact), rounded down, at most side − 1.
fn range_of(
    ctx: &mut Ctx<'_>,
    distance: ValueId,
    [exact, side, farthest]: [i64; 3],
) -> Result<ValueId, OpError> {
    let real = ctx.cast(distance, DType::F32)?;
    let ratio = ctx.binary_scalar(Ew::Div, real, whole(exact))?;
    let ratio = ctx.binary_scalar(Ew::Max, ratio, 1.0)?;
    let logarithm = ctx.unary(Un::Log, ratio)?;
    let all = (whole(farthest) / whole(exact)).ln();
    let share = ctx.binary_scalar(Ew::Div, logarithm, all)?;
    let steps = ctx.binary_scalar(Ew::Prod, share, whole(side - exact))?;
    let steps = ctx.unary(Un::Floor, steps)?;
    let steps = ctx.cast(steps, DType::I64)?;
    let place = ctx.binary_scalar(Ew::Sum, steps, whole(exact))?;
    ctx.binary_scalar(Ew::Min, place, whole(side - 1))
}

/// A small whole number as a real one.
fn whole(n: i64) -> f64 {
    i32::try_from(n).map_or(f64::MAX, f64::from)
}
