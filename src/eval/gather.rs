//! `Gather`, `Scatter`, `ReverseSequence`, `OneHot` and `NonZero`: data picked or placed by index.

use super::error::EvalError;
use super::index::{Walk, around, count, position, size_at, strides};
use super::operand::{integer, integers, operand, reals, size, truths};
use super::pick::Source;
use crate::network::layer::{Gather, GatherMode, OneHot, ReverseSequence, Scatter, ScatterMode};
use crate::tensor::{DType, Tensor, volume};

/// Computes a `Gather` layer. Indices outside the data are errors, negative ones included.
pub(super) fn gather(layer: &Gather, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    match layer.mode {
        GatherMode::Default => gather_slices(layer, inputs),
        GatherMode::Element => {
            let dims = operand(inputs, 1)?.dims().to_vec();
            Source::new(operand(inputs, 0)?).each(dims, elements(layer.axis, inputs)?.into_iter())
        }
        GatherMode::Nd => {
            let (dims, run, starts) = vectors(layer.element_wise_dims, inputs)?;
            Source::new(operand(inputs, 0)?).runs(dims, run, starts.into_iter())
        }
    }
}

fn gather_slices(layer: &Gather, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let (data, indices) = (operand(inputs, 0)?, operand(inputs, 1)?);
    let (shared, axis) = (layer.element_wise_dims, layer.axis);
    let (before, size, run) = around(data.dims(), axis)?;
    let misfit = || EvalError::Shapes(data.dims().to_vec(), indices.dims().to_vec());
    let (batch, own) = indices.dims().split_at_checked(shared).ok_or_else(misfit)?;
    if shared > axis || data.dims()[..shared] != *batch {
        return Err(misfit());
    }
    let dims = [&data.dims()[..axis], own, &data.dims()[axis + 1..]].concat();
    if count(&dims)? == 0 {
        return Source::new(data).runs(dims, 0, std::iter::empty());
    }
    let at = integers(inputs, 1)?
        .into_iter()
        .map(|index| position(index, size))
        .collect::<Result<Vec<_>, _>>()?;
    let (per_batch, rows_per_batch) = (count(own)?, count(&data.dims()[shared..axis])?);
    let at = &at;
    let starts = (0..before).flat_map(move |row| {
        let batch = row / rows_per_batch;
        at[batch * per_batch..][..per_batch].iter().map(move |index| (row * size + index) * run)
    });
    Source::new(data).runs(dims, run, starts)
}

/// For each index of the second operand, the offset of the element of the first operand that it
/// names: the one at the same position but for `axis`, where the index stands.
fn elements(axis: usize, inputs: &[&Tensor]) -> Result<Vec<usize>, EvalError> {
    let (data, indices) = (operand(inputs, 0)?, operand(inputs, 1)?);
    let size = size_at(data.dims(), axis)?;
    let fits = data.dims().len() == indices.dims().len()
        && data
            .dims()
            .iter()
            .zip(indices.dims())
            .enumerate()
            .all(|(i, (d, n))| i == axis || n <= d);
    if !fits {
        return Err(EvalError::Shapes(data.dims().to_vec(), indices.dims().to_vec()));
    }
    let mut steps = strides(data.dims());
    let step = steps[axis].cast_unsigned();
    steps[axis] = 0;
    let walk = Walk::new(indices.dims(), [&steps]);
    walk.zip(integers(inputs, 1)?)
        .map(|([at], index)| Ok(at + position(index, size)? * step))
        .collect()
}

