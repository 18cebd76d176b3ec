//! Plugins that choose boxes and pad what they give: EfficientNMS_TRT and BatchedNMS.
//!
//! Candidates are sorted by score, each is dropped if a better one that stays overlaps it, and what
//! stays moves to the front.

use super::plugin;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::Op;
use crate::import::error::OpError;
use crate::import::ops::boxes::{MOST_SORTED, Overlap, counted, overlap, sides, survivors};
use crate::network::layer::{
    ActivationType, Arg, ElementWiseOperation as Ew, Gather, GatherMode, ReduceOperation, TopK,
    TopKOperation, UnaryOperation as Un,
};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

pub(crate) const OPS: &[Op] = &[
    plugin("BatchedNMSDynamic_TRT", "boxes scores", batched),
    plugin("BatchedNMS_TRT", "boxes scores", batched),
    plugin("EfficientNMS_TRT", "boxes scores anchors?", efficient),
];

/// Boxes to choose from, sorted by falling score, in groups that do not see each other.
struct Candidates {
    /// `[groups, candidates, 4]`, by their corners.
    boxes: ValueId,
    /// `[groups, candidates]`
    scores: ValueId,
    /// The class of each; `None` where the groups are classes.
    classes: Option<ValueId>,
}

/// `EfficientNMS_TRT`, with layers of fixed size: of the candidates, which are all classes of all
/// boxes, the 3,840 best are looked at (the plugin takes 5,000). What is not needed of the outputs
/// is 0.
fn efficient(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let attrs = &node.attrs;
    let threshold = attrs.float_or("score_threshold", 0.25)?;
    let iou = attrs.float_or("iou_threshold", 0.5)?;
    let capacity = natural(node, "max_output_boxes", 100)?;
    let background = attrs.int_or("background_class", -1)?;
    let sigmoid = flag(node, "score_activation")?;
    let agnostic = flag(node, "class_agnostic")?;
    let centers = flag(node, "box_coding")?;
    let (boxes, scores) = (ctx.input(0)?, ctx.input(1)?);
    let classes = known(ctx, scores, 2, "the number of classes")?;
    let boxes = match ctx.maybe(2) {
        None => boxes,
        Some(anchors) => decoded(ctx, boxes, anchors, centers)?,
    };
    let scores = without(ctx, scores, background, classes)?;
    let sorted = best(ctx, boxes, scores, classes)?;
    let boxes = if centers { corners(ctx, sorted.boxes)? } else { sorted.boxes };
    let candidates = Candidates { boxes, ..sorted };
    let threshold = if sigmoid { logit(threshold) } else { threshold };
    let over = overlapping(ctx, &candidates, iou, agnostic)?;
    let good = at_least(ctx, candidates.scores, threshold)?;
    let stays = survivors(ctx, over, good)?;
    let mut chosen = Chosen::new(ctx, &candidates, stays, capacity)?;
    if sigmoid {
        let scores = ctx.activation(ActivationType::Sigmoid, 0.0, 0.0, chosen.scores)?;
        let zero = ctx.scalar(ctx.dtype(scores), 0.0)?;
        chosen.scores = ctx.select(chosen.real, scores, zero)?;
    }
    let classes = chosen.classes.ok_or_else(|| OpError::invalid("boxes without classes"))?;
    Ok(smallvec![chosen.count, chosen.boxes, chosen.scores, classes])
}

