//! `Attention` and `FlexAttention`.

use crate::import::build::attention_bias::{Keys, Window, bias};
use crate::import::build::ctx::Ctx;
use crate::import::build::heads::{
    head_count, join_heads, matrices, query_key_value, repeat_heads, required_head_count,
    scaled_scores, softmax_precision, split_heads,
};
use crate::import::build::numbers::MAX_SIZE;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{ActivationType, ElementWiseOperation as Ew, ReduceOperation, SoftMax};
use crate::network::{Dim, ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("Attention", 23..=23, "Q K V attn_mask? past_key? past_value?", attention),
    onnx(
        "Attention",
        24..=24,
        "Q K V attn_mask? past_key? past_value? nonpad_kv_seqlen?",
        attention,
    ),
    onnx(
        "Attention",
        25..=NOW,
        "Q K V attn_mask? past_key? past_value? nonpad_kv_seqlen?",
        windowed_attention,
    ),
    onnx("FlexAttention", 1..=NOW, "Q K V", flex_attention).of("ai.onnx.preview"),
];

/// `Attention` before opset 25, where a query sees keys at any distance.
fn attention(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    attend(ctx, node, Window::default())
}

/// `Attention` with bounds on the distance.
fn windowed_attention(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let bound = |name| match node.attrs.int_or(name, -1)? {
        -1 => Ok(None),
        bound if bound >= 0 => Ok(Some(bound.min(MAX_SIZE))),
        other => Err(OpError::invalid(format!("attribute `{name}` is {other}"))),
    };
    let window = Window { left: bound("left_window_size")?, right: bound("right_window_size")? };
    attend(ctx, node, window)
}

/// softmax(softcap(√s·Q · (√s·K)ᵀ) + bias) · V as layers, each in the type that the specification's
/// function has.
///
/// Heads of keys and values are repeated for their groups of query heads. A query that sees no key
/// gives zeros.
fn attend(ctx: &mut Ctx<'_>, node: &Node, window: Window) -> Result<Values, OpError> {
    let [q, k, v] = query_key_value(ctx, &[3, 4], "3 or 4, equal for all three")?[..] else {
        return Err(OpError::invalid("not three operands"));
    };
    let packed = ctx.rank(q) == 3;
    let (q, k, v) = if packed {
        let queries = required_head_count(node, "q_num_heads")?;
        let keys = required_head_count(node, "kv_num_heads")?;
        (split_heads(ctx, q, queries)?, split_heads(ctx, k, keys)?, split_heads(ctx, v, keys)?)
    } else {
        head_count(node, "q_num_heads")?;
        head_count(node, "kv_num_heads")?;
        (q, k, v)
    };
    let (past, present_key, present_value) = present(ctx, k, v)?;
    let window = if node.attrs.int_or("is_causal", 0)? == 0 { window } else { window.causal() };
    let keys = Keys { past, mask: ctx.maybe(3), filled: ctx.maybe(6) };
    let bias = bias(ctx, q, present_key, &keys, window)?;

    let dtype = ctx.dtype(q);
    let query_heads = ctx.size_of(q, 1)?;
    let key = repeat_heads(ctx, present_key, query_heads)?;
    let value = repeat_heads(ctx, present_value, query_heads)?;
    let scores = scaled_scores(ctx, q, key, node.attrs.float("scale")?)?;
    let capped = soft_capped(ctx, node, scores)?;
    let biased =
        bias.as_ref().map_or(Ok(capped), |bias| ctx.binary(Ew::Sum, capped, bias.value))?;
    let precise = ctx.cast(biased, softmax_precision(node, dtype)?)?;
    let mut shares = ctx.add(SoftMax { axis: 3 }, &[precise])?;
    shares = ctx.cast(shares, dtype)?;
    if let Some(bias) = bias.filter(|bias| bias.may_hide_all) {
        shares = without_hidden(ctx, shares, bias.value)?;
    }
    let y = matrices(ctx, shares, value)?;
    let y = if packed { join_heads(ctx, y)? } else { y };
    let inner = match node.attrs.int_or("qk_matmul_output_mode", 0)? {
        0 => scores,
        1 => capped,
        2 => biased,
        3 => shares,
        mode => {
            return Err(OpError::invalid(format!("attribute `qk_matmul_output_mode` is {mode}")));
        }
    };
    Ok(smallvec![y, present_key, present_value, inner])
}

