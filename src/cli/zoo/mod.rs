//! `onnx2plan zoo`: many models, each in a worker process.

pub(super) mod ending;
mod keep;
mod left;
mod live;
pub(super) mod worker;

use super::environment::{Environment, LibraryArguments};
use super::output::{Output, counted};
use super::tolerance::ToleranceArguments;
use crate::convert::{On, files_of};
use crate::error::{Error, Kind, Result};
use crate::files::place;
use crate::memory;
use crate::recipe::Recipe;
use crate::report::manifest::File;
use crate::report::zoo::{self, Effort, Report, Shard};
use crate::report::{self, Environment as Described};
use crate::trt::{Device, Library};
use crate::zoo::job::{self, Job, Outcome, Settings};
use crate::zoo::pool::{self, Event, Limits};
use crate::zoo::select::{self, Filter};
use crate::zoo::{discover, folder, listing};
use ending::EndingArguments;
use keep::{Folders, KeepArguments};
use live::Live;
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  onnx2plan zoo models --on cpu                 every model below a folder
  onnx2plan zoo 'models/**/*.onnx'               the models that match a glob
  onnx2plan zoo zoo.toml --tag quick            the models that a listing names
  onnx2plan zoo models --report out --github    reports, and annotations in CI
  onnx2plan zoo models --shard 1/4              one of four parts")]
pub(super) struct Arguments {
    /// Models, folders to search for models, or globs; or one listing, such as zoo.toml
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Where to compute
    #[arg(long, value_enum, default_value = "auto")]
    on: On,
    /// Number of worker processes [default: one per processor]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Time limit for each model, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    /// If a model does not convert otherwise, make inputs constants with the test data's values
    #[arg(long)]
    freeze_from_data: bool,
    #[command(flatten)]
    effort: EffortArguments,
    /// Only models whose name matches this glob, such as 'light/*'
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Skip models whose name matches this glob
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Only models with this tag, or one of several, in the listing
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Only part K of N; a model's name decides which part it is in
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// Write report.json, report.html, report.md, junit.xml and report.sarif to this folder
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
    #[command(flatten)]
    keep: KeepArguments,
    #[command(flatten)]
    tolerance: ToleranceArguments,
    #[command(flatten)]
    ending: EndingArguments,
    #[command(flatten)]
    recipe: Recipe,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    library: LibraryArguments,
}

/// What one worker may hold where the user does not say: so much of the machine's memory that the
/// others still have some.
const OF_MACHINE: [usize; 2] = [3, 4];

/// How much is compared.
#[derive(Debug, clap::Args)]
struct EffortArguments {
    /// If inputs are drawn, draw them in the likeliest shapes only, with one seed
    #[arg(long, conflicts_with = "no_verify")]
    quick: bool,
    /// Build plans without comparing their numbers
    #[arg(long)]
    no_verify: bool,
}

impl EffortArguments {
    fn effort(&self) -> Effort {
        match (self.no_verify, self.quick) {
            (true, _) => Effort::None,
            (false, true) => Effort::Quick,
            (false, false) => Effort::Full,
        }
    }
}

