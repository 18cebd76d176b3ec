//! Layers between others that keep TensorRT from taking these together.
//!
//! Which form helps was found out with TensorRT-RTX 1.7.1, with networks that it does not build. It
//! takes a copy away before most of what it fails at, but not before it orders loops. The maximum
//! of a value and itself it does not see through.

use super::{Mend, internal};
use crate::error::Result;
use crate::infer;
use crate::network::edit::Editor;
use crate::network::layer::{ElementWise, ElementWiseOperation};
use crate::network::{Block, LayerId, LayerKind, Network, ValueId};
use crate::tensor::DType;
use std::collections::{BTreeSet, HashMap};

pub(super) const COPIES: Mend = Mend {
    name: "copies",
    does: "copies the data between these layers",
    costs: "nothing, or a pass over the data",
    change: |network, layers| between(network, layers, |_| Some(LayerKind::Identity)),
};

pub(super) const MAXIMA: Mend = Mend {
    name: "maxima",
    does: "takes the maximum of the data and themselves between these layers",
    costs: "a pass over the data for each value between them, which are not fused",
    change: |network, layers| between(network, layers, maximum),
};

/// The layer that gives the maximum of two values of a type.
fn maximum(dtype: DType) -> Option<LayerKind> {
    let operation = match dtype {
        DType::Bool => ElementWiseOperation::Or,
        DType::F32 | DType::F16 | DType::BF16 | DType::I32 | DType::I64 => {
            ElementWiseOperation::Max
        }
        _ => return None,
    };
    Some(ElementWise { operation }.into())
}

/// Adds a layer behind every value that one of these layers gives another; gives how many.
fn between(
    network: &mut Network,
    layers: &BTreeSet<LayerId>,
    kind: impl Fn(DType) -> Option<LayerKind>,
) -> Result<usize> {
    let mut next = HashMap::new();
    followers(network, &network.body, &mut next);
    let mut editor = Editor::new(network);
    let mut count = 0;
    for (maker, &anchor) in layers.iter().filter_map(|maker| Some((*maker, next.get(maker)?))) {
        let layer = editor.network().layer(maker).clone();
        if matches!(layer.kind, LayerKind::Constant(_)) {
            continue;
        }
        for &value in &layer.outputs {
            let users = editor.users(value).iter().copied();
            let users: BTreeSet<LayerId> = users.filter(|user| layers.contains(user)).collect();
            let Some(kind) = kind(editor.network().value(value).ty.dtype) else { continue };
            if users.is_empty() {
                continue;
            }
            let operands = vec![value; if kind == LayerKind::Identity { 1 } else { 2 }];
            let types = infer::outputs(editor.network(), &kind, &operands)
                .map_err(|error| internal(&layer.sites, &error))?;
            let made = editor.add_before(anchor, kind, &operands, &layer.sites, types);
            for user in users {
                take_instead(&mut editor, user, value, &made);
            }
            count += 1;
        }
    }
    editor.finish();
    Ok(count)
}

/// Has a layer take another value.
fn take_instead(editor: &mut Editor<'_>, user: LayerId, old: ValueId, new: &[ValueId]) {
    let layer = editor.network().layer(user).clone();
    let other = |input: &ValueId| if *input == old { new.first().copied() } else { Some(*input) };
    let inputs: Vec<ValueId> = layer.inputs.iter().filter_map(other).collect();
    editor.change(user, layer.kind, &inputs);
}

/// For each layer the one behind it in its block.
fn followers(network: &Network, block: &Block, into: &mut HashMap<LayerId, LayerId>) {
    into.extend(block.layers.iter().copied().zip(block.layers.iter().skip(1).copied()));
    for &id in &block.layers {
        for nested in network.layer(id).kind.blocks() {
            followers(network, nested, into);
        }
    }
}
