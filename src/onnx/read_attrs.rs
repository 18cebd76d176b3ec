//! Attribute messages into [`Attr`].

use super::attrs::Attr;
use super::model::Graph;
use super::pb;
use super::pb::attribute_proto::AttributeType;
use super::read::{Reader, Scope};
use crate::site::Site;
use std::collections::HashSet;
use std::sync::Arc;

impl<'m> Reader<'m> {
    /// The attributes of the node at `site`, whose subgraphs are called after its `label`.
    pub(super) fn attrs(
        &mut self,
        node: &'m pb::NodeProto,
        site: &Site,
        label: &str,
        scope: &Scope<'_>,
    ) -> Vec<(String, Attr)> {
        let mut seen = HashSet::new();
        let mut attrs = Vec::with_capacity(node.attribute.len());
        for proto in &node.attribute {
            let name = proto.name();
            if !seen.insert(name) {
                self.invalid(site, format!("has the attribute `{name}` twice"));
            }
            let value = match proto.ref_attr_name() {
                "" => self.attr(proto, site, label, scope),
                from => self.referred(name, from, site, scope),
            };
            attrs.extend(value.map(|value| (name.to_owned(), value)));
        }
        attrs
    }

    /// The value of attribute `from` of the function around, for attribute `name` of a node in it.
    /// `None` without a problem where the call leaves it out: then the node leaves it out too.
    fn referred(&mut self, name: &str, from: &str, site: &Site, scope: &Scope<'_>) -> Option<Attr> {
        let Some(call) = scope.call else {
            self.invalid(
                site,
                format!(
                    "attribute `{name}` refers to an attribute `{from}` of a function, but is \
                         in none"
                ),
            );
            return None;
        };
        let Some(value) = call.attr(from) else {
            let function = call.label();
            self.invalid(
                site,
                format!(
                    "attribute `{name}` refers to `{from}`, which function `{function}` does \
                         not have"
                ),
            );
            return None;
        };
        let value = value.as_ref()?;
        self.count_inlined(size(value), site).then(|| value.clone())
    }

    /// The value that `proto` itself holds.
    pub(super) fn attr(
        &mut self,
        proto: &'m pb::AttributeProto,
        site: &Site,
        label: &str,
        scope: &Scope<'_>,
    ) -> Option<Attr> {
        let name = proto.name();
        let what = format!("attribute `{name}`: ");
        let Some(kind) = kind(proto) else {
            self.invalid(site, format!("attribute `{name}` has no known type"));
            return None;
        };
        Some(match kind {
            AttributeType::Undefined => return None,
            AttributeType::Int => Attr::Int(proto.i()),
            AttributeType::Float => Attr::Float(proto.f()),
            AttributeType::String => Attr::String(proto.s.clone().unwrap_or_default()),
            AttributeType::Ints => Attr::Ints(proto.ints.clone()),
            AttributeType::Floats => Attr::Floats(proto.floats.clone()),
            AttributeType::Strings => Attr::Strings(proto.strings.clone()),
            AttributeType::Tensor => {
                let tensor = self.present(proto.t.as_deref(), name, site)?;
                Attr::Tensor(self.constant(tensor, site, &what, scope)?)
            }
            AttributeType::SparseTensor => {
                let tensor = self.present(proto.sparse_tensor.as_deref(), name, site)?;
                Attr::Tensor(self.dense(tensor, site, &what)?)
            }
            AttributeType::Graph => {
                let graph = self.present(proto.g.as_ref(), name, site)?;
                Attr::Graph(self.subgraph(graph, &format!("{label}.{name}"), site, scope)?)
            }
            AttributeType::TypeProto => {
                let ty = self.present(proto.tp.as_deref(), name, site)?;
                Attr::Type(self.stated(ty, site, &what)?)
            }
            AttributeType::Tensors => Attr::Tensors(
                proto.tensors.iter().filter_map(|t| self.constant(t, site, &what, scope)).collect(),
            ),
            AttributeType::SparseTensors => Attr::Tensors(
                proto.sparse_tensors.iter().filter_map(|t| self.dense(t, site, &what)).collect(),
            ),
            AttributeType::Graphs => {
                let graphs = proto.graphs.iter().enumerate();
                let graphs = graphs.filter_map(|(i, g)| {
                    self.subgraph(g, &format!("{label}.{name}[{i}]"), site, scope)
                });
                Attr::Graphs(graphs.collect())
            }
            AttributeType::TypeProtos => Attr::Types(
                proto.type_protos.iter().filter_map(|ty| self.stated(ty, site, &what)).collect(),
            ),
        })
    }

    /// The value of an attribute whose type says that it has one.
    fn present<'a, T: ?Sized>(
        &mut self,
        value: Option<&'a T>,
        name: &str,
        site: &Site,
    ) -> Option<&'a T> {
        if value.is_none() {
            self.invalid(site, format!("attribute `{name}` has no value"));
        }
        value
    }

    fn stated(&mut self, ty: &pb::TypeProto, site: &Site, what: &str) -> Option<super::ValueType> {
        self.value_type(ty).map_err(|error| self.data_problem(&error, site, what)).ok()
    }

    fn subgraph(
        &mut self,
        proto: &'m pb::GraphProto,
        label: &str,
        site: &Site,
        scope: &Scope<'_>,
    ) -> Option<Arc<Graph>> {
        let inside = self.enter(scope, site, &format!("{}/{label}", scope.path))?;
        Some(Arc::new(self.graph(proto, &inside)))
    }
}

/// The type of an attribute. Files of IR version 1 do not state it, but hold one value.
fn kind(proto: &pb::AttributeProto) -> Option<AttributeType> {
    let stated = AttributeType::try_from(proto.r#type.unwrap_or_default()).ok()?;
    if stated != AttributeType::Undefined {
        return Some(stated);
    }
    let held = [
        (proto.i.is_some(), AttributeType::Int),
        (proto.f.is_some(), AttributeType::Float),
        (proto.s.is_some(), AttributeType::String),
        (proto.t.is_some(), AttributeType::Tensor),
        (proto.g.is_some(), AttributeType::Graph),
        (!proto.ints.is_empty(), AttributeType::Ints),
        (!proto.floats.is_empty(), AttributeType::Floats),
        (!proto.strings.is_empty(), AttributeType::Strings),
        (!proto.tensors.is_empty(), AttributeType::Tensors),
        (!proto.graphs.is_empty(), AttributeType::Graphs),
    ];
    held.into_iter().find(|(held, _)| *held).map(|(_, kind)| kind)
}

/// What another copy of the value counts for in inlining.
fn size(attr: &Attr) -> usize {
    match attr {
        Attr::Ints(list) => list.len(),
        Attr::Floats(list) => list.len(),
        Attr::Strings(list) => list.len(),
        Attr::Tensors(list) => list.len(),
        Attr::Types(list) => list.len(),
        Attr::Graph(graph) => graph_size(graph),
        Attr::Graphs(graphs) => graphs.iter().map(|graph| graph_size(graph)).sum(),
        Attr::Int(_) | Attr::Float(_) | Attr::String(_) | Attr::Tensor(_) | Attr::Type(_) => 1,
    }
}

fn graph_size(graph: &Graph) -> usize {
    let inner = graph.nodes.iter().flat_map(|node| node.attrs.graphs());
    1 + graph.nodes.len() + inner.map(graph_size).sum::<usize>()
}
