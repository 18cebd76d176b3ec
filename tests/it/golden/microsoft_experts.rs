use super::Case;
use super::microsoft::model;
use crate::support::Model;

pub(super) const CASES: &[Case] =
    &[Case { name: "mixture", model: mixture }, Case { name: "quantized", model: quantized }];

fn mixture() -> Model {
    model()
        .input("x", "f32[N, L, 4]")
        .weights("w", &[4, 3])
        .node("MatMul", "x w", "scores")
        .init("rows", &[2], &[-1i64, 3])
        .node("Reshape", "scores rows", "router")
        .weights("in", &[3, 4, 4])
        .weights("in_bias", &[3, 4])
        .weights("out", &[3, 4, 2])
        .node("com.microsoft.MoE", "x router in in_bias out", "y")
        .attr("k", 2)
        .attr("activation_type", "swiglu")
        .attr("swiglu_fusion", 1)
        .attr("swiglu_limit", 7.0)
        .output("y", "")
}

fn quantized() -> Model {
    let codes: Vec<u8> = (0..16u8).map(|at| at.wrapping_mul(37)).collect();
    model()
        .input("x", "f32[N, 4]")
        .input("router", "f32[N, 2]")
        .init("in", &[2, 4, 2], &codes)
        .init("in_scales", &[2, 4], &[0.5f32; 8])
        .init("out", &[2, 4, 2], &codes)
        .init("out_scales", &[2, 4], &[0.25f32; 8])
        .node("com.microsoft.QMoE", "x router in in_scales - out out_scales", "y")
        .attr("activation_type", "silu")
        .attr("normalize_routing_weights", 1)
        .output("y", "")
}
