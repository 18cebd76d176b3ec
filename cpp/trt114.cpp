// TensorRT 11.x, through the headers of 11.4. See rtx17.cpp for the renamed namespace.
#define nvinfer1 nvinfer1_trt114
#define ONNX2PLAN_SET trt114
#define ONNX2PLAN_NETWORK_FLAGS 0U
#define ONNX2PLAN_MONITOR 1
#define ONNX2PLAN_STREAM 1

#include "TRT-Enterprise-11.4/NvInfer.h"

#include "impl.hpp"
