//! Plans with their manifests, as `verify` takes them.

use crate::support::Model;
use crate::tensorrt::onnx2plan;
use onnx2plan::report::Manifest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// What `verify` says of a plan, and its exit code.
fn verify_plan(plan: &Path) -> (String, Option<i32>) {
    let output = onnx2plan().args(["verify", "--quiet"]).arg(plan).output().unwrap();
    (String::from_utf8(output.stderr).unwrap(), output.status.code())
}

/// A small model and its plan.
fn converted(folder: &Path) -> (PathBuf, PathBuf) {
    let model = Model::new(17)
        .input("x", "f32[2]")
        .node("Relu", "x", "y")
        .output("y", "f32[2]")
        .write(folder);
    assert!(onnx2plan().arg("--quiet").arg(&model).output().unwrap().status.success());
    (model, folder.join("model.plan"))
}

#[test]
fn a_plan_is_what_its_manifest_says_or_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (model, plan) = converted(dir.path());
    let manifest = dir.path().join("model.plan.json");
    let shown = dir.path().display().to_string();
    let says = |expected: &str| {
        let (said, code) = verify_plan(&plan);
        let said = said.replace(&shown, "DIR");
        assert!(
            said.starts_with(&format!("error: {expected}")) && code == Some(2),
            "{code:?}: {said}"
        );
    };

    let (bytes, text) = (fs::read(&plan).unwrap(), fs::read_to_string(&manifest).unwrap());
    fs::write(&plan, [&bytes[..], b"!"].concat()).unwrap();
    says(
        "`DIR/model.plan` is not the plan that the manifest describes\n\nhint: build the plan \
         again",
    );
    fs::write(&plan, bytes).unwrap();

    fs::write(&manifest, text.replace("\"name\": \"model.onnx\"", "\"name\": \"../model.onnx\""))
        .unwrap();
    says(
        "the manifest names `../model.onnx`, which is no file beside it\n\nhint: build the plan \
         again",
    );
    for text in ["{}", "{\"schema\": 3, "] {
        fs::write(&manifest, text).unwrap();
        says("`DIR/model.plan.json` is no manifest of a plan");
    }
    fs::write(&manifest, "{\"schema\": 4}").unwrap();
    says(
        "`DIR/model.plan.json` has schema 4; this program reads schema 3\n\nhint: build the plan \
         again",
    );
    fs::write(&manifest, text.replace("\"schema\": 3", "\"schema\": 4")).unwrap();
    says(
        "`DIR/model.plan.json` has schema 4; this program reads schema 3\n\nhint: build the plan \
         again",
    );
    let spoilt = [
        ("/options/rnn", json!("spiral"), "unknown variant `spiral`, expected one of "),
        ("/options/optimization_level", json!(6), "levels are 0 to 5, not 6"),
        ("/options/nms_fixed", json!(70_000), "invalid value: integer `70000`, expected a "),
        ("/options/targets", json!(["new"]), "`new`: a compute capability is written like sm89"),
    ];
    for (field, value, why) in spoilt {
        let mut manifest_of: Value = serde_json::from_str(&text).unwrap();
        *manifest_of.pointer_mut(field).unwrap() = value;
        fs::write(&manifest, manifest_of.to_string()).unwrap();
        says(&format!("`DIR/model.plan.json` says what cannot be: {why}"));
    }
    fs::write(&manifest, &text).unwrap();

    fs::rename(&model, dir.path().join("gone.onnx")).unwrap();
    let hint = "name the model with `--model`, or build the plan again";
    says(&format!("the model of this plan is missing: `DIR/model.onnx`\n\nhint: {hint}"));
    fs::remove_file(&manifest).unwrap();
    says("cannot read `DIR/model.plan.json`, the manifest of the plan");
    symlink("/dev/zero", &manifest).unwrap();
    says("`DIR/model.plan.json` is no manifest of a plan\n\nhint: build the plan again");
    fs::remove_file(&plan).unwrap();
    says("there is no plan `DIR/model.plan`");
}

