//! Layers of the network as calls of the bridge.

#![allow(unsafe_code, reason = "TensorRT keeps the addresses of weights; see `Builder::hold`")]

use super::builder::{Builder, Held};
use super::convert::{int, ints, mask, refused, to_ffi};
use super::ffi::{self, NO_TENSOR};
use crate::emit::{Handle, Refused};
use crate::network::LayerKind;
use crate::network::layer::{self, Arg};
use crate::tensor::{DType, Element, Tensor};

type Made = Result<Vec<ffi::Output>, Refused>;

/// The inputs of a layer.
#[derive(Clone, Copy)]
struct Inputs<'a>(&'a [Handle]);

impl Inputs<'_> {
    fn at(self, position: usize) -> Result<u32, Refused> {
        let found = self.0.get(position).map(|handle| handle.0);
        found.ok_or_else(|| refused(format!("the layer lacks input {position}")))
    }

    /// The input that an attribute comes from, or `NO_TENSOR`.
    fn of<T>(self, argument: &Arg<T>) -> Result<u32, Refused> {
        argument.input().map_or(Ok(NO_TENSOR), |position| self.at(position))
    }

    fn all(self) -> Vec<u32> {
        self.0.iter().map(|handle| handle.0).collect()
    }
}

impl Builder {
    /// Adds a layer without nested blocks under the current label.
    pub(super) fn add(&mut self, kind: &LayerKind, inputs: &[Handle]) -> Made {
        let inputs = Inputs(inputs);
        match kind {
            LayerKind::Activation(of) => {
                let (input, kind) = (inputs.at(0)?, of.kind.into());
                let layer = ffi::Activation { input, kind, alpha: of.alpha, beta: of.beta };
                self.call(|network| network.add_activation(&layer))
            }
            LayerKind::Cast(of) => {
                let (input, to) = (inputs.at(0)?, to_ffi(of.to)?);
                self.call(|network| network.add_cast(input, to))
            }
            LayerKind::Concatenation(of) => {
                let (inputs, axis) = (inputs.all(), int(of.axis)?);
                self.call(|network| network.add_concatenation(&inputs, axis))
            }
            LayerKind::Constant(of) => self.constant(&of.weights),
            LayerKind::Convolution(of) => self.convolution(of, inputs, false),
            LayerKind::Cumulative(of) => self.cumulative(of, inputs),
            LayerKind::Deconvolution(layer::Deconvolution(of)) => {
                self.convolution(of, inputs, true)
            }
            LayerKind::Dequantize(of) => {
                let layer = quantize(inputs, of.axis, of.to)?;
                self.call(|network| network.add_dequantize(&layer))
            }
            LayerKind::Einsum(of) => {
                let inputs = inputs.all();
                self.call(|network| network.add_einsum(&inputs, &of.equation.to_string()))
            }
            LayerKind::ElementWise(of) => {
                let (left, right) = (inputs.at(0)?, inputs.at(1)?);
                self.call(|network| network.add_elementwise(left, right, of.operation.into()))
            }
            LayerKind::Fill(of) => self.fill(of, inputs),
            LayerKind::Gather(of) => {
                let layer = ffi::Gather {
                    data: inputs.at(0)?,
                    indices: inputs.at(1)?,
                    mode: of.mode.into(),
                    axis: int(of.axis)?,
                    elementwise_dims: int(of.element_wise_dims)?,
                };
                self.call(|network| network.add_gather(&layer))
            }
            LayerKind::GridSample(of) => {
                let layer = ffi::GridSample {
                    input: inputs.at(0)?,
                    grid: inputs.at(1)?,
                    interpolation: of.interpolation.into(),
                    align_corners: of.align_corners,
                    sample: of.sample_mode.into(),
                };
                self.call(|network| network.add_grid_sample(&layer))
            }
            LayerKind::Identity => {
                let input = inputs.at(0)?;
                self.call(|network| network.add_identity(input))
            }
            LayerKind::Lrn(of) => {
                let (input, window) = (inputs.at(0)?, int(of.window)?);
                let layer = ffi::Lrn { input, window, alpha: of.alpha, beta: of.beta, k: of.k };
                self.call(|network| network.add_lrn(&layer))
            }
            LayerKind::MatrixMultiply(of) => {
                let layer = ffi::MatrixMultiply {
                    left: inputs.at(0)?,
                    left_operation: of.op0.into(),
                    right: inputs.at(1)?,
                    right_operation: of.op1.into(),
                };
                self.call(|network| network.add_matrix_multiply(&layer))
            }
            LayerKind::NonMaxSuppression(of) => self.non_max_suppression(of, inputs),
            LayerKind::NonZero => {
                let of = if self.caps().int64_sizes { DType::I64 } else { DType::I32 };
                let (input, indices) = (inputs.at(0)?, to_ffi(of)?);
                self.call(|network| network.add_non_zero(input, indices))
            }
            LayerKind::Normalization(of) => {
                let layer = ffi::Normalization {
                    input: inputs.at(0)?,
                    scale: inputs.at(1)?,
                    bias: inputs.at(2)?,
                    axes_mask: mask(&of.axes)?,
                    epsilon: of.epsilon,
                    groups: int(of.groups)?,
                };
                self.call(|network| network.add_normalization(&layer))
            }
            LayerKind::OneHot(of) => {
                let (indices, values, depth, axis) =
                    (inputs.at(0)?, inputs.at(1)?, inputs.at(2)?, int(of.axis)?);
                self.call(|network| network.add_one_hot(indices, values, depth, axis))
            }
            LayerKind::ParametricRelu => {
                let (input, slope) = (inputs.at(0)?, inputs.at(1)?);
                self.call(|network| network.add_parametric_relu(input, slope))
            }
            LayerKind::Pooling(of) => self.pooling(of, inputs),
            LayerKind::Quantize(of) => {
                let layer = quantize(inputs, of.axis, of.to)?;
                self.call(|network| network.add_quantize(&layer))
            }
            LayerKind::Reduce(of) => {
                let layer = ffi::Reduce {
                    input: inputs.at(0)?,
                    operation: of.operation.into(),
                    axes_mask: mask(&of.axes)?,
                    keep_dims: of.keep_dims,
                };
                self.call(|network| network.add_reduce(&layer))
            }
            LayerKind::Resize(of) => self.resize(of, inputs),
            LayerKind::ReverseSequence(of) => {
                let (input, lengths) = (inputs.at(0)?, inputs.at(1)?);
                let (batch, sequence) = (int(of.batch_axis)?, int(of.sequence_axis)?);
                self.call(|network| network.add_reverse_sequence(input, lengths, batch, sequence))
            }
            LayerKind::Rnn(of) => self.rnn(of, inputs),
            LayerKind::Scale(of) => self.scale(of, inputs),
            LayerKind::Scatter(of) => {
                let layer = ffi::Scatter {
                    data: inputs.at(0)?,
                    indices: inputs.at(1)?,
                    updates: inputs.at(2)?,
                    mode: of.mode.into(),
                    axis: int(of.axis)?,
                };
                self.call(|network| network.add_scatter(&layer))
            }
            LayerKind::Select => {
                let (condition, then_input, else_input) =
                    (inputs.at(0)?, inputs.at(1)?, inputs.at(2)?);
                self.call(|network| network.add_select(condition, then_input, else_input))
            }
            LayerKind::Shape => {
                let input = inputs.at(0)?;
                self.call(|network| network.add_shape(input))
            }
            LayerKind::Shuffle(of) => self.shuffle(of, inputs),
            LayerKind::Slice(of) => self.slice(of, inputs),
            LayerKind::SoftMax(of) => {
                let (input, axes) = (inputs.at(0)?, mask(&[of.axis])?);
                self.call(|network| network.add_softmax(input, axes))
            }
            LayerKind::Squeeze(of) => {
                let (input, axes) = (inputs.at(0)?, self.axes(&of.axes)?);
                self.call(|network| network.add_squeeze(input, axes))
            }
            LayerKind::TopK(of) => self.top_k(of, inputs),
            LayerKind::Unary(of) => {
                let input = inputs.at(0)?;
                self.call(|network| network.add_unary(input, of.operation.into()))
            }
            LayerKind::Unsqueeze(of) => {
                let (input, axes) = (inputs.at(0)?, self.axes(&of.axes)?);
                self.call(|network| network.add_unsqueeze(input, axes))
            }
            LayerKind::Loop(_) | LayerKind::Conditional(_) => {
                Err(refused(format!("a {} comes in calls of its own", kind.name())))
            }
        }
    }

