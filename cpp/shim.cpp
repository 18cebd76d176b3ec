// Picks the implementation that speaks to a library.
#include "onnx2plan/src/trt/ffi.rs.h"

#include <stdexcept>

namespace onnx2plan
{

std::unique_ptr<Network> new_network(HeaderSet set, Entry create_builder)
{
    switch (set)
    {
    case HeaderSet::Rtx17: return rtx17::new_network(create_builder);
    case HeaderSet::Trt114: return trt114::new_network(create_builder);
#ifdef ONNX2PLAN_SDK
    case HeaderSet::Sdk: return sdk::new_network(create_builder);
#endif
    default: throw std::invalid_argument("these TensorRT headers are not built in");
    }
}

std::unique_ptr<Engine> new_engine(
    HeaderSet set, Entry create_runtime, rust::Slice<uint8_t const> plan)
{
    switch (set)
    {
    case HeaderSet::Rtx17: return rtx17::new_engine(create_runtime, plan);
    case HeaderSet::Trt114: return trt114::new_engine(create_runtime, plan);
#ifdef ONNX2PLAN_SDK
    case HeaderSet::Sdk: return sdk::new_engine(create_runtime, plan);
#endif
    default: throw std::invalid_argument("these TensorRT headers are not built in");
    }
}

std::int32_t header_version(HeaderSet set) noexcept
{
    switch (set)
    {
    case HeaderSet::Rtx17: return rtx17::header_version();
    case HeaderSet::Trt114: return trt114::header_version();
#ifdef ONNX2PLAN_SDK
    case HeaderSet::Sdk: return sdk::header_version();
#endif
    default: return 0;
    }
}

} // namespace onnx2plan
