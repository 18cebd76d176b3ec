//! `onnx2plan verify`: are the numbers right?

use super::by_layer::ByLayerArguments;
use super::convert::not_a_folder;
use super::environment::{Environment, LibraryArguments};
use super::locate::{Found, LocateArguments};
use super::machine;
use super::output::{self, Output, counted};
use super::recipe::{self, RecipeArguments};
use super::reference::ReferenceArguments;
use super::table;
use super::tolerance::ToleranceArguments;
use crate::convert::replay::{PlanFile, is_plan};
use crate::convert::{
    Conversion, Ending, Findings, Given, Loaded, Machine, On, Source, describe, reason,
};
use crate::error::{Error, Kind, Result};
use crate::files::{self, place};
use crate::profiles::{Data, of_data};
use crate::recipe::Recipe;
use crate::report::render::{self, About};
use crate::report::verification::{Candidate, Fault, Judgment, OutputComparison};
use crate::report::zoo::Status;
use crate::report::{self, Verification};
use crate::shown;
use crate::verify::by_layer::Compared;
use crate::verify::{self, data::DataSet};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  onnx2plan verify model.onnx --on cpu                   without a GPU
  onnx2plan verify model.plan                            a plan, as its manifest says
  onnx2plan verify model.onnx --inputs x.npz             your inputs
  onnx2plan verify model.onnx --reproducer bad/          the first wrong node as a model

With a plan, its manifest says what shaped the network: the options under Sizes, Part of the model,
Network, TensorRT's builder and Types of layers are not given again, but for --freeze-from.")]
pub(super) struct Arguments {
    /// The ONNX model, or a plan (`.plan`) with its manifest next to it; the plan is run as it is
    model: PathBuf,
    /// The model that a plan was built from, if it is not next to the plan
    #[arg(long = "model", value_name = "FILE")]
    source: Option<PathBuf>,
    /// Where to compute
    #[arg(long, value_enum, default_value = "auto")]
    on: On,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Write report.json, report.md and report.html to this folder
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
    #[command(flatten)]
    reference: ReferenceArguments,
    #[command(flatten)]
    tolerance: ToleranceArguments,
    #[command(flatten)]
    locate: LocateArguments,
    #[command(flatten)]
    by_layer: ByLayerArguments,
    #[command(flatten)]
    library: LibraryArguments,
    #[command(flatten)]
    recipe: RecipeArguments,
}

/// What came out, for `--json`.
#[derive(Debug, Serialize)]
struct Judged<'a> {
    #[serde(serialize_with = "shown::path")]
    model: &'a Path,
    agrees: bool,
    /// The gravest of all comparisons.
    verdict: Judgment,
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
    let plan = matches.get_one::<PathBuf>("model").filter(|path| is_plan(path))?;
    let recipe = RecipeArguments::augment_args(Command::new(""));
    let given = |argument: &&Arg| {
        matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    let shaping =
        |argument: &&Arg| recipe.get_arguments().any(|other| other.get_id() == argument.get_id());
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
    not_a_folder(&arguments.model)?;
    // A report has a model, which nobody knows of a plan that is none.
    let plan = PlanFile::open(&arguments.model, arguments.source.as_deref())?;
    let mut work = Work { reads: arguments.names(plan.as_ref()), ..Work::default() };
    let result = arguments.asked(plan.as_ref()).and_then(|asked| {
        work.findings.recipe = asked.recipe.clone();
        arguments.verify(plan.as_ref(), &asked, environment, &mut work, output)
    });
    // What was asked to stop did not do all that it should, even where it came to an end.
    let result = result.and_then(|()| super::unless_cancelled());
    let Some(folder) = &arguments.report else { return result };
    let reads = std::mem::take(&mut work.reads);
    let report = work.report(arguments, plan.as_ref(), result.as_ref().err());
    let texts = render::files(About::Model, &report)?;
    let texts = texts.map(|(name, text)| (folder.join(name), text));
    place::spare(|| reads, &texts.each_ref().map(|(path, _)| path.clone()))?;
    for (path, text) in texts {
        files::write_text(&path, &text)?;
    }
    result
}

/// What is judged: a recipe, with what it leaves to be found elsewhere.
struct Asked {
    recipe: Recipe,
    given: Given,
    on: On,
}

/// What a report is made of, as it becomes known.
#[derive(Default)]
struct Work {
    machine: Option<report::Environment>,
    caveat: Option<&'static str>,
    sets: Vec<DataSet>,
    findings: Findings,
    /// All files that were read, which nothing is written over.
    reads: Vec<PathBuf>,
}

