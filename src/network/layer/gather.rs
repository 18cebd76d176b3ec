//! Data picked, placed and numbered by index. `NonZero` has no attributes.

use super::attributes::{Attributes, Describe};

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

impl Describe for Gather {
    fn describe(&self, to: &mut Attributes) {
        let Self { mode, axis, element_wise_dims } = self;
        to.word_unless(mode, &GatherMode::Default);
        if (mode, axis) != (&GatherMode::Nd, &0) {
            to.named("axis", axis);
        }
        to.unless("element_wise_dims", element_wise_dims, &0);
    }
}

impl Describe for OneHot {
    fn describe(&self, to: &mut Attributes) {
        let Self { axis } = self;
        to.named("axis", axis);
    }
}

impl Describe for ReverseSequence {
    fn describe(&self, to: &mut Attributes) {
        let Self { batch_axis, sequence_axis } = self;
        to.named("batch_axis", batch_axis);
        to.named("sequence_axis", sequence_axis);
    }
}

impl Describe for Scatter {
    fn describe(&self, to: &mut Attributes) {
        let Self { mode, axis } = self;
        to.word(mode);
        if (mode, axis) != (&ScatterMode::Nd, &0) {
            to.named("axis", axis);
        }
    }
}
