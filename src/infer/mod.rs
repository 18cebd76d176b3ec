//! Types and shapes of what layers give, from what they take: one rule per kind of layer.
//!
//! The rules check everything that TensorRT checks of one layer whatever its version; what only some versions can do is
//! `legalize`'s. Sizes may be symbols. The elements of small whole-number values are followed through shape arithmetic,
//! so that a reshape to a computed shape stays known. A size that nothing is known of becomes a fresh symbol.
//!
//! Start at [`outputs`]; each file below holds the rules of the kinds that `network::layer` has in the file of that name.

mod control;
mod conv;
mod ctx;
mod data;
mod einsum;
mod elements;
mod error;
mod math;
mod norm;
mod resample;
mod rnn;
mod shuffle;
mod slice;
#[cfg(test)]
mod tests;

pub use ctx::MAX_RANK;
pub use data::constant_type;
pub use error::InferError;

use crate::network::{Block, Dim, LayerKind, Network, ValueId, ValueType, Values};
use crate::site::Site;
use ctx::Ctx;
use smallvec::{SmallVec, smallvec};

/// Types of a layer's outputs.
///
/// Sizes known only at run time get names made of the kind and the id that the next value will have, so the layer must
/// be added before another is inferred.
///
/// # Errors
/// Operands or attributes that do not fit the kind or each other.
pub fn outputs(
    network: &Network,
    kind: &LayerKind,
    inputs: &[ValueId],
) -> Result<SmallVec<[ValueType; 2]>, InferError> {
    let ctx = Ctx::new(network, kind.name(), inputs);
    let mut types = rule(&ctx, kind)?;
    for (i, ty) in types.iter_mut().enumerate() {
        ctx::max_rank("the output", ty.shape.rank())?;
        // Expressions must not grow from layer to layer without end.
        for (axis, size) in ty.shape.iter_mut().enumerate().filter(|(_, size)| !size.is_simple()) {
            *size = ctx.fresh(MAX_RANK * i + axis);
        }
    }
    Ok(types)
}

fn rule(ctx: &Ctx<'_>, kind: &LayerKind) -> Result<SmallVec<[ValueType; 2]>, InferError> {
    let one = match kind {
        LayerKind::Conditional(layer) => return control::conditional(ctx, layer),
        LayerKind::Loop(layer) => return control::repeat(ctx, layer),
        LayerKind::NonMaxSuppression(layer) => return resample::non_max_suppression(ctx, layer),
        LayerKind::Rnn(layer) => return rnn::rnn(ctx, layer),
        LayerKind::TopK(layer) => return data::top_k(ctx, layer),

        LayerKind::Activation(layer) => math::activation(ctx, layer),
        LayerKind::Cast(layer) => math::cast(ctx, layer),
        LayerKind::Concatenation(layer) => data::concatenation(ctx, layer),
        LayerKind::Constant(layer) => data::constant(ctx, layer),
        LayerKind::Convolution(layer) => conv::convolution(ctx, layer),
        LayerKind::Cumulative(layer) => math::cumulative(ctx, layer),
        LayerKind::Deconvolution(layer) => conv::deconvolution(ctx, layer),
        LayerKind::Dequantize(layer) => math::dequantize(ctx, layer),
        LayerKind::Einsum(layer) => einsum::einsum(ctx, layer),
        LayerKind::ElementWise(layer) => math::element_wise(ctx, layer),
        LayerKind::Fill(layer) => data::fill(ctx, layer),
        LayerKind::Gather(layer) => data::gather(ctx, layer),
        LayerKind::GridSample(layer) => resample::grid_sample(ctx, layer),
        LayerKind::Identity => ctx.inputs::<1>().map(|[data]| data.clone()),
        LayerKind::Lrn(layer) => norm::lrn(ctx, layer),
        LayerKind::MatrixMultiply(layer) => math::matrix_multiply(ctx, layer),
        LayerKind::NonZero => data::non_zero(ctx),
        LayerKind::Normalization(layer) => norm::normalization(ctx, layer),
        LayerKind::OneHot(layer) => data::one_hot(ctx, layer),
        LayerKind::ParametricRelu => math::parametric_relu(ctx),
        LayerKind::Pooling(layer) => conv::pooling(ctx, layer),
        LayerKind::Quantize(layer) => math::quantize(ctx, layer),
        LayerKind::Reduce(layer) => math::reduce(ctx, layer),
        LayerKind::Resize(layer) => resample::resize(ctx, layer),
        LayerKind::ReverseSequence(layer) => data::reverse_sequence(ctx, layer),
        LayerKind::Scale(layer) => norm::scale(ctx, layer),
        LayerKind::Scatter(layer) => data::scatter(ctx, layer),
        LayerKind::Select => math::select(ctx),
        LayerKind::Shape => data::shape(ctx),
        LayerKind::Shuffle(layer) => shuffle::shuffle(ctx, layer),
        LayerKind::Slice(layer) => slice::slice(ctx, layer),
        LayerKind::SoftMax(layer) => norm::soft_max(ctx, layer),
        LayerKind::Squeeze(layer) => shuffle::squeeze(ctx, layer),
        LayerKind::Unary(layer) => math::unary(ctx, layer),
        LayerKind::Unsqueeze(layer) => shuffle::unsqueeze(ctx, layer),
    };
    Ok(smallvec![one?])
}

/// Adds a layer at the end of `block`, with inferred outputs; gives its outputs.
///
/// # Errors
/// Those of [`outputs`].
pub fn add(
    network: &mut Network,
    block: &mut Block,
    kind: LayerKind,
    inputs: &[ValueId],
    sites: &[Site],
) -> Result<Values, InferError> {
    let types = outputs(network, &kind, inputs)?;
    let layer = network.add_layer(kind, inputs, sites, types);
    block.layers.push(layer);
    Ok(network.layer(layer).outputs.clone())
}

/// Whether a value may have the type `stored` where the rules now give `inferred`.
///
/// They may differ where one of them says nothing: in names of sizes known only at run time, which depend on ids, and
/// in elements that passes have since found out or lost sight of.
pub fn agrees(stored: &ValueType, inferred: &ValueType) -> bool {
    let alike = |a: &Dim, b: &Dim| a == b || is_fresh(a) || is_fresh(b);
    let all_alike = |a: &[Dim], b: &[Dim]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b));
    stored.dtype == inferred.dtype
        && all_alike(&stored.shape, &inferred.shape)
        && match (&stored.elements, &inferred.elements) {
            (Some(a), Some(b)) => all_alike(a, b),
            _ => true,
        }
}

/// Whether a dimension is a symbol that [`outputs`] made up: `nonzero.12.0`.
fn is_fresh(dim: &Dim) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mut parts = dim.as_symbol().into_iter().flat_map(|name| name.split('.'));
    matches!(
        (parts.next(), parts.next(), parts.next(), parts.next()),
        (Some(_), Some(id), Some(axis), None) if is_number(id) && is_number(axis)
    )
}
