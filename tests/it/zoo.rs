//! Real models: the program makes plans of them, and their networks compute the numbers of the
//! reference.

use crate::support::{self, Model};
use crate::{python, tensorrt};
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::onnx::read_tensor;
use onnx2plan::pipeline;
use onnx2plan::tensor::Tensor;
use onnx2plan::valid::Checked;
use onnx2plan::{eval, onnx};
use prost::Message;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The networks of the ONNX model zoo's first years, with weights that are made up and take no
/// space.
const LIGHT: [&str; 9] = [
    "light_bvlc_alexnet",
    "light_densenet121",
    "light_inception_v1",
    "light_inception_v2",
    "light_resnet50",
    "light_shufflenet",
    "light_squeezenet",
    "light_vgg19",
    "light_zfnet512",
];

/// Calls `check` for each of these models with its file, two at a time.
fn each(models: &[&str], check: impl Fn(&str, &Path) + Sync) {
    let folder = python::onnx_data().join("light");
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(name) = models.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(name, &folder.join(format!("{name}.onnx")));
                }
            });
        }
    });
}

fn prepare(model: &Path) -> Checked {
    let prepared = onnx::load(model).and_then(|model| {
        pipeline::prepare(&model, &Fitted::standard(Caps::modern()), Caps::modern())
    });
    prepared.unwrap_or_else(|error| panic!("{error}")).network
}

fn tensor(path: &Path) -> Tensor {
    read_tensor(path).unwrap().1.tensor().unwrap().clone()
}

/// Whether each number is as near to the expected one as `absolute` or, of its size, `relative`
/// allows.
fn assert_close(name: &str, found: &Tensor, expected: &Tensor, relative: f32, absolute: f32) {
    assert_eq!((found.dtype(), found.dims()), (expected.dtype(), expected.dims()), "{name}");
    let (found, expected) = (found.to_f32s().unwrap(), expected.to_f32s().unwrap());
    for (i, (&found, &expected)) in found.iter().zip(expected.iter()).enumerate() {
        let most = absolute + relative * expected.abs();
        assert!((found - expected).abs() <= most, "{name}: element {i} is {found}, not {expected}");
    }
}

#[test]
fn light_models_become_plans() {
    let dir = tempfile::tempdir().unwrap();
    each(&LIGHT, |name, model| {
        let plan = dir.path().join(format!("{name}.plan"));
        let output =
            tensorrt::onnx2plan().arg("--quiet").arg("-o").arg(&plan).arg(model).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(fs::read(&plan).unwrap().starts_with(b"vtrt"), "{name}");
    });
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        2 * LIGHT.len(),
        "a plan and a manifest each"
    );
}

#[test]
fn our_models_compute_what_the_reference_computes() {
    for (model, output) in [("digits", "probabilities"), ("crnn", "logp")] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(model);
        let data = folder.join("test_data_set_0");
        let outputs =
            eval::run(&prepare(&folder.join("model.onnx")), &[tensor(&data.join("input_0.pb"))])
                .unwrap();
        assert_eq!(outputs.len(), 1, "{model}");
        assert_close(output, &outputs[0], &tensor(&data.join("output_0.pb")), 0.0, 1e-5);
    }
}

/// Input (rising from 0 to 1) and tolerances are those of ONNX's own test of these models.
///
/// With weights that are all alike the outputs are, too: this finds a wrong size or factor, not a
/// wrong order.
#[test]
fn light_models_compute_what_the_reference_computes() {
    each(&LIGHT, |name, model| {
        let network = prepare(model);
        let [input] = network.inputs[..] else {
            panic!("{name} has {} inputs", network.inputs.len())
        };
        let dims = network.value(input).ty.shape.known().unwrap();
        let count: usize = dims.iter().product();
        let rising = (0..count).map(|i| (i as f64 / count as f64) as f32).collect();
        let outputs = eval::run(&network, &[Tensor::of(dims, rising).unwrap()]).unwrap();
        assert_eq!(outputs.len(), 1, "{name}");
        assert_close(
            name,
            &outputs[0],
            &tensor(&model.with_file_name(format!("{name}_output_0.pb"))),
            1e-3,
            1e-7,
        );
    });
}

/// Those of the light models that the reference evaluator computes in seconds, now with random
/// weights.
const RANDOMISED: [&str; 3] = ["light_densenet121", "light_resnet50", "light_shufflenet"];

#[test]
fn models_with_random_weights_compute_what_the_reference_computes() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/randomise.py");
    each(&RANDOMISED, |name, model| {
        let dir = tempfile::tempdir().unwrap();
        let output =
            Command::new(python::python()).arg(&script).args([model, dir.path()]).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let network = prepare(&dir.path().join("model.onnx"));
        let outputs = eval::run(&network, &[tensor(&dir.path().join("input.pb"))]).unwrap();
        assert_eq!(outputs.len(), 1, "{name}");
        let expected = tensor(&dir.path().join("output.pb"));
        let largest = expected
            .to_f32s()
            .unwrap()
            .iter()
            .fold(0f32, |largest, number| largest.max(number.abs()));
        assert_close(name, &outputs[0], &expected, 0.0, 1e-5 * largest);
    });
}

