//! Layers whose types are chosen together.
//!
//! The layers of a node are one unit, and so are nodes that a layer stands for together, and those
//! of attention: a cast inside would break TensorRT's fused kernel. Constants are in no unit: each
//! user gets them in its own type. A unit is named by any of its nodes.

use crate::network::layer::{ElementWiseOperation, Layer, LayerKind};
use crate::network::{LayerId, Network, ValueId};
use crate::site::Site;
use std::collections::{BTreeSet, HashMap, HashSet};

/// How many layers may lie between the products and the softmax of attention.
const MOST_BETWEEN: usize = 8;

/// The units of a network.
#[derive(Debug, Clone, Default)]
pub(super) struct Units {
    of: HashMap<LayerId, usize>,
    /// Layers of attention.
    fused: HashSet<LayerId>,
    /// The sites of each.
    pub all: Vec<Vec<Site>>,
    /// The unit of each node, by its label.
    named: HashMap<String, usize>,
    /// The units of each operator.
    operators: HashMap<String, BTreeSet<usize>>,
}

impl Units {
    /// Finds the units of a network.
    pub(super) fn new(network: &Network) -> Self {
        let layers = network.live_layers();
        let attention = attention(network, &layers);
        let mut groups = Groups::default();
        let mut labels: HashMap<String, LayerId> = HashMap::new();
        let layers: Vec<LayerId> = layers.into_iter().filter(|&id| joins(network, id)).collect();
        for &id in &layers {
            for site in nodes(network.layer(id)) {
                let first = *labels.entry(site.label()).or_insert(id);
                groups.join(first, id);
            }
        }
        for group in &attention {
            for &id in group {
                groups.join(group[0], id);
            }
        }
        let fused = attention.into_iter().flatten().collect();
        let mut units = Self { fused, ..Self::default() };
        let mut numbers: HashMap<LayerId, usize> = HashMap::new();
        let mut seen: HashSet<&Site> = HashSet::new();
        for &id in &layers {
            let at = *numbers.entry(groups.root(id)).or_insert_with(|| {
                units.all.push(Vec::new());
                units.all.len() - 1
            });
            units.of.insert(id, at);
            for site in nodes(network.layer(id)).filter(|site| seen.insert(site)) {
                units.all[at].push(site.clone());
                units.operators.entry(site.place().op.clone()).or_default().insert(at);
            }
        }
        let named = labels.into_iter().filter_map(|(label, id)| Some((label, units.of(id)?)));
        units.named = named.collect();
        units
    }

    /// The unit of a layer that has one.
    pub(super) fn of(&self, layer: LayerId) -> Option<usize> {
        self.of.get(&layer).copied()
    }

    /// Whether a layer is a part of attention.
    pub(super) fn is_fused(&self, layer: LayerId) -> bool {
        self.fused.contains(&layer)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The unit of the node of this name.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.named.get(name).copied()
    }

    /// The units of an operator, in order.
    pub(super) fn of_operator(&self, op: &str) -> impl Iterator<Item = usize> + '_ {
        self.operators.get(op).into_iter().flatten().copied()
    }
}

/// Whether a layer belongs to the unit of its nodes. One constant, and one shape, stands for those
/// of many nodes, which have nothing else in common.
fn joins(network: &Network, id: LayerId) -> bool {
    !matches!(network.layer(id).kind, LayerKind::Constant(_) | LayerKind::Shape)
}

/// The nodes of a layer; other sites name nothing that a user could choose a type for.
fn nodes(layer: &Layer) -> impl Iterator<Item = &Site> {
    layer.sites.iter().filter(|site| site.place().index.is_some())
}

/// Sets of layers that are joined (union and find).
#[derive(Default)]
struct Groups(HashMap<LayerId, LayerId>);

impl Groups {
    fn root(&mut self, mut id: LayerId) -> LayerId {
        while let Some(&parent) = self.0.get(&id) {
            // Half the way of the next that asks.
            if let Some(&further) = self.0.get(&parent) {
                self.0.insert(id, further);
            }
            id = parent;
        }
        id
    }

    fn join(&mut self, a: LayerId, b: LayerId) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            // The earlier one leads, so that chains stay short where layers come in order.
            let (first, second) = if a < b { (a, b) } else { (b, a) };
            self.0.insert(second, first);
        }
    }
}

/// The layers of each attention: product, softmax, product, and what lies between.
fn attention(network: &Network, layers: &[LayerId]) -> Vec<Vec<LayerId>> {
    let mut users: HashMap<ValueId, Vec<LayerId>> = HashMap::new();
    for &id in layers {
        for &input in &network.layer(id).inputs {
            users.entry(input).or_default().push(id);
        }
    }
    let softmax =
        layers.iter().filter(|&&id| matches!(network.layer(id).kind, LayerKind::SoftMax(_)));
    softmax
        .filter_map(|&id| {
            let mut group = back_to_product(network, id)?;
            group.extend(on_to_product(network, id, &users)?);
            Some(group)
        })
        .collect()
}

