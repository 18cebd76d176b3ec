//! Where elements lie: strides, broadcasting, walks over boxes.

use super::error::{EvalError, MAX_ELEMENTS};
use crate::memory;
use crate::network::layer::SampleMode;
use crate::tensor::{DType, Tensor, volume};
use std::ops::Range;

/// The most bytes of an element while it is computed.
const MOST_ELEMENT_BYTES: usize = 8;

/// Number of elements of a value of this shape, if it is small enough to compute.
pub(super) fn count(dims: &[usize]) -> Result<usize, EvalError> {
    let count = volume(dims).filter(|&n| n <= MAX_ELEMENTS);
    let count = count.ok_or_else(|| EvalError::TooLarge(dims.to_vec()))?;
    room_for(count, || dims.to_vec())?;
    Ok(count)
}

/// Whether the budget has room for a value of `count` elements.
fn room_for(count: usize, dims: impl FnOnce() -> Vec<usize>) -> Result<(), EvalError> {
    let (bytes, left) = (count.saturating_mul(MOST_ELEMENT_BYTES), memory::left());
    if bytes <= left {
        return Ok(());
    }
    Err(EvalError::Memory { dims: dims(), bytes, left, budget: memory::budget() })
}

/// Whether the budget has room for the operands as the numbers that a layer computes with.
pub(super) fn room_to_widen(inputs: &[&Tensor]) -> Result<(), EvalError> {
    let widened = inputs.iter().filter(|input| input.dtype() != DType::F32);
    let count = widened.clone().map(|input| input.len()).sum();
    let largest = widened.max_by_key(|input| input.len());
    room_for(count, || largest.map(|input| input.dims().to_vec()).unwrap_or_default())
}

/// Refuses an axis outside `dims`; gives its size.
pub(super) fn size_at(dims: &[usize], axis: usize) -> Result<usize, EvalError> {
    dims.get(axis).copied().ok_or(EvalError::Axis { axis, rank: dims.len() })
}

/// The distance in elements between neighbors along each axis of a dense tensor.
///
/// Of an empty tensor they mean nothing, but are computed without overflow.
pub(super) fn strides(dims: &[usize]) -> Vec<isize> {
    let mut stride = 1isize;
    let mut out: Vec<isize> = dims
        .iter()
        .rev()
        .map(|&d| {
            let own = stride;
            stride = stride.wrapping_mul(d.cast_signed());
            own
        })
        .collect();
    out.reverse();
    out
}

/// The strides by which a tensor of shape `dims` is read as one of shape `to`: 0 along axes of size
/// 1.
///
/// Both have the same rank, as everywhere in TensorRT.
pub(super) fn broadcast_strides(dims: &[usize], to: &[usize]) -> Result<Vec<isize>, EvalError> {
    if dims.len() != to.len() || dims.iter().zip(to).any(|(&d, &t)| d != t && d != 1) {
        return Err(EvalError::Shapes(dims.to_vec(), to.to_vec()));
    }
    Ok(strides(dims)
        .into_iter()
        .zip(dims)
        .map(|(stride, &d)| if d == 1 { 0 } else { stride })
        .collect())
}

/// The shape that two shapes of one rank broadcast to.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, EvalError> {
    let misfit = || EvalError::Shapes(a.to_vec(), b.to_vec());
    if a.len() != b.len() {
        return Err(misfit());
    }
    a.iter()
        .zip(b)
        .map(|pair| match pair {
            (&x, &y) if x == y => Ok(x),
            (1, &d) | (&d, 1) => Ok(d),
            _ => Err(misfit()),
        })
        .collect()
}

/// Turns an index from the data into a position, if it lies in an axis of this size.
pub(super) fn position(index: i64, size: usize) -> Result<usize, EvalError> {
    usize::try_from(index).ok().filter(|&at| at < size).ok_or(EvalError::Index { index, size })
}

