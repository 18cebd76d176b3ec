//! From messages to graphs.

use super::fixture::{
    floats, function, graph, int, model, node, problems, read, reference, subgraph, value,
};
use super::{Attr, DimSpec, Graph, ValueType, decode, load, pb, read_tensor};
use crate::error::Kind;
use bytes::Buf;
use prost::Message;
use std::path::Path;

/// One line for each node: operator, inputs, outputs, path of its graph.
fn lines(graph: &Graph) -> Vec<String> {
    let line = |node: &super::Node| {
        format!(
            "{} {} -> {} in {}",
            node.op,
            node.inputs.join(" "),
            node.outputs.join(" "),
            node.site.place().graph
        )
    };
    graph.nodes.iter().map(line).collect()
}

#[test]
fn nodes_are_sorted_and_otherwise_stay_in_order() {
    let relu = |from: &str, to: &str| node("", "Relu", from, to, vec![]);
    let nodes = vec![relu("b", "c"), relu("x", "a"), relu("x", "d"), relu("a", "b")];
    let model = read(&model(graph("x", "c d", nodes))).unwrap();
    let outputs: Vec<_> = model.graph.nodes.iter().map(|node| &*node.outputs[0]).collect();
    assert_eq!(outputs, ["a", "d", "b", "c"]);
    assert_eq!(model.graph.nodes[3].site.place().index, Some(0), "sites keep the file's order");
}

#[test]
fn what_a_subgraph_captures_its_node_waits_for() {
    let inner = |name: &str| {
        let deep = graph("", "q", vec![node("", "Add", "late i", "q", vec![])]);
        let nodes = vec![
            node("", "If", "cond", "p", vec![subgraph("then_branch", deep)]),
            node("", "Relu", "early", "i", vec![]),
            node("", "Add", "p i", "r", vec![]),
        ];
        subgraph(name, graph("", "r", nodes))
    };
    let nodes = vec![
        node("pick", "If", "cond", "y", vec![inner("then_branch"), inner("else_branch")]),
        node("", "Relu", "x", "late", vec![]),
    ];
    let model = read(&model(graph("x cond early", "y", nodes))).unwrap();
    assert_eq!(lines(&model.graph), ["Relu x -> late in main", "If cond -> y in main"]);
    let then = model.graph.nodes[1].attrs.graph("then_branch").unwrap().unwrap();
    assert_eq!(&*then.path, "main/pick.then_branch");
    assert_eq!(
        then.captures.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["cond", "late", "early"]
    );
    assert_eq!(then.nodes[1].site.to_string(), "node 0 -> \"p\" (If, opset 17)");
    let deep = then.nodes[1].attrs.graph("then_branch").unwrap().unwrap();
    assert_eq!(&*deep.path, "main/pick.then_branch/If_0.then_branch");
    assert!(model.graph.captures.is_empty());
}

#[test]
fn every_broken_name_is_reported() {
    let branch = graph("", "q", vec![node("deep", "Add", "nowhere x", "q", vec![])]);
    let nodes = vec![
        node("first", "Relu", "x", "a", vec![]),
        node("again", "Relu", "x", "a x", vec![]),
        node("if", "If", "a", "b", vec![subgraph("then_branch", branch)]),
        node("loop1", "Add", "b loop2_out", "loop1_out", vec![]),
        node("loop2", "Relu", "loop1_out", "loop2_out", vec![]),
        node("self", "Relu", "s", "s", vec![]),
        node("", "", "x", "n", vec![]),
        node("mine", "com.mine.Op", "x", "m", vec![int("k", 1), int("k", 2)]),
    ];
    assert_eq!(
        problems(read(&model(graph("x x", "a gone", nodes)))),
        [
            "node 6 -> \"n\" (, opset 17): has no operator",
            "`mine` (com.mine.Op, opset 0): the model does not import the operator set `com.mine`",
            "`mine` (com.mine.Op, opset 0): has the attribute `k` twice",
            "`x` (input): is defined twice",
            "`again` (Relu, opset 17): output `a` is already defined by `first` (Relu, opset 17)",
            "`again` (Relu, opset 17): output `x` is already defined by the graph's input",
            "`loop1` (Add, opset 17): needs its own output: `loop1` <- `loop2` <- `loop1`",
            "`self` (Relu, opset 17): needs its own output: `self` <- `self`",
            "`gone` (output): no node, input or initializer defines it",
            "`deep` (Add, opset 17): reads `nowhere`, which no node, input or initializer defines",
        ]
    );
}

