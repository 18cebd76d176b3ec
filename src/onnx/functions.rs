//! Local functions: their calls are replaced by their bodies.

use super::attrs::{Attr, Attrs};
use super::model::Node;
use super::pb;
use super::read::{Opsets, Reader, Scope, normal_domain, opsets};
use crate::error::{Kind, Problem, keep};
use crate::memory;
use crate::site::Site;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// How many bytes of nodes, names and list entries inlining may make: functions that call functions
/// grow exponentially, and so do their names.
const MAX_INLINED_BYTES: usize = 1 << 29;
/// The share of the budget for memory that inlining may take: one in so many.
const SHARE_OF_BUDGET: usize = 8;
/// What a node takes besides its names, about.
const NODE_BYTES: usize = 512;
/// What a name takes besides its characters, or another value, about.
const VALUE_BYTES: usize = 64;

/// A local function of the model.
pub(super) struct Function<'m> {
    proto: &'m pb::FunctionProto,
    opsets: Opsets,
}

/// The local functions of a model by domain, name and overload.
pub(super) type Functions<'m> = HashMap<(&'m str, &'m str, &'m str), Function<'m>>;

/// The functions of `model`; ones defined twice or importing operator sets wrongly are problems.
pub(super) fn functions<'m>(
    model: &'m pb::ModelProto,
    problems: &mut Vec<Problem>,
) -> Functions<'m> {
    let mut functions = HashMap::new();
    for proto in &model.functions {
        let id = (normal_domain(proto.domain()), proto.name(), proto.overload());
        let site = Site::tensor(label(id.0, id.1), "function", proto.name());
        match opsets(&proto.opset_import) {
            Ok(opsets) => {
                if functions.insert(id, Function { proto, opsets }).is_some() {
                    keep(problems, Problem::new(Kind::Invalid, site, "is defined twice"));
                }
            }
            Err(message) => keep(problems, Problem::new(Kind::Invalid, site, message)),
        }
    }
    functions
}

/// An operator as messages name it: with its domain where that is not ONNX's own.
pub(super) fn label(domain: &str, op: &str) -> String {
    if domain.is_empty() { op.to_owned() } else { format!("{domain}.{op}") }
}

/// A call whose function's body is being read: what names and attributes of the body stand for.
pub(super) struct Call<'s> {
    function: &'s Function<'s>,
    /// Before every name that is neither an input nor an output of the function.
    prefix: String,
    /// The caller's names for the function's inputs and outputs; `""` for an absent input.
    formals: HashMap<&'s str, Arc<str>>,
    /// Values of the function's attributes; `None` for one without a default that the call does not
    /// give.
    attrs: HashMap<&'s str, Option<Attr>>,
    parent: Option<&'s Call<'s>>,
}

impl Call<'_> {
    /// The caller's name for an input or output of the function.
    pub(super) fn formal(&self, name: &str) -> Option<&Arc<str>> {
        self.formals.get(name)
    }

    /// A name of the body that the caller does not know.
    pub(super) fn inner(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The call's value of an attribute of the function; `None` where the function has no such
    /// attribute.
    pub(super) fn attr(&self, name: &str) -> Option<&Option<Attr>> {
        self.attrs.get(name)
    }

    /// Version of an operator set that the function itself imports.
    pub(super) fn opset(&self, domain: &str) -> Option<i64> {
        self.function.opsets.get(domain).copied()
    }

    /// The function as messages name it.
    pub(super) fn label(&self) -> String {
        label(normal_domain(self.function.proto.domain()), self.function.proto.name())
    }
}

/// Keeps the names of inlined bodies apart, from each other and from the model's own.
#[derive(Default)]
pub(super) struct Prefixes {
    /// Names and prefixes in use.
    taken: BTreeSet<String>,
    /// How often each label was asked for.
    counts: HashMap<String, usize>,
}

impl Prefixes {
    /// With the names that `graph` and its subgraphs define.
    pub(super) fn of_graph(graph: &pb::GraphProto) -> Self {
        let mut prefixes = Self::default();
        prefixes.reserve_graph(graph);
        prefixes
    }

    fn reserve_graph(&mut self, graph: &pb::GraphProto) {
        self.taken.extend(graph.input.iter().map(|input| input.name().to_owned()));
        self.taken
            .extend(graph.initializer.iter().map(|initializer| initializer.name().to_owned()));
        for node in &graph.node {
            self.taken.extend(node.output.iter().cloned());
            for attribute in &node.attribute {
                attribute
                    .g
                    .iter()
                    .chain(&attribute.graphs)
                    .for_each(|graph| self.reserve_graph(graph));
            }
        }
    }

    /// A prefix made from `label` that begins no name in use.
    fn unique(&mut self, label: &str) -> String {
        let count = self.counts.entry(label.to_owned()).or_default();
        loop {
            *count += 1;
            let prefix =
                if *count == 1 { format!("{label}/") } else { format!("{label}_{count}/") };
            if self
                .taken
                .range(prefix.clone()..)
                .next()
                .is_none_or(|name| !name.starts_with(&prefix))
            {
                self.taken.insert(prefix.clone());
                return prefix;
            }
        }
    }
}

