//! `onnx2plan inspect`: what a model holds, which node became which layers, which cannot be
//! converted and why.

use super::convert::not_a_folder;
use super::output::{Output, counted};
use super::plan;
use crate::convert::{Source, replay};
use crate::error::{Error, Kind, Problem, Result};
use crate::import::{self, Fitted};
use crate::legalize;
use crate::network::{Caps, Network};
use crate::onnx::{self, Graph, Model};
use crate::opt::fold::Folder;
use crate::recipe::{Part, Recipe};
use crate::shown::{self, escaped, name};
use crate::site::Site;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  onnx2plan inspect model.onnx              what each node becomes, what cannot be converted
  onnx2plan inspect model.onnx --layers     the network of TensorRT layers
  onnx2plan inspect model.onnx --json       for programs
  onnx2plan inspect model.plan              what a plan was made of, its profiles and layers")]
pub(super) struct Arguments {
    /// The ONNX model, or a plan (`.plan`) with its manifest next to it
    model: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Print the network of TensorRT layers as text instead
    #[arg(long, conflicts_with = "json")]
    layers: bool,
    #[command(flatten)]
    part: Part,
}

impl Arguments {
    fn plan(&self, output: &mut Output) -> Result<()> {
        if self.layers || !self.part.is_all() {
            let message = "a plan is shown whole: `--layers`, `--outputs`, `--from` and `--to` are \
                           for models";
            return Err(Error::new(Kind::Usage, message));
        }
        plan::inspect(&self.model, self.json, output)
    }
}

