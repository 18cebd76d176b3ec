//! `--timings`: each stage is there, in its place, in both forms. How long they take is not tested.

use crate::support::Model;
use crate::tensorrt::onnx2plan;
use onnx2plan::opt::PASSES;
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Exit code, stdout and stderr of a command in a folder.
fn ended(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = onnx2plan().args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn name(stage: &Value) -> &str {
    stage["name"].as_str().unwrap()
}

fn inside(stage: &Value) -> &[Value] {
    stage["stages"].as_array().unwrap()
}

/// The names of stages that one thread went through.
fn names<'a>(stages: &'a [Value], thread: &str) -> Vec<&'a str> {
    stages.iter().filter(|stage| stage["thread"] == thread).map(name).collect()
}

fn the<'a>(stages: &'a [Value], wanted: &str) -> &'a Value {
    stages.iter().find(|stage| name(stage) == wanted).unwrap()
}

/// Seconds at which a stage begins and ends.
fn span(stage: &Value) -> (f64, f64) {
    let [start, seconds] = ["start_seconds", "seconds"].map(|key| stage[key].as_f64().unwrap());
    (start, start + seconds)
}

/// Stages lie in the one around them, those of a thread follow each other, and no stage needs more
/// memory than the one around it. Counts them.
fn nested(stages: &[Value], around: (f64, f64), peak: u64) -> usize {
    // Starts and ends are sums of rounded numbers.
    const SLACK: f64 = 1e-6;
    let mut ends: HashMap<&str, f64> = HashMap::new();
    let mut count = 0;
    for stage in stages {
        let (start, end) = span(stage);
        let last = ends.insert(stage["thread"].as_str().unwrap(), end).unwrap_or(around.0);
        assert!(start >= last - SLACK && end <= around.1 + SLACK, "{stage}");
        let own = stage["peak_rss_bytes"].as_u64().unwrap();
        assert!((1 << 20..=peak).contains(&own), "{stage}");
        count += 1 + nested(inside(stage), (start, end), own);
    }
    count
}

#[test]
fn all_stages_are_timed_and_nested() {
    let dir = tempfile::tempdir().unwrap();
    let digits = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/digits/model.onnx");
    fs::copy(digits, dir.path().join("m.onnx")).unwrap();
    let arguments = ["m.onnx", "--timings=t.json", "--json", "--target", "sm89"];
    let (code, data, said) = ended(dir.path(), &arguments);
    assert_eq!(code, 0, "{said}");
    let outcome: Value = serde_json::from_str(&data).unwrap();
    let stages = outcome["timings"].as_array().unwrap();

    let own = "conversion";
    let expected = [
        "open library",
        "read",
        "import",
        "optimize",
        "legalize",
        "plan sizes",
        "build",
        "prove",
        "persist",
    ];
    assert_eq!(names(stages, own), expected);
    assert_eq!(names(stages, "hash of the model"), ["hash model"]);
    assert_eq!(names(inside(the(stages, "read")), own), ["decode", "resolve"]);
    let optimize = names(inside(the(stages, "optimize")), own);
    let passes: Vec<String> = PASSES.iter().map(|pass| pass.name.to_string()).collect();
    let (check, rounds) = optimize.split_first().unwrap();
    assert!(*check == "check" && rounds.len() >= passes.len(), "{optimize:?}");
    assert!(rounds.chunks(passes.len()).all(|round| round == passes), "{optimize:?}");
    let build = inside(the(stages, "build"));
    assert_eq!(names(build, own), ["start TensorRT", "emit", "TensorRT"]);
    let phases = inside(the(build, "TensorRT"));
    assert!(phases.iter().any(|phase| !inside(phase).is_empty()), "{phases:?}");
    assert!(names(phases, own).contains(&"write"), "{phases:?}");
    assert_eq!(names(inside(the(stages, "persist")), own), ["sync"]);
    let count = nested(stages, (0.0, f64::MAX), outcome["peak_rss_bytes"].as_u64().unwrap());

    let seconds = |of: &[&str]| -> f64 {
        of.iter().map(|name| the(stages, name)["seconds"].as_f64().unwrap()).sum()
    };
    let told = |name: &str| outcome["seconds"][name].as_f64().unwrap();
    for (name, parts) in
        [("import", &["read", "import"][..]), ("optimise", &["optimize", "legalize"])]
    {
        assert!((told(name) - seconds(parts)).abs() < 1e-9, "{outcome}");
    }
    assert!((told("build") + told("write") - seconds(&["build"])).abs() < 1e-9, "{outcome}");

    assert!(said.contains(" stage ") && said.contains("   decode "), "{said}");
    is_traced(&read(&dir.path().join("t.json")), stages, count);
}

