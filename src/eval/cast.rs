//! `Cast`, `Quantize` and `Dequantize`.

use super::error::EvalError;
use super::index::{Walk, size_at};
use super::operand::{operand, reals, rounded};
use super::pick::unpack;
use super::small;
use crate::network::layer::{Cast, Dequantize, Quantize};
use crate::tensor::{DType, Tensor};

/// Computes a `Cast` layer.
///
/// Floating point to whole numbers truncates and saturates, a NaN becomes 0; whole numbers to
/// smaller ones wrap around; to the quantized types rounds half to even and saturates.
pub(super) fn cast(layer: &Cast, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    let (from, dims) = (data.dtype(), data.dims().to_vec());
    if from == layer.to {
        return Ok(data.clone());
    }
    let wrong = EvalError::Conversion { from, to: layer.to };
    if let Some(values) = whole_numbers(data) {
        from_whole(layer.to, dims, &values).ok_or(wrong)?
    } else if let Some(values) = data.to_f32s() {
        from_real(layer.to, dims, &values).ok_or(wrong)?
    } else if let Some(values) = small::decode(data) {
        from_real(layer.to, dims, &values).ok_or(wrong)?
    } else {
        Err(wrong)
    }
}

fn whole_numbers(data: &Tensor) -> Option<Vec<i64>> {
    if data.dtype() == DType::I4 {
        return Some(
            unpack(data.bytes(), 4, data.len())
                .into_iter()
                .map(|x| small::sign_extended(x).into())
                .collect(),
        );
    }
    data.to_i64s()
}

fn from_whole(to: DType, dims: Vec<usize>, values: &[i64]) -> Option<Result<Tensor, EvalError>> {
    let each = values.iter();
    let tensor = match to {
        DType::I64 => Tensor::of(dims, values.to_vec()),
        DType::I32 => Tensor::of(dims, each.map(|&x| x as i32).collect()),
        DType::I8 => Tensor::of(dims, each.map(|&x| x as i8).collect()),
        DType::U8 => Tensor::of(dims, each.map(|&x| x as u8).collect()),
        DType::Bool => Tensor::of_bools(dims, each.map(|&x| x != 0)),
        _ => return from_real(to, dims, &each.map(|&x| x as f32).collect::<Vec<_>>()),
    };
    Some(tensor.map_err(EvalError::from))
}

fn from_real(to: DType, dims: Vec<usize>, values: &[f32]) -> Option<Result<Tensor, EvalError>> {
    let each = values.iter();
    // `as` truncates, saturates and takes a NaN to 0.
    let tensor = match to {
        DType::F32 | DType::F16 | DType::BF16 => return Some(rounded(to, dims, values.to_vec())),
        DType::I64 => Tensor::of(dims, each.map(|&x| x as i64).collect()),
        DType::I32 => Tensor::of(dims, each.map(|&x| x as i32).collect()),
        DType::I8 => Tensor::of(dims, each.map(|&x| x as i8).collect()),
        DType::U8 => Tensor::of(dims, each.map(|&x| x as u8).collect()),
        DType::Bool => Tensor::of_bools(dims, each.map(|&x| x != 0.0)),
        _ if small::encodes(to) => small::encode(to, dims, values),
        _ => return None,
    };
    Some(tensor.map_err(EvalError::from))
}

/// Computes a `Quantize` layer.
pub(super) fn quantize(layer: &Quantize, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    let dims = data.dims().to_vec();
    let values = scaled(layer.axis, &dims, &reals(inputs, 0)?, inputs, |x, scale| x / scale)?;
    match layer.to {
        DType::I8 => {
            Ok(Tensor::of(dims, values.iter().map(|x| x.round_ties_even() as i8).collect())?)
        }
        to if small::encodes(to) => Ok(small::encode(to, dims, &values)?),
        to => Err(EvalError::Conversion { from: data.dtype(), to }),
    }
}

/// Computes a `Dequantize` layer.
pub(super) fn dequantize(layer: &Dequantize, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    let dims = data.dims().to_vec();
    let values = match data.values::<i8>() {
        Some(values) => values.iter().map(|&x| x.into()).collect(),
        None => small::decode(data).ok_or(EvalError::Type {
            at: 0,
            actual: data.dtype(),
            expected: "quantized",
        })?,
    };
    rounded(
        layer.to,
        dims.clone(),
        scaled(layer.axis, &dims, &values, inputs, |x, scale| x * scale)?,
    )
}

