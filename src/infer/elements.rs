//! Arithmetic on the tracked elements of small whole-number values.
//!
//! Symbols are sizes, so they are never negative. A result that is not certain is `None`, and the
//! value is then no longer tracked.

use crate::network::layer::{ElementWiseOperation, ReduceOperation, UnaryOperation};
use crate::network::{Dim, MAX_TRACKED, Network, Shape, Symbol, ValueType};
use crate::tensor::DType;

/// A type with these elements, if they may be tracked: `i32`, `i64` or `bool`, at most one axis,
/// each in range.
pub(super) fn tracked(dtype: DType, shape: Shape, elements: Option<Vec<Dim>>) -> ValueType {
    let range = match dtype {
        DType::I64 => i64::MIN..=i64::MAX,
        DType::I32 => i32::MIN.into()..=i32::MAX.into(),
        DType::Bool => 0..=1,
        _ => return ValueType::new(dtype, shape),
    };
    let elements = elements.filter(|elements| {
        can_track(&shape) == Some(elements.len())
            && elements.iter().all(|e| e.known().is_none_or(|n| range.contains(&n)))
            && (dtype != DType::Bool || elements.iter().all(|e| e.known().is_some()))
    });
    ValueType { dtype, shape, elements: elements.map(Into::into) }
}

/// The number of elements of a shape whose elements can be tracked.
pub(super) fn can_track(shape: &Shape) -> Option<usize> {
    let count = match shape.as_slice() {
        [] => 1,
        [size] => size.size()?,
        _ => return None,
    };
    (count <= MAX_TRACKED).then_some(count)
}

/// The element at `i` of a vector that broadcasts.
pub(super) fn spread(elements: &[Dim], i: usize) -> Option<&Dim> {
    elements.get(if elements.len() == 1 { 0 } else { i })
}

/// An operation on two elements; `None` also where the result is too long an expression.
pub(super) fn binary(operation: ElementWiseOperation, a: &Dim, b: &Dim) -> Option<Dim> {
    exact_binary(operation, a, b).filter(Dim::is_simple)
}

/// A comparison of two elements, where what is promised of sizes decides it.
pub(super) fn compared(
    operation: ElementWiseOperation,
    a: &Dim,
    b: &Dim,
    network: &Network,
) -> Option<Dim> {
    use ElementWiseOperation as Op;
    if network.ranges.is_empty() {
        return None;
    }
    let promised = |symbol: &Symbol| network.ranges.get(symbol).copied().unwrap_or([0, i64::MAX]);
    let [least, most] = (a - b).range(&promised);
    let (never_below, never_above) = (least >= 0, most <= 0);
    let holds = match operation {
        Op::Equal if least > 0 || most < 0 => Some(false),
        Op::Equal if least == 0 && most == 0 => Some(true),
        Op::Less if never_below => Some(false),
        Op::Less if most < 0 => Some(true),
        Op::Greater if never_above => Some(false),
        Op::Greater if least > 0 => Some(true),
        _ => None,
    };
    holds.map(|holds| Dim::Known(holds.into()))
}

fn exact_binary(operation: ElementWiseOperation, a: &Dim, b: &Dim) -> Option<Dim> {
    use ElementWiseOperation as Op;
    let truth = |holds: Option<bool>| holds.map(|holds| Dim::Known(holds.into()));
    Some(match operation {
        Op::Sum => exact(a, b, i64::checked_add, |a, b| a + b)?,
        Op::Sub => exact(a, b, i64::checked_sub, |a, b| a - b)?,
        Op::Prod => exact(a, b, i64::checked_mul, |a, b| a * b)?,
        Op::Div => match (a, b) {
            (Dim::Known(a), Dim::Known(b)) => Dim::Known(a.checked_div(*b)?),
            // Rounding down is truncation only where the quotient is not negative.
            _ if a.is_nonnegative() && b.is_nonnegative() => a.floor_div(b)?,
            _ => return None,
        },
        Op::FloorDiv if b.known() == Some(-1) => {
            exact(&Dim::Known(0), a, i64::checked_sub, |z, a| z - a)?
        }
        Op::FloorDiv => a.floor_div(b)?,
        Op::Max => a.maximum(b),
        Op::Min => a.minimum(b),
        Op::Equal => return truth(are_equal(a, b)),
        Op::Less => return truth(at_least(a, b).map(|holds| !holds)),
        Op::Greater => return truth(at_least(b, a).map(|holds| !holds)),
        Op::And => Dim::Known(a.known()? & b.known()?),
        Op::Or => Dim::Known(a.known()? | b.known()?),
        Op::Xor => Dim::Known(a.known()? ^ b.known()?),
        Op::Pow => return None,
    })
}

/// The result without overflow where both are known, else as an expression.
fn exact(
    a: &Dim,
    b: &Dim,
    checked: fn(i64, i64) -> Option<i64>,
    symbolic: impl Fn(&Dim, &Dim) -> Dim,
) -> Option<Dim> {
    match (a, b) {
        (Dim::Known(a), Dim::Known(b)) => checked(*a, *b).map(Dim::Known),
        _ => Some(symbolic(a, b)),
    }
}

/// Whether a ≥ b, where that is certain.
fn at_least(a: &Dim, b: &Dim) -> Option<bool> {
    if let (Dim::Known(a), Dim::Known(b)) = (a, b) {
        return Some(a >= b);
    }
    if b.at_most(a) {
        return Some(true);
    }
    a.less_than(b).then_some(false)
}

fn are_equal(a: &Dim, b: &Dim) -> Option<bool> {
    if a == b {
        return Some(true);
    }
    a.differs_from(b).then_some(false)
}

/// An operation on one element.
pub(super) fn unary(operation: UnaryOperation, a: &Dim) -> Option<Dim> {
    let zero = Dim::Known(0);
    match operation {
        UnaryOperation::Neg => exact(&zero, a, i64::checked_sub, |z, a| z - a),
        UnaryOperation::Abs if a.is_nonnegative() => Some(a.clone()),
        UnaryOperation::Abs => a.known()?.checked_abs().map(Dim::Known),
        UnaryOperation::Sign => Some(Dim::Known(a.known()?.signum())),
        UnaryOperation::Not => Some(Dim::Known(i64::from(a.known()? == 0))),
        _ => None,
    }
}

/// All elements reduced to one.
pub(super) fn reduce(operation: ReduceOperation, elements: &[Dim]) -> Option<Dim> {
    let (operation, neutral) = match operation {
        ReduceOperation::Sum => (ElementWiseOperation::Sum, Some(Dim::Known(0))),
        ReduceOperation::Prod => (ElementWiseOperation::Prod, Some(Dim::Known(1))),
        ReduceOperation::Max => (ElementWiseOperation::Max, None),
        ReduceOperation::Min => (ElementWiseOperation::Min, None),
        ReduceOperation::Avg => return None,
    };
    let mut rest = elements.iter();
    let first = neutral.or_else(|| rest.next().cloned())?;
    rest.try_fold(first, |sum, e| binary(operation, &sum, e))
}
