//! Sums that are long, large or of what cancels; softmax and its masks.

use super::super::Case;
use super::super::answers::{between, mean, normal, rows, softmax};
use super::{number, of, x, y};
use crate::support::Model;
use onnx2plan::tensor::Tensor;

pub(super) fn cases() -> Vec<Case> {
    let mut all = vec![
        Case {
            name: "RMS norm of 300",
            model: y(number(number(of("f32[4, 64]"), "two", 2.0), "e", 1e-6)
                .node("Pow", "x two", "s")
                .node("ReduceMean", "s", "v")
                .attr("axes", [-1])
                .node("Add", "v e", "ve")
                .node("Sqrt", "ve", "d")
                .node("Div", "x d", "y")),
            data: |seed| x(normal(seed, &[4, 64], 0.0, 300.0)),
            right: |x| rows(x, 64, rms),
        },
        Case {
            name: "running sum of 4096",
            model: y(of("f32[4096]").init("axis", &[], &[0i64]).node("CumSum", "x axis", "y")),
            data: |seed| x(between(seed, &[4096], 0.5, 1.5)),
            right: |x| {
                rows(x, 4096, |row| {
                    row.iter()
                        .scan(0.0, |sum, x| {
                            *sum += x;
                            Some(*sum)
                        })
                        .collect()
                })
            },
        },
        Case {
            name: "sum of 8192",
            model: y(of("f32[2, 8192]").node("ReduceSum", "x axes", "y").init(
                "axes",
                &[1],
                &[1i64],
            )),
            data: |seed| x(between(seed, &[2, 8192], 5.0, 15.0)),
            right: |x| rows(x, 8192, |row| vec![row.iter().sum()]),
        },
        Case {
            name: "mean of 16384",
            model: y(of("f32[1, 16384]").node("ReduceMean", "x", "y").attr("axes", [1])),
            data: |seed| x(normal(seed, &[1, 16384], 2.0, 1.0)),
            right: |x| rows(x, 16384, |row| vec![mean(row)]),
        },
        Case {
            name: "variance of a large mean",
            model: y(of("f32[2, 64]")
                .node("Mul", "x x", "s")
                .node("ReduceMean", "s", "a")
                .attr("axes", [1])
                .node("ReduceMean", "x", "m")
                .attr("axes", [1])
                .node("Mul", "m m", "b")
                .node("Sub", "a b", "y")),
            data: |seed| x(normal(seed, &[2, 64], 20.0, 2.0)),
            right: |x| {
                rows(x, 64, |row| {
                    let squares: Vec<f64> = row.iter().map(|x| x * x).collect();
                    vec![mean(&squares) - mean(row).powi(2)]
                })
            },
        },
        Case {
            name: "L2 norm",
            model: y(of("f32[2, 32]")
                .node("ReduceL2", "x", "n")
                .attr("axes", [1])
                .node("Div", "x n", "y")),
            data: |seed| x(normal(seed, &[2, 32], 0.0, 500.0)),
            right: |x| rows(x, 32, l2),
        },
        Case {
            name: "product of 32",
            model: y(of("f32[2, 32]").node("ReduceProd", "x", "y").attr("axes", [1])),
            data: |seed| x(between(seed, &[2, 32], 1.5, 2.0)),
            right: |x| rows(x, 32, |row| vec![row.iter().product()]),
        },
        Case {
            name: "softmax over 8192",
            model: y(of("f32[1, 8192]").node("Softmax", "x", "y")),
            data: |seed| x(normal(seed, &[1, 8192], 0.0, 0.1)),
            right: |x| rows(x, 8192, softmax),
        },
        Case {
            name: "log of the sum of exponentials",
            model: y(of("f32[2, 32]").node("Exp", "x", "e").node("ReduceSum", "e axes", "s").init(
                "axes",
                &[1],
                &[1i64],
            ))
            .node("Log", "s", "y"),
            data: |seed| x(between(seed, &[2, 32], 5.0, 15.0)),
            right: |x| rows(x, 32, |row| vec![row.iter().map(|x| x.exp()).sum::<f64>().ln()]),
        },
        Case {
            name: "dot product of large numbers",
            model: y(of("f32[4, 256]").weights("w", &[256, 4]).node("MatMul", "x w", "y")),
            data: |seed| x(normal(seed, &[4, 256], 300.0, 3000.0)),
            right: |x| {
                let a = super::super::numbers(&x[0]);
                super::super::answers::product(&a, &super::super::answers::weight, 256, 4)
            },
        },
        cosine(),
    ];
    all.extend(masks());
    all
}

