//! The report on one model: `docs/report-schema.md`, "A model".

use super::environment::Environment;
use super::histogram::{self, Histogram};
use super::latency;
use super::manifest::{Binding, File};
use super::precision::Certificate;
use super::verification::{Candidate, Fault, Judgment, OutputComparison, Verification};
use super::zoo::Status;
use crate::recipe::Recipe;
use serde::Serialize;
use std::collections::HashMap;

/// Version of both reports' form; it rises when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// `report.json` of a model.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// `model`.
    pub kind: &'static str,
    /// Name and version of this program.
    pub producer: String,
    /// The model file.
    pub model: File,
    /// The plan.
    pub plan: Option<File>,
    /// How it ended.
    pub verdict: Status,
    /// Why, on one line.
    pub reason: Option<String>,
    /// What computed the outputs.
    pub candidate: Option<Candidate>,
    /// With what.
    pub environment: Environment,
    /// What decides on the numbers.
    pub options: Options,
    /// Inputs in the model's order.
    pub inputs: Vec<Binding>,
    /// Outputs in the model's order.
    pub outputs: Vec<Binding>,
    /// Every comparison with a reference.
    pub runs: Vec<Run>,
    /// How far the numbers are off inside the model; absent where nobody asked.
    pub error_by_layer: Option<ErrorByLayer>,
    /// How long the plan takes.
    pub latency: Option<Latency>,
    /// Layers of the network.
    pub layers: Vec<Layer>,
    /// Where the numbers go wrong first.
    pub culprit: Option<Culprit>,
    /// What stopped the conversion or the run.
    pub error: Option<serde_json::Value>,
    /// What the user should know.
    pub notes: Vec<String>,
    /// The types that layers compute in, where they were chosen, with the proof.
    pub precision: Option<Certificate>,
}

impl Report {
    /// A report on a file of which nothing is known yet.
    pub fn new(model: File, verdict: Status, environment: Environment, options: Options) -> Self {
        Self {
            schema: SCHEMA,
            kind: "model",
            producer: super::producer(),
            model,
            plan: None,
            verdict,
            reason: None,
            candidate: None,
            environment,
            options,
            inputs: Vec::new(),
            outputs: Vec::new(),
            runs: Vec::new(),
            error_by_layer: None,
            latency: None,
            layers: Vec::new(),
            culprit: None,
            error: None,
            notes: Vec::new(),
            precision: None,
        }
    }
}

/// What decides on the numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Options {
    /// What shaped the plan; what was guessed or taken from data is in it.
    #[serde(flatten)]
    pub recipe: Recipe,
    /// Where outputs were to be computed.
    pub on: String,
}

/// What was fed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fed {
    /// Name of the input.
    pub name: String,
    /// Its element type.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// A comparison with a reference.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Run {
    /// Unique in the report.
    pub label: String,
    /// Where the expected outputs come from.
    pub reference: String,
    /// What was fed.
    pub inputs: Vec<Fed>,
    /// Whether every output agrees, as the verdict says.
    pub agrees: bool,
    /// The gravest of its outputs.
    pub verdict: Judgment,
    /// The data set whose outputs do not count, because ONNX Runtime gives others.
    pub overrules: Option<String>,
    /// Whether a second run gave the same bits.
    pub deterministic: Option<bool>,
    /// One entry for each output, in the model's order.
    pub outputs: Vec<RunOutput>,
}

/// An output of a run.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunOutput {
    /// How it compares.
    #[serde(flatten)]
    pub comparison: OutputComparison,
    /// Its elements by error; absent where the two are incomparable or elements must be equal.
    pub histogram: Option<Histogram>,
}

/// A run as it was made, without what only all runs together tell.
#[derive(Debug, Clone)]
pub struct Made<'a> {
    /// As in [`Run`]; need not be unique yet.
    pub label: &'a str,
    /// As in [`Run`].
    pub reference: &'a str,
    /// As in [`Run`].
    pub inputs: Vec<Fed>,
    /// How the outputs compare.
    pub verification: &'a Verification,
}

/// The runs of a report: their labels become unique, and histograms of one output get the same
/// edges.
pub fn runs(made: Vec<Made<'_>>) -> Vec<Run> {
    let mut histograms = HashMap::new();
    let outputs = made.iter().enumerate().flat_map(|(run, made)| {
        made.verification.outputs.iter().enumerate().map(move |(at, output)| (run, at, output))
    });
    let mut by_output: HashMap<usize, Vec<(usize, &histogram::Errors)>> = HashMap::new();
    for (run, at, output) in outputs {
        if let Some(errors) = &output.errors {
            by_output.entry(at).or_default().push((run, errors));
        }
    }
    for (at, errors) in by_output {
        let made =
            histogram::of_runs(&errors.iter().map(|(_, errors)| *errors).collect::<Vec<_>>());
        histograms.extend(errors.iter().map(|&(run, _)| (run, at)).zip(made));
    }
    let mut labels: HashMap<String, usize> = HashMap::new();
    let run = |(run, made): (usize, Made<'_>)| {
        let count =
            labels.entry(made.label.to_owned()).and_modify(|count| *count += 1).or_insert(1);
        let label =
            if *count == 1 { made.label.to_owned() } else { format!("{} ({count})", made.label) };
        let output = |(at, comparison): (usize, &OutputComparison)| RunOutput {
            comparison: comparison.clone(),
            histogram: histograms.remove(&(run, at)),
        };
        Run {
            label,
            reference: if made.verification.overrules.is_some() {
                made.verification.reference.clone()
            } else {
                made.reference.to_owned()
            },
            inputs: made.inputs,
            agrees: made.verification.agrees,
            verdict: made.verification.verdict,
            overrules: made.verification.overrules.clone(),
            deterministic: made.verification.deterministic,
            outputs: made.verification.outputs.iter().enumerate().map(output).collect(),
        }
    };
    made.into_iter().enumerate().map(run).collect()
}

/// How long one execution takes, inputs and outputs already on the GPU.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Latency {
    /// Label of the run whose shapes were measured.
    pub run: String,
    /// Executions before the first that counts.
    pub warmup: usize,
    /// How long they took.
    #[serde(flatten)]
    pub times: latency::Latency,
}

impl Latency {
    /// How long the plan took on the inputs of a run.
    pub fn of(run: &Run, times: latency::Latency) -> Self {
        Self { run: run.label.clone(), warmup: times.stream.warmup, times }
    }
}

/// Errors inside the model.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ErrorByLayer {
    /// Label of the run that was traced.
    pub run: String,
    /// In the model's order.
    pub layers: Vec<LayerError>,
}

/// How what a node computes compares.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LayerError {
    /// The last layer that the node became; empty where it has none of its own.
    pub layer: String,
    /// The node.
    pub node: String,
    /// Its operator.
    pub op: String,
    /// Whether every element is within the tolerance.
    pub agrees: bool,
    /// As in [`Statistics`](super::verification::Statistics).
    pub max_absolute: f64,
    /// As in [`Statistics`](super::verification::Statistics).
    pub max_relative: f64,
    /// As in [`Statistics`](super::verification::Statistics).
    pub cosine: Option<f64>,
}

/// A layer of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Layer {
    /// TensorRT's name for it.
    pub name: String,
    /// Its kind: `Convolution`.
    pub kind: String,
    /// The ONNX nodes behind it.
    pub nodes: Vec<String>,
}

/// The smallest part of the model whose outputs are wrong although its inputs are right.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Culprit {
    /// The nodes, how they compare, and how they were found.
    #[serde(flatten)]
    pub fault: Fault,
    /// Label of the run that shows it.
    pub run: String,
}
