//! Sizes known only at run time, and parts of models, as users ask for them.

use crate::records::Records;
use crate::support::{Model, tensor};
use crate::tensorrt::{onnx_runtime, onnx2plan, without_tensorrt};
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::pipeline;
use prost::Message;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Images of any size; `sizes` says how what comes out is cut and shaped.
fn model() -> Model {
    Model::new(17)
        .input("x", "f32[N, 3, H, W]")
        .input("sizes", "i64[2]")
        .input("scale", "f32[1]")
        .weights("w", &[4, 3, 3, 3])
        .init("from", &[2], &[0i64, 0])
        .init("axes", &[2], &[2i64, 3])
        .node("Conv", "x w", "c")
        .node("Relu", "c", "r")
        .node("Slice", "r from sizes axes", "cut")
        .node("Mul", "cut scale", "y")
        .output("y", "")
        .output("c", "f32[N, 4, ?, ?]")
}

/// What cannot be asked for, with the words.
#[test]
fn contradictions_are_found_before_the_build() {
    const CASES: &[(&str, &[&str])] = &[
        ("unknown-size", &["--dim", "batch=4"]),
        ("size-falls", &["--dim", "N=4:2:8"]),
        ("size-given-twice", &["--dim", "N=1:2:4", "--opt", "x:3x3x8x8"]),
        ("dim-twice", &["--dim", "N=1:2:4", "--dim", "N=3"]),
        ("shape-twice", &["--opt", "x:3x3x8x8", "--opt", "sizes=4,4,x:2x3x8x8"]),
        ("does-not-hold-at-min", &["--min", "x:1x3x2x8", "--opt", "x:1x3x8x8"]),
        ("does-not-hold-in-profile", &["--profile", "--dim", "H=8", "--profile", "--dim", "H=2"]),
        ("no-guesses", &["--strict-profiles", "--dim", "N=1:2:4"]),
        ("too-few-values", &["--opt", "sizes=4"]),
        ("values-fall", &["--min", "sizes=4,4", "--opt", "sizes=2,4"]),
        ("values-of-data", &["--opt", "scale=1"]),
        ("values-that-are-none", &["--opt", "sizes=a"]),
        ("fixed-shape-of-other-rank", &["--shape", "x:1x3x8"]),
        ("fixed-shape-contradicts", &["--shape", "x:1x4x8x8"]),
        ("fixed-shape-and-size", &["--shape", "x:1x3x8x8", "--dim", "N=2"]),
        ("fixed-values", &["--shape", "sizes=1,1"]),
        ("no-such-output", &["--outputs", "r"]),
        ("no-such-tensor", &["--to", "nowhere"]),
        ("no-such-source", &["--from", "nowhere"]),
        ("source-without-type", &["--from", "r"]),
        ("source-of-nothing", &["--from", "sizes", "--to", "c"]),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = model().write(dir.path());
    let mut records = Records::new("profiles");
    for (name, arguments) in CASES {
        let output = onnx2plan().arg("--quiet").args(*arguments).arg(&path).output().unwrap();
        let said = String::from_utf8(output.stderr)
            .unwrap()
            .replace(&dir.path().display().to_string(), "DIR");
        records.check(
            &format!("{name}.txt"),
            &format!("exit code {}\n\n{said}", output.status.code().unwrap()),
        );
    }
    records.finish();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing but the model");
}

/// Converts with these options; gives the manifest.
fn manifest(folder: &Path, arguments: &[&str]) -> Value {
    let path = model().write(folder);
    let output = onnx2plan().arg("--quiet").args(arguments).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&fs::read(folder.join("model.plan.json")).unwrap()).unwrap()
}

