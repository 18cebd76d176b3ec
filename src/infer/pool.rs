//! The rule of Pooling.

use super::ctx::{Ctx, Result, float};
use super::window::{Window, image};
use crate::network::ValueType;
use crate::network::layer::Pooling;
use crate::tensor::DType;

pub(super) fn pooling(ctx: &Ctx<'_>, layer: &Pooling) -> Result {
    let [data] = ctx.inputs()?;
    if data.dtype != DType::I8 {
        float("data", data)?;
    }
    let window = Window {
        size: &layer.window,
        stride: &layer.stride,
        dilation: None,
        pre: &layer.pre_padding,
        post: &layer.post_padding,
        mode: layer.padding_mode,
    };
    let (batch, channels, spatial) = window.check(data)?;
    let out = window.axes().zip(spatial).map(|(axis, size)| axis.fit(size));
    Ok(ValueType::new(data.dtype, image(batch, channels.clone(), out)?))
}
