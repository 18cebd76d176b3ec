//! Which handler imports which operator of which opset: the rows of all families, joined.

use super::ctx::Ctx;
use super::error::OpError;
use super::operand::Operand;
use super::ops;
use crate::network::Values;
use crate::onnx::Node;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

/// Newest opset of ONNX's own domain whose operators the registry knows: that of onnx 1.23.2.
pub const NEWEST_OPSET: i64 = 28;

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
        let mut last = "";
        for (i, name) in self.inputs.split(' ').enumerate() {
            last = name.trim_end_matches(['?', '*']);
            if i == at {
                break;
            }
        }
        last
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

static ROWS: LazyLock<HashMap<&'static str, Vec<&'static Op>>> = LazyLock::new(|| {
    let mut rows = HashMap::<_, Vec<_>>::new();
    for op in all() {
        rows.entry(op.name).or_default().push(op);
    }
    rows
});

/// Every row with the name of its family.
pub fn families() -> impl Iterator<Item = (&'static str, &'static Op)> {
    ops::FAMILIES.iter().flat_map(|(family, rows)| rows.iter().map(move |op| (*family, op)))
}

/// Every row.
pub fn all() -> impl Iterator<Item = &'static Op> {
    families().map(|(_, op)| op)
}

/// The row for an operator at an opset.
pub fn find(domain: &str, name: &str, opset: i64) -> Option<&'static Op> {
    rows(domain, name).find(|op| (op.since..=op.until).contains(&opset))
}

/// All rows of an operator.
pub fn rows(domain: &str, name: &str) -> impl Iterator<Item = &'static Op> {
    let rows = ROWS.get(name).into_iter().flatten().copied();
    rows.filter(move |op| op.domain == domain || op.domain == ANY_DOMAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_operator_neither_overlap_nor_leave_gaps() {
        for (name, rows) in ROWS.iter() {
            let mut rows = rows.clone();
            rows.sort_by_key(|op| (op.domain, op.since));
            for pair in rows.windows(2).filter(|pair| pair[0].domain == pair[1].domain) {
                assert_eq!(pair[0].until + 1, pair[1].since, "{name}");
            }
            assert!(rows.iter().all(|op| op.since <= op.until), "{name}");
        }
    }

    #[test]
    fn operators_of_any_domain_are_found_in_each() {
        for domain in ["", "trt", "com.example"] {
            assert_eq!(find(domain, "TRT_Shuffle", 1).map(|op| op.domain), Some(ANY_DOMAIN));
        }
        assert!(find("trt", "Relu", 13).is_none());
    }

    #[test]
    fn formal_inputs_give_arity_and_names() {
        let op = |inputs| Op { inputs, ..*find("", "Relu", 13).unwrap() };
        assert_eq!(op("X W B?").arity(), (2, 3));
        assert_eq!(op("inputs*").arity(), (0, usize::MAX));
        assert_eq!(op("X data*").arity(), (1, usize::MAX));
        assert_eq!(op("X roi? scales").arity(), (3, 3));
        assert_eq!(op("").arity(), (0, 0));
        assert_eq!(op("X W B?").input_name(2), "B");
        assert_eq!(op("X data*").input_name(5), "data");
    }
}
