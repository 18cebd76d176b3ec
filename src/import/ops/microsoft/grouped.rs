//! `GroupQueryAttention`: attention with rotary embedding and a cache inside.

use super::row;
use crate::import::build::axes::along;
use crate::import::build::ctx::Ctx;
use crate::import::build::heads::{
    join_heads, matrices, repeat_heads, required_head_count, scaled_scores, share, split_heads,
};
use crate::import::build::numbers::Steps;
use crate::import::build::op::Op;
use crate::import::error::OpError;
use crate::import::ops::attention::soft_capped;
use crate::import::ops::norm::rms_norm_of;
use crate::import::ops::rotary::{Pairs, at_positions, half_of_pairs, turn};
use crate::import::ops::slice::split_at;
use crate::network::layer::{ElementWiseOperation as Ew, Gather, GatherMode, SampleMode, SoftMax};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

const INPUTS: &str = "query key? value? past_key? past_value? seqlens_k total_sequence_length \
                      cos_cache? sin_cache? position_ids? attention_bias? head_sink? k_scale? \
                      v_scale? q_norm_weight? k_norm_weight? query_seqlens?";

pub(in crate::import::ops) const OPS: &[Op] =
    &[row("GroupQueryAttention", INPUTS, group_query_attention)];

/// What each sample of the batch has, as numbers `i64[batch]`, and what all have, as `i64[1]`.
#[derive(Clone, Copy)]
struct Lengths {
    /// New tokens.
    new: ValueId,
    /// Tokens of each sample that came before.
    past: ValueId,
    /// All tokens of each sample.
    all: ValueId,
    /// Places of the cache that results.
    places: ValueId,
    /// The largest number of tokens of a sample, as the model gives it.
    most: ValueId,
}

/// `GroupQueryAttention`: softmax(cap(scale · Q · Kᵀ) + bias) · V, where each head of keys and
/// values serves a group of query heads. Queries and keys are turned by their position first if
/// `do_rotary` is 1; new keys and values stand in the cache behind those of each sample's past.
fn group_query_attention(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    refuse(ctx, node)?;
    let [mut q, mut k, v] = heads(ctx, node)?;
    let dtype = ctx.dtype(q);
    let lengths = lengths(ctx, q)?;
    (q, k) = normalized(ctx, node, [q, k])?;
    if node.attrs.int_or("do_rotary", 0)? != 0 {
        (q, k) = rotated(ctx, node, [q, k], lengths)?;
    } else {
        node.attrs.int("rotary_interleaved")?;
    }
    let (key, value) = match (ctx.maybe(3), ctx.maybe(4)) {
        (None, None) => (k, v),
        (Some(past_key), Some(past_value)) => {
            (placed(ctx, past_key, k, lengths)?, placed(ctx, past_value, v, lengths)?)
        }
        _ => return Err(OpError::invalid("past keys and past values need each other")),
    };
    let count = ctx.size_of(q, 1)?;
    let (keys, values) = (repeat_heads(ctx, key, count)?, repeat_heads(ctx, value, count)?);
    let scale = node.attrs.float("scale")?.filter(|&scale| scale != 0.0);
    let scores = scaled_scores(ctx, q, keys, scale)?;
    let scores = ctx.cast(scores, DType::F32)?;
    let mut scores = soft_capped(ctx, node, scores)?;
    if let Some(bias) = ctx.maybe(10) {
        let bias = widened(ctx, bias, lengths.places)?;
        scores = ctx.binary(Ew::Sum, scores, bias)?;
    }
    let visible = visible(ctx, node, lengths)?;
    let hidden = ctx.filled(DType::F32, f64::NEG_INFINITY, 4)?;
    let scores = ctx.select(visible, scores, hidden)?;
    let shares = softmax(ctx, node, scores)?;
    let shares = ctx.cast(shares, dtype)?;
    let y = matrices(ctx, shares, values)?;
    let y = join_heads(ctx, y)?;
    let inner = match node.attrs.int_or("qk_output", 0)? {
        0 => return Ok(smallvec![y, key, value]),
        1 => ctx.cast(scores, dtype)?,
        2 => shares,
        other => {
            let (what, value) = ("attribute `qk_output`", other.to_string());
            return Err(OpError::Value { what, value, supported: "0, 1, 2" });
        }
    };
    Ok(smallvec![y, key, value, inner])
}

