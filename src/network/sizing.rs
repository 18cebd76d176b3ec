//! Inputs whose values are sizes: TensorRT wants to know their range, as it does for shapes.

use super::layer::Arg;
use super::layer::LoopOutput;
use super::layer::Reshape;
use super::layer::ResizeOutput;
use super::{Layer, LayerId, LayerKind, Maker, Network, ValueId};
use std::collections::HashSet;

/// The inputs from which a size, a position or a count is computed, in the network's order.
pub fn holding_sizes(network: &Network) -> Vec<ValueId> {
    let layers = network.live_layers();
    let layers = layers.into_iter().map(|id| network.layer(id));
    inputs_of(network, layers.flat_map(sizing).collect())
}

/// The inputs from which this layer's sizes, positions or counts are computed, in the network's
/// order.
pub fn sizes_of(network: &Network, layer: &Layer) -> Vec<ValueId> {
    inputs_of(network, sizing(layer))
}

/// The values from whose elements a size, a position or a count is computed.
pub fn values_holding_sizes(network: &Network) -> HashSet<ValueId> {
    values_sizing(network, &network.live_layers())
}

/// The values from whose elements the sizes, positions and counts of these layers are computed.
pub fn values_sizing(network: &Network, layers: &[LayerId]) -> HashSet<ValueId> {
    reached(network, layers.iter().flat_map(|&id| sizing(network.layer(id))).collect())
}

/// The inputs from whose elements these values are computed, in the network's order.
pub fn inputs_of(network: &Network, values: Vec<ValueId>) -> Vec<ValueId> {
    let reached = reached(network, values);
    network.inputs.iter().copied().filter(|input| reached.contains(input)).collect()
}

/// These values, and those from whose elements they are computed.
fn reached(network: &Network, mut pending: Vec<ValueId>) -> HashSet<ValueId> {
    let mut reached = HashSet::new();
    while let Some(value) = pending.pop() {
        if reached.insert(value)
            && let Maker::Layer(layer) = network.value(value).maker
        {
            let layer = network.layer(layer);
            // The shape of a value is known without its elements, and how many are found is no
            // arithmetic of sizes.
            if !matches!(
                layer.kind,
                LayerKind::Shape | LayerKind::NonZero | LayerKind::NonMaxSuppression(_)
            ) {
                pending.extend(&layer.inputs);
            }
        }
    }
    reached
}

/// The operands that a layer reads while TensorRT plans its sizes.
fn sizing(layer: &Layer) -> Vec<ValueId> {
    let places = match &layer.kind {
        LayerKind::Shuffle(shuffle) if matches!(shuffle.reshape, Some(Reshape::Input { .. })) => {
            vec![1]
        }
        LayerKind::Resize(resize) if resize.output == ResizeOutput::Input => vec![1],
        LayerKind::Slice(slice) => {
            [&slice.start, &slice.size, &slice.stride].into_iter().filter_map(Arg::input).collect()
        }
        LayerKind::Fill(fill) => fill.dims.input().into_iter().collect(),
        LayerKind::TopK(top) => top.k.input().into_iter().collect(),
        LayerKind::OneHot(_) => vec![2],
        LayerKind::Loop(repeat) => {
            let lengths = repeat
                .outputs
                .iter()
                .filter(|output| !matches!(output, LoopOutput::LastValue(_)))
                .count();
            let before = usize::from(repeat.counted) + repeat.iterators.len() + repeat.recurrences;
            (0..usize::from(repeat.counted)).chain(before..before + lengths).collect()
        }
        _ => Vec::new(),
    };
    places.into_iter().filter_map(|at| layer.inputs.get(at).copied()).collect()
}
