//! Many numbers along an axis combined: reductions and running sums.

use super::attributes::{Attributes, Describe};

/// What [`Cumulative`] does: `nvinfer1::CumulativeOperation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CumulativeOperation {
    /// Running sum.
    Sum,
}

/// Running sum along an axis: `nvinfer1::ICumulativeLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cumulative {
    /// What runs.
    pub operation: CumulativeOperation,
    /// Along which axis.
    pub axis: usize,
    /// Whether an element's own value is left out of its sum.
    pub exclusive: bool,
    /// Whether the sum runs from the end.
    pub reverse: bool,
}

/// What [`Reduce`] does with the elements: `nvinfer1::ReduceOperation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReduceOperation {
    /// Sum.
    Sum,
    /// Product.
    Prod,
    /// Largest.
    Max,
    /// Smallest.
    Min,
    /// Mean.
    Avg,
}

/// One number from many along some axes: `nvinfer1::IReduceLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct Reduce {
    /// What is computed.
    pub operation: ReduceOperation,
    /// Axes that vanish, sorted, at least one.
    pub axes: Vec<usize>,
    /// Whether they stay as axes of size 1.
    pub keep_dims: bool,
}

impl Describe for Cumulative {
    fn describe(&self, to: &mut Attributes) {
        let Self { operation, axis, exclusive, reverse } = self;
        to.word(operation);
        to.named("axis", axis);
        to.flag("exclusive", *exclusive);
        to.flag("reverse", *reverse);
    }
}

impl Describe for Reduce {
    fn describe(&self, to: &mut Attributes) {
        let Self { operation, axes, keep_dims } = self;
        to.word(operation);
        to.named("axes", axes);
        to.flag("keep_dims", *keep_dims);
    }
}
