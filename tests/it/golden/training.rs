use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[Case { name: "step", model: step }];

/// A step of each optimizer.
fn step() -> Model {
    Model::new(17)
        .opset("ai.onnx.preview.training", 1)
        .input("rate", "f32[]")
        .input("count", "i64[]")
        .input("x", "f32[2]")
        .input("g", "f32[2]")
        .input("v", "f32[2]")
        .input("h", "f32[2]")
        .node("ai.onnx.preview.training.Adagrad", "rate count x g h", "adagrad squares")
        .node("ai.onnx.preview.training.Adam", "rate count x g v h", "adam - -")
        .node("ai.onnx.preview.training.Momentum", "rate count x g v", "momentum -")
        .attr("alpha", 0.5)
        .attr("beta", 0.25)
        .attr("norm_coefficient", 0.125)
        .attr("mode", "nesterov")
        .output("adagrad", "")
        .output("squares", "")
        .output("adam", "")
        .output("momentum", "")
}
