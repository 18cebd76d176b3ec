//! Where in the ONNX file something came from.
//!
//! A [`Site`] travels with every layer: error messages, TensorRT's layer metadata and reports all
//! print it.

use crate::shown::name;
use std::fmt;
use std::sync::Arc;

/// A place in an ONNX model: a node, or one of the graph's inputs, outputs or initializers.
///
/// Cheap to clone. Equality compares what it says, not which allocation holds it.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Site(Arc<Place>);

/// What a [`Site`] says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Place {
    /// Path of the graph: `main`, or `main/If_3.then_branch` for a subgraph.
    pub graph: Arc<str>,
    /// Position of the node in the file's node list; `None` for inputs, outputs and initializers.
    pub index: Option<usize>,
    /// The node's name, which may be empty; otherwise the tensor's name.
    pub name: String,
    /// The node's operator, with its domain where that is not ONNX's own: `Conv`,
    /// `com.microsoft.Gelu`. For places that are no node: `input`, `output`, `initializer`.
    pub op: String,
    /// Opset version that gives the operator its meaning; 0 for places that are no node.
    pub opset: i64,
    /// First output of the node, by which an unnamed node is shown; otherwise the tensor's name.
    pub output: String,
}

impl Site {
    /// A node of the graph at path `graph`.
    pub fn node(
        graph: impl Into<Arc<str>>,
        index: usize,
        name: &str,
        op: &str,
        opset: i64,
        output: &str,
    ) -> Self {
        Self(Arc::new(Place {
            graph: graph.into(),
            index: Some(index),
            name: name.to_owned(),
            op: op.to_owned(),
            opset,
            output: output.to_owned(),
        }))
    }

    /// An input, output or initializer (`what`) called `name`.
    pub fn tensor(graph: impl Into<Arc<str>>, what: &str, name: &str) -> Self {
        Self(Arc::new(Place {
            graph: graph.into(),
            index: None,
            name: name.to_owned(),
            op: what.to_owned(),
            opset: 0,
            output: name.to_owned(),
        }))
    }

    /// What this site says.
    pub fn place(&self) -> &Place {
        &self.0
    }

    /// The shortest text that finds the place again: the name, or `node 57 -> "out"` where there is
    /// none.
    pub fn label(&self) -> String {
        match (self.0.index, self.0.name.as_str()) {
            (Some(index), "") => format!("node {index} -> \"{}\"", self.0.output),
            (_, name) => name.to_owned(),
        }
    }
}

/// The [label](Site::label) in backticks, with operator and opset: `` `Conv_12` (Conv, opset 17)
/// ``.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place();
        if place.name.is_empty() && place.index.is_none() {
            let article = if place.op == "model" { "the" } else { "an unnamed" };
            return write!(f, "{article} {}", place.op);
        }
        if place.name.is_empty() {
            write!(f, "{}", name(&self.label()))?;
        } else {
            write!(f, "`{}`", name(&place.name))?;
        }
        let op = name(&place.op);
        if place.index.is_some() {
            write!(f, " ({op}, opset {})", place.opset)
        } else {
            write!(f, " ({op})")
        }
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Site({self})")
    }
}
