//! The network anew, with each value in the type that was planned for it.
//!
//! A value is cast once for each other type that it is taken in, right behind the layer that makes
//! it; a constant is converted instead.

use super::assign::{Plan, widened};
use super::constants::{Fate, converted};
use crate::network::layer::{Arg, Cast, Constant, Convolution, Deconvolution, Scale};
use crate::network::{Block, Layer, LayerId, LayerKind, Network, Output, ValueId, ValueType};
use crate::site::Site;
use crate::tensor::{DType, Tensor};
use smallvec::SmallVec;
use std::collections::HashMap;

/// What became of a constant, and whose it is.
#[derive(Debug, Clone)]
pub(super) struct Converted {
    pub site: Site,
    pub to: DType,
    pub fate: Fate,
}

/// Makes the network in the types of a plan; also tells what became of its constants.
pub(super) fn rebuild(old: &Network, plan: &Plan) -> (Network, Vec<Converted>) {
    let new = Network {
        name: old.name.clone(),
        facts: old.facts.clone(),
        ranges: old.ranges.clone(),
        next_made_up: old.next_made_up,
        ..Network::default()
    };
    let mut rebuild = Rebuild { old, plan, new, values: HashMap::new(), told: Vec::new() };
    let mut body = Vec::new();
    for &input in &old.inputs {
        rebuild.input(input, &mut body);
    }
    rebuild.layers(&old.body, &mut body);
    let outputs = old.outputs.iter().map(|output| rebuild.output(output)).collect();
    let Rebuild { mut new, told, .. } = rebuild;
    new.body = Block { layers: body, ..Block::default() };
    new.outputs = outputs;
    new.compact();
    (new, told)
}

struct Rebuild<'n> {
    old: &'n Network,
    plan: &'n Plan,
    new: Network,
    /// The new values, by the old and the type.
    values: HashMap<(ValueId, DType), ValueId>,
    told: Vec<Converted>,
}

