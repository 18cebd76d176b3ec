//! One model: convert, build, compute, compare.

use super::freezing::{self, Freezing};
use super::job::{Job, On, Outcome};
use super::plan::{self, Plan};
use super::{page, reason};
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::import::freeze;
use crate::onnx::{self, Model};
use crate::pipeline::profile::asked::Asked;
use crate::pipeline::profile::{self, End, Planned, Request, Sample};
use crate::pipeline::{self, Prepared};
use crate::report::manifest::File;
use crate::report::model::{self, Binding, Layer};
use crate::report::verification::OutputComparison;
use crate::report::zoo::{ModelReport, Seconds, Status};
use crate::report::{self, Verification, latency};
use crate::tensor::Tensor;
use crate::trt::{Device, Engine, Library, LogSink};
use crate::verify::draw::{self, Shapes};
use crate::verify::reference::Reference;
use crate::verify::{self, data::DataSet};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// What a worker keeps from model to model.
#[derive(Debug)]
pub struct Machine {
    /// Builds the plans.
    pub library: Library,
    /// Runs them, where there is one.
    pub device: Option<Device>,
    /// ONNX Runtime's library, for models without data.
    pub reference: Option<PathBuf>,
    /// What reports say of all this.
    pub environment: report::Environment,
}

/// The files of a job, read.
#[derive(Debug)]
pub struct Source {
    model: Model,
    sets: Vec<DataSet>,
    /// How long the model took.
    seconds: f64,
    /// The model's file, and those with its external data.
    pub files: (File, Vec<File>),
}

impl Source {
    /// Reads the model and its test data, and hashes the model's files.
    ///
    /// # Errors
    /// Whatever [`onnx::load`] and [`verify::data::read`] say.
    pub fn read(job: &Job) -> Result<Self> {
        let start = Instant::now();
        let model = onnx::load(&job.model)?;
        let seconds = start.elapsed().as_secs_f64();
        let mut sets =
            job.data.iter().map(|path| verify::data::read(path)).collect::<Result<Vec<_>>>()?;
        for set in &mut sets {
            // Results are the same wherever the zoo lies.
            set.path = PathBuf::from(&set.label);
        }
        let files = files::describe_model(&job.model, &model.external)?;
        Ok(Self { model, sets, seconds, files })
    }
}

/// What came of a job, and the plan, if it came that far.
#[derive(Debug)]
pub struct Done {
    /// For the reports.
    pub outcome: Outcome,
    /// The plan; it is good if the outcome is.
    pub plan: Option<Plan>,
}

/// What is known of a model so far.
#[derive(Default)]
struct Progress {
    seconds: Seconds,
    frozen: Vec<String>,
    plan: Option<Plan>,
    /// Why no plan was built, though the network is good.
    unbuilt: Option<String>,
    inputs: Vec<Binding>,
    outputs: Vec<Binding>,
    layers: Vec<Layer>,
    notes: Vec<String>,
    candidate: Option<&'static str>,
    verifications: Vec<Verification>,
    latency: Option<latency::Latency>,
}