/// The element that stands for position `at` of an axis, which may lie outside; `None` is the fill
/// value.
pub(super) fn outside(mode: SampleMode, at: i64, size: usize) -> Result<Option<usize>, EvalError> {
    if let Ok(inside) = position(at, size) {
        return Ok(Some(inside));
    }
    let length = i64::try_from(size).unwrap_or(i64::MAX);
    let index = match mode {
        SampleMode::Fill => return Ok(None),
        SampleMode::StrictBounds => return Err(EvalError::Index { index: at, size }),
        _ if size == 0 => return Err(EvalError::Index { index: at, size }),
        SampleMode::Wrap => at.rem_euclid(length),
        SampleMode::Clamp => at.clamp(0, length - 1),
        SampleMode::Reflect if size == 1 => 0,
        SampleMode::Reflect => {
            let period = (length - 1).saturating_mul(2);
            let phase = at.rem_euclid(period);
            phase.min(period - phase)
        }
    };
    position(index, size).map(Some)
}

/// One axis of a [`Walk`]: its size and the stride in each tensor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis<const N: usize> {
    pub size: usize,
    pub strides: [isize; N],
}

/// The offsets, in N tensors at once, of the elements of a box in row-major order.
///
/// Axes that lie one behind the other in all tensors are walked as one.
#[derive(Debug, Clone)]
pub(super) struct Walk<const N: usize> {
    axes: Vec<Axis<N>>,
    at: Vec<usize>,
    offsets: [usize; N],
    left: usize,
}

impl<const N: usize> Walk<N> {
    /// A walk over a box of shape `dims`; each list of strides has one entry per axis.
    pub(super) fn new(dims: &[usize], strides: [&[isize]; N]) -> Self {
        let mut axes: Vec<Axis<N>> = Vec::with_capacity(dims.len());
        for (i, &size) in dims.iter().enumerate().filter(|&(_, &size)| size != 1) {
            let axis =
                Axis { size, strides: strides.map(|s| s.get(i).copied().unwrap_or_default()) };
            let joins = |outer: &Axis<N>| {
                (0..N).all(|t| outer.strides[t] == axis.strides[t].wrapping_mul(size.cast_signed()))
            };
            match axes.last_mut() {
                Some(outer) if joins(outer) => {
                    *outer = Axis { size: outer.size.saturating_mul(size), strides: axis.strides };
                }
                _ => axes.push(axis),
            }
        }
        Self { at: vec![0; axes.len()], axes, offsets: [0; N], left: volume(dims).unwrap_or(0) }
    }

    /// Takes the innermost axis off, which the caller then walks itself.
    pub(super) fn rows(mut self) -> (Self, Axis<N>) {
        let inner = self.axes.pop().unwrap_or(Axis { size: 1, strides: [1; N] });
        self.at.pop();
        self.left = self.left.checked_div(inner.size).unwrap_or(0);
        (self, inner)
    }
}

impl<const N: usize> Iterator for Walk<N> {
    type Item = [usize; N];

