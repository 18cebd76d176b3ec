//! The report on a model, as it becomes known.

use super::{Conversion, On, bindings};
use crate::emit::{self, trace::Trace};
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::import::constants::written;
use crate::recipe::Recipe;
use crate::report::latency;
use crate::report::manifest::{Binding, File};
use crate::report::model::{
    self, Culprit, ErrorByLayer, Latency, Layer, LayerError, Options, Report,
};
use crate::report::precision::Certificate;
use crate::report::verification::Fault;
use crate::report::zoo::Status;
use crate::report::{Environment, Verification};
use crate::site::Site;
use crate::tensor::Tensor;
use crate::valid::Checked;
use crate::verify::by_layer::Compared;
use crate::verify::data::DataSet;
use std::path::Path;

/// What is known of a model so far.
#[derive(Debug, Default)]
pub struct Findings {
    /// What shapes the plan.
    pub recipe: Recipe,
    /// Inputs that became constants, as `--freeze` writes them; of those that it cannot write, the
    /// type.
    pub frozen: Vec<String>,
    /// The network's inputs.
    pub inputs: Vec<Binding>,
    /// The network's outputs.
    pub outputs: Vec<Binding>,
    /// The layers as TensorRT gets them.
    pub layers: Vec<Layer>,
    /// What the user should know.
    pub notes: Vec<String>,
    /// The types that layers compute in, where they were chosen.
    pub precision: Option<Certificate>,
    /// How the outputs compare, one entry for each data set that was computed.
    pub verifications: Vec<Verification>,
    /// How long the plan takes on the first of them.
    pub latency: Option<latency::Latency>,
    /// The first wrong node, and the data set that shows it.
    pub culprit: Option<(usize, Fault)>,
    /// How each node compares, and on which data set.
    pub by_layer: Option<(usize, Vec<LayerError>)>,
}

/// What a report on a model says besides what was found out.
#[derive(Debug)]
pub struct Ending<'a> {
    /// The model, and the plan.
    pub files: (File, Option<File>),
    /// How it ended.
    pub verdict: Status,
    /// Why, on one line.
    pub reason: Option<String>,
    /// Where outputs were to be computed.
    pub on: On,
    /// With what.
    pub environment: Environment,
    /// What stopped the conversion, or what differs.
    pub error: Option<&'a Error>,
}

impl Findings {
    /// Takes in what became of the model.
    ///
    /// # Errors
    /// Those of [`emit::emit`].
    pub fn take(&mut self, conversion: &Conversion) -> Result<()> {
        self.recipe = conversion.settled();
        self.frozen = conversion.fitted.constants.iter().map(constant).collect();
        (self.inputs, self.outputs) = bindings(conversion.network(), &conversion.profiles());
        self.layers = layers(conversion.network())?;
        self.notes.clone_from(&conversion.prepared.notes);
        self.precision.clone_from(&conversion.certificate);
        Ok(())
    }

    /// Takes in how what nodes compute compares.
    pub fn take_nodes(&mut self, set: usize, nodes: &[Compared]) {
        if !nodes.is_empty() {
            let errors = nodes.iter().filter_map(|node| error_of(node, &self.layers));
            self.by_layer = Some((set, errors.collect()));
        }
    }

    /// The report. `sets` are the data sets.
    pub fn report(self, sets: &[DataSet], ending: Ending<'_>) -> Report {
        let made = sets.iter().zip(&self.verifications);
        let runs = model::runs(made.map(|(set, found)| set.made(found)).collect());
        let label = |at: usize| runs.get(at).map(|run| run.label.clone());
        let culprit = self.culprit.and_then(|(at, fault)| Some(Culprit { fault, run: label(at)? }));
        let by_layer =
            self.by_layer.and_then(|(at, layers)| Some(ErrorByLayer { run: label(at)?, layers }));
        let latency = self.latency.zip(runs.first()).map(|(times, run)| Latency::of(run, times));
        let Ending { files, verdict, reason, on, environment, error } = ending;
        let options = Options { recipe: self.recipe, on: on.to_string() };
        Report {
            plan: files.1,
            reason,
            candidate: self.verifications.first().map(|verification| verification.candidate),
            inputs: self.inputs,
            outputs: self.outputs,
            layers: self.layers,
            notes: self.notes,
            precision: self.precision,
            error_by_layer: by_layer,
            latency,
            culprit,
            error: error.filter(|error| !is_verdict(error)).map(Error::to_json),
            runs,
            ..Report::new(files.0, verdict, environment, options)
        }
    }
}

/// Whether an error is what the comparison says.
fn is_verdict(error: &Error) -> bool {
    matches!(error.kind(), Kind::Mismatch | Kind::Undetermined | Kind::Vacuous)
}

fn constant((name, tensor): (&String, &Tensor)) -> String {
    match written(tensor) {
        Some(literal) => format!("{name}={literal}"),
        None => format!("{name} ({}{:?})", tensor.dtype(), tensor.dims()),
    }
}

/// A file that may not be there.
pub fn describe(path: &Path) -> File {
    let none = |_| File { name: files::name(path), bytes: 0, sha256: String::new() };
    files::describe(path).unwrap_or_else(none)
}

/// Every layer as TensorRT gets it, with its name, kind and ONNX nodes.
///
/// # Errors
/// Those of [`emit::emit`].
fn layers(network: &Checked) -> Result<Vec<Layer>> {
    let emitted = emit::emit(network, &mut Trace::default())?;
    let layer = |named: emit::Named| Layer {
        name: named.name,
        kind: named.kind.to_owned(),
        nodes: named.sites.iter().map(Site::label).collect(),
    };
    Ok(emitted.layers.into_iter().map(layer).collect())
}

/// How what a node computes compares, with the layer it became; `None` where type or shape differ.
fn error_of(compared: &Compared, layers: &[Layer]) -> Option<LayerError> {
    let statistics = compared.comparison.statistics.as_ref()?;
    let layer = layers.iter().rfind(|layer| layer.nodes.contains(&compared.node));
    Some(LayerError {
        layer: layer.map_or_else(String::new, |layer| layer.name.clone()),
        node: compared.node.clone(),
        op: compared.op.clone(),
        agrees: compared.comparison.agrees,
        max_absolute: statistics.max_absolute,
        max_relative: statistics.max_relative,
        cosine: statistics.cosine,
    })
}
