//! `TRT_Shuffle`.

use super::naturals;
use crate::import::build::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::Values;
use crate::network::layer::{Reshape, Shuffle};
use crate::onnx::Node;
use smallvec::smallvec;

/// `TRT_Shuffle`. Becomes Shuffle; the shape is that of the attribute, or of the input.
pub(super) fn shuffle(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let zero_is_placeholder = node.attrs.int_or("zero_is_placeholder", 1)? != 0;
    let first_transpose = naturals(node, "first_transpose")?;
    let second_transpose = naturals(node, "second_transpose")?;
    let dims = node.attrs.ints("reshape_dims")?.map(<[i64]>::to_vec);
    let mut inputs: Values = smallvec![ctx.input(0)?];
    let reshape = match (dims, ctx.maybe(1)) {
        (Some(_), Some(_)) => {
            return Err(OpError::invalid("both attribute `reshape_dims` and input `shape` given"));
        }
        (Some(dims), None) => Some(Reshape::Static { dims, zero_is_placeholder }),
        (None, Some(shape)) => Some(match ctx.constant(shape).and_then(|shape| shape.to_i64s()) {
            Some(dims) => Reshape::Static { dims, zero_is_placeholder },
            None => {
                inputs.push(shape);
                Reshape::Input { zero_is_placeholder }
            }
        }),
        (None, None) => None,
    };
    Ok(smallvec![ctx.add(Shuffle { first_transpose, reshape, second_transpose }, &inputs)?])
}
