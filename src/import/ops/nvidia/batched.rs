//! BatchedNMS: each class chooses for itself, then the best of all classes are taken.

use super::candidates::{Candidates, Chosen, Operands, capacity, lowest, threshold};
use super::plugin;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::Op;
use crate::import::error::OpError;
use crate::import::ops::boxes::{MOST_SORTED, Overlap, best, pick, survivors};
use crate::network::layer::{ActivationType, ElementWiseOperation as Ew};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

pub(crate) const OPS: &[Op] = &[
    plugin("BatchedNMSDynamic_TRT", "boxes scores", batched),
    plugin("BatchedNMS_TRT", "boxes scores", batched),
];

/// What the attributes say.
struct Attributes {
    threshold: f32,
    iou: f32,
    capacity: i64,
    /// The most candidates of a class.
    most: i64,
    background: i64,
    clip: bool,
    /// By how much areas are longer on each side: see [`Candidates::overlap`].
    more: [f64; 2],
}

impl Attributes {
    fn of(node: &Node) -> Result<Self, OpError> {
        let named = Named(node);
        let limit = named.float(&["scoreThreshold", "score_threshold"], 0.0)?;
        let iou = named.float(&["iouThreshold", "iou_threshold"], 0.5)?;
        let kept = named.int(&["keepTopK", "keep_topk", "max_output_boxes"], 100)?;
        let most = named.int(&["topK", "topk"], MOST_SORTED)?;
        if most < 1 {
            let (what, value) = ("attribute `topK`", most.to_string());
            return Err(OpError::Value { what, value, supported: "1 or more" });
        }
        let background =
            named.int(&["backgroundLabelId", "background_label_id", "background_class"], -1)?;
        let normalized = named.int(&["isNormalized", "is_normalized"], 1)? != 0;
        let caffe = named.int(&["caffeSemantics"], 1)? != 0;
        for unread in ["shareLocation", "numClasses", "num_classes", "scoreBits"] {
            // The shapes say the first three; the last is about speed.
            let _ = node.attrs.int(unread)?;
        }
        for name in ["box_coding", "score_activation"] {
            let value = node.attrs.int_or(name, 0)?;
            if value != 0 {
                let value = value.to_string();
                return Err(OpError::Value { what: name, value, supported: "0" });
            }
        }
        Ok(Self {
            threshold: limit,
            iou: threshold("attribute `iouThreshold`", iou)?,
            capacity: capacity("attribute `keepTopK`", kept)?,
            most: most.min(MOST_SORTED),
            background,
            clip: named.int(&["clipBoxes", "clip_boxes"], 1)? != 0,
            more: match (normalized, caffe) {
                (true, _) => [0.0, 0.0],
                (false, true) => [1.0, 1.0],
                (false, false) => [0.0, 1.0],
            },
        })
    }
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
}

/// `BatchedNMSDynamic_TRT`. What is not needed of the outputs is 0, of classes −1.
fn batched(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let attributes = Attributes::of(node)?;
    let operands = Operands::new(ctx)?;
    let classes = operands.classes;
    let background = if attributes.background < classes { attributes.background } else { -1 };
    let of_classes = by_class(ctx, &operands, attributes.most)?;
    let Overlap { shared, union } = of_classes.overlap(ctx, attributes.more)?;
    let allowed = ctx.binary_scalar(Ew::Prod, union, attributes.iou.into())?;
    let over = ctx.binary(Ew::Greater, shared, allowed)?;
    let scores = ctx.cast(of_classes.scores, DType::F32)?;
    let limit = ctx.filled(DType::F32, attributes.threshold.into(), 2)?;
    let good = ctx.binary(Ew::Greater, scores, limit)?;
    let good = of_classes.in_front(ctx, good, background)?;
    let stays = survivors(ctx, over, good)?;
    let (all, stays) = together(ctx, &of_classes, stays, classes)?;
    let Chosen { count, boxes, scores, labels, real } =
        all.chosen(ctx, stays, attributes.capacity)?;
    let labels = ctx.cast(labels, ctx.dtype(scores))?;
    let none = ctx.scalar(ctx.dtype(labels), -1.0)?;
    let labels = ctx.select(real, labels, none)?;
    let boxes = if attributes.clip {
        ctx.activation(ActivationType::Clip, 0.0, 1.0, boxes)?
    } else {
        boxes
    };
    Ok(smallvec![count, boxes, scores, labels])
}

/// The best of each class, in one group per image and class.
fn by_class(
    ctx: &mut Ctx<'_>,
    &Operands { boxes, scores, classes }: &Operands,
    most: i64,
) -> Result<Candidates, OpError> {
    let (batch, count) = (ctx.size_of(scores, 0)?, ctx.size_of(scores, 1)?);
    let (groups, four) = (ctx.compute(Ew::Prod, batch, classes)?, ctx.number(4));
    let class_count = ctx.number(classes);
    let scores = ctx.transpose(scores, vec![0, 2, 1])?;
    let scores = ctx.reshape_to(scores, &[groups, count])?;
    let boxes = if ctx.rank(boxes) == 3 { ctx.unsqueeze(boxes, vec![2])? } else { boxes };
    let boxes = ctx.transpose(boxes, vec![0, 2, 1, 3])?;
    let boxes = ctx.expand(boxes, &[batch, class_count, count, four])?;
    let boxes = ctx.reshape_to(boxes, &[groups, count, four])?;
    let (scores, places) = best(ctx, scores, most, "boxes of a class")?;
    let boxes = pick(ctx, boxes, places)?;
    let group = ctx.count_up(groups)?;
    let image = ctx.compute(Ew::FloorDiv, group, classes)?;
    let first = ctx.compute(Ew::Prod, image, classes)?;
    let labels = ctx.binary(Ew::Sub, group, first)?;
    let labels = ctx.cast(labels, DType::I32)?;
    let labels = ctx.unsqueeze(labels, vec![1])?;
    let each = ctx.size_of(scores, 1)?;
    let labels = ctx.expand(labels, &[groups, each])?;
    Ok(Candidates { boxes, scores, labels })
}

/// What stays of all classes of an image, sorted by score; what does not stay comes last.
fn together(
    ctx: &mut Ctx<'_>,
    of: &Candidates,
    stays: ValueId,
    classes: i64,
) -> Result<(Candidates, ValueId), OpError> {
    let (groups, each) = (ctx.size_of(of.scores, 0)?, ctx.size_of(of.scores, 1)?);
    let batch = ctx.compute(Ew::FloorDiv, groups, classes)?;
    let all = ctx.compute(Ew::Prod, each, classes)?;
    let four = ctx.number(4);
    let dtype = ctx.dtype(of.scores);
    let none = ctx.filled(dtype, lowest(dtype), 2)?;
    let scores = ctx.select(stays, of.scores, none)?;
    let scores = ctx.reshape_to(scores, &[batch, all])?;
    let (scores, places) = best(ctx, scores, MOST_SORTED, "boxes of an image that stay")?;
    let boxes = ctx.reshape_to(of.boxes, &[batch, all, four])?;
    let boxes = pick(ctx, boxes, places)?;
    let labels = ctx.reshape_to(of.labels, &[batch, all])?;
    let labels = pick(ctx, labels, places)?;
    let stays = ctx.binary(Ew::Greater, scores, none)?;
    Ok((Candidates { boxes, scores, labels }, stays))
}
