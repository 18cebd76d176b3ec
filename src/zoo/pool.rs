//! The parent's side: starts workers, hands out jobs, watches over time and memory, replaces what
//! died.

use super::job::{Job, Outcome};
use crate::convert::describe;
use crate::error::{Error, Kind, Result};
use crate::memory;
use crate::report::zoo::{Effort, ModelReport, Status};
use crate::report::{Environment, model, pages};
use rustix::process::Signal;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a worker's memory is looked at, and whether the user wants to stop.
const LOOK: Duration = Duration::from_millis(100);
/// How long a worker may take to end once it has nothing more to say.
const GRACE: Duration = Duration::from_secs(2);
/// How often a model is taken up anew because somebody killed its worker. That says nothing of the
/// model; but not for ever.
const MOST_KILLS: usize = 20;
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
    /// Memory that data may take in a worker, in bytes.
    pub data_bytes: usize,
}

impl Limits {
    /// The limits of a model, which may have its own.
    fn of(&self, job: &Job) -> Self {
        Self {
            timeout: job.timeout_seconds.map_or(self.timeout, Duration::from_secs),
            memory_bytes: job.memory_bytes.or(self.memory_bytes),
            ..self.clone()
        }
    }
}

/// Something that happens in the pool.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A worker, by its number, begins with a model.
    Begun(usize, &'a Job),
    /// It is done with it, or has been replaced.
    Done(usize, &'a Outcome),
}

/// Does all jobs; `command` makes a worker, `tell` hears of each as it comes, from any thread.
///
/// The outcomes are in the order of the jobs. Once `cancel` is set no more jobs are begun, and
/// those left are skipped.
///
/// # Errors
/// [`Kind::Environment`] where no worker can be started; whatever `tell` says.
pub fn run(
    jobs: &[Job],
    limits: &Limits,
    command: &(dyn Fn() -> Command + Sync),
    cancel: &AtomicBool,
    tell: &(dyn Fn(Event<'_>) -> Result<()> + Sync),
) -> Result<Vec<Outcome>> {
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..jobs.len()).collect());
    let reports: Mutex<Vec<Option<Outcome>>> = Mutex::new(vec![None; jobs.len()]);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let work = |number: usize| -> Result<()> {
        let mut worker = None;
        while let Some(at) = next() {
            let Some(job) = jobs.get(at) else { continue };
            tell(Event::Begun(number, job))?;
            let report = match &job.skip {
                Some(why) => ended(job, Status::Skipped, why, ""),
                None if cancel.load(Ordering::Relaxed) => {
                    ended(job, Status::Skipped, "interrupted", "")
                }
                None => one(job, &limits.of(job), command, cancel, &mut worker)?,
            };
            let report = expected(job, report);
            tell(Event::Done(number, &report))?;
            if let Some(place) = reports.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at)
            {
                *place = Some(report);
            }
        }
        Ok(())
    };
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers(limits.jobs, jobs.len()))
            .map(|number| scope.spawn(move || work(number)))
            .collect();
        let broken = || Err(Error::new(Kind::Internal, "a thread of the pool failed"));
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| broken()))
            .collect::<Result<Vec<()>>>()
    })?;
    let reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    let report = |(job, report): (&Job, Option<Outcome>)| {
        report.unwrap_or_else(|| expected(job, ended(job, Status::Skipped, "interrupted", "")))
    };
    Ok(jobs.iter().zip(reports).map(report).collect())
}

/// How many of the workers that are asked for have something to do.
pub fn workers(asked: usize, jobs: usize) -> usize {
    asked.clamp(1, jobs.max(1))
}

