//! Layers that make, move or pick data.

use super::Arg;
use crate::network::Dim;
use crate::tensor::{DType, Tensor};

/// Operands one behind the other along an axis: `nvinfer1::IConcatenationLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct Concatenation {
    /// Along which axis.
    pub axis: usize,
}

/// Fixed data: `nvinfer1::IConstantLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    /// The data.
    pub weights: Tensor,
}

/// What [`Fill`] makes: `nvinfer1::FillOperation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FillOperation {
    /// alpha + Σ index·beta.
    Linspace,
    /// Uniform between alpha and beta.
    RandomUniform,
    /// Normal with mean alpha and standard deviation beta.
    RandomNormal,
}

/// Data made by a formula: `nvinfer1::IFillLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fill {
    /// The formula.
    pub operation: FillOperation,
    /// Shape of the output; from a tensor: `i32` or `i64` of rank 1.
    pub dims: Arg<Vec<usize>>,
    /// First parameter; from a tensor: of rank 0 and the output's type. Both parameters come the
    /// same way.
    pub alpha: Arg<f64>,
    /// Second parameter, for [`FillOperation::Linspace`] the same step along every axis;
    /// from a tensor: one step per axis, of rank 1 and the output's type.
    pub beta: Arg<f64>,
    /// `f32`, `i32` or `i64` for [`FillOperation::Linspace`]; floating point for the others.
    pub dtype: DType,
}

/// How [`Gather`] reads its indices: `nvinfer1::GatherMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatherMode {
    /// Whole slices along the axis:
    /// `[data before axis, indices behind the batch axes, data after axis]`.
    Default,
    /// One element per index; output has the indices' shape.
    Element,
    /// Index vectors along the last axis of the indices.
    Nd,
}

/// Data picked by index: `nvinfer1::IGatherLayer`. Indices are `i32` or `i64`; negative ones are
/// not wrapped.
#[derive(Debug, Clone, PartialEq)]
pub struct Gather {
    /// How indices are read.
    pub mode: GatherMode,
    /// The axis of the data that is indexed; unused by [`GatherMode::Nd`].
    pub axis: usize,
    /// Leading axes that data and indices share; 0 for [`GatherMode::Element`].
    pub element_wise_dims: usize,
}

/// Indices as rows of `[off, …, on, …]`: `nvinfer1::IOneHotLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct OneHot {
    /// Where the new axis stands in the output.
    pub axis: usize,
}

/// The first `length` elements of each sequence reversed: `nvinfer1::IReverseSequenceLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct ReverseSequence {
    /// The axis of the batch.
    pub batch_axis: usize,
    /// The axis of time.
    pub sequence_axis: usize,
}

/// How [`Scatter`] reads its indices: `nvinfer1::ScatterMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScatterMode {
    /// One update per index; indices have the updates' shape.
    Element,
    /// Index vectors along the last axis of the indices.
    Nd,
}

/// Data with some elements replaced: `nvinfer1::IScatterLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct Scatter {
    /// How indices are read.
    pub mode: ScatterMode,
    /// The axis of the data that is indexed; unused by [`ScatterMode::Nd`].
    pub axis: usize,
}

/// Transpose, reshape, transpose: `nvinfer1::IShuffleLayer`. Each of the three may be absent.
///
/// A permutation `p` makes output axis `i` from input axis `p[i]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shuffle {
    /// Applied first.
    pub first_transpose: Option<Vec<usize>>,
    /// Applied second.
    pub reshape: Option<Reshape>,
    /// Applied last.
    pub second_transpose: Option<Vec<usize>>,
}

/// The new shape in a [`Shuffle`].
#[derive(Debug, Clone, PartialEq)]
pub enum Reshape {
    /// Known at build time.
    Static {
        /// Sizes; −1 (at most once) is what is left over.
        dims: Vec<i64>,
        /// Whether 0 copies the size at the same position; otherwise 0 is a size.
        zero_is_placeholder: bool,
    },
    /// The layer's second input, `i32` or `i64` of rank 1, in which 0 is read as the flag says.
    Input {
        /// Whether 0 copies the size at the same position; otherwise 0 is a size.
        zero_is_placeholder: bool,
    },
}

impl Reshape {
    /// The static reshape from one shape to another, if placeholders and one −1 can say it.
    ///
    /// Sizes equal to the input's at the same place become placeholders, one more unknown size
    /// becomes −1. In `to`, −1 is what is left over.
    pub fn between(from: &[Dim], to: &[Dim]) -> Option<Self> {
        let dynamic = to.iter().any(|dim| dim.known().is_none());
        let size = |(axis, dim): (usize, &Dim)| match dim.known() {
            Some(size) => size,
            None if from.get(axis) == Some(dim) => 0,
            None => -1,
        };
        let dims: Vec<i64> = to.iter().enumerate().map(size).collect();
        let left_over = dims.iter().filter(|&&size| size == -1).count();
        // A size of 0 and placeholders cannot stand in one shape.
        let zeros = dynamic && to.contains(&Dim::Known(0));
        (left_over <= 1 && !zeros).then_some(Self::Static { dims, zero_is_placeholder: dynamic })
    }
}

/// What lies outside the data: `nvinfer1::SampleMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SampleMode {
    /// Reading outside is an error.
    StrictBounds,
    /// The data repeats.
    Wrap,
    /// The outermost element repeats.
    Clamp,
    /// A fixed value.
    Fill,
    /// The data mirrored about its outermost elements, which are not repeated.
    Reflect,
}

/// A box of the data, strided: `nvinfer1::ISliceLayer`. Output element i is data element start +
/// i·stride.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// First element, per axis; may lie outside where `mode` allows it.
    pub start: Arg<Vec<i64>>,
    /// Shape of the output.
    pub size: Arg<Vec<i64>>,
    /// Step, per axis; may be negative.
    pub stride: Arg<Vec<i64>>,
    /// What lies outside the data.
    pub mode: SampleMode,
    /// Position of the input with the value for [`SampleMode::Fill`], of rank 0; absent means 0.
    pub fill: Option<usize>,
}

/// Axes of size 1 removed: `nvinfer1::ISqueezeLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct Squeeze {
    /// Axes of the input, sorted.
    pub axes: Vec<usize>,
}

/// Axes of size 1 added: `nvinfer1::IUnsqueezeLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsqueeze {
    /// Axes of the output, sorted.
    pub axes: Vec<usize>,
}

/// Which end [`TopK`] takes: `nvinfer1::TopKOperation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopKOperation {
    /// The largest, falling.
    Max,
    /// The smallest, rising.
    Min,
}

/// The k largest or smallest along an axis: `nvinfer1::ITopKLayer`. Data of rank 1 or more, k at
/// most 3840.
#[derive(Debug, Clone, PartialEq)]
pub struct TopK {
    /// Which end.
    pub operation: TopKOperation,
    /// How many; from a tensor: of rank 0.
    pub k: Arg<usize>,
    /// Along which axis.
    pub axis: usize,
}
