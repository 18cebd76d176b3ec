//! A Max and a Min with constants become one Clip.
//!
//! TensorRT's Clip gives the lower bound where the two are crossed and ONNX's the upper, so they
//! stay as they are there. Of a NaN, which ONNX leaves open, both forms make one of the bounds.

use crate::network::edit::Editor;
use crate::network::layer::{Activation, ActivationType, ElementWiseOperation as Ew};
use crate::network::{LayerId, LayerKind, Network, ValueId};
use crate::tensor::DType;

pub(super) fn run(network: &mut Network) -> usize {
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    let mut changed = 0;
    for id in layers {
        if let Some((front, data, clip)) = clipped(&editor, id) {
            let sites = editor.network().layer(front).sites.clone();
            editor.change(id, clip.into(), &[data]);
            editor.lead_sites(id, &sites);
            editor.remove(front);
            changed += 1;
        }
    }
    editor.finish();
    changed
}

/// What a layer with the one in front becomes, where these are the two bounds.
fn clipped(editor: &Editor<'_>, id: LayerId) -> Option<(LayerId, ValueId, Activation)> {
    let network = editor.network();
    let (middle, back, second) = bound(network, id)?;
    let front_id = network.maker(middle)?;
    let (data, front, first) = bound(network, front_id)?;
    let (alpha, beta) = match (front, back) {
        (Ew::Max, Ew::Min) => (first, second),
        (Ew::Min, Ew::Max) => (second, first),
        _ => return None,
    };
    let is_one = alpha <= beta && editor.sole_user(middle) == Some(id);
    is_one.then_some((front_id, data, Activation { kind: ActivationType::Clip, alpha, beta }))
}

/// A layer that bounds all of its data by one number: the data, by which operation, the number.
fn bound(network: &Network, id: LayerId) -> Option<(ValueId, Ew, f32)> {
    let layer = network.layer(id);
    let LayerKind::ElementWise(of) = &layer.kind else { return None };
    let [a, b] = layer.inputs[..] else { return None };
    let (data, constant) = match (network.constant(a), network.constant(b)) {
        (None, Some(constant)) => (a, constant),
        (Some(constant), None) => (b, constant),
        _ => return None,
    };
    let values = constant.to_f32s()?;
    let [at] = values[..] else { return None };
    let (from, to) = (&network.value(data).ty, &network.value(*layer.outputs.first()?).ty);
    let fits = matches!(of.operation, Ew::Max | Ew::Min)
        && matches!(from.dtype, DType::F32 | DType::F16 | DType::BF16)
        && from.shape.rank() > 0
        && from.shape == to.shape
        && at.is_finite();
    fits.then_some((data, of.operation, at))
}

#[cfg(test)]
mod tests;
