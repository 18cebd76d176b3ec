use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "along_an_axis", model: along_an_axis },
    Case { name: "flattened", model: flattened },
    Case { name: "vector", model: vector },
];

fn along_an_axis() -> Model {
    let model = Model::new(13).input("x", "f32[N, 3, 4]");
    ["Softmax", "LogSoftmax", "Hardmax"]
        .iter()
        .fold(model, |model, op| model.node(op, "x", op).attr("axis", 1).output(op, ""))
}

/// Before opset 13 all axes from `axis` on count as one.
fn flattened() -> Model {
    let model = Model::new(11).input("x", "f32[N, 3, 4]");
    ["Softmax", "LogSoftmax", "Hardmax"]
        .iter()
        .fold(model, |model, op| model.node(op, "x", op).output(op, ""))
}

/// TensorRT's TopK and SoftMax want an axis more.
fn vector() -> Model {
    let model = Model::new(13).input("x", "f32[N]").init("k", &[1], &[1i64]);
    let ops = ["Softmax", "LogSoftmax", "Hardmax", "ArgMax", "ArgMin"];
    let model = ops.iter().fold(model, |model, op| model.node(op, "x", op).output(op, ""));
    model.node("TopK", "x k", "values places").output("values", "").output("places", "")
}
