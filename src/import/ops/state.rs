//! Operators that hand a state from one call to the next: caches, convolutions and recurrences over
//! a sequence.

use super::activation::swish_of;
use super::conv::{convolve_window, known_size};
use super::gather::axis_of;
use crate::import::build::axes::{Cut, counter, cut};
use crate::import::build::ctx::Ctx;
use crate::import::build::heads::{
    default_scale, matrices, required_head_count, root_of_size, share,
};
use crate::import::build::nested::{Iteration, Repeat};
use crate::import::build::numbers::Steps;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::build::pads::Window;
use crate::import::error::OpError;
use crate::network::layer::{
    ElementWiseOperation as Ew, LoopIterator, LoopOutput, MatrixMultiply, MatrixOperation,
    SampleMode, Scatter, ScatterMode, UnaryOperation as Un,
};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("CausalConvWithState", 27..=NOW, "input weight bias? past_state?", causal_conv),
    onnx("LinearAttention", 27..=NOW, "query key value past_state? decay? beta?", linear_attention)
        .ignoring(&["chunk_size"]),
    onnx("TensorScatter", 24..=NOW, "past_cache update write_indices?", tensor_scatter),
];

/// `TensorScatter`: a Scatter of single elements, whose indices are the sample's first place plus
/// the element's own.
fn tensor_scatter(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (cache, update) = (ctx.input(0)?, ctx.input(1)?);
    let (axis, rank) = (axis_of(ctx, node, -2, cache)?, ctx.rank(update));
    if axis == 0 || rank != ctx.rank(cache) {
        return Err(OpError::invalid(format!(
            "an update of rank {rank} along axis {axis} has no batch axis before it"
        )));
    }
    let mut places = counter(ctx, update, axis)?;
    if let Some(first) = ctx.maybe(2) {
        let first = ctx.cast(first, DType::I64)?;
        let first = ctx.unsqueeze(first, (1..rank).collect())?;
        places = ctx.binary(Ew::Sum, places, first)?;
    }
    match node.attrs.string_or("mode", "linear")? {
        "linear" => {}
        "circular" => {
            let size = ctx.size_of(cache, axis)?;
            let rounds = ctx.binary(Ew::FloorDiv, places, size)?;
            let passed = ctx.binary(Ew::Prod, rounds, size)?;
            places = ctx.binary(Ew::Sub, places, passed)?;
        }
        other => return Err(OpError::invalid(format!("attribute `mode` is `{other}`"))),
    }
    let sizes = ctx.sizes(update)?;
    let places = ctx.expand(places, &sizes)?;
    Ok(smallvec![ctx.add(Scatter { mode: ScatterMode::Element, axis }, &[cache, places, update])?])
}

/// `CausalConvWithState`: a Convolution of each channel behind the last elements of the past, or
/// behind zeros.
pub(super) fn causal_conv(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, w) = (ctx.input(0)?, ctx.input(1)?);
    for (what, value) in [("input `input`", x), ("input `weight`", w)] {
        if ctx.rank(value) != 3 {
            return Err(OpError::Rank { what, rank: ctx.rank(value), supported: "3" });
        }
    }
    let (channels, taps) = (known_size(ctx, w, 0)?, known_size(ctx, w, 2)?);
    let before = i64::try_from(taps).map_or(i64::MAX, |taps| taps - 1);
    if before < 0 {
        return Err(OpError::invalid("input `weight` is empty"));
    }
    let padded = match ctx.maybe(3) {
        Some(past) if before > 0 => ctx.concat(&[past, x], 2)?,
        _ => cut(ctx, x, &[Cut::ALL, Cut::ALL, Cut::grown(before, 0)], None)?,
    };
    let y = convolve_window(ctx, [padded, w], ctx.maybe(2), Window::plain(vec![taps]), channels)?;
    let y = match node.attrs.string_or("activation", "none")? {
        "none" => y,
        "silu" | "swish" => {
            let wide = ctx.cast(y, DType::F32)?;
            let active = swish_of(ctx, wide, 1.0)?;
            ctx.cast(active, ctx.dtype(x))?
        }
        other => return Err(OpError::invalid(format!("attribute `activation` is `{other}`"))),
    };
    Ok(smallvec![y, last_elements(ctx, padded, before)?])
}

/// The last `count` elements of the last axis of `[batch, channels, length]`.
fn last_elements(ctx: &mut Ctx<'_>, x: ValueId, count: i64) -> Result<ValueId, OpError> {
    let [batch, channels, length] = ctx.sizes(x)?[..] else { return Ok(x) };
    let (zero, one) = (ctx.number(0), ctx.number(1));
    let start = ctx.compute(Ew::Sub, length, count)?;
    let size = vec![batch, channels, ctx.number(count)];
    let steps = Steps { start: vec![zero, zero, start], size, stride: vec![one; 3] };
    ctx.slice(x, &steps, SampleMode::StrictBounds, None)
}

