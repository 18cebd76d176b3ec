use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "quantized_lstm", model: quantized_lstm },
    Case { name: "quantized_products", model: quantized_products },
];

pub(super) fn model() -> Model {
    Model::new(17).opset("com.microsoft", 1)
}

/// Both directions; a scale for each, and for each column of the state's weights.
fn quantized_lstm() -> Model {
    let weights: Vec<u8> = (0..64u8).map(|at| at.wrapping_mul(37)).collect();
    model()
        .input("x", "f32[T, 1, 3]")
        .init("w", &[2, 3, 8], &weights[..48])
        .init("w_scale", &[2], &[0.01f32, 0.02])
        .init("w_zero", &[2], &[128u8, 120])
        .init("r", &[2, 2, 8], &weights[32..])
        .init("r_scale", &[2, 8], &[0.01f32, 0.015, 0.02, 0.005].repeat(4))
        .init("r_zero", &[2, 8], &[128u8; 16])
        .weights("b", &[2, 16])
        .node(
            "com.microsoft.DynamicQuantizeLSTM",
            "x w r b - - - - w_scale w_zero r_scale r_zero",
            "y last cell",
        )
        .attr("hidden_size", 2)
        .attr("direction", "bidirectional")
        .output("y", "")
        .output("last", "")
        .output("cell", "")
}

/// One of data that is quantized in the graph, one of data that is quantized by its range.
fn quantized_products() -> Model {
    model()
        .input("x", "f32[N, 3]")
        .init("scale", &[], &[0.02f32])
        .init("zero", &[], &[120u8])
        .init("b", &[3, 2], &[1u8, 200, 30, 140, 250, 6])
        .init("b_scale", &[2], &[0.5f32, 0.25])
        .init("b_zero", &[2], &[128u8; 2])
        .init("bias", &[2], &[0.5f32, -1.0])
        .node("QuantizeLinear", "x scale zero", "q")
        .node("com.microsoft.MatMulIntegerToFloat", "q b scale b_scale zero b_zero bias", "y")
        .node("com.microsoft.DynamicQuantizeMatMul", "x b b_scale b_zero", "z")
        .output("y", "")
        .output("z", "")
}
