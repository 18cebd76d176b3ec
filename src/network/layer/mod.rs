//! Layers: one struct per kind of TensorRT layer.
//!
//! A kind's file has the same name here, in `infer`, which knows the shapes, and in `eval`, which
//! computes it. Sizes and axes count from the outermost axis. Where TensorRT takes a bit mask of
//! axes, a sorted list stands here.

mod attributes;
mod cast;
mod control;
mod conv;
mod einsum;
mod elementwise;
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
mod topk;
mod unary;

pub use attributes::Attributes;
pub use cast::*;
pub use control::*;
pub use conv::*;
pub use einsum::*;
pub use elementwise::*;
pub use fill::*;
pub use gather::*;
pub use gridsample::*;
pub use matmul::*;
pub use nms::*;
pub use norm::*;
pub use pool::*;
pub use reduce::*;
pub use resize::*;
pub use rnn::*;
pub use shuffle::*;
pub use slice::*;
pub use topk::*;
pub use unary::*;

use super::{Block, Values};
use crate::site::Site;
use attributes::Describe;
use smallvec::SmallVec;

/// A layer: what it does, what it takes, what it gives, where it came from.
#[derive(Debug, Clone)]
pub struct Layer {
    /// What it does.
    pub kind: LayerKind,
    /// Operands. Attributes that can come from a tensor name them by position: see [`Arg`].
    pub inputs: Values,
    /// What it gives; most kinds give one value.
    pub outputs: Values,
    /// The ONNX nodes it stands for; never empty.
    pub sites: SmallVec<[Site; 1]>,
}

/// An attribute that is known at build time or comes from one of the layer's inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg<T> {
    /// Known at build time.
    Static(T),
    /// The layer's input at this position.
    Input(usize),
}

impl<T> Arg<T> {
    /// The value, if known at build time.
    pub fn fixed(&self) -> Option<&T> {
        match self {
            Arg::Static(value) => Some(value),
            Arg::Input(_) => None,
        }
    }

    /// The position of the input it comes from.
    pub fn input(&self) -> Option<usize> {
        match self {
            Arg::Static(_) => None,
            Arg::Input(at) => Some(*at),
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $(($attributes:ty))?),* $(,)?) => {
        /// Every kind of layer. Kinds without attributes have no struct.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum LayerKind { $($(#[$doc])* $kind $(($attributes))?,)* }

        impl LayerKind {
            /// The names of all kinds.
            pub const NAMES: &[&str] = &[$(stringify!($kind)),*];

            /// TensorRT's name of the kind: `Convolution`, `ElementWise`.
            pub const fn name(&self) -> &'static str {
                match self { $(kinds!(@pattern $kind $(($attributes))?) => stringify!($kind),)* }
            }

            /// The attributes as text, without nested blocks. Kinds without attributes have none.
            pub fn attributes(&self) -> Attributes {
                let mut attributes = Attributes::default();
                let to = &mut attributes;
                match self {
                    $($(Self::$kind(layer) => <$attributes as Describe>::describe(layer, to),)?)*
                    _ => {}
                }
                attributes
            }
        }
        $($(impl From<$attributes> for LayerKind {
            fn from(attributes: $attributes) -> Self { Self::$kind(attributes) }
        })?)*
    };
    (@pattern $kind:ident ($attributes:ty)) => { LayerKind::$kind(_) };
    (@pattern $kind:ident) => { LayerKind::$kind };
}

