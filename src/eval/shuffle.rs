//! `Shuffle`, `Squeeze`, `Unsqueeze`, `Shape` and `Concatenation`: the same elements in another
//! shape or order.

use super::error::EvalError;
use super::index::{Walk, around, count, strides};
use super::operand::{entries, integers, operand};
use super::pick::Source;
use crate::network::layer::{Concatenation, Reshape, Shuffle, Squeeze, Unsqueeze};
use crate::tensor::{Tensor, volume};

/// Computes a `Shuffle` layer.
pub(super) fn shuffle(layer: &Shuffle, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let mut data = operand(inputs, 0)?.clone();
    if let Some(order) = &layer.first_transpose {
        data = transposed(&data, order)?;
    }
    data = match &layer.reshape {
        None => data,
        Some(Reshape::Static { dims, zero_is_placeholder }) => {
            reshaped(&data, dims, *zero_is_placeholder)?
        }
        Some(Reshape::Input { zero_is_placeholder }) => {
            reshaped(&data, &integers(inputs, 1)?, *zero_is_placeholder)?
        }
    };
    match &layer.second_transpose {
        Some(order) => transposed(&data, order),
        None => Ok(data),
    }
}

/// The data with output axis i made from input axis `order[i]`.
pub(super) fn transposed(data: &Tensor, order: &[usize]) -> Result<Tensor, EvalError> {
    let rank = data.dims().len();
    entries("the permutation", order.len(), rank)?;
    if let Some(&axis) = order.iter().find(|&&axis| axis >= rank) {
        return Err(EvalError::Axis { axis, rank });
    }
    if let Some(twice) = (0..rank).find(|&i| order[..i].contains(&order[i])) {
        let value = i64::try_from(order[twice]).unwrap_or(i64::MAX);
        return Err(EvalError::Attribute {
            what: "an axis of the permutation",
            value,
            rule: "not occur twice",
        });
    }
    let strides = strides(data.dims());
    let dims: Vec<usize> = order.iter().map(|&axis| data.dims()[axis]).collect();
    let moved: Vec<isize> = order.iter().map(|&axis| strides[axis]).collect();
    let (rows, inner) = Walk::new(&dims, [&moved]).rows();
    if inner.strides == [1] {
        return Source::new(data).runs(dims, inner.size, rows.map(|[at]| at));
    }
    Source::new(data).each(dims.clone(), Walk::new(&dims, [&moved]).map(|[at]| at))
}

fn reshaped(data: &Tensor, to: &[i64], zero_is_placeholder: bool) -> Result<Tensor, EvalError> {
    let mut dims = Vec::with_capacity(to.len());
    let mut open = None;
    for (axis, &size) in to.iter().enumerate() {
        dims.push(match usize::try_from(size) {
            Ok(0) if zero_is_placeholder => {
                *data.dims().get(axis).ok_or(EvalError::Axis { axis, rank: data.dims().len() })?
            }
            Ok(size) => size,
            Err(_) if size == -1 && open.is_none() => {
                open = Some(axis);
                1
            }
            Err(_) => {
                let rule = "not be negative, but for one −1";
                return Err(EvalError::Attribute {
                    what: "a size of the new shape",
                    value: size,
                    rule,
                });
            }
        });
    }
    let elements = count(data.dims())?;
    if let Some(axis) = open {
        let others = volume(&dims).unwrap_or(usize::MAX);
        dims[axis] = elements.checked_div(others).unwrap_or(0);
    }
    if volume(&dims) != Some(elements) {
        return Err(EvalError::Shapes(data.dims().to_vec(), dims));
    }
    Ok(data.reshaped(dims)?)
}