pub(super) fn run(
    arguments: &Arguments,
    memory_bytes: Option<usize>,
    environment: &Environment,
    output: &mut Output,
) -> Result<()> {
    // Found, or fetched, once: workers are told where it is.
    let library = environment.library(&arguments.library, output)?;
    let (jobs, listing) = arguments.jobs(&library)?;
    if jobs.iter().any(|job| job.settings.on == On::Gpu && job.skip.is_none()) {
        // Said once, not by every worker.
        Device::open()?.fits(&library)?;
    }
    let limits = arguments.limits(memory_bytes, jobs.len());
    let folders = arguments.keep.folders(environment, output)?;
    let command = arguments.command(&jobs, &limits, &library, environment, folders.clone())?;
    // Before the first file is written: it must not be what another model reads.
    place::spare(|| arguments.reads(&jobs), &arguments.writes(&jobs)?)?;
    if let Some(folder) = &arguments.report {
        folder::begin(folder)?;
    }
    let start = Instant::now();
    output.start_silent("zoo");
    let live = Live::new(output, limits.jobs, &jobs);
    // A disk that is full costs the pages of models, and not what is found out of the others.
    let unwritten = Mutex::new(None);
    let tell = |event: Event<'_>| {
        live.tell(&event);
        if let (Some(folder), Event::Done(_, outcome)) = (&arguments.report, event)
            && let Err(error) = folder::write_model(folder, &outcome.model, &outcome.page)
        {
            unwritten.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
        Ok(())
    };
    super::AT_WORK.store(true, Ordering::SeqCst);
    let outcomes = pool::run(&jobs, &limits, &command, &super::CANCELLED, &tell)?;
    live.finish();
    let mut report =
        arguments.report(&library, (&limits, memory_bytes), start.elapsed(), &outcomes);
    report.options.listing = listing;
    output.done(&format!("{}: {}", counted(report.models.len(), "model"), report.summary()));
    for note in &report.notes {
        output.note(note);
    }
    if let Some(folder) = &arguments.report {
        let pages = outcomes.iter().map(|each| (each.model.name.as_str(), &each.page));
        if let Err(error) = folder::write(folder, &report, pages) {
            unwritten.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
    if arguments.json {
        output.json(&report)?;
    }
    super::unless_cancelled()?;
    arguments.keep.tidy(&folders, output);
    let ended = arguments.ending.end(&report, output);
    match unwritten.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => ended,
        Some(error) => {
            let error = error.with_note(report.summary());
            Err(ended
                .err()
                .into_iter()
                .fold(error, |error, ended| error.with_note(ended.message())))
        }
    }
}

impl Arguments {
    /// The files that are read.
    fn reads(&self, jobs: &[Job]) -> Vec<PathBuf> {
        let of_jobs = jobs.iter().flat_map(|job| files_of(&job.model, &job.data));
        self.paths.iter().cloned().chain(of_jobs).collect()
    }

    /// The files that are made or replaced.
    ///
    /// # Errors
    /// [`Kind::Usage`] for two models that would write one file.
    fn writes(&self, jobs: &[Job]) -> Result<Vec<PathBuf>> {
        place::pages_apart(job::names(jobs))?;
        let reports = self.report.iter();
        let reports = reports.flat_map(|folder| folder::writes(folder, job::names(jobs)));
        Ok(reports.chain(self.keep.plans(jobs)?).collect())
    }

    /// The models to work on, and the listing that has them.
    fn jobs(&self, library: &Library) -> Result<(Vec<Job>, Option<File>)> {
        let filter = Filter::new(&self.include, &self.exclude, &self.tag)?;
        let settings = self.settings(library)?;
        let (mut jobs, listing) = match &self.paths[..] {
            [path] if listing::is_one(path) => {
                let (jobs, listing) = listing::read(path, &settings, library.caps())?;
                (jobs, Some(listing))
            }
            paths if paths.iter().any(|path| listing::is_one(path)) => {
                return Err(Error::new(Kind::Usage, "a listing must be the only path")
                    .with_hint("list the other models in it"));
            }
            paths => {
                let found = discover::models(paths)?.into_iter();
                (found.map(|found| Job::new(found, settings.clone())).collect(), None)
            }
        };
        if jobs.is_empty() {
            return Err(Error::new(Kind::Usage, "no model was found")
                .with_hint("models are files that end in .onnx"));
        }
        filter.check_tags(&jobs)?;
        jobs.retain(|job| {
            filter.takes(job) && self.shard.is_none_or(|shard| select::is_in(shard, &job.name))
        });
        // A part of a whole may be empty.
        if jobs.is_empty() && self.shard.is_none() {
            let message = "no model is left of those that were found";
            return Err(Error::new(Kind::Usage, message)
                .with_hint("see `--include`, `--exclude` and `--tag`"));
        }
        Ok((jobs, listing))
    }

    /// What holds where a listing says nothing.
    fn settings(&self, library: &Library) -> Result<Settings> {
        self.recipe.rnn.with(library.caps())?;
        self.tolerance.check()?;
        Ok(Settings {
            recipe: self.recipe.clone(),
            on: self.on,
            freeze_from_data: self.freeze_from_data,
            tolerance: self.tolerance.tolerance(),
            metric: self.tolerance.limits(),
            verify: self.effort.effort(),
        })
    }

    /// The limits of a zoo of so many models.
    fn limits(&self, memory_bytes: Option<usize>, models: usize) -> Limits {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let jobs = pool::workers(self.jobs.unwrap_or(cores), models);
        Limits {
            jobs,
            timeout: Duration::from_secs(self.timeout),
            memory_bytes: memory_bytes
                .or_else(|| memory::of_machine().map(|all| all / OF_MACHINE[1] * OF_MACHINE[0]))
                .map(|bytes| bytes as u64),
            data_bytes: memory_bytes.unwrap_or_else(|| memory::budget() / jobs),
        }
    }

    /// How a worker is started.
    fn command(
        &self,
        jobs: &[Job],
        limits: &Limits,
        library: &Library,
        environment: &Environment,
        folders: Folders,
    ) -> Result<impl Fn() -> Command + use<>> {
        let program = std::env::current_exe().map_err(|error| {
            Error::new(Kind::Environment, "cannot find the program's own file").with_source(error)
        })?;
        // A worker without a GPU does not touch it, so it must be known whether one job wants it.
        let mut on = jobs.iter().map(|job| job.settings.on);
        let first = on.next().unwrap_or(self.on);
        let on = if on.all(|other| other == first) { first } else { On::Auto }.to_string();
        let data_mib = (limits.data_bytes >> 20).max(1).to_string();
        let (library, reference) = (library.path().to_owned(), environment.reference().ok());
        Ok(move || {
            let mut command = Command::new(&program);
            command.arg("worker").arg("--on").arg(&on).arg("--tensorrt").arg(&library);
            command.arg("--parent").arg(std::process::id().to_string());
            command.arg("--memory").arg(&data_mib);
            folders.tell(&mut command);
            if let Some(reference) = &reference {
                command.arg("--reference").arg(reference);
            }
            // CUDA otherwise loads every kernel of the builder, which takes seconds and gigabytes.
            if std::env::var_os("CUDA_MODULE_LOADING").is_none() {
                command.env("CUDA_MODULE_LOADING", "LAZY");
            }
            command
        })
    }

    fn report(
        &self,
        library: &Library,
        (limits, memory_bytes): (&Limits, Option<usize>),
        took: Duration,
        outcomes: &[Outcome],
    ) -> Report {
        let mut environment = Described::here(Some(library.version().to_string()));
        // Only workers open the GPU.
        let ran = outcomes.iter().filter_map(|outcome| report::environment::of_page(&outcome.page));
        if let Some(ran) = ran.into_iter().find(|ran| ran.gpu.is_some()) {
            environment = ran;
        }
        let options = zoo::Options {
            recipe: self.recipe.clone(),
            on: self.on.to_string(),
            freeze_from_data: self.freeze_from_data,
            verify: self.effort.effort(),
            tolerance: self.tolerance.tolerance(),
            metric: self.tolerance.limits(),
            jobs: limits.jobs,
            timeout_seconds: Some(self.timeout),
            memory_bytes: memory_bytes.map(|bytes| bytes as u64),
            include: self.include.clone(),
            exclude: self.exclude.clone(),
            tags: self.tag.clone(),
            listing: None,
        };
        let models = outcomes.iter().map(|outcome| outcome.model.clone()).collect();
        let pages: HashMap<&str, &serde_json::Value> =
            outcomes.iter().map(|each| (each.model.name.as_str(), &each.page)).collect();
        let report = Report::new(environment, options, took.as_secs_f64(), models)
            .explained(|model| pages.get(model.name.as_str()).copied());
        let mut notes: Vec<String> =
            outcomes.iter().flat_map(|outcome| outcome.notes.iter().cloned()).collect();
        // Where the disk is full, every model says so.
        notes.sort();
        notes.dedup();
        Report { shards: self.shard.into_iter().collect(), notes, ..report }
    }
}
