//! Operators that hold graphs: `If` and `Loop`.

use super::numbers::{MAX_SIZE, Steps};
use crate::import::ctx::Ctx;
use crate::import::error::OpError;
use crate::import::nested::{Iteration, Repeat};
use crate::import::registry::{NOW, Op, onnx};
use crate::network::layer::control::{Conditional, LoopOutput};
use crate::network::layer::data::SampleMode;
use crate::network::layer::math::ElementWiseOperation as Ew;
use crate::network::{ValueId, Values};
use crate::onnx::{Graph, Node, ValueInfo, ValueType};
use crate::tensor::{DType, Tensor};

pub(super) const OPS: &[Op] =
    &[onnx("If", 1..=NOW, "cond", conditional), onnx("Loop", 1..=NOW, "M? cond? v_initial*", repeat)];

/// A loop of at most so many iterations may be unrolled.
const MOST_UNROLLED: i64 = 16;
/// Nothing is unrolled in a network of more layers, dead ones included.
const MOST_LAYERS: usize = 100_000;

/// A graph that the node must hold.
pub(super) fn graph<'n>(node: &'n Node, name: &str) -> Result<&'n Graph, OpError> {
    node.attrs.graph(name)?.ok_or_else(|| OpError::invalid(format!("attribute `{name}` is missing")))
}

/// `If`. Becomes Conditional; where the condition is known, the layers of the taken branch alone.
fn conditional(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (then_branch, else_branch) = (graph(node, "then_branch")?, graph(node, "else_branch")?);
    let condition = scalar(ctx, ctx.input(0)?)?;
    if let Some(holds) = decided(ctx, condition) {
        return ctx.inline(if holds { then_branch } else { else_branch }, &[]);
    }
    // Both are imported before either error counts, so that the problems of both are reported.
    let then_block = ctx.block(|ctx| Ok((ctx.inline(then_branch, &[])?, ())));
    let else_block = ctx.block(|ctx| Ok((ctx.inline(else_branch, &[])?, ())));
    let ((then_block, ()), (else_block, ())) = (then_block?, else_block?);
    ctx.add_all(Conditional { then_block, else_block }, &[condition])
}

/// A condition or count of one element with rank 0.
fn scalar(ctx: &mut Ctx<'_>, value: ValueId) -> Result<ValueId, OpError> {
    if ctx.rank(value) == 0 { Ok(value) } else { ctx.reshape(value, Vec::new()) }
}

/// A condition known at build time.
fn decided(ctx: &Ctx<'_>, condition: ValueId) -> Option<bool> {
    ctx.constant(condition)?.bools()?.first().map(|&byte| byte != 0)
}

/// The operands of a `Loop`.
struct Looped<'n> {
    body: &'n Graph,
    /// The most iterations; `None` where there is no limit.
    count: Option<ValueId>,
    /// Whether there is a first iteration. Without it the loop runs to its count, whatever the body says.
    condition: Option<ValueId>,
    initial: Values,
}

/// `Loop`. Becomes Loop; unrolled where it has few iterations and does what no Loop layer can, such as growing what it
/// carries.
///
/// What is collected in a loop that may stop early is cut to the iterations that took place.
fn repeat(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let looped = Looped {
        body: graph(node, "body")?,
        count: ctx.maybe(0).map(|count| limit(ctx, count)).transpose()?.flatten(),
        condition: ctx.maybe(1).map(|condition| scalar(ctx, condition)).transpose()?,
        initial: (2..node.inputs.len()).map(|at| ctx.input(at)).collect::<Result<_, _>>()?,
    };
    let (problems, notes) = (ctx.problems.len(), ctx.notes.len());
    as_loop(ctx, &looped).or_else(|error| {
        let reported = ctx.problems.split_off(problems);
        ctx.notes.truncate(notes);
        unrolled(ctx, &looped).ok_or_else(|| {
            ctx.problems.truncate(problems);
            ctx.problems.extend(reported);
            error
        })
    })
}

/// The trip count as a number of rank 0 that is not negative; `None` for one so large that it limits nothing.
fn limit(ctx: &mut Ctx<'_>, count: ValueId) -> Result<Option<ValueId>, OpError> {
    let count = ctx.reshape(count, vec![1])?;
    let count = ctx.at_least_zero(count)?;
    if ctx.known(count).is_some_and(|count| count >= MAX_SIZE) {
        return Ok(None);
    }
    ctx.as_scalar(count).map(Some)
}

/// What one pass through a loop's body gives.
struct Pass {
    goes_on: ValueId,
    next: Values,
    collected: Values,
}

