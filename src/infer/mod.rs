//! Types and shapes of what layers give, from what they take: one rule per kind of layer.
//!
//! The rules check everything that TensorRT checks of one layer whatever its version; what only
//! some versions can do is `legalize`'s. Sizes may be symbols. The elements of small whole-number
//! values are followed through shape arithmetic, so that a reshape to a computed shape stays known.
//! A size that nothing is known of becomes a fresh symbol.
//!
//! Start at [`outputs`]. A kind's rule stands in the file that has the name of the kind's file in
//! `network::layer`; the shared ground is `ctx` (what a rule may ask), `elements` (the elements of
//! small values) and `window` (windows that slide).

mod cast;
mod control;
mod conv;
mod ctx;
mod einsum;
mod elements;
mod elementwise;
mod error;
mod fill;
mod gather;
mod gridsample;
mod matmul;
mod nms;
mod norm;
mod pool;
mod reduce;
mod resize;
mod rnn;
mod shuffle;
mod slice;
#[cfg(test)]
mod tests;
mod topk;
mod unary;
mod window;

pub use ctx::MAX_RANK;
pub use error::InferError;
pub use fill::constant_type;

use crate::network::dim::Solution;
use crate::network::{Block, Demand, Dim, LayerKind, Network, ValueId, ValueType, Values};
use crate::site::Site;
use ctx::Ctx;
use smallvec::{SmallVec, smallvec};

/// What is known of a layer from its operands.
#[derive(Debug, Clone, PartialEq)]
pub struct Inferred {
    /// Types of the outputs.
    pub types: SmallVec<[ValueType; 2]>,
    /// Sizes that must be equal for the layer to hold, though they are other expressions.
    pub demands: Vec<Demand>,
}

/// Types of a layer's outputs, and what it demands of sizes.
///
/// Sizes known only at run time are [made up](Network::make_up) where nothing is known of them, so
/// the layer must be added before another is inferred.
///
/// # Errors
/// Operands or attributes that do not fit the kind or each other.
pub fn infer(
    network: &Network,
    kind: &LayerKind,
    inputs: &[ValueId],
) -> Result<Inferred, InferError> {
    let ctx = Ctx::new(network, kind.name(), inputs);
    let mut types = rule(&ctx, kind)?;
    for ty in &mut types {
        ctx::max_rank("the output", ty.shape.rank())?;
        // Expressions must not grow from layer to layer without end.
        for size in ty.shape.iter_mut().filter(|size| !size.is_simple()) {
            *size = ctx.fresh();
        }
    }
    Ok(Inferred { types, demands: ctx.demands.into_inner() })
}

/// Types of a layer's outputs; see [`infer`].
///
/// # Errors
/// Those of [`infer`].
pub fn outputs(
    network: &Network,
    kind: &LayerKind,
    inputs: &[ValueId],
) -> Result<SmallVec<[ValueType; 2]>, InferError> {
    infer(network, kind, inputs).map(|inferred| inferred.types)
}

fn rule(ctx: &Ctx<'_>, kind: &LayerKind) -> Result<SmallVec<[ValueType; 2]>, InferError> {
    let one = match kind {
        LayerKind::Conditional(layer) => return control::conditional(ctx, layer),
        LayerKind::Loop(layer) => return control::repeat(ctx, layer),
        LayerKind::NonMaxSuppression(layer) => return nms::non_max_suppression(ctx, layer),
        LayerKind::Rnn(layer) => return rnn::rnn(ctx, layer),
        LayerKind::TopK(layer) => return topk::top_k(ctx, layer),

        LayerKind::Activation(layer) => unary::activation(ctx, layer),
        LayerKind::Cast(layer) => cast::cast(ctx, layer),
        LayerKind::Concatenation(layer) => shuffle::concatenation(ctx, layer),
        LayerKind::Constant(layer) => fill::constant(ctx, layer),
        LayerKind::Convolution(layer) => conv::convolution(ctx, layer),
        LayerKind::Cumulative(layer) => reduce::cumulative(ctx, layer),
        LayerKind::Deconvolution(layer) => conv::deconvolution(ctx, layer),
        LayerKind::Dequantize(layer) => cast::dequantize(ctx, layer),
        LayerKind::Einsum(layer) => einsum::einsum(ctx, layer),
        LayerKind::ElementWise(layer) => elementwise::element_wise(ctx, layer),
        LayerKind::Fill(layer) => fill::fill(ctx, layer),
        LayerKind::Gather(layer) => gather::gather(ctx, layer),
        LayerKind::GridSample(layer) => gridsample::grid_sample(ctx, layer),
        LayerKind::Identity => ctx.inputs::<1>().map(|[data]| data.clone()),
        LayerKind::Lrn(layer) => norm::lrn(ctx, layer),
        LayerKind::MatrixMultiply(layer) => matmul::matrix_multiply(ctx, layer),
        LayerKind::NonZero => gather::non_zero(ctx),
        LayerKind::Normalization(layer) => norm::normalization(ctx, layer),
        LayerKind::OneHot(layer) => gather::one_hot(ctx, layer),
        LayerKind::ParametricRelu => elementwise::parametric_relu(ctx),
        LayerKind::Pooling(layer) => pool::pooling(ctx, layer),
        LayerKind::Quantize(layer) => cast::quantize(ctx, layer),
        LayerKind::Reduce(layer) => reduce::reduce(ctx, layer),
        LayerKind::Resize(layer) => resize::resize(ctx, layer),
        LayerKind::ReverseSequence(layer) => gather::reverse_sequence(ctx, layer),
        LayerKind::Scale(layer) => norm::scale(ctx, layer),
        LayerKind::Scatter(layer) => gather::scatter(ctx, layer),
        LayerKind::Select => elementwise::select(ctx),
        LayerKind::Shape => shuffle::shape(ctx),
        LayerKind::Shuffle(layer) => shuffle::shuffle(ctx, layer),
        LayerKind::Slice(layer) => slice::slice(ctx, layer),
        LayerKind::SoftMax(layer) => norm::soft_max(ctx, layer),
        LayerKind::Squeeze(layer) => shuffle::squeeze(ctx, layer),
        LayerKind::Unary(layer) => unary::unary(ctx, layer),
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
    let Inferred { types, demands } = infer(network, &kind, inputs)?;
    if let Some(site) = sites.first() {
        for demand in demands {
            network.facts.add(demand, site, false);
        }
    }
    let layer = network.add_layer(kind, inputs, sites, types);
    block.layers.push(layer);
    Ok(network.layer(layer).outputs.clone())
}

/// Whether a value may have the type `stored` where the rules now give `inferred`, and `known` is
/// what the network demands of its sizes.
///
/// They may differ where one of them says nothing: in sizes of which nothing is known, and in
/// elements that passes have since found out or lost sight of.
pub fn agrees(stored: &ValueType, inferred: &ValueType, known: &Solution) -> bool {
    let is_made_up = |dim: &Dim| dim.as_symbol().is_some_and(|symbol| symbol.number().is_some());
    let alike = |a: &Dim, b: &Dim| {
        a == b || is_made_up(a) || is_made_up(b) || known.apply(a) == known.apply(b)
    };
    let all_alike =
        |a: &[Dim], b: &[Dim]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b));
    stored.dtype == inferred.dtype
        && all_alike(&stored.shape, &inferred.shape)
        && match (&stored.elements, &inferred.elements) {
            (Some(a), Some(b)) => all_alike(a, b),
            _ => true,
        }
}
