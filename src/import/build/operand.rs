//! What the names of a model stand for while it is imported: values of the network, and what
//! becomes none.

use super::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::{ValueId, Values};
use crate::site::Site;
use crate::tensor::{DType, Tensor};
use std::sync::Arc;

/// What an ONNX name stands for.
#[derive(Debug, Clone)]
pub(crate) enum Operand {
    /// A value of the network.
    Value(ValueId),
    /// Data that is in no layer yet: an initializer nobody has used.
    Data(Tensor, Site),
    /// Whole numbers in `f32` that stand for those of a type which TensorRT lacks, and that type.
    Wide(ValueId, DType),
    /// A sequence. No layer holds one: who takes an element takes the value itself.
    List(Arc<[ValueId]>),
    /// An optional value that holds nothing.
    Nothing,
    /// An optional input that is left out.
    Absent,
    /// Something that a network of layers cannot hold, and what it is: `a tensor of strings`.
    Foreign(&'static str),
    /// The output of a node that failed; what depends on it is not reported again.
    Poisoned,
}

impl Operand {
    /// What this is, where it is no tensor of numbers.
    pub(in crate::import) fn foreign(&self) -> Option<&'static str> {
        match self {
            Operand::List(_) => Some("a sequence"),
            Operand::Nothing => Some("an optional value that holds nothing"),
            Operand::Foreign(what) => Some(what),
            Operand::Wide(_, DType::I16) => Some("numbers of type i16, which TensorRT lacks"),
            Operand::Wide(_, DType::U16) => Some("numbers of type u16, which TensorRT lacks"),
            Operand::Wide(..) => Some("numbers of type u4, which TensorRT lacks"),
            Operand::Value(_) | Operand::Data(..) | Operand::Absent | Operand::Poisoned => None,
        }
    }

    /// The value of the network.
    ///
    /// # Errors
    /// For anything else; `what` is what the error calls it.
    pub(in crate::import) fn value(&self, what: &str) -> Result<ValueId, OpError> {
        match self {
            Operand::Value(value) => Ok(*value),
            other => Err(OpError::invalid(format!(
                "{what} is {}, not a tensor",
                other.foreign().unwrap_or("absent")
            ))),
        }
    }

    /// The values of the network; see [`Operand::value`].
    pub(in crate::import) fn values(operands: &[Self], what: &str) -> Result<Values, OpError> {
        operands.iter().map(|operand| operand.value(what)).collect()
    }

    /// Values as operands.
    pub(in crate::import) fn of(values: impl IntoIterator<Item = ValueId>) -> Vec<Self> {
        values.into_iter().map(Operand::Value).collect()
    }
}

impl Ctx<'_> {
    /// The node's input at this position, whatever it stands for.
    pub(in crate::import) fn operand(&self, at: usize) -> Operand {
        self.operands.get(at).cloned().unwrap_or(Operand::Absent)
    }

    /// The type that the node's input at this position has in the model.
    pub(in crate::import) fn stated(&self, at: usize) -> Option<DType> {
        match self.operands.get(at) {
            Some(&Operand::Wide(_, dtype)) => Some(dtype),
            _ => self.maybe(at).map(|value| self.dtype(value)),
        }
    }

    /// The sequence that is the node's input at this position.
    pub(in crate::import) fn list(&self, at: usize) -> Result<Arc<[ValueId]>, OpError> {
        let not = |what| {
            OpError::invalid(format!("input `{}` is {what}, not a sequence", self.input_name(at)))
        };
        match self.operand(at) {
            Operand::List(list) => Ok(list),
            Operand::Value(_) => Err(not("a tensor")),
            other => Err(not(other.foreign().unwrap_or("absent"))),
        }
    }
}
