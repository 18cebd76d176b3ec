use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "batched", model: batched },
    Case { name: "efficient", model: efficient },
    Case { name: "logits", model: logits },
];

/// Classes choose for themselves, then together; ends are the last pixels inside.
fn batched() -> Model {
    Model::new(17)
        .opset("TRT", 1)
        .input("boxes", "f32[N, 6, 1, 4]")
        .input("scores", "f32[N, 6, 2]")
        .node("TRT.BatchedNMSDynamic_TRT", "boxes scores", "count kept best labels")
        .attr("shareLocation", 1)
        .attr("backgroundLabelId", -1)
        .attr("numClasses", 2)
        .attr("topK", 5)
        .attr("keepTopK", 3)
        .attr("scoreThreshold", 0.3)
        .attr("iouThreshold", 0.5)
        .attr("isNormalized", 0)
        .node("TRT.BatchedNMS_TRT", "boxes scores", "number corners")
        .attr("keepTopK", 8)
        .output("count", "")
        .output("kept", "")
        .output("best", "")
        .output("labels", "")
        .output("number", "")
        .output("corners", "")
}

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
