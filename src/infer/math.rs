//! Rules of the layers in [`layer::math`](crate::network::layer::math), but for Einsum, and of
//! Select.

use super::InferError;
use super::ctx::{
    Ctx, Result, axes, axis, boolean, broadcasts_to, ensure, float, in_tensorrt, min_rank, number,
    rank,
};
use super::elements::{self, can_track, spread, tracked};
use crate::network::layer::math::{
    Activation, ActivationType, Cast, Cumulative, Dequantize, ElementWise, MatrixMultiply,
    MatrixOperation, Quantize, Reduce, Unary, UnaryOperation,
};
use crate::network::{Dim, Shape, ValueType};
use crate::tensor::DType;

pub(super) fn activation(ctx: &Ctx<'_>, layer: &Activation) -> Result {
    let [data] = ctx.inputs()?;
    match layer.kind {
        ActivationType::Relu => number("data", data)?,
        _ => float("data", data)?,
    }
    Ok(ValueType::new(data.dtype, data.shape.clone()))
}

pub(super) fn cast(ctx: &Ctx<'_>, layer: &Cast) -> Result {
    let [data] = ctx.inputs()?;
    in_tensorrt("the result", layer.to)?;
    let elements = data.elements.as_deref().and_then(|elements| match layer.to {
        DType::Bool => {
            elements.iter().map(|e| e.known().map(|n| Dim::Known((n != 0).into()))).collect()
        }
        _ => Some(elements.to_vec()),
    });
    Ok(tracked(layer.to, data.shape.clone(), elements))
}

pub(super) fn cumulative(ctx: &Ctx<'_>, layer: &Cumulative) -> Result {
    let [data] = ctx.inputs()?;
    number("data", data)?;
    axis(&data.shape, layer.axis)?;
    Ok(ValueType::new(data.dtype, data.shape.clone()))
}

pub(super) fn quantize(ctx: &Ctx<'_>, layer: &Quantize) -> Result {
    let [data, scale] = ctx.inputs()?;
    float("data", data)?;
    let expected = "i8, f8e4m3, i4 or f4e2m1";
    ensure(is_quantized(layer.to), || InferError::Type {
        what: "the result",
        actual: layer.to,
        expected,
    })?;
    check_scale(ctx, data, scale, layer.axis)?;
    Ok(ValueType::new(layer.to, data.shape.clone()))
}

pub(super) fn dequantize(ctx: &Ctx<'_>, layer: &Dequantize) -> Result {
    let [data, scale] = ctx.inputs()?;
    let expected = "i8, f8e4m3, i4 or f4e2m1";
    ensure(is_quantized(data.dtype), || InferError::Type {
        what: "data",
        actual: data.dtype,
        expected,
    })?;
    in_tensorrt("the result", layer.to)?;
    let result = ValueType::new(layer.to, data.shape.clone());
    float("the result", &result)?;
    check_scale(ctx, data, scale, layer.axis)?;
    Ok(result)
}

fn is_quantized(dtype: DType) -> bool {
    matches!(dtype, DType::I8 | DType::F8E4M3 | DType::I4 | DType::F4E2M1)
}

/// A scale has one element, or one for each index along `along`.
fn check_scale(
    ctx: &Ctx<'_>,
    data: &ValueType,
    scale: &ValueType,
    along: Option<usize>,
) -> Result<()> {
    float("the scale", scale)?;
    if let Some(along) = along {
        let channels = axis(&data.shape, along)?;
        rank("the scale", scale, 1)?;
        return scale.shape.iter().try_for_each(|size| ctx.equal(size, channels).map(drop));
    }
    let ones = scale.shape.iter().all(|size| size.known().is_none_or(|n| n == 1));
    ensure(ones, || InferError::Count {
        what: "the scale",
        actual: scale.shape.volume(),
        expected: Dim::Known(1),
    })
}

pub(super) fn element_wise(ctx: &Ctx<'_>, layer: &ElementWise) -> Result {
    let [a, b] = ctx.inputs()?;
    ctx.same_type(a, b)?;
    ctx.same_rank(a, b)?;
    let operation = layer.operation;
    if operation.logical() {
        boolean("operands", a)?;
    } else {
        number("operands", a)?;
    }
    let dtype = if operation.compares() { DType::Bool } else { a.dtype };
    let shape = ctx.broadcast_shapes(&a.shape, &b.shape)?;
    let elements = a.elements.as_deref().zip(b.elements.as_deref()).and_then(|(a, b)| {
        let one = |a: &Dim, b: &Dim| {
            elements::binary(operation, a, b)
                .or_else(|| elements::compared(operation, a, b, ctx.network))
        };
        (0..can_track(&shape)?).map(|i| one(spread(a, i)?, spread(b, i)?)).collect()
    });
    Ok(tracked(dtype, shape, elements))
}

