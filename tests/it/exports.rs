//! Small networks as exporters write them (`models/exports`): each becomes a plan where a machine
//! without a GPU can build it, and computes ONNX Runtime's numbers.

use crate::tensorrt::onnx2plan;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// What once came out right stays so.
#[test]
fn every_export_ends_as_its_listing_expects() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/exports");
    let report = tempfile::tempdir().unwrap();
    let mut command = onnx2plan();
    command
        .args(["zoo", "--on", "cpu", "--jobs", "2", "--no-cache", "--quiet", "--report"])
        .arg(report.path());
    let output = command.arg(folder.join("zoo.toml")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let read = fs::read(report.path().join("report.json")).unwrap_or_else(|_| panic!("{said}"));
    let report: Value = serde_json::from_slice(&read).unwrap();
    let models = report["models"].as_array().unwrap();
    let wrong: Vec<String> = models
        .iter()
        .filter(|model| model["as_expected"] != true)
        .map(|model| format!("{} is {}: {}", model["name"], model["status"], model["reason"]))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(output.status.success(), "{said}");
    let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let folders = entries.filter(|path| path.join("model.onnx").is_file()).count();
    assert_eq!(models.len(), folders, "the listing lists every model");
}
