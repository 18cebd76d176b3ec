//! What ONNX Runtime's optimizers make of two or three of ONNX's own operators.

use super::row;
use crate::import::build::axes::whole;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::Op;
use crate::import::build::pads::whole_list;
use crate::import::error::OpError;
use crate::import::ops::activation::{named, swish_of};
use crate::import::ops::conv::{add_bias, convolve, uncropped_transpose};
use crate::import::ops::matmul::{gemm_of, multiply, scaled, swap_last};
use crate::import::ops::norm::wanted;
use crate::import::ops::slice::{split_at, trilu};
use crate::import::ops::softmax::over_axes_from;
use crate::network::layer::{ActivationType, ElementWiseOperation as Ew, SampleMode};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

pub(in crate::import::ops) const OPS: &[Op] = &[
    row("BiasAdd", "X bias skip", bias_add),
    row("BiasDropout", "data bias residual? ratio? training_mode?", bias_dropout)
        .ignoring(&["seed"]),
    row("BiasGelu", "A B", bias_gelu),
    row("BiasSoftmax", "data bias", bias_softmax),
    row("BiasSplitGelu", "X bias", bias_split_gelu),
    row("ConvTransposeWithDynamicPads", "X W Pads? B?", transpose_with_pads),
    row("FastGelu", "X bias?", fast_gelu),
    row("FusedConv", "X W B? Z?", fused_conv),
    row("FusedGemm", "A B C?", fused_gemm),
    row("FusedMatMul", "A B", fused_matmul),
    row("Gelu", "X", gelu),
    row("GemmFastGelu", "X W bias?", gemm_fast_gelu),
    row("NhwcConv", "X W B?", nhwc_conv),
    row("NhwcFusedConv", "X W B? Z?", nhwc_fused_conv),
    row("QuickGelu", "X", quick_gelu),
    row("TransposeMatMul", "A B", fused_matmul),
    row("Trilu", "X k?", trilu),
];

fn erf_gelu(ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
    ctx.activation(ActivationType::GeluErf, 0.0, 0.0, x)
}

/// `Gelu`: x · ½ · (1 + erf(x / √2)). Becomes Activation.
fn gelu(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    Ok(smallvec![erf_gelu(ctx, x)?])
}

/// `BiasGelu`: `Gelu` of A + B.
fn bias_gelu(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (a, b) = (ctx.input(0)?, ctx.input(1)?);
    let sum = ctx.binary(Ew::Sum, a, b)?;
    Ok(smallvec![erf_gelu(ctx, sum)?])
}

/// `BiasSplitGelu`: of X + bias, the first half of the last axis times `Gelu` of the second.
fn bias_split_gelu(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (x, bias) = (ctx.input(0)?, ctx.input(1)?);
    let sum = ctx.binary(Ew::Sum, x, bias)?;
    let (left, right) = halves(ctx, sum)?;
    let gate = erf_gelu(ctx, right)?;
    Ok(smallvec![ctx.binary(Ew::Prod, left, gate)?])
}

/// The last axis, which is even, in two.
pub(super) fn halves(ctx: &mut Ctx<'_>, x: ValueId) -> Result<(ValueId, ValueId), OpError> {
    let last = ctx.rank(x).checked_sub(1);
    let last = last.ok_or(OpError::Rank { what: "the data", rank: 0, supported: "1 or more" })?;
    let size = ctx.size_of(x, last)?;
    if let Some(size) = ctx.known(size).filter(|size| size % 2 != 0) {
        return Err(OpError::invalid(format!("{size} elements do not divide into halves")));
    }
    let half = ctx.compute(Ew::FloorDiv, size, 2)?;
    let parts = split_at(ctx, x, last, &[half, half])?;
    match parts[..] {
        [left, right] => Ok((left, right)),
        _ => Err(OpError::invalid("not two halves")),
    }
}

/// `FastGelu`: ½ · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))) of X + bias. Becomes Activation.
fn fast_gelu(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let bias = ctx.maybe(1);
    Ok(smallvec![tanh_gelu(ctx, x, bias)?])
}

fn tanh_gelu(ctx: &mut Ctx<'_>, x: ValueId, bias: Option<ValueId>) -> Result<ValueId, OpError> {
    let x = bias.map_or(Ok(x), |bias| ctx.binary(Ew::Sum, x, bias))?;
    ctx.activation(ActivationType::GeluTanh, 0.0, 0.0, x)
}

