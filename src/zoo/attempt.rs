//! One model: convert, build, compute, compare.

use super::job::{Job, Outcome};
use super::plan::Plan;
use super::waiting;
use crate::convert::failing::Limit;
use crate::convert::freezing::{self, Freezing};
use crate::convert::{
    Conversion, Ending, Findings, Loaded, Machine, ModelFiles, On, Source, describe, reason,
};
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::import::Fitted;
use crate::memory;
use crate::onnx::Model;
use crate::profiles::{self, Data, Planned, of_data};
use crate::recipe::sizes::{End, Request, Sizes};
use crate::report::Verification;
use crate::report::model::Report;
use crate::report::verification::{Candidate, OutputComparison};
use crate::report::zoo::{Effort, ModelReport, Seconds, Status};
use crate::trt::LogSink;
use crate::verify::{self, data::DataSet, draw::Extent};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How long it may take to mend what TensorRT fails to build.
const MOST_MENDING: Duration = Duration::from_mins(1);

/// The files of a job, read.
#[derive(Debug)]
pub struct Inputs {
    source: Source,
    sets: Vec<DataSet>,
    /// The model's file, and those with its external data.
    pub files: ModelFiles,
    /// When the job came in.
    start: Instant,
    /// How long the model took to read, in seconds.
    read: Option<f64>,
}

impl Inputs {
    /// All files that are read.
    pub fn reads(&self) -> Vec<PathBuf> {
        self.source.reads()
    }

    /// Reads the model and its test data, and hashes the model's files. The job's time runs from
    /// `start` on.
    ///
    /// # Errors
    /// Whatever [`Source::open`] and [`verify::data::read`] say.
    pub fn read(job: &Job, start: Instant) -> Result<Self> {
        let mut read = None;
        let source = timed(&mut read, || Source::open(&job.model, &job.settings.recipe.part))?;
        let sets =
            job.data.iter().map(|path| verify::data::read(path)).collect::<Result<Vec<_>>>()?;
        let mut sets: Vec<DataSet> = sets.into_iter().filter_map(|set| source.data(set)).collect();
        for set in &mut sets {
            // Results are the same wherever the zoo lies.
            set.path = PathBuf::from(&set.label);
            set.tolerance = job.settings.tolerance;
            set.limits.clone_from(&job.settings.metric);
        }
        let files = source.files()?;
        Ok(Self { source, sets, files, start, read })
    }
}

/// What came of a job, and the plan, if it came that far.
#[derive(Debug)]
pub struct Done {
    /// For the reports.
    pub outcome: Outcome,
    /// The plan; it is good if the outcome is.
    pub plan: Option<Plan>,
    /// The limit in seconds that decided on the outcome: with more time it may be another.
    pub within_seconds: Option<u64>,
}

/// What is known of a model so far.
#[derive(Default)]
struct Progress {
    seconds: Seconds,
    findings: Findings,
    plan: Option<Plan>,
    /// Why no plan was built, though the network is good.
    unbuilt: Option<String>,
    /// Why no numbers were compared, though there is a plan.
    unjudged: Option<String>,
    /// Whether something is still computed that nobody waits for.
    late: bool,
}

/// Where outputs were computed.
enum Judged {
    OnGpu,
    OnCpu,
    /// Nowhere, and why.
    Not(String),
}

