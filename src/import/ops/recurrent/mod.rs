//! `RNN`, `GRU` and `LSTM`: one matrix product of the whole sequence, then a loop over its steps.
//!
//! All directions take a step together: the sequence that one of two goes backwards is turned round
//! before the loop, and its outputs behind it. A step is then one matrix product and what TensorRT
//! makes one kernel of, for all directions. Sizes: `d` directions, `t` steps, `n` rows in the
//! batch, `h` hidden.
//!
//! A mask holds rows of the batch whose sequence has ended: in reverse they keep their initial
//! state until the loop arrives at their own last step.

mod cells;
mod functions;
pub(super) mod layer;
mod sweep;
mod weights;

use crate::import::build::axes::{Cut, cut};
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::build::pads::int;
use crate::import::error::OpError;
use crate::network::layer::ElementWiseOperation as Ew;
use crate::network::{Dim, Shape, ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use cells::{Cell, Operator, size};
use functions::{Function, functions};
use sweep::run;
use weights::Weights;

const INPUTS: &str = "X W R B? sequence_lens? initial_h?";
const LSTM_INPUTS: &str = "X W R B? sequence_lens? initial_h? initial_c? P?";

pub(super) const OPS: &[Op] = &[
    onnx("GRU", 1..=2, INPUTS, |ctx, node| recurrent(ctx, node, RESET_FIRST, 0))
        .ignoring(&["output_sequence"]),
    onnx("GRU", 3..=6, INPUTS, |ctx, node| gru(ctx, node, 0)).ignoring(&["output_sequence"]),
    onnx("GRU", 7..=13, INPUTS, |ctx, node| gru(ctx, node, 0)),
    onnx("GRU", 14..=NOW, INPUTS, |ctx, node| gru(ctx, node, layout(node)?)),
    onnx("LSTM", 1..=6, LSTM_INPUTS, |ctx, node| lstm(ctx, node, 0)).ignoring(&["output_sequence"]),
    onnx("LSTM", 7..=13, LSTM_INPUTS, |ctx, node| lstm(ctx, node, 0)),
    onnx("LSTM", 14..=NOW, LSTM_INPUTS, |ctx, node| lstm(ctx, node, layout(node)?)),
    onnx("RNN", 1..=6, INPUTS, |ctx, node| recurrent(ctx, node, Cell::Rnn, 0))
        .ignoring(&["output_sequence"]),
    onnx("RNN", 7..=13, INPUTS, |ctx, node| recurrent(ctx, node, Cell::Rnn, 0)),
    onnx("RNN", 14..=NOW, INPUTS, |ctx, node| recurrent(ctx, node, Cell::Rnn, layout(node)?)),
];

const RESET_FIRST: Cell = Cell::Gru { linear_before_reset: false };

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

/// Any recurrent operator. The first axis of its input is time, or the batch where `time` is 1.
fn recurrent(ctx: &mut Ctx<'_>, node: &Node, cell: Cell, time: usize) -> Result<Values, OpError> {
    let weights = [Weights::real(ctx, 1)?, Weights::real(ctx, 2)?];
    with_weights(ctx, node, cell, time, weights)
}

/// `DynamicQuantizeLSTM`: an `LSTM` whose products are exact ones of whole numbers. The data is
/// quantized at once, the state in each step.
pub(super) fn quantized_lstm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let weights = [Weights::quantized(ctx, 1, 8)?, Weights::quantized(ctx, 2, 10)?];
    let rows = ctx.size(ctx.input(0)?, 1);
    if rows != Some(1) {
        ctx.note(
            "the state is quantized over all rows of the batch; ONNX Runtime does so over as many \
             as one of its threads \
             takes, so that its numbers for more than one row depend on the number of threads",
        );
    }
    let input_forget = node.attrs.int_or("input_forget", 0)? != 0;
    with_weights(ctx, node, Cell::Lstm { input_forget }, 0, weights)
}

/// The same with weights of the data and of the state, `[d, gates·h, width]` and `[d, gates·h, h]`.
fn with_weights(
    ctx: &mut Ctx<'_>,
    node: &Node,
    cell: Cell,
    time: usize,
    weights: [Weights; 2],
) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    if ctx.rank(x) != 3 {
        return Err(OpError::Rank { what: "input `X`", rank: ctx.rank(x), supported: "3" });
    }
    let of = operator(ctx, node, cell, time, weights[1])?;
    let operands =
        Operands::of(ctx, of, functions(node, cell.functions(), of.directions())?, weights)?;
    if let Some(outputs) = layer::instead(ctx, of, &operands)? {
        return Ok(outputs);
    }
    let ran = run(ctx, of, &operands, x, ctx.maybe(4), node.output(0).is_some())?;
    let mut outputs = Values::new();
    outputs.push(match ran.sequence {
        Some(sequence) => {
            ctx.transpose(sequence, if time == 0 { vec![1, 0, 2, 3] } else { vec![2, 1, 0, 3] })?
        }
        // Nobody asks for the value at the place of an output that is not wanted.
        None => x,
    });
    for last in ran.last {
        outputs.push(swap(ctx, last, time)?);
    }
    Ok(outputs)
}

