//! Functions of the elements of several operands. `ParametricRelu` and `Select` have no attributes.

use super::attributes::{Attributes, Describe};

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

impl Describe for ElementWise {
    fn describe(&self, to: &mut Attributes) {
        let Self { operation } = self;
        to.word(operation);
    }
}
