//! The only bridge to C++: what crosses it, and nothing else.
//!
//! Tensors, loops and conditionals cross as numbers that the C++ side gives out. Enumerations are
//! ours on both sides and are translated in C++, because TensorRT's own numbers differ between
//! versions. Every call that can fail returns the first message that TensorRT recorded.

#![allow(
    missing_docs,
    reason = "structs and enums carry the names and meanings of TensorRT's own; see `network`"
)]
#![allow(unsafe_code, unreachable_pub, reason = "the bridge macro writes the items")]
#![allow(clippy::struct_field_names, reason = "TensorRT's scale layer has a scale")]
#![allow(clippy::elidable_lifetime_names, reason = "the bridge needs the lifetime to have a name")]

pub use bridge::*;

/// Stands for an optional tensor that is not given.
pub const NO_TENSOR: u32 = u32::MAX;

#[cxx::bridge(namespace = "onnx2plan")]
mod bridge {
    /// The headers that drive a library.
    #[derive(Debug)]
    enum HeaderSet {
        Rtx17,
        Trt114,
        /// The SDK that `TENSORRT_ROOT` named when this program was built.
        Sdk,
    }

    enum Severity {
        InternalError,
        Error,
        Warning,
        Info,
        Verbose,
    }

    enum DType {
        F32,
        F16,
        BF16,
        I8,
        U8,
        I32,
        I64,
        Bool,
        F8E4M3,
        I4,
        F4E2M1,
        F8E8M0,
    }

    enum ActivationType {
        Relu,
        Sigmoid,
        Tanh,
        LeakyRelu,
        Elu,
        Selu,
        Softsign,
        Softplus,
        Clip,
        HardSigmoid,
        ScaledTanh,
        ThresholdedRelu,
        GeluErf,
        GeluTanh,
    }

    enum ElementWiseOperation {
        Sum,
        Prod,
        Max,
        Min,
        Sub,
        Div,
        Pow,
        FloorDiv,
        And,
        Or,
        Xor,
        Equal,
        Greater,
        Less,
    }

    enum UnaryOperation {
        Exp,
        Log,
        Sqrt,
        Recip,
        Abs,
        Neg,
        Sin,
        Cos,
        Tan,
        Sinh,
        Cosh,
        Asin,
        Acos,
        Atan,
        Asinh,
        Acosh,
        Atanh,
        Ceil,
        Floor,
        Erf,
        Not,
        Sign,
        Round,
        IsInf,
        IsNan,
    }

    enum ReduceOperation {
        Sum,
        Prod,
        Max,
        Min,
        Avg,
    }

    enum PoolingType {
        Max,
        Average,
        MaxAverageBlend,
    }

    enum PaddingMode {
        ExplicitRoundDown,
        ExplicitRoundUp,
        SameUpper,
        SameLower,
        CaffeRoundDown,
        CaffeRoundUp,
    }

    enum ScaleMode {
        Uniform,
        Channel,
        ElementWise,
    }

    enum GatherMode {
        Default,
        Element,
        Nd,
    }

    enum ScatterMode {
        Element,
        Nd,
    }

    enum FillOperation {
        Linspace,
        RandomUniform,
        RandomNormal,
    }

    enum MatrixOperation {
        None,
        Transpose,
        Vector,
    }

    enum TopKOperation {
        Max,
        Min,
    }

    enum SampleMode {
        StrictBounds,
        Wrap,
        Clamp,
        Fill,
        Reflect,
    }

    enum InterpolationMode {
        Nearest,
        Linear,
        Cubic,
    }

    enum CoordinateTransformation {
        AlignCorners,
        Asymmetric,
        HalfPixel,
    }

    enum ResizeSelector {
        Formula,
        Upper,
    }

    enum ResizeRoundMode {
        HalfUp,
        HalfDown,
        Floor,
        Ceil,
    }

    enum RnnOperation {
        Relu,
        Tanh,
        Lstm,
        Gru,
    }

    enum RnnGateType {
        Input,
        Output,
        Forget,
        Update,
        Reset,
        Cell,
        Hidden,
    }