/// For each index vector of the second operand, the offset of the part of the first operand that it
/// names. Gives the shape of all parts together and the size of one part.
fn vectors(
    shared: usize,
    inputs: &[&Tensor],
) -> Result<(Vec<usize>, usize, Vec<usize>), EvalError> {
    let (data, indices) = (operand(inputs, 0)?, operand(inputs, 1)?);
    let misfit = || EvalError::Shapes(data.dims().to_vec(), indices.dims().to_vec());
    let (&depth, outer) = indices.dims().split_last().ok_or_else(misfit)?;
    let named =
        shared.checked_add(depth).filter(|&named| named <= data.dims().len()).ok_or_else(misfit)?;
    if outer.get(..shared) != data.dims().get(..shared) {
        return Err(misfit());
    }
    let dims = [outer, &data.dims()[named..]].concat();
    let run = count(&data.dims()[named..])?;
    if count(&dims)? == 0 {
        return Ok((dims, run, Vec::new()));
    }
    let steps = strides(data.dims());
    let sizes = &data.dims()[shared..named];
    let per_batch = count(&outer[shared..])?;
    let batch_step = volume(&data.dims()[shared..]).unwrap_or(0);
    let values = integers(inputs, 1)?;
    let mut starts = Vec::with_capacity(count(outer)?);
    for i in 0..count(outer)? {
        let mut start = i / per_batch * batch_step;
        for ((&index, &size), step) in
            values[i * depth..][..depth].iter().zip(sizes).zip(&steps[shared..])
        {
            start += position(index, size)? * step.cast_unsigned();
        }
        starts.push(start);
    }
    Ok((dims, run, starts))
}

/// Computes a `Scatter` layer. Of several updates of one element the last one stays.
pub(super) fn scatter(layer: &Scatter, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let (data, indices, updates) = (operand(inputs, 0)?, operand(inputs, 1)?, operand(inputs, 2)?);
    let (dims, run, starts) = match layer.mode {
        ScatterMode::Element => (indices.dims().to_vec(), 1, elements(layer.axis, inputs)?),
        ScatterMode::Nd => vectors(0, inputs)?,
    };
    if updates.dims() != dims {
        return Err(EvalError::Shapes(dims, updates.dims().to_vec()));
    }
    if updates.dtype() != data.dtype() {
        return Err(EvalError::Type {
            at: 2,
            actual: updates.dtype(),
            expected: "of the data's type",
        });
    }
    let mut from: Vec<usize> = (0..data.len()).collect();
    for (i, start) in starts.into_iter().enumerate() {
        for (j, place) in from[start..][..run].iter_mut().enumerate() {
            *place = data.len() + i * run + j;
        }
    }
    Source::join(&[data, updates])?.each(data.dims().to_vec(), from.into_iter())
}

/// Computes a `ReverseSequence` layer.
pub(super) fn reverse_sequence(
    layer: &ReverseSequence,
    inputs: &[&Tensor],
) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    let dims = data.dims();
    let (batch, time) = (size_at(dims, layer.batch_axis)?, size_at(dims, layer.sequence_axis)?);
    let lengths = integers(inputs, 1)?;
    if lengths.len() != batch || layer.batch_axis == layer.sequence_axis {
        return Err(EvalError::Shapes(dims.to_vec(), operand(inputs, 1)?.dims().to_vec()));
    }
    for &length in &lengths {
        position(length, time + 1)?;
    }
    let only = |axis: usize, stride: isize| -> Vec<isize> {
        (0..dims.len()).map(|i| if i == axis { stride } else { 0 }).collect()
    };
    let step = strides(dims)[layer.sequence_axis].cast_unsigned();
    let rows = only(layer.batch_axis, 1);
    let times = only(layer.sequence_axis, 1);
    let walk = Walk::new(dims, [&strides(dims), &rows, &times]).map(|[at, row, t]| {
        let length = size("length", lengths[row]).unwrap_or(0);
        if t < length { at - t * step + (length - 1 - t) * step } else { at }
    });
    Source::new(data).each(dims.to_vec(), walk)
}

/// Computes a `OneHot` layer. Negative indices count from the end; rows of indices outside are all
/// off.
pub(super) fn one_hot(layer: &OneHot, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let (indices, values) = (operand(inputs, 0)?, operand(inputs, 1)?);
    if values.dims() != [2] {
        return Err(EvalError::Shape { at: 1, dims: values.dims().to_vec(), rule: "be [2]" });
    }
    let depth_value = integer(inputs, 2)?;
    let depth = size("the depth", depth_value)?;
    let mut dims = indices.dims().to_vec();
    if layer.axis > dims.len() {
        return Err(EvalError::Axis { axis: layer.axis, rank: dims.len() + 1 });
    }
    dims.insert(layer.axis, depth);
    count(&dims)?;
    let on: Vec<i64> = integers(inputs, 0)?
        .into_iter()
        .map(|index| if index < 0 { index.saturating_add(depth_value) } else { index })
        .collect();
    let mut steps = strides(indices.dims());
    steps.insert(layer.axis, 0);
    let row: Vec<isize> = (0..dims.len()).map(|axis| isize::from(axis == layer.axis)).collect();
    let picked = Walk::new(&dims, [&steps, &row])
        .map(|[at, i]| usize::from(usize::try_from(on[at]) == Ok(i)));
    Source::new(values).each(dims.clone(), picked)
}