/// Refuses caches of 8 bits or less, caches that hold a window only, padding before the end of the
/// new tokens, and windows that mean nothing.
fn refuse(ctx: &Ctx<'_>, node: &Node) -> Result<(), OpError> {
    for (what, name) in
        [("attribute `k_quant_type`", "k_quant_type"), ("attribute `v_quant_type`", "v_quant_type")]
    {
        let kind = node.attrs.string_or(name, "NONE")?;
        if kind != "NONE" {
            return Err(OpError::Value { what, value: format!("`{kind}`"), supported: "`NONE`" });
        }
    }
    node.attrs.int("kv_cache_bit_width")?;
    if node.attrs.int_or("sliding_window_cache", 0)? != 0 {
        let (what, value) = ("attribute `sliding_window_cache`", "1".to_owned());
        return Err(OpError::Value { what, value, supported: "0" });
    }
    if ctx.maybe(16).is_some() {
        return Err(OpError::Feature("input `query_seqlens`"));
    }
    let window = node.attrs.int_or("local_window_size", -1)?;
    let what = "attribute `local_window_size`";
    if window == 0 {
        return Err(OpError::Value { what, value: "0".to_owned(), supported: "-1, 1 and more" });
    }
    if window > 0 && node.attrs.int_or("causal", 1)? == 0 {
        let (value, supported) = (format!("{window} with `causal` of 0"), "-1 with it");
        return Err(OpError::Value { what, value, supported });
    }
    Ok(())
}

/// Queries, keys and values as heads; without keys, all three stand in the query, one behind the
/// other.
fn heads(ctx: &mut Ctx<'_>, node: &Node) -> Result<[ValueId; 3], OpError> {
    let queries = required_head_count(node, "num_heads")?;
    let keys = required_head_count(node, "kv_num_heads")?;
    let q = ctx.input(0)?;
    let (q, k, v) = match (ctx.maybe(1), ctx.maybe(2)) {
        (Some(k), Some(v)) => (q, k, v),
        (None, None) => {
            let hidden = ctx.size_of(q, 2)?;
            let all = keys.saturating_mul(2).saturating_add(queries);
            let size = share(ctx, hidden, all)?;
            let (wide, narrow) =
                (ctx.compute(Ew::Prod, size, queries)?, ctx.compute(Ew::Prod, size, keys)?);
            let parts = split_at(ctx, q, 2, &[wide, narrow, narrow])?;
            let [q, k, v] = parts[..] else { return Err(OpError::invalid("not three parts")) };
            (q, k, v)
        }
        _ => return Err(OpError::invalid("input `key` and input `value` need each other")),
    };
    Ok([split_heads(ctx, q, queries)?, split_heads(ctx, k, keys)?, split_heads(ctx, v, keys)?])
}

/// What inputs `seqlens_k` and `total_sequence_length` and the shapes say of lengths.
///
/// In a prompt a sample may have fewer tokens than the longest; nothing came before them then.
fn lengths(ctx: &mut Ctx<'_>, q: ValueId) -> Result<Lengths, OpError> {
    let (last, most) = (ctx.input(5)?, ctx.input(6)?);
    let last = ctx.cast(last, DType::I64)?;
    let batch = ctx.size_of(q, 0)?;
    let last = ctx.reshape_to(last, &[batch])?;
    let most = ctx.cast(most, DType::I64)?;
    let one = ctx.number(1);
    let most = ctx.reshape_to(most, &[one])?;
    let new = ctx.size_of(q, 2)?;
    let all = ctx.compute(Ew::Sum, last, 1)?;
    let (past, places) = match ctx.maybe(3) {
        None => (ctx.number(0), new),
        Some(cache) => {
            let before = ctx.binary(Ew::Sub, all, new)?;
            let have = ctx.size_of(cache, 2)?;
            (ctx.compute(Ew::Max, before, 0)?, larger(ctx, have, most)?)
        }
    };
    Ok(Lengths { new, past, all, places, most })
}