/// Each value with its scale, which is the second operand: one element, or one for each index of
/// `axis`.
fn scaled(
    axis: Option<usize>,
    dims: &[usize],
    values: &[f32],
    inputs: &[&Tensor],
    f: impl Fn(f32, f32) -> f32,
) -> Result<Vec<f32>, EvalError> {
    let scale = reals(inputs, 1)?;
    let (count, rule) = match axis {
        None => (1, "hold one element"),
        Some(axis) => (size_at(dims, axis)?, "hold one element for each index of the axis"),
    };
    if scale.len() != count {
        return Err(EvalError::Shape { at: 1, dims: operand(inputs, 1)?.dims().to_vec(), rule });
    }
    let along: Vec<isize> = (0..dims.len()).map(|i| isize::from(Some(i) == axis)).collect();
    Ok(Walk::new(dims, [&along]).zip(values).map(|([at], &x)| f(x, scale[at])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    fn to(to: DType, data: &Tensor) -> Result<Tensor, EvalError> {
        cast(&Cast { to }, &[data])
    }

    #[test]
    fn casts_truncate_saturate_and_wrap() {
        let x = Tensor::vector(&[-1.9f32, 0.4, 300.0, f32::NAN, f32::INFINITY]);
        assert_eq!(to(DType::I32, &x).unwrap(), Tensor::vector(&[-1i32, 0, 300, 0, i32::MAX]));
        assert_eq!(to(DType::U8, &x).unwrap(), Tensor::vector(&[0u8, 0, 255, 0, 255]));
        assert_eq!(to(DType::Bool, &x).unwrap(), Tensor::of_bools(vec![5], [true; 5]).unwrap());
        let n = Tensor::vector(&[-1i64, 0, 1 << 32 | 7]);
        assert_eq!(to(DType::I32, &n).unwrap(), Tensor::vector(&[-1i32, 0, 7]));
        assert_eq!(
            to(DType::Bool, &n).unwrap(),
            Tensor::of_bools(vec![3], [true, false, true]).unwrap()
        );
        assert_eq!(
            to(DType::F16, &Tensor::vector(&[2049i32])).unwrap(),
            Tensor::vector(&[f16::from_f32(2048.0)])
        );
        let truths = Tensor::of_bools(vec![2], [true, false]).unwrap();
        assert_eq!(to(DType::F32, &truths).unwrap(), Tensor::vector(&[1f32, 0.0]));
        assert_eq!(
            to(DType::F8E8M0, &x).unwrap_err().to_string(),
            "f32 cannot be converted to f8e8m0"
        );
    }

    #[test]
    fn quantized_types_cast_to_and_fro() {
        let x = Tensor::vector(&[-9f32, 0.5, 1.5, 6.0]);
        for (dtype, expected) in [
            (DType::I4, [-8f32, 0.0, 2.0, 6.0]),
            (DType::F4E2M1, [-6.0, 0.5, 1.5, 6.0]),
            (DType::F8E4M3, [-9.0, 0.5, 1.5, 6.0]),
        ] {
            assert_eq!(
                to(DType::F32, &to(dtype, &x).unwrap()).unwrap(),
                Tensor::vector(&expected),
                "{dtype}"
            );
        }
        let nibbles = to(DType::I4, &x).unwrap();
        assert_eq!(to(DType::I64, &nibbles).unwrap(), Tensor::vector(&[-8i64, 0, 2, 6]));
    }

    #[test]
    fn quantization_rounds_half_to_even_per_channel() {
        let data = Tensor::of(vec![2, 2], vec![1f32, 3.0, 1.0, 1000.0]).unwrap();
        let scale = Tensor::vector(&[2f32, 0.5]);
        let layer = Quantize { axis: Some(0), to: DType::I8 };
        let quantized = quantize(&layer, &[&data, &scale]).unwrap();
        assert_eq!(quantized, Tensor::of(vec![2, 2], vec![0i8, 2, 2, 127]).unwrap());
        let back = dequantize(&Dequantize { axis: Some(1), to: DType::F32 }, &[&quantized, &scale])
            .unwrap();
        assert_eq!(back, Tensor::of(vec![2, 2], vec![0f32, 1.0, 4.0, 63.5]).unwrap());
        let error =
            quantize(&Quantize { axis: None, to: DType::I8 }, &[&data, &scale]).unwrap_err();
        assert_eq!(error.to_string(), "operand 1 has shape [2], but must hold one element");
    }
}
