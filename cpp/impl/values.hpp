// Our values as TensorRT's. Part of impl.hpp.

std::string set_name()
{
#ifdef TRT_MAJOR_RTX
    std::string const name = "TensorRT-RTX ";
#else
    std::string const name = "TensorRT ";
#endif
    return name + std::to_string(NV_TENSORRT_MAJOR) + "." + std::to_string(NV_TENSORRT_MINOR);
}

// For what these headers lack. The result type only completes expressions; nothing is returned.
template <class T> T missing(std::string const& what)
{
    throw std::runtime_error(set_name() + " has no " + what);
}

// An enumerator if these headers have it, else an exception that names `what`.
#define ONNX2PLAN_IF_ANY(type, enumerator, what)                                                   \
    [](auto any)                                                                                   \
    {                                                                                              \
        using E = decltype(any);                                                                   \
        if constexpr (requires { E::enumerator; })                                                 \
        {                                                                                          \
            return E::enumerator;                                                                  \
        }                                                                                          \
        else                                                                                       \
        {                                                                                          \
            return missing<E>(what);                                                               \
        }                                                                                          \
    }(nv::type{})

[[noreturn]] void unknown(char const* kind)
{
    throw std::invalid_argument(std::string("unknown ") + kind);
}

nv::DataType native(DType value)
{
    switch (value)
    {
    case DType::F32: return nv::DataType::kFLOAT;
    case DType::F16: return nv::DataType::kHALF;
    case DType::BF16: return ONNX2PLAN_IF_ANY(DataType, kBF16, "type bf16");
    case DType::I8: return nv::DataType::kINT8;
    case DType::U8: return nv::DataType::kUINT8;
    case DType::I32: return nv::DataType::kINT32;
    case DType::I64: return ONNX2PLAN_IF_ANY(DataType, kINT64, "type i64");
    case DType::Bool: return nv::DataType::kBOOL;
    case DType::F8E4M3: return nv::DataType::kFP8;
    case DType::I4: return ONNX2PLAN_IF_ANY(DataType, kINT4, "type i4");
    case DType::F4E2M1: return ONNX2PLAN_IF_ANY(DataType, kFP4, "type f4e2m1");
    case DType::F8E8M0: return ONNX2PLAN_IF_ANY(DataType, kE8M0, "type f8e8m0");
    }
    unknown("type");
}

DType ours(nv::DataType value)
{
    for (auto dtype : {DType::F32, DType::F16, DType::I8, DType::U8, DType::I32, DType::Bool,
             DType::F8E4M3, DType::I64, DType::BF16, DType::I4, DType::F4E2M1, DType::F8E8M0})
    {
        if (native(dtype) == value)
        {
            return dtype;
        }
    }
    unknown("type from TensorRT");
}

int64_t bits_of(DType value)
{
    switch (value)
    {
    case DType::I64: return 64;
    case DType::F32:
    case DType::I32: return 32;
    case DType::F16:
    case DType::BF16: return 16;
    case DType::I4:
    case DType::F4E2M1: return 4;
    default: return 8;
    }
}

nv::ActivationType native(ActivationType value)
{
    switch (value)
    {
    case ActivationType::Relu: return nv::ActivationType::kRELU;
    case ActivationType::Sigmoid: return nv::ActivationType::kSIGMOID;
    case ActivationType::Tanh: return nv::ActivationType::kTANH;
    case ActivationType::LeakyRelu: return nv::ActivationType::kLEAKY_RELU;
    case ActivationType::Elu: return nv::ActivationType::kELU;
    case ActivationType::Selu: return nv::ActivationType::kSELU;
    case ActivationType::Softsign: return nv::ActivationType::kSOFTSIGN;
    case ActivationType::Softplus: return nv::ActivationType::kSOFTPLUS;
    case ActivationType::Clip: return nv::ActivationType::kCLIP;
    case ActivationType::HardSigmoid: return nv::ActivationType::kHARD_SIGMOID;
    case ActivationType::ScaledTanh: return nv::ActivationType::kSCALED_TANH;
    case ActivationType::ThresholdedRelu: return nv::ActivationType::kTHRESHOLDED_RELU;
    case ActivationType::GeluErf:
        return ONNX2PLAN_IF_ANY(ActivationType, kGELU_ERF, "activation GELU_ERF");
    case ActivationType::GeluTanh:
        return ONNX2PLAN_IF_ANY(ActivationType, kGELU_TANH, "activation GELU_TANH");
    }
    unknown("activation");
}

