//! Sequences and optional values. No layer holds either: positions are known at build time, so each
//! use of a sequence becomes a use of the values in it, and nothing of it is left in the network.

use super::control::graph;
use super::slice::{split_at, split_axis};
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, with_lists};
use crate::import::build::operand::Operand;
use crate::import::error::OpError;
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::Tensor;

pub(super) const OPS: &[Op] = &[
    with_lists("ConcatFromSequence", 11..=NOW, "input_sequence", concat),
    with_lists("Optional", 15..=NOW, "input?", optional).ignoring(&["type"]),
    with_lists("OptionalGetElement", 15..=NOW, "input", get_element),
    with_lists("OptionalHasElement", 15..=NOW, "input?", has_element),
    with_lists("SequenceAt", 11..=NOW, "input_sequence position", at),
    with_lists("SequenceConstruct", 11..=NOW, "inputs*", construct),
    with_lists("SequenceEmpty", 11..=NOW, "", |_, _| list(Vec::new())).ignoring(&["dtype"]),
    with_lists("SequenceErase", 11..=NOW, "input_sequence position?", erase),
    with_lists("SequenceInsert", 11..=NOW, "input_sequence tensor position?", insert),
    with_lists("SequenceLength", 11..=NOW, "input_sequence", length),
    with_lists("SequenceMap", 17..=NOW, "input_sequence additional_inputs*", map),
    with_lists("SplitToSequence", 11..=NOW, "input split?", split),
];

/// The most values that a tensor is split into.
const MOST_PARTS: i64 = 1 << 12;

/// A sequence as the only output.
#[expect(clippy::unnecessary_wraps, reason = "the last call of handlers")]
fn list(values: Vec<ValueId>) -> Result<Vec<Operand>, OpError> {
    Ok(vec![Operand::List(values.into())])
}

/// The place in a sequence that an input names, counted from the end where it is negative; `None`
/// if left out.
///
/// There are `places`, and `length` values.
fn position(
    ctx: &Ctx<'_>,
    at: usize,
    length: usize,
    places: usize,
) -> Result<Option<usize>, OpError> {
    let Some(numbers) = ctx.ints(at)? else { return Ok(None) };
    let [position] = numbers[..] else {
        return Err(OpError::invalid(format!(
            "input `{}` is {numbers:?}, not one number",
            ctx.input_name(at)
        )));
    };
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let from_start = if position < 0 { position.saturating_add(length) } else { position };
    match usize::try_from(from_start) {
        Ok(place) if place < places => Ok(Some(place)),
        _ => {
            Err(OpError::invalid(format!("position {position} is outside a sequence of {length}")))
        }
    }
}

/// Refuses values of several types in one sequence.
fn alike(ctx: &Ctx<'_>, values: &[ValueId]) -> Result<(), OpError> {
    let types = || values.iter().map(|&value| ctx.dtype(value));
    match types().next().and_then(|first| Some((first, types().find(|&other| other != first)?))) {
        Some((first, other)) => {
            Err(OpError::invalid(format!("a sequence cannot hold both {first} and {other}")))
        }
        None => Ok(()),
    }
}

/// `SequenceConstruct`: the inputs.
fn construct(ctx: &mut Ctx<'_>, _: &Node) -> Result<Vec<Operand>, OpError> {
    let values = ctx.all_inputs()?;
    alike(ctx, &values)?;
    list(values.into_vec())
}

/// `SequenceInsert`: at the end where there is no position.
fn insert(ctx: &mut Ctx<'_>, _: &Node) -> Result<Vec<Operand>, OpError> {
    let (mut values, new) = (ctx.list(0)?.to_vec(), ctx.input(1)?);
    let place = position(ctx, 2, values.len(), values.len() + 1)?;
    values.insert(place.unwrap_or(values.len()), new);
    alike(ctx, &values)?;
    list(values)
}

/// `SequenceErase`: the last where there is no position.
fn erase(ctx: &mut Ctx<'_>, _: &Node) -> Result<Vec<Operand>, OpError> {
    let mut values = ctx.list(0)?.to_vec();
    let place = position(ctx, 1, values.len(), values.len())?;
    let place = place
        .or(values.len().checked_sub(1))
        .ok_or_else(|| OpError::invalid("the sequence is empty"))?;
    values.remove(place);
    list(values)
}

/// `SequenceAt`: the value at a position.
fn at(ctx: &mut Ctx<'_>, _: &Node) -> Result<Vec<Operand>, OpError> {
    let values = ctx.list(0)?;
    let place = position(ctx, 1, values.len(), values.len())?;
    let value = place.and_then(|place| values.get(place).copied());
    Ok(Operand::of([value.ok_or_else(|| OpError::invalid("input `position` is missing"))?]))
}

/// `SequenceLength`: a number known at build time.
fn length(ctx: &mut Ctx<'_>, _: &Node) -> Result<Vec<Operand>, OpError> {
    let length = i64::try_from(ctx.list(0)?.len()).unwrap_or(i64::MAX);
    Ok(Operand::of([ctx.constant_value(Tensor::scalar(length))]))
}

