//! Constants with other numbers, of the same type and shape.

use half::{bf16, f16};
use onnx2plan::tensor::{DType, Tensor};

/// Each number by its position; `None` for other types than real numbers.
pub(super) fn edited(tensor: &Tensor, change: impl Fn(usize, f32) -> f32) -> Option<Tensor> {
    let values = tensor.to_f32s()?;
    let changed = values.iter().enumerate().map(|(at, &value)| change(at, value));
    let dims = tensor.dims().to_vec();
    match tensor.dtype() {
        DType::F32 => Tensor::of(dims, changed.collect::<Vec<f32>>()).ok(),
        DType::F16 => Tensor::of(dims, changed.map(f16::from_f32).collect()).ok(),
        DType::BF16 => Tensor::of(dims, changed.map(bf16::from_f32).collect()).ok(),
        _ => None,
    }
}

/// The numbers of a matrix, or of what has its rows along the first axis, as if it had been read
/// column by column.
pub(super) fn transposed(tensor: &Tensor) -> Option<Tensor> {
    let rows = *tensor.dims().iter().find(|&&size| size > 1)?;
    let columns = tensor.len() / rows;
    if columns < 2 {
        return None;
    }
    let values = tensor.to_f32s()?.into_owned();
    edited(tensor, |at, _| values[at % rows * columns + at / rows])
}
