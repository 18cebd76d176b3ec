// TensorRT-RTX 1.5 and later, through the headers of 1.7.
//
// The namespace is renamed because the sets share class names but not layouts; without it the
// linker would merge their inline functions.
#define nvinfer1 nvinfer1_rtx17
#define ONNX2PLAN_SET rtx17
#define ONNX2PLAN_NETWORK_FLAGS 0U
#define ONNX2PLAN_MONITOR 1
#define ONNX2PLAN_STREAM 1

#include "TRT-RTX-1.7/NvInfer.h"

#include "impl.hpp"
