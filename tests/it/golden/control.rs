use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "if", model: conditional },
    Case { name: "if_sizes", model: sizes_from_branches },
    Case { name: "loop", model: counted },
    Case { name: "loop_rows", model: rows },
    Case { name: "loop_unrolled", model: unrolled },
];

/// A branch reads values from outside.
fn conditional() -> Model {
    let positive = Model::new(17).node("Relu", "x", "positive").output("positive", "");
    let negative =
        Model::new(17).node("Neg", "x", "n").node("Exp", "n", "negative").output("negative", "");
    Model::new(17)
        .input("choice", "bool[]")
        .input("x", "f32[N, 2]")
        .node("If", "choice", "y")
        .attr("then_branch", positive)
        .attr("else_branch", negative)
        .output("y", "")
}

/// Branches give numbers, flat, and the shape that they have.
fn sizes_from_branches() -> Model {
    let branch = |data: Model, prefix: &str| {
        let [flat, shape, all] = ["flat", "shape", "all"].map(|name| format!("{prefix}_{name}"));
        let model = data.init("rest", &[1], &[-1i64]);
        let model = model.node("Reshape", &format!("{all} rest"), &flat);
        model.node("Shape", &all, &shape).output(&flat, "").output(&shape, "")
    };
    let twice = Model::new(17).node("Concat", "x x", "twice_all").attr("axis", 0);
    let once = Model::new(17).node("Identity", "x", "once_all");
    Model::new(17)
        .input("choice", "bool[]")
        .input("x", "f32[N, M]")
        .node("If", "choice", "flat shape")
        .attr("then_branch", branch(twice, "twice"))
        .attr("else_branch", branch(once, "once"))
        .node("Reshape", "flat shape", "y")
        .output("y", "")
}

/// Adds `x` in each iteration, and keeps every sum.
fn body() -> Model {
    Model::new(17)
        .input("i", "i64[]")
        .input("go", "bool[]")
        .input("before", "f32[2]")
        .node("Identity", "go", "go_on")
        .node("Add", "before x", "after")
        .node("Identity", "after", "kept")
        .output("go_on", "bool[]")
        .output("after", "f32[2]")
        .output("kept", "f32[2]")
}

fn counted() -> Model {
    Model::new(17)
        .input("x", "f32[2]")
        .init("count", &[], &[1000i64])
        .node("Loop", "count - x", "last all")
        .attr("body", body())
        .output("last", "")
        .output("all", "")
}

/// Adds up rows, one in each iteration: a slice of one that starts where only the run knows.
fn rows() -> Model {
    let body = Model::new(17)
        .input("i", "i64[]")
        .input("go", "bool[]")
        .input("before", "f32[3]")
        .node("Unsqueeze", "i zero", "start")
        .node("Add", "start one", "end")
        .node("Slice", "x start end zero", "row")
        .node("ReduceSum", "row zero", "flat")
        .attr("keepdims", 0)
        .node("Add", "before flat", "after")
        .node("Identity", "go", "go_on")
        .output("go_on", "bool[]")
        .output("after", "f32[3]");
    Model::new(17)
        .input("x", "f32[N, 3]")
        .init("zero", &[1], &[0i64])
        .init("one", &[1], &[1i64])
        .init("first", &[], &[0i64])
        .init("none", &[3], &[0f32, 0.0, 0.0])
        .node("Shape", "x", "shape")
        .node("Gather", "shape first", "count")
        .node("Loop", "count - none", "sum")
        .attr("body", body)
        .output("sum", "")
}

fn unrolled() -> Model {
    Model::new(17)
        .input("x", "f32[2]")
        .init("count", &[], &[2i64])
        .node("Loop", "count - x", "last all")
        .attr("body", body())
        .output("last", "")
        .output("all", "")
}
