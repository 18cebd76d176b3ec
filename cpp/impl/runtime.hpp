// A plan in memory, ready to run. Part of impl.hpp.

// Room that the caller has set aside for an output whose shape only the run knows, and that shape.
class OutputMemory final : public nv::IOutputAllocator
{
public:
    OutputMemory(uint64_t address, uint64_t bytes)
        : address_(reinterpret_cast<void*>(address)), bytes_(bytes)
    {
    }

    // TensorRT 8 calls the first, TensorRT-RTX the second; neither set of headers has both, so
    // neither says `override`.
    void* reallocateOutput(char const*, void*, uint64_t size, uint64_t) noexcept
    {
        return size <= bytes_ ? address_ : nullptr;
    }
    void* reallocateOutputAsync(char const*, void*, uint64_t size, uint64_t, cudaStream_t) noexcept
    {
        return size <= bytes_ ? address_ : nullptr;
    }
    void notifyShape(char const*, nv::Dims const& dims) noexcept override
    {
        dims_ = dims;
    }

    nv::Dims const& dims() const
    {
        return dims_;
    }

private:
    void* address_;
    uint64_t bytes_;
    nv::Dims dims_{};
};

rust::Vec<int64_t> sizes_of(nv::Dims const& dims)
{
    rust::Vec<int64_t> out;
    for (int32_t i = 0; i < dims.nbDims; ++i)
    {
        out.push_back(dims.d[i]);
    }
    return out;
}

class EngineImpl final : public Engine
{
public:
    EngineImpl(Entry create_runtime, rust::Slice<uint8_t const> plan)
    {
        using CreateRuntime = void* (*)(void*, int32_t) noexcept;
        auto const create = reinterpret_cast<CreateRuntime>(create_runtime);
        auto* const log = static_cast<nv::ILogger*>(&logger());
        runtime_.reset(&recorder_.need(
            static_cast<nv::IRuntime*>(create(log, NV_TENSORRT_VERSION)), "to make a runtime"));
        runtime_->setErrorRecorder(&recorder_);
        engine_.reset(
            &recorder_.need(runtime_->deserializeCudaEngine(plan.data(), plan.size()), "the plan"));
        engine_->setErrorRecorder(&recorder_);
        context_.reset(
            &recorder_.need(engine_->createExecutionContext(), "to make an execution context"));
        context_->setErrorRecorder(&recorder_);
        recorder_.check();
    }

    rust::Vec<Binding> bindings() override
    {
        rust::Vec<Binding> out;
        for (int32_t i = 0; i < engine_->getNbIOTensors(); ++i)
        {
            auto const* const name = engine_->getIOTensorName(i);
            out.push_back(Binding{
                name,
                engine_->getTensorIOMode(name) == nv::TensorIOMode::kINPUT,
                engine_->getTensorLocation(name) == nv::TensorLocation::kHOST,
                ours(engine_->getTensorDataType(name)),
                sizes_of(engine_->getTensorShape(name)),
            });
        }
        recorder_.check();
        return out;
    }

    int32_t profiles() override
    {
        return engine_->getNbOptimizationProfiles();
    }

    rust::Vec<int64_t> profile_shape(rust::Str input, int32_t profile, ProfileEnd end) override
    {
        auto const shape =
            engine_->getProfileShape(std::string(input).c_str(), profile, native(end));
        recorder_.check();
        return sizes_of(shape);
    }

    void select_profile(int32_t profile, size_t stream) override
    {
        recorder_.expect(
            context_->setOptimizationProfileAsync(profile, native_stream(stream)), "the profile");
    }

    void set_shape(rust::Str input, Dims dims) override
    {
        recorder_.expect(context_->setInputShape(std::string(input).c_str(), native(dims)),
            "the shape of an input");
    }

    void set_address(rust::Str name, uint64_t address) override
    {
        auto const set =
            context_->setTensorAddress(std::string(name).c_str(), reinterpret_cast<void*>(address));
        recorder_.expect(set, "the address of a tensor");
    }

    void set_output_memory(rust::Str name, uint64_t address, uint64_t bytes) override
    {
        std::string const key(name);
        memories_.erase(key);
        auto const [place, inserted] = memories_.try_emplace(key, address, bytes);
        recorder_.expect(
            context_->setOutputAllocator(key.c_str(), &place->second), "an output allocator");
        set_address(name, address);
    }

    void infer_shapes() override
    {
        // Memory that was set aside for other shapes may be gone, and what was written into it says
        // nothing of these.
        for (auto const& [name, memory] : memories_)
        {
            recorder_.expect(
                context_->setOutputAllocator(name.c_str(), nullptr), "an output without allocator");
        }
        memories_.clear();
        char const* missing_name = nullptr;
        auto const count = context_->inferShapes(1, &missing_name);
        recorder_.check();
        if (count != 0)
        {
            auto const* const name = missing_name == nullptr ? "?" : missing_name;
            throw std::runtime_error(
                std::string("the shapes do not follow from the inputs; missing: ") + name);
        }
    }

    rust::Vec<int64_t> shape(rust::Str name) override
    {
        std::string const key(name);
        auto const memory = memories_.find(key);
        auto const dims = memory == memories_.end() ? context_->getTensorShape(key.c_str())
                                                    : memory->second.dims();
        recorder_.check();
        return sizes_of(dims);
    }

    int64_t most_output_bytes(rust::Str name) override
    {
        auto const bytes = context_->getMaxOutputSize(std::string(name).c_str());
        recorder_.check();
        return bytes;
    }

    void enqueue(size_t stream) override
    {
        recorder_.expect(context_->enqueueV3(native_stream(stream)), "to run");
    }

private:
    static cudaStream_t native_stream(size_t stream)
    {
        return reinterpret_cast<cudaStream_t>(stream);
    }

    // Freed from the last to the first.
    Recorder recorder_;
    std::unique_ptr<nv::IRuntime> runtime_;
    std::unique_ptr<nv::ICudaEngine> engine_;
    std::map<std::string, OutputMemory> memories_;
    std::unique_ptr<nv::IExecutionContext> context_;
};
