//! Quantize and Dequantize around the operands of products.

use super::products::{Node, Operand, Product};
use super::scales::{self, dtype};
use crate::error::{Error, Kind, Result};
use crate::eval;
use crate::network::edit::Editor;
use crate::network::layer::{Arg, Constant, Dequantize, Quantize};
use crate::network::{LayerId, LayerKind, Network, Shape, ValueId, ValueType};
use crate::recipe::precision::Eight;
use crate::tensor::{DType, Tensor};
use std::collections::HashMap;

/// The weights of a product in 8 bits, with their scales.
#[derive(Debug, Clone)]
pub(super) struct Weights {
    numbers: Tensor,
    scales: Tensor,
    axis: usize,
}

/// A node's products with all that is written for them.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    /// The node.
    pub node: Node,
    /// The scale of each operand.
    pub scales: Vec<f32>,
    weights: Vec<Weights>,
    /// The type.
    pub to: Eight,
}

impl Prepared {
    /// Prepares a node's products; the scales are those of its operands, in order.
    ///
    /// # Errors
    /// [`Kind::Internal`] where the weights cannot be computed.
    pub(super) fn new(node: Node, scales: Vec<f32>, to: Eight) -> Result<Self> {
        let products = node.products.iter().map(|product| weights(product, to));
        let weights: Result<Vec<Weights>, String> = products.collect();
        Ok(Self { weights: weights.map_err(|why| internal(&node, &why))?, node, scales, to })
    }

    /// What a product of the node gives on these operands of its layer, in 8 bits.
    pub(super) fn computed(
        &self,
        at: usize,
        kind: &LayerKind,
        inputs: &[&Tensor],
    ) -> Option<Tensor> {
        let (product, weights) = (self.node.products.get(at)?, self.weights.get(at)?);
        let before: usize = self.node.products.iter().take(at).map(|of| of.operands.len()).sum();
        let data = inputs.first()?;
        let scale = Tensor::of_reals(data.dtype(), Vec::new(), vec![*self.scales.get(before)?]);
        let data = self.there_and_back(data, &scale.ok()?)?;
        let real = Dequantize { axis: Some(weights.axis), to: product.weights.dtype() }.into();
        let real = eval::layer(&real, &[&weights.numbers, &weights.scales]).ok()?;
        let mut kind = kind.clone();
        let mut inputs: Vec<&Tensor> = inputs.to_vec();
        *inputs.first_mut()? = &data;
        match &mut kind {
            LayerKind::Convolution(of) => of.weights = Arg::Static(real.first()?.clone()),
            _ => *inputs.get_mut(1)? = real.first()?,
        }
        eval::layer(&kind, &inputs).ok()?.into_iter().next()
    }

    /// Data rounded to 8 bits.
    fn there_and_back(&self, data: &Tensor, scale: &Tensor) -> Option<Tensor> {
        let small =
            eval::layer(&Quantize { axis: None, to: dtype(self.to) }.into(), &[data, scale]);
        let small = small.ok()?.into_iter().next()?;
        let real = Dequantize { axis: None, to: data.dtype() }.into();
        eval::layer(&real, &[&small, scale]).ok()?.into_iter().next()
    }
}

fn internal(node: &Node, why: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::Internal, format!("the weights of {} in 8 bits: {why}", node.site))
}

/// Each channel of the weights fills the type.
fn weights(product: &Product, to: Eight) -> Result<Weights, String> {
    let (tensor, axis) = (&product.weights, product.axis);
    let values = tensor.to_f32s().ok_or("they are no real numbers")?;
    let channels = tensor.dims().get(axis).copied().unwrap_or(1);
    let inner: usize = tensor.dims().iter().skip(axis + 1).product();
    let mut largest = vec![0f32; channels];
    for (at, value) in values.iter().enumerate() {
        let most = &mut largest[at / inner.max(1) % channels.max(1)];
        *most = most.max(value.abs());
    }
    let scale = |&most: &f32| scales::scale(most.into(), to, tensor.dtype()).unwrap_or(1.0);
    let scales: Vec<f32> = largest.iter().map(scale).collect();
    let scales = Tensor::of_reals(tensor.dtype(), vec![channels], scales);
    let scales = scales.map_err(|error| error.to_string())?;
    let kind = Quantize { axis: Some(axis), to: dtype(to) }.into();
    let numbers = eval::layer(&kind, &[tensor, &scales]).map_err(|error| error.to_string())?;
    let numbers = numbers.into_iter().next().ok_or("a layer without output")?;
    Ok(Weights { numbers, scales, axis })
}

