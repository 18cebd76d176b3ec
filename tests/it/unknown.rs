//! What becomes of each operator where sizes of its inputs are known only at run time:
//! `src/import/unknown.txt`, which `onnx2plan ops` shows.
//!
//! Every golden case is converted three more times, each time with other sizes of its inputs left
//! open. What cannot be converted is taken out, with all that depends on it, and the rest is tried
//! again. Where constants of the case leave a size no other value than the one it had, it gets that
//! value, and what had to do with it is tried again too. What is converted computes the numbers of
//! the network with known sizes.

use crate::golden::{USUAL, WITHOUT_NUMBERS, cases, sample};
use crate::records::{self, check_file};
use onnx2plan::eval;
use onnx2plan::import::Fitted;
use onnx2plan::import::known_or_symbol;
use onnx2plan::import::registry::{self, Op};
use onnx2plan::import::unknown::CONVERTS;
use onnx2plan::network::{Caps, Dim};
use onnx2plan::onnx::{Constant, DimSpec, Graph, Model, Node, ValueInfo, ValueType};
use onnx2plan::pipeline::{self, Prepared};
use onnx2plan::site::Site;
use onnx2plan::tensor::Tensor;
use onnx2plan::verify::compare::compare;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// Which sizes are unknown.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Unknown {
    /// The first of each input.
    Batch,
    /// The last of each input.
    Inner,
    All,
}

/// What names of sizes begin with that are opened; the size follows.
const OPENED: &str = "size";

/// Formal inputs whose length is a number of axes or of results: where that is unknown, so is the
/// rank.
const LISTS: &[&str] = &[
    "axes",
    "axis",
    "block_shape",
    "ends",
    "image_shape",
    "output_shape",
    "pads",
    "repeats",
    "roi",
    "scales",
    "shape",
    "size",
    "sizes",
    "split",
    "starts",
    "steps",
    "tiles",
];

/// What came of the nodes of an operator.
#[derive(Debug, Default)]
struct Outcome {
    converted: bool,
    refused: BTreeSet<String>,
    /// Whether constants of the case leave an unknown size no other value than the one it had.
    pinned: bool,
}

