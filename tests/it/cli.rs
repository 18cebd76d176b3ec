//! The commands as users run them.

use crate::records::{Records, check_file};
use crate::support::{Model, tensor};
use crate::tensorrt::{cache, onnx_runtime, onnx2plan, set_up, without_tensorrt};
use crate::{python, records};
use onnx2plan::provision::TENSORRT_RTX;
use prost::Message;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The sample model, in a folder of its own.
fn digits() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("digits.onnx");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/digits/model.onnx"), &model)
        .unwrap();
    (dir, model)
}

/// Runs a command that succeeds.
fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?} ends with {}: {}",
        output.status,
        text(&output.stderr)
    );
    output
}

/// Runs a command that fails; gives its exit code and what it says.
fn fail(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    assert_eq!(text(&output.stdout), "", "{command:?}");
    (output.status.code().unwrap(), text(&output.stderr))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", text(bytes)))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Name, size and hash of a file, as the manifest says it.
fn description(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap();
    let hash = Sha256::digest(&bytes);
    let sha256 = hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    json!({ "name": path.file_name().unwrap().to_str(), "bytes": bytes.len(), "sha256": sha256 })
}

/// An input or output without a profile, as the manifest has it.
fn fixed(name: &str, shape: &[&str]) -> Value {
    json!({
        "name": name, "dtype": "f32", "shape": shape,
        "profile": null, "profiles": [], "values": [],
    })
}

fn names(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_conversion_says_what_happened() {
    let (dir, model) = digits();
    let plan = dir.path().join("for-two.plan");
    let arguments = [
        "--json",
        "--quiet",
        "--target",
        "sm89,sm120",
        "--max",
        "image:32x1x8x8",
        "--opt",
        "image:4x1x8x8",
    ];
    let output = succeed(onnx2plan().args(arguments).arg("-o").args([&plan, &model]));
    assert_eq!(text(&output.stderr), "");

    let outcome = parse(&output.stdout);
    let manifest_path = dir.path().join("for-two.plan.json");
    assert_eq!(outcome["plan"], json!(plan));
    assert_eq!(outcome["manifest"], json!(manifest_path));
    assert_eq!(outcome["targets"], json!(["sm89", "sm120"]));
    assert_eq!(outcome["verification"], "not run");
    assert_eq!(outcome["guesses"], json!([]));
    assert_eq!(keys(&outcome["seconds"]), ["build", "import", "optimise", "write"]);
    for part in outcome["seconds"].as_object().unwrap().values() {
        assert!((0.0..60.0).contains(&part.as_f64().unwrap()), "{outcome}");
    }
    assert!(outcome["peak_rss_bytes"].as_u64().unwrap() > 1 << 20, "{outcome}");
    assert!(outcome["library"].as_str().unwrap().starts_with("TensorRT"), "{outcome}");

    let manifest = parse(&fs::read(&manifest_path).unwrap());
    assert_eq!(manifest["schema"], 3);
    assert_eq!(manifest["producer"], concat!("onnx2plan ", env!("CARGO_PKG_VERSION")));
    assert_eq!(manifest["model"], description(&model));
    assert_eq!(manifest["plan"], description(&plan));
    assert_eq!(manifest["plan"]["bytes"], outcome["plan_bytes"]);
    for field in ["library", "targets", "notes", "verification"] {
        assert_eq!(manifest[field], outcome[field], "{field}");
    }
    let image = json!({
        "name": "image",
        "dtype": "f32",
        "shape": ["batch", "1", "8", "8"],
        "profile": [[4, 1, 8, 8], [4, 1, 8, 8], [32, 1, 8, 8]],
        "profiles": [[[4, 1, 8, 8], [4, 1, 8, 8], [32, 1, 8, 8]]],
        "values": [],
    });
    assert_eq!(manifest["inputs"], json!([image]));
    assert_eq!(manifest["outputs"], json!([fixed("probabilities", &["batch", "10"])]));
    assert_eq!(
        manifest["layers"].as_array().unwrap().len(),
        outcome["layers"].as_u64().unwrap() as usize
    );
    let options = json!({
        "outputs": [], "from": [], "to": [], "freeze": [], "nms_fixed": null, "max_trip": null,
        "min": ["image:4x1x8x8"], "opt": ["image:4x1x8x8"], "max": ["image:32x1x8x8"],
        "dim": [], "shape": [], "profile": [], "strict_profiles": true, "rnn": "loop",
        "without_passes": [], "targets": ["sm89", "sm120"], "tf32": true,
        "optimization_level": null, "workspace": null, "precision": "f32", "keep": [],
        "quantize": [], "calibration": "mse", "io_precision": null, "within": null, "budget": null, "ranges": { "batch": [4, 32] }, "frozen": [],
    });
    assert_eq!(manifest["options"], options);

    let left: BTreeSet<_> =
        ["digits.onnx", "for-two.plan", "for-two.plan.json"].map(str::to_owned).into();
    assert_eq!(names(dir.path()), left);
}

#[test]
fn without_options_the_plan_lies_beside_the_model() {
    let (dir, model) = digits();
    let output = succeed(onnx2plan().arg(&model));
    let plan = dir.path().join("digits.plan");
    assert_eq!(text(&output.stdout), format!("{}\n", plan.display()));
    assert!(fs::read(&plan).unwrap().starts_with(b"vtrt"));
    let said = text(&output.stderr);
    assert!(
        said.contains("note  guessed: input `image`, axis 0 (batch): 1 to 8, optimized for 1\n"),
        "{said}"
    );
    assert!(
        said.contains("warning  the plan was not run, and no numbers were compared: "),
        "{said}"
    );
    assert!(!said.contains('\u{1b}'), "color where there is no terminal: {said}");
    let manifest = parse(&fs::read(dir.path().join("digits.plan.json")).unwrap());
    assert_eq!(
        manifest["notes"],
        json!(["guessed: input `image`, axis 0 (batch): 1 to 8, optimized for 1"])
    );

    // A second run replaces both files.
    succeed(
        onnx2plan()
            .args(["--no-tf32", "--without-pass", "dedupe", "--optimization-level", "2"])
            .arg(&model),
    );
    let manifest = parse(&fs::read(dir.path().join("digits.plan.json")).unwrap());
    let options = &manifest["options"];
    assert_eq!((&options["tf32"], &options["optimization_level"]), (&json!(false), &json!(2)));
    assert_eq!(options["without_passes"], json!(["dedupe"]));
    assert_eq!(manifest["plan"], description(&plan));
}

#[test]
fn usage_errors_are_as_recorded() {
    let mut records = Records::new("cli");
    let cases: [(&str, &[&str]); 13] = [
        ("usage-target", &["--target", "ampere"]),
        ("usage-overwrite", &["--output", "MODEL"]),
        ("usage-option", &["--fast"]),
        ("usage-shape", &["--min", "image:1xa"]),
        ("usage-input", &["--max", "images:1x1x8x8"]),
        ("usage-contradiction", &["--min", "image:4x1x8x8", "--max", "image:2x1x8x8"]),
        ("usage-fixed-size", &["--opt", "image:1x3x8x8"]),
        ("usage-pass", &["--without-pass", "luck"]),
        ("usage-rnn", &["--rnn", "layer"]),
        ("usage-word", &["--saveEngine=digits.plan"]),
        ("usage-elsewhere", &["--by-layer"]),
        ("usage-node", &["--from", "Relu_33"]),
        ("usage-twice", &["MODEL"]),
    ];
    let (dir, model) = digits();
    let (dir, model) = (dir.path().display().to_string(), model.display().to_string());
    for (name, arguments) in cases {
        let arguments = arguments.iter().map(|argument| argument.replace("MODEL", &model));
        let (code, said) = fail(onnx2plan().arg("--quiet").args(arguments).arg(&model));
        records.check(
            &format!("{name}.txt"),
            &format!("exit code {code}\n\n{}", said.replace(&dir, "DIR")),
        );
    }
    assert_eq!(names(Path::new(&dir)), BTreeSet::from(["digits.onnx".to_owned()]));
    inspections(&mut records, &dir);
    records.finish();
}

#[test]
fn options_of_every_command_stand_on_either_side_of_it() {
    let missing = ["inspect", "/nonexistent.onnx"];
    let json: &[&str] = &["--error-format", "json"];
    let before = fail(without_tensorrt().arg("--quiet").args(json).args(missing));
    let behind = fail(without_tensorrt().args(missing).arg("--quiet").args(json));
    assert_eq!(before, behind);
    assert!(
        before.1.starts_with("{\"kind\":") || before.1.starts_with("{\"causes\":"),
        "{}",
        before.1
    );

    let (code, said) = fail(without_tensorrt().args(["--json", "ops"]));
    assert_eq!(code, 2);
    assert!(
        said.starts_with(
            "error: `--json` is an option for converting a model; options of `ops` go after it\n"
        ),
        "{said}"
    );
    let (code, said) = fail(without_tensorrt().args(["model.onnx", "ops"]));
    assert_eq!(code, 2);
    assert_eq!(said, "error: `ops` is a command: it goes in front of the models\n");
}

#[test]
fn several_models_become_plans_until_one_fails() {
    let (dir, model) = digits();
    let (second, missing) = (dir.path().join("second.onnx"), dir.path().join("missing.onnx"));
    fs::copy(&model, &second).unwrap();
    let out = dir.path().join("out");
    let mut command = onnx2plan();
    command.args(["convert", "--json", "--quiet", "-o"]).args([&out, &model, &second]);
    let done = parse(&succeed(&mut command).stdout);
    assert_eq!(done[0]["plan"], json!(out.join("digits.plan")));
    assert_eq!(done[1]["plan"], json!(out.join("second.plan")));
    assert_eq!(names(&out).len(), 4);

    let output = onnx2plan().arg("-q").args([&second, &missing, &model]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), format!("{}\n", dir.path().join("second.plan").display()));
    let said = text(&output.stderr);
    assert!(
        said.ends_with("\n  1 model not tried; `onnx2plan zoo` goes on after a failure\n"),
        "{said}"
    );
    assert!(!dir.path().join("digits.plan").exists());
}

#[test]
fn a_folder_leads_to_the_zoo_and_a_mistyped_command_to_the_right_one() {
    let dir = tempfile::tempdir().unwrap();
    let shown = dir.path().display();
    for command in [&[][..], &["convert"], &["inspect"], &["verify"]] {
        let (code, said) = fail(without_tensorrt().args(command).arg(dir.path()));
        let expected = format!(
            "error: `{shown}` is a folder, not a model\n\nhint: `onnx2plan zoo {shown}` takes every \
             model in it\n"
        );
        assert_eq!((code, said), (2, expected));
    }
    for line in [&["zooo", "models", "--on", "cpu"][..], &["zooo"], &["-q", "zooo", "models"]] {
        let (code, said) = fail(without_tensorrt().args(line));
        let expected = "error: there is no command `zooo`, and no such file: say `zoo`\n";
        assert_eq!((code, said.as_str()), (2, expected));
    }
    let json = ["--error-format", "json"];
    let (code, said) = fail(without_tensorrt().args(["model.onnx", "--saveEngine=x"]).args(json));
    let error = parse(said.as_bytes());
    assert_eq!((code, &error["kind"]), (2, &json!("usage")));
    assert_eq!(error["message"], "`--saveEngine` is a word of trtexec: say `--output FILE`");
}

#[test]
fn a_plan_is_inspected_and_compared_by_its_manifest() {
    let (dir, model) = digits();
    let plans = ["one.plan", "two.plan"].map(|name| dir.path().join(name));
    for (plan, options) in plans.iter().zip([&["--dim", "batch=4"][..], &["--no-tf32"]]) {
        succeed(
            onnx2plan().args(["-q", "--target", "sm89", "-o"]).args([plan, &model]).args(options),
        );
    }
    let shown = text(&succeed(without_tensorrt().arg("inspect").arg(&plans[1])).stdout);
    for line in [
        "   built for  sm89\n",
        " --rnn loop --strict-profiles --target sm89 --no-tf32\n",
        "     numbers  unknown: the plan was not run\n",
        "       input  image  f32[batch, 1, 8, 8]\n              from 1x1x8x8 to 8x1x8x8, optimized \
         for 1x1x8x8\n",
        "\n14 layers\n",
    ] {
        assert!(shown.contains(line), "{line}in\n{shown}");
    }
    let json =
        parse(&succeed(without_tensorrt().args(["inspect", "--json"]).arg(&plans[0])).stdout);
    assert_eq!(json["model"]["name"], "digits.onnx");

    let diff = |more: &[&str]| {
        text(&succeed(without_tensorrt().arg("diff").args(&plans).args(more)).stdout)
    };
    let shown = diff(&[]);
    assert!(
        shown.contains("input `image`\n  - f32[4, 1, 8, 8]\n  + f32[batch, 1, 8, 8] "),
        "{shown}"
    );
    assert!(shown.contains("\noptions\n  - --"), "{shown}");
    assert!(!shown.contains("built for"), "{shown}");
    let json = parse(diff(&["--json"]).as_bytes());
    let alike = json["layers_alike"].as_u64().unwrap();
    let lists =
        ["only_before", "only_after"].map(|list| json[list].as_array().unwrap().len() as u64);
    assert_eq!(lists.map(|only| only + alike), [14, 14], "{json}");

    fs::write(&plans[0], "another").unwrap();
    let (code, said) = fail(without_tensorrt().arg("inspect").arg(&plans[0]));
    assert_eq!(code, 2);
    assert!(said.contains("one.plan` is not the plan that the manifest describes"), "{said}");
    let (code, said) = fail(without_tensorrt().args(["inspect", "--layers"]).arg(&plans[1]));
    assert!((code, said.contains("a plan is shown whole")) == (2, true), "{said}");
}

#[test]
fn color_follows_the_command_line() {
    let colored = |line: &[&str]| fail(without_tensorrt().args(line)).1.contains('\u{1b}');
    assert!(colored(&["--color", "always", "missing.onnx"]));
    assert!(colored(&["--color=always", "missing.onnx", "--fast"]), "errors about the line, too");
    assert!(!colored(&["missing.onnx"]), "no terminal");
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let dir = tempfile::tempdir().unwrap();
    succeed(without_tensorrt().args(["man", "--output"]).arg(dir.path()));
    let pages = names(dir.path());
    for page in ["onnx2plan.1", "onnx2plan-zoo.1", "onnx2plan-report-merge.1"] {
        assert!(pages.contains(page), "{pages:?}");
    }
    assert!(!pages.iter().any(|page| page.contains("worker")), "{pages:?}");
    let first = text(&succeed(without_tensorrt().arg("man")).stdout);
    assert!(first.contains(".SH NAME\nonnx2plan "), "{first}");
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&succeed(without_tensorrt().args(["completions", shell])).stdout);
        assert!(script.contains("strict-profiles"), "{shell}");
    }
}