/// One job, a second time in a fresh worker where the first one died; more often where somebody
/// killed it.
fn one(
    job: &Job,
    limits: &Limits,
    command: &(dyn Fn() -> Command + Sync),
    cancel: &AtomicBool,
    worker: &mut Option<Worker>,
) -> Result<Outcome> {
    let (mut died_before, mut kills) = (false, 0);
    loop {
        let retried = died_before || kills > 0;
        let mut at_work = match worker.take() {
            Some(worker) => worker,
            None => Worker::start(command())?,
        };
        let limited = Job { timeout_seconds: Some(limits.timeout.as_secs()), ..job.clone() };
        let died = match at_work.does(&limited, limits, cancel) {
            Ok(report) => {
                *worker = Some(at_work).filter(|_| !report.spent);
                return Ok(retried_as(report, retried));
            }
            Err(died) => died,
        };
        let words = at_work.end();
        match died {
            Death::Cancelled => return Ok(ended(job, Status::Skipped, "interrupted", "")),
            Death::Killed(_) if kills < MOST_KILLS => kills += 1,
            // What took too long would take as long again.
            Death::Crashed(_) | Death::Memory(_) if !died_before => {
                died_before = true;
            }
            Death::Killed(how) | Death::Crashed(how) => {
                let report = ended(job, Status::Crashed, &how, &words);
                return Ok(retried_as(report, retried));
            }
            Death::Timeout => {
                let reason = format!("took longer than {} s", limits.timeout.as_secs());
                let mut ended = ended(job, Status::Timeout, &reason, &words);
                ended.model.hint = Some("`--timeout SECONDS` gives models more time".to_owned());
                return Ok(retried_as(ended, retried));
            }
            Death::Memory(bytes) => {
                let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
                let most = limits.memory_bytes.map_or_else(String::new, mib);
                let reason = format!("the worker held {}, and may hold {most}", mib(bytes));
                let mut ended = ended(job, Status::Failed, &reason, &words);
                ended.model.hint = Some("`--memory MIB` gives workers more memory".to_owned());
                return Ok(retried_as(ended, retried));
            }
        }
    }
}

/// An outcome with what the listing says of the model.
fn expected(job: &Job, outcome: Outcome) -> Outcome {
    let model = ModelReport {
        page: Some(pages::path(&job.name)).filter(|_| outcome.model.status != Status::Skipped),
        command: job.command(),
        tags: job.tags.clone(),
        expected_at: job.expected_at.clone(),
        ..outcome.model
    };
    let mut model = model.expecting(job.expected);
    if model.status == Status::Unjudged && job.settings.verify == Effort::None {
        // Nobody asked for more.
        (model.as_expected, model.exit_code) = (true, 0);
    }
    // Nobody asked to leave it out: the run was interrupted.
    model.as_expected &= model.status != Status::Skipped || job.skip.is_some();
    Outcome { model, ..outcome }
}

fn retried_as(mut outcome: Outcome, retried: bool) -> Outcome {
    outcome.model.retried = retried;
    outcome
}

/// The report on a model of which no worker reported.
pub(super) fn ended(job: &Job, status: Status, reason: &str, words: &str) -> Outcome {
    let words = words.trim();
    let model = ModelReport {
        reason: Some(reason.to_owned()),
        details: (!words.is_empty()).then(|| words.to_owned()),
        ..ModelReport::new(&job.name, &job.path, status)
    };
    let file = describe(&job.model);
    let page = model::Report {
        reason: Some(reason.to_owned()),
        notes: model.details.iter().cloned().collect(),
        ..model::Report::new(
            file,
            status,
            Environment::here(None),
            model::Options { recipe: job.settings.recipe.clone(), on: job.settings.on.to_string() },
        )
    };
    Outcome {
        model,
        page: serde_json::to_value(page).unwrap_or_default(),
        spent: false,
        notes: Vec::new(),
    }
}

/// Why a worker did not report.
enum Death {
    Crashed(String),
    /// By somebody's SIGKILL, other than the system's for want of memory.
    Killed(String),
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
    /// As the worker started.
    kills_for_memory: Option<u64>,
}

