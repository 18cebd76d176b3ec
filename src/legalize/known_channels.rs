//! Convolutions of data of which only the run knows how many channels they have: TensorRT wants to
//! know it before, and the kernel tells.

use super::insert::Insert;
use crate::error::Result;
use crate::network::edit::Editor;
use crate::network::layer::conv::{Convolution, Deconvolution};
use crate::network::layer::data::Reshape;
use crate::network::layer::{Arg, Shuffle};
use crate::network::{Dim, Layer, LayerKind, Network};

/// Puts a reshape that states the channels in front of every such layer.
pub(super) fn run(network: &mut Network) -> Result<()> {
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for id in layers {
        let layer = editor.network().layer(id);
        let Some(shape) = layer.inputs.first().map(|&data| &editor.network().value(data).ty.shape)
        else {
            continue;
        };
        let Some(channels) = taken(editor.network(), layer).filter(|_| is_open(shape.get(1)))
        else {
            continue;
        };
        let mut dims = vec![0; shape.rank()];
        dims.iter_mut().skip(1).take(1).for_each(|size| *size = channels);
        let reshape = Some(Reshape::Static { dims, zero_is_placeholder: true });
        let (kind, mut inputs) = (layer.kind.clone(), layer.inputs.clone());
        let mut insert = Insert::before(&mut editor, id);
        for data in inputs.iter_mut().take(1) {
            *data =
                insert.add(Shuffle { reshape: reshape.clone(), ..Shuffle::default() }, &[*data])?;
        }
        editor.change(id, kind, &inputs);
    }
    editor.finish();
    Ok(())
}

fn is_open(size: Option<&Dim>) -> bool {
    size.is_some_and(|size| size.known().is_none())
}

/// The number of channels that a layer's kernel takes, where that is known.
fn taken(network: &Network, layer: &Layer) -> Option<i64> {
    let size = |of: &Convolution, axis: usize| match &of.weights {
        Arg::Static(weights) => i64::try_from(*weights.dims().get(axis)?).ok(),
        Arg::Input(at) => network.value(*layer.inputs.get(*at)?).ty.shape.get(axis)?.known(),
    };
    match &layer.kind {
        LayerKind::Convolution(of) => size(of, 1)?.checked_mul(i64::try_from(of.groups).ok()?),
        LayerKind::Deconvolution(Deconvolution(of)) => size(of, 0),
        _ => None,
    }
}
