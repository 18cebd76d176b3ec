use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] =
    &[Case { name: "scan", model: scan }, Case { name: "scan_8", model: scan_8 }];

/// Running sums.
fn body() -> Model {
    Model::new(17)
        .input("before", "f32[2]")
        .input("x", "f32[2]")
        .node("Add", "before x", "after")
        .node("Identity", "after", "kept")
        .output("after", "f32[2]")
        .output("kept", "f32[2]")
}

fn scan() -> Model {
    Model::new(17)
        .input("start", "f32[2]")
        .input("xs", "f32[T, 2]")
        .node("Scan", "start xs", "last all")
        .attr("num_scan_inputs", 1)
        .attr("body", body())
        .attr("scan_input_directions", [1])
        .output("last", "")
        .output("all", "")
}

/// With an axis for the batch.
fn scan_8() -> Model {
    Model::new(8)
        .input("start", "f32[3, 2]")
        .input("xs", "f32[3, T, 2]")
        .node("Scan", "- start xs", "last all")
        .attr("num_scan_inputs", 1)
        .attr("body", body())
        .output("last", "")
        .output("all", "")
}
