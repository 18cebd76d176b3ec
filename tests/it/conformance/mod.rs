//! The node tests and the models of the `onnx` package, taken through the whole conversion and
//! evaluated on the CPU.
//!
//! `tests/backend.txt` and `tests/zoo.txt` say what comes of each; a change in either direction
//! fails.

pub(crate) mod case;
mod list;
mod passes;

use crate::python::{onnx_data, python};
use crate::tensorrt;
use case::Case;
use onnx2plan::import::lacks::{LACKS, Lack, cause};
use onnx2plan::import::registry::rows;
use onnx2plan::verify;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a script of `tests/python` writes into the folder that it is given, written once per script
/// and environment.
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

/// NonMaxSuppression of a fixed number of rows: what ONNX's tests expect, and −1 behind it;
/// TensorRT builds it.
#[test]
fn suppression_of_fixed_size_is_exact_up_to_its_capacity() {
    const ROWS: u16 = 8;
    let library = tensorrt::library();
    let cases = cases_in(&generated("gen_node_tests.py"), "");
    let cases: Vec<&Case> =
        cases.iter().filter(|case| case.name.contains("nonmaxsuppression")).collect();
    assert!(cases.len() >= 9, "{}", cases.len());
    for case in cases {
        let (rows, expected) = case
            .suppressed(&library, ROWS)
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let mut padded = expected;
        padded.resize(3 * usize::from(ROWS), -1);
        assert_eq!(rows, padded, "{}", case.name);
    }
}

/// Every operator of the `onnx` package is in the registry, or in the table of what is not
/// converted, and not in both.
#[test]
fn every_operator_is_converted_or_listed_with_a_cause() {
    let script =
        "from onnx import defs\nfor s in defs.get_all_schemas(): print(s.domain + '.' + s.name)";
    let output = Command::new(python()).args(["-c", script]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let misplaced: Vec<&str> = printed
        .lines()
        .map(|name| name.trim_start_matches('.'))
        .filter(|name| {
            let (domain, operator) = name.rsplit_once('.').unwrap_or(("", name));
            let (converted, listed) =
                (rows(domain, operator).next().is_some(), cause(name).is_some());
            converted == listed
        })
        .collect();
    assert!(output.status.success() && printed.lines().count() > 200, "{printed}");
    assert!(misplaced.is_empty(), "{misplaced:?}");
}

/// Every reason in the lists is in the table of what is not converted, and nothing is in it that no
/// case shows.
#[test]
fn every_reason_is_listed_with_a_cause() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let text = ["backend.txt", "zoo.txt"]
        .map(|file| fs::read_to_string(folder.join(file)).unwrap())
        .concat();
    let reasons: Vec<&str> =
        text.lines().filter_map(|line| Some(line.split_once(" unsupported ")?.1)).collect();
    let explains = |lack: &Lack, reason: &str| {
        let operator = reason.split(": ").next().unwrap_or_default();
        let concerns = lack.operators.is_empty()
            || reason.starts_with("TensorRT: ")
            || lack.operators.contains(&operator);
        concerns && lack.said.iter().any(|words| reason.contains(words))
    };
    let unexplained: Vec<_> =
        reasons.iter().filter(|reason| !LACKS.iter().any(|lack| explains(lack, reason))).collect();
    assert!(unexplained.is_empty(), "{unexplained:?}");
    let unseen = LACKS.iter().filter(|lack| {
        !lack.part.is_empty() && !reasons.iter().any(|reason| explains(lack, reason))
    });
    assert_eq!(unseen.map(|lack| lack.part).collect::<Vec<_>>(), Vec::<&str>::new());
}
