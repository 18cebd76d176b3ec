//! `RNN`, `GRU` and `LSTM`: one matrix product of the whole sequence, then a loop over its steps.
//!
//! All directions run in one loop. A mask holds rows of the batch whose sequence has ended: in reverse they keep their
//! initial state until the loop arrives at their own last step.

mod cells;
mod functions;
pub(super) mod layer;

use crate::import::ctx::Ctx;
use crate::import::error::OpError;
use crate::import::nested::{Iteration, Repeat};
use crate::import::registry::{NOW, Op, onnx};
use crate::network::layer::MatrixMultiply;
use crate::network::layer::control::{LoopIterator, LoopOutput};
use crate::network::layer::math::{ElementWiseOperation as Ew, MatrixOperation};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor};
use cells::{Cell, Direction, Operator, cut, size};
use functions::{Function, functions};
use smallvec::smallvec;

const INPUTS: &str = "X W R B? sequence_lens? initial_h?";
const LSTM_INPUTS: &str = "X W R B? sequence_lens? initial_h? initial_c? P?";

pub(super) const OPS: &[Op] = &[
    onnx("GRU", 1..=2, INPUTS, |ctx, node| recurrent(ctx, node, RESET_FIRST, 0)).ignoring(&["output_sequence"]),
    onnx("GRU", 3..=6, INPUTS, |ctx, node| gru(ctx, node, 0)).ignoring(&["output_sequence"]),
    onnx("GRU", 7..=13, INPUTS, |ctx, node| gru(ctx, node, 0)),
    onnx("GRU", 14..=NOW, INPUTS, |ctx, node| gru(ctx, node, layout(node)?)),
    onnx("LSTM", 1..=6, LSTM_INPUTS, |ctx, node| lstm(ctx, node, 0)).ignoring(&["output_sequence"]),
    onnx("LSTM", 7..=13, LSTM_INPUTS, |ctx, node| lstm(ctx, node, 0)),
    onnx("LSTM", 14..=NOW, LSTM_INPUTS, |ctx, node| lstm(ctx, node, layout(node)?)),
    onnx("RNN", 1..=6, INPUTS, |ctx, node| recurrent(ctx, node, Cell::Rnn, 0)).ignoring(&["output_sequence"]),
    onnx("RNN", 7..=13, INPUTS, |ctx, node| recurrent(ctx, node, Cell::Rnn, 0)),
    onnx("RNN", 14..=NOW, INPUTS, |ctx, node| recurrent(ctx, node, Cell::Rnn, layout(node)?)),
];

const RESET_FIRST: Cell = Cell::Gru { linear_before_reset: false };

/// A sequence of at most so many steps becomes a copy of the step for each.
const FEW_STEPS: usize = 4;

/// The axis of time: 0, or 1 where the batch comes first.
fn layout(node: &Node) -> Result<usize, OpError> {
    match node.attrs.int_or("layout", 0)? {
        0 => Ok(0),
        1 => Ok(1),
        other => Err(OpError::invalid(format!("attribute `layout` is {other}, not 0 or 1"))),
    }
}

/// `GRU`. Becomes MatrixMultiply and Loop.
fn gru(ctx: &mut Ctx<'_>, node: &Node, time: usize) -> Result<Values, OpError> {
    let linear_before_reset = node.attrs.int_or("linear_before_reset", 0)? != 0;
    recurrent(ctx, node, Cell::Gru { linear_before_reset }, time)
}

/// `LSTM`. Becomes MatrixMultiply and Loop.
fn lstm(ctx: &mut Ctx<'_>, node: &Node, time: usize) -> Result<Values, OpError> {
    let input_forget = node.attrs.int_or("input_forget", 0)? != 0;
    recurrent(ctx, node, Cell::Lstm { input_forget }, time)
}