#[test]
fn onnx_runtimes_own_operators_need_no_import() {
    let nodes = vec![node("g", "com.microsoft.Gelu", "x", "y", vec![])];
    let model = read(&model(graph("x", "y", nodes))).unwrap();
    assert_eq!(model.graph.nodes[0].opset, 1);
}

#[test]
fn one_problem_reads_as_a_sentence_with_its_place() {
    let broken = model(graph("x", "y", vec![node("r", "Relu", "z", "y", vec![])]));
    let error = read(&broken).unwrap_err().in_model(Path::new("m.onnx"));
    assert_eq!(
        error.to_string(),
        "cannot read `r` (Relu, opset 17): reads `z`, which no node, input or initializer \
         defines\n  \
         at m.onnx, graph `main`, node 0"
    );
    assert_eq!(error.kind(), Kind::Invalid);
}

#[test]
fn initializers_are_constants_also_where_they_are_inputs() {
    let mut main = graph("x w", "y", vec![node("", "Add", "x w - -", "y -", vec![])]);
    main.initializer.push(floats("w", &[2], &[1.0, 2.0]));
    let model = read(&model(main)).unwrap();
    assert_eq!(model.graph.inputs.len(), 1);
    assert_eq!(
        model.graph.initializers[0].tensor.tensor().unwrap().to_f32s().unwrap().as_ref(),
        [1.0, 2.0]
    );
    let node = &model.graph.nodes[0];
    assert_eq!(
        (node.inputs.len(), node.outputs.len()),
        (2, 1),
        "absent names at the end are dropped"
    );
    assert!(node.input(0).is_some() && node.input(2).is_none());
}

#[test]
fn stated_types_are_read() {
    use pb::tensor_shape_proto::dimension::Value::{DimParam, DimValue};
    use pb::type_proto as t;
    let dim = |value| pb::tensor_shape_proto::Dimension { value, denotation: None };
    let dims = |dims: Vec<pb::tensor_shape_proto::dimension::Value>| {
        Some(pb::TensorShapeProto { dim: dims.into_iter().map(|value| dim(Some(value))).collect() })
    };
    let typed = |element, shape| {
        let value = t::Value::TensorType(t::Tensor { elem_type: Some(element), shape });
        pb::TypeProto { value: Some(value), denotation: None }
    };
    let names = ["N", "", "?", "-1", "None"].map(|name| DimParam(name.into()));
    let shape = dims([vec![DimValue(3)], names.to_vec(), vec![DimValue(-1)]].concat());
    let sequence =
        t::Value::SequenceType(Box::new(t::Sequence { elem_type: Some(Box::new(typed(7, None))) }));
    let cases: [(pb::TypeProto, Result<&str, &str>); 5] = [
        (typed(1, shape), Ok("f32[3, N, ?, ?, ?, ?, ?]")),
        (typed(8, Some(pb::TensorShapeProto::default())), Ok("string[]")),
        (pb::TypeProto { value: Some(sequence), denotation: None }, Ok("seq(i64)")),
        (typed(99, None), Err("`x` (input): element type 99 is unknown")),
        (typed(1, dims(vec![DimValue(1), DimValue(-3)])), Err("`x` (input): dimension 1 is -3")),
    ];
    for (ty, expected) in cases {
        let mut main = graph("x", "x", vec![]);
        main.input[0].r#type = Some(ty);
        match (read(&model(main)), expected) {
            (Ok(model), Ok(text)) => assert_eq!(model.graph.inputs[0].ty.to_string(), text),
            (result, expected) => assert_eq!(problems(result), [expected.unwrap_err()]),
        }
    }
    let model = read(&model(graph("x", "x", vec![]))).unwrap();
    assert_eq!(model.graph.inputs[0].ty, ValueType::Unknown);
    assert_eq!(DimSpec::Symbol("N".into()).to_string(), "N");
}

