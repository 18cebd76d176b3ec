//! `onnx2plan report`: the reports of shards joined, and two reports compared.

use crate::records::Records;
use crate::support::Model;
use crate::tensorrt::{onnx2plan, without_tensorrt};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Runs the zoo of a few of our models.
fn zoo(report: &Path, shard: Option<&str>) {
    let mut command = onnx2plan();
    command.current_dir(root()).args([
        "zoo",
        "models",
        "--on",
        "cpu",
        "--quiet",
        "--include",
        "{digits,layers/convolution*}",
    ]);
    command
        .arg("--report")
        .arg(report)
        .args(shard.map(|shard| ["--shard", shard]).into_iter().flatten());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn merge(parts: &[PathBuf], to: &Path, arguments: &[&str]) -> Output {
    let mut command = without_tensorrt();
    command
        .args(["report", "merge", "--quiet"])
        .args(arguments)
        .args(parts)
        .arg("-o")
        .arg(to)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// All files below a folder, by their paths in it.
fn files(folder: &Path, below: &Path, out: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, below, out);
        } else {
            out.insert(path.strip_prefix(below).unwrap().into());
        }
    }
}

/// Takes away what no two runs share.
fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| {
                !["seconds", "peak_rss_bytes", "shards"].contains(&name.as_str())
            });
            fields.values_mut().for_each(strip);
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}

fn stripped(path: &Path) -> Value {
    let mut value = json_of(path);
    strip(&mut value);
    value
}

/// A text without the times in it.
fn timeless(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let parts = text.split(" time=\"").enumerate();
    parts.map(|(at, part)| if at == 0 { part } else { part.split_once('"').unwrap().1 }).collect()
}

#[test]
fn joined_shards_are_the_report_of_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let [whole, joined] = ["whole", "joined"].map(|name| dir.path().join(name));
    zoo(&whole, None);
    let shards = ["1/3", "2/3", "3/3"];
    let parts: Vec<PathBuf> = shards.iter().map(|shard| dir.path().join(&shard[..1])).collect();
    parts.iter().zip(shards).for_each(|(part, shard)| zoo(part, Some(shard)));

    let output = merge(&parts, &joined, &[]);
    assert!(output.status.success(), "{}", said(&output));
    let [mut of_whole, mut of_joined] = [BTreeSet::new(), BTreeSet::new()];
    files(&whole, &whole, &mut of_whole);
    files(&joined, &joined, &mut of_joined);
    assert_eq!(of_joined, of_whole);
    let shard = |index: usize| json!({ "index": index, "count": 3 });
    assert_eq!(
        json_of(&joined.join("report.json"))["shards"],
        json!([shard(1), shard(2), shard(3)])
    );
    for file in of_whole
        .iter()
        .filter(|file| file.extension().is_some_and(|end| end == "json" || end == "sarif"))
    {
        assert_eq!(stripped(&joined.join(file)), stripped(&whole.join(file)), "{}", file.display());
    }
    assert_eq!(timeless(&joined.join("junit.xml")), timeless(&whole.join("junit.xml")));

    // From files, in another order, and from a report that was joined already.
    let first = dir.path().join("first");
    assert_eq!(
        merge(&[parts[2].clone(), parts[0].join("report.json")], &first, &["--fail-on", "never"])
            .status
            .code(),
        Some(0)
    );
    let again = dir.path().join("again");
    let output = merge(&[first.clone(), parts[1].clone()], &again, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(stripped(&again.join("report.json")), stripped(&joined.join("report.json")));

    // What is missing is seen.
    let output = merge(&[parts[0].clone(), parts[2].clone()], &dir.path().join("less"), &[]);
    assert_eq!(output.status.code(), Some(6));
    assert_eq!(
        said(&output),
        "error: shard 2/3 is missing\n\nhint: run what is missing, and merge again\n"
    );
    let page = fs::read_to_string(dir.path().join("less/report.md")).unwrap();
    assert!(
        page.contains("Holds 2 of 3 shards.\n") && page.contains("- shard 2/3 is missing\n"),
        "{page}"
    );

    // So is a part that a killed run has left.
    let killed = dir.path().join("killed");
    fs::create_dir_all(killed.join("models")).unwrap();
    let output =
        merge(&[parts[0].clone(), killed.clone(), parts[1].clone()], &dir.path().join("less"), &[]);
    assert_eq!(output.status.code(), Some(6));
    let killed = format!("`{}` holds no report: its run did not end", killed.display());
    let rest = format!("  {killed}\n\nhint: run what is missing, and merge again\n");
    assert_eq!(said(&output), format!("error: shard 3/3 is missing\n{rest}"));
    assert_eq!(
        json_of(&dir.path().join("less/report.json"))["notes"],
        json!(["shard 3/3 is missing", killed])
    );

    // What does not belong together is refused, and nothing is written.
    let output = merge(&[parts[0].clone(), whole.clone()], &dir.path().join("none"), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).ends_with("the first is no shard, the second is\n"), "{}", said(&output));
    assert!(!dir.path().join("none").exists());
}

