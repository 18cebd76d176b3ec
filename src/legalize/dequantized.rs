//! Quantized constants as the numbers they stand for, where TensorRT 8 would not take them.
//!
//! It has no type smaller than `i8`. And whose weights are dequantized it computes with 8 bits,
//! though the data are real: then it finds no kernel. The numbers take four to eight times the
//! memory, one constant at a time: the quantized one goes once nothing takes it.

use super::insert::internal;
use crate::error::Result;
use crate::eval;
use crate::network::edit::Editor;
use crate::network::layer::Constant;
use crate::network::{Caps, LayerId, LayerKind, Network, ValueId};
use crate::tensor::DType;
use std::collections::HashSet;

/// Rewrites every such Dequantize of constants.
///
/// # Errors
/// `Internal` where one cannot be computed.
pub(super) fn run(network: &mut Network, caps: Caps) -> Result<()> {
    if caps.strongly_typed {
        return Ok(());
    }
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for id in layers {
        let network = editor.network();
        let layer = network.layer(id);
        let (LayerKind::Dequantize(_), &[data, scale]) = (&layer.kind, &*layer.inputs) else {
            continue;
        };
        let (Some(weights), Some(scale)) = (network.constant(data), network.constant(scale)) else {
            continue;
        };
        let meets_real = || layer.outputs.iter().any(|&output| meets_real(&editor, output));
        if weights.dtype() == DType::I8 && !meets_real() {
            continue;
        }
        let numbers = eval::layer(&layer.kind, &[weights, scale]);
        let numbers = numbers.map_err(|error| internal(layer, &error))?;
        if let Some(weights) = numbers.into_iter().next() {
            editor.change(id, Constant { weights }.into(), &[]);
        }
    }
    editor.finish();
    network.compact();
    Ok(())
}

/// Whether a convolution or a matrix product takes the value together with data that nobody
/// quantized.
fn meets_real(editor: &Editor<'_>, value: ValueId) -> bool {
    let network = editor.network();
    let (mut left, mut seen) = (vec![value], HashSet::new());
    while let Some(value) = left.pop() {
        for user in editor.users(value).iter().copied().filter(|user| seen.insert(*user)) {
            let layer = network.layer(user);
            match layer.kind {
                LayerKind::Convolution(_)
                | LayerKind::Deconvolution(_)
                | LayerKind::MatrixMultiply(_) => {
                    let mut others = layer.inputs.iter().take(2).filter(|&&input| input != value);
                    if others.any(|&other| !is_dequantized(network, other)) {
                        return true;
                    }
                }
                _ if is_layout(network, user) => left.extend(&layer.outputs),
                _ => {}
            }
        }
    }
    false
}

/// Whether Dequantize makes the value, but for its layout.
fn is_dequantized(network: &Network, mut value: ValueId) -> bool {
    loop {
        let Some(maker) = network.maker(value) else { return false };
        let layer = network.layer(maker);
        match layer.inputs.first() {
            _ if matches!(layer.kind, LayerKind::Dequantize(_)) => return true,
            Some(&input) if is_layout(network, maker) => value = input,
            _ => return false,
        }
    }
}

/// Whether a layer only arranges its data otherwise.
fn is_layout(network: &Network, layer: LayerId) -> bool {
    matches!(
        network.layer(layer).kind,
        LayerKind::Shuffle(_)
            | LayerKind::Squeeze(_)
            | LayerKind::Unsqueeze(_)
            | LayerKind::Identity
    )
}
