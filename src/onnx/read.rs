//! Messages into graphs: names, types, constants and subgraphs.
//!
//! A [`Reader`] goes on after a problem, with something in the place of what is wrong, so that all
//! problems of a model are found at once. What it made is thrown away if there was any.

use super::attrs::Attrs;
use super::constant::{Constant, ElementType};
use super::data::{self, Data, DataError};
use super::external::{ExternalError, Folder};
use super::functions::{Call, Functions, Prefixes, functions, label, node_size};
use super::model::{DimSpec, Graph, Initializer, Model, Node, ValueInfo, ValueType};
use super::{pb, sort};
use crate::error::{Error, Kind, Problem, Result, keep};
use crate::site::Site;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// How deep subgraphs and functions may be nested, together.
const MAX_DEPTH: usize = 64;

/// Version of each operator set by domain.
pub(super) type Opsets = BTreeMap<String, i64>;

/// The model that `proto` describes; `folder` is where external data is looked for.
pub(super) fn model(proto: &pb::ModelProto, folder: &Path) -> Result<Model> {
    let graph =
        proto.graph.as_ref().ok_or_else(|| Error::new(Kind::Invalid, "the model has no graph"))?;
    let mut opsets =
        opsets(&proto.opset_import).map_err(|message| Error::new(Kind::Invalid, message))?;
    if opsets.is_empty() {
        // Files of the first two IR versions have no imports: there was one operator set.
        if proto.ir_version() >= 3 {
            return Err(Error::new(Kind::Invalid, "the model imports no operator set"));
        }
        opsets.insert(String::new(), 1);
    }
    let mut problems = Vec::new();
    let functions = functions(proto, &mut problems);
    let mut reader = Reader {
        opsets: &opsets,
        prefixes: if functions.is_empty() {
            Prefixes::default()
        } else {
            Prefixes::of_graph(graph)
        },
        functions: &functions,
        data: Data::new(Folder::new(folder)),
        names: HashSet::new(),
        constants: HashMap::new(),
        inlined: 0,
        problems,
    };
    let graph = reader.graph(graph, &Scope { path: "main".into(), depth: 0, call: None });
    if !reader.inlined_too_much() {
        sort::undefined(&graph, &mut reader.problems);
    }
    let problems = reader.problems;
    if !problems.is_empty() {
        return Err(Error::of_problems("cannot read", problems));
    }
    let producer = [proto.producer_name(), proto.producer_version()];
    let metadata =
        proto.metadata_props.iter().map(|entry| (entry.key().to_owned(), entry.value().to_owned()));
    Ok(Model {
        ir_version: proto.ir_version(),
        producer: producer.join(" ").trim().to_owned(),
        metadata: metadata.collect(),
        external: reader.data.files(),
        opsets,
        graph,
    })
}

/// The imported operator sets; a message where they contradict each other.
pub(super) fn opsets(imports: &[pb::OperatorSetIdProto]) -> Result<Opsets, String> {
    let mut opsets = BTreeMap::new();
    for import in imports {
        let (domain, version) = (normal_domain(import.domain()), import.version());
        let shown = if domain.is_empty() { "ai.onnx" } else { domain };
        if version < 1 {
            return Err(format!("operator set `{shown}` is imported as version {version}"));
        }
        if let Some(other) = opsets.insert(domain.to_owned(), version)
            && other != version
        {
            return Err(format!(
                "operator set `{shown}` is imported as version {other} and as version {version}"
            ));
        }
    }
    Ok(opsets)
}

/// ONNX's own domain has two names.
pub(super) fn normal_domain(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

/// Makes graphs of messages.
pub(super) struct Reader<'m> {
    opsets: &'m Opsets,
    pub(super) functions: &'m Functions<'m>,
    pub(super) prefixes: Prefixes,
    /// How much inlining has made.
    pub(super) inlined: usize,
    data: Data,
    /// Every name once, so that equal ones share memory.
    names: HashSet<Arc<str>>,
    /// Constants of function bodies by message, which are read once for each call.
    constants: HashMap<*const pb::TensorProto, Constant>,
    pub(super) problems: Vec<Problem>,
}

