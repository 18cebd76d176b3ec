use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "roi_align", model: roi_align },
    Case { name: "roi_align_10", model: roi_align_10 },
    Case { name: "deform", model: deform },
    Case { name: "roi_align_adaptive", model: roi_align_adaptive },
];

fn roi_align() -> Model {
    Model::new(16)
        .input("x", "f32[1, 3, H, W]")
        .input("rois", "f32[N, 4]")
        .init("images", &[1], &[0i64])
        .node("RoiAlign", "x rois images", "y")
        .attr("output_height", 2)
        .attr("output_width", 3)
        .attr("sampling_ratio", 2)
        .output("y", "")
}

fn roi_align_10() -> Model {
    Model::new(10)
        .input("x", "f32[1, 1, 4, 4]")
        .input("rois", "f32[2, 4]")
        .init("images", &[2], &[0i64, 0])
        .node("RoiAlign", "x rois images", "y")
        .attr("sampling_ratio", 1)
        .attr("mode", "max")
        .output("y", "")
}

fn deform() -> Model {
    Model::new(19)
        .input("x", "f32[N, 2, 4, 4]")
        .input("offset", "f32[N, 8, 3, 3]")
        .input("mask", "f32[N, 4, 3, 3]")
        .init("w", &[1, 2, 2, 2], &[1f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
        .init("b", &[1], &[1f32])
        .node("DeformConv", "x w offset b mask", "y")
        .output("y", "")
}

/// As many samples as the regions ask for.
fn roi_align_adaptive() -> Model {
    Model::new(16)
        .input("x", "f32[B, 3, H, W]")
        .input("rois", "f32[N, 4]")
        .input("images", "i64[N]")
        .node("RoiAlign", "x rois images", "mean")
        .attr("output_height", 2)
        .attr("output_width", 3)
        .output("mean", "")
        .node("RoiAlign", "x rois images", "largest")
        .attr("coordinate_transformation_mode", "output_half_pixel")
        .attr("mode", "max")
        .output("largest", "")
}
