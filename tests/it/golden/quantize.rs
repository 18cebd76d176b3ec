use super::Case;
use crate::support::{Model, pb, tensor};

pub(super) const CASES: &[Case] = &[
    Case { name: "signed", model: signed },
    Case { name: "unsigned", model: unsigned },
    Case { name: "per_channel", model: per_channel },
    Case { name: "blocked", model: blocked },
    Case { name: "converted", model: converted },
    Case { name: "dynamic", model: dynamic },
    Case { name: "linear_conv", model: linear_conv },
    Case { name: "linear_matmul", model: linear_matmul },
    Case { name: "single", model: single },
    Case { name: "odd", model: odd },
    Case { name: "modelopt", model: modelopt },
];

/// By ModelOpt's names: data in `f8e4m3`, weights in blocks of `i4`.
fn modelopt() -> Model {
    Model::new(17)
        .opset("trt", 1)
        .input("x", "f32[N, 4]")
        .init("scale", &[], &[0.5f32])
        .node("trt.TRT_FP8QuantizeLinear", "x scale", "q")
        .node("trt.TRT_FP8DequantizeLinear", "q scale", "dq")
        .weights("w", &[4, 6])
        .init("scales", &[2, 6], &[0.25f32; 12])
        .node("trt.TRT_INT4QuantizeLinear", "w scales", "wq")
        .attr("axis", 0)
        .attr("block_size", 2)
        .node("trt.TRT_INT4DequantizeLinear", "wq scales", "wdq")
        .attr("axis", 0)
        .attr("block_size", 2)
        .node("MatMul", "dq wdq", "y")
        .output("y", "")
}

/// What TensorRT has layers for: signed numbers around 0.
fn signed() -> Model {
    Model::new(13)
        .input("x", "f32[N, 4]")
        .init("scale", &[], &[0.5f32])
        .init("zero", &[], &[0i8])
        .node("QuantizeLinear", "x scale zero", "q")
        .node("DequantizeLinear", "q scale zero", "y")
        .output("y", "")
}

fn unsigned() -> Model {
    Model::new(10)
        .input("x", "f32[N, 4]")
        .init("scale", &[], &[0.5f32])
        .init("zero", &[], &[128u8])
        .node("QuantizeLinear", "x scale zero", "q")
        .node("DequantizeLinear", "q scale zero", "y")
        .output("q", "")
        .output("y", "")
}

/// Weights stored in 8 bits with a scale per row.
fn per_channel() -> Model {
    Model::new(13)
        .input("x", "f32[N, 2]")
        .init("w", &[2, 3], &[1i8, -2, 3, -4, 5, -6])
        .init("scales", &[2], &[0.5f32, 0.25])
        .node("DequantizeLinear", "w scales", "weights")
        .attr("axis", 0)
        .node("MatMul", "x weights", "y")
        .output("y", "")
}

/// A scale for every two rows.
fn blocked() -> Model {
    Model::new(21)
        .input("x", "i8[N, 3, 2]")
        .init("scales", &[1, 2, 2], &[0.5f32, 0.25, 0.125, 1.0])
        .node("DequantizeLinear", "x scales", "y")
        .attr("axis", 1)
        .attr("block_size", 2)
        .output("y", "")
}

/// To `f8e4m3` and back, which no Cast of TensorRT's does.
fn converted() -> Model {
    let model = Model::new(19).input("x", "f16[N, 4]").input("one", "f16[]");
    ["x", "one"].iter().fold(model, |model, value| {
        let (few, back) = (format!("few_{value}"), format!("{value}_back"));
        let model = model.node("Cast", value, &few).attr("to", 17);
        model.node("Cast", &few, &back).attr("to", 1).output(&back, "")
    })
}

fn dynamic() -> Model {
    Model::new(11)
        .input("x", "f32[N, 4]")
        .node("DynamicQuantizeLinear", "x", "q scale zero")
        .output("q", "")
        .output("scale", "")
        .output("zero", "")
}

fn linear_conv() -> Model {
    Model::new(10)
        .input("x", "u8[N, 1, 4, 4]")
        .init("xs", &[], &[0.5f32])
        .init("xz", &[], &[128u8])
        .init("w", &[1, 1, 2, 2], &[1i8, 2, -3, 4])
        .init("ws", &[], &[0.25f32])
        .init("wz", &[], &[0i8])
        .init("ys", &[], &[1f32])
        .init("yz", &[], &[100u8])
        .init("b", &[1], &[8i32])
        .node("QLinearConv", "x xs xz w ws wz ys yz b", "y")
        .output("y", "")
}

fn linear_matmul() -> Model {
    Model::new(10)
        .input("a", "i8[2, 2]")
        .init("as", &[], &[0.5f32])
        .init("az", &[], &[0i8])
        .init("b", &[2, 2], &[1i8, 2, -3, 4])
        .init("bs", &[], &[0.25f32])
        .init("bz", &[], &[0i8])
        .init("ys", &[], &[1f32])
        .init("yz", &[], &[0i8])
        .node("QLinearMatMul", "a as az b bs bz ys yz", "y")
        .output("y", "")
}

/// TensorRT quantizes nothing that has no axes.
fn single() -> Model {
    let model =
        Model::new(17).input("x", "i8[3, 4]").node("ReduceMin", "x", "y").attr("keepdims", 0);
    model.output("y", "")
}

/// An odd number of elements, of which a byte holds two.
fn odd() -> Model {
    let nibbles = |dims: &[i64], bytes: &[u8]| pb::TensorProto {
        data_type: Some(22),
        dims: dims.to_vec(),
        ..tensor(&[i64::try_from(bytes.len()).unwrap()], bytes)
    };
    Model::new(21)
        .input("x", "f32[3, 3]")
        .node("Constant", "", "w")
        .attr("value", nibbles(&[3, 3], &[0x21, 0xf7, 0x83, 0x54, 0x0e]))
        .node("Constant", "", "zero")
        .attr("value", nibbles(&[3], &[0x31, 0x0f]))
        .init("scale", &[3], &[0.5f32, 0.25, 2.0])
        .node("DequantizeLinear", "w scale zero", "moved")
        .attr("axis", 0)
        .node("DequantizeLinear", "w scale", "still")
        .attr("axis", 0)
        .node("Sum", "x moved still", "y")
        .output("y", "")
}
