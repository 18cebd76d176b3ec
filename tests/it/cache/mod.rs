//! What a zoo keeps from run to run: results by content, and the plans of models that are good.

mod killed;
mod tidy;

use crate::support::{Model, tensor};
use crate::tensorrt::onnx2plan;
use onnx2plan::report::Manifest;
use onnx2plan::report::manifest::File;
use onnx2plan::report::zoo::{ModelReport, Report, Seconds, Status};
use prost::Message;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A zoo, with its cache, its plans and its report beside it.
struct Zoo {
    dir: TempDir,
}

/// How a run of it ended.
struct Run {
    code: Option<i32>,
    said: String,
    report: Report,
}

impl Zoo {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("zoo")).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Adds a model with one data set.
    fn add(&self, name: &str, model: &Model, input: &[f32], output: &[f32]) {
        let data = self.path("zoo").join(name).join("test_data_set_0");
        fs::create_dir_all(&data).unwrap();
        model.write(&self.path("zoo").join(name));
        for (file, values) in [("input_0.pb", input), ("output_0.pb", output)] {
            let dims = [i64::try_from(values.len()).unwrap()];
            fs::write(data.join(file), tensor(&dims, values).encode_to_vec()).unwrap();
        }
    }

    /// The command that runs it.
    fn command(&self) -> Command {
        let mut command = onnx2plan();
        command.current_dir(self.dir.path()).args(["zoo", "zoo", "--on", "cpu", "--jobs", "2"]);
        command.args(["--cache", "cache", "--output", "plans", "--report", "report"]);
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        run(self.command().args(arguments), &self.path("report"))
    }
}

fn run(command: &mut Command, report: &Path) -> Run {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_ne!(output.status.code(), Some(2), "{said}");
    let report =
        fs::read(report.join("report.json")).unwrap_or_else(|_| panic!("no report: {said}"));
    Run { code: output.status.code(), said, report: serde_json::from_slice(&report).unwrap() }
}

impl Run {
    /// Each model with its status and whether it came from the cache.
    fn ended(&self) -> Vec<(&str, Status, bool)> {
        self.report.models.iter().map(|model| (&*model.name, model.status, model.cached)).collect()
    }

    /// Whether each model came from the cache.
    fn cached(&self) -> Vec<bool> {
        self.report.models.iter().map(|model| model.cached).collect()
    }
}

/// The models of a report, without what may be another in every run.
fn lasting(report: &Report) -> Vec<ModelReport> {
    let lasting = |model: &ModelReport| ModelReport {
        seconds: Seconds::default(),
        peak_rss_bytes: None,
        cached: false,
        ..model.clone()
    };
    report.models.iter().map(lasting).collect()
}

