//! One step of each recurrent operator.

use super::functions::Function;
use super::weights::Weights;
use crate::import::build::ctx::Ctx;
use crate::import::build::numbers::Steps;
use crate::import::error::OpError;
use crate::network::layer::{ElementWiseOperation as Ew, SampleMode};
use crate::network::{ValueId, Values};
use smallvec::smallvec;

/// Which operator, and its attributes that no other has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    Rnn,
    Gru {
        /// Whether the reset gate is applied behind the matrix product.
        linear_before_reset: bool,
    },
    Lstm {
        /// Whether the forget gate is 1 − the input gate.
        input_forget: bool,
    },
}

impl Cell {
    /// Number of gates, whose rows stand one behind the other in the weights.
    pub(super) const fn gates(self) -> usize {
        match self {
            Cell::Rnn => 1,
            Cell::Gru { .. } => 3,
            Cell::Lstm { .. } => 4,
        }
    }

    /// The functions of one direction where the node names none.
    pub(super) const fn functions(self) -> &'static [&'static str] {
        match self {
            Cell::Rnn => &["Tanh"],
            Cell::Gru { .. } => &["Sigmoid", "Tanh"],
            Cell::Lstm { .. } => &["Sigmoid", "Tanh", "Tanh"],
        }
    }

    /// Number of values carried from step to step.
    pub(super) const fn states(self) -> usize {
        match self {
            Cell::Rnn | Cell::Gru { .. } => 1,
            Cell::Lstm { .. } => 2,
        }
    }

    /// How many of the gates' recurrent biases can be added before the steps.
    pub(super) const fn early_biases(self) -> usize {
        match self {
            Cell::Gru { linear_before_reset: true } => 2,
            _ => self.gates(),
        }
    }
}

/// What all directions of an operator share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operator {
    pub cell: Cell,
    /// The axis of time in the input: 0 or 1, with the batch as the other one.
    pub time: usize,
    /// For each direction, whether it leads backwards.
    pub reverse: &'static [bool],
    /// The limit of what enters a function of a gate, on both sides of 0.
    pub clip: Option<f32>,
    /// `h`
    pub hidden: usize,
    /// `n`, as a number.
    pub batch: ValueId,
}

impl Operator {
    /// `d`
    pub(super) const fn directions(self) -> usize {
        self.reverse.len()
    }

    /// Whether the sequence is taken backwards and no other way.
    pub(super) const fn only_reverse(self) -> bool {
        matches!(self.reverse, [true])
    }
}

/// The weights and functions of a step.
#[derive(Debug)]
pub(super) struct Step {
    pub of: Operator,
    /// Those of each direction.
    pub functions: Vec<Vec<Function>>,
    /// `[d, gates·h, h]`
    pub recurrent: Weights,
    /// `[d, 1, h]` each: the recurrent biases that are not early.
    pub late_biases: Values,
    /// `[d, 1, h]` each, of the gates i, o, f; empty where there are none.
    pub peepholes: Values,
}

impl Step {
    /// The next state from the input's share of the gates `[d, n, gates·h]` and the current state,
    /// `[d, n, h]` each.
    ///
    /// The first state is the output.
    pub(super) fn next(
        &self,
        ctx: &mut Ctx<'_>,
        input: ValueId,
        state: &[ValueId],
    ) -> Result<Values, OpError> {
        let missing = || OpError::invalid("a recurrent operator without a state");
        match (self.of.cell, state) {
            (Cell::Rnn, &[h]) => self.rnn(ctx, input, h),
            (Cell::Gru { linear_before_reset: false }, &[h]) => self.gru(ctx, input, h),
            (Cell::Gru { linear_before_reset: true }, &[h]) => self.gru_reset_last(ctx, input, h),
            (Cell::Lstm { input_forget }, &[h, c]) => self.lstm(ctx, input, h, c, input_forget),
            _ => Err(missing()),
        }
    }

