//! Inputs whose values are sizes: TensorRT wants to know their range, as it does for shapes.

use crate::network::layer::Arg;
use crate::network::layer::control::LoopOutput;
use crate::network::layer::data::Reshape;
use crate::network::layer::resample::ResizeOutput;
use crate::network::{LayerKind, Maker, Network, ValueId};
use std::collections::HashSet;

/// The inputs from which a size, a position or a count is computed, in the network's order.
pub(super) fn holding_sizes(network: &Network) -> Vec<ValueId> {
    let mut reached = HashSet::new();
    let mut pending: Vec<ValueId> = network
        .live_layers()
        .into_iter()
        .map(|id| network.layer(id))
        .flat_map(|layer| sizing(&layer.kind).into_iter().filter_map(|at| layer.inputs.get(at).copied()))
        .collect();
    while let Some(value) = pending.pop() {
        if reached.insert(value)
            && let Maker::Layer(layer) = network.value(value).maker
        {
            let layer = network.layer(layer);
            // The shape of a value is known without its elements.
            if !matches!(layer.kind, LayerKind::Shape) {
                pending.extend(&layer.inputs);
            }
        }
    }
    network.inputs.iter().copied().filter(|input| reached.contains(input)).collect()
}

/// The operands that a layer reads while TensorRT plans its sizes, by position.
fn sizing(kind: &LayerKind) -> Vec<usize> {
    match kind {
        LayerKind::Shuffle(shuffle) if matches!(shuffle.reshape, Some(Reshape::Input { .. })) => vec![1],
        LayerKind::Resize(resize) if resize.output == ResizeOutput::Input => vec![1],
        LayerKind::Slice(slice) => {
            [&slice.start, &slice.size, &slice.stride].into_iter().filter_map(Arg::input).collect()
        }
        LayerKind::Fill(fill) => fill.dims.input().into_iter().collect(),
        LayerKind::TopK(top) => top.k.input().into_iter().collect(),
        LayerKind::OneHot(_) => vec![2],
        LayerKind::Loop(repeat) => {
            let lengths = repeat.outputs.iter().filter(|output| !matches!(output, LoopOutput::LastValue(_))).count();
            let before = usize::from(repeat.counted) + repeat.iterators.len() + repeat.recurrences;
            (0..usize::from(repeat.counted)).chain(before..before + lengths).collect()
        }
        _ => Vec::new(),
    }
}
