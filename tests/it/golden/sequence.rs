use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "built", model: built },
    Case { name: "split", model: split },
    Case { name: "map", model: map },
    Case { name: "carried", model: carried },
    Case { name: "optional", model: optional },
];

/// Values put into a sequence and taken out again; nothing of the sequence is left.
fn built() -> Model {
    Model::new(17)
        .input("x", "f32[2, 3]")
        .input("y", "f32[2, 3]")
        .init("first", &[], &[0i64])
        .init("last", &[], &[-1i64])
        .node("SequenceEmpty", "", "none")
        .node("SequenceInsert", "none x", "one")
        .node("SequenceInsert", "one y first", "two")
        .node("SequenceErase", "two last", "only_y")
        .node("SequenceAt", "only_y first", "taken")
        .node("SequenceConstruct", "x y x", "three")
        .node("SequenceLength", "three", "count")
        .node("ConcatFromSequence", "three", "rows")
        .attr("axis", 0)
        .node("ConcatFromSequence", "three", "stack")
        .attr("axis", -1)
        .attr("new_axis", 1)
        .output("taken", "")
        .output("count", "")
        .output("rows", "")
        .output("stack", "")
}

fn split() -> Model {
    Model::new(17)
        .input("x", "f32[5, 2]")
        .init("size", &[], &[2i64])
        .init("third", &[], &[2i64])
        .node("SplitToSequence", "x size", "pairs")
        .node("SequenceAt", "pairs third", "rest")
        .node("SplitToSequence", "x", "rows")
        .attr("keepdims", 0)
        .node("SequenceAt", "rows third", "row")
        .output("rest", "")
        .output("row", "")
}

fn map() -> Model {
    let body = Model::new(17)
        .input("a", "f32[2]")
        .input("b", "f32[2]")
        .node("Add", "a b", "sum")
        .output("sum", "");
    Model::new(17)
        .input("x", "f32[2]")
        .input("y", "f32[2]")
        .node("SequenceConstruct", "x y", "both")
        .node("SequenceMap", "both y", "sums")
        .attr("body", body)
        .node("ConcatFromSequence", "sums", "z")
        .attr("axis", 0)
        .output("z", "")
}

/// As exporters write a list that grows in a loop.
fn carried() -> Model {
    let body = Model::new(17)
        .input("i", "i64[]")
        .input("go", "bool[]")
        .input("before", "")
        .node("Identity", "go", "go_on")
        .node("Gather", "x i", "row")
        .node("SequenceInsert", "before row", "after")
        .output("go_on", "")
        .output("after", "");
    Model::new(17)
        .input("x", "f32[3, 2]")
        .init("count", &[], &[3i64])
        .node("SequenceEmpty", "", "none")
        .node("Loop", "count - none", "rows")
        .attr("body", body)
        .node("ConcatFromSequence", "rows", "y")
        .attr("axis", 0)
        .output("y", "")
}

fn optional() -> Model {
    Model::new(18)
        .input("x", "f32[2]")
        .node("Optional", "x", "some")
        .node("OptionalHasElement", "some", "has")
        .node("OptionalGetElement", "some", "y")
        .node("Optional", "", "none")
        .node("OptionalHasElement", "none", "has_not")
        .output("has", "")
        .output("y", "")
        .output("has_not", "")
}