impl<'m> Reader<'m> {
    /// Adds to `into` the body of `function` in place of `call`, a node of `scope` with that label.
    /// False, and a problem, where that cannot be done.
    pub(super) fn inline(
        &mut self,
        call: &Node,
        label: &str,
        function: &'m Function<'m>,
        scope: &Scope<'_>,
        into: &mut Vec<Node>,
    ) -> bool {
        let proto = function.proto;
        let mut callers = std::iter::successors(scope.call, |call| call.parent);
        if callers.any(|caller| std::ptr::eq(caller.function.proto, proto)) {
            self.invalid(&call.site, format!("function `{}` calls itself", proto.name()));
            return false;
        }
        if call.inputs.len() > proto.input.len() || call.outputs.len() > proto.output.len() {
            let message = format!(
                "has {} inputs and {} outputs, but function `{}` has {} and {}",
                call.inputs.len(),
                call.outputs.len(),
                proto.name(),
                proto.input.len(),
                proto.output.len()
            );
            self.invalid(&call.site, message);
            return false;
        }
        let size = NODE_BYTES
            + VALUE_BYTES * (proto.input.len() + proto.output.len() + proto.attribute.len())
            + scope.path.len()
            + proto.attribute_proto.iter().map(attr_size).sum::<usize>();
        let Some(inside) = self.enter(scope, &call.site, &format!("{}/{label}", scope.path)) else {
            return false;
        };
        if !self.count_inlined(size, &call.site) {
            return false;
        }
        let prefix = self
            .prefixes
            .unique(&scope.call.map_or_else(|| label.to_owned(), |outer| outer.inner(label)));
        let attrs = self.call_attrs(call, function, &inside);
        let formals = proto.input.iter().enumerate();
        let formals = formals
            .map(|(i, name)| (name.as_str(), call.inputs.get(i).cloned().unwrap_or_default()));
        let mut body =
            Call { function, prefix, formals: formals.collect(), attrs, parent: scope.call };
        let copies = bind_outputs(&mut body, call);
        let inside = Scope { call: Some(&body), ..inside };
        for output in proto.node.iter().flat_map(|node| &node.output) {
            let name = self.name(output, &inside);
            self.prefixes.taken.insert(name.to_string());
        }
        for (index, node) in proto.node.iter().enumerate() {
            self.node(node, index, &inside, into);
        }
        for (i, (from, to)) in copies.into_iter().enumerate() {
            let from = self.name(from, &inside);
            let opset = self.opset("", &inside).unwrap_or(1);
            let site =
                Site::node(inside.path.clone(), proto.node.len() + i, "", "Identity", opset, &to);
            let (domain, op, attrs) = (String::new(), "Identity".to_owned(), Attrs::default());
            into.push(Node {
                site,
                domain,
                op,
                opset,
                inputs: vec![from],
                outputs: vec![to],
                attrs,
            });
        }
        true
    }

    /// The values of a function's attributes in a call.
    fn call_attrs(
        &mut self,
        call: &Node,
        function: &'m Function<'m>,
        inside: &Scope<'_>,
    ) -> HashMap<&'m str, Option<Attr>> {
        let mut attrs: HashMap<&str, Option<Attr>> =
            function.proto.attribute.iter().map(|name| (name.as_str(), None)).collect();
        for default in &function.proto.attribute_proto {
            attrs.insert(default.name(), self.attr(default, &call.site, &call.op, inside));
        }
        for (name, value) in call.attrs.iter() {
            match attrs.get_mut(name) {
                Some(slot) => *slot = Some(value.clone()),
                None => self.invalid(
                    &call.site,
                    format!(
                        "has the attribute `{name}`, which function `{}` does not have",
                        function.proto.name()
                    ),
                ),
            }
        }
        attrs
    }

    /// Counts `size` more bytes made by inlining; false where that is too much, which is a problem
    /// of the first `site` to cross the line.
    pub(super) fn count_inlined(&mut self, size: usize, site: &Site) -> bool {
        let (before, most) = (self.inlined, most_inlined());
        self.inlined = before.saturating_add(size);
        if before <= most && self.inlined > most {
            let message = format!(
                "inlining functions makes more than {most} bytes of nodes, names and attributes"
            );
            keep(&mut self.problems, Problem::new(Kind::Unsupported, site.clone(), message));
        }
        !self.inlined_too_much()
    }

    /// Whether inlining was broken off, which leaves names undefined.
    pub(super) fn inlined_too_much(&self) -> bool {
        self.inlined > most_inlined()
    }
}

/// Gives the outputs of the function in `body` the names that `call` has for them. An output that
/// has a name already, because it is also an input or comes twice, must be copied: answers those,
/// as the body's name and the caller's.
fn bind_outputs<'s>(body: &mut Call<'s>, call: &Node) -> Vec<(&'s str, Arc<str>)> {
    let mut copies = Vec::new();
    for (formal, actual) in body.function.proto.output.iter().zip(&call.outputs) {
        if actual.is_empty() {
            continue;
        }
        if body.formals.contains_key(formal.as_str()) {
            copies.push((formal.as_str(), actual.clone()));
        } else {
            body.formals.insert(formal, actual.clone());
        }
    }
    copies
}

fn most_inlined() -> usize {
    MAX_INLINED_BYTES.min(memory::budget() / SHARE_OF_BUDGET)
}

/// How many bytes a node of the body of `call` becomes, about. Each of its outputs is kept three
/// times: as a name, as one that is taken, and in the node's site.
pub(super) fn node_size(node: &pb::NodeProto, call: &Call<'_>) -> usize {
    let name = |name: &String| VALUE_BYTES + call.prefix.len() + name.len();
    let inputs: usize = node.input.iter().map(name).sum();
    let outputs: usize = node.output.iter().map(name).sum();
    let attributes: usize = node.attribute.iter().map(attr_size).sum();
    NODE_BYTES + inputs + 3 * outputs + attributes + 2 * node.name().len() + node.op_type().len()
}

fn attr_size(attr: &pb::AttributeProto) -> usize {
    let strings: usize = attr.strings.iter().map(|text| VALUE_BYTES + text.len()).sum();
    let values =
        1 + attr.ints.len() + attr.floats.len() + attr.tensors.len() + attr.type_protos.len();
    VALUE_BYTES * values + attr.name().len() + attr.s().len() + strings
}
