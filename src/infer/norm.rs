//! Rules of layers that scale or normalize.

use super::InferError;
use super::ctx::{
    Ctx, Result, axes, axis, broadcasts_to, ensure, float, min_rank, positive, rank, volume,
};
use crate::network::layer::{Lrn, Normalization, Scale, ScaleMode, SoftMax};
use crate::network::{Dim, ValueType};

pub(super) fn scale(ctx: &Ctx<'_>, layer: &Scale) -> Result {
    let [data] = ctx.inputs()?;
    float("data", data)?;
    min_rank("data", data, 4)?;
    let expected = match layer.mode {
        ScaleMode::Uniform => Some(Dim::Known(1)),
        ScaleMode::Channel => axis(&data.shape, layer.channel_axis)?.known().map(Dim::Known),
        ScaleMode::ElementWise => volume(data.shape.iter().skip(layer.channel_axis))
            .filter(|count| count.known().is_some()),
    };
    let coefficients = [("shift", &layer.shift), ("scale", &layer.scale), ("power", &layer.power)];
    for (what, tensor) in
        coefficients.into_iter().filter_map(|(what, tensor)| Some((what, tensor.as_ref()?)))
    {
        let (a, b) = (data.dtype, tensor.dtype());
        ensure(a == b, || InferError::Types { kind: ctx.kind, a, b })?;
        if let Some(expected) = &expected {
            let actual = Dim::from(tensor.len());
            let expected = expected.clone();
            ensure(actual == expected, || InferError::Count { what, actual, expected })?;
        }
    }
    Ok(ValueType::new(data.dtype, data.shape.clone()))
}

pub(super) fn lrn(ctx: &Ctx<'_>, layer: &Lrn) -> Result {
    let [data] = ctx.inputs()?;
    float("data", data)?;
    rank("data", data, 4)?;
    ensure(layer.window % 2 == 1, || InferError::Value {
        what: "the window",
        actual: layer.window.to_string(),
        expected: "odd".into(),
    })?;
    Ok(ValueType::new(data.dtype, data.shape.clone()))
}

pub(super) fn normalization(ctx: &Ctx<'_>, layer: &Normalization) -> Result {
    let [data, scale, bias] = ctx.inputs()?;
    float("data", data)?;
    axes(&layer.axes, data.shape.rank())?;
    ensure(!layer.axes.is_empty(), || InferError::Count {
        what: "the list of axes",
        actual: Dim::Known(0),
        expected: Dim::Known(1),
    })?;
    for coefficient in [scale, bias] {
        ctx.same_type(data, coefficient)?;
        ctx.same_rank(data, coefficient)?;
        broadcasts_to(&coefficient.shape, &data.shape)?;
    }
    positive("groups", [&layer.groups])?;
    if layer.groups > 1 {
        let channels = axis(&data.shape, 1)?;
        let rest = channels
            .known()
            .and_then(|n| n.checked_rem(i64::try_from(layer.groups).unwrap_or(i64::MAX)));
        ensure(rest.is_none_or(|rest| rest == 0), || InferError::Groups {
            what: "channels",
            count: channels.clone(),
            groups: layer.groups,
        })?;
    }
    Ok(ValueType::new(data.dtype, data.shape.clone()))
}

pub(super) fn soft_max(ctx: &Ctx<'_>, layer: &SoftMax) -> Result {
    let [data] = ctx.inputs()?;
    float("data", data)?;
    axis(&data.shape, layer.axis)?;
    Ok(ValueType::new(data.dtype, data.shape.clone()))
}