/// What has an output of a size of its own is evaluated where TensorRT-RTX cannot build it; a plan
/// that is wanted is missed.
#[test]
fn what_only_a_gpu_builds_is_evaluated_without_one() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("places");
    fs::create_dir_all(model.join("test_data_set_0")).unwrap();
    Model::new(17).input("x", "f32[4]").node("NonZero", "x", "y").output("y", "").write(&model);
    let data = |name: &str, tensor: Vec<u8>| {
        fs::write(model.join("test_data_set_0").join(name), tensor).unwrap();
    };
    data("input_0.pb", support::tensor(&[4], &[0f32, 3.0, 0.0, 5.0]).encode_to_vec());
    data("output_0.pb", support::tensor(&[1, 2], &[1i64, 3]).encode_to_vec());
    let report = dir.path().join("report");
    let run = |arguments: &[&Path]| {
        let mut command = tensorrt::onnx2plan();
        command.env("CUDA_VISIBLE_DEVICES", "").args([
            "zoo",
            "--on",
            "cpu",
            "--no-cache",
            "--report",
        ]);
        let output = command.arg(&report).args(arguments).arg(&model).output().unwrap();
        let text = fs::read_to_string(report.join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        let of_model = |field: &str| report["models"][0][field].as_str().unwrap().to_owned();
        (output.status.code().unwrap(), of_model("status"), of_model("reason"))
    };
    let why =
        "no plan was built: `NonZero_y` (NonZero, opset 17) can be built only where there is a GPU"
            .to_owned();
    assert_eq!(run(&[]), (0, "evaluated".to_owned(), why.clone()));
    let plans = dir.path().join("plans");
    assert_eq!(run(&[Path::new("--output"), &plans]), (6, "failed".to_owned(), why));
}

/// A folder with `model.onnx` and test data of one input and one output.
fn with_data(folder: &Path, model: &Model, input: &Tensor, output: &Tensor) {
    let data = folder.join("test_data_set_0");
    fs::create_dir_all(&data).unwrap();
    model.write(folder);
    for (name, tensor) in [("input_0.pb", input), ("output_0.pb", output)] {
        let values = tensor.to_f32s().unwrap();
        let dims: Vec<i64> =
            tensor.dims().iter().map(|&size| i64::try_from(size).unwrap()).collect();
        fs::write(data.join(name), support::tensor(&dims, &values).encode_to_vec()).unwrap();
    }
}

/// `zoo --on cpu` of a folder: exit code, status and reason of its model, and the plans.
fn unjudged(folder: &Path, options: &[&str]) -> (i32, String, String, bool) {
    let report = folder.join("report");
    let mut command = tensorrt::onnx2plan();
    command.args(["zoo", "--on", "cpu", "--no-cache", "--quiet", "--report"]).arg(&report);
    command.args(options).arg("--output").arg(folder.join("plans")).arg(folder.join("models"));
    let output = command.output().unwrap();
    let text = fs::read_to_string(report.join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let of_model = |field: &str| report["models"][0][field].as_str().unwrap().to_owned();
    let has_plan = folder.join("plans/m.plan").exists();
    (output.status.code().unwrap(), of_model("status"), of_model("reason"), has_plan)
}

#[test]
fn plans_are_built_unjudged_where_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::new(17).input("x", "f32[2]").node("Relu", "x", "y").output("y", "");
    let wrong = Tensor::vector(&[9f32, 9.0]);
    with_data(&dir.path().join("models/m"), &model, &Tensor::vector(&[1f32, 2.0]), &wrong);
    let why = "nobody asked for a comparison".to_owned();
    assert_eq!(unjudged(dir.path(), &["--no-verify"]), (0, "unjudged".to_owned(), why, true));
    // That blocks nobody, and the report says how it was run.
    let text = fs::read_to_string(dir.path().join("report/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["causes"], serde_json::json!([]));
    let options = &report["options"];
    assert_eq!((options["verify"].as_str(), &options["tolerance"]), (Some("none"), &().into()));
    assert!(options["memory_bytes"].is_null(), "it is the machine's, and differs between shards");
    let command = report["models"][0]["command"].as_str().unwrap();
    assert!(command.ends_with("model.onnx --on cpu --no-cache --no-verify"), "{command}");
}

/// An evaluation without end costs the judgment, not the plan.
#[test]
fn what_takes_too_long_to_evaluate_is_not_judged() {
    let dir = tempfile::tempdir().unwrap();
    let body = Model::new(17)
        .input("i", "i64[]")
        .input("go", "bool[]")
        .input("sum", "f32[2]")
        .node("Identity", "go", "on")
        .node("Mul", "sum sum", "squared")
        .node("Tanh", "squared", "next")
        .output("on", "bool[]")
        .output("next", "f32[2]");
    let model = Model::new(17)
        .input("x", "f32[2]")
        .init("count", &[], &[2_000_000_000i64])
        .node("Loop", "count - x", "y")
        .attr("body", body)
        .output("y", "");
    let x = Tensor::vector(&[0.5f32, 0.25]);
    with_data(&dir.path().join("models/m"), &model, &x, &x);
    let (code, status, reason, has_plan) = unjudged(dir.path(), &["--timeout", "12"]);
    assert_eq!((code, status.as_str(), has_plan), (7, "unjudged", true), "{reason}");
    let start = "the plan was built, but evaluating the network took longer than ";
    assert!(reason.starts_with(start), "{reason}");
}
