//! Rules of conversion between types, and to and from quantized ones.

use super::InferError;
use super::ctx::{Ctx, Result, axis, ensure, float, in_tensorrt, rank};
use super::elements::tracked;
use crate::network::layer::{Cast, Dequantize, Quantize};
use crate::network::{Dim, ValueType};
use crate::tensor::DType;

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
