//! Convolution and deconvolution.
//!
//! Shapes: `[N, C, spatial…]` with 2 or 3 spatial axes. Lists have one entry per spatial axis.

use super::Arg;
use super::attributes::{Attributes, Describe};
use crate::tensor::Tensor;

/// How padding and output size follow from each other: `nvinfer1::PaddingMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PaddingMode {
    /// Paddings as given; output = ⌊(in + pre + post − window) / stride⌋ + 1.
    ExplicitRoundDown,
    /// Paddings as given; the same with the quotient rounded up.
    ExplicitRoundUp,
    /// Output = ⌈in / stride⌉; an odd padding goes to the end. Of a deconvolution: in · stride, or
    /// less where its windows do not reach as far.
    SameUpper,
    /// The same, but an odd padding goes to the start.
    SameLower,
    /// As the explicit mode that rounds down, but in a convolution the padding before the data also
    /// stands behind it. TensorRT 8.x only.
    CaffeRoundDown,
    /// The same for the explicit mode that rounds up. TensorRT 8.x only.
    CaffeRoundUp,
}

/// Convolution: `nvinfer1::IConvolutionLayer`.
///
/// Output: `[N, maps, out…]` with out = ⌊(in + pre + post − dilation·(kernel − 1) − 1) / stride⌋ +
/// 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// Number of output channels.
    pub maps: usize,
    /// Size of the kernel, in elements.
    pub kernel: Vec<usize>,
    /// Step of the window.
    pub stride: Vec<usize>,
    /// Zeros before the data.
    pub pre_padding: Vec<usize>,
    /// Zeros after the data.
    pub post_padding: Vec<usize>,
    /// How the paddings are meant.
    pub padding_mode: PaddingMode,
    /// Distance between the kernel's taps.
    pub dilation: Vec<usize>,
    /// Groups of channels that do not see each other; divides C and `maps`.
    pub groups: usize,
    /// Kernel `[maps, C / groups, kernel…]`, of the data's type.
    pub weights: Arg<Tensor>,
    /// Bias `[maps]`.
    pub bias: Option<Arg<Tensor>>,
}

/// Transposed convolution: `nvinfer1::IDeconvolutionLayer`. It has the attributes of a convolution.
///
/// Output: `[N, maps, out…]` with out = (in − 1)·stride + dilation·(kernel − 1) + 1 − pre − post.
/// The stride is the output's, paddings crop the output, and the kernel is
/// `[C, maps / groups, kernel…]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Deconvolution(pub Convolution);

impl Describe for Convolution {
    fn describe(&self, to: &mut Attributes) {
        self.describe_with(to, |weights| weights.first().copied());
    }
}

impl Describe for Deconvolution {
    fn describe(&self, to: &mut Attributes) {
        let Self(layer) = self;
        layer.describe_with(to, |weights| weights.get(1)?.checked_mul(layer.groups));
    }
}

impl Convolution {
    /// The attributes, without what the shape of the weights says: `maps` by this function, and the
    /// kernel's size.
    fn describe_with(&self, to: &mut Attributes, maps_of: impl Fn(&[usize]) -> Option<usize>) {
        let Self { maps, kernel, stride, pre_padding, post_padding, .. } = self;
        let Self { padding_mode, dilation, groups, weights, bias, .. } = self;
        let shape = weights.fixed().map_or(&[][..], Tensor::dims);
        if maps_of(shape) != Some(*maps) {
            to.named("maps", maps);
        }
        to.weights("kernel", weights);
        if shape.get(2..) != Some(kernel) {
            to.sizes("kernel_size", kernel, None);
        }
        if let Some(bias) = bias {
            to.weights("bias", bias);
        }
        to.sizes("stride", stride, Some(1));
        to.paddings(pre_padding, post_padding, *padding_mode);
        to.sizes("dilation", dilation, Some(1));
        to.unless("groups", groups, &1);
    }
}
