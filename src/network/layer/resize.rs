//! Data sampled on another grid.

use super::attributes::{Attributes, Describe};

/// How values between samples are made: `nvinfer1::InterpolationMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InterpolationMode {
    /// The nearest sample, on up to 8 axes.
    Nearest,
    /// On the last 1 to 3 axes.
    Linear,
    /// On the last 2 axes.
    Cubic,
}

/// Where an output element lies in the input: `nvinfer1::ResizeCoordinateTransformation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CoordinateTransformation {
    /// x · (in − 1) / (out − 1)
    AlignCorners,
    /// x · in / out
    Asymmetric,
    /// (x + ½) · in / out − ½
    HalfPixel,
}

/// What happens where the output has one element: `nvinfer1::ResizeSelector`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResizeSelector {
    /// The formula holds as ever.
    Formula,
    /// The first element is taken.
    Upper,
}

/// How a position becomes a sample for [`InterpolationMode::Nearest`]: `nvinfer1::ResizeRoundMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResizeRoundMode {
    /// To the nearest, ½ up.
    HalfUp,
    /// To the nearest, ½ down.
    HalfDown,
    /// Down.
    Floor,
    /// Up.
    Ceil,
}

/// How the output size of a [`Resize`] is given.
#[derive(Debug, Clone, PartialEq)]
pub enum ResizeOutput {
    /// Sizes of all axes.
    Sizes(Vec<usize>),
    /// Output = ⌊input · scale⌋, per axis.
    Scales(Vec<f32>),
    /// The layer's second input: sizes of all axes, `i32` or `i64` of rank 1.
    Input,
}

/// Data sampled on another grid: `nvinfer1::IResizeLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct Resize {
    /// Size of the output.
    pub output: ResizeOutput,
    /// How values between samples are made.
    pub mode: InterpolationMode,
    /// Where an output element lies.
    pub coordinate_transformation: CoordinateTransformation,
    /// What happens where the output has one element.
    pub selector_for_single_pixel: ResizeSelector,
    /// How positions are rounded.
    pub nearest_rounding: ResizeRoundMode,
    /// Coefficient a of the cubic kernel.
    pub cubic_coeff: f32,
    /// Whether weights of samples outside the data are dropped and the rest renormalized.
    pub exclude_outside: bool,
}

impl Describe for Resize {
    fn describe(&self, to: &mut Attributes) {
        let Self { output, mode, coordinate_transformation, nearest_rounding, .. } = self;
        let Self { selector_for_single_pixel, cubic_coeff, exclude_outside, .. } = self;
        match output {
            ResizeOutput::Sizes(sizes) => to.named("sizes", sizes),
            ResizeOutput::Scales(scales) => to.named("scales", scales),
            ResizeOutput::Input => to.input("sizes", 1),
        }
        to.word(mode);
        to.word(coordinate_transformation);
        to.unless("selector", selector_for_single_pixel, &ResizeSelector::Formula);
        to.unless("rounding", nearest_rounding, &ResizeRoundMode::Floor);
        to.unless("cubic_coeff", cubic_coeff, &-0.75);
        to.flag("exclude_outside", *exclude_outside);
    }
}
