//! Why a layer cannot be computed.

use crate::error::Kind;
use crate::network::layer::Equation;
use crate::tensor::{DType, TensorError};

/// The most elements of one value that are computed here.
pub const MAX_ELEMENTS: usize = 1 << 31;

/// Why a layer cannot be computed from these operands. It knows no place; the driver of the network
/// adds it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// An operand is not there.
    #[error("the layer reads operand {at}, but there are {count}")]
    Operands {
        /// Its position.
        at: usize,
        /// Number of operands.
        count: usize,
    },
    /// An operand has a type with which the layer cannot compute.
    #[error("operand {at} is {actual}, but must be {expected}")]
    Type {
        /// Its position.
        at: usize,
        /// Its type.
        actual: DType,
        /// What it should be.
        expected: &'static str,
    },
    /// An operand has a shape with which the layer cannot compute.
    #[error("operand {at} has shape {dims:?}, but must {rule}")]
    Shape {
        /// Its position.
        at: usize,
        /// Its shape.
        dims: Vec<usize>,
        /// What it should be.
        rule: &'static str,
    },
    /// Two shapes that should fit together do not.
    #[error("shapes {0:?} and {1:?} do not fit together")]
    Shapes(Vec<usize>, Vec<usize>),
    /// A list has not one entry per axis.
    #[error("{what} has {actual} entries, but there are {expected} axes")]
    Entries {
        /// Name of the list.
        what: &'static str,
        /// Number of entries.
        actual: usize,
        /// Number of axes.
        expected: usize,
    },
    /// An attribute has a value with which the layer cannot compute.
    #[error("{what} is {value}, but must {rule}")]
    Attribute {
        /// Its name.
        what: &'static str,
        /// Its value.
        value: i64,
        /// What it should be.
        rule: &'static str,
    },
    /// An axis lies outside the operand.
    #[error("axis {axis} is outside rank {rank}")]
    Axis {
        /// The axis.
        axis: usize,
        /// The operand's rank.
        rank: usize,
    },
    /// An index lies outside the data. Negative ones do not count from the end.
    #[error("index {index} is outside an axis of size {size}")]
    Index {
        /// The index.
        index: i64,
        /// Size of the axis.
        size: usize,
    },
    /// A whole number is divided by 0.
    #[error("a whole number is divided by 0")]
    DivisionByZero,
    /// A result, or what is needed on the way to it, has more than [`MAX_ELEMENTS`] elements.
    #[error("a value of shape {0:?} is too large to evaluate")]
    TooLarge(Vec<usize>),
    /// The budget has no room for a result, or for what is needed on the way to it.
    #[error(
        "a value of shape {dims:?} takes up to {bytes} bytes, but of the {budget} bytes that data \
         may take, {left} are left"
    )]
    Memory {
        /// Its shape.
        dims: Vec<usize>,
        /// What it takes at most.
        bytes: usize,
        /// What is left of the budget, in bytes.
        left: usize,
        /// The budget, in bytes.
        budget: usize,
    },
    /// The equation of an Einsum layer does not fit its operands.
    #[error("equation `{equation}` {rule}")]
    Equation {
        /// The equation.
        equation: Equation,
        /// What is wrong with it.
        rule: &'static str,
    },
    /// The layer gives something else each time.
    #[error("random values cannot be evaluated")]
    Random,
    /// The layer has nested blocks, so that it is computed with its network only.
    #[error("a {0} layer cannot be evaluated without its network")]
    Nested(&'static str),
    /// Blocks nest too deep.
    #[error("blocks nest deeper than {0}")]
    Depth(usize),
    /// A loop does not end.
    #[error("the loop runs longer than {0} iterations")]
    Iterations(usize),
    /// A loop would go on after the last iteration that the user allows.
    #[error("the loop goes on after iteration {0}, where `--max-trip` cuts it off")]
    CutOff(usize),
    /// A loop gives a value of unknown shape, because it never ran.
    #[error("the loop has no iterations, so that the shape of what it gives is unknown")]
    NoIterations,
    /// A conversion that does not exist.
    #[error("{from} cannot be converted to {to}")]
    Conversion {
        /// Type of the data.
        from: DType,
        /// Type asked for.
        to: DType,
    },
    /// A value that no earlier layer made.
    #[error("value {0} is used before it is made")]
    Missing(usize),
    /// Bytes and shape disagree.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

impl EvalError {
    /// The way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        let hint = "give more with `--memory`, or run it on a machine with more memory";
        matches!(self, EvalError::Memory { .. }).then(|| hint.to_owned())
    }

    /// Who can mend it.
    pub fn kind(&self) -> Kind {
        match self {
            EvalError::TooLarge(_)
            | EvalError::Random
            | EvalError::Nested(_)
            | EvalError::Depth(_)
            | EvalError::Iterations(_)
            | EvalError::NoIterations
            | EvalError::Conversion { .. } => Kind::Unsupported,
            EvalError::CutOff(_) => Kind::Usage,
            EvalError::Memory { .. } => Kind::Environment,
            EvalError::Missing(_) => Kind::Internal,
            _ => Kind::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_numbers() {
        let cases = [
            (EvalError::Index { index: -1, size: 4 }, "index -1 is outside an axis of size 4"),
            (
                EvalError::Type { at: 1, actual: DType::I8, expected: "i32 or i64" },
                "operand 1 is i8, but must be i32 or i64",
            ),
            (EvalError::Shapes(vec![2], vec![3]), "shapes [2] and [3] do not fit together"),
            (EvalError::Random, "random values cannot be evaluated"),
        ];
        for (error, text) in cases {
            assert_eq!(error.to_string(), text);
        }
    }
}
