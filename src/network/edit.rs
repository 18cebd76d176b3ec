//! The only writer of a network after import. Keeps users, order and outputs right.

use super::{Block, Demand, LayerId, LayerKind, Maker, Network, ValueId, ValueType, Values};
use crate::site::Site;
use smallvec::SmallVec;
use std::collections::{HashMap, HashSet};

/// Changes a [`Network`]. New layers get their place in the order when the editor is
/// [finished](Editor::finish).
pub struct Editor<'n> {
    network: &'n mut Network,
    /// For each value, the layers that take it, once per operand.
    users: Vec<SmallVec<[LayerId; 2]>>,
    /// For each value, how often it is an output of the network or a result of a block.
    pins: Vec<u32>,
    /// Layers to insert before others.
    before: HashMap<LayerId, Vec<LayerId>>,
    removed: HashSet<LayerId>,
}

impl<'n> Editor<'n> {
    /// Starts to edit: counts the users of every value.
    pub fn new(network: &'n mut Network) -> Self {
        let count = network.values.len();
        let mut users = vec![SmallVec::new(); count];
        let mut pins = vec![0; count];
        for id in network.live_layers() {
            let layer = network.layer(id);
            for &input in &layer.inputs {
                users[input.index()].push(id);
            }
            for block in layer.kind.blocks() {
                for result in &block.results {
                    pins[result.index()] += 1;
                }
            }
        }
        for output in &network.outputs {
            pins[output.value.index()] += 1;
        }
        Self { network, users, pins, before: HashMap::new(), removed: HashSet::new() }
    }

    /// The network as it stands. Layers added since the editor started are in no block yet.
    pub fn network(&self) -> &Network {
        self.network
    }

    /// The layers that take this value, once per operand.
    pub fn users(&self, value: ValueId) -> &[LayerId] {
        &self.users[value.index()]
    }

    /// Whether anything takes this value.
    pub fn is_used(&self, value: ValueId) -> bool {
        self.pins[value.index()] > 0 || !self.users(value).is_empty()
    }

    /// Whether the value leaves the network or a block, so that it must go on existing.
    pub fn is_pinned(&self, value: ValueId) -> bool {
        self.pins[value.index()] > 0
    }

    /// The one layer that takes this value, if it is taken once and by nothing else.
    pub fn sole_user(&self, value: ValueId) -> Option<LayerId> {
        match self.users(value) {
            [user] if !self.is_pinned(value) => Some(*user),
            _ => None,
        }
    }

    /// Whether the layer was removed by this editor.
    pub fn is_removed(&self, layer: LayerId) -> bool {
        self.removed.contains(&layer)
    }

    /// Adds a layer in front of `anchor`, behind those already added there; gives its outputs.
    pub fn add_before(
        &mut self,
        anchor: LayerId,
        kind: LayerKind,
        inputs: &[ValueId],
        sites: &[Site],
        outputs: impl IntoIterator<Item = ValueType>,
    ) -> Values {
        let layer = self.network.add_layer(kind, inputs, sites, outputs);
        for input in inputs {
            self.users[input.index()].push(layer);
        }
        self.users.resize(self.network.values.len(), SmallVec::new());
        self.pins.resize(self.network.values.len(), 0);
        self.before.entry(anchor).or_default().push(layer);
        self.network.layer(layer).outputs.clone()
    }

    /// Changes what a layer does and takes. Its outputs keep their types.
    pub fn change(&mut self, layer: LayerId, kind: LayerKind, inputs: &[ValueId]) {
        self.forget_inputs(layer);
        for input in inputs {
            self.users[input.index()].push(layer);
        }
        let target = &mut self.network.layers[layer];
        target.kind = kind;
        target.inputs = inputs.into();
    }

    /// Adds sites to a layer that now also stands for other nodes.
    pub fn add_sites(&mut self, layer: LayerId, sites: &[Site]) {
        let own = &mut self.network.layers[layer].sites;
        for site in sites {
            if !own.contains(site) {
                own.push(site.clone());
            }
        }
    }

    /// Adds sites to a layer, in front of its own: those of a layer that came before it.
    pub fn lead_sites(&mut self, layer: LayerId, sites: &[Site]) {
        let own = std::mem::replace(&mut self.network.layers[layer].sites, sites.into());
        self.add_sites(layer, &own);
    }

    /// Makes everything that takes `old` take `new`, which must be made earlier.
    pub fn replace(&mut self, old: ValueId, new: ValueId) {
        self.equate(old, new);
        for user in std::mem::take(&mut self.users[old.index()]) {
            for input in &mut self.network.layers[user].inputs {
                if *input == old {
                    *input = new;
                }
            }
            self.users[new.index()].push(user);
        }
        if self.is_pinned(old) {
            self.pins[new.index()] += std::mem::take(&mut self.pins[old.index()]);
            for output in self.network.outputs.iter_mut().filter(|output| output.value == old) {
                output.value = new;
            }
            for layer in self.network.live_layers() {
                for block in self.network.layers[layer].kind.blocks_mut() {
                    block
                        .results
                        .iter_mut()
                        .filter(|result| **result == old)
                        .for_each(|result| *result = new);
                }
            }
        }
    }

