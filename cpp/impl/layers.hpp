// One function per TensorRT layer, in alphabetical order. Part of impl.hpp.

// Counts are 32 bits wide in TensorRT 8 and 64 since.
using Count = decltype(std::declval<nv::ILRNLayer&>().getWindowSize());

Count count_of(int64_t value)
{
    if (static_cast<int64_t>(static_cast<Count>(value)) != value)
    {
        throw std::invalid_argument(
            set_name() + " has counts of 32 bits, too few for " + std::to_string(value));
    }
    return static_cast<Count>(value);
}

Outputs NetworkImpl::add_activation(Activation const& layer)
{
    auto& activation = made(network_->addActivation(tensor(layer.input), native(layer.kind)));
    activation.setAlpha(layer.alpha);
    activation.setBeta(layer.beta);
    return finish(activation);
}

Outputs NetworkImpl::add_cast(uint32_t input, DType to)
{
    return finish(made(network_->addCast(tensor(input), native(to))));
}

Outputs NetworkImpl::add_concatenation(rust::Slice<uint32_t const> inputs, int32_t axis)
{
    auto const operands = tensors(inputs);
    auto& layer =
        made(network_->addConcatenation(operands.data(), static_cast<int32_t>(operands.size())));
    layer.setAxis(axis);
    return finish(layer);
}

Outputs NetworkImpl::add_constant(Constant const& layer)
{
    auto weights = native(layer.weights);
    // Elements of half a byte: the last byte may be half empty.
    if (bits_of(layer.weights.dtype) < 8)
    {
        int64_t volume = 1;
        for (auto size : layer.dims)
        {
            if (__builtin_mul_overflow(volume, size, &volume))
            {
                throw std::invalid_argument(
                    "a constant with more elements than memory can address");
            }
        }
        weights.count = std::min(weights.count, volume);
    }
    return finish(made(network_->addConstant(native(layer.dims), weights)));
}

template <class Layer>
Outputs NetworkImpl::finish_convolution(Layer& layer, Convolution const& attributes)
{
    layer.setStrideNd(native(attributes.stride));
    layer.setPaddingMode(native(attributes.padding_mode));
    layer.setPrePadding(native(attributes.pre_padding));
    layer.setPostPadding(native(attributes.post_padding));
    layer.setDilationNd(native(attributes.dilation));
    layer.setNbGroups(count_of(attributes.groups));
    set_optional_input(layer, 1, attributes.kernel_tensor);
    set_optional_input(layer, 2, attributes.bias_tensor);
    return finish(layer);
}

Outputs NetworkImpl::add_convolution(Convolution const& layer)
{
    auto& made_layer =
        made(network_->addConvolutionNd(tensor(layer.input), count_of(layer.output_maps),
            native(layer.kernel_size), native(layer.kernel), native(layer.bias)));
    return finish_convolution(made_layer, layer);
}

Outputs NetworkImpl::add_deconvolution(Convolution const& layer)
{
    auto& made_layer =
        made(network_->addDeconvolutionNd(tensor(layer.input), count_of(layer.output_maps),
            native(layer.kernel_size), native(layer.kernel), native(layer.bias)));
    return finish_convolution(made_layer, layer);
}

Outputs NetworkImpl::add_cumulative(Cumulative const& layer)
{
    auto& input = tensor(layer.input);
    auto& axis = tensor(layer.axis);
    auto const add = [&](auto& network) -> nv::ILayer*
    {
        // The operation, `{}`, is 0: a sum, the only one there is.
        if constexpr (requires { network.addCumulative(input, axis, {}, true, true); })
        {
            return network.addCumulative(input, axis, {}, layer.exclusive, layer.reverse);
        }
        else
        {
            return missing<nv::ILayer*>("Cumulative layer");
        }
    };
    return finish(made(add(*network_)));
}

Outputs NetworkImpl::add_quantize(Quantize const& layer)
{
    auto& input = tensor(layer.input);
    auto& scale = tensor(layer.scale);
    auto const add = [&](auto& network)
    {
        if constexpr (requires { network.addQuantize(input, scale, native(layer.to)); })
        {
            return network.addQuantize(input, scale, native(layer.to));
        }
        else
        {
            return layer.to == DType::I8
                       ? network.addQuantize(input, scale)
                       : missing<nv::IQuantizeLayer*>("quantization to other types than i8");
        }
    };
    auto& quantize = made(add(*network_));
    if (layer.axis >= 0)
    {
        quantize.setAxis(layer.axis);
    }
    return finish(quantize);
}

