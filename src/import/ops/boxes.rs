//! Boxes that do not overlap better ones.

use crate::import::build::ctx::Ctx;
use crate::import::build::nested::{Iteration, Repeat};
use crate::import::build::numbers::Steps;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{
    Arg, BoundingBoxFormat, Cumulative, CumulativeOperation, ElementWiseOperation as Ew, Gather,
    GatherMode, LoopIterator, LoopOutput, NonMaxSuppression, SampleMode, Scatter, ScatterMode,
    TopK, TopKOperation, UnaryOperation as Un,
};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[onnx(
    "NonMaxSuppression",
    10..=NOW,
    "boxes scores max_output_boxes_per_class? iou_threshold? score_threshold?",
    non_max_suppression,
)];

/// The most boxes that TensorRT's layer considers (`INMSLayer::setTopKBoxLimit`).
const MOST_BOXES: usize = 5000;
/// The same, as the largest number of boxes that can be asked for.
const MOST_OUTPUT: f64 = 5000.0;
/// The most elements that a TopK layer gives.
pub(super) const MOST_SORTED: i64 = 3840;

/// The operands, with one batch entry per batch entry and class: ONNX orders by class, the layer by
/// score.
struct Suppression {
    /// `[groups, boxes, 4]`
    boxes: ValueId,
    /// `[groups, boxes]`
    scores: ValueId,
    /// Number of classes, of groups and of boxes: vectors of one.
    classes: ValueId,
    groups: ValueId,
    count: ValueId,
    centers: bool,
    /// The most boxes of a group, of rank 0.
    most: ValueId,
    iou: ValueId,
    score: ValueId,
}

/// `NonMaxSuppression`. Becomes NonMaxSuppression, whose output has a size that only the run knows;
/// with `--nms-fixed N` layers that give N rows, of which those that are not needed hold −1.
fn non_max_suppression(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let boxes = operands(ctx, node)?;
    match ctx.recipe.nms_fixed {
        None => layer(ctx, &boxes),
        Some(capacity) => fixed(ctx, &boxes, capacity.get().into()),
    }
}

fn operands(ctx: &mut Ctx<'_>, node: &Node) -> Result<Suppression, OpError> {
    let centers = match node.attrs.int_or("center_point_box", 0)? {
        0 => false,
        1 => true,
        other => return Err(OpError::invalid(format!("attribute `center_point_box` is {other}"))),
    };
    let (boxes, scores) = (ctx.input(0)?, ctx.input(1)?);
    let (box_sizes, score_sizes) = (ctx.sizes(boxes)?, ctx.sizes(scores)?);
    let (&[batch, _, four], &[_, classes, count]) = (&box_sizes[..], &score_sizes[..]) else {
        return Err(OpError::invalid("inputs `boxes` and `scores` must have rank 3"));
    };
    let groups = ctx.product(&[batch, classes])?;
    let boxes = ctx.unsqueeze(boxes, vec![1])?;
    let boxes = ctx.expand(boxes, &[batch, classes, count, four])?;
    let boxes = ctx.reshape_to(boxes, &[groups, count, four])?;
    let scores = ctx.reshape_to(scores, &[groups, count])?;
    let most = match ctx.maybe(2) {
        Some(most) => {
            let most = ctx.reshape(most, Vec::new())?;
            // "All of them" is often written as the largest i64, which i32 does not hold.
            let most = ctx.binary_scalar(Ew::Max, most, 0.0)?;
            let most = ctx.binary_scalar(Ew::Min, most, MOST_OUTPUT)?;
            ctx.cast(most, DType::I32)?
        }
        None => ctx.scalar(DType::I32, 0.0)?,
    };
    let threshold = |ctx: &mut Ctx<'_>, at: usize, default: f32| match ctx.maybe(at) {
        Some(threshold) => ctx.reshape(threshold, Vec::new()),
        None => Ok(ctx.constant_value(Tensor::scalar(default))),
    };
    // Without a threshold every score is good enough.
    let (iou, score) = (threshold(ctx, 3, 0.0)?, threshold(ctx, 4, f32::MIN)?);
    Ok(Suppression { boxes, scores, classes, groups, count, centers, most, iou, score })
}

/// One number of a tensor, if it is known.
fn known<T: crate::tensor::Element>(ctx: &Ctx<'_>, value: ValueId) -> Option<T> {
    ctx.constant(value)?.values::<T>()?.first().copied()
}

