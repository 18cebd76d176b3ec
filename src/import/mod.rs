//! ONNX graph to network: looks up each node's handler, reports every node that has none or fails.
//!
//! A newcomer starts at [`ops`]: one file per family of operators, each with its rows and handlers. [`ctx::Ctx`] is what
//! handlers may use; [`layers`] has what they often say.

pub mod ctx;
pub mod error;
pub mod layers;
pub mod ops;
pub mod registry;

pub use ctx::FoldFn;

use crate::Kind;
use crate::error::{Error, Problem, Result};
use crate::network::{Block, Dim, LayerKind, Network, Output, Shape, ValueId, ValueType, Values};
use crate::onnx::{self, Constant, DimSpec, Graph, Model, Node, ValueInfo};
use crate::site::Site;
use crate::tensor::{DType, Tensor};
use ctx::{Ctx, Operand};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// What an import gives.
#[derive(Debug)]
pub struct Imported {
    /// The network; layers that nothing uses are already gone.
    pub network: Network,
    /// Things the user should know that are no errors.
    pub notes: Vec<String>,
}

/// What decides on an import besides the model.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Inputs that become constants, by name.
    pub freeze: BTreeMap<String, Tensor>,
}

/// Imports a model, or says everything that is in the way.
///
/// `fold` computes layers of constants as they are added, so that handlers see as many constants as there are.
pub fn import(model: &Model, options: &Options, fold: &FoldFn<'_>) -> Result<Imported> {
    let (imported, problems) = try_import(model, options, fold);
    match imported {
        Some(imported) if problems.is_empty() => Ok(imported),
        _ => Err(failure(problems)),
    }
}

/// Imports what can be imported, for `inspect`. The network is complete only if there are no problems.
pub fn try_import(model: &Model, options: &Options, fold: &FoldFn<'_>) -> (Option<Imported>, Vec<Problem>) {
    let mut driver = Driver::new(model, fold);
    driver.opsets(model);
    driver.inputs(&model.graph, &options.freeze);
    driver.nodes(&model.graph);
    driver.outputs(&model.graph);
    driver.finish()
}

/// One error for all problems of an import.
pub fn failure(problems: Vec<Problem>) -> Error {
    let message = match problems.as_slice() {
        [_] => "cannot import".to_owned(),
        many => format!("{} places of the model cannot be imported", many.len()),
    };
    Error::of_problems(message, problems)
}

struct Driver<'a> {
    ctx: Ctx<'a>,
    problems: Vec<Problem>,
}

impl<'a> Driver<'a> {
    fn new(model: &Model, fold: &'a FoldFn<'a>) -> Self {
        let network = Network { name: model.graph.name.clone(), ..Network::default() };
        let ctx = Ctx {
            network,
            blocks: vec![Block::default()],
            scopes: vec![HashMap::new()],
            fold,
            notes: Vec::new(),
            op: None,
            site: Site::tensor(&model.graph.path, "model", &model.graph.name),
            inputs: Vec::new(),
        };
        Self { ctx, problems: Vec::new() }
    }

    fn opsets(&mut self, model: &Model) {
        if let Some(&opset) = model.opsets.get("").filter(|&&opset| opset > registry::NEWEST_OPSET) {
            let message = format!("opset {opset} is newer than the newest known, {}", registry::NEWEST_OPSET);
            let mut problem = Problem::new(Kind::Unsupported, self.ctx.site.clone(), message);
            problem.hint = Some("export the model with an older opset, or update onnx2plan".into());
            self.problems.push(problem);
        }
    }

    fn inputs(&mut self, graph: &Graph, freeze: &BTreeMap<String, Tensor>) {
        for info in &graph.inputs {
            let site = Site::tensor(&graph.path, "input", &info.name);
            let operand = match freeze.get(&*info.name) {
                Some(tensor) => frozen(info, tensor).map(|()| Operand::Data(tensor.clone(), site.clone())),
                None => input_type(info)
                    .map(|ty| Operand::Value(self.ctx.network.add_input(&info.name, ty)))
                    .map_err(|message| (Kind::Unsupported, message)),
            };
            let operand = operand.unwrap_or_else(|(kind, message)| {
                self.problems.push(Problem::new(kind, site, message));
                Operand::Poisoned
            });
            self.bind(&info.name, operand);
        }
        for name in freeze.keys().filter(|name| !graph.inputs.iter().any(|info| *info.name == ***name)) {
            let site = Site::tensor(&graph.path, "input", name);
            self.problems.push(Problem::new(Kind::Usage, site, "cannot be frozen: the model has no such input"));
        }
        for initializer in &graph.initializers {
            let operand = constant_operand(&initializer.tensor, &initializer.site);
            self.bind(&initializer.name, operand);
        }
    }