/// The trace has an event for each stage, at its time.
fn is_traced(trace: &Value, stages: &[Value], count: usize) {
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |kind: &str| events.iter().filter(|event| event["ph"] == kind).collect::<Vec<_>>();
    let (complete, metadata) = (of("X"), of("M"));
    assert_eq!((complete.len(), complete.len() + metadata.len()), (count, events.len()));
    let threads = metadata.iter().filter(|event| event["name"] == "thread_name");
    let threads: HashMap<u64, &str> = threads
        .map(|event| (event["tid"].as_u64().unwrap(), event["args"]["name"].as_str().unwrap()))
        .collect();
    for stage in stages {
        let is_it = |event: &&&Value| {
            let thread = threads[&event["tid"].as_u64().unwrap()];
            event["name"] == stage["name"] && stage["thread"] == thread
        };
        let event = complete.iter().find(is_it).unwrap();
        let start = event["ts"].as_f64().unwrap();
        let end = start + event["dur"].as_f64().unwrap();
        let (from, to) = span(stage);
        assert!((start - from * 1e6).abs() < 1.0 && (end - to * 1e6).abs() < 1.0, "{event}");
        assert_eq!(event["args"]["peak_rss_bytes"], stage["peak_rss_bytes"]);
    }
}

fn relu() -> Model {
    Model::new(17).input("x", "f32[2]").node("Relu", "x", "y").output("y", "f32[2]")
}

#[test]
fn a_trace_is_beside_its_plan_whatever_becomes_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    fs::rename(relu().write(folder), folder.join("a.onnx")).unwrap();
    let bad = Model::new(17).input("x", "f32[2]").node("NoSuch", "x", "y").output("y", "f32[2]");
    fs::rename(bad.write(folder), folder.join("b.onnx")).unwrap();
    let (code, data, said) = ended(folder, &["a.onnx", "b.onnx", "--timings", "--quiet", "--json"]);
    assert_eq!(code, 4, "{said}");
    assert_eq!(serde_json::from_str::<Value>(&data).unwrap().as_array().unwrap().len(), 1);
    let events = |name: &str| read(&folder.join(name))["traceEvents"].as_array().unwrap().len();
    // Of what failed, there is what was done up to then.
    assert!(events("a.plan.trace.json") > events("b.plan.trace.json"));
    assert!(events("b.plan.trace.json") > 4 && !folder.join("b.plan").exists());

    let (_, data, said) = ended(folder, &["a.onnx", "--quiet", "--json"]);
    assert_eq!(
        (&serde_json::from_str::<Value>(&data).unwrap()["timings"], &*said),
        (&Value::Null, "")
    );
}

#[test]
fn traces_have_a_place_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    for name in ["a.onnx", "b.onnx"] {
        fs::rename(relu().write(folder), folder.join(name)).unwrap();
    }
    let before = fs::read(folder.join("a.onnx")).unwrap();
    for (arguments, expected) in [
        (
            &["a.onnx", "b.onnx", "--timings=t"][..],
            "the timings of several models want one file\n\nhint: `--timings` alone writes a file \
             beside each plan",
        ),
        (
            &["a.onnx", "-o", "-", "--timings"],
            "there is no plan to write the timings beside\n\nhint: name a file with \
             `--timings=FILE`",
        ),
        (
            &["a.onnx", "--timings=./a.plan.json"],
            "the timings and the plan both want `./a.plan.json`\n\nhint: name another file with \
             `--timings=FILE`",
        ),
        (
            &["a.onnx", "--timings=a.onnx"],
            "writing `a.onnx` would overwrite the input `a.onnx`\n\nhint: name another place for \
             what is written",
        ),
    ] {
        let (code, _, said) = ended(folder, arguments);
        assert_eq!((code, said), (2, format!("error: {expected}\n")), "{arguments:?}");
    }
    let (code, _, said) = ended(folder, &["a.onnx", "--timings=/dev/null"]);
    assert_eq!((code, &*said), (6, "error: cannot write `/dev/null`: it is no regular file\n"));
    assert_eq!(fs::read(folder.join("a.onnx")).unwrap(), before);
    assert!(!folder.join("a.plan").exists());
}
