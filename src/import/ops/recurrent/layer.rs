//! Recurrent operators as the recurrent layer of TensorRT 8.x, and that layer as loops for
//! libraries that lack it.

use super::Operands;
use super::cells::{Cell, Operator, cut, size};
use super::functions::Function;
use super::sweep::{Ran, run};
use crate::import::build::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::layer::{
    ActivationType, Rnn, RnnCell, RnnDirection, RnnInputMode, RnnOperation,
};
use crate::network::{ValueId, Values};
use crate::recipe::RnnForm;
use crate::tensor::{DType, Tensor};
use bytes::Bytes;
use smallvec::smallvec;

/// The operator's outputs from the layer, where that is wanted and computes the same.
pub(super) fn instead(
    ctx: &mut Ctx<'_>,
    of: Operator,
    operands: &Operands,
) -> Result<Option<Values>, OpError> {
    if ctx.recipe.rnn != RnnForm::Layer {
        return Ok(None);
    }
    let fitting =
        misfit(ctx, of, operands).map_or_else(|| operation(of.cell, &operands.functions), Err);
    let layer = fitting.and_then(|operation| layer(ctx, of, operation, operands));
    match layer {
        Ok(layer) => layered(ctx, of, layer, operands).map(Some),
        Err(why) => {
            ctx.note(format!("becomes a loop, not TensorRT's recurrent layer: {why}"));
            Ok(None)
        }
    }
}

/// What the layer does not do.
fn misfit(ctx: &Ctx<'_>, of: Operator, operands: &Operands) -> Option<&'static str> {
    let x = ctx.maybe(0)?;
    let lengths = ctx.maybe(4);
    let known =
        lengths.and_then(|lengths| ctx.constant(lengths)).and_then(|lengths| lengths.to_i64s());
    let steps = ctx.size(x, of.time).and_then(|steps| i64::try_from(steps).ok());
    let in_range = |lengths: &Vec<i64>| {
        lengths.iter().all(|&n| n >= 1 && steps.is_some_and(|steps| n <= steps))
    };
    if ctx.shape(x).known().is_none() {
        return Some("its data has a size known only at run time");
    }
    if !matches!(ctx.dtype(x), DType::F32 | DType::F16) {
        return Some("its data is neither f32 nor f16");
    }
    if operands.weights.are_quantized() {
        return Some("its weights are quantized");
    }
    if of.clip.is_some() {
        return Some("it clips its gates");
    }
    if operands.peepholes.is_some() {
        return Some("it has peepholes");
    }
    if of.only_reverse() {
        return Some("it only goes backwards");
    }
    match known {
        Some(lengths) if !in_range(&lengths) => Some("a sequence is empty or too long"),
        _ => None,
    }
}

/// What one step of the layer must compute.
fn operation(cell: Cell, functions: &[Vec<Function>]) -> Result<RnnOperation, &'static str> {
    use ActivationType::{Relu, Sigmoid, Tanh};
    let are = |names: &[ActivationType]| {
        let plain = || names.iter().map(|&name| Function::plain(name));
        functions.iter().all(|functions| functions.iter().copied().eq(plain()))
    };
    match cell {
        Cell::Rnn if are(&[Relu]) => Ok(RnnOperation::Relu),
        Cell::Rnn if are(&[Tanh]) => Ok(RnnOperation::Tanh),
        Cell::Gru { linear_before_reset: false } => Err("it resets the state before the product"),
        Cell::Gru { .. } if are(&[Sigmoid, Tanh]) => Ok(RnnOperation::Gru),
        Cell::Lstm { input_forget: true } => Err("its forget gate is tied to the input gate"),
        Cell::Lstm { .. } if are(&[Sigmoid, Tanh, Tanh]) => Ok(RnnOperation::Lstm),
        Cell::Rnn | Cell::Gru { .. } | Cell::Lstm { .. } => Err("it has activations of its own"),
    }
}

/// The layer without its inputs. ONNX and TensorRT have the gates in the same order.
fn layer(
    ctx: &mut Ctx<'_>,
    of: Operator,
    operation: RnnOperation,
    operands: &Operands,
) -> Result<Rnn, &'static str> {
    let late = "its weights are computed at run time";
    let rows = of.cell.gates() * of.hidden;
    let mut cells = Vec::with_capacity(of.directions());
    for direction in 0..of.directions() {
        let mut own = |value: ValueId| {
            let at = ctx.constant_value(Tensor::scalar(i64::try_from(direction).ok()?));
            ctx.gather(value, at, 0).ok().and_then(|own| ctx.constant(own))
        };
        let recurrent = own(operands.recurrent.values).ok_or(late)?;
        let weights =
            if operands.skips { None } else { Some(own(operands.weights.values).ok_or(late)?) };
        let biases = match operands.biases {
            None => [zeros(recurrent.dtype(), rows), zeros(recurrent.dtype(), rows)],
            Some(biases) => halves(&own(biases).ok_or(late)?),
        };
        let [Some(input_bias), Some(recurrent_bias)] = biases else { return Err(late) };
        cells.push(RnnCell { weights, recurrent, input_bias, recurrent_bias });
    }
    let steps = ctx.maybe(0).and_then(|x| ctx.size(x, of.time)).ok_or("its length is unknown")?;
    Ok(Rnn {
        layer_count: 1,
        hidden_size: of.hidden,
        max_seq_length: steps,
        operation,
        input_mode: if operands.skips { RnnInputMode::Skip } else { RnnInputMode::Linear },
        direction: if of.directions() == 2 {
            RnnDirection::Bidirection
        } else {
            RnnDirection::Unidirection
        },
        sequence_lengths: None,
        hidden_state: None,
        cell_state: None,
        cells,
    })
}

