//! What the plugins that choose boxes share: candidates sorted by score, and what stays of them
//! moved to the front.

use crate::import::build::ctx::Ctx;
use crate::import::error::OpError;
use crate::import::ops::boxes::{MOST_SORTED, Overlap, best, counted, overlap, pick, sides};
use crate::network::layer::{
    Arg, ElementWiseOperation as Ew, ReduceOperation, TopK, TopKOperation, UnaryOperation as Un,
};
use crate::network::{Dim, ValueId};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor};

/// The most classes: there is a number of a constant for each.
const MOST_CLASSES: i64 = 1 << 16;

/// What the plugins take.
pub(super) struct Operands {
    /// `[batch, count, 4]`, or `[batch, count, classes, 4]` where each class has its own.
    pub(super) boxes: ValueId,
    /// `[batch, count, classes]`
    pub(super) scores: ValueId,
    pub(super) classes: i64,
}

impl Operands {
    /// Inputs `boxes` and `scores`, whose sizes fit as far as they are known.
    pub(super) fn new(ctx: &mut Ctx<'_>) -> Result<Self, OpError> {
        let (mut boxes, mut scores) = (ctx.input(0)?, ctx.input(1)?);
        if ctx.rank(scores) == 4 && ctx.size(scores, 3) == Some(1) {
            scores = ctx.squeeze(scores, vec![3])?;
        }
        let rank = ctx.rank(scores);
        if rank != 3 {
            return Err(OpError::Rank { what: "input `scores`", rank, supported: "3" });
        }
        let rank = ctx.rank(boxes);
        if !(3..=4).contains(&rank) {
            return Err(OpError::Rank { what: "input `boxes`", rank, supported: "3 and 4" });
        }
        let size = |value: ValueId, axis: usize| ctx.shape(value).get(axis).and_then(Dim::known);
        let classes =
            size(scores, 2).ok_or_else(|| ctx.open_size("the number of classes", scores, 2))?;
        if !(1..=MOST_CLASSES).contains(&classes) {
            let (what, value) = ("the number of classes", classes.to_string());
            return Err(OpError::Value { what, value, supported: "1 to 65536" });
        }
        let (four, count, scored) = (size(boxes, rank - 1), size(boxes, 1), size(scores, 1));
        let own = if rank == 4 { size(boxes, 2) } else { Some(1) };
        let differs = |size: Option<i64>, other: i64| size.is_some_and(|size| size != other);
        if differs(four, 4)
            || scored.is_some_and(|scored| differs(count, scored))
            || differs(own, 1) && differs(own, classes)
        {
            let (boxes, scores) = (ctx.shape(boxes), ctx.shape(scores));
            return Err(OpError::invalid(format!(
                "input `boxes` is {boxes} and input `scores` {scores}; they are [batch, count, 4], \
                 with an axis of size 1 or of classes before the last or none, and [batch, count, \
                 classes]"
            )));
        }
        if count == Some(0) || scored == Some(0) {
            let (what, value) = ("the number of boxes", "0".to_owned());
            return Err(OpError::Value { what, value, supported: "1 or more" });
        }
        if rank == 4 && own == Some(1) {
            boxes = ctx.squeeze(boxes, vec![2])?;
        }
        Ok(Self { boxes, scores, classes })
    }

    /// The best of all classes of all boxes, in one group per image.
    pub(super) fn best(&self, ctx: &mut Ctx<'_>) -> Result<Candidates, OpError> {
        let &Self { boxes, scores, classes } = self;
        let (batch, count) = (ctx.size_of(scores, 0)?, ctx.size_of(scores, 1)?);
        let all = ctx.compute(Ew::Prod, count, classes)?;
        let scores = ctx.reshape_to(scores, &[batch, all])?;
        let (scores, places) = best(ctx, scores, MOST_SORTED, "candidates")?;
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
        Ok(Candidates { boxes: pick(ctx, boxes, at)?, scores, labels })
    }

    /// The same with scores of which those of the background are lower than any, so that it takes
    /// nobody's place.
    pub(super) fn without(self, ctx: &mut Ctx<'_>, background: i64) -> Result<Self, OpError> {
        if !(0..self.classes).contains(&background) {
            return Ok(self);
        }
        let ignored: Vec<bool> = (0..self.classes).map(|class| class == background).collect();
        let ignored = Tensor::of_bools(vec![1, 1, ignored.len()], ignored)?;
        let ignored = ctx.constant_value(ignored);
        let dtype = ctx.dtype(self.scores);
        let none = ctx.filled(dtype, lowest(dtype), 3)?;
        Ok(Self { scores: ctx.select(ignored, none, self.scores)?, ..self })
    }
}

