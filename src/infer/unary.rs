//! Rules of functions of each element.

use super::ctx::{Ctx, Result, boolean, float, number};
use super::elements::{self, tracked};
use crate::network::ValueType;
use crate::network::layer::{Activation, ActivationType, Unary, UnaryOperation};
use crate::tensor::DType;

pub(super) fn activation(ctx: &Ctx<'_>, layer: &Activation) -> Result {
    let [data] = ctx.inputs()?;
    match layer.kind {
        ActivationType::Relu => number("data", data)?,
        _ => float("data", data)?,
    }
    Ok(ValueType::new(data.dtype, data.shape.clone()))
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