/// Writes the products of these nodes into the network they were found in.
pub(super) fn insert<'p>(network: &mut Network, nodes: impl IntoIterator<Item = &'p Prepared>) {
    let nodes: Vec<&Prepared> = nodes.into_iter().collect();
    // What several take stands in front of the first of them.
    let order: HashMap<LayerId, usize> =
        network.body.layers.iter().enumerate().map(|(at, &id)| (id, at)).collect();
    let place = |operand: Operand| order.get(&operand.layer).copied();
    let mut operands: Vec<(Operand, f32, Eight)> = nodes
        .iter()
        .flat_map(|of| of.node.operands().zip(&of.scales).map(|(operand, &s)| (operand, s, of.to)))
        .collect();
    operands.sort_by_key(|(operand, ..)| place(*operand));
    let mut writer = Writer { editor: Editor::new(network), known: HashMap::new() };
    for (operand, scale, to) in operands {
        writer.operand(operand, scale, to);
    }
    for of in nodes {
        for (product, weights) in of.node.products.iter().zip(&of.weights) {
            writer.weights(product, weights);
        }
    }
    writer.editor.finish();
    network.compact();
}

struct Writer<'n> {
    editor: Editor<'n>,
    /// Values in 8 bits and back, by their scale and type.
    known: HashMap<(ValueId, u32, DType), ValueId>,
}

impl Writer<'_> {
    fn operand(&mut self, Operand { layer, at, value }: Operand, scale: f32, to: Eight) {
        let key = (value, scale.to_bits(), dtype(to));
        let known = self.known.get(&key).copied();
        let through = known.unwrap_or_else(|| self.through(layer, value, scale, to));
        self.known.insert(key, through);
        let mut inputs = self.editor.network().layer(layer).inputs.clone();
        if let Some(input) = inputs.get_mut(at) {
            *input = through;
        }
        let kind = self.editor.network().layer(layer).kind.clone();
        self.editor.change(layer, kind, &inputs);
    }

    /// A value in 8 bits and back, in front of a layer.
    fn through(&mut self, anchor: LayerId, value: ValueId, scale: f32, to: Eight) -> ValueId {
        let ty = self.editor.network().value(value).ty.clone();
        let scale = Tensor::of_reals(ty.dtype, Vec::new(), vec![scale]);
        // A scale is a number of the data's type already.
        let Ok(scale) = scale else { return value };
        let scale = self.constant(anchor, scale);
        let small = ValueType { dtype: dtype(to), ..ty.clone() };
        let kind = Quantize { axis: None, to: dtype(to) };
        let Some(number) = self.add(anchor, kind.into(), &[value, scale], small) else {
            return value;
        };
        let kind = Dequantize { axis: None, to: ty.dtype };
        self.add(anchor, kind.into(), &[number, scale], ty).unwrap_or(value)
    }

    fn weights(&mut self, product: &Product, weights: &Weights) {
        let Weights { numbers, scales, axis } = weights;
        let real = ValueType::new(scales.dtype(), Shape::of(numbers.dims()));
        let numbers = self.constant(product.layer, numbers.clone());
        let scales = self.constant(product.layer, scales.clone());
        let kind = Dequantize { axis: Some(*axis), to: real.dtype };
        let Some(real) = self.add(product.layer, kind.into(), &[numbers, scales], real) else {
            return;
        };
        let layer = self.editor.network().layer(product.layer);
        let (mut kind, mut inputs) = (layer.kind.clone(), layer.inputs.clone());
        match &mut kind {
            LayerKind::Convolution(of) => {
                of.weights = Arg::Input(inputs.len());
                inputs.push(real);
            }
            _ => {
                if let Some(input) = inputs.get_mut(1) {
                    *input = real;
                }
            }
        }
        self.editor.change(product.layer, kind, &inputs);
    }

    fn constant(&mut self, anchor: LayerId, weights: Tensor) -> ValueId {
        let ty = ValueType::new(weights.dtype(), Shape::of(weights.dims()));
        let kind = Constant { weights }.into();
        let sites = self.editor.network().layer(anchor).sites.clone();
        self.editor.add_before(anchor, kind, &[], &sites, [ty])[0]
    }

    fn add(
        &mut self,
        anchor: LayerId,
        kind: LayerKind,
        inputs: &[ValueId],
        ty: ValueType,
    ) -> Option<ValueId> {
        let sites = self.editor.network().layer(anchor).sites.clone();
        self.editor.add_before(anchor, kind, inputs, &sites, [ty]).first().copied()
    }
}
