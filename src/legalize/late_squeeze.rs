//! Constants met by what a convolution over one axis gives. Such a convolution has an axis of size
//! 1 more than its data, which a layer takes away behind it. TensorRT-RTX makes the constants that
//! follow parts of the convolution, and fails, because they have fewer axes than it: they are met
//! in front of the layer that takes the axis away.

use super::insert::Insert;
use crate::error::Result;
use crate::network::edit::Editor;
use crate::network::layer::{Constant, ElementWise, ElementWiseOperation as Op};
use crate::network::{Dim, Layer, LayerId, LayerKind, Network, ValueId, Values};
use crate::tensor::Tensor;
use std::collections::HashSet;

/// Rewrites every such layer, the first in a chain first.
pub(super) fn run(network: &mut Network) -> Result<()> {
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    let mut convolved = HashSet::new();
    for id in layers {
        let Some(found) = found(editor.network(), id, &convolved) else { continue };
        let Found { operation, data_at, moving, mut inputs, wide, weights } = found;
        let mut insert = Insert::before(&mut editor, id);
        let constant = insert.add(Constant { weights }, &[])?;
        let mut operands = [constant; 2];
        operands.iter_mut().skip(data_at).take(1).for_each(|data| *data = wide);
        let wide = insert.add(ElementWise { operation }, &operands)?;
        convolved.insert(wide);
        inputs.iter_mut().take(1).for_each(|data| *data = wide);
        let value = insert.add(moving, &inputs)?;
        insert.replace_layer(&[value]);
    }
    editor.finish();
    network.compact();
    Ok(())
}

/// Data, whose elements a layer has moved, and a constant.
struct Found {
    operation: Op,
    /// The position of the data among the operands.
    data_at: usize,
    moving: LayerKind,
    inputs: Values,
    /// The data before they are moved.
    wide: ValueId,
    /// The constant as it meets them there.
    weights: Tensor,
}

/// `convolved` are values that are known to be a convolution's output, or that and constants.
fn found(network: &Network, id: LayerId, convolved: &HashSet<ValueId>) -> Option<Found> {
    let layer = network.layer(id);
    let (operation, data_at, data, constant) = with_constant(network, layer)?;
    // One that repeats the data along an axis of size 1 would leave others to be moved.
    let shape = |value: ValueId| &network.value(value).ty.shape;
    if shape(*layer.outputs.first()?) != shape(data) {
        return None;
    }
    let moving = network.layer(network.maker(data)?);
    let moves = matches!(
        moving.kind,
        LayerKind::Shuffle(_) | LayerKind::Squeeze(_) | LayerKind::Unsqueeze(_)
    );
    let wide = *moving.inputs.first().filter(|_| moves)?;
    let weights = widened(network, moving, constant)?;
    is_convolved(network, wide, convolved).then(|| Found {
        operation,
        data_at,
        moving: moving.kind.clone(),
        inputs: moving.inputs.clone(),
        wide,
        weights,
    })
}

/// Arithmetic of data and a constant: the operation, the position of the data, and the two.
fn with_constant<'n>(
    network: &'n Network,
    layer: &Layer,
) -> Option<(Op, usize, ValueId, &'n Tensor)> {
    let LayerKind::ElementWise(ElementWise { operation }) = layer.kind else { return None };
    if !matches!(operation, Op::Sum | Op::Sub | Op::Prod | Op::Div | Op::Max | Op::Min) {
        return None;
    }
    let &[left, right] = layer.inputs.as_slice() else { return None };
    match (network.constant(left), network.constant(right)) {
        (None, Some(constant)) => Some((operation, 0, left, constant)),
        (Some(constant), None) => Some((operation, 1, right, constant)),
        _ => None,
    }
}

/// A constant as it meets data before a layer moves their elements: a single number in any case,
/// and others where the layer does no more than to take a last axis of size 1 away.
fn widened(network: &Network, moving: &Layer, constant: &Tensor) -> Option<Tensor> {
    let shape = |value: Option<&ValueId>| Some(&network.value(*value?).ty.shape);
    let (wide, narrow) = (shape(moving.inputs.first())?, shape(moving.outputs.first())?);
    if constant.len() == 1 {
        return constant.reshaped(vec![1; wide.rank()]).ok();
    }
    let turns = matches!(&moving.kind, LayerKind::Shuffle(shuffle)
        if shuffle.first_transpose.is_some() || shuffle.second_transpose.is_some());
    let loses_last = wide.split_last() == Some((&Dim::Known(1), narrow.as_slice()));
    let dims = constant.dims().iter().copied().chain([1]).collect();
    (loses_last && !turns).then(|| constant.reshaped(dims).ok()).flatten()
}

/// Whether a value is a convolution's output, or that and constants; some are known to be.
fn is_convolved(network: &Network, mut value: ValueId, known: &HashSet<ValueId>) -> bool {
    while let Some(layer) = network.maker(value).map(|maker| network.layer(maker)) {
        match with_constant(network, layer) {
            _ if known.contains(&value) => return true,
            Some((_, _, data, _)) => value = data,
            None => return matches!(layer.kind, LayerKind::Convolution(_)),
        }
    }
    false
}
