//! Types as they are written into a network.

use crate::support::Model;
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::pipeline;
use onnx2plan::recipe::Recipe;
use serde_json::json;

/// The network of a model with these options, and the notes.
pub(super) fn written(model: &Model, options: serde_json::Value) -> (String, Vec<String>) {
    let caps = Caps::modern();
    let mut recipe: Recipe = serde_json::from_value(options).unwrap();
    let mut fitted = Fitted::standard(caps);
    recipe.rnn = fitted.recipe.rnn;
    fitted.recipe = recipe;
    let prepared = pipeline::prepare(&model.read().unwrap(), &fitted, caps).unwrap();
    (prepared.network.to_string(), prepared.notes)
}

#[track_caller]
pub(super) fn check(model: &Model, options: serde_json::Value, expected: &str) {
    let (network, _) = written(model, options);
    assert_eq!(network, expected, "{network}");
}

#[test]
fn a_value_is_cast_once_for_a_type() {
    let model = Model::new(17)
        .input("x", "f32[2]")
        .node("Exp", "x", "a")
        .node("Sin", "x", "b")
        .node("Add", "a b", "c")
        .node("Relu", "c", "y")
        .output("y", "");
    check(
        &model,
        json!({ "precision": "f16" }),
        r#"in  %0 "x": f32[2]
%1: f16[2] = Cast(%0, f16)  # x
%2: f16[2] = Unary(%1, Exp)  # Exp_a
%3: f16[2] = Unary(%1, Sin)  # Sin_b
%4: f16[2] = ElementWise(%2, %3, Sum)  # Add_c
%5: f16[2] = Activation(%4, Relu)  # Relu_y
%6: f32[2] = Cast(%5, f32)  # Relu_y
out "y" = %6
"#,
    );
}

#[test]
fn what_is_kept_takes_and_gives_f32() {
    let model = Model::new(17)
        .input("x", "f32[2]")
        .init("k", &[2], &[1f32, 1e9])
        .node("Mul", "x k", "a")
        .node("Exp", "a", "b")
        .node("Sqrt", "b", "y")
        .output("y", "");
    check(
        &model,
        json!({ "precision": "f16", "keep": ["Exp=f32"] }),
        r#"in  %0 "x": f32[2]
%1: f16[2] = Cast(%0, f16)  # x
%2: f16[2] = Constant([1.0, 65504.0])  # k
%3: f16[2] = ElementWise(%1, %2, Prod)  # Mul_a
%4: f32[2] = Cast(%3, f32)  # Mul_a
%5: f32[2] = Unary(%4, Exp)  # Exp_b
%6: f16[2] = Cast(%5, f16)  # Exp_b
%7: f16[2] = Unary(%6, Sqrt)  # Sqrt_y
%8: f32[2] = Cast(%7, f32)  # Sqrt_y
out "y" = %8
"#,
    );
    let (_, notes) = written(&model, json!({ "precision": "f16", "keep": ["Tan=f32"] }));
    assert_eq!(
        notes,
        [
            "`--keep Tan=f32`: no layer comes from a node or operator of that name",
            "of the 2 constants of `k` (initializer), 1 are beyond f16, and became its largest \
             number",
        ]
    );
}

#[test]
fn a_constant_that_nodes_share_does_not_make_them_one() {
    let model = Model::new(17)
        .input("x", "f32[2]")
        .input("z", "f32[2]")
        .init("c", &[], &[0.5f32])
        .init("d", &[], &[0.5f32])
        .node("Mul", "x c", "a")
        .node("Mul", "z d", "b")
        .output("a", "")
        .output("b", "");
    let expected = r#"in  %0 "x": f32[2]
in  %1 "z": f32[2]
%2: f16[2] = Cast(%1, f16)  # z
%3: f32[1] = Constant([0.5])  # Mul_a + Mul_b
%4: f16[1] = Constant([0.5])  # Mul_a + Mul_b
%5: f32[2] = ElementWise(%0, %3, Prod)  # Mul_a
%6: f16[2] = ElementWise(%2, %4, Prod)  # Mul_b
%7: f32[2] = Cast(%6, f32)  # Mul_b
out "a" = %5
out "b" = %7
"#;
    check(&model, json!({ "precision": "f16", "keep": ["Mul_a=f32"] }), expected);
    check(&model, json!({ "keep": ["Mul_a=f32", "Mul_b=f16"] }), expected);
}

