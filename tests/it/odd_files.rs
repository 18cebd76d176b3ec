//! What lies around models, and what stands in the way of reports.

use crate::support::{Model, tensor};
use crate::tensorrt::onnx2plan;
use onnx2plan::report::zoo::{Report, Status};
use prost::Message;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A model that adds nothing, with its test data, in a folder.
fn relu(folder: &Path) {
    fs::create_dir_all(folder.join("test_data_set_0")).unwrap();
    let model = Model::new(17).input("x", "f32[2]").node("Relu", "x", "y");
    model.output("y", "f32[2]").write(folder);
    for name in ["input_0.pb", "output_0.pb"] {
        let data = tensor(&[2], &[1f32, 2.0]).encode_to_vec();
        fs::write(folder.join("test_data_set_0").join(name), data).unwrap();
    }
}

/// The exit code of a command in a folder, what it prints and what it says.
fn ended(folder: &Path, arguments: &[&OsStr]) -> (Option<i32>, String, String) {
    let output = onnx2plan().args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn garbage_in_test_data_is_no_fault_of_the_model() {
    let dir = tempfile::tempdir().unwrap();
    relu(dir.path());
    fs::write(dir.path().join("test_data_set_0/input_0.pb"), "junk").unwrap();
    let run = |arguments: &[&str]| {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        ended(dir.path(), &arguments)
    };
    let expected = "error: cannot read the test data `test_data_set_0/input_0.pb`\n  the file is \
                    not a tensor, or is damaged: ";
    for arguments in [&["-q", "model.onnx"][..], &["verify", "-q", "--on", "cpu", "model.onnx"]] {
        let (code, _, said) = run(arguments);
        assert!(code == Some(6) && said.starts_with(expected), "{arguments:?}: {said}");
    }
    let (code, _, said) = run(&["model.onnx", "--no-verify"]);
    let warning = "the sizes are guessed without data: cannot read the test data";
    assert!(code == Some(0) && said.contains(warning), "{said}");
}

#[test]
fn paths_need_not_be_unicode() {
    fn words<'w>(words: &[&'w str]) -> Vec<&'w OsStr> {
        words.iter().copied().map(OsStr::new).collect()
    }
    let dir = tempfile::tempdir().unwrap();
    let odd = OsStr::from_bytes(b"a\xff");
    relu(&dir.path().join(odd));
    let model = Path::new(odd).join("model.onnx");
    let zoo = words(&["zoo", ".", "--on", "cpu", "--no-cache", "--report", "report"]);
    let (code, _, said) = ended(dir.path(), &zoo);
    assert_eq!(code, Some(0), "{said}");
    for before in [&["--json"][..], &["inspect", "--json"], &["verify", "--on", "cpu", "--json"]] {
        let mut arguments = words(before);
        arguments.push(model.as_os_str());
        let (code, printed, said) = ended(dir.path(), &arguments);
        let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert!(code == Some(0) && json.is_object(), "{before:?}: {said}");
    }
    let (code, _, said) = ended(
        dir.path(),
        &[OsStr::new("--error-format"), OsStr::new("json"), OsStr::from_bytes(b"gone\xff.onnx")],
    );
    let error: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &error["kind"]), (Some(2), &"usage".into()));
}

#[test]
fn a_selection_of_nothing_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    relu(&dir.path().join("a"));
    let zoo = ["zoo", ".", "--on", "cpu", "--no-cache", "--include", "nope*"];
    let (code, _, said) = ended(dir.path(), &zoo.map(OsStr::new));
    let expected = "error: no model is left of those that were found\n\nhint: see `--include`, \
                    `--exclude` and `--tag`\n";
    assert_eq!((code, &*said), (Some(2), expected));
}

#[test]
fn a_page_that_cannot_be_written_costs_no_other_model() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        relu(&dir.path().join(name));
    }
    fs::create_dir_all(dir.path().join("report/models")).unwrap();
    fs::write(dir.path().join("report/models/b"), "in the way").unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    fs::write(dir.path().join("d/model.onnx"), "").unwrap();
    let zoo = ["zoo", ".", "-q", "--on", "cpu", "--no-cache", "--report", "report", "--github"];
    let (code, told, said) = ended(dir.path(), &zoo.map(OsStr::new));
    assert!(code == Some(6) && said.starts_with("error: cannot write `report/models/b/"), "{said}");
    assert!(said.contains("\n  1 of 4 models is not as expected: 1 invalid\n"), "{said}");
    // CI hears of the models all the same.
    assert!(told.starts_with("::error file=d/model.onnx,title=d%3A invalid"), "{told}");
    let text = fs::read_to_string(dir.path().join("report/report.json")).unwrap();
    let report: Report = serde_json::from_str(&text).unwrap();
    let statuses: Vec<Status> = report.models.iter().map(|model| model.status).collect();
    assert_eq!(statuses[..3], [Status::Evaluated; 3]);
    assert!(dir.path().join("report/models/c/report.json").is_file());
}