/// Computes a `Squeeze` layer.
pub(super) fn squeeze(layer: &Squeeze, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    for &axis in &layer.axes {
        match data.dims().get(axis) {
            None => return Err(EvalError::Axis { axis, rank: data.dims().len() }),
            Some(1) => {}
            Some(_) => {
                let rule = "have size 1 along the axes that are removed";
                return Err(EvalError::Shape { at: 0, dims: data.dims().to_vec(), rule });
            }
        }
    }
    let kept = data.dims().iter().enumerate().filter(|(axis, _)| !layer.axes.contains(axis));
    Ok(data.reshaped(kept.map(|(_, &d)| d).collect())?)
}

/// Computes an `Unsqueeze` layer.
pub(super) fn unsqueeze(layer: &Unsqueeze, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    let rank = data.dims().len() + layer.axes.len();
    let mut old = data.dims().iter();
    let dims: Vec<usize> = (0..rank)
        .filter_map(|axis| if layer.axes.contains(&axis) { Some(1) } else { old.next().copied() })
        .collect();
    match layer.axes.iter().find(|&&axis| axis >= rank) {
        Some(&axis) => Err(EvalError::Axis { axis, rank }),
        None if dims.len() != rank => Err(EvalError::Shapes(data.dims().to_vec(), dims)),
        None => Ok(data.reshaped(dims)?),
    }
}

/// Computes a `Shape` layer.
pub(super) fn shape(inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let dims = operand(inputs, 0)?.dims().iter();
    Ok(Tensor::vector(&dims.map(|&d| i64::try_from(d).unwrap_or(i64::MAX)).collect::<Vec<_>>()))
}

