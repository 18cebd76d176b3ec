//! Matrix products.

use super::attributes::{Attributes, Describe};

/// How an operand enters a matrix product: `nvinfer1::MatrixOperation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MatrixOperation {
    /// The last two axes are a matrix.
    None,
    /// The last two axes are a transposed matrix.
    Transpose,
    /// The last axis is a vector.
    Vector,
}

/// Matrix product: `nvinfer1::IMatrixMultiplyLayer`. Leading axes are batches: equal, or 1 on one
/// side.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixMultiply {
    /// How the first operand enters.
    pub op0: MatrixOperation,
    /// How the second operand enters.
    pub op1: MatrixOperation,
}

impl Describe for MatrixMultiply {
    fn describe(&self, to: &mut Attributes) {
        let Self { op0, op1 } = self;
        to.unless("op0", op0, &MatrixOperation::None);
        to.unless("op1", op1, &MatrixOperation::None);
    }
}
