//! Where the time of a command goes: a recorder, and the stages that report to it.
//!
//! A stage reports to the recorder that its thread works for, if there is any: no function takes
//! an argument for it, and where nothing is recorded a stage costs next to nothing. This is no
//! job for `tracing`: of memory it knows nothing, and the phases of TensorRT have names that only
//! the run knows, which its spans cannot have.

pub mod trace;

use crate::memory;
use serde::Serialize;
use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

thread_local! {
    /// What this thread is at.
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// A recorder of stages.
#[derive(Debug, Clone)]
pub struct Timings(Arc<Recorder>);

#[derive(Debug)]
struct Recorder {
    start: Instant,
    /// Whether it looks at the memory as well.
    memory: bool,
    recorded: Mutex<Recorded>,
}

#[derive(Debug, Default)]
struct Recorded {
    /// In the order in which they began.
    entries: Vec<Entry>,
    /// Those that go on.
    open: Vec<usize>,
    threads: Vec<String>,
    /// The most memory that was seen, whatever has been forgotten since.
    peak_rss_bytes: Option<u64>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    thread: usize,
    parent: Option<usize>,
    start: Duration,
    end: Option<Duration>,
    peak_rss_bytes: Option<u64>,
}

/// A stage, with those that it consists of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// What is done.
    pub name: String,
    /// Who does it: stages of one thread follow each other, except phases of TensorRT, which may
    /// overlap.
    pub thread: String,
    /// When it began, from the start of the recorder.
    pub start_seconds: f64,
    /// How long it took.
    pub seconds: f64,
    /// The most memory that the process had meanwhile, where that is recorded and the system says
    /// it.
    pub peak_rss_bytes: Option<u64>,
    /// What it consists of, in the order in which they began.
    pub stages: Vec<Stage>,
}

/// A place in a recording: the stage that goes on, and the thread that is at it.
#[derive(Debug, Clone)]
pub(crate) struct Here {
    timings: Timings,
    thread: usize,
    stage: Option<usize>,
}

impl Timings {
    /// Starts to record. With `memory`, the peak of the process's memory is read and counted anew
    /// wherever a stage begins or ends.
    pub fn start(memory: bool) -> Self {
        let recorded = Mutex::default();
        Self(Arc::new(Recorder { start: Instant::now(), memory, recorded }))
    }

    /// Records the stages of some work on this thread.
    pub fn record<T>(&self, work: impl FnOnce() -> T) -> T {
        let here = Here { timings: self.clone(), thread: 0, stage: None };
        here.work_as("conversion", work)
    }

    /// All stages so far. One that has not ended lasts as long as the one around it, or until now.
    pub fn stages(&self) -> Vec<Stage> {
        let now = self.0.start.elapsed();
        let recorded = self.0.recorded();
        let mut inside: Vec<Vec<usize>> = vec![Vec::new(); recorded.entries.len()];
        let mut outer = Vec::new();
        for (at, entry) in recorded.entries.iter().enumerate() {
            match entry.parent.and_then(|parent| inside.get_mut(parent)) {
                Some(siblings) => siblings.push(at),
                None => outer.push(at),
            }
        }
        recorded.stages(&outer, &inside, now)
    }

    /// The most memory that the process had, as far as that was recorded.
    pub fn peak_rss_bytes(&self) -> Option<u64> {
        self.0.recorded().peak_rss_bytes
    }

    /// Takes note of a stage that begins.
    fn begin(&self, name: &str, thread: usize, parent: Option<usize>) -> usize {
        let mut recorded = self.0.at_boundary();
        // What looking at the memory took belongs to the stage around this one.
        let start = self.0.start.elapsed();
        let entry =
            Entry { name: name.to_owned(), thread, parent, start, end: None, peak_rss_bytes: None };
        let at = recorded.entries.len();
        recorded.entries.push(entry);
        recorded.open.push(at);
        at
    }

    /// Takes note of a stage that ends.
    fn end(&self, stage: usize) {
        let end = self.0.start.elapsed();
        let mut recorded = self.0.at_boundary();
        if let Some(entry) = recorded.entries.get_mut(stage) {
            entry.end = Some(end);
        }
        if let Some(at) = recorded.open.iter().rposition(|open| *open == stage) {
            recorded.open.swap_remove(at);
        }
    }
}

