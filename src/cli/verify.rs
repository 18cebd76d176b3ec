//! `onnx2plan verify`: are the numbers right?

use super::freeze::FreezeArguments;
use super::output::Output;
use crate::error::{Error, Kind, Result};
use crate::network::Caps;
use crate::onnx;
use crate::pipeline;
use crate::report::Verification;
use crate::verify::{self, data};
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
    /// Leave out an optimisation pass
    #[arg(long, value_name = "NAME", value_parser = super::convert::parse_pass)]
    without_pass: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
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
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<()> {
    let Candidate::Cpu = arguments.on;
    let path = &arguments.model;
    output.start("import");
    let model = onnx::load(path)?;
    let options = pipeline::Options {
        without_passes: arguments.without_pass.clone(),
        import: arguments.freeze.options(&model)?,
        ..pipeline::Options::new(Caps::modern())
    };
    let prepared = pipeline::prepare(&model, &options).map_err(|error| error.in_model(path))?;
    output.done(&format!("{}: {} layers", path.display(), prepared.network.live_layers().len()));

    output.start("evaluate");
    let inputs: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
    let mut verifications = Vec::new();
    for folder in arguments.folders()? {
        let verification = verify::on_cpu(&prepared.network, &inputs, &data::read(&folder)?);
        verifications.push(verification.map_err(|error| error.in_model(path))?);
    }
    output.done(&format!("{} data sets", verifications.len()));

    let error = verifications.iter().find_map(verify::mismatch);
    if arguments.json {
        let agrees = error.is_none();
        output.json(&Outcome { model: path, agrees, note: NOT_THE_PLAN, verifications: &verifications })?;
    } else {
        output.data(&table(&verifications))?;
    }
    error.map_or(Ok(()), |error| Err(error.with_note(NOT_THE_PLAN).in_model(path)))
}

impl Arguments {
    fn folders(&self) -> Result<Vec<PathBuf>> {
        let folders = if self.data.is_empty() { data::beside(&self.model) } else { self.data.clone() };
        if folders.is_empty() {
            let message = format!("there is no test_data_set_0 beside `{}`", self.model.display());
            return Err(Error::new(Kind::Environment, message).with_hint("name a folder with `--data`"));
        }
        Ok(folders)
    }
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
