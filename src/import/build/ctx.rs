//! What a handler may do: look at its node's inputs, and add layers.

use super::operand::Operand;
use crate::error::Problem;
use crate::import::error::OpError;
use crate::infer::{self, Inferred};
use crate::network::layer::Constant;
use crate::network::{Block, Dim, LayerKind, Network, Shape, Symbol, ValueId, ValueType, Values};
use crate::onnx::{Graph, Node};
use crate::recipe::Recipe;
use crate::site::Site;
use crate::tensor::{DType, Tensor};
use smallvec::SmallVec;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Computes a layer whose inputs are all constant; `None` where it is better left to TensorRT.
///
/// Takes the layer, its inputs and the types of its outputs.
pub type FoldFn<'a> = dyn Fn(&LayerKind, &[&Tensor], &[ValueType]) -> Option<Vec<Tensor>> + 'a;

/// Imports a node of a graph: its outputs are bound, and what is wrong with it is noted.
pub(in crate::import) type NodeFn<'a> = dyn Fn(&mut Ctx<'_>, &Graph, &Node) + 'a;

/// Name of the formal input at a position, without its mark; `formal` is written `X W B?`.
pub(super) fn formal_name(formal: &'static str, at: usize) -> &'static str {
    let mut last = "";
    for (i, name) in formal.split(' ').enumerate() {
        last = name.trim_end_matches(['?', '*']);
        if i == at {
            break;
        }
    }
    last
}

/// The state of an import, as one handler sees it.
pub struct Ctx<'a> {
    pub(in crate::import) network: Network,
    /// The blocks being filled, innermost last.
    pub(in crate::import) blocks: Vec<Block>,
    /// What names stand for, innermost graph last.
    pub(in crate::import) scopes: Vec<HashMap<Arc<str>, Operand>>,
    /// The numbers of iterations of loops, each with the number of iterations, which it is below.
    pub(in crate::import) iterations: Vec<(Symbol, Dim)>,
    pub(in crate::import) fold: &'a FoldFn<'a>,
    /// What the user asks of the network.
    pub(in crate::import) recipe: Recipe,
    pub(in crate::import) notes: Vec<String>,
    pub(in crate::import) problems: Vec<Problem>,
    /// Imports a node of a graph. Handed in, because it looks handlers up, and these use this.
    pub(in crate::import) node: &'a NodeFn<'a>,
    /// The formal inputs of the operator at work.
    pub(in crate::import) formal: &'static str,
    pub(in crate::import) site: Site,
    pub(in crate::import) inputs: Vec<Option<ValueId>>,
    /// The same as [operands](Operand): also the inputs that are no values of the network.
    pub(in crate::import) operands: Vec<Operand>,
    /// What stands for the output of a node that failed, and all that is made of it.
    pub(in crate::import) stand_ins: HashSet<ValueId>,
    /// Answers to what nothing decides, by the node that asks.
    pub(in crate::import) assumed: &'a HashMap<Site, bool>,
    /// Nodes to which there is no such answer yet.
    pub(in crate::import) open: Vec<Site>,
}

