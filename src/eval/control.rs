//! `Loop` and `Conditional`: layers that run nested blocks.

use super::error::EvalError;
use super::gather;
use super::index::{around, count};
use super::operand::{integers, only, truths};
use super::pick::Source;
use super::run::{Runner, Schedule, at, uses};
use crate::error::Result;
use crate::network::layer::{Conditional, Gather, GatherMode, Loop, LoopOutput};
use crate::network::{Block, Layer, LayerId, Network, ValueId};
use crate::tensor::{DType, Tensor};
use std::collections::HashSet;

/// The most iterations of one run of a loop.
const MAX_ITERATIONS: usize = 1 << 20;

/// Computes a `Conditional` layer: only the block that the condition picks.
pub(super) fn run_conditional<'n>(
    runner: &mut Runner<'n, '_, '_>,
    layer: &Layer,
    conditional: &'n Conditional,
) -> Result<Vec<Tensor>> {
    let condition = input(runner, layer, 0).and_then(truth).map_err(|error| at(layer, &error))?;
    let block = if condition { &conditional.then_block } else { &conditional.else_block };
    runner.block(&Schedule::new(runner.network, block, &block.results))?;
    let results = block.results.iter().map(|&id| runner.get(id).cloned()).collect::<Result<_, _>>();
    results.map_err(|error: EvalError| at(layer, &error))
}

/// Computes a `Loop` layer.
///
/// As in TensorRT the condition decides on the iteration that computes it: where it is false, that
/// iteration changes nothing. So it is computed first, and the rest of the body only where it
/// holds.
pub(super) fn run_loop<'n>(
    runner: &mut Runner<'n, '_, '_>,
    layer: &'n Layer,
    l: &'n Loop,
) -> Result<Vec<Tensor>> {
    let wrap = |error: EvalError| at(layer, &error);
    let mut state = State::new(runner, layer, l).map_err(wrap)?;
    let condition = if l.while_result { l.body.results.first().copied() } else { None };
    let (first, rest) = split(runner.network, &l.body, condition);
    // Where the user sets the limit, the condition is asked once more, so that nothing is cut off
    // in silence.
    while state.iteration < state.count || l.capped {
        if state.iteration == MAX_ITERATIONS {
            return Err(wrap(EvalError::Iterations(MAX_ITERATIONS)));
        }
        state.enter(runner).map_err(wrap)?;
        first.iter().try_for_each(|&id| runner.layer(id))?;
        let goes_on =
            condition.map_or(Ok(true), |value| runner.get(value).and_then(truth)).map_err(wrap)?;
        if goes_on && state.iteration == state.count {
            return Err(wrap(EvalError::CutOff(state.count)));
        }
        if goes_on {
            rest.iter().try_for_each(|&id| runner.layer(id))?;
            state.leave(runner).map_err(wrap)?;
        }
        runner.forget(&l.body);
        if !goes_on {
            break;
        }
    }
    state.outputs(runner.network, layer).map_err(wrap)
}

/// The layers of a block that `value` needs, and the others.
fn split(network: &Network, block: &Block, value: Option<ValueId>) -> (Vec<LayerId>, Vec<LayerId>) {
    let mut needed: HashSet<ValueId> = value.into_iter().collect();
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for &id in block.layers.iter().rev() {
        let layer = network.layer(id);
        if layer.outputs.iter().any(|output| needed.contains(output)) {
            uses(network, layer, &mut |value| {
                needed.insert(value);
            });
            first.push(id);
        } else {
            rest.push(id);
        }
    }
    first.reverse();
    rest.reverse();
    (first, rest)
}

/// A loop between two iterations.
struct State<'n> {
    l: &'n Loop,
    /// The most iterations that the trip count allows.
    count: usize,
    iteration: usize,
    iterated: Vec<Tensor>,
    recurrences: Vec<Tensor>,
    /// What the iterations gave to each output that is concatenated, and its length.
    collected: Vec<(Vec<Tensor>, usize)>,
}

impl<'n> State<'n> {
    fn new(runner: &Runner<'_, '_, '_>, layer: &Layer, l: &'n Loop) -> Result<Self, EvalError> {
        let mut inputs = (0..layer.inputs.len()).map(|i| input(runner, layer, i));
        let mut next = || {
            inputs.next().unwrap_or(Err(EvalError::Operands {
                at: layer.inputs.len(),
                count: layer.inputs.len(),
            }))
        };
        let count = if l.counted { length(next()?)? } else { usize::MAX };
        let iterated = l.iterators.iter().map(|_| next().cloned()).collect::<Result<_, _>>()?;
        let recurrences = (0..l.recurrences).map(|_| next().cloned()).collect::<Result<_, _>>()?;
        let concatenated =
            l.outputs.iter().filter(|output| !matches!(output, LoopOutput::LastValue(_)));
        let collected = concatenated
            .map(|_| Ok((Vec::new(), length(next()?)?)))
            .collect::<Result<_, EvalError>>()?;
        Ok(Self { l, count, iteration: 0, iterated, recurrences, collected })
    }

