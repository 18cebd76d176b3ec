// The implementation, compiled once per header set. A wrapper includes one set of TensorRT headers
// first and defines
//
//   ONNX2PLAN_SET            namespace of this copy
//   ONNX2PLAN_NETWORK_FLAGS  what createNetworkV2 takes for explicit batch and strong typing
//   ONNX2PLAN_MONITOR        if the set has IProgressMonitor
//   ONNX2PLAN_STREAM         if the set can write a plan to an IStreamWriter
//
// Everything else in which the sets differ is asked of the headers by `requires`.
#pragma once

#include "onnx2plan/src/trt/ffi.rs.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace onnx2plan::ONNX2PLAN_SET
{
namespace
{

namespace nv = ::nvinfer1;

#include "impl/callbacks.hpp"
#include "impl/values.hpp"
#include "impl/builders.hpp"
#include "impl/network.hpp"
#include "impl/layers.hpp"
#include "impl/control.hpp"
#include "impl/config.hpp"
#include "impl/runtime.hpp"

} // namespace

std::unique_ptr<Network> new_network(Entry create_builder)
{
    return std::make_unique<NetworkImpl>(create_builder);
}

std::unique_ptr<Engine> new_engine(Entry create_runtime, rust::Slice<uint8_t const> plan)
{
    return std::make_unique<EngineImpl>(create_runtime, plan);
}

int32_t header_version() noexcept
{
    return NV_TENSORRT_VERSION;
}

} // namespace onnx2plan::ONNX2PLAN_SET
