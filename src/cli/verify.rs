//! `onnx2plan verify`: are the numbers right?

use super::environment::Environment;
use super::freeze::FreezeArguments;
use super::locate::{self, LocateArguments};
use super::output::Output;
use super::part::PartArguments;
use super::profiles::ProfileArguments;
use crate::error::{Error, Result};
use crate::import;
use crate::network::{Caps, Network};
use crate::onnx::Constant;
use crate::onnx::part::{Part, Whole};
use crate::pipeline;
use crate::pipeline::profile::{End, Sample};
use crate::report::Verification;
use crate::report::verification::Fault;
use crate::verify;
use crate::verify::data::{self, DataSet, Entry};
use crate::verify::npz;
use crate::verify::random;
use crate::verify::reference::Reference;
use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The ONNX model
    model: PathBuf,
    /// Where to compute: `cpu` evaluates the network of TensorRT layers, not the plan
    #[arg(long, value_enum)]
    on: Candidate,
    /// A folder with input_0.pb, … and output_0.pb, … [default: every test_data_set_N beside the model]
    #[arg(long, value_name = "FOLDER")]
    data: Vec<PathBuf>,
    /// An archive of NumPy arrays named like the model's inputs; ONNX Runtime gives the outputs
    #[arg(long, value_name = "FILE.npz", conflicts_with = "data")]
    inputs: Option<PathBuf>,
    /// Seed of the inputs that are drawn where there is no data; ONNX Runtime then gives the outputs
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Leave out an optimisation pass
    #[arg(long, value_name = "NAME", value_parser = super::convert::parse_pass)]
    without_pass: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    locate: LocateArguments,
    #[command(flatten)]
    profiles: ProfileArguments,
    #[command(flatten)]
    part: PartArguments,
    #[command(flatten)]
    freeze: FreezeArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Candidate {
    Cpu,
}

/// What every text about an evaluated network has to say.
const NOT_THE_PLAN: &str = "evaluated on the CPU: the plan itself was not run";

#[derive(Debug, Serialize)]
struct Outcome<'a> {
    model: &'a PathBuf,
    agrees: bool,
    note: &'static str,
    verifications: &'a [Verification],
    /// The first wrong node, where outputs differ and it was found.
    fault: Option<&'a Fault>,
}

pub(super) fn run(arguments: &Arguments, environment: &Environment, output: &mut Output) -> Result<()> {
    let Candidate::Cpu = arguments.on;
    let path = &arguments.model;
    output.start("import");
    let (model, part) = arguments.part.load(path)?;
    let options = pipeline::Options {
        without_passes: arguments.without_pass.clone(),
        import: import::Options { sizes: arguments.profiles.fixed(&model)?, ..arguments.freeze.options(&model)? },
        ..pipeline::Options::new(Caps::modern())
    };
    let prepared = pipeline::prepare(&model, &options).map_err(|error| error.in_model(path))?;
    output.done(&format!("{}: {} layers", path.display(), prepared.network.live_layers().len()));

    output.start("evaluate");
    let inputs: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
    let sets = arguments.data_sets(environment, &inputs, &prepared.network, part.as_ref())?;
    let mut verifications = Vec::new();
    for set in &sets {
        let verification = verify::on_cpu(&prepared.network, &inputs, set);
        verifications.push(verification.map_err(|error| error.in_model(path))?);
    }
    output.done(&format!("{} data sets", verifications.len()));

    let wrong = sets.iter().zip(&verifications).find(|(_, verification)| !verification.agrees);
    let found = wrong.map(|(set, verification)| {
        let mut candidate = locate::on_cpu(&options);
        let whole = || part.as_ref().map_or_else(|| Whole::open(path), |part| Ok(part.whole()));
        arguments.locate.locate(whole, environment, set, verification, &mut candidate, output)
    });
    let found = found.transpose()?;
    if arguments.json {
        let (agrees, fault) = (found.is_none(), found.as_ref().and_then(locate::Found::fault));
        output.json(&Outcome { model: path, agrees, note: NOT_THE_PLAN, verifications: &verifications, fault })?;
    } else {
        output.data(&table(&verifications))?;
    }
    let error = wrong.and_then(|(_, verification)| verify::mismatch(verification));
    let lines = found.iter().flat_map(locate::Found::lines);
    let error = error.map(|error| lines.fold(error, Error::with_note).with_note(NOT_THE_PLAN).in_model(path));
    error.map_or(Ok(()), Err)
}