Outputs NetworkImpl::add_dequantize(Quantize const& layer)
{
    auto& input = tensor(layer.input);
    auto& scale = tensor(layer.scale);
    auto const add = [&](auto& network)
    {
        if constexpr (requires { network.addDequantize(input, scale, native(layer.to)); })
        {
            return network.addDequantize(input, scale, native(layer.to));
        }
        else
        {
            return layer.to == DType::F32
                       ? network.addDequantize(input, scale)
                       : missing<nv::IDequantizeLayer*>("dequantization to other types than f32");
        }
    };
    auto& dequantize = made(add(*network_));
    if (layer.axis >= 0)
    {
        dequantize.setAxis(layer.axis);
    }
    return finish(dequantize);
}

Outputs NetworkImpl::add_einsum(rust::Slice<uint32_t const> inputs, rust::Str equation)
{
    auto const operands = tensors(inputs);
    return finish(made(network_->addEinsum(
        operands.data(), static_cast<int32_t>(operands.size()), std::string(equation).c_str())));
}

Outputs NetworkImpl::add_elementwise(uint32_t left, uint32_t right, ElementWiseOperation operation)
{
    return finish(made(network_->addElementWise(tensor(left), tensor(right), native(operation))));
}

Outputs NetworkImpl::add_fill(Fill const& layer)
{
    auto const add = [&](auto& network)
    {
        auto const dims = native(layer.dims);
        auto const operation = native(layer.operation);
        if constexpr (requires { network.addFill(dims, operation, nv::DataType::kFLOAT); })
        {
            return network.addFill(dims, operation, native(layer.dtype));
        }
        else
        {
            auto* const fill = network.addFill(dims, operation);
            need(fill).setOutputType(0, native(layer.dtype));
            return fill;
        }
    };
    auto& fill = made(add(*network_));
    auto const set_static = [&](auto& fill)
    {
        if constexpr (requires { fill.setAlphaInt64(0); })
        {
            if (layer.dtype == DType::I64)
            {
                fill.setAlphaInt64(static_cast<int64_t>(layer.alpha));
                fill.setBetaInt64(static_cast<int64_t>(layer.beta));
                return;
            }
        }
        fill.setAlpha(layer.alpha);
        fill.setBeta(layer.beta);
    };
    if (layer.alpha_tensor == no_tensor)
    {
        set_static(fill);
    }
    set_optional_input(fill, 0, layer.dims_tensor);
    set_optional_input(fill, 1, layer.alpha_tensor);
    set_optional_input(fill, 2, layer.beta_tensor);
    return finish(fill);
}

Outputs NetworkImpl::add_gather(Gather const& layer)
{
    auto& gather =
        made(network_->addGatherV2(tensor(layer.data), tensor(layer.indices), native(layer.mode)));
    gather.setGatherAxis(layer.axis);
    gather.setNbElementWiseDims(layer.elementwise_dims);
    return finish(gather);
}

Outputs NetworkImpl::add_grid_sample(GridSample const& layer)
{
    auto& sample = made(network_->addGridSample(tensor(layer.input), tensor(layer.grid)));
    sample.setInterpolationMode(native(layer.interpolation));
    sample.setAlignCorners(layer.align_corners);
    expect(sample.setSampleMode(native(layer.sample)), "the sample mode");
    return finish(sample);
}

Outputs NetworkImpl::add_identity(uint32_t input)
{
    return finish(made(network_->addIdentity(tensor(input))));
}

Outputs NetworkImpl::add_lrn(Lrn const& layer)
{
    return finish(made(network_->addLRN(
        tensor(layer.input), count_of(layer.window), layer.alpha, layer.beta, layer.k)));
}

Outputs NetworkImpl::add_matrix_multiply(MatrixMultiply const& layer)
{
    return finish(made(network_->addMatrixMultiply(tensor(layer.left), native(layer.left_operation),
        tensor(layer.right), native(layer.right_operation))));
}

