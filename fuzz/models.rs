//! Models that are nearly right: real ones, with nodes, attributes and shapes of others.

use crate::draw::Draw;
use pb::type_proto::Value;
use prost::Message;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The messages of ONNX as the build script generates them.
#[allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    clippy::pedantic,
    reason = "generated"
)]
pub(crate) mod pb {
    include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
}

/// Larger files only make it slow.
const MOST_BYTES: u64 = 100_000;

/// The folder of the models.
pub(crate) fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models")
}

/// The files below `models/` that end so.
pub(crate) fn files(ending: &str) -> Vec<Vec<u8>> {
    paths(&home(), ending).into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// The files below a folder that end so.
pub(crate) fn paths(folder: &Path, ending: &str) -> Vec<PathBuf> {
    fn search(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                search(&path, ending, found);
            } else if path.to_string_lossy().ends_with(ending)
                && path.metadata().unwrap().len() < MOST_BYTES
            {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    search(folder, ending, &mut found);
    // The same inputs on every machine.
    found.sort();
    found
}

/// The models, as bytes.
pub(crate) static MODELS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| files(".onnx"));

/// A model with a few changes that keep its form.
pub(crate) fn model(draw: &mut Draw) -> Vec<u8> {
    let mut model = decoded(draw);
    let other = decoded(draw);
    for _ in 0..=draw.below(4) {
        if draw.once_in(10)
            && let Some(opset) = model.opset_import.first_mut()
        {
            opset.version = Some(draw.odd());
        }
        if let (Some(graph), Some(other)) = (model.graph.as_mut(), other.graph.as_ref()) {
            graph_changed(graph, other, draw);
        }
    }
    model.encode_to_vec()
}

fn decoded(draw: &mut Draw) -> pb::ModelProto {
    pb::ModelProto::decode(&draw.of(&MODELS)[..]).unwrap()
}

fn graph_changed(graph: &mut pb::GraphProto, other: &pb::GraphProto, draw: &mut Draw) {
    let names: Vec<String> = graph
        .node
        .iter()
        .flat_map(|node| node.output.clone())
        .chain(graph.input.iter().map(|input| input.name().to_owned()))
        .chain(graph.initializer.iter().map(|tensor| tensor.name().to_owned()))
        .collect();
    let name = |draw: &mut Draw| {
        if draw.once_in(8) || names.is_empty() { draw.text() } else { draw.of(&names).clone() }
    };
    match draw.below(9) {
        0 => {
            let at = draw.below(graph.node.len());
            graph.node.drain(at..(at + 1).min(graph.node.len()));
        }
        // Another's node with our names.
        1 if !other.node.is_empty() => {
            let mut node = draw.of(&other.node).clone();
            node.input.iter_mut().for_each(|input| *input = name(draw));
            graph.node.push(node);
        }
        2 => tensor_changed(&mut graph.initializer, draw),
        3 => type_changed(&mut graph.input, draw),
        4 => type_changed(&mut graph.output, draw),
        _ if graph.node.is_empty() => {}
        _ => {
            let at = draw.below(graph.node.len());
            node_changed(&mut graph.node[at], other, name, draw);
        }
    }
}

fn node_changed(
    node: &mut pb::NodeProto,
    other: &pb::GraphProto,
    name: impl Fn(&mut Draw) -> String,
    draw: &mut Draw,
) {
    match draw.below(6) {
        0 => node.op_type = other.node.first().and_then(|_| draw.of(&other.node).op_type.clone()),
        1 => node.input.push(name(draw)),
        2 if !node.input.is_empty() => {
            let at = draw.below(node.input.len());
            node.input[at] = name(draw);
        }
        3 => drop(node.input.pop()),
        4 => node.name = Some(draw.text()),
        _ if node.attribute.is_empty() => {}
        _ => {
            let at = draw.below(node.attribute.len());
            attribute_changed(&mut node.attribute[at], draw);
        }
    }
}

fn attribute_changed(attribute: &mut pb::AttributeProto, draw: &mut Draw) {
    match draw.below(5) {
        0 => attribute.i = Some(draw.odd()),
        1 => attribute.ints.push(draw.odd()),
        2 => drop(attribute.ints.pop()),
        3 if !attribute.ints.is_empty() => {
            let at = draw.below(attribute.ints.len());
            attribute.ints[at] = draw.odd();
        }
        _ => attribute.f = Some(*draw.of(&[0.0, -1.0, f32::NAN, f32::INFINITY, 1e-40, 3e38])),
    }
}

fn tensor_changed(tensors: &mut [pb::TensorProto], draw: &mut Draw) {
    if tensors.is_empty() {
        return;
    }
    let at = draw.below(tensors.len());
    let tensor = &mut tensors[at];
    match draw.below(4) {
        0 => tensor.dims.push(draw.odd()),
        1 => tensor.data_type = Some(i32::try_from(draw.below(30)).unwrap()),
        2 if !tensor.dims.is_empty() => {
            let at = draw.below(tensor.dims.len());
            tensor.dims[at] = draw.odd();
        }
        _ => tensor.raw_data = tensor.raw_data.as_ref().map(|data| draw.changed(data).into()),
    }
}

fn type_changed(values: &mut [pb::ValueInfoProto], draw: &mut Draw) {
    use pb::tensor_shape_proto::dimension;
    if values.is_empty() {
        return;
    }
    let at = draw.below(values.len());
    let Some(Value::TensorType(tensor)) =
        values[at].r#type.as_mut().and_then(|of| of.value.as_mut())
    else {
        return;
    };
    if draw.once_in(4) {
        tensor.elem_type = Some(i32::try_from(draw.below(30)).unwrap());
    }
    let Some(shape) = tensor.shape.as_mut().filter(|shape| !shape.dim.is_empty()) else { return };
    let at = draw.below(shape.dim.len());
    shape.dim[at].value = match draw.below(4) {
        0 => None,
        1 => Some(dimension::Value::DimParam(draw.text())),
        2 => Some(dimension::Value::DimValue(draw.below(9).cast_signed() as i64)),
        _ => Some(dimension::Value::DimValue(draw.odd())),
    };
}