#[test]
fn each_profile_takes_what_follows_it() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = ["--min", "sizes=1,1", "--opt", "sizes=4,4", "--max", "sizes=64,64"];
    let of_profiles = [
        "--dim",
        "W=8:16:64",
        "--profile",
        "--dim",
        "N=1",
        "--dim",
        "H=8",
        "--profile",
        "--dim",
        "N=2:4:8",
    ];
    let manifest = manifest(
        dir.path(),
        &[
            &sizes[..],
            &of_profiles[..],
            &["--max", "x:8x3x32x64", "--opt", "x:4x3x16x16", "--min", "x:2x3x8x8"][..],
        ]
        .concat(),
    );
    let profiles = json!([
        [[1, 3, 8, 8], [1, 3, 8, 16], [1, 3, 8, 64]],
        [[2, 3, 8, 8], [4, 3, 16, 16], [8, 3, 32, 64]],
    ]);
    assert_eq!(manifest["inputs"][0]["profiles"], profiles);
    let values = json!([[1, 1], [4, 4], [64, 64]]);
    assert_eq!(manifest["inputs"][1]["values"], json!([values, values]));
    assert_eq!(manifest["notes"], json!([]));
}

#[test]
fn a_fixed_shape_leaves_nothing_to_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(
        dir.path(),
        &["--shape", "x:2x3x8x10", "--freeze", "sizes=[4,5]", "--outputs", "y=cut"],
    );
    let inputs = manifest["inputs"].as_array().unwrap();
    assert_eq!(
        (&inputs[0]["shape"], &inputs[0]["profiles"]),
        (&json!(["2", "3", "8", "10"]), &json!([]))
    );
    assert_eq!(
        manifest["outputs"],
        json!([{
            "name": "cut", "dtype": "f32", "shape": ["2", "4", "4", "5"],
            "profile": null, "profiles": [], "values": [],
        }])
    );
    let options = &manifest["options"];
    assert_eq!(options["dim"], json!(["H=8", "N=2", "W=10"]));
    assert_eq!(
        (&options["outputs"], &options["freeze"]),
        (&json!(["y=cut"]), &json!(["sizes=[4,5]"]))
    );
    let hash = "3d484babff90efb32f8caa5d903b69266d3e719695bd4887cf1eb5dfab6ae23d";
    let sizes = json!({ "name": "sizes", "dtype": "i64", "shape": [2], "sha256": hash });
    assert_eq!(options["frozen"], json!([sizes]));
}

#[test]
fn guesses_give_way_where_the_network_cannot_hold() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path(), &["--outputs", "c"]);
    let notes = json!([
        "guessed: input `x`, axis 0 (N): 1 to 8, optimized for 1",
        "guessed: input `x`, axis 2 (H): 4 to 256, optimized for 64",
        "guessed: input `x`, axis 3 (W): 4 to 256, optimized for 64",
    ]);
    assert_eq!(manifest["notes"], notes);
}

/// Rows of a table of forty, one for each of L positions, which `more` makes of the numbers 0 to L
/// − 1.
fn positions(more: fn(Model) -> Model) -> Model {
    let model = Model::new(17).input("ids", "i64[N, L]").node("Shape", "ids", "shape");
    let model =
        model.init("zero", &[], &[0i64]).init("one", &[], &[1i64]).init("minus", &[], &[-1i64]);
    let model =
        model.node("Gather", "shape one", "length").node("Range", "zero length one", "count");
    more(model).weights("table", &[40, 4]).node("Gather", "table positions", "y").output("y", "")
}

