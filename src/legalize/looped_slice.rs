//! Slices of one along an axis in a loop, from where only the run knows, pick by index.
//!
//! TensorRT takes no Slice whose start differs from iteration to iteration: TensorRT 8.6 ends with
//! an assertion (`slice->inputs.size() == 1`), TensorRT-RTX with another (`newNodeOrder.size() ==
//! g.nodes.size()`).

use super::insert::Insert;
use crate::error::Result;
use crate::network::edit::Editor;
use crate::network::layer::{Arg, Gather, GatherMode, SampleMode, Slice};
use crate::network::{Block, Dim, Layer, LayerId, LayerKind, Network, ValueId};

/// Rewrites every such layer.
///
/// # Errors
/// `Internal` where a rewrite does not hold together.
pub(super) fn run(network: &mut Network) -> Result<()> {
    let mut layers = Vec::new();
    looped(network, &network.body, false, &mut layers);
    let mut editor = Editor::new(network);
    for id in layers {
        let Some((at, axis)) = picked(editor.network(), editor.network().layer(id)) else {
            continue;
        };
        let mut insert = Insert::before(&mut editor, id);
        let inputs = insert.layer().inputs.clone();
        let (Some(&data), Some(&start)) = (inputs.first(), inputs.get(at)) else { continue };
        let Ok(place) = i64::try_from(axis) else { continue };
        let index = Slice {
            start: Arg::Static(vec![place]),
            size: Arg::Static(vec![1]),
            stride: Arg::Static(vec![1]),
            mode: SampleMode::StrictBounds,
            fill: None,
        };
        let index = insert.add(index, &[start])?;
        let gather = Gather { mode: GatherMode::Default, axis, element_wise_dims: 0 };
        let value = insert.add(gather, &[data, index])?;
        insert.replace_layer(&[value]);
    }
    editor.finish();
    Ok(())
}

/// The layers inside of loops.
fn looped(network: &Network, block: &Block, inside: bool, found: &mut Vec<LayerId>) {
    for &id in &block.layers {
        let kind = &network.layer(id).kind;
        let inside = inside || matches!(kind, LayerKind::Loop(_));
        if inside && matches!(kind, LayerKind::Slice(_)) {
            found.push(id);
        }
        for nested in kind.blocks() {
            looped(network, nested, inside, found);
        }
    }
}

/// Which input holds the start, and the axis of which one element is taken, while others are whole:
/// where nothing outside is read they start at 0.
fn picked(network: &Network, layer: &Layer) -> Option<(usize, usize)> {
    let LayerKind::Slice(slice) = &layer.kind else { return None };
    let (start, stride) = (slice.start.input()?, slice.stride.fixed()?);
    let strict = slice.mode == SampleMode::StrictBounds && stride.iter().all(|&step| step == 1);
    let shape = |value: Option<&ValueId>| Some(&network.value(*value?).ty.shape);
    let (from, to) = (shape(layer.inputs.first())?, shape(layer.outputs.first())?);
    let mut cut = from.iter().zip(to.iter()).enumerate().filter(|(_, (from, to))| from != to);
    let (axis, (_, size)) = cut.next()?;
    (strict && cut.next().is_none() && *size == Dim::Known(1)).then_some((start, axis))
}
