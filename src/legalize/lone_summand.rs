//! One number added to what a convolution over one axis gives. TensorRT-RTX takes it for the
//! convolution's bias and fails, because it has fewer axes than the convolution's own output: it is
//! added in front of the layer that takes an axis away.

use super::insert::{Insert, internal};
use crate::error::Result;
use crate::network::edit::Editor;
use crate::network::layer::Constant;
use crate::network::layer::math::{ElementWise, ElementWiseOperation as Op};
use crate::network::{LayerId, LayerKind, Network, ValueId, Values};
use crate::tensor::Tensor;

/// Rewrites every such sum.
pub(super) fn run(network: &mut Network) -> Result<()> {
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for id in layers {
        let Some(sum) = found(editor.network(), id) else { continue };
        let mut insert = Insert::before(&mut editor, id);
        let rank = insert.editor.network().value(sum.wide).ty.shape.rank();
        let weights =
            sum.number.reshaped(vec![1; rank]).map_err(|error| internal(insert.layer(), &error))?;
        let number = insert.add(Constant { weights }, &[])?;
        let wide = insert.add(ElementWise { operation: sum.operation }, &[sum.wide, number])?;
        let mut inputs = sum.inputs;
        inputs.iter_mut().take(1).for_each(|data| *data = wide);
        let value = insert.add(sum.moving, &inputs)?;
        insert.replace_layer(&[value]);
    }
    editor.finish();
    network.compact();
    Ok(())
}

/// A sum of data, whose elements a layer has moved, and a number.
struct Found {
    operation: Op,
    moving: LayerKind,
    inputs: Values,
    /// The data before they are moved.
    wide: ValueId,
    number: Tensor,
}

fn found(network: &Network, id: LayerId) -> Option<Found> {
    let layer = network.layer(id);
    let LayerKind::ElementWise(ElementWise { operation }) = layer.kind else { return None };
    let &[left, right] = layer.inputs.as_slice() else { return None };
    let (data, number) = match (operation, network.constant(left), network.constant(right)) {
        (Op::Sum | Op::Sub, None, Some(number)) => (left, number),
        (Op::Sum, Some(number), None) => (right, number),
        _ => return None,
    };
    let moving = network.layer(network.maker(data)?);
    let moves = matches!(
        moving.kind,
        LayerKind::Shuffle(_) | LayerKind::Squeeze(_) | LayerKind::Unsqueeze(_)
    );
    let wide = *moving.inputs.first().filter(|_| moves && number.len() == 1)?;
    is_convolved(network, wide).then(|| Found {
        operation,
        moving: moving.kind.clone(),
        inputs: moving.inputs.clone(),
        wide,
        number: number.clone(),
    })
}

/// Whether a value is a convolution's output, or that and numbers.
fn is_convolved(network: &Network, mut value: ValueId) -> bool {
    while let Some(layer) = network.maker(value).map(|maker| network.layer(maker)) {
        match (&layer.kind, layer.inputs.first()) {
            (LayerKind::Convolution(_), _) => return true,
            (LayerKind::ElementWise(ElementWise { operation: Op::Sum | Op::Sub }), Some(&data)) => {
                value = data;
            }
            _ => return false,
        }
    }
    false
}