/// Positions that a table does not have are no data that anyone could feed.
#[test]
fn guesses_give_way_to_tables_that_are_read_by_position() {
    const GIVES_WAY: &str = "1 to 32, optimized for 32";
    const STAYS: &str = "1 to 256, optimized for 64";
    type Case = (&'static str, fn(Model) -> Model, &'static str);
    let cases: &[Case] = &[
        ("as counted", |model| model.node("Identity", "count", "positions"), GIVES_WAY),
        (
            "for each of the batch",
            |model| model.node("Expand", "count shape", "positions"),
            GIVES_WAY,
        ),
        (
            "from an offset",
            |model| model.init("k", &[1], &[2i64]).node("Add", "k count", "positions"),
            GIVES_WAY,
        ),
        (
            "too many from an offset",
            |model| model.init("k", &[1], &[25i64]).node("Add", "count k", "positions"),
            "1 to 8, optimized for 8",
        ),
        ("from the end", |model| model.node("Sub", "count length", "positions"), GIVES_WAY),
        (
            "backwards",
            |model| {
                model.node("Sub", "length one", "last").node(
                    "Range",
                    "last minus minus",
                    "positions",
                )
            },
            GIVES_WAY,
        ),
        (
            "held back",
            |model| model.init("k", &[1], &[39i64]).node("Min", "count k", "positions"),
            STAYS,
        ),
        (
            "the last of forty",
            |model| model.init("k", &[2], &[0i64, 39]).node("Gather", "count k", "positions"),
            "64 to 256, optimized for 64",
        ),
        ("from the user", |model| model.node("Identity", "ids", "positions"), STAYS),
    ];
    let dir = tempfile::tempdir().unwrap();
    for (what, more, expected) in cases {
        let path = positions(*more).write(dir.path());
        let output = onnx2plan().arg("--quiet").arg(&path).output().unwrap();
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        let manifest: Value =
            serde_json::from_slice(&fs::read(dir.path().join("model.plan.json")).unwrap()).unwrap();
        let notes = json!([
            "guessed: input `ids`, axis 0 (N): 1 to 8, optimized for 1",
            format!("guessed: input `ids`, axis 1 (L): {expected}"),
        ]);
        assert_eq!(manifest["notes"], notes, "{what}");
    }

    let path = positions(|model| model.node("Identity", "count", "positions")).write(dir.path());
    let output = onnx2plan()
        .args(["--quiet", "--dim", "L=1:8:41", "--dim", "N=1:1:1"])
        .arg(&path)
        .output()
        .unwrap();
    let expected = "error: the profile does not fit `Gather_y` (Gather, opset 17): at max (L = \
                    41) index 40 is \
                    outside an axis of size 40\n  at graph `main`, node 4\n";
    assert_eq!(
        (output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()),
        (Some(2), expected)
    );
}

/// Keys of the past and of a sequence, with a mask over both, as decoders have them.
fn decoder() -> Model {
    let model = Model::new(17)
        .input("p", "f32[past, 4]")
        .input("s", "f32[seq, 4]")
        .input("m", "f32[total, 1]");
    model
        .node("Concat", "p s", "both")
        .attr("axis", 0i64)
        .node("Mul", "both m", "y")
        .named("masked")
        .output("y", "")
}

/// Writes data of these sizes for [`decoder`] beside a model.
fn write_data(folder: &Path, set: usize, sizes: [i64; 3]) {
    let folder = folder.join(format!("test_data_set_{set}"));
    fs::create_dir_all(&folder).unwrap();
    for (at, (rows, columns)) in sizes.into_iter().zip([4, 4, 1]).enumerate() {
        let values = vec![0.5f32; usize::try_from(rows * columns).unwrap()];
        fs::write(
            folder.join(format!("input_{at}.pb")),
            tensor(&[rows, columns], &values).encode_to_vec(),
        )
        .unwrap();
    }
    let masked = vec![0.25f32; usize::try_from(sizes[2] * 4).unwrap()];
    fs::write(folder.join("output_0.pb"), tensor(&[sizes[2], 4], &masked).encode_to_vec()).unwrap();
}

