//! What names in a graph stand for, and graphs that stand inside others.

use super::ctx::Ctx;
use super::operand::Operand;
use crate::Kind;
use crate::error::Problem;
use crate::import::error::OpError;
use crate::network::{ValueId, Values};
use crate::onnx::{Constant, Graph, ValueInfo};
use crate::site::Site;
use crate::tensor::{DType, Tensor};
use std::collections::HashMap;
use std::sync::Arc;

impl Ctx<'_> {
    pub(in crate::import) fn nodes(&mut self, graph: &Graph) {
        for node in &graph.nodes {
            (self.node)(self, graph, node);
        }
    }

    /// Imports a graph that the node at work holds, as if its nodes stood in the node's place;
    /// gives its outputs.
    ///
    /// What is wrong inside is reported there; the error is then [`OpError::Reported`].
    pub(in crate::import) fn inline(
        &mut self,
        graph: &Graph,
        arguments: &[ValueId],
    ) -> Result<Values, OpError> {
        let outputs = self.inline_operands(graph, &Operand::of(arguments.iter().copied()))?;
        Operand::values(&outputs, &format!("an output of graph `{}`", graph.path))
    }

    /// The same for a graph that may take and give sequences and optional values.
    pub(in crate::import) fn inline_operands(
        &mut self,
        graph: &Graph,
        arguments: &[Operand],
    ) -> Result<Vec<Operand>, OpError> {
        if graph.inputs.len() != arguments.len() {
            let (takes, gets) = (graph.inputs.len(), arguments.len());
            return Err(OpError::invalid(format!(
                "graph `{}` takes {takes} inputs, but gets {gets}",
                graph.path
            )));
        }
        let node = (
            self.formal,
            self.site.clone(),
            std::mem::take(&mut self.inputs),
            std::mem::take(&mut self.operands),
        );
        self.scopes.push(HashMap::new());
        for (info, argument) in graph.inputs.iter().zip(arguments) {
            self.bind(&info.name, argument.clone());
        }
        self.initializers(graph);
        self.nodes(graph);
        let outputs = graph.outputs.iter().map(|info| self.nested_output(graph, info)).collect();
        self.scopes.pop();
        (self.formal, self.site, self.inputs, self.operands) = node;
        outputs
    }

    fn nested_output(&mut self, graph: &Graph, info: &ValueInfo) -> Result<Operand, OpError> {
        if let Ok(operand @ (Operand::List(_) | Operand::Nothing)) = self.resolve(&info.name) {
            return Ok(operand);
        }
        match self.graph_output(&info.name) {
            Ok(value) => value.map(Operand::Value).ok_or(OpError::Reported),
            Err((kind, message)) => {
                let site = Site::tensor(graph.path.clone(), "output", &info.name);
                self.problems.push(Problem::new(kind, site, message));
                Err(OpError::Reported)
            }
        }
    }

    /// The value of a graph's output; `None` where the node that makes it failed.
    pub(in crate::import) fn graph_output(
        &mut self,
        name: &Arc<str>,
    ) -> Result<Option<ValueId>, (Kind, String)> {
        match self.resolve(name) {
            Ok(Operand::Poisoned) => Ok(None),
            Ok(Operand::Value(value)) => Ok(Some(value)),
            Ok(Operand::Data(tensor, site)) => {
                let lacks =
                    |dtype| (Kind::Unsupported, format!("has type {dtype}, which TensorRT lacks"));
                Ok(Some(self.constant_at(storable(tensor).map_err(lacks)?, &site)))
            }
            Ok(other) => {
                Err((Kind::Unsupported, format!("is {}", other.foreign().unwrap_or("absent"))))
            }
            Err(_) => Err((Kind::Invalid, "is made by no node".into())),
        }
    }

    pub(in crate::import) fn initializers(&mut self, graph: &Graph) {
        for initializer in &graph.initializers {
            self.bind(&initializer.name, constant_operand(&initializer.tensor, &initializer.site));
        }
    }

    pub(in crate::import) fn bind(&mut self, name: &Arc<str>, operand: Operand) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.clone(), operand);
        }
    }

    /// What a name stands for, looked up from the innermost graph outwards.
    pub(in crate::import) fn resolve(&self, name: &Arc<str>) -> Result<Operand, Arc<str>> {
        if name.is_empty() {
            return Ok(Operand::Absent);
        }
        let found = self.scopes.iter().rev().find_map(|scope| scope.get(name));
        found.cloned().ok_or_else(|| name.clone())
    }
}

/// What an initializer's name stands for.
fn constant_operand(constant: &Constant, site: &Site) -> Operand {
    match constant {
        Constant::Tensor(tensor) => Operand::Data(tensor.clone(), site.clone()),
        Constant::Strings { .. } => Operand::Foreign("a tensor of strings, which TensorRT lacks"),
        Constant::Other { .. } => Operand::Foreign("a tensor of a type that TensorRT lacks"),
    }
}

/// Data in a type that TensorRT has: `f64` is rounded to `f32`, other foreign types are refused.
pub(in crate::import) fn storable(tensor: Tensor) -> Result<Tensor, DType> {
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

/// Whole numbers of a type that TensorRT lacks, in `f32`, which holds all of them.
pub(in crate::import) fn widened(tensor: &Tensor) -> Option<Tensor> {
    let values: Vec<f32> = match tensor.dtype() {
        DType::I16 | DType::U16 => {
            tensor.to_i64s()?.into_iter().map(real).collect::<Option<_>>()?
        }
        DType::U4 => {
            let both = tensor.bytes().iter().flat_map(|&byte| [byte & 15, byte >> 4]);
            both.take(tensor.len()).map(f32::from).collect()
        }
        _ => return None,
    };
    Tensor::of(tensor.dims().to_vec(), values).ok()
}

/// A number of 16 bits as a real one.
fn real(n: i64) -> Option<f32> {
    i16::try_from(n).map(f32::from).or_else(|_| u16::try_from(n).map(f32::from)).ok()
}
