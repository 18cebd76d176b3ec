//! What the commands say of types, and what they take.

use crate::support::{self, Model};
use crate::tensorrt::{onnx_runtime, without_tensorrt};
use prost::Message;
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

/// What a command that is refused prints.
fn refusal(model: &Path, options: &[&str]) -> String {
    let mut command = without_tensorrt();
    let output = command.arg("verify").arg(model).args(["--on", "cpu", "-q"]).args(options);
    let output = output.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{options:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn options_that_mean_nothing_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = simple().write(folder.path());
    let of_nothing: [&[&str]; 4] = [
        &["--within", "0.1"],
        &["--keep", "Tanh=f32"],
        &["--calibrate", "data"],
        &["--budget", "3"],
    ];
    for options in of_nothing {
        let option = options[0];
        assert_eq!(
            refusal(&model, options),
            format!(
                "error: `{option}` means nothing while all layers compute in f32\n\n\
                 hint: name a type with `--precision`\n"
            )
        );
    }
}

#[test]
fn data_to_choose_by_need_no_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let model = simple().write(folder.path());
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let calibrate = ["--precision", "f16", "--calibrate", data.to_str().unwrap()];
    let output = verify(&model, &calibrate);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    let message = format!("error: `{}` holds no data to choose types by\n", data.display());
    assert!(said.starts_with(&message), "{said}");
    let hint = "hint: a NumPy archive `*.npz` with an array for each input, or input_0.pb, \
                input_1.pb, …\n";
    assert!(said.ends_with(hint), "{said}");
    let x: Vec<f32> = (0..32u8).map(|x| f32::from(x) / 8.0).collect();
    let x = support::tensor(&[4, 8], &x).encode_to_vec();
    std::fs::write(data.join("input_0.pb"), x).unwrap();
    let output = verify(&model, &calibrate);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
