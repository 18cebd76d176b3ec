//! A part of a network as a network of its own.

use super::{Block, LayerId, LayerKind, Maker, Network, Output, ValueId, sizing};
use crate::site::Site;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// A part of a network.
#[derive(Debug, Clone)]
pub struct Cut {
    /// The part. It has ids of its own.
    pub network: Network,
    /// The layers that it is made of, by the ids of the whole. Constants are not listed: each part
    /// has those that it needs.
    pub layers: BTreeSet<LayerId>,
    /// The layers inside of those that are left, likewise.
    pub inside: BTreeSet<LayerId>,
    /// What enters it, in the order of its inputs, by the ids of the whole.
    pub inputs: Vec<ValueId>,
}

/// The layers that a network can be cut into: those of the outermost block without constants, in
/// order.
pub fn steps(network: &Network) -> Vec<LayerId> {
    network.body.layers.iter().copied().filter(|&id| !is_constant(network, id)).collect()
}

/// The layers inside of these, constants left out.
pub fn inside(network: &Network, layers: &BTreeSet<LayerId>) -> Vec<LayerId> {
    let mut found = Vec::new();
    for &id in layers {
        nested(network, id, &mut found);
    }
    found.retain(|&id| !layers.contains(&id) && !is_constant(network, id));
    found
}

/// The part that these layers make, `without` some of the layers inside of them.
///
/// What is made outside becomes an input, of the type and shape that it has, and what is taken
/// outside becomes an output. Layers that compute sizes for others of the part come along, up to
/// those that read shapes: TensorRT wants to see them. `None` where nothing leaves the part.
pub fn cut(
    network: &Network,
    layers: &BTreeSet<LayerId>,
    without: &BTreeSet<LayerId>,
) -> Option<Cut> {
    let layers = with_sizes(network, layers.clone());
    let mut part = network.clone();
    part.body.layers.retain(|id| layers.contains(id) || is_constant(network, *id));
    leave_out(&mut part, without);
    let (reads, made) = flow(&part);
    let mut names = Names::default();
    let kept = network.inputs.iter().copied().filter(|input| reads.contains(input));
    let mut inputs: Vec<ValueId> = kept.collect();
    for name in inputs.iter().map(|&input| &network.value(input).name) {
        names.take(name);
    }
    for output in &network.outputs {
        names.take(&output.name);
    }
    let enters = |id: &ValueId| !made.contains(id) && network.value(*id).maker != Maker::Input;
    for id in reads.iter().copied().filter(enters) {
        let value = &mut part.values[id];
        (value.name, value.maker) = (names.unique(&value.name), Maker::Input);
        inputs.push(id);
    }
    part.outputs = leaving(network, &part, &layers, &mut names);
    part.inputs.clone_from(&inputs);
    if part.outputs.is_empty() {
        return None;
    }
    let needed = part.needed();
    let within = inside(network, &layers).into_iter().filter(|id| needed.contains(id)).collect();
    part.compact();
    Some(Cut { network: part, layers, inside: within, inputs })
}

fn is_constant(network: &Network, id: LayerId) -> bool {
    matches!(network.layer(id).kind, LayerKind::Constant(_))
}

/// These layers and those that compute sizes for them.
fn with_sizes(network: &Network, mut layers: BTreeSet<LayerId>) -> BTreeSet<LayerId> {
    let outermost: HashSet<LayerId> = network.body.layers.iter().copied().collect();
    loop {
        let mut all: Vec<LayerId> = Vec::new();
        for &id in &layers {
            all.push(id);
            nested(network, id, &mut all);
        }
        let before = layers.len();
        let makers =
            sizing::values_sizing(network, &all).into_iter().filter_map(|id| network.maker(id));
        layers.extend(makers.filter(|id| outermost.contains(id) && !is_constant(network, *id)));
        if layers.len() == before {
            return layers;
        }
    }
}

/// Adds the layers inside of a layer, at any depth.
fn nested(network: &Network, id: LayerId, into: &mut Vec<LayerId>) {
    for block in network.layer(id).kind.blocks() {
        for &inner in &block.layers {
            into.push(inner);
            nested(network, inner, into);
        }
    }
}

/// Takes layers out of the blocks that list them.
fn leave_out(network: &mut Network, without: &BTreeSet<LayerId>) {
    fn from(block: &mut Block, without: &BTreeSet<LayerId>) {
        block.layers.retain(|id| !without.contains(id));
    }
    if without.is_empty() {
        return;
    }
    for id in network.live_layers() {
        for block in network.layers[id].kind.blocks_mut() {
            from(block, without);
        }
    }
}

/// All values that are taken, in order, and those that layers make or hand into blocks.
fn flow(network: &Network) -> (BTreeSet<ValueId>, HashSet<ValueId>) {
    let (mut reads, mut made) = (BTreeSet::new(), HashSet::new());
    for id in network.live_layers() {
        let layer = network.layer(id);
        reads.extend(&layer.inputs);
        made.extend(&layer.outputs);
        for block in layer.kind.blocks() {
            reads.extend(&block.results);
            made.extend(&block.params);
        }
    }
    (reads, made)
}

/// What leaves a part: outputs of the whole, and what layers outside take.
fn leaving(
    network: &Network,
    part: &Network,
    layers: &BTreeSet<LayerId>,
    names: &mut Names,
) -> Vec<Output> {
    let rest = Network {
        body: Block {
            layers: steps(network).into_iter().filter(|id| !layers.contains(id)).collect(),
            ..Block::default()
        },
        ..network.clone()
    };
    let (taken, _) = flow(&rest);
    let mut outputs = Vec::new();
    for &id in layers {
        let layer = part.layer(id);
        for &value in &layer.outputs {
            let own = network.outputs.iter().filter(|output| output.value == value);
            let before = outputs.len();
            outputs.extend(own.cloned());
            if before == outputs.len() && taken.contains(&value) {
                let name = names.unique(&part.value(value).name);
                let site = Site::tensor("main", "output", &name);
                outputs.push(Output { name, value, declared: None, site });
            }
        }
    }
    outputs
}

/// Names of inputs and outputs, each of them once.
#[derive(Default)]
struct Names(HashMap<Arc<str>, usize>);

impl Names {
    fn take(&mut self, name: &Arc<str>) {
        self.0.entry(name.clone()).or_insert(1);
    }

    fn unique(&mut self, name: &Arc<str>) -> Arc<str> {
        let mut unique = name.clone();
        while self.0.contains_key(&unique) {
            let count = self.0.entry(name.clone()).or_insert(1);
            *count += 1;
            unique = format!("{name}#{count}").into();
        }
        self.take(&unique);
        unique
    }
}
