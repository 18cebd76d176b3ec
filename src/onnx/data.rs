//! `TensorProto` and `SparseTensorProto` into [`Constant`].

use super::constant::{Constant, ElementType};
use super::external::{ExternalError, Folder};
use super::file::LFS_HINT;
use super::pb;
use crate::error::Kind;
use crate::tensor::{DType, Tensor, TensorError, volume};
use bytes::Bytes;
use half::{bf16, f16};
use std::path::PathBuf;

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
    #[error(
        "sparse tensor of type {dtype}{dims:?} is too large to be made dense: all of a model may \
         take {} MiB",
        MAX_DENSE_BYTES >> 20
    )]
    SparseSize { dtype: DType, dims: Vec<usize> },
}

impl DataError {
    /// Whether the file is at fault or we are.
    pub(super) fn kind(&self) -> Kind {
        match self {
            DataError::Segmented | DataError::SparseType(_) | DataError::SparseSize { .. } => {
                Kind::Unsupported
            }
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

    /// The files with external data that were read, sorted.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.folder.read_files()
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

    fn numbers(
        &mut self,
        proto: &pb::TensorProto,
        dtype: DType,
        dims: Vec<usize>,
    ) -> Result<Tensor, DataError> {
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
        let Constant::Tensor(values) = values else {
            return Err(DataError::SparseType(values.element()));
        };
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

/// Positions in the flattened tensor of shape `dims` that a sparse tensor's `indices` name: `[n]`
/// such positions, or `[n, rank]` coordinates.
fn positions(indices: &Constant, count: usize, dims: &[usize]) -> Result<Vec<usize>, DataError> {
    let shape_error = || DataError::SparseShape {
        dims: dims.to_owned(),
        values: count,
        indices: indices.dims().to_owned(),
    };
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
            position.ok_or_else(|| DataError::SparseIndex {
                index: index.to_vec(),
                dims: dims.to_owned(),
            })
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
/// Their name is where a tensor has its dimensions, which no writer packs into one field
/// (`begins_packed`) without also naming the tensor; their tensors are where a tensor has its
/// segments, which nobody uses; and an empty one holds no data at all.
pub(super) fn is_other_value(proto: &pb::TensorProto, begins_packed: bool) -> bool {
    let no_raw = proto.raw_data.is_none() && proto.external_data.is_empty();
    let no_data = no_raw
        && !has_typed_data(proto)
        && proto.string_data.is_empty()
        && !proto.dims.contains(&0);
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
        DType::F16 => {
            Tensor::of(dims, narrow(int32s, dtype)?.into_iter().map(f16::from_bits).collect())
        }
        DType::BF16 => {
            Tensor::of(dims, narrow(int32s, dtype)?.into_iter().map(bf16::from_bits).collect())
        }
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
fn narrow<A: Copy + Into<i128>, B: TryFrom<A>>(
    values: &[A],
    dtype: DType,
) -> Result<Vec<B>, DataError> {
    let one = |(index, &value): (usize, &A)| {
        B::try_from(value).map_err(|_| DataError::Range { index, value: value.into(), dtype })
    };
    values.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn data() -> Data {
        Data::new(Folder::new(Path::new("")))
    }

    fn tensor(code: i32, dims: &[i64]) -> pb::TensorProto {
        pb::TensorProto { data_type: Some(code), dims: dims.to_vec(), ..Default::default() }
    }

    #[test]
    fn typed_fields_become_bytes() {
        let ints = |code, dims: &[i64], int32_data: &[i32]| pb::TensorProto {
            int32_data: int32_data.to_vec(),
            ..tensor(code, dims)
        };
        let cases: [(pb::TensorProto, DType, &[u8]); 18] = [
            (
                pb::TensorProto { float_data: vec![1.0], ..tensor(1, &[]) },
                DType::F32,
                &[0, 0, 0x80, 0x3f],
            ),
            (ints(2, &[2], &[0, 255]), DType::U8, &[0, 255]),
            (ints(3, &[2], &[-1, 127]), DType::I8, &[255, 127]),
            (ints(4, &[1], &[65535]), DType::U16, &[255, 255]),
            (ints(5, &[1], &[-2]), DType::I16, &[254, 255]),
            (ints(6, &[1], &[-2]), DType::I32, &[254, 255, 255, 255]),
            (pb::TensorProto { int64_data: vec![-1], ..tensor(7, &[1]) }, DType::I64, &[255; 8]),
            (ints(9, &[3], &[0, 1, 7]), DType::Bool, &[0, 1, 1]),
            (ints(10, &[1], &[0x3c00]), DType::F16, &[0, 0x3c]),
            (
                pb::TensorProto { double_data: vec![1.0], ..tensor(11, &[1]) },
                DType::F64,
                &[0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
            ),
            (
                pb::TensorProto { uint64_data: vec![1 << 31], ..tensor(12, &[1]) },
                DType::U32,
                &[0, 0, 0, 0x80],
            ),
            (
                pb::TensorProto { uint64_data: vec![u64::MAX], ..tensor(13, &[1]) },
                DType::U64,
                &[255; 8],
            ),
            (ints(16, &[1], &[0xbf80]), DType::BF16, &[0x80, 0xbf]),
            (ints(17, &[1], &[0x38]), DType::F8E4M3, &[0x38]),
            (ints(22, &[3], &[0x21, 0x03]), DType::I4, &[0x21, 3]),
            (ints(25, &[5], &[0xe4, 1]), DType::U2, &[0xe4, 1]),
            (
                pb::TensorProto {
                    raw_data: Some(Bytes::from_static(&[1, 2])),
                    ..tensor(21, &[2, 2])
                },
                DType::U4,
                &[1, 2],
            ),
            (tensor(1, &[4, 0]), DType::F32, &[]),
        ];
        for (proto, dtype, bytes) in cases {
            let constant = data().constant(&proto).unwrap();
            let tensor = constant.tensor().unwrap();
            assert_eq!((tensor.dtype(), &tensor.bytes()[..]), (dtype, bytes));
        }
    }

    #[test]
    fn what_is_no_number_is_kept_apart() {
        let strings =
            pb::TensorProto { string_data: vec![Bytes::from_static(b"hi")], ..tensor(8, &[1]) };
        let constant = data().constant(&strings).unwrap();
        assert!(matches!(&constant, Constant::Strings { values, .. } if values[0] == "hi"));
        assert_eq!(
            constant.tensor().unwrap_err().to_string(),
            "constants of type string are not supported"
        );
        let complex = data().constant(&tensor(14, &[2])).unwrap();
        assert_eq!((complex.element(), complex.dims()), (ElementType::Complex64, &[2][..]));
    }

    #[test]
    fn contradictions_are_refused() {
        let raw = Some(Bytes::from_static(&[0; 8]));
        let cases = [
            (tensor(0, &[]), "tensor has no element type"),
            (tensor(99, &[]), "element type 99 is unknown"),
            (tensor(1, &[2, -3]), "dimension 1 is -3"),
            (
                tensor(1, &[i64::MAX, 5]),
                "a tensor of shape [9223372036854775807, 5] has more elements than memory can \
                 address",
            ),
            (
                tensor(1, &[1 << 40]),
                "f32[1099511627776] takes 4398046511104 bytes, but there are 0",
            ),
            (
                pb::TensorProto { raw_data: raw.clone(), ..tensor(1, &[3]) },
                "f32[3] takes 12 bytes, but there are 8",
            ),
            (
                pb::TensorProto { raw_data: raw, int64_data: vec![0], ..tensor(7, &[1]) },
                "tensor has both raw data and typed data",
            ),
            (
                pb::TensorProto { int32_data: vec![0, 300], ..tensor(2, &[2]) },
                "element 1 is 300, which does not fit u8",
            ),
            (tensor(8, &[2]), "tensor of strings has the shape [2], but holds 0"),
            (
                pb::TensorProto {
                    segment: Some(pb::tensor_proto::Segment::default()),
                    ..tensor(1, &[])
                },
                "tensors stored in segments are not supported",
            ),
        ];
        for (proto, expected) in cases {
            let error = data().constant(&proto).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.kind() == Kind::Unsupported, expected.ends_with("not supported"));
        }
    }

    fn sparse(
        values: &[f32],
        shape: &[i64],
        indices: &[i64],
        dims: &[i64],
    ) -> pb::SparseTensorProto {
        let count = i64::try_from(values.len()).unwrap();
        pb::SparseTensorProto {
            values: Some(pb::TensorProto { float_data: values.to_vec(), ..tensor(1, &[count]) }),
            indices: Some(pb::TensorProto { int64_data: indices.to_vec(), ..tensor(7, shape) }),
            dims: dims.to_vec(),
        }
    }

    #[test]
    fn sparse_tensors_become_dense() {
        for proto in [
            sparse(&[5.0, 7.0], &[2], &[1, 5], &[2, 3]),
            sparse(&[5.0, 7.0], &[2, 2], &[0, 1, 1, 2], &[2, 3]),
        ] {
            let constant = data().dense(&proto).unwrap();
            assert_eq!(
                constant.tensor().unwrap().to_f32s().unwrap().as_ref(),
                [0.0, 5.0, 0.0, 0.0, 0.0, 7.0]
            );
        }
        let cases = [
            (
                sparse(&[1.0], &[1], &[6], &[2, 3]),
                "index [6] of a sparse tensor is outside its shape [2, 3]",
            ),
            (
                sparse(&[1.0], &[1], &[-1], &[2, 3]),
                "index [-1] of a sparse tensor is outside its shape [2, 3]",
            ),
            (
                sparse(&[1.0], &[1, 2], &[0, 3], &[2, 3]),
                "index [0, 3] of a sparse tensor is outside its shape [2, 3]",
            ),
            (
                sparse(&[1.0], &[2], &[0, 1], &[4]),
                "sparse tensor of shape [4] has 1 values and indices of shape [2]",
            ),
            (
                sparse(&[1.0], &[1], &[0], &[i64::MAX, 9, 0]),
                "index [0] of a sparse tensor is outside its shape [9223372036854775807, 9, 0]",
            ),
            (pb::SparseTensorProto::default(), "sparse tensor has no values or no indices"),
            (
                sparse(&[1.0], &[1], &[0], &[1 << 30]),
                "sparse tensor of type f32[1073741824] is too large to be made dense: all of a \
                 model may take 1024 MiB",
            ),
        ];
        for (proto, expected) in cases {
            assert_eq!(data().dense(&proto).unwrap_err().to_string(), expected);
        }
    }
}
