//! The recurrent layer of TensorRT 8.x.

use super::attributes::{Attributes, Describe};
use crate::tensor::Tensor;

/// What one step computes: `nvinfer1::RNNOperation`. x is the data, h the state, · a product with
/// weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RnnOperation {
    /// h' = max(0, Wx + Rh + b)
    Relu,
    /// h' = tanh(Wx + Rh + b)
    Tanh,
    /// c' = σ(f)·c + σ(i)·tanh(ĉ), h' = σ(o)·tanh(c')
    Lstm,
    /// h' = (1 − σ(z))·tanh(W x + b + σ(r)·(R h + b')) + σ(z)·h
    Gru,
}

/// A gate: `nvinfer1::RNNGateType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are TensorRT's")]
#[non_exhaustive]
pub enum RnnGateType {
    Input,
    Output,
    Forget,
    Update,
    Reset,
    Cell,
    Hidden,
}

impl RnnOperation {
    /// The gates, in the order in which their rows stand in the weights.
    pub const fn gates(self) -> &'static [RnnGateType] {
        use RnnGateType::{Cell, Forget, Hidden, Input, Output, Reset, Update};
        match self {
            RnnOperation::Relu | RnnOperation::Tanh => &[Input],
            RnnOperation::Lstm => &[Input, Output, Forget, Cell],
            RnnOperation::Gru => &[Update, Reset, Hidden],
        }
    }
}

/// Whether the first layer multiplies the data with weights: `nvinfer1::RNNInputMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RnnInputMode {
    /// It does.
    Linear,
    /// It takes the data, of `hidden_size` elements, as it is.
    Skip,
}

/// `nvinfer1::RNNDirection`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RnnDirection {
    /// From the first step to the last.
    Unidirection,
    /// Both ways; states stand side by side.
    Bidirection,
}

/// Recurrent layers one above the other: `nvinfer1::IRNNv2Layer`, TensorRT 8.x only.
///
/// Inputs: data `[batch…, steps, width]` of known shape, then those that the attributes name.
/// Outputs: the last layer's states `[batch…, steps, K·hidden]`, each layer's last state
/// `[batch…, K·layers, hidden]`, and for [`RnnOperation::Lstm`] each layer's last cell state in the
/// same shape. K is the number of directions; layer l's forward state stands at K·l, its backward
/// state behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rnn {
    /// Number of layers.
    pub layer_count: usize,
    /// Number of elements of a state.
    pub hidden_size: usize,
    /// Number of steps.
    pub max_seq_length: usize,
    /// What one step computes.
    pub operation: RnnOperation,
    /// Whether the first layer multiplies the data with weights.
    pub input_mode: RnnInputMode,
    /// Ways through the sequence.
    pub direction: RnnDirection,
    /// Position of the input with the length of each sequence, `i32[batch…]` from 1 to
    /// `max_seq_length`; states beyond are 0. Absent: all are as long as the data.
    pub sequence_lengths: Option<usize>,
    /// Position of the input with the first states `[batch…, K·layers, hidden]`; absent: 0.
    pub hidden_state: Option<usize>,
    /// Position of the input with the first cell states, in the same shape; absent: 0.
    pub cell_state: Option<usize>,
    /// The weights of each layer and direction, in the order of the states.
    pub cells: Vec<RnnCell>,
}

/// The weights of one layer in one direction, of the data's type. Gates stand one behind the other
/// along the first axis.
#[derive(Debug, Clone, PartialEq)]
pub struct RnnCell {
    /// W: `[gates·hidden, width]`, behind the first layer `[gates·hidden, K·hidden]`; `None` where
    /// the product is skipped.
    pub weights: Option<Tensor>,
    /// R: `[gates·hidden, hidden]`
    pub recurrent: Tensor,
    /// Bias of the product with W: `[gates·hidden]`
    pub input_bias: Tensor,
    /// Bias of the product with R: `[gates·hidden]`
    pub recurrent_bias: Tensor,
}

impl Rnn {
    /// K: the number of directions.
    pub fn directions(&self) -> usize {
        match self.direction {
            RnnDirection::Unidirection => 1,
            RnnDirection::Bidirection => 2,
        }
    }
}

impl Describe for Rnn {
    fn describe(&self, to: &mut Attributes) {
        let Self { layer_count, hidden_size, max_seq_length, operation, input_mode, .. } = self;
        let Self { direction, sequence_lengths, hidden_state, cell_state, cells, .. } = self;
        to.word(operation);
        to.unless("layers", layer_count, &1);
        to.named("hidden_size", hidden_size);
        to.named("max_seq_length", max_seq_length);
        to.word_unless(input_mode, &RnnInputMode::Linear);
        to.word_unless(direction, &RnnDirection::Unidirection);
        to.given_input("sequence_lengths", *sequence_lengths);
        to.given_input("hidden_state", *hidden_state);
        to.given_input("cell_state", *cell_state);
        for RnnCell { weights, recurrent, input_bias, recurrent_bias } in cells {
            to.given_data("weights", weights.as_ref());
            to.data("recurrent", recurrent);
            to.data("input_bias", input_bias);
            to.data("recurrent_bias", recurrent_bias);
        }
    }
}