/// `BatchedNMSDynamic_TRT`: classes choose for themselves, then the best of all classes are taken.
/// What is not needed of the outputs is 0, of classes −1.
fn batched(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let named = Named(node);
    let threshold = named.float(&["scoreThreshold", "score_threshold"], 0.0)?;
    let iou = named.float(&["iouThreshold", "iou_threshold"], 0.5)?;
    let capacity = named.natural(&["keepTopK", "keep_topk", "max_output_boxes"], 100)?;
    let most = named.natural(&["topK", "topk"], MOST_SORTED)?.min(MOST_SORTED);
    let background =
        named.int(&["backgroundLabelId", "background_label_id", "background_class"], -1)?;
    let normalized = named.int(&["isNormalized", "is_normalized"], 1)? != 0;
    let clip = named.int(&["clipBoxes", "clip_boxes"], 1)? != 0;
    let caffe = named.int(&["caffeSemantics"], 1)? != 0;
    for unread in ["shareLocation", "numClasses", "num_classes", "scoreBits"] {
        // The shapes say the first two; the last is about speed.
        let _ = node.attrs.int(unread)?;
    }
    for (name, only) in [("box_coding", 0), ("score_activation", 0)] {
        let value = node.attrs.int_or(name, only)?;
        if value != only {
            return Err(OpError::Value { what: name, value: value.to_string(), supported: "0" });
        }
    }
    let (boxes, scores) = (ctx.input(0)?, ctx.input(1)?);
    let classes = known(ctx, scores, 2, "the number of classes")?;
    let scores = without(ctx, scores, background, classes)?;
    let (candidates, labels) = best_of_classes(ctx, boxes, scores, classes, most)?;
    let more = match (normalized, caffe) {
        (true, _) => [0.0, 0.0],
        (false, true) => [1.0, 1.0],
        (false, false) => [0.0, 1.0],
    };
    let sides = sides(ctx, candidates.boxes, false)?;
    let Overlap { shared, union } = overlap(ctx, sides, more)?;
    let allowed = ctx.binary_scalar(Ew::Prod, union, iou.into())?;
    let over = ctx.binary(Ew::Greater, shared, allowed)?;
    let limit = ctx.scalar(ctx.dtype(scores), threshold.into())?;
    let good = ctx.binary(Ew::Greater, candidates.scores, limit)?;
    let stays = survivors(ctx, over, good)?;
    let (all, stays) = together(ctx, &candidates, labels, stays, classes)?;
    let chosen = Chosen::new(ctx, &all, stays, capacity)?;
    let classes = chosen.classes.ok_or_else(|| OpError::invalid("boxes without classes"))?;
    let classes = ctx.cast(classes, ctx.dtype(chosen.scores))?;
    let none = ctx.scalar(ctx.dtype(classes), -1.0)?;
    let classes = ctx.select(chosen.real, classes, none)?;
    let boxes = if clip && normalized {
        ctx.activation(ActivationType::Clip, 0.0, 1.0, chosen.boxes)?
    } else {
        chosen.boxes
    };
    Ok(smallvec![chosen.count, boxes, chosen.scores, classes])
}

/// Attributes that go by several names.
struct Named<'n>(&'n Node);

impl Named<'_> {
    fn int(&self, names: &[&str], default: i64) -> Result<i64, OpError> {
        let mut value = None;
        for name in names {
            value = value.or(self.0.attrs.int(name)?);
        }
        Ok(value.unwrap_or(default))
    }

    fn float(&self, names: &[&str], default: f32) -> Result<f32, OpError> {
        let mut value = None;
        for name in names {
            value = value.or(self.0.attrs.float(name)?);
        }
        Ok(value.unwrap_or(default))
    }

    /// A count that is at least 1.
    fn natural(&self, names: &[&'static str], default: i64) -> Result<i64, OpError> {
        let value = self.int(names, default)?;
        let [what, ..] = names else { return Ok(value) };
        counts(what, value)
    }
}

fn natural(node: &Node, name: &'static str, default: i64) -> Result<i64, OpError> {
    counts(name, node.attrs.int_or(name, default)?)
}

fn counts(what: &'static str, value: i64) -> Result<i64, OpError> {
    if (1..=MOST_SORTED).contains(&value) {
        return Ok(value);
    }
    Err(OpError::Value { what, value: value.to_string(), supported: "1 to 3840" })
}

fn flag(node: &Node, name: &'static str) -> Result<bool, OpError> {
    match node.attrs.int_or(name, 0)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(OpError::Value { what: name, value: other.to_string(), supported: "0 and 1" }),
    }
}

fn known(ctx: &Ctx<'_>, value: ValueId, axis: usize, what: &'static str) -> Result<i64, OpError> {
    if ctx.rank(value) != 3 {
        return Err(OpError::invalid("input `scores` must have rank 3"));
    }
    let size = ctx.size(value, axis).and_then(|size| i64::try_from(size).ok());
    size.ok_or_else(|| ctx.open_size(what, value, axis))
}

/// The score of which the sigmoid is a threshold.
fn logit(threshold: f32) -> f32 {
    if threshold <= 0.0 { f32::MIN } else { (threshold / (1.0 - threshold)).ln() }
}

