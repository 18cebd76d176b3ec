//! `TRT_Scale`.

use super::choice;
use crate::import::build::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::Values;
use crate::network::layer::{Scale, ScaleMode};
use crate::onnx::Node;
use crate::tensor::Tensor;
use smallvec::smallvec;

/// `TRT_Scale`. Becomes Scale; the coefficients, of any shape, must be known at build time.
pub(super) fn scale(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let modes = [
        ("UNIFORM", ScaleMode::Uniform),
        ("CHANNEL", ScaleMode::Channel),
        ("ELEMENTWISE", ScaleMode::ElementWise),
    ];
    let mode = choice(node, "mode", &modes, "UNIFORM")?;
    let input = ctx.input(0)?;
    let channel_axis = ctx.axis(node.attrs.int_or("channel_axis", 1)?, ctx.rank(input))?;
    let [shift, scale, power] = [1, 2, 3].map(|at| coefficients(ctx, at));
    Ok(smallvec![ctx.add(
        Scale { mode, shift: shift?, scale: scale?, power: power?, channel_axis },
        &[input]
    )?])
}

/// The numbers of an input in a row, of which the layer takes only the count.
fn coefficients(ctx: &Ctx<'_>, at: usize) -> Result<Option<Tensor>, OpError> {
    let Some(tensor) = ctx.constant_input(at)? else { return Ok(None) };
    let count = tensor.len();
    Ok(Some(tensor.reshaped(vec![count])?))
}
