//! Pooling. Shapes and lists are those of a convolution.

use super::conv::PaddingMode;

/// What pooling does with a window: `nvinfer1::PoolingType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