kinds! {
    /// `IActivationLayer`. Inputs: data.
    Activation(Activation),
    /// `ICastLayer`. Inputs: data.
    Cast(Cast),
    /// `IConcatenationLayer`. Inputs: one or more, alike but for the axis.
    Concatenation(Concatenation),
    /// `IIfConditional` with its condition, input and output layers. Inputs: condition.
    Conditional(Conditional),
    /// `IConstantLayer`. No inputs.
    Constant(Constant),
    /// `IConvolutionLayer`. Inputs: data, then kernel and bias where they are no weights.
    Convolution(Convolution),
    /// `ICumulativeLayer`, since TensorRT 10.x. Inputs: data.
    Cumulative(Cumulative),
    /// `IDeconvolutionLayer`. Inputs: data, then kernel and bias where they are no weights.
    Deconvolution(Deconvolution),
    /// `IDequantizeLayer`. Inputs: data, scale.
    Dequantize(Dequantize),
    /// `IEinsumLayer`. Inputs: one or two.
    Einsum(Einsum),
    /// `IElementWiseLayer`. Inputs: two of one type and rank; axes of size 1 broadcast.
    ElementWise(ElementWise),
    /// `IFillLayer`. Inputs: those its arguments name.
    Fill(Fill),
    /// `IGatherLayer`. Inputs: data, indices.
    Gather(Gather),
    /// `IGridSampleLayer`. Inputs: data, grid.
    GridSample(GridSample),
    /// `IIdentityLayer`. Inputs: data.
    Identity,
    /// `ILoop` with its layers. Inputs: see the struct.
    Loop(Loop),
    /// `ILRNLayer`. Inputs: data of rank 4.
    Lrn(Lrn),
    /// `IMatrixMultiplyLayer`. Inputs: two of one type.
    MatrixMultiply(MatrixMultiply),
    /// `INMSLayer`. Inputs: boxes, scores, then those its arguments name.
    NonMaxSuppression(NonMaxSuppression),
    /// `INonZeroLayer`. Inputs: data. Gives `i64[rank, n]` with n known at run time.
    NonZero,
    /// `INormalizationLayer`. Inputs: data, scale, bias.
    Normalization(Normalization),
    /// `IOneHotLayer`. Inputs: indices, values `[off, on]`, depth (rank 0).
    OneHot(OneHot),
    /// `IParametricReLULayer`: x where x ≥ 0, else x · slope. Inputs: data, slope (broadcasts to
    /// the data).
    ParametricRelu,
    /// `IPoolingLayer`. Inputs: data.
    Pooling(Pooling),
    /// `IQuantizeLayer`. Inputs: data, scale.
    Quantize(Quantize),
    /// `IReduceLayer`. Inputs: data.
    Reduce(Reduce),
    /// `IResizeLayer`. Inputs: data, then the sizes where they come from a tensor.
    Resize(Resize),
    /// `IReverseSequenceLayer`. Inputs: data, lengths.
    ReverseSequence(ReverseSequence),
    /// `IRNNv2Layer`, until TensorRT 8.x. Inputs: data, then those its arguments name. Gives two or
    /// three values.
    Rnn(Rnn),
    /// `IScaleLayer`. Inputs: data.
    Scale(Scale),
    /// `IScatterLayer`. Inputs: data, indices, updates.
    Scatter(Scatter),
    /// `ISelectLayer`: the second where the first is true, else the third. Inputs: condition, then,
    /// else; all broadcast.
    Select,
    /// `IShapeLayer`. Inputs: data. Gives `i64[rank]`.
    Shape,
    /// `IShuffleLayer`. Inputs: data, then the shape where it comes from a tensor.
    Shuffle(Shuffle),
    /// `ISliceLayer`. Inputs: data, then those its arguments name.
    Slice(Slice),
    /// `ISoftMaxLayer`. Inputs: data.
    SoftMax(SoftMax),
    /// `ISqueezeLayer`, since TensorRT 10.x. Inputs: data.
    Squeeze(Squeeze),
    /// `ITopKLayer`. Inputs: data, then k where it comes from a tensor. Gives values and `i32`
    /// indices.
    TopK(TopK),
    /// `IUnaryLayer`. Inputs: data.
    Unary(Unary),
    /// `IUnsqueezeLayer`, since TensorRT 10.x. Inputs: data.
    Unsqueeze(Unsqueeze),
}

impl LayerKind {
    /// The nested blocks, in order; empty for most kinds.
    pub fn blocks(&self) -> SmallVec<[&Block; 2]> {
        match self {
            LayerKind::Loop(l) => SmallVec::from_slice(&[&l.body]),
            LayerKind::Conditional(c) => SmallVec::from_slice(&[&c.then_block, &c.else_block]),
            _ => SmallVec::new(),
        }
    }

    /// The nested blocks, to change.
    pub fn blocks_mut(&mut self) -> SmallVec<[&mut Block; 2]> {
        match self {
            LayerKind::Loop(l) => SmallVec::from_iter([&mut l.body]),
            LayerKind::Conditional(c) => {
                SmallVec::from_iter([&mut c.then_block, &mut c.else_block])
            }
            _ => SmallVec::new(),
        }
    }
}
