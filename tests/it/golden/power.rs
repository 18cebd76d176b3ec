use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "known_exponent", model: known_exponent },
    Case { name: "any_exponent", model: any_exponent },
];

/// Squares, and products of those that the exponent's bits name.
fn known_exponent() -> Model {
    let model = Model::new(17).input("x", "i64[N]").input("y", "i32[N]");
    let model =
        model.init("one", &[], &[1i64]).init("five", &[1], &[5i64]).init("three", &[], &[3f32]);
    let model = model.init("k", &[2], &[5001i64, -4097]).init("two", &[], &[2i32]);
    ["x one", "x five", "y three", "k two"].iter().enumerate().fold(
        model,
        |model, (at, operands)| {
            let name = format!("p{at}");
            model.node("Pow", operands, &name).output(&name, "")
        },
    )
}

/// Of a real exponent it is the run that knows whether it is whole.
fn any_exponent() -> Model {
    Model::new(17)
        .input("x", "i32[N]")
        .input("e", "i64[1, 1]")
        .input("r", "f32[N]")
        .node("Pow", "x e", "whole")
        .output("whole", "")
        .node("Pow", "x r", "real")
        .output("real", "")
}
