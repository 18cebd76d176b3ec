//! Network × abilities of a library → network that this library can build.
//!
//! One file per rewrite. What no rewrite mends is reported.

mod branch_sizes;
mod caffe_padding;
mod counts;
mod cumulative;
mod dequantized;
mod dilation;
mod eight_bit;
mod few_axes;
mod formulas;
mod insert;
mod known_channels;
mod late_squeeze;
mod looped_slice;
mod narrow;
mod open_scale;
mod shapes;
mod small_cast;
#[cfg(test)]
mod tests;
mod whole_numbers;

use crate::error::{Error, Kind, Problem, Result};
use crate::network::layer::{ActivationType, UnaryOperation};
use crate::network::{Caps, Layer, LayerKind, Network, sizing};
use crate::tensor::{DType, volume};

/// Rewrites what the library cannot build, or reports it.
///
/// # Errors
/// [`Kind::Unsupported`] with every layer that the library lacks.
pub fn legalize(network: &mut Network, caps: Caps) -> Result<()> {
    if !caps.caffe_padding {
        caffe_padding::run(network);
    }
    counts::run(network)?;
    small_cast::run(network);
    dequantized::run(network, caps)?;
    eight_bit::run(network, caps)?;
    few_axes::run(network)?;
    whole_numbers::run(network, caps)?;
    open_scale::run(network, caps)?;
    known_channels::run(network)?;
    looped_slice::run(network)?;
    dilation::run(network)?;
    late_squeeze::run(network)?;
    branch_sizes::run(network)?;
    formulas::run(network, caps)?;
    narrow::run(network, caps)?;
    shapes::run(network, caps);
    let problems: Vec<Problem> = network
        .live_layers()
        .into_iter()
        .filter_map(|id| {
            let layer = network.layer(id);
            let site = layer.sites.first()?;
            let numbers = lacks_whole_numbers(network, layer, caps);
            let missing = || missing(network, layer, caps).map(|message| (message, None));
            let (message, hint) =
                numbers.or_else(missing).or_else(|| sized_by_reals(network, layer))?;
            Some(Problem { hint, ..Problem::new(Kind::Unsupported, site.clone(), message) })
        })
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::of_problems("this TensorRT cannot build", problems))
    }
}

/// What is wrong with sizes that are computed from numbers of an input which are not whole, and the
/// way out: TensorRT wants to know the range of such numbers, and takes it of whole ones only.
fn sized_by_reals(network: &Network, layer: &Layer) -> Option<(String, Option<String>)> {
    let inputs = sizing::sizes_of(network, layer).into_iter().map(|input| network.value(input));
    let input = inputs.into_iter().find(|input| input.ty.dtype.is_float())?;
    let (name, dtype) = (&input.name, input.ty.dtype);
    let message = format!(
        "its sizes depend on input `{name}`, which is {dtype}, but must depend on whole numbers \
         only"
    );
    Some((message, Some(format!("`--freeze {name}=VALUE` makes the input a constant"))))
}

/// What the library computes of real numbers only, if this layer does it of whole ones, and the way
/// out.
fn lacks_whole_numbers(
    network: &Network,
    layer: &Layer,
    caps: Caps,
) -> Option<(String, Option<String>)> {
    if caps.whole_numbers || !whole_numbers::is_lacking(network, &layer.kind, &layer.inputs) {
        return None;
    }
    let what = match &layer.kind {
        LayerKind::ElementWise(of) => format!("{:?}", of.operation),
        LayerKind::TopK(of) => {
            let most = whole_numbers::MOST_RANKED;
            format!("TopK along axis {}, of more than {most} elements or of 8 axes,", of.axis)
        }
        kind => kind.name().to_owned(),
    };
    let hint = "cast its operands to `float` in the model, where their numbers are below 2^24";
    Some((format!("it has no {what} of whole numbers"), Some(hint.to_owned())))
}

/// What the library lacks for this layer, if anything.
fn missing(network: &Network, layer: &Layer, caps: Caps) -> Option<String> {
    let dtypes =
        || layer.inputs.iter().chain(&layer.outputs).map(|&value| network.value(value).ty.dtype);
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
    if let Some(dtype) = quantizes_odd(network, layer) {
        return Some(format!(
            "it quantizes no odd number of elements to and from {dtype}, which share bytes in pairs"
        ));
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
            caps.volumes
                || layer.inputs.first().is_none_or(|&data| network.value(data).ty.shape.rank() == 4)
        }
        LayerKind::Unary(layer) => caps.is_nan || layer.operation != UnaryOperation::IsNan,
        _ => true,
    };
    (!has_it).then(|| format!("it has no layer of kind {}", layer.kind.name()))
}

/// The type of which a byte holds two where a layer quantizes to or from an odd number of them.
fn quantizes_odd(network: &Network, layer: &Layer) -> Option<DType> {
    let quantized = match &layer.kind {
        LayerKind::Quantize(_) => layer.outputs.first(),
        LayerKind::Dequantize(_) => layer.inputs.first(),
        _ => None,
    };
    let ty = &network.value(*quantized?).ty;
    let count = volume(&ty.shape.known()?)?;
    (ty.dtype.bits() < 8 && count % 2 == 1).then_some(ty.dtype)
}
