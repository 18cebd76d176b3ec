//! Rounding at random: what a network's numbers may be, where ours are only one choice.
//!
//! A layer's result is rounded once, and the sums inside a layer may be taken in any order. Both
//! change the last digits, and what follows may magnify them. To see by how much, each result is
//! moved by up to one unit in the last place, and the terms of each sum by what its order may come
//! to, at random; several such runs show how far the outputs spread. This is Monte Carlo arithmetic
//! (D. S. Parker, 1997), applied to whole layers.
//!
//! The model and its constants:
//!
//! - A result in a type with p bits of mantissa is moved by up to 2^(1 − p) of itself.
//! - A function that is computed by way of numbers near 1 (1/(1 + e⁻ˣ), ln(1 + eˣ), eˣ − 1) is as
//!   exact as those: where its result is small, it is moved by 2^(1 − p) of 1, though not past 0.
//! - A sum of n products, in whatever order, is off by at most n·u·Σ|terms|, with u = 2⁻²⁴ for
//!   `f32`, in which all libraries sum (N. J. Higham, *Accuracy and Stability of Numerical
//!   Algorithms*, §4.2). Errors of random sign come to √n·u of each term, by which the data of such
//!   a layer are moved.
//! - Products in TF32 have operands of 11 bits of mantissa: both are moved by 2⁻¹¹ of themselves,
//!   or one by twice that where the other stands in the layer.
//! - What is quantized is moved by its quotient's last place, before it becomes a step.
//! - The last number of a type stands for infinity where it is used, as in masks: whatever is added
//!   to it, it stays. It is not moved, and nothing is moved beyond it.
//! - What is computed exactly is not moved: layers that move or compare data, and results that are
//!   whole numbers, as positions and counts are, as far as the type has as many others between.

use crate::network::LayerKind;
use crate::network::layer::{
    ActivationType, Arg, Convolution, Deconvolution, ElementWiseOperation, InterpolationMode,
    Letter, MatrixOperation, PoolingType, ReduceOperation, UnaryOperation,
};
use crate::tensor::{DType, Tensor};
use half::{bf16, f16};
use std::collections::BTreeMap;

/// Unit roundoff of the sums inside layers.
const SUM: f32 = 1.0 / 16_777_216.0;
/// How far an operand in TF32 is from the `f32` that it was.
const TF32: f32 = 1.0 / 2048.0;
/// Bits of mantissa that must be left behind the point for a whole number to be taken as exact: of
/// larger numbers too many are whole for want of digits.
const BITS_LEFT: i32 = 4;

/// Random rounding, the same for the same seed.
#[derive(Debug)]
pub struct Rounding {
    state: u64,
    tf32: bool,
}

impl Rounding {
    /// Rounding of this seed; `tf32` where products of `f32` may be computed so.
    pub fn new(seed: u64, tf32: bool) -> Self {
        Self { state: seed, tf32 }
    }

    /// Moves the data of a layer that sums products; `None` for other layers.
    pub(super) fn operands(&mut self, kind: &LayerKind, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
        let terms = terms(kind, inputs)?;
        let own = SUM * terms.sqrt();
        let product = self.tf32 && inputs.first()?.dtype() == DType::F32 && is_product(kind);
        let by = match (product, inputs.len()) {
            (false, _) => own,
            (true, 1) => own + 2.0 * TF32,
            (true, _) => own + TF32,
        };
        let moved = inputs.iter().enumerate().map(|(at, input)| match at {
            0 => self.moved(input, by),
            1 if product => self.moved(input, TF32),
            _ => (*input).clone(),
        });
        Some(moved.collect())
    }

    /// Moves what a layer computed, where it was rounded.
    pub(super) fn result(&mut self, kind: &LayerKind, result: Tensor) -> Tensor {
        let unit = match result.dtype() {
            DType::F32 => f32::EPSILON,
            DType::F16 => f16::EPSILON.to_f32(),
            DType::BF16 => bf16::EPSILON.to_f32(),
            _ => return result,
        };
        match kind {
            LayerKind::Activation(of) if is_near_one(of.kind) => self.moved_at(&result, unit, 1.0),
            kind if rounds(kind) => self.moved(&result, unit),
            _ => result,
        }
    }

    /// Each element moved by up to `by` of itself.
    fn moved(&mut self, tensor: &Tensor, by: f32) -> Tensor {
        self.moved_at(tensor, by, 0.0)
    }

    /// Each element moved by up to `by` of itself, and by no less than as much of `least`; not past
    /// 0.
    fn moved_at(&mut self, tensor: &Tensor, by: f32, least: f32) -> Tensor {
        let Some(values) = tensor.to_f32s() else { return tensor.clone() };
        let (digits, end) = match tensor.dtype() {
            DType::F16 => (f16::MANTISSA_DIGITS, f16::MAX.to_f32()),
            DType::BF16 => (bf16::MANTISSA_DIGITS, bf16::MAX.to_f32()),
            _ => (f32::MANTISSA_DIGITS, f32::MAX),
        };
        let whole = 2f32.powi(digits.cast_signed() - BITS_LEFT);
        let moved = values.iter().map(|&value| {
            let exact = value == value.trunc() && value.abs() <= whole;
            if exact || value.abs() >= end || value.is_nan() {
                value
            } else {
                let size = value.abs().max(least);
                let moved = (size * by).mul_add(self.draw(), value).clamp(-end, end);
                if moved.is_sign_negative() == value.is_sign_negative() { moved } else { 0.0 }
            }
        });
        let moved = Tensor::of_reals(tensor.dtype(), tensor.dims().to_vec(), moved.collect());
        moved.unwrap_or_else(|_| tensor.clone())
    }