/// `GemmFastGelu`: `FastGelu` of X · W.
fn gemm_fast_gelu(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (x, w) = (ctx.input(0)?, ctx.input(1)?);
    let product = multiply(ctx, x, w)?;
    let bias = ctx.maybe(2);
    Ok(smallvec![tanh_gelu(ctx, product, bias)?])
}

/// `QuickGelu`: x · sigmoid(α·x).
fn quick_gelu(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    Ok(smallvec![swish_of(ctx, x, node.attrs.float_or("alpha", 1.702)?)?])
}

/// `BiasAdd`: X + bias + skip.
fn bias_add(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (x, bias, skip) = (ctx.input(0)?, ctx.input(1)?, ctx.input(2)?);
    let sum = ctx.binary(Ew::Sum, x, bias)?;
    Ok(smallvec![ctx.binary(Ew::Sum, sum, skip)?])
}

/// `BiasDropout` in inference: data + bias + residual, and a mask of trues.
fn bias_dropout(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, bias) = (ctx.input(0)?, ctx.input(1)?);
    let training = ctx.constant_input(4)?;
    if training.as_ref().and_then(Tensor::bools).is_some_and(|flags| flags.contains(&1)) {
        return Err(OpError::Feature("training mode"));
    }
    let sum = ctx.binary(Ew::Sum, data, bias)?;
    let y = ctx.maybe(2).map_or(Ok(sum), |residual| ctx.binary(Ew::Sum, sum, residual))?;
    if !wanted(node, 1) {
        return Ok(smallvec![y]);
    }
    let sizes = ctx.sizes(data)?;
    let yes = ctx.filled(DType::Bool, 1.0, sizes.len())?;
    Ok(smallvec![y, ctx.expand(yes, &sizes)?])
}

/// `BiasSoftmax`: SoftMax of data + bias over all axes from `axis` on. The bias has axes of size 1
/// where it is repeated, which is all that `is_inner_broadcast` says.
fn bias_softmax(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, bias) = (ctx.input(0)?, ctx.input(1)?);
    node.attrs.int("is_inner_broadcast")?;
    let axis = ctx.axis(node.attrs.int_or("axis", 1)?, ctx.rank(data))?;
    let sum = ctx.binary(Ew::Sum, data, bias)?;
    Ok(smallvec![over_axes_from(ctx, sum, axis)?])
}

/// `FusedMatMul`: α · A′·B′, with the last two axes exchanged where `transA` or `transB` say so,
/// and before that the first axis moved behind the others but the last by `transBatchA` or
/// `transBatchB`. Becomes MatrixMultiply; α goes into B where that is constant.
fn fused_matmul(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let alpha = node.attrs.float_or("alpha", 1.0)?;
    let a = matrices(ctx, node, 0, ["transBatchA", "transA"])?;
    let mut b = matrices(ctx, node, 1, ["transBatchB", "transB"])?;
    if ctx.rank(a) >= 2 && ctx.rank(b) == 1 && node.attrs.int_or("transA", 0)? != 0 {
        // ONNX Runtime reads A as if it were stored transposed.
        return Err(OpError::Feature("attribute `transA` with a vector as input `B`"));
    }
    let early = ctx.constant(b).is_some();
    if early {
        b = scaled(ctx, b, alpha)?;
    }
    let product = multiply(ctx, a, b)?;
    Ok(smallvec![if early { product } else { scaled(ctx, product, alpha)? }])
}

/// An operand of `FusedMatMul` as matrices in the usual order; a vector stays as it is.
fn matrices(
    ctx: &mut Ctx<'_>,
    node: &Node,
    at: usize,
    [batch, matrix]: [&str; 2],
) -> Result<ValueId, OpError> {
    let mut x = ctx.input(at)?;
    let (batch, matrix) = (node.attrs.int_or(batch, 0)?, node.attrs.int_or(matrix, 0)?);
    let rank = ctx.rank(x);
    if rank < 2 {
        return Ok(x);
    }
    if batch != 0 {
        let order = (1..rank - 1).chain([0, rank - 1]).collect();
        x = ctx.transpose(x, order)?;
    }
    if matrix == 0 { Ok(x) } else { swap_last(ctx, x) }
}

/// `FusedGemm`: `Gemm`, and a function of the result.
fn fused_gemm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let name = node.attrs.string_or("activation", "")?;
    let parameters = [
        node.attrs.float("activation_alpha")?,
        node.attrs.float("activation_beta")?,
        node.attrs.float("activation_gamma")?,
    ];
    let y = gemm_of(ctx, node)?;
    Ok(smallvec![named(ctx, name, &parameters, y)?])
}

