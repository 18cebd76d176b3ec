//! The largest and the smallest.

use super::Arg;
use super::attributes::{Attributes, Describe};

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

impl Describe for TopK {
    fn describe(&self, to: &mut Attributes) {
        let Self { operation, k, axis } = self;
        to.word(operation);
        to.arg("k", k);
        to.named("axis", axis);
    }
}
