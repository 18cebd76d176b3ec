//! What small files may ask for, and how much memory they get.

use crate::support::{Model, pb, tensor};
use crate::tensorrt::{onnx2plan, without_tensorrt};
use prost::Message;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Test data for a model with one input and one output.
fn data(folder: &Path) {
    let data = folder.join("test_data_set_0");
    fs::create_dir(&data).unwrap();
    for name in ["input_0.pb", "output_0.pb"] {
        fs::write(data.join(name), tensor(&[1, 1], &[1f32]).encode_to_vec()).unwrap();
    }
}

/// Runs a command that has 3 GiB of addresses, far less than what is asked for here.
fn limited(command: &Command, arguments: &[&str], model: &Path) -> (Option<i32>, String) {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v 3145728 && exec \"$0\" \"$@\""]).arg(command.get_program());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let Output { status, stderr, .. } =
        shell.args(arguments).arg("--quiet").arg(model).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// A model that expands its input and takes the exponential as often as this.
fn expanded(folder: &Path, to: &[i64], times: usize) -> PathBuf {
    let shape = tensor(&[i64::try_from(to.len()).unwrap()], to);
    let mut model = Model::new(17).input("x", "f32[1, 1]").node("Constant", "", "s");
    model = model.attr("value", shape).node("Expand", "x s", "y0");
    for at in 0..times {
        model = model.node("Exp", &format!("y{at}"), &format!("y{}", at + 1));
    }
    let model = model.node("ReduceMax", &format!("y{times}"), "z").output("z", "f32[1, 1]");
    model.write(folder)
}

#[test]
fn a_value_that_the_budget_has_no_room_for_is_an_error_with_its_node() {
    let dir = tempfile::tempdir().unwrap();
    data(dir.path());
    let model = expanded(dir.path(), &[40_000, 40_000], 2);
    let arguments = ["verify", "--on", "cpu", "--memory", "1000"];
    let (code, said) = limited(&without_tensorrt(), &arguments, &model);
    let expected = "error: cannot evaluate `Expand_y0` (Expand, opset 17): a value of shape [40000, \
                    40000] takes up to 12800000000 bytes, but of the 1048576000 bytes that data \
                    may take, 10485";
    assert!(code == Some(6) && said.starts_with(expected), "{code:?}: {said}");
    assert!(said.contains("hint: give more with `--memory`"), "{said}");
}

/// 64 values of 4 MB each, of which two live at a time.
#[test]
fn values_count_until_their_last_use() {
    let dir = tempfile::tempdir().unwrap();
    data(dir.path());
    let model = expanded(dir.path(), &[1000, 1000], 64);
    let verify = |mib: &str| {
        let arguments = ["verify", "--on", "cpu", "--memory", mib];
        limited(&without_tensorrt(), &arguments, &model).0
    };
    // It ends with a verdict; what the data say of the numbers does not matter here.
    assert_eq!((verify("24"), verify("8")), (Some(1), Some(6)));
}

/// Each function calls the one before twice, with names that each level makes longer.
#[test]
fn names_that_functions_make_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::new(17).input("x", "f32[1]").node("Relu", "x", "y").output("y", "f32[1]");
    let mut proto = pb::ModelProto::decode(&model.bytes()[..]).unwrap();
    let text = |text: &str| Some(text.to_owned());
    let opset = |domain: &str| pb::OperatorSetIdProto { domain: text(domain), version: Some(17) };
    let long = "x".repeat(2500);
    let call = |level: usize, from: &str, to: &str| pb::NodeProto {
        name: text(&long),
        op_type: text(&if level == 0 { "Relu".to_owned() } else { format!("F{level}") }),
        domain: text(if level == 0 { "" } else { "local" }),
        input: vec![from.to_owned()],
        output: vec![to.to_owned()],
        ..Default::default()
    };
    proto.functions = (0..14)
        .map(|level| pb::FunctionProto {
            name: Some(format!("F{}", level + 1)),
            domain: text("local"),
            input: vec!["a".to_owned()],
            output: vec!["b".to_owned()],
            node: vec![call(level, "a", &long), call(level, &long, "b")],
            opset_import: vec![opset(""), opset("local")],
            ..Default::default()
        })
        .collect();
    proto.opset_import.push(opset("local"));
    proto.graph.as_mut().unwrap().node = vec![call(14, "x", "y")];
    let path = dir.path().join("model.onnx");
    fs::write(&path, proto.encode_to_vec()).unwrap();
    let (code, said) = limited(&onnx2plan(), &["inspect", "--memory", "1000"], &path);
    assert!(code == Some(4) && said.contains("inlining functions makes more than "), "{said}");
}

/// An empty node takes two bytes of a file.
#[test]
fn many_problems_are_counted_and_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::new(17).input("x", "f32[1]").node("Relu", "x", "y").output("y", "f32[1]");
    // A second graph is merged into the first.
    let with = |count: usize| {
        let mut bytes = model.bytes();
        bytes.push(0x3a);
        prost::encoding::encode_varint(2 * count as u64, &mut bytes);
        bytes.extend([0x0a, 0].repeat(count));
        let path = dir.path().join("model.onnx");
        fs::write(&path, bytes).unwrap();
        path
    };
    let (code, said) = limited(&onnx2plan(), &["inspect"], &with(3_000_000));
    assert!(code == Some(3) && said.contains("the decoded messages would take more"), "{said}");
    let (code, said) =
        limited(&onnx2plan(), &["inspect", "--error-format", "json"], &with(100_000));
    let error: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, error["problems"].as_array().unwrap().len()), (Some(3), 300));
    assert_eq!(error["more_problems"], 99_700);
}

#[test]
fn a_python_that_prints_for_ever_is_not_heard_to_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let python = dir.path().join("python3");
    let write = r#"printf '#!/bin/sh\nexec yes junk' > "$0" && chmod +x "$0""#;
    assert!(Command::new("sh").args(["-c", write]).arg(&python).status().unwrap().success());
    let model = expanded(dir.path(), &[1, 1], 1);
    let mut command = without_tensorrt();
    command.env("ONNX2PLAN_PYTHON", &python);
    let (code, said) = limited(&command, &[], &model);
    assert!(code == Some(6) && said.contains("downloading is switched off"), "{code:?}: {said}");
}
