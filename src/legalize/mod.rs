//! Network × abilities of a library → network that this library can build.
//!
//! One file per rewrite. What no rewrite mends is reported.

mod caffe_padding;
mod eight_bit;
mod formulas;
mod insert;
mod narrow;
mod shapes;
mod small_cast;
#[cfg(test)]
mod tests;

use crate::error::{Error, Kind, Problem, Result};
use crate::network::layer::math::{ActivationType, UnaryOperation};
use crate::network::{Caps, Layer, LayerKind, Network};
use crate::tensor::DType;

/// Rewrites what the library cannot build, or reports it.
///
/// # Errors
/// [`Kind::Unsupported`] with every layer that the library lacks.
pub fn legalize(network: &mut Network, caps: Caps) -> Result<()> {
    if !caps.caffe_padding {
        caffe_padding::run(network);
    }
    small_cast::run(network);
    eight_bit::run(network)?;
    formulas::run(network, caps)?;
    narrow::run(network, caps)?;
    shapes::run(network, caps);
    let problems: Vec<Problem> = network
        .live_layers()
        .into_iter()
        .filter_map(|id| {
            let layer = network.layer(id);
            let message = missing(network, layer, caps)?;
            let site = layer.sites.first()?.clone();
            Some(Problem::new(Kind::Unsupported, site, message))
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::of_problems("this TensorRT cannot build", problems)) }
}

/// What the library lacks for this layer, if anything.
fn missing(network: &Network, layer: &Layer, caps: Caps) -> Option<String> {
    let dtypes = || layer.inputs.iter().chain(&layer.outputs).map(|&value| network.value(value).ty.dtype);
    let small = [DType::F8E4M3, DType::I4, DType::F4E2M1, DType::F8E8M0];
    if let Some(dtype) = dtypes().find(|dtype| !caps.strongly_typed && small.contains(dtype)) {
        return Some(format!("it has no type {dtype}"));
    }
    if !caps.bf16 && dtypes().any(|dtype| dtype == DType::BF16) {
        return Some("it has no type bf16".into());
    }
    if let (LayerKind::Cast(cast), Some(&data)) = (&layer.kind, layer.inputs.first()) {
        let from = network.value(data).ty.dtype;
        if small_cast::is_small(from) || small_cast::is_small(cast.to) {
            return Some(format!("it casts no {from} to {}", cast.to));
        }
    }
    let has_it = match &layer.kind {
        LayerKind::Squeeze(_) | LayerKind::Unsqueeze(_) => caps.squeeze,
        LayerKind::Cumulative(_) => caps.cumulative,
        LayerKind::Rnn(_) => caps.rnn,
        LayerKind::Activation(layer) => {
            caps.gelu || !matches!(layer.kind, ActivationType::GeluErf | ActivationType::GeluTanh)
        }
        LayerKind::Normalization(layer) => caps.groups || layer.groups == 1,
        LayerKind::GridSample(_) => {
            caps.volumes || layer.inputs.first().is_none_or(|&data| network.value(data).ty.shape.rank() == 4)
        }
        LayerKind::Unary(layer) => caps.is_nan || layer.operation != UnaryOperation::IsNan,
        _ => true,
    };
    (!has_it).then(|| format!("it has no layer of kind {}", layer.kind.name()))
}