/// Does a job whose files were read, if they could be. Whatever happens ends up in the report.
pub fn run(job: &Job, machine: &Machine, source: Result<Source>) -> Done {
    let mut progress = Progress::default();
    let mut sets = Vec::new();
    let file =
        source.as_ref().map_or_else(|_| describe(&job.model), |source| source.files.0.clone());
    let result = source.and_then(|source| convert(job, machine, source, &mut sets, &mut progress));
    let wrong = progress.verifications.iter().find_map(verify::mismatch);
    let (status, error) = match (result, wrong) {
        (Err(error), _) => (status(error.kind()), Some(error)),
        (Ok(_), Some(error)) => (Status::Differs, Some(error)),
        (Ok(On::Gpu), None) => (Status::Verified, None),
        (Ok(_), None) => (Status::Evaluated, None),
    };
    let not_run = if job.options.on == On::Cpu { "`--on cpu`" } else { "no GPU can be used" };
    let not_run =
        progress.unbuilt.take().unwrap_or_else(|| format!("{not_run}: the plan was not run"));
    let not_run = Some(not_run).filter(|_| status == Status::Evaluated);
    let model = ModelReport {
        reason: error.as_ref().map(reason::reason).or(not_run),
        details: error.as_ref().map(ToString::to_string),
        frozen: progress.frozen.clone(),
        seconds: progress.seconds,
        peak_rss_bytes: files::peak_rss_bytes(),
        plan_bytes: progress.plan.as_ref().map(|plan| plan.manifest.plan.bytes),
        latency_ms: progress
            .latency
            .as_ref()
            .map(|latency| f64::from(latency.stream.quantile(0.5))),
        layers: (!progress.layers.is_empty()).then_some(progress.layers.len()),
        outputs: worst(&progress.verifications),
        exit_code: error.as_ref().map_or(0, |error| error.kind().exit_code()),
        ..ModelReport::new(&job.name, &job.path, status)
    };
    let mut plan = progress.plan.take();
    if let (Some(plan), true) = (&mut plan, progress.candidate == Some("gpu")) {
        plan.manifest.verification = status.to_string();
    }
    let files = (file, plan.as_ref().map(|plan| plan.manifest.plan.clone()));
    let page = page(job, machine, files, &model, &sets, progress, error.as_ref());
    let page = serde_json::to_value(page).unwrap_or_default();
    let spent = machine.device.as_ref().is_some_and(|device| !device.answers());
    Done { outcome: Outcome { model, page, spent, notes: Vec::new() }, plan }
}

/// The model's own report. `files` are the model's and the plan's.
fn page(
    job: &Job,
    machine: &Machine,
    files: (File, Option<File>),
    model: &ModelReport,
    sets: &[DataSet],
    progress: Progress,
    error: Option<&Error>,
) -> model::Report {
    let options = options(job, model.frozen.clone());
    let made = sets.iter().zip(&progress.verifications);
    let report = model::Report::new(files.0, model.status, machine.environment.clone(), options);
    let runs = model::runs(made.map(|(set, verification)| set.made(verification)).collect());
    model::Report {
        latency: progress
            .latency
            .zip(runs.first())
            .map(|(times, run)| model::Latency::of(run, times)),
        plan: files.1,
        reason: model.reason.clone(),
        candidate: progress.candidate.filter(|_| !progress.verifications.is_empty()),
        inputs: progress.inputs,
        outputs: progress.outputs,
        runs,
        layers: progress.layers,
        error: error.filter(|error| error.kind() != Kind::Mismatch).map(Error::to_json),
        notes: progress.notes,
        ..report
    }
}

/// The options of a job as reports give them.
pub(super) fn options(job: &Job, freeze: Vec<String>) -> model::Options {
    model::Options {
        tf32: job.options.tf32,
        targets: job.options.targets.iter().map(|target| format!("sm{target}")).collect(),
        without_passes: job.options.without_passes.clone(),
        on: job.options.on.to_string(),
        freeze,
    }
}

/// A file that may not be there.
pub(crate) fn describe(path: &Path) -> File {
    files::describe(path).unwrap_or_else(|_| File {
        name: files::name(path),
        bytes: 0,
        sha256: String::new(),
    })
}

/// Each output as in the run where it is furthest out of tolerance.
fn worst(verifications: &[Verification]) -> Vec<OutputComparison> {
    let badness = |output: &OutputComparison| {
        let statistics = output.statistics.as_ref();
        let error = statistics.map_or(f64::INFINITY, |statistics| statistics.max_absolute);
        (!output.agrees, statistics.map_or(usize::MAX, |statistics| statistics.mismatches), error)
    };
    let mut worst: Vec<OutputComparison> = Vec::new();
    for output in verifications.iter().flat_map(|verification| &verification.outputs) {
        match worst.iter_mut().find(|known| known.name == output.name) {
            Some(known) if badness(output) > badness(known) => *known = output.clone(),
            Some(_) => {}
            None => worst.push(output.clone()),
        }
    }
    worst
}

/// What an error makes of a model.
pub fn status(kind: Kind) -> Status {
    match kind {
        Kind::Mismatch => Status::Differs,
        Kind::Invalid => Status::Invalid,
        Kind::Unsupported => Status::Unsupported,
        Kind::Cancelled => Status::Skipped,
        Kind::Usage | Kind::TensorRt | Kind::Environment | Kind::Internal => Status::Failed,
    }
}

