//! What inputs become from one step to the next.

use crate::tensor::{DType, Tensor};
use crate::verify::compare::numbers;

/// The likeliest token at the last place of each row of `[batch, length, tokens]` or
/// `[batch, tokens]`.
pub(super) fn tokens(logits: &Tensor, dtype: DType) -> Option<Tensor> {
    let (&count, rows) = logits.dims().split_last()?;
    let (&batch, lengths) = rows.split_first()?;
    let length: usize = lengths.iter().product();
    let logits = numbers(logits);
    let likeliest = |row: usize| {
        let last = row.checked_mul(length)?.checked_add(length.checked_sub(1)?)?;
        let start = last.checked_mul(count)?;
        let row = logits.get(start..start.checked_add(count)?)?;
        let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
        i64::try_from(best.0).ok()
    };
    whole(dtype, vec![batch, 1], (0..batch).map(likeliest).collect::<Option<_>>()?)
}

/// The last number of each row.
pub(super) fn last(tensor: &Tensor) -> Option<Tensor> {
    let &[batch, length] = tensor.dims() else { return None };
    let values = tensor.to_i64s()?;
    if length == 0 {
        return None;
    }
    let last = values.chunks(length).map(|row| row.last().copied());
    whole(tensor.dtype(), vec![batch, 1], last.collect::<Option<_>>()?)
}

/// One more place that holds a token: behind the others, or the first that held none.
///
/// A mask of real numbers is added or multiplied: either way its largest number marks a token.
pub(super) fn mask(mask: &Tensor, grows: bool) -> Option<Tensor> {
    let &[batch, length] = mask.dims() else { return None };
    let values = numbers(mask);
    let mut longer = Vec::with_capacity(values.len().saturating_add(batch));
    for row in 0..batch {
        let mut row = values.get(row.checked_mul(length)?..)?.get(..length)?.to_vec();
        let token =
            if mask.dtype().is_float() { row.iter().copied().max_by(f64::total_cmp)? } else { 1.0 };
        if grows {
            row.push(token);
        } else if let Some(free) = row.iter_mut().find(|place| **place < token) {
            *free = token;
        }
        longer.extend(row);
    }
    let dims = vec![batch, if grows { length.checked_add(1)? } else { length }];
    match mask.dtype() {
        DType::Bool => Tensor::of_bools(dims, longer.iter().map(|&place| place != 0.0)).ok(),
        #[allow(clippy::cast_possible_truncation, reason = "masks hold small numbers")]
        dtype if dtype.is_float() => {
            Tensor::of_reals(dtype, dims, longer.iter().map(|&place| place as f32).collect()).ok()
        }
        #[allow(clippy::cast_possible_truncation, reason = "masks hold small numbers")]
        dtype => whole(dtype, dims, longer.iter().map(|&place| place as i64).collect()),
    }
}

/// The place after the last of each row.
pub(super) fn position(position: &Tensor) -> Option<Tensor> {
    let places = position.to_i64s()?;
    let (&length, rows) = position.dims().split_last()?;
    if length == 0 {
        return None;
    }
    let last = places.chunks(length).map(|row| row.last()?.checked_add(1));
    let dims = rows.iter().copied().chain([1]).collect();
    whole(position.dtype(), dims, last.collect::<Option<_>>()?)
}

/// A tensor of whole numbers.
fn whole(dtype: DType, dims: Vec<usize>, values: Vec<i64>) -> Option<Tensor> {
    match dtype {
        DType::I64 => Tensor::of(dims, values).ok(),
        DType::I32 => {
            let narrow = values.into_iter().map(|value| i32::try_from(value).ok());
            Tensor::of(dims, narrow.collect::<Option<Vec<_>>>()?).ok()
        }
        _ => None,
    }
}
