use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "by_scale", model: by_scale },
    Case { name: "to_size", model: to_size },
    Case { name: "by_hand", model: by_hand },
    Case { name: "first", model: first },
    Case { name: "upsample_1", model: upsample_1 },
    Case { name: "upsample_7", model: upsample_7 },
    Case { name: "upsample_9", model: upsample_9 },
];

fn by_scale() -> Model {
    Model::new(13)
        .input("x", "f32[N, 3, H, W]")
        .init("scales", &[4], &[1f32, 1.0, 2.0, 2.0])
        .node("Resize", "x - scales", "nearest")
        .attr("coordinate_transformation_mode", "asymmetric")
        .attr("nearest_mode", "floor")
        .output("nearest", "")
        .node("Resize", "x - scales", "linear")
        .attr("mode", "linear")
        .output("linear", "")
}

fn to_size() -> Model {
    Model::new(18)
        .input("x", "f32[N, 3, 4, 4]")
        .init("sizes", &[2], &[7i64, 5])
        .node("Resize", "x - - sizes", "linear")
        .attr("mode", "linear")
        .attr("axes", [2, 3])
        .attr("coordinate_transformation_mode", "align_corners")
        .output("linear", "")
        .node("Resize", "x - - sizes", "cubic")
        .attr("mode", "cubic")
        .attr("axes", [2, 3])
        .attr("cubic_coeff_a", -0.5)
        .output("cubic", "")
}

/// What TensorRT's layer does not say, as a product with weights.
fn by_hand() -> Model {
    Model::new(18)
        .input("x", "f32[1, 1, 4, 4]")
        .init("sizes", &[4], &[1i64, 1, 2, 3])
        .node("Resize", "x - - sizes", "y")
        .attr("mode", "linear")
        .attr("antialias", 1)
        .output("y", "")
}

fn first() -> Model {
    Model::new(10)
        .input("x", "f32[1, 1, 4, 4]")
        .init("scales", &[4], &[1f32, 1.0, 0.5, 2.0])
        .node("Resize", "x scales", "y")
        .output("y", "")
}

fn upsample_1() -> Model {
    Model::new(1)
        .input("x", "f32[1, 1, 4, 4]")
        .node("Upsample", "x", "y")
        .attr("height_scale", 2.0)
        .attr("width_scale", 3.0)
        .output("y", "")
}

fn upsample_7() -> Model {
    Model::new(7)
        .input("x", "f32[1, 1, 4, 4]")
        .node("Upsample", "x", "y")
        .attr("scales", [1.0, 1.0, 2.0, 2.0])
        .attr("mode", "linear")
        .output("y", "")
}

fn upsample_9() -> Model {
    Model::new(9)
        .input("x", "f32[1, 1, 4, 4]")
        .init("scales", &[4], &[1f32, 1.0, 2.0, 2.0])
        .node("Upsample", "x scales", "y")
        .output("y", "")
}
