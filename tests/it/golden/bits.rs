use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "shifts", model: shifts },
    Case { name: "pairs", model: pairs },
    Case { name: "recast", model: recast },
];

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

fn pairs() -> Model {
    Model::new(18)
        .input("x", "i32[N]")
        .init("mask", &[1], &[7i32])
        .node("BitwiseAnd", "x mask", "and")
        .output("and", "")
        .input("a", "u8[N]")
        .input("b", "u8[N]")
        .node("BitwiseOr", "a b", "or")
        .output("or", "")
        .node("BitwiseXor", "a b", "xor")
        .output("xor", "")
}

fn recast() -> Model {
    Model::new(26).input("x", "i8[N]").node("BitCast", "x", "y").attr("to", 2).output("y", "")
}
