//! Functions of one element with parameters: `Relu`, `LeakyRelu`, `Clip`, `Gelu`, …

use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{ActivationType, ElementWiseOperation as Ew};
use crate::network::{LayerKind, ValueId, Values};
use crate::onnx::Node;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("Celu", 12..=NOW, "X", celu),
    onnx("Clip", 1..=5, "input", clip_attributes).ignoring(&["consumed_inputs"]),
    onnx("Clip", 6..=10, "input", clip_attributes),
    onnx("Clip", 11..=NOW, "input min? max?", clip),
    onnx("Elu", 1..=NOW, "X", elu).ignoring(&["consumed_inputs"]),
    onnx("Gelu", 20..=NOW, "X", gelu),
    onnx("HardSigmoid", 1..=NOW, "X", hard_sigmoid).ignoring(&["consumed_inputs"]),
    onnx("HardSwish", 14..=NOW, "X", hard_swish),
    onnx("LeakyRelu", 1..=NOW, "X", leaky_relu).ignoring(&["consumed_inputs"]),
    onnx("Mish", 18..=NOW, "X", mish),
    onnx("PRelu", 1..=6, "X slope", prelu_by_channel).ignoring(&["consumed_inputs"]),
    onnx("PRelu", 7..=NOW, "X slope", prelu),
    onnx("Relu", 1..=NOW, "X", relu).ignoring(&["consumed_inputs"]),
    onnx("Selu", 1..=5, "X", selu_first).ignoring(&["consumed_inputs"]),
    onnx("Selu", 6..=NOW, "X", selu),
    onnx("Shrink", 9..=NOW, "input", shrink),
    onnx("Sigmoid", 1..=NOW, "X", sigmoid).ignoring(&["consumed_inputs"]),
    onnx("Softplus", 1..=NOW, "X", softplus),
    onnx("Softsign", 1..=NOW, "input", softsign),
    onnx("SwiGLU", 28..=NOW, "A B", gated_swish),
    onnx("Swish", 24..=NOW, "X", swish),
    onnx("Tanh", 1..=NOW, "input", tanh).ignoring(&["consumed_inputs"]),
    onnx("ThresholdedRelu", 10..=NOW, "X", thresholded_relu),
];

fn apply(
    ctx: &mut Ctx<'_>,
    kind: ActivationType,
    alpha: f32,
    beta: f32,
) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    Ok(smallvec![ctx.activation(kind, alpha, beta, x)?])
}

/// `Relu`. Becomes Activation; whole numbers become a maximum with 0.
fn relu(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    if ctx.dtype(x).is_int() {
        return Ok(smallvec![ctx.binary_scalar(Ew::Max, x, 0.0)?]);
    }
    apply(ctx, ActivationType::Relu, 0.0, 0.0)
}

/// `Sigmoid`. Becomes Activation.
fn sigmoid(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    apply(ctx, ActivationType::Sigmoid, 0.0, 0.0)
}

/// `Tanh`. Becomes Activation.
fn tanh(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    apply(ctx, ActivationType::Tanh, 0.0, 0.0)
}

/// `Softsign`. Becomes Activation.
fn softsign(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    apply(ctx, ActivationType::Softsign, 0.0, 0.0)
}

/// `Softplus`. Becomes Activation with α = β = 1.
fn softplus(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    apply(ctx, ActivationType::Softplus, 1.0, 1.0)
}

/// `LeakyRelu`. Becomes Activation.
fn leaky_relu(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    apply(ctx, ActivationType::LeakyRelu, node.attrs.float_or("alpha", 0.01)?, 0.0)
}

/// `Elu`. Becomes Activation.
fn elu(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    apply(ctx, ActivationType::Elu, node.attrs.float_or("alpha", 1.0)?, 0.0)
}

/// `Selu` before opset 6, whose defaults have fewer digits. Becomes Activation.
fn selu_first(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (alpha, gamma) =
        (node.attrs.float_or("alpha", 1.6732)?, node.attrs.float_or("gamma", 1.0507)?);
    apply(ctx, ActivationType::Selu, alpha, gamma)
}

/// `Selu`. Becomes Activation.
fn selu(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let alpha = node.attrs.float_or("alpha", 1.673_263_2)?;
    apply(ctx, ActivationType::Selu, alpha, node.attrs.float_or("gamma", 1.050_701)?)
}

