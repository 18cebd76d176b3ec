//! Parts of data, and data with a border.

use crate::import::build::axes::whole;
use crate::import::build::ctx::Ctx;
use crate::import::build::numbers::MAX_SIZE;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{ElementWiseOperation as Ew, SampleMode, UnaryOperation};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("CenterCropPad", 18..=NOW, "input_data shape", center_crop_pad),
    onnx("Pad", 1..=1, "data", |ctx, node| pad_attributes(ctx, node, "paddings")),
    onnx("Pad", 2..=10, "data", |ctx, node| pad_attributes(ctx, node, "pads")),
    onnx("Pad", 11..=17, "data pads constant_value?", pad),
    onnx("Pad", 18..=NOW, "data pads constant_value? axes?", pad),
    onnx("Slice", 1..=9, "data", slice_attributes),
    onnx("Slice", 10..=NOW, "data starts ends axes? steps?", slice),
    onnx("Split", 1..=1, "input split?", |ctx, node| match ctx.maybe(1) {
        Some(_) => split_input(ctx, node),
        None => split_attribute(ctx, node),
    }),
    onnx("Split", 2..=12, "input", split_attribute),
    onnx("Split", 13..=17, "input split?", split_input),
    onnx("Split", 18..=NOW, "input split?", split_count),
    onnx("Trilu", 14..=NOW, "input k?", trilu),
];

/// The axes that a list speaks of: those given, else the first ones.
fn axes_for(
    ctx: &Ctx<'_>,
    axes: Option<&[i64]>,
    count: usize,
    rank: usize,
) -> Result<Vec<usize>, OpError> {
    let axes = match axes {
        Some(axes) => {
            axes.iter().map(|&axis| ctx.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?
        }
        None => (0..count).collect(),
    };
    if axes.len() != count || axes.iter().any(|&axis| axis >= rank) {
        return Err(OpError::invalid(format!(
            "{count} entries for axes {axes:?} of data of rank {rank}"
        )));
    }
    if (1..axes.len()).any(|at| axes.iter().take(at).any(|axis| axes.get(at) == Some(axis))) {
        return Err(OpError::invalid(format!("an axis occurs twice in {axes:?}")));
    }
    Ok(axes)
}

/// `Slice` with its ends as attributes.
fn slice_attributes(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let list = |name: &str| {
        node.attrs
            .ints(name)?
            .ok_or_else(|| OpError::invalid(format!("attribute `{name}` is missing")))
    };
    let (starts, ends) = (ctx.fixed_numbers(list("starts")?), ctx.fixed_numbers(list("ends")?));
    slice_between(ctx, &starts, &ends, node.attrs.ints("axes")?, None)
}

/// `Slice`. Becomes Slice; what depends on unknown sizes is computed at run time. Steps are fixed.
fn slice(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (starts, ends) = (ctx.input(1)?, ctx.input(2)?);
    let (starts, ends) = (ctx.numbers(starts)?, ctx.numbers(ends)?);
    let (axes, steps) = (ctx.ints(3)?, ctx.ints(4)?);
    slice_between(ctx, &starts, &ends, axes.as_deref(), steps.as_deref())
}

fn slice_between(
    ctx: &mut Ctx<'_>,
    starts: &[ValueId],
    ends: &[ValueId],
    axes: Option<&[i64]>,
    steps: Option<&[i64]>,
) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let axes = axes_for(ctx, axes, starts.len(), ctx.rank(data))?;
    if ends.len() != starts.len() || steps.is_some_and(|steps| steps.len() != starts.len()) {
        return Err(OpError::invalid(format!(
            "`starts` has {} entries, `ends` or `steps` another number",
            starts.len()
        )));
    }
    let mut out = whole(ctx, data)?;
    for (at, (&axis, (&start, &end))) in axes.iter().zip(starts.iter().zip(ends)).enumerate() {
        let step = steps.and_then(|steps| steps.get(at)).copied().unwrap_or(1);
        let size = ctx.size_of(data, axis)?;
        let (start, count) = span(ctx, size, start, end, step)?;
        if let (Some(to), Some(of), Some(by)) =
            (out.start.get_mut(axis), out.size.get_mut(axis), out.stride.get_mut(axis))
        {
            *to = start;
            *of = count;
            *by = ctx.number(step);
        }
    }
    Ok(smallvec![ctx.slice(data, &out, SampleMode::StrictBounds, None)?])
}

