//! Computes a network layer by layer.

use super::error::EvalError;
use super::{Outputs, Rounding, control};
use crate::error::{Error, Kind, Problem, Result};
use crate::network::{Block, Dim, Layer, LayerId, LayerKind, Network, ValueId};
use crate::tensor::Tensor;
use std::collections::{HashMap, HashSet};

/// How deep blocks may nest.
const MAX_DEPTH: usize = 64;

/// Computes a network: `inputs` in the order of [`Network::inputs`], results in the order of
/// [`Network::outputs`].
///
/// # Errors
/// Inputs that do not fit the network ([`Kind::Usage`]), or a layer that cannot be computed, with
/// its site.
pub fn run(network: &Network, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    run_with(network, inputs, &mut |_, _| {})
}

/// The same, showing each value to `observe` as it is made: inputs first, values in loops once per
/// iteration.
///
/// Values are dropped after their last use.
pub fn run_with(
    network: &Network,
    inputs: &[Tensor],
    observe: &mut dyn FnMut(ValueId, &Tensor),
) -> Result<Vec<Tensor>> {
    start(network, inputs, Hooks { observe, watch: None, rounding: None })
}

/// What is shown of a layer that was computed: what it took and what it gave.
pub type Watch<'a> = dyn FnMut(LayerId, &[&Tensor], &[Tensor]) + 'a;

/// The same as [`run`], showing each layer without nested blocks to `watch` as it is computed:
/// layers in loops once per iteration.
///
/// # Errors
/// Those of [`run`].
pub fn run_watching(
    network: &Network,
    inputs: &[Tensor],
    watch: &mut Watch<'_>,
) -> Result<Vec<Tensor>> {
    let observe = &mut |_, _: &Tensor| {};
    start(network, inputs, Hooks { observe, watch: Some(watch), rounding: None })
}

/// The same as [`run`] with results that are rounded at random.
///
/// # Errors
/// Those of [`run`].
pub fn run_rounding(
    network: &Network,
    inputs: &[Tensor],
    rounding: &mut Rounding,
) -> Result<Vec<Tensor>> {
    run_rounding_with(network, inputs, rounding, &mut |_, _| {})
}

/// The same, and shows each value as it is computed.
///
/// # Errors
/// Those of [`run`].
pub fn run_rounding_with(
    network: &Network,
    inputs: &[Tensor],
    rounding: &mut Rounding,
    observe: &mut dyn FnMut(ValueId, &Tensor),
) -> Result<Vec<Tensor>> {
    start(network, inputs, Hooks { observe, watch: None, rounding: Some(rounding) })
}

/// Who looks on, or changes what is computed.
struct Hooks<'o, 'w> {
    observe: &'o mut dyn FnMut(ValueId, &Tensor),
    watch: Option<&'o mut Watch<'w>>,
    rounding: Option<&'o mut Rounding>,
}

fn start(network: &Network, inputs: &[Tensor], hooks: Hooks<'_, '_>) -> Result<Vec<Tensor>> {
    check_inputs(network, inputs)?;
    let mut runner = Runner { network, values: HashMap::new(), hooks, depth: 0 };
    for (&id, tensor) in network.inputs.iter().zip(inputs) {
        runner.set(id, tensor.clone());
    }
    let outputs: Vec<ValueId> = network.outputs.iter().map(|output| output.value).collect();
    runner.block(&Schedule::new(network, &network.body, &outputs))?;
    let made = outputs.into_iter().map(|id| runner.get(id).cloned());
    made.collect::<Result<_, _>>().map_err(|error| Error::new(error.kind(), error.to_string()))
}

/// Refuses inputs of other types or sizes than the network takes; a symbol may stand for one size
/// only.
fn check_inputs(network: &Network, inputs: &[Tensor]) -> Result<()> {
    if inputs.len() != network.inputs.len() {
        let message = format!(
            "the network takes {} inputs, but there are {}",
            network.inputs.len(),
            inputs.len()
        );
        return Err(Error::new(Kind::Usage, message));
    }
    let mut symbols: HashMap<&Dim, usize> = HashMap::new();
    for (&id, tensor) in network.inputs.iter().zip(inputs) {
        let value = network.value(id);
        let sizes = value.ty.shape.iter().zip(tensor.dims());
        let fits = value.ty.dtype == tensor.dtype()
            && value.ty.shape.rank() == tensor.dims().len()
            && sizes.into_iter().all(|(dim, &size)| match dim.size() {
                Some(known) => known == size,
                None => *symbols.entry(dim).or_insert(size) == size,
            });
        if !fits {
            let (given, dims) = (tensor.dtype(), tensor.dims());
            let message = format!(
                "input `{}` is {given}{dims:?}, but the network takes {}",
                value.name,
                network.ty(id)
            );
            return Err(Error::new(Kind::Usage, message));
        }
    }
    let promised =
        |dim: &Dim| Some((dim.as_symbol()?.clone(), *network.ranges.get(dim.as_symbol()?)?));
    for (dim, size) in symbols {
        if let Some((symbol, [min, max])) =
            promised(dim).filter(|(_, [min, max])| !holds(*min, *max, size))
        {
            let message = format!("{symbol} is {size}, but the network is made for {min} to {max}");
            return Err(Error::new(Kind::Usage, message));
        }
    }
    Ok(())
}

fn holds(min: i64, max: i64, size: usize) -> bool {
    i64::try_from(size).is_ok_and(|size| (min..=max).contains(&size))
}

