//! Rules of loops and conditionals.
//!
//! The layers of nested blocks have been inferred before; here their parameters and results are
//! compared with what the enclosing layer hands in and takes out.

use super::InferError;
use super::ctx::{Ctx, Result, axis, boolean, count, ensure, index, rank, scalar_element};
use crate::network::layer::{Conditional, Loop, LoopOutput};
use crate::network::{Block, Dim, Network, ValueId, ValueType};
use smallvec::SmallVec;

type Outputs = SmallVec<[ValueType; 2]>;

pub(super) fn conditional(ctx: &Ctx<'_>, layer: &Conditional) -> Result<Outputs> {
    let [condition] = ctx.inputs()?;
    boolean("the condition", condition)?;
    rank("the condition", condition, 0)?;
    for block in [&layer.then_block, &layer.else_block] {
        count("the list of a branch's parameters", block.params.len(), 0)?;
    }
    let (then, other) = (
        types(ctx.network, &layer.then_block.results),
        types(ctx.network, &layer.else_block.results),
    );
    count("the list of the second branch's results", other.len(), then.len())?;
    let merge = |(a, b): (&&ValueType, &&ValueType)| {
        ensure(a.dtype == b.dtype && a.shape.rank() == b.shape.rank(), || {
            differ("results of the branches", a, b)
        })?;
        let sizes = a.shape.iter().zip(b.shape.iter());
        let shape = sizes.map(|(a, b)| if a == b { a.clone() } else { ctx.fresh() }).collect();
        let elements = a.elements.clone().filter(|_| a.elements == b.elements);
        Ok(ValueType { dtype: a.dtype, shape, elements })
    };
    then.iter().zip(&other).map(merge).collect()
}

fn types<'n>(network: &'n Network, values: &[ValueId]) -> Vec<&'n ValueType> {
    values.iter().map(|&value| &network.value(value).ty).collect()
}

fn differ(what: &'static str, a: &ValueType, b: &ValueType) -> InferError {
    let text = |ty: &ValueType| format!("{}{}", ty.dtype, ty.shape);
    InferError::Results { what, a: text(a), b: text(b) }
}

pub(super) fn repeat(ctx: &Ctx<'_>, layer: &Loop) -> Result<Outputs> {
    let parts = Parts::new(ctx, layer)?;
    if let Some(trip) = parts.trip {
        index("the trip count", trip)?;
        rank("the trip count", trip, 0)?;
    }
    if let Some(condition) = parts.condition {
        boolean("the loop's condition", condition)?;
        rank("the loop's condition", condition, 0)?;
    }
    for ((iterator, whole), slice) in layer.iterators.iter().zip(&parts.iterated).zip(&parts.slices)
    {
        axis(&whole.shape, iterator.axis)?;
        let mut shape = whole.shape.clone();
        shape.remove(iterator.axis);
        check_alike(
            ctx,
            "an iterator's slice and the parameter",
            &ValueType::new(whole.dtype, shape),
            slice,
        )?;
    }
    for ((initial, param), next) in parts.initial.iter().zip(&parts.current).zip(&parts.next) {
        check_alike(ctx, "a recurrence's initial value and the parameter", initial, param)?;
        check_alike(ctx, "a recurrence's next value and the parameter", next, param)?;
    }
    let mut collected = parts.collected.iter().zip(&parts.lengths);
    let rule = |(i, output): (usize, &LoopOutput)| match output {
        LoopOutput::LastValue(at) => {
            let param =
                parts.current.get(*at).ok_or_else(|| no_recurrence(*at, layer.recurrences))?;
            Ok(ValueType::new(param.dtype, param.shape.clone()))
        }
        LoopOutput::Concatenate { axis } | LoopOutput::Reverse { axis } => {
            let (result, length) = collected.next().ok_or_else(|| no_recurrence(i, 0))?;
            let mut shape = result.shape.clone();
            ensure(*axis <= shape.rank(), || InferError::Axis {
                axis: *axis,
                rank: shape.rank() + 1,
            })?;
            shape.insert(*axis, parts.length(ctx, length)?);
            Ok(ValueType::new(result.dtype, shape))
        }
    };
    layer.outputs.iter().enumerate().map(rule).collect()
}

