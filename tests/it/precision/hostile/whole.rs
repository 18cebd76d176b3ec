//! Whole numbers that floats carry, positions that they decide on, and loops.

use super::super::Case;
use super::super::answers::{below, between, each, largest, normal, rows};
use super::super::numbers;
use super::{number, of, x, y};
use crate::support::Model;
use onnx2plan::tensor::Tensor;

pub(super) fn cases() -> Vec<Case> {
    let table: Vec<f32> = (0..5000u16).map(|i| f32::from(i % 97)).collect();
    vec![
        Case {
            name: "an index computed in floats",
            model: y(number(number(of("i64[32]"), "two", 2.0), "one", 1.0)
                .init("t", &[5000], &table)
                .node("Cast", "x", "f")
                .attr("to", 1)
                .node("Mul", "f two", "a")
                .node("Add", "a one", "b")
                .node("Cast", "b", "i")
                .attr("to", 7)
                .node("Gather", "t i", "y")),
            data: |seed| x(below(seed, &[32], 2499)),
            right: |x| each(x, |x| (x * 2.0 + 1.0) % 97.0),
        },
        Case {
            name: "whole numbers in floats, divided",
            model: y(number(of("i64[64]"), "ten", 10.0)
                .node("Cast", "x", "f")
                .attr("to", 1)
                .node("Div", "f ten", "a")
                .node("Floor", "a", "b")
                .node("Cast", "b", "y")
                .attr("to", 7)),
            data: |seed| x(below(seed, &[64], 60_000)),
            right: |x| each(x, |x| (x / 10.0).floor()),
        },
        Case {
            name: "row and column of an index",
            model: y(number(of("f32[64]"), "w", 77.0)
                .node("Div", "x w", "a")
                .node("Floor", "a", "r")
                .node("Mul", "r w", "b")
                .node("Sub", "x b", "y")),
            data: |seed| {
                let whole = below(seed, &[64], 5900).to_i64s().unwrap();
                x(Tensor::vector(&whole.iter().map(|&i| i as f32).collect::<Vec<_>>()))
            },
            right: |x| each(x, |x| x.rem_euclid(77.0)),
        },
        Case {
            name: "the largest of near numbers",
            model: y(number(of("f32[16, 64]"), "k", 1.5)
                .node("Mul", "x k", "a")
                .node("ArgMax", "a", "y")
                .attr("axis", 1)
                .attr("keepdims", 0)),
            data: |seed| x(near(seed)),
            right: |x| rows(x, 64, |row| vec![largest(row)]),
        },
        Case {
            name: "the first of near numbers",
            model: y(number(of("f32[16, 64]").init("n", &[1], &[1i64]), "k", 1.5)
                .node("Mul", "x k", "a")
                .node("TopK", "a n", "v i")
                .attr("axis", 1)
                .node("Squeeze", "i one", "y")
                .init("one", &[1], &[1i64])),
            data: |seed| x(near(seed)),
            right: |x| rows(x, 64, |row| vec![largest(row)]),
        },
        Case {
            name: "a large table",
            model: y(of("i64[16]")
                .init(
                    "t",
                    &[2000, 2],
                    &(0..4000u16).map(|i| 3e4 + f32::from(i)).collect::<Vec<_>>(),
                )
                .init("k", &[], &[30_000f32])
                .node("Gather", "t x", "g")
                .node("Sub", "g k", "y")),
            data: |seed| x(below(seed, &[16], 2000)),
            right: |x| {
                let at = numbers(&x[0]);
                at.into_iter().flat_map(|at| [2.0 * at, 2.0 * at + 1.0]).collect()
            },
        },
        Case {
            name: "positions of a resize",
            model: y(of("f32[1, 1, 1, 5]")
                .init("s", &[4], &[1i64, 1, 1, 3000])
                .node("Resize", "x - - s", "y")
                .attr("mode", "linear")
                .attr("coordinate_transformation_mode", "align_corners")),
            data: |seed| x(normal(seed, &[1, 1, 1, 5], 0.0, 1.0)),
            right: |x| {
                let x = numbers(&x[0]);
                let at = |i: i32| f64::from(i) * 4.0 / 2999.0;
                let one = |i| {
                    let left = (0..3).filter(|&left| at(i) >= f64::from(left) + 1.0).count();
                    let part = at(i) - left as f64;
                    x[left] * (1.0 - part) + x[left + 1] * part
                };
                (0..3000).map(one).collect()
            },
        },
        Case {
            name: "a state that adds up",
            model: adding_up("f32[8]"),
            data: |seed| x(between(seed, &[8], 0.5, 1.0)),
            right: |x| each(x, |x| 2100.0 * x),
        },
        Case {
            name: "a counter in floats",
            model: counting(),
            data: |seed| x(between(seed, &[8], 0.5, 1.0)),
            right: |x| each(x, |x| 2100.0 + x),
        },
    ]
}

/// Rows of numbers of which the largest is ahead by less than `f16` can tell.
fn near(seed: u64) -> Tensor {
    let noise = between(seed, &[16, 64], 3.0, 3.001);
    let leader = below(seed + 50, &[16], 64).to_i64s().unwrap();
    let mut values = noise.to_f32s().unwrap().into_owned();
    for (row, at) in leader.into_iter().enumerate() {
        values[row * 64 + usize::try_from(at).unwrap()] = 3.0012;
    }
    Tensor::of(vec![16, 64], values).unwrap()
}

/// 2100 times: the state and `x`.
fn adding_up(ty: &str) -> Model {
    let body = Model::new(17)
        .input("i", "i64[]")
        .input("go", "bool[]")
        .input("s", ty)
        .node("Identity", "go", "on")
        .node("Add", "s x", "t")
        .output("on", "bool[]")
        .output("t", ty);
    y(of(ty)
        .init("n", &[], &[2100i64])
        .init("yes", &[], &[true])
        .init("z", &[8], &[0f32; 8])
        .node("Loop", "n yes z", "y")
        .attr("body", body))
}

/// 2100 times one more, in a float, and `x` at the end.
fn counting() -> Model {
    let body = Model::new(17)
        .input("i", "i64[]")
        .input("go", "bool[]")
        .input("s", "f32[]")
        .init("one", &[], &[1f32])
        .node("Identity", "go", "on")
        .node("Add", "s one", "t")
        .output("on", "bool[]")
        .output("t", "f32[]");
    y(of("f32[8]")
        .init("n", &[], &[2100i64])
        .init("yes", &[], &[true])
        .init("z", &[], &[0f32])
        .node("Loop", "n yes z", "c")
        .attr("body", body)
        .node("Add", "c x", "y"))
}
