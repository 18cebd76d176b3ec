//! What can be wrong with a layer's operands and attributes.

use crate::network::layer::Equation;
use crate::network::{Dim, Shape};
use crate::tensor::DType;

/// Why a layer has no output types. Knows numbers and names but no place: the caller wraps it with
/// the node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum InferError {
    #[error("{kind} takes {expected} inputs but has {actual}")]
    Inputs { kind: &'static str, expected: String, actual: usize },
    #[error("{kind} takes {what} from input {at} but the number of its inputs is {actual}")]
    NoSuchInput { kind: &'static str, what: &'static str, at: usize, actual: usize },
    #[error("the type of {what} is {actual} but must be {expected}")]
    Type { what: &'static str, actual: DType, expected: &'static str },
    #[error("the rank of {what} is {actual} but must be {expected}")]
    Rank { what: &'static str, actual: usize, expected: String },
    #[error("the shape of {what} is {actual} but must be {expected}")]
    Shape { what: &'static str, actual: Shape, expected: Shape },
    #[error("{what} is {actual} but must be {expected}")]
    Value { what: &'static str, actual: String, expected: String },
    #[error("{what} has {actual} entries but needs {expected}")]
    Count { what: &'static str, actual: Dim, expected: Dim },
    #[error("operands of {kind} have types {a} and {b}")]
    Types { kind: &'static str, a: DType, b: DType },
    #[error("operands of {kind} have ranks {a} and {b}")]
    Ranks { kind: &'static str, a: usize, b: usize },
    #[error("axes of size {a} and {b} do not broadcast")]
    Broadcast { a: Dim, b: Dim },
    #[error("axes of size {a} and {b} must be equal")]
    Sizes { a: Dim, b: Dim },
    #[error("axis {axis} is outside rank {rank}")]
    Axis { axis: usize, rank: usize },
    #[error("axes {axes:?} are not rising numbers below rank {rank}")]
    Axes { axes: Vec<usize>, rank: usize },
    #[error("{order:?} is no permutation of {rank} axes")]
    Permutation { order: Vec<usize>, rank: usize },
    #[error("input has {channels} channels but the weights take {taken}")]
    Channels { channels: Dim, taken: Dim },
    #[error("{count} {what} do not divide into {groups} groups")]
    Groups { what: &'static str, count: Dim, groups: usize },
    #[error("a window of {window} does not fit into {size} elements, padding included")]
    Window { window: Dim, size: Dim },
    #[error("reshape of {from} elements to {to}")]
    Reshape { from: Dim, to: Shape },
    #[error("reshape to {to} copies axis {axis} of an input of rank {rank}")]
    Placeholder { to: Shape, axis: usize, rank: usize },
    #[error(
        "the number of elements of {what} is known only at run time, so the output has no known \
         rank"
    )]
    UnknownRank { what: &'static str },
    #[error("{kind} takes data of known size only")]
    UnknownSize { kind: &'static str },
    #[error("slice reads elements {first} to {last} of an axis of size {size}")]
    Bounds { first: i64, last: i64, size: i64 },
    #[error("equation `{equation}` {why}")]
    Equation { equation: Equation, why: &'static str },
    #[error("{what} have types {a} and {b}")]
    Results { what: &'static str, a: String, b: String },
}
