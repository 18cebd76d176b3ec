//! What each kind of layer does with its data: which inputs carry them, and whether it can compute
//! in half of `f32`'s bits.

use crate::network::layer::{
    Activation, ActivationType, Arg, ElementWiseOperation, InterpolationMode, Layer, LayerKind,
    PoolingType, Reduce, ReduceOperation, SoftMax, UnaryOperation,
};
use crate::network::{Dim, Network, ValueId};
use crate::tensor::DType;
use smallvec::{SmallVec, smallvec};

/// The longest sum outside a product that is left to half the bits. TensorRT sums products in
/// `f32`; of other sums nothing is promised, and at this length even a sum in `f16` loses no more
/// than a few units.
const LONGEST_SUM: i64 = 64;
/// The same for a softmax: the sum of its exponentials is at most their number, which has to leave
/// room below the largest number of `f16`.
const LONGEST_SOFTMAX: i64 = 4096;
/// The same inside attention, whose kernels sum in `f32` piece by piece.
const MOST_KEYS: i64 = 32_768;

/// Positions of a layer's inputs.
pub(super) type Places = SmallVec<[usize; 4]>;

/// What a layer does with its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// It computes numbers that must be rounded: in the type that is chosen for it.
    Computes(Places),
    /// It moves its data, chooses among them or compares them. That rounds nothing, so the layer
    /// takes the type that its data have anyway.
    Moves(Places),
    /// It takes and gives what the model says, for this reason, if that is worth telling.
    Stays(Option<&'static str>),
}

/// What a layer does with its data. `fused` says whether it is a part of attention.
pub(super) fn role(network: &Network, layer: &Layer, fused: bool) -> Role {
    let data = match of_kind(network, layer, fused) {
        Role::Computes(ref data) | Role::Moves(ref data) if !all_f32(network, layer, data) => {
            return Role::Stays(None);
        }
        role => role,
    };
    if matches!(data, Role::Stays(_)) || !beside_quantized(network, layer) {
        return data;
    }
    Role::Stays(Some("TensorRT fuses it with the quantization beside it"))
}

/// Why a layer cannot compute in a type, if so.
pub(super) fn lacks(kind: &LayerKind, dtype: DType) -> Option<&'static str> {
    // TensorRT-RTX 1.7 fails at it (seen).
    let deconvolution = matches!(kind, LayerKind::Deconvolution(_)) && dtype == DType::BF16;
    deconvolution.then_some("TensorRT has no deconvolution of bf16")
}

/// Whether all data of a layer are `f32`, which alone gives way.
fn all_f32(network: &Network, layer: &Layer, data: &Places) -> bool {
    let mut inputs = data.iter().map(|&at| layer.inputs.get(at));
    inputs.all(|input| input.is_some_and(|&value| network.value(value).ty.dtype == DType::F32))
}

/// Whether a layer takes what was quantized: a cast between them would keep TensorRT from fusing
/// the two.
fn beside_quantized(network: &Network, layer: &Layer) -> bool {
    let dequantized = |value: &ValueId| {
        let maker = network.maker(*value).map(|maker| &network.layer(maker).kind);
        matches!(maker, Some(LayerKind::Dequantize(_)))
    };
    layer.inputs.iter().any(dequantized)
}

fn of_kind(network: &Network, layer: &Layer, fused: bool) -> Role {
    use LayerKind as K;
    match &layer.kind {
        K::Activation(of) => activation(of),
        K::Concatenation(_) => Role::Moves((0..layer.inputs.len()).collect()),
        K::Convolution(of) => Role::Computes(operands(of)),
        K::Deconvolution(of) => Role::Computes(operands(&of.0)),
        K::Einsum(_) | K::MatrixMultiply(_) => Role::Computes((0..layer.inputs.len()).collect()),
        K::ElementWise(of) => element_wise(of.operation),
        K::Normalization(_) => Role::Computes(smallvec![0, 1, 2]),
        K::ParametricRelu => Role::Computes(smallvec![0, 1]),
        K::Pooling(of) if of.kind == PoolingType::Max => Role::Moves(smallvec![0]),
        K::Pooling(of) => summing(
            of.window.iter().try_fold(1, |n: i64, &size| n.checked_mul(i64::try_from(size).ok()?)),
        ),
        K::Reduce(of) => reduce(network, layer, of),
        K::Resize(of) if of.mode == InterpolationMode::Nearest => Role::Moves(smallvec![0]),
        K::Resize(_) | K::Scale(_) => Role::Computes(smallvec![0]),
        K::SoftMax(of) => softmax(network, layer, of, fused),
        K::Unary(of) => unary(of.operation),
        K::Scatter(_) => Role::Moves(smallvec![0, 2]),
        K::Select => Role::Moves(smallvec![1, 2]),
        K::Slice(of) => Role::Moves([0].into_iter().chain(of.fill).collect()),
        K::Gather(_)
        | K::Identity
        | K::ReverseSequence(_)
        | K::Shuffle(_)
        | K::Squeeze(_)
        | K::TopK(_)
        | K::Unsqueeze(_) => Role::Moves(smallvec![0]),
        K::Cumulative(_) => Role::Stays(Some("a running sum")),
        K::GridSample(_) => Role::Stays(Some("its grid holds positions")),
        K::NonMaxSuppression(_) => Role::Stays(Some("its boxes hold positions")),
        K::Lrn(_) => Role::Stays(Some("a sum of squares")),
        _ => Role::Stays(None),
    }
}

