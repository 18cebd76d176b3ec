//! Constant data of a model: the element types of ONNX, and a tensor of any of them.

use crate::tensor::{DType, Tensor};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// Element type of an ONNX tensor (`TensorProto.DataType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the types")]
#[non_exhaustive]
pub enum ElementType {
    /// A type that a [`Tensor`] can hold.
    Of(DType),
    String,
    Complex64,
    Complex128,
    F6E2M3,
    F6E3M2,
    /// Not stated.
    Undefined,
}

impl ElementType {
    /// The type that ONNX numbers `code`; `None` where there is none.
    pub(super) fn from_onnx(code: i32) -> Option<Self> {
        use ElementType::Of;
        Some(match code {
            0 => ElementType::Undefined,
            1 => Of(DType::F32),
            2 => Of(DType::U8),
            3 => Of(DType::I8),
            4 => Of(DType::U16),
            5 => Of(DType::I16),
            6 => Of(DType::I32),
            7 => Of(DType::I64),
            8 => ElementType::String,
            9 => Of(DType::Bool),
            10 => Of(DType::F16),
            11 => Of(DType::F64),
            12 => Of(DType::U32),
            13 => Of(DType::U64),
            14 => ElementType::Complex64,
            15 => ElementType::Complex128,
            16 => Of(DType::BF16),
            17 => Of(DType::F8E4M3),
            18 => Of(DType::F8E4M3Fnuz),
            19 => Of(DType::F8E5M2),
            20 => Of(DType::F8E5M2Fnuz),
            21 => Of(DType::U4),
            22 => Of(DType::I4),
            23 => Of(DType::F4E2M1),
            24 => Of(DType::F8E8M0),
            25 => Of(DType::U2),
            26 => Of(DType::I2),
            27 => ElementType::F6E2M3,
            28 => ElementType::F6E3M2,
            _ => return None,
        })
    }

    /// ONNX's number for the type.
    pub(super) fn to_onnx(self) -> i32 {
        (0..=28).find(|&code| Self::from_onnx(code) == Some(self)).unwrap_or(0)
    }

    /// The type as a [`DType`]; `None` for those that no [`Tensor`] can hold.
    pub fn dtype(self) -> Option<DType> {
        if let ElementType::Of(dtype) = self { Some(dtype) } else { None }
    }
}

/// The type that ONNX numbers `code` (`TensorProto.DataType`), as `Cast`'s attribute `to` gives it;
/// `None` where no
/// [`Tensor`] can hold it.
pub fn dtype_from_onnx(code: i64) -> Option<DType> {
    ElementType::from_onnx(i32::try_from(code).ok()?)?.dtype()
}

/// As [`DType`]; `string`, `complex64` and so on for the others.
impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ElementType::Of(dtype) => dtype.name(),
            ElementType::String => "string",
            ElementType::Complex64 => "complex64",
            ElementType::Complex128 => "complex128",
            ElementType::F6E2M3 => "f6e2m3",
            ElementType::F6E3M2 => "f6e3m2",
            ElementType::Undefined => "undefined",
        })
    }
}

/// Constant data: an initializer, a tensor attribute, or test data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constant {
    /// Numbers or booleans. Bytes that the file stores raw are not copied.
    Tensor(Tensor),
    /// Strings, which no TensorRT network can hold.
    Strings {
        /// Shape; empty for a scalar.
        dims: Vec<usize>,
        /// The strings in row-major order; bytes that need not be UTF-8.
        values: Arc<[Bytes]>,
    },
    /// Data of a type that nothing here computes with; its bytes are not kept.
    Other {
        /// Element type.
        element: ElementType,
        /// Shape; empty for a scalar.
        dims: Vec<usize>,
    },
}

/// A constant is of a type that no TensorRT network can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("constants of type {0} are not supported")]
pub struct UnsupportedElement(pub ElementType);

impl Constant {
    /// The numbers; an error where the constant holds none.
    pub fn tensor(&self) -> Result<&Tensor, UnsupportedElement> {
        if let Constant::Tensor(tensor) = self {
            Ok(tensor)
        } else {
            Err(UnsupportedElement(self.element()))
        }
    }

    /// Element type.
    pub fn element(&self) -> ElementType {
        match self {
            Constant::Tensor(tensor) => ElementType::Of(tensor.dtype()),
            Constant::Strings { .. } => ElementType::String,
            Constant::Other { element, .. } => *element,
        }
    }

    /// Shape; empty for a scalar.
    pub fn dims(&self) -> &[usize] {
        match self {
            Constant::Tensor(tensor) => tensor.dims(),
            Constant::Strings { dims, .. } | Constant::Other { dims, .. } => dims,
        }
    }
}
