//! Loops of a known number of iterations, written out.

use super::{Mend, internal};
use crate::error::Result;
use crate::infer;
use crate::network::layer::{
    Concatenation, Constant, Gather, GatherMode, Loop, LoopOutput, Unsqueeze,
};
use crate::network::{Block, Layer, LayerId, LayerKind, Maker, Network, ValueId};
use crate::tensor::Tensor;
use std::collections::{BTreeSet, HashMap};

pub(super) const MEND: Mend = Mend {
    name: "unrolled",
    does: "writes out the iterations of a loop",
    costs: "a larger plan and a longer build",
    change: unroll,
};

/// No loop becomes more layers than this.
const MOST_LAYERS: usize = 2048;

fn unroll(network: &mut Network, layers: &BTreeSet<LayerId>) -> Result<usize> {
    let (mut changed, mut kept) = (0, Block::default());
    let body = std::mem::take(&mut network.body);
    for id in body.layers {
        let layer = network.layer(id).clone();
        match (&layer.kind, count(network, &layer)) {
            (LayerKind::Loop(of), Some(count)) if layers.contains(&id) => {
                write_out(network, &mut kept, (&layer, of), count)
                    .map_err(|error| internal(&layer.sites, &error))?;
                changed += 1;
            }
            _ => kept.layers.push(id),
        }
    }
    network.body = kept;
    Ok(changed)
}

/// How often a loop runs, if that is known, not too often, and nothing ends it sooner. Loops and
/// branches inside of loops are left as they are.
fn count(network: &Network, layer: &Layer) -> Option<usize> {
    let LayerKind::Loop(of) = &layer.kind else { return None };
    let count = network.constant(*layer.inputs.first()?)?.to_i64s()?;
    let count = usize::try_from(*count.first()?).ok()?;
    let nests = of.body.layers.iter().any(|&id| !network.layer(id).kind.blocks().is_empty());
    let lasts = count.saturating_mul(of.body.layers.len().max(1)) <= MOST_LAYERS && count > 0;
    (of.counted && !of.capped && !of.while_result && !nests && lasts).then_some(count)
}

type Outcome<T> = std::result::Result<T, infer::InferError>;

fn write_out(
    network: &mut Network,
    into: &mut Block,
    (layer, of): (&Layer, &Loop),
    count: usize,
) -> Outcome<()> {
    let mut operands = layer.inputs.iter().copied().skip(1);
    let iterated: Vec<ValueId> = operands.by_ref().take(of.iterators.len()).collect();
    let mut state: Vec<ValueId> = operands.by_ref().take(of.recurrences).collect();
    let mut collected: Vec<Vec<ValueId>> = Vec::new();
    for at in 0..count {
        let mut values: HashMap<ValueId, ValueId> = HashMap::new();
        let mut params = of.body.params.iter().copied();
        for (iterator, &whole) in of.iterators.iter().zip(&iterated) {
            let place = if iterator.reverse { count - 1 - at } else { at };
            let slice = pick(network, into, layer, (whole, iterator.axis), place)?;
            values.extend(params.next().map(|param| (param, slice)));
        }
        values.extend(params.zip(state.iter().copied()));
        for &id in &of.body.layers {
            copy(network, into, id, &mut values)?;
        }
        let result = |value: &ValueId| values.get(value).copied().unwrap_or(*value);
        let results: Vec<ValueId> = of.body.results.iter().map(result).collect();
        state = results.iter().copied().take(of.recurrences).collect();
        collected.push(results.into_iter().skip(of.recurrences).collect());
    }
    let mut lists = 0;
    for (how, &output) in of.outputs.iter().zip(&layer.outputs) {
        let (kind, inputs) = match how {
            LoopOutput::LastValue(at) => {
                (LayerKind::Identity, state.get(*at).copied().into_iter().collect())
            }
            LoopOutput::Concatenate { axis } | LoopOutput::Reverse { axis } => {
                let one = |results: &Vec<ValueId>| results.get(lists).copied();
                let mut all: Vec<ValueId> = collected.iter().filter_map(one).collect();
                if matches!(how, LoopOutput::Reverse { .. }) {
                    all.reverse();
                }
                lists += 1;
                let wide = |&value: &ValueId| {
                    let kind = Unsqueeze { axes: vec![*axis] }.into();
                    infer::add(network, into, kind, &[value], &layer.sites)
                };
                let all = all.iter().map(wide).collect::<Outcome<Vec<_>>>()?;
                (Concatenation { axis: *axis }.into(), all.concat())
            }
        };
        give(network, into, layer, (kind, &inputs), output);
    }
    Ok(())
}

/// Adds a copy of a layer of the body for one iteration.
fn copy(
    network: &mut Network,
    into: &mut Block,
    id: LayerId,
    values: &mut HashMap<ValueId, ValueId>,
) -> Outcome<()> {
    let Layer { kind, inputs, outputs, sites } = network.layer(id).clone();
    let inputs: Vec<ValueId> =
        inputs.iter().map(|input| values.get(input).copied().unwrap_or(*input)).collect();
    let made = infer::add(network, into, kind, &inputs, &sites)?;
    values.extend(outputs.into_iter().zip(made));
    Ok(())
}

/// One slice of a value, without the axis.
fn pick(
    network: &mut Network,
    into: &mut Block,
    layer: &Layer,
    (whole, axis): (ValueId, usize),
    at: usize,
) -> Outcome<ValueId> {
    let weights = Tensor::scalar(i32::try_from(at).unwrap_or(i32::MAX));
    let index = infer::add(network, into, Constant { weights }.into(), &[], &layer.sites)?;
    let gather = Gather { mode: GatherMode::Default, axis, element_wise_dims: 0 };
    let inputs: Vec<ValueId> = std::iter::once(whole).chain(index).collect();
    let made = infer::add(network, into, gather.into(), &inputs, &layer.sites)?;
    Ok(made.first().copied().unwrap_or(whole))
}

/// Adds a layer that gives what the loop gave.
fn give(
    network: &mut Network,
    into: &mut Block,
    layer: &Layer,
    (kind, inputs): (LayerKind, &[ValueId]),
    output: ValueId,
) {
    let ty = network.value(output).ty.clone();
    let made = network.add_layer(kind, inputs, &layer.sites, [ty]);
    network.layers[made].outputs = std::iter::once(output).collect();
    network.values[output].maker = Maker::Layer(made);
    into.layers.push(made);
}