    fn bind(&mut self, name: &Arc<str>, operand: Operand) {
        if let Some(scope) = self.ctx.scopes.last_mut() {
            scope.insert(name.clone(), operand);
        }
    }

    fn nodes(&mut self, graph: &Graph) {
        for node in &graph.nodes {
            self.node(node);
        }
    }

    fn node(&mut self, node: &Node) {
        self.ctx.site = node.site.clone();
        let operands: Vec<_> = node.inputs.iter().map(|name| self.resolve(name)).collect();
        let result = if operands.iter().any(|operand| matches!(operand, Ok(Operand::Poisoned))) {
            Ok(None)
        } else {
            self.values(node, operands).and_then(|inputs| {
                self.ctx.inputs = inputs;
                self.call(node).map(Some)
            })
        };
        let outputs = match result {
            Ok(outputs) => outputs,
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        };
        for (at, name) in node.outputs.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let value = outputs.as_ref().and_then(|values| values.get(at));
            let operand = value.map_or(Operand::Poisoned, |&value| Operand::Value(value));
            self.bind(name, operand);
        }
    }

    /// What a name stands for, looked up from the innermost graph outwards.
    fn resolve(&self, name: &Arc<str>) -> Result<Operand, Arc<str>> {
        if name.is_empty() {
            return Ok(Operand::Foreign(""));
        }
        let found = self.ctx.scopes.iter().rev().find_map(|scope| scope.get(name));
        found.cloned().ok_or_else(|| name.clone())
    }

    fn values(
        &mut self,
        node: &Node,
        operands: Vec<Result<Operand, Arc<str>>>,
    ) -> Result<Vec<Option<ValueId>>, Problem> {
        let mut values = Vec::with_capacity(operands.len());
        for (name, operand) in node.inputs.iter().zip(operands) {
            values.push(match operand {
                Ok(Operand::Value(value)) => Some(value),
                Ok(Operand::Data(tensor, site)) => Some(self.materialize(name, tensor, &site, node)?),
                Ok(Operand::Foreign("")) => None,
                Ok(Operand::Foreign(what)) => {
                    let message = format!("input `{name}` is {what}, which TensorRT lacks");
                    return Err(Problem::new(Kind::Unsupported, node.site.clone(), message));
                }
                Ok(Operand::Poisoned) => return Err(self.internal("a poisoned input reached a handler")),
                Err(name) => {
                    let message = format!("input `{name}` is made by no node and is no input or initializer");
                    return Err(Problem::new(Kind::Invalid, node.site.clone(), message));
                }
            });
        }
        Ok(values)
    }

    /// Makes the Constant layer of an initializer on its first use.
    fn materialize(&mut self, name: &Arc<str>, data: Tensor, site: &Site, node: &Node) -> Result<ValueId, Problem> {
        let tensor = storable(data).map_err(|dtype| {
            let message = format!("input `{name}` has type {dtype}, which TensorRT lacks");
            Problem::new(Kind::Unsupported, node.site.clone(), message)
        })?;
        let value = self.ctx.constant_at(tensor, site);
        if let Some(scope) = self.ctx.scopes.iter_mut().rev().find(|scope| scope.contains_key(name)) {
            scope.insert(name.clone(), Operand::Value(value));
        }
        Ok(value)
    }

    fn call(&mut self, node: &Node) -> Result<Values, Problem> {
        let Some(op) = registry::find(&node.domain, &node.op, node.opset) else {
            return Err(unknown(node));
        };
        let (fewest, most) = op.arity();
        let count = node.inputs.len();
        if count < fewest || count > most {
            let message = format!("has {count} inputs, but takes {}", arity_text(fewest, most));
            return Err(self.problem(node, op, Kind::Invalid, message, None));
        }
        self.ctx.op = Some(op);
        let outputs = (op.handler)(&mut self.ctx, node)
            .map_err(|error| self.problem(node, op, error.kind(), error.to_string(), error.hint()))?;
        let unread: Vec<_> = node.attrs.unread().into_iter().filter(|name| !op.ignored.contains(name)).collect();
        if let [first, ..] = unread.as_slice() {
            let message = format!("attribute `{first}` is unknown to this operator at opset {}", node.opset);
            return Err(self.problem(node, op, Kind::Invalid, message, None));
        }
        Ok(outputs)
    }

    fn problem(
        &self,
        node: &Node,
        op: &registry::Op,
        kind: Kind,
        message: impl Into<String>,
        hint: Option<&str>,
    ) -> Problem {
        let mut problem = Problem::new(kind, node.site.clone(), message);
        problem.operands = self.operand_lines(node, op);
        problem.hint = hint.map(str::to_owned);
        problem
    }

    /// `in  0 X  "relu_11"  f32[N, 64, 56, 56]  from "Relu_11"`, in columns.
    fn operand_lines(&self, node: &Node, op: &registry::Op) -> Vec<String> {
        let mut rows = Vec::new();
        for (at, name) in node.inputs.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let (ty, from) = match self.ctx.inputs.get(at).copied().flatten() {
                Some(value) => (self.ctx.network.ty(value), self.origin(value)),
                None => (String::new(), String::new()),
            };
            rows.push([format!("in  {at} {}", op.input_name(at)), format!("`{name}`"), ty, from]);
        }
        for (at, name) in node.outputs.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            rows.push([format!("out {at}"), format!("`{name}`"), String::new(), String::new()]);
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (a, b, c) = (width(0), width(1), width(2));
        let line = |row: &[String; 4]| format!("{:a$}  {:b$}  {:c$}  {}", row[0], row[1], row[2], row[3]);
        rows.iter().map(|row| line(row).trim_end().to_owned()).collect()
    }

    fn origin(&self, value: ValueId) -> String {
        match self.ctx.network.maker(value) {
            None => "input".into(),
            Some(layer) => match self.ctx.network.layer(layer).sites.first() {
                Some(site) if site.place().index.is_none() => site.place().op.clone(),
                Some(site) => format!("from `{}`", site.label()),
                None => String::new(),
            },
        }
    }

    fn internal(&self, message: &str) -> Problem {
        Problem::new(Kind::Internal, self.ctx.site.clone(), message)
    }

    /// Binds the outputs. An output that is an input, an initializer or another output gets an identity of its own.
    fn outputs(&mut self, graph: &Graph) {
        let mut taken = HashSet::new();
        for info in &graph.outputs {
            let site = Site::tensor(&graph.path, "output", &info.name);
            self.ctx.site = site.clone();
            match self.output_value(&info.name, &mut taken) {
                Ok(Some(value)) => self.ctx.network.outputs.push(Output { name: info.name.clone(), value, site }),
                Ok(None) => {}
                Err((kind, message)) => self.problems.push(Problem::new(kind, site, message)),
            }
        }
        if graph.outputs.is_empty() {
            self.problems.push(Problem::new(Kind::Invalid, self.ctx.site.clone(), "the model has no outputs"));
        }
    }

    fn output_value(
        &mut self,
        name: &Arc<str>,
        taken: &mut HashSet<ValueId>,
    ) -> Result<Option<ValueId>, (Kind, String)> {
        let value = match self.resolve(name) {
            Ok(Operand::Poisoned) => return Ok(None),
            Ok(Operand::Value(value)) => value,
            Ok(Operand::Data(tensor, site)) => {
                let lacks = |dtype| (Kind::Unsupported, format!("has type {dtype}, which TensorRT lacks"));
                let tensor = storable(tensor).map_err(lacks)?;
                self.ctx.constant_at(tensor, &site)
            }
            Ok(Operand::Foreign(what)) => return Err((Kind::Unsupported, format!("is {what}, which TensorRT lacks"))),
            Err(_) => return Err((Kind::Invalid, "is made by no node".into())),
        };
        // TensorRT names an output by renaming its tensor: each output needs a tensor made by a layer for it alone.
        let made_for_it = self.ctx.network.maker(value).is_some_and(|_| self.ctx.network.constant(value).is_none());
        if taken.insert(value) && made_for_it {
            return Ok(Some(value));
        }
        let copy = self.ctx.add_unfolded(LayerKind::Identity, &[value]);
        copy.map(Some).map_err(|error| (error.kind(), error.to_string()))
    }

    fn finish(self) -> (Option<Imported>, Vec<Problem>) {
        let Self { mut ctx, problems } = self;
        if !problems.is_empty() && ctx.network.outputs.is_empty() {
            return (None, problems);
        }
        ctx.network.body = ctx.blocks.swap_remove(0);
        ctx.network.compact();
        (Some(Imported { network: ctx.network, notes: ctx.notes }), problems)
    }
}

