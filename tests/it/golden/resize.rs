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
    Case { name: "open_scales", model: open_scales },
    Case { name: "open_sizes", model: open_sizes },
    Case { name: "open_weights", model: open_weights },
    Case { name: "open_region", model: open_region },
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

/// Scales computed from shapes, as an interpolation of position embeddings has them.
fn open_scales() -> Model {
    Model::new(18)
        .input("x", "f32[1, 2, H, 4]")
        .input("y", "f32[1, 2, T, 4]")
        .init("ones", &[2], &[1f32, 1.0])
        .init("one", &[1], &[1f32])
        .node("Shape", "x", "from")
        .attr("start", 2)
        .attr("end", 3)
        .node("Shape", "y", "to")
        .attr("start", 2)
        .attr("end", 3)
        .node("Cast", "from", "real_from")
        .attr("to", 1)
        .node("Cast", "to", "real_to")
        .attr("to", 1)
        .node("Div", "real_to real_from", "scale")
        .node("Concat", "ones scale one", "scales")
        .attr("axis", 0)
        .node("Resize", "x - scales", "cubic")
        .attr("mode", "cubic")
        .output("cubic", "")
        .node("Resize", "x - scales", "nearest")
        .attr("coordinate_transformation_mode", "asymmetric")
        .output("nearest", "")
}

/// Sizes that nothing is known of but that two of them are the data's own; and one scale for both
/// axes.
fn open_sizes() -> Model {
    Model::new(18)
        .input("x", "f32[N, 2, H, W]")
        .init("factors", &[2], &[1.5f32, 0.6])
        .init("limits", &[2], &[8i64, 20])
        .node("Shape", "x", "kept")
        .attr("end", 2)
        .node("Shape", "x", "image")
        .attr("start", 2)
        .node("Cast", "image", "real")
        .attr("to", 1)
        .node("Mul", "real factors", "scaled")
        .node("Floor", "scaled", "rounded")
        .node("Cast", "rounded", "whole")
        .attr("to", 7)
        .node("Concat", "kept whole", "sizes")
        .attr("axis", 0)
        .node("Resize", "x - - sizes", "linear")
        .attr("mode", "linear")
        .output("linear", "")
        .node("Resize", "x - - limits", "inside")
        .attr("mode", "linear")
        .attr("axes", [2, 3])
        .attr("keep_aspect_ratio_policy", "not_larger")
        .output("inside", "")
}

/// Weights that only the run knows.
fn open_weights() -> Model {
    Model::new(18)
        .input("x", "f32[N, 2, 3, W]")
        .init("scales", &[4], &[1f32, 1.0, 1.0, 0.6])
        .node("Resize", "x - scales", "blurred")
        .attr("mode", "linear")
        .attr("antialias", 1)
        .output("blurred", "")
        .node("Resize", "x - scales", "inner")
        .attr("mode", "cubic")
        .attr("exclude_outside", 1)
        .attr("coordinate_transformation_mode", "half_pixel_symmetric")
        .output("inner", "")
}

/// A part of an image, beyond its edge too.
fn open_region() -> Model {
    Model::new(18)
        .input("x", "f32[1, 2, H, W]")
        .init("region", &[4], &[0.2f32, 0.5, 0.8, 1.4])
        .init("sizes", &[2], &[3i64, 4])
        .node("Resize", "x region - sizes", "y")
        .attr("mode", "linear")
        .attr("axes", [2, 3])
        .attr("coordinate_transformation_mode", "tf_crop_and_resize")
        .attr("extrapolation_value", 9f32)
        .output("y", "")
}
