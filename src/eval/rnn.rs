//! `RNNv2`: recurrent layers one above the other.

use super::error::EvalError;
use super::gemm::{Matrix, multiply};
use super::index::count;
use super::operand::{integers, operand, real_elements, reals, rounded};
use crate::network::layer::{Rnn, RnnCell, RnnOperation};
use crate::tensor::Tensor;
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;

/// Sizes, and the length of each sequence.
struct Sizes {
    rows: usize,
    steps: usize,
    hidden: usize,
    gates: usize,
    /// Layers times directions.
    cells: usize,
    lengths: Vec<usize>,
}

/// Computes an `RNNv2` layer.
pub(super) fn rnn(layer: &Rnn, inputs: &[&Tensor]) -> Result<SmallVec<[Tensor; 2]>, EvalError> {
    let data = operand(inputs, 0)?;
    let misfit = || EvalError::Shape {
        at: 0,
        dims: data.dims().to_vec(),
        rule: "end in the steps and their width",
    };
    let Some((batch, &[steps, mut width])) = data.dims().split_last_chunk::<2>() else {
        return Err(misfit());
    };
    if steps != layer.max_seq_length {
        return Err(misfit());
    }
    let directions = layer.directions();
    let sizes = Sizes {
        rows: count(batch)?,
        steps,
        hidden: layer.hidden_size,
        gates: layer.operation.gates().len(),
        cells: layer.cells.len(),
        lengths: lengths(layer, inputs, count(batch)?)?,
    };
    let mut state = first(layer.hidden_state, inputs, &sizes)?;
    let mut memory = first(layer.cell_state, inputs, &sizes)?;
    let mut values = reals(inputs, 0)?.into_owned();
    for (l, cells) in layer.cells.chunks(directions).enumerate() {
        let out_width = sizes.hidden * directions;
        let mut out = vec![0.0; count(&[sizes.rows, steps, out_width])?];
        for (d, cell) in cells.iter().enumerate() {
            let weights = Weights::of(cell, &sizes, width)?;
            for row in 0..sizes.rows {
                let gates =
                    weights.of_data(&values[row * steps * width..][..steps * width], &sizes)?;
                let at = (row * sizes.cells + l * directions + d) * sizes.hidden;
                let h = &mut state[at..at + sizes.hidden];
                let c = &mut memory[at..at + sizes.hidden];
                for passed in 0..sizes.lengths[row] {
                    let t = if d == 1 { sizes.lengths[row] - 1 - passed } else { passed };
                    let from_data = &gates[t * weights.rows..][..weights.rows];
                    let from_state = weights.of_state(h);
                    step(layer.operation, from_data, &from_state, h, c);
                    out[(row * steps + t) * out_width + d * sizes.hidden..][..sizes.hidden]
                        .copy_from_slice(h);
                }
            }
        }
        (values, width) = (out, out_width);
    }
    let dims = |behind: [usize; 2]| [batch, &behind].concat();
    let all = rounded(data.dtype(), dims([steps, width]), values)?;
    let last = |values| rounded(data.dtype(), dims([sizes.cells, sizes.hidden]), values);
    let mut outputs = smallvec![all, last(state)?];
    if layer.operation == RnnOperation::Lstm {
        outputs.push(last(memory)?);
    }
    Ok(outputs)
}

fn lengths(layer: &Rnn, inputs: &[&Tensor], rows: usize) -> Result<Vec<usize>, EvalError> {
    let Some(at) = layer.sequence_lengths else { return Ok(vec![layer.max_seq_length; rows]) };
    let given = integers(inputs, at)?;
    let fits = |&length: &i64| {
        usize::try_from(length).ok().filter(|length| (1..=layer.max_seq_length).contains(length))
    };
    match given.iter().map(fits).collect::<Option<Vec<_>>>() {
        Some(lengths) if lengths.len() == rows => Ok(lengths),
        _ => Err(EvalError::Shape {
            at,
            dims: given.iter().map(|&n| n as usize).collect(),
            rule: "hold lengths from 1 on",
        }),
    }
}

