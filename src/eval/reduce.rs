//! `Reduce` and `Cumulative`: one number from many, and running sums.

use super::error::EvalError;
use super::index::Lanes;
use super::number::{Number, with_whole_number};
use super::operand::{operand, reals, rounded};
use crate::network::layer::{Cumulative, CumulativeOperation, Reduce, ReduceOperation as Op};
use crate::tensor::Tensor;

/// Computes a `Reduce` layer. Sums of reals are kept in `f64`; whole numbers wrap around, and their
/// mean truncates.
pub(super) fn reduce(layer: &Reduce, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    let lanes = Lanes::new(data.dims(), &layer.axes)?;
    let dims = data.dims().iter().enumerate().filter_map(|(axis, &size)| {
        if layer.axes.contains(&axis) { layer.keep_dims.then_some(1) } else { Some(size) }
    });
    let dims: Vec<usize> = dims.collect();
    if data.dtype().is_int() {
        return with_whole_number!(data, 0, T => {
            let values = data.values::<T>().unwrap_or_default();
            Ok(Tensor::of(dims, whole(layer.operation, &lanes, &values)?)?)
        });
    }
    let values = reals(inputs, 0)?;
    let size = lanes.inside.len() as f64;
    let out = lanes.map(&values, |lane| match layer.operation {
        Op::Sum => lane.map(f64::from).sum::<f64>() as f32,
        Op::Prod => lane.map(f64::from).product::<f64>() as f32,
        Op::Avg => (lane.map(f64::from).sum::<f64>() / size) as f32,
        Op::Max => lane.fold(f32::LOWEST, Number::larger),
        Op::Min => lane.fold(f32::HIGHEST, Number::smaller),
    });
    rounded(data.dtype(), dims, out)
}

fn whole<T: Number + TryFrom<i64> + Into<i64>>(
    operation: Op,
    lanes: &Lanes,
    values: &[T],
) -> Result<Vec<T>, EvalError> {
    if operation == Op::Avg && lanes.inside.is_empty() && !lanes.starts.is_empty() {
        return Err(EvalError::DivisionByZero);
    }
    let size = i128::try_from(lanes.inside.len()).unwrap_or(i128::MAX);
    Ok(lanes.map(values, |lane| match operation {
        Op::Sum => lane.fold(T::ZERO, Number::add),
        Op::Prod => lane.fold(T::ONE, Number::mul),
        Op::Max => lane.fold(T::LOWEST, Number::larger),
        Op::Min => lane.fold(T::HIGHEST, Number::smaller),
        Op::Avg => {
            let sum: i128 = lane.map(|x| i128::from(x.into())).sum();
            // A mean lies between its terms, so that it always fits.
            i64::try_from(sum / size)
                .ok()
                .and_then(|mean| T::try_from(mean).ok())
                .unwrap_or(T::ZERO)
        }
    }))
}

/// Computes a `Cumulative` layer. Sums of reals are kept in `f64`; whole numbers wrap around.
pub(super) fn cumulative(layer: &Cumulative, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let CumulativeOperation::Sum = layer.operation;
    let data = operand(inputs, 0)?;
    let mut lanes = Lanes::new(data.dims(), &[layer.axis])?;
    if layer.reverse {
        lanes.inside.reverse();
    }
    let dims = data.dims().to_vec();
    if data.dtype().is_int() {
        return with_whole_number!(data, 0, T => {
            let values = data.values::<T>().unwrap_or_default();
            Ok(Tensor::of(dims, running(layer, &lanes, &values, T::ZERO, Number::add, |sum| sum))?)
        });
    }
    let values = reals(inputs, 0)?;
    let sums = running(layer, &lanes, &values, 0f64, |sum, x| sum + f64::from(x), |sum| sum as f32);
    rounded(data.dtype(), dims, sums)
}

fn running<T: Number, A: Copy>(
    layer: &Cumulative,
    lanes: &Lanes,
    values: &[T],
    zero: A,
    add: impl Fn(A, T) -> A,
    result: impl Fn(A) -> T,
) -> Vec<T> {
    let mut out = vec![T::ZERO; values.len()];
    for &start in &lanes.starts {
        let mut sum = zero;
        for &step in &lanes.inside {
            let before = sum;
            sum = add(sum, values[start + step]);
            out[start + step] = result(if layer.exclusive { before } else { sum });
        }
    }
    out
}

