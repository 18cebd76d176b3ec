//! Models in a line or two per node.
//!
//! ```text
//! Model::new(17).input("x", "f32[N, 3]").node("Relu", "x", "y").output("y", "f32[N, 3]")
//! ```

use pb::attribute_proto::AttributeType;
use pb::tensor_shape_proto::{Dimension, dimension};
use prost::Message;
use std::path::{Path, PathBuf};

/// The messages of ONNX as the build script generates them.
#[allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    clippy::pedantic,
    reason = "generated; holds all of the format"
)]
pub(crate) mod pb {
    include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
}

/// A model under construction.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    opsets: Vec<pb::OperatorSetIdProto>,
    graph: pb::GraphProto,
}

impl Model {
    /// An empty model whose nodes mean what this version of ONNX's operator set says.
    pub(crate) fn new(opset: i64) -> Self {
        Self { opsets: vec![operator_set("", opset)], graph: pb::GraphProto::default() }
    }

    /// Also imports an operator set of another domain.
    pub(crate) fn opset(mut self, domain: &str, version: i64) -> Self {
        self.opsets.push(operator_set(domain, version));
        self
    }

    /// An input of a type such as `f32[N, 3]`, or of none where the text is empty.
    pub(crate) fn input(mut self, name: &str, ty: &str) -> Self {
        self.graph.input.push(value_info(name, ty));
        self
    }

    /// An output, in the same way.
    pub(crate) fn output(mut self, name: &str, ty: &str) -> Self {
        self.graph.output.push(value_info(name, ty));
        self
    }

    /// The type that the file states for an inner value.
    pub(crate) fn value(mut self, name: &str, ty: &str) -> Self {
        self.graph.value_info.push(value_info(name, ty));
        self
    }

    /// An initializer.
    pub(crate) fn init<T: Element>(mut self, name: &str, dims: &[i64], values: &[T]) -> Self {
        let data = tensor(dims, values);
        self.graph.initializer.push(pb::TensorProto { name: Some(name.to_owned()), ..data });
        self
    }

    /// An initializer of `f32` without special values: -1, -0.75, … 1 without 0, and again.
    pub(crate) fn weights(self, name: &str, dims: &[i64]) -> Self {
        let count = dims.iter().product();
        let values: Vec<f32> =
            [-4i8, -3, -2, -1, 1, 2, 3, 4].map(|n| f32::from(n) / 4.0).repeat(count_of(count));
        self.init(name, dims, &values[..count_of(count)])
    }

    /// An initializer of `f32` whose data is where these entries say.
    pub(crate) fn external(mut self, name: &str, dims: &[i64], entries: &[(&str, &str)]) -> Self {
        let entry = |&(key, value): &(&str, &str)| pb::StringStringEntryProto {
            key: Some(key.to_owned()),
            value: Some(value.to_owned()),
        };
        self.graph.initializer.push(pb::TensorProto {
            name: Some(name.to_owned()),
            dims: dims.to_vec(),
            data_type: Some(f32::CODE),
            data_location: Some(pb::tensor_proto::DataLocation::External.into()),
            external_data: entries.iter().map(entry).collect(),
            ..Default::default()
        });
        self
    }

    /// A node named after its first output. Names are separated by spaces, `-` is an optional one
    /// left out; `ai.onnx.ml.Scaler` is an operator of another domain.
    pub(crate) fn node(mut self, op: &str, inputs: &str, outputs: &str) -> Self {
        let (domain, op) = op.rsplit_once('.').unwrap_or(("", op));
        let names = |text: &str| -> Vec<String> {
            text.split_whitespace()
                .map(|name| if name == "-" { "" } else { name }.to_owned())
                .collect()
        };
        let outputs = names(outputs);
        self.graph.node.push(pb::NodeProto {
            name: outputs.first().map(|output| format!("{op}_{output}")),
            op_type: Some(op.to_owned()),
            domain: Some(domain.to_owned()),
            input: names(inputs),
            output: outputs,
            ..Default::default()
        });
        self
    }

    /// Names the last node, or takes its name away where this is empty.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.last_node().name = Some(name.to_owned());
        self
    }

    /// Gives the last node an attribute.
    pub(crate) fn attr(mut self, name: &str, value: impl Into<pb::AttributeProto>) -> Self {
        self.last_node()
            .attribute
            .push(pb::AttributeProto { name: Some(name.to_owned()), ..value.into() });
        self
    }

    fn last_node(&mut self) -> &mut pb::NodeProto {
        self.graph.node.last_mut().expect("there is a node")
    }

    /// Changes the version of ONNX's operator set.
    pub(crate) fn opset_is(mut self, version: i64) -> Self {
        self.opsets[0].version = Some(version);
        self
    }

    /// The message.
    pub(crate) fn proto(&self) -> pb::ModelProto {
        pb::ModelProto {
            ir_version: Some(10),
            producer_name: Some("tests".to_owned()),
            opset_import: self.opsets.clone(),
            graph: Some(self.graph.clone()),
            ..Default::default()
        }
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.proto().encode_to_vec()
    }

    /// The model as the library reads it.
    pub(crate) fn read(&self) -> onnx2plan::Result<onnx2plan::onnx::Model> {
        onnx2plan::onnx::decode(self.bytes().into(), Path::new(""))
    }

    /// Writes `model.onnx` into a folder.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("model.onnx");
        std::fs::write(&path, self.bytes()).unwrap();
        path
    }
}