/// `Celu`: max(0, x) + min(0, α·(e^(x/α) − 1)). Becomes x/α through Elu, times α.
///
/// Elu(x/α)·α is x for x ≥ 0 and α·(e^(x/α) − 1) below, which takes α > 0.
fn celu(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let alpha = node.attrs.float_or("alpha", 1.0)?;
    let x = ctx.input(0)?;
    if alpha <= 0.0 {
        return Err(OpError::Value {
            what: "attribute `alpha`",
            value: alpha.to_string(),
            supported: "above 0",
        });
    }
    let scaled = ctx.binary_scalar(Ew::Div, x, alpha.into())?;
    let elu = ctx.activation(ActivationType::Elu, 1.0, 0.0, scaled)?;
    Ok(smallvec![ctx.binary_scalar(Ew::Prod, elu, alpha.into())?])
}

/// `HardSigmoid`. Becomes Activation.
fn hard_sigmoid(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (alpha, beta) = (node.attrs.float_or("alpha", 0.2)?, node.attrs.float_or("beta", 0.5)?);
    apply(ctx, ActivationType::HardSigmoid, alpha, beta)
}

/// `HardSwish`: x · HardSigmoid(x) with α = 1/6, β = ½.
fn hard_swish(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let gate = ctx.activation(ActivationType::HardSigmoid, 1.0 / 6.0, 0.5, x)?;
    Ok(smallvec![ctx.binary(Ew::Prod, x, gate)?])
}

/// `Swish`: x · sigmoid(α·x).
fn swish(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let alpha = node.attrs.float_or("alpha", 1.0)?;
    Ok(smallvec![swish_of(ctx, x, alpha)?])
}

pub(super) fn swish_of(ctx: &mut Ctx<'_>, x: ValueId, alpha: f32) -> Result<ValueId, OpError> {
    let scaled = ctx.binary_scalar(Ew::Prod, x, alpha.into())?;
    let gate = ctx.activation(ActivationType::Sigmoid, 0.0, 0.0, scaled)?;
    ctx.binary(Ew::Prod, x, gate)
}

/// `SwiGLU`: `Swish` of A, times B of the same shape.
fn gated_swish(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (a, b) = (ctx.input(0)?, ctx.input(1)?);
    let gate = swish_of(ctx, a, node.attrs.float_or("alpha", 1.0)?)?;
    Ok(smallvec![ctx.binary(Ew::Prod, gate, b)?])
}

/// `Mish`: x · tanh(softplus(x)).
fn mish(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let softplus = ctx.activation(ActivationType::Softplus, 1.0, 1.0, x)?;
    let gate = ctx.activation(ActivationType::Tanh, 0.0, 0.0, softplus)?;
    Ok(smallvec![ctx.binary(Ew::Prod, x, gate)?])
}

/// `ThresholdedRelu`. Becomes Activation.
fn thresholded_relu(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    apply(ctx, ActivationType::ThresholdedRelu, node.attrs.float_or("alpha", 1.0)?, 0.0)
}

/// `Gelu`. Becomes Activation.
fn gelu(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    match node.attrs.string_or("approximate", "none")? {
        "none" => apply(ctx, ActivationType::GeluErf, 0.0, 0.0),
        "tanh" => apply(ctx, ActivationType::GeluTanh, 0.0, 0.0),
        other => Err(OpError::invalid(format!(
            "attribute `approximate` is `{other}`, not `none` or `tanh`"
        ))),
    }
}

/// A function that a fused operator names, with the parameters that it states.
pub(super) fn named(
    ctx: &mut Ctx<'_>,
    name: &str,
    parameters: &[Option<f32>],
    x: ValueId,
) -> Result<ValueId, OpError> {
    let given = |at: usize, default| parameters.get(at).copied().flatten().unwrap_or(default);
    let (kind, alpha, beta) = match name {
        "" => return Ok(x),
        "Clip" => {
            let bound = |ctx: &mut Ctx<'_>, at| {
                ctx.filled(ctx.dtype(x), f64::from(given(at, 0.0)), ctx.rank(x))
            };
            let (min, max) = (bound(ctx, 0)?, bound(ctx, 1)?);
            let raised = ctx.binary(Ew::Max, x, min)?;
            return ctx.binary(Ew::Min, raised, max);
        }
        "Elu" => (ActivationType::Elu, given(0, 1.0), 0.0),
        "HardSigmoid" => (ActivationType::HardSigmoid, given(0, 0.2), given(1, 0.5)),
        "LeakyRelu" => (ActivationType::LeakyRelu, given(0, 0.01), 0.0),
        "Relu" => (ActivationType::Relu, 0.0, 0.0),
        "Selu" => (ActivationType::Selu, given(0, 1.673_263_2), given(2, 1.050_701)),
        "Sigmoid" => (ActivationType::Sigmoid, 0.0, 0.0),
        "Softplus" => (ActivationType::Softplus, 1.0, 1.0),
        "Softsign" => (ActivationType::Softsign, 0.0, 0.0),
        "Tanh" => (ActivationType::Tanh, 0.0, 0.0),
        "ThresholdedRelu" => (ActivationType::ThresholdedRelu, given(0, 1.0), 0.0),
        other => {
            return Err(OpError::Value {
                what: "attribute `activation`",
                value: format!("`{other}`"),
                supported: "Clip, Elu, HardSigmoid, LeakyRelu, Relu, Selu, Sigmoid, Softplus, \
                            Softsign, Tanh, ThresholdedRelu",
            });
        }
    };
    ctx.activation(kind, alpha, beta, x)
}