/// Where a node list is: in which graph, and in the body of which function.
pub(super) struct Scope<'s> {
    /// Path of the graph, with the calls that lead to it.
    pub(super) path: Arc<str>,
    pub(super) depth: usize,
    pub(super) call: Option<&'s Call<'s>>,
}

impl<'m> Reader<'m> {
    /// The graph that `proto` describes, in topological order.
    pub(super) fn graph(&mut self, proto: &'m pb::GraphProto, scope: &Scope<'_>) -> Graph {
        self.check_shadowing(proto, scope);
        let initializers = self.initializers(proto, scope);
        let constant: HashSet<&str> =
            initializers.iter().map(|initializer| &*initializer.name).collect();
        let mut inputs = self.value_infos(&proto.input, "input", scope);
        inputs.retain(|input| !constant.contains(&*input.name));
        let value_info = self.value_infos(&proto.value_info, "value", scope);
        let mut graph = Graph {
            path: scope.path.clone(),
            name: proto.name().to_owned(),
            nodes: Vec::with_capacity(proto.node.len()),
            inputs,
            outputs: self.value_infos(&proto.output, "output", scope),
            value_info: value_info.into_iter().map(|value| (value.name.clone(), value)).collect(),
            initializers,
            captures: Vec::new(),
        };
        for (index, node) in proto.node.iter().enumerate() {
            self.node(node, index, scope, &mut graph.nodes);
        }
        sort::sort(&mut graph, &mut self.problems);
        graph
    }

    /// A graph in a function must not define the function's own names again: renaming could not
    /// tell them apart.
    fn check_shadowing(&mut self, proto: &pb::GraphProto, scope: &Scope<'_>) {
        let Some(call) = scope.call else { return };
        let inputs = proto.input.iter().map(pb::ValueInfoProto::name);
        let initializers = proto.initializer.iter().map(pb::TensorProto::name);
        let outputs = proto.node.iter().flat_map(|node| &node.output).map(String::as_str);
        for name in
            inputs.chain(initializers).chain(outputs).filter(|name| call.formal(name).is_some())
        {
            let message = format!(
                "is an input or output of function `{}` and is defined again",
                call.label()
            );
            self.invalid(&Site::tensor(scope.path.clone(), "value", name), message);
        }
    }

    fn initializers(&mut self, proto: &'m pb::GraphProto, scope: &Scope<'_>) -> Vec<Initializer> {
        let mut initializers =
            Vec::with_capacity(proto.initializer.len() + proto.sparse_initializer.len());
        // In place of a broken one, whose name is still defined.
        let broken = || Constant::Other { element: ElementType::Undefined, dims: Vec::new() };
        for dense in &proto.initializer {
            let site = self.tensor_site(dense.name(), "initializer", scope);
            let tensor = self.constant(dense, &site, "", scope).unwrap_or_else(broken);
            initializers.push(Initializer { name: self.name(dense.name(), scope), site, tensor });
        }
        for sparse in &proto.sparse_initializer {
            let name = sparse.values.as_ref().map_or("", pb::TensorProto::name);
            let site = self.tensor_site(name, "initializer", scope);
            let tensor = self.dense(sparse, &site, "").unwrap_or_else(broken);
            initializers.push(Initializer { name: self.name(name, scope), site, tensor });
        }
        initializers
    }

    /// The site of a value of the graph, which must have a name.
    fn tensor_site(&mut self, name: &str, what: &str, scope: &Scope<'_>) -> Site {
        let site = Site::tensor(scope.path.clone(), what, name);
        if name.is_empty() {
            self.invalid(&site, "has no name");
        }
        site
    }

