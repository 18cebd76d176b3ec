//! A part of a model as a model of its own: the nodes between some tensors and others, with all
//! that they need.
//!
//! Works on the file's messages, so that the part says what the file says: function calls stay
//! calls, attributes and opsets stay as they are.

use super::data::Data;
use super::external::Folder;
use super::model::{DimSpec, Model};
use super::{file, pb, read, wire, write};
use crate::error::alike::nearest;
use crate::error::{Error, Kind, Result};
use crate::tensor::{DType, Tensor};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// A model file whose nodes are in topological order, ready to be cut.
#[derive(Debug, Clone)]
pub struct Whole {
    proto: pb::ModelProto,
    folder: PathBuf,
    nodes: Vec<Step>,
}

/// A node of the main graph.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name, or `node 57 -> "out"` where it has none.
    pub name: String,
    /// Its operator.
    pub op: String,
    /// Name and operator, as messages show them.
    pub label: String,
    /// Names that it or a graph in it reads; absent ones left out.
    pub inputs: Vec<String>,
    /// Names that it defines; those that nobody wants left out.
    pub outputs: Vec<String>,
}

/// What a tensor at which a model is cut becomes in the part behind it.
#[derive(Debug, Clone, Copy)]
pub enum Feed<'t> {
    /// An input of the type that the model states.
    Declared,
    /// An input of the type and shape of this tensor.
    Like(&'t Tensor),
    /// An input of this type, of these sizes.
    Typed(DType, &'t [DimSpec]),
    /// A constant.
    Constant(&'t Tensor),
}

/// A part of a model.
#[derive(Debug, Clone)]
pub struct Part {
    proto: pb::ModelProto,
    folder: PathBuf,
}

impl Whole {
    /// Reads a model file to cut it.
    ///
    /// # Errors
    /// As [`load`](super::load), but for what only the nodes say: read the [model](Part::model) for
    /// that.
    pub fn open(path: &Path) -> Result<Self> {
        let file = file::open(path).map_err(|error| file::unreadable(path, &error))?;
        let proto = super::message(file, wire::Message::Model, "an ONNX model");
        let proto = proto.map_err(|error| error.in_model(path))?;
        Ok(Self::new(proto, path.parent().unwrap_or(Path::new(""))))
    }

    fn new(mut proto: pb::ModelProto, folder: &Path) -> Self {
        let mut nodes = Vec::new();
        if let Some(graph) = &mut proto.graph {
            let steps: Vec<Step> =
                graph.node.iter().enumerate().map(|(at, node)| Step::of(node, at)).collect();
            let order = order(&steps);
            graph.node = order.iter().filter_map(|&at| graph.node.get(at).cloned()).collect();
            nodes = order.iter().filter_map(|&at| steps.get(at).cloned()).collect();
        }
        Self { proto, folder: folder.to_owned(), nodes }
    }

    /// The nodes of the main graph, each after those it reads from.
    pub fn nodes(&self) -> &[Step] {
        &self.nodes
    }

    /// The model's outputs, by name.
    pub fn outputs(&self) -> Vec<&str> {
        self.proto
            .graph
            .iter()
            .flat_map(|graph| &graph.output)
            .map(pb::ValueInfoProto::name)
            .collect()
    }

    /// The tensor of a name: that tensor, or the only output of the node of that name.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a node with several outputs.
    pub fn tensor(&self, name: &str) -> Result<String> {
        let is_tensor = self.proto.graph.iter().any(|graph| Names::of(graph).given(name))
            || self.nodes.iter().any(|node| node.outputs.iter().any(|output| output == name));
        let node = self.nodes.iter().find(|node| node.name == name).filter(|_| !is_tensor);
        match node.map(|node| &node.outputs[..]) {
            None | Some([]) => Ok(name.to_owned()),
            Some([only]) => Ok(only.clone()),
            Some(several) => {
                let names: Vec<String> = several.iter().map(|name| format!("`{name}`")).collect();
                let message = format!("node `{name}` has several outputs: name one of them");
                Err(Error::new(Kind::Usage, message).with_note(names.join(", ")))
            }
        }
    }

    /// What enters some nodes, by position, from other nodes, and what of them is taken outside.
    /// What follows from constants alone enters nowhere: a part has that inside.
    pub fn around(&self, nodes: &BTreeSet<usize>) -> (Vec<String>, Vec<String>) {
        let graph = self.proto.graph.as_ref();
        let given = graph.map(Names::of);
        let is_constant = |name: &str| given.as_ref().is_some_and(|g| g.constants.contains(name));
        let inputs = graph.into_iter().flat_map(|graph| &graph.input);
        let mut varies: HashSet<&str> = inputs.map(pb::ValueInfoProto::name).collect();
        varies.retain(|name| !is_constant(name));
        let mut made_outside = HashSet::new();
        let mut taken: HashSet<&str> = self.outputs().into_iter().collect();
        for (at, node) in self.nodes.iter().enumerate() {
            if node.inputs.iter().any(|name| varies.contains(name.as_str())) {
                varies.extend(node.outputs.iter().map(String::as_str));
            }
            if !nodes.contains(&at) {
                made_outside.extend(node.outputs.iter().map(String::as_str));
                taken.extend(node.inputs.iter().map(String::as_str));
            }
        }
        let steps = || nodes.iter().filter_map(|&at| self.nodes.get(at));
        let read: BTreeSet<&String> = steps().flat_map(|node| &node.inputs).collect();
        let enters =
            |name: &&String| varies.contains(name.as_str()) && made_outside.contains(name.as_str());
        let from = read.into_iter().filter(enters).cloned().collect();
        let made = steps().flat_map(|node| &node.outputs);
        (from, made.filter(|name| taken.contains(name.as_str())).cloned().collect())
    }

    /// The nodes that compute `to` from `from` and from those of the model's inputs and constants
    /// that they need.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a name that the model does not have, for a tensor in `from` that nothing
    /// in `to` depends on, and for a [declared](Feed::Declared) one whose type the model does not
    /// state.
    pub fn part(&self, from: &[(&str, Feed<'_>)], to: &[&str]) -> Result<Part> {
        let graph = self
            .proto
            .graph
            .as_ref()
            .ok_or_else(|| Error::new(Kind::Invalid, "the model has no graph"))?;
        let names = Names::of(graph);
        for (name, _) in from {
            names.require(name, &self.nodes)?;
        }
        let needed = self.needed(from, to, &names)?;
        let mut part = pb::GraphProto { name: graph.name.clone(), ..Default::default() };
        for &(name, feed) in from {
            if !needed.names.contains(name) {
                return Err(Error::new(
                    Kind::Usage,
                    format!("no output of the part depends on tensor `{name}`"),
                ));
            }
            match feed {
                Feed::Constant(tensor) => part.initializer.push(write::tensor(name, tensor)),
                Feed::Like(tensor) => part.input.push(write::value_like(name, tensor)),
                Feed::Typed(dtype, dims) => part.input.push(write::value_info(name, dtype, dims)),
                Feed::Declared => part.input.push(names.declared(name)?.clone()),
            }
        }
        let cut: HashSet<&str> = from.iter().map(|(name, _)| *name).collect();
        let kept = |name: &str| needed.names.contains(name) && !cut.contains(name);
        part.input.extend(graph.input.iter().filter(|info| kept(info.name())).cloned());
        part.initializer
            .extend(graph.initializer.iter().filter(|tensor| kept(tensor.name())).cloned());
        let sparse = graph.sparse_initializer.iter().filter(|sparse| kept(sparse_name(sparse)));
        part.sparse_initializer.extend(sparse.cloned());
        part.value_info.extend(graph.value_info.iter().filter(|info| kept(info.name())).cloned());
        part.node = needed.nodes.iter().filter_map(|&at| graph.node.get(at).cloned()).collect();
        part.output = to.iter().map(|name| names.output(name)).collect();
        let functions = self.functions(&part.node);
        let proto = pb::ModelProto {
            ir_version: self.proto.ir_version,
            opset_import: self.proto.opset_import.clone(),
            producer_name: self.proto.producer_name.clone(),
            producer_version: self.proto.producer_version.clone(),
            metadata_props: self.proto.metadata_props.clone(),
            graph: Some(part),
            functions,
            ..Default::default()
        };
        Ok(Part { proto, folder: self.folder.clone() })
    }

    /// The nodes and names from which `to` follows, without what lies in front of `from`.
    fn needed<'n>(
        &'n self,
        from: &[(&'n str, Feed<'_>)],
        to: &[&'n str],
        names: &Names<'_>,
    ) -> Result<Needed<'n>> {
        let makers: HashMap<&str, usize> = self
            .nodes
            .iter()
            .enumerate()
            .flat_map(|(at, node)| node.outputs.iter().map(move |output| (output.as_str(), at)))
            .collect();
        let cut: HashSet<&str> = from.iter().map(|(name, _)| *name).collect();
        let mut needed = Needed { nodes: BTreeSet::new(), names: HashSet::new() };
        let mut pending = Vec::new();
        for name in to {
            pending.push(names.require(name, &self.nodes)?);
        }
        while let Some(name) = pending.pop() {
            if !needed.names.insert(name) || cut.contains(name) {
                continue;
            }
            let Some((&at, node)) =
                makers.get(name).and_then(|at| Some((at, self.nodes.get(*at)?)))
            else {
                continue;
            };
            if needed.nodes.insert(at) {
                pending.extend(node.inputs.iter().map(String::as_str));
            }
        }
        Ok(needed)
    }

    /// The local functions that nodes call, and those which these call.
    fn functions(&self, nodes: &[pb::NodeProto]) -> Vec<pb::FunctionProto> {
        let mut called = BTreeSet::new();
        let mut pending: Vec<&pb::NodeProto> = nodes.iter().collect();
        while let Some(node) = pending.pop() {
            let graphs = node
                .attribute
                .iter()
                .flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
            pending.extend(graphs.flat_map(|graph| &graph.node));
            let id = |function: &pb::FunctionProto| {
                read::normal_domain(function.domain()) == read::normal_domain(node.domain())
                    && (function.name(), function.overload()) == (node.op_type(), node.overload())
            };
            if let Some(at) = self.proto.functions.iter().position(id)
                && called.insert(at)
            {
                pending.extend(
                    self.proto.functions.get(at).into_iter().flat_map(|function| &function.node),
                );
            }
        }
        called.into_iter().filter_map(|at| self.proto.functions.get(at).cloned()).collect()
    }
}

/// What a part is made of.
struct Needed<'w> {
    nodes: BTreeSet<usize>,
    names: HashSet<&'w str>,
}

impl Step {
    fn of(node: &pb::NodeProto, at: usize) -> Self {
        let names = |names: &[String]| {
            names.iter().filter(|name| !name.is_empty()).cloned().collect::<Vec<_>>()
        };
        let mut inputs = names(&node.input);
        let mut captured = BTreeSet::new();
        for attribute in &node.attribute {
            attribute
                .g
                .iter()
                .chain(&attribute.graphs)
                .for_each(|graph| captures(graph, &mut captured));
        }
        inputs.extend(captured.into_iter().map(str::to_owned));
        let outputs = names(&node.output);
        let name = match (node.name(), outputs.first()) {
            ("", Some(output)) => format!("node {at} -> \"{output}\""),
            ("", None) => format!("node {at}"),
            (name, _) => name.to_owned(),
        };
        let op = node.op_type();
        let label = if node.name().is_empty() {
            format!("{name} ({op})")
        } else {
            format!("`{name}` ({op})")
        };
        Self { name, op: op.to_owned(), label, inputs, outputs }
    }
}

/// Adds the names that a nested graph reads from the graphs around it. Graphs nest no deeper than
/// the decoder allows.
fn captures<'g>(graph: &'g pb::GraphProto, into: &mut BTreeSet<&'g str>) {
    let mut read: BTreeSet<&str> = graph.output.iter().map(pb::ValueInfoProto::name).collect();
    for node in &graph.node {
        read.extend(node.input.iter().map(String::as_str));
        for attribute in &node.attribute {
            attribute
                .g
                .iter()
                .chain(&attribute.graphs)
                .for_each(|graph| captures(graph, &mut read));
        }
    }
    let own = Names::of(graph);
    let made: HashSet<&str> =
        graph.node.iter().flat_map(|node| &node.output).map(String::as_str).collect();
    into.extend(
        read.into_iter()
            .filter(|name| !name.is_empty() && !own.given(name) && !made.contains(name)),
    );
}

/// A topological order that keeps the file's wherever it can. Nodes of a cycle come in the file's
/// order.
fn order(nodes: &[Step]) -> Vec<usize> {
    let makers: HashMap<&str, usize> = nodes
        .iter()
        .enumerate()
        .flat_map(|(at, node)| node.outputs.iter().map(move |name| (name.as_str(), at)))
        .collect();
    let mut order = Vec::with_capacity(nodes.len());
    let mut entered = vec![false; nodes.len()];
    for root in 0..nodes.len() {
        let mut stack = vec![(root, false)];
        while let Some((at, done)) = stack.pop() {
            if done {
                order.push(at);
                continue;
            }
            let (Some(node), Some(entered)) = (nodes.get(at), entered.get_mut(at)) else {
                continue;
            };
            if std::mem::replace(entered, true) {
                continue;
            }
            stack.push((at, true));
            stack.extend(
                node.inputs
                    .iter()
                    .rev()
                    .filter_map(|name| makers.get(name.as_str()))
                    .map(|&maker| (maker, false)),
            );
        }
    }
    order
}

/// What a graph says of its names.
struct Names<'g> {
    inputs: BTreeMap<&'g str, &'g pb::ValueInfoProto>,
    stated: BTreeMap<&'g str, &'g pb::ValueInfoProto>,
    constants: HashSet<&'g str>,
}