/// First element and number of elements from `start` to before `end`, which may be negative or far
/// outside.
fn span(
    ctx: &mut Ctx<'_>,
    size: ValueId,
    start: ValueId,
    end: ValueId,
    step: i64,
) -> Result<(ValueId, ValueId), OpError> {
    if step == 0 || step == i64::MIN {
        return Err(OpError::invalid(format!("a step of {step}")));
    }
    let forward = step > 0;
    let low = if forward { 0 } else { -1 };
    // A start before the axis counts from its first element in both directions.
    let start = from_end(ctx, size, start, 0)?;
    let end = from_end(ctx, size, end, low)?;
    let (start, distance) = if forward {
        // A start beyond the end leaves nothing: no need to clamp it.
        let end = at_most(ctx, end, size)?;
        (start, ctx.binary(Ew::Sub, end, start)?)
    } else {
        let last = ctx.compute(Ew::Sub, size, 1)?;
        let (start, end) = (at_most(ctx, start, last)?, at_most(ctx, end, last)?);
        (start, ctx.binary(Ew::Sub, start, end)?)
    };
    let stride = ctx.number(step.abs());
    let count = ctx.ceil_div(distance, stride)?;
    Ok((start, ctx.at_least_zero(count)?))
}

/// A position with the axis' size added where it is negative, and `low` where it is still below
/// that.
fn from_end(
    ctx: &mut Ctx<'_>,
    size: ValueId,
    position: ValueId,
    low: i64,
) -> Result<ValueId, OpError> {
    match ctx.known(position) {
        Some(known) if known >= 0 => Ok(position),
        Some(known) if known < -MAX_SIZE => Ok(ctx.number(low)),
        Some(_) => {
            let wrapped = ctx.binary(Ew::Sum, position, size)?;
            not_below(ctx, wrapped, low)
        }
        None if ctx.dim(position).is_some_and(|dim| dim.is_nonnegative()) => Ok(position),
        None => {
            let wrapped = ctx.binary(Ew::Sum, position, size)?;
            let wrapped = not_below(ctx, wrapped, low)?;
            let negative = ctx.compute(Ew::Less, position, 0)?;
            ctx.select(negative, wrapped, position)
        }
    }
}

fn not_below(ctx: &mut Ctx<'_>, number: ValueId, low: i64) -> Result<ValueId, OpError> {
    if low == 0 { ctx.at_least_zero(number) } else { ctx.compute(Ew::Max, number, low) }
}

/// The smaller of a position and a bound; every position from `MAX_SIZE` on is beyond every bound.
fn at_most(ctx: &mut Ctx<'_>, position: ValueId, bound: ValueId) -> Result<ValueId, OpError> {
    match (ctx.dim(position), ctx.dim(bound)) {
        (Some(position), _) if position.known().is_some_and(|position| position >= MAX_SIZE) => {
            Ok(bound)
        }
        (Some(a), Some(b)) if a == b => Ok(bound),
        // From the end, or from the start by less than the smallest size: certainly inside.
        (Some(a), Some(b)) if ctx.is_at_most(&a, &b) => Ok(position),
        _ => ctx.binary(Ew::Min, position, bound),
    }
}

pub(super) fn split_axis(ctx: &Ctx<'_>, node: &Node) -> Result<(ValueId, usize), OpError> {
    let data = ctx.input(0)?;
    Ok((data, ctx.axis(node.attrs.int_or("axis", 0)?, ctx.rank(data))?))
}

/// `Split` with its sizes as an attribute.
fn split_attribute(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, axis) = split_axis(ctx, node)?;
    let sizes = match node.attrs.ints("split")? {
        Some(sizes) => ctx.fixed_numbers(sizes),
        None => equal_parts(ctx, data, axis, node.outputs.len())?,
    };
    split_into(ctx, node, data, axis, &sizes)
}

/// `Split` with its sizes as an input.
fn split_input(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, axis) = split_axis(ctx, node)?;
    let sizes = match ctx.maybe_numbers(1)? {
        Some(sizes) => sizes,
        None => equal_parts(ctx, data, axis, node.outputs.len())?,
    };
    split_into(ctx, node, data, axis, &sizes)
}

