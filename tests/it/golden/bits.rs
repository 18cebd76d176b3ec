use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[Case { name: "shifts", model: shifts }];

fn shifts() -> Model {
    Model::new(18)
        .input("x", "i32[N]")
        .input("b", "u8[N]")
        .init("two", &[1], &[2i32])
        .init("three", &[1], &[3u8])
        .node("BitShift", "x two", "right")
        .attr("direction", "RIGHT")
        .output("right", "")
        .node("BitShift", "b three", "left")
        .attr("direction", "LEFT")
        .output("left", "")
        .node("BitwiseNot", "x", "not")
        .output("not", "")
}