    /// Notes that two values have one shape, however it is expressed.
    fn equate(&mut self, old: ValueId, new: ValueId) {
        let shape = |value: ValueId| self.network.value(value).ty.shape.clone();
        let (from, to) = (shape(old), shape(new));
        let site = self
            .network
            .maker(old)
            .and_then(|layer| self.network.layer(layer).sites.first().cloned());
        let Some(site) = site.filter(|_| from.rank() == to.rank()) else { return };
        for (a, b) in from.0.into_iter().zip(to.0) {
            self.network.facts.add(Demand { sizes: [a, b], unless_one: false }, &site, false);
        }
    }

    /// Removes a layer whose outputs nothing takes, with its nested blocks.
    pub fn remove(&mut self, layer: LayerId) {
        debug_assert!(
            self.network.layer(layer).outputs.iter().all(|&output| !self.is_used(output))
        );
        self.forget_inputs(layer);
        self.removed.insert(layer);
    }

    fn forget_inputs(&mut self, layer: LayerId) {
        for input in self.network.layer(layer).inputs.clone() {
            let users = &mut self.users[input.index()];
            if let Some(at) = users.iter().position(|&user| user == layer) {
                users.swap_remove(at);
            }
        }
    }

    /// Puts added layers in their place and drops removed ones.
    pub fn finish(mut self) {
        let mut body = std::mem::take(&mut self.network.body);
        self.rebuild(&mut body);
        self.network.body = body;
    }

    fn rebuild(&mut self, block: &mut Block) {
        let mut layers = Vec::with_capacity(block.layers.len());
        for id in std::mem::take(&mut block.layers) {
            // An added layer may itself be the anchor of further ones: walk the chain of insertions
            // depth first.
            let mut pending = vec![id];
            while let Some(next) = pending.pop() {
                match self.before.remove(&next) {
                    Some(earlier) => {
                        pending.push(next);
                        pending.extend(earlier.into_iter().rev());
                    }
                    None if self.removed.contains(&next) => {}
                    None => layers.push(next),
                }
            }
        }
        for &id in &layers {
            let mut kind =
                std::mem::replace(&mut self.network.layers[id].kind, LayerKind::Identity);
            for nested in kind.blocks_mut() {
                self.rebuild(nested);
            }
            self.network.layers[id].kind = kind;
        }
        block.layers = layers;
    }
}

impl Network {
    /// Drops layers whose outputs nothing takes, and renumbers: afterwards no entry of the arenas
    /// is dead.
    pub fn compact(&mut self) {
        let live = self.needed();
        let mut renumbering = Renumbering {
            old: std::mem::take(self),
            new: Network::default(),
            values: HashMap::new(),
        };
        renumbering.run(&live);
        *self = renumbering.new;
    }

    /// The layers from which the outputs follow.
    pub(super) fn needed(&self) -> HashSet<LayerId> {
        let mut live = HashSet::new();
        let mut wanted: HashSet<ValueId> = self.outputs.iter().map(|output| output.value).collect();
        mark(self, &self.body, &mut wanted, &mut live);
        live
    }
}

/// Walks a block backwards and marks what its wanted values need.
fn mark(
    network: &Network,
    block: &Block,
    wanted: &mut HashSet<ValueId>,
    live: &mut HashSet<LayerId>,
) {
    for &id in block.layers.iter().rev() {
        let layer = network.layer(id);
        if !layer.outputs.iter().any(|output| wanted.contains(output)) {
            continue;
        }
        live.insert(id);
        wanted.extend(&layer.inputs);
        for nested in layer.kind.blocks() {
            wanted.extend(&nested.results);
            mark(network, nested, wanted, live);
        }
    }
}

struct Renumbering {
    old: Network,
    new: Network,
    values: HashMap<ValueId, ValueId>,
}

impl Renumbering {
    fn run(&mut self, live: &HashSet<LayerId>) {
        self.new.name = std::mem::take(&mut self.old.name);
        self.new.facts = std::mem::take(&mut self.old.facts);
        self.new.ranges = std::mem::take(&mut self.old.ranges);
        self.new.next_made_up = self.old.next_made_up;
        for id in std::mem::take(&mut self.old.inputs) {
            let new = self.value(id);
            self.new.inputs.push(new);
        }
        let body = std::mem::take(&mut self.old.body);
        self.new.body = self.block(body, live);
        for mut output in std::mem::take(&mut self.old.outputs) {
            output.value = self.values[&output.value];
            self.new.outputs.push(output);
        }
    }

    fn block(&mut self, block: Block, live: &HashSet<LayerId>) -> Block {
        let params = block.params.iter().map(|&param| self.value(param)).collect();
        let layers = block
            .layers
            .into_iter()
            .filter(|id| live.contains(id))
            .map(|id| self.layer(id, live))
            .collect();
        let results = block.results.iter().map(|result| self.values[result]).collect();
        Block { params, layers, results }
    }

    fn layer(&mut self, id: LayerId, live: &HashSet<LayerId>) -> LayerId {
        let mut layer = self.old.layers[id].clone();
        for input in &mut layer.inputs {
            *input = self.values[input];
        }
        for nested in layer.kind.blocks_mut() {
            *nested = self.block(std::mem::take(nested), live);
        }
        let outputs = std::mem::take(&mut layer.outputs);
        let new = self.new.layers.add(layer);
        for output in outputs {
            let value = self.value(output);
            self.new.values[value].maker = Maker::Layer(new);
            self.new.layers[new].outputs.push(value);
        }
        new
    }

    fn value(&mut self, id: ValueId) -> ValueId {
        let new = self.new.values.add(self.old.values[id].clone());
        self.values.insert(id, new);
        new
    }
}