/// Parts that follow different listings would make a whole that no run could have made.
#[test]
fn parts_of_different_listings_are_not_joined() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::new(17).input("x", "f32[2]").node("Foo", "x", "y").output("y", "f32[2]");
    for name in ["a", "b", "c", "d"] {
        fs::create_dir(dir.path().join(name)).unwrap();
        model.write(&dir.path().join(name));
    }
    let listing = |expected: &str| {
        let text = format!("[[model]]\npath = \"*/model.onnx\"\nexpected = \"{expected}\"\n");
        fs::write(dir.path().join("zoo.toml"), &text).unwrap();
        let sha256 = Sha256::digest(&text)
            .iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let recorded = json!({ "name": "zoo.toml", "bytes": text.len(), "sha256": sha256 });
        (recorded, format!("zoo.toml ({})", &sha256[..16]))
    };
    let part = |shard: &str, arguments: &[&str]| {
        let mut command = onnx2plan();
        command.current_dir(dir.path()).args([
            "zoo",
            "zoo.toml",
            "--on",
            "cpu",
            "--no-cache",
            "--fail-on",
            "never",
        ]);
        let output = command
            .args(["--shard", shard, "--report", &shard[..1]])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
    };
    let joined = || {
        let mut command = without_tensorrt();
        command
            .current_dir(dir.path())
            .args(["report", "merge", "--quiet", "1", "2", "-o", "joined"]);
        command.args(["--fail-on", "never"]);
        let output = command.output().unwrap();
        (output.status.code(), said(&output))
    };
    let refused = |name: &str, one: &str, other: &str| {
        let error = format!(
            "error: cannot join `1` and `2`\n  `{name}` is {one} in the first and {other} in the \
             second\n\n\
             hint: run all parts with the same program, library, options and listing\n"
        );
        (Some(2), error)
    };
    let (recorded, old) = listing("unsupported");
    part("1/2", &[]);
    part("2/2", &[]);
    assert_eq!(joined(), (Some(0), String::new()));
    let report = json_of(&dir.path().join("joined/report.json"));
    assert_eq!(report["options"]["manifest"], recorded);

    let (_, new) = listing("invalid");
    part("2/2", &[]);
    assert_eq!(joined(), refused("manifest", &old, &new));
    listing("unsupported");
    for (name, one, other, arguments) in [
        ("optimization_level", "null", "1", ["--optimization-level", "1"]),
        ("include", "[]", "[\"*\"]", ["--include", "*"]),
        ("exclude", "[]", "[\"z\"]", ["--exclude", "z"]),
    ] {
        part("2/2", &arguments);
        assert_eq!(joined(), refused(name, one, other));
    }
}

/// A page that was broken in its file is no bug of this program.
#[test]
fn a_part_with_a_broken_page_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let part = dir.path().join("part");
    zoo(&part, None);
    let report = json_of(&part.join("report.json"));
    let (name, page) = (
        report["models"][0]["name"].as_str().unwrap(),
        report["models"][0]["page"].as_str().unwrap(),
    );
    fs::write(part.join(page).with_file_name("report.json"), r#"{"kind": "model", "schema": 1}"#)
        .unwrap();
    let output = merge(&[part], &dir.path().join("joined"), &[]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.starts_with(&format!(
            "error: the part that holds model `{name}` has a broken report on it\n"
        )),
        "{said}"
    );
    assert!(said.ends_with("\n\nhint: run that part again\n"), "{said}");
}

