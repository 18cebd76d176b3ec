//! Types of 8 bits and less that TensorRT quantizes to, as codes and as numbers.

use super::pick::{pack, unpack};
use crate::tensor::{DType, Tensor, TensorError};
use std::sync::LazyLock;

/// The codes of the non-negative numbers of `f8e4m3` in rising order: code n stands for `F8[n]`.
/// 0x7f is no number.
static F8: LazyLock<Vec<f32>> =
    LazyLock::new(|| (0..0x7f).map(|code| minifloat(code, 3, 7)).collect());
/// The same for `f4e2m1`.
static F4: LazyLock<Vec<f32>> =
    LazyLock::new(|| (0..8).map(|code| minifloat(code, 1, 1)).collect());

/// The number that a code without sign stands for.
fn minifloat(code: u8, mantissa_bits: u8, bias: i32) -> f32 {
    let exponent = i32::from(code >> mantissa_bits);
    let mantissa = f32::from(code & ((1 << mantissa_bits) - 1)) / f32::from(1u8 << mantissa_bits);
    // Exponent 0 has no leading 1.
    if exponent == 0 {
        mantissa * 2f32.powi(1 - bias)
    } else {
        (1.0 + mantissa) * 2f32.powi(exponent - bias)
    }
}

/// The elements as numbers; `None` for types that are not of this kind.
pub(super) fn decode(tensor: &Tensor) -> Option<Vec<f32>> {
    let bytes = &tensor.bytes()[..];
    Some(match tensor.dtype() {
        DType::F8E4M3 => {
            bytes.iter().map(|&code| signed(&F8, code & 0x7f, code & 0x80 != 0)).collect()
        }
        DType::F8E8M0 => bytes.iter().map(|&code| power_of_two(code)).collect(),
        DType::F4E2M1 => unpack(bytes, 4, tensor.len())
            .into_iter()
            .map(|code| signed(&F4, code & 7, code & 8 != 0))
            .collect(),
        DType::I4 => unpack(bytes, 4, tensor.len())
            .into_iter()
            .map(|code| f32::from(sign_extended(code)))
            .collect(),
        _ => return None,
    })
}

/// The whole numbers of an `i4` tensor.
pub(super) fn sign_extended(nibble: u8) -> i8 {
    (nibble << 4).cast_signed() >> 4
}

fn signed(table: &[f32], code: u8, negative: bool) -> f32 {
    let value = table.get(usize::from(code)).copied().unwrap_or(f32::NAN);
    if negative { -value } else { value }
}

fn power_of_two(code: u8) -> f32 {
    if code == u8::MAX { f32::NAN } else { 2f32.powi(i32::from(code) - 127) }
}

/// Whether [`encode`] knows this type.
pub(super) fn encodes(dtype: DType) -> bool {
    matches!(dtype, DType::F8E4M3 | DType::F4E2M1 | DType::I4)
}

/// A tensor of a type that [`encodes`] knows: rounded half to even, then saturated. A NaN becomes 0
/// where the type has none.
pub(super) fn encode(to: DType, dims: Vec<usize>, values: &[f32]) -> Result<Tensor, TensorError> {
    let codes: Vec<u8> = match to {
        DType::F8E4M3 => {
            values.iter().map(|&x| if x.is_nan() { 0x7f } else { nearest(&F8, x, 0x80) }).collect()
        }
        DType::F4E2M1 => values.iter().map(|&x| nearest(&F4, x, 8)).collect(),
        _ => values
            .iter()
            .map(|&x| (x.round_ties_even() as i8).clamp(-8, 7).cast_unsigned() & 15)
            .collect(),
    };
    let bytes = if to.bits() == 4 { pack(&codes, 4) } else { codes };
    Tensor::new(to, dims, bytes.into())
}

/// The code of the number nearest to `x`; of two equally near ones the even code, whose mantissa is
/// even.
fn nearest(table: &[f32], x: f32, sign: u8) -> u8 {
    let size = x.abs();
    let above = table.partition_point(|&value| value < size).min(table.len() - 1);
    let below = above.saturating_sub(1);
    let (up, down) = (table[above] - size, size - table[below]);
    let code =
        if down < up || (down.total_cmp(&up).is_eq() && below % 2 == 0) { below } else { above };
    code as u8 | if x.is_sign_negative() { sign } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_for_their_numbers() {
        assert_eq!((F8[1], F8[8], F8[0x38], F8[0x7e]), (0.001_953_125, 0.015_625, 1.0, 448.0));
        assert_eq!(F4[..], [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]);
        assert_eq!(
            (power_of_two(127), power_of_two(0), power_of_two(130)),
            (1.0, 2f32.powi(-127), 8.0)
        );
        assert_eq!((sign_extended(7), sign_extended(8), sign_extended(15)), (7, -8, -1));
    }

    #[test]
    fn every_code_survives_the_round_trip() {
        let all: Vec<u8> = (0..=255).filter(|code| code & 0x7f != 0x7f).collect();
        let tensor = Tensor::new(DType::F8E4M3, vec![all.len()], all.into()).unwrap();
        assert_eq!(
            encode(DType::F8E4M3, tensor.dims().to_vec(), &decode(&tensor).unwrap()).unwrap(),
            tensor
        );
        for dtype in [DType::F4E2M1, DType::I4] {
            let all: Vec<u8> = (0..16).step_by(2).map(|code| code | (code + 1) << 4).collect();
            let tensor = Tensor::new(dtype, vec![16], all.into()).unwrap();
            assert_eq!(encode(dtype, vec![16], &decode(&tensor).unwrap()).unwrap(), tensor);
        }
    }

    #[test]
    fn what_lies_between_rounds_to_the_even_code() {
        let back =
            |to, values: &[f32]| decode(&encode(to, vec![values.len()], values).unwrap()).unwrap();
        assert_eq!(
            back(DType::F4E2M1, &[0.25, 0.75, 2.5, 5.0, 5.1, 99.0, -0.3]),
            [0.0, 1.0, 2.0, 4.0, 6.0, 6.0, -0.5]
        );
        assert_eq!(back(DType::F8E4M3, &[1.0625, 1.1875, 1e9, -449.0]), [1.0, 1.25, 448.0, -448.0]);
        assert_eq!(
            back(DType::I4, &[0.5, 1.5, -2.5, 99.0, -99.0, f32::NAN]),
            [0.0, 2.0, -2.0, 7.0, -8.0, 0.0]
        );
        assert!(back(DType::F8E4M3, &[f32::NAN])[0].is_nan());
    }
}
