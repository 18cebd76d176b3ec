//! Mixtures of experts, computed by all experts for every token.

use super::fused::halves;
use super::packed::{Codes, constant, integer, middle, width_of};
use super::rest::{Gate, gated};
use super::row;
use crate::import::build::axes::along;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::Op;
use crate::import::error::OpError;
use crate::import::ops::activation::swish_of;
use crate::network::layer::{
    ActivationType, Arg, ElementWiseOperation as Ew, MatrixMultiply, MatrixOperation,
    ReduceOperation, SoftMax, TopK, TopKOperation,
};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor, volume};
use smallvec::smallvec;

const MIXED: &str = "input router_probs fc1_experts_weights fc1_experts_bias? \
                     fc2_experts_weights fc2_experts_bias? fc3_experts_weights? fc3_experts_bias?";
const QUANTIZED: &str = "input router_probs fc1_experts_weights fc1_scales? fc1_experts_bias? \
                         fc2_experts_weights fc2_scales? fc2_experts_bias? fc3_experts_weights? \
                         fc3_scales? fc3_experts_bias? fc1_zero_points? fc2_zero_points? \
                         fc3_zero_points? router_weights?";

pub(in crate::import::ops) const OPS: &[Op] =
    &[row("MoE", MIXED, mixture), row("QMoE", QUANTIZED, quantized).ignoring(&["accuracy_level"])];

/// One layer of all experts: weights `[experts, outputs, inputs]`, and a bias for each output.
type Layer = (ValueId, Option<ValueId>);

/// `MoE`, see [`mixed`].
fn mixture(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let first = (ctx.input(2)?, ctx.maybe(3));
    let second = (ctx.input(4)?, ctx.maybe(5));
    let third = ctx.maybe(6).map(|weights| (weights, ctx.maybe(7)));
    mixed(ctx, node, first, second, third)
}

/// `QMoE` with whole numbers of 2, 4 or 8 bits: the same with weights that are constants by then.
fn quantized(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let kind = node.attrs.string_or("quant_type", "int")?;
    if kind != "int" {
        let (what, value) = ("attribute `quant_type`", format!("`{kind}`"));
        return Err(OpError::Value { what, value, supported: "`int`" });
    }
    if node.attrs.int_or("weights_prepacked", -1)? == 1 {
        return Err(OpError::Feature("an order of weights that only one kernel knows"));
    }
    if node.attrs.int_or("normalize_routing_weights", 0)? == 0 {
        // ONNX Runtime's CPU kernel normalizes them all the same.
        let (what, value) = ("attribute `normalize_routing_weights`", "0".to_owned());
        return Err(OpError::Value { what, value, supported: "1" });
    }
    if ctx.maybe(14).is_some() {
        return Err(OpError::Feature("input `router_weights`"));
    }
    let bits = integer(node, "expert_weight_bits", Some(4))?;
    let block = integer(node, "block_size", Some(0))?;
    let mut layer = |places: [usize; 4], name| {
        let bits = integer(node, name, Some(bits))?;
        let weights = dequantized(ctx, places, bits, block)?;
        Ok::<_, OpError>((weights, ctx.maybe(places[3])))
    };
    let first = layer([2, 3, 11, 4], "fc1_expert_weight_bits")?;
    let second = layer([5, 6, 12, 7], "fc2_expert_weight_bits")?;
    if ctx.maybe(8).is_some() {
        return Err(OpError::Feature("input `fc3_experts_weights`"));
    }
    node.attrs.int("fc3_expert_weight_bits")?;
    mixed(ctx, node, first, second, None)
}