/// Does a job whose files were read, if they could be. Whatever happens ends up in the report.
pub fn run(job: &Job, machine: &Machine, inputs: Result<Inputs>) -> Done {
    let mut progress = Progress::default();
    let mut sets = Vec::new();
    let file =
        inputs.as_ref().map_or_else(|_| describe(&job.model), |inputs| inputs.files.0.clone());
    let result = inputs.and_then(|inputs| convert(job, machine, inputs, &mut sets, &mut progress));
    let wrong = verify::objection(&progress.findings.verifications);
    let (status, error) = match (result, wrong) {
        (Err(error), _) | (Ok(_), Some(error)) => (error.kind().into(), Some(error)),
        (Ok(Judged::OnGpu), None) => (Status::Verified, None),
        (Ok(Judged::OnCpu), None) => (Status::Evaluated, None),
        (Ok(Judged::Not(why)), None) => {
            progress.unjudged = Some(why);
            (Status::Unjudged, None)
        }
    };
    let model = model_report(job, status, error.as_ref(), &progress);
    let mut plan = progress.plan;
    let ran = progress.findings.verifications.iter();
    let ran = ran.filter(|ran| ran.candidate == Candidate::Gpu).map(|ran| ran.verdict).max();
    if let (Some(plan), Some(judgment)) = (&mut plan, ran) {
        plan.manifest.verification = judgment.into();
    }
    let ending = Ending {
        files: (file, plan.as_ref().map(|plan| plan.manifest.plan.clone())),
        verdict: status,
        reason: model.reason.clone(),
        on: job.settings.on,
        environment: machine.environment.clone(),
        error: error.as_ref(),
    };
    let page: Report = progress.findings.report(&sets, ending);
    let page = serde_json::to_value(page).unwrap_or_default();
    // What is still evaluated holds a processor and memory until the worker ends.
    let spent = progress.late || machine.device.as_ref().is_some_and(|device| !device.answers());
    let within_seconds = job.timeout_seconds.filter(|_| progress.late);
    Done { outcome: Outcome { model, page, spent, notes: Vec::new() }, plan, within_seconds }
}

/// The way out: the error's own, or that of its first problem that has one; else what there is to
/// do about any model that ends so.
fn hint(status: Status, error: &Error) -> Option<String> {
    let of_problem = || error.problems().iter().find_map(|problem| problem.hint.as_deref());
    let of_any = || match status {
        Status::Unsupported => Some("`--from` and `--to` convert the part of the model without it"),
        Status::Differs => Some("`--reproducer FOLDER` saves the first wrong node as a model"),
        Status::Invalid => Some("export the model again, or check it with `onnx.checker`"),
        _ => None,
    };
    error.hint().or_else(of_problem).or_else(of_any).map(str::to_owned)
}

/// The model's entry in the zoo's report.
fn model_report(
    job: &Job,
    status: Status,
    error: Option<&Error>,
    progress: &Progress,
) -> ModelReport {
    let findings = &progress.findings;
    let not_run = if job.settings.on == On::Cpu { "`--on cpu`" } else { "no GPU can be used" };
    let not_run = format!("{not_run}: the plan was not run");
    let not_run = progress.unbuilt.clone().unwrap_or(not_run);
    let not_run = Some(not_run).filter(|_| status == Status::Evaluated);
    let not_run = progress.unjudged.clone().or(not_run);
    let latency = findings.latency.as_ref();
    ModelReport {
        reason: error.map(reason::reason).or(not_run),
        details: error.map(ToString::to_string),
        hint: error.and_then(|error| hint(status, error)),
        frozen: findings.frozen.clone(),
        seconds: progress.seconds,
        peak_rss_bytes: memory::peak_rss_bytes(),
        plan_bytes: progress.plan.as_ref().map(|plan| plan.manifest.plan.bytes),
        latency_ms: latency.map(|latency| f64::from(latency.stream.quantile(0.5))),
        layers: (!findings.layers.is_empty()).then_some(findings.layers.len()),
        outputs: worst(&findings.verifications),
        exit_code: error.map_or(status.exit_code(), |error| error.kind().exit_code()),
        ..ModelReport::new(&job.name, &job.path, status)
    }
}

