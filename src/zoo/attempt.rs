//! One model: convert, build, compute, compare.

use super::freezing::Freezing;
use super::job::{Job, On, Options};
use super::reason;
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::onnx::{self, Model};
use crate::pipeline::profile::{self, End, Request};
use crate::pipeline::{self, Prepared};
use crate::report::Verification;
use crate::report::zoo::{ModelReport, Seconds, Status};
use crate::tensor::Tensor;
use crate::trt::{self, BuildOptions, Device, Engine, Library, LogSink};
use crate::verify::{self, data::DataSet};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What a worker keeps from model to model.
#[derive(Debug)]
pub struct Machine {
    /// Builds the plans.
    pub library: Library,
    /// Runs them, where there is one.
    pub device: Option<Device>,
}

/// What is known of a model so far.
#[derive(Default)]
struct Progress {
    import: Duration,
    build: Duration,
    verify: Duration,
    plan_bytes: u64,
    layers: usize,
    frozen: Vec<String>,
    verifications: Vec<Verification>,
}

/// Does a job. Whatever happens ends up in the report.
pub fn run(job: &Job, machine: &Machine) -> ModelReport {
    files::forget_peak_rss();
    let mut progress = Progress::default();
    let result = convert(job, machine, &mut progress);
    let wrong = progress.verifications.iter().find_map(verify::mismatch);
    let (status, error) = match (result, wrong) {
        (Err(error), _) => (status(error.kind()), Some(error)),
        (Ok(_), Some(error)) => (Status::Differs, Some(error)),
        (Ok(On::Gpu), None) => (Status::Verified, None),
        (Ok(_), None) => (Status::Evaluated, None),
    };
    let seconds = Seconds {
        import: progress.import.as_secs_f64(),
        build: progress.build.as_secs_f64(),
        verify: progress.verify.as_secs_f64(),
    };
    ModelReport {
        name: job.name.clone(),
        path: job.model.clone(),
        status,
        reason: error.as_ref().map(reason::reason).unwrap_or_default(),
        details: error.as_ref().map(ToString::to_string).unwrap_or_default(),
        frozen: progress.frozen,
        seconds,
        peak_rss_bytes: files::peak_rss_bytes(),
        plan_bytes: progress.plan_bytes,
        layers: progress.layers,
        outputs: progress.verifications.into_iter().flat_map(|verification| verification.outputs).collect(),
        retried: false,
    }
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
fn convert(job: &Job, machine: &Machine, progress: &mut Progress) -> Result<On> {
    let model = onnx::load(&job.model)?;
    let sets = job.data.iter().map(|path| verify::data::read(path)).collect::<Result<Vec<_>>>()?;
    if sets.is_empty() {
        return Err(Error::new(Kind::Environment, "there is no data to compare with"));
    }
    let levels =
        if job.options.freeze { Freezing::levels(&model, &sets) } else { vec![(Freezing::Nothing, BTreeMap::new())] };
    let mut failure: Option<Error> = None;
    for (_, frozen) in levels {
        *progress = Progress { import: progress.import, ..Progress::default() };
        progress.frozen = frozen.keys().cloned().collect();
        match attempt(&model, &sets, frozen, &job.options, machine, progress) {
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
    sets: &[DataSet],
    freeze: BTreeMap<String, Tensor>,
    options: &Options,
    machine: &Machine,
    progress: &mut Progress,
) -> Result<On> {
    let start = Instant::now();
    let mut options_of_pipeline = pipeline::Options {
        without_passes: options.without_passes.clone(),
        ..pipeline::Options::new(machine.library.caps()).freezing(freeze)
    };
    options_of_pipeline.import.recurrent = options.recurrent;
    let prepared = pipeline::prepare(model, &options_of_pipeline)?;
    progress.import += start.elapsed();
    progress.layers = prepared.network.live_layers().len();

    let names: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
    let on_gpu = machine.device.as_ref().filter(|_| options.on != On::Cpu);
    if on_gpu.is_none() {
        let start = Instant::now();
        for set in sets {
            progress.verifications.push(verify::on_cpu(&prepared.network, &names, set)?);
        }
        progress.verify += start.elapsed();
    }

    let start = Instant::now();
    let plan = build(&prepared, &names, sets, options, machine);
    progress.build += start.elapsed();
    let plan = plan?;
    progress.plan_bytes = plan.len() as u64;

    let Some(device) = on_gpu else { return Ok(On::Cpu) };
    let start = Instant::now();
    let mut engine = Engine::load(&machine.library, device, &plan, &quiet())?;
    let outputs = verify::declared(&prepared.network);
    for set in sets {
        progress.verifications.push(verify::on_gpu(&mut engine, &names, &outputs, set)?);
    }
    progress.verify += start.elapsed();
    Ok(On::Gpu)
}

/// Builds a plan for the shapes of the data.
fn build(
    prepared: &Prepared,
    names: &[&str],
    sets: &[DataSet],
    options: &Options,
    machine: &Machine,
) -> Result<Vec<u8>> {
    let network = &prepared.network;
    let profiles = profile::plan(network, &shapes(prepared, names, sets))?.profiles();
    let options = BuildOptions {
        targets: options.targets.clone(),
        tf32: options.tf32,
        optimization_level: options.optimization_level,
        profiles,
        log: quiet(),
        ..BuildOptions::default()
    };
    let mut plan = Vec::new();
    trt::build(&machine.library, network, options, &mut plan, &AtomicBool::new(false))?;
    Ok(plan)
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