/// One direction through a sequence.
struct Lane {
    direction: Direction,
    reverse: bool,
    /// The input's share of the gates: `[t, n, gates·h]`, or `[n, t, gates·h]` where the batch comes first.
    input: ValueId,
    /// `[n, h]` each.
    initial: Values,
}

/// What a lane gives.
struct Ran {
    /// `[t, n, h]`, or `[n, t, h]` where the batch comes first, if wanted.
    sequence: Option<ValueId>,
    /// `[n, h]` each.
    last: Values,
}

/// Any recurrent operator. The first axis of its input is time, or the batch where `time` is 1.
fn recurrent(ctx: &mut Ctx<'_>, node: &Node, cell: Cell, time: usize) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    if ctx.rank(x) != 3 {
        return Err(OpError::Rank { what: "input `X`", rank: ctx.rank(x), supported: "3" });
    }
    let (of, reverse) = operator(ctx, node, cell, time)?;
    let functions = functions(node, cell.functions(), of.directions)?;
    let operands = (0..of.directions).map(|at| Operands::of(ctx, of, at)).collect::<Result<Vec<_>, _>>()?;
    if let Some(outputs) = layer::instead(ctx, of, reverse, &functions, &operands)? {
        return Ok(outputs);
    }
    let lanes = reverse.iter().zip(functions).zip(&operands);
    let lanes = lanes.map(|((&reverse, functions), operands)| lane(ctx, of, x, operands, reverse, functions));
    let lanes = lanes.collect::<Result<Vec<_>, _>>()?;
    let mask = mask(ctx, x, ctx.maybe(4), time)?;
    let wants_sequence = node.output(0).is_some();
    let ran = run(ctx, &lanes, mask, x, time, wants_sequence)?;
    let sequences: Values = ran.iter().filter_map(|ran| ran.sequence).collect();
    let mut outputs = Values::new();
    // Nobody asks for the value at the place of an output that is not wanted.
    outputs.push(if wants_sequence { stack(ctx, &sequences, time + 1)? } else { x });
    for state in 0..cell.states() {
        let last: Values = ran.iter().filter_map(|ran| ran.last.get(state).copied()).collect();
        outputs.push(stack(ctx, &last, time)?);
    }
    Ok(outputs)
}

/// All lanes over the data `x`, in a loop or step by step.
fn run(
    ctx: &mut Ctx<'_>,
    lanes: &[Lane],
    mask: Option<ValueId>,
    x: ValueId,
    time: usize,
    wants_sequence: bool,
) -> Result<Vec<Ran>, OpError> {
    if let Some(steps @ 1..=FEW_STEPS) = ctx.size(x, time) {
        return unrolled(ctx, lanes, mask, time, steps);
    }
    let count = ctx.size_of(x, time)?;
    let count = ctx.as_scalar(count)?;
    looped(ctx, lanes, mask, time, count, wants_sequence)
}

/// The values side by side along a new axis, that of the directions.
fn stack(ctx: &mut Ctx<'_>, values: &[ValueId], axis: usize) -> Result<ValueId, OpError> {
    let values = values.iter().map(|&value| ctx.unsqueeze(value, vec![axis])).collect::<Result<Values, _>>()?;
    ctx.concat(&values, axis)
}

/// What all directions share, and which of them lead backwards.
fn operator(ctx: &mut Ctx<'_>, node: &Node, cell: Cell, time: usize) -> Result<(Operator, &'static [bool]), OpError> {
    let reverse: &[bool] = match node.attrs.string_or("direction", "forward")? {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        other => {
            let known = "`forward`, `reverse` or `bidirectional`";
            return Err(OpError::invalid(format!("attribute `direction` is `{other}`, not {known}")));
        }
    };
    let of = Operator {
        cell,
        time,
        directions: reverse.len(),
        clip: node.attrs.float("clip")?,
        hidden: hidden(ctx, node, cell)?,
        batch: ctx.size_of(ctx.input(0)?, 1 - time)?,
    };
    Ok((of, reverse))
}