/// TensorRT's layer. Its rows are (group, 0, box).
fn layer(ctx: &mut Ctx<'_>, of: &Suppression) -> Result<Values, OpError> {
    match ctx.known(of.count).and_then(|count| usize::try_from(count).ok()) {
        Some(count) if count > MOST_BOXES => {
            return Err(OpError::Value {
                what: "the number of boxes",
                value: count.to_string(),
                supported: "5000",
            });
        }
        Some(_) => {}
        None => ctx.note("of more than 5000 boxes, TensorRT considers the 5000 best"),
    }
    let scores = ctx.unsqueeze(of.scores, vec![2])?;
    let mut inputs = Values::from_slice(&[of.boxes, scores]);
    let mut at = |value: ValueId| {
        inputs.push(value);
        inputs.len() - 1
    };
    let layer = NonMaxSuppression {
        format: if of.centers {
            BoundingBoxFormat::CenterSizes
        } else {
            BoundingBoxFormat::CornerPairs
        },
        max_output_boxes: known::<i32>(ctx, of.most)
            .map_or_else(|| Arg::Input(at(of.most)), Arg::Static),
        iou_threshold: known(ctx, of.iou).map_or_else(|| Arg::Input(at(of.iou)), Arg::Static),
        score_threshold: known(ctx, of.score).map_or_else(|| Arg::Input(at(of.score)), Arg::Static),
        top_k_box_limit: MOST_BOXES,
    };
    let rows = ctx.add_all(layer, &inputs)?;
    let rows = *rows
        .first()
        .ok_or_else(|| OpError::invalid("a NonMaxSuppression layer without output"))?;
    let rows = ctx.cast(rows, DType::I64)?;
    let (group, number) = (column(ctx, rows, 1, 0)?, column(ctx, rows, 1, 2)?);
    let [batch, class] = batch_and_class(ctx, group, of.classes)?;
    Ok(smallvec![ctx.concat(&[batch, class, number], 1)?])
}

/// Batch entry and class of a group.
fn batch_and_class(
    ctx: &mut Ctx<'_>,
    group: ValueId,
    classes: ValueId,
) -> Result<[ValueId; 2], OpError> {
    let batch = ctx.binary(Ew::FloorDiv, group, classes)?;
    let whole = ctx.binary(Ew::Prod, batch, classes)?;
    Ok([batch, ctx.binary(Ew::Sub, group, whole)?])
}

/// One index of an axis, which stays as an axis of size 1.
fn column(ctx: &mut Ctx<'_>, value: ValueId, axis: usize, at: i64) -> Result<ValueId, OpError> {
    let at = ctx.number(at);
    ctx.gather(value, at, axis)
}

/// The same by layers of fixed sizes: boxes sorted by score, each dropped if a better one that
/// stays overlaps it, and what stays moved to the front.
fn fixed(ctx: &mut Ctx<'_>, of: &Suppression, capacity: usize) -> Result<Values, OpError> {
    let (scores, places) = sorted(ctx, of)?;
    let boxes = pick(ctx, of.boxes, places)?;
    let over = overlaps(ctx, boxes, of)?;
    let good = ctx.binary(Ew::Greater, scores, of.score)?;
    let stays = survivors(ctx, over, good)?;
    let stays = limited(ctx, stays, of.most)?;
    compacted(ctx, of, stays, places, capacity).map(|rows| smallvec![rows])
}

/// Scores that fall and the places of their boxes: `[groups, sorted]` each.
fn sorted(ctx: &mut Ctx<'_>, of: &Suppression) -> Result<(ValueId, ValueId), OpError> {
    if let Some(count) = ctx.known(of.count).filter(|&count| count > MOST_SORTED) {
        return Err(OpError::Value {
            what: "the number of boxes",
            value: count.to_string(),
            supported: "3840",
        });
    }
    best(ctx, of.scores, MOST_SORTED, "boxes")
}

/// The best of each row, of so many at most, and their places in `i32`: scores that fall. A note
/// says what is left out where there may be more.
pub(super) fn best(
    ctx: &mut Ctx<'_>,
    scores: ValueId,
    most: i64,
    what: &str,
) -> Result<(ValueId, ValueId), OpError> {
    let count = ctx.size_of(scores, 1)?;
    if ctx.known(count).is_none_or(|count| count > most) {
        ctx.note(format!("of more than {most} {what}, the {most} best are considered"));
    }
    let (operation, axis) = (TopKOperation::Max, 1);
    let k = ctx.compute(Ew::Min, count, most)?;
    let outputs = match ctx.known(k).and_then(|k| usize::try_from(k).ok()) {
        Some(k) => ctx.add_all(TopK { operation, k: Arg::Static(k), axis }, &[scores])?,
        None => {
            let k = ctx.as_scalar(k)?;
            ctx.add_all(TopK { operation, k: Arg::Input(1), axis }, &[scores, k])?
        }
    };
    let [scores, places] = outputs[..] else {
        return Err(OpError::invalid("a TopK layer without two outputs"));
    };
    Ok((scores, places))
}

