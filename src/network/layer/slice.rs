//! Boxes cut out of data.

use super::Arg;
use super::attributes::{Attributes, Describe};

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

impl Describe for Slice {
    fn describe(&self, to: &mut Attributes) {
        let Self { start, size, stride, mode, fill } = self;
        to.arg("start", start);
        to.arg("size", size);
        if stride.fixed().is_none_or(|steps| steps.iter().any(|&step| step != 1)) {
            to.arg("stride", stride);
        }
        to.word_unless(mode, &SampleMode::StrictBounds);
        to.given_input("fill", *fill);
    }
}