/// The size of the state, from the recurrent weights; an attribute repeats it.
fn hidden(ctx: &Ctx<'_>, node: &Node, cell: Cell) -> Result<usize, OpError> {
    let r = ctx.input(2)?;
    let (Some(rows), Some(hidden)) = (ctx.size(r, 1), ctx.size(r, 2)) else {
        return Err(OpError::Feature("a recurrent operator whose weights `R` have a size known only at run time"));
    };
    if rows != hidden.saturating_mul(cell.gates()) {
        return Err(OpError::invalid(format!(
            "input `R` has shape {}, which is no {} gates",
            ctx.shape(r),
            cell.gates()
        )));
    }
    match node.attrs.int("hidden_size")? {
        Some(size) if usize::try_from(size) != Ok(hidden) => {
            Err(OpError::invalid(format!("attribute `hidden_size` is {size}, but input `R` has {hidden} columns")))
        }
        _ => Ok(hidden),
    }
}

/// What one direction takes from the node's inputs.
struct Operands {
    /// `[gates·h, width]`
    weights: ValueId,
    /// Whether the weights of each gate are the identity, so that a product with them is the data.
    skips: bool,
    /// `[gates·h, h]`
    recurrent: ValueId,
    /// `[2·gates·h]`: those of the product with the data, then those of the product with the state.
    biases: Option<ValueId>,
    /// `[3·h]`
    peepholes: Option<ValueId>,
    /// `[n, h]` each.
    initial: [Option<ValueId>; 2],
}

impl Operands {
    fn of(ctx: &mut Ctx<'_>, of: Operator, at: usize) -> Result<Self, OpError> {
        let weights = share(ctx, of, at, 1, 0)?.ok_or_else(|| OpError::invalid("input `W` is missing"))?;
        let recurrent = share(ctx, of, at, 2, 0)?.ok_or_else(|| OpError::invalid("input `R` is missing"))?;
        let mut initial = [None; 2];
        for (state, initial) in initial.iter_mut().enumerate().take(of.cell.states()) {
            *initial = share(ctx, of, at, 5 + state, of.time)?;
        }
        Ok(Self {
            weights,
            skips: is_identity(ctx, weights, of),
            recurrent,
            biases: share(ctx, of, at, 3, 0)?,
            peepholes: share(ctx, of, at, 7, 0)?,
            initial,
        })
    }

    /// The first state at this position, `[n, h]`: 0 where none is given.
    fn first(&self, ctx: &mut Ctx<'_>, of: Operator, state: usize, dtype: DType) -> Result<ValueId, OpError> {
        if let Some(value) = self.initial.get(state).copied().flatten() {
            return Ok(value);
        }
        let (zero, hidden) = (ctx.filled(dtype, 0.0, 2)?, size(ctx, of.hidden)?);
        ctx.expand(zero, &[of.batch, hidden])
    }
}

fn is_zero(ctx: &Ctx<'_>, value: ValueId) -> bool {
    let values = ctx.constant(value);
    values.as_ref().and_then(Tensor::to_f32s).is_some_and(|values| values.iter().all(|&value| value == 0.0))
}

/// Whether the weights of each gate are the identity.
#[expect(clippy::float_cmp, reason = "what is nearly 1 is not 1")]
fn is_identity(ctx: &Ctx<'_>, weights: ValueId, of: Operator) -> bool {
    let (Some(tensor), h) = (ctx.constant(weights), of.hidden) else { return false };
    let width = ctx.maybe(0).and_then(|x| ctx.size(x, 2));
    if h == 0 || width != Some(h) || tensor.dims() != [h * of.cell.gates(), h] {
        return false;
    }
    let is_one = |(i, &value): (usize, &f32)| value == f32::from(u8::from(i / h % h == i % h));
    tensor.to_f32s().is_some_and(|values| values.iter().enumerate().all(is_one))
}

