//! Where TensorRT fails inside: the smallest part that fails, and the model that shows it.

use crate::support::Model;
use crate::tensorrt::{onnx_runtime, onnx2plan};
use onnx2plan::convert::failing::Failing;
use onnx2plan::import::Fitted;
use onnx2plan::network::cut::{cut, inside, steps};
use onnx2plan::network::{Caps, Cut, Network};
use onnx2plan::shrink::{Tried, smallest};
use onnx2plan::tensor::{DType, Tensor};
use onnx2plan::{eval, mend, pipeline, valid};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// A network as TensorRT would get it.
fn network(model: &Model) -> Network {
    let caps = Caps::modern();
    let fitted = Fitted::standard(caps);
    pipeline::prepare(&model.read().unwrap(), &fitted, caps).unwrap().network.into_inner()
}

/// A chain of functions of one value, with a branch in it.
fn chain() -> Model {
    let branch =
        |op: &str| Model::new(17).node(op, "sin", "b").node("Exp", "b", "r").output("r", "");
    Model::new(17)
        .input("x", "f32[N, 4]")
        .input("c", "bool[]")
        .weights("w", &[4, 4])
        .init("keep", &[2], &[0i64, -1])
        .node("Relu", "x", "relu")
        .node("MatMul", "relu w", "product")
        .node("Sin", "product", "sin")
        .node("If", "c", "choice")
        .attr("then_branch", branch("Neg"))
        .attr("else_branch", branch("Abs"))
        .node("Tanh", "choice", "tanh")
        .node("Reshape", "tanh keep", "flat")
        .node("Sigmoid", "flat", "y")
        .output("y", "")
}

/// The operators of the nodes behind a part's layers, constants left out.
fn ops(part: &Cut) -> Vec<String> {
    let network = &part.network;
    let layers = network.live_layers().into_iter().map(|id| network.layer(id));
    let layers = layers.filter(|layer| layer.kind.name() != "Constant");
    layers.map(|layer| layer.sites[0].place().op.clone()).collect()
}

/// What is found where a part fails that has layers of all these operators.
fn found(model: &Model, culprits: &[&str]) -> (Vec<String>, usize) {
    let network = network(model);
    let mut seen = BTreeSet::new();
    let found = smallest(&network, &mut |part| {
        valid::check(part.network.clone()).unwrap();
        let ops = ops(part);
        let new = seen.insert((part.layers.clone(), part.inside.clone()));
        assert!(new, "tried twice: {ops:?}");
        let has = |op: &&str| ops.iter().any(|other| other == op);
        if culprits.iter().all(has) { Tried::Same } else { Tried::Other }
    });
    let found = found.unwrap();
    assert!(found.complete);
    (ops(&found.part), found.tried)
}

#[test]
fn the_smallest_part_has_the_culprits_and_no_more() {
    for culprits in [
        &["MatMul"][..],
        &["Relu", "Sigmoid"],
        &["MatMul", "Sin"],
        &["If"],
        &["If", "Tanh"],
        &["Relu", "If", "Sigmoid"],
    ] {
        assert_eq!(found(&chain(), culprits).0, culprits);
    }
    // What leads from a culprit out of its branch stays.
    assert_eq!(found(&chain(), &["If", "Neg"]).0, ["If", "Neg", "Exp"]);
    assert_eq!(found(&chain(), &["If", "Exp"]).0, ["If", "Exp"]);
}

#[test]
fn few_parts_are_tried() {
    let mut model = Model::new(17).input("x", "f32[2]");
    let name = |at: usize| if at == 0 { "x".to_owned() } else { format!("t{at}") };
    for at in 0..256 {
        let op = if at == 200 { "Sin" } else { "Neg" };
        // No two in a row are alike, or they would cancel out.
        let op = if at % 2 == 0 { op } else { "Exp" };
        model = model.node(op, &name(at), &name(at + 1));
    }
    let (ops, tried) = found(&model.output("t256", ""), &["Sin"]);
    assert_eq!(ops, ["Sin"]);
    assert!(tried < 24, "{tried} parts of 256 layers");
}