/// Boxes from what a network says of anchors: sums of corners; or centers moved by a share of the
/// anchor's size, and sizes times an exponential.
fn decoded(
    ctx: &mut Ctx<'_>,
    boxes: ValueId,
    anchors: ValueId,
    centers: bool,
) -> Result<ValueId, OpError> {
    let last = ctx.rank(boxes).saturating_sub(1);
    let anchors = match ctx.rank(boxes) {
        4 => ctx.unsqueeze(anchors, vec![2])?,
        _ => anchors,
    };
    let anchors = ctx.cast(anchors, ctx.dtype(boxes))?;
    if !centers {
        let (boxes, anchors) = (ordered(ctx, boxes, last)?, ordered(ctx, anchors, last)?);
        return ctx.binary(Ew::Sum, boxes, anchors);
    }
    let pair = |ctx: &mut Ctx<'_>, of: ValueId, from: i64| {
        let at = ctx.i64s(&[from, from + 1]);
        ctx.gather(of, at, last)
    };
    let (center, size) = (pair(ctx, boxes, 0)?, pair(ctx, boxes, 2)?);
    let (anchor, extent) = (pair(ctx, anchors, 0)?, pair(ctx, anchors, 2)?);
    let shift = ctx.binary(Ew::Prod, center, extent)?;
    let center = ctx.binary(Ew::Sum, shift, anchor)?;
    let size = ctx.unary(Un::Exp, size)?;
    let size = ctx.binary(Ew::Prod, size, extent)?;
    ctx.concat(&[center, size], last)
}

/// Corners with the lower numbers first.
fn ordered(ctx: &mut Ctx<'_>, boxes: ValueId, axis: usize) -> Result<ValueId, OpError> {
    let (first, second) = (ctx.i64s(&[0, 1]), ctx.i64s(&[2, 3]));
    let (first, second) = (ctx.gather(boxes, first, axis)?, ctx.gather(boxes, second, axis)?);
    let (low, high) = (ctx.binary(Ew::Min, first, second)?, ctx.binary(Ew::Max, first, second)?);
    ctx.concat(&[low, high], axis)
}

/// Corners of boxes `[groups, boxes, 4]` that are given by center and size.
fn corners(ctx: &mut Ctx<'_>, boxes: ValueId) -> Result<ValueId, OpError> {
    let [x, y] = sides(ctx, boxes, true)?;
    ctx.concat(&[x.0, y.0, x.1, y.1], 2)
}

/// Scores of which those of the background are lower than any.
fn without(
    ctx: &mut Ctx<'_>,
    scores: ValueId,
    background: i64,
    classes: i64,
) -> Result<ValueId, OpError> {
    if !(0..classes).contains(&background) {
        return Ok(scores);
    }
    let ignored: Vec<bool> = (0..classes).map(|class| class == background).collect();
    let dims = vec![1, 1, ignored.len()];
    let ignored = ctx.constant_value(Tensor::of_bools(dims, ignored)?);
    let none = ctx.filled(ctx.dtype(scores), lowest(ctx.dtype(scores)), 3)?;
    ctx.select(ignored, none, scores)
}

/// The lowest number of a type.
fn lowest(dtype: DType) -> f64 {
    if dtype == DType::F16 { half::f16::MIN.into() } else { f32::MIN.into() }
}

/// The best of all classes of all boxes, in one group per image.
fn best(
    ctx: &mut Ctx<'_>,
    boxes: ValueId,
    scores: ValueId,
    classes: i64,
) -> Result<Candidates, OpError> {
    let score_sizes = ctx.sizes(scores)?;
    let [batch, count, _] = score_sizes[..] else {
        return Err(OpError::invalid("input `scores` must have rank 3"));
    };
    let all = ctx.compute(Ew::Prod, count, classes)?;
    let scores = ctx.reshape_to(scores, &[batch, all])?;
    let (scores, places) = sorted(ctx, scores, MOST_SORTED)?;
    let class_count = ctx.filled(ctx.dtype(places), integer(classes)?, 2)?;
    let numbers = ctx.binary(Ew::FloorDiv, places, class_count)?;
    let whole = ctx.binary(Ew::Prod, numbers, class_count)?;
    let labels = ctx.binary(Ew::Sub, places, whole)?;
    let (boxes, at) = if ctx.rank(boxes) == 4 {
        let four = ctx.number(4);
        (ctx.reshape_to(boxes, &[batch, all, four])?, places)
    } else {
        (boxes, numbers)
    };
    let boxes = pick(ctx, boxes, at)?;
    Ok(Candidates { boxes, scores, classes: Some(labels) })
}

/// A count as a number of a layer.
fn integer(count: i64) -> Result<f64, OpError> {
    let count = i32::try_from(count).map_err(|_| OpError::invalid("a count is out of range"))?;
    Ok(count.into())
}

