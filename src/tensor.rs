//! Element types, and tensors that hold data.
//!
//! A [`Tensor`] shares its bytes: weights are slices of the mapped model file and are never copied
//! on the way to TensorRT. There is no arithmetic here; that is `eval`'s.

use crate::memory::Held;
use bytes::Bytes;
use half::{bf16, f16};
use std::borrow::Cow;
use std::fmt;

/// Type of a tensor's elements.
///
/// The first group is what a TensorRT network can hold (`nvinfer1::DataType`); the second occurs
/// only in ONNX files and is converted at import.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the types")]
#[non_exhaustive]
pub enum DType {
    F32,
    F16,
    BF16,
    I8,
    U8,
    I32,
    I64,
    Bool,
    /// 1 sign, 4 exponent, 3 mantissa bits; no infinities (ONNX `FLOAT8E4M3FN`).
    F8E4M3,
    /// Two elements a byte, the first in the low bits.
    I4,
    /// 1 sign, 2 exponent, 1 mantissa bit; two elements a byte.
    F4E2M1,
    /// An exponent alone: 2^(x − 127).
    F8E8M0,
    // Only in ONNX files.
    F64,
    I16,
    U16,
    U32,
    U64,
    U4,
    F8E4M3Fnuz,
    F8E5M2,
    F8E5M2Fnuz,
    I2,
    U2,
}

impl DType {
    /// Size of one element in bits.
    pub const fn bits(self) -> usize {
        match self {
            DType::F64 | DType::I64 | DType::U64 => 64,
            DType::F32 | DType::I32 | DType::U32 => 32,
            DType::F16 | DType::BF16 | DType::I16 | DType::U16 => 16,
            DType::I8
            | DType::U8
            | DType::Bool
            | DType::F8E4M3
            | DType::F8E8M0
            | DType::F8E4M3Fnuz
            | DType::F8E5M2
            | DType::F8E5M2Fnuz => 8,
            DType::I4 | DType::U4 | DType::F4E2M1 => 4,
            DType::I2 | DType::U2 => 2,
        }
    }

    /// Bytes that `count` elements take; `None` where that overflows.
    pub fn bytes_for(self, count: usize) -> Option<usize> {
        count.checked_mul(self.bits()).map(|bits| bits.div_ceil(8))
    }

    /// Whether a tensor of a TensorRT network can have this type.
    pub const fn in_tensorrt(self) -> bool {
        matches!(
            self,
            DType::F32
                | DType::F16
                | DType::BF16
                | DType::I8
                | DType::U8
                | DType::I32
                | DType::I64
                | DType::Bool
                | DType::F8E4M3
                | DType::I4
                | DType::F4E2M1
                | DType::F8E8M0
        )
    }

    /// Whether this is a floating-point type that arithmetic layers compute in.
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F16 | DType::BF16 | DType::F64)
    }

    /// Whether this is a whole-number type of at least 8 bits (not bool).
    pub const fn is_int(self) -> bool {
        matches!(
            self,
            DType::I8
                | DType::U8
                | DType::I16
                | DType::U16
                | DType::I32
                | DType::U32
                | DType::I64
                | DType::U64
        )
    }

    /// The short name used in texts: `f32`, `i64`, `bool`.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::I8 => "i8",
            DType::U8 => "u8",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::Bool => "bool",
            DType::F8E4M3 => "f8e4m3",
            DType::I4 => "i4",
            DType::F4E2M1 => "f4e2m1",
            DType::F8E8M0 => "f8e8m0",
            DType::F64 => "f64",
            DType::I16 => "i16",
            DType::U16 => "u16",
            DType::U32 => "u32",
            DType::U64 => "u64",
            DType::U4 => "u4",
            DType::F8E4M3Fnuz => "f8e4m3fnuz",
            DType::F8E5M2 => "f8e5m2",
            DType::F8E5M2Fnuz => "f8e5m2fnuz",
            DType::I2 => "i2",
            DType::U2 => "u2",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A Rust type whose values are the elements of one [`DType`].
