//! Tensors into messages.

use super::constant::ElementType;
use super::model::DimSpec;
use super::pb;
use crate::tensor::{DType, Tensor};
use prost::Message;

/// A tensor as a message.
pub(super) fn tensor(name: &str, tensor: &Tensor) -> pb::TensorProto {
    pb::TensorProto {
        name: Some(name.to_owned()),
        data_type: Some(ElementType::Of(tensor.dtype()).to_onnx()),
        dims: tensor.dims().iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX)).collect(),
        raw_data: Some(tensor.bytes().clone()),
        ..Default::default()
    }
}

/// A value of the type and shape of a tensor.
pub(super) fn value_like(name: &str, like: &Tensor) -> pb::ValueInfoProto {
    let dims: Vec<DimSpec> = like.dims().iter().copied().map(DimSpec::Known).collect();
    value_info(name, like.dtype(), &dims)
}

/// A value of a type and shape.
pub(super) fn value_info(name: &str, dtype: DType, dims: &[DimSpec]) -> pb::ValueInfoProto {
    use pb::tensor_shape_proto::{Dimension, dimension::Value};
    let dim = |dim: &DimSpec| {
        let value = match dim {
            DimSpec::Known(size) => Some(Value::DimValue(i64::try_from(*size).unwrap_or(i64::MAX))),
            DimSpec::Symbol(name) => Some(Value::DimParam(name.to_string())),
            DimSpec::Unknown => None,
        };
        Dimension { value, ..Default::default() }
    };
    let shape = pb::TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let element = ElementType::Of(dtype).to_onnx();
    let value = pb::type_proto::Tensor { elem_type: Some(element), shape: Some(shape) };
    let ty = pb::TypeProto {
        value: Some(pb::type_proto::Value::TensorType(value)),
        ..Default::default()
    };
    pb::ValueInfoProto { name: Some(name.to_owned()), r#type: Some(ty), ..Default::default() }
}

/// A tensor as a file of ONNX test data holds it: `input_0.pb`.
pub fn tensor_bytes(name: &str, data: &Tensor) -> Vec<u8> {
    tensor(name, data).encode_to_vec()
}