    /// A number from −1 to 1 (`splitmix64`).
    fn draw(&mut self) -> f32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = (z ^ (z >> 31)) >> 40;
        bits as f32 / 8_388_608.0 - 1.0
    }
}

/// How many products a layer sums up for an element; `None` for one that sums nothing. Dividing by
/// a scale counts as one.
fn terms(kind: &LayerKind, inputs: &[&Tensor]) -> Option<f32> {
    let data = inputs.first()?;
    let size = |axis: usize| data.dims().get(axis).copied().unwrap_or(1);
    let count = match kind {
        LayerKind::Convolution(of) => per(kernel(of, inputs)?, 0),
        LayerKind::Deconvolution(Deconvolution(of)) => per(kernel(of, inputs)?, 1),
        LayerKind::MatrixMultiply(of) => {
            let back = if of.op0 == MatrixOperation::Transpose { 2 } else { 1 };
            data.dims().len().checked_sub(back).map_or(1, size)
        }
        LayerKind::Einsum(of) => {
            let of = &of.equation;
            let summed = |letter: &&Letter| !of.result.contains(letter);
            let sizes = of.terms.iter().zip(inputs).flat_map(|(term, input)| {
                term.iter().zip(input.dims()).filter(move |(letter, _)| summed(letter))
            });
            sizes.collect::<BTreeMap<_, _>>().into_values().product()
        }
        LayerKind::Cumulative(of) => size(of.axis),
        LayerKind::Reduce(of) => match of.operation {
            ReduceOperation::Sum | ReduceOperation::Avg => {
                of.axes.iter().map(|&axis| size(axis)).product()
            }
            _ => return None,
        },
        LayerKind::Pooling(of) if of.kind != PoolingType::Max => of.window.iter().product(),
        LayerKind::Rnn(_) => data.dims().last().copied().unwrap_or(1),
        LayerKind::Quantize(_) => 1,
        _ => return None,
    };
    Some(count.max(1) as f32)
}

/// The kernel of a convolution.
fn kernel<'t>(of: &'t Convolution, inputs: &[&'t Tensor]) -> Option<&'t Tensor> {
    match &of.weights {
        Arg::Static(weights) => Some(weights),
        Arg::Input(at) => inputs.get(*at).copied(),
    }
}

/// Elements of a tensor for each place along an axis.
fn per(tensor: &Tensor, axis: usize) -> usize {
    tensor.len() / tensor.dims().get(axis).copied().unwrap_or(1).max(1)
}

/// Whether a layer sums products of two operands.
fn is_product(kind: &LayerKind) -> bool {
    matches!(
        kind,
        LayerKind::Convolution(_)
            | LayerKind::Deconvolution(_)
            | LayerKind::MatrixMultiply(_)
            | LayerKind::Einsum(_)
            | LayerKind::Rnn(_)
    )
}

/// Whether a function is computed by way of numbers near 1, where its results may be small.
fn is_near_one(kind: ActivationType) -> bool {
    use ActivationType::{Elu, Selu, Sigmoid, Softplus};
    matches!(kind, Sigmoid | Softplus | Elu | Selu)
}

/// Whether what a layer gives was rounded. Layers that choose among their data, or move them, give
/// numbers that were rounded before.
fn rounds(kind: &LayerKind) -> bool {
    match kind {
        LayerKind::Activation(of) => {
            !matches!(of.kind, ActivationType::Relu | ActivationType::Clip)
        }
        LayerKind::ElementWise(of) => matches!(
            of.operation,
            ElementWiseOperation::Sum
                | ElementWiseOperation::Prod
                | ElementWiseOperation::Sub
                | ElementWiseOperation::Div
                | ElementWiseOperation::Pow
        ),
        LayerKind::Unary(of) => !matches!(
            of.operation,
            UnaryOperation::Abs
                | UnaryOperation::Neg
                | UnaryOperation::Ceil
                | UnaryOperation::Floor
                | UnaryOperation::Sign
                | UnaryOperation::Round
        ),
        LayerKind::Reduce(of) => {
            !matches!(of.operation, ReduceOperation::Max | ReduceOperation::Min)
        }
        LayerKind::Pooling(of) => of.kind != PoolingType::Max,
        LayerKind::Resize(of) => of.mode != InterpolationMode::Nearest,
        LayerKind::Convolution(_)
        | LayerKind::Deconvolution(_)
        | LayerKind::MatrixMultiply(_)
        | LayerKind::Einsum(_)
        | LayerKind::Cumulative(_)
        | LayerKind::Dequantize(_)
        | LayerKind::GridSample(_)
        | LayerKind::Lrn(_)
        | LayerKind::Normalization(_)
        | LayerKind::ParametricRelu
        | LayerKind::Rnn(_)
        | LayerKind::Scale(_)
        | LayerKind::SoftMax(_) => true,
        _ => false,
    }
}
