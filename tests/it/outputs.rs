//! Outputs never destroy what was read, nor what is no file.

use crate::support::{Model, tensor};
use crate::tensorrt::onnx2plan;
use onnx2plan::report::zoo::Report;
use prost::Message;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::Command;

fn relu() -> Model {
    Model::new(17).input("x", "f32[2]").node("Relu", "x", "y").output("y", "f32[2]")
}

/// The exit code of a command in a folder, and what it says.
fn ended(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = onnx2plan().arg("--quiet").args(arguments).current_dir(folder).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn no_input_is_overwritten_by_whatever_name() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let at = |name: &str| folder.join(name);
    fs::write(at("w.plan"), 1f32.to_le_bytes()).unwrap();
    let model = relu().external("w", &[1], &[("location", "w.plan")]);
    let model = model.node("Add", "y w", "z").output("z", "f32[2]").write(folder);
    fs::rename(model, at("m.onnx")).unwrap();
    fs::hard_link(at("m.onnx"), at("hard")).unwrap();
    symlink("m.onnx", at("soft")).unwrap();
    symlink("w.plan", at("data")).unwrap();
    fs::copy(at("m.onnx"), at("q.plan.json")).unwrap();
    fs::create_dir(at("test_data_set_0")).unwrap();
    fs::write(at("test_data_set_0/input_0.pb"), "").unwrap();
    fs::copy(at("m.onnx"), at("report.json")).unwrap();
    let before: Vec<_> = ["m.onnx", "w.plan", "q.plan.json"].map(|name| fs::read(at(name))).into();
    let mut cases = vec![
        (vec!["q.plan.json", "-o", "q.plan"], "q.plan.json", "q.plan.json"),
        (vec!["zoo", ".", "--report", "r", "--no-cache"], "m.onnx", "r/models/m/report.json"),
        (vec!["verify", "report.json", "--report", "."], "report.json", "./report.json"),
    ];
    for output in ["./m.onnx", "hard", "soft"] {
        cases.push((vec!["m.onnx", "-o", output], "m.onnx", output));
    }
    for (output, input) in [
        ("w.plan", "./w.plan"),
        ("data", "./w.plan"),
        ("test_data_set_0/input_0.pb", "test_data_set_0/input_0.pb"),
    ] {
        cases.push((vec!["m.onnx", "-o", output], input, output));
    }
    fs::create_dir_all(at("r/models/m")).unwrap();
    symlink("../../../m.onnx", at("r/models/m/report.json")).unwrap();
    for (arguments, input, output) in cases {
        let (code, said) = ended(folder, &arguments);
        let input = input.trim_start_matches("./");
        let expected = format!(
            "error: writing `{output}` would overwrite the input `{input}`\n\nhint: name another \
             place for what is written\n"
        );
        let said = said.replace("input `./", "input `");
        assert_eq!((code, said), (Some(2), expected), "{arguments:?}");
    }
    let after: Vec<_> = ["m.onnx", "w.plan", "q.plan.json"].map(|name| fs::read(at(name))).into();
    assert!(before.iter().zip(&after).all(|(a, b)| a.as_ref().unwrap() == b.as_ref().unwrap()));
}

#[test]
fn a_zoo_does_not_overwrite_external_data() {
    let dir = tempfile::tempdir().unwrap();
    let weights = dir.path().join("model.plan");
    fs::write(&weights, 1f32.to_le_bytes()).unwrap();
    let model = relu().external("w", &[1], &[("location", "model.plan")]);
    let model = model.node("Add", "y w", "z").output("z", "f32[2]").write(dir.path());
    fs::rename(&model, dir.path().join("one.onnx")).unwrap();
    fs::rename(&weights, dir.path().join("one.plan")).unwrap();
    symlink("one.plan", &weights).unwrap();
    let data = dir.path().join("test_data_set_0");
    fs::create_dir(&data).unwrap();
    for (name, values) in
        [("input_0.pb", [1f32, 2.0]), ("output_0.pb", [1.0, 2.0]), ("output_1.pb", [2.0, 3.0])]
    {
        fs::write(data.join(name), tensor(&[2], &values).encode_to_vec()).unwrap();
    }
    let zoo = ["zoo", ".", "--on", "cpu", "--no-cache", "-o", ".", "--report", "report"];
    ended(dir.path(), &zoo);
    let text = fs::read_to_string(dir.path().join("report/report.json")).unwrap();
    let report: Report = serde_json::from_str(&text).unwrap();
    let expected = "writing `./one.plan` would overwrite the input `./model.plan`";
    assert_eq!(report.models[0].reason.as_deref(), Some(expected));
    assert_eq!(fs::read(&weights).unwrap().len(), 4);
}

#[test]
fn plans_go_into_pipes_and_to_stdout_without_a_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let (model, pipe) = (relu().write(dir.path()), dir.path().join("pipe"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(
        onnx2plan()
            .args(["-q", "-o"])
            .args([&pipe.with_file_name("new/p"), &model])
            .status()
            .unwrap()
            .success()
    );
    let plan = fs::read(dir.path().join("new/p")).unwrap();
    assert!(dir.path().join("new/p.json").is_file());
    let stdout = onnx2plan().args(["-q", "-o", "-"]).arg(&model).output().unwrap();
    assert!(stdout.status.success() && stdout.stdout == plan);
    let mut child = onnx2plan().args(["-q", "-o"]).args([&pipe, &model]).spawn().unwrap();
    let mut read = Vec::new();
    fs::File::open(&pipe).unwrap().read_to_end(&mut read).unwrap();
    assert!(child.wait().unwrap().success() && read == plan);
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert!(!dir.path().join("pipe.json").exists());
    // A folder takes the plan; one in the place of the plan does not.
    let (code, said) = ended(dir.path(), &["model.onnx", "-o", "new"]);
    assert_eq!((code, &*said), (Some(0), ""));
    assert_eq!(fs::read(dir.path().join("new/model.plan")).unwrap(), plan);
    fs::remove_file(dir.path().join("new/model.plan.json")).unwrap();
    fs::create_dir(dir.path().join("new/model.plan.json")).unwrap();
    let (code, said) = ended(dir.path(), &["model.onnx", "-o", "new"]);
    let folder = "error: cannot write `new/model.plan.json`: it is a folder\n";
    assert_eq!((code, &*said), (Some(6), folder));
    let (code, said) = ended(dir.path(), &["model.onnx", "-o", "-", "--json"]);
    let both = "error: the plan and `--json` both want stdout\n\nhint: name a file with \
                `--output`\n";
    assert_eq!((code, &*said), (Some(2), both));
}
