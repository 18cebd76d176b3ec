use super::Case;
use crate::support::{Model, tensor};

pub(super) const CASES: &[Case] = &[
    Case { name: "constants", model: constants },
    Case { name: "shape", model: shape },
    Case { name: "of_shape", model: of_shape },
    Case { name: "range", model: range },
    Case { name: "random", model: random },
];

fn constants() -> Model {
    Model::new(13)
        .input("x", "f32[2]")
        .node("Constant", "", "tensor")
        .attr("value", tensor(&[2], &[0.1f64, 2.0]))
        .node("Constant", "", "float")
        .attr("value_float", 3.0)
        .node("Constant", "", "ints")
        .attr("value_ints", [4, 5])
        .node("Add", "x tensor", "sum")
        .node("Mul", "sum float", "y")
        .output("y", "")
        .output("ints", "")
}

/// A shape that is computed in the model, as exporters write it.
fn shape() -> Model {
    Model::new(15)
        .input("x", "f32[N, 3, H, W]")
        .init("minus_one", &[1], &[-1i64])
        .node("Shape", "x", "shape")
        .node("Shape", "x", "batch")
        .attr("start", 0)
        .attr("end", 1)
        .node("Concat", "batch minus_one", "flat")
        .attr("axis", 0)
        .node("Reshape", "x flat", "y")
        .node("Size", "x", "size")
        .output("shape", "")
        .output("y", "")
        .output("size", "")
}

fn of_shape() -> Model {
    Model::new(13)
        .input("x", "f32[N, 4]")
        .node("Shape", "x", "shape")
        .node("ConstantOfShape", "shape", "zeros")
        .node("ConstantOfShape", "shape", "sevens")
        .attr("value", tensor(&[1], &[7i64]))
        .output("zeros", "")
        .output("sevens", "")
        .node("EyeLike", "x", "eye")
        .attr("k", 1)
        .output("eye", "")
}

fn range() -> Model {
    Model::new(11)
        .input("limit", "i64[]")
        .init("zero", &[], &[0i64])
        .init("two", &[], &[2i64])
        .node("Range", "zero limit two", "y")
        .output("y", "")
        .init("start", &[], &[1f32])
        .init("end", &[], &[2f32])
        .init("step", &[], &[0.25f32])
        .node("Range", "start end step", "folded")
        .output("folded", "")
}

fn random() -> Model {
    Model::new(15)
        .input("x", "f32[N, 2]")
        .node("RandomNormal", "", "normal")
        .attr("shape", [2, 3])
        .attr("mean", 1.0)
        .attr("scale", 0.5)
        .attr("seed", 3.0)
        .node("RandomUniform", "", "uniform")
        .attr("shape", [2])
        .attr("low", -1.0)
        .node("RandomNormalLike", "x", "normal_like")
        .node("RandomUniformLike", "x", "uniform_like")
        .node("Bernoulli", "x", "bernoulli")
        .output("normal", "")
        .output("uniform", "")
        .output("normal_like", "")
        .output("uniform_like", "")
        .output("bernoulli", "")
}
