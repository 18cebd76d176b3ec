//! Data laid out otherwise: transposed, reshaped, joined. `Identity` and `Shape` have no
//! attributes.

use super::attributes::{Attributes, Describe};
use crate::network::Dim;

/// Operands one behind the other along an axis: `nvinfer1::IConcatenationLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct Concatenation {
    /// Along which axis.
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

impl Describe for Concatenation {
    fn describe(&self, to: &mut Attributes) {
        let Self { axis } = self;
        to.named("axis", axis);
    }
}

impl Describe for Shuffle {
    fn describe(&self, to: &mut Attributes) {
        let Self { first_transpose, reshape, second_transpose } = self;
        to.given("first_transpose", first_transpose.as_ref());
        match reshape {
            None => {}
            Some(Reshape::Static { dims, zero_is_placeholder }) => {
                to.named("reshape", dims);
                to.flag("zero_is_placeholder", *zero_is_placeholder && dims.contains(&0));
            }
            Some(Reshape::Input { zero_is_placeholder }) => {
                to.input("reshape", 1);
                to.flag("zero_is_placeholder", *zero_is_placeholder);
            }
        }
        to.given("second_transpose", second_transpose.as_ref());
    }
}

impl Describe for Squeeze {
    fn describe(&self, to: &mut Attributes) {
        let Self { axes } = self;
        to.named("axes", axes);
    }
}

impl Describe for Unsqueeze {
    fn describe(&self, to: &mut Attributes) {
        let Self { axes } = self;
        to.named("axes", axes);
    }
}
