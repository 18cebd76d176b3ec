use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] =
    &[Case { name: "efficient", model: efficient }, Case { name: "logits", model: logits }];

fn efficient() -> Model {
    Model::new(17)
        .input("boxes", "f32[N, 6, 4]")
        .input("scores", "f32[N, 6, 2]")
        .node("EfficientNMS_TRT", "boxes scores", "count kept best labels")
        .attr("score_threshold", 0.3)
        .attr("iou_threshold", 0.5)
        .attr("max_output_boxes", 3)
        .attr("background_class", 0)
        .attr("plugin_version", "1")
        .output("count", "")
        .output("kept", "")
        .output("best", "")
        .output("labels", "")
}

/// Scores before their sigmoid, boxes of each class by center and size, moved from anchors.
fn logits() -> Model {
    Model::new(17)
        .opset("TRT", 1)
        .input("boxes", "f32[N, 6, 2, 4]")
        .input("scores", "f32[N, 6, 2]")
        .weights("anchors", &[1, 6, 4])
        .node("TRT.EfficientNMS_TRT", "boxes scores anchors", "count kept best labels")
        .attr("max_output_boxes", 20)
        .attr("score_activation", 1)
        .attr("class_agnostic", 1)
        .attr("box_coding", 1)
        .output("count", "")
        .output("kept", "")
        .output("best", "")
        .output("labels", "")
}