fn rms(row: &[f64]) -> Vec<f64> {
    let squares: Vec<f64> = row.iter().map(|x| x * x).collect();
    row.iter().map(|x| x / (mean(&squares) + 1e-6).sqrt()).collect()
}

fn l2(row: &[f64]) -> Vec<f64> {
    let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
    row.iter().map(|x| x / norm).collect()
}

fn cosine() -> Case {
    let model = Model::new(17).input("x", "f32[4, 48]").input("b", "f32[4, 48]");
    Case {
        name: "cosine",
        model: y(model
            .node("Mul", "x b", "p")
            .node("ReduceSum", "p axes", "d")
            .init("axes", &[1], &[1i64])
            .node("ReduceL2", "x", "nx")
            .attr("axes", [1])
            .node("ReduceL2", "b", "nb")
            .attr("axes", [1])
            .node("Mul", "nx nb", "n")
            .node("Div", "d n", "y")),
        data: |seed| {
            let far = seed + 400;
            vec![
                ("x", normal(seed, &[4, 48], 40.0, 90.0)),
                ("b", normal(far, &[4, 48], 40.0, 90.0)),
            ]
        },
        right: |of| {
            let (a, b) = (super::super::numbers(&of[0]), super::super::numbers(&of[1]));
            let one = |(a, b): (&[f64], &[f64])| -> f64 {
                l2(a).iter().zip(l2(b)).map(|(a, b)| a * b).sum()
            };
            a.chunks(48).zip(b.chunks(48)).map(one).collect()
        },
    }
}

/// Masks as exporters write them: a term that is −1e9, −∞ or the lowest of `f32`.
fn masks() -> Vec<Case> {
    /// Half of the elements are masked.
    fn masked(x: &[Tensor]) -> Vec<f64> {
        rows(x, 16, |row| {
            let row: Vec<f64> =
                row.iter().enumerate().map(|(i, x)| if i < 8 { *x } else { -1e30 }).collect();
            softmax(&row)
        })
    }
    let added = |value: f32| {
        let mask: Vec<f32> = (0..16).map(|i| if i < 8 { 0.0 } else { value }).collect();
        y(of("f32[4, 16]")
            .init("m", &[1, 16], &mask)
            .node("Add", "x m", "a")
            .node("Softmax", "a", "y"))
    };
    let keep: Vec<bool> = (0..16).map(|i| i < 8).collect();
    let chosen = y(number(of("f32[4, 16]"), "low", f32::NEG_INFINITY)
        .init("k", &[1, 16], &keep)
        .node("Where", "k x low", "a")
        .node("Softmax", "a", "y"));
    let ones: Vec<f32> = (0..16).map(|i| f32::from(u8::from(i < 8))).collect();
    let one =
        number(number(of("f32[4, 16]").input("k", "f32[1, 16]"), "one", 1.0), "low", f32::MIN);
    let computed = y(one
        .node("Sub", "one k", "o")
        .node("Mul", "o low", "m")
        .node("Add", "x m", "a")
        .node("Softmax", "a", "y"));
    let data = |seed| x(normal(seed, &[4, 16], 0.0, 3.0));
    assert_eq!(ones.len(), 16);
    let given = |seed| {
        let ones: Vec<f32> = (0..16).map(|i| f32::from(u8::from(i < 8))).collect();
        let k = Tensor::of(vec![1, 16], ones).unwrap();
        vec![("x", normal(seed, &[4, 16], 0.0, 3.0)), ("k", k)]
    };
    vec![
        Case { name: "mask of −1e9", model: added(-1e9), data, right: masked },
        Case { name: "mask of the lowest", model: added(f32::MIN), data, right: masked },
        Case { name: "mask of −∞", model: chosen, data, right: masked },
        Case { name: "mask computed of the lowest", model: computed, data: given, right: masked },
    ]
}