impl Work {
    /// The report, with what the verification ended in.
    fn report(
        self,
        arguments: &Arguments,
        plan: Option<&PlanFile>,
        error: Option<&Error>,
    ) -> report::model::Report {
        let ran = self
            .findings
            .verifications
            .first()
            .is_some_and(|first| first.candidate == Candidate::Gpu);
        let good = if ran { Status::Verified } else { Status::Evaluated };
        let verdict = error.map_or(good, |error| Status::from(error.kind()));
        let caveat = self.caveat.filter(|_| verdict == Status::Evaluated).map(str::to_owned);
        let files = match plan.map(PlanFile::files) {
            Some((model, plan)) => (model, Some(plan)),
            None => (describe(&arguments.model), None),
        };
        let environment = self.machine.unwrap_or_else(|| report::Environment::here(None));
        let ending = Ending {
            files,
            verdict,
            reason: error.map(reason::reason).or(caveat),
            on: if plan.is_some() { On::Gpu } else { arguments.on },
            environment,
            error,
        };
        self.findings.report(&self.sets, ending)
    }
}

impl Arguments {
    /// The files that the command line names to be read, with those in folders.
    fn names(&self, plan: Option<&PlanFile>) -> Vec<PathBuf> {
        let own = match plan {
            Some(plan) => {
                vec![self.model.clone(), place::manifest_of(&self.model), plan.model.clone()]
            }
            None => vec![self.model.clone()],
        };
        let recipe = [&self.recipe.freeze_from, &self.recipe.calibrate].into_iter().flatten();
        let named = recipe.chain(self.reference.names());
        own.into_iter().chain(named.flat_map(|path| place::with_contents(path))).collect()
    }

    /// What to judge. A plan was made with what its manifest says, and only a GPU can say anything
    /// of it.
    fn asked(&self, plan: Option<&PlanFile>) -> Result<Asked> {
        let folder = &self.recipe.freeze_from;
        let Some(plan) = plan else {
            self.recipe.check()?;
            let given = Given { folder: folder.clone(), ..Given::default() };
            return Ok(Asked { recipe: self.recipe.recipe.clone(), given, on: self.on });
        };
        if self.on == On::Cpu {
            let message =
                format!("`{}` is a plan, and only a GPU can run it", self.model.display());
            return Err(Error::new(Kind::Usage, message).with_hint(format!(
                "`onnx2plan verify {} --on cpu` with the options it was built with evaluates \
                 its network",
                plan.model.display()
            )));
        }
        let (recipe, given) = plan.recipe(folder.as_deref())?;
        Ok(Asked { recipe, given, on: On::Gpu })
    }

    /// Verifies, and notes on the way what a report says.
    fn verify(
        &self,
        plan: Option<&PlanFile>,
        asked: &Asked,
        environment: &Environment,
        work: &mut Work,
        output: &mut Output,
    ) -> Result<()> {
        let path = plan.map_or(&self.model, |plan| &plan.model);
        let machine = machine::choose(asked.on, &self.library, environment, output)?;
        work.machine = Some(machine.environment.clone());
        work.caveat = machine.caveat();
        if let (Some(plan), Some((library, device))) = (plan, machine.gpu()) {
            plan.fits(library, device)?;
        }
        output.start("import");
        let source = Source::open(path, &asked.recipe.part)?;
        work.reads.extend(source.reads());
        place::spare(|| work.reads.clone(), &self.locate.writes())?;
        let fitted = asked.given.fit(&asked.recipe, &source.model, machine.caps())?;
        let mut conversion = Conversion::new(&source, fitted, machine.caps())
            .map_err(|error| error.in_model(path))?;
        work.findings.take(&conversion)?;
        let layers = conversion.network().live_layers().len();
        output.done(&format!("{}: {}", path.display(), counted(layers, "layer")));

        work.sets = self.sets(&source, &mut conversion, environment)?;
        if plan.is_none() {
            let sets = || self.recipe.calibration(&source);
            recipe::choose(&mut conversion, &source, sets, output)
                .map_err(|error| error.in_model(path))?;
        }
        for set in &mut work.sets {
            set.within = asked.recipe.bound();
        }
        work.findings.take(&conversion)?;
        self.judge(&machine, plan, (&source, &conversion), (environment, work), output)
            .map_err(|error| error.in_model(path))?;
        let inside = self.inside(&machine, (&source, &conversion), environment, work, output)?;
        self.tell(path, &machine, &work.findings.verifications, inside, output)
    }

    /// The data sets, for whose shapes the network's are planned.
    fn sets(
        &self,
        source: &Source,
        conversion: &mut Conversion,
        environment: &Environment,
    ) -> Result<Vec<DataSet>> {
        self.tolerance.check()?;
        let names = source.inputs();
        let mut sets = self.reference.sets(source, conversion, environment)?;
        for set in &mut sets {
            set.tolerance = self.tolerance.tolerance();
            set.limits = self.tolerance.limits();
        }
        let shapes = |set: &DataSet| of_data(conversion.network(), &set.tensors(&names));
        let data = Data::hints(sets.iter().map(shapes).collect());
        conversion.plan(&data)?;
        Ok(sets)
    }