/// A block with the values of its own that are not needed any more after each layer.
pub(super) struct Schedule {
    layers: Vec<(LayerId, Vec<ValueId>)>,
}

impl Schedule {
    /// What `results` names is kept to the end.
    pub(super) fn new(network: &Network, block: &Block, results: &[ValueId]) -> Self {
        let mut own: HashSet<ValueId> = block.params.iter().copied().collect();
        own.extend(block.layers.iter().flat_map(|&id| &network.layer(id).outputs));
        let mut needed: HashSet<ValueId> = results.iter().copied().collect();
        let mut layers: Vec<_> = block
            .layers
            .iter()
            .rev()
            .map(|&id| {
                let mut last = Vec::new();
                uses(network, network.layer(id), &mut |value| {
                    if own.contains(&value) && needed.insert(value) {
                        last.push(value);
                    }
                });
                // What nobody takes ends where it is made.
                last.extend(
                    network.layer(id).outputs.iter().filter(|&&output| needed.insert(output)),
                );
                (id, last)
            })
            .collect();
        layers.reverse();
        Self { layers }
    }
}

/// Names each value that a layer or its nested blocks read.
pub(super) fn uses(network: &Network, layer: &Layer, name: &mut dyn FnMut(ValueId)) {
    layer.inputs.iter().for_each(|&value| name(value));
    for block in layer.kind.blocks() {
        block.results.iter().for_each(|&value| name(value));
        for &id in &block.layers {
            uses(network, network.layer(id), name);
        }
    }
}

/// The values made so far.
pub(super) struct Runner<'n, 'o, 'w> {
    pub network: &'n Network,
    values: HashMap<ValueId, Tensor>,
    hooks: Hooks<'o, 'w>,
    depth: usize,
}

impl Runner<'_, '_, '_> {
    /// A value that an earlier layer made.
    pub(super) fn get(&self, id: ValueId) -> Result<&Tensor, EvalError> {
        self.values.get(&id).ok_or(EvalError::Missing(id.index()))
    }

    /// Makes a value.
    pub(super) fn set(&mut self, id: ValueId, tensor: Tensor) {
        (self.hooks.observe)(id, &tensor);
        self.values.insert(id, tensor);
    }

    /// Drops the values that a block makes.
    pub(super) fn forget(&mut self, block: &Block) {
        let made = block.layers.iter().flat_map(|&id| &self.network.layer(id).outputs);
        for value in block.params.iter().chain(made) {
            self.values.remove(value);
        }
    }

    /// Computes every layer of a block.
    pub(super) fn block(&mut self, schedule: &Schedule) -> Result<()> {
        for (id, last) in &schedule.layers {
            self.layer(*id)?;
            for value in last {
                self.values.remove(value);
            }
        }
        Ok(())
    }

    /// Computes one layer and keeps what it gives.
    pub(super) fn layer(&mut self, id: LayerId) -> Result<()> {
        let layer = self.network.layer(id);
        let outputs = match &layer.kind {
            LayerKind::Loop(l) => {
                self.nested(layer, |runner| control::run_loop(runner, layer, l))?
            }
            LayerKind::Conditional(c) => {
                self.nested(layer, |runner| control::run_conditional(runner, layer, c))?
            }
            kind => {
                self.plain(id, kind, &layer.inputs).map_err(|error| at(layer, &error))?.into_vec()
            }
        };
        for (&id, tensor) in layer.outputs.iter().zip(outputs) {
            self.set(id, tensor);
        }
        Ok(())
    }

    /// Computes a layer without nested blocks.
    fn plain(
        &mut self,
        id: LayerId,
        kind: &LayerKind,
        inputs: &[ValueId],
    ) -> Result<Outputs, EvalError> {
        let Self { values, hooks: Hooks { watch, rounding, .. }, .. } = self;
        let get = |id: &ValueId| values.get(id).ok_or(EvalError::Missing(id.index()));
        let inputs = inputs.iter().map(get).collect::<Result<Vec<_>, _>>()?;
        let Some(rounding) = rounding else {
            let outputs = super::layer(kind, &inputs)?;
            if let Some(watch) = watch {
                watch(id, &inputs, &outputs);
            }
            return Ok(outputs);
        };
        let moved = rounding.operands(kind, &inputs);
        let inputs = moved.as_ref().map_or(inputs, |moved| moved.iter().collect());
        let outputs = super::layer(kind, &inputs)?;
        Ok(outputs.into_iter().map(|output| rounding.result(kind, output)).collect())
    }

    fn nested(
        &mut self,
        layer: &Layer,
        run: impl FnOnce(&mut Self) -> Result<Vec<Tensor>>,
    ) -> Result<Vec<Tensor>> {
        if self.depth == MAX_DEPTH {
            return Err(at(layer, &EvalError::Depth(MAX_DEPTH)));
        }
        self.depth += 1;
        let outputs = run(self);
        self.depth -= 1;
        outputs
    }
}

/// The error of this layer, with its place in the model.
pub(super) fn at(layer: &Layer, error: &EvalError) -> Error {
    match layer.sites.first() {
        Some(site) => {
            let mut problem = Problem::new(error.kind(), site.clone(), error.to_string());
            problem.hint = error.hint();
            Error::of_problems("cannot evaluate", vec![problem])
        }
        None => Error::new(
            error.kind(),
            format!("cannot evaluate a {} layer: {error}", layer.kind.name()),
        ),
    }
}
