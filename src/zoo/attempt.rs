//! One model: convert, build, compute, compare.

use super::freezing::{self, Freezing};
use super::job::{Job, On, Options, Outcome};
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
use crate::trt::{self, BuildOptions, Device, Engine, Library, LogSink};
use crate::verify::draw::{self, Shapes};
use crate::verify::reference::Reference;
use crate::verify::{self, data::DataSet};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
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

/// What is known of a model so far.
#[derive(Default)]
struct Progress {
    seconds: Seconds,
    frozen: Vec<String>,
    plan: Option<File>,
    inputs: Vec<Binding>,
    outputs: Vec<Binding>,
    layers: Vec<Layer>,
    notes: Vec<String>,
    candidate: Option<&'static str>,
    verifications: Vec<Verification>,
    latency: Option<latency::Latency>,
}

/// Does a job. Whatever happens ends up in the report.
pub fn run(job: &Job, machine: &Machine) -> Outcome {
    files::forget_peak_rss();
    let mut progress = Progress::default();
    let mut sets = Vec::new();
    let result = convert(job, machine, &mut sets, &mut progress);
    let wrong = progress.verifications.iter().find_map(verify::mismatch);
    let (status, error) = match (result, wrong) {
        (Err(error), _) => (status(error.kind()), Some(error)),
        (Ok(_), Some(error)) => (Status::Differs, Some(error)),
        (Ok(On::Gpu), None) => (Status::Verified, None),
        (Ok(_), None) => (Status::Evaluated, None),
    };
    let not_run = if job.options.on == On::Cpu { "`--on cpu`" } else { "no GPU can be used" };
    let not_run = (status == Status::Evaluated).then(|| format!("{not_run}: the plan was not run"));
    let model = ModelReport {
        reason: error.as_ref().map(reason::reason).or(not_run),
        details: error.as_ref().map(ToString::to_string),
        frozen: progress.frozen.clone(),
        seconds: progress.seconds,
        peak_rss_bytes: files::peak_rss_bytes(),
        plan_bytes: progress.plan.as_ref().map(|plan| plan.bytes),
        latency_ms: progress.latency.as_ref().map(|latency| f64::from(latency.stream.quantile(0.5))),
        layers: (!progress.layers.is_empty()).then_some(progress.layers.len()),
        outputs: worst(&progress.verifications),
        exit_code: error.as_ref().map_or(0, |error| error.kind().exit_code()),
        ..ModelReport::new(&job.name, &job.path, status)
    };
    let page = page(job, machine, &model, &sets, progress, error.as_ref());
    let page = serde_json::to_value(page).unwrap_or_default();
    let spent = machine.device.as_ref().is_some_and(|device| !device.answers());
    Outcome { model, page, spent }
}

