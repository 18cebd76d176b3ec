//! Where a network loses the digits of its outputs.

use crate::error::Result;
use crate::eval::{self, Rounding};
use crate::network::{Layer, LayerKind, Network, ValueId};
use crate::tensor::Tensor;
use std::collections::HashMap;

/// The most bytes of values that are kept to be compared.
const MOST_BYTES: usize = 1 << 31;

/// The node whose layer loses the most digits: rounding moves what it gives by the largest multiple
/// of what it moves what it takes by. `None` where no layer does, or there are too many numbers.
///
/// # Errors
/// Those of [`eval::run`].
pub(super) fn lost_in(
    network: &Network,
    inputs: &[Tensor],
    rounding: &mut Rounding,
) -> Result<Option<String>> {
    let (mut exact, mut bytes) = (HashMap::new(), 0usize);
    eval::run_with(network, inputs, &mut |id: ValueId, tensor: &Tensor| {
        bytes = bytes.saturating_add(tensor.bytes().len());
        if bytes <= MOST_BYTES {
            exact.insert(id, tensor.clone());
        }
    })?;
    if bytes > MOST_BYTES {
        return Ok(None);
    }
    let mut moved = HashMap::new();
    let mut observe = |id: ValueId, tensor: &Tensor| {
        if let Some(by) = exact.get(&id).and_then(|exact| share_moved(exact, tensor)) {
            moved.insert(id, by);
        }
    };
    eval::run_rounding_with(network, inputs, rounding, &mut observe)?;
    let loss = |layer: &Layer| {
        let by = |value: &ValueId| moved.get(value).copied().unwrap_or_default();
        let taken = layer.inputs.iter().map(by).fold(f64::from(f32::EPSILON), f64::max);
        layer.outputs.iter().map(by).fold(0.0, f64::max) / taken
    };
    let layers = network.live_layers().into_iter().map(|id| network.layer(id));
    let single = layers.filter(|layer| layer.kind.blocks().is_empty() && !is_cast(layer));
    let worst = single.map(|layer| (loss(layer), layer)).max_by(|a, b| a.0.total_cmp(&b.0));
    let worst = worst.filter(|(loss, _)| *loss > 10.0);
    Ok(worst.and_then(|(_, layer)| layer.sites.first().map(ToString::to_string)))
}

/// A cast to fewer digits is meant to lose them.
fn is_cast(layer: &Layer) -> bool {
    matches!(layer.kind, LayerKind::Cast(_))
}

/// How far numbers moved, as a share of themselves: of the roots of the mean squares.
fn share_moved(exact: &Tensor, moved: &Tensor) -> Option<f64> {
    let (exact, moved) = (exact.to_f32s()?, moved.to_f32s()?);
    let (mut by, mut of) = (0.0, 0.0);
    for (&a, &b) in exact.iter().zip(moved.iter()).filter(|(a, b)| (*a - *b).is_finite()) {
        let (a, b) = (f64::from(a), f64::from(b));
        by += (a - b).powi(2);
        of += a.powi(2);
    }
    (of > 0.0).then(|| (by / of).sqrt())
}