/// The best of each class, in one group per image and class; and the class of each group:
/// `i32[groups]`.
fn best_of_classes(
    ctx: &mut Ctx<'_>,
    boxes: ValueId,
    scores: ValueId,
    classes: i64,
    most: i64,
) -> Result<(Candidates, ValueId), OpError> {
    let score_sizes = ctx.sizes(scores)?;
    let [batch, count, _] = score_sizes[..] else {
        return Err(OpError::invalid("input `scores` must have rank 3"));
    };
    let (groups, four) = (ctx.compute(Ew::Prod, batch, classes)?, ctx.number(4));
    let class_count = ctx.number(classes);
    let scores = ctx.transpose(scores, vec![0, 2, 1])?;
    let scores = ctx.reshape_to(scores, &[groups, count])?;
    let boxes = if ctx.rank(boxes) == 3 { ctx.unsqueeze(boxes, vec![2])? } else { boxes };
    let boxes = ctx.transpose(boxes, vec![0, 2, 1, 3])?;
    let boxes = ctx.expand(boxes, &[batch, class_count, count, four])?;
    let boxes = ctx.reshape_to(boxes, &[groups, count, four])?;
    let (scores, places) = sorted(ctx, scores, most)?;
    let boxes = pick(ctx, boxes, places)?;
    let group = ctx.count_up(groups)?;
    let image = ctx.compute(Ew::FloorDiv, group, classes)?;
    let first = ctx.compute(Ew::Prod, image, classes)?;
    let labels = ctx.binary(Ew::Sub, group, first)?;
    let labels = ctx.cast(labels, DType::I32)?;
    Ok((Candidates { boxes, scores, classes: None }, labels))
}

/// What stays of all classes of an image, sorted by score; what does not stay comes last.
fn together(
    ctx: &mut Ctx<'_>,
    of: &Candidates,
    labels: ValueId,
    stays: ValueId,
    classes: i64,
) -> Result<(Candidates, ValueId), OpError> {
    let sizes = ctx.sizes(of.scores)?;
    let [groups, each] = sizes[..] else {
        return Err(OpError::invalid("scores that are no matrix"));
    };
    let labels = ctx.unsqueeze(labels, vec![1])?;
    let labels = ctx.expand(labels, &[groups, each])?;
    let batch = ctx.compute(Ew::FloorDiv, groups, classes)?;
    let all = ctx.compute(Ew::Prod, each, classes)?;
    let four = ctx.number(4);
    let none = ctx.filled(ctx.dtype(of.scores), lowest(ctx.dtype(of.scores)), 2)?;
    let scores = ctx.select(stays, of.scores, none)?;
    let scores = ctx.reshape_to(scores, &[batch, all])?;
    let (scores, places) = sorted(ctx, scores, MOST_SORTED)?;
    let boxes = ctx.reshape_to(of.boxes, &[batch, all, four])?;
    let boxes = pick(ctx, boxes, places)?;
    let labels = ctx.reshape_to(labels, &[batch, all])?;
    let labels = pick(ctx, labels, places)?;
    let stays = ctx.binary(Ew::Greater, scores, none)?;
    Ok((Candidates { boxes, scores, classes: Some(labels) }, stays))
}