/// Computes a `Concatenation` layer.
pub(super) fn concatenation(
    layer: &Concatenation,
    inputs: &[&Tensor],
) -> Result<Tensor, EvalError> {
    let first = operand(inputs, 0)?;
    let (outer, ..) = around(first.dims(), layer.axis)?;
    let mut dims = first.dims().to_vec();
    dims[layer.axis] = 0;
    // Where each operand begins in the joined source, and how much of it one step of the outer axes
    // takes.
    let (mut parts, mut from) = (Vec::with_capacity(inputs.len()), 0);
    for tensor in inputs {
        let (_, size, inner) = around(tensor.dims(), layer.axis)?;
        let alike = tensor.dims().len() == dims.len()
            && (0..dims.len()).all(|axis| axis == layer.axis || tensor.dims()[axis] == dims[axis]);
        if !alike {
            return Err(EvalError::Shapes(first.dims().to_vec(), tensor.dims().to_vec()));
        }
        dims[layer.axis] = dims[layer.axis].saturating_add(size);
        parts.push((from, size * inner));
        from += tensor.len();
    }
    count(&dims)?;
    // Runs have one length, so that the common divisor of the parts is what can be moved at once.
    let run = parts.iter().fold(0, |gcd, &(_, length)| greatest_common_divisor(gcd, length));
    let pieces = (0..outer).flat_map(|i| {
        parts.iter().flat_map(move |&(from, length)| {
            (0..length / run.max(1)).map(move |j| from + i * length + j * run)
        })
    });
    Source::join(inputs)?.runs(dims, run, pieces)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iota(dims: &[usize]) -> Tensor {
        Tensor::of(dims.to_vec(), (0i32..).take(dims.iter().product()).collect()).unwrap()
    }

    fn with(dims: &[i64], zero_is_placeholder: bool) -> Shuffle {
        let reshape = Some(Reshape::Static { dims: dims.to_vec(), zero_is_placeholder });
        Shuffle { reshape, ..Shuffle::default() }
    }

    #[test]
    fn reshapes_fill_in_what_is_left_open() {
        let data = iota(&[2, 3, 4]);
        let cases = [
            (vec![0, -1], true, Some(vec![2, 12])),
            (vec![6, 4], false, Some(vec![6, 4])),
            (vec![-1], false, Some(vec![24])),
            (vec![0, -1], false, None),
            (vec![5, -1], false, None),
            (vec![-1, -1], false, None),
            (vec![2, 3, 4, 0], true, None),
        ];
        for (dims, zero, expected) in cases {
            let actual = shuffle(&with(&dims, zero), &[&data]).ok();
            assert_eq!(actual.map(|tensor| tensor.dims().to_vec()), expected, "{dims:?} {zero}");
        }
        let to = Tensor::vector(&[4i64, -1]);
        let layer = Shuffle {
            reshape: Some(Reshape::Input { zero_is_placeholder: true }),
            ..Shuffle::default()
        };
        assert_eq!(shuffle(&layer, &[&data, &to]).unwrap().dims(), [4, 6]);
        let empty = iota(&[0, 3]);
        assert_eq!(shuffle(&with(&[0, 5], true), &[&empty]).unwrap().dims(), [0, 5]);
    }

    #[test]
    fn transposes_move_axes() {
        let data = iota(&[2, 3]);
        assert_eq!(
            transposed(&data, &[1, 0]).unwrap(),
            Tensor::of(vec![3, 2], vec![0, 3, 1, 4, 2, 5]).unwrap()
        );
        let data = iota(&[2, 2, 2]);
        let expected = Tensor::of(vec![2, 2, 2], vec![0, 1, 4, 5, 2, 3, 6, 7]).unwrap();
        assert_eq!(transposed(&data, &[1, 0, 2]).unwrap(), expected);
        let layer = Shuffle {
            first_transpose: Some(vec![1, 0]),
            reshape: Some(Reshape::Static { dims: vec![2, 3], zero_is_placeholder: false }),
            second_transpose: Some(vec![1, 0]),
        };
        let expected = Tensor::of(vec![3, 2], vec![0, 4, 3, 2, 1, 5]).unwrap();
        assert_eq!(shuffle(&layer, &[&iota(&[2, 3])]).unwrap(), expected);
        assert!(transposed(&data, &[0, 0, 1]).is_err());
        assert!(transposed(&data, &[0, 3, 1]).is_err());
        assert!(transposed(&data, &[0]).is_err());
    }

    #[test]
    fn axes_of_size_1_come_and_go() {
        let data = iota(&[1, 2, 1]);
        assert_eq!(squeeze(&Squeeze { axes: vec![0, 2] }, &[&data]).unwrap().dims(), [2]);
        assert!(squeeze(&Squeeze { axes: vec![1] }, &[&data]).is_err());
        let added = unsqueeze(&Unsqueeze { axes: vec![0, 4] }, &[&data]).unwrap();
        assert_eq!(added.dims(), [1, 1, 2, 1, 1]);
        assert!(unsqueeze(&Unsqueeze { axes: vec![9] }, &[&data]).is_err());
        assert!(unsqueeze(&Unsqueeze { axes: vec![0, 0] }, &[&data]).is_err());
        assert_eq!(shape(&[&added]).unwrap(), Tensor::vector(&[1i64, 1, 2, 1, 1]));
    }

    #[test]
    fn concatenation_joins_along_any_axis() {
        let (a, b) = (iota(&[2, 1]), iota(&[2, 2]));
        let joined = concatenation(&Concatenation { axis: 1 }, &[&a, &b, &a]).unwrap();
        assert_eq!(joined, Tensor::of(vec![2, 4], vec![0, 0, 1, 0, 1, 2, 3, 1]).unwrap());
        let joined = concatenation(&Concatenation { axis: 0 }, &[&b, &b]).unwrap();
        assert_eq!(joined, Tensor::of(vec![4, 2], vec![0, 1, 2, 3, 0, 1, 2, 3]).unwrap());
        let empty = iota(&[2, 0]);
        assert_eq!(concatenation(&Concatenation { axis: 1 }, &[&empty, &b]).unwrap(), b);
        assert_eq!(concatenation(&Concatenation { axis: 1 }, &[&empty, &empty]).unwrap(), empty);
        assert!(concatenation(&Concatenation { axis: 0 }, &[&a, &b]).is_err());
    }
}