    /// Axes as the tensor that TensorRT takes.
    fn axes(&mut self, axes: &[usize]) -> Result<u32, Refused> {
        let axes: Vec<i32> = axes.iter().map(|&axis| int(axis)).collect::<Result<_, _>>()?;
        self.operand("axes", &Tensor::vector(&axes))
    }

    /// The input that an attribute comes from, or a constant with its value: for what TensorRT
    /// takes only as a tensor.
    fn scalar<T: Element>(
        &mut self,
        part: &str,
        of: &Arg<T>,
        inputs: Inputs<'_>,
    ) -> Result<u32, Refused> {
        match of {
            Arg::Input(position) => inputs.at(*position),
            Arg::Static(value) => self.operand(part, &Tensor::scalar(*value)),
        }
    }

    /// The values of an attribute, none where they come from an input.
    fn weights(&mut self, of: Option<&Arg<Tensor>>, data: u32) -> Result<Held, Refused> {
        match of {
            Some(Arg::Static(tensor)) => self.hold(tensor),
            Some(Arg::Input(_)) | None => {
                let (dtype, _) = self.tensor(Handle(data))?;
                Held::none(*dtype)
            }
        }
    }

    fn convolution(
        &mut self,
        of: &layer::Convolution,
        inputs: Inputs<'_>,
        transposed: bool,
    ) -> Made {
        let input = inputs.at(0)?;
        let (kernel, bias) =
            (self.weights(Some(&of.weights), input)?, self.weights(of.bias.as_ref(), input)?);
        let layer = ffi::Convolution {
            input,
            kernel_tensor: inputs.of(&of.weights)?,
            bias_tensor: of.bias.as_ref().map_or(Ok(NO_TENSOR), |bias| inputs.of(bias))?,
            kernel: kernel.weights(),
            bias: bias.weights(),
            output_maps: int(of.maps)?,
            kernel_size: &ints(&of.kernel)?,
            stride: &ints(&of.stride)?,
            pre_padding: &ints(&of.pre_padding)?,
            post_padding: &ints(&of.post_padding)?,
            padding_mode: of.padding_mode.into(),
            dilation: &ints(&of.dilation)?,
            groups: int(of.groups)?,
        };
        // SAFETY: `hold` keeps the values as long as the network.
        self.call(|network| unsafe {
            if transposed {
                network.add_deconvolution(&layer)
            } else {
                network.add_convolution(&layer)
            }
        })
    }