nv::ElementWiseOperation native(ElementWiseOperation value)
{
    switch (value)
    {
    case ElementWiseOperation::Sum: return nv::ElementWiseOperation::kSUM;
    case ElementWiseOperation::Prod: return nv::ElementWiseOperation::kPROD;
    case ElementWiseOperation::Max: return nv::ElementWiseOperation::kMAX;
    case ElementWiseOperation::Min: return nv::ElementWiseOperation::kMIN;
    case ElementWiseOperation::Sub: return nv::ElementWiseOperation::kSUB;
    case ElementWiseOperation::Div: return nv::ElementWiseOperation::kDIV;
    case ElementWiseOperation::Pow: return nv::ElementWiseOperation::kPOW;
    case ElementWiseOperation::FloorDiv: return nv::ElementWiseOperation::kFLOOR_DIV;
    case ElementWiseOperation::And: return nv::ElementWiseOperation::kAND;
    case ElementWiseOperation::Or: return nv::ElementWiseOperation::kOR;
    case ElementWiseOperation::Xor: return nv::ElementWiseOperation::kXOR;
    case ElementWiseOperation::Equal: return nv::ElementWiseOperation::kEQUAL;
    case ElementWiseOperation::Greater: return nv::ElementWiseOperation::kGREATER;
    case ElementWiseOperation::Less: return nv::ElementWiseOperation::kLESS;
    }
    unknown("elementwise operation");
}

nv::UnaryOperation native(UnaryOperation value)
{
    switch (value)
    {
    case UnaryOperation::Exp: return nv::UnaryOperation::kEXP;
    case UnaryOperation::Log: return nv::UnaryOperation::kLOG;
    case UnaryOperation::Sqrt: return nv::UnaryOperation::kSQRT;
    case UnaryOperation::Recip: return nv::UnaryOperation::kRECIP;
    case UnaryOperation::Abs: return nv::UnaryOperation::kABS;
    case UnaryOperation::Neg: return nv::UnaryOperation::kNEG;
    case UnaryOperation::Sin: return nv::UnaryOperation::kSIN;
    case UnaryOperation::Cos: return nv::UnaryOperation::kCOS;
    case UnaryOperation::Tan: return nv::UnaryOperation::kTAN;
    case UnaryOperation::Sinh: return nv::UnaryOperation::kSINH;
    case UnaryOperation::Cosh: return nv::UnaryOperation::kCOSH;
    case UnaryOperation::Asin: return nv::UnaryOperation::kASIN;
    case UnaryOperation::Acos: return nv::UnaryOperation::kACOS;
    case UnaryOperation::Atan: return nv::UnaryOperation::kATAN;
    case UnaryOperation::Asinh: return nv::UnaryOperation::kASINH;
    case UnaryOperation::Acosh: return nv::UnaryOperation::kACOSH;
    case UnaryOperation::Atanh: return nv::UnaryOperation::kATANH;
    case UnaryOperation::Ceil: return nv::UnaryOperation::kCEIL;
    case UnaryOperation::Floor: return nv::UnaryOperation::kFLOOR;
    case UnaryOperation::Erf: return nv::UnaryOperation::kERF;
    case UnaryOperation::Not: return nv::UnaryOperation::kNOT;
    case UnaryOperation::Sign: return nv::UnaryOperation::kSIGN;
    case UnaryOperation::Round: return nv::UnaryOperation::kROUND;
    case UnaryOperation::IsInf: return nv::UnaryOperation::kISINF;
    case UnaryOperation::IsNan:
        return ONNX2PLAN_IF_ANY(UnaryOperation, kISNAN, "unary operation ISNAN");
    }
    unknown("unary operation");
}