impl Recorder {
    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was recorded, with the memory of all stages that go on brought up to date.
    fn at_boundary(&self) -> MutexGuard<'_, Recorded> {
        let mut guard = self.recorded();
        let recorded = &mut *guard;
        let peak = if self.memory { memory::peak_rss_bytes() } else { None };
        if peak.is_some() {
            recorded.peak_rss_bytes = recorded.peak_rss_bytes.max(peak);
            for &at in &recorded.open {
                if let Some(entry) = recorded.entries.get_mut(at) {
                    entry.peak_rss_bytes = entry.peak_rss_bytes.max(peak);
                }
            }
            memory::forget_peak_rss();
        }
        guard
    }
}

impl Recorded {
    fn stages(&self, of: &[usize], inside: &[Vec<usize>], until: Duration) -> Vec<Stage> {
        let stages = of.iter().filter_map(|&at| {
            let (entry, inside_this) = (self.entries.get(at)?, inside.get(at)?);
            let end = entry.end.unwrap_or(until);
            Some(Stage {
                name: entry.name.clone(),
                thread: self.threads.get(entry.thread).cloned().unwrap_or_default(),
                start_seconds: entry.start.as_secs_f64(),
                seconds: end.saturating_sub(entry.start).as_secs_f64(),
                peak_rss_bytes: entry.peak_rss_bytes,
                stages: self.stages(inside_this, inside, end),
            })
        });
        stages.collect()
    }

    /// The number of a thread. Threads of one name are one: they do not work at a time.
    fn thread(&mut self, name: &str) -> usize {
        self.threads.iter().position(|known| known == name).unwrap_or_else(|| {
            self.threads.push(name.to_owned());
            self.threads.len() - 1
        })
    }
}

impl Stage {
    /// How long the stages of a name took that are anywhere in this one, in seconds.
    pub fn seconds_of(&self, name: &str) -> f64 {
        let seconds = |stage: &Self| {
            if stage.name == name { stage.seconds } else { stage.seconds_of(name) }
        };
        self.stages.iter().map(seconds).sum()
    }
}

impl Here {
    /// Does some work as a thread of this name, whose stages are parts of the one here.
    pub(crate) fn work_as<T>(&self, thread: &str, work: impl FnOnce() -> T) -> T {
        let thread = self.timings.0.recorded().thread(thread);
        let _back = Back(HERE.replace(Some(Self { thread, ..self.clone() })));
        work()
    }

    /// Starts a stage that ends with [`end`](Self::end), in another one than the one here if
    /// `parent` says so.
    pub(crate) fn begin(&self, name: &str, parent: Option<usize>) -> usize {
        self.timings.begin(name, self.thread, parent.or(self.stage))
    }

    /// Ends such a stage.
    pub(crate) fn end(&self, stage: usize) {
        self.timings.end(stage);
    }
}

/// Where this thread is in a recording, for another thread that works for it.
pub(crate) fn here() -> Option<Here> {
    HERE.with_borrow(Clone::clone)
}

/// Does the work of a stage.
pub(crate) fn stage<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let _running = here().map(|here| Running::start(&here, name));
    work()
}

/// Does some work on another thread as a thread of that name, if anything is recorded at all.
pub(crate) fn as_thread<T>(here: Option<&Here>, thread: &str, work: impl FnOnce() -> T) -> T {
    match here {
        Some(here) => here.work_as(thread, work),
        None => work(),
    }
}

/// A stage of this thread that ends when this is dropped.
struct Running {
    timings: Timings,
    stage: usize,
    _back: Back,
}

impl Running {
    fn start(here: &Here, name: &str) -> Self {
        let stage = here.begin(name, None);
        let inside = Here { stage: Some(stage), ..here.clone() };
        Self { timings: here.timings.clone(), stage, _back: Back(HERE.replace(Some(inside))) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.timings.end(self.stage);
    }
}

/// Brings the thread back to where it was.
struct Back(Option<Here>);

impl Drop for Back {
    fn drop(&mut self) {
        HERE.set(self.0.take());
    }
}

#[cfg(test)]
mod tests;
