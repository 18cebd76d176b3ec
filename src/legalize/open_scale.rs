//! Scale of data with sizes that only the run knows, as a product, a sum and a power.
//!
//! TensorRT 8.6 ends with an assertion (`qdqScale || basicScale`) at such a Scale with a
//! coefficient per element. With one for all, or one for each channel of axis 1, it builds; so it
//! does each where all sizes are known.

use super::insert::{Insert, binary, internal};
use crate::error::Result;
use crate::network::edit::Editor;
use crate::network::layer::{Constant, ElementWiseOperation as Op, Scale, ScaleMode};
use crate::network::{Caps, Dim, LayerKind, Network, Shape};

/// Rewrites every such layer, if the library lacks it.
///
/// # Errors
/// `Internal` where a rewrite does not hold together.
pub(super) fn run(network: &mut Network, caps: Caps) -> Result<()> {
    if caps.open_scale {
        return Ok(());
    }
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for id in layers {
        let mut insert = Insert::before(&mut editor, id);
        let (LayerKind::Scale(scale), &[x]) =
            (insert.layer().kind.clone(), &*insert.layer().inputs)
        else {
            continue;
        };
        let shape = insert.editor.network().value(x).ty.shape.clone();
        let Some(extent) = extent(&scale, &shape) else { continue };
        let parts = [(Op::Prod, scale.scale), (Op::Sum, scale.shift), (Op::Pow, scale.power)];
        let mut value = x;
        for (operation, coefficients) in parts {
            let Some(weights) = coefficients else { continue };
            let weights = weights
                .reshaped(extent.clone())
                .map_err(|error| internal(insert.layer(), &error))?;
            let coefficients = insert.add(Constant { weights }, &[])?;
            value = binary(&mut insert, operation, value, coefficients)?;
        }
        if value == x {
            value = insert.add(LayerKind::Identity, &[x])?;
        }
        insert.replace_layer(&[value]);
    }
    editor.finish();
    Ok(())
}

/// The shape in which the coefficients of a layer that is rewritten broadcast; `None` for others.
fn extent(scale: &Scale, shape: &Shape) -> Option<Vec<usize>> {
    let axis = scale.channel_axis;
    let known = shape.iter().all(|size| size.known().is_some());
    let sizes = shape.iter().enumerate();
    match scale.mode {
        _ if known => None,
        ScaleMode::Uniform => None,
        ScaleMode::Channel if axis == 1 => None,
        ScaleMode::Channel => {
            sizes.map(|(at, size)| if at == axis { size.size() } else { Some(1) }).collect()
        }
        ScaleMode::ElementWise => {
            sizes.map(|(at, size)| if at >= axis { Dim::size(size) } else { Some(1) }).collect()
        }
    }
}
