//! Operators of quantized data in ONNX Runtime's QOperator form: what the numbers mean, the
//! operator in `f32`, and the result quantized again.

use super::fused::{channels_first, channels_last};
use super::row;
use crate::import::build::axes::along;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::Op;
use crate::import::error::OpError;
use crate::import::ops::conv::less_zero_point;
use crate::import::ops::matmul::{product, swap_last, transposed};
use crate::import::ops::pool::{average_pool_of, max_pool_of};
use crate::import::ops::quantize::{exact_sum, from_real, linear_conv_of, meant, real, said};
use crate::import::ops::softmax::over_axes_from;
use crate::network::layer::{
    ActivationType, ElementWiseOperation as Ew, MatrixOperation, ReduceOperation, SoftMax,
};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

const CONV: &str = "x x_scale x_zero_point w w_scale w_zero_point y_scale y_zero_point B?";
const GEMM: &str = "A a_scale a_zero_point B b_scale b_zero_point C? y_scale? y_zero_point?";
const ONE: &str = "X X_scale X_zero_point? Y_scale Y_zero_point?";
const TWO: &str = "A A_scale A_zero_point? B B_scale B_zero_point? C_scale C_zero_point?";
const WHERE: &str = "condition X x_scale x_zero_point Y y_scale y_zero_point z_scale z_zero_point";

pub(in crate::import::ops) const OPS: &[Op] = &[
    row("NhwcMaxPool", "x", nhwc_max_pool),
    row("QGemm", GEMM, gemm),
    row("QLinearAdd", TWO, |ctx, _| of_two(ctx, Ew::Sum)),
    row("QLinearAveragePool", ONE, average_pool),
    row("QLinearConcat", "Y_scale Y_zero_point inputs*", concat),
    row("QLinearConv", CONV, conv),
    row("QLinearGlobalAveragePool", ONE, global_average_pool),
    row("QLinearLeakyRelu", ONE, leaky_relu),
    row("QLinearMul", TWO, |ctx, _| of_two(ctx, Ew::Prod)),
    row("QLinearReduceMean", ONE, reduce_mean),
    row("QLinearSigmoid", ONE, sigmoid),
    row("QLinearSoftmax", ONE, softmax),
    row("QLinearWhere", WHERE, select),
];

/// What the data at an input means, whose scale and zero point stand behind it.
fn operand(ctx: &mut Ctx<'_>, at: usize) -> Result<ValueId, OpError> {
    let (x, scale, zero_point) = (ctx.input(at)?, ctx.input(at + 1)?, ctx.maybe(at + 2));
    meant(ctx, x, scale, zero_point)
}

/// A result quantized with the scale at an input and the zero point behind it; without one it has
/// the type of the first input.
fn result(ctx: &mut Ctx<'_>, y: ValueId, at: usize) -> Result<Values, OpError> {
    let (scale, zero_point) = (ctx.input(at)?, ctx.maybe(at + 1));
    let dtype = ctx.dtype(ctx.input(0)?);
    Ok(smallvec![said(ctx, y, scale, zero_point, dtype)?])
}

/// `QLinearAdd`, `QLinearMul`.
fn of_two(ctx: &mut Ctx<'_>, operation: Ew) -> Result<Values, OpError> {
    let (a, b) = (operand(ctx, 0)?, operand(ctx, 3)?);
    let y = ctx.binary(operation, a, b)?;
    result(ctx, y, 6)
}

/// `QLinearSigmoid`.
fn sigmoid(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let x = operand(ctx, 0)?;
    let y = ctx.activation(ActivationType::Sigmoid, 0.0, 0.0, x)?;
    result(ctx, y, 3)
}

/// `QLinearLeakyRelu`.
fn leaky_relu(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let alpha = node.attrs.float_or("alpha", 0.01)?;
    let x = operand(ctx, 0)?;
    let y = ctx.activation(ActivationType::LeakyRelu, alpha, 0.0, x)?;
    result(ctx, y, 3)
}

/// `QLinearSoftmax`: before opset 13 of `Softmax` over all axes from `axis` on.
///
/// As ONNX Runtime computes it, a known scale is the reciprocal of a whole number: 1/254.9 counts
/// as 1/254.
fn softmax(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let opset = node.attrs.int_or("opset", 13)?;
    let x = operand(ctx, 0)?;
    let axis = ctx.axis(node.attrs.int_or("axis", -1)?, ctx.rank(x))?;
    let y =
        if opset < 13 { over_axes_from(ctx, x, axis)? } else { ctx.add(SoftMax { axis }, &[x])? };
    let (mut scale, zero_point) = (ctx.input(3)?, ctx.maybe(4));
    if let Some(&[known]) = ctx.floats(3).ok().flatten().as_deref()
        && known > 0.0
        && known <= 1.0
    {
        scale = ctx.scalar(DType::F32, known.recip().floor().recip().into())?;
    }
    let dtype = ctx.dtype(ctx.input(0)?);
    Ok(smallvec![said(ctx, y, scale, zero_point, dtype)?])
}

/// `QLinearAveragePool`.
fn average_pool(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let last = node.attrs.int_or("channels_last", 0)? != 0;
    let x = operand(ctx, 0)?;
    let x = if last { channels_first(ctx, x)? } else { x };
    let y = average_pool_of(ctx, node, x)?;
    let y = if last { channels_last(ctx, y)? } else { y };
    result(ctx, y, 3)
}

