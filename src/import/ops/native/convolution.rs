//! `TRT_Convolution` and `TRT_Deconvolution`.

use super::{choice, naturals, positive, weights};
use crate::import::ctx::Ctx;
use crate::import::error::OpError;
use crate::import::ops::conv::known_size;
use crate::network::layer::conv::{Deconvolution, PaddingMode};
use crate::network::layer::{Arg, Convolution};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::Tensor;
use smallvec::smallvec;

/// What both layers say; lists have one entry per spatial axis.
struct Attributes {
    kernel: Vec<usize>,
    stride: Vec<usize>,
    pre_padding: Vec<usize>,
    post_padding: Vec<usize>,
    padding_mode: PaddingMode,
    dilation: Vec<usize>,
    groups: usize,
    weights: Arg<Tensor>,
    bias: Option<Arg<Tensor>>,
    /// The layer's inputs: the data, and what is not known at build time.
    inputs: Values,
}

/// `TRT_Convolution`. Becomes Convolution.
pub(super) fn convolution(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let of = Attributes::of(ctx, node)?;
    let maps = positive(node, "num_output_maps")?.map_or_else(|| known_size(ctx, ctx.input(1)?, 0), Ok)?;
    let layer = Convolution {
        maps,
        kernel: of.kernel,
        stride: of.stride,
        pre_padding: of.pre_padding,
        post_padding: of.post_padding,
        padding_mode: of.padding_mode,
        dilation: of.dilation,
        groups: of.groups,
        weights: of.weights,
        bias: of.bias,
    };
    Ok(smallvec![ctx.add(layer, &of.inputs)?])
}

/// `TRT_Deconvolution`. Becomes Deconvolution.
pub(super) fn deconvolution(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let of = Attributes::of(ctx, node)?;
    let maps = match positive(node, "num_output_maps")? {
        Some(maps) => maps,
        None => known_size(ctx, ctx.input(1)?, 1)?.saturating_mul(of.groups),
    };
    let layer = Deconvolution {
        maps,
        kernel: of.kernel,
        stride: of.stride,
        pre_padding: of.pre_padding,
        post_padding: of.post_padding,
        padding_mode: of.padding_mode,
        dilation: of.dilation,
        groups: of.groups,
        weights: of.weights,
        bias: of.bias,
    };
    Ok(smallvec![ctx.add(layer, &of.inputs)?])
}

impl Attributes {
    fn of(ctx: &Ctx<'_>, node: &Node) -> Result<Self, OpError> {
        let modes = [
            ("EXPLICIT_ROUND_DOWN", PaddingMode::ExplicitRoundDown),
            ("EXPLICIT_ROUND_UP", PaddingMode::ExplicitRoundUp),
            ("SAME_UPPER", PaddingMode::SameUpper),
            ("SAME_LOWER", PaddingMode::SameLower),
            ("CAFFE_ROUND_DOWN", PaddingMode::CaffeRoundDown),
            ("CAFFE_ROUND_UP", PaddingMode::CaffeRoundUp),
        ];
        let kernel = match naturals(node, "kernel_size_nd")? {
            Some(sizes) => sizes,
            None => kernel_size(ctx, ctx.input(1)?)?,
        };
        let mut inputs = smallvec![ctx.input(0)?];
        let axes = kernel.len();
        let both = naturals(node, "padding_nd")?.unwrap_or_else(|| vec![0; axes]);
        Ok(Self {
            stride: naturals(node, "stride_nd")?.unwrap_or_else(|| vec![1; axes]),
            pre_padding: naturals(node, "pre_padding")?.unwrap_or_else(|| both.clone()),
            post_padding: naturals(node, "post_padding")?.unwrap_or(both),
            padding_mode: choice(node, "padding_mode", &modes, "EXPLICIT_ROUND_DOWN")?,
            dilation: naturals(node, "dilation_nd")?.unwrap_or_else(|| vec![1; axes]),
            groups: positive(node, "num_groups")?.unwrap_or(1),
            weights: weights(ctx, ctx.input(1)?, &mut inputs),
            bias: ctx.maybe(2).map(|bias| weights(ctx, bias, &mut inputs)),
            inputs,
            kernel,
        })
    }
}

/// The sizes of the kernel behind those of its channels.
fn kernel_size(ctx: &Ctx<'_>, kernel: ValueId) -> Result<Vec<usize>, OpError> {
    (2..ctx.rank(kernel)).map(|axis| known_size(ctx, kernel, axis)).collect()
}
