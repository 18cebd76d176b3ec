use super::Case;
use super::microsoft::model;
use crate::support::Model;

pub(super) const CASES: &[Case] =
    &[Case { name: "products", model: products }, Case { name: "rows", model: rows }];

/// With zero points of 4 bits, with none and blocks out of order, and with codes out of a table.
fn products() -> Model {
    let codes: Vec<u8> = (0..64u8).map(|at| at.wrapping_mul(37)).collect();
    model()
        .input("x", "f32[N, L, 20]")
        .init("b", &[2, 2, 8], &codes[..32])
        .init("scales", &[2, 2], &[0.5f32, 0.25, 0.125, 1.0])
        .init("zeros", &[2, 1], &[0x87u8, 0x69])
        .init("bias", &[2], &[1.0f32, -1.0])
        .node("com.microsoft.MatMulNBits", "x b scales zeros - bias", "a")
        .attr("N", 2)
        .attr("K", 20)
        .attr("block_size", 16)
        .init("wide", &[16, 1, 8], &codes.repeat(2))
        .init("wide_scales", &[16], &[0.25f32; 16])
        .init("groups", &[2], &[0i32, 0])
        .node("com.microsoft.MatMulNBits", "a wide wide_scales - groups", "c")
        .attr("N", 16)
        .attr("K", 2)
        .attr("block_size", 16)
        .init("table", &[24], &codes[..24])
        .init("largest", &[3], &[1.0f32, 0.5, 2.0])
        .node("com.microsoft.MatMulBnb4", "c table largest", "y")
        .attr("N", 3)
        .attr("K", 16)
        .attr("block_size", 16)
        .attr("quant_type", 1)
        .output("y", "")
}

fn rows() -> Model {
    let codes: Vec<u8> = (0..16u8).map(|at| at.wrapping_mul(37)).collect();
    model()
        .input("ids", "i64[N, L]")
        .init("data", &[2, 8], &codes)
        .init("scales", &[2, 1], &[0.5f32, 0.25])
        .init("zeros", &[2, 1], &[7u8, 9])
        .node("com.microsoft.GatherBlockQuantized", "data ids scales zeros", "y")
        .attr("block_size", 16)
        .output("y", "")
}
