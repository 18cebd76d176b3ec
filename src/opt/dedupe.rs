//! Layers that compute the same from the same become one, and so do those that compute the same
//! sizes, whatever they compute them from.

use crate::network::edit::Editor;
use crate::network::layer::FillOperation;
use crate::network::{Block, Dim, LayerId, LayerKind, Network, Values};
use crate::tensor::DType;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;

/// Constants above this size are compared by where their bytes lie, not by what they say.
const MOST_COMPARED_BYTES: usize = 4096;

/// What a layer computes.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Data(DType, Vec<usize>, Bytes),
    SameBytes(DType, Vec<usize>, usize),
    /// Whole numbers of which each is known as an expression of the network's sizes: type, rank,
    /// expressions.
    Sizes(DType, usize, Arc<[Dim]>),
    Layer(String, Values),
}

pub(super) fn run(network: &mut Network) -> usize {
    let body = network.body.clone();
    let mut editor = Editor::new(network);
    let changed = block(&mut editor, &body, &mut HashMap::new());
    editor.finish();
    changed
}

/// Handles a block; layers of the blocks around it can stand for its own, never the other way
/// round.
fn block(editor: &mut Editor<'_>, of: &Block, seen: &mut HashMap<Key, LayerId>) -> usize {
    let mut changed = 0;
    let mut own = Vec::new();
    for &id in &of.layers {
        for nested in editor.network().layer(id).kind.clone().blocks() {
            changed += block(editor, nested, seen);
        }
        let Some(key) = key(editor.network(), id, is_outermost(of)) else { continue };
        match seen.get(&key).copied() {
            None => {
                own.push(id);
                seen.insert(key, id);
            }
            Some(first) => {
                let sites = editor.network().layer(id).sites.clone();
                let pairs: Vec<_> = {
                    let network = editor.network();
                    network
                        .layer(id)
                        .outputs
                        .iter()
                        .copied()
                        .zip(network.layer(first).outputs.iter().copied())
                        .collect()
                };
                // An output of the network is renamed, so it must stay a tensor of its own.
                if pairs.iter().any(|&(duplicate, _)| editor.is_pinned(duplicate)) {
                    continue;
                }
                for (duplicate, original) in pairs {
                    editor.replace(duplicate, original);
                }
                editor.add_sites(first, &sites);
                editor.remove(id);
                changed += 1;
            }
        }
    }
    if !is_outermost(of) {
        seen.retain(|_, id| !own.contains(id));
    }
    changed
}

/// Whether a block is the network itself, not one of a loop or a conditional.
fn is_outermost(block: &Block) -> bool {
    block.params.is_empty() && block.results.is_empty()
}

fn key(network: &Network, id: LayerId, outermost: bool) -> Option<Key> {
    let layer = network.layer(id);
    // In the blocks of loops and conditionals sizes stay where they are computed: TensorRT would
    // have to be handed them from outside.
    if outermost && let Some(sizes) = sizes(network, id) {
        return Some(sizes);
    }
    match &layer.kind {
        LayerKind::Constant(constant) => {
            let weights = &constant.weights;
            let (dtype, dims, data) = (weights.dtype(), weights.dims().to_vec(), weights.bytes());
            Some(if data.len() <= MOST_COMPARED_BYTES {
                Key::Data(dtype, dims, data.clone())
            } else {
                Key::SameBytes(dtype, dims, data.as_ptr().addr())
            })
        }
        // The text of these would hash all the weights or blocks they hold, and they are never
        // alike in practice.
        LayerKind::Convolution(_)
        | LayerKind::Deconvolution(_)
        | LayerKind::Rnn(_)
        | LayerKind::Scale(_)
        | LayerKind::Loop(_)
        | LayerKind::Conditional(_) => None,
        LayerKind::Fill(fill) if fill.operation != FillOperation::Linspace => None,
        kind => Some(Key::Layer(format!("{kind:?}"), layer.inputs.clone())),
    }
}

/// The sizes that a layer computes, where it computes nothing else.
fn sizes(network: &Network, id: LayerId) -> Option<Key> {
    let layer = network.layer(id);
    let [output] = layer.outputs[..] else { return None };
    let ty = &network.value(output).ty;
    let computed = !matches!(layer.kind, LayerKind::Constant(_));
    let whole = matches!(ty.dtype, DType::I64 | DType::I32);
    let elements = ty.elements.as_ref().filter(|_| computed && whole)?;
    Some(Key::Sizes(ty.dtype, ty.shape.rank(), elements.clone()))
}
