//! Quantization.

use crate::import::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::ValueId;
use crate::tensor::DType;

/// The whole numbers of a quantized value in `f32`.
pub(super) fn real(ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
    ctx.cast(x, DType::F32)
}