#[test]
fn what_is_found_when_time_is_over_was_tried() {
    let network = network(&chain());
    let mut left = 2;
    let found = smallest(&network, &mut |_| {
        left -= 1;
        if left == 0 { Tried::Stopped } else { Tried::Same }
    });
    let found = found.unwrap();
    assert_eq!((found.tried, found.complete), (1, false));
    assert!(found.part.layers.len() < steps(&network).len());
    // Where no part is known to do what the whole does, the whole is what is left.
    for (tried, complete) in [(Tried::Other, true), (Tried::Stopped, false)] {
        let found = smallest(&network, &mut |_| tried).unwrap();
        assert_eq!(found.part.layers, steps(&network).into_iter().collect());
        assert_eq!(found.complete, complete);
    }
}

#[test]
fn nothing_is_named_where_nothing_was_found() {
    let said = |model: &Model, tried: Tried| {
        let smallest = smallest(&network(model), &mut |_| tried).unwrap();
        let took = Duration::from_millis(1_500);
        let (nodes, said) = (Vec::new(), String::new());
        Failing { smallest, nodes, said, of: 7, took, level: None }.lines()
    };
    assert_eq!(
        said(&chain(), Tried::Stopped),
        ["the time was up before a part was built, after 1.5 s: a conversion with `--locate \
          SECONDS` looks for longer"]
    );
    // One layer has no parts: it is what was found, although nothing was built.
    let one = Model::new(17).input("x", "f32[2]").node("Sin", "x", "y").output("y", "");
    assert_eq!(
        said(&one, Tried::Other),
        ["TensorRT fails at 1 of 7 layers alone; 0 parts built in 1.5 s:"]
    );
}

#[test]
fn a_part_has_the_ends_that_its_layers_need() {
    let network = network(&chain());
    let of = |op: &str| {
        let is = |id: &_| network.layer(*id).sites[0].place().op == op;
        steps(&network).into_iter().filter(is).collect::<BTreeSet<_>>()
    };
    let none = BTreeSet::new();
    let ends = |part: &Cut| {
        let network = &part.network;
        let inputs = network.inputs.iter().map(|&input| network.value(input));
        let inputs =
            inputs.map(|value| format!("{}: {}{}", value.name, value.ty.dtype, value.ty.shape));
        let outputs = network.outputs.iter().map(|output| output.name.to_string());
        (inputs.collect::<Vec<_>>(), outputs.collect::<Vec<_>>())
    };
    let part = cut(&network, &of("MatMul"), &none).unwrap();
    assert_eq!(ends(&part), (vec!["relu: f32[N, 4]".into()], vec!["product".into()]));
    let choice = of("If");
    let part = cut(&network, &choice, &none).unwrap();
    assert_eq!(
        ends(&part),
        (vec!["c: bool[]".into(), "sin: f32[N, 4]".into()], vec!["choice".into()])
    );
    // What is left out inside of a branch enters from outside.
    let first = inside(&network, &choice).into_iter().take(1).collect();
    let part = cut(&network, &choice, &first).unwrap();
    assert_eq!(
        ends(&part).0,
        ["c: bool[]".to_owned(), "sin: f32[N, 4]".to_owned(), "b: f32[N, 4]".to_owned()]
    );
    valid::check(part.network).unwrap();
    assert!(cut(&network, &none, &none).is_none());
}

/// Two loops in a row, the second of which takes what the first gives in every iteration, between
/// layers that do no harm. TensorRT-RTX 1.7 fails at them: `No nesting relationship.`
pub(crate) fn loops_in_a_row() -> Model {
    let body = |outer: &str| {
        Model::new(17)
            .input("i", "i64[]")
            .input("go", "bool[]")
            .input("s", "f32")
            .node("Identity", "go", "on")
            .node("Add", &format!("s {outer}"), "t")
            .output("on", "bool[]")
            .output("t", "f32")
    };
    Model::new(17)
        .input("x", "f32[2, 3]")
        .init("count", &[], &[40i64])
        .init("true", &[], &[1u8])
        .node("Cast", "true", "go_on")
        .attr("to", 9)
        .weights("w", &[3, 3])
        .node("MatMul", "x w", "product")
        .node("Sin", "product", "sin")
        .node("Loop", "count go_on sin", "once")
        .attr("body", body("sin"))
        .node("Loop", "count go_on once", "again")
        .attr("body", body("once"))
        .node("Tanh", "again", "tanh")
        .node("Softmax", "tanh", "y")
        .output("y", "")
}