Outputs NetworkImpl::add_nms(Nms const& layer)
{
    auto& boxes = tensor(layer.boxes);
    auto& scores = tensor(layer.scores);
    auto& limit = tensor(layer.max_boxes_per_class);
    auto const add = [&](auto& network)
    {
        if constexpr (requires { network.addNMS(boxes, scores, limit, nv::DataType::kINT32); })
        {
            return network.addNMS(boxes, scores, limit, native(layer.indices));
        }
        else
        {
            return layer.indices == DType::I32 ? network.addNMS(boxes, scores, limit)
                                               : missing<nv::INMSLayer*>("choice of index types");
        }
    };
    auto& nms = made(add(*network_));
    nms.setBoundingBoxFormat(native(layer.format));
    nms.setTopKBoxLimit(layer.top_k_box_limit);
    set_optional_input(nms, 3, layer.iou_threshold);
    set_optional_input(nms, 4, layer.score_threshold);
    return finish(nms);
}

Outputs NetworkImpl::add_non_zero(uint32_t input, DType indices)
{
    auto& data = tensor(input);
    auto const add = [&](auto& network)
    {
        if constexpr (requires { network.addNonZero(data, nv::DataType::kINT32); })
        {
            return network.addNonZero(data, native(indices));
        }
        else
        {
            return indices == DType::I32 ? network.addNonZero(data)
                                         : missing<nv::INonZeroLayer*>("choice of index types");
        }
    };
    return finish(made(add(*network_)));
}

Outputs NetworkImpl::add_normalization(Normalization const& layer)
{
    auto& input = tensor(layer.input);
    auto& scale = tensor(layer.scale);
    auto& bias = tensor(layer.bias);
    auto const add = [&](auto& network)
    {
        if constexpr (requires { network.addNormalizationV2(input, scale, bias, 1U); })
        {
            return network.addNormalizationV2(input, scale, bias, layer.axes_mask);
        }
        else
        {
            // The first version wants one scale per group, not per channel.
            return layer.groups == 1 ? network.addNormalization(input, scale, bias, layer.axes_mask)
                                     : missing<nv::INormalizationLayer*>(
                                           "Normalization layer with scales per channel");
        }
    };
    auto& normalization = made(add(*network_));
    normalization.setEpsilon(layer.epsilon);
    normalization.setNbGroups(count_of(layer.groups));
    return finish(normalization);
}

Outputs NetworkImpl::add_one_hot(uint32_t indices, uint32_t values, uint32_t depth, int32_t axis)
{
    return finish(made(network_->addOneHot(tensor(indices), tensor(values), tensor(depth), axis)));
}

Outputs NetworkImpl::add_parametric_relu(uint32_t input, uint32_t slope)
{
    return finish(made(network_->addParametricReLU(tensor(input), tensor(slope))));
}

Outputs NetworkImpl::add_pooling(Pooling const& layer)
{
    auto& pooling =
        made(network_->addPoolingNd(tensor(layer.input), native(layer.kind), native(layer.window)));
    pooling.setStrideNd(native(layer.stride));
    pooling.setPaddingMode(native(layer.padding_mode));
    pooling.setPrePadding(native(layer.pre_padding));
    pooling.setPostPadding(native(layer.post_padding));
    if (layer.kind != PoolingType::Max)
    {
        pooling.setAverageCountExcludesPadding(layer.average_excludes_padding);
    }
    if (layer.kind == PoolingType::MaxAverageBlend)
    {
        pooling.setBlendFactor(layer.blend);
    }
    return finish(pooling);
}

Outputs NetworkImpl::add_reduce(Reduce const& layer)
{
    return finish(made(network_->addReduce(
        tensor(layer.input), native(layer.operation), layer.axes_mask, layer.keep_dims)));
}

Outputs NetworkImpl::add_resize(Resize const& layer)
{
    auto& resize = made(network_->addResize(tensor(layer.input)));
    if (layer.dims_tensor != no_tensor)
    {
        resize.setInput(1, tensor(layer.dims_tensor));
    }
    else if (!layer.scales.empty())
    {
        resize.setScales(layer.scales.data(), static_cast<int32_t>(layer.scales.size()));
    }
    else
    {
        resize.setOutputDimensions(native(layer.dims));
    }
    resize.setResizeMode(native(layer.mode));
    resize.setCoordinateTransformation(native(layer.coordinates));
    resize.setSelectorForSinglePixel(native(layer.selector));
    resize.setNearestRounding(native(layer.rounding));
    resize.setCubicCoeff(layer.cubic_coeff);
    resize.setExcludeOutside(layer.exclude_outside);
    return finish(resize);
}