    /// H' = f(X + H·Rᵀ)
    fn rnn(&self, ctx: &mut Ctx<'_>, input: ValueId, h: ValueId) -> Result<Values, OpError> {
        let sum = plus_product(ctx, input, h, self.recurrent)?;
        Ok(smallvec![self.gate(ctx, sum, 0)?])
    }

    /// z, r = f(…), ĥ = g(X + (r ⊙ H)·Rᵀ), H' = (1 − z) ⊙ ĥ + z ⊙ H
    fn gru(&self, ctx: &mut Ctx<'_>, input: ValueId, h: ValueId) -> Result<Values, OpError> {
        let (first, last) =
            (self.recurrent.rows(ctx, self.of, 0, 2)?, self.recurrent.rows(ctx, self.of, 2, 1)?);
        let gates = self.part(ctx, input, 0, 2)?;
        let gates = plus_product(ctx, gates, h, first)?;
        let (z, r) = (self.part(ctx, gates, 0, 1)?, self.part(ctx, gates, 1, 1)?);
        let (z, r) = (self.gate(ctx, z, 0)?, self.gate(ctx, r, 0)?);
        let reset = ctx.binary(Ew::Prod, r, h)?;
        let candidate = self.part(ctx, input, 2, 1)?;
        let candidate = plus_product(ctx, candidate, reset, last)?;
        let candidate = self.gate(ctx, candidate, 1)?;
        between(ctx, z, candidate, h)
    }

    /// The same with ĥ = g(X + r ⊙ (H·Rᵀ + b)): one product for all gates.
    fn gru_reset_last(
        &self,
        ctx: &mut Ctx<'_>,
        input: ValueId,
        h: ValueId,
    ) -> Result<Values, OpError> {
        let product = self.recurrent.product(ctx, h)?;
        let gate = |ctx: &mut Ctx<'_>, at| {
            let (from_input, from_state) =
                (self.part(ctx, input, at, 1)?, self.part(ctx, product, at, 1)?);
            let sum = ctx.binary(Ew::Sum, from_input, from_state)?;
            self.gate(ctx, sum, 0)
        };
        let (z, r) = (gate(ctx, 0)?, gate(ctx, 1)?);
        let mut linear = self.part(ctx, product, 2, 1)?;
        for &bias in &self.late_biases {
            linear = ctx.binary(Ew::Sum, linear, bias)?;
        }
        let reset = ctx.binary(Ew::Prod, r, linear)?;
        let candidate = self.part(ctx, input, 2, 1)?;
        let candidate = ctx.binary(Ew::Sum, candidate, reset)?;
        let candidate = self.gate(ctx, candidate, 1)?;
        between(ctx, z, candidate, h)
    }

    /// i, f, o = f(…), ĉ = g(…), C' = f ⊙ C + i ⊙ ĉ, H' = o ⊙ h(C'). Clipping does not reach C'.
    fn lstm(
        &self,
        ctx: &mut Ctx<'_>,
        input: ValueId,
        h: ValueId,
        c: ValueId,
        input_forget: bool,
    ) -> Result<Values, OpError> {
        let sum = plus_product(ctx, input, h, self.recurrent)?;
        let gate = |ctx: &mut Ctx<'_>, at: usize, cell: ValueId, function| {
            let mut gate = self.part(ctx, sum, at, 1)?;
            if let Some(&peephole) = self.peepholes.get(at) {
                let peek = ctx.binary(Ew::Prod, peephole, cell)?;
                gate = ctx.binary(Ew::Sum, gate, peek)?;
            }
            self.gate(ctx, gate, function)
        };
        let i = gate(ctx, 0, c, 0)?;
        let f = if input_forget { one_minus(ctx, i)? } else { gate(ctx, 2, c, 0)? };
        let candidate = gate(ctx, 3, c, 1)?;
        let (kept, added) = (ctx.binary(Ew::Prod, f, c)?, ctx.binary(Ew::Prod, i, candidate)?);
        let c = ctx.binary(Ew::Sum, kept, added)?;
        // The output gate peeks at the new cell state.
        let o = gate(ctx, 1, c, 0)?;
        let shown = self.function(ctx, c, 2)?;
        Ok(smallvec![ctx.binary(Ew::Prod, o, shown)?, c])
    }

    /// The function at this position, of each direction its own.
    fn function(&self, ctx: &mut Ctx<'_>, x: ValueId, at: usize) -> Result<ValueId, OpError> {
        let functions: Option<Vec<Function>> =
            self.functions.iter().map(|functions| functions.get(at).copied()).collect();
        let functions =
            functions.ok_or_else(|| OpError::invalid("an activation function is missing"))?;
        if let [first, rest @ ..] = &*functions
            && rest.iter().all(|function| function == first)
        {
            return first.apply(ctx, x);
        }
        let (one, columns) = (ctx.number(1), ctx.size_of(x, 2)?);
        let mut parts = Values::new();
        for (direction, function) in functions.iter().enumerate() {
            let part = cut(ctx, x, &[(direction, one), (0, self.of.batch), (0, columns)])?;
            parts.push(function.apply(ctx, part)?);
        }
        ctx.concat(&parts, 0)
    }

    /// A function of a gate, of what is clipped first.
    fn gate(&self, ctx: &mut Ctx<'_>, mut x: ValueId, function: usize) -> Result<ValueId, OpError> {
        if let Some(clip) = self.of.clip {
            x = ctx.binary_scalar(Ew::Max, x, f64::from(-clip))?;
            x = ctx.binary_scalar(Ew::Min, x, f64::from(clip))?;
        }
        self.function(ctx, x, function)
    }

    /// Columns of `count` gates from gate `from` on.
    fn part(
        &self,
        ctx: &mut Ctx<'_>,
        gates: ValueId,
        from: usize,
        count: usize,
    ) -> Result<ValueId, OpError> {
        let (directions, size) =
            (size(ctx, self.of.directions())?, size(ctx, count * self.of.hidden)?);
        cut(ctx, gates, &[(0, directions), (0, self.of.batch), (from * self.of.hidden, size)])
    }
}