impl Worker {
    fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                Error::new(Kind::Environment, "cannot start a worker").with_source(error)
            })?;
        let (send, reports) = channel();
        let words = Arc::new(Mutex::new(Vec::new()));
        if let Some(stdout) = child.stdout.take() {
            // These threads end with the process, whose pipes they read.
            std::thread::spawn(move || {
                let lines = BufReader::new(stdout).split(b'\n');
                for line in lines.map_while(std::result::Result::ok) {
                    // What is no text is no report, which is told of the model at work.
                    if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
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
        Ok(Self { child, jobs, reports, words, kills_for_memory: kills_for_memory() })
    }

    /// Has the worker do a job, and watches it.
    fn does(&mut self, job: &Job, limits: &Limits, cancel: &AtomicBool) -> Result<Outcome, Death> {
        let line = serde_json::to_string(job).map_err(|error| Death::Crashed(error.to_string()))?;
        let sent =
            self.jobs.as_mut().map(|jobs| writeln!(jobs, "{line}").and_then(|()| jobs.flush()));
        if !matches!(sent, Some(Ok(()))) {
            return Err(self.death());
        }
        let start = Instant::now();
        loop {
            match self.reports.recv_timeout(LOOK) {
                Ok(line) => {
                    let report = serde_json::from_str(&line);
                    return report.map_err(|error| {
                        Death::Crashed(format!("the worker's report is broken: {error}"))
                    });
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.death()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if start.elapsed() > limits.timeout {
                return Err(Death::Timeout);
            }
            if cancel.load(Ordering::Relaxed) {
                return Err(Death::Cancelled);
            }
            let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
            let held = status.ok().and_then(|status| held_bytes(&status));
            if let (Some(held), Some(most)) = (held, limits.memory_bytes)
                && held > most
            {
                return Err(Death::Memory(held));
            }
        }
    }

    /// How the process ended.
    fn death(&mut self) -> Death {
        let status = match self.ended() {
            Ok(Some(status)) => status,
            Ok(None) => {
                let _ = self.child.kill();
                let how = "the worker closed its output and did not end";
                return Death::Crashed(how.to_owned());
            }
            Err(error) => return Death::Crashed(format!("the worker is gone: {error}")),
        };
        let how = format!("the worker ended with {status}");
        let killed = status.signal() == Some(Signal::KILL.as_raw());
        if killed && kills_for_memory() == self.kills_for_memory {
            Death::Killed(how)
        } else {
            Death::Crashed(how)
        }
    }

    /// How the process ended, if it does so within [`GRACE`].
    fn ended(&mut self) -> std::io::Result<Option<ExitStatus>> {
        let start = Instant::now();
        loop {
            let status = self.child.try_wait()?;
            if status.is_some() || start.elapsed() > GRACE {
                return Ok(status);
            }
            std::thread::sleep(LOOK / 10);
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
    /// A worker without jobs ends by itself, if nothing holds it up.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if !matches!(self.ended(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// How many processes the system has killed for want of memory, where it says so.
fn kills_for_memory() -> Option<u64> {
    let counters = std::fs::read_to_string("/proc/vmstat").ok()?;
    counters.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

/// Memory that a process with this status holds, where the system says so. Maps of files are not
/// counted: the system takes their memory back when it needs it.
fn held_bytes(status: &str) -> Option<u64> {
    let of = |what| memory::kibibytes(status, what);
    let own = of("RssAnon:").map(|own| own.saturating_add(of("RssShmem:").unwrap_or_default()));
    own.or_else(|| of("VmRSS:"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::convert::On;
    use crate::zoo::discover::Found;
    use crate::zoo::job::Settings;

    /// A model that is nowhere.
    pub(in crate::zoo) fn job(name: &str) -> Job {
        let found = Found { name: name.to_owned(), model: "m.onnx".into(), data: Vec::new() };
        Job::new(found, Settings::plain(On::Cpu))
    }

    /// What comes of two models with a worker that is this shell script.
    fn outcomes(script: &str, limits: &Limits) -> Vec<(Status, String, bool)> {
        let command = || {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let outcomes =
            run(&[job("a"), job("b")], limits, &command, &AtomicBool::new(false), &|_| Ok(()))
                .unwrap();
        outcomes
            .into_iter()
            .map(|outcome| {
                (
                    outcome.model.status,
                    outcome.model.reason.unwrap_or_default(),
                    outcome.model.retried,
                )
            })
            .collect()
    }

    #[test]
    fn workers_that_die_cost_their_model_only() {
        let limits =
            Limits { jobs: 1, timeout: Duration::from_secs(20), memory_bytes: None, data_bytes: 1 };
        let crashed = |how: &str| vec![(Status::Crashed, how.to_owned(), true); 2];
        assert_eq!(
            outcomes("read job; kill -SEGV $$", &limits),
            crashed("the worker ended with signal: 11 (SIGSEGV)")
        );
        // One that never reads a job, however it ends.
        assert_eq!(outcomes("exit 6", &limits), crashed("the worker ended with exit status: 6"));
        assert_eq!(outcomes("exit 0", &limits), crashed("the worker ended with exit status: 0"));
    }

    #[test]
    fn a_model_whose_worker_is_killed_is_tried_more_often() {
        let limits =
            Limits { jobs: 1, timeout: Duration::from_secs(20), memory_bytes: None, data_bytes: 1 };
        let tries = tempfile::NamedTempFile::new().unwrap();
        let script = format!("read job; echo >> {}; kill -KILL $$", tries.path().display());
        let killed = "the worker ended with signal: 9 (SIGKILL)".to_owned();
        assert_eq!(outcomes(&script, &limits), vec![(Status::Crashed, killed, true); 2]);
        assert_eq!(std::fs::read(tries.path()).unwrap().len(), 2 * (1 + MOST_KILLS));
    }

    #[test]
    fn workers_that_hang_are_ended() {
        let limits = Limits {
            jobs: 2,
            timeout: Duration::from_millis(300),
            memory_bytes: None,
            data_bytes: 1,
        };
        let found = outcomes("read job; exec sleep 60", &limits);
        assert_eq!(found, vec![(Status::Timeout, "took longer than 0 s".to_owned(), false); 2]);
    }

    #[test]
    fn workers_that_say_no_more_are_ended() {
        let limits =
            Limits { jobs: 2, timeout: Duration::from_mins(1), memory_bytes: None, data_bytes: 1 };
        let crashed = |how: &str| vec![(Status::Crashed, how.to_owned(), true); 2];
        let found = outcomes("read job; exec sleep 60 >&-", &limits);
        assert_eq!(found, crashed("the worker closed its output and did not end"));
        // One that ends only when it is made to, after its report or what it says in its place.
        let start = Instant::now();
        let found = outcomes("read job; printf '\\377\\n'; exec sleep 60", &limits);
        let how = "the worker's report is broken: expected value at line 1 column 1";
        assert_eq!(found, crashed(how));
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn there_are_no_more_workers_than_models() {
        assert_eq!([workers(0, 3), workers(2, 3), workers(usize::MAX, 3)], [1, 2, 3]);
        assert_eq!(workers(usize::MAX, 0), 1);
        let limits = Limits {
            jobs: usize::MAX,
            timeout: Duration::from_secs(20),
            memory_bytes: None,
            data_bytes: 1,
        };
        assert_eq!(outcomes("exit 6", &limits).len(), 2);
    }

    #[test]
    fn maps_of_files_are_not_held() {
        let new =
            "VmRSS:\t  9000 kB\nRssAnon:\t  1000 kB\nRssFile:\t  7980 kB\nRssShmem:\t 20 kB\n";
        assert_eq!(held_bytes(new), Some(1020 * 1024));
        assert_eq!(held_bytes("VmRSS:\t  9000 kB\n"), Some(9000 * 1024));
        assert_eq!(held_bytes("VmRSS:\t  many\n"), None);
    }

    #[test]
    fn only_models_that_shall_be_skipped_may_be() {
        let limits =
            Limits { jobs: 1, timeout: Duration::from_secs(20), memory_bytes: None, data_bytes: 1 };
        let jobs = [Job { skip: Some("too large".to_owned()), ..job("a") }, job("b")];
        let none = || Command::new("false");
        let outcomes = run(&jobs, &limits, &none, &AtomicBool::new(true), &|_| Ok(())).unwrap();
        let models = outcomes
            .iter()
            .map(|outcome| (&outcome.model, outcome.model.reason.as_deref().unwrap()));
        let found: Vec<_> =
            models.map(|(model, reason)| (model.status, reason, model.as_expected)).collect();
        assert_eq!(
            found,
            [(Status::Skipped, "too large", true), (Status::Skipped, "interrupted", false)]
        );
    }

    #[test]
    fn a_model_may_have_limits_of_its_own() {
        let limits = Limits {
            jobs: 1,
            timeout: Duration::from_secs(20),
            memory_bytes: Some(7),
            data_bytes: 1,
        };
        let own = Job { timeout_seconds: Some(3), memory_bytes: Some(9), ..job("a") };
        let of = |job: &Job| (limits.of(job).timeout.as_secs(), limits.of(job).memory_bytes);
        assert_eq!((of(&own), of(&job("b"))), ((3, Some(9)), (20, Some(7))));
    }

    #[test]
    fn workers_that_take_too_much_memory_are_ended() {
        let limits = Limits {
            jobs: 1,
            timeout: Duration::from_secs(20),
            memory_bytes: Some(1),
            data_bytes: 1,
        };
        for (status, reason, retried) in outcomes("read job; exec sleep 60", &limits) {
            assert_eq!((status, retried), (Status::Failed, true));
            assert!(
                reason.starts_with("the worker held ")
                    && reason.ends_with(" MiB, and may hold 0 MiB"),
                "{reason}"
            );
        }
    }
}
