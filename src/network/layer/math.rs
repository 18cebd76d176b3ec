//! Layers that compute each element on its own, reduce axes, or multiply matrices.

use crate::tensor::DType;

/// A function of one element: `nvinfer1::ActivationType`. α and β are the layer's `alpha` and
/// `beta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActivationType {
    /// max(x, 0)
    Relu,
    /// 1 / (1 + e^−x)
    Sigmoid,
    /// tanh x
    Tanh,
    /// x where x ≥ 0, else α·x
    LeakyRelu,
    /// x where x ≥ 0, else α·(e^x − 1)
    Elu,
    /// β·x where x > 0, else β·(α·e^x − α)
    Selu,
    /// x / (1 + |x|)
    Softsign,
    /// α·ln(e^(β·x) + 1)
    Softplus,
    /// max(α, min(β, x))
    Clip,
    /// max(0, min(1, α·x + β))
    HardSigmoid,
    /// α·tanh(β·x)
    ScaledTanh,
    /// x where x > α, else 0
    ThresholdedRelu,
    /// x·(1 + erf(x/√2))/2, since TensorRT 10.x
    GeluErf,
    /// x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2, since TensorRT 10.x
    GeluTanh,
}

/// A function of each element: `nvinfer1::IActivationLayer`. Floating point; `Relu` also whole
/// numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Activation {
    /// The function.
    pub kind: ActivationType,
    /// Its α; 0 where it has none.
    pub alpha: f32,
    /// Its β; 0 where it has none.
    pub beta: f32,
}

/// Conversion: `nvinfer1::ICastLayer`. Floating point to whole numbers truncates; to `bool` is ≠ 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Cast {
    /// The type to convert to.
    pub to: DType,
}

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

/// Sum of products by Einstein's notation: `nvinfer1::IEinsumLayer`. Lower-case letters, no
/// ellipsis.
#[derive(Debug, Clone, PartialEq)]
pub struct Einsum {
    /// For example `ij,jk->ik`.
    pub equation: String,
}

/// A function of two elements: `nvinfer1::ElementWiseOperation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElementWiseOperation {
    /// a + b
    Sum,
    /// a · b
    Prod,
    /// The larger.
    Max,
    /// The smaller.
    Min,
    /// a − b
    Sub,
    /// a / b; whole numbers truncate towards 0
    Div,
    /// a^b
    Pow,
    /// ⌊a / b⌋
    FloorDiv,
    /// Both are true.
    And,
    /// Any is true.
    Or,
    /// Exactly one is true.
    Xor,
    /// a = b
    Equal,
    /// a > b
    Greater,
    /// a < b
    Less,
}

impl ElementWiseOperation {
    /// Whether the result is `bool` whatever the operands are.
    pub const fn compares(self) -> bool {
        matches!(self, Self::Equal | Self::Greater | Self::Less)
    }

    /// Whether the operands are `bool`.
    pub const fn logical(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Xor)
    }
}

/// A function of the elements of two operands: `nvinfer1::IElementWiseLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct ElementWise {
    /// The function.
    pub operation: ElementWiseOperation,
}

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

/// A function of one element: `nvinfer1::UnaryOperation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the functions")]
#[non_exhaustive]
pub enum UnaryOperation {
    Exp,
    Log,
    Sqrt,
    Recip,
    Abs,
    Neg,
    Sin,
    Cos,
    Tan,
    Sinh,
    Cosh,
    Asin,
    Acos,
    Atan,
    Asinh,
    Acosh,
    Atanh,
    Ceil,
    Floor,
    Erf,
    /// Of a `bool`.
    Not,
    Sign,
    /// Half to even.
    Round,
    /// Gives `bool`.
    IsInf,
    /// Gives `bool`; since TensorRT 10.x.
    IsNan,
}

/// A function of each element: `nvinfer1::IUnaryLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct Unary {
    /// The function.
    pub operation: UnaryOperation,
}