/// Computes a `NonZero` layer: one column per element that is not 0, in row-major order.
pub(super) fn non_zero(inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    let found: Vec<usize> = match data.dtype() {
        DType::Bool => places(truths(inputs, 0)?.iter().map(|&x| x != 0)),
        _ => match data.to_i64s() {
            Some(values) => places(values.into_iter().map(|x| x != 0)),
            None => places(reals(inputs, 0)?.iter().map(|&x| x != 0.0)),
        },
    };
    let axes = data.dims().iter().zip(strides(data.dims()));
    let rows = axes.flat_map(|(&size, stride)| {
        found
            .iter()
            .map(move |at| i64::try_from(at / stride.unsigned_abs() % size).unwrap_or(i64::MAX))
    });
    Ok(Tensor::of(vec![data.dims().len(), found.len()], rows.collect())?)
}

fn places(truths: impl Iterator<Item = bool>) -> Vec<usize> {
    truths.enumerate().filter_map(|(i, truth)| truth.then_some(i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iota(dims: &[usize]) -> Tensor {
        Tensor::of(dims.to_vec(), (0i32..).take(dims.iter().product()).collect()).unwrap()
    }

    fn indices(dims: &[usize], values: &[i64]) -> Tensor {
        Tensor::of(dims.to_vec(), values.to_vec()).unwrap()
    }

    fn expect(dims: &[usize], values: &[i32]) -> Result<Tensor, EvalError> {
        Ok(Tensor::of(dims.to_vec(), values.to_vec())?)
    }

    fn run(
        mode: GatherMode,
        axis: usize,
        shared: usize,
        data: &Tensor,
        at: &Tensor,
    ) -> Result<Tensor, EvalError> {
        gather(&Gather { mode, axis, element_wise_dims: shared }, &[data, at])
    }

    #[test]
    fn slices_by_index() {
        let data = iota(&[2, 3]);
        let by = |axis, shared, at| run(GatherMode::Default, axis, shared, &data, &at);
        assert_eq!(
            by(0, 0, indices(&[3], &[1, 0, 1])),
            expect(&[3, 3], &[3, 4, 5, 0, 1, 2, 3, 4, 5])
        );
        assert_eq!(by(1, 0, indices(&[1, 2], &[2, 0])), expect(&[2, 1, 2], &[2, 0, 5, 3]));
        assert_eq!(by(1, 0, indices(&[], &[1])), expect(&[2], &[1, 4]));
        assert_eq!(by(1, 1, indices(&[2, 2], &[2, 0, 1, 1])), expect(&[2, 2], &[2, 0, 4, 4]));
        assert_eq!(by(1, 0, indices(&[0], &[])), expect(&[2, 0], &[]));
        assert_eq!(by(0, 0, indices(&[1], &[-1])), Err(EvalError::Index { index: -1, size: 2 }));
        assert_eq!(by(0, 0, indices(&[1], &[2])), Err(EvalError::Index { index: 2, size: 2 }));
        assert_eq!(by(2, 0, indices(&[1], &[0])), Err(EvalError::Axis { axis: 2, rank: 2 }));
        assert!(by(0, 1, indices(&[2], &[0, 0])).is_err());
        let data = iota(&[2, 2, 2]);
        let batched = run(GatherMode::Default, 2, 1, &data, &indices(&[2, 1], &[1, 0]));
        assert_eq!(batched, expect(&[2, 2, 1], &[1, 3, 4, 6]));
    }

    #[test]
    fn elements_and_vectors_by_index() {
        let data = iota(&[2, 3]);
        let at = indices(&[2, 2], &[2, 0, 1, 1]);
        assert_eq!(run(GatherMode::Element, 1, 0, &data, &at), expect(&[2, 2], &[2, 0, 4, 4]));
        assert_eq!(
            run(GatherMode::Nd, 0, 0, &data, &indices(&[2, 2], &[0, 2, 1, 0])),
            expect(&[2], &[2, 3])
        );
        assert_eq!(
            run(GatherMode::Nd, 0, 0, &data, &indices(&[1, 1], &[1])),
            expect(&[1, 3], &[3, 4, 5])
        );
        assert_eq!(
            run(GatherMode::Nd, 0, 1, &data, &indices(&[2, 1], &[2, 0])),
            expect(&[2], &[2, 3])
        );
        let outside = run(GatherMode::Nd, 0, 0, &data, &indices(&[1, 2], &[0, 3]));
        assert_eq!(outside, Err(EvalError::Index { index: 3, size: 3 }));
        assert!(run(GatherMode::Nd, 0, 0, &data, &indices(&[1, 3], &[0, 0, 0])).is_err());
        assert!(run(GatherMode::Nd, 0, usize::MAX, &data, &at).is_err());
    }

    #[test]
    fn updates_replace_elements() {
        let data = iota(&[2, 3]);
        let run = |mode, axis, at: Tensor, updates: Tensor| {
            scatter(&Scatter { mode, axis }, &[&data, &at, &updates])
        };
        let updates = Tensor::of(vec![1, 3], vec![70, 80, 90]).unwrap();
        let placed = run(ScatterMode::Element, 0, indices(&[1, 3], &[1, 0, 1]), updates.clone());
        assert_eq!(placed, expect(&[2, 3], &[0, 80, 2, 70, 4, 90]));
        let placed = run(ScatterMode::Nd, 0, indices(&[1, 1], &[1]), updates.clone());
        assert_eq!(placed, expect(&[2, 3], &[0, 1, 2, 70, 80, 90]));
        let outside = run(ScatterMode::Nd, 0, indices(&[1, 1], &[2]), updates.clone());
        assert_eq!(outside, Err(EvalError::Index { index: 2, size: 2 }));
        let misfit = run(ScatterMode::Nd, 0, indices(&[2, 1], &[0, 1]), updates);
        assert_eq!(misfit, Err(EvalError::Shapes(vec![2, 3], vec![1, 3])));
    }

    #[test]
    fn sequences_reverse_up_to_their_length() {
        let layer = ReverseSequence { batch_axis: 0, sequence_axis: 1 };
        let data = iota(&[3, 3]);
        let reversed = reverse_sequence(&layer, &[&data, &indices(&[3], &[0, 2, 3])]);
        assert_eq!(reversed, expect(&[3, 3], &[0, 1, 2, 4, 3, 5, 8, 7, 6]));
        assert!(reverse_sequence(&layer, &[&data, &indices(&[3], &[0, 2, 4])]).is_err());
    }

    #[test]
    fn one_hot_rows() {
        let values = Tensor::vector(&[0i32, 5]);
        let depth = Tensor::scalar(3i64);
        let run = |axis| one_hot(&OneHot { axis }, &[&indices(&[3], &[1, -1, 3]), &values, &depth]);
        assert_eq!(run(1), expect(&[3, 3], &[0, 5, 0, 0, 0, 5, 0, 0, 0]));
        assert_eq!(run(0), expect(&[3, 3], &[0, 0, 0, 5, 0, 0, 0, 5, 0]));
        assert!(run(2).is_err());
    }

    #[test]
    fn non_zero_gives_coordinates() {
        let data = Tensor::of(vec![2, 2], vec![0f32, 1.0, -2.0, 0.0]).unwrap();
        assert_eq!(non_zero(&[&data]).unwrap(), indices(&[2, 2], &[0, 1, 1, 0]));
        assert_eq!(non_zero(&[&Tensor::scalar(3i32)]).unwrap(), indices(&[0, 1], &[]));
        let none = Tensor::of_bools(vec![2, 0], []).unwrap();
        assert_eq!(non_zero(&[&none]).unwrap(), indices(&[2, 0], &[]));
    }
}
