use super::check;
use crate::network::layer::{Rnn, RnnCell, RnnDirection, RnnInputMode, RnnOperation};
use crate::tensor::Tensor;

fn zeros(dims: &[usize]) -> Tensor {
    Tensor::of(dims.to_vec(), vec![0f32; dims.iter().product()]).unwrap()
}

/// One layer of 5 steps from 3 numbers to 2.
fn layer(operation: RnnOperation) -> Rnn {
    let rows = 2 * operation.gates().len();
    let cell = RnnCell {
        weights: Some(zeros(&[rows, 3])),
        recurrent: zeros(&[rows, 2]),
        input_bias: zeros(&[rows]),
        recurrent_bias: zeros(&[rows]),
    };
    Rnn {
        layer_count: 1,
        hidden_size: 2,
        max_seq_length: 5,
        operation,
        input_mode: RnnInputMode::Linear,
        direction: RnnDirection::Unidirection,
        sequence_lengths: None,
        hidden_state: None,
        cell_state: None,
        cells: vec![cell],
    }
}

#[test]
fn recurrent_layers() {
    let gru = || layer(RnnOperation::Gru);
    let both = |of: Rnn| Rnn {
        direction: RnnDirection::Bidirection,
        cells: [of.cells.clone(), of.cells].concat(),
        ..of
    };
    let skipping = || {
        let mut of = Rnn { input_mode: RnnInputMode::Skip, ..gru() };
        of.cells[0].weights = None;
        of
    };
    check([
        (gru().into(), &["f32[1, 4, 5, 3]"], "f32[1, 4, 5, 2]; f32[1, 4, 1, 2]"),
        (
            both(layer(RnnOperation::Lstm)).into(),
            &["f32[4, 5, 3]"],
            "f32[4, 5, 4]; f32[4, 2, 2]; f32[4, 2, 2]",
        ),
        (skipping().into(), &["f32[4, 5, 2]"], "f32[4, 5, 2]; f32[4, 1, 2]"),
        (
            Rnn { sequence_lengths: Some(1), hidden_state: Some(2), ..gru() }.into(),
            &["f32[4, 5, 3]", "i32[4]", "f32[4, 1, 2]"],
            "f32[4, 5, 2]; f32[4, 1, 2]",
        ),
        (gru().into(), &["f32[N, 5, 3]"], "RNNv2 takes data of known size only"),
        (gru().into(), &["f32[4, 6, 3]"], "the sequence has 5 entries but needs 6"),
        (gru().into(), &["f32[4, 5, 4]"], "the shape of W is [6, 3] but must be [6, 4]"),
        (both(gru()).into(), &["f16[4, 5, 3]"], "operands of RNNv2 have types f16 and f32"),
        (
            Rnn { layer_count: 2, ..gru() }.into(),
            &["f32[4, 5, 3]"],
            "the list of weights has 1 entries but needs 2",
        ),
        (
            skipping().into(),
            &["f32[4, 5, 3]"],
            "the data of a layer that skips its product has 3 entries but needs 2",
        ),
        (
            Rnn { hidden_state: Some(1), ..gru() }.into(),
            &["f32[4, 5, 3]", "f32[1, 4, 2]"],
            "the shape of the hidden state is [1, 4, 2] but must be [4, 1, 2]",
        ),
        (
            Rnn { sequence_lengths: Some(1), ..gru() }.into(),
            &["f32[4, 5, 3]", "i64[4]"],
            "operands of RNNv2 have types i32 and i64",
        ),
    ]);
}