    fn cumulative(&mut self, of: &layer::Cumulative, inputs: Inputs<'_>) -> Made {
        let layer::CumulativeOperation::Sum = of.operation;
        let axis = self.operand("axis", &Tensor::scalar::<i32>(int(of.axis)?))?;
        let layer = ffi::Cumulative {
            input: inputs.at(0)?,
            axis,
            exclusive: of.exclusive,
            reverse: of.reverse,
        };
        self.call(|network| network.add_cumulative(&layer))
    }

    fn fill(&mut self, of: &layer::Fill, inputs: Inputs<'_>) -> Made {
        let layer = ffi::Fill {
            dims: &ints(of.dims.fixed().map_or(&[], Vec::as_slice))?,
            dims_tensor: inputs.of(&of.dims)?,
            operation: of.operation.into(),
            dtype: to_ffi(of.dtype)?,
            alpha: of.alpha.fixed().copied().unwrap_or_default(),
            beta: of.beta.fixed().copied().unwrap_or_default(),
            alpha_tensor: inputs.of(&of.alpha)?,
            beta_tensor: inputs.of(&of.beta)?,
        };
        self.call(|network| network.add_fill(&layer))
    }

    fn non_max_suppression(&mut self, of: &layer::NonMaxSuppression, inputs: Inputs<'_>) -> Made {
        let layer = ffi::Nms {
            boxes: inputs.at(0)?,
            scores: inputs.at(1)?,
            max_boxes_per_class: self.scalar("max_output_boxes", &of.max_output_boxes, inputs)?,
            iou_threshold: self.scalar("iou_threshold", &of.iou_threshold, inputs)?,
            score_threshold: self.scalar("score_threshold", &of.score_threshold, inputs)?,
            format: of.format.into(),
            top_k_box_limit: int(of.top_k_box_limit)?,
            indices: ffi::DType::I32,
        };
        self.call(|network| network.add_nms(&layer))
    }

