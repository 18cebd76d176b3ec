//! The selection of boxes.

use super::Arg;
use super::attributes::{Attributes, Describe};

/// How a box is written: `nvinfer1::BoundingBoxFormat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoundingBoxFormat {
    /// Two opposite corners.
    CornerPairs,
    /// Centre and sizes.
    CenterSizes,
}

/// Boxes that do not overlap better ones: `nvinfer1::INMSLayer`.
///
/// Boxes `[batch, boxes, (classes or 1), 4]`, scores `[batch, boxes, classes]`; gives `i32[n, 3]`
/// of (batch, class, box) and their number.
#[derive(Debug, Clone, PartialEq)]
pub struct NonMaxSuppression {
    /// How a box is written.
    pub format: BoundingBoxFormat,
    /// The most boxes kept per batch entry and class; from a tensor: `i32` of rank 0.
    pub max_output_boxes: Arg<i32>,
    /// Overlap above which the worse box is dropped; from a tensor: `f32` of rank 0.
    pub iou_threshold: Arg<f32>,
    /// Score at or below which a box is dropped; from a tensor: `f32` of rank 0.
    pub score_threshold: Arg<f32>,
    /// The most boxes considered per batch entry and class.
    pub top_k_box_limit: usize,
}

impl Describe for NonMaxSuppression {
    fn describe(&self, to: &mut Attributes) {
        let Self { format, max_output_boxes, iou_threshold, score_threshold, top_k_box_limit } =
            self;
        to.word(format);
        to.arg("max_output_boxes", max_output_boxes);
        to.arg("iou_threshold", iou_threshold);
        to.arg("score_threshold", score_threshold);
        to.named("top_k_box_limit", top_k_box_limit);
    }
}