#[test]
fn operators_take_unknown_sizes_as_listed() {
    let mut found = BTreeMap::<String, [Outcome; 3]>::new();
    let mut wrong = Vec::new();
    for (_, op) in registry::families() {
        found.entry(op.label()).or_default();
    }
    for (name, case) in cases() {
        for (column, unknown) in
            [Unknown::Batch, Unknown::Inner, Unknown::All].into_iter().enumerate()
        {
            let mut model = (case.model)().read().unwrap();
            open(&mut model.graph, unknown);
            examine(&name, model, &mut wrong, &mut |op, said| {
                let outcome = &mut found.get_mut(&op.label()).unwrap()[column];
                match said {
                    Said::Converted => outcome.converted = true,
                    Said::Pinned => outcome.pinned = true,
                    Said::Refused(why) => drop(outcome.refused.insert(why)),
                }
            });
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut text = String::new();
    for (operator, columns) in found {
        let [batch, inner, all] = columns.map(Outcome::into_text);
        writeln!(text, "{operator}\t{batch}\t{inner}\t{all}").unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/import/unknown.txt");
    if let Some(difference) = check_file(&path, &text) {
        panic!("{difference}\n\n{}", records::HOW);
    }
}

impl Outcome {
    fn into_text(self) -> String {
        let refused = self.refused.into_iter().collect::<Vec<_>>().join("; ");
        match (self.converted, refused.is_empty()) {
            (true, true) => CONVERTS.to_owned(),
            (true, false) => format!("in part: {refused}"),
            (false, false) => refused,
            (false, true) if self.pinned => "– constants fix it".to_owned(),
            (false, true) => "– no such size".to_owned(),
        }
    }
}

/// Leaves sizes of the inputs open; equal sizes get one symbol.
fn open(graph: &mut Graph, unknown: Unknown) {
    let lists: HashSet<Arc<str>> = graph.nodes.iter().flat_map(lists_of).collect();
    for info in graph.inputs.iter_mut().filter(|info| !lists.contains(&info.name)) {
        let ValueType::Tensor { shape: Some(dims), .. } = &mut info.ty else { continue };
        let last = dims.len().saturating_sub(1);
        for (axis, dim) in dims.iter_mut().enumerate() {
            let opens = match unknown {
                Unknown::Batch => axis == 0,
                Unknown::Inner => axis == last,
                Unknown::All => true,
            };
            match dim {
                DimSpec::Known(size) if opens => {
                    *dim = DimSpec::Symbol(format!("{OPENED}{size}").into());
                }
                DimSpec::Symbol(_) | DimSpec::Unknown if !opens => *dim = DimSpec::Known(USUAL),
                _ => {}
            }
        }
    }
}

/// The inputs of a node that are [`LISTS`].
fn lists_of(node: &Node) -> Vec<Arc<str>> {
    let Some(op) = row(node) else { return Vec::new() };
    let names = node.inputs.iter().enumerate();
    names
        .filter(|(at, _)| LISTS.contains(&op.input_name(*at)))
        .map(|(_, name)| name.clone())
        .collect()
}

fn row(node: &Node) -> Option<&'static Op> {
    registry::find(&node.domain, &node.op, node.opset)
}

enum Said {
    Converted,
    Pinned,
    Refused(String),
}

/// Says of each node that an unknown size reaches what comes of it.
fn examine(case: &str, mut model: Model, wrong: &mut Vec<String>, say: &mut dyn FnMut(&Op, Said)) {
    let mut pending = reached(&model.graph);
    while !model.graph.outputs.is_empty() {
        let mut refused = HashSet::new();
        match pipeline::prepare(&model, &Fitted::standard(Caps::modern()), Caps::modern()) {
            Ok(prepared) => {
                wrong.extend(same_numbers(case, &model, &prepared).err());
                let Pins { nodes, sizes } = pins(&model.graph, &prepared);
                let settled = |node: &Node| !nodes.contains(&node.site);
                for node in model.graph.nodes.iter().filter(|node| settled(node)) {
                    let converted = pending.remove(&node.site);
                    tell(node, converted, Said::Converted, say);
                }
                close(&mut model.graph, &sizes);
                let open = reached(&model.graph);
                for node in model.graph.nodes.iter().filter(|node| !open.contains(&node.site)) {
                    let pinned = pending.remove(&node.site);
                    tell(node, pinned, Said::Pinned, say);
                }
                if pending.is_empty() || sizes.is_empty() {
                    return;
                }
            }
            Err(error) => {
                for problem in error.problems() {
                    let Some(node) = around(&model.graph, &problem.site) else { continue };
                    let why =
                        problem.message.split(", but axis ").next().unwrap_or_default().to_owned();
                    tell(node, true, Said::Refused(why), say);
                    refused.insert(node.site.clone());
                }
                assert!(!refused.is_empty(), "{case}: {error}");
                without(&mut model.graph, &refused);
            }
        }
    }
}

/// Checks that a network with unknown sizes computes at those that the case has what the network of
/// these sizes does.
fn same_numbers(case: &str, model: &Model, open: &Prepared) -> Result<(), String> {
    if WITHOUT_NUMBERS.contains(&case) {
        return Ok(());
    }
    let mut known = model.clone();
    for info in &mut known.graph.inputs {
        let ValueType::Tensor { shape: Some(dims), .. } = &mut info.ty else { continue };
        for dim in dims {
            let had =
                |name: &str| name.strip_prefix(OPENED).map_or(USUAL, |size| size.parse().unwrap());
            *dim = DimSpec::Known(match dim {
                DimSpec::Known(size) => *size,
                DimSpec::Symbol(name) => had(name),
                DimSpec::Unknown => USUAL,
            });
        }
    }
    let known =
        pipeline::prepare(&known, &Fitted::standard(Caps::modern()), Caps::modern()).unwrap();
    let inputs: Vec<Tensor> =
        known.network.inputs.iter().map(|&input| sample(&known.network.value(input).ty)).collect();
    let run = |network| eval::run(network, &inputs).map_err(|error| format!("{case}: {error}"));
    let (expected, found) = (run(&known.network)?, run(&open.network)?);
    for ((expected, found), output) in expected.into_iter().zip(found).zip(&open.network.outputs) {
        let compared = compare(&output.name, &found, &Constant::Tensor(expected.clone()));
        if !compared.agrees {
            return Err(format!("{case}: {} is {found:?}, not {expected:?}", output.name));
        }
    }
    Ok(())
}

fn tell(node: &Node, whether: bool, said: Said, say: &mut dyn FnMut(&Op, Said)) {
    if let Some(op) = row(node).filter(|_| whether) {
        say(op, said);
    }
}

/// The nodes that depend on inputs with unknown sizes.
fn reached(graph: &Graph) -> HashSet<Site> {
    let open = |info: &&ValueInfo| match &info.ty {
        ValueType::Tensor { shape: Some(dims), .. } => {
            dims.iter().any(|dim| !matches!(dim, DimSpec::Known(_)))
        }
        _ => false,
    };
    let mut names: HashSet<&Arc<str>> =
        graph.inputs.iter().filter(open).map(|info| &info.name).collect();
    let mut sites = HashSet::new();
    for node in &graph.nodes {
        if reads(node).any(|name| names.contains(name)) {
            names.extend(node.outputs.iter().filter(|name| !name.is_empty()));
            sites.insert(node.site.clone());
        }
    }
    sites
}

/// What a node reads, in the graphs that it holds too.
fn reads(node: &Node) -> impl Iterator<Item = &Arc<str>> {
    node.inputs.iter().chain(node.attrs.graphs().flat_map(|graph| &graph.captures))
}

/// The node of a graph at a site, or around it.
fn around<'g>(graph: &'g Graph, site: &Site) -> Option<&'g Node> {
    let place = site.place();
    graph.nodes.iter().find(|node| {
        node.site == *site
            || place.graph.starts_with(&format!("{}/{}.", graph.path, node.site.label()))
    })
}

