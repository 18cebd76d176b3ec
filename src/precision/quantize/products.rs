//! The products whose operands can be of 8 bits.
//!
//! TensorRT fuses Quantize and Dequantize with the convolution or the matrix product behind them,
//! and with a sum that takes the result of a convolution. Where they stand follows its rules for
//! explicit quantization: on the data and the weights, and on what is added to a convolution.

use crate::network::layer::{Arg, ElementWiseOperation, MatrixMultiply, MatrixOperation};
use crate::network::{Dim, Layer, LayerId, LayerKind, Network, ValueId};
use crate::site::Site;
use crate::tensor::{DType, Tensor};
use std::collections::{HashMap, HashSet};

/// Fewer channels, rows or columns than this fill no kernel of 8 bits.
const LEAST: usize = 16;

/// A layer that multiplies with constant weights.
#[derive(Debug, Clone)]
pub(super) struct Product {
    /// The layer.
    pub layer: LayerId,
    /// Its weights.
    pub weights: Tensor,
    /// The axis of the weights along which their scale varies: that of what comes out.
    pub axis: usize,
    /// The operands that get a scale: the data, then what a sum adds to the result.
    pub operands: Vec<Operand>,
}

/// Where a layer takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operand {
    /// The layer.
    pub layer: LayerId,
    /// The place among its inputs.
    pub at: usize,
    /// The value.
    pub value: ValueId,
}

/// The products of a node.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Where it stands in the model.
    pub site: Site,
    /// Its products, in order.
    pub products: Vec<Product>,
}

impl Node {
    /// The operands that get a scale, in order.
    pub(super) fn operands(&self) -> impl Iterator<Item = Operand> + '_ {
        self.products.iter().flat_map(|product| &product.operands).copied()
    }
}

/// The nodes of a network that have products of 8 bits, and why other products are none.
pub(super) fn find(network: &Network) -> (Vec<Node>, HashMap<LayerId, &'static str>) {
    let users = users(network);
    let mut nodes: Vec<Node> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut others = HashMap::new();
    let mut taken = HashSet::new();
    for &id in &network.body.layers {
        let layer = network.layer(id);
        let Some(site) = layer.sites.iter().find(|site| site.place().index.is_some()) else {
            continue;
        };
        match product(network, id, layer) {
            None => {}
            Some(Err(why)) => {
                others.insert(id, why);
            }
            Some(Ok(mut product)) => {
                product.operands.extend(added(network, layer, &users, &mut taken));
                let at = *places.entry(site.label()).or_insert_with(|| {
                    nodes.push(Node { site: site.clone(), products: Vec::new() });
                    nodes.len() - 1
                });
                nodes[at].products.push(product);
            }
        }
    }
    (nodes, others)
}

/// The layers that take each value.
fn users(network: &Network) -> HashMap<ValueId, Vec<LayerId>> {
    let mut users: HashMap<ValueId, Vec<LayerId>> = HashMap::new();
    for id in network.live_layers() {
        let layer = network.layer(id);
        let results = layer.kind.blocks().into_iter().flat_map(|block| &block.results);
        for &input in layer.inputs.iter().chain(results) {
            users.entry(input).or_default().push(id);
        }
    }
    users
}

/// The product that a layer is, or why it is none of 8 bits; `None` for other layers.
fn product(network: &Network, id: LayerId, layer: &Layer) -> Option<Result<Product, &'static str>> {
    match &layer.kind {
        LayerKind::Convolution(of) => {
            let Arg::Static(weights) = &of.weights else { return None };
            let few = of.maps < LEAST || weights.dims().get(1).is_none_or(|&size| size < LEAST);
            Some(match few {
                _ if of.groups > 1 => Err("its channels are in groups"),
                true => Err("it has fewer than 16 channels"),
                false => of_data(network, id, layer, (weights.clone(), 0)),
            })
        }
        LayerKind::MatrixMultiply(of) => {
            let &[data, weights] = &layer.inputs[..] else { return None };
            let weights = network.constant(weights)?;
            Some(match columns(of, weights.dims()) {
                Some(_) if has_one_row(network, of, data) => Err("it has one row"),
                Some(axis) => of_data(network, id, layer, (weights.clone(), axis)),
                None => Err("its weights are smaller than 16 by 16"),
            })
        }
        LayerKind::Deconvolution(_) => Some(Err("it is a deconvolution")),
        _ => None,
    }
}