    /// Computes every data set and compares. Where a plan runs and a report is wanted, the first
    /// data set is timed as well.
    fn judge(
        &self,
        machine: &Machine,
        plan: Option<&PlanFile>,
        (source, conversion): (&Source, &Conversion),
        (environment, work): (&Environment, &mut Work),
        output: &mut Output,
    ) -> Result<()> {
        let (network, inputs, sets) = (conversion.network(), source.inputs(), &work.sets);
        let reference = environment.reference().ok();
        let reference = reference.as_deref();
        let Some(gpu) = machine.gpu() else {
            output.start("evaluate");
            let mut judge = |sets: &[DataSet]| verify::all_on_cpu(network, &inputs, sets);
            work.findings.verifications = source.judged(reference, sets, &mut judge)?;
            output.done(&counted(sets.len(), "data set"));
            return Ok(());
        };
        output.start("build");
        let log = output::log_sink(output.is_verbose());
        let mut loaded = match plan {
            Some(plan) => Loaded::load(gpu, &plan.bytes, &log)?,
            None => Loaded::build(gpu, network, conversion.options(log), &super::CANCELLED)?,
        };
        output.done(&gpu.0.version().to_string());
        output.start("run");
        let mut judge = |sets: &[DataSet]| loaded.judge(conversion, &inputs, sets);
        work.findings.verifications = source.judged(reference, sets, &mut judge)?;
        let timed = sets.first().filter(|_| self.report.is_some());
        work.findings.latency = timed.map(|set| loaded.time(&inputs, set)).transpose()?;
        let count = counted(sets.len(), "data set");
        output.done(&format!("{count} on {}", gpu.1.info()?.name));
        Ok(())
    }

    /// Looks inside the model: for the first wrong node where outputs differ, and at every node
    /// where that was asked for.
    fn inside(
        &self,
        machine: &Machine,
        (source, conversion): (&Source, &Conversion),
        environment: &Environment,
        work: &mut Work,
        output: &mut Output,
    ) -> Result<Inside> {
        let log = output::log_sink(output.is_verbose());
        let mut candidate = conversion.candidate(machine, log, &super::CANCELLED);
        let whole = || source.whole();
        let wrong =
            work.findings.verifications.iter().position(|found| found.verdict == Judgment::Differs);
        let found = wrong.and_then(|at| Some((at, work.sets.get(at)?)));
        let found = found.map(|(at, set)| {
            let judged = work.findings.verifications.get(at);
            let outputs = judged.map(|judged| &judged.outputs[..]).unwrap_or_default();
            self.locate.locate(whole, environment, set, outputs, &mut *candidate, output)
        });
        let found = found.transpose()?;
        let fault = found.as_ref().and_then(Found::fault).cloned();
        work.findings.culprit = wrong.zip(fault);
        let shown = wrong.unwrap_or_default();
        let nodes = work
            .sets
            .get(shown)
            .map(|set| self.by_layer.compare(whole, environment, set, &mut *candidate, output));
        // What stops this must not hide what the outputs say.
        let (nodes, stopped) = match nodes.transpose() {
            Ok(nodes) => (nodes.unwrap_or_default(), None),
            Err(error) => (Vec::new(), Some(error)),
        };
        work.findings.take_nodes(shown, &nodes);
        Ok(Inside { found, nodes, stopped })
    }

    /// Prints what came out; numbers that differ are an error.
    fn tell(
        &self,
        path: &Path,
        machine: &Machine,
        verifications: &[Verification],
        Inside { found, nodes, stopped }: Inside,
        output: &mut Output,
    ) -> Result<()> {
        let caveat = machine.caveat();
        if self.json {
            output.json(&Judged {
                model: path,
                agrees: verifications.iter().all(|found| found.agrees),
                verdict: verifications
                    .iter()
                    .map(|found| found.verdict)
                    .max()
                    .unwrap_or(Judgment::Agrees),
                note: caveat,
                verifications,
                fault: found.as_ref().and_then(Found::fault),
                by_layer: nodes.iter().map(|node| &node.comparison).collect(),
            })?;
        } else {
            if !nodes.is_empty() {
                output.data(&table::by_layer(&nodes))?;
            }
            output.data(&table::by_output(verifications, caveat))?;
        }
        let Some(error) = verify::objection(verifications) else {
            return stopped.map_or(Ok(()), |error| Err(error.in_model(path)));
        };
        let stopped = stopped.map(|why| format!("the nodes were not compared: {}", why.message()));
        let lines = found.iter().flat_map(Found::lines).chain(stopped);
        let lines = lines.chain(caveat.map(str::to_owned));
        Err(lines.fold(error, Error::with_note).in_model(path))
    }
}

/// What was found inside the model.
struct Inside {
    found: Option<Found>,
    nodes: Vec<Compared>,
    stopped: Option<Error>,
}