/// Says where outputs were computed.
fn convert(
    job: &Job,
    machine: &Machine,
    mut source: Source,
    sets: &mut Vec<DataSet>,
    progress: &mut Progress,
) -> Result<On> {
    progress.seconds.import = Some(source.seconds);
    if job.options.on == On::Gpu && machine.device.is_none() {
        return Err(Error::new(
            Kind::Environment,
            "it shall run on a GPU, and there is none that can be used",
        ));
    }
    *sets = std::mem::take(&mut source.sets);
    if sets.is_empty() && machine.reference.is_none() {
        return Err(Error::new(
            Kind::Environment,
            "there is no test data to compare with, and no ONNX Runtime",
        )
        .with_hint("run `onnx2plan setup --reference`"));
    }
    let levels = if job.options.freeze_from_data {
        Freezing::levels(&source.model, sets)
    } else {
        vec![(Freezing::Nothing, BTreeMap::new())]
    };
    let constants = freeze::constants(
        &job.options.freeze,
        &source.model,
        &freezing::agreed(&source.model, sets),
    )?;
    let mut failure: Option<Error> = None;
    for (_, mut frozen) in levels {
        frozen.extend(constants.clone());
        let import = progress.seconds.import;
        *progress =
            Progress { seconds: Seconds { import, ..Seconds::default() }, ..Progress::default() };
        match attempt(&source, sets, frozen, job, machine, progress) {
            Err(error) if !matches!(error.kind(), Kind::Cancelled | Kind::Environment) => {
                // What a level further on says is of interest only where freezing was all that was
                // missing.
                if failure.as_ref().is_none_or(reason::wants_constants) {
                    failure = Some(error);
                }
            }
            other => return other,
        }
    }
    Err(failure.unwrap_or_else(|| Error::new(Kind::Unsupported, "no attempt was made")))
}

fn attempt(
    source: &Source,
    sets: &mut Vec<DataSet>,
    freeze: BTreeMap<String, Tensor>,
    job: &Job,
    machine: &Machine,
    progress: &mut Progress,
) -> Result<On> {
    let (model, options) = (&source.model, &job.options);
    progress.frozen = freeze.iter().map(|(name, tensor)| freezing::text(name, tensor)).collect();
    let mut pipeline = pipeline::Options {
        without_passes: options.without_passes.clone(),
        ..pipeline::Options::new(machine.library.caps()).freezing(freeze)
    };
    pipeline.import.recurrent = options.recurrent;
    pipeline.import.max_trip = options.max_trip.map(NonZeroU32::get);
    pipeline.import.sizes = options.sizes.fixed(model)?;
    pipeline.import.ranges = ranges(model, sets, &options.sizes);
    let prepared = timed(&mut progress.seconds.import, || pipeline::prepare(model, &pipeline))?;
    progress.notes.clone_from(&prepared.notes);
    let names: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
    let planned = profiles(&prepared, &names, sets, &options.sizes)?;
    (progress.inputs, progress.outputs) = page::bindings(&prepared.network, &planned);
    progress.layers = page::layers(&prepared.network)?;
    if let (true, Some(reference)) = (sets.is_empty(), &machine.reference) {
        *sets = timed(&mut progress.seconds.verify, || {
            draw(&job.model, &prepared, &planned, reference)
        })?;
    }
    for set in sets.iter_mut() {
        set.tolerance = options.tolerance;
    }

    let on_gpu = machine.device.as_ref().filter(|_| options.on != On::Cpu);
    if on_gpu.is_none() {
        let evaluate = |set: &DataSet| verify::on_cpu(&prepared.network, &names, set);
        let evaluated = timed(&mut progress.seconds.verify, || {
            sets.iter().map(evaluate).collect::<Result<Vec<_>>>()
        });
        (progress.verifications, progress.candidate) = (evaluated?, Some("cpu"));
    }
    if let (None, Some(site)) =
        (&machine.device, machine.library.lacks_device_for(&prepared.network))
    {
        progress.unbuilt =
            Some(format!("no plan was built: {site} can be built only where there is a GPU"));
        return Ok(On::Cpu);
    }
    let made = || plan::build(&prepared, &pipeline, &planned, source, job, machine);
    let plan = progress.plan.insert(timed(&mut progress.seconds.build, made)?);

    let Some(device) = on_gpu else { return Ok(On::Cpu) };
    let run = || {
        let mut engine = Engine::load(&machine.library, device, &plan.bytes, &quiet())?;
        let outputs = verify::declared(&prepared.network);
        let ran = sets.iter().map(|set| verify::on_gpu(&mut engine, &names, &outputs, set));
        let ran = ran.collect::<Result<Vec<_>>>()?;
        let latency =
            sets.first().map(|set| verify::time_on_gpu(&mut engine, &names, set)).transpose()?;
        Ok::<_, Error>((ran, latency))
    };
    let ran = timed(&mut progress.seconds.verify, run);
    (progress.verifications, progress.latency) = ran?;
    progress.candidate = Some("gpu");
    Ok(On::Gpu)
}