/// Checks that data can stand for a declared input.
fn frozen(info: &ValueInfo, tensor: &Tensor) -> Result<(), (Kind, String)> {
    let fits = match &info.ty {
        onnx::ValueType::Tensor { element, shape } => {
            element.dtype() == Some(tensor.dtype())
                && shape.as_ref().is_none_or(|shape| {
                    let same =
                        |(dim, &size): (&DimSpec, &usize)| !matches!(dim, DimSpec::Known(known) if *known != size);
                    shape.len() == tensor.dims().len() && shape.iter().zip(tensor.dims()).all(same)
                })
        }
        _ => false,
    };
    let (given, dims) = (tensor.dtype(), tensor.dims());
    if fits { Ok(()) } else { Err((Kind::Usage, format!("is {}, but is frozen to {given}{dims:?}", info.ty))) }
}

/// What a declared input becomes; the error says why it cannot.
fn input_type(info: &ValueInfo) -> Result<ValueType, String> {
    let onnx::ValueType::Tensor { element, shape } = &info.ty else {
        return Err(format!("is of type {}; a TensorRT network takes dense tensors only", info.ty));
    };
    let Some(dtype) = element.dtype().and_then(boundary_dtype) else {
        return Err(format!("has elements of type {element}, which TensorRT lacks"));
    };
    let Some(shape) = shape else {
        return Err("has no shape, not even a rank".into());
    };
    if shape.len() > 8 {
        return Err(format!("has rank {}; TensorRT's limit is 8", shape.len()));
    }
    let dims = shape.iter().enumerate().map(|(axis, dim)| match dim {
        DimSpec::Known(size) => Dim::from(*size),
        DimSpec::Symbol(name) => Dim::symbol(name.clone()),
        DimSpec::Unknown => Dim::symbol(format!("{}.{axis}", info.name)),
    });
    Ok(ValueType::new(dtype, dims.collect::<Shape>()))
}