/// The weights at an input, which are codes of so many bits packed along the last axis, with the
/// scales and zero points at others.
fn dequantized(
    ctx: &mut Ctx<'_>,
    [at, scales, zeros, _]: [usize; 4],
    bits: i64,
    block: i64,
) -> Result<ValueId, OpError> {
    let bits = width_of("the number of bits of a weight", bits)?;
    let middle = middle(bits);
    let block = usize::try_from(block)
        .map_err(|_| OpError::invalid(format!("attribute `block_size` is {block}")))?;
    let name = ctx.input_name(at);
    let packed = ctx.constant_input(at)?;
    let packed = packed.ok_or_else(|| OpError::invalid(format!("input `{name}` is missing")))?;
    let &[experts, rows, bytes] = packed.dims() else {
        let rank = packed.dims().len();
        return Err(OpError::Rank { what: "the weights of experts", rank, supported: "3" });
    };
    let depth = bytes.checked_mul(8 / bits);
    let depth = depth.ok_or_else(|| OpError::invalid("more weights than there can be"))?;
    let codes = Codes::of(&packed, bits, depth)?.all();
    let list = ctx.floats(scales)?.unwrap_or_default();
    let size = if block == 0 { depth.max(1) } else { block };
    let count = depth.div_ceil(size);
    if volume(&[experts, rows, count]) != Some(list.len()) {
        return Err(OpError::invalid(format!(
            "input `{}` has {} elements, not {experts} times {rows} times {count}",
            ctx.input_name(scales),
            list.len()
        )));
    }
    if ctx.maybe(zeros).is_some() {
        return Err(OpError::Feature("zero points of experts"));
    }
    let scale = |place: usize| {
        let (row, column) = (place / depth.max(1), place % depth.max(1));
        list.get(row * count + column / size).copied().unwrap_or(0.0)
    };
    let weights = codes.into_iter().enumerate().map(|(at, code)| (code - middle) * scale(at));
    let dtype = ctx.dtype(ctx.input(0)?);
    constant(ctx, dtype, vec![experts, rows, depth], weights.collect())
}

/// The experts' answers weighted by [`shares`] and added up, where an expert is
/// second(activation(first(x))).
fn mixed(
    ctx: &mut Ctx<'_>,
    node: &Node,
    first: Layer,
    second: Layer,
    third: Option<Layer>,
) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let sizes = ctx.sizes(x)?;
    let hidden = sizes.last().copied().ok_or_else(|| OpError::invalid("a single number"))?;
    let tokens = match sizes[..] {
        [tokens, _] => tokens,
        [batch, length, _] => ctx.product(&[batch, length])?,
        _ => {
            return Err(OpError::Rank {
                what: "input `input`",
                rank: sizes.len(),
                supported: "2, 3",
            });
        }
    };
    let one = ctx.number(1);
    let rows = ctx.reshape_to(x, &[one, tokens, hidden])?;
    let inner = layer(ctx, rows, first)?;
    let third = third.map(|of| layer(ctx, rows, of)).transpose()?;
    let active = activated(ctx, node, inner, third)?;
    let answers = layer(ctx, active, second)?;
    let shares = shares(ctx, node)?;
    let shares = ctx.cast(shares, ctx.dtype(answers))?;
    // [experts, tokens, 1]
    let shares = ctx.transpose(shares, vec![1, 0])?;
    let shares = ctx.unsqueeze(shares, vec![2])?;
    let weighted = ctx.binary(Ew::Prod, answers, shares)?;
    let y = ctx.reduce(ReduceOperation::Sum, weighted, vec![0], false)?;
    Ok(smallvec![ctx.reshape_to(y, &sizes)?])
}

/// x · weightsᵀ + bias for each expert: `[experts, tokens, outputs]`.
fn layer(ctx: &mut Ctx<'_>, x: ValueId, (weights, bias): Layer) -> Result<ValueId, OpError> {
    let product = MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::Transpose };
    let y = ctx.add(product, &[x, weights])?;
    let Some(bias) = bias else { return Ok(y) };
    let bias = ctx.unsqueeze(bias, vec![1])?;
    ctx.binary(Ew::Sum, y, bias)
}

