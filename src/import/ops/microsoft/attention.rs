//! ONNX Runtime's attention: `Attention` with its projections, `MultiHeadAttention` without.

use super::masks::{Mask, Sizes, summands};
use super::row;
use crate::import::build::ctx::Ctx;
use crate::import::build::heads::{
    join_heads, matrices, required_head_count, scaled_scores, share, split_heads,
};
use crate::import::build::op::Op;
use crate::import::error::OpError;
use crate::import::ops::conv::less_zero_point;
use crate::import::ops::matmul::{multiply, scaled_product};
use crate::import::ops::norm::wanted;
use crate::import::ops::quantize::real;
use crate::import::ops::slice::split_at;
use crate::network::layer::{ElementWiseOperation as Ew, SoftMax};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

const DECODER: &str = "query key value mask_index? attention_bias? past_key? past_value? \
                       past_sequence_length? beam_width? cache_indirection? bias?";
const HEADS: &str = "query key? value? bias? key_padding_mask? attention_bias? past_key? \
                     past_value? past_sequence_length? cache_indirection?";
const QUANTIZED: &str = "input weight bias input_scale weight_scale mask_index? input_zero_point? \
                         weight_zero_point? past?";
const SELF: &str = "input weights bias? mask_index? past? attention_bias? past_sequence_length?";

pub(in crate::import::ops) const OPS: &[Op] = &[
    row("Attention", SELF, attention),
    row("DecoderMaskedMultiHeadAttention", DECODER, decoder_attention),
    row("MultiHeadAttention", HEADS, multi_head_attention),
    row("QAttention", QUANTIZED, quantized_attention),
];

/// `Attention`: queries, keys and values are three parts of input · weights + bias; then
/// [`attend`](Call::attend).
fn attention(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, weights) = (ctx.input(0)?, ctx.input(1)?);
    let mut all = multiply(ctx, x, weights)?;
    if let Some(bias) = ctx.maybe(2) {
        all = ctx.binary(Ew::Sum, all, bias)?;
    }
    refuse_sharing(ctx, node, &[(6, PAST_LENGTH)])?;
    let (mask, past, bias) = (ctx.maybe(3), ctx.maybe(4), ctx.maybe(5));
    self_attention(ctx, node, all, [mask, past, bias])
}

/// `QAttention`: the same with a product of 8-bit numbers.
fn quantized_attention(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (a, b) = (real(ctx, ctx.input(0)?)?, real(ctx, ctx.input(1)?)?);
    let a = less_zero_point(ctx, a, ctx.maybe(6), 0)?;
    let b = less_zero_point(ctx, b, ctx.maybe(7), 1)?;
    let scales = [ctx.input(3)?, ctx.input(4)?];
    let bias = ctx.input(2)?;
    let all = scaled_product(ctx, [a, b], scales, Some(bias))?;
    let all = all.first().copied().ok_or_else(|| OpError::invalid("no product"))?;
    refuse_sharing(ctx, node, &[])?;
    let (mask, past) = (ctx.maybe(5), ctx.maybe(8));
    self_attention(ctx, node, all, [mask, past, None])
}

const PAST_LENGTH: &str = "input `past_sequence_length`";
const BEAMS: &str = "input `cache_indirection`";