    fn value_infos(
        &mut self,
        protos: &[pb::ValueInfoProto],
        what: &str,
        scope: &Scope<'_>,
    ) -> Vec<ValueInfo> {
        let mut values = Vec::with_capacity(protos.len());
        for proto in protos {
            let site = self.tensor_site(proto.name(), what, scope);
            let ty = proto.r#type.as_ref().map_or(Ok(ValueType::Unknown), |ty| self.value_type(ty));
            let ty = ty.unwrap_or_else(|error| {
                self.data_problem(&error, &site, "");
                ValueType::Unknown
            });
            values.push(ValueInfo { name: self.name(proto.name(), scope), ty });
        }
        values
    }

    /// The type that `proto` states.
    pub(super) fn value_type(&mut self, proto: &pb::TypeProto) -> Result<ValueType, DataError> {
        use pb::type_proto::Value;
        let mut inner = |proto: &Option<Box<pb::TypeProto>>| match proto {
            Some(proto) => self.value_type(proto).map(Box::new),
            None => Ok(Box::new(ValueType::Unknown)),
        };
        Ok(match &proto.value {
            Some(Value::TensorType(tensor)) => ValueType::Tensor {
                element: data::element(tensor.elem_type())?,
                shape: tensor.shape.as_ref().map(|shape| self.dims(shape)).transpose()?,
            },
            Some(Value::SequenceType(sequence)) => ValueType::Sequence(inner(&sequence.elem_type)?),
            Some(Value::OptionalType(optional)) => ValueType::Optional(inner(&optional.elem_type)?),
            Some(Value::MapType(_)) => ValueType::Map,
            Some(Value::SparseTensorType(_)) => ValueType::SparseTensor,
            Some(Value::OpaqueType(_)) => ValueType::Opaque,
            None => ValueType::Unknown,
        })
    }

    fn dims(&mut self, shape: &pb::TensorShapeProto) -> Result<Vec<DimSpec>, DataError> {
        use pb::tensor_shape_proto::dimension::Value;
        let dim = |(index, dim): (usize, &pb::tensor_shape_proto::Dimension)| match &dim.value {
            // Some exporters write -1 for "any".
            Some(Value::DimValue(-1)) | None => Ok(DimSpec::Unknown),
            Some(Value::DimValue(size)) => {
                let size = *size;
                usize::try_from(size)
                    .map(DimSpec::Known)
                    .map_err(|_| DataError::Dim { index, size })
            }
            Some(Value::DimParam(name)) if !names(name) => Ok(DimSpec::Unknown),
            Some(Value::DimParam(name)) => Ok(DimSpec::Symbol(self.shared(name))),
        };
        shape.dim.iter().enumerate().map(dim).collect()
    }

    /// Adds to `into` the node that `proto` describes, node `index` of its list, or what it inlines
    /// to.
    pub(super) fn node(
        &mut self,
        proto: &'m pb::NodeProto,
        index: usize,
        scope: &Scope<'_>,
        into: &mut Vec<Node>,
    ) {
        let (domain, op) = (normal_domain(proto.domain()), proto.op_type());
        let function = self.functions.get(&(domain, op, proto.overload()));
        let opset = self.opset(domain, scope);
        let inputs = self.trimmed(&proto.input, scope);
        let outputs = self.trimmed(&proto.output, scope);
        let first = outputs.first().map_or("", |name| &**name);
        let site = Site::node(
            scope.path.clone(),
            index,
            proto.name(),
            &label(domain, op),
            opset.unwrap_or(0),
            first,
        );
        if let Some(call) = scope.call
            && !self.count_inlined(node_size(proto, call), &site)
        {
            return;
        }
        if op.is_empty() {
            self.invalid(&site, "has no operator");
        } else if opset.is_none() && function.is_none() {
            let shown = if domain.is_empty() { "ai.onnx" } else { domain };
            self.invalid(&site, format!("the model does not import the operator set `{shown}`"));
        }
        let label =
            if proto.name().is_empty() { format!("{op}_{index}") } else { proto.name().to_owned() };
        let attrs = Attrs::new(self.attrs(proto, &site, &label, scope));
        let opset = opset.unwrap_or(0);
        let node = Node {
            site,
            domain: domain.to_owned(),
            op: op.to_owned(),
            opset,
            inputs,
            outputs,
            attrs,
        };
        // A call that cannot be inlined stays, so that its outputs are defined.
        if !function.is_some_and(|function| self.inline(&node, &label, function, scope, into)) {
            into.push(node);
        }
    }

