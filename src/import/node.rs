//! One node: its handler is looked up, its outputs are bound, and what is wrong is told.

use super::build::ctx::Ctx;
use super::build::graph::{storable, widened};
use super::build::op::{Handler, Op};
use super::build::operand::Operand;
use super::error::OpError;
use super::{lacks, registry};
use crate::Kind;
use crate::error::{Problem, keep};
use crate::network::{Maker, Value, ValueId};
use crate::onnx::{Graph, Node};
use crate::shown;
use crate::site::Site;
use crate::tensor::Tensor;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Columns of what a message says of a node's tensors are no wider; what is, sticks out.
const WIDEST_COLUMN: usize = 60;

/// What an output is that the handler of its node does not make.
const NOT_CONVERTED: &str = "an output that is not converted";

/// Imports a node: binds its outputs, and notes what is wrong with it.
pub(super) fn import(ctx: &mut Ctx<'_>, graph: &Graph, node: &Node) {
    ctx.node_of(graph, node);
}

impl Ctx<'_> {
    fn node_of(&mut self, graph: &Graph, node: &Node) {
        self.site = node.site.clone();
        let operands: Vec<_> = node.inputs.iter().map(|name| self.resolve(name)).collect();
        let stands_in = |operand: &Result<Operand, Arc<str>>| match operand {
            Ok(Operand::Value(value)) => self.stand_ins.contains(value),
            _ => false,
        };
        let supposed = operands.iter().any(stands_in);
        let result = if operands.iter().any(|operand| matches!(operand, Ok(Operand::Poisoned))) {
            // Of a node whose inputs nothing is known of, the operator still is.
            find(node).map(|_| None)
        } else {
            self.set_inputs(node, operands).and_then(|()| self.call(node))
        };
        let outputs = match result {
            Ok(outputs) => outputs,
            Err(problem) => {
                // What a file states of a value may be wrong, and what is no constant might have
                // been one.
                if !supposed || (problem.kind == Kind::Unsupported && !problem.wants_constant) {
                    keep(&mut self.problems, problem);
                }
                None
            }
        };
        if supposed {
            let values = outputs.iter().flatten().filter_map(|made| made.value("an output").ok());
            self.stand_ins.extend(values);
        }
        for (at, name) in node.outputs.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let operand = match &outputs {
                None => self.stand_in(graph, name),
                // Many files name outputs that nobody wants; it is an error only to want one that
                // is not made.
                Some(made) => made.get(at).cloned().unwrap_or(Operand::Foreign(NOT_CONVERTED)),
            };
            self.bind(name, operand);
        }
    }

    /// What stands for the output of a node that failed: a value of the type that the file states,
    /// so that the nodes which take it are examined too.
    fn stand_in(&mut self, graph: &Graph, name: &Arc<str>) -> Operand {
        let stated = graph
            .value_info
            .get(name)
            .or_else(|| graph.outputs.iter().find(|info| info.name == *name));
        let Some(Ok(ty)) = stated.map(|info| super::input_type(info, &BTreeMap::new())) else {
            return Operand::Poisoned;
        };
        let value = self.network.values.add(Value { name: name.clone(), ty, maker: Maker::Input });
        self.network.inputs.push(value);
        self.stand_ins.insert(value);
        Operand::Value(value)
    }

    /// Makes what its inputs stand for known to the node's handler; initializers become values.
    fn set_inputs(
        &mut self,
        node: &Node,
        operands: Vec<Result<Operand, Arc<str>>>,
    ) -> Result<(), Problem> {
        let mut known = Vec::with_capacity(operands.len());
        let wide = find(node).is_ok_and(|op| op.wide);
        for (name, operand) in node.inputs.iter().zip(operands) {
            known.push(match operand {
                Ok(Operand::Data(tensor, site)) => match widened(&tensor).filter(|_| wide) {
                    Some(numbers) => {
                        let value = self.constant_at(numbers, &site);
                        let operand = Operand::Wide(value, tensor.dtype());
                        self.became(name, &operand);
                        operand
                    }
                    None => Operand::Value(self.materialize(name, tensor, &site, node)?),
                },
                Ok(Operand::Wide(_, dtype)) if !wide => {
                    let message = format!("input `{name}` has type {dtype}, which TensorRT lacks");
                    return Err(Problem::new(Kind::Unsupported, node.site.clone(), message));
                }
                Ok(Operand::Foreign(what)) => {
                    let message = format!("input `{name}` is {what}");
                    return Err(Problem::new(Kind::Unsupported, node.site.clone(), message));
                }
                Ok(Operand::Poisoned) => {
                    return Err(self.internal("a poisoned input reached a handler"));
                }
                Ok(operand) => operand,
                Err(name) => {
                    let message =
                        format!("input `{name}` is made by no node and is no input or initializer");
                    return Err(Problem::new(Kind::Invalid, node.site.clone(), message));
                }
            });
        }
        let value = |operand: &Operand| match operand {
            Operand::Value(value) | Operand::Wide(value, _) => Some(*value),
            _ => None,
        };
        self.inputs = known.iter().map(value).collect();
        self.operands = known;
        Ok(())
    }

    /// Makes the Constant layer of an initializer on its first use.
    fn materialize(
        &mut self,
        name: &Arc<str>,
        data: Tensor,
        site: &Site,
        node: &Node,
    ) -> Result<ValueId, Problem> {
        let tensor = storable(data).map_err(|dtype| {
            let message = format!("input `{name}` has type {dtype}, which TensorRT lacks");
            Problem::new(Kind::Unsupported, node.site.clone(), message)
        })?;
        let value = self.constant_at(tensor, site);
        self.became(name, &Operand::Value(value));
        Ok(value)
    }

    /// What an initializer became is that for all who take it.
    fn became(&mut self, name: &Arc<str>, operand: &Operand) {
        if let Some(scope) = self.scopes.iter_mut().rev().find(|scope| scope.contains_key(name)) {
            scope.insert(name.clone(), operand.clone());
        }
    }

    /// The outputs of a node's handler; `None` where what failed has been reported already.
    fn call(&mut self, node: &Node) -> Result<Option<Vec<Operand>>, Problem> {
        let op = find(node)?;
        let (fewest, most) = op.arity();
        let count = node.inputs.len();
        if count < fewest || count > most {
            let message = format!(
                "the number of inputs is {count}, but must be {}",
                arity_text(fewest, most)
            );
            return Err(self.problem(node, op, Kind::Invalid, message));
        }
        self.formal = op.inputs;
        let outputs = match self.handle(op.handler, node) {
            Ok(outputs) => outputs,
            Err(OpError::Reported) => return Ok(None),
            Err(error) => {
                let mut problem = self.problem(node, op, error.kind(), error.to_string());
                problem.notes.extend(error.note());
                problem.hint = error.hint();
                problem.wants_constant = error.wants_constant();
                return Err(problem);
            }
        };
        let unread: Vec<_> =
            node.attrs.unread().into_iter().filter(|name| !op.ignored.contains(name)).collect();
        if let [first, ..] = unread.as_slice() {
            let message =
                format!("attribute `{first}` is unknown to this operator at opset {}", node.opset);
            return Err(self.problem(node, op, Kind::Invalid, message));
        }
        Ok(Some(outputs))
    }

    fn handle(&mut self, handler: Handler, node: &Node) -> Result<Vec<Operand>, OpError> {
        match handler {
            Handler::Operands(handler) => handler(self, node),
            Handler::Values(handler) => {
                let foreign = self
                    .operands
                    .iter()
                    .zip(&node.inputs)
                    // Where these are not taken, they did not come so far.
                    .filter(|(of, _)| !matches!(of, Operand::Wide(..)))
                    .find_map(|(of, name)| Some((of.foreign()?, name)));
                if let Some((what, name)) = foreign {
                    return Err(OpError::invalid(format!(
                        "input `{name}` is {what}, not a tensor"
                    )));
                }
                handler(self, node).map(Operand::of)
            }
        }
    }

    fn problem(&self, node: &Node, op: &Op, kind: Kind, message: impl Into<String>) -> Problem {
        let mut problem = Problem::new(kind, node.site.clone(), message);
        problem.operands = self.operand_lines(node, op);
        problem
    }

    /// `in  0 X  "relu_11"  f32[N, 64, 56, 56]  from "Relu_11"`, in columns.
    fn operand_lines(&self, node: &Node, op: &Op) -> Vec<String> {
        let mut rows = Vec::new();
        for (at, name) in node.inputs.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let (ty, from) = match self.inputs.get(at).copied().flatten() {
                Some(value) => (self.network.ty(value), self.origin(value)),
                None => (String::new(), String::new()),
            };
            let input = format!("in  {at} {}", op.input_name(at));
            rows.push([input, format!("`{}`", shown::name(name)), shown::name(&ty), from]);
        }
        for (at, name) in node.outputs.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let name = format!("`{}`", shown::name(name));
            rows.push([format!("out {at}"), name, String::new(), String::new()]);
        }
        let width = |column: usize| {
            let widths = rows.iter().map(|row| row[column].chars().count());
            widths.max().unwrap_or(0).min(WIDEST_COLUMN)
        };
        let (a, b, c) = (width(0), width(1), width(2));
        let line =
            |row: &[String; 4]| format!("{:a$}  {:b$}  {:c$}  {}", row[0], row[1], row[2], row[3]);
        rows.iter().map(|row| line(row).trim_end().to_owned()).collect()
    }

    fn origin(&self, value: ValueId) -> String {
        match self.network.maker(value) {
            None => "input".into(),
            Some(layer) => match self.network.layer(layer).sites.first() {
                Some(site) if site.place().index.is_none() => site.place().op.clone(),
                Some(site) => format!("from `{}`", shown::name(&site.label())),
                None => String::new(),
            },
        }
    }

    fn internal(&self, message: &str) -> Problem {
        Problem::new(Kind::Internal, self.site.clone(), message)
    }
}

