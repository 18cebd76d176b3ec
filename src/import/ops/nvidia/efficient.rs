//! EfficientNMS_TRT: the best boxes of an image, whatever their class.

use super::candidates::{Candidates, Operands, capacity, flag, threshold};
use super::plugin;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::Op;
use crate::import::error::OpError;
use crate::import::ops::boxes::{Overlap, sides, survivors};
use crate::network::layer::{ActivationType, ElementWiseOperation as Ew, UnaryOperation as Un};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use smallvec::smallvec;

pub(crate) const OPS: &[Op] = &[plugin("EfficientNMS_TRT", "boxes scores anchors?", efficient)];

/// `EfficientNMS_TRT`, with layers of fixed size: candidates, which are all classes of all boxes,
/// are sorted by score; each is dropped if a better one that stays overlaps it, and what stays
/// moves to the front. What is not needed of the outputs is 0.
fn efficient(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let attrs = &node.attrs;
    let limit = threshold("attribute `score_threshold`", attrs.float_or("score_threshold", 0.25)?)?;
    let iou = threshold("attribute `iou_threshold`", attrs.float_or("iou_threshold", 0.5)?)?;
    let most = attrs.int_or("max_output_boxes", 100)?;
    let most = capacity("attribute `max_output_boxes`", most)?;
    let background = attrs.int_or("background_class", -1)?;
    let sigmoid = flag(node, "score_activation", false)?;
    let agnostic = flag(node, "class_agnostic", false)?;
    let centers = flag(node, "box_coding", false)?;
    let mut operands = Operands::new(ctx)?;
    if let Some(anchors) = ctx.maybe(2) {
        operands.boxes = decoded(ctx, operands.boxes, anchors, centers)?;
    }
    let background = if background < operands.classes { background } else { -1 };
    let mut candidates = operands.without(ctx, background)?.best(ctx)?;
    if centers {
        candidates.boxes = corners(ctx, candidates.boxes)?;
    }
    let over = overlapping(ctx, &candidates, iou, agnostic)?;
    let limit = if sigmoid { logit(limit) } else { limit };
    let good = at_least(ctx, candidates.scores, limit)?;
    let good = candidates.in_front(ctx, good, background)?;
    let stays = survivors(ctx, over, good)?;
    let mut chosen = candidates.chosen(ctx, stays, most)?;
    if sigmoid {
        let scores = ctx.activation(ActivationType::Sigmoid, 0.0, 0.0, chosen.scores)?;
        let zero = ctx.scalar(ctx.dtype(scores), 0.0)?;
        chosen.scores = ctx.select(chosen.real, scores, zero)?;
    }
    Ok(smallvec![chosen.count, chosen.boxes, chosen.scores, chosen.labels])
}

/// The score of which the sigmoid is a threshold.
fn logit(threshold: f32) -> f32 {
    if threshold <= 0.0 {
        f32::MIN
    } else if threshold >= 1.0 {
        f32::INFINITY
    } else {
        (threshold / (1.0 - threshold)).ln()
    }
}

/// Boxes from what a network says of anchors: sums of corners; or centers moved by a share of the
/// anchor's size, and sizes times an exponential.
fn decoded(
    ctx: &mut Ctx<'_>,
    boxes: ValueId,
    anchors: ValueId,
    centers: bool,
) -> Result<ValueId, OpError> {
    let rank = ctx.rank(anchors);
    if rank != 3 {
        return Err(OpError::Rank { what: "input `anchors`", rank, supported: "3" });
    }
    let last = ctx.rank(boxes).saturating_sub(1);
    let anchors = if last == 3 { ctx.unsqueeze(anchors, vec![2])? } else { anchors };
    let anchors = ctx.cast(anchors, ctx.dtype(boxes))?;
    if !centers {
        let (boxes, anchors) = (ordered(ctx, boxes, last)?, ordered(ctx, anchors, last)?);
        return ctx.binary(Ew::Sum, boxes, anchors);
    }
    let (center, size) = halves(ctx, boxes, last)?;
    let (anchor, extent) = halves(ctx, anchors, last)?;
    let shift = ctx.binary(Ew::Prod, center, extent)?;
    let center = ctx.binary(Ew::Sum, shift, anchor)?;
    let size = ctx.unary(Un::Exp, size)?;
    let size = ctx.binary(Ew::Prod, size, extent)?;
    ctx.concat(&[center, size], last)
}

/// The first two numbers of each box, and the other two.
fn halves(ctx: &mut Ctx<'_>, boxes: ValueId, axis: usize) -> Result<(ValueId, ValueId), OpError> {
    let (first, second) = (ctx.i64s(&[0, 1]), ctx.i64s(&[2, 3]));
    Ok((ctx.gather(boxes, first, axis)?, ctx.gather(boxes, second, axis)?))
}

/// Corners with the lower numbers first.
fn ordered(ctx: &mut Ctx<'_>, boxes: ValueId, axis: usize) -> Result<ValueId, OpError> {
    let (first, second) = halves(ctx, boxes, axis)?;
    let (low, high) = (ctx.binary(Ew::Min, first, second)?, ctx.binary(Ew::Max, first, second)?);
    ctx.concat(&[low, high], axis)
}

/// Corners of boxes `[groups, boxes, 4]` that are given by center and size.
fn corners(ctx: &mut Ctx<'_>, boxes: ValueId) -> Result<ValueId, OpError> {
    let [x, y] = sides(ctx, boxes, true)?;
    ctx.concat(&[x.0, y.0, x.1, y.1], 2)
}

/// Whether candidate i overlaps candidate j, of the same class, by the threshold or more:
/// `[groups, i, j]`. Boxes without an area overlap none.
fn overlapping(
    ctx: &mut Ctx<'_>,
    of: &Candidates,
    iou: f32,
    agnostic: bool,
) -> Result<ValueId, OpError> {
    let Overlap { shared, union } = of.overlap(ctx, [0.0, 0.0])?;
    let allowed = ctx.binary_scalar(Ew::Prod, union, iou.into())?;
    let mut over = at_least_of(ctx, shared, allowed)?;
    if iou > 0.0 {
        let zero = ctx.scalar(ctx.dtype(shared), 0.0)?;
        let some = ctx.binary(Ew::Greater, shared, zero)?;
        over = ctx.binary(Ew::And, over, some)?;
    }
    if agnostic {
        return Ok(over);
    }
    let (i, j) = (ctx.unsqueeze(of.labels, vec![2])?, ctx.unsqueeze(of.labels, vec![1])?);
    let same = ctx.binary(Ew::Equal, i, j)?;
    ctx.binary(Ew::And, over, same)
}

/// Whether scores reach a limit, which what is no number does not.
fn at_least(ctx: &mut Ctx<'_>, scores: ValueId, limit: f32) -> Result<ValueId, OpError> {
    let limit = ctx.filled(ctx.dtype(scores), limit.into(), ctx.rank(scores))?;
    at_least_of(ctx, scores, limit)
}

fn at_least_of(ctx: &mut Ctx<'_>, a: ValueId, b: ValueId) -> Result<ValueId, OpError> {
    let (more, equal) = (ctx.binary(Ew::Greater, a, b)?, ctx.binary(Ew::Equal, a, b)?);
    ctx.binary(Ew::Or, more, equal)
}
