//! A model as plain data: what every other module sees of an ONNX file.

use super::attrs::Attrs;
use super::constant::{Constant, ElementType};
use crate::site::Site;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// An ONNX model: checked, sorted, with its local functions inlined.
#[derive(Debug, Clone)]
pub struct Model {
    /// Version of the file format.
    pub ir_version: i64,
    /// Name and version of the program that wrote the file; may be empty.
    pub producer: String,
    /// Version of each imported operator set by domain; ONNX's own domain is `""`.
    pub opsets: BTreeMap<String, i64>,
    /// The main graph.
    pub graph: Graph,
    /// The file's free-form metadata.
    pub metadata: BTreeMap<String, String>,
    /// The files with external data that were read, sorted.
    pub external: Vec<PathBuf>,
}

/// A graph in single-assignment form.
///
/// Each name is defined once: by an input, an initializer or a node's output. Every name a node
/// reads is defined before it, or is one of [`captures`](Graph::captures).
#[derive(Debug, Clone)]
pub struct Graph {
    /// Where it is: `main`, or `main/If_3.then_branch` for a subgraph.
    pub path: Arc<str>,
    /// Its name in the file; may be empty.
    pub name: String,
    /// Topologically sorted; the file's order wherever that is valid. Nodes of an inlined function
    /// stand in place of the call.
    pub nodes: Vec<Node>,
    /// What is fed at run time. Inputs with a default (an initializer of the same name) are not
    /// listed: they are constants.
    pub inputs: Vec<ValueInfo>,
    /// What is computed, in order.
    pub outputs: Vec<ValueInfo>,
    /// Constants, in the file's order; sparse ones come last, made dense.
    pub initializers: Vec<Initializer>,
    /// Types that the file states for inner values. A claim: nothing has checked it.
    pub value_info: BTreeMap<Arc<str>, ValueInfo>,
    /// Names that this graph reads from the graphs around it, in order of first use; empty for the
    /// main graph.
    pub captures: Vec<Arc<str>>,
}

/// A named constant.
#[derive(Debug, Clone)]
pub struct Initializer {
    /// The value's name.
    pub name: Arc<str>,
    /// Where it is.
    pub site: Site,
    /// The data.
    pub tensor: Constant,
}

/// A value's name and what the file says about its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueInfo {
    /// The value's name.
    pub name: Arc<str>,
    /// The stated type.
    pub ty: ValueType,
}

/// The stated type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueType {
    /// A dense tensor.
    Tensor {
        /// Element type.
        element: ElementType,
        /// Shape; `None` where not even the rank is stated.
        shape: Option<Vec<DimSpec>>,
    },
    /// A list of values of one type.
    Sequence(Box<ValueType>),
    /// A value or nothing.
    Optional(Box<ValueType>),
    /// A dictionary.
    Map,
    /// A sparse tensor.
    SparseTensor,
    /// A type that only its maker knows.
    Opaque,
    /// The file states no type.
    Unknown,
}

/// One stated dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DimSpec {
    /// A fixed size.
    Known(usize),
    /// Chosen at run time; equal names are equal sizes (ONNX `dim_param`).
    Symbol(Arc<str>),
    /// Chosen at run time, without a name.
    Unknown,
}

/// One operator of a graph.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it is, and its name.
    pub site: Site,
    /// The operator's domain; ONNX's own is `""`.
    pub domain: String,
    /// The operator, such as `Conv`.
    pub op: String,
    /// Version of the domain's operator set that gives the operator its meaning.
    pub opset: i64,
    /// Names of the inputs; `""` where an optional one is absent, never last.
    pub inputs: Vec<Arc<str>>,
    /// Names of the outputs; `""` where an optional one is not wanted, never last.
    pub outputs: Vec<Arc<str>>,
    /// The attributes.
    pub attrs: Attrs,
}

impl Node {
    /// Name of input `i`; `None` where it is absent.
    pub fn input(&self, i: usize) -> Option<&Arc<str>> {
        self.inputs.get(i).filter(|name| !name.is_empty())
    }

    /// Name of output `i`; `None` where nobody wants it.
    pub fn output(&self, i: usize) -> Option<&Arc<str>> {
        self.outputs.get(i).filter(|name| !name.is_empty())
    }
}

/// As ONNX people write it: `f32[N, 3, ?]`, `seq(i64[?])`, `f32` where the rank is unknown.
impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueType::Tensor { element, shape: None } => element.fmt(f),
            ValueType::Tensor { element, shape: Some(dims) } => {
                write!(f, "{element}[")?;
                for (i, dim) in dims.iter().enumerate() {
                    write!(f, "{}{dim}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            ValueType::Sequence(of) => write!(f, "seq({of})"),
            ValueType::Optional(of) => write!(f, "optional({of})"),
            ValueType::Map => f.write_str("map"),
            ValueType::SparseTensor => f.write_str("sparse tensor"),
            ValueType::Opaque => f.write_str("opaque"),
            ValueType::Unknown => f.write_str("unknown"),
        }
    }
}

impl fmt::Display for DimSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DimSpec::Known(size) => size.fmt(f),
            DimSpec::Symbol(name) => name.fmt(f),
            DimSpec::Unknown => f.write_str("?"),
        }
    }
}