    fn pooling(&mut self, of: &layer::Pooling, inputs: Inputs<'_>) -> Made {
        let layer = ffi::Pooling {
            input: inputs.at(0)?,
            kind: of.kind.into(),
            window: &ints(&of.window)?,
            stride: &ints(&of.stride)?,
            pre_padding: &ints(&of.pre_padding)?,
            post_padding: &ints(&of.post_padding)?,
            padding_mode: of.padding_mode.into(),
            average_excludes_padding: of.average_count_excludes_padding,
            blend: of.blend,
        };
        self.call(|network| network.add_pooling(&layer))
    }

    fn resize(&mut self, of: &layer::Resize, inputs: Inputs<'_>) -> Made {
        let (dims, scales, dims_tensor) = match &of.output {
            layer::ResizeOutput::Sizes(sizes) => (ints(sizes)?, &[][..], NO_TENSOR),
            layer::ResizeOutput::Scales(scales) => (Vec::new(), scales.as_slice(), NO_TENSOR),
            layer::ResizeOutput::Input => (Vec::new(), &[][..], inputs.at(1)?),
        };
        let layer = ffi::Resize {
            input: inputs.at(0)?,
            dims: &dims,
            scales,
            dims_tensor,
            mode: of.mode.into(),
            coordinates: of.coordinate_transformation.into(),
            selector: of.selector_for_single_pixel.into(),
            rounding: of.nearest_rounding.into(),
            cubic_coeff: of.cubic_coeff,
            exclude_outside: of.exclude_outside,
        };
        self.call(|network| network.add_resize(&layer))
    }

    fn rnn(&mut self, of: &layer::Rnn, inputs: Inputs<'_>) -> Made {
        let input = inputs.at(0)?;
        let (dtype, _) = *self.tensor(Handle(input))?;
        let optional = |at: Option<usize>| at.map_or(Ok(NO_TENSOR), |at| inputs.at(at));
        let mut held = Vec::new();
        for cell in &of.cells {
            let weights = cell
                .weights
                .as_ref()
                .map_or_else(|| Held::none(dtype), |weights| self.hold(weights))?;
            let (recurrent, biases) =
                (self.hold(&cell.recurrent)?, [&cell.input_bias, &cell.recurrent_bias]);
            let [input_bias, recurrent_bias] = biases.map(|bias| self.hold(bias));
            held.push([weights, recurrent, input_bias?, recurrent_bias?]);
        }
        let mut gates = Vec::new();
        for (layer, cell) in held.iter().enumerate() {
            let kinds = of.operation.gates();
            for (at, &gate) in kinds.iter().enumerate() {
                let [input_weights, recurrent_weights, input_bias, recurrent_bias] =
                    cell.each_ref().map(|held| held.part(at, kinds.len()));
                let (layer, gate) = (int(layer)?, gate.into());
                gates.push(ffi::RnnGate {
                    layer,
                    gate,
                    input_weights,
                    recurrent_weights,
                    input_bias,
                    recurrent_bias,
                });
            }
        }
        let layer = ffi::Rnn {
            input,
            sequence_lengths: optional(of.sequence_lengths)?,
            hidden_state: optional(of.hidden_state)?,
            cell_state: optional(of.cell_state)?,
            layer_count: int(of.layer_count)?,
            hidden_size: int(of.hidden_size)?,
            max_seq_length: int(of.max_seq_length)?,
            operation: of.operation.into(),
            skips_input: of.input_mode == layer::RnnInputMode::Skip,
            bidirectional: of.direction == layer::RnnDirection::Bidirection,
            gates: &gates,
        };
        // SAFETY: `hold` keeps the values as long as the network.
        self.call(|network| unsafe { network.add_rnn(&layer) })
    }