    /// Version of the operator set of `domain` in `scope`.
    ///
    /// ONNX Runtime takes its own for granted, and what its optimizer makes may not import it.
    pub(super) fn opset(&self, domain: &str, scope: &Scope<'_>) -> Option<i64> {
        let own = scope.call.and_then(|call| call.opset(domain));
        let stated = own.or_else(|| self.opsets.get(domain).copied());
        stated.or_else(|| (domain == "com.microsoft").then_some(1))
    }

    /// What the name `raw` of `scope` is called in the whole graph.
    pub(super) fn name(&mut self, raw: &str, scope: &Scope<'_>) -> Arc<str> {
        match scope.call {
            Some(call) if !raw.is_empty() => match call.formal(raw) {
                Some(actual) => actual.clone(),
                None => self.shared(&call.inner(raw)),
            },
            _ => self.shared(raw),
        }
    }

    fn trimmed(&mut self, raw: &[String], scope: &Scope<'_>) -> Vec<Arc<str>> {
        let mut names: Vec<_> = raw.iter().map(|raw| self.name(raw, scope)).collect();
        while names.pop_if(|name| name.is_empty()).is_some() {}
        names
    }

    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.names.insert(name.clone());
        name
    }

    /// The scope at `path` inside `scope`; a problem of `site` where that is too deep.
    pub(super) fn enter<'s>(
        &mut self,
        scope: &Scope<'s>,
        site: &Site,
        path: &str,
    ) -> Option<Scope<'s>> {
        if scope.depth == MAX_DEPTH {
            let message =
                format!("subgraphs and functions are nested deeper than {MAX_DEPTH} levels");
            keep(&mut self.problems, Problem::new(Kind::Unsupported, site.clone(), message));
            return None;
        }
        Some(Scope { path: path.into(), depth: scope.depth + 1, call: scope.call })
    }

    /// The constant that `proto` describes, or `None` and a problem of `site`; `what` begins its
    /// message.
    pub(super) fn constant(
        &mut self,
        proto: &pb::TensorProto,
        site: &Site,
        what: &str,
        scope: &Scope<'_>,
    ) -> Option<Constant> {
        let key = std::ptr::from_ref(proto);
        if let Some(known) = self.constants.get(&key) {
            return Some(known.clone());
        }
        match self.data.constant(proto) {
            Ok(constant) => {
                if scope.call.is_some() {
                    self.constants.insert(key, constant.clone());
                }
                Some(constant)
            }
            Err(error) => {
                self.data_problem(&error, site, what);
                None
            }
        }
    }

    /// [`constant`](Self::constant) for a sparse tensor.
    pub(super) fn dense(
        &mut self,
        proto: &pb::SparseTensorProto,
        site: &Site,
        what: &str,
    ) -> Option<Constant> {
        self.data.dense(proto).map_err(|error| self.data_problem(&error, site, what)).ok()
    }

    /// A rule broken at `site`.
    pub(super) fn invalid(&mut self, site: &Site, message: impl Into<String>) {
        keep(&mut self.problems, Problem::new(Kind::Invalid, site.clone(), message));
    }

    /// The problem that `error` is at `site`, once for each broken external file.
    pub(super) fn data_problem(&mut self, error: &DataError, site: &Site, what: &str) {
        if !matches!(error, DataError::External(ExternalError::Again(_))) {
            let mut problem = Problem::new(error.kind(), site.clone(), format!("{what}{error}"));
            problem.hint = error.hint().map(str::to_owned);
            keep(&mut self.problems, problem);
        }
    }
}

/// Whether a size's name says which size it is. Exporters also write `?`, `-1` and `None` for sizes
/// that they do not know, several in one model, and those are not the same size.
fn names(dim_param: &str) -> bool {
    dim_param.chars().any(char::is_alphabetic) && dim_param != "None"
}
