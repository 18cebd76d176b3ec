//! Whether a model computes in `f64`, which TensorRT lacks.

use crate::onnx::attrs::Attr;
use crate::onnx::{Constant, ElementType, Graph, Node, ValueInfo, ValueType};
use crate::tensor::DType;

/// What is said of it, once.
pub(super) const NOTE: &str = "f64 is computed in f32: TensorRT has no f64";

/// `TensorProto.DOUBLE`.
const DOUBLE: i64 = 11;
/// Attributes that name an element type.
const TYPES: [&str; 3] = ["to", "dtype", "output_datatype"];

/// Whether an input, a constant or a node of a graph is of the type.
pub(super) fn any(graph: &Graph) -> bool {
    graph.inputs.iter().any(input)
        || graph.initializers.iter().any(|initializer| constant(&initializer.tensor))
        || graph.nodes.iter().any(node)
}

fn input(info: &ValueInfo) -> bool {
    matches!(info.ty, ValueType::Tensor { element: ElementType::Of(DType::F64), .. })
}

fn constant(constant: &Constant) -> bool {
    constant.element() == ElementType::Of(DType::F64)
}

fn node(node: &Node) -> bool {
    let attribute = |(name, value): (&str, &Attr)| match value {
        Attr::Int(code) => *code == DOUBLE && TYPES.contains(&name),
        Attr::Tensor(tensor) => constant(tensor),
        _ => false,
    };
    node.attrs.iter().any(attribute) || node.attrs.graphs().any(any)
}
