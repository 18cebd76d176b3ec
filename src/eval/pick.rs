//! Moving elements without looking at them: the base of every layer that reorders, repeats or picks
//! data.

use super::error::EvalError;
use super::index::count;
use crate::tensor::{DType, Tensor};
use std::borrow::Cow;

/// Elements of one type, numbered through all tensors it was made from.
pub(super) struct Source<'a> {
    dtype: DType,
    /// Bytes per element; types of 4 bits are unpacked to a byte each.
    width: usize,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Source<'a> {
    /// The elements of one tensor.
    pub(super) fn new(tensor: &'a Tensor) -> Self {
        let dtype = tensor.dtype();
        let bytes = match dtype.bits() {
            bits @ (2 | 4) => Cow::Owned(unpack(tensor.bytes(), bits, tensor.len())),
            _ => Cow::Borrowed(&tensor.bytes()[..]),
        };
        Self { dtype, width: dtype.bits().div_ceil(8), bytes }
    }

    /// The elements of these tensors one behind the other.
    pub(super) fn join(tensors: &[&'a Tensor]) -> Result<Self, EvalError> {
        let (first, rest) = tensors.split_first().ok_or(EvalError::Operands { at: 0, count: 0 })?;
        let mut source = Self::new(first);
        for (i, tensor) in rest.iter().enumerate() {
            if tensor.dtype() != source.dtype {
                let expected = "of the first operand's type";
                return Err(EvalError::Type { at: i + 1, actual: tensor.dtype(), expected });
            }
            source.bytes.to_mut().extend_from_slice(&Self::new(tensor).bytes);
        }
        Ok(source)
    }

    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    /// A tensor made of runs of `run` elements each, which begin at the elements `starts`.
    pub(super) fn runs(
        &self,
        dims: Vec<usize>,
        run: usize,
        starts: impl Iterator<Item = usize>,
    ) -> Result<Tensor, EvalError> {
        let bytes = count(&dims)?.saturating_mul(self.width);
        // Fixed sizes are copied several times faster than runs of a length known only here.
        let out = match (run, self.width) {
            (0, _) => Vec::new(),
            (1, 1) => self.units::<1>(bytes, starts)?,
            (1, 2) => self.units::<2>(bytes, starts)?,
            (1, 4) => self.units::<4>(bytes, starts)?,
            (1, 8) => self.units::<8>(bytes, starts)?,
            _ => {
                let length = run.saturating_mul(self.width);
                let mut out = Vec::with_capacity(bytes);
                for start in starts {
                    let at = start.saturating_mul(self.width);
                    let piece = self
                        .bytes
                        .get(at..at.saturating_add(length))
                        .ok_or_else(|| self.beyond(start))?;
                    out.extend_from_slice(piece);
                }
                out
            }
        };
        let packed = match self.dtype.bits() {
            bits @ (2 | 4) => pack(&out, bits),
            _ => out,
        };
        Ok(Tensor::of_bytes(self.dtype, dims, packed)?)
    }

    /// A tensor of the elements at these positions.
    pub(super) fn each(
        &self,
        dims: Vec<usize>,
        at: impl Iterator<Item = usize>,
    ) -> Result<Tensor, EvalError> {
        self.runs(dims, 1, at)
    }

    fn units<const W: usize>(
        &self,
        bytes: usize,
        at: impl Iterator<Item = usize>,
    ) -> Result<Vec<u8>, EvalError> {
        let (units, _) = self.bytes.as_chunks::<W>();
        let mut out = Vec::with_capacity(bytes / W);
        for at in at {
            out.push(*units.get(at).ok_or_else(|| self.beyond(at))?);
        }
        Ok(out.into_flattened())
    }

    fn beyond(&self, at: usize) -> EvalError {
        EvalError::Index { index: i64::try_from(at).unwrap_or(i64::MAX), size: self.len() }
    }
}

/// Elements of less than a byte, one per byte. The first stands in the low bits.
pub(super) fn unpack(bytes: &[u8], bits: usize, count: usize) -> Vec<u8> {
    let per_byte = 8 / bits;
    let mask = u8::MAX >> (8 - bits);
    (0..count).map(|i| bytes[i / per_byte] >> (i % per_byte * bits) & mask).collect()
}

/// The inverse of [`unpack`].
pub(super) fn pack(elements: &[u8], bits: usize) -> Vec<u8> {
    let mask = u8::MAX >> (8 - bits);
    let join =
        |piece: &[u8]| piece.iter().rev().fold(0, |byte, &element| byte << bits | element & mask);
    elements.chunks(8 / bits).map(join).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_every_width_move() {
        let nibbles = Tensor::of_bytes(DType::I4, vec![3], vec![0x21, 0x03]).unwrap();
        let reversed = Source::new(&nibbles).each(vec![3], [2, 1, 0].into_iter()).unwrap();
        assert_eq!(reversed.bytes()[..], [0x23, 0x01]);
        let longs = Tensor::vector(&[1i64, 2, 3]);
        assert_eq!(
            Source::new(&longs).runs(vec![2], 2, [1].into_iter()).unwrap(),
            Tensor::vector(&[2i64, 3])
        );
        let bytes = Tensor::vector(&[1u8, 2, 3]);
        assert_eq!(
            Source::new(&bytes).runs(vec![2], 2, [1].into_iter()).unwrap(),
            Tensor::vector(&[2u8, 3])
        );
        let halves = Tensor::vector(&[half::f16::ONE, half::f16::PI]);
        assert_eq!(
            Source::new(&halves).each(vec![1], [1].into_iter()).unwrap(),
            Tensor::vector(&[half::f16::PI])
        );
    }

    #[test]
    fn reading_beyond_the_end_is_an_error() {
        let data = Tensor::vector(&[1f32, 2.0]);
        let source = Source::new(&data);
        assert_eq!(
            source.each(vec![1], [2].into_iter()),
            Err(EvalError::Index { index: 2, size: 2 })
        );
        assert_eq!(
            source.runs(vec![3], 3, [0].into_iter()),
            Err(EvalError::Index { index: 0, size: 2 })
        );
    }
}
