//! `onnx2plan verify`: are the numbers right?

use super::build::BuildArguments;
use super::by_layer::ByLayerArguments;
use super::environment::{Environment, LibraryArguments};
use super::import::ImportArguments;
use super::locate::{self, LocateArguments};
use super::machine::{self, Loaded, Machine};
use super::output::Output;
use super::plan::{self, PlanFile};
use super::reference::{ReferenceArguments, Subject};
use super::table;
use super::zoo::worker::with_gpu;
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::onnx::part::{Part, Whole};
use crate::pipeline::profile::{self, End, Planned};
use crate::pipeline::{self, Prepared};
use crate::report::latency;
use crate::report::manifest::File;
use crate::report::model::{Binding, Culprit, ErrorByLayer, Latency, Layer, Report, Run};
use crate::report::render::{self, About};
use crate::report::verification::{Fault, OutputComparison};
use crate::report::zoo::Status;
use crate::report::{self, Verification};
use crate::verify::locate::Candidate;
use crate::verify::trace::Traced;
use crate::verify::{self, data::DataSet};
use crate::zoo::job::On;
use crate::zoo::{attempt, freezing, page, reason};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct Arguments {
    /// The ONNX model; or a plan (`.plan`) with its manifest beside it, which runs as it is
    model: PathBuf,
    /// The model of a plan, where it does not lie beside it
    #[arg(long = "model", value_name = "FILE")]
    source: Option<PathBuf>,
    /// Where to compute: `gpu` runs the plan, `cpu` evaluates the network of TensorRT layers, not
    /// the plan
    #[arg(long, value_enum, default_value = "auto")]
    on: On,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write report.json, report.md and report.html into this folder
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
    #[command(flatten)]
    reference: ReferenceArguments,
    #[command(flatten)]
    locate: LocateArguments,
    #[command(flatten)]
    by_layer: ByLayerArguments,
    #[command(flatten)]
    library: LibraryArguments,
    #[command(flatten, next_help_heading = plan::SHAPING)]
    build: BuildArguments,
    #[command(flatten, next_help_heading = plan::SHAPING)]
    import: ImportArguments,
}

#[derive(Debug, Serialize)]
struct Outcome<'a> {
    model: &'a PathBuf,
    agrees: bool,
    /// What has to be said of the numbers, if anything.
    note: Option<&'static str>,
    verifications: &'a [Verification],
    /// The first wrong node, where outputs differ and it was found.
    fault: Option<&'a Fault>,
    /// What each node computes against the reference's, where that was asked for.
    by_layer: Vec<&'a OutputComparison>,
}

