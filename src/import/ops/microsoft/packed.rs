//! Small numbers that stand together in bytes.

use crate::import::build::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::ValueId;
use crate::onnx::Node;
use crate::tensor::{DType, Tensor, TensorError, volume};
use bytes::Bytes;

/// An attribute that is a size.
pub(super) fn dimension(node: &Node, name: &str) -> Result<usize, OpError> {
    let value = integer(node, name, None)?;
    let size = usize::try_from(value).ok().filter(|&size| size > 0);
    size.ok_or_else(|| OpError::invalid(format!("attribute `{name}` is {value}")))
}

/// An attribute that is a whole number; without a default it must be there.
pub(super) fn integer(node: &Node, name: &str, default: Option<i64>) -> Result<i64, OpError> {
    let value = node.attrs.int(name)?.or(default);
    value.ok_or_else(|| OpError::invalid(format!("attribute `{name}` is missing")))
}

/// A number of bits that codes may have.
pub(super) fn width_of(what: &'static str, bits: i64) -> Result<usize, OpError> {
    match bits {
        2 => Ok(2),
        4 => Ok(4),
        8 => Ok(8),
        other => Err(OpError::Value { what, value: other.to_string(), supported: "2, 4, 8" }),
    }
}

/// What unsigned codes of so many bits mean as 0 where nothing else is said.
pub(super) fn middle(bits: usize) -> f32 {
    match bits {
        2 => 2.0,
        4 => 8.0,
        _ => 128.0,
    }
}

/// Rows of whole numbers of 2, 4 or 8 bits, the first in the lowest bits. Each row begins with a
/// byte of its own.
pub(super) struct Codes {
    bytes: Bytes,
    bits: usize,
    /// How many there are in a row.
    row: usize,
    signed: bool,
}

impl Codes {
    /// The codes at an input.
    pub(super) fn read(ctx: &Ctx<'_>, at: usize, bits: usize, row: usize) -> Result<Self, OpError> {
        let name = ctx.input_name(at);
        let tensor = ctx.constant_input(at)?;
        let tensor =
            tensor.ok_or_else(|| OpError::invalid(format!("input `{name}` is missing")))?;
        Self::of(&tensor, bits, row)
    }

    /// The codes that a tensor holds.
    pub(super) fn of(tensor: &Tensor, bits: usize, row: usize) -> Result<Self, OpError> {
        let (row, signed) = match tensor.dtype() {
            DType::U8 => (row, false),
            // Rows of a tensor of the small type itself do not begin with a byte of their own.
            DType::I4 => (tensor.len(), true),
            dtype => {
                let what = "packed weights";
                return Err(OpError::DType { what, dtype, supported: "u8, i4" });
            }
        };
        let codes = Self { bytes: tensor.bytes().clone(), bits, row, signed };
        let width = codes.width();
        if width == 0 || !codes.bytes.len().is_multiple_of(width) {
            return Err(OpError::invalid(format!(
                "{} bytes are no rows of {row} numbers of {bits} bits",
                codes.bytes.len()
            )));
        }
        Ok(codes)
    }

    /// Bytes of a row.
    fn width(&self) -> usize {
        self.row.saturating_mul(self.bits).div_ceil(8)
    }

    /// Checks that there are so many rows.
    pub(super) fn expect(&self, name: &str, rows: usize) -> Result<(), OpError> {
        if rows.checked_mul(self.width()) == Some(self.bytes.len()) {
            return Ok(());
        }
        Err(OpError::invalid(format!(
            "input `{name}` has {} bytes, not {rows} times {}",
            self.bytes.len(),
            self.width()
        )))
    }

    /// One of the numbers, 0 beyond them.
    pub(super) fn at(&self, row: usize, column: usize) -> f32 {
        let bit = column.saturating_mul(self.bits);
        let at = row.saturating_mul(self.width()).saturating_add(bit / 8);
        let byte = self.bytes.get(at).copied().unwrap_or(0);
        let code = (byte >> (bit % 8)) & (0xff >> (8 - self.bits));
        if self.signed && code >= 8 { f32::from(code) - 16.0 } else { f32::from(code) }
    }

    /// All of them, row by row.
    pub(super) fn all(&self) -> Vec<f32> {
        let rows = self.bytes.len() / self.width().max(1);
        (0..rows).flat_map(|row| (0..self.row).map(move |column| self.at(row, column))).collect()
    }
}

/// Blocks along one axis of a tensor.
pub(super) struct Blocks {
    /// Elements of the axis.
    axis: usize,
    /// Places of the axes behind it.
    inner: usize,
    size: usize,
    /// Blocks along the axis.
    along: usize,
    count: usize,
    last: usize,
}

impl Blocks {
    /// Blocks of `size` elements along an axis of a tensor of these dimensions.
    pub(super) fn new(dims: &[usize], axis: usize, size: usize) -> Result<Self, OpError> {
        let mut counts = dims.to_vec();
        let none = || OpError::invalid("blocks along an axis that is not there");
        let along = counts.get_mut(axis).ok_or_else(none)?;
        let elements = *along;
        *along = elements.div_ceil(size);
        let along = *along;
        let inner = dims.get(axis + 1..).and_then(volume).ok_or_else(none)?;
        let count = volume(&counts).ok_or_else(none)?;
        let last = counts.last().copied().unwrap_or(1);
        Ok(Self { axis: elements, inner, size, along, count, last })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// How many there are along the last axis.
    pub(super) fn last(&self) -> usize {
        self.last
    }

    /// The block of the element at this place of all, in order.
    pub(super) fn of(&self, at: usize) -> usize {
        let inner = self.inner.max(1);
        let (column, rest) = (at % inner, at / inner);
        let (place, outer) = (rest % self.axis.max(1), rest / self.axis.max(1));
        (outer * self.along + place / self.size) * inner + column
    }
}

/// A constant of a floating-point type.
pub(super) fn constant(
    ctx: &mut Ctx<'_>,
    dtype: DType,
    dims: Vec<usize>,
    values: Vec<f32>,
) -> Result<ValueId, OpError> {
    let tensor = match Tensor::of_reals(dtype, dims, values) {
        Err(TensorError::NotReal(dtype)) => {
            let what = "the data";
            return Err(OpError::DType { what, dtype, supported: "f32, f16, bf16" });
        }
        made => made?,
    };
    Ok(ctx.constant_value(tensor))
}