/// The largest numbers of each row, falling, and their places in `i32`.
fn sorted(ctx: &mut Ctx<'_>, scores: ValueId, most: i64) -> Result<(ValueId, ValueId), OpError> {
    let (operation, axis) = (TopKOperation::Max, 1);
    let count = ctx.size_of(scores, 1)?;
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
fn pick(ctx: &mut Ctx<'_>, of: ValueId, places: ValueId) -> Result<ValueId, OpError> {
    let gather = Gather { mode: GatherMode::Default, axis: 1, element_wise_dims: 1 };
    ctx.add(gather, &[of, places])
}

/// Whether candidate i overlaps candidate j, of the same class, by the threshold or more:
/// `[groups, i, j]`. Boxes without an area overlap none.
fn overlapping(
    ctx: &mut Ctx<'_>,
    of: &Candidates,
    iou: f32,
    agnostic: bool,
) -> Result<ValueId, OpError> {
    let sides = sides(ctx, of.boxes, false)?;
    let Overlap { shared, union } = overlap(ctx, sides, [0.0, 0.0])?;
    let allowed = ctx.binary_scalar(Ew::Prod, union, iou.into())?;
    let within = ctx.binary(Ew::Less, shared, allowed)?;
    let mut over = ctx.unary(Un::Not, within)?;
    if iou > 0.0 {
        let zero = ctx.scalar(ctx.dtype(shared), 0.0)?;
        let some = ctx.binary(Ew::Greater, shared, zero)?;
        over = ctx.binary(Ew::And, over, some)?;
    }
    let Some(classes) = of.classes.filter(|_| !agnostic) else { return Ok(over) };
    let (i, j) = (ctx.unsqueeze(classes, vec![2])?, ctx.unsqueeze(classes, vec![1])?);
    let same = ctx.binary(Ew::Equal, i, j)?;
    ctx.binary(Ew::And, over, same)
}

fn at_least(ctx: &mut Ctx<'_>, scores: ValueId, threshold: f32) -> Result<ValueId, OpError> {
    let limit = ctx.scalar(ctx.dtype(scores), threshold.into())?;
    let less = ctx.binary(Ew::Less, scores, limit)?;
    ctx.unary(Un::Not, less)
}

/// The first of what stays, with zeros behind.
struct Chosen {
    /// `i32[groups, 1]`
    count: ValueId,
    /// `[groups, capacity, 4]`
    boxes: ValueId,
    /// `[groups, capacity]`, as are the others.
    scores: ValueId,
    /// `i32`
    classes: Option<ValueId>,
    /// Whether there is a box.
    real: ValueId,
}

impl Chosen {
    fn new(
        ctx: &mut Ctx<'_>,
        of: &Candidates,
        stays: ValueId,
        capacity: i64,
    ) -> Result<Self, OpError> {
        // What stays counts down from the first, what does not is 0: sorted, it comes to the front.
        let numbers = ctx.cast(stays, DType::I32)?;
        let rank = counted(ctx, stays, 1)?;
        let size = ctx.size_of(of.scores, 1)?;
        let more = ctx.compute(Ew::Sum, size, 1)?;
        let more = ctx.cast(more, DType::I32)?;
        let down = ctx.binary(Ew::Sub, more, rank)?;
        let key = ctx.binary(Ew::Prod, down, numbers)?;
        let key = ctx.cast(key, DType::F32)?;
        let key = padded(ctx, key, capacity)?;
        let k = usize::try_from(capacity)
            .map_err(|_| OpError::invalid("the capacity is out of range"))?;
        let first = TopK { operation: TopKOperation::Max, k: Arg::Static(k), axis: 1 };
        let outputs = ctx.add_all(first, &[key])?;
        let [keys, places] = outputs[..] else {
            return Err(OpError::invalid("a TopK layer without two outputs"));
        };
        let zero = ctx.scalar(DType::F32, 0.0)?;
        let real = ctx.binary(Ew::Greater, keys, zero)?;
        let found = ctx.cast(real, DType::I32)?;
        let count = ctx.reduce(ReduceOperation::Sum, found, vec![1], true)?;
        // Places in what was padded hold no box, and may lie beyond the candidates.
        let nowhere = ctx.filled(ctx.dtype(places), 0.0, 2)?;
        let places = ctx.select(real, places, nowhere)?;
        let mut take = |value: ValueId, is_real: ValueId| {
            let taken = pick(ctx, value, places)?;
            let nothing = ctx.filled(ctx.dtype(taken), 0.0, ctx.rank(taken))?;
            ctx.select(is_real, taken, nothing)
        };
        let scores = take(of.scores, real)?;
        let classes = of.classes.map(|classes| take(classes, real)).transpose()?;
        let boxed = ctx.unsqueeze(real, vec![2])?;
        let boxes = pick(ctx, of.boxes, places)?;
        let nothing = ctx.filled(ctx.dtype(boxes), 0.0, 3)?;
        let boxes = ctx.select(boxed, boxes, nothing)?;
        Ok(Self { count, boxes, scores, classes, real })
    }
}

/// A matrix with as many columns of zeros behind as any capacity may need.
fn padded(ctx: &mut Ctx<'_>, key: ValueId, capacity: i64) -> Result<ValueId, OpError> {
    if ctx.size(key, 1).and_then(|size| i64::try_from(size).ok()).is_some_and(|n| n >= capacity) {
        return Ok(key);
    }
    let sizes = ctx.sizes(key)?;
    let [groups, _] = sizes[..] else { return Err(OpError::invalid("keys that are no matrix")) };
    let (zeros, capacity) = (ctx.filled(DType::F32, 0.0, 2)?, ctx.number(capacity));
    let zeros = ctx.expand(zeros, &[groups, capacity])?;
    ctx.concat(&[key, zeros], 1)
}