#[test]
fn operator_sets_give_nodes_their_version() {
    let import = |domain: &str, version| pb::OperatorSetIdProto {
        domain: Some(domain.into()),
        version: Some(version),
    };
    let opset = |ir_version, opset_import| {
        let main = graph("x", "y", vec![node("", "ai.onnx.Relu", "x", "y", vec![])]);
        let proto = pb::ModelProto { ir_version: Some(ir_version), opset_import, ..model(main) };
        match read(&proto) {
            Ok(model) => (model.graph.nodes[0].opset, model.graph.nodes[0].domain.clone()),
            Err(error) => (0, error.message().to_owned()),
        }
    };
    assert_eq!(opset(8, vec![import("", 13)]), (13, String::new()));
    assert_eq!(opset(8, vec![import("ai.onnx", 999), import("x", 1)]), (999, String::new()));
    assert_eq!(opset(2, vec![]), (1, String::new()));
    assert_eq!(opset(3, vec![]), (0, "the model imports no operator set".into()));
    assert_eq!(
        opset(8, vec![import("", 0)]),
        (0, "operator set `ai.onnx` is imported as version 0".into())
    );
    let contradiction = "operator set `ai.onnx` is imported as version 13 and as version 17";
    assert_eq!(opset(8, vec![import("", 13), import("ai.onnx", 17)]), (0, contradiction.into()));
}