/// `Split` since opset 18: `num_outputs` parts of which the last may be smaller.
fn split_count(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let Some(count) = node.attrs.int("num_outputs")? else { return split_input(ctx, node) };
    if ctx.maybe(1).is_some() {
        return Err(OpError::invalid("both input `split` and attribute `num_outputs` are given"));
    }
    let (data, axis) = split_axis(ctx, node)?;
    let parts =
        usize::try_from(count).ok().filter(|&parts| parts == node.outputs.len() && parts > 0);
    let parts =
        parts.ok_or_else(|| OpError::invalid(format!("attribute `num_outputs` is {count}")))?;
    let size = ctx.size_of(data, axis)?;
    let divisor = ctx.number(count);
    let part = ctx.ceil_div(size, divisor)?;
    let before = ctx.compute(Ew::Prod, part, count - 1)?;
    let last = ctx.binary(Ew::Sub, size, before)?;
    let mut sizes = vec![part; parts - 1];
    sizes.push(last);
    split_into(ctx, node, data, axis, &sizes)
}

fn equal_parts(
    ctx: &mut Ctx<'_>,
    data: ValueId,
    axis: usize,
    parts: usize,
) -> Result<Vec<ValueId>, OpError> {
    let size = ctx.size_of(data, axis)?;
    let count = i64::try_from(parts)
        .ok()
        .filter(|&count| count > 0)
        .ok_or_else(|| OpError::invalid("has no outputs"))?;
    if let Some(size) = ctx.known(size).filter(|size| size % count != 0) {
        return Err(OpError::invalid(format!(
            "an axis of size {size} does not split into {count} equal parts"
        )));
    }
    Ok(vec![ctx.compute(Ew::FloorDiv, size, count)?; parts])
}

fn split_into(
    ctx: &mut Ctx<'_>,
    node: &Node,
    data: ValueId,
    axis: usize,
    sizes: &[ValueId],
) -> Result<Values, OpError> {
    if sizes.len() < node.outputs.len() {
        return Err(OpError::invalid(format!(
            "{} sizes for {} outputs",
            sizes.len(),
            node.outputs.len()
        )));
    }
    split_at(ctx, data, axis, sizes)
}

/// The data cut along an axis into parts of these sizes.
pub(super) fn split_at(
    ctx: &mut Ctx<'_>,
    data: ValueId,
    axis: usize,
    sizes: &[ValueId],
) -> Result<Values, OpError> {
    let known: Option<Vec<i64>> = sizes.iter().map(|&size| ctx.known(size)).collect();
    if let (Some(known), Some(size)) =
        (known, ctx.size(data, axis).and_then(|size| i64::try_from(size).ok()))
    {
        let sum = known.iter().try_fold(0i64, |sum, &n| sum.checked_add(n).filter(|_| n >= 0));
        if sum != Some(size) {
            return Err(OpError::invalid(format!(
                "an axis of size {size} does not split into {known:?}"
            )));
        }
    }
    let mut start = ctx.number(0);
    let mut outputs = Values::new();
    for &size in sizes {
        let mut steps = whole(ctx, data)?;
        if let (Some(to), Some(of)) = (steps.start.get_mut(axis), steps.size.get_mut(axis)) {
            *to = start;
            *of = size;
        }
        outputs.push(ctx.slice(data, &steps, SampleMode::StrictBounds, None)?);
        start = ctx.binary(Ew::Sum, start, size)?;
    }
    Ok(outputs)
}

/// `Pad` with its pads as an attribute.
fn pad_attributes(ctx: &mut Ctx<'_>, node: &Node, name: &str) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let pads = node
        .attrs
        .ints(name)?
        .ok_or_else(|| OpError::invalid(format!("attribute `{name}` is missing")))?;
    let pads = ctx.fixed_numbers(pads);
    let value = node.attrs.float_or("value", 0.0)?;
    let value = ctx.scalar(ctx.dtype(data), value.into())?;
    pad_with(ctx, node, &pads, None, Some(value))
}

/// `Pad`. Becomes Slice that starts before the data and ends behind it.
fn pad(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let pads = ctx.input(1)?;
    let pads = ctx.numbers(pads)?;
    let value = ctx.maybe(2).map(|value| ctx.as_scalar(value)).transpose()?;
    let axes = ctx.ints(3)?;
    pad_with(ctx, node, &pads, axes.as_deref(), value)
}

