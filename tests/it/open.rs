//! Networks whose forms depend on sizes that only the run knows compute ONNX Runtime's numbers at
//! the smallest, the likeliest and the largest sizes, and at odd ones between.

use crate::golden::cases;
use crate::support::Model;
use crate::tensorrt::{onnx_runtime, without_tensorrt};
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::pipeline;
use onnx2plan::tensor::Tensor;
use onnx2plan::{eval, verify::compare::compare};
use serde_json::{Value, json};
use std::num::NonZeroU32;

/// Golden cases with ranges of their sizes.
const CASES: &[(&str, &[&str])] = &[
    ("control/loop_rows", &["N=1:3:6"]),
    ("conv/conv_same_skipping", &["L=2:7:12"]),
    ("conv/transpose_output_shape", &["L=4:5:6"]),
    ("layout/squeeze_even", &["N=1:2:5"]),
    ("microsoft/quantized_lstm", &["T=1:5:9"]),
    ("microsoft/quantized_products", &["N=1:2:5"]),
    ("norm/layer_of_onnx_runtime", &["N=1:2:5"]),
    ("pool/open_ceil", &["N=1:2:3", "H=3:9:13", "W=4:8:12"]),
    ("pool/open_dilated", &["N=1:2:3", "L=4:7:12"]),
    // ONNX Runtime refuses what windows skip at the end.
    ("pool/open_same", &["N=1:2:3", "L=7:7:8"]),
    ("pool/places", &["N=1:2:3", "H=2:7:12", "W=3:8:11"]),
    ("resize/open_region", &["H=2:7:12", "W=3:8:11"]),
    ("resize/open_scales", &["H=2:5:9", "T=1:7:12"]),
    ("resize/open_sizes", &["N=1:2:3", "H=2:7:12", "W=3:8:11"]),
    ("resize/open_weights", &["N=1:2:3", "W=2:8:11"]),
    ("sample/affine", &["N=1:2:3", "H=2:7:12", "W=3:8:11"]),
    ("sample/reflected", &["H=2:7:12", "W=2:8:11"]),
    ("sample/volume", &["N=1:2:3", "D=1:3:5", "H=2:4:6", "W=2:5:7"]),
    ("scatter/reduced", &["N=8:9:12", "M=1:5:20"]),
    ("spectral/open", &["N=1:2:3", "L=5:7:9", "W=3:4:5"]),
    ("unique/unique", &["N=1:6:9"]),
];

#[test]
fn open_sizes_give_the_right_numbers() {
    let dir = tempfile::tempdir().unwrap();
    for &(wanted, sizes) in CASES {
        let (_, case) =
            cases().find(|(name, _)| name == wanted).unwrap_or_else(|| panic!("no case {wanted}"));
        let model = (case.model)().write(dir.path());
        let mut command = without_tensorrt();
        command
            .env("ORT_DYLIB_PATH", onnx_runtime())
            .args(["verify", "--on", "cpu", "--json", "--quiet"]);
        command.args(sizes.iter().flat_map(|size| ["--dim", size])).arg(&model);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{wanted}: {said}");
        let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
        let verified = outcome["verifications"].as_array().unwrap();
        assert!(verified.len() >= 2, "{wanted}: {outcome}");
        assert!(verified.iter().all(|one| one["agrees"] == json!(true)), "{wanted}: {outcome}");
    }
}

/// A loop that doubles a number until it is no longer below 100, and collects what it had.
fn doubling() -> Model {
    let body = Model::new(17)
        .input("i", "i64[]")
        .input("go", "bool[]")
        .input("before", "f32[1]")
        .node("Add", "before before", "after")
        .node("Less", "after most", "below")
        .node("Squeeze", "below", "go_on")
        .node("Identity", "before", "kept")
        .output("go_on", "bool[]")
        .output("after", "f32[1]")
        .output("kept", "f32[1]");
    Model::new(17)
        .input("x", "f32[1]")
        .init("most", &[], &[100f32])
        .init("yes", &[], &[true])
        .node("Loop", "- yes x", "last all")
        .attr("body", body)
        .output("last", "")
        .output("all", "")
}

/// A loop without a limit takes one from the user, and never hides that it was too small.
#[test]
fn loops_that_collect_take_a_limit() {
    let model = doubling().read().unwrap();
    let with = |most: u32| {
        let mut fitted = Fitted::standard(Caps::modern());
        fitted.recipe.max_trip = NonZeroU32::new(most);
        pipeline::prepare(&model, &fitted, Caps::modern())
    };
    let error = with(0).unwrap_err().to_string();
    assert!(error.contains("hint: `--max-trip N` limits it to N iterations"), "{error}");

    let run = |most, x: f32| eval::run(&with(most).unwrap().network, &[Tensor::vector(&[x])]);
    let rows = |rows: &[f32]| Tensor::of(vec![rows.len(), 1], rows.to_vec()).unwrap();
    let expected = vec![Tensor::vector(&[160f32]), rows(&[5.0, 10.0, 20.0, 40.0, 80.0])];
    for most in [5, 6, 100] {
        assert_eq!(run(most, 5.0).unwrap(), expected, "{most}");
    }
    let error = run(4, 5.0).unwrap_err().to_string();
    assert!(
        error.contains("the loop goes on after iteration 4, where `--max-trip` cuts it off"),
        "{error}"
    );
    assert_eq!(run(4, 50.0).unwrap(), vec![Tensor::vector(&[100f32]), rows(&[50.0])]);
    let notes = with(4).unwrap().notes;
    assert!(
        matches!(&notes[..], [note] if note.contains("what goes on after iteration 4 is cut off")),
        "{notes:?}"
    );
}

