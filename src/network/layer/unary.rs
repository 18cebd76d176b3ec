//! Functions of each element.

use super::attributes::{Attributes, Describe};

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

impl Describe for Activation {
    fn describe(&self, to: &mut Attributes) {
        let Self { kind, alpha, beta } = self;
        to.word(kind);
        to.unless("alpha", alpha, &0.0);
        to.unless("beta", beta, &0.0);
    }
}

impl Describe for Unary {
    fn describe(&self, to: &mut Attributes) {
        let Self { operation } = self;
        to.word(operation);
    }
}