/// input + state · weightsᵀ
fn plus_product(
    ctx: &mut Ctx<'_>,
    input: ValueId,
    state: ValueId,
    weights: Weights,
) -> Result<ValueId, OpError> {
    let product = weights.product(ctx, state)?;
    ctx.binary(Ew::Sum, input, product)
}

/// 1 − x
fn one_minus(ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
    let one = ctx.filled(ctx.dtype(x), 1.0, ctx.rank(x))?;
    ctx.binary(Ew::Sub, one, x)
}

/// (1 − z) ⊙ a + z ⊙ b
fn between(ctx: &mut Ctx<'_>, z: ValueId, a: ValueId, b: ValueId) -> Result<Values, OpError> {
    let rest = one_minus(ctx, z)?;
    let (a, b) = (ctx.binary(Ew::Prod, rest, a)?, ctx.binary(Ew::Prod, z, b)?);
    Ok(smallvec![ctx.binary(Ew::Sum, a, b)?])
}

/// A size as a number.
pub(super) fn size(ctx: &mut Ctx<'_>, size: usize) -> Result<ValueId, OpError> {
    let number = i64::try_from(size).map_err(|_| OpError::invalid(format!("{size} is no size")))?;
    Ok(ctx.number(number))
}

/// A part of a value: first element and size along each axis.
pub(super) fn cut(
    ctx: &mut Ctx<'_>,
    value: ValueId,
    spans: &[(usize, ValueId)],
) -> Result<ValueId, OpError> {
    let mut steps = Steps::default();
    for &(start, size_of_part) in spans {
        let (start, stride) = (size(ctx, start)?, ctx.number(1));
        steps.push(start, size_of_part, stride);
    }
    ctx.slice(value, &steps, SampleMode::StrictBounds, None)
}
