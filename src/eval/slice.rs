//! `Slice`: boxes of the data, strided, and what lies outside the data.

use super::error::EvalError;
use super::index::{count, grid, outside, strides};
use super::operand::{entries, list, operand, size};
use super::pick::Source;
use crate::network::layer::{SampleMode, Slice};
use crate::tensor::Tensor;
use bytes::Bytes;

/// Computes a `Slice` layer.
pub(super) fn slice(layer: &Slice, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    let rank = data.dims().len();
    let (start, sizes, stride) =
        (list(&layer.start, inputs)?, list(&layer.size, inputs)?, list(&layer.stride, inputs)?);
    entries("start", start.len(), rank)?;
    entries("size", sizes.len(), rank)?;
    entries("stride", stride.len(), rank)?;
    let dims =
        sizes.iter().map(|&n| size("a size of the slice", n)).collect::<Result<Vec<_>, _>>()?;
    if count(&dims)? == 0 {
        return Source::new(data).each(dims, std::iter::empty());
    }
    let mut axes = Vec::with_capacity(rank);
    for (axis, distance) in strides(data.dims()).into_iter().enumerate() {
        let steps = Steps {
            start: start[axis],
            stride: stride[axis],
            count: dims[axis],
            size: data.dims()[axis],
        };
        axes.push(steps.offsets(layer.mode, distance.cast_unsigned())?);
    }
    let fill;
    let filled = match layer.mode {
        SampleMode::Fill => {
            fill = fill_value(layer, data, inputs)?;
            Source::join(&[data, &fill])?
        }
        _ => Source::new(data),
    };
    let run = dense_run(&axes);
    let starts = grid(&axes, data.len(), run);
    filled.runs(dims, run, starts)
}

/// One axis of a slice: which elements it takes from an axis of `size` elements.
struct Steps {
    start: i64,
    stride: i64,
    count: usize,
    size: usize,
}

impl Steps {
    /// The offset of each element taken; `None` is the fill value.
    fn offsets(&self, mode: SampleMode, distance: usize) -> Result<Vec<Option<usize>>, EvalError> {
        let at = |i: usize| {
            let step = i64::try_from(i).ok().and_then(|i| i.checked_mul(self.stride));
            let rule = "stay within the range of 64 bits";
            let beyond =
                EvalError::Attribute { what: "stride of a slice", value: self.stride, rule };
            let position = step.and_then(|step| step.checked_add(self.start)).ok_or(beyond)?;
            Ok(outside(mode, position, self.size)?.map(|at| at * distance))
        };
        (0..self.count).map(at).collect()
    }
}

fn fill_value(layer: &Slice, data: &Tensor, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let Some(at) = layer.fill else {
        let width = data.dtype().bits().div_ceil(8);
        return Ok(Tensor::new(data.dtype(), vec![1], Bytes::from(vec![0; width]))?);
    };
    let fill = operand(inputs, at)?;
    if fill.dtype() != data.dtype() {
        return Err(EvalError::Type { at, actual: fill.dtype(), expected: "of the data's type" });
    }
    if fill.len() != 1 {
        return Err(EvalError::Shape { at, dims: fill.dims().to_vec(), rule: "hold one element" });
    }
    Ok(fill.clone())
}

/// How many elements can be moved at once: the whole innermost axis, where it is dense and nothing
/// lies outside.
fn dense_run(axes: &[Vec<Option<usize>>]) -> usize {
    let dense = |axis: &Vec<Option<usize>>| {
        axis.windows(2).all(|w| matches!(w, [Some(a), Some(b)] if a + 1 == *b))
    };
    match axes.last() {
        Some(last) if dense(last) && axes.iter().flatten().all(Option::is_some) => last.len(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::layer::Arg;

    fn layer(start: &[i64], size: &[i64], stride: &[i64], mode: SampleMode) -> Slice {
        let fixed = |list: &[i64]| Arg::Static(list.to_vec());
        Slice { start: fixed(start), size: fixed(size), stride: fixed(stride), mode, fill: None }
    }

    #[test]
    fn boxes_with_any_stride() {
        let data = Tensor::of(vec![3, 4], (0..12).collect::<Vec<i32>>()).unwrap();
        let strict = |start: &[i64], size: &[i64], stride: &[i64]| {
            slice(&layer(start, size, stride, SampleMode::StrictBounds), &[&data])
        };
        let expect = |dims: &[usize], values: &[i32]| {
            Ok(Tensor::of(dims.to_vec(), values.to_vec()).unwrap())
        };
        assert_eq!(strict(&[1, 1], &[2, 2], &[1, 1]), expect(&[2, 2], &[5, 6, 9, 10]));
        assert_eq!(strict(&[2, 3], &[2, 2], &[-2, -3]), expect(&[2, 2], &[11, 8, 3, 0]));
        assert_eq!(strict(&[0, 9], &[3, 0], &[1, 1]), expect(&[3, 0], &[]));
        assert_eq!(strict(&[0, 3], &[1, 2], &[1, 1]), Err(EvalError::Index { index: 4, size: 4 }));
        assert!(strict(&[0], &[1], &[1]).is_err());
        assert!(strict(&[0, 0], &[1, -1], &[1, 1]).is_err());
        assert!(strict(&[0, 1], &[1, 3], &[1, i64::MAX]).is_err());
        assert!(strict(&[0, 0], &[i64::MAX, i64::MAX], &[0, 0]).is_err());
    }

    #[test]
    fn what_lies_outside_follows_the_mode() {
        let data = Tensor::vector(&[1f32, 2.0, 3.0]);
        let run = |mode| {
            slice(&layer(&[-2], &[7], &[1], mode), &[&data])
                .unwrap()
                .to_f32s()
                .unwrap()
                .into_owned()
        };
        assert_eq!(run(SampleMode::Fill), [0.0, 0.0, 1.0, 2.0, 3.0, 0.0, 0.0]);
        assert_eq!(run(SampleMode::Clamp), [1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 3.0]);
        assert_eq!(run(SampleMode::Reflect), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
        assert_eq!(run(SampleMode::Wrap), [2.0, 3.0, 1.0, 2.0, 3.0, 1.0, 2.0]);
        let filled = Slice { fill: Some(1), ..layer(&[2], &[2], &[1], SampleMode::Fill) };
        assert_eq!(
            slice(&filled, &[&data, &Tensor::scalar(7f32)]).unwrap(),
            Tensor::vector(&[3f32, 7.0])
        );
        assert!(slice(&filled, &[&data, &Tensor::scalar(7i32)]).is_err());
    }

    #[test]
    fn arguments_come_from_tensors() {
        let data = Tensor::vector(&[1i64, 2, 3, 4]);
        let layer =
            Slice { start: Arg::Input(1), ..layer(&[], &[2], &[1], SampleMode::StrictBounds) };
        assert_eq!(
            slice(&layer, &[&data, &Tensor::vector(&[2i32])]).unwrap(),
            Tensor::vector(&[3i64, 4])
        );
        assert_eq!(slice(&layer, &[&data]), Err(EvalError::Operands { at: 1, count: 1 }));
    }
}