/// What shapes a network is the manifest's to say; where large constants lie, and how to compare,
/// is the user's.
#[test]
fn options_that_made_a_plan_are_not_given_again() {
    let says = |options: &[&str]| {
        let output = onnx2plan()
            .args(["verify", "--quiet"])
            .args(options)
            .arg("some.plan")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let cases: [(&[&str], &str); 6] = [
        (&["--dim", "batch=4"], "--dim <NAME=MIN:OPT:MAX>"),
        (&["--freeze", "axes=0"], "--freeze <NAME[=VALUE]>"),
        (&["--outputs", "y"], "--outputs <NAME[=NEW]>"),
        (&["--no-tf32"], "--no-tf32"),
        (&["--rnn", "loop"], "--rnn <FORM>"),
        (&["--seed", "3", "--nms-fixed", "9"], "--nms-fixed <N>"),
    ];
    for (options, named) in cases {
        let said = says(options);
        let expected = format!(
            "error: `{named}` is for making a plan: `some.plan` is made, and its manifest says \
             how\n"
        );
        assert!(said.starts_with(&expected), "{options:?}: {said}");
    }
    let missing = "error: there is no plan `some.plan`";
    for options in [&["--freeze-from", "data"][..], &["--seed", "3"], &["--inputs", "x.npz"]] {
        let said = says(options);
        assert!(said.starts_with(missing), "{options:?}: {said}");
    }
}

#[test]
fn a_plan_is_not_evaluated() {
    let dir = tempfile::tempdir().unwrap();
    let (model, plan) = converted(dir.path());
    let output =
        onnx2plan().args(["verify", "--quiet", "--on", "cpu"]).arg(&plan).output().unwrap();
    let expected = format!(
        "error: `{}` is a plan, and only a GPU can run it\n\nhint: `onnx2plan verify {} --on cpu` \
         with the options it was built with evaluates its network\n",
        plan.display(),
        model.display()
    );
    assert_eq!(
        (String::from_utf8(output.stderr).unwrap(), output.status.code()),
        (expected, Some(2))
    );
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
    let hash = Sha256::digest(2f32.to_le_bytes())
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    assert_eq!((manifest.external[0].bytes, &manifest.external[0].sha256), (4, &hash));

    let shown = dir.path().display().to_string();
    let says = |expected: &str| {
        let (said, code) = verify_plan(&plan);
        let said = said.replace(&shown, "DIR");
        assert!(
            said.starts_with(&format!("error: {expected}\n")) && code == Some(2),
            "{code:?}: {said}"
        );
    };
    fs::write(dir.path().join("sub/w.bin"), 3f32.to_le_bytes()).unwrap();
    says("`DIR/sub/w.bin` is not the external data that the manifest describes");
    fs::remove_file(dir.path().join("sub/w.bin")).unwrap();
    symlink("/dev/zero", dir.path().join("sub/w.bin")).unwrap();
    says("`DIR/sub/w.bin` is not the external data that the manifest describes");
    fs::remove_file(dir.path().join("sub/w.bin")).unwrap();
    says("the external data of this plan is missing: `DIR/sub/w.bin`");
    fs::write(&path, text.replace("\"sub/w.bin\"", "\"sub/../../w.bin\"")).unwrap();
    says("the manifest names `sub/../../w.bin`, which is no file below its folder");
}

const OTHER_MODEL: &str = "`DIR/v.bin` is not the model that the manifest describes\n\nhint: name the model with `--model`, or build the plan again";

/// External data lies beside the model, wherever the plan is.
#[test]
fn the_model_of_a_plan_may_be_elsewhere() {
    let (models, plans) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (built, model, plan) =
        (external(models.path()), models.path().join("model.onnx"), plans.path().join("a.plan"));
    fs::rename(&built, &plan).unwrap();
    fs::rename(models.path().join("model.plan.json"), plans.path().join("a.plan.json")).unwrap();
    let says = |subject: &Path, model: &Path, expected: &str| {
        let output = onnx2plan()
            .args(["verify", "--quiet"])
            .arg(subject)
            .arg("--model")
            .arg(model)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr)
            .unwrap()
            .replace(&models.path().display().to_string(), "DIR");
        assert_eq!((said, output.status.code()), (format!("error: {expected}\n"), Some(2)));
    };
    let other = models.path().join("v.bin");
    says(&plan, &other, OTHER_MODEL);
    says(&model, &model, "`--model` is for the model of a plan, which `DIR/model.onnx` is not");
    fs::write(models.path().join("sub/w.bin"), 3f32.to_le_bytes()).unwrap();
    let changed = "`DIR/sub/w.bin` is not the external data that the manifest describes\n\nhint: \
                   build the plan again";
    says(&plan, &model, changed);
}

/// TensorRT takes 4,096 characters of metadata per layer, and many nodes may share a constant.
#[test]
fn a_layer_of_many_nodes_is_built_and_the_manifest_names_them_all() {
    let dir = tempfile::tempdir().unwrap();
    let nodes: Vec<String> =
        (0..60).map(|at| format!("{}_{at}", "a_module_with_a_long_name/".repeat(5))).collect();
    let mut model = Model::new(17).input("x", "f32[2]");
    for (at, name) in nodes.iter().enumerate() {
        let (half, before) =
            (format!("half{at}"), if at == 0 { "x".to_owned() } else { format!("y{}", at - 1) });
        let one_half = Model::new(17)
            .init("half", &[2], &[0.5f32, 0.25])
            .proto()
            .graph
            .unwrap()
            .initializer
            .remove(0);
        model = model.node("Constant", "", &half).named(name).attr("value", one_half);
        let op = if at % 2 == 0 { "Max" } else { "Mul" };
        model = model.node(op, &format!("{before} {half}"), &format!("y{at}"));
    }
    let path = model.output("y59", "").write(dir.path());
    let output = onnx2plan().arg("--quiet").arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let manifest = fs::read_to_string(dir.path().join("model.plan.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    let named = layers
        .iter()
        .map(|layer| layer["nodes"].as_array().unwrap())
        .max_by_key(|named| named.len())
        .unwrap();
    assert!(nodes.iter().all(|node| named.contains(&json!(node))), "{named:?}");
}
