//! What users see when a model cannot be converted: whole messages, with the exit code, from the
//! program itself.

use crate::golden;
use crate::records::Records;
use crate::support::{Model, pb, tensor};
use crate::tensorrt::onnx2plan;
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::{onnx, pipeline};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Puts a model that cannot be converted into a folder.
type Spoil = fn(&Path) -> PathBuf;

const CASES: &[(&str, Spoil)] = &[
    ("unsupported-operator", |dir| unary("Foo").write(dir)),
    ("unsupported-domain", |dir| unary("com.acme.Foo").opset("com.acme", 1).write(dir)),
    ("unsupported-many", many_unsupported),
    ("unsupported-training", |dir| unary("Dropout").attr("is_test", 0).opset_is(6).write(dir)),
    ("unsupported-opset", |dir| unary("Relu").opset_is(99).write(dir)),
    ("unsupported-strings", |dir| unary("Relu").input("names", "string[2]").write(dir)),
    ("unsupported-rank", |dir| unary("Relu").input("z", "f32").write(dir)),
    ("attribute-unknown", |dir| unary("Relu").attr("slope", 0.5).write(dir)),
    ("attribute-type", |dir| unary("LeakyRelu").attr("alpha", "steep").write(dir)),
    ("attribute-value", |dir| unary("Gelu").opset_is(20).attr("approximate", "sine").write(dir)),
    ("attribute-choice", |dir| unary("TRT_Scale").attr("mode", "PER_CHANNEL").write(dir)),
    ("attribute-missing", |dir| unary("Cast").write(dir)),
    ("operators-of-onnx-runtime", of_onnx_runtime),
    ("node-inputs", |dir| {
        Model::new(17).input("x", "f32[2]").node("Add", "x", "y").output("y", "").write(dir)
    }),
    ("node-output", |dir| {
        Model::new(17)
            .input("x", "f32[2]")
            .node("Relu", "x", "y z")
            .output("y", "")
            .output("z", "")
            .write(dir)
    }),
    ("node-input-left-out", |dir| {
        Model::new(17).input("x", "f32[2]").node("Max", "x - x", "y").output("y", "").write(dir)
    }),
    ("size-from-reals", |dir| {
        let model = Model::new(17).input("limit", "f32[]").init("start", &[], &[0.5f32]).init(
            "delta",
            &[],
            &[0.25f32],
        );
        model.node("Range", "start limit delta", "y").output("y", "").write(dir)
    }),
    ("unsupported-behind-another", |dir| {
        // The file states what `Foo` gives; of what `Bar` gives it says nothing.
        let model =
            Model::new(17).input("x", "f32[4]").value("a", "f32[4, 2]").node("Foo", "x", "a");
        let model = model
            .node("Relu", "a", "b")
            .node("Bar", "b", "c")
            .node("Add", "b x", "d")
            .node("Foo", "c", "y");
        model.node("Cast", "b", "z").attr("to", 13i64).output("y", "").output("z", "").write(dir)
    }),
    ("node-unnamed", |dir| unary("Relu").named("").attr("slope", 0.5).write(dir)),
    ("shape-channels", channels),
    ("shape-rank", |dir| convolution("f32[N, 4, 8, 8]", &[2, 4, 3]).write(dir)),
    ("shape-broadcast", |dir| pair("Add", "f32[2, 3]", "f32[4]").write(dir)),
    ("shape-matmul", |dir| pair("MatMul", "f32[2, 3]", "f32[4, 5]").write(dir)),
    ("shape-reshape", |dir| pair("Reshape", "f32[2, 3]", "").init("b", &[1], &[7i64]).write(dir)),
    ("shape-recurrent-w", |dir| lstm("- - -", &[1, 24, 4], &[1, 12, 3], &[]).write(dir)),
    ("shape-recurrent-r", |dir| lstm("- - -", &[1, 12, 4], &[12, 3], &[]).write(dir)),
    ("shape-recurrent-b", |dir| lstm("e - -", &[1, 12, 4], &[1, 12, 3], &[1, 7]).write(dir)),
    ("shape-recurrent-lengths", |dir| lstm("- - e", &[1, 12, 4], &[1, 12, 3], &[2, 1]).write(dir)),
    ("shape-recurrent-state", |dir| lstm("- e -", &[1, 12, 4], &[1, 12, 3], &[1, 1, 3]).write(dir)),
    ("shape-recurrent-cells", |dir| {
        let model = Model::new(17)
            .input("x", "f32[1, 2, 4]")
            .init::<f32>("r", &[1 << 45, 0], &[])
            .weights("w", &[3, 4]);
        model.node("TRT_RNNv2", "x - - - w r", "y").output("y", "").write(dir)
    }),
    ("type-mixed", |dir| pair("Add", "f32[2]", "i64[2]").write(dir)),
    ("not-constant", |dir| pair("Squeeze", "f32[1, 2]", "i64[1]").write(dir)),
    ("graph-cycle", cycle),
    ("graph-undefined", |dir| pair("Add", "f32[2]", "").write(dir)),
    ("graph-defined-twice", |dir| unary("Relu").node("Tanh", "x", "y").write(dir)),
    ("graph-without-outputs", |dir| Model::new(17).input("x", "f32[2]").write(dir)),
    ("file-missing", |dir| dir.join("model.onnx")),
    ("file-folder", |dir| {
        fs::create_dir(dir.join("model.onnx")).unwrap();
        dir.join("model.onnx")
    }),
    ("file-empty", |dir| write(dir, b"")),
    ("file-truncated", |dir| write(dir, &weighty().bytes()[..100])),
    ("file-random", |dir| write(dir, &noise(1).take(4096).collect::<Vec<_>>())),
    ("file-text", |dir| write(dir, b"<!DOCTYPE html>\n<title>404 Not Found</title>\n")),
    ("file-lfs-pointer", |dir| {
        write(dir, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    }),
    ("file-nested-deeply", nested_deeply),
    ("data-short", |dir| spoilt_weights(dir, |tensor| tensor.dims = vec![4, 2])),
    ("data-absurd-dims", |dir| spoilt_weights(dir, |tensor| tensor.dims = vec![1 << 40, 1 << 40])),
    ("data-negative-dims", |dir| spoilt_weights(dir, |tensor| tensor.dims = vec![-1])),
    ("data-absurd-type", |dir| spoilt_weights(dir, |tensor| tensor.data_type = Some(77))),
    ("input-absurd-dims", |dir| pair("Add", "f32[4611686018427387904, 8]", "f32[8]").write(dir)),
    ("constant-absurd-size", absurd_constant),
    ("external-parent", |dir| external(dir, &[("location", "../secret")])),
    ("external-absolute", |dir| external(dir, &[("location", "/etc/hostname")])),
    ("external-link", |dir| external(dir, &[("location", "link")])),
    ("external-missing", |dir| external(dir, &[("location", "weights.bin")])),
    ("external-past-the-end", |dir| {
        external(dir, &[("location", "data"), ("offset", "8"), ("length", "16")])
    }),
    ("external-absurd-offset", |dir| {
        external(dir, &[("location", "data"), ("offset", "18446744073709551615")])
    }),
];

/// `y = op(x)`.
fn unary(op: &str) -> Model {
    Model::new(17).input("x", "f32[2, 3]").output("y", "f32[2, 3]").node(op, "x", "y")
}

/// `y = op(a, b)`; an operand without a type is left out.
fn pair(op: &str, a: &str, b: &str) -> Model {
    let model = Model::new(17).input("a", a).node(op, "a b", "y").output("y", "");
    if b.is_empty() { model } else { model.input("b", b) }
}

/// An LSTM over a sequence of unknown length; `others` are its biases, first state and lengths, of
/// which one is `e`.
fn lstm(others: &str, w: &[i64], r: &[i64], e: &[i64]) -> Model {
    let [b, h, lengths] = others.split(' ').collect::<Vec<_>>()[..] else {
        panic!("three operands")
    };
    let model = Model::new(17).input("x", "f32[T, 2, 4]").weights("w", w).weights("r", r);
    let model = model.node("LSTM", &format!("x w r {b} {lengths} {h}"), "y").output("y", "");
    if lengths == "e" {
        model.init("e", e, &[1i32, 1])
    } else if e.is_empty() {
        model
    } else {
        model.weights("e", e)
    }
}

/// What nodes of ONNX Runtime's own say that would be heeded by nobody.
fn of_onnx_runtime(dir: &Path) -> PathBuf {
    let grouped = |model: Model, y: &str| {
        model
            .node("com.microsoft.GroupQueryAttention", "qkv - - - - last total", y)
            .attr("num_heads", 4)
            .attr("kv_num_heads", 2)
    };
    let model = Model::new(17)
        .opset("com.microsoft", 1)
        .input("qkv", "f32[2, 3, 32]")
        .input("packed", "f32[2, 3, 4, 3, 8]")
        .input("x", "f32[1, 2, 4, 4]")
        .input("flat", "u8[2, 4]")
        .input("ids", "i32[2, 3]")
        .init("last", &[2], &[2i32, 2])
        .init("total", &[], &[3i32])
        .weights("table", &[8, 2])
        .init("length", &[1], &[3i64])
        .weights("kernel", &[2, 2, 1, 1])
        .init("step", &[], &[0.5f32])
        .init("zero", &[], &[3u8])
        .weights("words", &[9, 4])
        .weights("gamma", &[4])
        .weights("reals", &[2, 8])
        .weights("scales", &[2, 1]);
    let model = grouped(model, "a").attr("local_window_size", 0);
    let model = grouped(model, "b").attr("local_window_size", 2).attr("causal", 0);
    let model = grouped(model, "c - - d").attr("qk_output", 9);
    let model = model
        .node("com.microsoft.MultiHeadAttention", "packed qkv qkv", "e")
        .attr("num_heads", 4)
        .node("com.microsoft.RelativePositionBias", "table length length", "f")
        .attr("max_distance", i64::MAX)
        .node("com.microsoft.FusedConv", "x kernel", "g")
        .attr("activation", "Clip")
        .attr("activation_params", [0.5f32])
        .node("com.microsoft.QLinearGlobalAveragePool", "flat step zero step zero", "h")
        .node("com.microsoft.EmbedLayerNormalization", "ids ids words words - gamma gamma", "i")
        .node("com.microsoft.GatherBlockQuantized", "reals ids scales", "j")
        .attr("block_size", 16);
    let names = ["a", "b", "c", "e", "f", "g", "h", "i", "j"];
    names.iter().fold(model, |model, name| model.output(name, "")).write(dir)
}

fn many_unsupported(dir: &Path) -> PathBuf {
    let ops = ["Foo", "Bar", "Foo", "Foo", "Baz", "Foo", "Bar", "Foo", "Foo", "Foo", "Foo", "Foo"];
    // Each reads an input of its own: what depends on a node that failed is not reported once more.
    let model =
        (0..ops.len()).fold(Model::new(17), |model, i| model.input(&format!("x{i}"), "f32[2]"));
    let separate = |model: Model, (i, op): (usize, &&str)| {
        model.node(op, &format!("x{i}"), &format!("y{i}")).output(&format!("y{i}"), "")
    };
    ops.iter().enumerate().fold(model, separate).write(dir)
}

fn convolution(x: &str, w: &[i64]) -> Model {
    Model::new(17)
        .input("x", x)
        .weights("conv12.w", w)
        .node("Relu", "x", "relu_11")
        .named("Relu_11")
        .node("Conv", "relu_11 conv12.w", "conv_12_out")
        .named("Conv_12")
        .output("conv_12_out", "")
}

fn channels(dir: &Path) -> PathBuf {
    convolution("f32[N, 64, 56, 56]", &[128, 32, 3, 3]).write(dir)
}

fn cycle(dir: &Path) -> PathBuf {
    Model::new(17)
        .input("x", "f32[2]")
        .node("Add", "x c", "a")
        .node("Relu", "a", "b")
        .node("Tanh", "b", "c")
        .output("c", "")
        .write(dir)
}

/// A model with weights.
fn weighty() -> Model {
    pair("Add", "f32[2, 3]", "").weights("b", &[2, 3])
}

fn spoilt_weights(dir: &Path, spoil: fn(&mut pb::TensorProto)) -> PathBuf {
    let mut model = weighty().proto();
    spoil(&mut model.graph.as_mut().unwrap().initializer[0]);
    write(dir, &prost::Message::encode_to_vec(&model))
}

/// A few bytes that ask for a trillion elements.
fn absurd_constant(dir: &Path) -> PathBuf {
    Model::new(17)
        .init("shape", &[2], &[1_000_000i64, 1_000_000])
        .node("ConstantOfShape", "shape", "y")
        .attr("value", tensor(&[1], &[1f32]))
        .output("y", "")
        .write(dir)
}

/// Subgraphs within subgraphs: each level is the tag of a message and its length, so the file is
/// small.
fn nested_deeply(dir: &Path) -> PathBuf {
    // GraphProto.node, NodeProto.attribute, AttributeProto.g: fields 1, 5 and 6.
    let mut bytes: Vec<u8> = Vec::new();
    for _ in 0..1000 {
        for tag in [0x32u8, 0x2a, 0x0a] {
            let mut outer = vec![tag];
            prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
            outer.append(&mut bytes);
            bytes = outer;
        }
    }
    let mut model = vec![0x3a];
    prost::encoding::encode_varint(bytes.len() as u64, &mut model);
    model.append(&mut bytes);
    write(dir, &model)
}

/// Weights `f32[4]` that are where `entries` say; beside the model lies `data` with 16 bytes, and a
/// link leads out.
fn external(dir: &Path, entries: &[(&str, &str)]) -> PathBuf {
    let inside = dir.join("net");
    fs::create_dir(&inside).unwrap();
    fs::write(dir.join("secret"), [0; 16]).unwrap();
    fs::write(inside.join("data"), [0; 16]).unwrap();
    std::os::unix::fs::symlink("../secret", inside.join("link")).unwrap();
    pair("Add", "f32[4]", "").external("b", &[4], entries).write(&inside)
}

fn write(dir: &Path, bytes: &[u8]) -> PathBuf {
    let path = dir.join("model.onnx");
    fs::write(&path, bytes).unwrap();
    path
}

/// Bytes that look random and are always the same (splitmix64).
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed.to_le_bytes()[7]
    })
}