#[test]
fn sizes_follow_from_others_where_the_network_demands_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = decoder().write(dir.path());
    let profile = |arguments: &[&str]| {
        let output = onnx2plan().arg("--quiet").args(arguments).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = fs::read(dir.path().join("model.plan.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&text).unwrap();
        let ends = |at: usize| {
            let profile = &manifest["inputs"][at]["profiles"][0];
            [0, 1, 2].map(|end| profile[end][0].as_i64().unwrap())
        };
        [ends(0), ends(1), ends(2)]
    };
    assert_eq!(profile(&[]), [[1, 1, 8], [1, 1, 8], [2, 2, 16]]);
    assert_eq!(
        profile(&["--dim", "past=0:9:20", "--dim", "seq=1:4:5"]),
        [[0, 9, 20], [1, 4, 5], [1, 13, 25]]
    );
    // Data sets are taken whole: nine and four do not go with the ten of the other.
    write_data(dir.path(), 0, [9, 4, 13]);
    write_data(dir.path(), 1, [0, 10, 10]);
    assert_eq!(profile(&[]), [[0, 9, 9], [1, 4, 10], [1, 13, 19]]);

    let sizes = ["--dim", "past=4:4:5", "--dim", "seq=2:2:3", "--dim", "total=7:7:8"];
    let output = onnx2plan().arg("--quiet").args(sizes).arg(&path).output().unwrap();
    let expected = "error: the profile does not fit `masked` (Mul, opset 17): at opt (past = 4, \
                    seq = 2, total = 7) axes of \
                    size 6 and 7 do not broadcast\n  at graph `main`, node 1\n  the model needs \
                    total = past + seq \
                    (`masked` (Mul, opset 17))\n";
    assert_eq!(
        (output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()),
        (Some(2), expected)
    );

    let sizes = ["--dim", "past=4", "--dim", "seq=2", "--dim", "total=7"];
    let output = onnx2plan().arg("--quiet").args(sizes).arg(&path).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let broken = "  given: past = 4, seq = 2, total = 7\n  the model needs total = past + seq \
                  (`masked` (Mul, opset 17))\n";
    let headline = "error: the given sizes do not fit `masked` (Mul, opset 17): axes of size 6 \
                    and 7 do not broadcast\n";
    assert!(
        output.status.code() == Some(2) && said.starts_with(headline) && said.ends_with(broken),
        "{said}"
    );
}

#[test]
fn guesses_grow_to_what_a_layer_takes() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::new(17).input("x", "f32[n, 2]").init("k", &[1], &[5i64]);
    let path =
        model.node("TopK", "x k", "v i").attr("axis", 0i64).output("v", "").write(dir.path());
    let output = onnx2plan().arg("--quiet").arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let manifest: Value =
        serde_json::from_slice(&fs::read(dir.path().join("model.plan.json")).unwrap()).unwrap();
    assert_eq!(
        manifest["notes"],
        json!(["guessed: input `x`, axis 0 (n): 8 to 16, optimized for 8"])
    );
}

/// A size without an axis where it is 1, as PyTorch writes `squeeze` without axes.
fn squeezed() -> Model {
    let then =
        Model::new(17).init("axes", &[1], &[1i64]).node("Squeeze", "x axes", "t").output("t", "");
    let other = Model::new(17).node("Identity", "x", "e").output("e", "");
    let model = Model::new(17).input("x", "f32[b, c, 4]").init("one", &[], &[1i64]);
    let model =
        model.node("Shape", "x", "s").node("Gather", "s one", "d").node("Equal", "d one", "is_one");
    model.node("If", "is_one", "y").attr("then_branch", then).attr("else_branch", other)
}

