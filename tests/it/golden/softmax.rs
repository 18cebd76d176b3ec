use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] =
    &[Case { name: "along_an_axis", model: along_an_axis }, Case { name: "flattened", model: flattened }];

fn along_an_axis() -> Model {
    let model = Model::new(13).input("x", "f32[N, 3, 4]");
    ["Softmax", "LogSoftmax", "Hardmax"]
        .iter()
        .fold(model, |model, op| model.node(op, "x", op).attr("axis", 1).output(op, ""))
}

/// Before opset 13 all axes from `axis` on count as one.
fn flattened() -> Model {
    let model = Model::new(11).input("x", "f32[N, 3, 4]");
    ["Softmax", "LogSoftmax", "Hardmax"].iter().fold(model, |model, op| model.node(op, "x", op).output(op, ""))
}
