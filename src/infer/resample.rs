//! Rules of the layers in [`layer::resample`](crate::network::layer::resample).

use super::InferError;
use super::ctx::{Ctx, Result, count, ensure, float, number, rank};
use super::elements::tracked;
use crate::network::layer::Arg;
use crate::network::layer::resample::{
    GridSample, InterpolationMode, NonMaxSuppression, Resize, ResizeOutput,
};
use crate::network::{Dim, Shape, ValueType};
use crate::tensor::DType;
use smallvec::{SmallVec, smallvec};

pub(super) fn resize(ctx: &Ctx<'_>, layer: &Resize) -> Result {
    let sizes_input = matches!(layer.output, ResizeOutput::Input).then_some(1);
    let [data] = ctx.inputs_and(&[("the sizes", sizes_input)])?;
    match layer.mode {
        InterpolationMode::Nearest => number("data", data)?,
        InterpolationMode::Linear | InterpolationMode::Cubic => float("data", data)?,
    }
    let axes = data.shape.rank();
    let shape = match &layer.output {
        ResizeOutput::Sizes(sizes) => Shape::of(sizes),
        ResizeOutput::Input => ctx.sizes("the sizes", 1)?,
        ResizeOutput::Scales(scales) => {
            count("scales", scales.len(), axes)?;
            let scaled =
                |(size, &scale)| scaled(size, scale).map(|out| out.unwrap_or_else(|| ctx.fresh()));
            data.shape.iter().zip(scales).map(scaled).collect::<Result<_>>()?
        }
    };
    count("sizes", shape.rank(), axes)?;
    let resized = match layer.mode {
        InterpolationMode::Nearest => axes,
        InterpolationMode::Linear => 3,
        InterpolationMode::Cubic => 2,
    };
    let kept = axes.saturating_sub(resized);
    data.shape
        .iter()
        .zip(shape.iter())
        .take(kept)
        .try_for_each(|(a, b)| ctx.equal(a, b).map(drop))?;
    Ok(ValueType::new(data.dtype, shape))
}

/// Scales that are quotients by this power of two, such as 1.5, have exact products with sizes.
const PARTS: f32 = 256.0;

/// ⌊size · scale⌋; `None` where it has no exact expression.
fn scaled(size: &Dim, scale: f32) -> Result<Option<Dim>> {
    ensure(scale.is_finite() && scale > 0.0, || InferError::Value {
        what: "a scale",
        actual: scale.to_string(),
        expected: "a positive number".into(),
    })?;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "the product of floats, rounded down"
    )]
    if let Dim::Known(size) = size {
        return Ok(Some(Dim::Known((*size as f32 * scale).floor() as i64)));
    }
    let numerator = scale * PARTS;
    if numerator.fract() != 0.0 || numerator >= 65536.0 {
        return Ok(None);
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 65536")]
    let (numerator, denominator) = (Dim::Known(numerator as i64), Dim::Known(PARTS as i64));
    Ok((size * &numerator).floor_div(&denominator))
}

pub(super) fn grid_sample(ctx: &Ctx<'_>, layer: &GridSample) -> Result {
    let [data, grid] = ctx.inputs()?;
    float("data", data)?;
    ctx.same_type(data, grid)?;
    let axes = data.shape.rank();
    let fits = axes == 4 || axes == 5 && layer.interpolation != InterpolationMode::Cubic;
    ensure(fits, || InferError::Rank {
        what: "data",
        actual: axes,
        expected: "4, or 5 if not cubic".into(),
    })?;
    rank("the grid", grid, axes)?;
    let wrong = || InferError::Rank {
        what: "the grid",
        actual: grid.shape.rank(),
        expected: axes.to_string(),
    };
    let ([batch, channels, ..], [grid_batch, places @ .., coordinates]) =
        (data.shape.as_slice(), grid.shape.as_slice())
    else {
        return Err(wrong());
    };
    ctx.equal(coordinates, &Dim::from(axes.saturating_sub(2)))?;
    let leading = [ctx.equal(batch, grid_batch)?, channels.clone()];
    Ok(ValueType::new(data.dtype, leading.into_iter().chain(places.iter().cloned()).collect()))
}

pub(super) fn non_max_suppression(
    ctx: &Ctx<'_>,
    layer: &NonMaxSuppression,
) -> Result<SmallVec<[ValueType; 2]>> {
    let named = [
        ("max_output_boxes", layer.max_output_boxes.input()),
        ("iou_threshold", layer.iou_threshold.input()),
        ("score_threshold", layer.score_threshold.input()),
    ];
    let [boxes, scores] = ctx.inputs_and(&named)?;
    float("boxes", boxes)?;
    ctx.same_type(boxes, scores)?;
    rank("scores", scores, 3)?;
    let (batch, count, classes, four) = match boxes.shape.as_slice() {
        [batch, count, four] => (batch, count, None, four),
        [batch, count, classes, four] => (batch, count, Some(classes), four),
        other => {
            return Err(InferError::Rank {
                what: "boxes",
                actual: other.len(),
                expected: "3 or 4".into(),
            });
        }
    };
    ctx.equal(four, &Dim::Known(4))?;
    if let [scores_batch, scores_count, scores_classes] = scores.shape.as_slice() {
        ctx.equal(batch, scores_batch)?;
        ctx.equal(count, scores_count)?;
        if let Some(classes) = classes.filter(|classes| **classes != Dim::Known(1)) {
            ctx.equal(classes, scores_classes)?;
        }
    }
    for ((what, at), dtype) in named.into_iter().zip([DType::I32, DType::F32, DType::F32]) {
        let Some(at) = at else { continue };
        let ty = ctx.arg(what, at)?;
        ensure(ty.dtype == dtype, || InferError::Type {
            what,
            actual: ty.dtype,
            expected: dtype.name(),
        })?;
        rank(what, ty, 0)?;
    }
    if let Arg::Static(most) = layer.max_output_boxes {
        ensure(most >= 0, || InferError::Value {
            what: "max_output_boxes",
            actual: most.to_string(),
            expected: "0 or more".into(),
        })?;
    }
    let found = ctx.fresh();
    Ok(smallvec![
        ValueType::new(DType::I32, Shape(vec![found.clone(), Dim::Known(3)])),
        tracked(DType::I32, Shape::default(), Some(vec![found])),
    ])
}