///
/// `bytemuck::Pod` through `half`'s feature; `bool` is read as `u8`, where every value but 0 is
/// true.
pub trait Element: Copy + bytemuck::Pod + PartialEq + fmt::Debug + Send + Sync + 'static {
    /// The element type.
    const DTYPE: DType;
}

macro_rules! elements {
    ($($rust:ty => $dtype:ident),*) => {
        $(impl Element for $rust { const DTYPE: DType = DType::$dtype; })*
    };
}
elements!(
    f32 => F32, f64 => F64, f16 => F16, bf16 => BF16, i8 => I8, u8 => U8, i16 => I16, u16 => U16,
    i32 => I32, u32 => U32, i64 => I64, u64 => U64
);

/// A dense tensor in row-major order, little-endian, in shared bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Tensor {
    dtype: DType,
    dims: Vec<usize>,
    data: Bytes,
}

/// Why bytes are not a tensor of the claimed type and shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// The product of the dimensions does not fit in memory's address range.
    #[error("a tensor of shape {0:?} has more elements than memory can address")]
    TooLarge(Vec<usize>),
    /// The bytes are too few or too many.
    #[error("{dtype}{dims:?} takes {expected} bytes, but there are {actual}")]
    Length {
        /// Claimed type.
        dtype: DType,
        /// Claimed shape.
        dims: Vec<usize>,
        /// Bytes that type and shape take.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
    /// Real numbers are rounded to `f32`, `f16` and `bf16` only.
    #[error("real numbers are not rounded to {0}")]
    NotReal(DType),
}

/// Number of elements of a tensor of this shape; `None` where that overflows.
pub fn volume(dims: &[usize]) -> Option<usize> {
    // A zero anywhere makes the tensor empty, even where the other dimensions would overflow.
    if dims.contains(&0) {
        return Some(0);
    }
    dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
}

impl Tensor {
    /// A tensor over `data`, whose length must be exactly what type and shape take.
    pub fn new(dtype: DType, dims: Vec<usize>, data: Bytes) -> Result<Self, TensorError> {
        let expected = volume(&dims).and_then(|n| dtype.bytes_for(n));
        match expected {
            None => Err(TensorError::TooLarge(dims)),
            Some(expected) if expected != data.len() => {
                Err(TensorError::Length { dtype, dims, expected, actual: data.len() })
            }
            Some(_) => Ok(Self { dtype, dims, data }),
        }
    }

    /// A tensor that owns `values`; their number must be the shape's volume.
    pub fn of<T: Element>(dims: Vec<usize>, values: Vec<T>) -> Result<Self, TensorError> {
        Self::new(T::DTYPE, dims, owned(values))
    }

    /// A tensor that owns `data`, whose length must be exactly what type and shape take.
    pub fn of_bytes(dtype: DType, dims: Vec<usize>, data: Vec<u8>) -> Result<Self, TensorError> {
        Self::new(dtype, dims, owned(data))
    }

    /// A tensor of `f32`, `f16` or `bf16`, to which `values` are rounded half to even.
    pub fn of_reals(dtype: DType, dims: Vec<usize>, values: Vec<f32>) -> Result<Self, TensorError> {
        match dtype {
            DType::F32 => Self::of(dims, values),
            DType::F16 => Self::of(dims, values.into_iter().map(f16::from_f32).collect()),
            DType::BF16 => Self::of(dims, values.into_iter().map(bf16::from_f32).collect()),
            _ => Err(TensorError::NotReal(dtype)),
        }
    }

    /// A tensor of booleans.
    pub fn of_bools(
        dims: Vec<usize>,
        values: impl IntoIterator<Item = bool>,
    ) -> Result<Self, TensorError> {
        Self::of_bytes(DType::Bool, dims, values.into_iter().map(u8::from).collect())
    }

    /// A rank-0 tensor.
    pub fn scalar<T: Element>(value: T) -> Self {
        Self {
            dtype: T::DTYPE,
            dims: Vec::new(),
            data: Bytes::copy_from_slice(bytemuck::bytes_of(&value)),
        }
    }