/// What an initializer's name stands for.
fn constant_operand(constant: &Constant, site: &Site) -> Operand {
    match constant {
        Constant::Tensor(tensor) => Operand::Data(tensor.clone(), site.clone()),
        Constant::Strings { .. } => Operand::Foreign("a tensor of strings"),
        Constant::Other { .. } => Operand::Foreign("a tensor of an element type"),
    }
}

fn arity_text(fewest: usize, most: usize) -> String {
    match (fewest, most) {
        (fewest, usize::MAX) => format!("at least {fewest}"),
        (fewest, most) if fewest == most => fewest.to_string(),
        (fewest, most) => format!("{fewest} to {most}"),
    }
}

/// A node whose operator has no row for its opset.
fn unknown(node: &Node) -> Problem {
    let since = registry::rows(&node.domain, &node.op).map(|op| op.since).min();
    let until = registry::rows(&node.domain, &node.op).map(|op| op.until).max();
    let message = match (since, until) {
        (Some(since), _) if node.opset < since => format!("this operator is supported from opset {since}"),
        (_, Some(until)) => format!("this operator is supported up to opset {until}"),
        _ => "this operator is not supported".to_owned(),
    };
    Problem::new(Kind::Unsupported, node.site.clone(), message)
}

/// The type that stands for an ONNX type at the network's boundary: `f64` is computed in `f32`.
fn boundary_dtype(dtype: DType) -> Option<DType> {
    match dtype {
        DType::F64 => Some(DType::F32),
        dtype => dtype.in_tensorrt().then_some(dtype),
    }
}

/// Data in a type that TensorRT has: `f64` is rounded to `f32`, other foreign types are refused.
fn storable(tensor: Tensor) -> Result<Tensor, DType> {
    if tensor.dtype().in_tensorrt() {
        return Ok(tensor);
    }
    match (tensor.dtype(), tensor.to_f32s()) {
        (DType::F64, Some(values)) => {
            Tensor::of(tensor.dims().to_vec(), values.into_owned()).map_err(|_| tensor.dtype())
        }
        (dtype, _) => Err(dtype),
    }
}
