//! `TopK`: the largest or smallest along an axis.

use super::error::EvalError;
use super::index::Lanes;
use super::operand::{integer, operand, reals, size};
use super::pick::Source;
use crate::network::layer::{Arg, TopK, TopKOperation};
use crate::tensor::Tensor;
use std::cmp::Reverse;

/// Computes a `TopK` layer: values and `i32` indices. Of equal elements the first comes first; a
/// positive NaN counts as the largest.
pub(super) fn top_k(layer: &TopK, inputs: &[&Tensor]) -> Result<[Tensor; 2], EvalError> {
    let data = operand(inputs, 0)?;
    let k = match layer.k {
        Arg::Static(k) => k,
        Arg::Input(at) => size("k", integer(inputs, at)?)?,
    };
    let lanes = Lanes::new(data.dims(), &[layer.axis])?;
    if k > lanes.inside.len() {
        let value = i64::try_from(k).unwrap_or(i64::MAX);
        return Err(EvalError::Attribute {
            what: "k",
            value,
            rule: "not exceed the size of the axis",
        });
    }
    let mut dims = data.dims().to_vec();
    dims[layer.axis] = k;
    let places = Lanes::new(&dims, &[layer.axis])?;
    let keys = keys(inputs)?;
    let mut order: Vec<usize> = Vec::with_capacity(lanes.inside.len());
    let mut indices = vec![0i32; places.starts.len() * k];
    let mut offsets = vec![0; indices.len()];
    for (&start, &to) in lanes.starts.iter().zip(&places.starts) {
        order.clear();
        order.extend(0..lanes.inside.len());
        let key = |&i: &usize| keys[start + lanes.inside[i]];
        match layer.operation {
            TopKOperation::Max => order.sort_by_key(|i| Reverse(key(i))),
            TopKOperation::Min => order.sort_by_key(key),
        }
        for (&i, step) in order.iter().zip(&places.inside) {
            indices[to + step] = i32::try_from(i).unwrap_or(i32::MAX);
            offsets[to + step] = start + lanes.inside[i];
        }
    }
    Ok([Source::new(data).each(dims.clone(), offsets.into_iter())?, Tensor::of(dims, indices)?])
}

/// Whole numbers that order as the elements do.
fn keys(inputs: &[&Tensor]) -> Result<Vec<i64>, EvalError> {
    if let Some(values) = operand(inputs, 0)?.to_i64s() {
        return Ok(values);
    }
    let key = |x: &f32| {
        // The bits of reals order as whole numbers, those of negative ones backwards. −0 becomes 0.
        let bits = (x + 0.0).to_bits().cast_signed();
        i64::from(if bits < 0 { bits ^ i32::MAX } else { bits })
    };
    Ok(reals(inputs, 0)?.iter().map(key).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_keep_their_order() {
        let data =
            Tensor::of(vec![2, 4], vec![1f32, -0.0, 1.0, 0.0, -5.0, 7.0, -2.0, 7.0]).unwrap();
        let run = |operation, axis, k| {
            top_k(&TopK { operation, k: Arg::Static(k), axis }, &[&data]).unwrap()
        };
        let [values, indices] = run(TopKOperation::Max, 1, 3);
        assert_eq!(values, Tensor::of(vec![2, 3], vec![1f32, 1.0, -0.0, 7.0, 7.0, -2.0]).unwrap());
        assert_eq!(indices, Tensor::of(vec![2, 3], vec![0i32, 2, 1, 1, 3, 2]).unwrap());
        let [values, indices] = run(TopKOperation::Min, 0, 1);
        assert_eq!(values, Tensor::of(vec![1, 4], vec![-5f32, -0.0, -2.0, 0.0]).unwrap());
        assert_eq!(indices, Tensor::of(vec![1, 4], vec![1i32, 0, 1, 0]).unwrap());
    }

    #[test]
    fn k_comes_from_a_tensor_and_must_fit() {
        let data = Tensor::vector(&[3i64, 1, 2]);
        let layer = TopK { operation: TopKOperation::Max, k: Arg::Input(1), axis: 0 };
        let [values, _] = top_k(&layer, &[&data, &Tensor::scalar(2i32)]).unwrap();
        assert_eq!(values, Tensor::vector(&[3i64, 2]));
        let error = top_k(&layer, &[&data, &Tensor::scalar(4i32)]).unwrap_err();
        assert_eq!(error.to_string(), "k is 4, but must not exceed the size of the axis");
        assert!(top_k(&layer, &[&data, &Tensor::scalar(-1i32)]).is_err());
    }
}