#[test]
fn a_plan_that_cannot_be_written_is_an_error() {
    let (_dir, model) = digits();
    let plan = model.join("x.plan");
    let (code, said) = fail(onnx2plan().arg("--quiet").arg("-o").args([&plan, &model]));
    assert_eq!(code, 6);
    assert!(said.starts_with(&format!("error: cannot write `{}`\n", plan.display())), "{said}");
    assert!(said.contains("cause: "), "{said}");
}

/// What `inspect` shows of a model, and of one that cannot be converted.
fn inspections(records: &mut Records, dir: &str) {
    let unsupported = Model::new(17)
        .input("x", "f32[N, 3]")
        .node("Foo", "x", "foo")
        .node("Relu", "x", "y")
        .output("foo", "")
        .output("y", "f32[N, 3]")
        .write(Path::new(dir));
    let inspect = |model: &Path, code: i32| {
        let output = without_tensorrt().arg("inspect").arg(model).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        text(&output.stdout).replace(dir, "DIR")
    };
    records.check("inspect-digits.txt", &inspect(&Path::new(dir).join("digits.onnx"), 0));
    records.check("inspect-unsupported.txt", &inspect(&unsupported, 4));
    let (code, said) = fail(without_tensorrt().args(["inspect", "--layers"]).arg(&unsupported));
    assert_eq!(code, 4);
    assert!(
        said.starts_with(
            "error: cannot import `Foo_foo` (Foo, opset 17): this operator is not supported"
        ),
        "{said}"
    );
}

