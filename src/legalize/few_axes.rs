//! Layers that want more axes than their data has: axes of size 1 are added in front, and taken
//! away again. What is quantized to few bits goes through no layer that does this but Shuffle.

use super::insert::Insert;
use crate::error::Result;
use crate::network::edit::Editor;
use crate::network::layer::{Reshape, Shuffle, SoftMax, Squeeze, TopK, Unsqueeze};
use crate::network::{LayerKind, Network};

/// Rewrites every such layer.
pub(super) fn run(network: &mut Network) -> Result<()> {
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for id in layers {
        let mut insert = Insert::before(&mut editor, id);
        let kind = insert.layer().kind.clone();
        let mut inputs = insert.layer().inputs.clone();
        let Some(data) = inputs.first_mut() else { continue };
        let rank = insert.editor.network().value(*data).ty.shape.rank();
        let missing = fewest(&kind).saturating_sub(rank);
        if missing == 0 {
            continue;
        }
        let axes: Vec<usize> = (0..missing).collect();
        let [raise, lower]: [LayerKind; 2] = match kind {
            LayerKind::Quantize(_) | LayerKind::Dequantize(_) => {
                [vec![1; missing], Vec::new()].map(|dims| reshape(dims).into())
            }
            _ => [Unsqueeze { axes: axes.clone() }.into(), Squeeze { axes }.into()],
        };
        *data = insert.add(raise, &[*data])?;
        let made = insert.add_all(moved(kind, missing), &inputs)?;
        let mut values = Vec::with_capacity(made.len());
        for (value, old) in made.into_iter().zip(insert.layer().outputs.clone()) {
            let used = insert.editor.is_used(old);
            values.push(if used { insert.add(lower.clone(), &[value])? } else { value });
        }
        insert.replace_layer(&values);
    }
    editor.finish();
    Ok(())
}

fn reshape(dims: Vec<i64>) -> Shuffle {
    let reshape = Some(Reshape::Static { dims, zero_is_placeholder: false });
    Shuffle { reshape, ..Shuffle::default() }
}

/// How many axes TensorRT wants at least.
fn fewest(kind: &LayerKind) -> usize {
    match kind {
        LayerKind::TopK(_) | LayerKind::SoftMax(_) => 2,
        LayerKind::Quantize(_) | LayerKind::Dequantize(_) => 1,
        _ => 0,
    }
}

/// The layer for data with so many axes more in front. Data without axes is quantized as a whole.
fn moved(kind: LayerKind, by: usize) -> LayerKind {
    match kind {
        LayerKind::TopK(of) => TopK { axis: of.axis + by, ..of }.into(),
        LayerKind::SoftMax(of) => SoftMax { axis: of.axis + by }.into(),
        kind => kind,
    }
}
