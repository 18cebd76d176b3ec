use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[Case { name: "unique", model: unique }];

/// Elements in order and rows sorted.
fn unique() -> Model {
    Model::new(11)
        .input("x", "f32[N, 3]")
        .node("Unique", "x", "y indices inverse counts")
        .attr("sorted", 0)
        .output("y", "")
        .output("indices", "")
        .output("inverse", "")
        .output("counts", "")
        .node("Unique", "x", "rows")
        .attr("axis", 0)
        .output("rows", "")
}