impl Ctx<'_> {
    /// The node's input at this position, which its operator requires.
    pub fn input(&self, at: usize) -> Result<ValueId, OpError> {
        self.maybe(at)
            .ok_or_else(|| OpError::invalid(format!("input `{}` is missing", self.input_name(at))))
    }

    /// The node's input at this position, or `None` where it is left out.
    pub fn maybe(&self, at: usize) -> Option<ValueId> {
        self.inputs.get(at).copied().flatten()
    }

    /// The node's inputs, none of which may be left out.
    pub fn all_inputs(&self) -> Result<Values, OpError> {
        (0..self.inputs.len()).map(|at| self.input(at)).collect()
    }

    /// How the specification calls the input at this position.
    pub fn input_name(&self, at: usize) -> &'static str {
        formal_name(self.formal, at)
    }

    /// Where the node stands.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Tells the user something that is no error.
    pub fn note(&mut self, note: impl Into<String>) {
        let note = format!("{}: {}", self.site, note.into());
        self.notes.push(note);
    }

    /// Type and shape of a value.
    pub fn ty(&self, value: ValueId) -> &ValueType {
        &self.network.value(value).ty
    }

    /// Type of a value's elements.
    pub fn dtype(&self, value: ValueId) -> DType {
        self.ty(value).dtype
    }

    /// Shape of a value.
    pub fn shape(&self, value: ValueId) -> &Shape {
        &self.ty(value).shape
    }

    /// Number of axes of a value.
    pub fn rank(&self, value: ValueId) -> usize {
        self.shape(value).rank()
    }

    /// Size of an axis of a value, if known.
    pub fn size(&self, value: ValueId, axis: usize) -> Option<usize> {
        self.shape(value).get(axis).and_then(Dim::size)
    }

    /// The error that a size is known only at run time.
    pub fn open_size(&self, what: &'static str, value: ValueId, axis: usize) -> OpError {
        let size = self.shape(value).get(axis).cloned().unwrap_or(Dim::Known(0));
        OpError::OpenSize { what, axis, size }
    }

    /// A non-negative axis from one that may count from the end.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize, OpError> {
        normalize_axis(axis, rank)
    }

    /// The data of a value that is known at build time.
    pub fn constant(&self, value: ValueId) -> Option<Tensor> {
        if let Some(tensor) = self.network.constant(value) {
            return Some(tensor.clone());
        }
        let ty = self.ty(value);
        let elements: Option<Vec<i64>> = ty.elements.as_ref()?.iter().map(Dim::known).collect();
        tensor_of_ints(ty.dtype, ty.shape.known()?, &elements?)
    }

    /// The data of the node's input at this position, which must be known at build time; `None` if
    /// left out.
    pub fn constant_input(&self, at: usize) -> Result<Option<Tensor>, OpError> {
        let Some(value) = self.maybe(at) else { return Ok(None) };
        self.constant(value)
            .map(Some)
            .ok_or_else(|| OpError::NotConstant(self.input_name(at).to_owned()))
    }

    /// Checks that sizes can be computed from the node's input at this position: TensorRT takes
    /// sizes from whole numbers and from shapes, but not from real numbers that the run is given.
    pub fn check_sizes_from(&self, at: usize) -> Result<(), OpError> {
        let mut left: Vec<ValueId> = self.maybe(at).into_iter().collect();
        let mut seen: HashSet<ValueId> = left.iter().copied().collect();
        while let Some(value) = left.pop() {
            let Some(layer) = self.network.maker(value).map(|layer| self.network.layer(layer))
            else {
                if self.dtype(value).is_float() {
                    return Err(OpError::NotConstant(self.input_name(at).to_owned()));
                }
                continue;
            };
            if !matches!(layer.kind, LayerKind::Shape) {
                left.extend(layer.inputs.iter().copied().filter(|&input| seen.insert(input)));
            }
        }
        Ok(())
    }

    /// The whole numbers of the node's input at this position, known at build time; `None` if left
    /// out.
    pub fn ints(&self, at: usize) -> Result<Option<Vec<i64>>, OpError> {
        let Some(tensor) = self.constant_input(at)? else { return Ok(None) };
        tensor.to_i64s().map(Some).ok_or_else(|| self.wrong_type(at, &tensor, "whole numbers"))
    }

    /// The real numbers of the node's input at this position, known at build time; `None` if left
    /// out.
    pub fn floats(&self, at: usize) -> Result<Option<Vec<f32>>, OpError> {
        let Some(tensor) = self.constant_input(at)? else { return Ok(None) };
        let floats = tensor.to_f32s().map(std::borrow::Cow::into_owned);
        floats.map(Some).ok_or_else(|| self.wrong_type(at, &tensor, "real numbers"))
    }

    fn wrong_type(&self, at: usize, tensor: &Tensor, wanted: &str) -> OpError {
        OpError::invalid(format!(
            "input `{}` holds {}, not {wanted}",
            self.input_name(at),
            tensor.dtype()
        ))
    }

    /// The elements of a small whole-number value, as far as they are known: see
    /// [`ValueType::elements`].
    pub fn elements(&self, value: ValueId) -> Option<Arc<[Dim]>> {
        self.ty(value).elements.clone()
    }

    /// Adds a layer with one output.
    pub fn add(
        &mut self,
        kind: impl Into<LayerKind>,
        inputs: &[ValueId],
    ) -> Result<ValueId, OpError> {
        self.add_all(kind, inputs).and_then(|outputs| first(&outputs))
    }

    /// Adds a layer; gives all its outputs. Where its inputs are constant, so are they.
    pub fn add_all(
        &mut self,
        kind: impl Into<LayerKind>,
        inputs: &[ValueId],
    ) -> Result<Values, OpError> {
        let kind = kind.into();
        let Inferred { types, demands } = infer::infer(&self.network, &kind, inputs)?;
        let certain = self.blocks.len() == 1;
        for demand in demands {
            self.network.facts.add(demand, &self.site, certain);
        }
        if let Some(folded) = self.folded(&kind, inputs, &types) {
            return Ok(folded.into_iter().map(|tensor| self.constant_value(tensor)).collect());
        }
        Ok(self.push(kind, inputs, types))
    }

    /// The types that a layer's outputs would have.
    pub(in crate::import) fn types(
        &self,
        kind: &LayerKind,
        inputs: &[ValueId],
    ) -> Result<SmallVec<[ValueType; 2]>, OpError> {
        Ok(infer::outputs(&self.network, kind, inputs)?)
    }

    /// The value made once more by a layer of the innermost block, even where it is constant.
    pub(in crate::import) fn copy(&mut self, value: ValueId) -> Result<ValueId, OpError> {
        let types = infer::outputs(&self.network, &LayerKind::Identity, &[value])?;
        first(&self.push(LayerKind::Identity, &[value], types))
    }

    fn push(
        &mut self,
        kind: LayerKind,
        inputs: &[ValueId],
        types: impl IntoIterator<Item = ValueType>,
    ) -> Values {
        let layer = self.network.add_layer(kind, inputs, std::slice::from_ref(&self.site), types);
        if let Some(block) = self.blocks.last_mut() {
            block.layers.push(layer);
        }
        self.network.layer(layer).outputs.clone()
    }

    fn folded(
        &self,
        kind: &LayerKind,
        inputs: &[ValueId],
        types: &[ValueType],
    ) -> Option<Vec<Tensor>> {
        if let LayerKind::Constant(_) = kind {
            return None;
        }
        // Shape arithmetic over static shapes has known elements although its inputs are no
        // constants.
        if let [ty] = types
            && let (Some(elements), Some(dims)) = (&ty.elements, ty.shape.known())
            && let Some(elements) = elements.iter().map(Dim::known).collect::<Option<Vec<_>>>()
            && let Some(tensor) = tensor_of_ints(ty.dtype, dims, &elements)
        {
            return Some(vec![tensor]);
        }
        let constants: Option<Vec<&Tensor>> =
            inputs.iter().map(|&input| self.network.constant(input)).collect();
        (self.fold)(kind, &constants?, types)
    }

    /// Adds a Constant layer. It has the site of the node at work.
    pub fn constant_value(&mut self, weights: Tensor) -> ValueId {
        let site = self.site.clone();
        self.constant_at(weights, &site)
    }

    pub(in crate::import) fn constant_at(&mut self, weights: Tensor, site: &Site) -> ValueId {
        let ty = infer::constant_type(&weights);
        let layer = self.network.add_layer(
            Constant { weights }.into(),
            &[],
            std::slice::from_ref(site),
            [ty],
        );
        // Constants stand in the outermost block, so that every graph that sees the name can use
        // them.
        if let Some(block) = self.blocks.first_mut() {
            block.layers.push(layer);
        }
        self.network.layer(layer).outputs[0]
    }
}

