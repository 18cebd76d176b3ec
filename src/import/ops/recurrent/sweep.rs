//! All steps of a recurrent operator: the work before them, the loop or its copies, and the order
//! of what comes out.

use super::cells::{Operator, Step, cut, size};
use super::weights::Weights;
use super::{Operands, grown, swap};
use crate::import::build::axes::reversed;
use crate::import::build::ctx::Ctx;
use crate::import::build::nested::{Iteration, Repeat};
use crate::import::build::pads::int;
use crate::import::error::OpError;
use crate::network::layer::{
    ElementWiseOperation as Ew, LoopIterator, LoopOutput, ReduceOperation,
};
use crate::network::{ValueId, Values};
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

/// The axis of time while the operator is at work: behind that of the directions.
const TIME: usize = 1;

/// A sequence of at most so many steps becomes a copy of the step for each.
const FEW_STEPS: usize = 4;

/// TensorRT-RTX takes minutes to build a loop over fewer units of one row, or never ends: there,
/// units that are fed by nothing and feed nothing are added.
const FEW_UNITS: usize = 8;

/// What the steps give.
pub(super) struct Ran {
    /// `[d, t, n, h]`, if wanted.
    pub sequence: Option<ValueId>,
    /// `[d, n, h]` each.
    pub last: Values,
}

impl Ran {
    /// Without the last units.
    fn narrowed(mut self, ctx: &mut Ctx<'_>, by: usize) -> Result<Self, OpError> {
        for value in self.sequence.iter_mut().chain(&mut self.last) {
            *value = grown(ctx, *value, ctx.rank(*value).saturating_sub(1), -int(by))?;
        }
        Ok(self)
    }
}

/// All steps of all directions over `x`: `[t, n, width]`, or `[n, t, width]` where the batch comes
/// first.
pub(super) fn run(
    ctx: &mut Ctx<'_>,
    of: Operator,
    operands: &Operands,
    x: ValueId,
    lengths: Option<ValueId>,
    wants_sequence: bool,
) -> Result<Ran, OpError> {
    let x = swap(ctx, x, of.time)?;
    let few_rows = ctx.size(x, 1).is_none_or(|rows| rows == 1);
    let looped = ctx.size(x, 0).is_none_or(|steps| steps > FEW_STEPS);
    if looped && few_rows && (1..FEW_UNITS).contains(&of.hidden) {
        let wide = operands.widened(ctx, of, FEW_UNITS)?;
        let (units, of) = (of.hidden, Operator { hidden: FEW_UNITS, ..of });
        let ran = steps(ctx, of, &wide, x, lengths, wants_sequence)?;
        return ran.narrowed(ctx, FEW_UNITS.saturating_sub(units));
    }
    steps(ctx, of, operands, x, lengths, wants_sequence)
}

/// The same over `[t, n, width]`.
fn steps(
    ctx: &mut Ctx<'_>,
    of: Operator,
    operands: &Operands,
    x: ValueId,
    lengths: Option<ValueId>,
    wants_sequence: bool,
) -> Result<Ran, OpError> {
    let count = ctx.size_of(x, 0)?;
    let mask = mask(ctx, of, count, lengths)?;
    let sweep = sweep(ctx, of, operands, x, mask)?;
    let ran = if let Some(steps @ 1..=FEW_STEPS) = ctx.size(x, 0) {
        sweep.unrolled(ctx, steps)?
    } else {
        let count = ctx.as_scalar(count)?;
        sweep.looped(ctx, count, wants_sequence)?
    };
    let sequence = ran.sequence.map(|sequence| turned(ctx, of, sequence)).transpose()?;
    Ok(Ran { sequence, ..ran })
}

/// The sequence `[t, …]` as each direction takes it, `[d, t, …]`.
///
/// A direction that goes backwards beside one that does not gets it turned round; a single one gets
/// it as it is.
fn walked(ctx: &mut Ctx<'_>, of: Operator, sequence: ValueId) -> Result<ValueId, OpError> {
    let mut walked = Values::new();
    for &reverse in of.reverse {
        let way =
            if reverse && !of.only_reverse() { reversed(ctx, sequence, 0)? } else { sequence };
        walked.push(ctx.unsqueeze(way, vec![0])?);
    }
    ctx.concat(&walked, 0)
}

/// What the steps gave, `[d, t, n, h]`, in the order of the sequence: the inverse of [`walked`].
fn turned(ctx: &mut Ctx<'_>, of: Operator, sequence: ValueId) -> Result<ValueId, OpError> {
    if of.directions() == 1 {
        return Ok(sequence);
    }
    let mut ways = Values::new();
    for (at, &reverse) in of.reverse.iter().enumerate() {
        let mut spans: Vec<_> = ctx.sizes(sequence)?.into_iter().map(|size| (0, size)).collect();
        if let Some(directions) = spans.first_mut() {
            *directions = (at, ctx.number(1));
        }
        let way = cut(ctx, sequence, &spans)?;
        ways.push(if reverse { reversed(ctx, way, TIME)? } else { way });
    }
    ctx.concat(&ways, 0)
}

