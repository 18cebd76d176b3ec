//! `Fill`: data made by a formula.

use super::error::EvalError;
use super::index::count;
use super::operand::{entries, integers, only, operand, rounded, size};
use crate::network::layer::{Arg, Fill, FillOperation};
use crate::tensor::{DType, Tensor};

/// Computes a `Fill` layer. Reals are computed in `f64` from parameters of the output's type, then
/// rounded.
pub(super) fn fill(layer: &Fill, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    if layer.operation != FillOperation::Linspace {
        return Err(EvalError::Random);
    }
    let dims = match &layer.dims {
        Arg::Static(dims) => dims.clone(),
        Arg::Input(at) => integers(inputs, *at)?
            .into_iter()
            .map(|n| size("a size of the fill", n))
            .collect::<Result<_, _>>()?,
    };
    count(&dims)?;
    match layer.dtype {
        DType::I32 | DType::I64 => {
            let first = parameter(&layer.alpha, inputs, |at| integers(inputs, at), |x| x as i64)?;
            let steps =
                steps(&layer.beta, inputs, dims.len(), |at| integers(inputs, at), |x| x as i64)?;
            let values = series(&dims, first, &steps, |sum, index, step| {
                sum.wrapping_add(i64::try_from(index).unwrap_or(i64::MAX).wrapping_mul(step))
            });
            if layer.dtype == DType::I64 {
                return Ok(Tensor::of(dims, values)?);
            }
            Ok(Tensor::of(dims, values.into_iter().map(|x| x as i32).collect())?)
        }
        dtype => {
            let wide = |at: usize| {
                let values = super::operand::reals(inputs, at)?;
                Ok(values.iter().map(|&x| f64::from(x)).collect())
            };
            let narrow = |x: f64| f64::from(x as f32);
            let first = parameter(&layer.alpha, inputs, wide, narrow)?;
            let steps = steps(&layer.beta, inputs, dims.len(), wide, narrow)?;
            let values = series(&dims, first, &steps, |sum, index, step| sum + index as f64 * step);
            rounded(dtype, dims, values.into_iter().map(|x| x as f32).collect())
        }
    }
}

fn parameter<T: Copy>(
    arg: &Arg<f64>,
    inputs: &[&Tensor],
    read: impl Fn(usize) -> Result<Vec<T>, EvalError>,
    convert: impl Fn(f64) -> T,
) -> Result<T, EvalError> {
    match arg {
        Arg::Static(value) => Ok(convert(*value)),
        Arg::Input(at) => only(&read(*at)?, inputs, *at),
    }
}

/// The step along each axis.
fn steps<T: Copy>(
    arg: &Arg<f64>,
    inputs: &[&Tensor],
    rank: usize,
    read: impl Fn(usize) -> Result<Vec<T>, EvalError>,
    convert: impl Fn(f64) -> T,
) -> Result<Vec<T>, EvalError> {
    let Arg::Input(at) = arg else { return Ok(vec![parameter(arg, inputs, read, convert)?; rank]) };
    operand(inputs, *at)?;
    let steps = read(*at)?;
    entries("the steps of the fill", steps.len(), rank)?;
    Ok(steps)
}

/// `first` plus index times step along every axis, for each element.
fn series<T: Copy>(
    dims: &[usize],
    first: T,
    steps: &[T],
    add: impl Fn(T, usize, T) -> T,
) -> Vec<T> {
    // Axis by axis: each value so far becomes the beginning of a row along the next axis.
    let mut values = vec![first; usize::from(!dims.contains(&0))];
    for (&size, &step) in dims.iter().zip(steps) {
        values = values
            .iter()
            .flat_map(|&start| (0..size).map(|i| add(start, i, step)).collect::<Vec<_>>())
            .collect();
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(dtype: DType, dims: &[usize], alpha: f64, beta: f64) -> Fill {
        Fill {
            operation: FillOperation::Linspace,
            dims: Arg::Static(dims.to_vec()),
            alpha: Arg::Static(alpha),
            beta: Arg::Static(beta),
            dtype,
        }
    }

    #[test]
    fn series_run_along_every_axis() {
        let ints = fill(&layer(DType::I64, &[2, 3], 10.0, 2.0), &[]).unwrap();
        assert_eq!(ints, Tensor::of(vec![2, 3], vec![10i64, 12, 14, 12, 14, 16]).unwrap());
        let reals = fill(&layer(DType::F32, &[3], 0.5, -1.0), &[]).unwrap();
        assert_eq!(reals, Tensor::vector(&[0.5f32, -0.5, -1.5]));
        assert_eq!(fill(&layer(DType::I32, &[], 7.0, 1.0), &[]).unwrap(), Tensor::scalar(7i32));
        assert!(
            fill(&layer(DType::I32, &[usize::MAX, 0], 7.0, 1.0), &[]).unwrap().bytes().is_empty()
        );
    }

    #[test]
    fn parameters_come_from_tensors() {
        let by_tensor = Fill {
            dims: Arg::Input(0),
            alpha: Arg::Input(1),
            beta: Arg::Input(2),
            ..layer(DType::I32, &[], 0.0, 0.0)
        };
        let (dims, first, steps) =
            (Tensor::vector(&[2i64, 2]), Tensor::scalar(5i32), Tensor::vector(&[10i32, 1]));
        let filled = fill(&by_tensor, &[&dims, &first, &steps]).unwrap();
        assert_eq!(filled, Tensor::of(vec![2, 2], vec![5i32, 6, 15, 16]).unwrap());
        let short = Tensor::vector(&[1i32]);
        let error = fill(&by_tensor, &[&dims, &first, &short]).unwrap_err();
        assert_eq!(error.to_string(), "the steps of the fill has 1 entries, but there are 2 axes");
    }

    #[test]
    fn what_cannot_be_made_is_refused() {
        let random =
            Fill { operation: FillOperation::RandomNormal, ..layer(DType::F32, &[1], 0.0, 1.0) };
        assert_eq!(fill(&random, &[]), Err(EvalError::Random));
        assert_eq!(
            fill(&layer(DType::F32, &[1 << 20, 1 << 20], 0.0, 1.0), &[]),
            Err(EvalError::TooLarge(vec![1 << 20, 1 << 20]))
        );
    }
}
