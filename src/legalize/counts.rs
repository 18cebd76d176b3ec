//! How many truths hold, where that is a size: a sum of truths that were cast to whole numbers.
//! TensorRT takes sizes from shapes and from whole numbers whose range it knows, but not from
//! numbers that a run computes. How long the list of what is not zero is, however, is part of its
//! shape.

use super::insert::Insert;
use crate::error::Result;
use crate::network::edit::Editor;
use crate::network::layer::{Arg, Cast, ReduceOperation, Reshape, SampleMode, Shuffle, Slice};
use crate::network::{LayerId, LayerKind, Network, ValueId, sizing};
use crate::tensor::DType;
use std::collections::HashSet;

/// Rewrites every such sum.
pub(super) fn run(network: &mut Network) -> Result<()> {
    let sizes = sizing::values_holding_sizes(network);
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for id in layers {
        let Some((truths, sum)) = found(editor.network(), id, &sizes) else { continue };
        let ty = editor.network().value(sum).ty.clone();
        let mut insert = Insert::before(&mut editor, id);
        let places = insert.add(LayerKind::NonZero, &[truths])?;
        let shape = insert.add(LayerKind::Shape, &[places])?;
        let [start, size, stride] = [(); 3].map(|()| Arg::Static(vec![1]));
        let count = Slice { start, size, stride, mode: SampleMode::StrictBounds, fill: None };
        let count = insert.add(count, &[shape])?;
        let dims = vec![1; ty.shape.rank()];
        let reshape = Some(Reshape::Static { dims, zero_is_placeholder: false });
        let mut count = insert.add(Shuffle { reshape, ..Shuffle::default() }, &[count])?;
        if ty.dtype != DType::I64 {
            count = insert.add(Cast { to: ty.dtype }, &[count])?;
        }
        insert.replace_layer(&[count]);
    }
    editor.finish();
    network.compact();
    Ok(())
}

/// The truths that a layer counts for the sake of a size, and the sum.
fn found(network: &Network, id: LayerId, sizes: &HashSet<ValueId>) -> Option<(ValueId, ValueId)> {
    let layer = network.layer(id);
    let LayerKind::Reduce(of) = &layer.kind else { return None };
    let (&data, &sum) = (layer.inputs.first()?, layer.outputs.first()?);
    let all = of.axes.len() == network.value(data).ty.shape.rank();
    if of.operation != ReduceOperation::Sum || !all || !sizes.contains(&sum) {
        return None;
    }
    Some((truths(network, data)?, sum))
}

/// The truths that a value of whole numbers was made of, in whatever shape.
fn truths(network: &Network, mut value: ValueId) -> Option<ValueId> {
    while network.value(value).ty.dtype != DType::Bool {
        let layer = network.layer(network.maker(value)?);
        let whole = network.value(value).ty.dtype.is_int();
        if !whole || !matches!(layer.kind, LayerKind::Cast(_) | LayerKind::Shuffle(_)) {
            return None;
        }
        value = *layer.inputs.first()?;
    }
    (network.value(value).ty.shape.rank() > 0).then_some(value)
}
