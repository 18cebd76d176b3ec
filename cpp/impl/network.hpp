// Builder, network and configuration, and the numbers that stand for tensors. Part of impl.hpp.

class NetworkImpl final : public Network
{
public:
    explicit NetworkImpl(Entry create_builder)
        : builder_(IdleBuilders::all().take(create_builder), {create_builder})
    {
        using CreateBuilder = void* (*)(void*, int32_t) noexcept;
        auto const create = reinterpret_cast<CreateBuilder>(create_builder);
        // TensorRT takes the address of its own base class, which need not be that of ours.
        auto* const log = static_cast<nv::ILogger*>(&logger());
        if (!builder_)
        {
            builder_.reset(&need(static_cast<nv::IBuilder*>(create(log, NV_TENSORRT_VERSION))));
        }
        builder_->setErrorRecorder(&recorder_);
        network_.reset(&need(builder_->createNetworkV2(ONNX2PLAN_NETWORK_FLAGS)));
        config_.reset(&need(builder_->createBuilderConfig()));
        check();
    }

    void set_label(rust::Str name, rust::Str metadata) override
    {
        name_ = std::string(name);
        metadata_ = std::string(metadata);
    }

    void set_tensor_name(uint32_t at, rust::Str name) override
    {
        tensor(at).setName(std::string(name).c_str());
        check();
    }

    void set_dimension_name(uint32_t at, int32_t index, rust::Str name) override
    {
        tensor(at).setDimensionName(index, std::string(name).c_str());
        check();
    }

    Outputs add_input(rust::Str name, DType dtype, Dims dims) override
    {
        auto& input =
            need(network_->addInput(std::string(name).c_str(), native(dtype), native(dims)));
        Outputs outputs;
        outputs.push_back(take(input, nullptr));
        check();
        return outputs;
    }

    void mark_output(uint32_t at) override
    {
        network_->markOutput(tensor(at));
        check();
    }

    Outputs add_activation(Activation const& layer) override;
    Outputs add_cast(uint32_t input, DType to) override;
    Outputs add_concatenation(rust::Slice<uint32_t const> inputs, int32_t axis) override;
    Outputs add_constant(Constant const& layer) override;
    Outputs add_convolution(Convolution const& layer) override;
    Outputs add_deconvolution(Convolution const& layer) override;
    Outputs add_cumulative(Cumulative const& layer) override;
    Outputs add_quantize(Quantize const& layer) override;
    Outputs add_dequantize(Quantize const& layer) override;
    Outputs add_einsum(rust::Slice<uint32_t const> inputs, rust::Str equation) override;
    Outputs add_elementwise(uint32_t left, uint32_t right, ElementWiseOperation operation) override;
    Outputs add_fill(Fill const& layer) override;
    Outputs add_gather(Gather const& layer) override;
    Outputs add_grid_sample(GridSample const& layer) override;
    Outputs add_identity(uint32_t input) override;
    Outputs add_lrn(Lrn const& layer) override;
    Outputs add_matrix_multiply(MatrixMultiply const& layer) override;
    Outputs add_nms(Nms const& layer) override;
    Outputs add_non_zero(uint32_t input, DType indices) override;
    Outputs add_normalization(Normalization const& layer) override;
    Outputs add_one_hot(uint32_t indices, uint32_t values, uint32_t depth, int32_t axis) override;
    Outputs add_parametric_relu(uint32_t input, uint32_t slope) override;
    Outputs add_pooling(Pooling const& layer) override;
    Outputs add_reduce(Reduce const& layer) override;
    Outputs add_resize(Resize const& layer) override;
    Outputs add_reverse_sequence(
        uint32_t input, uint32_t lengths, int32_t batch_axis, int32_t sequence_axis) override;
    Outputs add_rnn(Rnn const& layer) override;
    Outputs add_scale(Scale const& layer) override;
    Outputs add_scatter(Scatter const& layer) override;
    Outputs add_select(uint32_t condition, uint32_t then_input, uint32_t else_input) override;
    Outputs add_shape(uint32_t input) override;
    Outputs add_shuffle(Shuffle const& layer) override;
    Outputs add_slice(Slice const& layer) override;
    Outputs add_softmax(uint32_t input, uint32_t axes_mask) override;
    Outputs add_squeeze(uint32_t input, uint32_t axes) override;
    Outputs add_unsqueeze(uint32_t input, uint32_t axes) override;
    Outputs add_top_k(TopK const& layer) override;
    Outputs add_unary(uint32_t input, UnaryOperation operation) override;

