//! Caffe's padding modes, which only TensorRT 8.x has, become explicit paddings.
//!
//! A convolution pads as much behind the data as before it, whatever its own padding there; a
//! deconvolution has the same formula in both modes.

use crate::network::edit::Editor;
use crate::network::layer::{Deconvolution, PaddingMode};
use crate::network::{LayerKind, Network};

/// Rewrites every convolution and deconvolution with such a mode.
pub(super) fn run(network: &mut Network) {
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for id in layers {
        let layer = editor.network().layer(id);
        let (mut kind, inputs) = (layer.kind.clone(), layer.inputs.clone());
        let mode = match &mut kind {
            LayerKind::Convolution(layer) if explicit(layer.padding_mode).is_some() => {
                layer.post_padding.clone_from(&layer.pre_padding);
                &mut layer.padding_mode
            }
            LayerKind::Deconvolution(Deconvolution(layer)) => &mut layer.padding_mode,
            _ => continue,
        };
        if let Some(plain) = explicit(*mode) {
            *mode = plain;
            editor.change(id, kind, &inputs);
        }
    }
    editor.finish();
}

/// The explicit mode that rounds alike.
fn explicit(mode: PaddingMode) -> Option<PaddingMode> {
    match mode {
        PaddingMode::CaffeRoundDown => Some(PaddingMode::ExplicitRoundDown),
        PaddingMode::CaffeRoundUp => Some(PaddingMode::ExplicitRoundUp),
        PaddingMode::ExplicitRoundDown
        | PaddingMode::ExplicitRoundUp
        | PaddingMode::SameUpper
        | PaddingMode::SameLower => None,
    }
}