impl Lanes {
    /// One number from each lane of `values`.
    fn map<T: Number>(&self, values: &[T], f: impl Fn(&mut dyn Iterator<Item = T>) -> T) -> Vec<T> {
        self.starts
            .iter()
            .map(|start| f(&mut self.inside.iter().map(|step| values[start + step])))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(
        operation: Op,
        axes: &[usize],
        keep_dims: bool,
        data: &Tensor,
    ) -> Result<Tensor, EvalError> {
        reduce(&Reduce { operation, axes: axes.to_vec(), keep_dims }, &[data])
    }

    #[test]
    fn axes_vanish_or_stay_as_1() {
        let data = Tensor::of(vec![2, 3], vec![1f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let expect = |dims: &[usize], values: &[f32]| {
            Ok(Tensor::of(dims.to_vec(), values.to_vec()).unwrap())
        };
        assert_eq!(run(Op::Sum, &[0], false, &data), expect(&[3], &[5.0, 7.0, 9.0]));
        assert_eq!(run(Op::Avg, &[1], true, &data), expect(&[2, 1], &[2.0, 5.0]));
        assert_eq!(run(Op::Prod, &[0, 1], false, &data), expect(&[], &[720.0]));
        assert_eq!(run(Op::Max, &[1], false, &data), expect(&[2], &[3.0, 6.0]));
        assert_eq!(run(Op::Min, &[0], true, &data), expect(&[1, 3], &[1.0, 2.0, 3.0]));
        assert_eq!(run(Op::Min, &[2], true, &data), Err(EvalError::Axis { axis: 2, rank: 2 }));
    }

    #[test]
    fn whole_numbers_and_empty_lanes() {
        let data = Tensor::vector(&[-5i32, 2, 0]);
        assert_eq!(run(Op::Avg, &[0], false, &data), Ok(Tensor::scalar(-1i32)));
        let large = Tensor::vector(&[i64::MAX, i64::MAX]);
        assert_eq!(run(Op::Avg, &[0], false, &large), Ok(Tensor::scalar(i64::MAX)));
        assert_eq!(run(Op::Sum, &[0], false, &large), Ok(Tensor::scalar(-2i64)));
        let empty = Tensor::of(vec![0, 2], Vec::<f32>::new()).unwrap();
        assert_eq!(run(Op::Max, &[0], false, &empty), Ok(Tensor::vector(&[f32::NEG_INFINITY; 2])));
        assert_eq!(run(Op::Prod, &[0], false, &empty), Ok(Tensor::vector(&[1f32; 2])));
        let empty = Tensor::of(vec![0], Vec::<i64>::new()).unwrap();
        assert_eq!(run(Op::Avg, &[0], false, &empty), Err(EvalError::DivisionByZero));
        let bools = Tensor::of_bools(vec![1], [true]).unwrap();
        assert_eq!(
            run(Op::Max, &[0], false, &bools).unwrap_err().to_string(),
            "operand 0 is bool, but must be floating point"
        );
    }

    #[test]
    fn running_sums_go_both_ways() {
        let data = Tensor::of(vec![2, 3], vec![1i32, 2, 3, 4, 5, 6]).unwrap();
        for (axis, exclusive, reverse, expected) in [
            (1, false, false, [1, 3, 6, 4, 9, 15]),
            (1, true, false, [0, 1, 3, 0, 4, 9]),
            (1, false, true, [6, 5, 3, 15, 11, 6]),
            (0, true, true, [4, 5, 6, 0, 0, 0]),
        ] {
            let layer =
                Cumulative { operation: CumulativeOperation::Sum, axis, exclusive, reverse };
            assert_eq!(
                cumulative(&layer, &[&data]).unwrap(),
                Tensor::of(vec![2, 3], expected.to_vec()).unwrap()
            );
        }
        let layer = Cumulative {
            operation: CumulativeOperation::Sum,
            axis: 0,
            exclusive: false,
            reverse: false,
        };
        assert_eq!(
            cumulative(&layer, &[&Tensor::vector(&[0.5f32, 1.0])]).unwrap(),
            Tensor::vector(&[0.5f32, 1.5])
        );
    }
}