fn activation(of: &Activation) -> Role {
    if of.kind == ActivationType::Relu {
        Role::Moves(smallvec![0])
    } else {
        Role::Computes(smallvec![0])
    }
}

/// Data, and kernel and bias where they are inputs.
fn operands(of: &crate::network::layer::Convolution) -> Places {
    let bias = of.bias.as_ref().and_then(Arg::input);
    [Some(0), of.weights.input(), bias].into_iter().flatten().collect()
}

fn element_wise(operation: ElementWiseOperation) -> Role {
    use ElementWiseOperation as Op;
    match operation {
        Op::Sum | Op::Prod | Op::Sub | Op::Div | Op::Pow | Op::FloorDiv => {
            Role::Computes(smallvec![0, 1])
        }
        Op::Max | Op::Min | Op::Equal | Op::Greater | Op::Less => Role::Moves(smallvec![0, 1]),
        Op::And | Op::Or | Op::Xor => Role::Stays(None),
    }
}

fn unary(operation: UnaryOperation) -> Role {
    use UnaryOperation as Op;
    match operation {
        Op::Abs | Op::Neg | Op::Ceil | Op::Floor | Op::Round | Op::Sign => {
            Role::Moves(smallvec![0])
        }
        Op::IsInf | Op::IsNan | Op::Not => Role::Stays(None),
        _ => Role::Computes(smallvec![0]),
    }
}

fn reduce(network: &Network, layer: &Layer, of: &Reduce) -> Role {
    match of.operation {
        ReduceOperation::Max | ReduceOperation::Min => Role::Moves(smallvec![0]),
        _ => summing(length(network, layer, &of.axes)),
    }
}

/// A sum of so many terms, where that is known.
fn summing(terms: Option<i64>) -> Role {
    match terms {
        Some(terms) if terms <= LONGEST_SUM => Role::Computes(smallvec![0]),
        Some(_) => Role::Stays(Some("a long sum")),
        None => Role::Stays(Some("a sum of unknown length")),
    }
}

fn softmax(network: &Network, layer: &Layer, of: &SoftMax, fused: bool) -> Role {
    let most = if fused { MOST_KEYS } else { LONGEST_SOFTMAX };
    match length(network, layer, &[of.axis]) {
        Some(length) if length > most => Role::Stays(Some("a softmax over many elements")),
        _ => Role::Computes(smallvec![0]),
    }
}

/// How many elements of the data lie along these axes, where that is known.
fn length(network: &Network, layer: &Layer, axes: &[usize]) -> Option<i64> {
    let shape = &network.value(*layer.inputs.first()?).ty.shape;
    axes.iter()
        .try_fold(1i64, |count, &axis| count.checked_mul(shape.get(axis).and_then(Dim::known)?))
}

/// Whether a layer looks at its data to decide: a small error of them is none of its result, or a
/// large one.
pub(super) fn decides(kind: &LayerKind) -> bool {
    use UnaryOperation as Op;
    match kind {
        LayerKind::ElementWise(of) => {
            of.operation.compares() || of.operation == ElementWiseOperation::FloorDiv
        }
        LayerKind::Unary(of) => matches!(of.operation, Op::Ceil | Op::Floor | Op::Round | Op::Sign),
        LayerKind::TopK(_) => true,
        LayerKind::Cast(of) => !of.to.is_float(),
        _ => false,
    }
}
