//! Loops and conditionals, flattened into TensorRT's calls.

use super::{Emitter, Label, metadata, refusal};
use crate::error::Result;
use crate::network::layer::{Conditional, Loop, LoopOutput};
use crate::network::{Block, Layer, LayerId, Network, ValueId};
use std::collections::HashSet;

impl Emitter<'_> {
    pub(super) fn emit_loop(&mut self, layer: &Layer, of: &Loop) -> Result<()> {
        let name = self.name(layer);
        let metadata = metadata(&layer.sites);
        let label = Label { name: &name, metadata: &metadata };
        let refused = |error| refusal(&layer.sites, "Loop", &name, &error);
        let handle = self.sink.loop_begin(label).map_err(refused)?;

        let mut inputs = layer.inputs.iter().copied();
        let mut params = of.body.params.iter().copied();
        if of.counted {
            let count = self.next(&mut inputs)?;
            self.sink.loop_count(handle, count).map_err(refused)?;
        }
        for iterator in &of.iterators {
            let over = self.next(&mut inputs)?;
            let made = self.sink.loop_iterator(handle, over, iterator).map_err(refused)?;
            self.param(layer, &mut params, &made)?;
        }
        let mut recurrences = Vec::with_capacity(of.recurrences);
        for _ in 0..of.recurrences {
            let initial = self.next(&mut inputs)?;
            let made = self.sink.loop_recurrence(handle, initial).map_err(refused)?;
            self.param(layer, &mut params, &made)?;
            recurrences.push(made.handle);
        }

        self.block(&of.body)?;

        let mut results = of.body.results.iter().copied();
        if of.while_result {
            let condition = self.next(&mut results)?;
            self.sink.loop_while(handle, condition).map_err(refused)?;
        }
        for &recurrence in &recurrences {
            let next = self.next(&mut results)?;
            self.sink.loop_next(recurrence, next).map_err(refused)?;
        }
        for (output, &value) in of.outputs.iter().zip(&layer.outputs) {
            let output_name = self.name(layer);
            let label = Label { name: &output_name, metadata: &metadata };
            let made = match *output {
                LoopOutput::LastValue(at) => match recurrences.get(at) {
                    Some(&recurrence) => self.sink.loop_last_value(label, handle, recurrence),
                    None => return Err(self.missing()),
                },
                LoopOutput::Concatenate { axis } | LoopOutput::Reverse { axis } => {
                    let reverse = matches!(output, LoopOutput::Reverse { .. });
                    let (collected, length) = (self.next(&mut results)?, self.next(&mut inputs)?);
                    self.sink.loop_collect(label, handle, collected, axis, reverse, length)
                }
            };
            self.made(layer, value, &made.map_err(refused)?)?;
        }
        Ok(())
    }

    pub(super) fn emit_conditional(&mut self, layer: &Layer, of: &Conditional) -> Result<()> {
        let name = self.name(layer);
        let metadata = metadata(&layer.sites);
        let refused = |error| refusal(&layer.sites, "Conditional", &name, &error);
        let condition = self.next(&mut layer.inputs.iter().copied())?;
        let label = Label { name: &name, metadata: &metadata };
        let handle = self.sink.conditional_begin(label, condition).map_err(refused)?;

        // Inside, every tensor from outside goes by the name that its input layer gives it.
        let outside = self.handles.clone();
        for captured in captures(self.network, of) {
            let made =
                self.sink.conditional_input(handle, self.handle(captured)?).map_err(refused)?;
            self.handles.insert(captured, made.handle);
        }
        self.block(&of.then_block)?;
        self.block(&of.else_block)?;
        let mut outputs = Vec::with_capacity(layer.outputs.len());
        for (&then_value, &else_value) in of.then_block.results.iter().zip(&of.else_block.results) {
            let output_name = self.name(layer);
            let label = Label { name: &output_name, metadata: &metadata };
            let (then_value, else_value) = (self.handle(then_value)?, self.handle(else_value)?);
            outputs.push(
                self.sink
                    .conditional_output(label, handle, then_value, else_value)
                    .map_err(refused)?,
            );
        }
        self.handles = outside;
        for (made, &value) in outputs.iter().zip(&layer.outputs) {
            self.made(layer, value, made)?;
        }
        Ok(())
    }

    fn next(&self, values: &mut impl Iterator<Item = ValueId>) -> Result<super::Handle> {
        values.next().ok_or_else(|| self.missing()).and_then(|value| self.handle(value))
    }

    fn param(
        &mut self,
        layer: &Layer,
        params: &mut impl Iterator<Item = ValueId>,
        made: &super::Made,
    ) -> Result<()> {
        let param = params.next().ok_or_else(|| self.missing())?;
        self.made(layer, param, made)
    }

    fn missing(&self) -> crate::Error {
        let message =
            format!("a loop of `{}` lacks an operand that its attributes name", self.network.name);
        crate::Error::new(crate::Kind::Internal, message)
    }
}

/// The values that the branches take from around them, in order of first use.
fn captures(network: &Network, of: &Conditional) -> Vec<ValueId> {
    fn visit(
        network: &Network,
        block: &Block,
        own: &mut HashSet<ValueId>,
        found: &mut Vec<ValueId>,
    ) {
        own.extend(&block.params);
        let mut take = |value: &ValueId, own: &HashSet<ValueId>| {
            if !own.contains(value) && !found.contains(value) {
                found.push(*value);
            }
        };
        for &id in &block.layers {
            let layer: &Layer = network.layer(id);
            layer.inputs.iter().for_each(|input| take(input, own));
            own.extend(&layer.outputs);
        }
        block.results.iter().for_each(|result| take(result, own));
        let nested = |id: &LayerId| network.layer(*id).kind.blocks();
        for inner in block.layers.iter().flat_map(nested) {
            visit(network, inner, own, found);
        }
    }
    let mut found = Vec::new();
    for block in [&of.then_block, &of.else_block] {
        visit(network, block, &mut HashSet::new(), &mut found);
    }
    found
}