/// Where a row of the batch is within its sequence: `[d, t, n, 1]`; `None` where they all are to
/// the end.
fn mask(
    ctx: &mut Ctx<'_>,
    of: Operator,
    steps: ValueId,
    lengths: Option<ValueId>,
) -> Result<Option<ValueId>, OpError> {
    let Some(lengths) = lengths else { return Ok(None) };
    let known = ctx.constant(lengths).and_then(|lengths| lengths.to_i64s());
    if let (Some(lengths), Some(steps)) = (known, ctx.known(steps))
        && lengths.iter().all(|&length| length >= steps)
    {
        return Ok(None);
    }
    let position = ctx.count_up(steps)?;
    let position = ctx.unsqueeze(position, vec![1, 2])?;
    let lengths = ctx.cast(lengths, DType::I64)?;
    let lengths = ctx.unsqueeze(lengths, vec![0, 2])?;
    let within = ctx.binary(Ew::Less, position, lengths)?;
    walked(ctx, of, within).map(Some)
}

/// What the steps work with.
struct Sweep {
    step: Step,
    /// The input's share of the gates: `[d, t, n, gates·h]`.
    input: ValueId,
    /// `[d, t, n, 1]`
    mask: Option<ValueId>,
    /// `[d, n, h]` each.
    initial: Values,
}

/// The work before the steps over `x`, `[t, n, width]`.
fn sweep(
    ctx: &mut Ctx<'_>,
    of: Operator,
    operands: &Operands,
    x: ValueId,
    mask: Option<ValueId>,
) -> Result<Sweep, OpError> {
    let mut x = walked(ctx, of, x)?;
    if let Some(mask) = mask.filter(|_| operands.weights.are_quantized()) {
        x = reached(ctx, x, mask)?;
    }
    let mut input = if operands.skips {
        ctx.concat(&vec![x; of.cell.gates()], 3)?
    } else {
        product(ctx, of, x, operands.weights)?
    };
    let mut late_biases = Values::new();
    if let Some(biases) = operands.biases.filter(|&biases| !is_zero(ctx, biases)) {
        let (early, late) = split_biases(ctx, of, biases)?;
        let early = ctx.unsqueeze(early, vec![1])?;
        input = ctx.binary(Ew::Sum, input, early)?;
        late_biases = late;
    }
    let mut peepholes = Values::new();
    if let Some(all) = operands.peepholes {
        for gate in 0..3 {
            peepholes.push(columns(ctx, of, all, gate, 1)?);
        }
    }
    let dtype = ctx.dtype(input);
    let initial = (0..of.cell.states()).map(|state| operands.first(ctx, of, state, dtype));
    let initial = initial.collect::<Result<_, _>>()?;
    let functions = operands.functions.clone();
    let step = Step { of, functions, recurrent: operands.recurrent, late_biases, peepholes };
    Ok(Sweep { step, input, mask, initial })
}

fn is_zero(ctx: &Ctx<'_>, value: ValueId) -> bool {
    let values = ctx.constant(value);
    values
        .as_ref()
        .and_then(Tensor::to_f32s)
        .is_some_and(|values| values.iter().all(|&value| value == 0.0))
}

/// The data `[d, t, n, width]` with zeros in steps that no row takes: what stands there must not
/// decide on its range.
fn reached(ctx: &mut Ctx<'_>, x: ValueId, mask: ValueId) -> Result<ValueId, OpError> {
    let within = ctx.cast(mask, DType::I32)?;
    let within = ctx.reduce(ReduceOperation::Max, within, vec![2], true)?;
    let within = ctx.cast(within, DType::Bool)?;
    let zero = ctx.scalar(ctx.dtype(x), 0.0)?;
    ctx.select(within, x, zero)
}

/// The product of the data `[d, t, n, width]` with the weights `[d, gates·h, width]`, as one of
/// matrices: `[d, t, n, gates·h]`.
fn product(
    ctx: &mut Ctx<'_>,
    of: Operator,
    x: ValueId,
    weights: Weights,
) -> Result<ValueId, OpError> {
    let (directions, steps) = (ctx.size_of(x, 0)?, ctx.size_of(x, TIME)?);
    let (width, gates) = (ctx.size_of(x, 3)?, size(ctx, of.cell.gates() * of.hidden)?);
    let rows = ctx.product(&[steps, of.batch])?;
    let flat = ctx.reshape_to(x, &[directions, rows, width])?;
    let flat = weights.product(ctx, flat)?;
    ctx.reshape_to(flat, &[directions, steps, of.batch, gates])
}