    uint32_t add_loop() override;
    void add_trip_limit(uint32_t at, uint32_t input, TripLimitKind kind) override;
    Outputs add_iterator(uint32_t at, uint32_t input, int32_t axis, bool reverse) override;
    Outputs add_recurrence(uint32_t at, uint32_t initial) override;
    void close_recurrence(uint32_t recurrence, uint32_t body) override;
    Outputs add_loop_output(
        uint32_t at, uint32_t input, LoopOutputKind kind, int32_t axis, uint32_t length) override;

    uint32_t add_conditional(uint32_t condition) override;
    Outputs add_conditional_input(uint32_t at, uint32_t input) override;
    Outputs add_conditional_output(
        uint32_t at, uint32_t then_output, uint32_t else_output) override;

    void set_tensor_type(uint32_t at, DType dtype) override;
    DType constrain(uint32_t at, int32_t output, DType dtype) override;
    void set_flag(BuilderFlag flag, bool on) override;
    void set_compute_capabilities(rust::Slice<uint32_t const> targets) override;
    void set_optimization_level(int32_t level) override;
    void set_workspace_limit(uint64_t bytes) override;
    void add_profile(rust::Slice<Range const> ranges) override;
    void build(Job const& job, bool in_pieces) override;

private:
    struct Made
    {
        nv::ITensor* tensor;
        // Its maker; null for inputs of the network.
        nv::ILayer* layer;
    };

    void check()
    {
        recorder_.check();
    }

    void expect(bool done, char const* what)
    {
        recorder_.expect(done, what);
    }

    template <class T> T& need(T* pointer)
    {
        return recorder_.need(pointer, "a call");
    }

    // A new layer under the current label. Named at once, because TensorRT's messages use the name.
    template <class Layer> Layer& made(Layer* layer)
    {
        need(layer);
        layer->setName(name_.c_str());
        layer->setMetadata(metadata_.c_str());
        return *layer;
    }

    // Ends an `add_…` call: numbers the outputs.
    //
    // Types and shapes are asked for even where nobody needs them: TensorRT-RTX rejects loops in
    // whose bodies nobody asked, and this is where a wrong attribute shows.
    Outputs finish(nv::ILayer& layer)
    {
        Outputs outputs;
        for (int32_t i = 0; i < layer.getNbOutputs(); ++i)
        {
            outputs.push_back(take(need(layer.getOutput(i)), &layer));
        }
        check();
        return outputs;
    }

    Output take(nv::ITensor& tensor, nv::ILayer* layer)
    {
        auto const type = tensor.getType();
        auto const dims = tensor.getDimensions();
        check();
        Output output{static_cast<uint32_t>(tensors_.size()), ours(type), {}};
        if (dims.nbDims < 0)
        {
            throw std::runtime_error("TensorRT cannot tell the shape of an output");
        }
        for (int32_t i = 0; i < dims.nbDims; ++i)
        {
            output.dims.push_back(dims.d[i]);
        }
        tensors_.push_back({&tensor, layer});
        return output;
    }

    nv::ITensor& tensor(uint32_t at)
    {
        return *tensors_.at(at).tensor;
    }

    std::vector<nv::ITensor*> tensors(rust::Slice<uint32_t const> handles)
    {
        std::vector<nv::ITensor*> out;
        for (auto handle : handles)
        {
            out.push_back(&tensor(handle));
        }
        return out;
    }

    void set_optional_input(nv::ILayer& layer, int32_t index, uint32_t handle)
    {
        if (handle != no_tensor)
        {
            layer.setInput(index, tensor(handle));
        }
    }

    // The recurrent layer, through functions that only TensorRT 8 has.
    template <class Layer, class Operation>
    Outputs add_rnn(Layer* (nv::INetworkDefinition::*add)(
                        nv::ITensor&, int32_t, int32_t, int32_t, Operation) noexcept,
        Rnn const& attributes);

    // What convolution and deconvolution have in common.
    template <class Layer> Outputs finish_convolution(Layer& layer, Convolution const& attributes);

    // Freed from the last to the first: TensorRT wants the builder to outlive what it made, and the
    // recorder all.
    Recorder recorder_;
    BuilderPtr builder_;
    std::unique_ptr<nv::INetworkDefinition> network_;
    std::unique_ptr<nv::IBuilderConfig> config_;

    std::string name_;
    std::string metadata_;
    std::vector<Made> tensors_;
    std::vector<nv::ILoop*> loops_;
    std::vector<nv::IIfConditional*> conditionals_;
};