    fn next(&mut self) -> Option<[usize; N]> {
        self.left = self.left.checked_sub(1)?;
        let current = self.offsets;
        for (axis, at) in self.axes.iter().zip(&mut self.at).rev() {
            *at += 1;
            let back = if *at < axis.size { 1 } else { 1 - axis.size.cast_signed() };
            for (offset, stride) in self.offsets.iter_mut().zip(axis.strides) {
                *offset = offset.wrapping_add_signed(stride.wrapping_mul(back));
            }
            if *at < axis.size {
                break;
            }
            *at = 0;
        }
        Some(current)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<const N: usize> ExactSizeIterator for Walk<N> {}

/// A tensor seen as many small boxes, all alike: those along some axes, one for each index of the
/// others.
#[derive(Debug)]
pub(super) struct Lanes {
    /// Offset of the first element of each box, in row-major order of the other axes.
    pub starts: Vec<usize>,
    /// Offset of each element of a box from its first.
    pub inside: Vec<usize>,
}

impl Lanes {
    /// Boxes along `axes` of a tensor of shape `dims`.
    pub(super) fn new(dims: &[usize], axes: &[usize]) -> Result<Self, EvalError> {
        for &axis in axes {
            size_at(dims, axis)?;
        }
        let strides = strides(dims);
        let offsets = |wanted: bool| -> Result<Vec<usize>, EvalError> {
            let (dims, strides): (Vec<_>, Vec<_>) = (0..dims.len())
                .filter(|axis| axes.contains(axis) == wanted)
                .map(|axis| (dims[axis], strides[axis]))
                .unzip();
            count(&dims)?;
            Ok(Walk::new(&dims, [&strides]).map(|[offset]| offset).collect())
        };
        Ok(Self { starts: offsets(false)?, inside: offsets(true)? })
    }
}

/// The offsets of a grid of elements, from the offsets along each axis, in row-major order; `fill`
/// where any axis lies outside. Of every `run` elements only the first is given.
pub(super) fn grid(
    axes: &[Vec<Option<usize>>],
    fill: usize,
    run: usize,
) -> impl Iterator<Item = usize> {
    let total = axes.iter().map(Vec::len).product::<usize>() / run;
    let mut at = vec![0; axes.len()];
    (0..total).map(move |_| {
        let offset =
            axes.iter().zip(&at).try_fold(0, |sum, (axis, &i)| axis[i].map(|offset| sum + offset));
        let mut step = run;
        for (axis, i) in axes.iter().zip(&mut at).rev() {
            *i += step;
            if *i < axis.len() {
                break;
            }
            *i = 0;
            step = 1;
        }
        offset.unwrap_or(fill)
    })
}

/// Sizes before, at and behind an axis, multiplied.
pub(super) fn around(dims: &[usize], axis: usize) -> Result<(usize, usize, usize), EvalError> {
    let size = size_at(dims, axis)?;
    let part = |range: Range<usize>| count(dims.get(range).unwrap_or_default());
    Ok((part(0..axis)?, size, part(axis + 1..dims.len())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_visits_in_row_major_order() {
        let walk = Walk::new(&[2, 3], [&[1, 2], &[0, 1]]);
        let offsets: Vec<_> = walk.collect();
        assert_eq!(offsets, [[0, 0], [2, 1], [4, 2], [1, 0], [3, 1], [5, 2]]);
        assert_eq!(Walk::new(&[], [&[]]).collect::<Vec<_>>(), [[0]]);
        assert_eq!(Walk::new(&[3, 0, usize::MAX], [&[1, 1, 1]]).count(), 0);
    }

    #[test]
    fn dense_axes_are_joined() {
        let (outer, inner) = Walk::new(&[2, 3, 4], [&[12, 4, 1], &[12, 4, 1]]).rows();
        assert_eq!((outer.len(), inner.size, inner.strides), (1, 24, [1, 1]));
        let (outer, inner) = Walk::new(&[2, 3, 4], [&[12, 4, 1], &[0, 1, 0]]).rows();
        assert_eq!((outer.len(), inner.size, inner.strides), (6, 4, [1, 0]));
    }

    #[test]
    fn positions_outside_follow_the_mode() {
        let at = |mode, range: std::ops::Range<i64>| -> Vec<_> {
            range.map(|i| outside(mode, i, 3).unwrap().unwrap()).collect()
        };
        assert_eq!(at(SampleMode::Reflect, -3..7), [1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(at(SampleMode::Wrap, -3..5), [0, 1, 2, 0, 1, 2, 0, 1]);
        assert_eq!(at(SampleMode::Clamp, -2..5), [0, 0, 0, 1, 2, 2, 2]);
        assert_eq!(outside(SampleMode::Fill, -1, 3), Ok(None));
        assert_eq!(
            outside(SampleMode::StrictBounds, 3, 3),
            Err(EvalError::Index { index: 3, size: 3 })
        );
        assert_eq!(outside(SampleMode::Wrap, 0, 0), Err(EvalError::Index { index: 0, size: 0 }));
        assert_eq!(outside(SampleMode::Reflect, i64::MIN, 1), Ok(Some(0)));
    }

    #[test]
    fn lanes_split_a_tensor() {
        let lanes = Lanes::new(&[2, 3, 2], &[1]).unwrap();
        assert_eq!(lanes.starts, [0, 1, 6, 7]);
        assert_eq!(lanes.inside, [0, 2, 4]);
        assert_eq!(Lanes::new(&[2], &[1]).unwrap_err(), EvalError::Axis { axis: 1, rank: 1 });
    }
}