Outputs NetworkImpl::add_reverse_sequence(
    uint32_t input, uint32_t lengths, int32_t batch_axis, int32_t sequence_axis)
{
    auto& reverse = made(network_->addReverseSequence(tensor(input), tensor(lengths)));
    reverse.setBatchAxis(batch_axis);
    reverse.setSequenceAxis(sequence_axis);
    return finish(reverse);
}

template <class Operation> Operation native_operation(RnnOperation value)
{
    switch (value)
    {
    case RnnOperation::Relu: return Operation::kRELU;
    case RnnOperation::Tanh: return Operation::kTANH;
    case RnnOperation::Lstm: return Operation::kLSTM;
    case RnnOperation::Gru: return Operation::kGRU;
    }
    unknown("recurrent operation");
}

// The type of gates is that of the setter's second parameter.
template <class Layer, class Gate>
Gate native_gate(void (Layer::*)(int32_t, Gate, bool, nv::Weights) noexcept, RnnGateType value)
{
    switch (value)
    {
    case RnnGateType::Input: return Gate::kINPUT;
    case RnnGateType::Output: return Gate::kOUTPUT;
    case RnnGateType::Forget: return Gate::kFORGET;
    case RnnGateType::Update: return Gate::kUPDATE;
    case RnnGateType::Reset: return Gate::kRESET;
    case RnnGateType::Cell: return Gate::kCELL;
    case RnnGateType::Hidden: return Gate::kHIDDEN;
    }
    unknown("gate");
}

template <class Layer, class Operation>
Outputs NetworkImpl::add_rnn(Layer* (nv::INetworkDefinition::*add)(
                                 nv::ITensor&, int32_t, int32_t, int32_t, Operation) noexcept,
    Rnn const& attributes)
{
    auto& layer = made(
        (*network_.*add)(tensor(attributes.input), attributes.layer_count, attributes.hidden_size,
            attributes.max_seq_length, native_operation<Operation>(attributes.operation)));
    using Mode = decltype(layer.getInputMode());
    using Direction = decltype(layer.getDirection());
    layer.setInputMode(attributes.skips_input ? Mode::kSKIP : Mode::kLINEAR);
    layer.setDirection(
        attributes.bidirectional ? Direction::kBIDIRECTION : Direction::kUNIDIRECTION);
    if (attributes.sequence_lengths != no_tensor)
    {
        layer.setSequenceLengths(tensor(attributes.sequence_lengths));
    }
    if (attributes.hidden_state != no_tensor)
    {
        layer.setHiddenState(tensor(attributes.hidden_state));
    }
    if (attributes.cell_state != no_tensor)
    {
        layer.setCellState(tensor(attributes.cell_state));
    }
    for (auto const& of : attributes.gates)
    {
        auto const gate = native_gate(&Layer::setWeightsForGate, of.gate);
        if (!of.input_weights.data.empty())
        {
            layer.setWeightsForGate(of.layer, gate, true, native(of.input_weights));
        }
        layer.setWeightsForGate(of.layer, gate, false, native(of.recurrent_weights));
        layer.setBiasForGate(of.layer, gate, true, native(of.input_bias));
        layer.setBiasForGate(of.layer, gate, false, native(of.recurrent_bias));
    }
    return finish(layer);
}

Outputs NetworkImpl::add_rnn(Rnn const& attributes)
{
    auto const add = [&](auto& network) -> Outputs
    {
        using Net = std::remove_reference_t<decltype(network)>;
        if constexpr (requires { &Net::addRNNv2; })
        {
            return add_rnn(&Net::addRNNv2, attributes);
        }
        else
        {
            return missing<Outputs>("RNNv2 layer");
        }
    };
    return add(*network_);
}

