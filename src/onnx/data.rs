//! `TensorProto` and `SparseTensorProto` into [`Constant`].

use super::constant::{Constant, ElementType};
use super::external::{ExternalError, Folder};
use super::file::LFS_HINT;
use super::pb;
use crate::error::Kind;
use crate::tensor::{DType, Tensor, TensorError, volume};
use bytes::Bytes;
use half::{bf16, f16};

/// What all sparse tensors of a model may take together when dense, in bytes.
const MAX_DENSE_BYTES: usize = 1 << 30;

/// Why a message is no tensor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DataError {
    #[error("tensor has no element type")]
    NoElementType,
    #[error("element type {0} is unknown")]
    UnknownElement(i32),
    #[error("dimension {index} is {size}")]
    Dim { index: usize, size: i64 },
    #[error(transparent)]
    Tensor(#[from] TensorError),
    #[error("tensor has both raw data and typed data")]
    TwoData,
    #[error("element {index} is {value}, which does not fit {dtype}")]
    Range { index: usize, value: i128, dtype: DType },
    #[error("tensor of strings has the shape {dims:?}, but holds {actual}")]
    Strings { dims: Vec<usize>, actual: usize },
    #[error("tensors stored in segments are not supported")]
    Segmented,
    #[error(transparent)]
    External(#[from] ExternalError),
    #[error("sparse tensor has no values or no indices")]
    SparseParts,
    #[error("sparse tensor of shape {dims:?} has {values} values and indices of shape {indices:?}")]
    SparseShape { dims: Vec<usize>, values: usize, indices: Vec<usize> },
    #[error("index {index:?} of a sparse tensor is outside its shape {dims:?}")]
    SparseIndex { index: Vec<i64>, dims: Vec<usize> },
    #[error("sparse tensors of type {0} are not supported")]
    SparseType(ElementType),
    #[error("sparse tensor of type {dtype}{dims:?} is too large to be made dense: all of a model may take {} MiB", MAX_DENSE_BYTES >> 20)]
    SparseSize { dtype: DType, dims: Vec<usize> },
}

impl DataError {
    /// Whether the file is at fault or we are.
    pub(super) fn kind(&self) -> Kind {
        match self {
            DataError::Segmented | DataError::SparseType(_) | DataError::SparseSize { .. } => Kind::Unsupported,
            _ => Kind::Invalid,
        }
    }

    /// The way out, where there is one.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            DataError::External(ExternalError::LfsPointer(_)) => Some(LFS_HINT),
            DataError::External(ExternalError::Outside { .. }) => {
                Some("only files in the model's own folder are read; copy the file there")
            }
            _ => None,
        }
    }
}

/// Makes constants; knows where external data is and how much sparse data has been made dense.
pub(super) struct Data {
    folder: Folder,
    dense_left: usize,
}

impl Data {
    pub(super) fn new(folder: Folder) -> Self {
        Self { folder, dense_left: MAX_DENSE_BYTES }
    }

    /// The tensor that `proto` describes. Raw and external bytes are shared, typed ones converted.
    pub(super) fn constant(&mut self, proto: &pb::TensorProto) -> Result<Constant, DataError> {
        if proto.segment.is_some() {
            return Err(DataError::Segmented);
        }
        let dims = dims(&proto.dims)?;
        match element(proto.data_type())? {
            ElementType::Of(dtype) => self.numbers(proto, dtype, dims).map(Constant::Tensor),
            ElementType::String => strings(proto, dims),
            ElementType::Undefined => Err(DataError::NoElementType),
            element => Ok(Constant::Other { element, dims }),
        }
    }

    fn numbers(&mut self, proto: &pb::TensorProto, dtype: DType, dims: Vec<usize>) -> Result<Tensor, DataError> {
        if proto.data_location() == pb::tensor_proto::DataLocation::External {
            let expected = bytes_of(dtype, &dims)?;
            let bytes = self.folder.read(&proto.external_data, expected)?;
            return Ok(Tensor::new(dtype, dims, bytes)?);
        }
        match (proto.raw_data(), has_typed_data(proto)) {
            ([], true) => typed(proto, dtype, dims),
            ([_, ..], true) => Err(DataError::TwoData),
            (_, false) => Ok(Tensor::new(dtype, dims, proto.raw_data.clone().unwrap_or_default())?),
        }
    }

    /// The dense form of a sparse tensor: 0 wherever it has no value.
    pub(super) fn dense(&mut self, proto: &pb::SparseTensorProto) -> Result<Constant, DataError> {
        let (Some(values), Some(indices)) = (&proto.values, &proto.indices) else {
            return Err(DataError::SparseParts);
        };
        let (values, indices) = (self.constant(values)?, self.constant(indices)?);
        let Constant::Tensor(values) = values else { return Err(DataError::SparseType(values.element())) };
        let dims = dims(&proto.dims)?;
        let (dtype, size) = (values.dtype(), values.dtype().bits() / 8);
        if size == 0 {
            return Err(DataError::SparseType(ElementType::Of(dtype)));
        }
        let total = bytes_of(dtype, &dims)?;
        match self.dense_left.checked_sub(total) {
            Some(left) => self.dense_left = left,
            None => return Err(DataError::SparseSize { dtype, dims }),
        }
        let mut bytes = vec![0u8; total];
        let positions = positions(&indices, values.len(), &dims)?;
        for (position, value) in positions.into_iter().zip(values.bytes().chunks_exact(size)) {
            if let Some(place) = bytes.get_mut(position * size..(position + 1) * size) {
                place.copy_from_slice(value);
            }
        }
        Ok(Constant::Tensor(Tensor::new(dtype, dims, bytes.into())?))
    }
}

