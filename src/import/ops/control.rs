//! Operators that hold graphs: `If` and `Loop`.

use super::gather::non_zero_of;
use crate::import::build::ctx::Ctx;
use crate::import::build::nested::{Iteration, Repeat};
use crate::import::build::numbers::{MAX_SIZE, Steps};
use crate::import::build::op::{NOW, Op, with_lists};
use crate::import::build::operand::Operand;
use crate::import::error::{Deciding, OpError};
use crate::import::squeezes::is_squeeze;
use crate::network::layer::{Conditional, ElementWiseOperation as Ew, LoopOutput, SampleMode};
use crate::network::sizing::inputs_of;
use crate::network::{Dim, Maker, Shape, ValueId, Values};
use crate::onnx::{Graph, Node, ValueInfo, ValueType};
use crate::tensor::{DType, Tensor};
use std::collections::HashSet;

pub(super) const OPS: &[Op] = &[
    with_lists("If", 1..=NOW, "cond", conditional),
    with_lists("Loop", 1..=NOW, "M? cond? v_initial*", repeat),
];

/// A loop of at most so many iterations is unrolled even where a Loop layer would do, if its body
/// is small.
const FEW_ITERATIONS: i64 = 16;
/// That body is small which unrolled makes no more nodes than this.
const FEW_NODES: usize = 512;
/// A loop that no Loop layer can be is unrolled where that makes no more nodes than this.
const MOST_NODES: usize = 16_384;
/// Nothing is unrolled in a network of more layers, dead ones included.
const MOST_LAYERS: usize = 100_000;

/// A graph that the node must hold.
pub(super) fn graph<'n>(node: &'n Node, name: &str) -> Result<&'n Graph, OpError> {
    node.attrs
        .graph(name)?
        .ok_or_else(|| OpError::invalid(format!("attribute `{name}` is missing")))
}

/// `If`. Becomes Conditional; where the condition is known, the layers of the taken branch alone.
///
/// Only a branch that is known to be taken may give a sequence or an optional value.
fn conditional(ctx: &mut Ctx<'_>, node: &Node) -> Result<Vec<Operand>, OpError> {
    let (then_branch, else_branch) = (graph(node, "then_branch")?, graph(node, "else_branch")?);
    let condition = scalar(ctx, ctx.input(0)?)?;
    if let Some(holds) = decided(ctx, condition) {
        return ctx.inline_operands(if holds { then_branch } else { else_branch }, &[]);
    }
    if let Some(&holds) = ctx.assumed.get(&node.site) {
        let whether = if holds { "is squeezed" } else { "is not squeezed" };
        ctx.note(format!("its axis {whether}: what follows fits nothing else"));
        return ctx.inline_operands(if holds { then_branch } else { else_branch }, &[]);
    }
    // Both are imported before either error counts, so that the problems of both are reported.
    let then_block = ctx.block(|ctx| Ok((ctx.inline(then_branch, &[])?, ())));
    let else_block = ctx.block(|ctx| Ok((ctx.inline(else_branch, &[])?, ())));
    let ((then_block, ()), (else_block, ())) = (then_block?, else_block?);
    for (&then, &other) in then_block.results.iter().zip(&else_block.results) {
        let (a, b) = (ctx.rank(then), ctx.rank(other));
        if a != b {
            if is_squeeze([then_branch, else_branch]) {
                ctx.open.push(node.site.clone());
            }
            let what = format!("a choice between results of rank {a} and {b}");
            return Err(OpError::Undecided { what, deciding: deciding(ctx, condition) });
        }
    }
    ctx.add_all(Conditional { then_block, else_block }, &[condition]).map(Operand::of)
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
    /// Whether `--max-trip` limits them and not the model.
    capped: bool,
    /// Whether there is a first iteration. Without it the loop runs to its count, whatever the body
    /// says.
    condition: Option<ValueId>,
    initial: Vec<Operand>,
}