#[derive(Debug, Serialize)]
struct Inspection {
    #[serde(serialize_with = "shown::path")]
    model: PathBuf,
    ir_version: i64,
    producer: String,
    opsets: BTreeMap<String, i64>,
    inputs: Vec<Declared>,
    outputs: Vec<Declared>,
    operators: BTreeMap<String, usize>,
    weights_bytes: usize,
    nodes: Vec<Converted>,
    problems: Vec<Problem>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Declared {
    name: String,
    #[serde(rename = "type")]
    ty: String,
}

/// A node and the kinds of the layers it became.
#[derive(Debug, Serialize)]
struct Converted {
    node: String,
    operator: String,
    layers: Vec<&'static str>,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<()> {
    not_a_folder(&arguments.model)?;
    if replay::is_plan(&arguments.model) {
        return arguments.plan(output);
    }
    let Source { model, wanted, .. } = Source::open(&arguments.model, &arguments.part)?;
    let recipe = Recipe { part: wanted, ..Recipe::default() };
    let fitted = Fitted { recipe, ..Fitted::default() };
    let folder = Folder::default();
    let fold = |kind: &_, inputs: &[&_], types: &[_]| folder.fold(kind, inputs, types);
    let (imported, mut problems) = import::try_import(&model, &fitted, &fold);
    let network = imported.as_ref().map(|imported| &imported.network);
    if arguments.layers {
        return match network {
            Some(network) if problems.is_empty() => output.data(&network.to_string()),
            _ => Err(import::failure(problems).in_model(&arguments.model)),
        };
    }
    if let (Some(network), true) = (network, problems.is_empty()) {
        let refused = legalize::legalize(&mut network.clone(), Caps::modern()).err();
        problems.extend(refused.iter().flat_map(Error::problems).cloned());
    }
    let failure = (!problems.is_empty()).then(|| {
        let kind = import::failure(problems.clone()).kind();
        let are = if problems.len() == 1 { "is" } else { "are" };
        Error::new(kind, format!("{} {are} in the way", counted(problems.len(), "problem")))
            .in_model(&arguments.model)
    });
    let inspection = Inspection {
        model: arguments.model.clone(),
        ir_version: model.ir_version,
        producer: model.producer.clone(),
        opsets: model.opsets.clone(),
        inputs: bindings(&model.graph.inputs),
        outputs: bindings(&model.graph.outputs),
        operators: operators(&model),
        weights_bytes: weights_bytes(&model),
        nodes: network.map(|network| converted(&model.graph, network)).unwrap_or_default(),
        problems,
        notes: imported.as_ref().map(|imported| imported.notes.clone()).unwrap_or_default(),
    };
    if arguments.json { output.json(&inspection) } else { output.data(&text(&inspection)) }?;
    failure.map_or(Ok(()), Err)
}

fn bindings(infos: &[onnx::ValueInfo]) -> Vec<Declared> {
    infos
        .iter()
        .map(|info| Declared { name: info.name.to_string(), ty: info.ty.to_string() })
        .collect()
}

/// How often each operator occurs, subgraphs included.
fn operators(model: &Model) -> BTreeMap<String, usize> {
    fn count(graph: &Graph, counts: &mut BTreeMap<String, usize>) {
        for node in &graph.nodes {
            *counts.entry(node.site.place().op.clone()).or_default() += 1;
            node.attrs.graphs().for_each(|graph| count(graph, counts));
        }
    }
    let mut counts = BTreeMap::new();
    count(&model.graph, &mut counts);
    counts
}

fn weights_bytes(model: &Model) -> usize {
    let tensors =
        model.graph.initializers.iter().filter_map(|initializer| initializer.tensor.tensor().ok());
    tensors.map(|tensor| tensor.bytes().len()).sum()
}

fn converted(graph: &Graph, network: &Network) -> Vec<Converted> {
    let mut layers = BTreeMap::<(&str, usize), Vec<&'static str>>::new();
    for id in network.live_layers() {
        let layer = network.layer(id);
        for place in layer.sites.iter().map(Site::place) {
            if let Some(index) = place.index {
                layers.entry((&place.graph, index)).or_default().push(layer.kind.name());
            }
        }
    }
    let node = |node: &onnx::Node| {
        let place = node.site.place();
        let key = (&*place.graph, place.index.unwrap_or_default());
        Converted {
            node: node.site.label(),
            operator: place.op.clone(),
            layers: layers.get(&key).cloned().unwrap_or_default(),
        }
    };
    graph.nodes.iter().map(node).collect()
}

fn text(inspection: &Inspection) -> String {
    let opset = |(domain, opset): (&String, &i64)| {
        if domain.is_empty() { opset.to_string() } else { format!("{domain} {opset}") }
    };
    let opsets: Vec<String> = inspection.opsets.iter().map(opset).collect();
    let mut lines = vec![
        inspection.model.display().to_string(),
        format!(
            "  opset {}, IR version {}, made by {}",
            opsets.join(", "),
            inspection.ir_version,
            inspection.producer
        ),
        format!("  {} of weights", counted(inspection.weights_bytes, "byte")),
    ];
    for (what, bindings) in [("input", &inspection.inputs), ("output", &inspection.outputs)] {
        let binding = |of: &Declared| format!("  {what:<6}  {}  {}", name(&of.name), of.ty);
        lines.extend(bindings.iter().map(binding));
    }
    lines.extend([String::new(), "operators".to_owned()]);
    let operator = |(operator, count): (&String, &usize)| format!("  {count:>6}  {operator}");
    lines.extend(inspection.operators.iter().map(operator));
    lines.extend([String::new(), "nodes and the layers they became".to_owned()]);
    for node in &inspection.nodes {
        let layers = if node.layers.is_empty() { "-".to_owned() } else { node.layers.join(" ") };
        lines.push(format!("  {} ({}): {layers}", name(&node.node), name(&node.operator)));
    }
    for note in &inspection.notes {
        lines.extend([String::new(), format!("note: {note}")]);
    }
    let verdict = match inspection.problems.as_slice() {
        [] => "every node can be converted".to_owned(),
        problems => Error::of_problems("cannot convert", problems.to_vec()).to_string(),
    };
    let lines = lines.iter().map(|line| escaped(line)).chain([String::new(), verdict]);
    lines.collect::<Vec<_>>().join("\n")
}
