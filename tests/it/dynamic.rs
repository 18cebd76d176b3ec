//! Networks with sizes that only the run knows, as PyTorch's two exporters write them
//! (`models/dynamic`): they are converted without help, and compute ONNX Runtime's numbers at the
//! smallest, the likeliest and the largest sizes, and at odd ones between.

use crate::tensorrt::{onnx_runtime, onnx2plan, without_tensorrt};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Each network with ranges of its sizes, and how it was exported.
const NETWORKS: [(&str, &[&str]); 5] = [
    ("cnn", &["batch=1:8:32"]),
    ("encoder", &["batch=1:2:8", "length=1:16:64"]),
    ("decoder", &["batch=1:2:4", "length=1:1:5", "past=1:16:64"]),
    ("unet", &["batch=1:1:2", "height=8:32:96", "width=8:32:96"]),
    ("crnn", &["batch=1:2:4", "width=8:32:128"]),
];

/// A head whose NonMaxSuppression finds as many boxes as there are.
const DETECTOR: (&str, &[&str]) = ("detector", &["height=16:32:128", "width=16:64:128"]);

fn models() -> impl Iterator<Item = (PathBuf, &'static [&'static str])> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/dynamic");
    let exported = NETWORKS.iter().flat_map(|(name, sizes)| {
        ["traced", "captured"].map(|how| (format!("{name}-{how}"), *sizes))
    });
    let all = exported.chain([(DETECTOR.0.to_owned(), DETECTOR.1)]);
    all.map(move |(name, sizes)| (folder.join(name).join("model.onnx"), sizes))
}

#[test]
fn numbers_are_right_at_every_end_and_between() {
    for (model, sizes) in models() {
        let mut command = without_tensorrt();
        command
            .env("ORT_DYLIB_PATH", onnx_runtime())
            .args(["verify", "--on", "cpu", "--json", "--quiet"]);
        command
            .args(["--strict-profiles"])
            .args(sizes.iter().flat_map(|size| ["--dim", size]))
            .arg(&model);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", model.display());
        let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
        let verified = outcome["verifications"].as_array().unwrap();
        let names = ["opt", "min", "max", "between"];
        let expected: Vec<_> = (0..2).flat_map(|seed| names.map(|name| (seed, name))).collect();
        assert_eq!(verified.len(), expected.len(), "{}", model.display());
        for (verification, (seed, name)) in verified.iter().zip(expected) {
            let start = format!("ONNX Runtime, seed {seed}, {name} ");
            assert!(
                verification["reference"].as_str().unwrap().starts_with(&start),
                "{verification}"
            );
            assert_eq!(verification["agrees"], json!(true), "{verification}");
        }
    }
}

/// The encoder has 64 positions. Nobody has to say so for inputs to be drawn that it can take.
#[test]
fn lengths_are_guessed_that_the_network_has_positions_for() {
    for (model, _) in models().filter(|(model, _)| model.to_string_lossy().contains("encoder")) {
        let mut command = without_tensorrt();
        command
            .env("ORT_DYLIB_PATH", onnx_runtime())
            .args(["verify", "--on", "cpu", "--json"])
            .arg(&model);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", model.display());
        let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
        let largest = json!("ONNX Runtime, seed 0, max [[8, 64], [8, 64]]");
        let mut verified = outcome["verifications"].as_array().unwrap().iter();
        assert!(verified.any(|verification| verification["reference"] == largest), "{outcome}");
    }
}

#[test]
fn plans_are_built_without_help_and_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    for (model, sizes) in models() {
        for sizes in [&[], sizes] {
            let mut command = onnx2plan();
            // TensorRT-RTX has no suppression of another size without a GPU.
            command
                .args(["--quiet", "--nms-fixed", "12"])
                .args(sizes.iter().flat_map(|size| ["--dim", size]))
                .arg(&model);
            let output = command.arg("-o").arg(dir.path().join("x.plan")).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{} {sizes:?}: {said}", model.display());
        }
    }
}

/// Without a GPU, TensorRT-RTX says of one node that it lacks something; the error says of which
/// nodes and what helps.
#[test]
fn a_layer_that_the_library_lacks_is_explained() {
    let (model, _) = models().last().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let output = onnx2plan()
        .arg("--quiet")
        .arg(&model)
        .arg("-o")
        .arg(dir.path().join("x.plan"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    let lacking =
        "\n  not built without a GPU: `NonMaxSuppression_16` (NonMaxSuppression, opset 17)\n";
    let hint = "\n\nhint: build on a machine with a GPU; `--nms-fixed N` gives NonMaxSuppression \
                a form for any machine\n";
    assert!(said.contains(lacking) && said.ends_with(hint), "{said}");
}