/// `Loop`. Becomes Loop. One of few iterations is unrolled where its body is small, so that
/// TensorRT can fuse across iterations, and one of more where it does what no Loop layer can, such
/// as growing what it carries.
///
/// What is collected in a loop that may stop early is cut to the iterations that took place.
/// TensorRT wants to know how many those are at most: where the model does not say, `--max-trip`
/// does.
fn repeat(ctx: &mut Ctx<'_>, node: &Node) -> Result<Vec<Operand>, OpError> {
    let body = graph(node, "body")?;
    let count = ctx.maybe(0).map(|count| limit(ctx, count)).transpose()?.flatten();
    let states = node.inputs.len().saturating_sub(2);
    let collects = body.outputs.len() > 1 + states;
    let cap = ctx.recipe.max_trip.filter(|_| count.is_none() && collects);
    let looped = Looped {
        body,
        count: count.or_else(|| cap.map(|most| cap_at(ctx, most.get()))),
        capped: cap.is_some(),
        condition: ctx.maybe(1).map(|condition| scalar(ctx, condition)).transpose()?,
        initial: (2..node.inputs.len()).map(|at| ctx.operand(at)).collect(),
    };
    if few(ctx, &looped)
        && let Some(outputs) = unrolled(ctx, &looped)
    {
        return Ok(outputs);
    }
    let reported = ctx.problems.len();
    as_loop(ctx, &looped).map(Operand::of).or_else(|error| {
        let problems = ctx.problems.split_off(reported);
        unrolled(ctx, &looped).ok_or_else(|| {
            ctx.problems.extend(problems);
            error
        })
    })
}

/// The trip count as an `i32` of rank 0 that is not negative; `None` for one so large that it
/// limits nothing.
///
/// TensorRT counts in 32 bits where a loop has a condition too.
fn limit(ctx: &mut Ctx<'_>, count: ValueId) -> Result<Option<ValueId>, OpError> {
    let mut count = ctx.reshape(count, vec![1])?;
    if ctx.known(count).is_some_and(|count| count >= MAX_SIZE) {
        return Ok(None);
    }
    if !ctx.dim(count).is_some_and(|dim| dim.is_nonnegative()) {
        count = ctx.compute(Ew::Max, count, 0)?;
        count = ctx.compute(Ew::Min, count, MAX_SIZE)?;
    }
    let count = ctx.cast(count, DType::I32)?;
    ctx.as_scalar(count).map(Some)
}

/// The limit that the user gives, as [`limit`] has it.
fn cap_at(ctx: &mut Ctx<'_>, most: u32) -> ValueId {
    let most = i32::try_from(most).unwrap_or(i32::MAX);
    ctx.note(format!(
        "the loop has no limit of its own: what goes on after iteration {most} is cut off \
         (`--max-trip`)"
    ));
    ctx.constant_value(Tensor::scalar(most))
}

/// Whether a loop becomes so few nodes that unrolling it costs little.
fn few(ctx: &Ctx<'_>, looped: &Looped<'_>) -> bool {
    let few = looped
        .count
        .and_then(|count| ctx.known(count))
        .is_some_and(|count| count <= FEW_ITERATIONS);
    few && copies(ctx, looped).is_some_and(|nodes| nodes <= FEW_NODES)
}

/// How many nodes an unrolled loop would have; `None` where it cannot be unrolled.
fn copies(ctx: &Ctx<'_>, looped: &Looped<'_>) -> Option<usize> {
    // Copies alone would not show that there should be more of them.
    if looped.capped {
        return None;
    }
    let starts = looped.condition.is_none_or(|condition| decided(ctx, condition) == Some(true));
    let count = looped.count.and_then(|count| ctx.known(count)).filter(|_| starts)?;
    usize::try_from(count)
        .ok()?
        .checked_mul(nodes(looped.body))
        .filter(|&nodes| nodes <= MOST_NODES)
}

/// Number of nodes of a graph, those of the graphs they hold included.
fn nodes(graph: &Graph) -> usize {
    graph.nodes.iter().map(|node| 1 + node.attrs.graphs().map(nodes).sum::<usize>()).sum()
}

/// What one pass through a loop's body gives.
struct Pass {
    goes_on: ValueId,
    next: Vec<Operand>,
    collected: Values,
}

