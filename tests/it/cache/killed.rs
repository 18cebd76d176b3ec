//! Killed at any moment, a zoo leaves nothing half done that is taken for good, and the next run
//! goes on from there.

use super::{Zoo, entries, files, plans, run};
use crate::support::{Model, tensor};
use crate::tensorrt::onnx2plan;
use onnx2plan::report::zoo::{ModelReport, Report};
use prost::Message;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How many of the sample models are worked on.
const MODELS: usize = 37;

/// A run of some of the sample models that writes below this folder.
fn layers(folder: &Path) -> Command {
    let mut command = onnx2plan();
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["zoo", "models/layers", "--on", "cpu"]);
    command
        .args(["--include", "{convolution,scale,shuffle}*"])
        .arg("--report")
        .arg(folder.join("report"));
    command
}

/// The models of a report as they are in every run: now and then TensorRT-RTX builds a plan a few
/// bytes larger.
fn lasting(report: &Report) -> Vec<ModelReport> {
    let models = super::lasting(report).into_iter();
    models.map(|model| ModelReport { plan_bytes: model.plan_bytes.map(|_| 0), ..model }).collect()
}

/// What comes of them undisturbed.
fn undisturbed() -> &'static [ModelReport] {
    static MODELS_REPORT: LazyLock<Vec<ModelReport>> = LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap();
        let run = run(layers(dir.path()).arg("--no-cache"), &dir.path().join("report"));
        assert_eq!((run.code, run.report.models.len()), (Some(0), MODELS), "{}", run.said);
        lasting(&run.report)
    });
    &MODELS_REPORT
}

/// The workers of a process that are alive.
fn workers(parent: u32) -> Vec<u32> {
    let is_worker = |process: &u32| {
        let arguments = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let arguments: Vec<&[u8]> = arguments.split(|byte| *byte == 0).collect();
        let wanted = [&b"--parent"[..], parent.to_string().as_bytes()].map(<[u8]>::to_vec);
        arguments.windows(2).any(|pair| pair == wanted)
    };
    let processes = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.filter(is_worker).collect()
}

/// Waits until a process that was killed, and so is no more, has no worker left.
fn assert_without_workers(parent: u32) {
    let start = Instant::now();
    while !workers(parent).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(2), "workers outlive their zoo");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Starts a command, and calls with its process once that many models are done, or it has ended.
fn at_line(command: &mut Command, lines: usize, then: impl FnOnce(&mut Child)) {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    said.take(lines).for_each(drop);
    then(&mut child);
}

/// What a killed run left: every report, entry and plan is whole or is not there.
fn assert_whole(folder: &Path) {
    entries(&folder.join("cache"));
    plans(&folder.join("plans"));
    for (name, bytes) in files(&folder.join("report")) {
        let text = String::from_utf8(bytes).unwrap();
        let is_whole = match name.rsplit_once('.').unwrap().1 {
            "json" | "sarif" => serde_json::from_str::<serde_json::Value>(&text).is_ok(),
            "html" => text.trim_end().ends_with("</html>"),
            "xml" => text.trim_end().ends_with("</testsuites>"),
            _ => text.ends_with('\n'),
        };
        assert!(is_whole, "{name} is not whole");
    }
    if let Ok(text) = fs::read(folder.join("report/report.json")) {
        assert_eq!(serde_json::from_slice::<Report>(&text).unwrap().models.len(), MODELS);
    }
}

#[test]
fn a_killed_zoo_is_taken_up_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let command = || {
        let mut command = layers(dir.path());
        command.args(["--jobs", "2", "--cache"]).arg(dir.path().join("cache"));
        command.arg("--output").arg(dir.path().join("plans"));
        command
    };
    // Models done, and milliseconds after the last of them.
    let moments = [
        (0, 0),
        (0, 60),
        (0, 250),
        (1, 0),
        (3, 20),
        (6, 90),
        (10, 5),
        (14, 40),
        (20, 150),
        (28, 10),
    ];
    let last = [(MODELS, 0), (MODELS, 8)];
    for (lines, delay) in moments.into_iter().chain(last) {
        at_line(&mut command(), lines, |zoo| {
            std::thread::sleep(Duration::from_millis(delay));
            zoo.kill().unwrap();
            zoo.wait().unwrap();
            assert_without_workers(zoo.id());
        });
        assert_whole(dir.path());
    }
    let run = run(&mut command(), &dir.path().join("report"));
    assert_eq!((run.code, &*lasting(&run.report)), (Some(0), undisturbed()));
    assert!(run.cached().iter().filter(|cached| **cached).count() >= 28, "{}", run.said);
    assert_eq!(
        (entries(&dir.path().join("cache")).len(), plans(&dir.path().join("plans")).len()),
        (MODELS, MODELS)
    );
    assert_whole(dir.path());
}

#[test]
fn killed_workers_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut zoo = layers(dir.path())
        .args(["--no-cache", "--jobs", "1"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(zoo.stderr.take().unwrap()).lines().map_while(Result::ok);
    let (done, id) = (AtomicUsize::new(0), zoo.id());
    let killed = std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in said {
                done.fetch_add(1, Ordering::SeqCst);
            }
        });
        let mut killed = 0;
        for kill in 0..10 {
            // A model whose worker dies a second time counts as crashed: none is hit twice.
            let from = done.load(Ordering::SeqCst) + 2;
            while done.load(Ordering::SeqCst) < from {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(kill * 13));
            let worker = workers(id)[0].to_string();
            killed += usize::from(
                Command::new("kill").args(["-KILL", &worker]).status().unwrap().success(),
            );
        }
        killed
    });
    assert_eq!((zoo.wait().unwrap().code(), killed), (Some(0), 10));
    let report: Report =
        serde_json::from_slice(&fs::read(dir.path().join("report/report.json")).unwrap()).unwrap();
    assert_eq!(report.models.iter().filter(|model| model.retried).count(), killed);
    let mut models = lasting(&report);
    for model in &mut models {
        model.retried = false;
    }
    assert_eq!(models, undisturbed());
}

/// A worker in the midst of a long model does not wait for its end to see that its zoo is gone.
#[test]
fn no_worker_outlives_its_zoo() {
    let zoo = Zoo::new();
    let size = 1000i64;
    let weights = vec![0.5f32; 1_000_000];
    let mut model =
        Model::new(17).input("x0", "f32[1000, 1000]").init("w", &[size, size], &weights);
    for at in 0..300 {
        model = model.node("MatMul", &format!("x{at} w"), &format!("x{}", at + 1));
    }
    zoo.add("long", &model.output("x300", "f32[1000, 1000]"), &[], &[]);
    let input = tensor(&[size, size], &weights).encode_to_vec();
    fs::write(zoo.path("zoo/long/test_data_set_0/input_0.pb"), input).unwrap();
    let mut child = zoo.command().stderr(Stdio::null()).spawn().unwrap();
    while workers(child.id()).is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(
        (workers(child.id()).len(), child.try_wait().unwrap()),
        (1, None),
        "the model takes longer than that"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert_without_workers(child.id());
}