#[test]
fn attributes_come_in_every_type() {
    let kinds = [
        (1, "Float(0.0)"),
        (2, "Int(0)"),
        (3, "String(b\"\")"),
        (6, "Floats([])"),
        (7, "Ints([])"),
        (8, "Strings([])"),
        (9, "Tensors([])"),
        (10, "Graphs([])"),
        (14, "Types([])"),
    ];
    for (kind, expected) in kinds {
        let attr =
            pb::AttributeProto { name: Some("a".into()), r#type: Some(kind), ..Default::default() };
        let model =
            read(&model(graph("x", "y", vec![node("", "Op", "x", "y", vec![attr])]))).unwrap();
        assert_eq!(format!("{:?}", model.graph.nodes[0].attrs.get("a").unwrap()), expected);
    }
    for (kind, message) in [
        (0, "has no known type"),
        (77, "has no known type"),
        (4, "has no value"),
        (5, "has no value"),
        (11, "has no value"),
    ] {
        let attr =
            pb::AttributeProto { name: Some("a".into()), r#type: Some(kind), ..Default::default() };
        let result = read(&model(graph("x", "y", vec![node("n", "Op", "x", "y", vec![attr])])));
        assert_eq!(problems(result), [format!("`n` (Op, opset 17): attribute `a` {message}")]);
    }
    // IR version 1 states no types.
    let attr = pb::AttributeProto { name: Some("a".into()), ints: vec![4], ..Default::default() };
    let model = read(&model(graph("x", "y", vec![node("", "Op", "x", "y", vec![attr])]))).unwrap();
    assert!(matches!(model.graph.nodes[0].attrs.get("a"), Some(Attr::Ints(ints)) if ints == &[4]));
}

/// The model with a main graph of `nodes` from `x` to `y`, and these functions.
fn with_functions(nodes: Vec<pb::NodeProto>, functions: Vec<pb::FunctionProto>) -> pb::ModelProto {
    pb::ModelProto { functions, ..model(graph("x", "y", nodes)) }
}

#[test]
fn functions_are_inlined_with_names_of_their_own() {
    let branch = graph("", "b", vec![node("", "Add", "t a", "b", vec![reference("k", "alpha")])]);
    let twice = function(
        "Twice",
        "a skipped",
        "o p",
        "alpha",
        vec![
            node("", "Relu", "a skipped", "t", vec![]),
            node("", "If", "t", "o", vec![subgraph("then_branch", branch)]),
            node("", "Neg", "o", "p", vec![]),
        ],
    );
    let nodes = vec![
        node("", "local.Twice", "x", "m", vec![int("alpha", 5)]),
        node("call", "local.Twice", "m x", "- y", vec![]),
        node("call", "Relu", "x", "call/taken", vec![]),
    ];
    let model = read(&with_functions(nodes, vec![twice])).unwrap();
    assert_eq!(
        lines(&model.graph),
        [
            "Relu x -> Twice_0/t in main/Twice_0",
            "If Twice_0/t -> m in main/Twice_0",
            "Neg m -> Twice_0/p in main/Twice_0",
            "Relu m x -> call_2/t in main/call",
            "If call_2/t -> call_2/o in main/call",
            "Neg call_2/o -> y in main/call",
            "Relu x -> call/taken in main",
        ]
    );
    let branch = |i: usize| model.graph.nodes[i].attrs.graph("then_branch").unwrap().unwrap();
    assert_eq!(lines(branch(1)), ["Add Twice_0/t x -> Twice_0/b in main/Twice_0/If_1.then_branch"]);
    assert_eq!(branch(1).nodes[0].attrs.int("k").unwrap(), Some(5));
    assert_eq!(
        branch(4).nodes[0].attrs.int("k").unwrap(),
        None,
        "neither given nor with a default"
    );
    assert_eq!(branch(4).captures.len(), 2);
}

#[test]
fn functions_have_defaults_opsets_and_call_each_other() {
    let mut inner = function(
        "Inner",
        "a",
        "o",
        "",
        vec![node("", "Leaky", "a", "o", vec![reference("k", "alpha")])],
    );
    inner.attribute_proto.push(int("alpha", 3));
    inner.opset_import.push(pb::OperatorSetIdProto { domain: None, version: Some(9) });
    let passed = node("i", "local.Inner", "a", "t", vec![reference("alpha", "beta")]);
    // Its outputs are an input, and one that comes twice.
    let outer = function("Outer", "a", "a t t", "beta", vec![passed]);
    let nodes = vec![
        node("o", "local.Outer", "x", "copy t again", vec![int("beta", 7)]),
        node("p", "local.Outer", "x", "- u", vec![]),
        node("", "Sum", "copy t again u", "y", vec![]),
    ];
    let model = read(&with_functions(nodes, vec![outer, inner])).unwrap();
    assert_eq!(
        lines(&model.graph),
        [
            "Leaky x -> t in main/o/i",
            "Identity x -> copy in main/o",
            "Identity t -> again in main/o",
            "Leaky x -> u in main/p/i",
            "Sum copy t again u -> y in main",
        ]
    );
    let node = |i: usize| &model.graph.nodes[i];
    assert_eq!((node(0).attrs.int("k").unwrap(), node(0).opset), (Some(7), 9));
    assert_eq!((node(3).attrs.int("k").unwrap(), node(4).opset), (Some(3), 17));
}

#[test]
fn misused_functions_are_reported() {
    let f = || function("F", "a", "o", "", vec![node("", "Relu", "a", "o", vec![])]);
    let shadow = graph("a", "q", vec![node("", "Relu", "a", "q", vec![])]);
    let cases: [(pb::NodeProto, pb::FunctionProto, &str); 6] = [
        (
            node("c", "local.F", "x x", "y", vec![]),
            f(),
            "`c` (local.F, opset 1): has 2 inputs and 1 outputs, but function `F` has 1 and 1",
        ),
        (
            node("c", "local.F", "x", "y", vec![int("k", 1)]),
            f(),
            "`c` (local.F, opset 1): has the attribute `k`, which function `F` does not have",
        ),
        (
            node("c", "Relu", "x", "y", vec![reference("k", "j")]),
            f(),
            "`c` (Relu, opset 17): attribute `k` refers to an attribute `j` of a function, but is \
             in none",
        ),
        (
            node("c", "local.F", "x", "y", vec![]),
            function(
                "F",
                "a",
                "o",
                "",
                vec![node("n", "Relu", "a", "o", vec![reference("k", "j")])],
            ),
            "`n` (Relu, opset 17): attribute `k` refers to `j`, which function `local.F` does not \
             have",
        ),
        (
            node("c", "local.F", "x", "y", vec![]),
            function("F", "a", "o", "", vec![node("n", "local.F", "a", "o", vec![])]),
            "`n` (local.F, opset 1): function `F` calls itself",
        ),
        (
            node("c", "local.F", "x", "y", vec![]),
            function(
                "F",
                "a",
                "o",
                "",
                vec![node("n", "If", "a", "o", vec![subgraph("then_branch", shadow)])],
            ),
            "`a` (value): is an input or output of function `local.F` and is defined again",
        ),
    ];
    for (call, function, expected) in cases {
        assert_eq!(problems(read(&with_functions(vec![call], vec![function]))), [expected]);
    }
    let twice = with_functions(vec![node("c", "local.F", "x", "y", vec![])], vec![f(), f()]);
    assert_eq!(problems(read(&twice)), ["`F` (function): is defined twice"]);
}

#[test]
fn exponential_and_deep_functions_end_early() {
    // Each calls the next ten times: ten billion nodes.
    let calls =
        |to: &str| (0..10).map(|i| node("", to, "a", &format!("o{i}"), vec![])).collect::<Vec<_>>();
    let mut functions: Vec<_> = (0..10)
        .map(|i| function(&format!("F{i}"), "a", "o0", "", calls(&format!("local.F{}", i + 1))))
        .collect();
    functions.push(function("F10", "a", "o", "", vec![node("", "Relu", "a", "o", vec![])]));
    let error =
        read(&with_functions(vec![node("", "local.F0", "x", "y", vec![])], functions)).unwrap_err();
    let messages: Vec<_> = error.problems().iter().map(|problem| &*problem.message).collect();
    let [message] = messages[..] else { panic!("{messages:?}") };
    assert!(message.starts_with("inlining functions makes more than "), "{message}");

    let deep = (0..100).map(|i| {
        function(
            &format!("F{i}"),
            "a",
            "o",
            "",
            vec![node("", &format!("local.F{}", i + 1), "a", "o", vec![])],
        )
    });
    let found = problems(read(&with_functions(
        vec![node("", "local.F0", "x", "y", vec![])],
        deep.collect(),
    )));
    assert_eq!(
        found,
        ["node 0 -> \"y\" (local.F64, opset 1): subgraphs and functions are nested deeper than \
             64 levels"]
    );
}

#[test]
fn raw_data_is_shared_with_the_mapped_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.onnx");
    let mut main = graph("", "w", vec![]);
    main.initializer.push(floats("w", &[10_000], &vec![1.5; 10_000]));
    std::fs::write(&path, model(main).encode_to_vec()).unwrap();
    let file = super::file::open(&path).unwrap();
    let inside = file.chunk().as_ptr_range();
    let model = super::model(file, folder.path()).unwrap();
    let tensor = model.graph.initializers[0].tensor.tensor().unwrap();
    assert!(inside.contains(&tensor.bytes().as_ptr()));
    assert_eq!(load(&path).unwrap().graph.initializers[0].tensor.tensor().unwrap(), tensor);
}

#[test]
fn files_that_are_no_models_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let relu = model(graph("x", "y", vec![node("", "Relu", "x", "y", vec![])]));
    let whole = relu.encode_to_vec();
    let no_graph = pb::ModelProto { graph: None, ..relu };
    let not_a_model = "the file is not an ONNX model, or is damaged";
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("empty", vec![], "the file is empty"),
        ("text", b"What is this file?\nNobody knows.\n".to_vec(), not_a_model),
        ("cut", whole[..whole.len() - 30].to_vec(), not_a_model),
        ("zeros", vec![0; 64], not_a_model),
        (
            "lfs",
            b"version https://git-lfs\noid sha256:0\n".to_vec(),
            "the file is a Git LFS pointer, not an ONNX model",
        ),
        ("headless", no_graph.encode_to_vec(), "the model has no graph"),
    ];
    for (name, bytes, expected) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = load(&path).unwrap_err();
        assert_eq!((error.message(), error.kind()), (expected, Kind::Invalid), "{name}");
        assert_eq!(error.model(), Some(&*path));
        assert_eq!(error.hint().is_some(), name == "lfs");
    }
    let missing = load(Path::new("no/such.onnx")).unwrap_err();
    assert_eq!(missing.to_string(), "cannot read `no/such.onnx`: No such file or directory");
    assert_eq!(missing.kind(), Kind::Usage);
    let error = load(folder.path()).unwrap_err();
    assert_eq!(
        error.message(),
        format!("cannot read `{}`: it is not a regular file", folder.path().display())
    );
}

