use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "unary", model: unary },
    Case { name: "binary", model: binary },
    Case { name: "first_broadcast", model: first_broadcast },
    Case { name: "logic", model: logic },
    Case { name: "first_logic", model: first_logic },
    Case { name: "variadic", model: variadic },
    Case { name: "whole_numbers", model: whole_numbers },
    Case { name: "infinity", model: infinity },
    Case { name: "cast", model: cast },
    Case { name: "identity_output", model: identity_output },
];

const UNARY: &[&str] = &[
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Ceil",
    "Cos",
    "Cosh",
    "Erf",
    "Exp",
    "Floor",
    "Log",
    "Neg",
    "Reciprocal",
    "Round",
    "Sign",
    "Sin",
    "Sinh",
    "Sqrt",
    "Tan",
    "IsNaN",
];

fn unary() -> Model {
    let model = Model::new(17).input("x", "f32[N]");
    UNARY.iter().fold(model, |model, op| model.node(op, "x", op).output(op, ""))
}

fn binary() -> Model {
    let model =
        Model::new(17).input("a", "f32[N, 3]").input("b", "f32[2, 1, 3]").input("c", "i64[3]");
    let model = ["Add", "Sub", "Mul", "Div", "Pow"]
        .iter()
        .fold(model, |model, op| model.node(op, "a b", op).output(op, ""))
        .node("Pow", "a c", "PowOfInteger")
        .output("PowOfInteger", "");
    model.node("Mod", "a b", "Mod").attr("fmod", 1).output("Mod", "")
}

fn first_broadcast() -> Model {
    let model =
        Model::new(6).input("a", "f32[2, 3, 4]").input("b", "f32[3]").input("c", "f32[2, 3, 4]");
    ["Add", "Sub", "Mul", "Div", "Pow"].iter().fold(model, |model, op| {
        let aligned = format!("{op}_aligned");
        let model = model
            .node(op, "a b", &aligned)
            .attr("broadcast", 1)
            .attr("axis", 1)
            .output(&aligned, "");
        model.node(op, "a c", op).output(op, "")
    })
}

fn logic() -> Model {
    let mut model = Model::new(16).input("a", "f32[N]").input("b", "f32[N]").input("p", "bool[N]");
    for op in ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"] {
        model = model.node(op, "a b", op).output(op, "");
    }
    for op in ["And", "Or", "Xor"] {
        model = model.node(op, "Less p", op).output(op, "");
    }
    model
        .node("Not", "p", "Not")
        .output("Not", "")
        .node("Equal", "p Not", "SameBool")
        .output("SameBool", "")
        .node("Where", "p a b", "Where")
        .output("Where", "")
}

fn first_logic() -> Model {
    let mut model =
        Model::new(6).input("a", "f32[2, 3]").input("b", "f32[2, 3]").input("i", "i32[2, 3]");
    for op in ["Greater", "Less"] {
        model = model.node(op, "a b", op).output(op, "");
    }
    for op in ["And", "Or", "Xor"] {
        model = model.node(op, "Greater Less", op).output(op, "");
    }
    model.node("Equal", "i i", "Equal").output("Equal", "")
}

fn variadic() -> Model {
    let mut model =
        Model::new(13).input("a", "f32[N, 3]").input("b", "f32[3]").input("c", "f32[1]");
    for op in ["Max", "Min", "Sum", "Mean"] {
        model = model.node(op, "a b c", op).output(op, "");
    }
    model.node("Max", "a", "alone").output("alone", "")
}

fn whole_numbers() -> Model {
    Model::new(17)
        .input("a", "i64[N]")
        .input("b", "i64[N]")
        .node("Div", "a b", "Div")
        .output("Div", "")
        .node("Mod", "a b", "Mod")
        .output("Mod", "")
        .node("Pow", "a b", "Pow")
        .output("Pow", "")
        .node("Abs", "a", "Abs")
        .output("Abs", "")
        .node("Sign", "a", "Sign")
        .output("Sign", "")
}

fn infinity() -> Model {
    Model::new(10)
        .input("x", "f32[N]")
        .node("IsInf", "x", "both")
        .output("both", "")
        .node("IsInf", "x", "positive")
        .attr("detect_negative", 0)
        .output("positive", "")
}

fn cast() -> Model {
    Model::new(19)
        .input("x", "f32[N]")
        .input("like", "bool[]")
        .node("Cast", "x", "half")
        .attr("to", 10)
        .attr("saturate", 1)
        .output("half", "")
        .node("Cast", "half", "wide")
        .attr("to", 11)
        .output("wide", "")
        .node("CastLike", "x like", "bool")
        .output("bool", "")
}

/// Outputs that are an input, a constant, or the same value twice.
fn identity_output() -> Model {
    Model::new(17)
        .input("x", "f32[2]")
        .init("c", &[2], &[1f32, 2.0])
        .node("Identity", "x", "same")
        .node("Relu", "same", "y")
        .node("Identity", "y", "z")
        .output("same", "")
        .output("c", "")
        .output("y", "")
        .output("z", "")
}