#[test]
fn inspect_answers_as_json_and_as_layers() {
    let (_dir, model) = digits();
    let json = parse(&succeed(without_tensorrt().args(["inspect", "--json"]).arg(&model)).stdout);
    assert_eq!(json["opsets"], json!({ "": 17 }));
    assert_eq!(json["inputs"], json!([{ "name": "image", "type": "f32[batch, 1, 8, 8]" }]));
    assert_eq!(json["operators"]["Conv"], 3);
    assert_eq!(
        json["nodes"][0],
        json!({ "node": "Conv_1", "operator": "Conv", "layers": ["Convolution"] })
    );
    assert_eq!(json["problems"], json!([]));

    let layers =
        text(&succeed(without_tensorrt().args(["inspect", "--layers"]).arg(&model)).stdout);
    assert!(
        layers.starts_with("in  %0 \"image\": f32[batch, 1, 8, 8]\n%1: f32[batch, "),
        "{layers}"
    );
    assert!(
        layers.ends_with(&format!("out \"probabilities\" = %{}\n", layers.lines().count() - 2)),
        "{layers}"
    );
}

#[test]
fn verify_compares_with_the_data_beside_the_model() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/digits");
    let verify = || {
        let mut command = without_tensorrt();
        command.args(["verify", "--on", "cpu", "--quiet", "--json"]);
        command
    };
    let outcome = parse(&succeed(verify().arg(folder.join("model.onnx"))).stdout);
    assert_eq!(outcome["agrees"], true);
    assert_eq!(outcome["note"], "evaluated on the CPU: the plan itself was not run");
    assert_eq!(outcome["verifications"][0]["outputs"][0]["statistics"]["elements"], 40);

    // Outputs that say nothing of the images: the program has to notice.
    let data = tempfile::tempdir().unwrap();
    fs::copy(folder.join("test_data_set_0/input_0.pb"), data.path().join("input_0.pb")).unwrap();
    fs::write(data.path().join("output_0.pb"), tensor(&[4, 10], &[0.1f32; 40]).encode_to_vec())
        .unwrap();
    let output =
        verify().arg("--data").args([data.path(), &folder.join("model.onnx")]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(parse(&output.stdout)["agrees"], false);
}