/// The command within limits: 20 seconds, and 4 GiB of addresses, of which TensorRT takes a part.
fn limited(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "ulimit -v 4194304 && exec timeout 20 \"$0\" \"$@\""])
        .arg(command.get_program());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

#[test]
fn messages_and_exit_codes_are_as_recorded() {
    let mut records = Records::new("errors");
    for (name, spoil) in CASES {
        let dir = tempfile::tempdir().unwrap();
        let model = spoil(dir.path());
        let output = limited(&onnx2plan()).arg("--quiet").arg(&model).output().unwrap();
        let mut text = format!(
            "exit code {}\n\n",
            output.status.code().map_or("none".into(), |code| code.to_string())
        );
        let said = String::from_utf8(output.stderr).unwrap();
        let _ = write!(text, "{}", said.replace(&dir.path().display().to_string(), "DIR"));
        records.check(&format!("{name}.txt"), &text);
        assert!(output.stdout.is_empty(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
        let left =
            fs::read_dir(model.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("plan")).collect();
        assert!(left.is_empty(), "{name} leaves {left:?}");
    }
    records.finish();
}

/// Damaged files give an error or a network, never a panic. What was damaged is a golden model, so
/// much of it is right.
#[test]
fn damaged_models_never_panic() {
    let fitted = Fitted::standard(Caps::modern());
    for (case_number, (_, case)) in golden::cases().enumerate() {
        let whole = (case.model)().bytes();
        for round in 0..40 {
            let mut noise = noise(case_number as u64 * 1000 + round);
            let mut number = || {
                noise.by_ref().take(3).fold(0usize, |number, byte| number << 8 | usize::from(byte))
            };
            let mut bytes = whole.clone();
            for _ in 0..=number() % 4 {
                let at = number() % bytes.len();
                bytes[at] = number().to_le_bytes()[0];
            }
            if number() % 8 == 0 {
                bytes.truncate(number() % bytes.len());
            }
            let network = onnx::decode(bytes.into(), Path::new(""))
                .and_then(|model| pipeline::import_model(&model, &fitted));
            if let Ok(imported) = network {
                let _ = pipeline::finish(imported.network, &[], Caps::modern());
            }
        }
    }
}
