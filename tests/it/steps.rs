//! Decoders that generate: right at every step.

use crate::tensorrt::{onnx_runtime, without_tensorrt};
use serde_json::Value;
use std::path::Path;

fn steps(model: &str, count: &str) -> std::process::Output {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join(model);
    let mut command = without_tensorrt();
    command.env("ORT_DYLIB_PATH", onnx_runtime());
    command.args(["verify", "--on", "cpu", "--json", "--quiet", "--steps", count]).arg(model);
    command.output().unwrap()
}

#[test]
fn a_decoder_is_right_at_every_step() {
    for name in ["gpt2-past-traced-13", "llama-past-captured-20"] {
        let output = steps(&format!("models/exports/{name}/model.onnx"), "3");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let judged: Value = serde_json::from_slice(&output.stdout).unwrap();
        let runs = judged["verifications"].as_array().unwrap();
        // Two data sets, each with three steps behind it.
        assert_eq!(runs.len(), 8, "{name}");
        let keys = |at: usize| runs[at]["outputs"][1]["actual"].as_str().unwrap().to_owned();
        let length = |at: usize| -> usize { keys(at).split(", ").nth(2).unwrap().parse().unwrap() };
        assert_eq!([1, 2, 3].map(length), [1, 2, 3].map(|step| length(0) + step), "{name}");
    }
}

#[test]
fn a_model_without_a_state_takes_no_steps() {
    let output = steps("models/digits/model.onnx", "1");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: no output continues an input: probabilities\n"), "{said}");
    let hint = "hint: `--steps` is for models that take `past…` and give `present…`, or as many \
                real inputs as outputs after the first\n";
    assert!(said.ends_with(hint), "{said}");
}
