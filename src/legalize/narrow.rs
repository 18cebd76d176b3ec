//! Types that the library lacks become types that it has: `i64` is computed in `i32`, `bf16` in
//! `f32`, `i8` that nobody quantized in `i32`.
//!
//! TensorRT 8 counts in 32 bits. Constants that do not fit are reported, never cut; where a number
//! only bounds others (the trip count of a loop, an operand of a minimum), the largest `i32` means
//! the same. What goes in at run time is checked by whoever feeds the plan.

use crate::error::{Error, Kind, Problem, Result};
use crate::infer;
use crate::network::layer::{
    Arg, Cast, Constant, Deconvolution, Dequantize, ElementWise, ElementWiseOperation, Fill,
};
use crate::network::{
    Block, Caps, Layer, LayerId, LayerKind, Network, Output, ValueId, ValueType, Values,
};
use crate::site::Site;
use crate::tensor::{DType, Tensor};
use std::collections::{HashMap, HashSet};

/// Writes the network again with the library's types.
///
/// # Errors
/// [`Kind::Unsupported`] with every constant that does not fit.
pub(super) fn run(network: &mut Network, caps: Caps) -> Result<()> {
    if caps.int64 && caps.int64_sizes && caps.bf16 && caps.int8 {
        return Ok(());
    }
    let mut narrower = Narrower {
        old: network,
        new: Network {
            name: network.name.clone(),
            facts: network.facts.clone(),
            ranges: network.ranges.clone(),
            next_made_up: network.next_made_up,
            ..Network::default()
        },
        caps,
        quantized: if caps.int8 { HashSet::new() } else { quantized(network) },
        bounds: bounds(network),
        values: HashMap::new(),
        problems: Vec::new(),
    };
    narrower.run()?;
    if !narrower.problems.is_empty() {
        return Err(Error::of_problems("this TensorRT cannot build", narrower.problems));
    }
    *network = narrower.new;
    Ok(())
}

/// The `i8` values that Quantize makes or Dequantize takes.
fn quantized(network: &Network) -> HashSet<ValueId> {
    let layers = network.live_layers().into_iter().map(|id| network.layer(id));
    layers
        .filter_map(|layer| match layer.kind {
            LayerKind::Quantize(_) => layer.outputs.first().copied(),
            LayerKind::Dequantize(_) => layer.inputs.first().copied(),
            _ => None,
        })
        .collect()
}

/// Constants of which only the order matters to whoever takes them.
fn bounds(network: &Network) -> HashSet<ValueId> {
    let mut bounds = HashSet::new();
    let mut others: HashSet<ValueId> = network.outputs.iter().map(|output| output.value).collect();
    for id in network.live_layers() {
        let layer = network.layer(id);
        others.extend(layer.kind.blocks().iter().flat_map(|block| &block.results));
        for (at, &input) in layer.inputs.iter().enumerate() {
            let is_bound = match &layer.kind {
                LayerKind::Loop(of) => of.counted && at == 0,
                LayerKind::ElementWise(ElementWise { operation }) => {
                    matches!(operation, ElementWiseOperation::Min | ElementWiseOperation::Max)
                }
                _ => false,
            };
            if is_bound { &mut bounds } else { &mut others }.insert(input);
        }
    }
    bounds.retain(|value| !others.contains(value));
    bounds
}

struct Narrower<'n> {
    old: &'n Network,
    new: Network,
    caps: Caps,
    quantized: HashSet<ValueId>,
    bounds: HashSet<ValueId>,
    values: HashMap<ValueId, ValueId>,
    problems: Vec<Problem>,
}

