//! Convolution, deconvolution and pooling: layers that slide a window over the last 2 or 3 axes.
//!
//! Shapes: `[N, C, spatial…]` with 2 or 3 spatial axes. Lists have one entry per spatial axis.

use super::Arg;
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

/// What pooling does with a window: `nvinfer1::PoolingType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolingType {
    /// The maximum; padding counts as −∞.
    Max,
    /// The mean.
    Average,
    /// `(1 − blend) · maximum + blend · mean`.
    MaxAverageBlend,
}

/// Pooling: `nvinfer1::IPoolingLayer`.
///
/// Output: `[N, C, out…]` with out as for a convolution without dilation.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooling {
    /// What is computed.
    pub kind: PoolingType,
    /// Size of the window, in elements.
    pub window: Vec<usize>,
    /// Step of the window.
    pub stride: Vec<usize>,
    /// Padding before the data.
    pub pre_padding: Vec<usize>,
    /// Padding after the data.
    pub post_padding: Vec<usize>,
    /// How the paddings are meant.
    pub padding_mode: PaddingMode,
    /// Share of the mean in [`PoolingType::MaxAverageBlend`], 0 to 1.
    pub blend: f32,
    /// Whether a mean divides by the number of elements that are no padding.
    pub average_count_excludes_padding: bool,
}