/// The larger of two numbers.
fn larger(ctx: &mut Ctx<'_>, a: ValueId, b: ValueId) -> Result<ValueId, OpError> {
    if let (Some(first), Some(second)) = (ctx.dim(a), ctx.dim(b)) {
        if ctx.is_at_most(&first, &second) {
            return Ok(b);
        }
        if ctx.is_at_most(&second, &first) {
            return Ok(a);
        }
    }
    ctx.binary(Ew::Max, a, b)
}

/// RMS norms over each head of queries and keys, where they have weights.
fn normalized(
    ctx: &mut Ctx<'_>,
    node: &Node,
    [q, k]: [ValueId; 2],
) -> Result<(ValueId, ValueId), OpError> {
    let common = node.attrs.float_or("qk_norm_epsilon", 1e-6)?;
    let mut norm = |x, at, name| {
        let epsilon = node.attrs.float_or(name, common)?;
        let Some(weight) = ctx.maybe(at) else { return Ok(x) };
        let [y, _] = rms_norm_of(ctx, x, weight, 3, (epsilon, DType::F32))?;
        Ok::<_, OpError>(y)
    };
    Ok((norm(q, 14, "q_norm_epsilon")?, norm(k, 15, "k_norm_epsilon")?))
}

/// Queries and keys turned by their positions.
fn rotated(
    ctx: &mut Ctx<'_>,
    node: &Node,
    [q, k]: [ValueId; 2],
    lengths: Lengths,
) -> Result<(ValueId, ValueId), OpError> {
    let positions = positions(ctx, lengths)?;
    let (cos, sin) = (ctx.input(7)?, ctx.input(8)?);
    let half = ctx.size_of(cos, 1)?;
    let part = match ctx.known(half) {
        Some(half) => half.saturating_mul(2),
        None => 0,
    };
    let half = half_of_pairs(ctx, part, q, cos)?;
    let interleaved = node.attrs.int_or("rotary_interleaved", 0)? != 0;
    let pairs = Pairs { half, whole: part == 0, interleaved };
    let cos = at_positions(ctx, cos, positions, 1)?;
    let sin = at_positions(ctx, sin, positions, 1)?;
    Ok((turn(ctx, q, [cos, sin], &pairs)?, turn(ctx, k, [cos, sin], &pairs)?))
}

/// `[batch, new]` positions of the new tokens.
///
/// Those that stand behind a sample's last token have position 1. Given ones count as they are, but
/// in a prompt, where the first of them is that of the first token.
fn positions(ctx: &mut Ctx<'_>, lengths: Lengths) -> Result<ValueId, OpError> {
    let places = ctx.count_up(lengths.new)?;
    let Some(given) = ctx.maybe(9) else {
        let past = along(ctx, lengths.past, 0, 2)?;
        let all = along(ctx, lengths.all, 0, 2)?;
        let own = ctx.binary(Ew::Sum, past, places)?;
        let real = ctx.binary(Ew::Less, own, all)?;
        let one = ctx.filled(DType::I64, 1.0, 2)?;
        return ctx.select(real, own, one);
    };
    let given = ctx.cast(given, DType::I64)?;
    let (zero, one) = (ctx.number(0), ctx.number(1));
    let mut steps = Steps::default();
    steps.push(zero, one, one);
    steps.push(zero, one, one);
    let first = ctx.slice(given, &steps, SampleMode::StrictBounds, None)?;
    let counted = ctx.binary(Ew::Sum, first, places)?;
    let prompt = ctx.binary(Ew::Equal, lengths.new, lengths.most)?;
    ctx.select(prompt, counted, given)
}

