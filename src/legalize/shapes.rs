//! Squeeze and Unsqueeze as Shuffle, for libraries without these layers.
//!
//! A Shuffle says both for any number of sizes known only at run time: the axes that go are moved
//! behind the others, whose sizes are then copied by placeholders; axes that come are added behind
//! and moved to their place.

use crate::network::edit::Editor;
use crate::network::layer::{Reshape, Shuffle};
use crate::network::{Caps, LayerKind, Network};

/// Rewrites every Squeeze and Unsqueeze, if the library has none.
pub(super) fn run(network: &mut Network, caps: Caps) {
    if caps.squeeze {
        return;
    }
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for id in layers {
        let layer = editor.network().layer(id);
        let inputs = layer.inputs.clone();
        let Some(&data) = inputs.first() else { continue };
        let rank = editor.network().value(data).ty.shape.rank();
        let shuffle = match &layer.kind {
            LayerKind::Squeeze(squeeze) => squeezed(rank, &squeeze.axes),
            LayerKind::Unsqueeze(unsqueeze) => unsqueezed(rank, &unsqueeze.axes),
            _ => continue,
        };
        editor.change(id, shuffle.into(), &inputs);
    }
    editor.finish();
}

/// A Shuffle that removes these axes of a value of this rank.
fn squeezed(rank: usize, axes: &[usize]) -> Shuffle {
    let kept: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
    let reshape = Reshape::Static { dims: vec![0; kept.len()], zero_is_placeholder: true };
    let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
    Shuffle { first_transpose: moved(order), reshape: Some(reshape), second_transpose: None }
}

/// A Shuffle that adds these axes of the result to a value of this rank.
fn unsqueezed(rank: usize, axes: &[usize]) -> Shuffle {
    let dims = [vec![0; rank], vec![1; axes.len()]].concat();
    let (mut old, mut new) = (0..rank, rank..rank + axes.len());
    let order = (0..rank + axes.len())
        .filter_map(|axis| if axes.contains(&axis) { new.next() } else { old.next() });
    let reshape = Reshape::Static { dims, zero_is_placeholder: true };
    Shuffle {
        first_transpose: None,
        reshape: Some(reshape),
        second_transpose: moved(order.collect()),
    }
}

/// A permutation, unless it moves nothing.
fn moved(order: Vec<usize>) -> Option<Vec<usize>> {
    let sorted = order.is_sorted();
    (!sorted).then_some(order)
}
