//! Whole numbers of 8 bits compute as `i32`.
//!
//! TensorRT has `u8` for inputs and outputs of a network only, to be cast behind and in front. Its
//! `i8` is what quantization makes: a constant may only be dequantized, and whether a sum wraps
//! around or saturates is nowhere said. In `i32` both wrap around as ONNX wants it: `i8` by a cast
//! there and back, `u8` by arithmetic.
//!
//! TensorRT 8 takes no constants of `bool` either: they are cast from `i32` as well.

use super::insert::{Insert, internal};
use crate::error::Result;
use crate::infer;
use crate::network::edit::Editor;
use crate::network::layer::{Cast, Constant, ElementWise, ElementWiseOperation};
use crate::network::{Caps, Layer, LayerId, LayerKind, Network, ValueId, ValueType, Values};
use crate::tensor::{DType, Tensor};

/// Rewrites every layer that computes with 8 bits.
///
/// # Errors
/// `Internal` where a layer that is fine with 8 bits is not with 32.
pub(super) fn run(network: &mut Network, caps: Caps) -> Result<()> {
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for &id in &layers {
        if is_narrow(editor.network(), editor.network().layer(id)) {
            widen(&mut editor, id)?;
        }
    }
    for &id in &layers {
        constant(&mut editor, id, caps);
    }
    editor.finish();
    network.compact();

    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for &id in &layers {
        bypass(&mut editor, id)?;
    }
    editor.finish();
    network.compact();
    Ok(())
}

/// Whether the layer takes or gives 8 bits although TensorRT has no such layer.
fn is_narrow(network: &Network, layer: &Layer) -> bool {
    let mut values = layer.inputs.iter().chain(&layer.outputs);
    values.any(|&value| match network.value(value).ty.dtype {
        DType::U8 => !matches!(
            layer.kind,
            LayerKind::Cast(_)
                | LayerKind::Identity
                | LayerKind::Constant(_)
                | LayerKind::Loop(_)
                | LayerKind::Conditional(_)
        ),
        DType::I8 => matches!(
            layer.kind,
            LayerKind::ElementWise(_)
                | LayerKind::Unary(_)
                | LayerKind::Reduce(_)
                | LayerKind::Activation(_)
                | LayerKind::Cumulative(_)
                | LayerKind::TopK(_)
                | LayerKind::NonZero
        ),
        _ => false,
    })
}

/// Casts the operands, computes, casts the results back.
fn widen(editor: &mut Editor<'_>, id: LayerId) -> Result<()> {
    let layer = editor.network().layer(id).clone();
    let inputs: Values = layer.inputs.iter().map(|&input| wide(editor, id, input)).collect();
    let types = infer::outputs(editor.network(), &layer.kind, &inputs)
        .map_err(|error| internal(&layer, &error))?;
    let outputs = editor.add_before(id, layer.kind, &inputs, &layer.sites, types);
    for (&old, new) in layer.outputs.iter().zip(outputs) {
        let ty = editor.network().value(old).ty.clone();
        let new = if editor.network().value(new).ty.dtype == ty.dtype {
            new
        } else {
            let cast = Cast { to: ty.dtype }.into();
            editor.add_before(id, cast, &[new], &layer.sites, [ty]).first().copied().unwrap_or(new)
        };
        editor.replace(old, new);
    }
    editor.remove(id);
    Ok(())
}

/// An operand as `i32` where it has 8 bits.
fn wide(editor: &mut Editor<'_>, anchor: LayerId, value: ValueId) -> ValueId {
    let network = editor.network();
    let ty = &network.value(value).ty;
    if !matches!(ty.dtype, DType::U8 | DType::I8) {
        return value;
    }
    let ty = ValueType::new(DType::I32, ty.shape.clone());
    let sites = network.layer(anchor).sites.clone();
    let (kind, inputs) = match network.constant(value).and_then(as_i32) {
        Some(weights) => (Constant { weights }.into(), vec![]),
        None => (Cast { to: DType::I32 }.into(), vec![value]),
    };
    editor.add_before(anchor, kind, &inputs, &sites, [ty]).first().copied().unwrap_or(value)
}

/// Turns a constant that TensorRT would not take into one of `i32` and a cast.
fn constant(editor: &mut Editor<'_>, id: LayerId, caps: Caps) {
    let network = editor.network();
    let layer = network.layer(id);
    let (LayerKind::Constant(Constant { weights }), Some(&output)) =
        (&layer.kind, layer.outputs.first())
    else {
        return;
    };
    let quantized = |user: &LayerId| matches!(network.layer(*user).kind, LayerKind::Dequantize(_));
    let allowed = match weights.dtype() {
        DType::U8 => false,
        DType::Bool => caps.bool_constants,
        DType::I8 => !editor.is_pinned(output) && editor.users(output).iter().all(quantized),
        _ => true,
    };
    if allowed || editor.is_removed(id) {
        return;
    }
    let Some(weights) = as_i32(weights) else { return };
    let (to, sites) = (network.value(output).ty.dtype, layer.sites.clone());
    let ty = infer::constant_type(&weights);
    let wide = editor.add_before(id, Constant { weights }.into(), &[], &sites, [ty]);
    editor.change(id, Cast { to }.into(), &wide);
}

/// Takes a `u8` inside the network past the casts that make and take it: what it wraps around to is
/// computed in `i32`.
fn bypass(editor: &mut Editor<'_>, id: LayerId) -> Result<()> {
    let layer = editor.network().layer(id).clone();
    let (LayerKind::Cast(Cast { to: DType::U8 }), &[data], &[narrow]) =
        (&layer.kind, &*layer.inputs, &*layer.outputs)
    else {
        return Ok(());
    };
    let mut wrapped = None;
    for user in editor.users(narrow).to_vec() {
        let cast = match editor.network().layer(user).kind.clone() {
            LayerKind::Cast(cast) => cast,
            LayerKind::Identity => {
                editor.change(user, Cast { to: DType::U8 }.into(), &[data]);
                continue;
            }
            _ => continue,
        };
        let value = match wrapped {
            Some(value) => value,
            None => *wrapped.insert(wrap(editor, id, data)?),
        };
        editor.change(
            user,
            if cast.to == DType::I32 { LayerKind::Identity } else { cast.into() },
            &[value],
        );
    }
    Ok(())
}

/// x mod 256 as `i32`: x − ⌊x/256⌋·256. Other types than whole numbers are cast, which ONNX leaves
/// open outside 0 to 255.
fn wrap(editor: &mut Editor<'_>, anchor: LayerId, data: ValueId) -> Result<ValueId> {
    let from = editor.network().value(data).ty.dtype;
    let mut insert = Insert::before(editor, anchor);
    let wide =
        if from == DType::I32 { data } else { insert.add(Cast { to: DType::I32 }, &[data])? };
    if !from.is_int() {
        return Ok(wide);
    }
    let modulus = insert.number(wide, 256.0)?;
    let quotient =
        insert.add(ElementWise { operation: ElementWiseOperation::FloorDiv }, &[wide, modulus])?;
    let multiple =
        insert.add(ElementWise { operation: ElementWiseOperation::Prod }, &[quotient, modulus])?;
    insert.add(ElementWise { operation: ElementWiseOperation::Sub }, &[wide, multiple])
}

fn as_i32(tensor: &Tensor) -> Option<Tensor> {
    let values = tensor
        .to_i64s()?
        .into_iter()
        .map(|value| i32::try_from(value).ok())
        .collect::<Option<_>>()?;
    Tensor::of(tensor.dims().to_vec(), values).ok()
}
