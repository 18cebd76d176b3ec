use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "max", model: max },
    Case { name: "max_dilated", model: max_dilated },
    Case { name: "max_of_bytes", model: max_of_bytes },
    Case { name: "average", model: average },
    Case { name: "average_ceil", model: average_ceil },
    Case { name: "lp", model: lp },
    Case { name: "first_lp", model: first_lp },
    Case { name: "global", model: global },
    Case { name: "places", model: places },
    Case { name: "open_ceil", model: open_ceil },
    Case { name: "open_dilated", model: open_dilated },
    Case { name: "open_same", model: open_same },
];

fn max() -> Model {
    Model::new(12)
        .input("x", "f32[N, 2, 8, 8]")
        .node("MaxPool", "x", "y")
        .attr("kernel_shape", [3, 3])
        .attr("strides", [2, 2])
        .attr("pads", [1, 1, 1, 1])
        .attr("storage_order", 0)
        .output("y", "")
}

fn max_dilated() -> Model {
    Model::new(12)
        .input("x", "f32[1, 1, 6]")
        .node("MaxPool", "x", "y")
        .attr("kernel_shape", [2])
        .attr("dilations", [2])
        .output("y", "")
}

fn max_of_bytes() -> Model {
    Model::new(12)
        .input("x", "u8[1, 1, 4, 4]")
        .node("MaxPool", "x", "y")
        .attr("kernel_shape", [2, 2])
        .attr("auto_pad", "SAME_LOWER")
        .output("y", "")
}

fn average() -> Model {
    Model::new(11)
        .input("x", "f32[N, 2, 8, 8]")
        .node("AveragePool", "x", "inside")
        .attr("kernel_shape", [3, 3])
        .attr("pads", [1, 1, 1, 1])
        .output("inside", "")
        .node("AveragePool", "x", "with_border")
        .attr("kernel_shape", [3, 3])
        .attr("pads", [1, 1, 1, 1])
        .attr("count_include_pad", 1)
        .output("with_border", "")
}

/// The last window reaches beyond the padding: that part does not count.
fn average_ceil() -> Model {
    Model::new(19)
        .input("x", "f32[1, 1, 4, 4]")
        .node("AveragePool", "x", "y")
        .attr("kernel_shape", [3, 3])
        .attr("strides", [2, 2])
        .attr("ceil_mode", 1)
        .attr("count_include_pad", 1)
        .output("y", "")
}

fn lp() -> Model {
    Model::new(18)
        .input("x", "f32[N, 2, 8, 8]")
        .node("LpPool", "x", "euclidean")
        .attr("kernel_shape", [2, 2])
        .output("euclidean", "")
        .node("GlobalLpPool", "x", "sum")
        .attr("p", 1)
        .output("sum", "")
}

fn first_lp() -> Model {
    Model::new(1)
        .input("x", "f32[1, 2, 8, 8]")
        .node("LpPool", "x", "cubic")
        .attr("kernel_shape", [2, 2])
        .attr("p", 3.0)
        .output("cubic", "")
        .node("GlobalLpPool", "x", "global")
        .output("global", "")
}

fn global() -> Model {
    Model::new(13)
        .input("x", "f32[N, 2, H, W]")
        .node("GlobalAveragePool", "x", "average")
        .output("average", "")
        .node("GlobalMaxPool", "x", "largest")
        .output("largest", "")
}

/// The largest elements with their places, by rows and by columns.
fn places() -> Model {
    Model::new(12)
        .input("x", "f32[N, 2, H, W]")
        .node("MaxPool", "x", "y i")
        .attr("kernel_shape", [2, 3])
        .attr("strides", [2, 2])
        .output("y", "")
        .output("i", "")
        .node("MaxPool", "x", "z j")
        .attr("kernel_shape", [3, 1])
        .attr("ceil_mode", 1)
        .attr("pads", [1, 0, 1, 0])
        .attr("storage_order", 1)
        .output("z", "")
        .output("j", "")
}

/// The last window would start in the padding at some sizes, and at others not.
fn open_ceil() -> Model {
    let window = |model: Model| {
        model
            .attr("kernel_shape", [3, 3])
            .attr("strides", [3, 3])
            .attr("pads", [1, 1, 1, 1])
            .attr("ceil_mode", 1)
    };
    let model =
        window(Model::new(19).input("x", "f32[N, 1, H, W]").node("MaxPool", "x", "largest"));
    let model = window(model.output("largest", "").node("AveragePool", "x", "inside"));
    let model = window(model.output("inside", "").node("AveragePool", "x", "with_border"));
    model.attr("count_include_pad", 1).output("with_border", "")
}

fn open_dilated() -> Model {
    Model::new(19)
        .input("x", "f32[N, 1, L]")
        .node("MaxPool", "x", "largest")
        .attr("kernel_shape", [2])
        .attr("dilations", [3])
        .output("largest", "")
        .node("AveragePool", "x", "mean")
        .attr("kernel_shape", [2])
        .attr("dilations", [3])
        .attr("pads", [1, 1])
        .output("mean", "")
}

/// Windows that skip elements.
fn open_same() -> Model {
    Model::new(19)
        .input("x", "f32[N, 1, L]")
        .node("MaxPool", "x", "y")
        .attr("kernel_shape", [2])
        .attr("strides", [3])
        .attr("auto_pad", "SAME_UPPER")
        .output("y", "")
}
