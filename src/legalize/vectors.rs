//! What works along an axis of data that has no other: TensorRT's TopK and SoftMax want two axes, so one of size 1 is
//! added in front, and taken away again.

use super::insert::Insert;
use crate::error::Result;
use crate::network::edit::Editor;
use crate::network::layer::{SoftMax, Squeeze, TopK, Unsqueeze};
use crate::network::{LayerKind, Network};

/// Rewrites every such layer.
pub(super) fn run(network: &mut Network) -> Result<()> {
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for id in layers {
        let mut insert = Insert::before(&mut editor, id);
        let kind: LayerKind = match &insert.layer().kind {
            LayerKind::TopK(of) => TopK { axis: of.axis + 1, ..of.clone() }.into(),
            LayerKind::SoftMax(of) => SoftMax { axis: of.axis + 1 }.into(),
            _ => continue,
        };
        let mut inputs = insert.layer().inputs.clone();
        let Some(data) = inputs.first_mut() else { continue };
        if insert.editor.network().value(*data).ty.shape.rank() != 1 {
            continue;
        }
        *data = insert.add(Unsqueeze { axes: vec![0] }, &[*data])?;
        let made = insert.add_all(kind, &inputs)?;
        let mut values = Vec::with_capacity(made.len());
        for (value, old) in made.into_iter().zip(insert.layer().outputs.clone()) {
            let used = insert.editor.is_used(old);
            values.push(if used { insert.add(Squeeze { axes: vec![0] }, &[value])? } else { value });
        }
        insert.replace_layer(&values);
    }
    editor.finish();
    Ok(())
}