/// One direction over the data `x`.
fn lane(
    ctx: &mut Ctx<'_>,
    of: Operator,
    x: ValueId,
    operands: &Operands,
    reverse: bool,
    functions: Vec<Function>,
) -> Result<Lane, OpError> {
    let mut input = if operands.skips {
        ctx.concat(&vec![x; of.cell.gates()], 2)?
    } else {
        let weights = ctx.lead(operands.weights, 3)?;
        let product = MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::Transpose };
        ctx.add(product, &[x, weights])?
    };
    let mut late_biases = Values::new();
    if let Some(biases) = operands.biases.filter(|&biases| !is_zero(ctx, biases)) {
        let (early, late) = split_biases(ctx, of, biases)?;
        input = ctx.binary(Ew::Sum, input, early)?;
        late_biases = late;
    }
    let mut peepholes = Values::new();
    if let Some(all) = operands.peepholes {
        for gate in 0..3 {
            let size = size(ctx, of.hidden)?;
            let peephole = cut(ctx, all, &[(gate * of.hidden, size)])?;
            peepholes.push(ctx.unsqueeze(peephole, vec![0])?);
        }
    }
    let dtype = ctx.dtype(input);
    let initial = (0..of.cell.states()).map(|state| operands.first(ctx, of, state, dtype));
    let initial = initial.collect::<Result<_, _>>()?;
    let direction = Direction { of, functions, recurrent: operands.recurrent, late_biases, peepholes };
    Ok(Lane { direction, reverse, input, initial })
}

/// A direction's share of the node's input at position `input`, whose directions stand along `axis`.
fn share(ctx: &mut Ctx<'_>, of: Operator, at: usize, input: usize, axis: usize) -> Result<Option<ValueId>, OpError> {
    let Some(value) = ctx.maybe(input) else { return Ok(None) };
    if let Some(count) = ctx.size(value, axis).filter(|&count| count != of.directions) {
        let (name, directions) = (ctx.input_name(input), of.directions);
        return Err(OpError::invalid(format!("input `{name}` is for {count} directions, not {directions}")));
    }
    if of.directions == 1 {
        return ctx.squeeze(value, vec![axis]).map(Some);
    }
    let at = i64::try_from(at).map_err(|_| OpError::invalid("too many directions"))?;
    let at = ctx.constant_value(Tensor::scalar(at));
    ctx.gather(value, at, axis).map(Some)
}

/// What can be added before the steps, `[gates·h]`, and the recurrent biases that cannot.
fn split_biases(ctx: &mut Ctx<'_>, of: Operator, biases: ValueId) -> Result<(ValueId, Values), OpError> {
    let (gates, early) = (of.cell.gates(), of.cell.early_biases());
    let mut part = |from, count| {
        let size = size(ctx, count * of.hidden)?;
        cut(ctx, biases, &[(from * of.hidden, size)])
    };
    let (input, recurrent) = (part(0, early)?, part(gates, early)?);
    let rest =
        if early < gates { Some((part(early, gates - early)?, part(gates + early, gates - early)?)) } else { None };
    let sum = ctx.binary(Ew::Sum, input, recurrent)?;
    match rest {
        None => Ok((sum, Values::new())),
        Some((input, recurrent)) => {
            let late = ctx.unsqueeze(recurrent, vec![0])?;
            Ok((ctx.concat(&[sum, input], 0)?, smallvec![late]))
        }
    }
}

/// Where a row of the batch is within its sequence: `[t, n, 1]` or `[n, t, 1]`; `None` where they all are to the end.
fn mask(ctx: &mut Ctx<'_>, x: ValueId, lengths: Option<ValueId>, time: usize) -> Result<Option<ValueId>, OpError> {
    let Some(lengths) = lengths else { return Ok(None) };
    let steps = ctx.size_of(x, time)?;
    let known = ctx.constant(lengths).and_then(|lengths| lengths.to_i64s());
    if let (Some(lengths), Some(steps)) = (known, ctx.known(steps))
        && lengths.iter().all(|&length| length >= steps)
    {
        return Ok(None);
    }
    let position = ctx.count_up(steps)?;
    let position = ctx.unsqueeze(position, vec![1 - time, 2])?;
    let lengths = ctx.cast(lengths, DType::I64)?;
    let lengths = ctx.unsqueeze(lengths, vec![time, 2])?;
    ctx.binary(Ew::Less, position, lengths).map(Some)
}