/// Positions in the flattened tensor of shape `dims` that a sparse tensor's `indices` name: `[n]` such positions, or
/// `[n, rank]` coordinates.
fn positions(indices: &Constant, count: usize, dims: &[usize]) -> Result<Vec<usize>, DataError> {
    let shape_error =
        || DataError::SparseShape { dims: dims.to_owned(), values: count, indices: indices.dims().to_owned() };
    let linear = match indices.dims() {
        [n] if *n == count => true,
        [n, rank] if *n == count && *rank == dims.len() => false,
        _ => return Err(shape_error()),
    };
    let Constant::Tensor(tensor) = indices else { return Err(shape_error()) };
    let numbers = tensor.values::<i64>().ok_or_else(shape_error)?;
    let volume = volume(dims).unwrap_or(0);
    let width = if linear { 1 } else { dims.len().max(1) };
    numbers
        .chunks_exact(width)
        .map(|index| {
            let position = if volume == 0 {
                None
            } else if linear {
                index.first().and_then(|&i| usize::try_from(i).ok()).filter(|&i| i < volume)
            } else {
                index.iter().zip(dims).try_fold(0, |position, (&i, &dim)| {
                    usize::try_from(i).ok().filter(|&i| i < dim).map(|i| position * dim + i)
                })
            };
            position.ok_or_else(|| DataError::SparseIndex { index: index.to_vec(), dims: dims.to_owned() })
        })
        .collect()
}

/// The element type that ONNX numbers `code`.
pub(super) fn element(code: i32) -> Result<ElementType, DataError> {
    ElementType::from_onnx(code).ok_or(DataError::UnknownElement(code))
}

/// Sizes that are none are errors.
fn dims(dims: &[i64]) -> Result<Vec<usize>, DataError> {
    let size = |(index, &size)| usize::try_from(size).map_err(|_| DataError::Dim { index, size });
    dims.iter().enumerate().map(size).collect()
}

fn bytes_of(dtype: DType, dims: &[usize]) -> Result<usize, TensorError> {
    let bytes = volume(dims).and_then(|count| dtype.bytes_for(count));
    bytes.ok_or_else(|| TensorError::TooLarge(dims.to_owned()))
}

fn strings(proto: &pb::TensorProto, dims: Vec<usize>) -> Result<Constant, DataError> {
    let actual = proto.string_data.len();
    if volume(&dims) != Some(actual) {
        return Err(DataError::Strings { dims, actual });
    }
    Ok(Constant::Strings { dims, values: proto.string_data.as_slice().into() })
}

/// Whether a file that was read as a tensor is a sequence or an optional value.
///
/// Their name is where a tensor has its dimensions, which no writer packs into one field (`begins_packed`) without
/// also naming the tensor; their tensors are where a tensor has its segments, which nobody uses; and an empty one
/// holds no data at all.
pub(super) fn is_other_value(proto: &pb::TensorProto, begins_packed: bool) -> bool {
    let no_raw = proto.raw_data.is_none() && proto.external_data.is_empty();
    let no_data = no_raw && !has_typed_data(proto) && proto.string_data.is_empty() && !proto.dims.contains(&0);
    proto.segment.is_some() || no_data || (begins_packed && no_raw && proto.name.is_none())
}

fn has_typed_data(proto: &pb::TensorProto) -> bool {
    !(proto.float_data.is_empty()
        && proto.int32_data.is_empty()
        && proto.int64_data.is_empty()
        && proto.double_data.is_empty()
        && proto.uint64_data.is_empty())
}

/// A tensor from the field that ONNX assigns to its type; the others count as empty.
fn typed(proto: &pb::TensorProto, dtype: DType, dims: Vec<usize>) -> Result<Tensor, DataError> {
    let int32s = &proto.int32_data;
    Ok(match dtype {
        DType::F32 => Tensor::of(dims, proto.float_data.clone()),
        DType::F64 => Tensor::of(dims, proto.double_data.clone()),
        DType::I64 => Tensor::of(dims, proto.int64_data.clone()),
        DType::U64 => Tensor::of(dims, proto.uint64_data.clone()),
        DType::U32 => Tensor::of(dims, narrow::<u64, u32>(&proto.uint64_data, dtype)?),
        DType::I32 => Tensor::of(dims, int32s.clone()),
        DType::I16 => Tensor::of(dims, narrow::<i32, i16>(int32s, dtype)?),
        DType::U16 => Tensor::of(dims, narrow::<i32, u16>(int32s, dtype)?),
        DType::F16 => Tensor::of(dims, narrow(int32s, dtype)?.into_iter().map(f16::from_bits).collect()),
        DType::BF16 => Tensor::of(dims, narrow(int32s, dtype)?.into_iter().map(bf16::from_bits).collect()),
        DType::I8 => Tensor::of(dims, narrow::<i32, i8>(int32s, dtype)?),
        DType::Bool => Tensor::of_bools(dims, int32s.iter().map(|&value| value != 0)),
        // Bytes each, also where a byte holds two or four elements.
        DType::U8
        | DType::F8E4M3
        | DType::F8E4M3Fnuz
        | DType::F8E5M2
        | DType::F8E5M2Fnuz
        | DType::F8E8M0
        | DType::F4E2M1
        | DType::I4
        | DType::U4
        | DType::I2
        | DType::U2 => Tensor::new(dtype, dims, Bytes::from(narrow::<i32, u8>(int32s, dtype)?)),
    }?)
}

/// The numbers in a smaller type; `dtype` is what messages call it.
fn narrow<A: Copy + Into<i128>, B: TryFrom<A>>(values: &[A], dtype: DType) -> Result<Vec<B>, DataError> {
    let one = |(index, &value): (usize, &A)| {
        B::try_from(value).map_err(|_| DataError::Range { index, value: value.into(), dtype })
    };
    values.iter().enumerate().map(one).collect()
}
