//! Casts from and to the quantized types become Dequantize and Quantize with a scale of 1.
//!
//! TensorRT's Cast takes none of `f8e4m3`, `i4`, `f4e2m1` and `f8e8m0`. Two of them have an equal
//! by way of `f32`, which holds every value of the small types: from `f8e4m3` and `i4`, and to
//! `f8e4m3`. To `i4`, Quantize rounds and saturates where a cast does neither.

use crate::network::edit::Editor;
use crate::network::layer::{Cast, Constant, Dequantize, Quantize};
use crate::network::{LayerId, LayerKind, Network, ValueId, ValueType};
use crate::tensor::{DType, Tensor};

/// Rewrites every cast that has an equal; others stay.
pub(super) fn run(network: &mut Network) {
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for id in layers {
        let layer = editor.network().layer(id);
        let (&LayerKind::Cast(Cast { to }), Some(&data)) = (&layer.kind, layer.inputs.first())
        else {
            continue;
        };
        let from = editor.network().value(data).ty.dtype;
        match (from, to) {
            (DType::F8E4M3 | DType::I4, to) if !is_small(to) => {
                from_small(&mut editor, id, data, to);
            }
            (from, DType::F8E4M3) if !is_small(from) => to_small(&mut editor, id, data, to),
            _ => {}
        }
    }
    editor.finish();
}

/// Whether TensorRT's Cast does not know the type.
pub(super) fn is_small(dtype: DType) -> bool {
    matches!(dtype, DType::F8E4M3 | DType::I4 | DType::F4E2M1 | DType::F8E8M0)
}

fn from_small(editor: &mut Editor<'_>, id: LayerId, data: ValueId, to: DType) {
    let dequantize: LayerKind = Dequantize { axis: None, to: DType::F32 }.into();
    let scale = one(editor, id);
    if to == DType::F32 {
        return editor.change(id, dequantize, &[data, scale]);
    }
    let real = add(editor, id, dequantize, &[data, scale]);
    editor.change(id, Cast { to }.into(), &[real]);
}

fn to_small(editor: &mut Editor<'_>, id: LayerId, data: ValueId, to: DType) {
    let real = match editor.network().value(data).ty.dtype {
        DType::F32 => data,
        _ => add(editor, id, Cast { to: DType::F32 }.into(), &[data]),
    };
    let scale = one(editor, id);
    editor.change(id, Quantize { axis: None, to }.into(), &[real, scale]);
}

/// The scale.
fn one(editor: &mut Editor<'_>, anchor: LayerId) -> ValueId {
    add(editor, anchor, Constant { weights: Tensor::scalar(1f32) }.into(), &[])
}

/// Adds a layer that gives `f32` in the shape of its first operand.
fn add(editor: &mut Editor<'_>, anchor: LayerId, kind: LayerKind, inputs: &[ValueId]) -> ValueId {
    let network = editor.network();
    let shape =
        inputs.first().map(|&input| network.value(input).ty.shape.clone()).unwrap_or_default();
    let sites = network.layer(anchor).sites.clone();
    let outputs =
        editor.add_before(anchor, kind, inputs, &sites, [ValueType::new(DType::F32, shape)]);
    outputs[0]
}