/// A product of real data that nobody has quantized yet.
fn of_data(
    network: &Network,
    id: LayerId,
    layer: &Layer,
    (weights, axis): (Tensor, usize),
) -> Result<Product, &'static str> {
    let wrong = "its operands are of different types";
    let &value = layer.inputs.first().ok_or(wrong)?;
    if network.value(value).ty.dtype != weights.dtype() || !is_real(weights.dtype()) {
        return Err(wrong);
    }
    let made = network.maker(value).map(|maker| &network.layer(maker).kind);
    if matches!(made, Some(LayerKind::Dequantize(_))) {
        return Err("the model quantizes its data");
    }
    if weights.to_f32s().is_none_or(|values| values.iter().any(|value| !value.is_finite())) {
        return Err("its weights have no end");
    }
    let operands = vec![Operand { layer: id, at: 0, value }];
    Ok(Product { layer: id, weights, axis, operands })
}

fn is_real(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F16 | DType::BF16)
}

/// The axis of the columns of a matrix that is large enough.
fn columns(of: &MatrixMultiply, dims: &[usize]) -> Option<usize> {
    let rank = dims.len();
    let &[.., first, second] = dims else { return None };
    let axis = match of.op1 {
        MatrixOperation::None => rank.checked_sub(1)?,
        MatrixOperation::Transpose => rank.checked_sub(2)?,
        MatrixOperation::Vector => return None,
    };
    (first >= LEAST && second >= LEAST).then_some(axis)
}

/// Whether the data are a vector, or a matrix that is one.
fn has_one_row(network: &Network, of: &MatrixMultiply, data: ValueId) -> bool {
    let shape = &network.value(data).ty.shape;
    let rank = shape.rank();
    let rows = match of.op0 {
        MatrixOperation::None => rank.checked_sub(2),
        MatrixOperation::Transpose => rank.checked_sub(1),
        MatrixOperation::Vector => return true,
    };
    let at = |axis: usize| shape.get(axis).and_then(Dim::known);
    // The rows of a batch are those of one product where the weights are the same for all.
    let rows = rows.map(|rows| (0..rank.saturating_sub(2)).chain([rows]));
    rows.is_none_or(|mut axes| axes.all(|axis| at(axis) == Some(1)))
}

/// What a sum adds to the result of a convolution, unless that sum has been looked at for another:
/// a kernel takes one such operand.
fn added(
    network: &Network,
    layer: &Layer,
    users: &HashMap<ValueId, Vec<LayerId>>,
    taken: &mut HashSet<LayerId>,
) -> Option<Operand> {
    if !matches!(layer.kind, LayerKind::Convolution(_)) {
        return None;
    }
    let &output = layer.outputs.first()?;
    let &[sum] = &users.get(&output)?[..] else { return None };
    let LayerKind::ElementWise(of) = &network.layer(sum).kind else { return None };
    let inputs = &network.layer(sum).inputs;
    let at = inputs.iter().position(|&input| input != output)?;
    let value = inputs[at];
    let same = network.value(value).ty.dtype == network.value(output).ty.dtype
        && network.value(value).ty.shape == network.value(output).ty.shape;
    let is_sum = of.operation == ElementWiseOperation::Sum;
    let free = same && is_sum && network.constant(value).is_none();
    (free && taken.insert(sum)).then_some(Operand { layer: sum, at, value })
}