/// The value with its first two axes in the other order, where the batch comes first.
fn swap(ctx: &mut Ctx<'_>, value: ValueId, time: usize) -> Result<ValueId, OpError> {
    if time == 1 { ctx.transpose(value, vec![1, 0, 2]) } else { Ok(value) }
}

/// What all directions share, and which of them lead backwards.
fn operator(
    ctx: &mut Ctx<'_>,
    node: &Node,
    cell: Cell,
    time: usize,
    recurrent: Weights,
) -> Result<Operator, OpError> {
    let reverse: &[bool] = match node.attrs.string_or("direction", "forward")? {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        other => {
            let known = "`forward`, `reverse` or `bidirectional`";
            return Err(OpError::invalid(format!(
                "attribute `direction` is `{other}`, not {known}"
            )));
        }
    };
    let clip = node.attrs.float("clip")?;
    let hidden = hidden(ctx, node, cell, recurrent.values)?;
    let batch = ctx.size_of(ctx.input(0)?, 1 - time)?;
    Ok(Operator { cell, time, reverse, clip, hidden, batch })
}

/// The size of the state, from the recurrent weights; an attribute repeats it.
fn hidden(ctx: &Ctx<'_>, node: &Node, cell: Cell, r: ValueId) -> Result<usize, OpError> {
    if ctx.rank(r) != 3 {
        let shape = ctx.shape(r);
        return Err(OpError::invalid(format!(
            "input `R` has shape {shape}, which is none of three axes"
        )));
    }
    let (Some(rows), Some(hidden)) = (ctx.size(r, 1), ctx.size(r, 2)) else {
        return Err(OpError::Feature(
            "a recurrent operator whose weights `R` have a size known only at run time",
        ));
    };
    if rows != hidden.saturating_mul(cell.gates()) {
        return Err(OpError::invalid(format!(
            "input `R` has shape {}, which is no {} gates",
            ctx.shape(ctx.input(2)?),
            cell.gates()
        )));
    }
    match node.attrs.int("hidden_size")? {
        Some(size) if usize::try_from(size) != Ok(hidden) => Err(OpError::invalid(format!(
            "attribute `hidden_size` is {size}, but input `R` has {hidden} columns"
        ))),
        _ => Ok(hidden),
    }
}

/// What an operator takes from the node.
struct Operands {
    /// Those of each direction.
    functions: Vec<Vec<Function>>,
    /// `[d, gates·h, width]`
    weights: Weights,
    /// Whether the weights of each gate are the identity, so that a product with them is the data.
    skips: bool,
    /// `[d, gates·h, h]`
    recurrent: Weights,
    /// `[d, 2·gates·h]`: those of the product with the data, then those of the product with the
    /// state.
    biases: Option<ValueId>,
    /// `[d, 3·h]`
    peepholes: Option<ValueId>,
    /// `[d, n, h]` each.
    initial: [Option<ValueId>; 2],
}

impl Operands {
    fn of(
        ctx: &mut Ctx<'_>,
        of: Operator,
        functions: Vec<Vec<Function>>,
        [weights, recurrent]: [Weights; 2],
    ) -> Result<Self, OpError> {
        let x = ctx.shape(ctx.input(0)?).clone();
        let (batch, width) = (
            x.get(1 - of.time).cloned().unwrap_or(Dim::Known(1)),
            x.get(2).cloned().unwrap_or(Dim::Known(1)),
        );
        let d = Dim::from(of.directions());
        let rows = |per_unit: usize| Dim::from(of.hidden.saturating_mul(per_unit));
        let (gates, h) = (of.cell.gates(), rows(1));
        for (at, weights, columns) in [(1, weights, width), (2, recurrent, h.clone())] {
            let mut stored = [d.clone(), rows(gates), columns];
            if weights.are_quantized() {
                stored.swap(1, 2);
            }
            checked(ctx, at, &stored)?;
        }
        checked(ctx, 4, std::slice::from_ref(&batch))?;
        let mut states = [d.clone(), batch, h];
        states.swap(0, of.time);
        let mut initial = [None; 2];
        for (state, initial) in initial.iter_mut().enumerate().take(of.cell.states()) {
            let given = checked(ctx, 5 + state, &states)?;
            *initial = given.map(|given| swap(ctx, given, of.time)).transpose()?;
        }
        Ok(Self {
            functions,
            weights,
            skips: is_identity(ctx, weights, of),
            recurrent,
            biases: checked(ctx, 3, &[d.clone(), rows(2 * gates)])?,
            peepholes: checked(ctx, 7, &[d, rows(3)])?,
            initial,
        })
    }