#[test]
fn verify_judges_within_the_tolerance_that_is_given() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/digits/model.onnx");
    let judged = |options: &[&str]| {
        let mut command = without_tensorrt();
        command.args(["verify", "--on", "cpu", "--quiet", "--json"]).args(options);
        let output = command.arg(&model).output().unwrap();
        let parsed = (output.status.code() != Some(2)).then(|| parse(&output.stdout));
        (output.status.code(), parsed.map(|it| it["verdict"].clone()), text(&output.stderr))
    };
    let is = |verdict: &str| Some(Value::from(verdict));
    let (code, verdict, _) = judged(&["--atol", "1e-4", "--rtol", "1e-3"]);
    assert_eq!((code, verdict), (Some(0), is("agrees")));
    let (code, verdict, _) = judged(&["--rtol", "1e-12"]);
    assert_eq!((code, verdict), (Some(1), is("differs")));
    // Within 100, every image would agree with the numbers of any other.
    let (code, verdict, said) = judged(&["--atol", "100"]);
    assert_eq!((code, verdict), (Some(8), is("vacuous")), "{said}");
    let (code, _, said) = judged(&["--atol=-1"]);
    assert!(code == Some(2) && said.contains("it is a number from 0 on, such as 1e-3"), "{said}");

    // Of one output, or by what is measured of it.
    for (options, code) in [
        (["--rtol", "probabilities:1e-12"], 1),
        (["--rtol", "probabilities:1e-3"], 0),
        (["--metric", "snr=60"], 0),
        (["--metric", "probabilities:snr=300"], 1),
    ] {
        assert_eq!(judged(&options).0, Some(code), "{options:?}");
    }
    let (_, _, said) = judged(&["--metric", "probabilities:snr=300"]);
    assert!(said.contains("`probabilities` f32[4, 10]: snr 1"), "{said}");
    assert!(said.contains(" (at least 300)\n"), "{said}");
    for (options, says) in [
        (
            vec!["--metric", "probs:top1=1"],
            "error: the limit `probs:top1=1` is for `probs`, and the model has no such output\n",
        ),
        (vec!["--atol", "1", "--atol", "2"], "error: `--atol` says atol of all outputs twice\n"),
        (
            vec!["--metric", "y:snr=1", "--metric", "y:snr=2"],
            "error: `--metric` says snr of output `y` twice\n",
        ),
    ] {
        let (code, _, said) = judged(&options);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.starts_with(says), "{said}");
    }
}

