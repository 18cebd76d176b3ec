// How the plan is built, and building it. Part of impl.hpp.

void NetworkImpl::set_flag(BuilderFlag flag, bool on)
{
    if (on)
    {
        config_->setFlag(native(flag));
    }
    else
    {
        config_->clearFlag(native(flag));
    }
    check();
}

void NetworkImpl::set_tensor_type(uint32_t at, DType dtype)
{
    auto const set = [&](auto& tensor)
    {
        if constexpr (requires { tensor.setType(nv::DataType::kFLOAT); })
        {
            tensor.setType(native(dtype));
        }
        else
        {
            missing<int>("choice of types: they follow from the operands");
        }
    };
    set(tensor(at));
    check();
}

DType NetworkImpl::constrain(uint32_t at, int32_t output, DType dtype)
{
    auto const set = [&](auto& layer)
    {
        if constexpr (requires { layer.setPrecision(nv::DataType::kFLOAT); })
        {
            // A constant or a cast computes nothing.
            if (layer.getType() != nv::LayerType::kCONSTANT &&
                layer.getType() != nv::LayerType::kCAST)
            {
                layer.setPrecision(native(dtype));
            }
            layer.setOutputType(output, native(dtype));
        }
        else
        {
            missing<int>("choice of types: they follow from the operands");
        }
    };
    set(need(tensors_.at(at).layer));
    auto const type = tensor(at).getType();
    check();
    return ours(type);
}

void NetworkImpl::set_compute_capabilities(rust::Slice<uint32_t const> targets)
{
    auto const set = [&](auto& config)
    {
        if constexpr (requires { config.setNbComputeCapabilities(1); })
        {
            using Capability = decltype(config.getComputeCapability(0));
            expect(config.setNbComputeCapabilities(static_cast<int32_t>(targets.size())),
                "the number of targets");
            for (size_t i = 0; i < targets.size(); ++i)
            {
                // The enumerators' numbers are the capabilities; TensorRT refuses those it does not
                // know.
                auto const set = config.setComputeCapability(
                    static_cast<Capability>(targets[i]), static_cast<int32_t>(i));
                expect(set, "a target");
            }
        }
        else
        {
            missing<int>("choice of compute capabilities: it builds for the GPU of this machine");
        }
    };
    set(*config_);
}

void NetworkImpl::set_optimization_level(int32_t level)
{
    config_->setBuilderOptimizationLevel(level);
    check();
}

void NetworkImpl::set_workspace_limit(uint64_t bytes)
{
    config_->setMemoryPoolLimit(nv::MemoryPoolType::kWORKSPACE, bytes);
    check();
}

bool set_values(auto& profile, char const* input, nv::OptProfileSelector which,
    rust::Vec<int64_t> const& values)
{
    auto const count = static_cast<int32_t>(values.size());
    if constexpr (requires { profile.setShapeValuesV2(input, which, values.data(), count); })
    {
        return profile.setShapeValuesV2(input, which, values.data(), count);
    }
    else
    {
        std::vector<int32_t> narrow;
        for (auto value : values)
        {
            narrow.push_back(static_cast<int32_t>(value));
            if (narrow.back() != value)
            {
                throw std::invalid_argument(set_name() +
                                            " has shape values of 32 bits, too few for " +
                                            std::to_string(value));
            }
        }
        return profile.setShapeValues(input, which, narrow.data(), count);
    }
}

void NetworkImpl::add_profile(rust::Slice<Range const> ranges)
{
    // The builder owns it.
    auto& profile = need(builder_->createOptimizationProfile());
    for (auto const& range : ranges)
    {
        std::string const input(range.input);
        auto const set = [&](nv::OptProfileSelector which, rust::Vec<int64_t> const& values)
        {
            auto const done = range.values ? set_values(profile, input.c_str(), which, values)
                                           : profile.setDimensions(input.c_str(), which,
                                                 native(Dims(values.data(), values.size())));
            expect(done, ("the profile of `" + input + "`").c_str());
        };
        set(nv::OptProfileSelector::kMIN, range.min);
        set(nv::OptProfileSelector::kOPT, range.opt);
        set(nv::OptProfileSelector::kMAX, range.max);
    }
    expect(config_->addOptimizationProfile(&profile) >= 0, "the profile");
}

void NetworkImpl::build(Job const& job, [[maybe_unused]] bool in_pieces)
{
    auto const at_once = [&]
    {
        std::unique_ptr<nv::IHostMemory> const plan(
            builder_->buildSerializedNetwork(*network_, *config_));
        return plan != nullptr &&
               job.write(rust::Slice(static_cast<uint8_t const*>(plan->data()), plan->size()));
    };
#ifdef ONNX2PLAN_MONITOR
    Monitor monitor(job);
    config_->setProgressMonitor(&monitor);
#endif
#ifdef ONNX2PLAN_STREAM
    Writer writer(job);
    auto const done = in_pieces
                          ? builder_->buildSerializedNetworkToStream(*network_, *config_, writer)
                          : at_once();
#else
    auto const done = at_once();
#endif
#ifdef ONNX2PLAN_MONITOR
    config_->setProgressMonitor(nullptr);
#endif
    if (!done)
    {
        expect(false, "to build");
    }
    // A build that succeeds may have recorded tactics that failed.
    for (auto const& message : recorder_.take())
    {
        log_line(Severity::Warning, bytes_of(message.c_str()));
    }
}
