//! The rule of GridSample.

use super::InferError;
use super::ctx::{Ctx, Result, ensure, float, rank};
use crate::network::layer::{GridSample, InterpolationMode};
use crate::network::{Dim, ValueType};

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
