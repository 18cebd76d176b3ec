use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "grid", model: grid },
    Case { name: "grid_16", model: grid_16 },
    Case { name: "volume", model: volume },
    Case { name: "reflected", model: reflected },
    Case { name: "affine", model: affine },
];

fn grid() -> Model {
    Model::new(20)
        .input("x", "f32[N, 1, 4, 4]")
        .input("theta", "f32[N, 2, 3]")
        .init("size", &[4], &[6i64, 1, 2, 2])
        .node("AffineGrid", "theta size", "grid")
        .node("GridSample", "x grid", "zeros")
        .output("zeros", "")
        .node("GridSample", "x grid", "reflected")
        .attr("padding_mode", "reflection")
        .attr("align_corners", 1)
        .output("reflected", "")
}

fn grid_16() -> Model {
    Model::new(16)
        .input("x", "f32[1, 1, 4, 4]")
        .input("grid", "f32[1, 2, 2, 2]")
        .node("GridSample", "x grid", "y")
        .attr("mode", "bicubic")
        .attr("padding_mode", "border")
        .output("y", "")
}

fn volume() -> Model {
    Model::new(20)
        .input("x", "f32[N, 1, D, H, W]")
        .input("grid", "f32[N, 2, 3, 4, 3]")
        .node("GridSample", "x grid", "y")
        .attr("padding_mode", "border")
        .output("y", "")
}

/// The cubic kernel reaches into the reflection.
fn reflected() -> Model {
    Model::new(20)
        .input("x", "f32[1, 1, H, W]")
        .input("grid", "f32[1, 2, 3, 2]")
        .node("GridSample", "x grid", "edges")
        .attr("mode", "cubic")
        .attr("padding_mode", "reflection")
        .output("edges", "")
        .node("GridSample", "x grid", "centers")
        .attr("mode", "cubic")
        .attr("padding_mode", "reflection")
        .attr("align_corners", 1)
        .output("centers", "")
}

/// A grid as large as an image.
fn affine() -> Model {
    Model::new(20)
        .input("x", "f32[N, 1, H, W]")
        .input("theta", "f32[N, 2, 3]")
        .node("Shape", "x", "size")
        .node("AffineGrid", "theta size", "grid")
        .output("grid", "")
}