/// `QLinearGlobalAveragePool`.
fn global_average_pool(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let last = node.attrs.int_or("channels_last", 0)? != 0;
    let x = operand(ctx, 0)?;
    let rank = ctx.rank(x);
    if rank < 3 {
        return Err(OpError::Rank { what: "input `X`", rank, supported: "3 and more" });
    }
    let axes = if last { 1..rank.saturating_sub(1) } else { 2..rank };
    let y = ctx.reduce(ReduceOperation::Avg, x, axes.collect(), true)?;
    result(ctx, y, 3)
}

/// `QLinearReduceMean`.
fn reduce_mean(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let keep = node.attrs.int_or("keepdims", 1)? != 0;
    let x = operand(ctx, 0)?;
    let rank = ctx.rank(x);
    let mut axes = match node.attrs.ints("axes")? {
        None | Some([]) => (0..rank).collect(),
        Some(axes) => {
            axes.iter().map(|&axis| ctx.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?
        }
    };
    axes.sort_unstable();
    axes.dedup();
    let y = ctx.reduce(ReduceOperation::Avg, x, axes, keep)?;
    result(ctx, y, 3)
}

/// `QLinearWhere`.
fn select(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (x, y) = (operand(ctx, 1)?, operand(ctx, 4)?);
    let condition = ctx.input(0)?;
    let z = ctx.select(condition, x, y)?;
    let (scale, zero_point) = (ctx.input(7)?, ctx.input(8)?);
    let dtype = ctx.dtype(zero_point);
    Ok(smallvec![said(ctx, z, scale, Some(zero_point), dtype)?])
}

/// `QLinearConcat`: three inputs for each part.
fn concat(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let axis = node.attrs.int("axis")?;
    let axis = axis.ok_or_else(|| OpError::invalid("attribute `axis` is missing"))?;
    let count = ctx.inputs.len().saturating_sub(2);
    if count == 0 || !count.is_multiple_of(3) {
        return Err(OpError::invalid(format!("{count} inputs are no parts of three each")));
    }
    let parts = (2..count + 2).step_by(3).map(|at| operand(ctx, at));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let rank = parts.first().map_or(0, |&part| ctx.rank(part));
    let axis = ctx.axis(axis, rank)?;
    let y = ctx.concat(&parts, axis)?;
    let (scale, zero_point) = (ctx.input(0)?, ctx.input(1)?);
    let dtype = ctx.dtype(zero_point);
    Ok(smallvec![said(ctx, y, scale, Some(zero_point), dtype)?])
}

/// ONNX Runtime's `QLinearConv`: ONNX's, of data that may have its channels last.
fn conv(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let last = node.attrs.int_or("channels_last", 0)? != 0;
    let x = ctx.input(0)?;
    let x = real(ctx, x)?;
    let x = if last { channels_first(ctx, x)? } else { x };
    let y = linear_conv_of(ctx, node, x)?;
    if !last {
        return Ok(smallvec![y]);
    }
    // TensorRT moves no `u8`.
    let dtype = ctx.dtype(y);
    let y = real(ctx, y)?;
    let y = channels_last(ctx, y)?;
    Ok(smallvec![from_real(ctx, y, dtype)?])
}

/// `NhwcMaxPool`: `MaxPool` of 8-bit numbers that have their channels last.
fn nhwc_max_pool(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let dtype = ctx.dtype(x);
    let x = real(ctx, x)?;
    let x = channels_first(ctx, x)?;
    let y = max_pool_of(ctx, node, x)?;
    let y = channels_last(ctx, y)?;
    Ok(smallvec![from_real(ctx, y, dtype)?])
}

/// `QGemm`: (A·B of the numbers less their zero points + C) · α · scale of A · scale of B. Without
/// an output scale that is the result.
fn gemm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let alpha = node.attrs.float_or("alpha", 1.0)?;
    let op0 = transposed(node.attrs.int_or("transA", 0)?);
    let op1 = transposed(node.attrs.int_or("transB", 0)?);
    let (a, b) = (real(ctx, ctx.input(0)?)?, real(ctx, ctx.input(3)?)?);
    let b = if op1 == MatrixOperation::Transpose { swap_last(ctx, b)? } else { b };
    let a = less_zero_point(ctx, a, ctx.maybe(2), 0)?;
    let b = less_zero_point(ctx, b, ctx.maybe(5), 1)?;
    let multiplied = |ctx: &mut Ctx<'_>, a| product(ctx, a, op0, b, MatrixOperation::None);
    let mut sum = exact_sum(ctx, a, b, vec![0], &multiplied)?;
    if let Some(c) = ctx.maybe(6) {
        sum = ctx.binary(Ew::Sum, sum, c)?;
    }
    let sum = ctx.cast(sum, DType::F32)?;
    let mut factor = |at| {
        let scale = ctx.input(at)?;
        along(ctx, scale, 1, 2)
    };
    let (a_scale, b_scale) = (factor(1)?, factor(4)?);
    let scale = ctx.binary(Ew::Prod, a_scale, b_scale)?;
    let scale = ctx.binary_scalar(Ew::Prod, scale, alpha.into())?;
    let y = ctx.binary(Ew::Prod, sum, scale)?;
    if ctx.maybe(7).is_none() {
        return Ok(smallvec![y]);
    }
    result(ctx, y, 7)
}
