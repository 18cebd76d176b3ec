//! Layers with nested blocks: how handlers add them.

use super::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::layer::{Loop, LoopIterator, LoopOutput};
use crate::network::{Block, Dim, Shape, ValueId, ValueType, Values};
use std::collections::HashSet;

/// A [`Loop`] in the making.
#[derive(Debug, Default)]
pub(in crate::import) struct Repeat {
    count: Option<ValueId>,
    length: Option<ValueId>,
    iterated: Values,
    iterators: Vec<LoopIterator>,
    slices: Values,
    initial: Values,
    current: Values,
    capped: bool,
}

/// What one iteration gives.
#[derive(Debug, Default)]
pub(in crate::import) struct Iteration {
    /// Whether the iteration takes place; if not, it changes nothing and is the last.
    pub condition: Option<ValueId>,
    /// The next value of all that is [carried](Repeat::carry), in the same order.
    pub next: Values,
    /// What leaves the loop.
    pub outputs: Vec<LoopOutput>,
    /// One value for each output that is no last value.
    pub collected: Values,
}

impl Repeat {
    /// A loop of at most `count` iterations, which collects `length` values for each output that
    /// collects any.
    ///
    /// Both are whole numbers of rank 0; without a count the condition alone ends the loop.
    pub(in crate::import) fn new(count: Option<ValueId>, length: Option<ValueId>) -> Self {
        Self { count, length, ..Self::default() }
    }

    /// The same where the count is the user's limit and not the model's.
    pub(in crate::import) fn capped(self, capped: bool) -> Self {
        Self { capped, ..self }
    }

    /// Cuts a value into slices, one per iteration; gives the slice of the iteration at work.
    pub(in crate::import) fn iterate(
        &mut self,
        ctx: &mut Ctx<'_>,
        whole: ValueId,
        iterator: LoopIterator,
    ) -> Result<ValueId, OpError> {
        let mut shape: Shape = ctx.shape(whole).clone();
        if iterator.axis >= shape.rank() {
            let (axis, rank) = (iterator.axis, shape.rank());
            return Err(OpError::invalid(format!("axis {axis} is out of range for rank {rank}")));
        }
        shape.remove(iterator.axis);
        let slice = param(ctx, whole, shape);
        self.iterated.push(whole);
        self.iterators.push(iterator);
        self.slices.push(slice);
        Ok(slice)
    }

    /// Carries a value from iteration to iteration; gives its value in the iteration at work.
    pub(in crate::import) fn carry(&mut self, ctx: &mut Ctx<'_>, initial: ValueId) -> ValueId {
        let current = param(ctx, initial, ctx.shape(initial).clone());
        self.initial.push(initial);
        self.current.push(current);
        current
    }

    /// Carries a number of rank 0 that is never negative, such as that of the iteration at work.
    pub(in crate::import) fn carry_number(
        &mut self,
        ctx: &mut Ctx<'_>,
        initial: ValueId,
    ) -> ValueId {
        let current = self.carry(ctx, initial);
        let symbol = ctx.network.make_up("Loop");
        ctx.network.values[current].ty.elements = Some([Dim::from(symbol)].into());
        current
    }

    /// Carries the number of the iteration at work, counted from 0: `zero`, of rank 0.
    pub(in crate::import) fn carry_iteration(
        &mut self,
        ctx: &mut Ctx<'_>,
        zero: ValueId,
    ) -> ValueId {
        let current = self.carry_number(ctx, zero);
        let only = |value| ctx.network.value(value).ty.elements.as_deref()?.first().cloned();
        let number = only(current).and_then(|number| number.as_symbol().cloned());
        let count = self.count.and_then(only);
        ctx.iterations.extend(number.zip(count));
        current
    }

    /// Adds the loop, whose iteration is what `body` adds; gives its outputs.
    pub(in crate::import) fn run<'a>(
        mut self,
        ctx: &mut Ctx<'a>,
        body: impl FnOnce(&mut Ctx<'a>, &mut Self) -> Result<Iteration, OpError>,
    ) -> Result<Values, OpError> {
        let outer = ctx.iterations.len();
        let made = ctx.block(|ctx| {
            let iteration = body(ctx, &mut self)?;
            let results =
                iteration.condition.iter().chain(&iteration.next).chain(&iteration.collected);
            Ok((results.copied().collect(), iteration))
        });
        // Outside the body its number means nothing.
        ctx.iterations.truncate(outer);
        let (mut body, Iteration { condition, outputs, collected, .. }) = made?;
        body.params = self.slices.iter().chain(&self.current).copied().collect();
        for &param in &body.params {
            // A number differs from iteration to iteration: outside one of them nothing is known.
            ctx.network.values[param].ty.elements = None;
        }
        let mut inputs: Values =
            self.count.into_iter().chain(self.iterated).chain(self.initial).collect();
        if !collected.is_empty() {
            let length = self.length.ok_or(OpError::Unlimited)?;
            inputs.extend(std::iter::repeat_n(length, collected.len()));
        }
        let (counted, recurrences) = (self.count.is_some(), self.current.len());
        let while_result = condition.is_some();
        let (iterators, capped) = (self.iterators, self.capped);
        ctx.add_all(
            Loop { counted, capped, while_result, iterators, recurrences, outputs, body },
            &inputs,
        )
    }
}

/// A parameter of a block, of the type of `like`.
fn param(ctx: &mut Ctx<'_>, like: ValueId, shape: Shape) -> ValueId {
    let name = ctx.network.value(like).name.clone();
    let ty = ValueType::new(ctx.dtype(like), shape);
    ctx.network.add_param(&name, ty)
}

impl<'a> Ctx<'a> {
    /// A block of the layers that `fill` adds, with the results that it gives, and what else it
    /// gives.
    pub(in crate::import) fn block<T>(
        &mut self,
        fill: impl FnOnce(&mut Ctx<'a>) -> Result<(Values, T), OpError>,
    ) -> Result<(Block, T), OpError> {
        self.blocks.push(Block::default());
        let filled = fill(self).and_then(|(results, rest)| Ok((self.own(&results)?, rest)));
        let block = self.blocks.pop().unwrap_or_default();
        let (results, rest) = filled?;
        Ok((Block { results: results.into_vec(), ..block }, rest))
    }

    /// The values, or copies of those that no layer of the innermost block makes: TensorRT takes
    /// results only from layers inside.
    fn own(&mut self, values: &[ValueId]) -> Result<Values, OpError> {
        let layers = self.blocks.last().into_iter().flat_map(|block| &block.layers);
        let made: HashSet<ValueId> =
            layers.flat_map(|&id| self.network.layer(id).outputs.iter().copied()).collect();
        values
            .iter()
            .map(|&value| if made.contains(&value) { Ok(value) } else { self.copy(value) })
            .collect()
    }
}
