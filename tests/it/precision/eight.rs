//! Products of 8 bits: where Quantize and Dequantize stand, which scales they get, and which nodes
//! are left out.

use super::written::{check, written};
use crate::support::Model;
use crate::tensorrt::onnx2plan;
use onnx2plan::convert::{Conversion, Source};
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::profiles;
use onnx2plan::recipe::Part;
use onnx2plan::report::precision::Certificate;
use onnx2plan::tensor::Tensor;
use onnx2plan::verify::data::DataSet;
use onnx2plan::{Kind, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

/// A residual block between a stem of few channels and a classifier.
fn residual() -> Model {
    let conv = |model: Model, names: &str, output: &str| {
        model.node("Conv", names, output).attr("pads", [1i64, 1, 1, 1])
    };
    let model = Model::new(17)
        .input("x", "f32[2, 3, 8, 8]")
        .weights("stem", &[16, 3, 3, 3])
        .weights("first", &[16, 16, 3, 3])
        .weights("second", &[16, 16, 3, 3])
        .weights("classes", &[16, 20]);
    let model = conv(model, "x stem", "s").node("Relu", "s", "r");
    let model = conv(model, "r first", "a").node("Relu", "a", "b");
    conv(model, "b second", "c")
        .node("Add", "c r", "d")
        .node("Relu", "d", "e")
        .node("GlobalAveragePool", "e", "f")
        .node("Flatten", "f", "g")
        .node("MatMul", "g classes", "y")
        .output("y", "")
}

fn images(seed: u64) -> DataSet {
    let image = super::answers::normal(seed, &[2, 3, 8, 8], 0.0, 1.0);
    DataSet::of_inputs(&[("x".to_owned(), image)])
}

/// A model with its types chosen by these data.
fn chosen(model: &Model, options: Value, sets: &[DataSet]) -> Result<Conversion> {
    chosen_for(Caps::modern(), model, options, sets)
}

fn chosen_for(caps: Caps, model: &Model, options: Value, sets: &[DataSet]) -> Result<Conversion> {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::open(&model.write(folder.path()), &Part::default()).unwrap();
    let mut fitted = Fitted::standard(caps);
    fitted.recipe = serde_json::from_value(options).unwrap();
    let mut conversion = Conversion::new(&source, fitted, caps).unwrap();
    conversion.plan(&profiles::Data::default()).unwrap();
    conversion.choose(&source, sets, &AtomicBool::new(false))?;
    Ok(conversion)
}

/// The type of each node, with why it is not another.
fn types(certificate: &Certificate) -> BTreeMap<&str, (&str, Option<&str>)> {
    let nodes = certificate.nodes.iter();
    nodes.map(|of| (&*of.node, (&*of.dtype, of.reason.as_deref()))).collect()
}

#[test]
fn operands_go_through_8_bits() {
    let model = Model::new(17)
        .input("x", "f32[4, 16]")
        .init("v", &[16, 16], &[1f32; 256])
        .init("w", &[16, 16], &[2f32; 256])
        .node("MatMul", "x v", "a")
        .node("MatMul", "x w", "b")
        .node("Add", "a b", "y")
        .output("y", "");
    // One pair for what both take; the sum of two products is no sum of a convolution.
    check(
        &model,
        json!({ "quantize": ["MatMul_a=int8:0.5", "MatMul_b=int8:0.5"] }),
        r#"in  %0 "x": f32[4, 16]
%1: f32[] = Constant([0.5])  # MatMul_a
%2: i8[4, 16] = Quantize(%0, %1, i8)  # MatMul_a
%3: f32[4, 16] = Dequantize(%2, %1, f32)  # MatMul_a
%4: i8[16, 16] = Constant(#22527f13)  # MatMul_a
%5: f32[16] = Constant(#fde8f10d)  # MatMul_a
%6: f32[16, 16] = Dequantize(%4, %5, f32, axis 1)  # MatMul_a
%7: f32[4, 16] = MatrixMultiply(%3, %6)  # MatMul_a
%8: i8[16, 16] = Constant(#22527f13)  # MatMul_b
%9: f32[16] = Constant(#146153a5)  # MatMul_b
%10: f32[16, 16] = Dequantize(%8, %9, f32, axis 1)  # MatMul_b
%11: f32[4, 16] = MatrixMultiply(%3, %10)  # MatMul_b
%12: f32[4, 16] = ElementWise(%7, %11, Sum)  # Add_y
out "y" = %12
"#,
    );
}

#[test]
fn what_is_added_to_a_convolution_has_a_scale() {
    let (network, notes) = written(
        &residual(),
        json!({ "precision": "f16", "quantize": ["Conv_c=int8:0.5,0.25", "Conv_a=int8:0.25",
            "Relu_e=int8:1", "Conv_s=int8:1", "MatMul_y=int8:1,2"] }),
    );
    let count = |text: &str| network.lines().filter(|line| line.contains(text)).count();
    // What the block takes is also what is added: one Quantize for both.
    assert_eq!((count("= Quantize("), count("= Dequantize(")), (2, 4), "{network}");
    assert_eq!(count("f16[16, 16, 3, 3] = Dequantize("), 2, "{network}");
    assert_eq!(
        notes[notes.len() - 3..],
        [
            "`--quantize Relu_e`: no node of that name has a product to quantize",
            "`--quantize Conv_s`: no node of that name has a product to quantize",
            "`--quantize MatMul_y`: the node has 1 operand to quantize, not 2",
        ]
    );
}

#[test]
fn products_are_chosen_by_data_and_come_about_again() {
    for precision in ["int8", "fp8"] {
        let sets = [images(0), images(1), images(2)];
        // Three bits of mantissa round to a sixteenth.
        let within = if precision == "int8" { 0.05 } else { 0.2 };
        let options = json!({ "precision": precision, "within": within });
        let of = chosen(&residual(), options, &sets).unwrap();
        let found = of.certificate.clone().unwrap();
        let types = types(&found);
        for node in ["Conv_a", "Conv_c", "MatMul_y"] {
            assert_eq!(types[node], (precision, None), "{found:?}");
        }
        assert_eq!(types["Conv_s"], ("f16", Some("it has fewer than 16 channels")));
        assert_eq!(types["Relu_r"], ("f16", None));
        assert_eq!(found.layers.int8 + found.layers.fp8, 3);
        let worst = |of: fn(&onnx2plan::report::precision::OutputError) -> f64| {
            found.outputs.iter().map(of).fold(0.0, f64::max)
        };
        // It is not right by accident, and not in f16.
        let (chosen, checked) = (worst(|of| of.chosen), worst(|of| of.checked.unwrap()));
        assert!(chosen > 1e-3 && chosen < within && checked < within, "{chosen} {checked}");
        let text = |of: &Conversion| of.network().to_string();
        let folder = tempfile::tempdir().unwrap();
        let source = Source::open(&residual().write(folder.path()), &Part::default()).unwrap();
        let mut again = Fitted::standard(Caps::modern());
        again.recipe = of.settled();
        assert_eq!(again.recipe.quantize.len(), 3);
        let again = Conversion::new(&source, again, Caps::modern()).unwrap();
        assert_eq!(text(&again), text(&of));
    }
}

/// Two branches of which one has a column a thousand times as large as the others, which the other
/// columns do not survive.
fn outlier() -> (Model, Vec<DataSet>) {
    let model = Model::new(17)
        .input("x", "f32[8, 16]")
        .init(
            "spread",
            &[16],
            &std::array::from_fn::<f32, 16, _>(|at| if at == 3 { 3e3 } else { 1.0 }),
        )
        .init(
            "back",
            &[16, 1],
            &std::array::from_fn::<f32, 16, _>(|at| if at == 3 { 0.0 } else { 1.0 }),
        )
        .weights("a", &[16, 16])
        .weights("b", &[16, 16])
        .init(
            "even",
            &[16, 16],
            &std::array::from_fn::<f32, 256, _>(|at| {
                if at / 16 == 3 { 0.0 } else { [0.5, -0.25, 0.75][at % 3] }
            }),
        )
        .node("Mul", "x spread", "s")
        .node("MatMul", "s even", "p")
        .node("MatMul", "x a", "h")
        .node("Relu", "h", "r")
        .node("MatMul", "r b", "q")
        .node("Add", "p q", "y")
        .output("y", "");
    let set = |seed| {
        let x = super::answers::normal(seed, &[8, 16], 0.0, 1.0);
        DataSet::of_inputs(&[("x".to_owned(), x)])
    };
    (model, (0..3).map(set).collect())
}

#[test]
fn a_node_that_8_bits_break_is_left_out() {
    let (model, sets) = outlier();
    // By its largest number alone, so that the one column leaves nothing of the others.
    let options = json!({ "precision": "int8", "calibration": "max" });
    let of = chosen(&model, options, &sets).unwrap();
    let found = of.certificate.clone().unwrap();
    let types = types(&found);
    let moved = Some("its rounding to 8 bits moves the outputs too far");
    assert_eq!(types["MatMul_p"], ("f16", moved), "{found:?}");
    assert_eq!(types["MatMul_q"].0, "int8", "{found:?}");
}

#[test]
fn tensorrt_8_computes_the_rest_in_f32() {
    let options = json!({ "precision": "int8" });
    let of = chosen_for(Caps::eight(), &residual(), options, &[images(0)]).unwrap();
    let counts = of.certificate.as_ref().unwrap().layers;
    assert_eq!((counts.int8, counts.f16), (3, 0), "{counts}");
    let network = of.network().to_string();
    assert!(network.contains("= Quantize(") && !network.contains("f16"), "{network}");
}

#[test]
fn what_is_kept_is_not_quantized() {
    let options = json!({ "precision": "int8", "keep": ["Conv_a=f16"] });
    let of = chosen(&residual(), options, &[images(0)]).unwrap();
    let found = of.certificate.unwrap();
    assert_eq!(types(&found)["Conv_a"], ("f16", Some("`--keep` says so")));
    assert_eq!(types(&found)["Conv_c"].0, "int8");
}

#[test]
fn each_way_gives_scales_that_hold() {
    let scales = |way: &str| {
        let options = json!({ "precision": "int8", "calibration": way });
        let of = chosen(&residual(), options, &[images(0), images(1)]).unwrap();
        let quantize = of.settled().quantize;
        let first = quantize.iter().find(|of| of.name == "Conv_a").unwrap().scales[0];
        (first, quantize.len())
    };
    let [max, percentile, entropy, mse] = ["max", "percentile", "entropy", "mse"].map(scales);
    for (scale, count) in [max, percentile, entropy, mse] {
        assert_eq!(count, 3);
        assert!(scale > 0.1 * max.0 && scale <= max.0, "{scale} {max:?}");
    }
}

#[test]
fn data_without_an_end_are_not_quantized() {
    let model = Model::new(17)
        .input("x", "f32[8, 16]")
        .weights("a", &[16, 16])
        .weights("b", &[16, 16])
        .node("Log", "x", "l")
        .node("MatMul", "l a", "p")
        .node("Clip", "p", "q")
        .node("MatMul", "x b", "h")
        .node("Add", "q h", "y")
        .output("y", "");
    let mut values = super::answers::between(1, &[8, 16], 0.5, 2.0).to_f32s().unwrap().to_vec();
    values[5] = 0.0;
    let x = Tensor::of(vec![8, 16], values).unwrap();
    let set = DataSet::of_inputs(&[("x".to_owned(), x)]);
    let of = chosen(&model, json!({ "precision": "int8" }), &[set]).unwrap();
    let found = of.certificate.unwrap();
    assert_eq!(types(&found)["MatMul_p"].1, Some("its data have no end"));
    assert_eq!(types(&found)["MatMul_h"].0, "int8");
}

#[test]
fn a_bound_that_8_bits_do_not_hold_is_said() {
    let options = json!({ "precision": "int8", "within": 1e-6 });
    let error = chosen(&residual(), options, &[images(0)]).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    let said = error.to_string();
    assert!(
        said.starts_with("no product can take int8 and keep the outputs within 0.000001"),
        "{said}"
    );
}

#[test]
fn scales_come_from_data_alone() {
    let folder = tempfile::tempdir().unwrap();
    let model = residual().write(folder.path());
    let output = onnx2plan().arg(&model).args(["--precision", "int8", "-q"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "error: `--precision int8` takes its scales from data, and there are none\n  in {}\n\n\
             hint: name data like those of use with `--calibrate`\n",
            model.display()
        )
    );
}

#[test]
fn levels_that_are_not_even_have_no_entropy() {
    let folder = tempfile::tempdir().unwrap();
    let model = residual().write(folder.path());
    let mut command = onnx2plan();
    command.arg(&model).args(["--precision", "fp8", "--calibration", "entropy", "-q"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "error: `--calibration entropy` is for the even steps of int8, not for fp8\n  in {}\n\n\
             hint: `mse`, `max` and `percentile` are for both\n",
            model.display()
        )
    );
}

#[test]
fn a_library_without_the_type_is_named() {
    let options = json!({ "precision": "fp8" });
    let error = chosen_for(Caps::eight(), &residual(), options, &[images(0)]).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert_eq!(error.message(), "the library has no type f8e4m3, which `--precision fp8` asks for");
}

#[test]
fn scales_that_the_data_cannot_have_are_refused() {
    let model = residual();
    let quantize =
        ["Conv_a=int8:1e-30", "Conv_c=int8:1,1e30", "MatMul_y=int8:1", "MatMul_y=int8:1"];
    let (network, notes) = written(&model, json!({ "precision": "f16", "quantize": quantize }));
    assert_eq!(network.matches("= Quantize(").count(), 1, "{network}");
    assert_eq!(
        notes[notes.len() - 3..],
        [
            "`--quantize Conv_a`: f16 has no scale 0.000000000000000000000000000001",
            "`--quantize Conv_c`: f16 has no scale 1000000000000000000000000000000",
            "`--quantize MatMul_y`: no other node of that name has a product to quantize",
        ]
    );
}

#[test]
fn types_of_one_value_and_scale_are_kept_apart() {
    let model = Model::new(17)
        .input("x", "f32[4, 16]")
        .weights("v", &[16, 16])
        .init("w", &[16, 16], &[1f32; 256])
        .node("MatMul", "x v", "a")
        .node("MatMul", "x w", "b")
        .node("Add", "a b", "y")
        .output("y", "");
    let quantize = ["MatMul_a=int8:0.5", "MatMul_b=fp8:0.5"];
    let (network, _) = written(&model, json!({ "quantize": quantize }));
    for dtype in ["i8", "f8e4m3"] {
        assert!(network.contains(&format!(": {dtype}[4, 16] = Quantize(")), "{network}");
    }
}