fn count_of(count: i64) -> usize {
    usize::try_from(count).expect("sizes are not negative")
}

fn operator_set(domain: &str, version: i64) -> pb::OperatorSetIdProto {
    pb::OperatorSetIdProto { domain: Some(domain.to_owned()), version: Some(version) }
}

/// A value of a type as the tool prints it: `f32[N, 3, ?]`, `i64[]`, `f32` for one of unknown rank.
fn value_info(name: &str, ty: &str) -> pb::ValueInfoProto {
    let tensor_type = || {
        let (element, dims) =
            ty.split_once('[').map_or((ty, None), |(element, dims)| (element, Some(dims)));
        let dims = dims.map(|dims| dims.strip_suffix(']').expect("a type ends in ]"));
        let shape = dims.map(|dims| pb::TensorShapeProto {
            dim: dims
                .split(',')
                .map(str::trim)
                .filter(|dim| !dim.is_empty())
                .map(dimension)
                .collect(),
        });
        let value = pb::type_proto::Tensor { elem_type: Some(code(element)), shape };
        pb::TypeProto {
            value: Some(pb::type_proto::Value::TensorType(value)),
            ..Default::default()
        }
    };
    pb::ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: (!ty.is_empty()).then(tensor_type),
        ..Default::default()
    }
}

fn dimension(text: &str) -> Dimension {
    let value = match text.parse() {
        Ok(size) => Some(dimension::Value::DimValue(size)),
        Err(_) if text == "?" => None,
        Err(_) => Some(dimension::Value::DimParam(text.to_owned())),
    };
    Dimension { value, ..Default::default() }
}

/// ONNX's number for an element type.
fn code(element: &str) -> i32 {
    const CODES: [(&str, i32); 12] = [
        ("f32", 1),
        ("u8", 2),
        ("i8", 3),
        ("i32", 6),
        ("i64", 7),
        ("string", 8),
        ("bool", 9),
        ("f16", 10),
        ("f64", 11),
        ("bf16", 16),
        ("f8e4m3", 17),
        ("i4", 22),
    ];
    let found = CODES.iter().find(|(name, _)| *name == element);
    found.unwrap_or_else(|| panic!("`{element}` is no element type")).1
}

/// What an initializer can be made of.
pub(crate) trait Element: bytemuck::NoUninit {
    /// ONNX's number for the type.
    const CODE: i32;
}

macro_rules! elements {
    ($($ty:ty = $code:literal),*) => { $(impl Element for $ty { const CODE: i32 = $code; })* };
}
elements!(f32 = 1, u8 = 2, i8 = 3, u16 = 4, i16 = 5, i32 = 6, i64 = 7, bool = 9, f64 = 11);

/// A tensor without a name.
pub(crate) fn tensor<T: Element>(dims: &[i64], values: &[T]) -> pb::TensorProto {
    assert_eq!(dims.iter().product::<i64>(), i64::try_from(values.len()).unwrap());
    pb::TensorProto {
        dims: dims.to_vec(),
        data_type: Some(T::CODE),
        raw_data: Some(bytemuck::cast_slice::<T, u8>(values).to_vec().into()),
        ..Default::default()
    }
}

/// An attribute without a name.
fn attribute(ty: AttributeType) -> pb::AttributeProto {
    pb::AttributeProto { r#type: Some(ty.into()), ..Default::default() }
}

impl From<i64> for pb::AttributeProto {
    fn from(value: i64) -> Self {
        Self { i: Some(value), ..attribute(AttributeType::Int) }
    }
}

impl From<f32> for pb::AttributeProto {
    fn from(value: f32) -> Self {
        Self { f: Some(value), ..attribute(AttributeType::Float) }
    }
}

impl From<&str> for pb::AttributeProto {
    fn from(value: &str) -> Self {
        Self { s: Some(value.to_owned().into()), ..attribute(AttributeType::String) }
    }
}

impl<const N: usize> From<[&str; N]> for pb::AttributeProto {
    fn from(values: [&str; N]) -> Self {
        Self {
            strings: values.map(|text| text.to_owned().into()).to_vec(),
            ..attribute(AttributeType::Strings)
        }
    }
}

impl<const N: usize> From<[i64; N]> for pb::AttributeProto {
    fn from(values: [i64; N]) -> Self {
        Self { ints: values.to_vec(), ..attribute(AttributeType::Ints) }
    }
}

impl<const N: usize> From<[f32; N]> for pb::AttributeProto {
    fn from(values: [f32; N]) -> Self {
        Self { floats: values.to_vec(), ..attribute(AttributeType::Floats) }
    }
}

/// The model's graph, as a subgraph.
impl From<Model> for pb::AttributeProto {
    fn from(body: Model) -> Self {
        // ONNX Runtime wants a name.
        let graph = pb::GraphProto { name: Some("body".to_owned()), ..body.graph };
        Self { g: Some(graph), ..attribute(AttributeType::Graph) }
    }
}

impl From<pb::TensorProto> for pb::AttributeProto {
    fn from(value: pb::TensorProto) -> Self {
        Self { t: Some(Box::new(value)), ..attribute(AttributeType::Tensor) }
    }
}