/// The exit code is the one that the run over the whole zoo would have had.
#[test]
fn a_joined_report_ends_as_the_zoo_would_have() {
    let dir = tempfile::tempdir().unwrap();
    let sample = root().join("tests/report/zoo.json");
    let output = merge(std::slice::from_ref(&sample), &dir.path().join("all"), &[]);
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert_eq!(
        said(&output),
        "error: 5 of 12 models are not as expected: 1 differs, 1 unsupported, 1 failed, 1 \
         crashed, 1 timeout\n"
    );
    let report = json_of(&dir.path().join("all/report.json"));
    assert_eq!(report["notes"], json!(["models whose page is not in their part: 11"]));
    let output = merge(&[sample], &dir.path().join("all"), &["--fail-on", "never", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), report);
}

/// The sample report, and what became of it after some changes.
fn before_and_after(folder: &Path) -> [PathBuf; 2] {
    let old = json_of(&root().join("tests/report/zoo.json"));
    let mut new = old.clone();
    let models = new["models"].as_array_mut().unwrap();
    let model = |models: &mut Vec<Value>, name: &str| -> usize {
        models.iter().position(|model| model["name"] == name).unwrap_or_else(|| panic!("{name}"))
    };
    let at = model(models, "digits");
    models[at]["outputs"][0]["statistics"]["max_absolute"] = json!(5e-4);
    models[at]["latency_ms"] = json!(models[at]["latency_ms"].as_f64().unwrap() * 3.0);
    models[at]["plan_bytes"] = json!(models[at]["plan_bytes"].as_u64().unwrap() * 2);
    let at = model(models, "einsum");
    models[at]["status"] = json!("differs");
    models[at]["reason"] = json!("output `y` differs | by far");
    models[at]["as_expected"] = json!(false);
    let at = model(models, "loop-forever");
    models[at]["status"] = json!("crashed");
    let at = model(models, "attention");
    models[at]["status"] = json!("verified");
    models[at]["as_expected"] = json!(true);
    models[at]["reason"] = Value::Null;
    let at = model(models, "broken");
    models[at]["name"] = json!("mended");
    new["environment"]["library"] = json!("TensorRT 8.6.1");
    new["options"]["tf32"] = json!(true);
    new["shards"].as_array_mut().unwrap().pop();
    [("old.json", old), ("new.json", new)].map(|(name, report)| {
        let path = folder.join(name);
        fs::write(&path, report.to_string()).unwrap();
        path
    })
}

#[test]
fn differences_are_as_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let [old, new] = before_and_after(dir.path());
    let diff = |arguments: &[&str], old: &Path, new: &Path| {
        let output = without_tensorrt()
            .args(["report", "diff"])
            .args(arguments)
            .args([old, new])
            .output()
            .unwrap();
        let code = output.status.code().unwrap();
        (code, String::from_utf8(output.stdout.clone()).unwrap(), said(&output))
    };
    let mut records = Records::new("diff");
    for (name, arguments) in
        [("text.txt", &[][..]), ("markdown.md", &["--markdown"]), ("json.json", &["--json"])]
    {
        let (code, text, said) = diff(arguments, &old, &new);
        assert_eq!(code, 1, "{said}");
        assert_eq!(
            said,
            "error: 2 of 11 models got worse, 1 got better; 1 added, 1 removed\n\n\
             hint: if this is meant, take the new report as the old one from now on\n"
        );
        records.check(name, &text);
    }
    records.check("back.txt", &diff(&[], &new, &old).1);
    records.check("same.md", &diff(&["--markdown"], &old, &old).1);
    records.finish();

    assert_eq!(diff(&[], &old, &old), (0, "12 models, none got worse\n".to_owned(), String::new()));
    let (code, text, _) =
        diff(&["--max-error", "1000", "--max-latency", "3.5", "--max-size", "2"], &old, &new);
    assert_eq!(code, 1, "a status is always worse");
    assert!(!text.contains("digits"), "{text}");
    let (code, _, said) = diff(&["--max-error", "0.5"], &old, &new);
    assert_eq!(code, 2);
    assert!(said.contains("a factor is a number from 1 on, as in 1.5"), "{said}");
}
