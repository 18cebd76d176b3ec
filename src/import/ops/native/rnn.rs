//! `TRT_RNNv2`.

use super::{choice, positive};
use crate::import::build::ctx::Ctx;
use crate::import::error::OpError;
use crate::import::ops::recurrent::layer::{expand, halves, zeros};
use crate::network::Values;
use crate::network::layer::{Rnn, RnnCell, RnnDirection, RnnInputMode, RnnOperation};
use crate::onnx::Node;
use crate::recipe::RnnForm;
use smallvec::smallvec;

/// Where the weights begin among the inputs: W, R and B of each layer and direction.
const FIRST_WEIGHTS: usize = 4;

/// `TRT_RNNv2`. Becomes RNNv2, or loops that compute the same.
pub(super) fn rnn(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let operations = [
        ("RELU", RnnOperation::Relu),
        ("TANH", RnnOperation::Tanh),
        ("LSTM", RnnOperation::Lstm),
        ("GRU", RnnOperation::Gru),
    ];
    let modes = [("LINEAR", RnnInputMode::Linear), ("SKIP", RnnInputMode::Skip)];
    let directions =
        [("UNIDIRECTION", RnnDirection::Unidirection), ("BIDIRECTION", RnnDirection::Bidirection)];
    let operation = choice(node, "op", &operations, "RELU")?;
    let mut inputs: Values = smallvec![ctx.input(0)?];
    let mut named = |at: usize| {
        let value = ctx.maybe(at)?;
        inputs.push(value);
        Some(inputs.len() - 1)
    };
    let [sequence_lengths, hidden_state, cell_state] = [1, 2, 3].map(&mut named);
    let cells = (FIRST_WEIGHTS..node.inputs.len()).step_by(3);
    let cells = cells.map(|at| cell(ctx, at)).collect::<Result<Vec<_>, _>>()?;
    let steps =
        ctx.rank(ctx.input(0)?).checked_sub(2).and_then(|axis| ctx.size(ctx.input(0).ok()?, axis));
    let layer = Rnn {
        layer_count: positive(node, "num_layers")?.unwrap_or(1),
        hidden_size: match positive(node, "hidden_size")? {
            Some(size) => size,
            None => cells
                .first()
                .and_then(|cell| cell.recurrent.dims().get(1))
                .copied()
                .unwrap_or_default(),
        },
        max_seq_length: positive(node, "max_seq_length")?.or(steps).unwrap_or_default(),
        operation,
        input_mode: choice(node, "input_mode", &modes, "LINEAR")?,
        direction: choice(node, "direction", &directions, "UNIDIRECTION")?,
        sequence_lengths,
        hidden_state,
        cell_state,
        cells,
    };
    if ctx.recipe.rnn == RnnForm::Loop {
        expand(ctx, &layer, &inputs)
    } else {
        ctx.add_all(layer, &inputs)
    }
}

/// The weights of one layer and direction, which begin at this input.
fn cell(ctx: &Ctx<'_>, at: usize) -> Result<RnnCell, OpError> {
    let weights = ctx.constant_input(at)?;
    let recurrent = ctx
        .constant_input(at + 1)?
        .ok_or_else(|| OpError::invalid("an input with weights R is missing"))?;
    let rows = recurrent.dims().first().copied().unwrap_or_default();
    if rows > recurrent.len() {
        let dims = recurrent.dims();
        return Err(OpError::invalid(format!(
            "an input with weights R has shape {dims:?}, which is rows without elements"
        )));
    }
    let [input_bias, recurrent_bias] = match ctx.constant_input(at + 2)? {
        None => [zeros(recurrent.dtype(), rows), zeros(recurrent.dtype(), rows)],
        Some(biases) => halves(&biases),
    }
    .map(|bias| {
        bias.ok_or_else(|| {
            OpError::invalid("an input with biases does not have two for each row of R")
        })
    });
    Ok(RnnCell { weights, recurrent, input_bias: input_bias?, recurrent_bias: recurrent_bias? })
}
