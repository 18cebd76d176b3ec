//! The rule of the recurrent layer.

use super::InferError;
use super::ctx::{Ctx, Result, count, ensure, float, min_rank, positive};
use crate::network::layer::{Rnn, RnnInputMode, RnnOperation};
use crate::network::{Dim, Shape, ValueType};
use crate::tensor::{DType, Tensor};
use smallvec::{SmallVec, smallvec};

/// TensorRT's own name of the layer.
const KIND: &str = "RNNv2";

pub(super) fn rnn(ctx: &Ctx<'_>, layer: &Rnn) -> Result<SmallVec<[ValueType; 2]>> {
    let named = [
        ("the lengths", layer.sequence_lengths),
        ("the hidden state", layer.hidden_state),
        ("the cell state", layer.cell_state),
    ];
    let [data] = ctx.inputs_and(&named)?;
    float("data", data)?;
    min_rank("data", data, 2)?;
    ensure(data.shape.known().is_some(), || InferError::UnknownSize { kind: KIND })?;
    positive(
        "the number of layers, steps or elements of a state",
        [&layer.layer_count, &layer.hidden_size],
    )?;
    let (batch, sequence) = data.shape.split_at(data.shape.rank() - 2);
    let [steps, width] = sequence else { return Err(InferError::UnknownRank { what: "data" }) };
    count("the sequence", layer.max_seq_length, steps.size().unwrap_or_default())?;
    let cells = layer.layer_count.saturating_mul(layer.directions());
    cells_fit(layer, data.dtype, width.size().unwrap_or_default(), cells)?;

    let shaped =
        |behind: [usize; 2]| batch.iter().cloned().chain(behind.map(Dim::from)).collect::<Shape>();
    let state = shaped([cells, layer.hidden_size]);
    if let Some(at) = layer.sequence_lengths {
        operand(ctx, "the lengths", at, DType::I32, &batch.iter().cloned().collect())?;
    }
    for (what, at) in
        [("the hidden state", layer.hidden_state), ("the cell state", layer.cell_state)]
    {
        if let Some(at) = at {
            operand(ctx, what, at, data.dtype, &state)?;
        }
    }
    let side_by_side = layer.hidden_size.saturating_mul(layer.directions());
    let all = ValueType::new(data.dtype, shaped([layer.max_seq_length, side_by_side]));
    let last = ValueType::new(data.dtype, state);
    Ok(if layer.operation == RnnOperation::Lstm {
        smallvec![all, last.clone(), last]
    } else {
        smallvec![all, last]
    })
}

/// Checks the weights of each layer and direction.
fn cells_fit(layer: &Rnn, dtype: DType, width: usize, expected: usize) -> Result<()> {
    count("the list of weights", layer.cells.len(), expected)?;
    let hidden = layer.hidden_size;
    let rows = hidden.saturating_mul(layer.operation.gates().len());
    for (at, cell) in layer.cells.iter().enumerate() {
        let first = at < layer.directions();
        let columns = if first { width } else { hidden.saturating_mul(layer.directions()) };
        match &cell.weights {
            Some(weights) => weighs("W", weights, dtype, &[rows, columns])?,
            None => {
                let skips = first && layer.input_mode == RnnInputMode::Skip;
                count("W", 0, if skips { 0 } else { rows })?;
                count("the data of a layer that skips its product", width, hidden)?;
            }
        }
        weighs("R", &cell.recurrent, dtype, &[rows, hidden])?;
        weighs("the bias of W", &cell.input_bias, dtype, &[rows])?;
        weighs("the bias of R", &cell.recurrent_bias, dtype, &[rows])?;
    }
    Ok(())
}

fn weighs(what: &'static str, tensor: &Tensor, dtype: DType, dims: &[usize]) -> Result<()> {
    let (actual, expected) = (Shape::of(tensor.dims()), Shape::of(dims));
    ensure(actual == expected, || InferError::Shape { what, actual, expected })?;
    let (a, b) = (dtype, tensor.dtype());
    ensure(a == b, || InferError::Types { kind: KIND, a, b })
}

fn operand(
    ctx: &Ctx<'_>,
    what: &'static str,
    at: usize,
    dtype: DType,
    shape: &Shape,
) -> Result<()> {
    let ty = ctx.arg(what, at)?;
    ensure(ty.dtype == dtype, || InferError::Types { kind: KIND, a: dtype, b: ty.dtype })?;
    ensure(ty.shape == *shape, || InferError::Shape {
        what,
        actual: ty.shape.clone(),
        expected: shape.clone(),
    })
}
