//! Short ways to write messages in tests.

use super::pb::attribute_proto::AttributeType;
use super::{Model, pb};
use crate::error::{Error, Result};
use prost::Message;
use std::path::Path;

/// A node called `name` that may be empty; inputs and outputs are separated by spaces, `-` is an
/// absent one.
pub(super) fn node(
    name: &str,
    op: &str,
    inputs: &str,
    outputs: &str,
    attrs: Vec<pb::AttributeProto>,
) -> pb::NodeProto {
    let (domain, op) = op.rsplit_once('.').unwrap_or(("", op));
    let names = |text: &str| {
        text.split_whitespace().map(|name| if name == "-" { "" } else { name }.to_owned()).collect()
    };
    pb::NodeProto {
        name: Some(name.to_owned()),
        op_type: Some(op.to_owned()),
        domain: Some(domain.to_owned()),
        input: names(inputs),
        output: names(outputs),
        attribute: attrs,
        ..Default::default()
    }
}

/// A value without a type.
pub(super) fn value(name: &str) -> pb::ValueInfoProto {
    pb::ValueInfoProto { name: Some(name.to_owned()), ..Default::default() }
}

/// A graph; inputs and outputs are separated by spaces.
pub(super) fn graph(inputs: &str, outputs: &str, nodes: Vec<pb::NodeProto>) -> pb::GraphProto {
    let values = |names: &str| names.split_whitespace().map(value).collect();
    pb::GraphProto {
        input: values(inputs),
        output: values(outputs),
        node: nodes,
        ..Default::default()
    }
}

/// A model with opset 17 and the domain `local`.
pub(super) fn model(graph: pb::GraphProto) -> pb::ModelProto {
    let import = |domain: &str, version| pb::OperatorSetIdProto {
        domain: Some(domain.to_owned()),
        version: Some(version),
    };
    pb::ModelProto {
        ir_version: Some(8),
        opset_import: vec![import("", 17), import("local", 1)],
        graph: Some(graph),
        ..Default::default()
    }
}

/// The function `local.<name>` with the attributes `attributes`, which have no default.
pub(super) fn function(
    name: &str,
    inputs: &str,
    outputs: &str,
    attributes: &str,
    node: Vec<pb::NodeProto>,
) -> pb::FunctionProto {
    let names = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    pb::FunctionProto {
        name: Some(name.to_owned()),
        domain: Some("local".to_owned()),
        input: names(inputs),
        output: names(outputs),
        attribute: names(attributes),
        node,
        ..Default::default()
    }
}

fn attr(name: &str, kind: AttributeType) -> pb::AttributeProto {
    pb::AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(kind.into()),
        ..Default::default()
    }
}

pub(super) fn int(name: &str, value: i64) -> pb::AttributeProto {
    pb::AttributeProto { i: Some(value), ..attr(name, AttributeType::Int) }
}

/// Takes the value of the function's attribute `from`.
pub(super) fn reference(name: &str, from: &str) -> pb::AttributeProto {
    pb::AttributeProto { ref_attr_name: Some(from.to_owned()), ..attr(name, AttributeType::Int) }
}

pub(super) fn subgraph(name: &str, graph: pb::GraphProto) -> pb::AttributeProto {
    pb::AttributeProto { g: Some(graph), ..attr(name, AttributeType::Graph) }
}

/// A tensor of f32 with raw data.
pub(super) fn floats(name: &str, dims: &[i64], values: &[f32]) -> pb::TensorProto {
    pb::TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(1),
        raw_data: Some(bytemuck::cast_slice::<f32, u8>(values).to_vec().into()),
        ..Default::default()
    }
}

/// A tensor of f32 whose data the external `entries` name.
pub(super) fn external(name: &str, dims: &[i64], entries: &[(&str, &str)]) -> pb::TensorProto {
    let entry = |&(key, value): &(&str, &str)| pb::StringStringEntryProto {
        key: Some(key.to_owned()),
        value: Some(value.to_owned()),
    };
    pb::TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(1),
        data_location: Some(pb::tensor_proto::DataLocation::External.into()),
        external_data: entries.iter().map(entry).collect(),
        ..Default::default()
    }
}

/// What [`decode`](super::decode) makes of the model, whose folder is `folder`.
pub(super) fn read_in(model: &pb::ModelProto, folder: &Path) -> Result<Model> {
    super::decode(model.encode_to_vec().into(), folder)
}

/// What [`decode`](super::decode) makes of the model.
pub(super) fn read(model: &pb::ModelProto) -> Result<Model> {
    read_in(model, Path::new(""))
}

/// Each problem as `site: message`.
pub(super) fn problems(result: Result<Model>) -> Vec<String> {
    let error: Error = result.expect_err("the model is broken");
    error
        .problems()
        .iter()
        .map(|problem| format!("{}: {}", problem.site, problem.message))
        .collect()
}
