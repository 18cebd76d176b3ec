//! What the commands say of types, and what they take.

use crate::support::Model;
use crate::tensorrt::{onnx_runtime, without_tensorrt};
use std::path::Path;
use std::process::Output;

/// A product and a function: right in every type.
fn simple() -> Model {
    Model::new(17)
        .input("x", "f32[4, 8]")
        .weights("w", &[8, 8])
        .node("MatMul", "x w", "p")
        .node("Tanh", "p", "y")
        .output("y", "")
}

/// `verify --on cpu --json` of a model, with these options.
fn verify(model: &Path, options: &[&str]) -> Output {
    let mut command = without_tensorrt();
    command.env("ORT_DYLIB_PATH", onnx_runtime());
    command.args(["verify", "--on", "cpu", "--json", "--quiet"]).arg(model).args(options);
    command.output().unwrap()
}

#[test]
fn inputs_of_another_type_are_drawn_in_the_models() {
    let folder = tempfile::tempdir().unwrap();
    let model = simple().write(folder.path());
    for dtype in ["f16", "bf16"] {
        let output = verify(&model, &["--precision", dtype, "--io-precision", dtype]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{dtype}: {said}");
    }
}
