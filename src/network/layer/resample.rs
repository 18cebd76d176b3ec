//! Layers that sample images, and the selection of boxes.

use super::Arg;
use super::data::SampleMode;

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

/// Data sampled at given positions: `nvinfer1::IGridSampleLayer`. Data `[N, C, H, W]`, grid
/// `[N, H', W', 2]`; or, unless cubic, data `[N, C, D, H, W]`, grid `[N, D', H', W', 3]`.
#[derive(Debug, Clone, PartialEq)]
pub struct GridSample {
    /// How values between samples are made.
    pub interpolation: InterpolationMode,
    /// Whether −1 and 1 are the centres of the outermost samples, or their outer edges.
    pub align_corners: bool,
    /// What lies outside the data.
    pub sample_mode: SampleMode,
}

/// How a box is written: `nvinfer1::BoundingBoxFormat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoundingBoxFormat {
    /// Two opposite corners.
    CornerPairs,
    /// Centre and sizes.
    CenterSizes,
}

/// Boxes that do not overlap better ones: `nvinfer1::INMSLayer`.
///
/// Boxes `[batch, boxes, (classes or 1), 4]`, scores `[batch, boxes, classes]`; gives `i32[n, 3]`
/// of (batch, class, box) and their number.
#[derive(Debug, Clone, PartialEq)]
pub struct NonMaxSuppression {
    /// How a box is written.
    pub format: BoundingBoxFormat,
    /// The most boxes kept per batch entry and class; from a tensor: `i32` of rank 0.
    pub max_output_boxes: Arg<i32>,
    /// Overlap above which the worse box is dropped; from a tensor: `f32` of rank 0.
    pub iou_threshold: Arg<f32>,
    /// Score at or below which a box is dropped; from a tensor: `f32` of rank 0.
    pub score_threshold: Arg<f32>,
    /// The most boxes considered per batch entry and class.
    pub top_k_box_limit: usize,
}
