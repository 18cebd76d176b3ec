//! `TRT_Convolution` and `TRT_Deconvolution`.

use super::{choice, naturals, positive, weights};
use crate::import::build::ctx::Ctx;
use crate::import::error::OpError;
use crate::import::ops::conv::known_size;
use crate::network::layer::{Convolution, Deconvolution, PaddingMode};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use smallvec::smallvec;

/// `TRT_Convolution`. Becomes Convolution.
pub(super) fn convolution(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (layer, inputs) = attributes(ctx, node, |kernel, _| known_size(ctx, kernel, 0))?;
    Ok(smallvec![ctx.add(layer, &inputs)?])
}

/// `TRT_Deconvolution`. Becomes Deconvolution.
pub(super) fn deconvolution(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let maps = |kernel, groups| Ok(known_size(ctx, kernel, 1)?.saturating_mul(groups));
    let (layer, inputs) = attributes(ctx, node, maps)?;
    Ok(smallvec![ctx.add(Deconvolution(layer), &inputs)?])
}

/// What both layers say, and the inputs: the data, and what is not known at build time. `maps`
/// gives the number of output channels for a kernel and a number of groups, where no attribute
/// does.
fn attributes(
    ctx: &Ctx<'_>,
    node: &Node,
    maps: impl FnOnce(ValueId, usize) -> Result<usize, OpError>,
) -> Result<(Convolution, Values), OpError> {
    let modes = [
        ("EXPLICIT_ROUND_DOWN", PaddingMode::ExplicitRoundDown),
        ("EXPLICIT_ROUND_UP", PaddingMode::ExplicitRoundUp),
        ("SAME_UPPER", PaddingMode::SameUpper),
        ("SAME_LOWER", PaddingMode::SameLower),
        ("CAFFE_ROUND_DOWN", PaddingMode::CaffeRoundDown),
        ("CAFFE_ROUND_UP", PaddingMode::CaffeRoundUp),
    ];
    let weight = ctx.input(1)?;
    let kernel = match naturals(node, "kernel_size_nd")? {
        Some(sizes) => sizes,
        None => kernel_size(ctx, weight)?,
    };
    let mut inputs = smallvec![ctx.input(0)?];
    let axes = kernel.len();
    let both = naturals(node, "padding_nd")?.unwrap_or_else(|| vec![0; axes]);
    let groups = positive(node, "num_groups")?.unwrap_or(1);
    let layer = Convolution {
        stride: naturals(node, "stride_nd")?.unwrap_or_else(|| vec![1; axes]),
        pre_padding: naturals(node, "pre_padding")?.unwrap_or_else(|| both.clone()),
        post_padding: naturals(node, "post_padding")?.unwrap_or(both),
        padding_mode: choice(node, "padding_mode", &modes, "EXPLICIT_ROUND_DOWN")?,
        dilation: naturals(node, "dilation_nd")?.unwrap_or_else(|| vec![1; axes]),
        groups,
        weights: weights(ctx, weight, &mut inputs),
        bias: ctx.maybe(2).map(|bias| weights(ctx, bias, &mut inputs)),
        maps: positive(node, "num_output_maps")?.map_or_else(|| maps(weight, groups), Ok)?,
        kernel,
    };
    Ok((layer, inputs))
}

/// The sizes of the kernel behind those of its channels.
fn kernel_size(ctx: &Ctx<'_>, kernel: ValueId) -> Result<Vec<usize>, OpError> {
    (2..ctx.rank(kernel)).map(|axis| known_size(ctx, kernel, axis)).collect()
}
