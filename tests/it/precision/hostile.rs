//! Networks that half of the bits break, each in its own way.

mod sums;
mod whole;

use super::Case;
use super::answers::{between, each, erf, mean, normal, rows, standard};
use crate::support::Model;
use onnx2plan::tensor::Tensor;

/// `y`, computed from `x` of a type.
pub(super) fn of(x: &str) -> Model {
    Model::new(17).input("x", x)
}

/// The model with its output `y`.
pub(super) fn y(model: Model) -> Model {
    model.output("y", "")
}

/// A number.
pub(super) fn number(model: Model, name: &str, value: f32) -> Model {
    model.init(name, &[], &[value])
}

/// Data of one input `x`.
pub(super) fn x(tensor: Tensor) -> Vec<(&'static str, Tensor)> {
    vec![("x", tensor)]
}

pub(super) fn cases() -> Vec<Case> {
    let mut all = vec![
        Case {
            name: "layer norm, epsilon 1e-12",
            model: layer_norm(1e-12),
            data: |seed| x(normal(seed, &[4, 64], 0.0, 1e-4)),
            right: |x| rows(x, 64, |row| standard(row, 1e-12)),
        },
        Case {
            name: "layer norm of a constant row, epsilon 1e-12",
            model: layer_norm(1e-12),
            data: |seed| {
                let mut values = vec![0.5f32; 64];
                values.extend(normal(seed, &[64], 0.0, 1.0).to_f32s().unwrap().iter());
                x(Tensor::of(vec![2, 64], values).unwrap())
            },
            right: |x| rows(x, 64, |row| standard(row, 1e-12)),
        },
        Case {
            name: "log(sigmoid(x))",
            model: y(of("f32[8, 32]").node("Sigmoid", "x", "s").node("Log", "s", "y")),
            data: |seed| x(between(seed, &[8, 32], -30.0, 10.0)),
            right: |x| each(x, |x| -(1.0 + (-x).exp()).ln()),
        },
        Case {
            name: "x · 1e-9 / 1e-9",
            model: scaled(1e-9),
            data: |seed| x(normal(seed, &[4, 16], 0.0, 1.0)),
            right: |x| each(x, |x| x),
        },
        Case {
            name: "x · 1e6 / 1e6",
            model: scaled(1e6),
            data: |seed| x(normal(seed, &[4, 16], 0.0, 1.0)),
            right: |x| each(x, |x| x),
        },
        Case {
            name: "√(x²) of 400",
            model: y(of("f32[4, 16]").node("Mul", "x x", "s").node("Sqrt", "s", "y")),
            data: |seed| x(normal(seed, &[4, 16], 0.0, 400.0)),
            right: |x| each(x, f64::abs),
        },
        Case {
            name: "x² of 200, just within",
            model: y(of("f32[4, 16]").node("Mul", "x x", "y")),
            data: |seed| x(between(seed, &[4, 16], 150.0, if seed < 10 { 200.0 } else { 280.0 })),
            right: |x| each(x, |x| x * x),
        },
        Case {
            name: "log(exp(x)) of 12",
            model: y(of("f32[4, 16]").node("Exp", "x", "e").node("Log", "e", "y")),
            data: |seed| x(between(seed, &[4, 16], 8.0, 12.5)),
            right: |x| each(x, |x| x),
        },
        Case {
            name: "x⁵",
            model: y(number(of("f32[4, 16]"), "five", 5.0).node("Pow", "x five", "y")),
            data: |seed| x(normal(seed, &[4, 16], 0.0, 12.0)),
            right: |x| each(x, |x| x.powi(5)),
        },
        Case {
            name: "1/√x of tiny numbers",
            model: y(of("f32[4, 16]").node("Sqrt", "x", "r").node("Reciprocal", "r", "y")),
            data: |seed| x(between(seed, &[4, 16], 1e-9, 1e-7)),
            right: |x| each(x, |x| 1.0 / x.sqrt()),
        },
        Case {
            name: "1/x² · x²",
            model: y(of("f32[4, 16]")
                .node("Mul", "x x", "s")
                .node("Reciprocal", "s", "r")
                .node("Mul", "r s", "y")),
            data: |seed| x(between(seed, &[4, 16], 1e-4, 2e-4)),
            right: |x| each(x, |_| 1.0),
        },
        Case {
            name: "a/b of small b",
            model: y(Model::new(17)
                .input("x", "f32[64]")
                .input("b", "f32[64]")
                .node("Div", "x b", "y")),
            data: |seed| {
                let b = between(seed + 900, &[64], 1e-6, 1e-5);
                vec![("x", between(seed, &[64], 1e-6, 1e-5)), ("b", b)]
            },
            right: |of| {
                let (a, b) = (super::numbers(&of[0]), super::numbers(&of[1]));
                a.iter().zip(b).map(|(a, b)| a / b).collect()
            },
        },
        Case {
            name: "(1000 + x) − 1000",
            model: y(number(of("f32[4, 16]"), "k", 1000.0)
                .node("Add", "x k", "a")
                .node("Sub", "a k", "y")),
            data: |seed| x(normal(seed, &[4, 16], 0.0, 0.1)),
            right: |x| each(x, |x| f64::from(x as f32 + 1000.0) - 1000.0),
        },
        Case {
            name: "difference of products",
            model: y(number(number(of("f32[4, 16]"), "k", 37.0), "one", 1.0)
                .node("Mul", "x k", "a")
                .node("Add", "a one", "b")
                .node("Sub", "b a", "y")),
            data: |seed| x(normal(seed, &[4, 16], 0.0, 50.0)),
            right: |x| each(x, |x| f64::from((x as f32) * 37.0 + 1.0) - f64::from(x as f32 * 37.0)),
        },
        Case {
            name: "log(1 + x) of small x",
            model: y(number(of("f32[4, 16]"), "one", 1.0)
                .node("Add", "x one", "a")
                .node("Log", "a", "y")),
            data: |seed| x(between(seed, &[4, 16], 1e-3, 2e-3)),
            right: |x| each(x, f64::ln_1p),
        },
        Case {
            name: "log of what is clipped at 1e-12",
            model: y(number(number(of("f32[4, 16]"), "low", 1e-12), "high", 1.0)
                .node("Clip", "x low high", "c")
                .node("Log", "c", "y")),
            data: |seed| x(between(seed, &[4, 16], -1e-6, 1e-6)),
            right: |x| each(x, |x| x.clamp(f64::from(1e-12f32), 1.0).ln()),
        },
        Case {
            name: "sine of a large angle",
            model: y(of("f32[256]")
                .init("w", &[8, 1], &[1f32, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.001])
                .node("Mul", "x w", "a")
                .node("Sin", "a", "y")),
            data: |seed| x(between(seed, &[256], 0.0, 4096.0)),
            right: |x| {
                let w = [1f32, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.001];
                let x = super::numbers(&x[0]);
                w.iter().flat_map(|w| x.iter().map(|x| (x * f64::from(*w)).sin())).collect()
            },
        },
        Case {
            name: "GELU in its tails",
            model: y(number(
                number(number(of("f32[8, 32]"), "r", std::f32::consts::SQRT_2), "one", 1.0),
                "h",
                0.5,
            )
            .node("Div", "x r", "a")
            .node("Erf", "a", "e")
            .node("Add", "e one", "s")
            .node("Mul", "x s", "p")
            .node("Mul", "p h", "y")),
            data: |seed| x(between(seed, &[8, 32], -6.0, -3.0)),
            right: |x| each(x, |x| x * 0.5 * (1.0 + erf(x / std::f64::consts::SQRT_2))),
        },
        Case {
            name: "batch norm of tiny variance",
            model: y(of("f32[1, 4, 8, 8]")
                .init("s", &[4], &[1f32, 2.0, 0.5, 1.0])
                .init("b", &[4], &[0f32, 1.0, -1.0, 0.0])
                .init("m", &[4], &[3f32, -2.0, 1.0, 0.0])
                .init("v", &[4], &[1e-8f32, 1e-9, 1e-10, 1e-7])
                .node("BatchNormalization", "x s b m v", "y")
                .attr("epsilon", 1e-12f32)),
            data: |seed| {
                let mut values: Vec<f32> = Vec::new();
                for (at, mean) in [3.0, -2.0, 1.0, 0.0].into_iter().enumerate() {
                    let part = normal(seed * 7 + at as u64, &[64], mean, 1e-3);
                    values.extend(part.to_f32s().unwrap().iter());
                }
                x(Tensor::of(vec![1, 4, 8, 8], values).unwrap())
            },
            right: |x| {
                let of = [
                    (1f64, 0f64, 3f64, 1e-8f32),
                    (2.0, 1.0, -2.0, 1e-9),
                    (0.5, -1.0, 1.0, 1e-10),
                    (1.0, 0.0, 0.0, 1e-7),
                ];
                let one = |(part, (s, b, m, v)): (&[f64], (f64, f64, f64, f32))| -> Vec<f64> {
                    let deviation = (f64::from(v) + f64::from(1e-12f32)).sqrt();
                    part.iter().map(|x| (x - m) / deviation * s + b).collect()
                };
                super::numbers(&x[0]).chunks(64).zip(of).flat_map(one).collect()
            },
        },
        Case {
            name: "instance norm of large numbers",
            model: y(of("f32[1, 2, 64]")
                .init("s", &[2], &[1f32, 1.0])
                .init("b", &[2], &[0f32, 0.0])
                .node("InstanceNormalization", "x s b", "y")
                .attr("epsilon", 1e-5f32)),
            data: |seed| x(normal(seed, &[1, 2, 64], 5000.0, 3.0)),
            right: |x| rows(x, 64, |row| standard(row, 1e-5)),
        },
        Case {
            name: "a threshold",
            model: y(number(number(number(of("f32[64]"), "k", 3.0), "t", 1.5), "big", 100.0)
                .node("Mul", "x k", "a")
                .node("Greater", "a t", "g")
                .node("Where", "g big x", "y")),
            data: |seed| x(between(seed, &[64], 0.499, 0.501)),
            right: |x| each(x, |x| if x as f32 * 3.0 > 1.5 { 100.0 } else { x }),
        },
        Case {
            name: "a threshold beyond 2048",
            model: y(number(number(number(of("f32[64]"), "one", 1.0), "t", 4001.0), "z", 0.0)
                .node("Add", "x one", "a")
                .node("Less", "a t", "g")
                .node("Where", "g one z", "y")),
            data: |seed| x(between(seed, &[64], 3999.0, 4001.0)),
            right: |x| each(x, |x| if x as f32 + 1.0 < 4001.0 { 1.0 } else { 0.0 }),
        },
        Case {
            name: "tangent near its pole",
            model: y(of("f32[64]").node("Tan", "x", "y")),
            data: |seed| x(between(seed, &[64], 1.4, 1.56)),
            right: |x| each(x, f64::tan),
        },
        Case {
            name: "centered, then scaled up",
            model: y(number(of("f32[2, 64]"), "k", 1000.0)
                .node("ReduceMean", "x", "m")
                .attr("axes", [1])
                .node("Sub", "x m", "c")
                .node("Mul", "c k", "y")),
            data: |seed| x(normal(seed, &[2, 64], 10.0, 0.001)),
            right: |x| {
                rows(x, 64, |row| {
                    let mean = mean(row);
                    row.iter().map(|x| (x - mean) * 1000.0).collect()
                })
            },
        },
    ];
    all.extend(sums::cases());
    all.extend(whole::cases());
    all
}

/// Layer normalization as exporters write it out.
fn layer_norm(epsilon: f32) -> Model {
    let model = number(number(of("f32[?, 64]"), "two", 2.0), "e", epsilon);
    y(model
        .node("ReduceMean", "x", "m")
        .attr("axes", [-1])
        .node("Sub", "x m", "c")
        .node("Pow", "c two", "s")
        .node("ReduceMean", "s", "v")
        .attr("axes", [-1])
        .node("Add", "v e", "ve")
        .node("Sqrt", "ve", "d")
        .node("Div", "c d", "y"))
}

/// x · k / k
fn scaled(by: f32) -> Model {
    y(number(of("f32[4, 16]"), "k", by).node("Mul", "x k", "a").node("Div", "a k", "y"))
}