/// Adds one pass. Inside, the condition holds: there would be no iteration else.
fn pass(
    ctx: &mut Ctx<'_>,
    body: &Graph,
    iteration: ValueId,
    state: &[Operand],
) -> Result<Pass, OpError> {
    let holds = ctx.constant_value(Tensor::of_bools(Vec::new(), [true])?);
    let mut arguments = Vec::new();
    for (argument, info) in [iteration, holds].into_iter().zip(&body.inputs) {
        arguments.push(Operand::Value(if has_axis(info) {
            ctx.unsqueeze(argument, vec![0])?
        } else {
            argument
        }));
    }
    arguments.extend(state.iter().cloned());
    let results = ctx.inline_operands(body, &arguments)?;
    let too_few = || {
        let (path, outputs, states) = (&body.path, results.len(), state.len());
        OpError::invalid(format!(
            "graph `{path}` has {outputs} outputs, too few for a condition and {states} states"
        ))
    };
    let (goes_on, rest) = results.split_first().ok_or_else(too_few)?;
    let (next, collected) = rest.split_at_checked(state.len()).ok_or_else(too_few)?;
    let goes_on = scalar(ctx, goes_on.value("the condition of a loop")?)?;
    Ok(Pass {
        goes_on,
        next: next.to_vec(),
        collected: Operand::values(collected, "what a loop collects")?,
    })
}

/// Whether a body takes its iteration number or condition as a vector of one.
fn has_axis(info: &ValueInfo) -> bool {
    matches!(&info.ty, ValueType::Tensor { shape: Some(dims), .. } if dims.len() == 1)
}

fn as_loop(ctx: &mut Ctx<'_>, looped: &Looped<'_>) -> Result<Values, OpError> {
    let Looped { body, count, capped, condition, ref initial } = *looped;
    if initial.iter().any(|operand| operand.foreign().is_some()) {
        let what = "a sequence or optional value carried by a loop".to_owned();
        return Err(OpError::Undecided { what, deciding: looped.deciding(ctx) });
    }
    let initial = Operand::values(initial, "what a loop carries")?;
    let states = initial.len();
    let (zero, one) = (ctx.scalar(DType::I64, 0.0)?, ctx.scalar(DType::I64, 1.0)?);
    let mut may_stop = false;
    let repeat = Repeat::new(count, count).capped(capped);
    let mut outputs = repeat.run(ctx, |ctx, repeat| {
        let current: Values = initial.iter().map(|&initial| repeat.carry(ctx, initial)).collect();
        let iteration = repeat.carry_iteration(ctx, zero);
        let Pass { goes_on, next, collected } = pass(ctx, body, iteration, &Operand::of(current))?;
        let mut next = Operand::values(&next, "what a loop carries")?;
        for (&before, &after) in initial.iter().zip(&next) {
            if changes(ctx.shape(before), ctx.shape(after)) {
                let (from, to) = (ctx.shape(before), ctx.shape(after));
                let what = format!("a loop that carries data of shape {from}, then {to},");
                return Err(OpError::Undecided { what, deciding: looped.deciding(ctx) });
            }
        }
        next.push(ctx.binary(Ew::Sum, iteration, one)?);

        let always = |condition| decided(ctx, condition) == Some(true);
        let condition = condition.filter(|&first| !always(first) || !always(goes_on));
        may_stop = condition.is_some();
        if !may_stop && (count.is_none() || capped) {
            return Err(OpError::invalid(
                "the loop never ends: neither a trip count nor a condition limits it",
            ));
        }
        let condition = condition.map(|first| {
            next.push(goes_on);
            repeat.carry(ctx, first)
        });
        let last_values = (0..=states).map(LoopOutput::LastValue);
        let concatenated = collected.iter().map(|_| LoopOutput::Concatenate { axis: 0 });
        Ok(Iteration {
            condition,
            next,
            outputs: last_values.chain(concatenated).collect(),
            collected,
        })
    })?;
    let iterations = outputs.remove(states);
    for collected in outputs.iter_mut().skip(states).filter(|_| may_stop) {
        *collected = first_rows(ctx, *collected, iterations)?;
    }
    Ok(outputs)
}

