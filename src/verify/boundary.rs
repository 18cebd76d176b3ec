//! Data between the model's types and those of a network or plan, where the library lacks some.

use crate::error::{Error, Kind, Result};
use crate::tensor::{DType, Tensor};
use half::{bf16, f16};

/// The tensor as an input of type `to`: a real number as any other, `i64` and `i8` as `i32`.
///
/// # Errors
/// [`Kind::Usage`] for a number that does not fit. Other types are left as they are: whoever takes
/// them refuses them.
pub fn enter(name: &str, tensor: &Tensor, to: DType) -> Result<Tensor> {
    match (tensor.dtype(), to) {
        (DType::F64 | DType::F16 | DType::BF16, DType::F32) => {
            let values = tensor.to_f32s().map(std::borrow::Cow::into_owned).unwrap_or_default();
            made(tensor, values)
        }
        (DType::F64 | DType::F32, DType::F16) => {
            let values = tensor.to_f32s().unwrap_or_default();
            made(tensor, values.iter().map(|&value| f16::from_f32(value)).collect())
        }
        (DType::F64 | DType::F32, DType::BF16) => {
            let values = tensor.to_f32s().unwrap_or_default();
            made(tensor, values.iter().map(|&value| bf16::from_f32(value)).collect())
        }
        (DType::I64 | DType::I8, DType::I32) => {
            let values = tensor.to_i64s().unwrap_or_default();
            let fitting: std::result::Result<Vec<i32>, i64> =
                values.into_iter().map(|value| i32::try_from(value).map_err(|_| value)).collect();
            let values = fitting.map_err(|value| {
                let message =
                    format!("input `{name}` holds {value}, but this TensorRT computes in i32");
                Error::new(Kind::Usage, message)
            })?;
            made(tensor, values)
        }
        _ => Ok(tensor.clone()),
    }
}

/// What was computed as the model's type for it.
///
/// # Errors
/// [`Kind::Mismatch`] for a number that the model's type cannot hold.
pub fn leave(name: &str, tensor: Tensor, declared: Option<DType>) -> Result<Tensor> {
    match (tensor.dtype(), declared) {
        (DType::I32, Some(DType::I64)) => made(&tensor, tensor.to_i64s().unwrap_or_default()),
        (DType::I32, Some(DType::I8)) => {
            let values = tensor.to_i64s().unwrap_or_default();
            let fitting: Option<Vec<i8>> =
                values.into_iter().map(|value| i8::try_from(value).ok()).collect();
            let message = || {
                Error::new(Kind::Mismatch, format!("output `{name}` holds numbers that are no i8"))
            };
            made(&tensor, fitting.ok_or_else(message)?)
        }
        (DType::F32, Some(DType::BF16)) => {
            let values = tensor.to_f32s().unwrap_or_default();
            made(&tensor, values.iter().map(|&value| bf16::from_f32(value)).collect())
        }
        (DType::F16 | DType::BF16, Some(DType::F32)) => {
            made(&tensor, tensor.to_f32s().unwrap_or_default().into_owned())
        }
        _ => Ok(tensor),
    }
}

fn made<T: crate::tensor::Element>(like: &Tensor, values: Vec<T>) -> Result<Tensor> {
    let tensor = Tensor::of(like.dims().to_vec(), values);
    tensor.map_err(|error| Error::new(Kind::Internal, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_went_in() {
        for (tensor, inside) in [
            (Tensor::vector(&[1i64, -7]), DType::I32),
            (Tensor::vector(&[127i8, -128]), DType::I32),
            (Tensor::vector(&[bf16::from_f32(1.5)]), DType::F32),
        ] {
            let entered = enter("x", &tensor, inside).unwrap();
            assert_eq!(entered.dtype(), inside);
            assert_eq!(leave("y", entered, Some(tensor.dtype())).unwrap(), tensor);
        }
        let same = Tensor::vector(&[1i64]);
        assert_eq!(enter("x", &same, DType::I64).unwrap(), same);
        assert_eq!(leave("y", same.clone(), None).unwrap(), same);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let error = enter("x", &Tensor::vector(&[1i64 << 31]), DType::I32).unwrap_err();
        assert_eq!(
            error.to_string(),
            "input `x` holds 2147483648, but this TensorRT computes in i32"
        );
        let error = leave("y", Tensor::vector(&[128i32]), Some(DType::I8)).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.kind()),
            ("output `y` holds numbers that are no i8", Kind::Mismatch)
        );
    }
}
