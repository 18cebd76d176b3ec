//! The worker's side: jobs in, reports out, a line of JSON each.

use super::attempt::{self, Done, Inputs};
use super::cache::Cache;
use super::job::{Job, Outcome};
use super::pool;
use crate::convert::{Machine, reason};
use crate::error::{Error, Kind, Result, bug};
use crate::memory;
use crate::report::zoo::{ModelReport, Status};
use serde_json::json;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

/// A worker, with what it keeps from job to job.
#[derive(Debug)]
pub struct Worker {
    /// What it works with.
    pub machine: Machine,
    /// Where results are kept.
    pub cache: Option<Cache>,
    /// The folder for plans that are good.
    pub output: Option<PathBuf>,
    /// Memory that data may take, in bytes, for models that have no limit of their own.
    pub data_bytes: usize,
    /// When the process began. Its first job is sent before it is ready.
    pub start: Instant,
}

impl Worker {
    /// Does the jobs that come in until there are no more.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a line that is no job; [`Kind::Environment`] where the other side is
    /// gone.
    pub fn serve(&self, input: impl BufRead, output: &mut impl Write) -> Result<()> {
        let gone = |error: io::Error| {
            Error::new(Kind::Environment, "the other side is gone").with_source(error)
        };
        let mut first = Some(self.start);
        for line in input.lines() {
            let start = first.take().unwrap_or_else(Instant::now);
            let job: Job = serde_json::from_str(&line.map_err(gone)?)
                .map_err(|error| Error::new(Kind::Usage, "a line is no job").with_source(error))?;
            let outcome = bug::caught(|| Ok(self.does(&job, start)))
                .unwrap_or_else(|error| broken(&job, &error));
            // At once: the serializer writes token by token.
            let report = serde_json::to_string(&outcome).map_err(|error| gone(error.into()))?;
            writeln!(output, "{report}").and_then(|()| output.flush()).map_err(gone)?;
            if outcome.spent {
                break;
            }
        }
        Ok(())
    }

    /// Does a job, or takes its result from the cache.
    fn does(&self, job: &Job, start: Instant) -> Outcome {
        memory::forget_peak_rss();
        let own = job.memory_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        memory::limit(own.unwrap_or(self.data_bytes));
        // What cannot be read has no key; it is found out again in no time.
        let inputs = Inputs::read(job, start);
        let reads = inputs.as_ref().map(Inputs::reads).unwrap_or_default();
        let place = inputs.as_ref().ok().zip(self.cache.as_ref());
        let place = place.and_then(|(inputs, cache)| Some((cache, cache.key(job, inputs).ok()?)));
        let Some((cache, key)) = place else {
            return self.handed_out(job, attempt::run(job, &self.machine, inputs), &reads);
        };
        let (found, damage) = match cache.find(&key, job) {
            Ok(found) => (found, None),
            Err(damage) => (
                None,
                Some(format!(
                    "`{}` was done anew, for its entry in the cache is damaged: {damage}",
                    job.name
                )),
            ),
        };
        let (done, unkept) = match found {
            Some(done) => (done, None),
            None => {
                let done = attempt::run(job, &self.machine, inputs);
                let kept = cache.keep(&key, &done);
                (done, kept.err().map(|error| error.to_string()))
            }
        };
        let mut outcome = self.handed_out(job, done, &reads);
        outcome.notes.extend(damage.into_iter().chain(unkept));
        outcome
    }

    /// Gives the user the plan, if it is good and wanted.
    fn handed_out(&self, job: &Job, done: Done, reads: &[PathBuf]) -> Outcome {
        let Done { outcome, plan, .. } = done;
        let status = outcome.model.status;
        let wanted = status.is_good() || status == Status::Unjudged;
        let (Some(folder), true) = (&self.output, wanted) else { return outcome };
        let Some(plan) = plan else {
            let why =
                outcome.model.reason.clone().unwrap_or_else(|| "no plan was built".to_owned());
            let hint = "build it on a machine with a GPU, or leave out `--output`";
            return failed(outcome, &Error::new(Kind::Environment, why).with_hint(hint));
        };
        match plan.write(folder, &job.name, reads) {
            Ok(()) => outcome,
            Err(error) => failed(outcome, &error),
        }
    }
}

/// What is reported of a job that met a bug of ours. Nobody knows in what state that left us.
fn broken(job: &Job, error: &Error) -> Outcome {
    let outcome = pool::ended(job, Status::Failed, error.message(), "");
    Outcome { spent: true, ..failed(outcome, error) }
}

/// What is left of a good outcome where its plan cannot be written.
fn failed(outcome: Outcome, error: &Error) -> Outcome {
    let Outcome { model, mut page, .. } = outcome;
    let model = ModelReport {
        status: Status::Failed,
        reason: Some(reason::reason(error)),
        details: Some(error.to_string()),
        hint: error.hint().map(str::to_owned),
        exit_code: error.kind().exit_code(),
        ..model
    };
    for (field, value) in [
        ("verdict", json!(model.status)),
        ("reason", json!(model.reason)),
        ("error", error.to_json()),
    ] {
        if let Some(place) = page.get_mut(field) {
            *place = value;
        }
    }
    Outcome { model, page, ..outcome }
}
