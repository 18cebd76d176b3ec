//! How far a zoo is: a table with bars on a terminal, a line for each model elsewhere.

use super::left::{self, Left};
use crate::cli::output::Output;
use crate::report::zoo::{ModelReport, Status};
use crate::shown;
use crate::zoo::job::{Job, Outcome};
use crate::zoo::pool::Event;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What is shown while workers are at work; it may be told from any thread.
pub(super) struct Live<'a> {
    output: &'a Output,
    table: Option<Table>,
    counts: Mutex<Counts>,
    /// Sizes in bytes, by name.
    sizes: HashMap<String, u64>,
    left: Mutex<Left>,
}

/// What is told of the models that are done.
#[derive(Default)]
struct Counts {
    by_status: BTreeMap<Status, usize>,
    cached: usize,
}

/// The rows on a terminal: the whole, how many models have each status, then one for each worker.
struct Table {
    rows: MultiProgress,
    workers: Vec<ProgressBar>,
    whole: ProgressBar,
    counts: ProgressBar,
}

impl<'a> Live<'a> {
    pub(super) fn new(output: &'a Output, workers: usize, jobs: &[Job]) -> Self {
        let table = output.is_live().then(|| Table::new(workers, jobs.len()));
        let bytes = |job: &Job| std::fs::metadata(&job.model).map_or(0, |file| file.len());
        // Only the table tells how much is left.
        let told = table.iter().flat_map(|_| jobs).filter(|job| job.skip.is_none());
        let sizes: HashMap<String, u64> = told.map(|job| (job.name.clone(), bytes(job))).collect();
        let left = Left::new(workers, sizes.values().copied().collect());
        Self { output, table, counts: Mutex::default(), sizes, left: Mutex::new(left) }
    }

    pub(super) fn tell(&self, event: &Event<'_>) {
        match event {
            Event::Begun(worker, job) => self.begun(*worker, job),
            Event::Done(worker, outcome) => self.done(*worker, outcome),
        }
    }

    fn begun(&self, worker: usize, job: &Job) {
        if let Some(row) = self.table.as_ref().and_then(|table| table.workers.get(worker)) {
            row.reset_elapsed();
            row.set_message(shown::name(&job.name));
        }
    }

    fn done(&self, worker: usize, outcome: &Outcome) {
        let model = &outcome.model;
        let Some(table) = &self.table else { return self.output.item(&line(model)) };
        let row = table.workers.get(worker);
        if let (Some(row), Some(&bytes)) = (row, self.sizes.get(&model.name)) {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            left.done(bytes, row.elapsed(), model.cached);
            let words = left.left().map(|left| format!("about {} left", left::words(left)));
            table.whole.set_message(words.unwrap_or_default());
        }
        if let Some(row) = row {
            row.set_message("");
        }
        let interrupted = model.status == Status::Skipped;
        if (!model.as_expected || model.improved) && !interrupted {
            // It stays above the table.
            table.rows.suspend(|| self.output.item(&line(model)));
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.by_status.entry(model.status).or_default() += 1;
        counts.cached += usize::from(model.cached);
        let cached =
            Some(format!("{} from the cache", counts.cached)).filter(|_| counts.cached > 0);
        let text = counts
            .by_status
            .iter()
            .map(|(status, count)| format!("{count} {status}"))
            .chain(cached);
        table.counts.set_message(text.collect::<Vec<_>>().join(" · "));
        table.whole.inc(1);
    }

    /// Takes the table away.
    pub(super) fn finish(self) {
        if let Some(table) = self.table {
            let _ = table.rows.clear();
        }
    }
}

impl Table {
    fn new(workers: usize, models: usize) -> Self {
        let rows = MultiProgress::new();
        let row = |template: &str, bar: ProgressBar| {
            let bar = rows.add(bar);
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        };
        // Where a terminal has too few lines, the last ones are not shown.
        let length = models.try_into().unwrap_or(u64::MAX);
        let whole = row("{wide_bar} {pos}/{len}  {elapsed}  {msg}", ProgressBar::new(length));
        let counts = row("{wide_msg}", ProgressBar::new_spinner());
        let workers = (0..workers)
            .map(|_| row("  {spinner} {elapsed:>4} {wide_msg}", ProgressBar::new_spinner()));
        let workers: Vec<ProgressBar> = workers.collect();
        workers
            .iter()
            .chain([&whole])
            .for_each(|bar| bar.enable_steady_tick(Duration::from_millis(200)));
        Self { rows, workers, whole, counts }
    }
}

/// A model on one line.
fn line(model: &ModelReport) -> String {
    let expected = match (model.expectation(), model.expected) {
        (Some(expected), _) if !model.as_expected => format!("(expected {expected})"),
        (_, Some(expected)) if model.improved => {
            let stale = model.stale().map_or_else(String::new, |stale| format!(": {stale}"));
            format!("(better than {expected}{stale})")
        }
        _ => String::new(),
    };
    let again = if model.retried { "(tried again)" } else { "" };
    let cached = if model.cached { "(from the cache)" } else { "" };
    let reason = model.reason.as_deref().filter(|_| !model.status.is_good()).unwrap_or_default();
    let name = shown::name(&model.name);
    let parts = [name.as_str(), reason, &expected, again, cached];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{:<11} {}", model.status.to_string(), parts.join("  "))
}