/// The model's own report.
fn page(
    job: &Job,
    machine: &Machine,
    model: &ModelReport,
    sets: &[DataSet],
    progress: Progress,
    error: Option<&Error>,
) -> model::Report {
    let options = options(job, model.frozen.clone());
    let made = sets.iter().zip(&progress.verifications);
    let report = model::Report::new(describe(&job.model), model.status, machine.environment.clone(), options);
    let runs = model::runs(made.map(|(set, verification)| set.made(verification)).collect());
    model::Report {
        latency: progress.latency.zip(runs.first()).map(|(times, run)| model::Latency::of(run, times)),
        plan: progress.plan,
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
    files::describe(path).unwrap_or_else(|_| File { name: files::name(path), bytes: 0, sha256: String::new() })
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
fn convert(job: &Job, machine: &Machine, sets: &mut Vec<DataSet>, progress: &mut Progress) -> Result<On> {
    let start = Instant::now();
    let model = onnx::load(&job.model)?;
    progress.seconds.import = Some(start.elapsed().as_secs_f64());
    if job.options.on == On::Gpu && machine.device.is_none() {
        return Err(Error::new(Kind::Environment, "it shall run on a GPU, and there is none that can be used"));
    }
    *sets = job.data.iter().map(|path| verify::data::read(path)).collect::<Result<Vec<_>>>()?;
    if sets.is_empty() && machine.reference.is_none() {
        return Err(Error::new(Kind::Environment, "there is no test data to compare with, and no ONNX Runtime")
            .with_hint("run `onnx2plan setup --reference`"));
    }
    let levels = if job.options.freeze_from_data {
        Freezing::levels(&model, sets)
    } else {
        vec![(Freezing::Nothing, BTreeMap::new())]
    };
    let constants = freeze::constants(&job.options.freeze, &model, &freezing::agreed(&model, sets))?;
    let mut failure: Option<Error> = None;
    for (_, mut frozen) in levels {
        frozen.extend(constants.clone());
        let import = progress.seconds.import;
        *progress = Progress { seconds: Seconds { import, ..Seconds::default() }, ..Progress::default() };
        match attempt(&model, sets, frozen, job, machine, progress) {
            Err(error) if !matches!(error.kind(), Kind::Cancelled | Kind::Environment) => {
                // What a level further on says is of interest only where freezing was all that was missing.
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
    model: &Model,
    sets: &mut Vec<DataSet>,
    freeze: BTreeMap<String, Tensor>,
    job: &Job,
    machine: &Machine,
    progress: &mut Progress,
) -> Result<On> {
    let options = &job.options;
    progress.frozen = freeze.iter().map(|(name, tensor)| freezing::text(name, tensor)).collect();
    let mut pipeline = pipeline::Options {
        without_passes: options.without_passes.clone(),
        ..pipeline::Options::new(machine.library.caps()).freezing(freeze)
    };
    pipeline.import.recurrent = options.recurrent;
    pipeline.import.sizes = options.sizes.fixed(model)?;
    let prepared = timed(&mut progress.seconds.import, || pipeline::prepare(model, &pipeline))?;
    progress.notes.clone_from(&prepared.notes);
    let names: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
    let planned = profiles(&prepared, &names, sets, &options.sizes)?;
    let first = planned.first().map(|planned| planned.profile.clone()).unwrap_or_default();
    (progress.inputs, progress.outputs) = page::bindings(&prepared.network, &first);
    progress.layers = page::layers(&prepared.network)?;
    if let (true, Some(reference)) = (sets.is_empty(), &machine.reference) {
        *sets = timed(&mut progress.seconds.verify, || draw(&job.model, &prepared, &planned, reference))?;
    }
    for set in sets.iter_mut() {
        set.tolerance = options.tolerance;
    }

    let on_gpu = machine.device.as_ref().filter(|_| options.on != On::Cpu);
    if on_gpu.is_none() {
        let evaluate = |set: &DataSet| verify::on_cpu(&prepared.network, &names, set);
        let evaluated = timed(&mut progress.seconds.verify, || sets.iter().map(evaluate).collect::<Result<Vec<_>>>());
        (progress.verifications, progress.candidate) = (evaluated?, Some("cpu"));
    }
    let plan = timed(&mut progress.seconds.build, || build(&prepared, &planned, options, machine))?;
    let name = job.model.with_extension("plan");
    let sha256 = crate::hash::sha256(&plan);
    progress.plan = Some(File { name: files::name(&name), bytes: plan.len() as u64, sha256 });

    let Some(device) = on_gpu else { return Ok(On::Cpu) };
    let run = || {
        let mut engine = Engine::load(&machine.library, device, &plan, &quiet())?;
        let outputs = verify::declared(&prepared.network);
        let ran = sets.iter().map(|set| verify::on_gpu(&mut engine, &names, &outputs, set));
        let ran = ran.collect::<Result<Vec<_>>>()?;
        let latency = sets.first().map(|set| verify::time_on_gpu(&mut engine, &names, set)).transpose()?;
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

/// Data for a model that brings none: drawn inputs at the ends of its profiles, and ONNX Runtime's outputs.
fn draw(model: &Path, prepared: &Prepared, planned: &[Planned], library: &Path) -> Result<Vec<DataSet>> {
    let mut reference = Reference::open(library, model)?;
    let samples: Vec<Sample> = planned.iter().flat_map(|planned| planned.samples(&prepared.network)).collect();
    let drawn = draw::SEEDS.iter().flat_map(|&seed| samples.iter().map(move |sample| (seed, sample)));
    drawn
        .map(|(seed, Sample { what, shapes, values })| {
            draw::drawn(&prepared.network, &Shapes { what, shapes, values }, seed, &mut reference)
        })
        .collect()
}

/// Builds a plan for the shapes of the data.
fn build(prepared: &Prepared, planned: &[Planned], options: &Options, machine: &Machine) -> Result<Vec<u8>> {
    let options = BuildOptions {
        targets: options.targets.clone(),
        tf32: options.tf32,
        optimization_level: options.optimization_level,
        profiles: planned.iter().flat_map(Planned::profiles).collect(),
        log: quiet(),
        ..BuildOptions::default()
    };
    let mut plan = Vec::new();
    trt::build(&machine.library, &prepared.network, options, &mut plan, &AtomicBool::new(false))?;
    Ok(plan)
}

/// The profiles that are asked for, else one for the shapes of the data.
fn profiles(prepared: &Prepared, names: &[&str], sets: &[DataSet], asked: &Asked) -> Result<Vec<Planned>> {
    let of_data = shapes(prepared, names, sets);
    if asked.leaves_all_open() {
        return Ok(vec![profile::plan(&prepared.network, &of_data)?]);
    }
    let planned = asked.plan(&prepared.network, &of_data.likely)?;
    for set in sets {
        let End { shapes, .. } = shapes(prepared, names, std::slice::from_ref(set)).likely;
        if !planned.iter().any(|planned| planned.allows(&shapes)) {
            let shapes: Vec<String> = shapes.iter().map(|(name, shape)| format!("{name}: {shape:?}")).collect();
            let message = format!("no profile allows the shapes of `{}`: {}", set.label, shapes.join(", "));
            return Err(Error::new(Kind::Usage, message));
        }
    }
    Ok(planned)
}

/// Smallest and largest shape of each input in the data, and what is likely for those that hold sizes.
fn shapes(prepared: &Prepared, names: &[&str], sets: &[DataSet]) -> Request {
    let network = &prepared.network;
    let mut request = Request::default();
    for set in sets {
        let data = names.iter().copied().zip(verify::data::in_order(&set.inputs, names));
        let data = data.filter_map(|(name, data)| Some((name, data?.tensor().ok()?)));
        let is_input = |name: &str| network.inputs.iter().any(|&input| *network.value(input).name == *name);
        let end = End::of(data.filter(|(name, _)| is_input(name)));
        for (name, dims) in &end.shapes {
            let ends = [(&mut request.min, i64::min as fn(i64, i64) -> i64), (&mut request.max, i64::max)];
            for (of, pick) in ends {
                let known = of.shapes.entry(name.clone()).or_insert_with(|| dims.clone());
                known.iter_mut().zip(dims).for_each(|(known, &size)| *known = pick(*known, size));
            }
        }
        request.likely.extend(end);
    }
    request
}

fn quiet() -> LogSink {
    Arc::new(|_, _| ())
}