#[test]
fn verify_compares_inside_the_model_where_asked() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/digits/model.onnx");
    let report = tempfile::tempdir().unwrap();
    let mut command = without_tensorrt();
    command
        .args(["verify", "--on", "cpu", "--quiet", "--by-layer"])
        .arg(&model)
        .arg("--report")
        .arg(report.path());
    let said = text(&succeed(command.env("ORT_DYLIB_PATH", onnx_runtime())).stdout);
    assert!(
        said.contains(
            " agrees  Conv_3                Conv                f32[4, 32, 4, 4]  0 of 2048"
        ),
        "{said}"
    );
    let traced = &parse(&fs::read(report.path().join("report.json")).unwrap())["error_by_layer"];
    let nodes = traced["layers"].as_array().unwrap();
    assert_eq!((&traced["run"], nodes.len()), (&json!("test_data_set_0"), 14));
    let [normalized, last] =
        [&nodes[1], &nodes[13]].map(|node| [&node["layer"], &node["node"], &node["op"]]);
    assert_eq!(normalized, ["Conv_1", "BatchNormalization_1", "BatchNormalization"]);
    assert_eq!(last, ["Softmax", "Softmax", "Softmax"]);
    assert!(nodes.iter().all(|node| node["agrees"] == true));
    let html = fs::read_to_string(report.path().join("report.html")).unwrap();
    assert!(html.contains("Error by layer"));
}

