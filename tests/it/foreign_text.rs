//! Names that hold escape sequences, line breaks and commands, wherever they are shown.

use crate::support::{Model, tensor};
use crate::tensorrt::onnx2plan;
use prost::Message;
use std::fs;
use std::path::Path;

/// Moves the cursor, sets a title, turns the direction of writing, and forges an annotation.
const ODD: &str = "\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}1A\r\n::error::forged\n##[error]forged##vso[task.complete]\u{202e}\u{fffe}\u{feff}";

fn is_shown_plainly(what: &str, text: &str) {
    for line in text.lines() {
        assert!(!line.trim_start().starts_with("::"), "{what}: {line:?} is a command");
        for command in ["##[", "##vso["] {
            assert!(!line.contains(command), "{what}: {line:?} holds a command");
        }
    }
    let odd = |each: &char| {
        (each.is_control() && *each != '\n') || ['\u{202e}', '\u{feff}', '\u{fffe}'].contains(each)
    };
    assert_eq!(text.chars().find(odd), None, "{what}: {text:?}");
}

/// A model whose names are all odd, and data for it.
fn odd(folder: &Path, op: &str) {
    fs::create_dir_all(folder.join("test_data_set_0")).unwrap();
    let name = |at: usize| format!("{ODD}{at}");
    let model = Model::new(17).input("x", &format!("f32[{}]", "2")).node(op, "x", "y");
    let model = model.output("y", "f32[2]").write(folder);
    // Written over, for names have no spaces there.
    let bytes = fs::read(&model).unwrap();
    let mut proto = crate::support::pb::ModelProto::decode(&bytes[..]).unwrap();
    let graph = proto.graph.as_mut().unwrap();
    graph.name = Some(name(0));
    graph.node[0].name = Some(name(1));
    graph.node[0].input = vec![name(2)];
    graph.node[0].output = vec![name(3)];
    graph.input[0].name = Some(name(2));
    graph.output[0].name = Some(name(3));
    proto.producer_name = Some(name(4));
    fs::write(&model, proto.encode_to_vec()).unwrap();
    for (file, value) in [("input_0.pb", 1f32), ("output_0.pb", 7.0)] {
        fs::write(
            folder.join("test_data_set_0").join(file),
            tensor(&[2], &[value, value]).encode_to_vec(),
        )
        .unwrap();
    }
}

#[test]
fn odd_names_are_written_out_wherever_they_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good \u{1b}[2J\n::error::folder\u{ffff}");
    let bad = dir.path().join("bad");
    odd(&good, "Relu");
    odd(&bad, "ODD\u{1b}[2J");
    let (good, bad) = (good.join("model.onnx"), bad.join("model.onnx"));
    let cases: [&[&str]; 7] = [
        &[],
        &["inspect"],
        &["inspect", "--json"],
        &["inspect", "--layers"],
        &["verify", "--on", "cpu", "--by-layer"],
        &["verify", "--on", "cpu", "--json"],
        &["verify", "--on", "cpu", "--error-format", "json"],
    ];
    for model in [&good, &bad] {
        for case in cases {
            let output =
                onnx2plan().args(case).arg(model).current_dir(dir.path()).output().unwrap();
            for (text, to) in [(output.stdout, "stdout"), (output.stderr, "stderr")] {
                let text = String::from_utf8(text).unwrap();
                is_shown_plainly(&format!("{case:?} {to}"), &text);
            }
        }
    }
    let zoo = ["zoo", ".", "--on", "cpu", "--no-cache", "--report", "report", "--github"];
    let output = onnx2plan().args(zoo).current_dir(dir.path()).output().unwrap();
    is_shown_plainly("zoo", &String::from_utf8(output.stderr).unwrap());
    let annotations = String::from_utf8(output.stdout).unwrap();
    assert!(annotations.lines().count() == 2, "{annotations}");
    assert!(annotations.lines().all(|line| line.starts_with("::error file=")), "{annotations}");
    for view in ["junit.xml", "report.md", "report.html"] {
        let text = fs::read_to_string(dir.path().join("report").join(view)).unwrap();
        assert!(text.contains("folder"), "{view} has both models");
        is_shown_plainly(view, &text);
    }
}

#[test]
fn names_are_cut_where_they_are_shown_and_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let long = "n".repeat(100_000);
    let model = Model::new(17).input("x", "f32[2]").node("Relu", "x", &long);
    let model = model.output(&long, "f32[2]").write(dir.path());
    let shown = onnx2plan().arg("inspect").arg(&model).output().unwrap();
    assert!(shown.status.success() && shown.stdout.len() < 2000);
    let json = onnx2plan().args(["inspect", "--json"]).arg(&model).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["outputs"][0]["name"], long);
}

/// What is too wide for a column of a table, or of a message.
#[test]
fn texts_of_any_length_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let long = "n".repeat(70_000);
    let names = Model::new(17).input(&long, "f32[2, 3]").input("y", "f32[4, 5]");
    let names = names.node("MatMul", &format!("{long} y"), "z").output("z", "f32[2, 5]");
    let rank = Model::new(17).input("x", "f32[1]").init("w", &vec![1; 1_000_000], &[0f32]);
    let rank = rank.node("Add", "x w", "z").output("z", "f32[1]");
    for (model, expected) in [
        (names, "error: cannot import `MatMul_z` (MatMul, opset 17): axes of size 3 and 4 must"),
        (rank, "error: cannot import `Add_z` (Add, opset 17): the rank of the output is 1000000"),
    ] {
        let output = onnx2plan().arg("-q").arg(model.write(dir.path())).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(3) && said.len() < 1500, "{said}");
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn a_plan_is_not_lost_for_want_of_somebody_who_reads() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::new(17).input("x", "f32[2]").node("Relu", "x", "y");
    let model = model.output("y", "f32[2]").write(dir.path());
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let status = onnx2plan().arg("--verbose").arg(&model).stderr(full()).status().unwrap();
    assert!(status.success() && dir.path().join("model.plan.json").is_file());
    let wrong = onnx2plan().arg(dir.path().join("gone")).stderr(full()).status().unwrap();
    assert_eq!(wrong.code(), Some(2));
}