/// Whether what a loop carries gets another shape, though it may seem equal at some size: what is
/// repeated along an axis of 1 in the first iteration is longer from then on.
fn changes(before: &Shape, after: &Shape) -> bool {
    let other =
        |(a, b): (&Dim, &Dim)| a.differs_from(b) || *a == Dim::Known(1) && *b != Dim::Known(1);
    before.rank() != after.rank() || before.iter().zip(after.iter()).any(other)
}

impl Looped<'_> {
    /// What decides on the number of iterations.
    fn deciding(&self, ctx: &Ctx<'_>) -> Deciding {
        let mut all = Deciding::default();
        for value in self.count.into_iter().chain(self.condition) {
            let Deciding { sizes, inputs } = deciding(ctx, value);
            all.sizes.extend(sizes);
            all.inputs.extend(inputs);
        }
        all
    }
}

/// What a value is computed from that a user can fix: sizes of inputs, and inputs whose elements
/// are read.
fn deciding(ctx: &Ctx<'_>, value: ValueId) -> Deciding {
    let (mut found, mut pending, mut seen) = (Deciding::default(), vec![value], HashSet::new());
    while let Some(value) = pending.pop() {
        let known = ctx.elements(value);
        let symbols = known.iter().flat_map(|elements| elements.iter()).flat_map(Dim::symbols);
        found.sizes.extend(symbols.filter(|symbol| symbol.number().is_none()).cloned());
        if known.is_some() || !seen.insert(value) {
            continue;
        }
        match ctx.network.value(value).maker {
            Maker::Input => drop(found.inputs.insert(ctx.network.value(value).name.clone())),
            Maker::Layer(layer) => pending.extend(&ctx.network.layer(layer).inputs),
            Maker::Param => {}
        }
    }
    found
}

/// The first rows of a value; how many is a number of rank 0.
///
/// TensorRT takes no sizes from real numbers; what depends on such is found like other rows that
/// are picked.
fn first_rows(ctx: &mut Ctx<'_>, value: ValueId, count: ValueId) -> Result<ValueId, OpError> {
    if inputs_of(&ctx.network, vec![count]).into_iter().any(|input| ctx.dtype(input).is_float()) {
        let all = ctx.size_of(value, 0)?;
        let rows = ctx.count_up(all)?;
        let taken = ctx.binary(Ew::Less, rows, count)?;
        let places = non_zero_of(ctx, taken)?;
        let places = ctx.squeeze(places, vec![0])?;
        return ctx.gather(value, places, 0);
    }
    let mut steps = Steps::default();
    for (axis, size) in ctx.sizes(value)?.into_iter().enumerate() {
        let (start, stride) = (ctx.number(0), ctx.number(1));
        let size = if axis == 0 { ctx.unsqueeze(count, vec![0])? } else { size };
        steps.push(start, size, stride);
    }
    ctx.slice(value, &steps, SampleMode::StrictBounds, None)
}

/// The loop as one copy of its body per iteration; `None`, and nothing reported, where it cannot be
/// that.
fn unrolled(ctx: &mut Ctx<'_>, looped: &Looped<'_>) -> Option<Vec<Operand>> {
    copies(ctx, looped)?;
    let (problems, notes) = (ctx.problems.len(), ctx.notes.len());
    let outputs = unroll(ctx, looped);
    if outputs.is_none() {
        ctx.problems.truncate(problems);
        ctx.notes.truncate(notes);
    }
    outputs
}

fn unroll(ctx: &mut Ctx<'_>, looped: &Looped<'_>) -> Option<Vec<Operand>> {
    let Looped { body, count, condition, .. } = *looped;
    let (mut state, mut rows) = (looped.initial.clone(), Values::new());
    for iteration in 0..ctx.known(count?)? {
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
    if collected > 0 && rows.is_empty() {
        return None;
    }
    for at in 0..collected {
        let column: Values = rows.iter().skip(at).step_by(collected).copied().collect();
        state.push(Operand::Value(ctx.concat(&column, 0).ok()?));
    }
    Some(state)
}