pub(super) fn parametric_relu(ctx: &Ctx<'_>) -> Result {
    let [data, slope] = ctx.inputs()?;
    float("data", data)?;
    ctx.same_type(data, slope)?;
    ctx.same_rank(data, slope)?;
    broadcasts_to(&slope.shape, &data.shape)?;
    Ok(ValueType::new(data.dtype, data.shape.clone()))
}

pub(super) fn select(ctx: &Ctx<'_>) -> Result {
    let [condition, then, other] = ctx.inputs()?;
    boolean("the condition", condition)?;
    ctx.same_type(then, other)?;
    ctx.same_rank(then, other)?;
    ctx.same_rank(condition, then)?;
    let shape =
        ctx.broadcast_shapes(&ctx.broadcast_shapes(&then.shape, &other.shape)?, &condition.shape)?;
    let elements =
        then.elements.as_deref().zip(other.elements.as_deref()).and_then(|(then, other)| {
            let pick = |i| {
                let (then, other) = (spread(then, i)?, spread(other, i)?);
                if then == other {
                    return Some(then.clone());
                }
                match spread(condition.elements.as_deref()?, i)?.known()? {
                    0 => Some(other.clone()),
                    _ => Some(then.clone()),
                }
            };
            (0..can_track(&shape)?).map(pick).collect()
        });
    Ok(tracked(then.dtype, shape, elements))
}

pub(super) fn unary(ctx: &Ctx<'_>, layer: &Unary) -> Result {
    use UnaryOperation as Op;
    let [data] = ctx.inputs()?;
    match layer.operation {
        Op::Not => boolean("data", data)?,
        Op::Abs | Op::Neg | Op::Sign => number("data", data)?,
        _ => float("data", data)?,
    }
    let dtype = match layer.operation {
        Op::IsInf | Op::IsNan => DType::Bool,
        _ => data.dtype,
    };
    let elements = data.elements.as_deref();
    let elements =
        elements.and_then(|all| all.iter().map(|e| elements::unary(layer.operation, e)).collect());
    Ok(tracked(dtype, data.shape.clone(), elements))
}

pub(super) fn reduce(ctx: &Ctx<'_>, layer: &Reduce) -> Result {
    let [data] = ctx.inputs()?;
    number("data", data)?;
    axes(&layer.axes, data.shape.rank())?;
    ensure(!layer.axes.is_empty(), || InferError::Count {
        what: "the list of axes",
        actual: Dim::Known(0),
        expected: Dim::Known(1),
    })?;
    let mut shape = Shape::default();
    for (i, size) in data.shape.iter().enumerate() {
        match (layer.axes.contains(&i), layer.keep_dims) {
            (false, _) => shape.push(size.clone()),
            (true, true) => shape.push(Dim::Known(1)),
            (true, false) => {}
        }
    }
    let elements = data.elements.as_deref().and_then(|all| elements::reduce(layer.operation, all));
    Ok(tracked(data.dtype, shape, elements.map(|one| vec![one])))
}

pub(super) fn matrix_multiply(ctx: &Ctx<'_>, layer: &MatrixMultiply) -> Result {
    let [a, b] = ctx.inputs()?;
    float("operands", a)?;
    ctx.same_type(a, b)?;
    let (batch_a, rows, inner_a) = operand(a, layer.op0)?;
    let (batch_b, columns, inner_b) = match operand(b, layer.op1)? {
        (batch, Some(inner), columns) => (batch, Some(columns), inner),
        (batch, None, inner) => (batch, None, inner),
    };
    ctx.equal(inner_a, inner_b)?;
    let (rank_a, rank_b) = (batch_a.rank(), batch_b.rank());
    ensure(rank_a == rank_b, || InferError::Ranks {
        kind: "MatrixMultiply batches",
        a: rank_a,
        b: rank_b,
    })?;
    let mut shape = ctx.broadcast_shapes(&batch_a, &batch_b)?;
    shape.extend(rows.into_iter().chain(columns).cloned());
    Ok(ValueType::new(a.dtype, shape))
}

/// The batch axes, then rows and columns of the matrix as it enters the product; a vector has no
/// rows.
fn operand(ty: &ValueType, operation: MatrixOperation) -> Result<(Shape, Option<&Dim>, &Dim)> {
    let least = if operation == MatrixOperation::Vector { 1 } else { 2 };
    let (batch, rows, columns) = match (operation, ty.shape.as_slice()) {
        (MatrixOperation::Vector, [batch @ .., entries]) => (batch, None, entries),
        (MatrixOperation::None, [batch @ .., rows, columns])
        | (MatrixOperation::Transpose, [batch @ .., columns, rows]) => (batch, Some(rows), columns),
        _ => {
            min_rank("a matrix operand", ty, least)?;
            return Err(InferError::Rank {
                what: "a matrix operand",
                actual: ty.shape.rank(),
                expected: least.to_string(),
            });
        }
    };
    Ok((Shape(batch.to_vec()), rows, columns))
}
