//! `Scan`: a loop over slices.

use super::control::graph;
use crate::import::build::ctx::{Ctx, normalize_axis};
use crate::import::build::nested::{Iteration, Repeat};
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{LoopIterator, LoopOutput};
use crate::network::{ValueId, Values};
use crate::onnx::{Graph, Node};

pub(super) const OPS: &[Op] = &[
    onnx("Scan", 8..=8, "sequence_lens? initial_state_and_scan_inputs*", scan_batch),
    onnx("Scan", 9..=NOW, "initial_state_and_scan_inputs*", scan),
];

/// The operands of a scan over one sequence.
struct Scanned<'n> {
    body: &'n Graph,
    initial: Values,
    sequences: Vec<(ValueId, LoopIterator)>,
    /// How many slices are taken, of rank 0; all of them where there is none.
    count: Option<ValueId>,
    /// Axis and direction of each output.
    outputs: Vec<(i64, bool)>,
}

/// `Scan`. Becomes Loop.
fn scan(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let body = graph(node, "body")?;
    let (initial, sequences) = operands(ctx, node, 0)?;
    let list = |name: &'static str, len| list(node, name, len);
    let (axes, reverse) = (
        list("scan_input_axes", sequences.len())?,
        list("scan_input_directions", sequences.len())?,
    );
    let sequences =
        sequences.iter().zip(axes.into_iter().zip(reverse)).map(|(&sequence, (axis, reverse))| {
            let axis = ctx.axis(axis, ctx.rank(sequence))?;
            Ok((sequence, LoopIterator { axis, reverse: reverse != 0 }))
        });
    let sequences = sequences.collect::<Result<_, OpError>>()?;
    let collected = body.outputs.len().saturating_sub(initial.len());
    let (axes, reverse) =
        (list("scan_output_axes", collected)?, list("scan_output_directions", collected)?);
    let outputs = axes.into_iter().zip(reverse.into_iter().map(|reverse| reverse != 0)).collect();
    scan_one(ctx, &Scanned { body, initial, sequences, count: None, outputs })
}

/// `Scan` of opset 8, where every operand has a batch as its first axis. Becomes a Loop over the
/// batch around a Loop over the sequence; the latter alone for a batch of 1.
fn scan_batch(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let body = graph(node, "body")?;
    let lengths = ctx.maybe(0);
    let (initial, sequences) = operands(ctx, node, 1)?;
    let reverse = list(node, "directions", sequences.len())?;
    let iterators: Vec<_> = reverse
        .into_iter()
        .map(|reverse| LoopIterator { axis: 0, reverse: reverse != 0 })
        .collect();
    let outputs = vec![(0, false); body.outputs.len().saturating_sub(initial.len())];
    let Some(&first) = sequences.first() else {
        return Err(OpError::invalid("there is nothing to scan"));
    };
    let one = |ctx: &mut Ctx<'_>, initial: Values, sequences: Values, count: Option<ValueId>| {
        let sequences = sequences.into_iter().zip(iterators.iter().cloned()).collect();
        scan_one(ctx, &Scanned { body, initial, sequences, count, outputs: outputs.clone() })
    };
    if ctx.size(first, 0) == Some(1) {
        let mut flat =
            |values: &[ValueId]| values.iter().map(|&value| ctx.squeeze(value, vec![0])).collect();
        let (initial, sequences): (Result<_, _>, Result<_, _>) = (flat(&initial), flat(&sequences));
        let count = lengths.map(|lengths| ctx.as_scalar(lengths)).transpose()?;
        let results = one(ctx, initial?, sequences?, count)?;
        return results.into_iter().map(|value| ctx.unsqueeze(value, vec![0])).collect();
    }
    let batch = ctx.size_of(first, 0)?;
    let batch = ctx.as_scalar(batch)?;
    Repeat::new(Some(batch), Some(batch)).run(ctx, |ctx, repeat| {
        let mut cut = |ctx: &mut Ctx<'_>, values: &[ValueId]| -> Result<Values, OpError> {
            let iterator = || LoopIterator { axis: 0, reverse: false };
            values.iter().map(|&value| repeat.iterate(ctx, value, iterator())).collect()
        };
        let (initial, sequences) = (cut(ctx, &initial)?, cut(ctx, &sequences)?);
        let count = cut(ctx, lengths.as_slice())?.first().copied();
        let collected = one(ctx, initial, sequences, count)?;
        let outputs = vec![LoopOutput::Concatenate { axis: 0 }; collected.len()];
        Ok(Iteration { outputs, collected, ..Iteration::default() })
    })
}

/// The initial states and the sequences, which stand behind each other from input `from` on.
fn operands(ctx: &Ctx<'_>, node: &Node, from: usize) -> Result<(Values, Values), OpError> {
    let all: Values =
        (from..node.inputs.len()).map(|at| ctx.input(at)).collect::<Result<_, _>>()?;
    let sequences = node.attrs.int_or("num_scan_inputs", 0)?;
    let states =
        usize::try_from(sequences).ok().filter(|&n| n > 0).and_then(|n| all.len().checked_sub(n));
    match states.and_then(|states| all.split_at_checked(states)) {
        Some((states, sequences)) => Ok((states.into(), sequences.into())),
        None => Err(OpError::invalid(format!(
            "attribute `num_scan_inputs` is {sequences} for {} inputs",
            all.len()
        ))),
    }
}

/// An optional list of numbers that must have `len` entries; zeros where it is absent.
fn list(node: &Node, name: &'static str, len: usize) -> Result<Vec<i64>, OpError> {
    match node.attrs.ints(name)? {
        None => Ok(vec![0; len]),
        Some(list) if list.len() == len => Ok(list.to_vec()),
        Some(list) => Err(OpError::invalid(format!(
            "attribute `{name}` has {} entries, not {len}",
            list.len()
        ))),
    }
}

fn scan_one(ctx: &mut Ctx<'_>, scanned: &Scanned<'_>) -> Result<Values, OpError> {
    let Scanned { body, initial, sequences, count, outputs } = scanned;
    let Some((first, iterator)) = sequences.first() else {
        return Err(OpError::invalid("there is nothing to scan"));
    };
    let length = ctx.size_of(*first, iterator.axis)?;
    let length = ctx.as_scalar(length)?;
    let repeat = Repeat::new(count.or(Some(length)), Some(length));
    repeat.run(ctx, |ctx, repeat| {
        let mut arguments: Values =
            initial.iter().map(|&initial| repeat.carry(ctx, initial)).collect();
        for (sequence, iterator) in sequences {
            arguments.push(repeat.iterate(ctx, *sequence, iterator.clone())?);
        }
        let mut next = ctx.inline(body, &arguments)?;
        if next.len() < initial.len() {
            let (path, has, states) = (&body.path, next.len(), initial.len());
            return Err(OpError::invalid(format!(
                "graph `{path}` has {has} outputs, too few for {states} states"
            )));
        }
        let collected: Values = next.drain(initial.len()..).collect();
        let collect = |(&value, &(axis, reverse)): (&ValueId, &(i64, bool))| {
            let axis = normalize_axis(axis, ctx.rank(value) + 1)?;
            Ok(if reverse {
                LoopOutput::Reverse { axis }
            } else {
                LoopOutput::Concatenate { axis }
            })
        };
        let collects =
            collected.iter().zip(outputs).map(collect).collect::<Result<Vec<_>, OpError>>()?;
        let outputs = (0..initial.len()).map(LoopOutput::LastValue).chain(collects).collect();
        Ok(Iteration { condition: None, next, outputs, collected })
    })
}
