//! Networks of the usual kind, which half of the bits do not hurt.

use super::answers::{between, normal, product, softmax, standard, weight};
use super::hostile::{number, of, x, y};
use super::{Case, numbers};
use crate::support::Model;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "perceptron",
            model: y(of("f32[8, 16]")
                .weights("a", &[16, 32])
                .weights("b", &[32, 8])
                .node("MatMul", "x a", "h")
                .node("Relu", "h", "r")
                .node("MatMul", "r b", "l")
                .node("Softmax", "l", "y")),
            data: |seed| x(normal(seed, &[8, 16], 0.0, 0.2)),
            right: |x| {
                let hidden = product(&numbers(&x[0]), &weight, 16, 32);
                let hidden: Vec<f64> = hidden.into_iter().map(|x| x.max(0.0)).collect();
                let logits = product(&hidden, &weight, 32, 8);
                logits.chunks(8).flat_map(softmax).collect()
            },
        },
        Case {
            name: "convolution",
            model: y(of("f32[1, 2, 8, 8]")
                .weights("w", &[3, 2, 1, 1])
                .node("Conv", "x w", "c")
                .node("Relu", "c", "r")
                .node("GlobalAveragePool", "r", "y")),
            data: |seed| x(normal(seed, &[1, 2, 8, 8], 0.0, 1.0)),
            right: |x| {
                let x = numbers(&x[0]);
                let map = |m: usize| {
                    let at = |i| x[i] * weight(2 * m) + x[64 + i] * weight(2 * m + 1);
                    (0..64).map(|i| at(i).max(0.0)).sum::<f64>() / 64.0
                };
                (0..3).map(map).collect()
            },
        },
        Case {
            name: "attention",
            model: attention(),
            data: |seed| x(normal(seed, &[6, 8], 0.0, 1.0)),
            right: |x| {
                let x = numbers(&x[0]);
                let q = product(&x, &weight, 8, 8);
                let keys = |k: usize| x[k % 6 * 8 + k / 6];
                let scores = product(&q, &keys, 8, 6);
                let scores: Vec<f64> = scores.into_iter().map(|s| s * 0.35).collect();
                let shares: Vec<f64> = scores.chunks(6).flat_map(softmax).collect();
                product(&shares, &|k| x[k], 6, 8)
            },
        },
        Case {
            name: "layer normalization",
            model: y(of("f32[4, 64]")
                .weights("w", &[64, 15])
                .init("s", &[64], &[1f32; 64])
                .init("b", &[64], &[0f32; 64])
                .node("LayerNormalization", "x s b", "n")
                .node("MatMul", "n w", "y")),
            data: |seed| x(normal(seed, &[4, 64], 1.0, 2.0)),
            right: |x| {
                let x = numbers(&x[0]);
                let n: Vec<f64> = x.chunks(64).flat_map(|row| standard(row, 1e-5)).collect();
                product(&n, &weight, 64, 15)
            },
        },
        Case {
            name: "gates",
            model: y(of("f32[4, 32]")
                .weights("w", &[32, 32])
                .node("MatMul", "x w", "h")
                .node("Sigmoid", "h", "g")
                .node("Tanh", "h", "t")
                .node("Mul", "g t", "y")),
            data: |seed| x(between(seed, &[4, 32], -1.0, 1.0)),
            right: |x| {
                let h = product(&numbers(&x[0]), &weight, 32, 32);
                h.into_iter().map(|h| h.tanh() / (1.0 + (-h).exp())).collect()
            },
        },
    ]
}

/// softmax(x·w·xᵀ · 0.35)·x
fn attention() -> Model {
    y(number(of("f32[6, 8]"), "k", 0.35)
        .weights("w", &[8, 8])
        .node("MatMul", "x w", "q")
        .node("Transpose", "x", "t")
        .node("MatMul", "q t", "s")
        .node("Mul", "s k", "p")
        .node("Softmax", "p", "a")
        .node("MatMul", "a x", "y"))
}
