use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "of_opset_1", model: of_opset_1 },
    Case { name: "of_opset_17", model: of_opset_17 },
    Case { name: "of_opset_24", model: of_opset_24 },
    Case { name: "clip", model: clip },
    Case { name: "gated", model: gated },
    Case { name: "clip_attributes", model: clip_attributes },
    Case { name: "whole_numbers", model: whole_numbers },
];

fn of_opset_1() -> Model {
    Model::new(1)
        .input("x", "f32[N, 3, 4]")
        .init("slope", &[3], &[0.25f32, 0.5, 2.0])
        .node("Selu", "x", "selu")
        .node("PRelu", "selu slope", "prelu")
        .node("Clip", "prelu", "y")
        .attr("min", -1.0)
        .attr("max", 6.0)
        .attr("consumed_inputs", [0])
        .output("y", "f32[N, 3, 4]")
}

fn of_opset_17() -> Model {
    let mut model = Model::new(17).input("x", "f32[N, 3]");
    for op in [
        "Relu",
        "Sigmoid",
        "Tanh",
        "Softsign",
        "Softplus",
        "LeakyRelu",
        "Elu",
        "Selu",
        "HardSigmoid",
    ] {
        model = model.node(op, "x", op).output(op, "");
    }
    model
        .node("HardSwish", "x", "HardSwish")
        .output("HardSwish", "")
        .node("LeakyRelu", "x", "leaky")
        .attr("alpha", 0.25)
        .output("leaky", "")
        .node("Celu", "x", "Celu")
        .attr("alpha", 2.0)
        .output("Celu", "")
        .node("ThresholdedRelu", "x", "thresholded")
        .attr("alpha", 2.0)
        .output("thresholded", "")
        .node("Shrink", "x", "Shrink")
        .attr("lambd", 1.5)
        .attr("bias", 0.5)
        .output("Shrink", "")
        .init("slope", &[3], &[0.25f32, 0.5, 2.0])
        .node("PRelu", "x slope", "PRelu")
        .output("PRelu", "")
}

fn of_opset_24() -> Model {
    Model::new(24)
        .input("x", "f16[N, 3]")
        .node("Gelu", "x", "erf")
        .output("erf", "")
        .node("Gelu", "x", "tanh")
        .attr("approximate", "tanh")
        .output("tanh", "")
        .node("Mish", "x", "mish")
        .output("mish", "")
        .node("Swish", "x", "swish")
        .attr("alpha", 2.0)
        .output("swish", "")
}

fn clip() -> Model {
    Model::new(13)
        .input("x", "f32[N, 3]")
        .input("low", "f32[]")
        .init("high", &[], &[6f32])
        .node("Clip", "x low high", "both")
        .output("both", "")
        .node("Clip", "x - high", "above")
        .output("above", "")
        .node("Clip", "x", "neither")
        .output("neither", "")
}

fn clip_attributes() -> Model {
    Model::new(6).input("x", "f32[2]").node("Clip", "x", "y").attr("min", 0.5).output("y", "")
}

fn whole_numbers() -> Model {
    Model::new(16)
        .input("x", "i32[2]")
        .init("slope", &[], &[3i32])
        .node("Relu", "x", "relu")
        .output("relu", "")
        .node("PRelu", "x slope", "prelu")
        .output("prelu", "")
}

fn gated() -> Model {
    Model::new(28)
        .input("a", "f32[N, 4]")
        .input("b", "f32[N, 4]")
        .node("SwiGLU", "a b", "y")
        .output("y", "")
}