#[test]
fn ranges_decide_on_tests_of_sizes() {
    let dir = tempfile::tempdir().unwrap();
    let path = squeezed().output("y", "").write(dir.path());
    let output = onnx2plan().arg("--quiet").arg(&path).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let headline = "error: cannot import `If_y` (If, opset 17): a choice between results of rank \
                    2 and 3 is converted only \
                    where what decides on it is known at build time\n";
    assert!(output.status.code() == Some(4) && said.starts_with(headline), "{said}");
    assert!(said.ends_with("  hint: give it with `--dim c=…`\n"), "{said}");

    for (range, rank) in [("c=1", 2), ("c=2:4:8", 3), ("c=7", 3)] {
        let output = onnx2plan().args(["--quiet", "--dim", range]).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = fs::read(dir.path().join("model.plan.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(manifest["outputs"][0]["shape"].as_array().unwrap().len(), rank, "{range}");
    }
    let output = onnx2plan().args(["--quiet", "--dim", "c=1:4:8"]).arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn what_follows_decides_where_no_size_does() {
    let prepared = |model: &Model| {
        let caps = Caps::modern();
        pipeline::prepare(&model.read().unwrap(), &Fitted::standard(caps), caps)
    };
    let note = |what: &str| {
        format!("`If_y` (If, opset 17): its axis {what}: what follows fits nothing else")
    };
    // Gemm takes two axes, Conv here three.
    let flat =
        squeezed().init("w", &[4, 3], &[0.5f32; 12]).node("Gemm", "y w", "z").output("z", "");
    let flat = prepared(&flat).unwrap();
    assert!(flat.notes.contains(&note("is squeezed")), "{:?}", flat.notes);
    let deep =
        squeezed().init("w", &[1, 5, 1], &[0.5f32; 5]).node("Conv", "y w", "z").output("z", "");
    let deep = prepared(&deep).unwrap();
    assert!(deep.notes.contains(&note("is not squeezed")), "{:?}", deep.notes);
    // Here neither fits.
    let none = squeezed().init("w", &[2, 2], &[0.5f32; 4]).node("Gemm", "y w", "z").output("z", "");
    let error = prepared(&none).unwrap_err().to_string();
    assert!(error.contains("a choice between results of rank 2 and 3"), "{error}");
}

/// What an exporter wrote down as a number is the only size at which the model runs.
#[test]
fn sizes_that_an_exporter_baked_in_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::new(17).input("x", "f32[batch, seq, 4]").weights("positions", &[16, 4]);
    let path = model.node("Add", "x positions", "y").named("add").output("y", "").write(dir.path());
    let output = onnx2plan().arg("--quiet").arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let manifest: Value =
        serde_json::from_slice(&fs::read(dir.path().join("model.plan.json")).unwrap()).unwrap();
    assert_eq!(manifest["notes"][1], json!("guessed: input `x`, axis 1 (seq): 16"));
    let output = onnx2plan().args(["--quiet", "--dim", "seq=1:8:16"]).arg(&path).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = "works only at seq = 16: it is a constant in the model; export it with dynamic \
                    sizes (`add` (Add, opset 17))";
    assert!(output.status.code() == Some(2) && said.contains(expected), "{said}");
}

#[test]
fn a_part_has_the_inputs_and_outputs_that_were_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = model().write(dir.path());
    let inspect = |arguments: &[&str]| {
        let output = without_tensorrt()
            .args(["inspect", "--json"])
            .args(arguments)
            .arg(&path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let names = |of: &str| {
            json[of].as_array().unwrap().iter().map(|one| one["name"].clone()).collect::<Vec<_>>()
        };
        let nodes = json["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["operator"].clone())
            .collect::<Vec<_>>();
        json!([names("inputs"), nodes, names("outputs")])
    };
    assert_eq!(inspect(&["--to", "r"]), json!([["x"], ["Conv", "Relu"], ["r"]]));
    assert_eq!(
        inspect(&["--from", "c", "--to", "cut"]),
        json!([["c", "sizes"], ["Relu", "Slice"], ["cut"]])
    );
    assert_eq!(inspect(&["--outputs", "c"]), json!([["x"], ["Conv"], ["c"]]));
}

/// Axes without a name are called after the input: `c.2`.
#[test]
fn a_part_is_verified_as_a_model_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = model().write(dir.path());
    let mut command = without_tensorrt();
    command.env("ORT_DYLIB_PATH", onnx_runtime()).args([
        "verify",
        "--on",
        "cpu",
        "--quiet",
        "--json",
        "--strict-profiles",
    ]);
    command.args(["--seed", "0"]);
    let sizes = ["--dim", "N=2", "--dim", "c.2=1:4:9", "--dim", "c.3=3"];
    let sizes_of_slice = ["--min", "sizes=1,1", "--opt", "sizes=2,3", "--max", "sizes=4,4"];
    let output = command
        .args(["--from", "c", "--to", "cut"])
        .args(sizes)
        .args(sizes_of_slice)
        .arg(&path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    let shapes: Vec<&Value> = outcome["verifications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["outputs"][0]["actual"])
        .collect();
    assert_eq!(
        shapes,
        ["f32[2, 4, 2, 3]", "f32[2, 4, 1, 1]", "f32[2, 4, 4, 3]", "f32[2, 4, 2, 3]"]
    );
}

#[test]
fn a_report_shows_every_profile() {
    let dir = tempfile::tempdir().unwrap();
    let path = model().write(dir.path());
    let mut command = without_tensorrt();
    command
        .env("ORT_DYLIB_PATH", onnx_runtime())
        .args(["verify", "--on", "cpu", "--quiet", "--seed", "0"]);
    command.args([
        "--dim",
        "N=1",
        "--dim",
        "W=8",
        "--min",
        "sizes=1,1",
        "--opt",
        "sizes=2,3",
        "--max",
        "sizes=4,4",
    ]);
    command.args(["--profile", "--dim", "H=8", "--profile", "--dim", "H=16:16:32"]);
    let output = command.arg("--report").arg(dir.path()).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value =
        serde_json::from_slice(&fs::read(dir.path().join("report.json")).unwrap()).unwrap();
    let (low, high) = (
        json!([[1, 3, 8, 8], [1, 3, 8, 8], [1, 3, 8, 8]]),
        json!([[1, 3, 16, 8], [1, 3, 16, 8], [1, 3, 32, 8]]),
    );
    let values = json!([[1, 1], [2, 3], [4, 4]]);
    let ranges = |at: usize| {
        ["profile", "profiles", "values"].map(|field| report["inputs"][at][field].clone())
    };
    assert_eq!(ranges(0), [low.clone(), json!([low, high]), json!([])]);
    assert_eq!(ranges(1), [Value::Null, json!([]), json!([values, values])]);
    let labels: Vec<&Value> =
        report["runs"].as_array().unwrap().iter().map(|run| &run["label"]).collect();
    let wanted =
        [(0, "opt"), (0, "min"), (0, "max"), (1, "opt"), (1, "min"), (1, "max"), (1, "between")];
    assert_eq!(
        labels,
        wanted
            .map(|(profile, what)| format!("profile {profile}, {what}, seed 0"))
            .iter()
            .collect::<Vec<_>>()
    );
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    let shown = "1: values <code>[1, 1]</code> · <code>[2, 3]</code> · <code>[4, 4]</code></td>";
    assert!(page.contains("<br>1: <code>[1, 3, 16, 8]</code>") && page.contains(shown));
}

/// Nothing is said of sizes within branches, so that a guess may be one at which the model cannot
/// run.
#[test]
fn guesses_that_the_reference_refuses_are_moved() {
    let windowed = |window: i64| {
        let branch = |maps: i64| {
            Model::new(17)
                .weights("w", &[maps, 1, window])
                .node("Conv", "x w", "c")
                .attr("strides", [4])
                .node("ReduceMax", "c", "most")
                .attr("keepdims", 0)
                .output("most", "")
        };
        Model::new(17)
            .input("choice", "bool[]")
            .input("x", "f32[1, 1, L]")
            .node("If", "choice", "y")
            .attr("then_branch", branch(1))
            .attr("else_branch", branch(2))
            .output("y", "")
    };
    let dir = tempfile::tempdir().unwrap();
    let verify = |window: i64| {
        let mut command = without_tensorrt();
        command
            .env("ORT_DYLIB_PATH", onnx_runtime())
            .args(["verify", "--on", "cpu", "--json", "--quiet"]);
        command.args(["--seed", "0"]).arg(windowed(window).write(dir.path())).output().unwrap()
    };
    let output = verify(100);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    let runs = outcome["verifications"].as_array().unwrap();
    let agree = runs.iter().all(|run| run["agrees"] == json!(true));
    let references: Vec<&str> = runs.iter().filter_map(|run| run["reference"].as_str()).collect();
    // The first multiples of the stride, and of twice as much again and again, that the windows fit
    // into.
    let wanted =
        ["opt, moved [[], [1, 1, 128]]", "min, moved [[], [1, 1, 128]]", "max [[], [1, 1, 256]]"];
    let wanted = [&wanted[..], &["between, moved [[], [1, 1, 100]]"]].concat();
    assert!(agree, "{outcome}");
    assert_eq!(
        references,
        wanted.iter().map(|at| format!("ONNX Runtime, seed 0, {at}")).collect::<Vec<_>>()
    );

    let output = verify(300);
    let said = String::from_utf8_lossy(&output.stderr);
    let tried = "tried for input `x`: [[1, 1, 64], [1, 1, 128], [1, 1, 256]]";
    assert!(
        !output.status.success() && said.contains(tried) && said.contains("with `--dim`"),
        "{said}"
    );
}
