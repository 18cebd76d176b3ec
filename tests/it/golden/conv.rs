use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "conv", model: conv },
    Case { name: "conv_1d", model: conv_1d },
    Case { name: "conv_same", model: conv_same },
    Case { name: "conv_computed_weights", model: conv_computed_weights },
    Case { name: "conv_integer", model: conv_integer },
    Case { name: "transpose", model: transpose },
    Case { name: "transpose_output_padding", model: transpose_output_padding },
    Case { name: "transpose_apart", model: transpose_apart },
    Case { name: "number_behind", model: number_behind },
    Case { name: "arithmetic_behind", model: arithmetic_behind },
    Case { name: "kernel_of_open_depth", model: kernel_of_open_depth },
    Case { name: "conv_same_skipping", model: conv_same_skipping },
    Case { name: "transpose_output_shape", model: transpose_output_shape },
];

fn conv() -> Model {
    Model::new(17)
        .input("x", "f32[N, 4, 8, 9]")
        .weights("w", &[6, 2, 3, 2])
        .weights("b", &[6])
        .node("Conv", "x w b", "y")
        .attr("kernel_shape", [3, 2])
        .attr("strides", [2, 1])
        .attr("dilations", [1, 2])
        .attr("pads", [1, 0, 2, 1])
        .attr("group", 2)
        .output("y", "")
}

fn conv_1d() -> Model {
    Model::new(11)
        .input("x", "f32[1, 2, L]")
        .weights("w", &[3, 2, 5])
        .node("Conv", "x w", "y")
        .output("y", "")
}

fn conv_same() -> Model {
    Model::new(11)
        .input("x", "f32[1, 2, 7, 8]")
        .weights("w", &[3, 2, 4, 4])
        .node("Conv", "x w", "upper")
        .attr("auto_pad", "SAME_UPPER")
        .node("Conv", "upper v", "lower")
        .attr("auto_pad", "SAME_LOWER")
        .attr("strides", [2, 2])
        .weights("v", &[1, 3, 2, 2])
        .output("lower", "")
}

fn conv_computed_weights() -> Model {
    Model::new(17)
        .input("x", "f32[N, 1, 4, 4]")
        .input("w", "f32[2, 1, 3, 3]")
        .input("b", "f32[2]")
        .node("Conv", "x w b", "y")
        .output("y", "")
}

fn conv_integer() -> Model {
    Model::new(10)
        .input("x", "u8[1, 1, 4, 4]")
        .init("w", &[1, 1, 2, 2], &[1u8, 2, 3, 4])
        .init("zero", &[], &[128u8])
        .node("ConvInteger", "x w zero", "y")
        .output("y", "")
}

fn transpose() -> Model {
    Model::new(17)
        .input("x", "f32[N, 4, 5, 5]")
        .weights("w", &[4, 1, 3, 3])
        .weights("b", &[2])
        .node("ConvTranspose", "x w b", "y")
        .attr("strides", [2, 2])
        .attr("pads", [1, 1, 1, 1])
        .attr("group", 2)
        .output("y", "")
}

fn transpose_output_padding() -> Model {
    Model::new(17)
        .input("x", "f32[1, 1, 5, 5]")
        .weights("w", &[1, 1, 3, 3])
        .weights("b", &[1])
        .node("ConvTranspose", "x w b", "inside")
        .attr("strides", [2, 2])
        .attr("pads", [1, 1, 1, 1])
        .attr("output_padding", [1, 1])
        .output("inside", "")
        .node("ConvTranspose", "x w b", "beyond")
        .attr("strides", [2, 2])
        .attr("output_padding", [1, 0])
        .output("beyond", "")
}

/// Stride and dilation at once: zeros between the taps of the kernel, be it known or not.
fn transpose_apart() -> Model {
    let model = Model::new(17)
        .input("x", "f32[N, 2, 3, 4]")
        .input("late", "f32[2, 3, 2, 3]")
        .weights("w", &[2, 3, 2, 3]);
    ["w", "late"].iter().fold(model, |model, kernel| {
        let name = format!("y_{kernel}");
        let model =
            model.node("ConvTranspose", &format!("x {kernel}"), &name).attr("strides", [3, 2]);
        model.attr("dilations", [2, 1]).attr("pads", [1, 0, 2, 1]).output(&name, "")
    })
}

/// A number added to what has one spatial axis, which TensorRT-RTX would take for a bias.
fn number_behind() -> Model {
    let model = Model::new(17).input("x", "f32[N, 3, L]").weights("w", &[4, 3, 3]).init(
        "three",
        &[],
        &[3f32],
    );
    let model =
        model.node("Conv", "x w", "c").node("Add", "three c", "sum").node("Sub", "sum three", "y");
    model.node("Sub", "three c", "other").output("y", "").output("other", "")
}

/// A chain of constants that meet what has one spatial axis, as batch normalizations and clips leave
/// it.
fn arithmetic_behind() -> Model {
    let model = Model::new(17)
        .input("x", "f32[N, 1, 3]")
        .weights("w", &[2, 1, 1])
        .init("each", &[2, 1], &[3f32, 0.5])
        .init("zero", &[], &[0f32])
        .init("six", &[1, 1, 1], &[6f32])
        .weights("v", &[1, 2, 1]);
    let model = model.node("Conv", "x w", "c").node("Add", "c each", "sum");
    let model = model.node("Div", "each sum", "part").node("Mul", "part six", "scaled");
    let model = model.node("Max", "scaled zero", "above").node("Min", "above six", "held");
    model.node("Sub", "held zero", "less").node("Conv", "less v", "y").output("y", "")
}

/// Kernels of the run, of which the data know how many channels they take.
fn kernel_of_open_depth() -> Model {
    let model = Model::new(17).input("x", "f32[N, 6, L]");
    let model = model.input("w", "f32[2, C, 3]").input("v", "f32[C, 2, 3]");
    let model = model.node("Conv", "x w", "y").attr("kernel_shape", [3]);
    let model = model.node("ConvTranspose", "x v", "z").attr("kernel_shape", [3]);
    model.output("y", "").output("z", "")
}

/// Windows that skip elements.
fn conv_same_skipping() -> Model {
    Model::new(11)
        .input("x", "f32[1, 2, L]")
        .weights("w", &[1, 2, 2])
        .node("Conv", "x w", "y")
        .attr("auto_pad", "SAME_LOWER")
        .attr("strides", [3])
        .output("y", "")
}

/// How much is cropped depends on the size.
fn transpose_output_shape() -> Model {
    Model::new(11)
        .input("x", "f32[1, 2, L]")
        .weights("w", &[2, 1, 3])
        .weights("b", &[1])
        .node("ConvTranspose", "x w b", "y")
        .attr("output_shape", [10])
        .attr("strides", [2])
        .output("y", "")
}