pub(in crate::import::ops) fn zeros(dtype: DType, count: usize) -> Option<Tensor> {
    let bytes = vec![0; dtype.bytes_for(count)?];
    Tensor::new(dtype, vec![count], Bytes::from(bytes)).ok()
}

/// The first and the second half of the elements.
pub(in crate::import::ops) fn halves(biases: &Tensor) -> [Option<Tensor>; 2] {
    let (count, bytes) = (biases.len() / 2, biases.bytes());
    let half = |from: usize| {
        let size = biases.dtype().bytes_for(count)?;
        let end = from.checked_add(size).filter(|&end| end <= bytes.len())?;
        Tensor::new(biases.dtype(), vec![count], bytes.slice(from..end)).ok()
    };
    [half(0), biases.dtype().bytes_for(count).and_then(half)]
}

/// The layer's outputs in the operator's shapes. The layer gets the batch behind an axis of size 1.
fn layered(
    ctx: &mut Ctx<'_>,
    of: Operator,
    mut layer: Rnn,
    operands: &Operands,
) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let ordered = if of.time == 0 { ctx.transpose(x, vec![1, 0, 2])? } else { x };
    let mut inputs: Values = smallvec![ctx.unsqueeze(ordered, vec![0])?];
    let mut named = |ctx: &mut Ctx<'_>, value: ValueId| {
        inputs.push(ctx.unsqueeze(value, vec![0])?);
        Ok::<_, OpError>(Some(inputs.len() - 1))
    };
    if let Some(lengths) = ctx.maybe(4) {
        let lengths = ctx.cast(lengths, DType::I32)?;
        layer.sequence_lengths = named(ctx, lengths)?;
    }
    for (state, place) in [&mut layer.hidden_state, &mut layer.cell_state].into_iter().enumerate() {
        if operands.initial.get(state).is_none_or(Option::is_none) {
            continue;
        }
        let first = operands.first(ctx, of, state, ctx.dtype(x))?;
        let first = ctx.transpose(first, vec![1, 0, 2])?;
        *place = named(ctx, first)?;
    }
    let outputs = ctx.add_all(layer, &inputs)?;
    let [all, last @ ..] = &*outputs else {
        return Err(OpError::invalid("a recurrent layer without outputs"));
    };
    let whole =
        |n: usize| i64::try_from(n).map_err(|_| OpError::invalid(format!("{n} is no size")));
    let (batch, steps) = (ctx.size(x, 1 - of.time), ctx.size(x, of.time));
    let sizes = [batch.unwrap_or_default(), steps.unwrap_or_default(), of.directions(), of.hidden];
    let dims = sizes.into_iter().map(whole).collect::<Result<Vec<_>, _>>()?;
    let all = ctx.reshape(*all, dims)?;
    let mut outputs: Values =
        smallvec![if of.time == 0 { ctx.transpose(all, vec![1, 2, 0, 3])? } else { all }];
    for &last in last {
        let last = ctx.squeeze(last, vec![0])?;
        outputs.push(if of.time == 0 { ctx.transpose(last, vec![1, 0, 2])? } else { last });
    }
    Ok(outputs)
}

