use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "convolution", model: convolution },
    Case { name: "deconvolution", model: deconvolution },
    Case { name: "resize", model: resize },
    Case { name: "rnn", model: rnn },
    Case { name: "scale", model: scale },
    Case { name: "shuffle", model: shuffle },
];

fn model() -> Model {
    Model::new(17).opset("trt", 1)
}

/// Everything set; a mode of Caffe's; computed weights.
fn convolution() -> Model {
    model()
        .input("x", "f32[N, 4, 8, 9]")
        .input("v", "f32[6, 2, 1, 1]")
        .weights("w", &[6, 2, 3, 2])
        .weights("b", &[6])
        .node("trt.TRT_Convolution", "x w b", "whole")
        .attr("num_output_maps", 6)
        .attr("kernel_size_nd", [3, 2])
        .attr("stride_nd", [2, 1])
        .attr("pre_padding", [1, 0])
        .attr("post_padding", [2, 1])
        .attr("padding_mode", "EXPLICIT_ROUND_UP")
        .attr("dilation_nd", [1, 2])
        .attr("num_groups", 2)
        .node("trt.TRT_Convolution", "x w", "caffe")
        .attr("padding_nd", [1, 1])
        .attr("padding_mode", "CAFFE_ROUND_UP")
        .attr("stride_nd", [3, 3])
        .attr("num_groups", 2)
        .node("TRT_Convolution", "x v b", "computed")
        .attr("num_groups", 2)
        .output("whole", "")
        .output("caffe", "")
        .output("computed", "")
}

fn deconvolution() -> Model {
    model()
        .input("x", "f32[N, 4, 5, 5]")
        .weights("w", &[4, 1, 3, 3])
        .weights("b", &[2])
        .node("trt.TRT_Deconvolution", "x w b", "whole")
        .attr("stride_nd", [2, 2])
        .attr("padding_nd", [1, 1])
        .attr("num_groups", 2)
        .node("trt.TRT_Deconvolution", "x w", "same")
        .attr("stride_nd", [2, 2])
        .attr("padding_mode", "SAME_UPPER")
        .attr("num_groups", 2)
        .output("whole", "")
        .output("same", "")
}

fn resize() -> Model {
    model()
        .input("x", "f32[1, 3, H, 4]")
        .init("sizes", &[4], &[1i64, 3, 4, 8])
        .node("trt.TRT_Resize", "x", "scaled")
        .attr("scales", [1f32, 1.0, 2.0, 1.5])
        .attr("resize_mode", "LINEAR")
        .attr("coordinate_transformation", "HALF_PIXEL")
        .attr("selector_for_single_pixel", "UPPER")
        .node("trt.TRT_Resize", "x sizes", "sized")
        .attr("nearest_rounding", "CEIL")
        .node("trt.TRT_Resize", "sized", "cubic")
        .attr("shape", [1, 3, 2, 4])
        .attr("resize_mode", "CUBIC")
        .attr("coordinate_transformation", "ALIGN_CORNERS")
        .attr("cubic_coeff", -0.5)
        .attr("exclude_outside", 1)
        .node("trt.TRT_Resize", "x", "same")
        .output("scaled", "")
        .output("cubic", "")
        .output("same", "")
}

/// Two layers in both directions, the first of which skips its product.
fn rnn() -> Model {
    let weighed = |model: Model, layer: usize, width: i64| {
        let name = |what: &str| format!("{what}{layer}");
        let model = model.weights(&name("r"), &[2, 2]).weights(&name("b"), &[4]);
        if width > 0 { model.weights(&name("w"), &[2, width]) } else { model }
    };
    let model = model()
        .input("x", "f32[1, 3, 5, 2]")
        .input("lengths", "i32[1, 3]")
        .input("h", "f32[1, 3, 4, 2]");
    [0, 0, 4, 4]
        .into_iter()
        .enumerate()
        .fold(model, |model, (layer, width)| weighed(model, layer, width))
        .node("trt.TRT_RNNv2", "x lengths h - - r0 b0 - r1 b1 w2 r2 b2 w3 r3 b3", "y last")
        .attr("num_layers", 2)
        .attr("hidden_size", 2)
        .attr("max_seq_length", 5)
        .attr("op", "TANH")
        .attr("input_mode", "SKIP")
        .attr("direction", "BIDIRECTION")
        .output("y", "")
        .output("last", "")
}

fn scale() -> Model {
    model()
        .input("x", "f32[N, 2, 3, 4]")
        .init("half", &[1], &[0.5f32])
        .init("shift", &[3, 1], &[1f32, 2.0, 3.0])
        .init("power", &[3, 1], &[1f32, 2.0, 3.0])
        .weights("all", &[3, 4])
        .node("trt.TRT_Scale", "x - half", "uniform")
        .node("trt.TRT_Scale", "uniform shift - power", "channel")
        .attr("mode", "CHANNEL")
        .attr("channel_axis", -2)
        .node("trt.TRT_Scale", "channel all", "each")
        .attr("mode", "ELEMENTWISE")
        .attr("channel_axis", 2)
        .output("each", "")
}

/// Everything in one layer; a shape from a constant; a shape from another value's.
fn shuffle() -> Model {
    model()
        .input("x", "f32[N, 3, 4, 5]")
        .input("like", "f32[N, 60]")
        .init("zero", &[3], &[0i64, 0, -1])
        .node("trt.TRT_Shuffle", "x", "all")
        .attr("first_transpose", [0, 2, 1, 3])
        .attr("reshape_dims", [0, 5, 4, 3])
        .attr("second_transpose", [0, 3, 2, 1])
        .node("trt.TRT_Shuffle", "x zero", "flat")
        .node("Shape", "like", "shape")
        .node("trt.TRT_Shuffle", "x shape", "late")
        .attr("zero_is_placeholder", 0)
        .output("all", "")
        .output("flat", "")
        .output("late", "")
}
