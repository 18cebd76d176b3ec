//! The largest set of nodes whose products take operands of 8 bits, within the bound.

use super::histogram::Histogram;
use super::insert::{Prepared, insert};
use super::products::{self, Node, Operand};
use super::{quantized, scales};
use crate::error::Result;
use crate::eval;
use crate::network::{LayerId, Network, ValueId};
use crate::precision::constants::cast;
use crate::precision::data::Inputs;
use crate::precision::largest::{Trial, largest};
use crate::precision::search::{Found, Search, most};
use crate::precision::survey::apart;
use crate::recipe::precision::{Calibration, Eight, Quantized};
use crate::tensor::Tensor;
use std::collections::{BTreeSet, HashMap, HashSet};

/// What products shall take, and how their scales are found.
#[derive(Debug, Clone, Copy)]
pub(in crate::precision) struct Quantizer {
    /// The type.
    pub to: Eight,
    /// The way to a scale.
    pub way: Calibration,
}

/// The sizes of the numbers of each operand, by its node and its place among the node's operands.
#[derive(Debug, Default)]
pub(in crate::precision) struct Calibrated(HashMap<(String, usize), Histogram>);

/// The nodes that were found.
#[derive(Debug, Clone, Default)]
pub(in crate::precision) struct Narrowed {
    nodes: Vec<Prepared>,
    /// How far the result of each node is off where its operands are right but for 8 bits.
    own: HashMap<String, f64>,
    /// Why other nodes are in the types that they have.
    others: HashMap<String, &'static str>,
}

impl Narrowed {
    /// Writes the nodes into the network in the types for which they were found.
    pub(in crate::precision) fn insert(&self, network: &mut Network) {
        insert(network, &self.nodes);
    }

    /// The nodes as a recipe says them.
    pub(in crate::precision) fn recipe(&self) -> impl Iterator<Item = Quantized> + '_ {
        self.nodes.iter().map(quantized)
    }

    /// How far the result of a node is off by itself.
    pub(in crate::precision) fn own(&self, node: &str) -> Option<f64> {
        self.own.get(node).copied()
    }

    /// Why a node with a product does not multiply in 8 bits.
    pub(in crate::precision) fn why_not(&self, node: &str) -> Option<&'static str> {
        self.others.get(node).copied()
    }
}

impl Quantizer {
    /// Looks for the nodes, in the types that were found. What the data say of the operands is
    /// asked once, and kept.
    ///
    /// # Errors
    /// Whatever stands in the way of computing the network.
    pub(in crate::precision) fn narrow(
        self,
        search: &mut Search<'_, '_>,
        found: &Found,
        data: &[Inputs],
        calibrated: &mut Calibrated,
    ) -> Result<(Narrowed, Vec<f64>)> {
        let network = search.typed(&found.types)?;
        let (nodes, others) = products::find(&network);
        if calibrated.0.is_empty() {
            *calibrated = sizes(search, &network, &nodes, data)?;
        }
        let mut narrowed = Narrowed { others: by_node(&network, &others), ..Narrowed::default() };
        let mut prepared = Vec::new();
        for node in nodes {
            let label = node.site.label();
            match self.scales(search, &network, &node, calibrated) {
                Ok(scales) => prepared.push(Prepared::new(node, scales, self.to)?),
                Err(why) => {
                    narrowed.others.insert(label, why);
                }
            }
        }
        found_in(search, network, prepared, narrowed)
    }

    /// The scales of a node's operands, or why it has none.
    fn scales(
        self,
        search: &Search<'_, '_>,
        network: &Network,
        node: &Node,
        calibrated: &Calibrated,
    ) -> Result<Vec<f32>, &'static str> {
        let label = node.site.label();
        if search.is_kept(&label) {
            return Err("`--keep` says so");
        }
        let scale = |(at, operand): (usize, Operand)| {
            let sizes = calibrated.0.get(&(label.clone(), at));
            let sizes = sizes.ok_or("the data never come to it")?;
            if sizes.unbounded {
                return Err("its data have no end");
            }
            let dtype = network.value(operand.value).ty.dtype;
            let end = scales::end(sizes, self.to, self.way);
            scales::scale(end, self.to, dtype).ok_or("its data are 0, or too small or too large")
        };
        node.operands().enumerate().map(scale).collect()
    }
}

/// The largest set of these nodes that holds the bound.
fn found_in(
    search: &mut Search<'_, '_>,
    network: Network,
    prepared: Vec<Prepared>,
    mut narrowed: Narrowed,
) -> Result<(Narrowed, Vec<f64>)> {
    let goal = search.goal();
    let all: Vec<usize> = (0..prepared.len()).collect();
    let mut trial = Products { search, network, prepared };
    let mut without = BTreeSet::new();
    let mut errors = trial.measure(&without)?;
    narrowed.own = trial.own()?;
    if most(&errors) > goal.aim {
        let harm = trial.harm(&narrowed.own)?;
        let mut ranked = all;
        ranked.sort_by(|&a, &b| harm[b].total_cmp(&harm[a]));
        let outcome = largest(&mut trial, &ranked, goal)?;
        let untried: HashSet<usize> = outcome.untried.iter().copied().collect();
        (without, errors) = (outcome.without, outcome.errors);
        for &at in &without {
            let why = if untried.contains(&at) {
                "it was not tried in 8 bits: the time was up"
            } else {
                "its rounding to 8 bits moves the outputs too far"
            };
            narrowed.others.insert(trial.prepared[at].node.site.label(), why);
        }
    }
    let nodes = trial.prepared.into_iter().enumerate();
    narrowed.nodes = nodes.filter(|(at, _)| !without.contains(at)).map(|(_, of)| of).collect();
    Ok((narrowed, errors))
}

