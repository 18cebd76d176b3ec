//! Plans with their manifests, as `verify` takes them.

use crate::support::Model;
use crate::tensorrt::onnx2plan;
use onnx2plan::report::Manifest;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// What `verify` says of a plan, and its exit code.
fn verify_plan(plan: &Path) -> (String, Option<i32>) {
    let output = onnx2plan().args(["verify", "--quiet"]).arg(plan).output().unwrap();
    (String::from_utf8(output.stderr).unwrap(), output.status.code())
}

#[test]
fn a_plan_is_what_its_manifest_says_or_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::new(17).input("x", "f32[2]").node("Relu", "x", "y").output("y", "f32[2]").write(dir.path());
    assert!(onnx2plan().arg("--quiet").arg(&model).output().unwrap().status.success());
    let plan = dir.path().join("model.plan");
    let manifest = dir.path().join("model.plan.json");
    let shown = dir.path().display().to_string();
    let says = |expected: &str| {
        let (said, code) = verify_plan(&plan);
        let said = said.replace(&shown, "DIR");
        assert!(said.starts_with(&format!("error: {expected}")) && code == Some(2), "{code:?}: {said}");
    };

    let (bytes, text) = (fs::read(&plan).unwrap(), fs::read_to_string(&manifest).unwrap());
    fs::write(&plan, [&bytes[..], b"!"].concat()).unwrap();
    says("`DIR/model.plan` is not the plan that the manifest describes\n\nhint: build the plan again");
    fs::write(&plan, bytes).unwrap();

    fs::write(&manifest, text.replace("\"name\": \"model.onnx\"", "\"name\": \"../model.onnx\"")).unwrap();
    says("the manifest names `../model.onnx`, which is no file beside it");
    fs::write(&manifest, "{}").unwrap();
    says("`DIR/model.plan.json` is no manifest of this version");
    fs::write(&manifest, &text).unwrap();

    fs::rename(&model, dir.path().join("gone.onnx")).unwrap();
    says("the model of the manifest is missing");
    fs::remove_file(&manifest).unwrap();
    says("cannot read `DIR/model.plan.json`, the manifest of the plan");
}

/// A model with its weights in two files, and its plan.
fn external(folder: &Path) -> PathBuf {
    fs::create_dir(folder.join("sub")).unwrap();
    for (name, value) in [("v.bin", 1f32), ("sub/w.bin", 2.0)] {
        fs::write(folder.join(name), value.to_le_bytes()).unwrap();
    }
    let model = Model::new(17)
        .input("x", "f32[2]")
        .external("v", &[1], &[("location", "./v.bin")])
        .external("w", &[1], &[("location", "sub/w.bin")])
        .node("Mul", "x v", "m")
        .node("Add", "m w", "y")
        .output("y", "f32[2]")
        .write(folder);
    assert!(onnx2plan().arg("--quiet").arg(&model).output().unwrap().status.success());
    folder.join("model.plan")
}

#[test]
fn external_data_is_part_of_what_a_plan_was_made_from() {
    let dir = tempfile::tempdir().unwrap();
    let plan = external(dir.path());
    let path = dir.path().join("model.plan.json");
    let text = fs::read_to_string(&path).unwrap();
    let manifest: Manifest = serde_json::from_str(&text).unwrap();
    let names: Vec<&str> = manifest.external.iter().map(|file| &*file.name).collect();
    assert_eq!(names, ["sub/w.bin", "v.bin"]);
    let hash = Sha256::digest(2f32.to_le_bytes()).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    assert_eq!((manifest.external[0].bytes, &manifest.external[0].sha256), (4, &hash));

    let shown = dir.path().display().to_string();
    let says = |expected: &str| {
        let (said, code) = verify_plan(&plan);
        let said = said.replace(&shown, "DIR");
        assert!(said.starts_with(&format!("error: {expected}\n")) && code == Some(2), "{code:?}: {said}");
    };
    fs::write(dir.path().join("sub/w.bin"), 3f32.to_le_bytes()).unwrap();
    says("`DIR/sub/w.bin` is not the external data that the manifest describes");
    fs::remove_file(dir.path().join("sub/w.bin")).unwrap();
    says("the external data of the manifest is missing");
    fs::write(&path, text.replace("\"sub/w.bin\"", "\"sub/../../w.bin\"")).unwrap();
    says("the manifest names `sub/../../w.bin`, which is no file below its folder");
}