#[test]
fn damaged_files_never_panic() {
    let branch = graph("", "q", vec![node("", "Relu", "x", "q", vec![])]);
    let mut main = graph(
        "x",
        "y",
        vec![node("", "If", "x", "y", vec![subgraph("then_branch", branch), int("k", 1)])],
    );
    main.initializer.push(floats("w", &[2], &[1.0, 2.0]));
    let whole = model(main).encode_to_vec();
    for end in 0..whole.len() {
        let _ = decode(whole[..end].to_vec().into(), Path::new(""));
    }
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            let _ = decode(bytes.into(), Path::new(""));
        }
    }
}

#[test]
fn deep_and_swollen_files_are_refused() {
    let cause = |proto: &pb::ModelProto| {
        let error = read(proto).unwrap_err();
        std::error::Error::source(&error).map(ToString::to_string)
    };
    let mut nested = graph("", "", vec![]);
    for _ in 0..40 {
        nested = graph("", "", vec![node("", "If", "", "", vec![subgraph("then_branch", nested)])]);
    }
    assert_eq!(
        cause(&model(nested)).as_deref(),
        Some("messages are nested deeper than 100 levels")
    );
    // Empty nodes: two bytes each in the file.
    let swollen = graph("", "", vec![pb::NodeProto::default(); 5_000_000]);
    let bytes = swollen.encode_to_vec();
    assert_eq!(bytes.len(), 10_000_000);
    let mut bytes = super::window::Window::of_bytes(bytes.into());
    let error = super::wire::check(&mut bytes, super::wire::Message::Graph).unwrap_err();
    assert_eq!(error.to_string(), "the decoded messages would take more than 1024 MiB");
}