/// The function that `activation_type` names.
fn activated(
    ctx: &mut Ctx<'_>,
    node: &Node,
    x: ValueId,
    third: Option<ValueId>,
) -> Result<ValueId, OpError> {
    let fusion = node.attrs.int_or("swiglu_fusion", 0)?;
    let gate = Gate {
        alpha: node.attrs.float_or("activation_alpha", 1.0)?,
        beta: node.attrs.float_or("activation_beta", 0.0)?,
        limit: node.attrs.float("swiglu_limit")?,
    };
    if node.attrs.int_or("swiglu_limit_after_activation", 0)? != 0 {
        let (what, value) = ("attribute `swiglu_limit_after_activation`", "1".to_owned());
        return Err(OpError::Value { what, value, supported: "0" });
    }
    let kind = node.attrs.string_or("activation_type", "relu")?;
    if kind == "swiglu" {
        let (open, up) = match (fusion, third) {
            (0, Some(third)) => (x, third),
            (1, None) => interleaved(ctx, x)?,
            (2, None) => halves(ctx, x)?,
            (_, third) => {
                let with = if third.is_some() { "with" } else { "without" };
                return Err(OpError::invalid(format!(
                    "attribute `swiglu_fusion` is {fusion} {with} input `fc3_experts_weights`: it \
                     is 0 with it, and 1 or 2 without"
                )));
            }
        };
        return gated(ctx, open, up, &gate);
    }
    if third.is_some() {
        return Err(OpError::Feature("input `fc3_experts_weights` with such an activation"));
    }
    match kind {
        "identity" => Ok(x),
        "relu" => ctx.activation(ActivationType::Relu, 0.0, 0.0, x),
        "gelu" => ctx.activation(ActivationType::GeluTanh, 0.0, 0.0, x),
        "silu" => swish_of(ctx, x, 1.0),
        other => Err(OpError::Value {
            what: "attribute `activation_type`",
            value: format!("`{other}`"),
            supported: "relu, gelu, silu, swiglu, identity",
        }),
    }
}

/// Every second element of the last axis, from the first and from the second on.
fn interleaved(ctx: &mut Ctx<'_>, x: ValueId) -> Result<(ValueId, ValueId), OpError> {
    let [experts, tokens, both] = ctx.sizes(x)?[..] else {
        return Err(OpError::invalid("a lost axis"));
    };
    let half = ctx.compute(Ew::FloorDiv, both, 2)?;
    let two = ctx.number(2);
    let pairs = ctx.reshape_to(x, &[experts, tokens, half, two])?;
    let mut pick = |at: i64| {
        let at = ctx.constant_value(Tensor::scalar(at));
        ctx.gather(pairs, at, 3)
    };
    Ok((pick(0)?, pick(1)?))
}

/// `[tokens, experts]` weights: the SoftMax of the router's scores for its `k` largest, 0 for the
/// others; made to add up to 1 if `normalize_routing_weights`.
fn shares(ctx: &mut Ctx<'_>, node: &Node) -> Result<ValueId, OpError> {
    if node.attrs.int_or("use_sparse_mixer", 0)? != 0 {
        let (what, value) = ("attribute `use_sparse_mixer`", "1".to_owned());
        return Err(OpError::Value { what, value, supported: "0" });
    }
    let k = integer(node, "k", Some(1))?;
    let count = usize::try_from(k).ok().filter(|&count| count > 0);
    let count = count.ok_or_else(|| OpError::invalid(format!("attribute `k` is {k}")))?;
    let normalize = node.attrs.int_or("normalize_routing_weights", 0)? != 0;
    let scores = ctx.input(1)?;
    if ctx.rank(scores) != 2 {
        let rank = ctx.rank(scores);
        return Err(OpError::Rank { what: "input `router_probs`", rank, supported: "2" });
    }
    let scores = ctx.cast(scores, DType::F32)?;
    let shares = ctx.add(SoftMax { axis: 1 }, &[scores])?;
    let top = TopK { operation: TopKOperation::Max, k: Arg::Static(count), axis: 1 };
    let top = ctx.add_all(top, &[shares])?;
    let [best, places] = top[..] else { return Err(OpError::invalid("TopK without indices")) };
    let mut best = best;
    if normalize {
        let sum = ctx.reduce(ReduceOperation::Sum, best, vec![1], true)?;
        best = ctx.binary(Ew::Div, best, sum)?;
    }
    // [tokens, k, experts]
    let places = ctx.cast(places, DType::I64)?;
    let places = ctx.unsqueeze(places, vec![2])?;
    let experts = ctx.size_of(scores, 1)?;
    let experts = ctx.count_up(experts)?;
    let experts = along(ctx, experts, 2, 3)?;
    let chosen = ctx.binary(Ew::Equal, places, experts)?;
    let best = ctx.unsqueeze(best, vec![2])?;
    let zero = ctx.filled(DType::F32, 0.0, 3)?;
    let spread = ctx.select(chosen, best, zero)?;
    ctx.reduce(ReduceOperation::Sum, spread, vec![1], false)
}