/// Each output as in the run where it is furthest out of tolerance.
fn worst(verifications: &[Verification]) -> Vec<OutputComparison> {
    let badness = |output: &OutputComparison| {
        let statistics = output.statistics.as_ref();
        let error = statistics.map_or(f64::INFINITY, |statistics| statistics.max_absolute);
        (output.verdict, statistics.map_or(usize::MAX, |statistics| statistics.mismatches), error)
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

fn convert(
    job: &Job,
    machine: &Machine,
    inputs: Inputs,
    sets: &mut Vec<DataSet>,
    progress: &mut Progress,
) -> Result<Judged> {
    let Inputs { source, sets: of_data, files, start, read } = inputs;
    let settings = &job.settings;
    progress.seconds.import = read;
    if settings.on == On::Gpu && machine.device.is_none() {
        return Err(Error::new(
            Kind::Environment,
            "it shall run on a GPU, and there is none that can be used",
        ));
    }
    *sets = of_data;
    let levels = if settings.freeze_from_data {
        Freezing::levels(&source.model, sets)
    } else {
        vec![(Freezing::Nothing, BTreeMap::new())]
    };
    let given = freezing::agreed(&source.model, sets);
    let fitted = Fitted::new(&settings.recipe, &source.model, &given, machine.caps())?;
    let ranges = ranges(&source.model, sets, &settings.recipe.sizes);
    let fitted = Fitted { ranges, ..fitted };
    let mut failure: Option<Error> = None;
    for (_, mut frozen) in levels {
        frozen.extend(fitted.constants.clone());
        let import = progress.seconds.import;
        *progress =
            Progress { seconds: Seconds { import, ..Seconds::default() }, ..Progress::default() };
        let attempt = Attempt { job, machine, source: &source, files: &files, start };
        match attempt.run(fitted.clone().freezing(frozen), sets, progress) {
            Err(error) if !matches!(error.kind(), Kind::Cancelled | Kind::Environment) => {
                // What a level further on says is of interest only where freezing was all that was
                // missing, or where it got as far as to numbers.
                let further = error.kind() == Kind::Mismatch;
                if further || failure.as_ref().is_none_or(reason::wants_constants) {
                    failure = Some(error);
                }
            }
            other => return other,
        }
    }
    Err(failure.unwrap_or_else(|| Error::new(Kind::Unsupported, "no attempt was made")))
}

/// A model that is converted with some of its inputs made constants.
struct Attempt<'a> {
    job: &'a Job,
    machine: &'a Machine,
    source: &'a Source,
    files: &'a ModelFiles,
    /// When the job began.
    start: Instant,
}

impl Attempt<'_> {
    fn run(
        &self,
        fitted: Fitted,
        sets: &mut Vec<DataSet>,
        progress: &mut Progress,
    ) -> Result<Judged> {
        let Self { job, machine, source, .. } = self;
        let Progress { seconds, findings, .. } = progress;
        let make = || Conversion::new(source, fitted, machine.caps());
        let mut conversion = timed(&mut seconds.import, make)?;
        findings.take(&conversion)?;
        conversion.planned = planned(&conversion, &source.inputs(), sets)?;
        let choose = || conversion.choose(source, sets, &AtomicBool::new(false));
        timed(&mut seconds.import, choose)?;
        findings.take(&conversion)?;
        if job.settings.verify == Effort::None {
            self.build(&mut conversion, progress)?;
            return Ok(Judged::Not("nobody asked for a comparison".to_owned()));
        }
        if sets.is_empty() {
            *sets = timed(&mut seconds.verify, || self.drawn(&conversion))?;
        }
        for set in sets.iter_mut() {
            set.within = job.settings.recipe.bound();
        }
        match machine.gpu().filter(|_| job.settings.on != On::Cpu) {
            None => self.evaluate(&mut conversion, sets, progress),
            Some(gpu) => {
                self.build(&mut conversion, progress)?;
                let Progress { seconds, plan, .. } = progress;
                let Some(plan) = plan else { return Ok(Judged::OnCpu) };
                let (ran, latency) = timed(&mut seconds.verify, || {
                    let mut loaded = Loaded::load(gpu, &plan.bytes, &quiet())?;
                    let inputs = source.inputs();
                    let mut judge = |sets: &[DataSet]| loaded.judge(&conversion, &inputs, sets);
                    let ran = source.judged(machine.reference.as_deref(), sets, &mut judge)?;
                    let latency = sets.first().map(|set| loaded.time(&inputs, set)).transpose()?;
                    Ok::<_, Error>((ran, latency))
                })?;
                (progress.findings.verifications, progress.findings.latency) = (ran, latency);
                Ok(Judged::OnGpu)
            }
        }
    }

    /// Inputs that are drawn, with the reference's outputs.
    fn drawn(&self, conversion: &Conversion) -> Result<Vec<DataSet>> {
        let Self { job, machine, source, .. } = self;
        let library = machine.reference.as_ref().ok_or_else(no_reference)?;
        let quick = job.settings.verify == Effort::Quick;
        let extent = if quick { Extent::QUICK } else { Extent::FULL };
        let mut sets = conversion.drawn(extent, &mut source.reference(library)?)?;
        for set in &mut sets {
            set.tolerance = job.settings.tolerance;
            set.limits.clone_from(&job.settings.metric);
        }
        Ok(sets)
    }

    /// Builds the plan, then evaluates the network in the time that is left.
    fn evaluate(
        &self,
        conversion: &mut Conversion,
        sets: &[DataSet],
        progress: &mut Progress,
    ) -> Result<Judged> {
        self.build(conversion, progress)?;
        let inputs = self.source.inputs();
        let mut late = false;
        let mut judge = |sets: &[DataSet]| match self.job.timeout_seconds {
            None => verify::all_on_cpu(conversion.network(), &inputs, sets),
            Some(limit) => {
                let left = waiting::left(limit, self.start);
                let found = waiting::evaluated(left, conversion, &inputs, sets)?;
                late |= found.is_none();
                Ok(found.unwrap_or_default())
            }
        };
        let found = timed(&mut progress.seconds.verify, || {
            self.source.judged(self.machine.reference.as_deref(), sets, &mut judge)
        })?;
        if late && found.is_empty() {
            progress.late = true;
            let seconds = progress.seconds.verify.unwrap_or_default();
            return Ok(Judged::Not(format!(
                "the plan was built, but evaluating the network took longer than {seconds:.0} s"
            )));
        }
        progress.findings.verifications = found;
        Ok(Judged::OnCpu)
    }

    /// Builds the plan into memory, where this machine can.
    fn build(&self, conversion: &mut Conversion, progress: &mut Progress) -> Result<()> {
        let library = self.machine.library.as_ref();
        let lacking = library.filter(|_| self.machine.device.is_none());
        if let Some(site) = lacking.and_then(|lib| lib.lacks_device_for(conversion.network())) {
            let why = format!("no plan was built: {site} can be built only where there is a GPU");
            progress.unbuilt = Some(why);
            return Ok(());
        }
        progress.plan = Some(timed(&mut progress.seconds.build, || self.mended(conversion))?);
        if !conversion.mends.is_empty() {
            progress.findings.take(conversion)?;
        }
        Ok(())
    }

    /// The plan of the network, mended where TensorRT fails to build it.
    fn mended(&self, conversion: &mut Conversion) -> Result<Plan> {
        let start = Instant::now();
        loop {
            let error = match self.plan(conversion) {
                Ok(plan) => return Ok(plan),
                Err(error) => error,
            };
            let library = self.machine.library.as_ref();
            let Some(library) = library else { return Err(error) };
            let left = self.job.timeout_seconds.map(|limit| waiting::left(limit, self.start) / 2);
            let budget = left.map_or(MOST_MENDING, |left| left.min(MOST_MENDING));
            let limit = Limit { deadline: start + budget, cancel: &AtomicBool::new(false) };
            conversion.mend_after(library, error, limit)?;
        }
    }

    fn plan(&self, conversion: &Conversion) -> Result<Plan> {
        let none = || Error::new(Kind::Environment, "there is no TensorRT library");
        let library = self.machine.library.as_ref().ok_or_else(none)?;
        let to = (files::name(&self.job.model.with_extension("plan")), Vec::new());
        let built = conversion.build(library, to, quiet(), &AtomicBool::new(false))?;
        let manifest = conversion.manifest(library, self.files.clone(), &built);
        Ok(Plan { bytes: built.to.into(), manifest })
    }
}

fn no_reference() -> Error {
    let message = "there is no test data to compare with, and no ONNX Runtime";
    Error::new(Kind::Environment, message).with_hint("run `onnx2plan setup --reference`")
}

/// Adds the time that something takes to a stage's.
fn timed<T>(seconds: &mut Option<f64>, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    *seconds = Some(seconds.unwrap_or(0.0) + start.elapsed().as_secs_f64());
    done
}

/// The smallest and the largest that sizes will be: what is asked for, else what the data has.
fn ranges(model: &Model, sets: &[DataSet], asked: &Sizes) -> BTreeMap<String, [i64; 2]> {
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
fn planned(conversion: &Conversion, names: &[&str], sets: &[DataSet]) -> Result<Vec<Planned>> {
    let (network, asked) = (conversion.network(), &conversion.fitted.recipe.sizes);
    let data: Vec<End> = sets.iter().map(|set| of_data(network, &set.tensors(names))).collect();
    if asked.leaves_all_open() {
        let plan = |sets: Vec<End>| {
            profiles::plan(network, &Request::default(), &Data { sets, exactly: true })
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
    let planned = profiles::all(network, asked, &Data::hints(data.clone()))?;
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
fn quiet() -> LogSink {
    Arc::new(|_, _| ())
}