/// What is said of a plan although its manifest says it, if anything.
pub(super) fn misplaced(command: &Command, matches: &ArgMatches) -> Option<String> {
    let plan = matches.get_one::<PathBuf>("model").filter(|path| plan::is_plan(path))?;
    let given = |argument: &&Arg| {
        matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    let shaping = |argument: &&Arg| argument.get_help_heading() == Some(plan::SHAPING);
    let mut wrong = command.get_arguments().filter(shaping).filter(given);
    let wrong = wrong.find(|argument| argument.get_id() != "freeze_from")?;
    Some(format!(
        "`{wrong}` is for making a plan: `{}` is made, and its manifest says how",
        plan.display()
    ))
}

pub(super) fn run(
    arguments: &Arguments,
    environment: &Environment,
    output: &mut Output,
) -> Result<()> {
    // A report has a model, which nobody knows of a plan that is none.
    let plan = PlanFile::open(&arguments.model, arguments.source.as_deref())?;
    let mut page = Page { files: plan.as_ref().map(PlanFile::files), ..Page::default() };
    let result = verify(arguments, plan.as_ref(), environment, &mut page, output);
    let Some(folder) = &arguments.report else { return result };
    let report = page.finish(arguments, result.as_ref().err());
    for (name, text) in render::files(About::Model, &report)? {
        files::write_text(&folder.join(name), &text)?;
    }
    result
}

/// Verifies, and notes on the way what a report says.
fn verify(
    arguments: &Arguments,
    plan: Option<&PlanFile>,
    environment: &Environment,
    page: &mut Page,
    output: &mut Output,
) -> Result<()> {
    let arguments = &arguments.replaying(plan)?;
    let path = plan.map_or(&arguments.model, |plan| &plan.model);
    page.options = Some(arguments.described());
    let machine = Machine::choose(arguments.on, &arguments.library, environment, output)?;
    page.machine(&machine)?;
    if let (Some(plan), Machine::Gpu(library, device)) = (plan, &machine) {
        plan.fits(library, device)?;
    }
    output.start("import");
    let (model, part) = arguments.import.part.load(path)?;
    let options = arguments.build.network(arguments.import.options(&model)?, machine.caps())?;
    let prepared = pipeline::prepare(&model, &options).map_err(|error| error.in_model(path))?;
    page.network(&prepared, &options)?;
    output.done(&format!("{}: {} layers", path.display(), prepared.network.live_layers().len()));

    let inputs: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
    let subject =
        Subject { path, part: part.as_ref(), inputs: &inputs, network: &prepared.network };
    let sets = arguments.reference.sets(&subject, &arguments.import.profiles, environment)?;
    let data: Vec<End> =
        sets.iter().map(|set| profile::of_data(&prepared.network, &set.tensors(&inputs))).collect();
    let planned = arguments.import.profiles.plan(&prepared.network, &data)?;
    (page.inputs, page.outputs) = page::bindings(&prepared.network, &planned);
    let judged = arguments.judge(&machine, plan, &subject, &planned, &sets, output);
    let (verifications, latency) = judged.map_err(|error| error.in_model(path))?;
    page.runs(&sets, &verifications, latency);

    let wrong = sets.iter().zip(&verifications).position(|(_, verification)| !verification.agrees);
    let whole = || part.as_ref().map_or_else(|| Whole::open(path), |part: &Part| Ok(part.whole()));
    let mut candidate = arguments.candidate(&machine, &options, output.is_verbose());
    let found = wrong.and_then(|at| Some((sets.get(at)?, verifications.get(at)?))).map(
        |(set, verification)| {
            arguments.locate.locate(whole, environment, set, verification, &mut *candidate, output)
        },
    );
    let found = found.transpose()?;
    page.culprit(wrong, found.as_ref());
    let shown = wrong.unwrap_or_default();
    let traced = sets
        .get(shown)
        .map(|set| arguments.by_layer.trace(whole, environment, set, &mut *candidate, output));
    // What stops the trace must not hide what the outputs say.
    let (traced, untraced) = match traced.transpose() {
        Ok(traced) => (traced.unwrap_or_default(), None),
        Err(error) => (Vec::new(), Some(error)),
    };
    page.by_layer(shown, &traced);
    let caveat = machine.caveat();
    if arguments.json {
        let (agrees, fault) = (found.is_none(), found.as_ref().and_then(locate::Found::fault));
        let by_layer = traced.iter().map(|traced| &traced.comparison).collect();
        output.json(&Outcome {
            model: path,
            agrees,
            note: caveat,
            verifications: &verifications,
            fault,
            by_layer,
        })?;
    } else {
        if !traced.is_empty() {
            output.data(&table::by_layer(&traced))?;
        }
        output.data(&table::by_output(&verifications, caveat))?;
    }
    let Some(error) = verifications.iter().find_map(verify::mismatch) else {
        return untraced.map_or(Ok(()), |error| Err(error.in_model(path)));
    };
    let untraced = untraced.map(|why| format!("the nodes were not compared: {}", why.message()));
    let lines = found
        .iter()
        .flat_map(locate::Found::lines)
        .chain(untraced)
        .chain(caveat.map(str::to_owned));
    Err(lines.fold(error, Error::with_note).in_model(path))
}

/// What a report says, as it becomes known.
#[derive(Default)]
struct Page {
    /// The model and the plan, where the user named a plan.
    files: Option<(File, File)>,
    environment: Option<report::Environment>,
    caveat: Option<&'static str>,
    candidate: Option<&'static str>,
    options: Option<report::model::Options>,
    freeze: Vec<String>,
    inputs: Vec<Binding>,
    outputs: Vec<Binding>,
    layers: Vec<Layer>,
    notes: Vec<String>,
    runs: Vec<Run>,
    error_by_layer: Option<ErrorByLayer>,
    latency: Option<Latency>,
    culprit: Option<Culprit>,
}

impl Page {
    /// What is judged, and with which options.
    fn machine(&mut self, machine: &Machine) -> Result<()> {
        self.caveat = machine.caveat();
        self.environment = Some(match machine {
            Machine::Cpu => report::Environment::here(None),
            Machine::Gpu(library, device) => with_gpu(
                report::Environment::here(Some(library.version().to_string())),
                Some(device),
            )?,
        });
        Ok(())
    }

    fn network(&mut self, prepared: &Prepared, options: &pipeline::Options) -> Result<()> {
        self.layers = page::layers(&prepared.network)?;
        self.notes.clone_from(&prepared.notes);
        self.freeze = options
            .import
            .freeze
            .iter()
            .map(|(name, tensor)| freezing::text(name, tensor))
            .collect();
        Ok(())
    }

    /// What the plan, or the network, made of the data sets; the latency is of the first.
    fn runs(
        &mut self,
        sets: &[DataSet],
        verifications: &[Verification],
        latency: Option<latency::Latency>,
    ) {
        let made = sets.iter().zip(verifications).map(|(set, verification)| set.made(verification));
        self.runs = report::model::runs(made.collect());
        self.latency = latency.zip(self.runs.first()).map(|(times, run)| Latency::of(run, times));
        self.candidate = verifications.first().map(|verification| verification.candidate);
    }

    fn culprit(&mut self, run: Option<usize>, found: Option<&locate::Found>) {
        let run = run.and_then(|at| self.runs.get(at)).map(|run| run.label.clone());
        if let (Some(run), Some(fault)) = (run, found.and_then(locate::Found::fault)) {
            self.culprit = Some(Culprit { fault: fault.clone(), run });
        }
    }

    fn by_layer(&mut self, run: usize, traced: &[Traced]) {
        let Some(run) = self.runs.get(run).filter(|_| !traced.is_empty()) else { return };
        let layers =
            traced.iter().filter_map(|traced| page::error_of(traced, &self.layers)).collect();
        self.error_by_layer = Some(ErrorByLayer { run: run.label.clone(), layers });
    }

    /// The report, with what the verification ended in.
    fn finish(self, arguments: &Arguments, error: Option<&Error>) -> Report {
        let good = if self.candidate == Some("gpu") { Status::Verified } else { Status::Evaluated };
        let verdict = error.map_or(good, |error| attempt::status(error.kind()));
        let stopped = error.filter(|error| error.kind() != Kind::Mismatch);
        let options = self.options.unwrap_or_else(|| arguments.described());
        let options = report::model::Options { freeze: self.freeze, ..options };
        let environment = self.environment.unwrap_or_else(|| report::Environment::here(None));
        let caveat = self.caveat.filter(|_| verdict == Status::Evaluated).map(str::to_owned);
        let (model, plan) = match self.files {
            Some((model, plan)) => (model, Some(plan)),
            None => (attempt::describe(&arguments.model), None),
        };
        Report {
            plan,
            reason: error.map(reason::reason).or(caveat),
            candidate: self.candidate,
            inputs: self.inputs,
            outputs: self.outputs,
            layers: self.layers,
            notes: self.notes,
            runs: self.runs,
            error_by_layer: self.error_by_layer,
            latency: self.latency,
            culprit: self.culprit,
            error: stopped.map(Error::to_json),
            ..Report::new(model, verdict, environment, options)
        }
    }
}

impl Arguments {
    /// The same for a plan, which was made with what its manifest says, and of which only a GPU can
    /// say anything.
    fn replaying(&self, plan: Option<&PlanFile>) -> Result<Self> {
        let Some(plan) = plan else { return Ok(self.clone()) };
        if self.on == On::Cpu {
            let message = format!("`{}` is a plan, which only a GPU can run", self.model.display());
            return Err(Error::new(Kind::Usage, message).with_hint(format!(
                "`onnx2plan verify {} --on cpu` with the options that made it evaluates its \
                 network",
                plan.model.display()
            )));
        }
        let (import, build) = plan.options(self.import.freeze_from())?;
        Ok(Self { import, build, on: On::Gpu, ..self.clone() })
    }

    /// The options, as reports give them, before it is known what is frozen.
    fn described(&self) -> report::model::Options {
        report::model::Options {
            tf32: !self.build.no_tf32,
            targets: self.build.targets(),
            without_passes: self.build.without_pass.clone(),
            on: self.on.to_string(),
            freeze: Vec::new(),
        }
    }

    /// Computes every data set and compares. Where a plan runs and a report is wanted, the first
    /// data set is timed as well.
    fn judge(
        &self,
        machine: &Machine,
        plan: Option<&PlanFile>,
        subject: &Subject<'_>,
        planned: &[Planned],
        sets: &[DataSet],
        output: &mut Output,
    ) -> Result<(Vec<Verification>, Option<latency::Latency>)> {
        let (network, inputs) = (subject.network, subject.inputs);
        let Machine::Gpu(library, device) = machine else {
            output.start("evaluate");
            let verifications = sets.iter().map(|set| verify::on_cpu(network, inputs, set));
            let verifications = verifications.collect::<Result<Vec<_>>>()?;
            output.done(&format!("{} data sets", verifications.len()));
            return Ok((verifications, None));
        };
        output.start("build");
        let profiles = planned.iter().flat_map(Planned::profiles).collect();
        let options = self.build.options(profiles, output.is_verbose());
        let mut loaded = match plan {
            Some(plan) => Loaded::load(library, device, &plan.bytes, &options.log)?,
            None => Loaded::build(library, device, network, options)?,
        };
        output.done(&library.version().to_string());
        output.start("run");
        let verifications = sets.iter().map(|set| loaded.judge(network, inputs, set));
        let verifications = verifications.collect::<Result<Vec<_>>>()?;
        let timed = sets.first().filter(|_| self.report.is_some());
        let latency = timed.map(|set| loaded.time(inputs, set)).transpose()?;
        output.done(&format!("{} data sets on {}", verifications.len(), device.info()?.name));
        Ok((verifications, latency))
    }

    /// Who computes parts of the model in the search for a wrong node.
    fn candidate<'a>(
        &'a self,
        machine: &'a Machine,
        options: &'a pipeline::Options,
        verbose: bool,
    ) -> Box<dyn Candidate + 'a> {
        match machine {
            Machine::Cpu => Box::new(locate::on_cpu(options)),
            Machine::Gpu(library, device) => Box::new(machine::on_gpu(
                library,
                device,
                options,
                self.build.options(Vec::new(), verbose),
            )),
        }
    }
}