/// The lowest number of a type.
pub(super) fn lowest(dtype: DType) -> f64 {
    if dtype == DType::F16 { half::f16::MIN.into() } else { f32::MIN.into() }
}

/// A count as a number of a layer.
fn integer(count: i64) -> Result<f64, OpError> {
    let count = i32::try_from(count).map_err(|_| OpError::invalid("a count is out of range"))?;
    Ok(count.into())
}

/// Boxes to choose from, sorted by falling score, in groups that do not see each other.
pub(super) struct Candidates {
    /// `[groups, candidates, 4]`, by their corners.
    pub(super) boxes: ValueId,
    /// `[groups, candidates]`
    pub(super) scores: ValueId,
    /// The class of each: `i32[groups, candidates]`.
    pub(super) labels: ValueId,
}

impl Candidates {
    /// The areas that each two boxes share and cover, in `f32` whatever the boxes are in: `f16`
    /// ends at a square of 256. `more` as for [`overlap`].
    pub(super) fn overlap(&self, ctx: &mut Ctx<'_>, more: [f64; 2]) -> Result<Overlap, OpError> {
        let boxes = ctx.cast(self.boxes, DType::F32)?;
        let sides = sides(ctx, boxes, false)?;
        overlap(ctx, sides, more)
    }

    /// Those of `good` that are not of the background.
    pub(super) fn in_front(
        &self,
        ctx: &mut Ctx<'_>,
        good: ValueId,
        background: i64,
    ) -> Result<ValueId, OpError> {
        if background < 0 {
            return Ok(good);
        }
        let background = ctx.filled(ctx.dtype(self.labels), integer(background)?, 2)?;
        let behind = ctx.binary(Ew::Equal, self.labels, background)?;
        let front = ctx.unary(Un::Not, behind)?;
        ctx.binary(Ew::And, good, front)
    }

    /// The first of those that stay.
    pub(super) fn chosen(
        &self,
        ctx: &mut Ctx<'_>,
        stays: ValueId,
        capacity: i64,
    ) -> Result<Chosen, OpError> {
        // What stays counts down from the first, what does not is 0: sorted, it comes to the front.
        let numbers = ctx.cast(stays, DType::I32)?;
        let rank = counted(ctx, stays, 1)?;
        let size = ctx.size_of(self.scores, 1)?;
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
        let (scores, labels) = (take(self.scores, real)?, take(self.labels, real)?);
        let boxed = ctx.unsqueeze(real, vec![2])?;
        let taken = pick(ctx, self.boxes, places)?;
        let nothing = ctx.filled(ctx.dtype(taken), 0.0, 3)?;
        let boxes = ctx.select(boxed, taken, nothing)?;
        Ok(Chosen { count, boxes, scores, labels, real })
    }
}

/// The first of what stays, with zeros behind.
pub(super) struct Chosen {
    /// `i32[groups, 1]`
    pub(super) count: ValueId,
    /// `[groups, capacity, 4]`
    pub(super) boxes: ValueId,
    /// `[groups, capacity]`, as are the others.
    pub(super) scores: ValueId,
    /// `i32`
    pub(super) labels: ValueId,
    /// Whether there is a box.
    pub(super) real: ValueId,
}

/// A matrix with as many columns of zeros behind as any capacity may need.
fn padded(ctx: &mut Ctx<'_>, key: ValueId, capacity: i64) -> Result<ValueId, OpError> {
    if ctx.shape(key).get(1).and_then(Dim::known).is_some_and(|count| count >= capacity) {
        return Ok(key);
    }
    let groups = ctx.size_of(key, 0)?;
    let (zeros, capacity) = (ctx.filled(DType::F32, 0.0, 2)?, ctx.number(capacity));
    let zeros = ctx.expand(zeros, &[groups, capacity])?;
    ctx.concat(&[key, zeros], 1)
}

/// A number of boxes that come out: no more than a layer sorts.
pub(super) fn capacity(what: &'static str, value: i64) -> Result<i64, OpError> {
    if (1..=MOST_SORTED).contains(&value) {
        return Ok(value);
    }
    Err(OpError::Value { what, value: value.to_string(), supported: "1 to 3840" })
}

/// A threshold that is a number from 0 on.
pub(super) fn threshold(what: &'static str, value: f32) -> Result<f32, OpError> {
    if value >= 0.0 {
        return Ok(value);
    }
    Err(OpError::Value { what, value: value.to_string(), supported: "0 and more" })
}

/// An attribute that is 0 or 1.
pub(super) fn flag(node: &Node, name: &'static str, default: bool) -> Result<bool, OpError> {
    match node.attrs.int_or(name, i64::from(default))? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(OpError::Value { what: name, value: other.to_string(), supported: "0 and 1" }),
    }
}
