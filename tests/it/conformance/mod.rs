//! The node tests and the models of the `onnx` package, taken through the whole conversion and evaluated on the CPU.
//!
//! `tests/backend.txt` and `tests/zoo.txt` say what comes of each; a change in either direction fails.

pub(crate) mod case;
mod list;

use crate::python::{onnx_data, python};
use crate::tensorrt;
use case::Case;
use onnx2plan::verify;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a script of `tests/python` writes into the folder that it is given, written once per script and environment.
fn generated(script: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script);
    let environment = python().parent().and_then(Path::parent).unwrap();
    let folder = environment.join(path.file_stem().unwrap());
    let complete = folder.join("complete");
    let current = fs::read(&path).unwrap();
    if fs::read(&complete).is_ok_and(|written| written == current) {
        return folder;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    let output = Command::new(python()).arg(&path).arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::write(&complete, current).unwrap();
    folder
}

/// A case for each folder with a model; names start with `prefix`.
fn cases_in(folder: &Path, prefix: &str) -> Vec<Case> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<Case> = paths
        .map(|path| path.join("model.onnx"))
        .filter(|model| model.is_file())
        .map(|model| Case {
            name: format!("{prefix}{}", model.parent().unwrap().file_name().unwrap().display()),
            data: verify::data::beside(&model),
            model,
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

#[test]
fn node_tests_come_out_as_listed() {
    let cases = cases_in(&generated("gen_node_tests.py"), "");
    list::check("backend.txt", &cases, &tensorrt::library());
}

#[test]
fn models_come_out_as_listed() {
    let data = onnx_data();
    let mut cases = cases_in(&generated("gen_light_models.py"), "light/");
    for group in ["pytorch-converted", "pytorch-operator", "simple"] {
        cases.extend(cases_in(&data.join(group), &format!("{group}/")));
    }
    list::check("zoo.txt", &cases, &tensorrt::library());
}
