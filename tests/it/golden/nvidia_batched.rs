use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[Case { name: "batched", model: batched }];

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