fn pad_with(
    ctx: &mut Ctx<'_>,
    node: &Node,
    pads: &[ValueId],
    axes: Option<&[i64]>,
    value: Option<ValueId>,
) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let axes = axes_for(ctx, axes, pads.len() / 2, ctx.rank(data))?;
    if !pads.len().is_multiple_of(2) {
        return Err(OpError::invalid(format!("there are {} pads, an odd number", pads.len())));
    }
    let (before, after) = pads.split_at(pads.len() / 2);
    let mode = match node.attrs.string_or("mode", "constant")? {
        "constant" => {
            return Ok(smallvec![padded(
                ctx,
                data,
                &axes,
                before,
                after,
                SampleMode::Fill,
                value
            )?]);
        }
        "reflect" => SampleMode::Reflect,
        "edge" => SampleMode::Clamp,
        // ONNX has it from opset 19 on, but PyTorch writes it at 18, and ONNX Runtime takes it.
        "wrap" if node.opset >= 18 => SampleMode::Wrap,
        other => return Err(OpError::invalid(format!("attribute `mode` is `{other}`"))),
    };
    // What a negative pad cuts off must not come back by reflection.
    let zero = ctx.number(0);
    let mut side = |list: &[ValueId], operation| -> Result<Vec<_>, OpError> {
        list.iter().map(|&pad| ctx.binary(operation, pad, zero)).collect()
    };
    let (cut_before, cut_after) = (side(before, Ew::Min)?, side(after, Ew::Min)?);
    let (before, after) = (side(before, Ew::Max)?, side(after, Ew::Max)?);
    let cut = padded(ctx, data, &axes, &cut_before, &cut_after, SampleMode::StrictBounds, None)?;
    Ok(smallvec![padded(ctx, cut, &axes, &before, &after, mode, None)?])
}

/// The data with elements added before and after some axes, or taken away by negative numbers.
fn padded(
    ctx: &mut Ctx<'_>,
    data: ValueId,
    axes: &[usize],
    before: &[ValueId],
    after: &[ValueId],
    mode: SampleMode,
    fill: Option<ValueId>,
) -> Result<ValueId, OpError> {
    let mut steps = whole(ctx, data)?;
    let zero = ctx.number(0);
    for (&axis, (&before, &after)) in axes.iter().zip(before.iter().zip(after)) {
        if let (Some(start), Some(size)) = (steps.start.get_mut(axis), steps.size.get_mut(axis)) {
            *start = ctx.binary(Ew::Sub, zero, before)?;
            let longer = ctx.binary(Ew::Sum, *size, before)?;
            let longer = ctx.binary(Ew::Sum, longer, after)?;
            *size = ctx.at_least_zero(longer)?;
        }
    }
    ctx.slice(data, &steps, mode, fill)
}

/// `CenterCropPad`. Becomes one Slice, which crops some axes and fills others with 0.
fn center_crop_pad(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, shape) = (ctx.input(0)?, ctx.input(1)?);
    let sizes = ctx.numbers(shape)?;
    let axes = axes_for(ctx, node.attrs.ints("axes")?, sizes.len(), ctx.rank(data))?;
    let mut steps = whole(ctx, data)?;
    for (&axis, &size) in axes.iter().zip(&sizes) {
        if let (Some(start), Some(of)) = (steps.start.get_mut(axis), steps.size.get_mut(axis)) {
            // Truncation rounds the crop down and the border before the data down.
            let beyond = ctx.binary(Ew::Sub, *of, size)?;
            *start = ctx.compute(Ew::Div, beyond, 2)?;
            *of = size;
        }
    }
    Ok(smallvec![ctx.slice(data, &steps, SampleMode::Fill, None)?])
}

/// `Trilu`: the data where column − row is on one side of k, else 0.
pub(super) fn trilu(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let upper = node.attrs.int_or("upper", 1)? != 0;
    let [.., rows, columns] = ctx.sizes(data)?[..] else {
        return Err(OpError::Rank {
            what: "input `input`",
            rank: ctx.rank(data),
            supported: "2 or more",
        });
    };
    let row = ctx.count_up(rows)?;
    let row = ctx.unsqueeze(row, vec![1])?;
    let diagonal = match ctx.maybe(1) {
        Some(k) => {
            let k = ctx.cast(k, DType::I64)?;
            ctx.binary(Ew::Sum, row, k)?
        }
        None => row,
    };
    let column = ctx.count_up(columns)?;
    let outside = ctx.binary(if upper { Ew::Less } else { Ew::Greater }, column, diagonal)?;
    let inside = ctx.unary(UnaryOperation::Not, outside)?;
    let zero = ctx.scalar(ctx.dtype(data), 0.0)?;
    Ok(smallvec![ctx.select(inside, data, zero)?])
}