/// `FusedConv`: `Conv`, plus Z, and a function of the sum.
fn fused_conv(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, w, bias) = (ctx.input(0)?, ctx.input(1)?, ctx.maybe(2));
    let y = convolve(ctx, node, x, w, bias)?;
    let y = ctx.maybe(3).map_or(Ok(y), |z| ctx.binary(Ew::Sum, y, z))?;
    Ok(smallvec![activated(ctx, node, y)?])
}

/// The function that `activation` names, with `activation_params`.
fn activated(ctx: &mut Ctx<'_>, node: &Node, y: ValueId) -> Result<ValueId, OpError> {
    let name = node.attrs.string_or("activation", "")?;
    let parameters = node.attrs.floats("activation_params")?.unwrap_or_default();
    let takes = match name {
        "LeakyRelu" => 1,
        "Clip" | "HardSigmoid" => 2,
        _ => parameters.len(),
    };
    if parameters.len() != takes {
        let count = parameters.len();
        return Err(OpError::invalid(format!(
            "attribute `activation_params` has {count} numbers; `{name}` takes {takes}"
        )));
    }
    let parameters: Vec<_> = parameters.iter().copied().map(Some).collect();
    named(ctx, name, &parameters, y)
}

/// `NhwcFusedConv`: `FusedConv` of data and Z that have their channels last; the kernel has them
/// where `Conv` does.
fn nhwc_fused_conv(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, w, bias) = (ctx.input(0)?, ctx.input(1)?, ctx.maybe(2));
    let x = channels_first(ctx, x)?;
    let y = convolve(ctx, node, x, w, bias)?;
    let y = channels_last(ctx, y)?;
    let y = ctx.maybe(3).map_or(Ok(y), |z| ctx.binary(Ew::Sum, y, z))?;
    Ok(smallvec![activated(ctx, node, y)?])
}

/// `NhwcConv`: `Conv` of data and a kernel that have their channels last.
fn nhwc_conv(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, w, bias) = (ctx.input(0)?, ctx.input(1)?, ctx.maybe(2));
    let (x, w) = (channels_first(ctx, x)?, channels_first(ctx, w)?);
    let y = convolve(ctx, node, x, w, bias)?;
    Ok(smallvec![channels_last(ctx, y)?])
}

/// Data with its last axis moved to place 1.
pub(super) fn channels_first(ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
    let rank = ctx.rank(x);
    if rank < 3 {
        return Ok(x);
    }
    ctx.transpose(x, [0, rank - 1].into_iter().chain(1..rank - 1).collect())
}

/// The way back.
pub(super) fn channels_last(ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
    let rank = ctx.rank(x);
    if rank < 3 {
        return Ok(x);
    }
    ctx.transpose(x, [0].into_iter().chain(2..rank).chain([1]).collect())
}

/// `ConvTransposeWithDynamicPads`: `ConvTranspose` with its pads as an input. Becomes
/// Deconvolution, and a Slice that may add zeros.
fn transpose_with_pads(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, w, bias) = (ctx.input(0)?, ctx.input(1)?, ctx.maybe(3));
    let auto = node.attrs.string_or("auto_pad", "NOTSET")?;
    if auto != "NOTSET" {
        return Err(OpError::Value {
            what: "attribute `auto_pad`",
            value: format!("`{auto}`"),
            supported: "NOTSET",
        });
    }
    let y = uncropped_transpose(ctx, node, x, w)?;
    let count = ctx.rank(y).saturating_sub(2);
    let grown = whole_list(node, "output_padding", count)?;
    let pads = match ctx.maybe_numbers(2)? {
        Some(pads) => pads,
        None => vec![ctx.number(0); 2 * count],
    };
    if pads.len() != 2 * count {
        return Err(OpError::invalid(format!("{} pads for {count} axes", pads.len())));
    }
    let (before, behind) = pads.split_at(count);
    let mut steps = whole(ctx, y)?;
    for (at, ((&before, &behind), grown)) in before.iter().zip(behind).zip(grown).enumerate() {
        let size = ctx.size_of(y, at + 2)?;
        let size = ctx.binary(Ew::Sub, size, before)?;
        let size = ctx.binary(Ew::Sub, size, behind)?;
        let size = ctx.compute(Ew::Sum, size, grown)?;
        steps.set(at + 2, before, size);
    }
    let y = ctx.slice(y, &steps, SampleMode::Fill, None)?;
    Ok(smallvec![add_bias(ctx, y, bias)?])
}
