//! Outputs never destroy what was read, nor what is no file.

use crate::support::Model;
use crate::tensorrt::onnx2plan;
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

/// A model `NAME.onnx` that adds weights from a file beside it to the input.
fn with_weights(folder: &Path, name: &str, weights: &str) {
    fs::create_dir_all(folder).unwrap();
    let model = relu().external("w", &[1], &[("location", weights)]);
    let model = model.node("Add", "y w", "z").output("z", "f32[2]").write(folder);
    fs::rename(model, folder.join(format!("{name}.onnx"))).unwrap();
    fs::write(folder.join(weights), 1f32.to_le_bytes()).unwrap();
}

/// The refusal of a command that would write an output in the place of an input.
fn refusal(output: &str, input: &str) -> (Option<i32>, String) {
    let said = format!(
        "error: writing `{output}` would overwrite the input `{input}`\n\nhint: name another place \
         for what is written\n"
    );
    (Some(2), said)
}

#[test]
fn no_plan_is_written_over_what_another_model_reads() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    fs::rename(relu().write(folder), folder.join("a.onnx")).unwrap();
    with_weights(folder, "b", "a.plan");
    let found = ended(folder, &["a.onnx", "b.onnx"]);
    assert_eq!(found, refusal("a.plan", "a.plan"));
    let zoo = ["zoo", "a.onnx", "b.onnx", "--on", "cpu", "--no-cache", "--no-verify"];
    let found = ended(folder, &[&zoo[..], &["-o", "."]].concat());
    assert_eq!(found, refusal("./a.plan", "a.plan"));
    // A page, and a model that is read as the entry of a listing.
    with_weights(&folder.join("models/a"), "x", "report.json");
    fs::copy(folder.join("a.onnx"), folder.join("c.plan")).unwrap();
    let listing = "[[model]]\npath = \"models/a/x.onnx\"\nname = \"a\"\n\
                   [[model]]\npath = \"c.plan\"\nname = \"d\"\n\
                   [[model]]\npath = \"a.onnx\"\nname = \"c\"\n";
    fs::write(folder.join("zoo.toml"), listing).unwrap();
    let zoo = ["zoo", "zoo.toml", "--on", "cpu", "--no-cache", "--no-verify"];
    let found = ended(folder, &[&zoo[..], &["--report", "."]].concat());
    assert_eq!(found, refusal("./models/a/report.json", "models/a/report.json"));
    let found = ended(folder, &[&zoo[..], &["-o", "."]].concat());
    assert_eq!(found, refusal("./c.plan", "c.plan"));
    assert_eq!(fs::read(folder.join("a.plan")).unwrap(), 1f32.to_le_bytes());
    assert_eq!(fs::read(folder.join("models/a/report.json")).unwrap(), 1f32.to_le_bytes());
}

#[test]
fn a_zoo_does_not_overwrite_external_data() {
    let dir = tempfile::tempdir().unwrap();
    with_weights(dir.path(), "one", "model.plan");
    let weights = dir.path().join("model.plan");
    fs::rename(&weights, dir.path().join("one.plan")).unwrap();
    symlink("one.plan", &weights).unwrap();
    let zoo = ["zoo", ".", "--on", "cpu", "--no-cache", "-o", "."];
    assert_eq!(ended(dir.path(), &zoo), refusal("./one.plan", "./model.plan"));
    assert_eq!(fs::read(&weights).unwrap().len(), 4);
}

#[test]
fn merging_does_not_overwrite_a_part() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "u"] {
        fs::rename(relu().write(dir.path()), dir.path().join(format!("{name}.onnx"))).unwrap();
    }
    for (model, report) in [("a.onnx", "all/models/u"), ("u.onnx", "other")] {
        let zoo = ["zoo", model, "--on", "cpu", "--no-cache", "--no-verify", "--report", report];
        assert_eq!(ended(dir.path(), &zoo), (Some(0), String::new()));
    }
    let merge = |to| ended(dir.path(), &["report", "merge", "all/models/u", "other", "-o", to]);
    let before = fs::read(dir.path().join("all/models/u/report.json")).unwrap();
    let (output, input) = ("all/models/u/report.json", "all/models/u/report.json");
    assert_eq!(merge("all"), refusal(output, input));
    assert_eq!(merge("other"), refusal("other/report.json", "other/report.json"));
    // The page of a part.
    let found = merge("other/models/u");
    assert_eq!(found, refusal("other/models/u/report.json", "other/models/u/report.json"));
    assert_eq!(fs::read(dir.path().join("all/models/u/report.json")).unwrap(), before);
    assert_eq!(merge("new"), (Some(0), String::new()));
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