/// Adds one pass. Inside, the condition holds: there would be no iteration else.
fn pass(ctx: &mut Ctx<'_>, body: &Graph, iteration: ValueId, state: &[ValueId]) -> Result<Pass, OpError> {
    let holds = ctx.constant_value(Tensor::of_bools(Vec::new(), [true])?);
    let mut arguments = Values::new();
    for (argument, info) in [iteration, holds].into_iter().zip(&body.inputs) {
        arguments.push(if has_axis(info) { ctx.unsqueeze(argument, vec![0])? } else { argument });
    }
    arguments.extend(state.iter().copied());
    let results = ctx.inline(body, &arguments)?;
    let too_few = || {
        let (path, outputs, states) = (&body.path, results.len(), state.len());
        OpError::invalid(format!("graph `{path}` has {outputs} outputs, too few for a condition and {states} states"))
    };
    let (&goes_on, rest) = results.split_first().ok_or_else(too_few)?;
    let (next, collected) = rest.split_at_checked(state.len()).ok_or_else(too_few)?;
    Ok(Pass { goes_on: scalar(ctx, goes_on)?, next: next.into(), collected: collected.into() })
}

/// Whether a body takes its iteration number or condition as a vector of one.
fn has_axis(info: &ValueInfo) -> bool {
    matches!(&info.ty, ValueType::Tensor { shape: Some(dims), .. } if dims.len() == 1)
}

fn as_loop(ctx: &mut Ctx<'_>, looped: &Looped<'_>) -> Result<Values, OpError> {
    let Looped { body, count, condition, ref initial } = *looped;
    let states = initial.len();
    let (zero, one) = (ctx.scalar(DType::I64, 0.0)?, ctx.scalar(DType::I64, 1.0)?);
    let mut may_stop = false;
    let repeat = Repeat::new(count, count);
    let mut outputs = repeat.run(ctx, |ctx, repeat| {
        let current: Values = initial.iter().map(|&initial| repeat.carry(ctx, initial)).collect();
        let iteration = repeat.carry(ctx, zero);
        let Pass { goes_on, mut next, collected } = pass(ctx, body, iteration, &current)?;
        next.push(ctx.binary(Ew::Sum, iteration, one)?);

        let always = |condition| decided(ctx, condition) == Some(true);
        let condition = condition.filter(|&first| !always(first) || !always(goes_on));
        may_stop = condition.is_some();
        if !may_stop && count.is_none() {
            return Err(OpError::invalid("the loop never ends: neither a trip count nor a condition limits it"));
        }
        let condition = condition.map(|first| {
            next.push(goes_on);
            repeat.carry(ctx, first)
        });
        let last_values = (0..=states).map(LoopOutput::LastValue);
        let concatenated = collected.iter().map(|_| LoopOutput::Concatenate { axis: 0 });
        Ok(Iteration { condition, next, outputs: last_values.chain(concatenated).collect(), collected })
    })?;
    let iterations = outputs.remove(states);
    for collected in outputs.iter_mut().skip(states).filter(|_| may_stop) {
        *collected = first_rows(ctx, *collected, iterations)?;
    }
    Ok(outputs)
}

/// The first rows of a value; how many is a number of rank 0.
fn first_rows(ctx: &mut Ctx<'_>, value: ValueId, count: ValueId) -> Result<ValueId, OpError> {
    let mut steps = Steps::default();
    for (axis, size) in ctx.sizes(value)?.into_iter().enumerate() {
        let (start, stride) = (ctx.number(0), ctx.number(1));
        let size = if axis == 0 { ctx.unsqueeze(count, vec![0])? } else { size };
        steps.push(start, size, stride);
    }
    ctx.slice(value, &steps, SampleMode::StrictBounds, None)
}

/// The loop as one copy of its body per iteration; `None` where it cannot be that.
fn unrolled(ctx: &mut Ctx<'_>, looped: &Looped<'_>) -> Option<Values> {
    let starts = looped.condition.is_none_or(|condition| decided(ctx, condition) == Some(true));
    let count = looped.count.and_then(|count| ctx.known(count)).filter(|&count| starts && count <= MOST_UNROLLED)?;
    let Looped { body, condition, .. } = *looped;
    let (mut state, mut rows) = (looped.initial.clone(), Values::new());
    for iteration in 0..count {
        if ctx.network.layers.len() > MOST_LAYERS {
            return None;
        }
        let iteration = ctx.constant_value(Tensor::scalar(iteration));
        let pass = pass(ctx, body, iteration, &state).ok()?;
        for value in pass.collected {
            rows.push(ctx.unsqueeze(value, vec![0]).ok()?);
        }
        state = pass.next;
        if condition.is_some() && !decided(ctx, pass.goes_on)? {
            break;
        }
    }
    let collected = body.outputs.len().checked_sub(1 + state.len())?;
    for at in 0..collected {
        let column: Values = rows.iter().skip(at).step_by(collected).copied().collect();
        state.push(if column.is_empty() { None } else { ctx.concat(&column, 0).ok() }?);
    }
    Some(state)
}
