//! Stages as tracers of browsers read them: in Chrome's Trace Event Format, which
//! `chrome://tracing`, Perfetto and Speedscope show.

use super::Stage;
use serde_json::{Value, json};

/// The unit of times in the format.
const PER_SECOND: f64 = 1e6;

/// The trace of some stages. `what` is what the tracer shows above all threads.
pub fn of(what: &str, stages: &[Stage]) -> Value {
    let mut trace = Trace::default();
    trace.add(stages);
    let Trace { threads, stages } = trace;
    let named = |event: &str, thread: usize, name: &str| json!({"ph": "M", "name": event, "pid": 1, "tid": thread, "args": {"name": name}});
    let threads = threads.iter().enumerate();
    let threads = threads.map(|(number, name)| named("thread_name", number, name));
    let process = named("process_name", 0, what);
    let events: Vec<Value> = std::iter::once(process).chain(threads).chain(stages).collect();
    json!({"traceEvents": events, "displayTimeUnit": "ms"})
}

#[derive(Default)]
struct Trace {
    /// Names of threads, by their number.
    threads: Vec<String>,
    /// A complete event for each stage.
    stages: Vec<Value>,
}

impl Trace {
    fn add(&mut self, stages: &[Stage]) {
        for stage in stages {
            let Stage { name, thread, start_seconds, seconds, peak_rss_bytes, stages } = stage;
            let known = self.threads.iter().position(|known| known == thread);
            let thread = known.unwrap_or_else(|| {
                self.threads.push(thread.clone());
                self.threads.len() - 1
            });
            let memory = peak_rss_bytes.map(|bytes| json!({"peak_rss_bytes": bytes}));
            self.stages.push(json!({
                "ph": "X",
                "name": name,
                "cat": "stage",
                "pid": 1,
                "tid": thread,
                "ts": start_seconds * PER_SECOND,
                "dur": seconds * PER_SECOND,
                "args": memory.unwrap_or_else(|| json!({})),
            }));
            self.add(stages);
        }
    }
}
