//! Conversion between types, and to and from quantized ones.

use super::attributes::{Attributes, Describe};
use crate::tensor::DType;

/// Conversion: `nvinfer1::ICastLayer`. Floating point to whole numbers truncates; to `bool` is ≠ 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Cast {
    /// The type to convert to.
    pub to: DType,
}

/// Real to quantized: `nvinfer1::IQuantizeLayer`, saturate(round-half-even(x / scale)).
#[derive(Debug, Clone, PartialEq)]
pub struct Quantize {
    /// Axis along which the scale varies; `None` for one scale.
    pub axis: Option<usize>,
    /// `i8`, `f8e4m3`, `i4` or `f4e2m1`.
    pub to: DType,
}

/// Quantized to real: `nvinfer1::IDequantizeLayer`, x · scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Dequantize {
    /// Axis along which the scale varies; `None` for one scale.
    pub axis: Option<usize>,
    /// The real type.
    pub to: DType,
}

impl Describe for Cast {
    fn describe(&self, to: &mut Attributes) {
        let Self { to: dtype } = self;
        to.text(dtype);
    }
}

impl Describe for Quantize {
    fn describe(&self, to: &mut Attributes) {
        let Self { axis, to: dtype } = self;
        to.text(dtype);
        to.given("axis", axis.as_ref());
    }
}

impl Describe for Dequantize {
    fn describe(&self, to: &mut Attributes) {
        let Self { axis, to: dtype } = self;
        to.text(dtype);
        to.given("axis", axis.as_ref());
    }
}