/// Runs the program on a model that does not build; gives what it says, without times.
fn fails(model: &Path, options: &[&str]) -> String {
    let mut command = onnx2plan();
    command.arg(model).args(["--no-verify", "--no-mend"]).args(options);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{said}");
    said
}

/// What the program says from a line on.
fn from<'s>(said: &'s str, words: &str) -> &'s str {
    said.find(words).map_or_else(|| panic!("{words}: {said}"), |at| &said[at..])
}

#[test]
fn nodes_at_which_tensorrt_fails_are_named_and_written_as_a_model() {
    let dir = tempfile::tempdir().unwrap();
    let model = loops_in_a_row().write(dir.path());
    let said = fails(&model, &["--quiet"]);
    let said = from(&said, "TensorRT fails at");
    let (first, rest) = said.split_once('\n').unwrap();
    assert!(first.starts_with("TensorRT fails at 3 of 10 layers alone; "), "{first}");
    assert_eq!(
        rest,
        "    `Loop_once` (Loop, opset 17)\n    `Loop_again` (Loop, opset 17)\n    `Add_t` (Add, \
         opset 17)\n\nhint: a condition that is fixed with `--freeze` needs no branches; \
         `--reproducer FOLDER` writes these nodes as a model, to report them to NVIDIA\n"
    );

    let folder = dir.path().join("bad");
    let said = fails(&model, &["--quiet", "--reproducer", folder.to_str().unwrap()]);
    let written = format!("  written as a model: {}\n", folder.display());
    assert!(said.contains(&written), "{said}");
    let text = fs::read_to_string(folder.join("README.md")).unwrap();
    for words in [
        "- `Loop_once` (Loop)\n- `Loop_again` (Loop)\n\n",
        "No nesting relationship",
        "--onnx=model.onnx",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // It fails in the same way, and holds nothing else.
    let said = fails(&folder.join("model.onnx"), &["--quiet", "--locate", "0"]);
    assert!(said.contains("cannot build the plan: No nesting relationship."), "{said}");
    assert!(!said.contains("TensorRT fails at"), "{said}");
    let part = onnx2plan::onnx::load(&folder.join("model.onnx")).unwrap();
    let nodes = part.graph.nodes.iter().map(|node| node.site.place().name.clone());
    assert_eq!(nodes.collect::<Vec<_>>(), ["Cast_go_on", "Loop_once", "Loop_again"]);
}

#[test]
fn names_in_what_is_written_to_be_read_are_plain() {
    let dir = tempfile::tempdir().unwrap();
    let model = loops_in_a_row().write(dir.path());
    let text = fs::read(&model).unwrap();
    let (mut odd, mut rest) = (Vec::new(), &text[..]);
    while let Some((first, after)) = rest.split_first() {
        let at_name = rest.starts_with(b"once");
        odd.extend(if at_name { &b"o\x1bce"[..] } else { std::slice::from_ref(first) });
        rest = if at_name { &rest[4..] } else { after };
    }
    fs::write(&model, odd).unwrap();
    let folder = dir.path().join("bad");
    fails(&model, &["--quiet", "--reproducer", folder.to_str().unwrap()]);
    let text = fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(!text.contains('\x1b'), "{text}");
    assert!(text.contains("- `Loop_o\\u{1b}ce` (Loop)\n"), "{text}");
}

#[test]
fn a_reproducer_replaces_no_model() {
    let dir = tempfile::tempdir().unwrap();
    let model = loops_in_a_row().write(dir.path());
    let before = fs::read(&model).unwrap();
    let mut command = onnx2plan();
    command.arg(&model).args(["--no-verify", "-o", "y.plan", "--reproducer"]).arg(dir.path());
    let output = command.current_dir(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read(&model).unwrap(), before);
}

/// A loop that takes slices, from either end, and collects what it computes, from either end.
fn scan() -> Model {
    let body = Model::new(17)
        .input("state", "f32[3]")
        .input("a", "f32[3]")
        .input("b", "f32[3]")
        .node("Mul", "a b", "product")
        .node("Add", "state product", "next")
        .node("Sin", "next", "first")
        .node("Neg", "next", "last")
        .output("next", "f32[3]")
        .output("first", "f32[3]")
        .output("last", "f32[3]");
    Model::new(17)
        .input("start", "f32[3]")
        .input("a", "f32[4, 3]")
        .input("b", "f32[4, 3]")
        .node("Scan", "start a b", "end first last")
        .attr("body", body)
        .attr("num_scan_inputs", 2)
        .attr("scan_input_directions", [0, 1])
        .attr("scan_output_directions", [0, 1])
        .output("end", "")
        .output("first", "")
        .output("last", "")
}

/// Inputs without special values, the truth among them.
fn inputs(network: &Network, truth: bool) -> Vec<Tensor> {
    let one = |&input: &_| {
        let ty = &network.value(input).ty;
        let dims: Vec<usize> = ty.shape.iter().map(|dim| dim.size().unwrap_or(2)).collect();
        if ty.dtype == DType::Bool {
            return Tensor::of_bytes(DType::Bool, vec![], vec![u8::from(truth)]).unwrap();
        }
        let count: usize = dims.iter().product();
        let values: Vec<f32> = (0..count).map(|at| at as f32 / 8.0 - 0.6).collect();
        Tensor::vector(&values).reshaped(dims).unwrap()
    };
    network.inputs.iter().map(one).collect()
}

#[test]
fn mends_keep_the_numbers() {
    // Which of them find something to change: two forms of barriers, and those of a conditional
    // and of a loop.
    for (name, model, changing) in [
        ("chain", chain(), ["copies", "maxima", "selected"]),
        ("scan", scan(), ["copies", "maxima", "unrolled"]),
        ("loops", loops_in_a_row(), ["copies", "maxima", "unrolled"]),
    ] {
        let network = network(&model);
        let layers = network.live_layers().into_iter().collect();
        let mut changed = Vec::new();
        for mend in mend::ALL {
            let Some(mended) = mend.apply(&network, &layers).unwrap() else { continue };
            let mended = valid::check(mended).unwrap();
            for truth in [true, false] {
                let before = valid::check(network.clone()).unwrap();
                let before = eval::run(&before, &inputs(&network, truth)).unwrap();
                let after = eval::run(&mended, &inputs(&mended, truth)).unwrap();
                assert_eq!(before, after, "{name}: {}", mend.name);
            }
            let kinds = mended.live_layers().into_iter().map(|id| mended.layer(id).kind.name());
            let gone = match mend.name {
                "selected" => "Conditional",
                "unrolled" => "Loop",
                _ => "",
            };
            assert!(!kinds.into_iter().any(|kind| kind == gone), "{name}: {}", mend.name);
            changed.push(mend.name);
        }
        assert_eq!(changed, changing, "{name}");
    }
}

#[test]
fn mends_change_nothing_elsewhere() {
    let network = network(&chain());
    for mend in mend::ALL {
        assert!(mend.apply(&network, &BTreeSet::new()).unwrap().is_none(), "{}", mend.name);
    }
}

#[test]
fn what_does_not_build_is_mended_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let model = loops_in_a_row().write(dir.path());
    let mut command = onnx2plan();
    let output = command.arg(&model).args(["--no-verify", "--json"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let line = "mended (copies): copies the data between these layers: Loop_once, Loop_again, \
                Add_t. TensorRT failed: No nesting relationship. It costs nothing, or a pass over \
                the data";
    assert!(said.contains(line), "{said}");
    let mends = json!([{
        "name": "copies",
        "nodes": ["Loop_once", "Loop_again", "Add_t"],
        "does": "copies the data between these layers",
        "reason": "No nesting relationship.",
        "costs": "nothing, or a pass over the data",
    }]);
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed["mends"], mends);
    let manifest = fs::read(model.with_extension("plan.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["mends"], mends);
    assert!(manifest["notes"].as_array().unwrap().contains(&json!(line)));
}

#[test]
fn zoos_mend_as_well() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("loops")).unwrap();
    loops_in_a_row().write(&dir.path().join("loops"));
    let report = dir.path().join("report");
    let mut command = onnx2plan();
    command.env("ORT_DYLIB_PATH", onnx_runtime()).arg("zoo").arg(dir.path());
    command.args(["--on", "cpu", "--no-cache", "--report"]).arg(&report);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(report.join("report.json")).unwrap();
    assert!(text.contains("\"evaluated\""), "{text}");
    let page = fs::read_to_string(report.join("models/loops/report.md")).unwrap();
    assert!(page.contains("mended (copies)"), "{page}");
}