    /// The same for so many units. Those added have no weights: whatever their state becomes,
    /// nothing sees it.
    fn widened(&self, ctx: &mut Ctx<'_>, of: Operator, units: usize) -> Result<Self, OpError> {
        let by = int(units.saturating_sub(of.hidden));
        let weights = self.weights.widened(ctx, of, by, 0)?;
        let recurrent = self.recurrent.widened(ctx, of, by, by)?;
        let mut rows = |value| widened(ctx, value, of.hidden, by);
        let (biases, peepholes) =
            (self.biases.map(&mut rows).transpose()?, self.peepholes.map(rows).transpose()?);
        let mut initial = self.initial;
        for state in initial.iter_mut().flatten() {
            *state = grown(ctx, *state, 2, by)?;
        }
        Ok(Self {
            functions: self.functions.clone(),
            weights,
            skips: false,
            recurrent,
            biases,
            peepholes,
            initial,
        })
    }

    /// The first state at this position, `[d, n, h]`: 0 where none is given.
    fn first(
        &self,
        ctx: &mut Ctx<'_>,
        of: Operator,
        state: usize,
        dtype: DType,
    ) -> Result<ValueId, OpError> {
        if let Some(value) = self.initial.get(state).copied().flatten() {
            return Ok(value);
        }
        let zero = ctx.filled(dtype, 0.0, 3)?;
        let (directions, hidden) = (size(ctx, of.directions())?, size(ctx, of.hidden)?);
        ctx.expand(zero, &[directions, of.batch, hidden])
    }
}

/// Rows of zeros behind those of each gate: `[d, k·h, …]` becomes `[d, k·(h + by), …]`.
fn widened(ctx: &mut Ctx<'_>, value: ValueId, hidden: usize, by: i64) -> Result<ValueId, OpError> {
    let sizes = ctx.sizes(value)?;
    let [directions, rows, ref rest @ ..] = sizes[..] else {
        return Err(OpError::invalid("weights of fewer than two axes"));
    };
    let parts = ctx.compute(Ew::FloorDiv, rows, int(hidden))?;
    let hidden = ctx.number(int(hidden));
    let apart: Vec<ValueId> =
        [directions, parts, hidden].into_iter().chain(rest.iter().copied()).collect();
    let value = ctx.reshape_to(value, &apart)?;
    let value = grown(ctx, value, 2, by)?;
    let more = ctx.compute(Ew::Prod, parts, by)?;
    let rows = ctx.binary(Ew::Sum, rows, more)?;
    let joined: Vec<ValueId> = [directions, rows].into_iter().chain(rest.iter().copied()).collect();
    ctx.reshape_to(value, &joined)
}

/// The value with so many zeros more behind each row along an axis, or fewer elements where
/// negative.
fn grown(ctx: &mut Ctx<'_>, value: ValueId, axis: usize, by: i64) -> Result<ValueId, OpError> {
    let of = |at| if at == axis { Cut::grown(0, by) } else { Cut::ALL };
    let cuts: Vec<Cut> = (0..ctx.rank(value)).map(of).collect();
    cut(ctx, value, &cuts, None)
}

/// The node's input at this position, which has this shape as far as it is known.
fn checked(ctx: &Ctx<'_>, input: usize, expected: &[Dim]) -> Result<Option<ValueId>, OpError> {
    let Some(value) = ctx.maybe(input) else { return Ok(None) };
    let shape = ctx.shape(value);
    let differs = |(found, expected): (&Dim, &Dim)| {
        found.known().zip(expected.known()).is_some_and(|(a, b)| a != b)
    };
    if shape.rank() == expected.len() && !shape.iter().zip(expected).any(differs) {
        return Ok(Some(value));
    }
    let expected: Shape = expected.iter().cloned().collect();
    Err(OpError::invalid(format!(
        "input `{}` has shape {shape}, not {expected}",
        ctx.input_name(input)
    )))
}

/// Whether the weights of each gate are the identity.
#[expect(clippy::float_cmp, reason = "what is nearly 1 is not 1")]
fn is_identity(ctx: &Ctx<'_>, weights: Weights, of: Operator) -> bool {
    let (Some(tensor), h) = (ctx.constant(weights.values), of.hidden) else { return false };
    let width = ctx.maybe(0).and_then(|x| ctx.size(x, 2));
    if h == 0
        || weights.are_quantized()
        || width != Some(h)
        || tensor.dims() != [of.directions(), h * of.cell.gates(), h]
    {
        return false;
    }
    let is_one = |(i, &value): (usize, &f32)| value == f32::from(u8::from(i / h % h == i % h));
    tensor.to_f32s().is_some_and(|values| values.iter().enumerate().all(is_one))
}