/// The layer's outputs from loops, layer by layer.
pub(in crate::import::ops) fn expand(
    ctx: &mut Ctx<'_>,
    of: &Rnn,
    inputs: &[ValueId],
) -> Result<Values, OpError> {
    let types = ctx.types(&of.clone().into(), inputs)?;
    let input = |at: Option<usize>| at.and_then(|at| inputs.get(at)).copied();
    let data = input(Some(0)).ok_or_else(|| OpError::invalid("input `input` is missing"))?;
    let width = ctx.size(data, ctx.rank(data) - 1).unwrap_or_default();
    let cells = of.layer_count * of.directions();
    let flat = |ctx: &mut Ctx<'_>, value: ValueId, behind: &[usize]| {
        let dims =
            [-1].into_iter().chain(behind.iter().map(|&n| i64::try_from(n).unwrap_or(i64::MAX)));
        ctx.reshape(value, dims.collect())
    };
    let mut x = flat(ctx, data, &[of.max_seq_length, width])?;
    let lengths = input(of.sequence_lengths).map(|lengths| flat(ctx, lengths, &[])).transpose()?;
    let mut first = [input(of.hidden_state), input(of.cell_state)];
    for first in first.iter_mut().flatten() {
        *first = flat(ctx, *first, &[cells, of.hidden_size])?;
    }
    let operator = Operator {
        cell: cell(of.operation),
        time: 1,
        reverse: if of.directions() == 2 { &[false, true] } else { &[false] },
        clip: None,
        hidden: of.hidden_size,
        batch: ctx.size_of(x, 0)?,
    };
    let directions = operator.directions();
    let wide = i64::try_from(directions * of.hidden_size).unwrap_or(i64::MAX);
    let steps = i64::try_from(of.max_seq_length).unwrap_or(i64::MAX);
    let mut last = vec![Values::new(); operator.cell.states()];
    for at in 0..of.layer_count {
        let operands = operands(ctx, of, at * directions, directions, first)?;
        let Ran { sequence, last: states } = run(ctx, operator, &operands, x, lengths, true)?;
        let sequence =
            sequence.ok_or_else(|| OpError::invalid("a recurrent layer without outputs"))?;
        let sequence = ctx.transpose(sequence, vec![2, 1, 0, 3])?;
        x = ctx.reshape(sequence, vec![-1, steps, wide])?;
        for (all, state) in last.iter_mut().zip(states) {
            all.push(ctx.transpose(state, vec![1, 0, 2])?);
        }
    }
    let mut outputs: Values = smallvec![x];
    for states in last {
        outputs.push(ctx.concat(&states, 1)?);
    }
    let shapes = types.iter().map(|ty| ty.shape.known().unwrap_or_default());
    let shaped = outputs.into_iter().zip(shapes).map(|(value, dims)| {
        ctx.reshape(value, dims.into_iter().map(|n| i64::try_from(n).unwrap_or(i64::MAX)).collect())
    });
    shaped.collect()
}

const fn cell(operation: RnnOperation) -> Cell {
    match operation {
        RnnOperation::Relu | RnnOperation::Tanh => Cell::Rnn,
        RnnOperation::Lstm => Cell::Lstm { input_forget: false },
        RnnOperation::Gru => Cell::Gru { linear_before_reset: true },
    }
}

fn functions(operation: RnnOperation) -> Vec<Function> {
    use ActivationType::{Relu, Sigmoid, Tanh};
    let names: &[ActivationType] = match operation {
        RnnOperation::Relu => &[Relu],
        RnnOperation::Tanh => &[Tanh],
        RnnOperation::Lstm => &[Sigmoid, Tanh, Tanh],
        RnnOperation::Gru => &[Sigmoid, Tanh],
    };
    names.iter().map(|&name| Function::plain(name)).collect()
}

/// What the cells from this position on take; `first` has the states of all of them,
/// `[n, cells, h]`.
fn operands(
    ctx: &mut Ctx<'_>,
    of: &Rnn,
    from: usize,
    count: usize,
    first: [Option<ValueId>; 2],
) -> Result<Operands, OpError> {
    let cells = of
        .cells
        .get(from..from + count)
        .ok_or_else(|| OpError::invalid("a layer without weights"))?;
    let mut stacked =
        |part: &dyn Fn(&RnnCell) -> Option<Tensor>| -> Result<Option<ValueId>, OpError> {
            let Some(tensors) = cells.iter().map(part).collect::<Option<Vec<_>>>() else {
                return Ok(None);
            };
            let mut values = Values::new();
            for tensor in tensors {
                let value = ctx.constant_value(tensor);
                values.push(ctx.unsqueeze(value, vec![0])?);
            }
            ctx.concat(&values, 0).map(Some)
        };
    let missing = || OpError::invalid("a layer without weights");
    let recurrent = stacked(&|cell| Some(cell.recurrent.clone()))?.ok_or_else(missing)?;
    let weights = stacked(&|cell| cell.weights.clone())?;
    let input_bias = stacked(&|cell| Some(cell.input_bias.clone()))?.ok_or_else(missing)?;
    let recurrent_bias = stacked(&|cell| Some(cell.recurrent_bias.clone()))?.ok_or_else(missing)?;
    let mut initial = [None; 2];
    for (initial, first) in initial.iter_mut().zip(first) {
        let Some(first) = first else { continue };
        let (batch, cells, hidden) =
            (ctx.size_of(first, 0)?, size(ctx, count)?, ctx.size_of(first, 2)?);
        let own = cut(ctx, first, &[(0, batch), (from, cells), (0, hidden)])?;
        *initial = Some(ctx.transpose(own, vec![1, 0, 2])?);
    }
    Ok(Operands {
        functions: vec![functions(of.operation); count],
        weights: weights.unwrap_or(recurrent).into(),
        skips: weights.is_none(),
        recurrent: recurrent.into(),
        biases: Some(ctx.concat(&[input_bias, recurrent_bias], 1)?),
        peepholes: None,
        initial,
    })
}
