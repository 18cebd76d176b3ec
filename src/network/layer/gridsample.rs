//! Data sampled at given positions.

use super::attributes::{Attributes, Describe};
use super::resize::InterpolationMode;
use super::slice::SampleMode;

/// Data sampled at given positions: `nvinfer1::IGridSampleLayer`. Data `[N, C, H, W]`, grid
/// `[N, H', W', 2]`; or, unless cubic, data `[N, C, D, H, W]`, grid `[N, D', H', W', 3]`.
#[derive(Debug, Clone, PartialEq)]
pub struct GridSample {
    /// How values between samples are made.
    pub interpolation: InterpolationMode,
    /// Whether −1 and 1 are the centers of the outermost samples, or their outer edges.
    pub align_corners: bool,
    /// What lies outside the data.
    pub sample_mode: SampleMode,
}

impl Describe for GridSample {
    fn describe(&self, to: &mut Attributes) {
        let Self { interpolation, align_corners, sample_mode } = self;
        to.word(interpolation);
        to.flag("align_corners", *align_corners);
        to.word(sample_mode);
    }
}
