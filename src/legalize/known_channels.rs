//! Convolutions of data of which only the run knows how many channels they have, or with a kernel
//! that the run computes and of which only the run knows that: TensorRT wants to know it before,
//! and each tells it of the other.

use super::insert::Insert;
use crate::error::Result;
use crate::network::edit::Editor;
use crate::network::layer::{Arg, Convolution, Deconvolution, Reshape, Shuffle};
use crate::network::{Dim, Layer, LayerKind, Network};

/// Puts reshapes that state the channels in front of every such layer.
pub(super) fn run(network: &mut Network) -> Result<()> {
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for id in layers {
        let layer = editor.network().layer(id);
        let Some((at, dims)) =
            data(editor.network(), layer).or_else(|| kernel(editor.network(), layer))
        else {
            continue;
        };
        let reshape = Some(Reshape::Static { dims, zero_is_placeholder: true });
        let (kind, mut inputs) = (layer.kind.clone(), layer.inputs.clone());
        let mut insert = Insert::before(&mut editor, id);
        for input in inputs.iter_mut().skip(at).take(1) {
            *input = insert
                .add(Shuffle { reshape: reshape.clone(), ..Shuffle::default() }, &[*input])?;
        }
        editor.change(id, kind, &inputs);
    }
    editor.finish();
    Ok(())
}

/// The shape of data whose kernel tells their channels; 0 stands for what they have.
fn data(network: &Network, layer: &Layer) -> Option<(usize, Vec<i64>)> {
    let shape = &network.value(*layer.inputs.first()?).ty.shape;
    let channels = taken(network, layer).filter(|_| is_open(shape.get(1)))?;
    let mut dims = vec![0; shape.rank()];
    *dims.get_mut(1)? = channels;
    Some((0, dims))
}

/// The position and shape of a kernel of the run whose channels the data tell.
fn kernel(network: &Network, layer: &Layer) -> Option<(usize, Vec<i64>)> {
    let (of, open) = match &layer.kind {
        LayerKind::Convolution(of) => (of, 1),
        LayerKind::Deconvolution(Deconvolution(of)) => (of, 0),
        _ => return None,
    };
    let at = of.weights.input()?;
    let shape = &network.value(*layer.inputs.get(at)?).ty.shape;
    let channels = network.value(*layer.inputs.first()?).ty.shape.get(1)?.size()?;
    let taken = if open == 1 { channels.checked_div(of.groups)? } else { channels };
    let mut dims: Vec<i64> = shape.iter().map(|size| size.known().unwrap_or(0)).collect();
    *dims.get_mut(open)? = i64::try_from(taken).ok()?;
    is_open(shape.get(open)).then_some((at, dims))
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
