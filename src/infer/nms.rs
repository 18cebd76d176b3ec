//! The rule of NonMaxSuppression.

use super::InferError;
use super::ctx::{Ctx, Result, ensure, float, rank};
use super::elements::tracked;
use crate::network::layer::{Arg, NonMaxSuppression};
use crate::network::{Dim, Shape, ValueType};
use crate::tensor::DType;
use smallvec::{SmallVec, smallvec};

pub(super) fn non_max_suppression(
    ctx: &Ctx<'_>,
    layer: &NonMaxSuppression,
) -> Result<SmallVec<[ValueType; 2]>> {
    let named = [
        ("max_output_boxes", layer.max_output_boxes.input()),
        ("iou_threshold", layer.iou_threshold.input()),
        ("score_threshold", layer.score_threshold.input()),
    ];
    let [boxes, scores] = ctx.inputs_and(&named)?;
    float("boxes", boxes)?;
    ctx.same_type(boxes, scores)?;
    rank("scores", scores, 3)?;
    let (batch, count, classes, four) = match boxes.shape.as_slice() {
        [batch, count, four] => (batch, count, None, four),
        [batch, count, classes, four] => (batch, count, Some(classes), four),
        other => {
            return Err(InferError::Rank {
                what: "boxes",
                actual: other.len(),
                expected: "3 or 4".into(),
            });
        }
    };
    ctx.equal(four, &Dim::Known(4))?;
    if let [scores_batch, scores_count, scores_classes] = scores.shape.as_slice() {
        ctx.equal(batch, scores_batch)?;
        ctx.equal(count, scores_count)?;
        if let Some(classes) = classes.filter(|classes| **classes != Dim::Known(1)) {
            ctx.equal(classes, scores_classes)?;
        }
    }
    for ((what, at), dtype) in named.into_iter().zip([DType::I32, DType::F32, DType::F32]) {
        let Some(at) = at else { continue };
        let ty = ctx.arg(what, at)?;
        ensure(ty.dtype == dtype, || InferError::Type {
            what,
            actual: ty.dtype,
            expected: dtype.name(),
        })?;
        rank(what, ty, 0)?;
    }
    if let Arg::Static(most) = layer.max_output_boxes {
        ensure(most >= 0, || InferError::Value {
            what: "max_output_boxes",
            actual: most.to_string(),
            expected: "0 or more".into(),
        })?;
    }
    let found = ctx.fresh();
    Ok(smallvec![
        ValueType::new(DType::I32, Shape(vec![found.clone(), Dim::Known(3)])),
        tracked(DType::I32, Shape::default(), Some(vec![found])),
    ])
}
