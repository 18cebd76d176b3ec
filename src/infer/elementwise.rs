//! Rules of functions of the elements of several operands.

use super::ctx::{Ctx, Result, boolean, broadcasts_to, float, number};
use super::elements::{self, can_track, spread, tracked};
use crate::network::layer::ElementWise;
use crate::network::{Dim, ValueType};
use crate::tensor::DType;

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