/// Without ONNX Runtime nodes cannot be compared: an error of its own, unless the outputs say
/// worse.
#[test]
fn what_stops_the_comparison_of_nodes_hides_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/digits");
    let verify = |more: &[&OsStr]| {
        let mut command = without_tensorrt();
        command
            .args(["verify", "--on", "cpu", "--quiet", "--by-layer"])
            .args(more)
            .arg(folder.join("model.onnx"));
        let output = command.output().unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, table, said) = verify(&[]);
    assert_eq!(code, Some(6), "{said}");
    assert!(table.contains(" agrees  probabilities"), "{table}");

    let data = tempfile::tempdir().unwrap();
    fs::copy(folder.join("test_data_set_0/input_0.pb"), data.path().join("input_0.pb")).unwrap();
    fs::write(data.path().join("output_0.pb"), tensor(&[4, 10], &[0.1f32; 40]).encode_to_vec())
        .unwrap();
    let (code, table, said) = verify(&["--data".as_ref(), data.path().as_os_str()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(table.contains(" DIFFERS  probabilities"), "{table}");
    let untraced = "\n  the nodes were not compared: there is no reference: no test data, and no \
                    ONNX Runtime\n";
    assert!(said.contains(untraced), "{said}");
}

/// An archive of NumPy arrays.
fn archive(path: &Path, arrays: &str) {
    let script = format!("import sys, numpy as np; np.savez(sys.argv[1], {arrays})");
    succeed(Command::new(python::python()).args(["-c", &script]).arg(path));
}

fn subtraction(folder: &Path) -> PathBuf {
    let model = Model::new(17)
        .input("a", "f32[N, 3]")
        .input("b", "f64[3]")
        .node("Cast", "b", "c")
        .attr("to", 1);
    model.node("Sub", "a c", "y").output("y", "").write(folder)
}

#[test]
fn verify_takes_inputs_from_an_archive_of_arrays() {
    let dir = tempfile::tempdir().unwrap();
    let (model, inputs) = (subtraction(dir.path()), dir.path().join("inputs.npz"));
    // In Fortran's order, which must not matter.
    archive(
        &inputs,
        "a=np.arange(6, dtype=np.float32).reshape(3, 2).T, b=np.array([0.5, 1.0, 2.0])",
    );
    let mut command = without_tensorrt();
    command.args(["verify", "--on", "cpu", "--json", "--inputs"]).args([&inputs, &model]);
    let outcome = parse(&succeed(command.env("ORT_DYLIB_PATH", onnx_runtime())).stdout);
    assert_eq!((&outcome["agrees"], &outcome["fault"]), (&json!(true), &Value::Null));
    let output = &outcome["verifications"][0]["outputs"][0];
    assert_eq!(
        (&output["actual"], &output["statistics"]["elements"]),
        (&json!("f32[2, 3]"), &json!(6))
    );
    assert_eq!(output["statistics"]["max_absolute"], 0.0);
}

#[test]
fn an_archive_that_does_not_fit_is_a_usage_error() {
    let dir = tempfile::tempdir().unwrap();
    let (model, inputs) = (subtraction(dir.path()), dir.path().join("inputs.npz"));
    let shown = inputs.display();
    let cases = [
        (
            "a=np.zeros((2, 3), np.float32)",
            format!("`{shown}` has no array `b`\n  the inputs of the model are `a`, `b`"),
        ),
        (
            "a=np.zeros(3), c=np.zeros(3)",
            format!(
                "`{shown}` holds an array `c`, which is no input of the model\n  its inputs are \
                 `a`, `b`"
            ),
        ),
        (
            "a=np.zeros(3, np.complex64), b=np.zeros(3)",
            format!("cannot read array `a` of `{shown}`: elements of type <c8 are not supported"),
        ),
    ];
    for (arrays, expected) in cases {
        archive(&inputs, arrays);
        let (code, said) = fail(
            without_tensorrt()
                .args(["verify", "--quiet", "--on", "cpu", "--inputs"])
                .args([&inputs, &model]),
        );
        assert_eq!((code, said), (2, format!("error: {expected}\n")));
    }
    let (code, said) = fail(
        without_tensorrt()
            .args(["verify", "--quiet", "--on", "cpu", "--inputs"])
            .args([&model, &model]),
    );
    assert_eq!(code, 2);
    assert!(
        said.starts_with(&format!("error: `{}` is no archive of NumPy arrays\n", model.display())),
        "{said}"
    );
}

/// Data that is not what the model computes: the program says that the data is at fault, where it
/// can ask, and what it takes where it cannot.
#[test]
fn verify_says_where_numbers_go_wrong() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/digits");
    let data = tempfile::tempdir().unwrap();
    fs::copy(folder.join("test_data_set_0/input_0.pb"), data.path().join("input_0.pb")).unwrap();
    fs::write(data.path().join("output_0.pb"), tensor(&[4, 10], &[0.1f32; 40]).encode_to_vec())
        .unwrap();
    let verify = |command: &mut Command| {
        command
            .args(["verify", "--on", "cpu", "--quiet"])
            .arg("--data")
            .args([data.path(), &folder.join("model.onnx")]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    let said = verify(without_tensorrt().env("ORT_DYLIB_PATH", onnx_runtime()));
    assert!(
        said.contains(
            "\n  computed again, within the usual tolerance, the model agrees with ONNX Runtime: \
             what differs is the data set, or a first plan from a second\n"
        ),
        "{said}"
    );
    let said = verify(&mut without_tensorrt());
    let lacks = "the first wrong node was not looked for: that takes ONNX Runtime; `onnx2plan \
                 setup --reference` fetches it";
    assert!(said.contains(lacks), "{said}");
}

#[test]
fn a_frozen_input_is_no_input_of_the_plan() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::new(17)
        .input("x", "f32[1, 2]")
        .input("axes", "i64[1]")
        .node("Squeeze", "x axes", "y")
        .output("y", "")
        .write(dir.path());
    succeed(onnx2plan().args(["--quiet", "--freeze", "axes=[0]"]).arg(&model));
    let manifest = parse(&fs::read(dir.path().join("model.plan.json")).unwrap());
    assert_eq!(manifest["inputs"], json!([fixed("x", &["1", "2"])]));
    assert_eq!(manifest["outputs"][0]["shape"], json!(["2"]));
    assert_eq!(manifest["options"]["freeze"], json!(["axes=[0]"]));
}

#[test]
fn doubles_are_computed_in_f32_with_one_note() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::new(17)
        .input("x", "f64[2]")
        .init("c", &[2], &[0.5f64, 2.0])
        .node("Mul", "x c", "m")
        .node("Add", "m c", "y")
        .output("y", "f64[2]")
        .write(dir.path());
    let said = text(&succeed(onnx2plan().arg(&model)).stderr);
    assert_eq!(
        said.matches("note  f64 is computed in f32: TensorRT has no f64\n").count(),
        1,
        "{said}"
    );
}