/// Keys and values behind those of the past; and the past's keys.
fn present(
    ctx: &mut Ctx<'_>,
    k: ValueId,
    v: ValueId,
) -> Result<(Option<ValueId>, ValueId, ValueId), OpError> {
    match (ctx.maybe(4), ctx.maybe(5)) {
        (None, None) => Ok((None, k, v)),
        (Some(_), Some(_)) if ctx.maybe(6).is_some() => Err(OpError::invalid(
            "input `nonpad_kv_seqlen` and input `past_key` exclude each other",
        )),
        (Some(past_key), Some(past_value)) => {
            Ok((Some(past_key), ctx.concat(&[past_key, k], 2)?, ctx.concat(&[past_value, v], 2)?))
        }
        _ => Err(OpError::invalid("input `past_key` and input `past_value` need each other")),
    }
}

/// c · tanh(x / c) where the attribute `softcap` gives a c.
pub(super) fn soft_capped(
    ctx: &mut Ctx<'_>,
    node: &Node,
    scores: ValueId,
) -> Result<ValueId, OpError> {
    let cap = node.attrs.float_or("softcap", 0.0)?;
    if cap <= 0.0 {
        return Ok(scores);
    }
    let scaled = ctx.binary_scalar(Ew::Div, scores, cap.into())?;
    let bounded = ctx.activation(ActivationType::Tanh, 0.0, 0.0, scaled)?;
    ctx.binary_scalar(Ew::Prod, bounded, cap.into())
}

/// Zeros where a query sees no key: SoftMax of −∞ alone is no number.
fn without_hidden(ctx: &mut Ctx<'_>, shares: ValueId, bias: ValueId) -> Result<ValueId, OpError> {
    let last = ctx.rank(bias).saturating_sub(1);
    let best = ctx.reduce(ReduceOperation::Max, bias, vec![last], true)?;
    let lowest = ctx.filled(ctx.dtype(bias), f64::NEG_INFINITY, ctx.rank(bias))?;
    let hidden = ctx.binary(Ew::Equal, best, lowest)?;
    let zero = ctx.scalar(ctx.dtype(shares), 0.0)?;
    ctx.select(hidden, zero, shares)
}

/// `FlexAttention`: prob_mod(softmax(score_mod(√s·Q · (√s·K)ᵀ))) · V as layers, with the graphs'
/// nodes in place.
fn flex_attention(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let [q, k, v] = query_key_value(ctx, &[4], "4")?[..] else {
        return Err(OpError::invalid("not three operands"));
    };
    let query_heads = ctx.size_of(q, 1)?;
    let (key, value) = (repeat_heads(ctx, k, query_heads)?, repeat_heads(ctx, v, query_heads)?);
    let precision = softmax_precision(node, DType::F32)?;
    let scores = scaled_scores(ctx, q, key, node.attrs.float("scale")?)?;
    let scores = ctx.cast(scores, precision)?;
    let scores = modified(ctx, node, "score_mod", scores)?;
    let shares = ctx.add(SoftMax { axis: 3 }, &[scores])?;
    let shares = modified(ctx, node, "prob_mod", shares)?;
    let value = ctx.cast(value, precision)?;
    let y = matrices(ctx, shares, value)?;
    Ok(smallvec![ctx.cast(y, ctx.dtype(v))?])
}

/// What a graph of one input and one output, if the node holds it, makes of a value: one of the
/// same type and shape.
fn modified(
    ctx: &mut Ctx<'_>,
    node: &Node,
    name: &str,
    value: ValueId,
) -> Result<ValueId, OpError> {
    let Some(graph) = node.attrs.graph(name)? else { return Ok(value) };
    let [result] = ctx.inline(graph, &[value])?[..] else {
        return Err(OpError::invalid(format!(
            "attribute `{name}` is a graph of {} outputs",
            graph.outputs.len()
        )));
    };
    let (before, after) = (ctx.shape(value), ctx.shape(result));
    let differs = |(a, b): (&Dim, &Dim)| a.known().is_some() && b.known().is_some() && a != b;
    let same = before.rank() == after.rank() && !before.iter().zip(after.iter()).any(differs);
    if !same || ctx.dtype(value) != ctx.dtype(result) {
        return Err(OpError::invalid(format!(
            "attribute `{name}` is a graph that changes its input's type or shape"
        )));
    }
    Ok(result)
}