    enum LoopOutputKind {
        LastValue,
        Concatenate,
        Reverse,
    }

    enum TripLimitKind {
        Count,
        While,
    }

    enum BoundingBoxFormat {
        CornerPairs,
        CenterSizes,
    }

    /// Builder flags; a header set that lacks one refuses it.
    enum BuilderFlag {
        Tf32,
        Fp16,
        Bf16,
        Int8,
        Fp8,
        ObeyPrecisionConstraints,
        SparseWeights,
        Refit,
        StripPlan,
        RefitIdentical,
        WeightStreaming,
        StrictNans,
        VersionCompatible,
        ExcludeLeanRuntime,
    }

    /// A tensor that a call made, as TensorRT sees it; -1 is a dimension known only at run time.
    struct Output {
        tensor: u32,
        dtype: DType,
        dims: Vec<i64>,
    }

    /// Values in TensorRT's own layout. The number of elements is computed from the length; the
    /// memory must stay until the plan is built.
    struct Weights<'a> {
        dtype: DType,
        data: &'a [u8],
    }

    struct Activation {
        input: u32,
        kind: ActivationType,
        alpha: f32,
        beta: f32,
    }

    struct Constant<'a> {
        dims: &'a [i64],
        weights: Weights<'a>,
    }

    /// Also a deconvolution: the attributes are the same.
    struct Convolution<'a> {
        input: u32,
        /// Or `NO_TENSOR`, where `kernel` holds the values.
        kernel_tensor: u32,
        /// Or `NO_TENSOR`, where `bias` holds the values or is empty.
        bias_tensor: u32,
        kernel: Weights<'a>,
        bias: Weights<'a>,
        output_maps: i64,
        kernel_size: &'a [i64],
        stride: &'a [i64],
        pre_padding: &'a [i64],
        post_padding: &'a [i64],
        padding_mode: PaddingMode,
        dilation: &'a [i64],
        groups: i64,
    }

    struct Cumulative {
        input: u32,
        axis: u32,
        exclusive: bool,
        reverse: bool,
    }

    /// A quantize or dequantize layer.
    struct Quantize {
        input: u32,
        scale: u32,
        to: DType,
        /// -1: one scale for the whole tensor.
        axis: i32,
    }

    struct Fill<'a> {
        dims: &'a [i64],
        /// Or `NO_TENSOR`, where `dims` is the shape.
        dims_tensor: u32,
        operation: FillOperation,
        dtype: DType,
        /// Start or lowest value or mean; used where `alpha_tensor` is `NO_TENSOR`.
        alpha: f64,
        /// Step or highest value or deviation; used where `beta_tensor` is `NO_TENSOR`.
        beta: f64,
        alpha_tensor: u32,
        beta_tensor: u32,
    }

    struct Gather {
        data: u32,
        indices: u32,
        mode: GatherMode,
        axis: i32,
        elementwise_dims: i32,
    }

    struct GridSample {
        input: u32,
        grid: u32,
        interpolation: InterpolationMode,
        align_corners: bool,
        sample: SampleMode,
    }

    struct Lrn {
        input: u32,
        window: i64,
        alpha: f32,
        beta: f32,
        k: f32,
    }

    struct MatrixMultiply {
        left: u32,
        left_operation: MatrixOperation,
        right: u32,
        right_operation: MatrixOperation,
    }

    struct Nms {
        boxes: u32,
        scores: u32,
        max_boxes_per_class: u32,
        /// Or `NO_TENSOR`.
        iou_threshold: u32,
        /// Or `NO_TENSOR`.
        score_threshold: u32,
        format: BoundingBoxFormat,
        top_k_box_limit: i32,
        indices: DType,
    }

    struct Normalization {
        input: u32,
        scale: u32,
        bias: u32,
        axes_mask: u32,
        epsilon: f32,
        groups: i64,
    }

    struct Pooling<'a> {
        input: u32,
        kind: PoolingType,
        window: &'a [i64],
        stride: &'a [i64],
        pre_padding: &'a [i64],
        post_padding: &'a [i64],
        padding_mode: PaddingMode,
        average_excludes_padding: bool,
        blend: f32,
    }

    struct Reduce {
        input: u32,
        operation: ReduceOperation,
        axes_mask: u32,
        keep_dims: bool,
    }

    /// Exactly one of `dims`, `scales` and `dims_tensor` says the output shape.
    struct Resize<'a> {
        input: u32,
        dims: &'a [i64],
        scales: &'a [f32],
        dims_tensor: u32,
        mode: InterpolationMode,
        coordinates: CoordinateTransformation,
        selector: ResizeSelector,
        rounding: ResizeRoundMode,
        cubic_coeff: f32,
        exclude_outside: bool,
    }

    struct Rnn<'a> {
        input: u32,
        /// Or `NO_TENSOR`, as the states.
        sequence_lengths: u32,
        hidden_state: u32,
        cell_state: u32,
        layer_count: i32,
        hidden_size: i32,
        max_seq_length: i32,
        operation: RnnOperation,
        skips_input: bool,
        bidirectional: bool,
        gates: &'a [RnnGate<'a>],
    }

    /// A gate of one layer in one direction.
    struct RnnGate<'a> {
        layer: i32,
        gate: RnnGateType,
        /// Empty where the layer takes the data as it is.
        input_weights: Weights<'a>,
        recurrent_weights: Weights<'a>,
        input_bias: Weights<'a>,
        recurrent_bias: Weights<'a>,
    }

    struct Scale<'a> {
        input: u32,
        mode: ScaleMode,
        shift: Weights<'a>,
        scale: Weights<'a>,
        power: Weights<'a>,
        channel_axis: i32,
    }

    struct Scatter {
        data: u32,
        indices: u32,
        updates: u32,
        mode: ScatterMode,
        axis: i32,
    }

    struct Shuffle<'a> {
        input: u32,
        /// Empty: none.
        first_transpose: &'a [i64],
        /// Whether `dims` is to be obeyed: an empty one makes a scalar.
        reshape: bool,
        dims: &'a [i64],
        /// Or `NO_TENSOR`.
        dims_tensor: u32,
        zero_is_placeholder: bool,
        /// Empty: none.
        second_transpose: &'a [i64],
    }

    /// A part given as a tensor overrides the static one, whose rank still counts.
    struct Slice<'a> {
        input: u32,
        start: &'a [i64],
        size: &'a [i64],
        stride: &'a [i64],
        start_tensor: u32,
        size_tensor: u32,
        stride_tensor: u32,
        fill_tensor: u32,
        mode: SampleMode,
    }

    struct TopK {
        input: u32,
        operation: TopKOperation,
        k: i32,
        /// Or `NO_TENSOR`, where `k` is the count.
        k_tensor: u32,
        axes_mask: u32,
        indices: DType,
    }

    /// What an input may be at run time: a shape, or, where `values` is set, the values of a shape
    /// tensor.
    struct Range {
        input: String,
        values: bool,
        min: Vec<i64>,
        opt: Vec<i64>,
        max: Vec<i64>,
    }

    /// Which end of a profile: `nvinfer1::OptProfileSelector`.
    enum ProfileEnd {
        Min,
        Opt,
        Max,
    }

    /// An input or output of a plan.
    struct Binding {
        name: String,
        input: bool,
        /// Whether its data lies in the memory of the host, as the values of shape tensors do.
        host: bool,
        dtype: DType,
        /// −1 where only the run knows.
        dims: Vec<i64>,
    }

    extern "Rust" {
        type Job<'a>;
        /// Takes the next bytes of the plan; false stops the build.
        unsafe fn write<'a>(self: &Job<'a>, chunk: &[u8]) -> bool;
        /// Told of each step of the build; false stops it.
        unsafe fn keep_going<'a>(self: &Job<'a>) -> bool;
        /// Told of each phase of the build, and of which other one it is a part.
        unsafe fn phase_begins<'a>(self: &Job<'a>, name: &[u8], parent: &[u8]);
        unsafe fn phase_ends<'a>(self: &Job<'a>, name: &[u8]);
        /// Takes a line of TensorRT's log, whichever thread it comes from.
        fn log_line(severity: Severity, message: &[u8]);
    }

    unsafe extern "C++" {
        include!("onnx2plan/cpp/shim.hpp");

        /// Version number of the headers of a set, as `getInferLibVersion` counts; 0 where the set
        /// is not built in.
        fn header_version(set: HeaderSet) -> i32;

        /// Builder, network and configuration of one plan.
        type Network;

        /// Starts a network with the builder that `create_builder` (the address of
        /// `createInferBuilder_INTERNAL`) makes.
        ///
        /// # Safety
        /// The address must come from a library of the ABI family of `set`, which stays loaded.
        unsafe fn new_network(set: HeaderSet, create_builder: usize) -> Result<UniquePtr<Network>>;

        /// Name and metadata of the layers added from now on.
        fn set_label(self: Pin<&mut Network>, name: &str, metadata: &str);
        fn set_tensor_name(self: Pin<&mut Network>, tensor: u32, name: &str) -> Result<()>;
        fn set_dimension_name(
            self: Pin<&mut Network>,
            tensor: u32,
            index: i32,
            name: &str,
        ) -> Result<()>;
        fn add_input(
            self: Pin<&mut Network>,
            name: &str,
            dtype: DType,
            dims: &[i64],
        ) -> Result<Vec<Output>>;
        fn mark_output(self: Pin<&mut Network>, tensor: u32) -> Result<()>;
        /// Says what type an output has, where types do not follow from the operands.
        fn set_tensor_type(self: Pin<&mut Network>, tensor: u32, dtype: DType) -> Result<()>;

        fn add_activation(self: Pin<&mut Network>, layer: &Activation) -> Result<Vec<Output>>;
        fn add_cast(self: Pin<&mut Network>, input: u32, to: DType) -> Result<Vec<Output>>;
        fn add_concatenation(
            self: Pin<&mut Network>,
            inputs: &[u32],
            axis: i32,
        ) -> Result<Vec<Output>>;
        /// # Safety
        /// The values must stay in memory until the plan is built, or the network is dropped.
        unsafe fn add_constant(self: Pin<&mut Network>, layer: &Constant) -> Result<Vec<Output>>;
        /// # Safety
        /// As `add_constant`.
        unsafe fn add_convolution(
            self: Pin<&mut Network>,
            layer: &Convolution,
        ) -> Result<Vec<Output>>;
        /// # Safety
        /// As `add_constant`.
        unsafe fn add_deconvolution(
            self: Pin<&mut Network>,
            layer: &Convolution,
        ) -> Result<Vec<Output>>;
        fn add_cumulative(self: Pin<&mut Network>, layer: &Cumulative) -> Result<Vec<Output>>;
        fn add_quantize(self: Pin<&mut Network>, layer: &Quantize) -> Result<Vec<Output>>;
        fn add_dequantize(self: Pin<&mut Network>, layer: &Quantize) -> Result<Vec<Output>>;
        fn add_einsum(
            self: Pin<&mut Network>,
            inputs: &[u32],
            equation: &str,
        ) -> Result<Vec<Output>>;
        fn add_elementwise(
            self: Pin<&mut Network>,
            left: u32,
            right: u32,
            operation: ElementWiseOperation,
        ) -> Result<Vec<Output>>;
        fn add_fill(self: Pin<&mut Network>, layer: &Fill) -> Result<Vec<Output>>;
        fn add_gather(self: Pin<&mut Network>, layer: &Gather) -> Result<Vec<Output>>;
        fn add_grid_sample(self: Pin<&mut Network>, layer: &GridSample) -> Result<Vec<Output>>;
        fn add_identity(self: Pin<&mut Network>, input: u32) -> Result<Vec<Output>>;
        fn add_lrn(self: Pin<&mut Network>, layer: &Lrn) -> Result<Vec<Output>>;
        fn add_matrix_multiply(
            self: Pin<&mut Network>,
            layer: &MatrixMultiply,
        ) -> Result<Vec<Output>>;
        fn add_nms(self: Pin<&mut Network>, layer: &Nms) -> Result<Vec<Output>>;
        fn add_non_zero(self: Pin<&mut Network>, input: u32, indices: DType)
        -> Result<Vec<Output>>;
        fn add_normalization(self: Pin<&mut Network>, layer: &Normalization)
        -> Result<Vec<Output>>;
        fn add_one_hot(
            self: Pin<&mut Network>,
            indices: u32,
            values: u32,
            depth: u32,
            axis: i32,
        ) -> Result<Vec<Output>>;
        fn add_parametric_relu(
            self: Pin<&mut Network>,
            input: u32,
            slope: u32,
        ) -> Result<Vec<Output>>;
        fn add_pooling(self: Pin<&mut Network>, layer: &Pooling) -> Result<Vec<Output>>;
        fn add_reduce(self: Pin<&mut Network>, layer: &Reduce) -> Result<Vec<Output>>;
        fn add_resize(self: Pin<&mut Network>, layer: &Resize) -> Result<Vec<Output>>;
        fn add_reverse_sequence(
            self: Pin<&mut Network>,
            input: u32,
            lengths: u32,
            batch_axis: i32,
            sequence_axis: i32,
        ) -> Result<Vec<Output>>;
        /// # Safety
        /// As `add_constant`.
        unsafe fn add_rnn(self: Pin<&mut Network>, layer: &Rnn) -> Result<Vec<Output>>;
        /// # Safety
        /// As `add_constant`.
        unsafe fn add_scale(self: Pin<&mut Network>, layer: &Scale) -> Result<Vec<Output>>;
        fn add_scatter(self: Pin<&mut Network>, layer: &Scatter) -> Result<Vec<Output>>;
        fn add_select(
            self: Pin<&mut Network>,
            condition: u32,
            then_input: u32,
            else_input: u32,
        ) -> Result<Vec<Output>>;
        fn add_shape(self: Pin<&mut Network>, input: u32) -> Result<Vec<Output>>;
        fn add_shuffle(self: Pin<&mut Network>, layer: &Shuffle) -> Result<Vec<Output>>;
        fn add_slice(self: Pin<&mut Network>, layer: &Slice) -> Result<Vec<Output>>;
        fn add_softmax(self: Pin<&mut Network>, input: u32, axes_mask: u32) -> Result<Vec<Output>>;
        fn add_squeeze(self: Pin<&mut Network>, input: u32, axes: u32) -> Result<Vec<Output>>;
        fn add_unsqueeze(self: Pin<&mut Network>, input: u32, axes: u32) -> Result<Vec<Output>>;
        fn add_top_k(self: Pin<&mut Network>, layer: &TopK) -> Result<Vec<Output>>;
        fn add_unary(
            self: Pin<&mut Network>,
            input: u32,
            operation: UnaryOperation,
        ) -> Result<Vec<Output>>;

        /// The number of a new loop.
        fn add_loop(self: Pin<&mut Network>) -> Result<u32>;
        fn add_trip_limit(
            self: Pin<&mut Network>,
            at: u32,
            tensor: u32,
            kind: TripLimitKind,
        ) -> Result<()>;
        fn add_iterator(
            self: Pin<&mut Network>,
            at: u32,
            tensor: u32,
            axis: i32,
            reverse: bool,
        ) -> Result<Vec<Output>>;
        fn add_recurrence(self: Pin<&mut Network>, at: u32, initial: u32) -> Result<Vec<Output>>;
        /// Says which tensor of the body is the value of `recurrence`, an output of
        /// `add_recurrence`, in the next turn.
        fn close_recurrence(self: Pin<&mut Network>, recurrence: u32, body: u32) -> Result<()>;
        /// `length`: how many turns are kept, for `Concatenate` and `Reverse`; else `NO_TENSOR`.
        fn add_loop_output(
            self: Pin<&mut Network>,
            at: u32,
            tensor: u32,
            kind: LoopOutputKind,
            axis: i32,
            length: u32,
        ) -> Result<Vec<Output>>;

        /// The number of a new conditional.
        fn add_conditional(self: Pin<&mut Network>, condition: u32) -> Result<u32>;
        fn add_conditional_input(
            self: Pin<&mut Network>,
            at: u32,
            tensor: u32,
        ) -> Result<Vec<Output>>;
        fn add_conditional_output(
            self: Pin<&mut Network>,
            at: u32,
            then_output: u32,
            else_output: u32,
        ) -> Result<Vec<Output>>;

        /// Makes the layer that gave `tensor`, its output at `output`, compute and give `dtype`;
        /// answers the type it gives.
        fn constrain(
            self: Pin<&mut Network>,
            tensor: u32,
            output: i32,
            dtype: DType,
        ) -> Result<DType>;
        fn set_flag(self: Pin<&mut Network>, flag: BuilderFlag, on: bool) -> Result<()>;
        /// GPUs to build for, as major * 10 + minor (89, 120).
        fn set_compute_capabilities(self: Pin<&mut Network>, targets: &[u32]) -> Result<()>;
        fn set_optimization_level(self: Pin<&mut Network>, level: i32) -> Result<()>;
        fn set_workspace_limit(self: Pin<&mut Network>, bytes: u64) -> Result<()>;
        fn add_profile(self: Pin<&mut Network>, ranges: &[Range]) -> Result<()>;
        /// Builds the plan and writes it to the job: `in_pieces` where the library can, else at
        /// once.
        fn build(self: Pin<&mut Network>, job: &Job, in_pieces: bool) -> Result<()>;

        /// A plan with one execution context.
        type Engine;

        /// Loads a plan with the runtime that `create_runtime` (the address of
        /// `createInferRuntime_INTERNAL`) makes.
        ///
        /// # Safety
        /// As `new_network`; the calling thread must have a CUDA context.
        unsafe fn new_engine(
            set: HeaderSet,
            create_runtime: usize,
            plan: &[u8],
        ) -> Result<UniquePtr<Engine>>;

        fn bindings(self: Pin<&mut Engine>) -> Result<Vec<Binding>>;
        fn profiles(self: Pin<&mut Engine>) -> Result<i32>;
        fn profile_shape(
            self: Pin<&mut Engine>,
            input: &str,
            profile: i32,
            end: ProfileEnd,
        ) -> Result<Vec<i64>>;
        fn select_profile(self: Pin<&mut Engine>, profile: i32, stream: usize) -> Result<()>;
        fn set_shape(self: Pin<&mut Engine>, input: &str, dims: &[i64]) -> Result<()>;
        /// # Safety
        /// The memory must hold what the tensor's type and shape take, on the side that its binding
        /// says, until the last `enqueue` is done.
        unsafe fn set_address(self: Pin<&mut Engine>, name: &str, address: u64) -> Result<()>;
        /// Room for an output whose shape only the run knows; `shape` tells it after the run.
        ///
        /// # Safety
        /// As `set_address`, for `bytes` bytes.
        unsafe fn set_output_memory(
            self: Pin<&mut Engine>,
            name: &str,
            address: u64,
            bytes: u64,
        ) -> Result<()>;
        fn infer_shapes(self: Pin<&mut Engine>) -> Result<()>;
        fn shape(self: Pin<&mut Engine>, name: &str) -> Result<Vec<i64>>;
        /// The most that an output can take with the shapes that are set.
        fn most_output_bytes(self: Pin<&mut Engine>, name: &str) -> Result<i64>;
        /// # Safety
        /// `stream` must be a stream of the current context, and every tensor must have an address.
        unsafe fn enqueue(self: Pin<&mut Engine>, stream: usize) -> Result<()>;
    }
}

use super::job::Job;
use super::log::log_line;

// SAFETY: a network is one builder with what it made; TensorRT lets any thread use them, one at a
// time, and nothing in them is thread-local.
unsafe impl Send for bridge::Network {}

// SAFETY: likewise an engine with its context.
unsafe impl Send for bridge::Engine {}