    /// A rank-1 tensor.
    pub fn vector<T: Element>(values: &[T]) -> Self {
        Self {
            dtype: T::DTYPE,
            dims: vec![values.len()],
            data: Bytes::copy_from_slice(bytemuck::cast_slice(values)),
        }
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Shape; empty for a scalar.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        // It did not overflow when the tensor was made.
        volume(&self.dims).unwrap_or(0)
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The raw little-endian bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.data
    }

    /// The elements, without a copy where the bytes are aligned for `T`; `None` if they are of
    /// another type.
    pub fn values<T: Element>(&self) -> Option<Cow<'_, [T]>> {
        (self.dtype == T::DTYPE).then(|| cast(&self.data))
    }

    /// The elements of a tensor of booleans as bytes, where every value but 0 is true.
    pub fn bools(&self) -> Option<&[u8]> {
        (self.dtype == DType::Bool).then_some(&self.data[..])
    }

    /// Whole-number or boolean elements as `i64`; `None` for other types and for a `u64` that does
    /// not fit.
    pub fn to_i64s(&self) -> Option<Vec<i64>> {
        let d = &self.data;
        Some(match self.dtype {
            DType::I64 => cast::<i64>(d).into_owned(),
            DType::I32 => cast::<i32>(d).iter().map(|&x| x.into()).collect(),
            DType::I16 => cast::<i16>(d).iter().map(|&x| x.into()).collect(),
            DType::I8 => cast::<i8>(d).iter().map(|&x| x.into()).collect(),
            DType::U8 => d.iter().map(|&x| x.into()).collect(),
            DType::U16 => cast::<u16>(d).iter().map(|&x| x.into()).collect(),
            DType::U32 => cast::<u32>(d).iter().map(|&x| x.into()).collect(),
            DType::U64 => {
                cast::<u64>(d).iter().map(|&x| i64::try_from(x).ok()).collect::<Option<_>>()?
            }
            DType::Bool => d.iter().map(|&x| i64::from(x != 0)).collect(),
            _ => return None,
        })
    }

    /// Floating-point elements as `f32` (`f64` is rounded); `None` for other types.
    pub fn to_f32s(&self) -> Option<Cow<'_, [f32]>> {
        let d = &self.data;
        Some(match self.dtype {
            DType::F32 => cast::<f32>(d),
            #[allow(
                clippy::cast_possible_truncation,
                reason = "rounding to the nearest f32 is what is asked for"
            )]
            DType::F64 => cast::<f64>(d).iter().map(|&x| x as f32).collect(),
            DType::F16 => cast::<f16>(d).iter().map(|x| x.to_f32()).collect(),
            DType::BF16 => cast::<bf16>(d).iter().map(|x| x.to_f32()).collect(),
            _ => return None,
        })
    }

    /// The largest size of a finite element, for errors to be seen in proportion to; 0 where there
    /// is none.
    ///
    /// Numbers that stand for infinity, as masks leave them, do not count: those of 10,000 and more
    /// that are 1,000 times as large as all below them.
    pub fn scale(&self) -> f64 {
        const INFINITE: f64 = 1e4;
        const GAP: f64 = 1e3;
        let values = self.values::<f64>().or_else(|| {
            let values = self.to_f32s()?;
            Some(values.iter().map(|&value| f64::from(value)).collect())
        });
        let sizes = values.unwrap_or_default().iter().map(|value| value.abs()).collect::<Vec<_>>();
        let finite = || sizes.iter().copied().filter(|size| size.is_finite());
        let usual = finite().filter(|&size| size < INFINITE).fold(0.0, f64::max);
        let mut large: Vec<f64> = finite().filter(|&size| size >= INFINITE).collect();
        large.sort_by(f64::total_cmp);
        let mut scale = usual;
        for size in large {
            if scale > 0.0 && size >= GAP * scale {
                break;
            }
            scale = size;
        }
        scale
    }

    /// The elements as text, `[1.5, 2.0]`; of more than 8, or of types without a text, the start
    /// of their hash: `#5feceb66`.
    pub fn content(&self) -> String {
        if self.len() <= 8 {
            if let Some(values) = self.to_i64s() {
                return format!("{values:?}");
            }
            if let Some(values) = self.to_f32s() {
                return format!("{values:?}");
            }
        }
        let hash = crate::hash::sha256(&self.data);
        format!("#{}", hash.get(..8).unwrap_or_default())
    }

    /// The same elements in another shape of the same volume.
    pub fn reshaped(&self, dims: Vec<usize>) -> Result<Self, TensorError> {
        Self::new(self.dtype, dims, self.data.clone())
    }
}