fn sha256(path: &Path) -> String {
    let hash = Sha256::digest(fs::read(path).unwrap());
    hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Every file below a folder, by its path from there; temporary ones left out.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.file_name().unwrap().to_string_lossy().starts_with(".onnx2plan-") {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// The entries of a cache, each checked against its own description.
fn entries(cache: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(cache).into_iter().flatten().map(|entry| entry.unwrap().path());
    let entries: Vec<PathBuf> = folders.filter(|path| !path.ends_with("tmp")).collect();
    for entry in &entries {
        let described: BTreeMap<String, Option<File>> =
            serde_json::from_slice(&fs::read(entry.join("entry.json")).unwrap()).unwrap();
        for file in described.into_values().flatten() {
            assert_eq!(sha256(&entry.join(&file.name)), file.sha256, "{}", entry.display());
        }
    }
    entries
}

/// The plans in a folder that have a manifest, each checked against that.
fn plans(folder: &Path) -> Vec<String> {
    let files = files(folder);
    let manifests = files.keys().filter_map(|name| name.strip_suffix(".json"));
    let plan = |name: &str| {
        let manifest: Manifest = serde_json::from_slice(&files[&format!("{name}.json")]).unwrap();
        assert_eq!(sha256(&folder.join(name)), manifest.plan.sha256, "{name}");
        assert_eq!(Some(manifest.plan.name.as_str()), name.rsplit('/').next());
        name.to_owned()
    };
    manifests.map(plan).collect()
}

fn relu() -> Model {
    Model::new(17).input("x", "f32[2]").node("Relu", "x", "y").output("y", "f32[2]")
}

/// A zoo with a model that is right.
fn zoo_of_one() -> Zoo {
    let zoo = Zoo::new();
    zoo.add("relu", &relu(), &[-1.0, 2.0], &[0.0, 2.0]);
    zoo
}

#[test]
fn what_was_done_before_is_taken_from_the_cache() {
    let zoo = zoo_of_one();
    zoo.add("a/b/right", &relu(), &[-1.0, 3.0], &[0.0, 3.0]);
    zoo.add("differs", &relu(), &[-1.0, 2.0], &[1.0, 2.0]);
    let model = Model::new(17).input("x", "f32[2]").node("Foo", "x", "y").output("y", "");
    zoo.add("unsupported", &model, &[1.0, 2.0], &[1.0, 2.0]);
    let model = Model::new(17)
        .input("x", "f32[2]")
        .init("w", &[3], &[1f32; 3])
        .node("Add", "x w", "y")
        .output("y", "");
    zoo.add("invalid", &model, &[1.0, 2.0], &[1.0, 2.0]);
    // Data to compare with, or ONNX Runtime: what is missing may be there the next time.
    let model = Model::new(17).input("x", "f32[2]").node("Relu", "x", "y").output("y", "");
    fs::create_dir_all(zoo.path("zoo/lacking")).unwrap();
    model.write(&zoo.path("zoo/lacking"));
    fs::write(zoo.path("zoo/text.onnx"), "no model").unwrap();

    let (first, plans_first) = (zoo.run(&[]), files(&zoo.path("plans")));
    let ended = [
        ("a/b/right", Status::Evaluated, false),
        ("differs", Status::Differs, false),
        ("invalid", Status::Invalid, false),
        ("lacking", Status::Failed, false),
        ("relu", Status::Evaluated, false),
        ("text", Status::Invalid, false),
        ("unsupported", Status::Unsupported, false),
    ];
    assert_eq!(first.ended(), ended);
    assert_eq!(plans(&zoo.path("plans")), ["a/b/right.plan", "relu.plan"]);

    fs::remove_dir_all(zoo.path("plans")).unwrap();
    let second = zoo.run(&[]);
    assert_eq!(second.cached(), [true, true, true, false, true, false, true]);
    assert_eq!((second.code, lasting(&second.report)), (first.code, lasting(&first.report)));
    assert_eq!(second.report.models[0].seconds, first.report.models[0].seconds);
    assert!(second.report.notes.is_empty(), "{:?}", second.report.notes);
    let line =
        |line: &str| line.starts_with("evaluated   relu ") && line.ends_with(" (from the cache)");
    assert!(second.said.lines().any(line), "{}", second.said);
    assert!(files(&zoo.path("plans")) == plans_first, "the plans are those of the first run");
}

/// What decides on a result decides on where it is kept, and nothing else does.
#[test]
fn results_are_found_by_content() {
    let zoo = Zoo::new();
    let model = Model::new(17).input("x", "f32[2]").external("w", &[2], &[("location", "w.bin")]);
    zoo.add("sum", &model.node("Add", "x w", "y").output("y", "f32[2]"), &[-1.0, 2.0], &[0.0, 4.0]);
    let weights = |values: [f32; 2]| {
        fs::write(zoo.path("zoo/sum/w.bin"), values.map(f32::to_le_bytes).concat()).unwrap();
    };
    weights([1.0, 2.0]);
    let mut arguments: Vec<&str> = Vec::new();
    let ended = |arguments: &[&str]| {
        let run = zoo.run(arguments);
        (run.report.models[0].status, run.report.models[0].cached)
    };
    let (fresh, kept) = ((Status::Evaluated, false), (Status::Evaluated, true));
    assert_eq!(ended(&arguments), fresh);
    assert_eq!(ended(&["--timeout", "100"]), kept);

    for option in [
        &["--no-tf32"][..],
        &["--target", "sm89"],
        &["--freeze-from-data"],
        &["--without-pass", "dedupe"],
        &["--memory", "300"],
    ] {
        arguments.extend(option);
        assert_eq!(ended(&arguments), fresh, "{option:?}");
        assert_eq!(ended(&arguments), kept, "{option:?}");
    }
    assert_eq!(ended(&[]), kept);

    weights([1.0, 3.0]);
    assert_eq!(ended(&[]), (Status::Differs, false));
    let data = zoo.path("zoo/sum/test_data_set_0/output_0.pb");
    fs::write(&data, tensor(&[2], &[0f32, 5.0]).encode_to_vec()).unwrap();
    assert_eq!(ended(&[]), fresh);

    // Where it lies, and when it was written, is no part of it.
    fs::rename(zoo.path("zoo/sum"), zoo.path("zoo/other")).unwrap();
    fs::write(zoo.path("zoo/other/w.bin"), fs::read(zoo.path("zoo/other/w.bin")).unwrap()).unwrap();
    let moved = zoo.run(&[]);
    assert_eq!(moved.ended(), [("other", Status::Evaluated, true)]);
    assert_eq!(moved.report.models[0].path, "zoo/other/model.onnx");
    let manifest = fs::read(zoo.path("plans/other.plan.json")).unwrap();
    let manifest: Manifest = serde_json::from_slice(&manifest).unwrap();
    let external =
        File { name: "w.bin".to_owned(), bytes: 8, sha256: sha256(&zoo.path("zoo/other/w.bin")) };
    assert_eq!(manifest.external, [external]);
}

type Damage = fn(&Path);

#[test]
fn a_damaged_entry_is_removed_and_made_anew() {
    let zoo = zoo_of_one();
    zoo.run(&[]);
    let [entry] = &entries(&zoo.path("cache"))[..] else { panic!("there is one entry") };
    let damages: [(&str, Damage, &str); 5] = [
        (
            "model.plan",
            |path| fs::write(path, "no plan").unwrap(),
            "`model.plan` is not as it was written",
        ),
        (
            "model.plan",
            |path| fs::remove_file(path).unwrap(),
            "No such file or directory (os error 2)",
        ),
        (
            "result.json",
            |path| fs::write(path, "{}").unwrap(),
            "`result.json` is not as it was written",
        ),
        (
            "entry.json",
            |path| fs::remove_file(path).unwrap(),
            "No such file or directory (os error 2)",
        ),
        (
            "entry.json",
            |path| fs::write(path, "").unwrap(),
            "EOF while parsing a value at line 1 column 0",
        ),
    ];
    for (file, damage, expected) in damages {
        damage(&entry.join(file));
        let run = zoo.run(&[]);
        assert_eq!(run.ended(), [("relu", Status::Evaluated, false)], "{file}");
        let note =
            format!("`relu` was done anew, for its entry in the cache is damaged: {expected}");
        assert!(run.said.contains(&note), "{}", run.said);
        assert_eq!(run.report.notes, [note]);
        assert_eq!(entries(&zoo.path("cache")), std::slice::from_ref(entry));
        assert_eq!(zoo.run(&[]).cached(), [true], "{file}");
    }
    assert_eq!(fs::read_dir(zoo.path("cache/tmp")).unwrap().count(), 0);
}

#[test]
fn zoos_share_a_cache_at_the_same_time() {
    let zoo = Zoo::new();
    for at in 0..12 {
        let number = at as f32;
        let model =
            Model::new(17).input("x", "f32[2]").init("w", &[1], &[number]).node("Add", "x w", "y");
        zoo.add(
            &format!("{at:02}"),
            &model.output("y", "f32[2]"),
            &[-1.0, 2.0],
            &[number - 1.0, number + 2.0],
        );
    }
    let runs: Vec<Run> = std::thread::scope(|scope| {
        let start = |name: &'static str| {
            let zoo = &zoo;
            scope.spawn(move || {
                let mut command = onnx2plan();
                command
                    .current_dir(zoo.dir.path())
                    .args(["zoo", "zoo", "--on", "cpu", "--jobs", "2"]);
                command.args(["--cache", "cache", "--report", name]);
                run(&mut command, &zoo.path(name))
            })
        };
        let threads = ["one", "two", "three"].map(start);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for run in &runs {
        assert_eq!((run.code, &run.report.notes), (Some(0), &Vec::new()), "{}", run.said);
        assert_eq!(lasting(&run.report), lasting(&runs[0].report));
    }
    assert_eq!(entries(&zoo.path("cache")).len(), 12);
    assert_eq!(fs::read_dir(zoo.path("cache/tmp")).unwrap().count(), 0);
    assert_eq!(zoo.run(&[]).cached(), [true; 12]);
}

#[test]
fn the_cache_is_where_the_user_wants_it() {
    let zoo = zoo_of_one();
    let plain = || {
        let mut command = onnx2plan();
        command
            .current_dir(zoo.dir.path())
            .args(["zoo", "zoo", "--on", "cpu", "--report", "report"]);
        command
    };
    let report = zoo.path("report");
    run(plain().env("ONNX2PLAN_CACHE", "user").arg("--no-cache"), &report);
    assert!(!zoo.path("user").exists());
    run(plain().env("ONNX2PLAN_CACHE", "user"), &report);
    assert_eq!(entries(&zoo.path("user/zoo")).len(), 1);

    // A place that nobody can write to is no reason to fail, unless it was asked for.
    let unkept = run(plain().env("ONNX2PLAN_CACHE", "/dev/null/user"), &report);
    let warning = "warning  results are not kept: cannot write to the cache `/dev/null/user/zoo`\n";
    assert!(unkept.code == Some(0) && unkept.said.contains(warning), "{}", unkept.said);
    let output = plain().args(["--quiet", "--cache", "/dev/null/asked"]).output().unwrap();
    let expected = "error: cannot write to the cache `/dev/null/asked`\n  cause: Not a directory \
                    (os error 20)\n\n\
                    hint: name another folder with `--cache`, or do without one with \
                    `--no-cache`\n";
    assert_eq!(
        (output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()),
        (Some(6), expected)
    );
}

#[test]
fn a_plan_that_cannot_be_written_fails_its_model() {
    let zoo = zoo_of_one();
    fs::create_dir_all(zoo.path("plans/relu.plan/in the way")).unwrap();
    let run = zoo.run(&[]);
    assert_eq!((run.code, run.ended()), (Some(6), vec![("relu", Status::Failed, false)]));
    assert_eq!(
        run.report.models[0].reason.as_deref(),
        Some("cannot write `plans/relu.plan`: it is a folder")
    );
    let page: serde_json::Value =
        serde_json::from_slice(&fs::read(zoo.path("report/models/relu/report.json")).unwrap())
            .unwrap();
    assert_eq!(
        (&page["verdict"], &page["error"]["kind"]),
        (&"failed".into(), &"environment".into())
    );
    assert_eq!(plans(&zoo.path("plans")), [""; 0]);
    // The result itself was kept.
    fs::remove_dir_all(zoo.path("plans")).unwrap();
    assert_eq!(zoo.run(&[]).ended(), [("relu", Status::Evaluated, true)]);
    assert_eq!(plans(&zoo.path("plans")), ["relu.plan"]);
}
