//! What a TensorRT library can do, as far as it differs between versions.

/// Abilities of a library. `legalize` rewrites a network to what they allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact about a library, independent of the others"
)]
pub struct Caps {
    /// Tensors of type `i64`.
    pub int64: bool,
    /// Shape and NonZero give `i64`; before TensorRT 10 they give `i32` (`IShapeLayer` and
    /// `INonZeroLayer` in its `NvInfer.h`).
    pub int64_sizes: bool,
    /// Tensors of type `bf16`.
    pub bf16: bool,
    /// Tensors of type `i8` that nobody quantized.
    pub int8: bool,
    /// What Quantize gives is called by its type; TensorRT 8.6 calls it `f32` until it is told
    /// otherwise (seen in `ITensor::getType`).
    pub names_quantized: bool,
    /// Types follow from inputs, weights and casts alone; otherwise precision flags decide.
    pub strongly_typed: bool,
    /// `ISqueezeLayer` and `IUnsqueezeLayer`.
    pub squeeze: bool,
    /// `ICumulativeLayer`.
    pub cumulative: bool,
    /// `IRNNv2Layer`.
    pub rnn: bool,
    /// The padding modes of Caffe.
    pub caffe_padding: bool,
    /// The GELU activations.
    pub gelu: bool,
    /// `UnaryOperation::kISNAN`.
    pub is_nan: bool,
    /// `INormalizationLayer` with groups and a scale per channel, which only its second version
    /// has.
    pub groups: bool,
    /// `IGridSampleLayer` of volumes.
    pub volumes: bool,
    /// Relu, Neg, Abs, TopK, Pooling and Resize of whole numbers.
    pub whole_numbers: bool,
    /// `IScaleLayer` with a coefficient per element, or per channel of another axis than 1, of data
    /// with sizes that only the run knows.
    pub open_scale: bool,
    /// `IConstantLayer` of `bool`.
    pub bool_constants: bool,
    /// Plans with sizes that only the run knows can be loaded without a profile; TensorRT 8.6 loads
    /// none without one, be it an empty one (seen).
    pub open_without_profile: bool,
}

impl Caps {
    /// TensorRT-RTX 1.6 and later, TensorRT 11.x.
    pub const fn modern() -> Self {
        Self {
            int64: true,
            int64_sizes: true,
            bf16: true,
            int8: true,
            names_quantized: true,
            strongly_typed: true,
            squeeze: true,
            cumulative: true,
            rnn: false,
            caffe_padding: false,
            gelu: true,
            is_nan: true,
            groups: true,
            volumes: true,
            whole_numbers: true,
            open_scale: true,
            bool_constants: true,
            open_without_profile: true,
        }
    }

    /// TensorRT 8.x.
    pub const fn eight() -> Self {
        Self {
            int64: false,
            int64_sizes: false,
            bf16: false,
            int8: false,
            names_quantized: false,
            strongly_typed: false,
            squeeze: false,
            cumulative: false,
            rnn: true,
            caffe_padding: true,
            gelu: false,
            is_nan: false,
            groups: false,
            volumes: false,
            whole_numbers: false,
            open_scale: false,
            bool_constants: false,
            open_without_profile: false,
        }
    }
}
