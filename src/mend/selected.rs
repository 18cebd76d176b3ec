//! Conditionals of which both branches are computed, and one is selected.

use super::{Mend, internal};
use crate::error::Result;
use crate::infer;
use crate::network::layer::{Conditional, Unsqueeze};
use crate::network::{Block, LayerId, LayerKind, Maker, Network, ValueId};
use std::collections::BTreeSet;

pub(super) const MEND: Mend = Mend {
    name: "selected",
    does: "computes both branches of a conditional and selects from what they give",
    costs: "the time of both branches, whichever is taken",
    change: select,
};

fn select(network: &mut Network, layers: &BTreeSet<LayerId>) -> Result<usize> {
    let mut body = std::mem::take(&mut network.body);
    let changed = block(network, &mut body, layers);
    network.body = body;
    changed
}

/// Rewrites the conditionals of a block, the inner ones first.
fn block(network: &mut Network, of: &mut Block, layers: &BTreeSet<LayerId>) -> Result<usize> {
    let (mut changed, mut kept) = (0, Block::default());
    for id in std::mem::take(&mut of.layers) {
        let mut kind = std::mem::replace(&mut network.layers[id].kind, LayerKind::Identity);
        for nested in kind.blocks_mut() {
            changed += block(network, nested, layers)?;
        }
        match kind {
            LayerKind::Conditional(branches)
                if layers.contains(&id) && can_both_run(network, id, &branches) =>
            {
                splice(network, &mut kept, id, branches)?;
                changed += 1;
            }
            kind => {
                network.layers[id].kind = kind;
                kept.layers.push(id);
            }
        }
    }
    of.layers = kept.layers;
    Ok(changed)
}

/// Whether both branches can be computed whatever the condition is: a loop might not end where it
/// is not meant to run, and results of two shapes cannot be selected from.
fn can_both_run(network: &Network, id: LayerId, branches: &Conditional) -> bool {
    let Conditional { then_block, else_block } = branches;
    let shape = |value: &ValueId| &network.value(*value).ty.shape;
    let results = then_block.results.iter().zip(&else_block.results);
    let outputs = &network.layer(id).outputs;
    let alike = results
        .zip(outputs)
        .all(|((then, other), output)| shape(then) == shape(other) && shape(then) == shape(output));
    let nests = |block: &Block| {
        block.layers.iter().any(|&inner| !network.layer(inner).kind.blocks().is_empty())
    };
    alike && !nests(then_block) && !nests(else_block)
}

/// Puts the layers of both branches in the place of the conditional, and a Select for each output.
fn splice(network: &mut Network, into: &mut Block, id: LayerId, of: Conditional) -> Result<()> {
    let layer = network.layer(id).clone();
    let Conditional { then_block, else_block } = of;
    into.layers.extend(then_block.layers.iter().chain(&else_block.layers));
    let results = then_block.results.iter().zip(&else_block.results);
    for ((&then, &other), &output) in results.zip(&layer.outputs) {
        let rank = network.value(then).ty.shape.rank();
        let mut condition = layer.inputs.first().copied().into_iter().collect::<Vec<_>>();
        if rank > 0 {
            let kind = Unsqueeze { axes: (0..rank).collect() }.into();
            let made = infer::add(network, into, kind, &condition, &layer.sites);
            condition = made.map_err(|error| internal(&layer.sites, &error))?.to_vec();
        }
        condition.extend([then, other]);
        let ty = network.value(output).ty.clone();
        let made = network.add_layer(LayerKind::Select, &condition, &layer.sites, [ty]);
        // What the conditional gave, the Select gives.
        network.layers[made].outputs = std::iter::once(output).collect();
        network.values[output].maker = Maker::Layer(made);
        into.layers.push(made);
    }
    Ok(())
}