/// `ConcatFromSequence`. Becomes Concatenation, along a new axis after Unsqueeze where `new_axis`
/// is 1.
fn concat(ctx: &mut Ctx<'_>, node: &Node) -> Result<Vec<Operand>, OpError> {
    let axis =
        node.attrs.int("axis")?.ok_or_else(|| OpError::invalid("attribute `axis` is missing"))?;
    let stacks = node.attrs.int_or("new_axis", 0)? != 0;
    let values = ctx.list(0)?;
    let rank = values.iter().map(|&value| ctx.rank(value)).max();
    let rank = rank.ok_or_else(|| OpError::invalid("the sequence is empty"))?;
    let axis = ctx.axis(axis, rank + usize::from(stacks))?;
    let parts = values
        .iter()
        .map(|&value| if stacks { ctx.unsqueeze(value, vec![axis]) } else { Ok(value) });
    let parts = parts.collect::<Result<Values, _>>()?;
    Ok(Operand::of([ctx.concat(&parts, axis)?]))
}

/// `SplitToSequence`: into parts of the sizes given, or of one size with a smaller last part, or
/// into slices of size 1, without their axis where `keepdims` is 0. Becomes one Slice each.
fn split(ctx: &mut Ctx<'_>, node: &Node) -> Result<Vec<Operand>, OpError> {
    let (data, axis) = split_axis(ctx, node)?;
    let keeps = node.attrs.int_or("keepdims", 1)? != 0;
    let single = ctx.maybe(1).is_none();
    let sizes = match ctx.maybe(1) {
        Some(sizes) if ctx.rank(sizes) == 1 => ctx.numbers(sizes)?,
        Some(_) => equal(
            ctx,
            data,
            axis,
            ctx.ints(1)?.and_then(|size| size.first().copied()).unwrap_or_default(),
        )?,
        None => equal(ctx, data, axis, 1)?,
    };
    let parts = split_at(ctx, data, axis, &sizes)?;
    if keeps || !single {
        return list(parts.into_vec());
    }
    list(parts.into_iter().map(|part| ctx.squeeze(part, vec![axis])).collect::<Result<_, _>>()?)
}

/// Sizes of parts of one size, of which the last may be smaller.
fn equal(
    ctx: &mut Ctx<'_>,
    data: ValueId,
    axis: usize,
    part: i64,
) -> Result<Vec<ValueId>, OpError> {
    let size = ctx.size(data, axis).and_then(|size| i64::try_from(size).ok());
    let size = size
        .ok_or(OpError::Feature("a split into as many parts as an axis of unknown size needs"))?;
    if part < 1 {
        return Err(OpError::invalid(format!("input `split` is {part}")));
    }
    if size / part >= MOST_PARTS {
        return Err(OpError::Value {
            what: "the number of parts",
            value: (size / part).to_string(),
            supported: "4096",
        });
    }
    let starts = (0..size).step_by(usize::try_from(part).unwrap_or(usize::MAX));
    let sizes: Vec<i64> = starts.map(|start| part.min(size - start)).collect();
    Ok(ctx.fixed_numbers(&sizes))
}

/// `SequenceMap`. Becomes one copy of its body per element.
fn map(ctx: &mut Ctx<'_>, node: &Node) -> Result<Vec<Operand>, OpError> {
    let body = graph(node, "body")?;
    let length = ctx.list(0)?.len();
    let operands: Vec<Operand> = (0..node.inputs.len()).map(|at| ctx.operand(at)).collect();
    let mut columns = vec![Vec::with_capacity(length); body.outputs.len()];
    for place in 0..length {
        let argument = |operand: &Operand| match operand {
            Operand::List(values) => values.get(place).map(|&value| Operand::Value(value)),
            other => Some(other.clone()),
        };
        let arguments = operands.iter().map(argument).collect::<Option<Vec<_>>>();
        let arguments = arguments.ok_or_else(|| {
            OpError::invalid(format!("a sequence has fewer values than {length}"))
        })?;
        let outputs = ctx.inline_operands(body, &arguments)?;
        let outputs = Operand::values(&outputs, "an output of the body")?;
        columns.iter_mut().zip(outputs).for_each(|(column, value)| column.push(value));
    }
    Ok(columns.into_iter().map(|column| Operand::List(column.into())).collect())
}

/// `Optional`: its input, or nothing.
#[expect(clippy::unnecessary_wraps, reason = "the signature of all handlers")]
fn optional(ctx: &mut Ctx<'_>, _: &Node) -> Result<Vec<Operand>, OpError> {
    Ok(vec![match ctx.operand(0) {
        Operand::Absent => Operand::Nothing,
        operand => operand,
    }])
}

/// `OptionalGetElement`: what the optional value holds.
fn get_element(ctx: &mut Ctx<'_>, _: &Node) -> Result<Vec<Operand>, OpError> {
    match ctx.operand(0) {
        Operand::Nothing | Operand::Absent => {
            Err(OpError::invalid("the optional value holds nothing"))
        }
        operand => Ok(vec![operand]),
    }
}

/// `OptionalHasElement`: known at build time.
fn has_element(ctx: &mut Ctx<'_>, _: &Node) -> Result<Vec<Operand>, OpError> {
    let holds = !matches!(ctx.operand(0), Operand::Nothing | Operand::Absent);
    let holds = Tensor::of_bools(Vec::new(), [holds])?;
    Ok(Operand::of([ctx.constant_value(holds)]))
}