nv::ReduceOperation native(ReduceOperation value)
{
    switch (value)
    {
    case ReduceOperation::Sum: return nv::ReduceOperation::kSUM;
    case ReduceOperation::Prod: return nv::ReduceOperation::kPROD;
    case ReduceOperation::Max: return nv::ReduceOperation::kMAX;
    case ReduceOperation::Min: return nv::ReduceOperation::kMIN;
    case ReduceOperation::Avg: return nv::ReduceOperation::kAVG;
    }
    unknown("reduction");
}

nv::PoolingType native(PoolingType value)
{
    switch (value)
    {
    case PoolingType::Max: return nv::PoolingType::kMAX;
    case PoolingType::Average: return nv::PoolingType::kAVERAGE;
    case PoolingType::MaxAverageBlend: return nv::PoolingType::kMAX_AVERAGE_BLEND;
    }
    unknown("pooling");
}

nv::PaddingMode native(PaddingMode value)
{
    switch (value)
    {
    case PaddingMode::ExplicitRoundDown: return nv::PaddingMode::kEXPLICIT_ROUND_DOWN;
    case PaddingMode::ExplicitRoundUp: return nv::PaddingMode::kEXPLICIT_ROUND_UP;
    case PaddingMode::SameUpper: return nv::PaddingMode::kSAME_UPPER;
    case PaddingMode::SameLower: return nv::PaddingMode::kSAME_LOWER;
    case PaddingMode::CaffeRoundDown:
        return ONNX2PLAN_IF_ANY(PaddingMode, kCAFFE_ROUND_DOWN, "padding mode CAFFE_ROUND_DOWN");
    case PaddingMode::CaffeRoundUp:
        return ONNX2PLAN_IF_ANY(PaddingMode, kCAFFE_ROUND_UP, "padding mode CAFFE_ROUND_UP");
    }
    unknown("padding mode");
}

nv::ScaleMode native(ScaleMode value)
{
    switch (value)
    {
    case ScaleMode::Uniform: return nv::ScaleMode::kUNIFORM;
    case ScaleMode::Channel: return nv::ScaleMode::kCHANNEL;
    case ScaleMode::ElementWise: return nv::ScaleMode::kELEMENTWISE;
    }
    unknown("scale mode");
}

nv::GatherMode native(GatherMode value)
{
    switch (value)
    {
    case GatherMode::Default: return nv::GatherMode::kDEFAULT;
    case GatherMode::Element: return nv::GatherMode::kELEMENT;
    case GatherMode::Nd: return nv::GatherMode::kND;
    }
    unknown("gather mode");
}

nv::ScatterMode native(ScatterMode value)
{
    switch (value)
    {
    case ScatterMode::Element: return nv::ScatterMode::kELEMENT;
    case ScatterMode::Nd: return nv::ScatterMode::kND;
    }
    unknown("scatter mode");
}

nv::FillOperation native(FillOperation value)
{
    switch (value)
    {
    case FillOperation::Linspace: return nv::FillOperation::kLINSPACE;
    case FillOperation::RandomUniform: return nv::FillOperation::kRANDOM_UNIFORM;
    case FillOperation::RandomNormal: return nv::FillOperation::kRANDOM_NORMAL;
    }
    unknown("fill operation");
}

nv::MatrixOperation native(MatrixOperation value)
{
    switch (value)
    {
    case MatrixOperation::None: return nv::MatrixOperation::kNONE;
    case MatrixOperation::Transpose: return nv::MatrixOperation::kTRANSPOSE;
    case MatrixOperation::Vector: return nv::MatrixOperation::kVECTOR;
    }
    unknown("matrix operation");
}