    fn scale(&mut self, of: &layer::Scale, inputs: Inputs<'_>) -> Made {
        let input = inputs.at(0)?;
        // What is absent has the type of what is there: TensorRT 8 may still call the data `f32`
        // where their type was changed.
        let there = [&of.shift, &of.scale, &of.power].into_iter().flatten().next();
        let dtype = match there {
            Some(tensor) => tensor.dtype(),
            None => self.tensor(Handle(input))?.0,
        };
        let mut hold = |tensor: &Option<Tensor>| {
            tensor.as_ref().map_or_else(|| Held::none(dtype), |t| self.hold(t))
        };
        let (shift, scale, power) = (hold(&of.shift)?, hold(&of.scale)?, hold(&of.power)?);
        let layer = ffi::Scale {
            input,
            mode: of.mode.into(),
            shift: shift.weights(),
            scale: scale.weights(),
            power: power.weights(),
            channel_axis: int(of.channel_axis)?,
        };
        // SAFETY: `hold` keeps the values as long as the network.
        self.call(|network| unsafe { network.add_scale(&layer) })
    }

    fn shuffle(&mut self, of: &layer::Shuffle, inputs: Inputs<'_>) -> Made {
        let (dims, dims_tensor, zero_is_placeholder) = match &of.reshape {
            None => (&[][..], NO_TENSOR, false),
            Some(layer::Reshape::Static { dims, zero_is_placeholder }) => {
                (&dims[..], NO_TENSOR, *zero_is_placeholder)
            }
            Some(layer::Reshape::Input { zero_is_placeholder }) => {
                (&[][..], inputs.at(1)?, *zero_is_placeholder)
            }
        };
        let layer = ffi::Shuffle {
            input: inputs.at(0)?,
            first_transpose: &ints(of.first_transpose.as_deref().unwrap_or_default())?,
            reshape: of.reshape.is_some(),
            dims,
            dims_tensor,
            zero_is_placeholder,
            second_transpose: &ints(of.second_transpose.as_deref().unwrap_or_default())?,
        };
        self.call(|network| network.add_shuffle(&layer))
    }

    fn slice(&mut self, of: &layer::Slice, inputs: Inputs<'_>) -> Made {
        let input = inputs.at(0)?;
        // What comes from an input still needs a place holder of the right rank.
        let rank = self.tensor(Handle(input))?.1.len();
        let fixed = |of: &Arg<Vec<i64>>| of.fixed().cloned().unwrap_or_else(|| vec![1; rank]);
        let layer = ffi::Slice {
            input,
            start: &fixed(&of.start),
            size: &fixed(&of.size),
            stride: &fixed(&of.stride),
            start_tensor: inputs.of(&of.start)?,
            size_tensor: inputs.of(&of.size)?,
            stride_tensor: inputs.of(&of.stride)?,
            fill_tensor: of.fill.map_or(Ok(NO_TENSOR), |position| inputs.at(position))?,
            mode: of.mode.into(),
        };
        self.call(|network| network.add_slice(&layer))
    }

    fn top_k(&mut self, of: &layer::TopK, inputs: Inputs<'_>) -> Made {
        let layer = ffi::TopK {
            input: inputs.at(0)?,
            operation: of.operation.into(),
            // Overridden where it comes from an input.
            k: int(of.k.fixed().copied().unwrap_or(1))?,
            k_tensor: inputs.of(&of.k)?,
            axes_mask: mask(&[of.axis])?,
            indices: ffi::DType::I32,
        };
        self.call(|network| network.add_top_k(&layer))
    }
}

fn quantize(inputs: Inputs<'_>, axis: Option<usize>, to: DType) -> Result<ffi::Quantize, Refused> {
    let axis = axis.map_or(Ok(-1), int)?;
    Ok(ffi::Quantize { input: inputs.at(0)?, scale: inputs.at(1)?, to: to_ffi(to)?, axis })
}