    /// Sets the parameters of the body.
    fn enter(&self, runner: &mut Runner<'_, '_, '_>) -> Result<(), EvalError> {
        let (iterators, params) = (self.iterated.len(), &self.l.body.params);
        let missing = EvalError::Operands { at: iterators, count: params.len() };
        let (slices, carried) = params.split_at_checked(iterators).ok_or(missing)?;
        for ((&param, tensor), iterator) in slices.iter().zip(&self.iterated).zip(&self.l.iterators)
        {
            // TensorRT counts backwards from the trip count where there is one.
            let (_, size, _) = around(tensor.dims(), iterator.axis)?;
            let last = if self.l.counted { self.count } else { size };
            let at = if iterator.reverse {
                index(last) - 1 - index(self.iteration)
            } else {
                index(self.iteration)
            };
            let layer =
                Gather { mode: GatherMode::Default, axis: iterator.axis, element_wise_dims: 0 };
            runner.set(param, gather::gather(&layer, &[tensor, &Tensor::scalar(at)])?);
        }
        for (&param, tensor) in carried.iter().zip(&self.recurrences) {
            runner.set(param, tensor.clone());
        }
        Ok(())
    }

    /// Takes the results of the body.
    fn leave(&mut self, runner: &Runner<'_, '_, '_>) -> Result<(), EvalError> {
        let mut results = self.l.body.results.iter().skip(usize::from(self.l.while_result));
        for (tensor, &result) in self.recurrences.iter_mut().zip(results.by_ref()) {
            *tensor = runner.get(result)?.clone();
        }
        for ((tensors, length), &result) in self.collected.iter_mut().zip(results) {
            if tensors.len() < *length {
                tensors.push(runner.get(result)?.clone());
            }
        }
        self.iteration += 1;
        Ok(())
    }

    fn outputs(&self, network: &Network, layer: &Layer) -> Result<Vec<Tensor>, EvalError> {
        let mut collected = self.collected.iter();
        let output = |(output, &id): (&LoopOutput, &ValueId)| {
            let (axis, reverse) = match *output {
                LoopOutput::LastValue(at) => {
                    let count = self.recurrences.len();
                    return self
                        .recurrences
                        .get(at)
                        .cloned()
                        .ok_or(EvalError::Operands { at, count });
                }
                LoopOutput::Concatenate { axis } => (axis, false),
                LoopOutput::Reverse { axis } => (axis, true),
            };
            let Some((tensors, length)) = collected.next() else {
                return Err(EvalError::Missing(id.index()));
            };
            if let Some(first) = tensors.first() {
                return stacked(tensors, first, axis, *length, reverse);
            }
            let ty = &network.value(id).ty;
            let sizes = ty.shape.iter().enumerate();
            let dims = sizes.map(|(i, dim)| if i == axis { Some(*length) } else { dim.size() });
            zeros(ty.dtype, dims.collect::<Option<_>>().ok_or(EvalError::NoIterations)?)
        };
        self.l.outputs.iter().zip(&layer.outputs).map(output).collect()
    }
}

/// The tensors side by side along a new axis of size `length`; where there are fewer the rest is 0.
///
/// Reversed, the first tensor comes last.
fn stacked(
    tensors: &[Tensor],
    first: &Tensor,
    axis: usize,
    length: usize,
    reverse: bool,
) -> Result<Tensor, EvalError> {
    if let Some(other) = tensors.iter().find(|tensor| tensor.dims() != first.dims()) {
        return Err(EvalError::Shapes(first.dims().to_vec(), other.dims().to_vec()));
    }
    let mut dims = first.dims().to_vec();
    if axis > dims.len() {
        return Err(EvalError::Axis { axis, rank: dims.len() + 1 });
    }
    dims.insert(axis, length);
    let (outer, _, run) = around(&dims, axis)?;
    let zero = zeros(first.dtype(), first.dims().to_vec())?;
    let parts: Vec<&Tensor> = tensors.iter().chain([&zero]).collect();
    let starts = (0..outer).flat_map(|i| {
        (0..length).map(move |slot| {
            let part = if reverse { length - 1 - slot } else { slot };
            part.min(tensors.len()) * outer * run + i * run
        })
    });
    Source::join(&parts)?.runs(dims.clone(), run, starts)
}

fn zeros(dtype: DType, dims: Vec<usize>) -> Result<Tensor, EvalError> {
    let bytes = dtype.bytes_for(count(&dims)?).ok_or_else(|| EvalError::TooLarge(dims.clone()))?;
    Ok(Tensor::of_bytes(dtype, dims, vec![0; bytes])?)
}

fn input<'r>(
    runner: &'r Runner<'_, '_, '_>,
    layer: &Layer,
    at: usize,
) -> Result<&'r Tensor, EvalError> {
    let &id = layer.inputs.get(at).ok_or(EvalError::Operands { at, count: layer.inputs.len() })?;
    runner.get(id)
}

fn truth(tensor: &Tensor) -> Result<bool, EvalError> {
    Ok(only(truths(&[tensor], 0)?, &[tensor], 0)? != 0)
}

/// A number of iterations; a negative one is 0.
fn length(tensor: &Tensor) -> Result<usize, EvalError> {
    let value = only(&integers(&[tensor], 0)?, &[tensor], 0)?;
    Ok(usize::try_from(value.max(0)).unwrap_or(usize::MAX))
}

fn index(position: usize) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