nv::TopKOperation native(TopKOperation value)
{
    switch (value)
    {
    case TopKOperation::Max: return nv::TopKOperation::kMAX;
    case TopKOperation::Min: return nv::TopKOperation::kMIN;
    }
    unknown("top-k operation");
}

nv::SampleMode native(SampleMode value)
{
    switch (value)
    {
    case SampleMode::StrictBounds: return nv::SampleMode::kSTRICT_BOUNDS;
    case SampleMode::Wrap: return nv::SampleMode::kWRAP;
    case SampleMode::Clamp: return nv::SampleMode::kCLAMP;
    case SampleMode::Fill: return nv::SampleMode::kFILL;
    case SampleMode::Reflect: return nv::SampleMode::kREFLECT;
    }
    unknown("sample mode");
}

nv::InterpolationMode native(InterpolationMode value)
{
    switch (value)
    {
    case InterpolationMode::Nearest: return nv::InterpolationMode::kNEAREST;
    case InterpolationMode::Linear: return nv::InterpolationMode::kLINEAR;
    case InterpolationMode::Cubic: return nv::InterpolationMode::kCUBIC;
    }
    unknown("interpolation mode");
}

nv::ResizeCoordinateTransformation native(CoordinateTransformation value)
{
    switch (value)
    {
    case CoordinateTransformation::AlignCorners:
        return nv::ResizeCoordinateTransformation::kALIGN_CORNERS;
    case CoordinateTransformation::Asymmetric:
        return nv::ResizeCoordinateTransformation::kASYMMETRIC;
    case CoordinateTransformation::HalfPixel:
        return nv::ResizeCoordinateTransformation::kHALF_PIXEL;
    }
    unknown("coordinate transformation");
}

nv::ResizeSelector native(ResizeSelector value)
{
    switch (value)
    {
    case ResizeSelector::Formula: return nv::ResizeSelector::kFORMULA;
    case ResizeSelector::Upper: return nv::ResizeSelector::kUPPER;
    }
    unknown("resize selector");
}

nv::ResizeRoundMode native(ResizeRoundMode value)
{
    switch (value)
    {
    case ResizeRoundMode::HalfUp: return nv::ResizeRoundMode::kHALF_UP;
    case ResizeRoundMode::HalfDown: return nv::ResizeRoundMode::kHALF_DOWN;
    case ResizeRoundMode::Floor: return nv::ResizeRoundMode::kFLOOR;
    case ResizeRoundMode::Ceil: return nv::ResizeRoundMode::kCEIL;
    }
    unknown("rounding");
}

nv::LoopOutput native(LoopOutputKind value)
{
    switch (value)
    {
    case LoopOutputKind::LastValue: return nv::LoopOutput::kLAST_VALUE;
    case LoopOutputKind::Concatenate: return nv::LoopOutput::kCONCATENATE;
    case LoopOutputKind::Reverse: return nv::LoopOutput::kREVERSE;
    }
    unknown("loop output");
}

nv::TripLimit native(TripLimitKind value)
{
    switch (value)
    {
    case TripLimitKind::Count: return nv::TripLimit::kCOUNT;
    case TripLimitKind::While: return nv::TripLimit::kWHILE;
    }
    unknown("trip limit");
}

nv::BoundingBoxFormat native(BoundingBoxFormat value)
{
    switch (value)
    {
    case BoundingBoxFormat::CornerPairs: return nv::BoundingBoxFormat::kCORNER_PAIRS;
    case BoundingBoxFormat::CenterSizes: return nv::BoundingBoxFormat::kCENTER_SIZES;
    }
    unknown("box format");
}