/// The only output of most layers.
fn first(outputs: &[ValueId]) -> Result<ValueId, OpError> {
    outputs.first().copied().ok_or_else(|| OpError::invalid("a layer without outputs"))
}

/// A non-negative axis from one that may count from the end.
pub(crate) fn normalize_axis(axis: i64, rank: usize) -> Result<usize, OpError> {
    let signed = i64::try_from(rank).unwrap_or(i64::MAX);
    let wrapped = if axis < 0 { axis.checked_add(signed) } else { Some(axis) };
    match wrapped.and_then(|axis| usize::try_from(axis).ok()) {
        Some(axis) if axis < rank => Ok(axis),
        _ => Err(OpError::invalid(format!("axis {axis} is out of range for rank {rank}"))),
    }
}

/// A tensor of type `i64`, `i32` or `bool` from numbers that fit it.
fn tensor_of_ints(dtype: DType, dims: Vec<usize>, values: &[i64]) -> Option<Tensor> {
    match dtype {
        DType::I64 => Tensor::of(dims, values.to_vec()).ok(),
        DType::I32 => {
            let narrow: Option<Vec<i32>> =
                values.iter().map(|&value| value.try_into().ok()).collect();
            Tensor::of(dims, narrow?).ok()
        }
        DType::Bool => Tensor::of_bools(dims, values.iter().map(|&value| value != 0)).ok(),
        _ => None,
    }
}