/// Regions of which every bin is between one and two elements high and wide ask for two samples
/// each way.
#[test]
fn regions_ask_for_as_many_samples_as_a_fixed_number() {
    let data: Vec<f32> = (0..2 * 3 * 7 * 9).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect();
    let data = Tensor::of(vec![2, 3, 7, 9], data).unwrap();
    for (mode, coordinates) in ["avg", "max"].into_iter().zip(["half_pixel", "output_half_pixel"]) {
        let pooled = |samples: i64| {
            let model = Model::new(16)
                .input("x", "f32[B, 3, H, W]")
                .init(
                    "rois",
                    &[3, 4],
                    &[0f32, 0.5, 5.5, 3.9, 2.0, 3.0, 6.0, 6.0, -1.5, 4.0, 2.0, 7.9],
                )
                .init("images", &[3], &[0i64, 1, 1])
                .node("RoiAlign", "x rois images", "y")
                .attr("output_height", 2)
                .attr("output_width", 3)
                .attr("mode", mode)
                .attr("coordinate_transformation_mode", coordinates)
                .attr("sampling_ratio", samples)
                .output("y", "");
            let fitted = Fitted::standard(Caps::modern());
            let imported = pipeline::import_model(&model.read().unwrap(), &fitted).unwrap();
            eval::run(&imported.network, std::slice::from_ref(&data)).unwrap().remove(0)
        };
        let (found, expected) = (pooled(0), pooled(2));
        let compared = compare("y", &found, &onnx2plan::onnx::Constant::Tensor(expected.clone()));
        assert!(compared.agrees, "{mode}: {found:?} is not {expected:?}");
    }
}

/// One row of `taken` in each of as many iterations as `x` has rows.
fn rows(taken: &str) -> Model {
    let body = Model::new(17)
        .input("i", "i64[]")
        .input("go", "bool[]")
        .input("before", "f32[3]")
        .node("Unsqueeze", "i zero", "start")
        .node("Add", "start one", "end")
        .node("Slice", &format!("{taken} start end zero"), "row")
        .node("ReduceSum", "row zero", "flat")
        .attr("keepdims", 0)
        .node("Add", "before flat", "after")
        .node("Identity", "go", "go_on")
        .output("go_on", "bool[]")
        .output("after", "f32[3]");
    Model::new(17)
        .input("x", "f32[N, 3]")
        .input("y", "f32[M, 3]")
        .init("zero", &[1], &[0i64])
        .init("one", &[1], &[1i64])
        .init("first", &[], &[0i64])
        .init("none", &[3], &[0f32, 0.0, 0.0])
        .node("Shape", "x", "shape")
        .node("Gather", "shape first", "count")
        .node("Loop", "count - none", "sum")
        .attr("body", body)
        .output("sum", "")
}

/// A row by the number of the iteration is one row where there are as many as iterations, and may
/// be none elsewhere.
#[test]
fn rows_of_what_is_counted_are_there() {
    let x = Tensor::of(vec![3, 3], (1u8..10).map(f32::from).collect()).unwrap();
    let y = Tensor::of(vec![2, 3], (1u8..7).map(f32::from).collect()).unwrap();
    for (taken, known, expected) in
        [("x", true, [12f32, 15.0, 18.0]), ("y", false, [5.0, 7.0, 9.0])]
    {
        let model = rows(taken).read().unwrap();
        let fitted = Fitted::standard(Caps::modern());
        let prepared = pipeline::prepare(&model, &fitted, Caps::modern()).unwrap();
        assert_eq!(prepared.network.to_string().contains("f32[1, 3] = Gather"), known, "{taken}");
        let sum = eval::run(&prepared.network, &[x.clone(), y.clone()]).unwrap();
        assert_eq!(sum, vec![Tensor::vector(&expected)], "{taken}");
    }
}

/// Whether the first Resize rounds up or down depends on a scale that the run computes.
#[test]
fn the_first_resize_rounds_by_the_scale() {
    let model = Model::new(10)
        .input("x", "f32[1, 1, 1, 4]")
        .input("tenths", "i64[1]")
        .init("tenth", &[1], &[0.1f32])
        .init("one", &[3], &[1f32; 3])
        .node("Cast", "tenths", "count")
        .attr("to", 1)
        .node("Mul", "count tenth", "scale")
        .node("Concat", "one scale", "scales")
        .attr("axis", 0)
        .node("Resize", "x scales", "y")
        .output("y", "");
    let fitted = Fitted::standard(Caps::modern());
    let network = pipeline::import_model(&model.read().unwrap(), &fitted).unwrap().network;
    let x = Tensor::of(vec![1, 1, 1, 4], vec![1f32, 2.0, 3.0, 4.0]).unwrap();
    for (tenths, expected) in [(6i64, vec![1f32, 3.0]), (15, vec![1.0, 1.0, 2.0, 3.0, 3.0, 4.0])] {
        let y = eval::run(&network, &[x.clone(), Tensor::vector(&[tenths])]).unwrap();
        assert_eq!(y[0].to_f32s().unwrap().into_owned(), expected);
    }
}