nv::BuilderFlag native(BuilderFlag value)
{
    switch (value)
    {
    case BuilderFlag::Tf32: return nv::BuilderFlag::kTF32;
    case BuilderFlag::Fp16: return ONNX2PLAN_IF_ANY(BuilderFlag, kFP16, "flag FP16");
    case BuilderFlag::Bf16: return ONNX2PLAN_IF_ANY(BuilderFlag, kBF16, "flag BF16");
    case BuilderFlag::Int8: return ONNX2PLAN_IF_ANY(BuilderFlag, kINT8, "flag INT8");
    case BuilderFlag::Fp8: return ONNX2PLAN_IF_ANY(BuilderFlag, kFP8, "flag FP8");
    case BuilderFlag::ObeyPrecisionConstraints:
        return ONNX2PLAN_IF_ANY(
            BuilderFlag, kOBEY_PRECISION_CONSTRAINTS, "flag OBEY_PRECISION_CONSTRAINTS");
    case BuilderFlag::SparseWeights: return nv::BuilderFlag::kSPARSE_WEIGHTS;
    case BuilderFlag::Refit: return nv::BuilderFlag::kREFIT;
    case BuilderFlag::StripPlan:
        return ONNX2PLAN_IF_ANY(BuilderFlag, kSTRIP_PLAN, "flag STRIP_PLAN");
    case BuilderFlag::RefitIdentical:
        return ONNX2PLAN_IF_ANY(BuilderFlag, kREFIT_IDENTICAL, "flag REFIT_IDENTICAL");
    case BuilderFlag::WeightStreaming:
        return ONNX2PLAN_IF_ANY(BuilderFlag, kWEIGHT_STREAMING, "flag WEIGHT_STREAMING");
    case BuilderFlag::StrictNans:
        return ONNX2PLAN_IF_ANY(BuilderFlag, kSTRICT_NANS, "flag STRICT_NANS");
    case BuilderFlag::VersionCompatible: return nv::BuilderFlag::kVERSION_COMPATIBLE;
    case BuilderFlag::ExcludeLeanRuntime: return nv::BuilderFlag::kEXCLUDE_LEAN_RUNTIME;
    }
    unknown("builder flag");
}

// TensorRT holds 8 sizes and reads past them without a look.
nv::Dims native(Dims dims)
{
    using Size = std::remove_cvref_t<decltype(nv::Dims{}.d[0])>;
    if (dims.size() > nv::Dims::MAX_DIMS)
    {
        throw std::invalid_argument("TensorRT tensors have at most 8 dimensions, but here are " +
                                    std::to_string(dims.size()));
    }
    nv::Dims out{};
    out.nbDims = static_cast<int32_t>(dims.size());
    for (size_t i = 0; i < dims.size(); ++i)
    {
        out.d[i] = static_cast<Size>(dims[i]);
        if (out.d[i] != dims[i])
        {
            throw std::invalid_argument(
                set_name() + " has sizes of 32 bits, too few for " + std::to_string(dims[i]));
        }
    }
    return out;
}

nv::Permutation permutation(Dims order)
{
    nv::Permutation out{};
    if (order.size() > nv::Dims::MAX_DIMS)
    {
        throw std::invalid_argument("a permutation of more than 8 axes");
    }
    for (size_t i = 0; i < order.size(); ++i)
    {
        out.order[i] = static_cast<int32_t>(order[i]);
    }
    return out;
}

// TensorRT reads as many elements as it is told, so the count follows from the memory there is.
nv::Weights native(Weights const& weights)
{
    auto const count = static_cast<int64_t>(weights.data.size()) * 8 / bits_of(weights.dtype);
    return {native(weights.dtype), count == 0 ? nullptr : weights.data.data(), count};
}

nv::OptProfileSelector native(ProfileEnd value)
{
    switch (value)
    {
    case ProfileEnd::Min: return nv::OptProfileSelector::kMIN;
    case ProfileEnd::Opt: return nv::OptProfileSelector::kOPT;
    case ProfileEnd::Max: return nv::OptProfileSelector::kMAX;
    }
    unknown("end of a profile");
}
