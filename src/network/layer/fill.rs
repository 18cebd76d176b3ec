//! Data that is fixed or made by a formula.

use super::Arg;
use super::attributes::{Attributes, Describe};
use crate::tensor::{DType, Tensor};

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

impl Describe for Constant {
    fn describe(&self, to: &mut Attributes) {
        let Self { weights } = self;
        to.text(&weights.content());
    }
}

impl Describe for Fill {
    fn describe(&self, to: &mut Attributes) {
        let Self { operation, dims, alpha, beta, dtype } = self;
        to.word(operation);
        to.arg("dims", dims);
        to.arg("alpha", alpha);
        to.arg("beta", beta);
        to.text(dtype);
    }
}
