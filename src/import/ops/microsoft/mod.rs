//! Operators of ONNX Runtime's own, in domain `com.microsoft`: what its quantizer and its
//! optimizers write.

pub(super) mod attention;
pub(super) mod block_quantized;
pub(super) mod experts;
pub(super) mod fused;
pub(super) mod grouped;
mod masks;
pub(super) mod norm;
mod packed;
pub(super) mod qlinear;
pub(super) mod rest;

use super::matmul::{dynamic_matmul, matmul_integer_to_float};
use super::recurrent::quantized_lstm;
use crate::import::build::op::{NOW, OfValues, Op, onnx};

const LSTM: &str =
    "X W R B? sequence_lens? initial_h? initial_c? P? W_scale W_zero_point R_scale R_zero_point";
const TO_FLOAT: &str = "A B a_scale b_scale a_zero_point? b_zero_point? bias?";

pub(super) const OPS: &[Op] = &[
    row("DynamicQuantizeLSTM", LSTM, quantized_lstm),
    row("DynamicQuantizeMatMul", "A B b_scale b_zero_point? bias?", dynamic_matmul),
    row("MatMulIntegerToFloat", TO_FLOAT, matmul_integer_to_float),
];

/// A row of the domain, which has one opset.
const fn row(name: &'static str, inputs: &'static str, handler: OfValues) -> Op {
    onnx(name, 1..=NOW, inputs, handler).of("com.microsoft")
}
