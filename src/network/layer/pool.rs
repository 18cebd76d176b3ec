//! Pooling. Shapes and lists are those of a convolution.

use super::attributes::{Attributes, Describe};
use super::conv::PaddingMode;

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

impl Describe for Pooling {
    fn describe(&self, to: &mut Attributes) {
        let Self { kind, window, stride, pre_padding, post_padding, padding_mode, .. } = self;
        let Self { blend, average_count_excludes_padding, .. } = self;
        to.word(kind);
        to.sizes("window", window, None);
        to.sizes("stride", stride, Some(1));
        to.paddings(pre_padding, post_padding, *padding_mode);
        to.unless("blend", blend, &0.0);
        to.flag("average_count_excludes_padding", *average_count_excludes_padding);
    }
}