Outputs NetworkImpl::add_scale(Scale const& layer)
{
    return finish(made(network_->addScaleNd(tensor(layer.input), native(layer.mode),
        native(layer.shift), native(layer.scale), native(layer.power), layer.channel_axis)));
}

Outputs NetworkImpl::add_scatter(Scatter const& layer)
{
    auto& scatter = made(network_->addScatter(
        tensor(layer.data), tensor(layer.indices), tensor(layer.updates), native(layer.mode)));
    scatter.setAxis(layer.axis);
    return finish(scatter);
}

Outputs NetworkImpl::add_select(uint32_t condition, uint32_t then_input, uint32_t else_input)
{
    return finish(
        made(network_->addSelect(tensor(condition), tensor(then_input), tensor(else_input))));
}

Outputs NetworkImpl::add_shape(uint32_t input)
{
    return finish(made(network_->addShape(tensor(input))));
}

Outputs NetworkImpl::add_shuffle(Shuffle const& layer)
{
    auto& shuffle = made(network_->addShuffle(tensor(layer.input)));
    if (!layer.first_transpose.empty())
    {
        shuffle.setFirstTranspose(permutation(layer.first_transpose));
    }
    if (layer.reshape)
    {
        shuffle.setZeroIsPlaceholder(layer.zero_is_placeholder);
        if (layer.dims_tensor == no_tensor)
        {
            shuffle.setReshapeDimensions(native(layer.dims));
        }
        set_optional_input(shuffle, 1, layer.dims_tensor);
    }
    if (!layer.second_transpose.empty())
    {
        shuffle.setSecondTranspose(permutation(layer.second_transpose));
    }
    return finish(shuffle);
}

Outputs NetworkImpl::add_slice(Slice const& layer)
{
    auto& slice = made(network_->addSlice(
        tensor(layer.input), native(layer.start), native(layer.size), native(layer.stride)));
    slice.setMode(native(layer.mode));
    set_optional_input(slice, 1, layer.start_tensor);
    set_optional_input(slice, 2, layer.size_tensor);
    set_optional_input(slice, 3, layer.stride_tensor);
    set_optional_input(slice, 4, layer.fill_tensor);
    return finish(slice);
}

Outputs NetworkImpl::add_softmax(uint32_t input, uint32_t axes_mask)
{
    auto& softmax = made(network_->addSoftMax(tensor(input)));
    softmax.setAxes(axes_mask);
    return finish(softmax);
}

Outputs NetworkImpl::add_squeeze(uint32_t input, uint32_t axes)
{
    auto& data = tensor(input);
    auto& at = tensor(axes);
    auto const add = [&](auto& network) -> nv::ILayer*
    {
        if constexpr (requires { network.addSqueeze(data, at); })
        {
            return network.addSqueeze(data, at);
        }
        else
        {
            return missing<nv::ILayer*>("Squeeze layer");
        }
    };
    return finish(made(add(*network_)));
}

Outputs NetworkImpl::add_unsqueeze(uint32_t input, uint32_t axes)
{
    auto& data = tensor(input);
    auto& at = tensor(axes);
    auto const add = [&](auto& network) -> nv::ILayer*
    {
        if constexpr (requires { network.addUnsqueeze(data, at); })
        {
            return network.addUnsqueeze(data, at);
        }
        else
        {
            return missing<nv::ILayer*>("Unsqueeze layer");
        }
    };
    return finish(made(add(*network_)));
}

Outputs NetworkImpl::add_top_k(TopK const& layer)
{
    auto& input = tensor(layer.input);
    auto const operation = native(layer.operation);
    auto const add = [&](auto& network)
    {
        if constexpr (requires { network.addTopK(input, operation, 1, 1U, nv::DataType::kINT32); })
        {
            return network.addTopK(
                input, operation, layer.k, layer.axes_mask, native(layer.indices));
        }
        else
        {
            return layer.indices == DType::I32
                       ? network.addTopK(input, operation, layer.k, layer.axes_mask)
                       : missing<nv::ITopKLayer*>("choice of index types");
        }
    };
    auto& top = made(add(*network_));
    set_optional_input(top, 1, layer.k_tensor);
    return finish(top);
}

Outputs NetworkImpl::add_unary(uint32_t input, UnaryOperation operation)
{
    return finish(made(network_->addUnary(tensor(input), native(operation))));
}
