//! A row of the registry: an operator, the opsets at which it means the same, and its handler.

use super::ctx::{Ctx, formal_name};
use super::operand::Operand;
use crate::import::error::OpError;
use crate::network::Values;
use crate::onnx::Node;
use std::ops::RangeInclusive;

/// The domain of operators that mean the same in every domain.
pub const ANY_DOMAIN: &str = "*";

/// Turns one ONNX node into layers; returns the values of its outputs, in order.
pub(crate) type OfValues = fn(&mut Ctx<'_>, &Node) -> Result<Values, OpError>;
/// The same for an operator that takes or gives sequences or optional values.
type OfOperands = fn(&mut Ctx<'_>, &Node) -> Result<Vec<Operand>, OpError>;

/// What imports the nodes of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Handler {
    /// All inputs and outputs are tensors.
    Values(OfValues),
    /// Some are, or may be, something else.
    Operands(OfOperands),
}

/// One row: an operator whose meaning did not change between two opsets.
#[derive(Debug, Clone, Copy)]
pub struct Op {
    /// `""` for ONNX's own domain, [`ANY_DOMAIN`] for an operator that is known by its name alone.
    pub domain: &'static str,
    /// The operator's name.
    pub name: &'static str,
    /// First and last opset with this meaning; the last is `i64::MAX` for the current one.
    pub since: i64,
    /// See [`Op::since`].
    pub until: i64,
    /// Formal inputs as the specification names them: `X W B?`; `?` marks optional ones, `*` one
    /// that repeats.
    pub inputs: &'static str,
    /// Attributes that do not change what is computed, or only in training.
    pub ignored: &'static [&'static str],
    /// Whether it takes whole numbers in `f32` for those of a type that TensorRT lacks.
    pub(crate) wide: bool,
    pub(crate) handler: Handler,
}

/// A row of ONNX's own domain.
pub(crate) const fn onnx(
    name: &'static str,
    opsets: RangeInclusive<i64>,
    inputs: &'static str,
    handler: OfValues,
) -> Op {
    row(name, opsets, inputs, Handler::Values(handler))
}

/// A row of ONNX's own domain, of an operator that takes or gives sequences or optional values.
pub(crate) const fn with_lists(
    name: &'static str,
    opsets: RangeInclusive<i64>,
    inputs: &'static str,
    handler: OfOperands,
) -> Op {
    row(name, opsets, inputs, Handler::Operands(handler))
}

const fn row(
    name: &'static str,
    opsets: RangeInclusive<i64>,
    inputs: &'static str,
    handler: Handler,
) -> Op {
    Op {
        domain: "",
        name,
        since: *opsets.start(),
        until: *opsets.end(),
        inputs,
        ignored: &[],
        wide: false,
        handler,
    }
}

/// The end of a row that still holds: write `13..=NOW`.
pub(crate) const NOW: i64 = i64::MAX;

impl Op {
    /// The same row with attributes that may stand in the file but are not read.
    pub(crate) const fn ignoring(mut self, attributes: &'static [&'static str]) -> Self {
        self.ignored = attributes;
        self
    }

    /// The same row, which takes [`Operand::Wide`] too.
    pub(crate) const fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// The same row in another domain than ONNX's own; its opsets are that domain's.
    pub(crate) const fn of(mut self, domain: &'static str) -> Self {
        self.domain = domain;
        self
    }

    /// The operator with its domain, where that is neither ONNX's own nor any.
    pub fn label(&self) -> String {
        match self.domain {
            "" | ANY_DOMAIN => self.name.to_owned(),
            domain => format!("{domain}.{}", self.name),
        }
    }

    /// Name of the formal input at this position, without its mark.
    pub fn input_name(&self, at: usize) -> &'static str {
        formal_name(self.inputs, at)
    }

    /// Fewest and most inputs a node may have.
    pub fn arity(&self) -> (usize, usize) {
        let names: Vec<_> = self.inputs.split(' ').filter(|name| !name.is_empty()).collect();
        let fewest =
            names.iter().rposition(|name| !name.ends_with(['?', '*'])).map_or(0, |at| at + 1);
        let repeats = names.last().is_some_and(|name| name.ends_with('*'));
        (fewest, if repeats { usize::MAX } else { names.len() })
    }
}