impl Rebuild<'_> {
    /// The type of a value in the old network with the type in which it is made now.
    fn ty(&self, value: ValueId) -> ValueType {
        let dtype = self.plan.made(self.old, value);
        ValueType { dtype, ..self.old.value(value).ty.clone() }
    }

    /// The new value in a type; what was not planned is a bug that `valid` reports.
    fn value(&self, value: ValueId, dtype: DType) -> ValueId {
        let made = || self.values.get(&(value, self.plan.made(self.old, value)));
        self.values.get(&(value, dtype)).or_else(made).copied().unwrap_or(value)
    }

    fn input(&mut self, input: ValueId, to: &mut Vec<LayerId>) {
        let ty = self.ty(input);
        let name = self.old.value(input).name.clone();
        let made = self.new.add_input(&name, ty);
        self.note(input, made, &[Site::tensor("main", "input", &name)], to);
    }

    fn output(&self, output: &Output) -> Output {
        let declared = self.old.value(output.value).ty.dtype;
        let wanted = if declared == DType::F32 { self.plan.ends } else { declared };
        let value = self.value(output.value, wanted);
        let declared = output.declared.or((wanted != declared).then_some(declared));
        Output { value, declared, ..output.clone() }
    }

    /// Keeps a new value, and adds the casts that are wanted of it.
    fn note(&mut self, old: ValueId, made: ValueId, sites: &[Site], to: &mut Vec<LayerId>) {
        let ty = self.ty(old);
        self.new.values[made].name = self.old.value(old).name.clone();
        self.values.insert((old, ty.dtype), made);
        let others = self.plan.wanted(old).filter(|dtype| *dtype != ty.dtype);
        let wanted: SmallVec<[DType; 2]> = others.collect();
        for dtype in wanted {
            let cast = self.constant(old, dtype, sites, to).or_else(|| {
                let (source, from) = widened(self.old, old).filter(|(_, from)| *from == dtype)?;
                self.values.get(&(source, from)).copied()
            });
            let cast = cast.unwrap_or_else(|| {
                let ty = ValueType { dtype, ..ty.clone() };
                self.add(Cast { to: dtype }.into(), &[made], sites, [ty], to)
            });
            self.values.insert((old, dtype), cast);
        }
    }

    /// The constant that a value is, in a type.
    fn constant(
        &mut self,
        value: ValueId,
        dtype: DType,
        sites: &[Site],
        to: &mut Vec<LayerId>,
    ) -> Option<ValueId> {
        let weights = self.convert(self.old.constant(value)?, dtype, sites)?;
        let ty = ValueType { dtype, ..self.ty(value) };
        Some(self.add(Constant { weights }.into(), &[], sites, [ty], to))
    }

    fn convert(&mut self, tensor: &Tensor, to: DType, sites: &[Site]) -> Option<Tensor> {
        let (tensor, fate) = converted(tensor, to)?;
        if let Some(site) = sites.first() {
            self.told.push(Converted { site: site.clone(), to, fate });
        }
        Some(tensor)
    }

    /// Adds a layer of one output.
    fn add(
        &mut self,
        kind: LayerKind,
        inputs: &[ValueId],
        sites: &[Site],
        outputs: [ValueType; 1],
        to: &mut Vec<LayerId>,
    ) -> ValueId {
        let layer = self.new.add_layer(kind, inputs, sites, outputs);
        to.push(layer);
        self.new.layer(layer).outputs[0]
    }

    fn layers(&mut self, block: &Block, to: &mut Vec<LayerId>) {
        for &id in &block.layers {
            self.layer(id, to);
        }
    }

    fn layer(&mut self, id: LayerId, to: &mut Vec<LayerId>) {
        let old = self.old.layer(id);
        if self.is_done(old) {
            return;
        }
        let (inputs, kind) = match &old.kind {
            LayerKind::Loop(_) => (self.inputs_of_loop(old), self.nested(old)),
            LayerKind::Conditional(_) => (self.inputs(id, old), self.nested(old)),
            kind => (self.inputs(id, old), self.weights(id, kind.clone(), &old.sites)),
        };
        let outputs: Vec<ValueType> = old.outputs.iter().map(|&value| self.ty(value)).collect();
        let layer = self.new.add_layer(kind, &inputs, &old.sites, outputs);
        to.push(layer);
        let made = self.new.layer(layer).outputs.clone();
        for (&old_value, made) in old.outputs.iter().zip(made) {
            self.note(old_value, made, &old.sites, to);
        }
    }

    /// Whether a layer of the model casts to the type that its data have now anyway.
    fn is_done(&mut self, layer: &Layer) -> bool {
        let (&LayerKind::Cast(Cast { to }), &[data], &[output]) =
            (&layer.kind, &layer.inputs[..], &layer.outputs[..])
        else {
            return false;
        };
        let made = self.plan.made(self.old, data);
        let same = made == to && self.old.value(data).ty.dtype != to;
        if same && self.plan.wanted(output).next().is_none() {
            let value = self.value(data, to);
            self.values.insert((output, to), value);
            return true;
        }
        false
    }

    fn inputs(&self, id: LayerId, layer: &Layer) -> Vec<ValueId> {
        let plan = self.plan.layer(id);
        let free = matches!(layer.kind, LayerKind::Cast(_) | LayerKind::Shape);
        let input = |(at, &value): (usize, &ValueId)| match plan {
            Some((data, dtype)) if data.contains(&at) => self.value(value, dtype),
            _ if free => self.value(value, self.plan.made(self.old, value)),
            _ => self.value(value, self.old.value(value).ty.dtype),
        };
        layer.inputs.iter().enumerate().map(input).collect()
    }

    fn inputs_of_loop(&self, layer: &Layer) -> Vec<ValueId> {
        let LayerKind::Loop(of) = &layer.kind else { return Vec::new() };
        let first = usize::from(of.counted);
        let input = |(at, &value): (usize, &ValueId)| {
            let slice = at.checked_sub(first).filter(|at| *at < of.iterators.len());
            let dtype = match slice.and_then(|at| of.body.params.get(at)) {
                Some(&param) => self.plan.made(self.old, param),
                None => self.old.value(value).ty.dtype,
            };
            self.value(value, dtype)
        };
        layer.inputs.iter().enumerate().map(input).collect()
    }

    /// The nested blocks of a layer, made anew.
    fn nested(&mut self, layer: &Layer) -> LayerKind {
        let mut kind = layer.kind.clone();
        let collects = match &layer.kind {
            LayerKind::Loop(of) => usize::from(of.while_result) + of.recurrences,
            _ => usize::MAX,
        };
        for block in kind.blocks_mut() {
            let mut layers = Vec::new();
            let mut params = Vec::new();
            for &param in &block.params {
                let name = self.old.value(param).name.clone();
                let made = self.new.add_param(&name, self.ty(param));
                params.push(made);
                self.note(param, made, &layer.sites, &mut layers);
            }
            self.layers(block, &mut layers);
            let result = |(at, &value): (usize, &ValueId)| {
                let declared = self.old.value(value).ty.dtype;
                let made = self.plan.made(self.old, value);
                self.value(value, if at < collects { declared } else { made })
            };
            let results = block.results.iter().enumerate().map(result).collect();
            *block = Block { params, layers, results };
        }
        kind
    }

    /// The layer with its weights in the type that it works in.
    fn weights(&mut self, id: LayerId, mut kind: LayerKind, sites: &[Site]) -> LayerKind {
        let Some((_, dtype)) = self.plan.layer(id) else { return kind };
        match &mut kind {
            LayerKind::Convolution(of) | LayerKind::Deconvolution(Deconvolution(of)) => {
                let Convolution { weights, bias, .. } = of;
                for weights in [Some(weights), bias.as_mut()].into_iter().flatten() {
                    if let Arg::Static(tensor) = weights
                        && let Some(new) = self.convert(tensor, dtype, sites)
                    {
                        *tensor = new;
                    }
                }
            }
            LayerKind::Scale(Scale { shift, scale, power, .. }) => {
                for tensor in [shift, scale, power].into_iter().flatten() {
                    if let Some(new) = self.convert(tensor, dtype, sites) {
                        *tensor = new;
                    }
                }
            }
            _ => {}
        }
        kind
    }
}
