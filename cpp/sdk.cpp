// The TensorRT that TENSORRT_ROOT named at build time. See rtx17.cpp for the renamed namespace.
#define nvinfer1 nvinfer1_sdk
#define ONNX2PLAN_SET sdk

#include <NvInfer.h>

// Explicit batch was a choice in 8.x; strong typing became one in 10.x and is the only mode
// since 11.0 and RTX 1.5.
#if defined(TRT_MAJOR_RTX)
#if TRT_MAJOR_RTX == 1 && TRT_MINOR_RTX < 5
#define ONNX2PLAN_NETWORK_FLAGS 2U
#else
#define ONNX2PLAN_NETWORK_FLAGS 0U
#endif
#elif NV_TENSORRT_MAJOR == 8 && NV_TENSORRT_MINOR >= 6
#define ONNX2PLAN_NETWORK_FLAGS 1U
#elif NV_TENSORRT_MAJOR == 10
#define ONNX2PLAN_NETWORK_FLAGS 2U
#elif NV_TENSORRT_MAJOR == 11
#define ONNX2PLAN_NETWORK_FLAGS 0U
#else
#error "TENSORRT_ROOT must hold TensorRT 8.6, 10.x, 11.x or TensorRT-RTX"
#endif

#if defined(TRT_MAJOR_RTX) || NV_TENSORRT_MAJOR >= 10
#define ONNX2PLAN_MONITOR 1
#endif
#if defined(TRT_MAJOR_RTX) || NV_TENSORRT_MAJOR > 10 ||                                            \
    (NV_TENSORRT_MAJOR == 10 && NV_TENSORRT_MINOR >= 13)
#define ONNX2PLAN_STREAM 1
#endif

#include "impl.hpp"
