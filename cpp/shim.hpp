// What Rust sees of TensorRT: two abstract classes without any TensorRT type, implemented once per
// header set.
//
// Tensors, loops and conditionals are numbers that this side gives out. Every call throws the first
// message that TensorRT recorded during it; setters of TensorRT report nothing else.
#pragma once

#include "rust/cxx.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace onnx2plan
{

// Shared with Rust; src/trt/ffi.rs defines them.
enum class ActivationType : uint8_t;
enum class BuilderFlag : uint8_t;
enum class DType : uint8_t;
enum class ElementWiseOperation : uint8_t;
enum class HeaderSet : uint8_t;
enum class LoopOutputKind : uint8_t;
enum class ProfileEnd : uint8_t;
enum class RnnOperation : uint8_t;
enum class TripLimitKind : uint8_t;
enum class UnaryOperation : uint8_t;
struct Activation;
struct Binding;
struct Constant;
struct Convolution;
struct Cumulative;
struct Fill;
struct Gather;
struct GridSample;
struct Job;
struct Lrn;
struct MatrixMultiply;
struct Nms;
struct Normalization;
struct Output;
struct Pooling;
struct Quantize;
struct Range;
struct Reduce;
struct Resize;
struct Rnn;
struct Scale;
struct Scatter;
struct Shuffle;
struct Slice;
struct TopK;

// Stands for an optional tensor that is not given.
constexpr uint32_t no_tensor = UINT32_MAX;

using Outputs = rust::Vec<Output>;
using Dims = rust::Slice<int64_t const>;

// Builder, network and configuration of one plan.
class Network
{
public:
    virtual ~Network() = default;

    virtual void set_label(rust::Str name, rust::Str metadata) = 0;
    virtual void set_tensor_name(uint32_t tensor, rust::Str name) = 0;
    virtual void set_dimension_name(uint32_t tensor, int32_t index, rust::Str name) = 0;
    virtual Outputs add_input(rust::Str name, DType dtype, Dims dims) = 0;
    virtual void mark_output(uint32_t tensor) = 0;
    virtual void set_tensor_type(uint32_t tensor, DType dtype) = 0;

    virtual Outputs add_activation(Activation const& layer) = 0;
    virtual Outputs add_cast(uint32_t input, DType to) = 0;
    virtual Outputs add_concatenation(rust::Slice<uint32_t const> inputs, int32_t axis) = 0;
    virtual Outputs add_constant(Constant const& layer) = 0;
    virtual Outputs add_convolution(Convolution const& layer) = 0;
    virtual Outputs add_deconvolution(Convolution const& layer) = 0;
    virtual Outputs add_cumulative(Cumulative const& layer) = 0;
    virtual Outputs add_quantize(Quantize const& layer) = 0;
    virtual Outputs add_dequantize(Quantize const& layer) = 0;
    virtual Outputs add_einsum(rust::Slice<uint32_t const> inputs, rust::Str equation) = 0;
    virtual Outputs add_elementwise(
        uint32_t left, uint32_t right, ElementWiseOperation operation) = 0;
    virtual Outputs add_fill(Fill const& layer) = 0;
    virtual Outputs add_gather(Gather const& layer) = 0;
    virtual Outputs add_grid_sample(GridSample const& layer) = 0;
    virtual Outputs add_identity(uint32_t input) = 0;
    virtual Outputs add_lrn(Lrn const& layer) = 0;
    virtual Outputs add_matrix_multiply(MatrixMultiply const& layer) = 0;
    virtual Outputs add_nms(Nms const& layer) = 0;
    virtual Outputs add_non_zero(uint32_t input, DType indices) = 0;
    virtual Outputs add_normalization(Normalization const& layer) = 0;
    virtual Outputs add_one_hot(
        uint32_t indices, uint32_t values, uint32_t depth, int32_t axis) = 0;
    virtual Outputs add_parametric_relu(uint32_t input, uint32_t slope) = 0;
    virtual Outputs add_pooling(Pooling const& layer) = 0;
    virtual Outputs add_reduce(Reduce const& layer) = 0;
    virtual Outputs add_resize(Resize const& layer) = 0;
    virtual Outputs add_reverse_sequence(
        uint32_t input, uint32_t lengths, int32_t batch_axis, int32_t sequence_axis) = 0;
    virtual Outputs add_rnn(Rnn const& layer) = 0;
    virtual Outputs add_scale(Scale const& layer) = 0;
    virtual Outputs add_scatter(Scatter const& layer) = 0;
    virtual Outputs add_select(uint32_t condition, uint32_t then_input, uint32_t else_input) = 0;
    virtual Outputs add_shape(uint32_t input) = 0;
    virtual Outputs add_shuffle(Shuffle const& layer) = 0;
    virtual Outputs add_slice(Slice const& layer) = 0;
    virtual Outputs add_softmax(uint32_t input, uint32_t axes_mask) = 0;
    virtual Outputs add_squeeze(uint32_t input, uint32_t axes) = 0;
    virtual Outputs add_unsqueeze(uint32_t input, uint32_t axes) = 0;
    virtual Outputs add_top_k(TopK const& layer) = 0;
    virtual Outputs add_unary(uint32_t input, UnaryOperation operation) = 0;

    virtual uint32_t add_loop() = 0;
    virtual void add_trip_limit(uint32_t at, uint32_t tensor, TripLimitKind kind) = 0;
    virtual Outputs add_iterator(uint32_t at, uint32_t tensor, int32_t axis, bool reverse) = 0;
    virtual Outputs add_recurrence(uint32_t at, uint32_t initial) = 0;
    virtual void close_recurrence(uint32_t recurrence, uint32_t body) = 0;
    virtual Outputs add_loop_output(
        uint32_t at, uint32_t tensor, LoopOutputKind kind, int32_t axis, uint32_t length) = 0;

    virtual uint32_t add_conditional(uint32_t condition) = 0;
    virtual Outputs add_conditional_input(uint32_t at, uint32_t tensor) = 0;
    virtual Outputs add_conditional_output(
        uint32_t at, uint32_t then_output, uint32_t else_output) = 0;

    virtual DType constrain(uint32_t tensor, int32_t output, DType dtype) = 0;
    virtual void set_flag(BuilderFlag flag, bool on) = 0;
    virtual void set_compute_capabilities(rust::Slice<uint32_t const> targets) = 0;
    virtual void set_optimization_level(int32_t level) = 0;
    virtual void set_workspace_limit(uint64_t bytes) = 0;
    virtual void add_profile(rust::Slice<Range const> ranges) = 0;
    virtual void build(Job const& job, bool in_pieces) = 0;
};

// A plan with one execution context.
class Engine
{
public:
    virtual ~Engine() = default;

    virtual rust::Vec<Binding> bindings() = 0;
    virtual int32_t profiles() = 0;
    virtual rust::Vec<int64_t> profile_shape(rust::Str input, int32_t profile, ProfileEnd end) = 0;
    virtual void select_profile(int32_t profile, size_t stream) = 0;
    virtual void set_shape(rust::Str input, Dims dims) = 0;
    virtual void set_address(rust::Str name, uint64_t address) = 0;
    virtual void set_output_memory(rust::Str name, uint64_t address, uint64_t bytes) = 0;
    virtual void infer_shapes() = 0;
    virtual rust::Vec<int64_t> shape(rust::Str name) = 0;
    virtual int64_t most_output_bytes(rust::Str name) = 0;
    virtual void enqueue(size_t stream) = 0;
};

// Address of the library's `createInferBuilder_INTERNAL` or `createInferRuntime_INTERNAL`.
using Entry = size_t;

std::unique_ptr<Network> new_network(HeaderSet set, Entry create_builder);
std::unique_ptr<Engine> new_engine(
    HeaderSet set, Entry create_runtime, rust::Slice<uint8_t const> plan);
int32_t header_version(HeaderSet set) noexcept;

// One implementation of the classes per header set; each lives in a translation unit of its own.
namespace rtx17
{
std::unique_ptr<Network> new_network(Entry create_builder);
std::unique_ptr<Engine> new_engine(Entry create_runtime, rust::Slice<uint8_t const> plan);
int32_t header_version() noexcept;
} // namespace rtx17
namespace trt114
{
std::unique_ptr<Network> new_network(Entry create_builder);
std::unique_ptr<Engine> new_engine(Entry create_runtime, rust::Slice<uint8_t const> plan);
int32_t header_version() noexcept;
} // namespace trt114
namespace sdk
{
std::unique_ptr<Network> new_network(Entry create_builder);
std::unique_ptr<Engine> new_engine(Entry create_runtime, rust::Slice<uint8_t const> plan);
int32_t header_version() noexcept;
} // namespace sdk

} // namespace onnx2plan