/// First states from an input, or 0.
fn first(at: Option<usize>, inputs: &[&Tensor], sizes: &Sizes) -> Result<Vec<f32>, EvalError> {
    let size = count(&[sizes.rows, sizes.cells, sizes.hidden])?;
    let Some(at) = at else { return Ok(vec![0.0; size]) };
    let values = reals(inputs, at)?.into_owned();
    if values.len() == size {
        return Ok(values);
    }
    Err(EvalError::Shapes(
        operand(inputs, at)?.dims().to_vec(),
        vec![sizes.rows, sizes.cells, sizes.hidden],
    ))
}

/// The weights of a layer in one direction, as numbers.
struct Weights {
    /// gates·hidden
    rows: usize,
    width: usize,
    input: Option<Vec<f32>>,
    recurrent: Vec<f32>,
    input_bias: Vec<f32>,
    recurrent_bias: Vec<f32>,
}

impl Weights {
    fn of(cell: &RnnCell, sizes: &Sizes, width: usize) -> Result<Self, EvalError> {
        let rows = count(&[sizes.gates, sizes.hidden])?;
        let numbers = |tensor: &Tensor, dims: &[usize]| {
            if tensor.dims() == dims {
                return real_elements(tensor, 0).map(Cow::into_owned);
            }
            Err(EvalError::Shapes(tensor.dims().to_vec(), dims.to_vec()))
        };
        if cell.weights.is_none() && width != sizes.hidden {
            return Err(EvalError::Shapes(vec![width], vec![sizes.hidden]));
        }
        Ok(Self {
            rows,
            width,
            input: cell
                .weights
                .as_ref()
                .map(|weights| numbers(weights, &[rows, width]))
                .transpose()?,
            recurrent: numbers(&cell.recurrent, &[rows, sizes.hidden])?,
            input_bias: numbers(&cell.input_bias, &[rows])?,
            recurrent_bias: numbers(&cell.recurrent_bias, &[rows])?,
        })
    }

    /// W x + b for each step of `x[steps, width]`.
    fn of_data(&self, x: &[f32], sizes: &Sizes) -> Result<Vec<f32>, EvalError> {
        let mut out = vec![0.0; count(&[sizes.steps, self.rows])?];
        match &self.input {
            Some(weights) => {
                let (x, weights) =
                    (Matrix::new(x, self.width), Matrix::transposed(weights, self.width));
                multiply([sizes.steps, self.width, self.rows], x, weights, &mut out, self.rows);
            }
            None => {
                let gates = out.chunks_mut(self.width.max(1)).enumerate();
                gates.for_each(|(i, gate)| {
                    gate.copy_from_slice(&x[i / sizes.gates * self.width..][..self.width]);
                });
            }
        }
        for gates in out.chunks_mut(self.rows.max(1)) {
            gates.iter_mut().zip(&self.input_bias).for_each(|(gate, bias)| *gate += bias);
        }
        Ok(out)
    }

    /// R h + b.
    fn of_state(&self, h: &[f32]) -> Vec<f32> {
        let rows = self.recurrent.chunks(h.len().max(1)).zip(&self.recurrent_bias);
        rows.map(|(row, bias)| row.iter().zip(h).map(|(r, h)| r * h).sum::<f32>() + bias).collect()
    }
}

/// One step: the share of the data in the gates, and that of the state; the state and the cell
/// state change.
fn step(operation: RnnOperation, x: &[f32], r: &[f32], h: &mut [f32], c: &mut [f32]) {
    let size = h.len();
    let sigmoid = |v: f32| 1.0 / (1.0 + (-v).exp());
    let sum = |gate: usize, i: usize| x[gate * size + i] + r[gate * size + i];
    for (i, (h, c)) in h.iter_mut().zip(c).enumerate() {
        *h = match operation {
            RnnOperation::Relu => sum(0, i).max(0.0),
            RnnOperation::Tanh => sum(0, i).tanh(),
            RnnOperation::Lstm => {
                *c = sigmoid(sum(2, i)) * *c + sigmoid(sum(0, i)) * sum(3, i).tanh();
                sigmoid(sum(1, i)) * c.tanh()
            }
            RnnOperation::Gru => {
                let update = sigmoid(sum(0, i));
                let candidate = (x[2 * size + i] + sigmoid(sum(1, i)) * r[2 * size + i]).tanh();
                (1.0 - update) * candidate + update * *h
            }
        };
    }
}