/// The cache that results: a sample's past, then its new tokens, then zeros.
fn placed(
    ctx: &mut Ctx<'_>,
    cache: ValueId,
    new: ValueId,
    lengths: Lengths,
) -> Result<ValueId, OpError> {
    let cache = ctx.cast(cache, ctx.dtype(new))?;
    let have = ctx.size_of(cache, 2)?;
    let both = ctx.concat(&[cache, new], 2)?;
    let last = ctx.size_of(both, 2)?;
    let last = ctx.compute(Ew::Sub, last, 1)?;
    let places = ctx.count_up(lengths.places)?;
    let past = along(ctx, lengths.past, 0, 2)?;
    let gap = ctx.binary(Ew::Sub, have, past)?;
    let moved = ctx.binary(Ew::Sum, places, gap)?;
    let moved = ctx.binary(Ew::Min, moved, last)?;
    let old = ctx.binary(Ew::Less, places, past)?;
    let from = ctx.select(old, places, moved)?;
    let gather = Gather { mode: GatherMode::Default, axis: 2, element_wise_dims: 1 };
    let rows = ctx.add(gather, &[both, from])?;
    let end = ctx.binary(Ew::Sum, past, lengths.new)?;
    let filled = ctx.binary(Ew::Less, places, end)?;
    let filled = ctx.unsqueeze(filled, vec![1, 3])?;
    let zero = ctx.filled(ctx.dtype(rows), 0.0, 4)?;
    ctx.select(filled, rows, zero)
}

/// The bias in `f32` and of so many keys; those that it lacks are hidden anyway.
fn widened(ctx: &mut Ctx<'_>, bias: ValueId, keys: ValueId) -> Result<ValueId, OpError> {
    let bias = ctx.cast(bias, DType::F32)?;
    let mut steps = Steps::default();
    for axis in 0..ctx.rank(bias) {
        let (start, size, stride) = (ctx.number(0), ctx.size_of(bias, axis)?, ctx.number(1));
        steps.push(start, size, stride);
    }
    let start = ctx.number(0);
    steps.set(ctx.rank(bias).saturating_sub(1), start, keys);
    ctx.slice(bias, &steps, SampleMode::Fill, None)
}

/// Trues `[batch, 1, new, places]` for the keys that a query sees: up to its own, and no more than
/// `local_window_size` of them.
fn visible(ctx: &mut Ctx<'_>, node: &Node, lengths: Lengths) -> Result<ValueId, OpError> {
    let window = node.attrs.int_or("local_window_size", -1)?;
    let columns = ctx.count_up(lengths.places)?;
    if node.attrs.int_or("causal", 1)? == 0 {
        let all = along(ctx, lengths.all, 0, 4)?;
        return ctx.binary(Ew::Less, columns, all);
    }
    let rows = ctx.count_up(lengths.new)?;
    let rows = ctx.unsqueeze(rows, vec![1])?;
    let past = along(ctx, lengths.past, 0, 4)?;
    let own = ctx.binary(Ew::Sum, past, rows)?;
    let end = ctx.compute(Ew::Sum, own, 1)?;
    let before = ctx.binary(Ew::Less, columns, end)?;
    if window < 0 {
        return Ok(before);
    }
    let first = ctx.compute(Ew::Sub, own, window)?;
    let near = ctx.binary(Ew::Greater, columns, first)?;
    ctx.binary(Ew::And, before, near)
}

/// SoftMax along the keys, with one more score that has no value: 0 for `smooth_softmax`, or what
/// `head_sink` has for each head.
fn softmax(ctx: &mut Ctx<'_>, node: &Node, scores: ValueId) -> Result<ValueId, OpError> {
    let smooth = node.attrs.int_or("smooth_softmax", 0)? == 1;
    let sink = match ctx.maybe(11) {
        Some(sink) => {
            let sink = ctx.cast(sink, DType::F32)?;
            along(ctx, sink, 1, 4)?
        }
        None if smooth => ctx.filled(DType::F32, 0.0, 4)?,
        None => return ctx.add(SoftMax { axis: 3 }, &[scores]),
    };
    let mut sizes = ctx.sizes(scores)?;
    let keys = sizes.pop().ok_or_else(|| OpError::invalid("scores without keys"))?;
    sizes.push(ctx.number(1));
    let sink = ctx.expand(sink, &sizes)?;
    let all = ctx.concat(&[scores, sink], 3)?;
    let shares = ctx.add(SoftMax { axis: 3 }, &[all])?;
    let one = ctx.number(1);
    let parts = split_at(ctx, shares, 3, &[keys, one])?;
    parts.first().copied().ok_or_else(|| OpError::invalid("no shares"))
}
