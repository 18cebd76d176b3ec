use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[Case { name: "suppression", model: suppression }];

/// Classes become batch entries, because TensorRT orders by score what ONNX orders by class.
fn suppression() -> Model {
    Model::new(17)
        .input("boxes", "f32[N, 6, 4]")
        .input("scores", "f32[N, 2, 6]")
        .init("most", &[1], &[3i64])
        .init("iou", &[1], &[0.5f32])
        .node("NonMaxSuppression", "boxes scores most iou", "selected")
        .output("selected", "")
}