impl Arguments {
    /// The data sets named or found beside the model, else drawn ones with ONNX Runtime's outputs.
    fn data_sets(
        &self,
        environment: &Environment,
        inputs: &[&str],
        network: &Network,
        part: Option<&Part>,
    ) -> Result<Vec<DataSet>> {
        if let Some(archive) = &self.inputs {
            let inputs = npz::read(archive, inputs)?;
            let mut reference = self.reference(environment, part)?;
            let what = format!("ONNX Runtime, inputs of {}", archive.display());
            return Ok(vec![referred(&mut reference, what, inputs)?]);
        }
        let folders = if self.data.is_empty() { data::beside(&self.model) } else { self.data.clone() };
        if !folders.is_empty() {
            return folders.iter().map(|folder| data::read(folder)).collect();
        }
        let mut reference = self.reference(environment, part)?;
        let planned = self.profiles.plan(network, &End::default())?;
        let samples = planned.iter().flat_map(|planned| planned.samples(network));
        samples.map(|sample| self.drawn(network, &sample, &mut reference)).collect()
    }

    fn reference(&self, environment: &Environment, part: Option<&Part>) -> Result<Reference> {
        let library = environment.reference()?;
        match part {
            None => Reference::open(&library, &self.model),
            Some(part) => Reference::of_bytes(&library, "the part of the model", &part.bytes()?),
        }
    }

    fn drawn(&self, network: &Network, sample: &Sample, reference: &mut Reference) -> Result<DataSet> {
        let shapes = &sample.shapes;
        let mut inputs = Vec::new();
        for (&input, mut tensor) in network.inputs.iter().zip(random::inputs(network, shapes, self.seed)?) {
            let name = network.value(input).name.to_string();
            if let Some(values) = sample.values.get(&name) {
                tensor = random::of_values(&tensor, values)?;
            }
            inputs.push(Entry { name, data: Constant::Tensor(tensor) });
        }
        referred(reference, format!("ONNX Runtime, seed {}, {} {shapes:?}", self.seed, sample.what), inputs)
    }
}

/// A data set of these inputs with the reference's outputs.
fn referred(reference: &mut Reference, what: String, inputs: Vec<Entry>) -> Result<DataSet> {
    let named = |entry: &Entry| Some((entry.name.clone(), entry.data.tensor().ok()?.clone()));
    let outputs = reference.run(&inputs.iter().filter_map(named).collect::<Vec<_>>())?;
    let outputs = outputs.into_iter().map(|(name, tensor)| Entry { name, data: Constant::Tensor(tensor) });
    Ok(DataSet { path: what.into(), inputs, outputs: outputs.collect() })
}

/// One row for each output of each data set.
fn table(verifications: &[Verification]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["", "output", "type", "differ", "max error", "relative", "cosine", "data"]);
    for verification in verifications {
        for output in &verification.outputs {
            let [differ, absolute, relative, cosine] = match &output.statistics {
                None => [output.incomparable.clone().unwrap_or_default(), String::new(), String::new(), String::new()],
                Some(statistics) => [
                    format!("{} of {}", statistics.mismatches, statistics.elements),
                    format!("{:.2e}", statistics.max_absolute),
                    format!("{:.2e}", statistics.max_relative),
                    statistics.cosine.map_or_else(String::new, |cosine| format!("{cosine:.7}")),
                ],
            };
            let verdict = if output.agrees { "agrees" } else { "DIFFERS" }.to_owned();
            let data = verification.reference.clone();
            table.add_row([
                verdict,
                output.name.clone(),
                output.actual.clone(),
                differ,
                absolute,
                relative,
                cosine,
                data,
            ]);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n\n{NOT_THE_PLAN}", lines.join("\n"))
}
