use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "by_attribute", model: by_attribute },
    Case { name: "by_input", model: by_input },
    Case { name: "everything", model: everything },
    Case { name: "whole_numbers", model: whole_numbers },
    Case { name: "arg", model: arg },
    Case { name: "cumulative", model: cumulative },
    Case { name: "cumulative_axis", model: cumulative_axis },
];

const OPS: &[&str] = &[
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
];

fn by_attribute() -> Model {
    let model = Model::new(11).input("x", "f32[N, 3, 4]");
    OPS.iter().fold(model, |model, op| {
        model.node(op, "x", op).attr("axes", [1, -1]).attr("keepdims", 0).output(op, "")
    })
}

fn by_input() -> Model {
    let model = Model::new(18).input("x", "f32[N, 3, 4]").init("axes", &[1], &[-1i64]);
    OPS.iter().fold(model, |model, op| model.node(op, "x axes", op).output(op, ""))
}

fn everything() -> Model {
    Model::new(18)
        .input("x", "f32[N, 3]")
        .node("ReduceSum", "x", "all")
        .output("all", "")
        .node("ReduceSum", "x", "none")
        .attr("noop_with_empty_axes", 1)
        .output("none", "")
}

fn whole_numbers() -> Model {
    Model::new(18)
        .input("x", "i32[N, 3]")
        .input("b", "bool[N, 3]")
        .init("axes", &[1], &[1i64])
        .node("ReduceMean", "x axes", "mean")
        .output("mean", "")
        .node("ReduceMax", "b axes", "any")
        .output("any", "")
}

fn arg() -> Model {
    Model::new(13)
        .input("x", "f32[N, 5]")
        .node("ArgMax", "x", "largest")
        .attr("axis", 1)
        .attr("keepdims", 0)
        .output("largest", "")
        .node("ArgMin", "x", "last_smallest")
        .attr("axis", 1)
        .attr("select_last_index", 1)
        .output("last_smallest", "")
}

fn cumulative() -> Model {
    Model::new(26)
        .input("x", "f32[N, 5]")
        .init("axis", &[], &[1i64])
        .node("CumSum", "x axis", "sum")
        .attr("exclusive", 1)
        .attr("reverse", 1)
        .output("sum", "")
        .node("CumProd", "x axis", "product")
        .output("product", "")
}

/// An axis that only the run knows.
fn cumulative_axis() -> Model {
    Model::new(14)
        .input("x", "f32[3, 4]")
        .input("axis", "i64[]")
        .node("CumSum", "x axis", "y")
        .attr("reverse", 1)
        .output("y", "")
}