#[test]
fn errors_can_be_had_as_json() {
    let dir = tempfile::tempdir().unwrap();
    let model =
        Model::new(17).input("x", "f32[2]").node("Foo", "x", "y").output("y", "").write(dir.path());
    let (code, said) = fail(onnx2plan().args(["--quiet", "--error-format", "json"]).arg(&model));
    let error = parse(said.as_bytes());
    assert_eq!((code, &error["exit_code"], &error["kind"]), (4, &json!(4), &json!("unsupported")));
    assert_eq!(error["model"], json!(model));
    assert_eq!(error["problems"][0]["site"]["name"], "Foo_y");
    assert_eq!(error["problems"][0]["message"], "this operator is not supported");
}

#[test]
fn the_list_of_operators_is_the_registry() {
    let table = text(&succeed(without_tensorrt().args(["ops", "--markdown"])).stdout);
    let header = "# Operators\n\nWritten by `onnx2plan ops --markdown`; opset ranges are those of ONNX, and\nmean nothing for operators of other domains, which have one version.\n\n";
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ops.md");
    if let Some(difference) = check_file(&document, &format!("{header}{table}")) {
        panic!("{difference}\n\n{}", records::HOW);
    }
    let rows = parse(&succeed(without_tensorrt().args(["ops", "--json"])).stdout);
    let gemm =
        rows["operators"].as_array().unwrap().iter().find(|row| row["operator"] == "Gemm").unwrap();
    assert_eq!(
        gemm["opsets"],
        json!([[1, 6], [7, 10], [11, onnx2plan::import::registry::NEWEST_OPSET]])
    );
    let unknown = json!({ "batch": "converts", "inner": "converts", "all": "converts" });
    assert_eq!(gemm["unknown_sizes"], unknown);
    let pool = rows["unsupported"]
        .as_array()
        .unwrap()
        .iter()
        .find(|lack| lack["operators"] == json!(["MaxRoiPool"]));
    assert_eq!(
        pool.unwrap()["cause"],
        "TensorRT has no layer for it; MaxPool and RoiAlign are converted"
    );
}

#[test]
fn doctor_says_what_would_be_used() {
    let json = parse(&succeed(onnx2plan().args(["doctor", "--json"])).stdout);
    let library = json["library"].as_str().unwrap();
    assert!(library.starts_with("TensorRT"), "{json}");
    assert_eq!(json["tried"][0]["source"], "ONNX2PLAN_TENSORRT");
    assert_eq!((&json["offline"], &json["cached"]), (&json!(true), &json!(false)));
    let shown = text(&succeed(onnx2plan().arg("doctor")).stdout);
    assert!(shown.contains(&format!("will use  {library}\n")), "{shown}");

    let empty = tempfile::tempdir().unwrap();
    let shown =
        text(&succeed(without_tensorrt().args(["doctor", "--tensorrt"]).arg(empty.path())).stdout);
    assert!(shown.contains("(--tensorrt): "), "{shown}");
    let verdict = "\nnot ready: the library that was named cannot be used\n";
    assert!(shown.contains(verdict), "{shown}");
}

#[test]
fn doctor_says_what_to_do_next() {
    let empty = tempfile::tempdir().unwrap();
    let next = |more: &[&str], reference: Option<&Path>| {
        let mut command = without_tensorrt();
        command.args(["doctor", "--json"]).args(more).env("ONNX2PLAN_CACHE", empty.path());
        if let Some(path) = reference {
            command.env("ORT_DYLIB_PATH", path).env("ONNX2PLAN_CACHE", cache());
        }
        let json = parse(&succeed(&mut command).stdout);
        assert!(json["disk_free_bytes"].as_u64().unwrap() > 0, "{json}");
        assert!(Path::new(json["python"].as_str().unwrap()).is_file(), "{json}");
        let verdict = json["verdict"].as_str().unwrap().split(':').next().unwrap().to_owned();
        (verdict, json["next"].as_str().unwrap().to_owned())
    };
    let said = |verdict: &str, next: &str| (verdict.to_owned(), next.to_owned());
    assert_eq!(
        next(&["--offline"], None),
        said("not ready", "onnx2plan setup --wheel FILE"),
        "nothing is there, and nothing may be fetched"
    );
    let (verdict, next) = next(&[], Some(&onnx_runtime()));
    assert!(verdict.starts_with("ready"), "{verdict}: {next}");
}

#[test]
fn setup_finds_what_is_in_the_cache() {
    let folder = set_up().unwrap();
    assert!(
        folder.starts_with(cache()) && folder.join("libtensorrt_rtx.so.1").is_file(),
        "{}",
        folder.display()
    );
    let output = succeed(without_tensorrt().arg("setup").env("ONNX2PLAN_CACHE", cache()));
    assert_eq!(text(&output.stdout), format!("{}\n", folder.display()));
    let json = parse(
        &succeed(without_tensorrt().args(["doctor", "--json"]).env("ONNX2PLAN_CACHE", cache()))
            .stdout,
    );
    assert_eq!(json["cached"], true);
}