/// `Shrink`: x + bias below −lambd, x − bias above lambd, 0 between.
fn shrink(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let (bias, lambd) = (node.attrs.float_or("bias", 0.0)?, node.attrs.float_or("lambd", 0.5)?);
    let (dtype, rank) = (ctx.dtype(x), ctx.rank(x));
    let low = ctx.filled(dtype, (-lambd).into(), rank)?;
    let high = ctx.filled(dtype, lambd.into(), rank)?;
    let zero = ctx.filled(dtype, 0.0, rank)?;
    let raised = ctx.binary_scalar(Ew::Sum, x, bias.into())?;
    let lowered = ctx.binary_scalar(Ew::Sub, x, bias.into())?;
    let is_high = ctx.binary(Ew::Greater, x, high)?;
    let is_low = ctx.binary(Ew::Less, x, low)?;
    let upper = ctx.select(is_high, lowered, zero)?;
    Ok(smallvec![ctx.select(is_low, raised, upper)?])
}

/// `Clip` with its limits as attributes.
fn clip_attributes(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let (min, max) = (node.attrs.float("min")?, node.attrs.float("max")?);
    let (dtype, rank) = (ctx.dtype(x), ctx.rank(x));
    let min = min.map(|min| ctx.filled(dtype, min.into(), rank)).transpose()?;
    let max = max.map(|max| ctx.filled(dtype, max.into(), rank)).transpose()?;
    clip_between(ctx, x, min, max)
}

/// `Clip` with its limits as inputs.
fn clip(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let (min, max) = (ctx.maybe(1), ctx.maybe(2));
    clip_between(ctx, x, min, max)
}

/// Min(Max(x, min), max): ONNX gives `max` where min > max, TensorRT's own Clip would give `min`.
fn clip_between(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    min: Option<ValueId>,
    max: Option<ValueId>,
) -> Result<Values, OpError> {
    let raised = min.map_or(Ok(x), |min| ctx.binary(Ew::Max, x, min))?;
    let clipped = max.map_or(Ok(raised), |max| ctx.binary(Ew::Min, raised, max))?;
    Ok(smallvec![if clipped == x { ctx.add(LayerKind::Identity, &[x])? } else { clipped }])
}

/// `PRelu`. Becomes ParametricReLU; whole numbers become a Select.
fn prelu(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (x, slope) = (ctx.input(0)?, ctx.input(1)?);
    let slope = ctx.lead(slope, ctx.rank(x))?;
    parametric_relu(ctx, x, slope)
}

/// `PRelu` before opset 7: a slope of rank 1 has one element per channel (axis 1).
fn prelu_by_channel(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (x, slope) = (ctx.input(0)?, ctx.input(1)?);
    let rank = ctx.rank(x);
    let per_channel = ctx.rank(slope) == 1 && ctx.size(slope, 0) != Some(1) && rank > 2;
    let slope = if per_channel { ctx.unsqueeze(slope, (1..rank - 1).collect())? } else { slope };
    let slope = ctx.lead(slope, rank)?;
    parametric_relu(ctx, x, slope)
}

fn parametric_relu(ctx: &mut Ctx<'_>, x: ValueId, slope: ValueId) -> Result<Values, OpError> {
    if ctx.dtype(x).is_float() {
        return Ok(smallvec![ctx.add(LayerKind::ParametricRelu, &[x, slope])?]);
    }
    let zero = ctx.filled(ctx.dtype(x), 0.0, ctx.rank(x))?;
    let negative = ctx.binary(Ew::Less, x, zero)?;
    let scaled = ctx.binary(Ew::Prod, x, slope)?;
    Ok(smallvec![ctx.select(negative, scaled, x)?])
}