impl Narrower<'_> {
    fn run(&mut self) -> Result<()> {
        for &input in &self.old.inputs {
            let value = self.old.value(input);
            let ty = ValueType::new(self.narrow(input), value.ty.shape.clone());
            let new = self.new.add_input(&value.name, ty);
            self.values.insert(input, new);
        }
        self.new.body = self.block(&self.old.body)?;
        for output in &self.old.outputs {
            let value = self.value(output.value)?;
            let (was, is) = (self.old.value(output.value).ty.dtype, self.new.value(value).ty.dtype);
            let declared = output.declared.or_else(|| (was != is).then_some(was));
            self.new.outputs.push(Output { value, declared, ..output.clone() });
        }
        Ok(())
    }

    /// The type that a value gets.
    fn narrow(&self, value: ValueId) -> DType {
        self.narrow_type(self.old.value(value).ty.dtype, self.quantized.contains(&value))
    }

    fn narrow_type(&self, dtype: DType, quantized: bool) -> DType {
        match dtype {
            DType::I64 if !self.caps.int64 => DType::I32,
            DType::BF16 if !self.caps.bf16 => DType::F32,
            DType::I8 if !self.caps.int8 && !quantized => DType::I32,
            other => other,
        }
    }

    fn value(&self, old: ValueId) -> Result<ValueId> {
        let missing = || Error::new(Kind::Internal, format!("{old:?} is used before it is made"));
        self.values.get(&old).copied().ok_or_else(missing)
    }

    fn block(&mut self, old: &Block) -> Result<Block> {
        let mut block = Block::default();
        for &param in &old.params {
            let value = self.old.value(param);
            let ty = ValueType::new(self.narrow(param), value.ty.shape.clone());
            let new = self.new.add_param(&value.name, ty);
            self.values.insert(param, new);
            block.params.push(new);
        }
        for &id in &old.layers {
            self.layer(id, &mut block)?;
        }
        block.results =
            old.results.iter().map(|&result| self.value(result)).collect::<Result<_>>()?;
        Ok(block)
    }

    fn layer(&mut self, id: LayerId, block: &mut Block) -> Result<()> {
        let layer = self.old.layer(id).clone();
        let inputs: Values =
            layer.inputs.iter().map(|&input| self.value(input)).collect::<Result<_>>()?;
        let outputs = match self.rewritten(&layer, &inputs, block)? {
            Some(output) => Values::from_slice(&[output]),
            None => {
                let kind = self.kind(&layer)?;
                self.add(block, &layer, kind, &inputs)?
            }
        };
        for (&old, new) in layer.outputs.iter().zip(outputs) {
            self.new.values[new].name = self.old.value(old).name.clone();
            self.values.insert(old, new);
        }
        Ok(())
    }

    /// Layers that become others.
    fn rewritten(
        &mut self,
        layer: &Layer,
        inputs: &[ValueId],
        block: &mut Block,
    ) -> Result<Option<ValueId>> {
        let (Some(&output), Some(&data)) = (layer.outputs.first(), inputs.first()) else {
            return Ok(None);
        };
        let to = self.narrow(output);
        let is = self.new.value(data).ty.dtype;
        Ok(Some(match layer.kind {
            LayerKind::Cast(Cast { to: DType::I8 }) if to == DType::I32 && is.is_int() => {
                self.wrapped(block, layer, data)?
            }
            LayerKind::Cast(_) if is == to => {
                self.one(block, layer, LayerKind::Identity, &[data])?
            }
            // The library gives i32 for what the layer defines as i64: there the cast is none.
            LayerKind::Shape | LayerKind::NonZero if !self.caps.int64_sizes => {
                let wide = self.one(block, layer, layer.kind.clone(), inputs)?;
                self.one(block, layer, Cast { to: DType::I32 }, &[wide])?
            }
            LayerKind::Dequantize(Dequantize { axis, to })
                if !self.caps.strongly_typed && to != DType::F32 =>
            {
                let real = self.one(block, layer, Dequantize { axis, to: DType::F32 }, inputs)?;
                let to = self.narrow_type(to, false);
                if to == DType::F32 { real } else { self.one(block, layer, Cast { to }, &[real])? }
            }
            _ => return Ok(None),
        }))
    }

    /// x as an `i8` that wraps around: x + 128 − ⌊(x + 128)/256⌋·256 − 128.
    fn wrapped(&mut self, block: &mut Block, layer: &Layer, data: ValueId) -> Result<ValueId> {
        use ElementWiseOperation as Op;
        let rank = self.new.value(data).ty.shape.rank();
        let data = match self.new.value(data).ty.dtype {
            DType::I32 => data,
            _ => self.one(block, layer, Cast { to: DType::I32 }, &[data])?,
        };
        let mut number = |narrower: &mut Self, value: i32| {
            let weights = Tensor::scalar(value)
                .reshaped(vec![1; rank])
                .map_err(|error| internal(layer, &error))?;
            narrower.one(block, layer, Constant { weights }, &[])
        };
        let (half, whole) = (number(self, 128)?, number(self, 256)?);
        let mut calculate = |narrower: &mut Self, operation, a, b| {
            narrower.one(block, layer, ElementWise { operation }, &[a, b])
        };
        let raised = calculate(self, Op::Sum, data, half)?;
        let quotient = calculate(self, Op::FloorDiv, raised, whole)?;
        let multiple = calculate(self, Op::Prod, quotient, whole)?;
        let rest = calculate(self, Op::Sub, raised, multiple)?;
        calculate(self, Op::Sub, rest, half)
    }

    /// The layer with its own types and weights narrowed.
    fn kind(&mut self, layer: &Layer) -> Result<LayerKind> {
        let mut kind = layer.kind.clone();
        match &mut kind {
            LayerKind::Constant(constant) => self.constant(layer, constant),
            LayerKind::Cast(Cast { to }) | LayerKind::Fill(Fill { dtype: to, .. }) => {
                *to = self.narrow_type(*to, false);
            }
            LayerKind::Convolution(of) | LayerKind::Deconvolution(Deconvolution(of)) => {
                self.weights(&mut of.weights);
                of.bias.iter_mut().for_each(|bias| self.weights(bias));
            }
            LayerKind::Scale(of) => {
                for tensor in [&mut of.shift, &mut of.scale, &mut of.power].into_iter().flatten() {
                    if let Some(narrow) = self.tensor(tensor, false) {
                        *tensor = narrow;
                    }
                }
            }
            _ => {}
        }
        for block in kind.blocks_mut() {
            *block = self.block(block)?;
        }
        Ok(kind)
    }

    fn constant(&mut self, layer: &Layer, constant: &mut Constant) {
        let Some(&output) = layer.outputs.first() else { return };
        let to = self.narrow(output);
        if to == constant.weights.dtype() {
            return;
        }
        let clamp = self.bounds.contains(&output);
        match self.tensor(&constant.weights, clamp) {
            Some(narrow) => constant.weights = narrow,
            None => {
                let values = constant.weights.to_i64s().unwrap_or_default();
                let wide = values
                    .into_iter()
                    .find(|&value| i32::try_from(value).is_err())
                    .unwrap_or_default();
                let message = format!(
                    "`{}` holds {wide}, but this TensorRT has no i64",
                    self.old.value(output).name
                );
                self.problem(layer, message, "TensorRT-RTX, and TensorRT from 10 on, have it");
                // Nobody builds this network, but the layers behind must find types that fit.
                if let Some(cut) = self.tensor(&constant.weights, true) {
                    constant.weights = cut;
                }
            }
        }
    }

    fn weights(&self, weights: &mut Arg<Tensor>) {
        if let Arg::Static(tensor) = weights
            && let Some(narrow) = self.tensor(tensor, false)
        {
            *tensor = narrow;
        }
    }

    /// The tensor in the type it gets; `None` where an element does not fit, unless it may be
    /// clamped.
    fn tensor(&self, tensor: &Tensor, clamp: bool) -> Option<Tensor> {
        let dims = tensor.dims().to_vec();
        match self.narrow_type(tensor.dtype(), false) {
            to if to == tensor.dtype() => Some(tensor.clone()),
            DType::F32 => Tensor::of(dims, tensor.to_f32s()?.into_owned()).ok(),
            _ => {
                let most = |value: i64| if value < 0 { i32::MIN } else { i32::MAX };
                let fit =
                    |value: i64| i32::try_from(value).ok().or_else(|| clamp.then(|| most(value)));
                Tensor::of(dims, tensor.to_i64s()?.into_iter().map(fit).collect::<Option<_>>()?)
                    .ok()
            }
        }
    }

    fn problem(&mut self, layer: &Layer, message: String, hint: &str) {
        if let Some(site) = layer.sites.first() {
            let mut problem = Problem::new(Kind::Unsupported, site.clone(), message);
            problem.hint = Some(hint.to_owned());
            self.problems.push(problem);
        }
    }

    fn one(
        &mut self,
        block: &mut Block,
        layer: &Layer,
        kind: impl Into<LayerKind>,
        inputs: &[ValueId],
    ) -> Result<ValueId> {
        let outputs = self.add(block, layer, kind.into(), inputs)?;
        outputs.first().copied().ok_or_else(|| Error::new(Kind::Internal, "a layer without output"))
    }

    fn add(
        &mut self,
        block: &mut Block,
        layer: &Layer,
        kind: LayerKind,
        inputs: &[ValueId],
    ) -> Result<Values> {
        infer::add(&mut self.new, block, kind, inputs, &layer.sites)
            .map_err(|error| internal(layer, &error))
    }
}

fn internal(layer: &Layer, error: &dyn std::fmt::Display) -> Error {
    let problem = |site: &Site| Problem::new(Kind::Internal, site.clone(), error.to_string());
    Error::of_problems("cannot narrow", layer.sites.first().map(problem).into_iter().collect())
}