impl<'g> Names<'g> {
    fn of(graph: &'g pb::GraphProto) -> Self {
        let infos = |infos: &'g [pb::ValueInfoProto]| infos.iter().map(|info| (info.name(), info));
        let dense = graph.initializer.iter().map(pb::TensorProto::name);
        Self {
            inputs: infos(&graph.input).collect(),
            stated: infos(&graph.value_info)
                .chain(infos(&graph.output))
                .chain(infos(&graph.input))
                .collect(),
            constants: dense.chain(graph.sparse_initializer.iter().map(sparse_name)).collect(),
        }
    }

    /// Whether the name is defined without a node.
    fn given(&self, name: &str) -> bool {
        self.inputs.contains_key(name) || self.constants.contains(name)
    }

    /// The name, if anything defines it.
    fn require<'n>(&self, name: &'n str, nodes: &[Step]) -> Result<&'n str> {
        if self.given(name)
            || nodes.iter().any(|node| node.outputs.iter().any(|output| output == name))
        {
            return Ok(name);
        }
        let error = Error::new(Kind::Usage, format!("the model has no tensor or node `{name}`"));
        let outputs = nodes.iter().flat_map(|node| &node.outputs).map(String::as_str);
        let known = outputs.chain(self.inputs.keys().copied());
        let known = known.chain(nodes.iter().map(|node| node.name.as_str()));
        Err(match nearest(name, known) {
            Some(meant) => error.with_hint(format!("did you mean `{meant}`?")),
            None => error,
        })
    }

    fn declared(&self, name: &str) -> Result<&'g pb::ValueInfoProto> {
        let stated = self.stated.get(name).copied().filter(|info| info.r#type.is_some());
        stated.ok_or_else(|| {
            Error::new(Kind::Usage, format!("the model does not state the type of tensor `{name}`"))
                .with_hint(
                    "run ONNX's shape inference over it, which writes the types of all \
                            tensors into the file",
                )
        })
    }

    /// An output of this name, with its type where the model states it.
    fn output(&self, name: &str) -> pb::ValueInfoProto {
        let unstated = || pb::ValueInfoProto { name: Some(name.to_owned()), ..Default::default() };
        self.stated.get(name).map_or_else(unstated, |&info| info.clone())
    }
}