#[test]
fn test_data_is_read_and_sequences_are_recognized() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        read_tensor(&path).map_err(|error| {
            (error.kind(), error.message().replace(&*path.to_string_lossy(), name))
        })
    };
    let (name, tensor) = read("x.pb", floats("x", &[2], &[1.0, 2.0]).encode_to_vec()).unwrap();
    assert_eq!(
        (name.as_str(), format!("{tensor:?}").as_str()),
        ("x", "Tensor(f32[2] = [1.0, 2.0])")
    );
    let wrong = read("x.pb", floats("x", &[3], &[1.0]).encode_to_vec()).unwrap_err();
    assert_eq!(
        wrong,
        (Kind::Invalid, "cannot read `x.pb`: f32[3] takes 12 bytes, but there are 4".into())
    );
    // SequenceProto: name = 1, elem_type = 2, tensor_values = 3.
    let item = floats("", &[1], &[1.0]).encode_to_vec();
    let mut sequence = vec![0x0a, 3, b's', b'e', b'q', 0x10, 1];
    let empty = sequence.clone();
    sequence.extend([0x1a, u8::try_from(item.len()).unwrap()]);
    sequence.extend(item);
    let message = "`s.pb` holds a sequence or an optional value, which is not supported";
    assert_eq!(read("s.pb", sequence).unwrap_err(), (Kind::Unsupported, message.into()));
    assert_eq!(read("s.pb", empty).unwrap_err(), (Kind::Unsupported, message.into()));
}

#[test]
fn values_need_names() {
    let mut main = graph("", "", vec![]);
    main.input.push(value(""));
    main.initializer.push(floats("", &[], &[1.0]));
    assert_eq!(
        problems(read(&model(main))),
        ["an unnamed initializer: has no name", "an unnamed input: has no name"]
    );
}