/// Adds the time that something takes to a stage's.
fn timed<T>(seconds: &mut Option<f64>, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    *seconds = Some(seconds.unwrap_or(0.0) + start.elapsed().as_secs_f64());
    done
}

/// Data for a model that brings none: drawn inputs at the ends of its profiles, and ONNX Runtime's
/// outputs.
fn draw(
    model: &Path,
    prepared: &Prepared,
    planned: &[Planned],
    library: &Path,
) -> Result<Vec<DataSet>> {
    let mut reference = Reference::open(library, model)?;
    let samples = profile::samples(planned, &prepared.network);
    let shapes: Vec<Shapes<'_>> = samples.iter().map(shapes_of).collect();
    draw::all(&prepared.network, &shapes, &draw::SEEDS, &mut reference)
}

/// The shapes to draw a sample's inputs in.
pub(crate) fn shapes_of(sample: &Sample) -> Shapes<'_> {
    let Sample { what, shapes, others, values } = sample;
    Shapes { what, shapes, others, values }
}

/// The smallest and the largest that sizes will be: what is asked for, else what the data has.
fn ranges(model: &Model, sets: &[DataSet], asked: &Asked) -> BTreeMap<String, [i64; 2]> {
    if !asked.leaves_all_open() {
        return asked.ranges(model);
    }
    let names: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
    let mut all: BTreeMap<String, [i64; 2]> = BTreeMap::new();
    for set in sets {
        let exactly = Request { opt: End::of(set.tensors(&names)), ..Request::default() };
        for (name, [min, max]) in exactly.ranges(model) {
            let known = all.entry(name).or_insert([min, max]);
            *known = [known[0].min(min), known[1].max(max)];
        }
    }
    all
}

/// The profiles that are asked for. Where nothing is, one for the data, or one for each data set
/// where no range holds them all.
fn profiles(
    prepared: &Prepared,
    names: &[&str],
    sets: &[DataSet],
    asked: &Asked,
) -> Result<Vec<Planned>> {
    let network = &prepared.network;
    let data: Vec<End> =
        sets.iter().map(|set| profile::of_data(network, &set.tensors(names))).collect();
    if asked.leaves_all_open() {
        let plan = |data: Vec<End>| {
            profile::plan(network, &Request { data, only_data: true, ..Request::default() })
        };
        return plan(data.clone()).map(|planned| vec![planned]).or_else(|error| {
            let mut different = data;
            different.dedup();
            if different.len() < 2 {
                return Err(error);
            }
            different.into_iter().map(|end| plan(vec![end])).collect()
        });
    }
    let planned = asked.plan(network, &data)?;
    for (set, End { shapes, .. }) in sets.iter().zip(&data) {
        if !planned.iter().any(|planned| planned.allows(shapes)) {
            let shapes: Vec<String> =
                shapes.iter().map(|(name, shape)| format!("{name}: {shape:?}")).collect();
            let message =
                format!("no profile allows the shapes of `{}`: {}", set.label, shapes.join(", "));
            return Err(Error::new(Kind::Usage, message));
        }
    }
    Ok(planned)
}

/// Nobody reads TensorRT's log: what matters of it is in its errors.
pub(super) fn quiet() -> LogSink {
    Arc::new(|_, _| ())
}
