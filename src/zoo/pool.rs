//! The parent's side: starts workers, hands out jobs, watches over time and memory, replaces what died.

use super::job::Job;
use crate::error::{Error, Kind, Result};
use crate::report::zoo::{ModelReport, Seconds, Status};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a worker's memory is looked at, and whether the user wants to stop.
const LOOK: Duration = Duration::from_millis(100);
/// How much of what a worker last wrote to stderr is kept, in bytes.
const LAST_WORDS_BYTES: usize = 4096;

/// Limits of one model, and how many are worked on at once.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Workers at once.
    pub jobs: usize,
    /// Time for one model.
    pub timeout: Duration,
    /// Memory that a worker may hold, in bytes.
    pub memory_bytes: Option<u64>,
}

/// Does all jobs; `command` makes a worker, `done` is told of each report as it comes.
///
/// The reports are in the order of the jobs. Once `cancel` is set no more jobs are begun, and those left are skipped.
///
/// # Errors
/// [`Kind::Environment`] where no worker can be started.
pub fn run(
    jobs: &[Job],
    limits: &Limits,
    command: &(dyn Fn() -> Command + Sync),
    cancel: &AtomicBool,
    done: &(dyn Fn(&ModelReport) + Sync),
) -> Result<Vec<ModelReport>> {
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..jobs.len()).collect());
    let reports: Mutex<Vec<Option<ModelReport>>> = Mutex::new(vec![None; jobs.len()]);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let work = || -> Result<()> {
        let mut worker = None;
        while let Some(at) = next() {
            let Some(job) = jobs.get(at) else { continue };
            let report = if cancel.load(Ordering::Relaxed) {
                ended(job, Status::Skipped, "interrupted", "")
            } else {
                one(job, limits, command, cancel, &mut worker)?
            };
            done(&report);
            if let Some(place) = reports.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at) {
                *place = Some(report);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..limits.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let broken = || Err(Error::new(Kind::Internal, "a thread of the pool failed"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| broken())).collect::<Result<Vec<()>>>()
    })?;
    let reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    let report = |(job, report): (&Job, Option<ModelReport>)| {
        report.unwrap_or_else(|| ended(job, Status::Skipped, "interrupted", ""))
    };
    Ok(jobs.iter().zip(reports).map(report).collect())
}

/// One job, a second time in a fresh worker where the first one died.
fn one(
    job: &Job,
    limits: &Limits,
    command: &(dyn Fn() -> Command + Sync),
    cancel: &AtomicBool,
    worker: &mut Option<Worker>,
) -> Result<ModelReport> {
    let mut retried = false;
    loop {
        let mut at_work = match worker.take() {
            Some(worker) => worker,
            None => Worker::start(command())?,
        };
        let died = match at_work.does(job, limits, cancel) {
            Ok(report) => {
                *worker = Some(at_work);
                return Ok(ModelReport { retried, ..report });
            }
            Err(died) => died,
        };
        let words = at_work.end();
        match died {
            // It had ended after its last job: this one was never begun.
            Death::BeforeTheJob => {}
            Death::Cancelled => return Ok(ended(job, Status::Skipped, "interrupted", "")),
            _ if !retried => retried = true,
            Death::Crashed(how) => {
                let report = ended(job, Status::Crashed, &how, &words);
                return Ok(ModelReport { retried, ..report });
            }
            Death::Timeout => {
                let reason = format!("took longer than {} s", limits.timeout.as_secs());
                return Ok(ModelReport { retried, ..ended(job, Status::Timeout, &reason, &words) });
            }
            Death::Memory(bytes) => {
                let reason = format!("the worker held {bytes} bytes, more than it may");
                return Ok(ModelReport { retried, ..ended(job, Status::Failed, &reason, &words) });
            }
        }
    }
}

/// The report on a model of which no worker reported.
fn ended(job: &Job, status: Status, reason: &str, words: &str) -> ModelReport {
    ModelReport {
        name: job.name.clone(),
        path: job.model.clone(),
        status,
        reason: reason.to_owned(),
        details: words.to_owned(),
        frozen: Vec::new(),
        seconds: Seconds::default(),
        peak_rss_bytes: None,
        plan_bytes: 0,
        layers: 0,
        outputs: Vec::new(),
        retried: false,
    }
}

/// Why a worker did not report.
enum Death {
    BeforeTheJob,
    Crashed(String),
    Timeout,
    Memory(u64),
    Cancelled,
}

/// A process at work.
struct Worker {
    child: Child,
    jobs: Option<ChildStdin>,
    reports: Receiver<String>,
    words: Arc<Mutex<Vec<u8>>>,
}

impl Worker {
    fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Error::new(Kind::Environment, "cannot start a worker").with_source(error))?;
        let (send, reports) = channel();
        let words = Arc::new(Mutex::new(Vec::new()));
        if let Some(stdout) = child.stdout.take() {
            // These threads end with the process, whose pipes they read.
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
                    if send.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        if let Some(mut stderr) = child.stderr.take() {
            let words = words.clone();
            std::thread::spawn(move || {
                let mut buffer = [0; 1024];
                while let Ok(count @ 1..) = stderr.read(&mut buffer) {
                    let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
                    words.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    let surplus = words.len().saturating_sub(LAST_WORDS_BYTES);
                    words.drain(..surplus);
                }
            });
        }
        let jobs = child.stdin.take();
        Ok(Self { child, jobs, reports, words })
    }

    /// Has the worker do a job, and watches it.
    fn does(&mut self, job: &Job, limits: &Limits, cancel: &AtomicBool) -> Result<ModelReport, Death> {
        let line = serde_json::to_string(job).map_err(|error| Death::Crashed(error.to_string()))?;
        let sent = self.jobs.as_mut().map(|jobs| writeln!(jobs, "{line}").and_then(|()| jobs.flush()));
        if !matches!(sent, Some(Ok(()))) {
            return Err(Death::BeforeTheJob);
        }
        let start = Instant::now();
        loop {
            match self.reports.recv_timeout(LOOK) {
                Ok(line) => {
                    let report = serde_json::from_str(&line);
                    return report.map_err(|error| Death::Crashed(format!("the worker's report is broken: {error}")));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.death(start)),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if start.elapsed() > limits.timeout {
                return Err(Death::Timeout);
            }
            if cancel.load(Ordering::Relaxed) {
                return Err(Death::Cancelled);
            }
            let held = resident_bytes(self.child.id());
            if let (Some(held), Some(most)) = (held, limits.memory_bytes)
                && held > most
            {
                return Err(Death::Memory(held));
            }
        }
    }

    /// How the process ended.
    fn death(&mut self, start: Instant) -> Death {
        match self.child.wait() {
            // A worker ends well after a job that has spoilt it; the next job may have been written into its closed pipe.
            Ok(status) if status.success() && start.elapsed() < LOOK => Death::BeforeTheJob,
            Ok(status) => Death::Crashed(format!("the worker ended with {status}")),
            Err(error) => Death::Crashed(format!("the worker is gone: {error}")),
        }
    }

    /// Ends the process; what it last wrote to stderr.
    fn end(mut self) -> String {
        drop(self.jobs.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&words).into_owned()
    }
}

impl Drop for Worker {
    /// A worker without jobs ends by itself.
    fn drop(&mut self) {
        drop(self.jobs.take());
        let _ = self.child.wait();
    }
}

/// Memory that a process holds, where the system says so.
fn resident_bytes(process: u32) -> Option<u64> {
    crate::files::memory_of(&format!("/proc/{process}/status"), "VmRSS:")
}