/// Entries along axis 1, at other places in each row.
pub(super) fn pick(ctx: &mut Ctx<'_>, of: ValueId, places: ValueId) -> Result<ValueId, OpError> {
    let gather = Gather { mode: GatherMode::Default, axis: 1, element_wise_dims: 1 };
    ctx.add(gather, &[of, places])
}

/// Whether box i overlaps box j by more than the threshold: `[groups, i, j]`.
fn overlaps(ctx: &mut Ctx<'_>, boxes: ValueId, of: &Suppression) -> Result<ValueId, OpError> {
    let sides = sides(ctx, boxes, of.centers)?;
    let Overlap { shared, union } = overlap(ctx, sides, [0.0, 0.0])?;
    let ratio = ctx.binary(Ew::Div, shared, union)?;
    ctx.binary(Ew::Greater, ratio, of.iou)
}

/// Low and high end of each side of boxes `[groups, boxes, 4]`.
pub(super) fn sides(
    ctx: &mut Ctx<'_>,
    boxes: ValueId,
    centers: bool,
) -> Result<[Side; 2], OpError> {
    let [a, b, c, d] = [0, 1, 2, 3].map(|at| column(ctx, boxes, 2, at));
    if centers {
        Ok([span(ctx, a?, c?)?, span(ctx, b?, d?)?])
    } else {
        Ok([ends(ctx, a?, c?)?, ends(ctx, b?, d?)?])
    }
}

/// Low and high end of a side.
pub(super) type Side = (ValueId, ValueId);

/// Areas of two boxes each: `[groups, i, j]`.
pub(super) struct Overlap {
    /// The area that both cover.
    pub(super) shared: ValueId,
    /// The area that at least one covers.
    pub(super) union: ValueId,
}

/// How boxes overlap. What two boxes share, and what each covers, is longer by so much on each
/// side: 1 where an end is the last pixel inside.
pub(super) fn overlap(
    ctx: &mut Ctx<'_>,
    sides: [Side; 2],
    [more_shared, more_covered]: [f64; 2],
) -> Result<Overlap, OpError> {
    let (mut shared, mut area): (Option<ValueId>, Option<ValueId>) = (None, None);
    for (low, high) in sides {
        let (low_j, high_j) =
            (ctx.transpose(low, vec![0, 2, 1])?, ctx.transpose(high, vec![0, 2, 1])?);
        let (from, to) = (ctx.binary(Ew::Max, low, low_j)?, ctx.binary(Ew::Min, high, high_j)?);
        let along = ctx.binary(Ew::Sub, to, from)?;
        let along = longer(ctx, along, more_shared)?;
        let along = ctx.binary_scalar(Ew::Max, along, 0.0)?;
        let length = ctx.binary(Ew::Sub, high, low)?;
        let length = longer(ctx, length, more_covered)?;
        shared = Some(shared.map_or(Ok(along), |shared| ctx.binary(Ew::Prod, shared, along))?);
        area = Some(area.map_or(Ok(length), |area| ctx.binary(Ew::Prod, area, length))?);
    }
    let (Some(shared), Some(area)) = (shared, area) else {
        return Err(OpError::invalid("a box without sides"));
    };
    let area_j = ctx.transpose(area, vec![0, 2, 1])?;
    let both = ctx.binary(Ew::Sum, area, area_j)?;
    Ok(Overlap { shared, union: ctx.binary(Ew::Sub, both, shared)? })
}

fn longer(ctx: &mut Ctx<'_>, length: ValueId, by: f64) -> Result<ValueId, OpError> {
    if by == 0.0 { Ok(length) } else { ctx.binary_scalar(Ew::Sum, length, by) }
}

/// Low and high end of a side that has two corners.
fn ends(ctx: &mut Ctx<'_>, a: ValueId, b: ValueId) -> Result<(ValueId, ValueId), OpError> {
    Ok((ctx.binary(Ew::Min, a, b)?, ctx.binary(Ew::Max, a, b)?))
}

/// Low and high end of a side that has a center and a length.
fn span(
    ctx: &mut Ctx<'_>,
    center: ValueId,
    length: ValueId,
) -> Result<(ValueId, ValueId), OpError> {
    let half = ctx.binary_scalar(Ew::Prod, length, 0.5)?;
    Ok((ctx.binary(Ew::Sub, center, half)?, ctx.binary(Ew::Sum, center, half)?))
}

