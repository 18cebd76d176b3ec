use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[Case { name: "grid", model: grid }, Case { name: "grid_16", model: grid_16 }];

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