/// The next state and the output of one step. Rows beyond their end keep their state and give 0.
fn step(
    ctx: &mut Ctx<'_>,
    lane: &Lane,
    mask: Option<ValueId>,
    input: ValueId,
    state: &[ValueId],
) -> Result<(Values, ValueId), OpError> {
    let mut next = lane.direction.step(ctx, input, state)?;
    let output = next.first().copied().ok_or_else(|| OpError::invalid("a step without a state"))?;
    let Some(mask) = mask else { return Ok((next, output)) };
    let zero = ctx.scalar(ctx.dtype(output), 0.0)?;
    let output = ctx.select(mask, output, zero)?;
    for (next, &current) in next.iter_mut().zip(state) {
        *next = ctx.select(mask, *next, current)?;
    }
    Ok((next, output))
}

fn looped(
    ctx: &mut Ctx<'_>,
    lanes: &[Lane],
    mask: Option<ValueId>,
    time: usize,
    count: ValueId,
    wants_sequence: bool,
) -> Result<Vec<Ran>, OpError> {
    let outputs = Repeat::new(Some(count), Some(count)).run(ctx, |ctx, repeat| {
        let mut iteration = Iteration::default();
        for lane in lanes {
            let iterator = LoopIterator { axis: time, reverse: lane.reverse };
            let input = repeat.iterate(ctx, lane.input, iterator.clone())?;
            let mask = mask.map(|mask| repeat.iterate(ctx, mask, iterator)).transpose()?;
            let state: Values = lane.initial.iter().map(|&initial| repeat.carry(ctx, initial)).collect();
            let (next, output) = step(ctx, lane, mask, input, &state)?;
            if wants_sequence {
                let axis = time;
                iteration.collected.push(output);
                let collect =
                    if lane.reverse { LoopOutput::Reverse { axis } } else { LoopOutput::Concatenate { axis } };
                iteration.outputs.push(collect);
            }
            let first = iteration.next.len();
            iteration.outputs.extend((first..first + next.len()).map(LoopOutput::LastValue));
            iteration.next.extend(next);
        }
        Ok(iteration)
    })?;
    let ran = outputs.chunks(outputs.len().div_ceil(lanes.len().max(1)).max(1)).map(|outputs| match outputs {
        [sequence, last @ ..] if wants_sequence => Ran { sequence: Some(*sequence), last: last.into() },
        last => Ran { sequence: None, last: last.into() },
    });
    Ok(ran.collect())
}

fn unrolled(
    ctx: &mut Ctx<'_>,
    lanes: &[Lane],
    mask: Option<ValueId>,
    time: usize,
    steps: usize,
) -> Result<Vec<Ran>, OpError> {
    let mut ran = Vec::with_capacity(lanes.len());
    for lane in lanes {
        let mut last = lane.initial.clone();
        let mut sequence = vec![None; steps];
        for passed in 0..steps {
            let at = if lane.reverse { steps - 1 - passed } else { passed };
            let now = size(ctx, at)?;
            let now = ctx.as_scalar(now)?;
            let input = ctx.gather(lane.input, now, time)?;
            let mask = mask.map(|mask| ctx.gather(mask, now, time)).transpose()?;
            let (next, output) = step(ctx, lane, mask, input, &last)?;
            last = next;
            if let Some(place) = sequence.get_mut(at) {
                *place = Some(output);
            }
        }
        let sequence: Values = sequence.into_iter().flatten().collect();
        ran.push(Ran { sequence: Some(stack(ctx, &sequence, time)?), last });
    }
    Ok(ran)
}
