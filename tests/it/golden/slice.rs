use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "slice", model: slice },
    Case { name: "slice_of_unknown_size", model: slice_of_unknown_size },
    Case { name: "first_slice", model: first_slice },
    Case { name: "split", model: split },
    Case { name: "split_13", model: split_13 },
    Case { name: "split_2", model: split_2 },
    Case { name: "split_1", model: split_1 },
    Case { name: "pad", model: pad },
    Case { name: "pad_of_some_axes", model: pad_of_some_axes },
    Case { name: "pad_2", model: pad_2 },
    Case { name: "pad_1", model: pad_1 },
    Case { name: "crop_and_triangle", model: crop_and_triangle },
];

fn slice() -> Model {
    Model::new(13)
        .input("x", "f32[N, 10]")
        .init("one", &[1], &[1i64])
        .init("minus_one", &[1], &[-1i64])
        .init("far", &[1], &[i64::MAX])
        .init("before", &[1], &[i64::MIN])
        .init("two", &[1], &[2i64])
        .node("Slice", "x one far one two", "odd")
        .output("odd", "")
        .node("Slice", "x minus_one before one minus_one", "reversed")
        .output("reversed", "")
        .node("Slice", "x one minus_one one", "inside")
        .output("inside", "")
}

fn slice_of_unknown_size() -> Model {
    Model::new(13)
        .input("x", "f32[N, 10]")
        .input("end", "i64[1]")
        .init("zero", &[1], &[0i64])
        .init("two", &[1], &[2i64])
        .init("last", &[1], &[-1i64])
        .node("Slice", "x zero end zero", "until")
        .output("until", "")
        .node("Slice", "x two last zero", "symbolic")
        .output("symbolic", "")
}

fn first_slice() -> Model {
    Model::new(9)
        .input("x", "f32[4, 10]")
        .node("Slice", "x", "y")
        .attr("starts", [1, -3])
        .attr("ends", [1000, -1])
        .output("y", "")
}

fn split() -> Model {
    Model::new(18)
        .input("x", "f32[N, 7]")
        .node("Split", "x", "a b c")
        .attr("axis", 1)
        .attr("num_outputs", 3)
        .output("a", "")
        .output("c", "")
}

fn split_13() -> Model {
    Model::new(13)
        .input("x", "f32[N, 7]")
        .init("sizes", &[2], &[3i64, 4])
        .node("Split", "x sizes", "a b")
        .attr("axis", 1)
        .output("a", "")
        .output("b", "")
}

fn split_2() -> Model {
    Model::new(11)
        .input("x", "f32[N, 6]")
        .node("Split", "x", "a b")
        .attr("axis", 1)
        .output("a", "")
        .output("b", "")
}

fn split_1() -> Model {
    Model::new(1)
        .input("x", "f32[N, 6]")
        .node("Split", "x", "a b")
        .attr("axis", 1)
        .attr("split", [2, 4])
        .output("a", "")
        .output("b", "")
}

fn pad() -> Model {
    Model::new(13)
        .input("x", "f32[N, 4]")
        .init("pads", &[4], &[0i64, 1, 0, 2])
        .init("value", &[], &[0.5f32])
        .node("Pad", "x pads value", "constant")
        .output("constant", "")
        .node("Pad", "x pads", "edge")
        .attr("mode", "edge")
        .output("edge", "")
        .init("cut", &[4], &[0i64, -1, 0, 2])
        .node("Pad", "x cut", "reflected")
        .attr("mode", "reflect")
        .output("reflected", "")
}

fn pad_of_some_axes() -> Model {
    Model::new(19)
        .input("x", "f32[N, 4]")
        .init("pads", &[2], &[1i64, 2])
        .init("axes", &[1], &[-1i64])
        .node("Pad", "x pads - axes", "wrapped")
        .attr("mode", "wrap")
        .output("wrapped", "")
}

fn pad_2() -> Model {
    Model::new(2)
        .input("x", "f32[2, 4]")
        .node("Pad", "x", "y")
        .attr("pads", [0, 1, 0, 1])
        .attr("value", 2.0)
        .output("y", "")
}

fn pad_1() -> Model {
    Model::new(1)
        .input("x", "f32[2, 4]")
        .node("Pad", "x", "y")
        .attr("paddings", [0, 1, 0, 1])
        .output("y", "")
}

fn crop_and_triangle() -> Model {
    Model::new(18)
        .input("x", "f32[5, 5]")
        .init("shape", &[2], &[3i64, 8])
        .node("CenterCropPad", "x shape", "center")
        .output("center", "")
        .init("k", &[], &[-1i64])
        .node("Trilu", "x k", "lower")
        .attr("upper", 0)
        .output("lower", "")
}