/// Refuses caches that are written in place, and what comes with them: these inputs.
fn refuse_sharing(
    ctx: &Ctx<'_>,
    node: &Node,
    inputs: &[(usize, &'static str)],
) -> Result<(), OpError> {
    let zero = |what, name| match node.attrs.int_or(name, 0)? {
        0 => Ok(()),
        other => Err(OpError::Value { what, value: other.to_string(), supported: "0" }),
    };
    zero("attribute `past_present_share_buffer`", "past_present_share_buffer")?;
    zero("attribute `do_rotary`", "do_rotary")?;
    zero("attribute `output_qk`", "output_qk")?;
    zero("attribute `rotary_embedding_dim`", "rotary_embedding_dim")?;
    match inputs.iter().find(|(at, _)| ctx.maybe(*at).is_some()) {
        Some(&(_, what)) => Err(OpError::Feature(what)),
        None => Ok(()),
    }
}

/// Attention whose queries, keys and values stand in one value, one behind the other along its last
/// axis. Keys and values of the past, and those with the new ones, are stacked.
fn self_attention(
    ctx: &mut Ctx<'_>,
    node: &Node,
    all: ValueId,
    [mask, past, bias]: [Option<ValueId>; 3],
) -> Result<Values, OpError> {
    let heads = required_head_count(node, "num_heads")?;
    for (what, value, rank) in [("input `input`", Some(all), 3), ("input `past`", past, 5)] {
        if let Some(found) = value.map(|value| ctx.rank(value)).filter(|found| *found != rank) {
            let supported = if rank == 3 { "3" } else { "5" };
            return Err(OpError::Rank { what, rank: found, supported });
        }
    }
    let hidden = ctx.size_of(all, ctx.rank(all).saturating_sub(1))?;
    let sizes = match node.attrs.ints("qkv_hidden_sizes")? {
        Some(&[q, k, v]) => ctx.fixed_numbers(&[q, k, v]),
        None | Some([]) => vec![share(ctx, hidden, 3)?; 3],
        Some(other) => {
            return Err(OpError::invalid(format!("attribute `qkv_hidden_sizes` is {other:?}")));
        }
    };
    let parts = split_at(ctx, all, 2, &sizes)?;
    let [q, k, v] = parts[..] else { return Err(OpError::invalid("not three parts")) };
    let (q, k, v) =
        (split_heads(ctx, q, heads)?, split_heads(ctx, k, heads)?, split_heads(ctx, v, heads)?);
    let past = match past {
        Some(past) => [one_of(ctx, past, 0, 0)?, one_of(ctx, past, 0, 1)?].map(Some),
        None => [None; 2],
    };
    let call = Call { q, kv: [k, v], past, mask, bias };
    let Attended { y, present: [k, v], .. } = call.attend(ctx, node)?;
    let present = if wanted(node, 1) {
        let (k, v) = (ctx.unsqueeze(k, vec![0])?, ctx.unsqueeze(v, vec![0])?);
        ctx.concat(&[k, v], 0)?
    } else {
        y
    };
    Ok(smallvec![y, present])
}

/// One index of an axis, which is gone.
fn one_of(ctx: &mut Ctx<'_>, x: ValueId, axis: usize, at: i64) -> Result<ValueId, OpError> {
    let at = ctx.constant_value(Tensor::scalar(at));
    ctx.gather(x, at, axis)
}

/// `MultiHeadAttention`, see [`multi_head`].
fn multi_head_attention(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    refuse_sharing(ctx, node, &[(8, PAST_LENGTH), (9, BEAMS)])?;
    multi_head(ctx, node, [3, 4, 5, 6, 7])
}

/// `DecoderMaskedMultiHeadAttention`: the same of one query.
fn decoder_attention(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let shared = [(7, PAST_LENGTH), (8, "input `beam_width`"), (9, BEAMS)];
    refuse_sharing(ctx, node, &shared)?;
    if ctx.maybe(10).is_some() {
        // ONNX Runtime adds it on GPUs and leaves it out on the CPU.
        return Err(OpError::Feature("input `bias`"));
    }
    multi_head(ctx, node, [10, 3, 4, 5, 6])
}

/// [`attend`](Call::attend) of heads that stand beside each other in the last axis, or as one of
/// the forms of [`packed`]. Gives keys and values with those of the past too, and the scores.
fn multi_head(
    ctx: &mut Ctx<'_>,
    node: &Node,
    [bias, mask, added, past_key, past_value]: [usize; 5],
) -> Result<Values, OpError> {
    let heads = required_head_count(node, "num_heads")?;
    let [q, k, v] = packed(ctx)?;
    let mut parts = [Some(q), Some(k), Some(v)];
    if let Some(bias) = ctx.maybe(bias) {
        parts = with_bias(ctx, [q, k, v], bias)?;
    }
    let mut split = |part: Option<ValueId>| {
        let part = part.ok_or_else(|| OpError::invalid("an operand is missing"))?;
        if ctx.rank(part) == 4 { Ok(part) } else { split_heads(ctx, part, heads) }
    };
    let [q, k, v] = parts;
    let (q, k, v) = (split(q)?, split(k)?, split(v)?);
    let past = [ctx.maybe(past_key), ctx.maybe(past_value)];
    let call = Call { q, kv: [k, v], past, mask: ctx.maybe(mask), bias: ctx.maybe(added) };
    let Attended { y, present: [k, v], scores } = call.attend(ctx, node)?;
    Ok(smallvec![y, k, v, scores])
}

/// Query, key and value of rank 3, or keys and values that are heads already.
///
/// They may also stand in one value of rank 5: `[batch, length, heads, 3, size]`, or only keys and
/// values with a 2 in its place.
fn packed(ctx: &mut Ctx<'_>) -> Result<[ValueId; 3], OpError> {
    let query = ctx.input(0)?;
    if ctx.rank(query) == 5 {
        if ctx.maybe(1).or(ctx.maybe(2)).is_some() {
            let message = "input `query` holds keys and values, and there are others";
            return Err(OpError::invalid(message));
        }
        return Ok([flat(ctx, query, 0)?, flat(ctx, query, 1)?, flat(ctx, query, 2)?]);
    }
    let key = ctx.input(1)?;
    let (key, value) = match ctx.rank(key) {
        5 => (flat(ctx, key, 0)?, flat(ctx, key, 1)?),
        _ => (key, ctx.input(2)?),
    };
    for (what, value, ranks) in [
        ("input `query`", query, [3, 3]),
        ("input `key`", key, [3, 4]),
        ("input `value`", value, [3, 4]),
    ] {
        let rank = ctx.rank(value);
        if !ranks.contains(&rank) {
            return Err(OpError::Rank { what, rank, supported: "3, 4 for keys, 5 for all in one" });
        }
    }
    Ok([query, key, value])
}

/// One part of a value of rank 5, with the heads beside each other.
fn flat(ctx: &mut Ctx<'_>, packed: ValueId, part: i64) -> Result<ValueId, OpError> {
    let part = one_of(ctx, packed, 3, part)?;
    let [batch, length, heads, size] = ctx.sizes(part)?[..] else {
        return Err(OpError::Rank { what: "packed heads", rank: ctx.rank(part), supported: "5" });
    };
    let hidden = ctx.product(&[heads, size])?;
    ctx.reshape_to(part, &[batch, length, hidden])
}

/// Query, key and value with the bias that each has in one vector; keys that are heads already have
/// it.
fn with_bias(
    ctx: &mut Ctx<'_>,
    parts: [ValueId; 3],
    bias: ValueId,
) -> Result<[Option<ValueId>; 3], OpError> {
    let hidden = ctx.size_of(parts[0], 2)?;
    let all = ctx.size_of(bias, 0)?;
    let twice = ctx.compute(Ew::Prod, hidden, 2)?;
    let last = ctx.binary(Ew::Sub, all, twice)?;
    let biases = split_at(ctx, bias, 0, &[hidden, hidden, last])?;
    let mut sums = [None; 3];
    for ((sum, part), bias) in sums.iter_mut().zip(parts).zip(biases) {
        let done = ctx.rank(part) == 4;
        *sum = Some(if done { part } else { ctx.binary(Ew::Sum, part, bias)? });
    }
    Ok(sums)
}

/// What attention is computed of; all of rank 4, heads before lengths.
struct Call {
    q: ValueId,
    kv: [ValueId; 2],
    past: [Option<ValueId>; 2],
    mask: Option<ValueId>,
    /// Added to the scores.
    bias: Option<ValueId>,
}

/// What attention gives.
struct Attended {
    /// `[batch, length, heads · size]`
    y: ValueId,
    /// Keys and values behind those of the past.
    present: [ValueId; 2],
    /// What the SoftMax is of.
    scores: ValueId,
}

impl Call {
    /// softmax(scale · Q · Kᵀ + mask + bias) · V; scores and SoftMax in `f32`.
    fn attend(&self, ctx: &mut Ctx<'_>, node: &Node) -> Result<Attended, OpError> {
        let mask = Mask {
            keys: self.mask,
            filter: node.attrs.float_or("mask_filter_value", -10_000.0)?,
            causal: node.attrs.int_or("unidirectional", 0)? != 0,
        };
        let scale = node.attrs.float("scale")?.filter(|&scale| scale != 0.0);
        let dtype = ctx.dtype(self.q);
        let past = match self.past {
            [Some(key), Some(_)] => ctx.size_of(key, 2)?,
            [None, None] => ctx.number(0),
            _ => return Err(OpError::invalid("past keys and past values need each other")),
        };
        let mut present = self.kv;
        for (all, past) in present.iter_mut().zip(self.past) {
            if let Some(past) = past {
                *all = ctx.concat(&[past, *all], 2)?;
            }
        }
        let [k, v] = present;
        let sizes = Sizes {
            batch: ctx.size_of(self.q, 0)?,
            queries: ctx.size_of(self.q, 2)?,
            keys: ctx.size_of(k, 2)?,
            past,
        };
        let scores = scaled_scores(ctx, self.q, k, scale)?;
        let mut scores = ctx.cast(scores, DType::F32)?;
        let mut added = summands(ctx, &mask, sizes)?;
        if let Some(bias) = self.bias {
            let bias = ctx.cast(bias, DType::F32)?;
            added = Some(added.map_or(Ok(bias), |mask| ctx.binary(Ew::Sum, bias, mask))?);
        }
        if let Some(added) = added {
            scores = ctx.binary(Ew::Sum, scores, added)?;
        }
        let shares = ctx.add(SoftMax { axis: 3 }, &[scores])?;
        let shares = ctx.cast(shares, dtype)?;
        let y = matrices(ctx, shares, v)?;
        let scores = ctx.cast(scores, dtype)?;
        Ok(Attended { y: join_heads(ctx, y)?, present, scores })
    }
}
