//! Constants with other numbers, of the same type and shape.

use onnx2plan::tensor::Tensor;

/// Each number by its position; `None` for other types than real numbers.
pub(super) fn edited(tensor: &Tensor, change: impl Fn(usize, f32) -> f32) -> Option<Tensor> {
    let values = tensor.to_f32s()?;
    let changed = values.iter().enumerate().map(|(at, &value)| change(at, value));
    Tensor::of_reals(tensor.dtype(), tensor.dims().to_vec(), changed.collect()).ok()
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