/// Unknown sizes that turn out to be numbers, and the nodes at which they do.
struct Pins {
    nodes: HashSet<Site>,
    sizes: Vec<(String, usize)>,
}

fn pins(graph: &Graph, prepared: &Prepared) -> Pins {
    let mut pins = Pins { nodes: HashSet::new(), sizes: Vec::new() };
    for fact in prepared.network.facts.over_inputs().filter(|fact| !fact.demand.unless_one) {
        let [a, b] = &fact.demand.sizes;
        if let [(symbol, Dim::Known(size))] = &(a - b).solutions()[..] {
            pins.nodes.extend(around(graph, &fact.site).map(|node| node.site.clone()));
            pins.sizes.push((symbol.to_string(), usize::try_from(*size).unwrap()));
        }
    }
    pins
}

/// Gives sizes their values.
fn close(graph: &mut Graph, sizes: &[(String, usize)]) {
    for info in &mut graph.inputs {
        let ValueType::Tensor { shape: Some(dims), .. } = &mut info.ty else { continue };
        for (axis, dim) in dims.iter_mut().enumerate() {
            let Err(symbol) = known_or_symbol(dim, &info.name, axis) else { continue };
            if let Some((_, size)) = sizes.iter().find(|(name, _)| *name == symbol.to_string()) {
                *dim = DimSpec::Known(*size);
            }
        }
    }
}

/// Takes out nodes and all that depends on them.
fn without(graph: &mut Graph, nodes: &HashSet<Site>) {
    let mut gone: HashSet<Arc<str>> = HashSet::new();
    graph.nodes.retain(|node| {
        let goes = nodes.contains(&node.site) || reads(node).any(|name| gone.contains(name));
        if goes {
            gone.extend(node.outputs.iter().filter(|name| !name.is_empty()).cloned());
        }
        !goes
    });
    graph.outputs.retain(|info| !gone.contains(&info.name));
}