#[test]
fn inputs_and_outputs_change_where_that_is_asked_for() {
    let model = Model::new(17)
        .input("x", "f32[2]")
        .input("i", "i64[2]")
        .node("GatherElements", "x i", "a")
        .node("Exp", "a", "y")
        .output("y", "");
    check(
        &model,
        json!({ "precision": "f16", "io_precision": "f16" }),
        r#"in  %0 "x": f16[2]
in  %1 "i": i64[2]
%2: i64[1] = [2] = Constant([2])  # GatherElements_a
%3: i64[1] = [0] = Constant([0])  # GatherElements_a
%4: i64[2] = ElementWise(%1, %2, Sum)  # GatherElements_a
%5: bool[2] = ElementWise(%1, %3, Less)  # GatherElements_a
%6: i64[2] = Select(%5, %4, %1)  # GatherElements_a
%7: f16[2] = Gather(%0, %6, Element, axis 0)  # GatherElements_a
%8: f16[2] = Unary(%7, Exp)  # Exp_y
out "y" = %8
"#,
    );
}

#[test]
fn states_stay_and_slices_are_rounded_before_the_loop() {
    let body = Model::new(17)
        .input("s", "f32[2]")
        .input("v", "f32[2]")
        .node("Mul", "s v", "p")
        .node("Tanh", "p", "t")
        .output("t", "f32[2]");
    let model = Model::new(17)
        .input("x", "f32[5, 2]")
        .input("z", "f32[2]")
        .node("Scan", "z x", "y")
        .attr("body", body)
        .attr("num_scan_inputs", 1)
        .output("y", "");
    check(
        &model,
        json!({ "precision": "f16" }),
        r#"in  %0 "x": f32[5, 2]
in  %1 "z": f32[2]
%2: f16[5, 2] = Cast(%0, f16)  # x
%3: i64[] = [5] = Constant([5])  # Scan_y
%10: f32[2] = Loop(%3, %2, %1, counted, iterator axis 0, recurrences 1, out last 0)  # Scan_y
  block
    param %4: f16[2]
    param %5: f32[2]
    %6: f16[2] = Cast(%5, f16)  # Scan_y
    %7: f16[2] = ElementWise(%6, %4, Prod)  # Mul_p
    %8: f16[2] = Activation(%7, Tanh)  # Tanh_t
    %9: f32[2] = Cast(%8, f32)  # Tanh_t
    results [%9]
out "y" = %10
"#,
    );
}

#[test]
fn what_is_quantized_keeps_its_neighbor() {
    let model = Model::new(17)
        .input("x", "f32[2, 4]")
        .weights("w", &[4, 4])
        .init("s", &[], &[0.5f32])
        .init("z", &[], &[0i8])
        .node("QuantizeLinear", "x s z", "q")
        .node("DequantizeLinear", "q s z", "d")
        .node("MatMul", "d w", "m")
        .node("Exp", "m", "y")
        .output("y", "");
    check(
        &model,
        json!({ "precision": "bf16" }),
        r#"in  %0 "x": f32[2, 4]
%1: f32[] = Constant([0.5])  # s
%2: i8[2, 4] = Quantize(%0, %1, i8)  # QuantizeLinear_q
%3: f32[2, 4] = Dequantize(%2, %1, f32)  # DequantizeLinear_d
%4: f32[4, 4] = Constant(#943e5ad0)  # w
%5: f32[2, 4] = MatrixMultiply(%3, %4)  # MatMul_m
%6: bf16[2, 4] = Cast(%5, bf16)  # MatMul_m
%7: bf16[2, 4] = Unary(%6, Exp)  # Exp_y
%8: f32[2, 4] = Cast(%7, f32)  # Exp_y
out "y" = %8
"#,
    );
}

#[test]
fn what_computes_a_size_stays_as_it_is() {
    // As exporters write an upsampling to a factor of the size.
    let model = Model::new(17)
        .input("x", "f32[1, 2, n, 4]")
        .init("at", &[1], &[2i64])
        .init("times", &[1], &[1.5f32])
        .init("batch", &[2], &[1i64, 2])
        .init("width", &[1], &[4i64])
        .node("Exp", "x", "e")
        .node("Shape", "e", "s")
        .node("Gather", "s at", "n")
        .node("Cast", "n", "f")
        .attr("to", 1)
        .node("Mul", "f times", "m")
        .node("Floor", "m", "l")
        .node("Cast", "l", "i")
        .attr("to", 7)
        .node("Concat", "batch i width", "sizes")
        .attr("axis", 0)
        .node("Resize", "e - - sizes", "y")
        .output("y", "");
    let (network, _) = written(&model, json!({ "precision": "f16" }));
    assert!(network.contains("f32[1] = ElementWise("), "{network}");
    assert!(network.contains("f32[1] = Unary("), "{network}");
    assert!(network.contains("f16[1, 2, "), "{network}");
    assert!(!network.contains("f16[1] ="), "{network}");
}