fn arity_text(fewest: usize, most: usize) -> String {
    match (fewest, most) {
        (fewest, usize::MAX) => format!("at least {fewest}"),
        (fewest, most) if fewest == most => fewest.to_string(),
        (fewest, most) => format!("{fewest} to {most}"),
    }
}

/// The row of a node's operator.
fn find(node: &Node) -> Result<&'static Op, Problem> {
    registry::find(&node.domain, &node.op, node.opset).ok_or_else(|| unknown(node))
}

/// A node whose operator has no row for its opset.
fn unknown(node: &Node) -> Problem {
    let since = registry::rows(&node.domain, &node.op).map(|op| op.since).min();
    let until = registry::rows(&node.domain, &node.op).map(|op| op.until).max();
    let message = match (since, until) {
        (Some(since), _) if node.opset < since => {
            format!("this operator is supported from opset {since}")
        }
        (_, Some(until)) => format!("this operator is supported up to opset {until}"),
        _ => "this operator is not supported".to_owned(),
    };
    let mut problem = Problem::new(Kind::Unsupported, node.site.clone(), message);
    problem.notes.extend(lacks::cause(&node.site.place().op).map(str::to_owned));
    if is_plugin(node) && problem.notes.is_empty() {
        let whose = "it stands for a plugin, of TensorRT's own library or of another";
        problem.notes.push(format!("{whose}; docs/plugins.md lists those that are converted"));
    }
    problem
}

/// Whether the name or the domain of a node is such as only plugins have.
fn is_plugin(node: &Node) -> bool {
    let Node { op, domain, .. } = node;
    op.ends_with("_TRT")
        || op.contains("Plugin")
        || ["trt", "trt.plugins", "mmdeploy"].contains(&domain.to_lowercase().as_str())
}
