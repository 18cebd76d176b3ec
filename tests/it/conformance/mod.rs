//! Every node test of the `onnx` package, taken through the whole conversion and evaluated on the CPU.
//!
//! `tests/backend.txt` says what comes of each; a change in either direction fails.

mod case;
mod list;

use crate::python::python;
use crate::tensorrt;
use case::Case;
use onnx2plan::verify;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The node tests, written once by `tests/python/gen_node_tests.py`.
fn node_tests() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/gen_node_tests.py");
    let environment = python().parent().and_then(Path::parent).unwrap();
    let folder = environment.join("node-tests");
    let complete = folder.join("complete");
    let current = fs::read(&script).unwrap();
    if fs::read(&complete).is_ok_and(|written| written == current) {
        return folder;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    let output = Command::new(python()).arg(&script).arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::write(&complete, current).unwrap();
    folder
}

/// A case for each folder with a model.
fn cases_in(folder: &Path) -> Vec<Case> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<Case> = paths
        .map(|path| path.join("model.onnx"))
        .filter(|model| model.is_file())
        .map(|model| Case {
            name: model.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned(),
            data: verify::data::beside(&model),
            model,
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

#[test]
fn node_tests_come_out_as_listed() {
    let library = tensorrt::library();
    list::check("backend.txt", &cases_in(&node_tests()), &library);
}
