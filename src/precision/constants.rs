//! Constants in half of their bits, and what becomes of their numbers.

use crate::eval::{self};
use crate::network::layer::Cast;
use crate::tensor::{DType, Tensor};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// What became of the numbers of a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fate {
    /// How many there are.
    pub count: usize,
    /// Beyond the largest number, which they became.
    pub beyond: usize,
    /// Below the smallest: they became 0.
    pub vanished: usize,
    /// Below the smallest normal number: they lost digits.
    pub subnormal: usize,
}

/// The constant in a type, and what became of its numbers; `None` for what has no `f32`.
///
/// A finite number beyond the largest of the type becomes that: such numbers stand for infinity,
/// as in masks, and infinity itself would make NaN of their products with 0.
pub(super) fn converted(tensor: &Tensor, to: DType) -> Option<(Tensor, Fate)> {
    let values = tensor.values::<f32>()?;
    let (most, normal) = match to {
        DType::F16 => (f16::MAX.to_f32(), f16::MIN_POSITIVE.to_f32()),
        DType::BF16 => (bf16::MAX.to_f32(), bf16::MIN_POSITIVE.to_f32()),
        _ => return None,
    };
    let mut fate = Fate { count: values.len(), ..Fate::default() };
    let mut clipped: Option<Vec<f32>> = None;
    for (at, &value) in values.iter().enumerate() {
        if value.is_finite() && value.abs() > most {
            fate.beyond += 1;
            clipped.get_or_insert_with(|| values.to_vec())[at] = most.copysign(value);
        } else if value != 0.0 && value.abs() < normal {
            let rounded = if to == DType::F16 { f16::from_f32(value).to_f32() } else { value };
            if rounded == 0.0 { fate.vanished += 1 } else { fate.subnormal += 1 }
        }
    }
    let values = clipped.as_deref().unwrap_or(&values);
    let dims = tensor.dims().to_vec();
    let tensor = match to {
        DType::F16 => {
            let mut halves = vec![f16::ZERO; values.len()];
            halves.convert_from_f32_slice(values);
            Tensor::of(dims, halves)
        }
        _ => {
            let mut halves = vec![bf16::ZERO; values.len()];
            halves.convert_from_f32_slice(values);
            Tensor::of(dims, halves)
        }
    };
    Some((tensor.ok()?, fate))
}

/// Whether a type holds every number of a constant.
pub(super) fn is_exact(tensor: &Tensor, dtype: DType) -> bool {
    let Some(values) = tensor.values::<f32>() else { return false };
    values.iter().all(|&value| {
        let rounded = match dtype {
            DType::F16 => f16::from_f32(value).to_f32(),
            DType::BF16 => bf16::from_f32(value).to_f32(),
            _ => value,
        };
        value.is_nan() || rounded.total_cmp(&value).is_eq()
    })
}

/// A tensor cast to a type, as a Cast layer does it; others than real ones stay.
pub(super) fn cast(tensor: &Tensor, to: DType) -> Tensor {
    if !tensor.dtype().is_float() || tensor.dtype() == to {
        return tensor.clone();
    }
    let cast = eval::layer(&Cast { to }.into(), &[tensor]);
    cast.ok().and_then(|outputs| outputs.into_iter().next()).unwrap_or_else(|| tensor.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_numbers_is_counted() {
        let values = [1.0, 65504.0, -1e9, f32::NEG_INFINITY, 1e-9, 3e-6, 0.0];
        let (tensor, fate) = converted(&Tensor::vector(&values), DType::F16).unwrap();
        assert_eq!(fate, Fate { count: 7, beyond: 1, vanished: 1, subnormal: 1 });
        let back = tensor.to_f32s().unwrap().into_owned();
        assert_eq!(back[..5], [1.0, 65504.0, -65504.0, f32::NEG_INFINITY, 0.0]);
        let (_, fate) = converted(&Tensor::vector(&values), DType::BF16).unwrap();
        assert_eq!(fate, Fate { count: 7, ..Fate::default() });
    }

    #[test]
    fn what_is_exact_in_half_the_bits() {
        let whole = Tensor::vector(&[1f32, -2048.0, 0.5, f32::INFINITY]);
        assert!(is_exact(&whole, DType::F16));
        assert!(is_exact(&whole, DType::BF16));
        assert!(!is_exact(&Tensor::vector(&[2049f32]), DType::F16));
        assert!(!is_exact(&Tensor::vector(&[257f32]), DType::BF16));
    }
}
