use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "scatter", model: scatter },
    Case { name: "first_scatter", model: first_scatter },
    Case { name: "reduced", model: reduced },
];

fn scatter() -> Model {
    Model::new(18)
        .input("x", "f32[3, 4]")
        .input("u", "f32[1, 2]")
        .input("v", "f32[2]")
        .init("each", &[1, 2], &[0i64, -1])
        .node("ScatterElements", "x each u", "elements")
        .attr("axis", 1)
        .output("elements", "")
        .node("ScatterElements", "x each u", "added")
        .attr("axis", 1)
        .attr("reduction", "add")
        .output("added", "")
        .init("points", &[2, 2], &[0i64, 1, 2, 3])
        .node("ScatterND", "x points v", "nd")
        .output("nd", "")
        .node("ScatterND", "x points v", "largest")
        .attr("reduction", "max")
        .output("largest", "")
}

fn first_scatter() -> Model {
    Model::new(9)
        .input("x", "f32[3]")
        .input("i", "i64[2]")
        .input("u", "f32[2]")
        .node("Scatter", "x i u", "y")
        .output("y", "")
}

/// Updates that may go to one place, of sizes that only the run knows.
fn reduced() -> Model {
    Model::new(18)
        .input("x", "f32[N, 4]")
        .input("i", "i64[M, 3]")
        .input("u", "f32[M, 3]")
        .input("p", "i64[M, 1]")
        .input("v", "f32[M, 4]")
        .node("ScatterElements", "x i u", "sums")
        .attr("reduction", "add")
        .output("sums", "")
        .node("ScatterND", "x p v", "least")
        .attr("reduction", "min")
        .output("least", "")
}