/// The layers from a product to this softmax, both included.
fn back_to_product(network: &Network, softmax: LayerId) -> Option<Vec<LayerId>> {
    let mut group = vec![softmax];
    let (mut pending, mut seen) = (vec![softmax], HashSet::from([softmax]));
    let mut found = false;
    while let Some(id) = pending.pop() {
        for maker in network.layer(id).inputs.iter().filter_map(|&value| network.maker(value)) {
            let layer = network.layer(maker);
            let product = is_product(&layer.kind);
            if !(product || is_between(&layer.kind)) || !seen.insert(maker) {
                continue;
            }
            // A mask is computed beside: what leads to no product stays out of it.
            if product || leads_to_product(network, maker) {
                group.push(maker);
                found |= product;
            }
            if !product && seen.len() < 2 * MOST_BETWEEN {
                pending.push(maker);
            }
        }
    }
    found.then_some(group)
}

/// Whether a product is near in front of a layer, on the way that its first inputs take.
fn leads_to_product(network: &Network, mut id: LayerId) -> bool {
    for _ in 0..MOST_BETWEEN {
        let makers = network.layer(id).inputs.iter().filter_map(|&value| network.maker(value));
        let kinds: Vec<(LayerId, &LayerKind)> =
            makers.map(|maker| (maker, &network.layer(maker).kind)).collect();
        if kinds.iter().any(|(_, kind)| is_product(kind)) {
            return true;
        }
        let Some((next, _)) = kinds.into_iter().find(|(_, kind)| is_between(kind)) else {
            return false;
        };
        id = next;
    }
    false
}

/// The layers from a softmax to the product that takes it.
fn on_to_product(
    network: &Network,
    softmax: LayerId,
    users: &HashMap<ValueId, Vec<LayerId>>,
) -> Option<Vec<LayerId>> {
    let mut group = Vec::new();
    let mut at = softmax;
    for _ in 0..MOST_BETWEEN {
        let output = network.layer(at).outputs.first()?;
        let next = users.get(output)?;
        if let Some(&product) = next.iter().find(|&&id| is_product(&network.layer(id).kind)) {
            group.push(product);
            return Some(group);
        }
        let [only] = next[..] else { return None };
        if !is_between(&network.layer(only).kind) {
            return None;
        }
        group.push(only);
        at = only;
    }
    None
}

fn is_product(kind: &LayerKind) -> bool {
    matches!(kind, LayerKind::MatrixMultiply(_) | LayerKind::Einsum(_))
}

/// Whether a layer may stand between the products of attention and its softmax.
fn is_between(kind: &LayerKind) -> bool {
    use ElementWiseOperation as Op;
    match kind {
        LayerKind::ElementWise(of) => {
            matches!(of.operation, Op::Sum | Op::Sub | Op::Prod | Op::Div | Op::Max | Op::Min)
        }
        LayerKind::Select
        | LayerKind::Identity
        | LayerKind::Shuffle(_)
        | LayerKind::Squeeze(_)
        | LayerKind::Unsqueeze(_)
        | LayerKind::Scale(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Policy;
    use super::*;
    use crate::network::{Block, Caps, Shape, ValueType};
    use crate::recipe::Recipe;
    use crate::tensor::DType;
    use std::time::{Duration, Instant};

    /// Layers in a row, from as many nodes.
    fn chain(count: usize, name: impl Fn(usize) -> String) -> Network {
        let mut network = Network::default();
        let ty = ValueType::new(DType::F32, Shape::of(&[1]));
        let mut value = network.add_input("x", ty.clone());
        let mut body = Block::default();
        for at in 0..count {
            let sites = [Site::node("main", at, &name(at), "Identity", 17, "")];
            let layer = network.add_layer(LayerKind::Identity, &[value], &sites, [ty.clone()]);
            value = network.layer(layer).outputs[0];
            body.layers.push(layer);
        }
        network.body = body;
        network
    }

    #[test]
    fn many_nodes_take_no_time_for_each_pair_of_them() {
        const MANY: usize = 20_000;
        let start = Instant::now();
        let same = Units::new(&chain(MANY, |_| "same".to_owned()));
        assert_eq!((same.len(), same.all[0].len()), (1, MANY));
        let others = Units::new(&chain(MANY, |at| format!("n{at}")));
        let keep = (0..MANY).map(|at| format!("n{at}=f16").parse().unwrap());
        let recipe = Recipe { keep: keep.collect(), ..Recipe::default() };
        let policy = Policy::new(&recipe, &others, Caps::modern());
        assert!(policy.fixed.iter().all(|dtype| *dtype == Some(DType::F16)));
        // Pair by pair it took more than a minute.
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