/// Of good boxes in falling order, those that no better one that stays overlaps:
/// `bool[groups, sorted]`. A box that stays drops none before it, nor itself.
pub(super) fn survivors(
    ctx: &mut Ctx<'_>,
    over: ValueId,
    good: ValueId,
) -> Result<ValueId, OpError> {
    let count = ctx.size_of(over, 1)?;
    let numbers = ctx.count_up(count)?;
    let count = ctx.as_scalar(count)?;
    let (zero, one) = (ctx.scalar(DType::I64, 0.0)?, ctx.scalar(DType::I64, 1.0)?);
    let outputs = Repeat::new(Some(count), Some(count)).run(ctx, |ctx, repeat| {
        let row = repeat.iterate(ctx, over, LoopIterator { axis: 1, reverse: false })?;
        let stays = repeat.carry(ctx, good);
        let number = repeat.carry_number(ctx, zero);
        let at = ctx.unsqueeze(number, vec![0])?;
        let this = ctx.gather(stays, at, 1)?;
        let behind = ctx.binary(Ew::Less, at, numbers)?;
        let drops = ctx.binary(Ew::And, row, behind)?;
        let drops = ctx.binary(Ew::And, drops, this)?;
        let spared = ctx.unary(Un::Not, drops)?;
        let next =
            smallvec![ctx.binary(Ew::And, stays, spared)?, ctx.binary(Ew::Sum, number, one)?];
        Ok(Iteration {
            condition: None,
            next,
            outputs: vec![LoopOutput::LastValue(0)],
            collected: Values::new(),
        })
    })?;
    outputs.first().copied().ok_or_else(|| OpError::invalid("a loop without output"))
}

/// How many of the values before and at each place along an axis are true.
pub(super) fn counted(ctx: &mut Ctx<'_>, truths: ValueId, axis: usize) -> Result<ValueId, OpError> {
    let numbers = ctx.cast(truths, DType::I32)?;
    let sum =
        Cumulative { operation: CumulativeOperation::Sum, axis, exclusive: false, reverse: false };
    ctx.add(sum, &[numbers])
}

/// The first `most` of each group.
fn limited(ctx: &mut Ctx<'_>, stays: ValueId, most: ValueId) -> Result<ValueId, OpError> {
    let number = counted(ctx, stays, 1)?;
    let beyond = ctx.binary(Ew::Greater, number, most)?;
    let within = ctx.unary(Un::Not, beyond)?;
    ctx.binary(Ew::And, stays, within)
}

/// The rows of what stays in front of rows of −1: `i64[capacity, 3]`.
fn compacted(
    ctx: &mut Ctx<'_>,
    of: &Suppression,
    stays: ValueId,
    places: ValueId,
    capacity: usize,
) -> Result<ValueId, OpError> {
    let shape = ctx.sizes(stays)?;
    let all = ctx.product(&shape)?;
    let group = ctx.count_up(of.groups)?;
    let group = ctx.unsqueeze(group, vec![1])?;
    let [batch, class] = batch_and_class(ctx, group, of.classes)?;
    let number = ctx.cast(places, DType::I64)?;
    let (three, one) = (ctx.number(3), ctx.number(1));
    let mut columns = Values::new();
    for column in [batch, class, number] {
        let column = ctx.expand(column, &shape)?;
        columns.push(ctx.reshape_to(column, &[all, one])?);
    }
    let rows = ctx.concat(&columns, 1)?;

    let flat = ctx.reshape_to(stays, &[all])?;
    let rank = counted(ctx, flat, 0)?;
    let rank = ctx.cast(rank, DType::I64)?;
    let rank = ctx.compute(Ew::Sub, rank, 1)?;
    // What has no place goes into one more row, which is cut off.
    let last =
        i64::try_from(capacity).map_err(|_| OpError::invalid("the capacity is out of range"))?;
    let nowhere = ctx.number(last);
    let place = ctx.select(flat, rank, nowhere)?;
    let place = ctx.compute(Ew::Min, place, last)?;
    let place = ctx.unsqueeze(place, vec![1])?;
    let empty = ctx.filled(DType::I64, -1.0, 2)?;
    let more = ctx.number(last + 1);
    let empty = ctx.expand(empty, &[more, three])?;
    let filled = ctx.add(Scatter { mode: ScatterMode::Nd, axis: 0 }, &[empty, place, rows])?;
    let (zero, capacity) = (ctx.number(0), ctx.number(last));
    let mut steps = Steps::default();
    steps.push(zero, capacity, one);
    steps.push(zero, three, one);
    ctx.slice(filled, &steps, SampleMode::StrictBounds, None)
}
