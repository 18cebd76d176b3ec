use super::*;
use serde_json::{Value, json};

/// Names, threads and nesting.
fn shape(stages: &[Stage]) -> Value {
    let shape = |stage: &Stage| json!([stage.name, stage.thread, shape(&stage.stages)]);
    stages.iter().map(shape).collect()
}

/// Each stage lies in the one around it, and those of one thread follow each other.
fn is_nested(stages: &[Stage], (from, to): (f64, f64)) -> bool {
    // Seconds as floating point: a start and a duration need not sum to the end to the last bit.
    const SLACK: f64 = 1e-9;
    let mut ends = std::collections::HashMap::<&str, f64>::new();
    stages.iter().all(|stage| {
        let (start, end) = (stage.start_seconds, stage.start_seconds + stage.seconds);
        let before = ends.insert(&stage.thread, end).unwrap_or(from);
        start >= before - SLACK && end <= to + SLACK && is_nested(&stage.stages, (start, end))
    })
}

#[test]
fn stages_nest_by_who_began_them() {
    let timings = Timings::start(false);
    assert!(here().is_none());
    let answer = timings.record(|| {
        stage("read", || stage("decode", || ()));
        stage("build", || {
            let inside = here();
            std::thread::scope(|scope| {
                scope.spawn(|| as_thread(inside.as_ref(), "hash", || stage("hash", || ())));
            });
            let inside = inside.unwrap();
            let outer = inside.begin("phase", None);
            inside.begin("never ended", Some(outer));
            inside.end(outer);
        });
        stage("read", || 42)
    });
    assert!(answer == 42 && here().is_none());

    let stages = timings.stages();
    let phase = json!(["phase", "conversion", [["never ended", "conversion", []]]]);
    let expected = json!([
        ["read", "conversion", [["decode", "conversion", []]]],
        ["build", "conversion", [["hash", "hash", []], phase]],
        ["read", "conversion", []],
    ]);
    assert_eq!(shape(&stages), expected);
    assert!(is_nested(&stages, (0.0, timings.0.start.elapsed().as_secs_f64())));
    let build = &stages[1];
    let never_ended = build.stages[1].stages[0].seconds;
    assert!((build.seconds_of("never ended") - never_ended).abs() < f64::EPSILON);
    assert!(build.seconds_of("gone").abs() < f64::EPSILON);
    assert!(stages.iter().all(|stage| stage.peak_rss_bytes.is_none()));
}

#[test]
fn a_stage_that_panics_has_ended() {
    let timings = Timings::start(false);
    timings.record(|| {
        let inside = || stage("outer", || stage("inner", || panic!("on purpose")));
        assert!(std::panic::catch_unwind(inside).is_err());
        stage("next", || ());
    });
    let conversion = "conversion";
    let expected =
        json!([["outer", conversion, [["inner", conversion, []]]], ["next", conversion, []],]);
    assert_eq!(shape(&timings.stages()), expected);
    let recorded = timings.0.recorded();
    assert!(recorded.entries.iter().all(|entry| entry.end.is_some()));
}

#[test]
fn memory_is_that_of_the_stage() {
    const BYTES: usize = 64 << 20;
    let timings = Timings::start(true);
    timings.record(|| {
        stage("outer", || {
            stage("large", || std::hint::black_box(vec![1u8; BYTES]));
            stage("small", || ());
        });
    });
    let stages = timings.stages();
    let Stage { peak_rss_bytes: outer, stages: inner, .. } = &stages[0];
    let [large, small] = &inner[..] else { panic!("{inner:?}") };
    assert!(*outer >= large.peak_rss_bytes && timings.peak_rss_bytes() >= *outer);
    if let Some(peak) = large.peak_rss_bytes {
        assert!(peak >= BYTES as u64 && small.peak_rss_bytes.is_some());
    }
}

#[test]
fn a_trace_has_an_event_for_each_stage() {
    let stage = |name: &str, thread: &str, at, stages| Stage {
        name: name.to_owned(),
        thread: thread.to_owned(),
        start_seconds: at,
        seconds: 0.5,
        peak_rss_bytes: (name == "build").then_some(4096),
        stages,
    };
    let stages = [
        stage("read", "a", 0.0, Vec::new()),
        stage("build", "a", 1.0, vec![stage("hash", "b", 1.25, Vec::new())]),
    ];
    let complete = |name: &str, thread: usize, at: f64, memory: Value| {
        json!({"ph": "X", "name": name, "cat": "stage", "pid": 1, "tid": thread, "ts": at,
            "dur": 500_000.0, "args": memory})
    };
    let named = |what: &str, thread: usize, name: &str| json!({"ph": "M", "name": what, "pid": 1, "tid": thread, "args": {"name": name}});
    let expected = json!({
        "displayTimeUnit": "ms",
        "traceEvents": [
            named("process_name", 0, "model"),
            named("thread_name", 0, "a"),
            named("thread_name", 1, "b"),
            complete("read", 0, 0.0, json!({})),
            complete("build", 0, 1e6, json!({"peak_rss_bytes": 4096})),
            complete("hash", 1, 1.25e6, json!({})),
        ],
    });
    assert_eq!(trace::of("model", &stages), expected);
}