/// The bytes of `values`, counted as memory that is held.
fn owned<T: Element>(values: Vec<T>) -> Bytes {
    // Kept as a vector of `T`, so that the bytes stay aligned for `values`.
    struct Owned<T>(Vec<T>, #[allow(dead_code, reason = "counts while it lives")] Held);
    impl<T: Element> AsRef<[u8]> for Owned<T> {
        fn as_ref(&self) -> &[u8] {
            bytemuck::cast_slice(&self.0)
        }
    }
    let held = Held::new(size_of_val(&values[..]));
    Bytes::from_owner(Owned(values, held))
}

/// Bytes as elements; copied only where they are not aligned for `T`.
fn cast<T: Element>(bytes: &[u8]) -> Cow<'_, [T]> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(slice) => Cow::Borrowed(slice),
        Err(_) => bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect(),
    }
}

/// Type, shape and, for a few elements, the values: `i64[3] = [1, 2, 3]`; for more, the start of a
/// hash of the bytes.
impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = self.content();
        let equals = if content.starts_with('[') { "= " } else { "" };
        write!(f, "{}{:?} {equals}{content}", self.dtype, self.dims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_checked_against_type_and_shape() {
        assert!(Tensor::of(vec![2, 3], vec![0f32; 6]).is_ok());
        let error = Tensor::of(vec![2, 3], vec![0f32; 5]).unwrap_err();
        assert_eq!(error.to_string(), "f32[2, 3] takes 24 bytes, but there are 20");
        let error = Tensor::new(DType::F32, vec![usize::MAX, 2], Bytes::new()).unwrap_err();
        assert!(matches!(error, TensorError::TooLarge(_)));
        assert!(Tensor::new(DType::F32, vec![usize::MAX, 0, 7], Bytes::new()).unwrap().is_empty());
        assert_eq!(
            Tensor::new(DType::I4, vec![3], Bytes::from_static(&[0x21, 3])).unwrap().len(),
            3
        );
    }

    #[test]
    fn unaligned_bytes_are_read_all_the_same() {
        let data = Bytes::from_static(&[9, 1, 0, 0, 0, 2, 0, 0, 0]).slice(1..);
        let tensor = Tensor::new(DType::I32, vec![2], data).unwrap();
        assert_eq!(tensor.values::<i32>().unwrap().as_ref(), [1, 2]);
        assert_eq!(tensor.to_i64s().unwrap(), [1, 2]);
        assert!(tensor.values::<f32>().is_none());
    }

    #[test]
    fn numbers_that_stand_for_infinity_have_no_scale() {
        let scale = |values: &[f32]| Tensor::vector(values).scale();
        assert!((scale(&[-3.0, 2.0]) - 3.0).abs() < 1e-9);
        assert!((scale(&[-3.0, -1e9, f32::INFINITY]) - 3.0).abs() < 1e-9);
        assert!((scale(&[-1e9]) - 1e9).abs() < 1e3);
        assert!((scale(&[1.0, 9000.0, 2e5]) - 2e5).abs() < 1e-9);
        assert!(scale(&[]).abs() < 1e-9);
        assert!((Tensor::vector(&[2f64, -1e300]).scale() - 2.0).abs() < 1e-9);
    }
}