/// What a linear attention takes: all steps, or without the axis of time a single one.
struct Sequences {
    /// `[batch, time, heads, group, key size]`: the query heads that share a head of keys stand
    /// together.
    query: ValueId,
    /// `[batch, time, heads, 1, key size]`
    key: ValueId,
    /// `[batch, time, heads, 1, value size]`
    value: ValueId,
    /// Logarithms of what is left of the state, `[batch, time, heads, key size or 1, 1]`.
    decay: Option<ValueId>,
    /// How far a key's value is corrected, `[batch, time, heads or 1, 1, 1]`.
    beta: Option<ValueId>,
}

/// `LinearAttention`. Becomes a Loop over time that carries the state, in `f32`; for a single step
/// its layers alone.
pub(super) fn linear_attention(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (query_heads, heads) =
        (required_head_count(node, "q_num_heads")?, required_head_count(node, "kv_num_heads")?);
    if query_heads % heads != 0 {
        return Err(OpError::invalid(format!(
            "{query_heads} query heads do not share {heads} heads of keys and values"
        )));
    }
    let sequences = sequences(ctx, node, heads, query_heads / heads)?;
    let state = first_state(ctx, &sequences, heads)?;
    let (y, state) = if ctx.size(sequences.query, 1) == Some(1) {
        let mut now = |value| ctx.squeeze(value, vec![1]);
        let slices = sequences.each(&mut now)?;
        let (y, state) = step(ctx, &slices, state)?;
        (ctx.unsqueeze(y, vec![1])?, state)
    } else {
        repeated(ctx, &sequences, state)?
    };
    let query = sequences.query;
    let y = match node.attrs.float_or("scale", 0.0)? {
        0.0 if ctx.size(query, 4).is_none() => {
            let root = root_of_size(ctx, query)?;
            ctx.binary(Ew::Div, y, root)?
        }
        0.0 => {
            let scale = default_scale(ctx, query)?;
            ctx.binary_scalar(Ew::Prod, y, scale)?
        }
        scale => ctx.binary_scalar(Ew::Prod, y, scale.into())?,
    };
    let [batch, time, _, _, size] = ctx.sizes(y)?[..] else {
        return Err(OpError::invalid("a lost axis"));
    };
    let hidden = ctx.compute(Ew::Prod, size, query_heads)?;
    let y = ctx.reshape_to(y, &[batch, time, hidden])?;
    let dtype = ctx.dtype(ctx.input(0)?);
    let state_type = ctx.maybe(3).map_or(dtype, |past| ctx.dtype(past));
    Ok(smallvec![ctx.cast(y, dtype)?, ctx.cast(state, state_type)?])
}

/// All steps in a Loop.
fn repeated(
    ctx: &mut Ctx<'_>,
    sequences: &Sequences,
    state: ValueId,
) -> Result<(ValueId, ValueId), OpError> {
    let length = ctx.size_of(sequences.query, 1)?;
    let length = ctx.as_scalar(length)?;
    let results = Repeat::new(Some(length), Some(length)).run(ctx, |ctx, repeat| {
        let current = repeat.carry(ctx, state);
        let slices = sequences.each(&mut |value| {
            repeat.iterate(ctx, value, LoopIterator { axis: 1, reverse: false })
        })?;
        let (y, next) = step(ctx, &slices, current)?;
        let outputs = vec![LoopOutput::Concatenate { axis: 1 }, LoopOutput::LastValue(0)];
        Ok(Iteration { condition: None, next: smallvec![next], outputs, collected: smallvec![y] })
    })?;
    match results[..] {
        [y, state] => Ok((y, state)),
        _ => Err(OpError::invalid("a loop without two outputs")),
    }
}

impl Sequences {
    fn each(
        &self,
        of: &mut dyn FnMut(ValueId) -> Result<ValueId, OpError>,
    ) -> Result<Sequences, OpError> {
        Ok(Sequences {
            query: of(self.query)?,
            key: of(self.key)?,
            value: of(self.value)?,
            decay: self.decay.map(&mut *of).transpose()?,
            beta: self.beta.map(&mut *of).transpose()?,
        })
    }
}

