//! Computes layers on the CPU with TensorRT's semantics.
//!
//! `opt` folds constants with it, `verify` compares a whole network with its reference.
//! Floating-point layers compute in `f32` or better and round once, where a layer gives its result;
//! whole numbers wrap around. Nothing here panics whatever the operands are: what has no result is
//! an [`EvalError`].
//!
//! One file per family of layers, named as in `network::layer`; the shared ground is `index` (where
//! elements lie), `operand` (tensors as numbers and back), `pick` (moving elements), `number`
//! (arithmetic) and `gemm` (matrix products).

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "narrowing, rounding and exact comparison are what these layers compute; attributes \
              use `try_from`"
)]

mod cast;
mod control;
mod conv;
mod einsum;
mod elementwise;
mod error;
mod fill;
mod gather;
mod gemm;
mod gridsample;
mod index;
mod matmul;
mod nms;
mod norm;
mod number;
mod operand;
pub(crate) mod parallel;
mod pick;
mod pool;
mod reduce;
mod resize;
mod rnn;
mod rounding;
mod run;
mod shuffle;
mod slice;
mod small;
mod topk;
mod unary;
mod window;

pub use error::{EvalError, MAX_ELEMENTS};
pub use rounding::Rounding;
pub use run::{Watch, run, run_rounding, run_rounding_with, run_watching, run_with};

use crate::network::LayerKind;
use crate::tensor::Tensor;
use smallvec::{SmallVec, smallvec};

/// What a layer gives.
pub type Outputs = SmallVec<[Tensor; 2]>;

/// Computes one layer without nested blocks. `inputs` are in the order of the layer's inputs.
///
/// # Errors
/// Operands that the layer cannot take, indices outside the data, results that are too large or
/// random.
pub fn layer(kind: &LayerKind, inputs: &[&Tensor]) -> Result<Outputs, EvalError> {
    index::room_to_widen(inputs)?;
    let output = match kind {
        LayerKind::Activation(layer) => unary::activation(layer, inputs),
        LayerKind::Cast(layer) => cast::cast(layer, inputs),
        LayerKind::Concatenation(layer) => shuffle::concatenation(layer, inputs),
        LayerKind::Constant(layer) => Ok(layer.weights.clone()),
        LayerKind::Convolution(layer) => conv::convolution(layer, inputs),
        LayerKind::Cumulative(layer) => reduce::cumulative(layer, inputs),
        LayerKind::Deconvolution(layer) => conv::deconvolution(layer, inputs),
        LayerKind::Dequantize(layer) => cast::dequantize(layer, inputs),
        LayerKind::Einsum(layer) => einsum::einsum(layer, inputs),
        LayerKind::ElementWise(layer) => elementwise::elementwise(layer, inputs),
        LayerKind::Fill(layer) => fill::fill(layer, inputs),
        LayerKind::Gather(layer) => gather::gather(layer, inputs),
        LayerKind::GridSample(layer) => gridsample::grid_sample(layer, inputs),
        LayerKind::Identity => operand::operand(inputs, 0).cloned(),
        LayerKind::Lrn(layer) => norm::lrn(layer, inputs),
        LayerKind::MatrixMultiply(layer) => matmul::matrix_multiply(layer, inputs),
        LayerKind::NonMaxSuppression(layer) => {
            return Ok(nms::non_max_suppression(layer, inputs)?.into());
        }
        LayerKind::NonZero => gather::non_zero(inputs),
        LayerKind::Normalization(layer) => norm::normalization(layer, inputs),
        LayerKind::OneHot(layer) => gather::one_hot(layer, inputs),
        LayerKind::ParametricRelu => elementwise::parametric_relu(inputs),
        LayerKind::Pooling(layer) => pool::pooling(layer, inputs),
        LayerKind::Quantize(layer) => cast::quantize(layer, inputs),
        LayerKind::Reduce(layer) => reduce::reduce(layer, inputs),
        LayerKind::Resize(layer) => resize::resize(layer, inputs),
        LayerKind::ReverseSequence(layer) => gather::reverse_sequence(layer, inputs),
        LayerKind::Rnn(layer) => return rnn::rnn(layer, inputs),
        LayerKind::Scale(layer) => norm::scale(layer, inputs),
        LayerKind::Scatter(layer) => gather::scatter(layer, inputs),
        LayerKind::Select => elementwise::select(inputs),
        LayerKind::Shape => shuffle::shape(inputs),
        LayerKind::Shuffle(layer) => shuffle::shuffle(layer, inputs),
        LayerKind::Slice(layer) => slice::slice(layer, inputs),
        LayerKind::SoftMax(layer) => norm::softmax(layer, inputs),
        LayerKind::Squeeze(layer) => shuffle::squeeze(layer, inputs),
        LayerKind::TopK(layer) => return Ok(topk::top_k(layer, inputs)?.into()),
        LayerKind::Unary(layer) => unary::unary(layer, inputs),
        LayerKind::Unsqueeze(layer) => shuffle::unsqueeze(layer, inputs),
        LayerKind::Conditional(_) | LayerKind::Loop(_) => Err(EvalError::Nested(kind.name())),
    };
    Ok(smallvec![output?])
}

#[cfg(test)]
mod tests;