/// Nodes whose products go back to the types of the network.
struct Products<'s, 'a, 'e> {
    search: &'s mut Search<'a, 'e>,
    network: Network,
    prepared: Vec<Prepared>,
}

impl Trial for Products<'_, '_, '_> {
    fn measure(&mut self, without: &BTreeSet<usize>) -> Result<Vec<f64>> {
        let network = self.with(|at| !without.contains(&at));
        self.search.measure(&network)
    }

    fn has_time(&mut self) -> bool {
        self.search.clock.has_time(self.search.sets.len())
    }
}

impl Products<'_, '_, '_> {
    /// The network with the products of these nodes.
    fn with(&self, which: impl Fn(usize) -> bool) -> Network {
        let mut network = self.network.clone();
        let nodes = self.prepared.iter().enumerate().filter(|(at, _)| which(*at));
        insert(&mut network, nodes.map(|(_, of)| of));
        network
    }

    /// How far the result of each node is off by itself, on the first data that decide.
    fn own(&self) -> Result<HashMap<String, f64>> {
        let mut own = HashMap::new();
        let Some(set) = self.search.sets.first() else { return Ok(own) };
        let mut of: HashMap<LayerId, (&Prepared, usize)> = HashMap::new();
        for prepared in &self.prepared {
            for (at, product) in prepared.node.products.iter().enumerate() {
                of.insert(product.layer, (prepared, at));
            }
        }
        let inputs = entered(&self.network, &set.inputs);
        eval::run_watching(&self.network, &inputs, &mut |id, inputs, outputs| {
            let Some((prepared, at)) = of.get(&id) else { return };
            let kind = &self.network.layer(id).kind;
            let result = prepared.computed(*at, kind, inputs);
            let off = result.zip(outputs.first());
            let off = off.map_or(f64::INFINITY, |(result, right)| apart(&result, right));
            let known: &mut f64 = own.entry(prepared.node.site.label()).or_default();
            *known = known.max(off);
        })?;
        Ok(own)
    }

    /// How far the outputs are off for each node alone, where there is time to measure that; else
    /// how far its own result is.
    fn harm(&mut self, own: &HashMap<String, f64>) -> Result<Vec<f64>> {
        if self.search.clock.has_time_for(2 * self.prepared.len())
            && let Some(set) = self.search.sets.first().cloned()
        {
            let mut harm = Vec::with_capacity(self.prepared.len());
            for at in 0..self.prepared.len() {
                let network = self.with(|of| of == at);
                harm.push(most(&self.search.errors(network, &set)?));
            }
            return Ok(harm);
        }
        let label = |prepared: &Prepared| prepared.node.site.label();
        let of = |prepared| own.get(&label(prepared)).copied().unwrap_or(f64::INFINITY);
        Ok(self.prepared.iter().map(of).collect())
    }
}

/// Counts the numbers of all operands while the network computes the data, as many of them as
/// there is time for.
fn sizes(
    search: &mut Search<'_, '_>,
    network: &Network,
    nodes: &[Node],
    data: &[Inputs],
) -> Result<Calibrated> {
    let mut places: HashMap<LayerId, Vec<Operand>> = HashMap::new();
    let mut shared: HashMap<ValueId, Vec<(String, usize)>> = HashMap::new();
    for node in nodes {
        for (at, operand) in node.operands().enumerate() {
            let key = (node.site.label(), at);
            let same = shared.entry(operand.value).or_default();
            if same.is_empty() {
                places.entry(operand.layer).or_default().push(operand);
            }
            same.push(key);
        }
    }
    let mut counted: HashMap<ValueId, Histogram> = HashMap::new();
    for (at, set) in data.iter().enumerate() {
        if at > 0 && !search.clock.has_time(1) {
            break;
        }
        eval::run_watching(network, &entered(network, &set.tensors), &mut |id, inputs, _| {
            for operand in places.get(&id).into_iter().flatten() {
                if let Some(tensor) = inputs.get(operand.at) {
                    counted.entry(operand.value).or_default().add(tensor);
                }
            }
        })?;
    }
    let keys = |(value, sizes): (ValueId, Histogram)| {
        let keys = shared.get(&value).into_iter().flatten();
        keys.map(|key| (key.clone(), sizes.clone())).collect::<Vec<_>>()
    };
    Ok(Calibrated(counted.into_iter().flat_map(keys).collect()))
}

/// Inputs in the types of a network.
fn entered(network: &Network, inputs: &[Tensor]) -> Vec<Tensor> {
    let values = network.inputs.iter().map(|&input| network.value(input).ty.dtype);
    inputs.iter().zip(values).map(|(tensor, dtype)| cast(tensor, dtype)).collect()
}

/// Why layers are no products of 8 bits, by their nodes.
fn by_node(
    network: &Network,
    others: &HashMap<LayerId, &'static str>,
) -> HashMap<String, &'static str> {
    let sites = others.iter().flat_map(|(id, why)| {
        network.layer(*id).sites.iter().map(move |site| (site.label(), *why))
    });
    sites.collect()
}
