//! Rules of reductions and running sums.

use super::InferError;
use super::ctx::{Ctx, Result, axes, axis, ensure, number};
use super::elements::{self, tracked};
use crate::network::layer::{Cumulative, Reduce};
use crate::network::{Dim, Shape, ValueType};

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

pub(super) fn cumulative(ctx: &Ctx<'_>, layer: &Cumulative) -> Result {
    let [data] = ctx.inputs()?;
    number("data", data)?;
    axis(&data.shape, layer.axis)?;
    Ok(ValueType::new(data.dtype, data.shape.clone()))
}