fn sparse_name(sparse: &pb::SparseTensorProto) -> &str {
    sparse.values.as_ref().map_or("", pb::TensorProto::name)
}

impl Part {
    /// The part, to cut it in turn.
    pub fn whole(&self) -> Whole {
        Whole::new(self.proto.clone(), &self.folder)
    }

    /// The part as a checked model.
    ///
    /// # Errors
    /// As [`load`](super::load).
    pub fn model(&self) -> Result<Model> {
        read::model(&self.proto, &self.folder)
    }

    /// The part as a file that needs no other: external data is inside.
    ///
    /// # Errors
    /// External data that cannot be read, and [`Kind::Unsupported`] where it is more than a file
    /// holds.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let mut proto = self.proto.clone();
        let mut data = Data::new(Folder::new(&self.folder));
        let mut total = 0usize;
        for tensor in proto.graph.iter_mut().flat_map(|graph| &mut graph.initializer) {
            if tensor.data_location() == pb::tensor_proto::DataLocation::External {
                let name = tensor.name().to_owned();
                let cannot = |why: String| {
                    Error::new(Kind::Invalid, format!("cannot read initializer `{name}`: {why}"))
                };
                let constant = data.constant(tensor).map_err(|error| cannot(error.to_string()))?;
                let read = constant.tensor().map_err(|error| cannot(error.to_string()))?;
                *tensor = write::tensor(&name, read);
            }
            total = total.saturating_add(tensor.raw_data().len());
        }
        if total > super::MAX_FILE_BYTES {
            let message = format!(
                "a part of the model has {total} bytes of weights, more than one file holds"
            );
            return Err(Error::new(Kind::Unsupported, message));
        }
        Ok(proto.encode_to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{external, floats, function, graph, model, node, subgraph};
    use super::*;

    fn whole(proto: pb::ModelProto, folder: &Path) -> Whole {
        Whole::new(proto, folder)
    }

    /// Nodes in no order; a call of a function that calls another; a branch that reads from
    /// outside.
    fn sample() -> pb::ModelProto {
        let branch = |op| graph("", "b", vec![node("", op, "called w", "b", vec![])]);
        let nodes = vec![
            node("last", "Relu", "chosen", "y", vec![]),
            node(
                "choice",
                "If",
                "c",
                "chosen",
                vec![
                    subgraph("then_branch", branch("Add")),
                    subgraph("else_branch", branch("Mul")),
                ],
            ),
            node("call", "local.outer", "x", "called", vec![]),
            node("side", "Neg", "called", "z", vec![]),
        ];
        let mut proto = model(graph("x c", "y z", nodes));
        if let Some(graph) = &mut proto.graph {
            graph.initializer = vec![floats("w", &[1], &[2.0]), floats("unused", &[1], &[3.0])];
        }
        proto.functions = vec![
            function("outer", "a", "b", "", vec![node("", "local.inner", "a", "b", vec![])]),
            function("inner", "a", "b", "", vec![node("", "Exp", "a", "b", vec![])]),
            function("other", "a", "b", "", vec![node("", "Log", "a", "b", vec![])]),
        ];
        proto
    }

    fn names(part: &Part) -> [Vec<&str>; 4] {
        let graph = part.proto.graph.as_ref().unwrap();
        [
            graph.node.iter().map(pb::NodeProto::name).collect(),
            graph.input.iter().map(pb::ValueInfoProto::name).collect(),
            graph.initializer.iter().map(pb::TensorProto::name).collect(),
            part.proto.functions.iter().map(pb::FunctionProto::name).collect(),
        ]
    }

    #[test]
    fn nodes_are_sorted_and_read_what_their_graphs_read() {
        let whole = whole(sample(), Path::new(""));
        let labels: Vec<&str> = whole.nodes().iter().map(|step| step.label.as_str()).collect();
        assert_eq!(labels, ["`call` (outer)", "`choice` (If)", "`last` (Relu)", "`side` (Neg)"]);
        assert_eq!(whole.nodes()[1].inputs, ["c", "called", "w"]);
    }

    #[test]
    fn a_part_has_all_that_it_needs_and_no_more() {
        let whole = whole(sample(), Path::new(""));
        let part = whole.part(&[], &["z"]).unwrap();
        assert_eq!(names(&part), [vec!["call", "side"], vec!["x"], vec![], vec!["outer", "inner"]]);
        let called = Tensor::vector(&[1f32]);
        let part = whole.part(&[("called", Feed::Like(&called))], &["y"]).unwrap();
        assert_eq!(names(&part), [vec!["choice", "last"], vec!["called", "c"], vec!["w"], vec![]]);
        let model = part.model().unwrap();
        assert_eq!(model.graph.inputs[0].ty.to_string(), "f32[1]");
        let part = whole.part(&[("called", Feed::Constant(&called))], &["y"]).unwrap();
        assert_eq!(names(&part), [vec!["choice", "last"], vec!["c"], vec!["called", "w"], vec![]]);
    }

    #[test]
    fn a_node_stands_for_its_only_output() {
        let mut proto = sample();
        if let Some(graph) = &mut proto.graph {
            graph.node.push(node("two", "Split", "called", "left right", vec![]));
        }
        let whole = whole(proto, Path::new(""));
        assert_eq!(whole.tensor("side").unwrap(), "z");
        assert_eq!(whole.tensor("called").unwrap(), "called");
        assert_eq!(whole.tensor("w").unwrap(), "w");
        let error = whole.tensor("two").unwrap_err().to_string();
        assert_eq!(error, "node `two` has several outputs: name one of them\n  `left`, `right`");
        let error = whole.part(&[], &["caled"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "the model has no tensor or node `caled`\n\nhint: did you mean `called`?"
        );
    }

    #[test]
    fn the_file_of_a_part_holds_external_data() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("w.bin"), [0u8, 0, 128, 63]).unwrap();
        let mut proto = model(graph("x", "y", vec![node("", "Add", "x w", "y", vec![])]));
        if let Some(graph) = &mut proto.graph {
            graph.initializer = vec![external("w", &[1], &[("location", "w.bin")])];
        }
        let part = whole(proto.clone(), folder.path()).part(&[], &["y"]).unwrap();
        let alone = super::super::decode(part.bytes().unwrap().into(), Path::new("")).unwrap();
        assert_eq!(alone.graph.initializers[0].tensor.tensor().unwrap(), &Tensor::vector(&[1f32]));

        let lost = whole(proto, Path::new("nowhere")).part(&[], &["y"]).unwrap();
        let message = lost.bytes().unwrap_err().message().to_owned();
        assert!(
            message.starts_with(
                "cannot read initializer `w`: cannot read external data file `w.bin`: "
            ),
            "{message}"
        );
    }
}
