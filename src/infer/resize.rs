//! The rule of Resize.

use super::InferError;
use super::ctx::{Ctx, Result, count, ensure, float, number};
use crate::network::layer::{InterpolationMode, Resize, ResizeOutput};
use crate::network::{Dim, Shape, ValueType};

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