/// A library whose bytes are not those that were unpacked is not loaded, and a doctor says so.
#[test]
fn a_damaged_library_is_not_loaded() {
    let home = tempfile::tempdir().unwrap();
    let whole = set_up().unwrap();
    let folder = home.path().join(whole.file_name().unwrap());
    std::fs::create_dir(&folder).unwrap();
    for entry in std::fs::read_dir(&whole).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let run = |word: &str| {
        let mut command = without_tensorrt();
        command.arg(word).env("ONNX2PLAN_CACHE", home.path()).env("ONNX2PLAN_PYTHON", "none");
        command
    };
    let shown = text(&succeed(&mut run("doctor")).stdout);
    assert!(shown.contains("in the cache, verified") && !shown.contains("damaged"), "{shown}");
    let library = std::fs::File::options().write(true).open(folder.join("libtensorrt_rtx.so.1"));
    std::os::unix::fs::FileExt::write_at(&library.unwrap(), b"damage", 1 << 20).unwrap();
    let shown = text(&succeed(&mut run("doctor")).stdout);
    let line = "damaged  TensorRT-RTX in the cache; it is not loaded, but fetched anew\n";
    assert!(shown.contains(line) && shown.contains("not ready"), "{shown}");
    let (_dir, model) = digits();
    let (code, said) = fail(run("-q").arg(model));
    assert!(code == 6 && said.contains("downloading is switched off"), "{said}");
}

#[test]
fn offline_with_an_empty_cache_says_what_to_do_by_hand() {
    let empty = tempfile::tempdir().unwrap();
    let (code, said) =
        fail(without_tensorrt().args(["setup", "--offline"]).env("ONNX2PLAN_CACHE", empty.path()));
    let package = TENSORRT_RTX;
    let (name, version, dir) = (package.name, package.version, empty.path().display());
    let expected = format!(
        "error: cannot set up TensorRT-RTX {version}: it is not in `{dir}`, and downloading is \
         switched off \
         (`--offline` or ONNX2PLAN_OFFLINE)\n\nhint: download it yourself with `python3 -m pip \
         download --no-deps {} \
         {name}=={version}`, then run `onnx2plan setup --wheel FILE`\n",
        package.select.join(" ")
    );
    assert_eq!((code, said), (6, expected));
}

#[test]
fn a_library_that_was_asked_for_and_is_none_is_an_error() {
    let (dir, model) = digits();
    let (code, said) = fail(without_tensorrt().arg("--tensorrt").args([dir.path(), &model]));
    assert_eq!(code, 6);
    assert!(said.contains("holds no libtensorrt_rtx.so or libnvinfer.so"), "{said}");
    assert_eq!(names(dir.path()), BTreeSet::from(["digits.onnx".to_owned()]));
}

#[test]
fn an_interrupted_build_leaves_nothing_behind() {
    let model = python::onnx_data().join("light/light_densenet121.onnx");
    let dir = tempfile::tempdir().unwrap();
    let plan = dir.path().join("x.plan");
    let mut child =
        onnx2plan().arg(&model).arg("-o").arg(&plan).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    // TensorRT's part of the work begins when the import is done, and takes seconds.
    assert!(said.any(|line| line.trim_start().starts_with("import ")));
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(names(dir.path()).len(), 1, "no temporary file, so the build has not begun");
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let said: Vec<_> = said.collect();
    assert!(said.iter().any(|line| line == "error: the build was stopped"), "{said:?}");
    assert_eq!(names(dir.path()), BTreeSet::new());
}

/// Asked to stop, a command that waits for what does not answer, here an interpreter, ends all the
/// same.
#[test]
fn a_command_that_cannot_stop_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let (program, asked) = (dir.path().join("python3"), dir.path().join("asked"));
    // Written by a child, for what a sibling test's child holds open for writing cannot be
    // executed.
    let write = r#"printf '#!/bin/sh\necho > "%s"; exec sleep 60' "$1" > "$0" && chmod +x "$0""#;
    assert!(
        Command::new("sh").args(["-c", write]).args([&program, &asked]).status().unwrap().success()
    );
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    // A zoo waits for its workers, but not before they are at work.
    for words in [&["doctor"][..], &["zoo", ".", "--on", "cpu", "--no-cache"]] {
        let mut command = without_tensorrt();
        command
            .args(words)
            .args(["--error-format", "json"])
            .env("PATH", &path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        while !asked.exists() {
            assert!(child.try_wait().unwrap().is_none(), "the interpreter was not asked");
            std::thread::sleep(Duration::from_millis(20));
        }
        let start = Instant::now();
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let said: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!((output.status.code(), &said["message"]), (Some(130), &"interrupted".into()));
        assert!((1..20).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        std::fs::remove_file(&asked).unwrap();
    }
}