fn no_recurrence(at: usize, recurrences: usize) -> InferError {
    InferError::Value {
        what: "the recurrence of a loop output",
        actual: at.to_string(),
        expected: format!("below {recurrences}"),
    }
}

fn check_alike(ctx: &Ctx<'_>, what: &'static str, a: &ValueType, b: &ValueType) -> Result<()> {
    let sizes = || a.shape.iter().zip(b.shape.iter());
    let alike = a.dtype == b.dtype
        && a.shape.rank() == b.shape.rank()
        && sizes().all(|(a, b)| ctx.unify(a, b).is_some());
    ensure(alike, || differ(what, a, b))
}

/// A loop's operands, parameters and results by what they are for.
struct Parts<'n> {
    trip: Option<&'n ValueType>,
    iterated: Vec<&'n ValueType>,
    initial: Vec<&'n ValueType>,
    lengths: Vec<&'n ValueType>,
    slices: Vec<&'n ValueType>,
    current: Vec<&'n ValueType>,
    condition: Option<&'n ValueType>,
    next: Vec<&'n ValueType>,
    collected: Vec<&'n ValueType>,
    /// Whether the condition may end the loop before the trip count is reached.
    may_stop: bool,
}

impl<'n> Parts<'n> {
    fn new(ctx: &Ctx<'n>, layer: &Loop) -> Result<Self> {
        let Loop {
            counted,
            capped: _,
            while_result,
            ref iterators,
            recurrences,
            ref outputs,
            ref body,
        } = *layer;
        ensure(counted || while_result, || InferError::Value {
            what: "the end of a loop",
            actual: "given neither by a count nor by a condition".into(),
            expected: "given by one of them".into(),
        })?;
        let collected =
            outputs.iter().filter(|output| !matches!(output, LoopOutput::LastValue(_))).count();
        let expected = [usize::from(counted), iterators.len(), recurrences, collected];
        let total =
            expected.iter().try_fold(0usize, |sum, n| sum.checked_add(*n)).unwrap_or(usize::MAX);
        let actual = ctx.types.len();
        ensure(actual == total, || InferError::Inputs {
            kind: ctx.kind,
            expected: total.to_string(),
            actual,
        })?;
        let Block { params, results, .. } = body;
        count("the list of the body's parameters", params.len(), iterators.len() + recurrences)?;
        count(
            "the list of the body's results",
            results.len(),
            usize::from(while_result) + recurrences + collected,
        )?;

        let mut inputs = ctx.types.iter().copied();
        let mut params = types(ctx.network, params).into_iter();
        let mut results = types(ctx.network, results).into_iter();
        Ok(Self {
            trip: if counted { inputs.next() } else { None },
            iterated: inputs.by_ref().take(iterators.len()).collect(),
            initial: inputs.by_ref().take(recurrences).collect(),
            lengths: inputs.collect(),
            slices: params.by_ref().take(iterators.len()).collect(),
            current: params.collect(),
            condition: if while_result { results.next() } else { None },
            next: results.by_ref().take(recurrences).collect(),
            collected: results.collect(),
            may_stop: while_result,
        })
    }

    /// Size of the axis along which an output is collected.
    fn length(&self, ctx: &Ctx<'_>, length: &ValueType) -> Result<Dim> {
        index("the length of a loop output", length)?;
        rank("the length of a loop output", length, 0)?;
        let trip = self.trip.filter(|_| !self.may_stop);
        let known = scalar_element(length).or_else(|| trip.and_then(scalar_element));
        Ok(known.cloned().unwrap_or_else(|| ctx.fresh()))
    }
}
