use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "col2im", model: col2im },
    Case { name: "max_unpool", model: max_unpool },
    Case { name: "scaler", model: scaler },
    Case { name: "max_unpool_open", model: max_unpool_open },
];

fn col2im() -> Model {
    Model::new(18)
        .input("x", "f32[N, 4, 4]")
        .init("image", &[2], &[3i64, 3])
        .init("block", &[2], &[2i64, 2])
        .node("Col2Im", "x image block", "y")
        .output("y", "")
}

fn max_unpool() -> Model {
    Model::new(11)
        .input("x", "f32[1, 1, 2, 2]")
        .init("places", &[1, 1, 2, 2], &[5i64, 7, 13, 15])
        .node("MaxUnpool", "x places", "y")
        .attr("kernel_shape", [2, 2])
        .attr("strides", [2, 2])
        .output("y", "")
}

fn scaler() -> Model {
    Model::new(8)
        .input("x", "f32[N, 3, H, W]")
        .node("ImageScaler", "x", "y")
        .attr("scale", 0.5f32)
        .attr("bias", [-1f32, 0.0, 1.0])
        .output("y", "")
}

/// A shape that only the run knows, and one in which it lies.
fn max_unpool_open() -> Model {
    Model::new(11)
        .input("x", "f32[N, 1, 2, W]")
        .input("places", "i64[N, 1, 2, W]")
        .init("shape", &[4], &[6i64, 1, 5, 14])
        .node("MaxUnpool", "x places", "y")
        .attr("kernel_shape", [2, 2])
        .attr("strides", [2, 2])
        .output("y", "")
        .node("MaxUnpool", "x places shape", "larger")
        .attr("kernel_shape", [2, 2])
        .attr("strides", [2, 2])
        .output("larger", "")
}