/// Columns of `count` gates from gate `from` on, `[d, 1, count·h]`, of a vector for each direction.
fn columns(
    ctx: &mut Ctx<'_>,
    of: Operator,
    vectors: ValueId,
    from: usize,
    count: usize,
) -> Result<ValueId, OpError> {
    let (directions, size) = (size(ctx, of.directions())?, size(ctx, count * of.hidden)?);
    let part = cut(ctx, vectors, &[(0, directions), (from * of.hidden, size)])?;
    ctx.unsqueeze(part, vec![1])
}

/// What can be added before the steps, `[d, 1, gates·h]`, and the recurrent biases that cannot,
/// `[d, 1, h]`.
fn split_biases(
    ctx: &mut Ctx<'_>,
    of: Operator,
    biases: ValueId,
) -> Result<(ValueId, Values), OpError> {
    let (gates, early) = (of.cell.gates(), of.cell.early_biases());
    let (input, recurrent) =
        (columns(ctx, of, biases, 0, early)?, columns(ctx, of, biases, gates, early)?);
    let sum = ctx.binary(Ew::Sum, input, recurrent)?;
    if early == gates {
        return Ok((sum, Values::new()));
    }
    let input = columns(ctx, of, biases, early, gates - early)?;
    let late = columns(ctx, of, biases, gates + early, gates - early)?;
    Ok((ctx.concat(&[sum, input], 2)?, smallvec![late]))
}

impl Sweep {
    /// The next state and the output of one step. Rows beyond their end keep their state and give
    /// 0.
    fn step(
        &self,
        ctx: &mut Ctx<'_>,
        mask: Option<ValueId>,
        input: ValueId,
        state: &[ValueId],
    ) -> Result<(Values, ValueId), OpError> {
        let mut next = self.step.next(ctx, input, state)?;
        let output =
            next.first().copied().ok_or_else(|| OpError::invalid("a step without a state"))?;
        let Some(mask) = mask else { return Ok((next, output)) };
        let zero = ctx.scalar(ctx.dtype(output), 0.0)?;
        let output = ctx.select(mask, output, zero)?;
        for (next, &current) in next.iter_mut().zip(state) {
            *next = ctx.select(mask, *next, current)?;
        }
        Ok((next, output))
    }

    fn looped(
        &self,
        ctx: &mut Ctx<'_>,
        count: ValueId,
        wants_sequence: bool,
    ) -> Result<Ran, OpError> {
        let reverse = self.step.of.only_reverse();
        let outputs = Repeat::new(Some(count), Some(count)).run(ctx, |ctx, repeat| {
            let mut iteration = Iteration::default();
            let iterator = LoopIterator { axis: TIME, reverse };
            let input = repeat.iterate(ctx, self.input, iterator.clone())?;
            let mask = self.mask.map(|mask| repeat.iterate(ctx, mask, iterator)).transpose()?;
            let state: Values =
                self.initial.iter().map(|&initial| repeat.carry(ctx, initial)).collect();
            let (next, output) = self.step(ctx, mask, input, &state)?;
            if wants_sequence {
                iteration.collected.push(output);
                let collect = if reverse {
                    LoopOutput::Reverse { axis: TIME }
                } else {
                    LoopOutput::Concatenate { axis: TIME }
                };
                iteration.outputs.push(collect);
            }
            iteration.outputs.extend((0..next.len()).map(LoopOutput::LastValue));
            iteration.next = next;
            Ok(iteration)
        })?;
        Ok(match &*outputs {
            [sequence, last @ ..] if wants_sequence => {
                Ran { sequence: Some(*sequence), last: last.into() }
            }
            last => Ran { sequence: None, last: last.into() },
        })
    }

    fn unrolled(&self, ctx: &mut Ctx<'_>, steps: usize) -> Result<Ran, OpError> {
        let mut last = self.initial.clone();
        let mut sequence = Values::new();
        for passed in 0..steps {
            let at = if self.step.of.only_reverse() { steps - 1 - passed } else { passed };
            let now = size(ctx, at)?;
            let now = ctx.as_scalar(now)?;
            let input = ctx.gather(self.input, now, TIME)?;
            let mask = self.mask.map(|mask| ctx.gather(mask, now, TIME)).transpose()?;
            let (next, output) = self.step(ctx, mask, input, &last)?;
            last = next;
            sequence.push(ctx.unsqueeze(output, vec![TIME])?);
        }
        if self.step.of.only_reverse() {
            sequence.reverse();
        }
        Ok(Ran { sequence: Some(ctx.concat(&sequence, TIME)?), last })
    }
}