/// One step: the state decays, takes in the key's value or its correction, and answers the queries.
///
/// Conversions to `f32` stand in here: TensorRT-RTX 1.7 fails to build a loop over sequences
/// converted before.
fn step(ctx: &mut Ctx<'_>, now: &Sequences, state: ValueId) -> Result<(ValueId, ValueId), OpError> {
    let now = now.each(&mut |slice| ctx.cast(slice, DType::F32))?;
    let (mut state, mut value) = (state, now.value);
    if let Some(decay) = now.decay {
        let left = ctx.unary(Un::Exp, decay)?;
        state = ctx.binary(Ew::Prod, state, left)?;
    }
    if let Some(beta) = now.beta {
        let known = matrices(ctx, now.key, state)?;
        let correction = ctx.binary(Ew::Sub, value, known)?;
        value = ctx.binary(Ew::Prod, correction, beta)?;
    }
    let outer = MatrixMultiply { op0: MatrixOperation::Transpose, op1: MatrixOperation::None };
    let update = ctx.add(outer, &[now.key, value])?;
    let state = ctx.binary(Ew::Sum, state, update)?;
    Ok((matrices(ctx, now.query, state)?, state))
}

/// The node's operands, unpacked. Which of `decay` and `beta` there are is up to the attribute
/// `update_rule`.
fn sequences(ctx: &mut Ctx<'_>, node: &Node, heads: i64, group: i64) -> Result<Sequences, OpError> {
    let (decays, corrects) = match node.attrs.string_or("update_rule", "gated_delta")? {
        "linear" => (false, false),
        "gated" => (true, false),
        "delta" => (false, true),
        "gated_delta" => (true, true),
        other => return Err(OpError::invalid(format!("attribute `update_rule` is `{other}`"))),
    };
    for (at, needed) in [(4, decays), (5, corrects)] {
        if ctx.maybe(at).is_some() != needed {
            let (name, verb) = (ctx.input_name(at), if needed { "needs" } else { "forbids" });
            return Err(OpError::invalid(format!("attribute `update_rule` {verb} input `{name}`")));
        }
    }
    let query = unpacked(ctx, 0, heads, group)?;
    let key = unpacked(ctx, 1, heads, 1)?;
    let value = unpacked(ctx, 2, heads, 1)?;
    let mut decay = None;
    if decays {
        let each = unpacked(ctx, 4, heads, 1)?;
        decay = Some(ctx.transpose(each, vec![0, 1, 2, 4, 3])?);
    }
    let mut beta = None;
    if corrects {
        beta = Some(match ctx.size(ctx.input(5)?, 2) {
            Some(1) => unpacked(ctx, 5, 1, 1)?,
            Some(_) => unpacked(ctx, 5, heads, 1)?,
            None => beta_of_each(ctx, heads)?,
        });
    }
    Ok(Sequences { query, key, value, decay, beta })
}

/// `beta` where only the run knows whether it has one element for all heads or one for each.
fn beta_of_each(ctx: &mut Ctx<'_>, heads: i64) -> Result<ValueId, OpError> {
    let beta = ctx.input(5)?;
    let (heads, one) = (ctx.number(heads), ctx.number(1));
    let [batch, time, _] = ctx.sizes(beta)?[..] else {
        return Err(OpError::Rank { what: "input `beta`", rank: ctx.rank(beta), supported: "3" });
    };
    let each = ctx.expand(beta, &[batch, time, heads])?;
    ctx.reshape_to(each, &[batch, time, heads, one, one])
}

/// `[batch, time, heads · group · size]` as `[batch, time, heads, group, size]`.
fn unpacked(ctx: &mut Ctx<'_>, at: usize, heads: i64, group: i64) -> Result<ValueId, OpError> {
    let packed = ctx.input(at)?;
    let [batch, time, hidden] = ctx.sizes(packed)?[..] else {
        return Err(OpError::Rank { what: "packed heads", rank: ctx.rank(packed), supported: "3" });
    };
    let size = share(ctx, hidden, heads.saturating_mul(group))?;
    let (heads, group) = (ctx.number(heads), ctx.number(group));
    ctx.reshape_to(packed, &[batch, time, heads, group, size])
}

/// The state before the first step, `f32[batch, heads, key size, value size]`: the past's, or
/// zeros.
fn first_state(ctx: &mut Ctx<'_>, sequences: &Sequences, heads: i64) -> Result<ValueId, OpError> {
    if let Some(past) = ctx.maybe(3) {
        return ctx.cast(past, DType::F32);
    }
    let zero = ctx.filled(DType::F32, 0.0, 4)?;
    let batch = ctx.size_of(sequences.key, 0)?;
    let sizes = [
        batch,
        ctx.number(heads),
        ctx.size_of(sequences.key, 4)?,
        ctx.size_of(sequences.value, 4)?,
    ];
    ctx.expand(zero, &sizes)
}
