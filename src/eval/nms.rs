//! `NonMaxSuppression`: boxes that do not overlap better ones.

use super::error::EvalError;
use super::operand::{integer, only, operand, reals};
use crate::network::layer::{Arg, BoundingBoxFormat, NonMaxSuppression};
use crate::tensor::Tensor;

/// Computes a `NonMaxSuppression` layer: `i32[n, 3]` of (batch, class, box) and their number.
///
/// Entries are ordered by batch, then by falling score.
pub(super) fn non_max_suppression(
    layer: &NonMaxSuppression,
    inputs: &[&Tensor],
) -> Result<[Tensor; 2], EvalError> {
    let (boxes, scores) = (operand(inputs, 0)?, operand(inputs, 1)?);
    let misfit = || EvalError::Shapes(boxes.dims().to_vec(), scores.dims().to_vec());
    // Boxes without an axis of classes are one for all classes.
    let (batches, count, sets) = match *boxes.dims() {
        [batches, count, 4] => (batches, count, 1),
        [batches, count, sets, 4] => (batches, count, sets),
        _ => return Err(misfit()),
    };
    let &[score_batches, score_count, classes] = scores.dims() else { return Err(misfit()) };
    if (score_batches, score_count) != (batches, count) || (sets != 1 && sets != classes) {
        return Err(misfit());
    }
    let limits = Limits::new(layer, inputs)?;
    let (corners, scores) = (reals(inputs, 0)?, reals(inputs, 1)?);
    let boxes: Vec<Corners> = corners
        .chunks_exact(4)
        .map(|c| Corners::new(layer.format, [c[0], c[1], c[2], c[3]]))
        .collect();
    let mut entries: Vec<i32> = Vec::new();
    for batch in 0..batches {
        let mut kept: Vec<(f32, usize, usize)> = Vec::new();
        for class in 0..classes {
            let score = |i: usize| scores[(batch * count + i) * classes + class];
            let candidate = |i: usize| &boxes[(batch * count + i) * sets + class % sets];
            kept.extend(
                limits.select(count, score, candidate).into_iter().map(|i| (score(i), class, i)),
            );
        }
        kept.sort_by(|a, b| b.0.total_cmp(&a.0));
        let entry = |x: usize| i32::try_from(x).unwrap_or(i32::MAX);
        entries.extend(
            kept.into_iter().flat_map(|(_, class, i)| [entry(batch), entry(class), entry(i)]),
        );
    }
    let number = entries.len() / 3;
    let number_tensor = Tensor::scalar(i32::try_from(number).unwrap_or(i32::MAX));
    Ok([Tensor::of(vec![number, 3], entries)?, number_tensor])
}

struct Limits {
    boxes: usize,
    considered: usize,
    iou: f32,
    score: f32,
}

impl Limits {
    fn new(layer: &NonMaxSuppression, inputs: &[&Tensor]) -> Result<Self, EvalError> {
        let real = |arg: &Arg<f32>| match *arg {
            Arg::Static(value) => Ok(value),
            Arg::Input(at) => only(&reals(inputs, at)?, inputs, at),
        };
        let boxes = match layer.max_output_boxes {
            Arg::Static(boxes) => boxes.into(),
            Arg::Input(at) => integer(inputs, at)?,
        };
        Ok(Self {
            // A negative number of boxes is none.
            boxes: usize::try_from(boxes).unwrap_or(0),
            considered: layer.top_k_box_limit,
            iou: real(&layer.iou_threshold)?,
            score: real(&layer.score_threshold)?,
        })
    }

    /// The boxes kept, best first; of equal scores the first box wins.
    fn select<'b>(
        &self,
        count: usize,
        score: impl Fn(usize) -> f32,
        corners: impl Fn(usize) -> &'b Corners,
    ) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).filter(|&i| score(i) > self.score).collect();
        order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
        order.truncate(self.considered);
        let mut kept: Vec<usize> = Vec::new();
        for i in order {
            if kept.len() == self.boxes {
                break;
            }
            if kept.iter().all(|&better| corners(better).overlap(corners(i)) <= self.iou) {
                kept.push(i);
            }
        }
        kept
    }
}

/// A box by its lower and upper corner.
struct Corners {
    low: [f32; 2],
    high: [f32; 2],
}

impl Corners {
    fn new(format: BoundingBoxFormat, [a, b, c, d]: [f32; 4]) -> Self {
        match format {
            // Any two opposite corners.
            BoundingBoxFormat::CornerPairs => {
                Self { low: [a.min(c), b.min(d)], high: [a.max(c), b.max(d)] }
            }
            BoundingBoxFormat::CenterSizes => {
                Self { low: [a - c / 2.0, b - d / 2.0], high: [a + c / 2.0, b + d / 2.0] }
            }
        }
    }

    fn area(&self) -> f32 {
        (self.high[0] - self.low[0]) * (self.high[1] - self.low[1])
    }

    /// Intersection over union; 0 for boxes without area.
    fn overlap(&self, other: &Self) -> f32 {
        let side =
            |i: usize| (self.high[i].min(other.high[i]) - self.low[i].max(other.low[i])).max(0.0);
        let intersection = side(0) * side(1);
        let union = self.area() + other.area() - intersection;
        if union > 0.0 { intersection / union } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer() -> NonMaxSuppression {
        NonMaxSuppression {
            format: BoundingBoxFormat::CornerPairs,
            max_output_boxes: Arg::Static(3),
            iou_threshold: Arg::Static(0.5),
            score_threshold: Arg::Static(0.0),
            top_k_box_limit: 5000,
        }
    }

    fn run(layer: &NonMaxSuppression, scores: &[f32], classes: usize) -> Vec<i32> {
        // The first two overlap by 1 / 1.2 and so on; the third, with corners swapped, overlaps
        // none.
        let boxes = [0.0, 0.0, 1.0, 1.0, 0.0, 0.1, 1.0, 1.1, 1.0, 11.0, 0.0, 10.0];
        let boxes = Tensor::of(vec![1, 3, 1, 4], boxes.to_vec()).unwrap();
        let scores = Tensor::of(vec![1, 3, classes], scores.to_vec()).unwrap();
        let [entries, number] = non_max_suppression(layer, &[&boxes, &scores]).unwrap();
        let values = entries.values::<i32>().unwrap().into_owned();
        assert_eq!(number, Tensor::scalar(i32::try_from(entries.dims()[0]).unwrap()));
        values
    }

    #[test]
    fn worse_boxes_that_overlap_are_dropped() {
        assert_eq!(run(&layer(), &[0.5, 0.9, 0.7], 1), [0, 0, 1, 0, 0, 2]);
        let loose = NonMaxSuppression { iou_threshold: Arg::Static(0.9), ..layer() };
        assert_eq!(run(&loose, &[0.5, 0.9, 0.7], 1), [0, 0, 1, 0, 0, 2, 0, 0, 0]);
        let strict = NonMaxSuppression { score_threshold: Arg::Static(0.7), ..layer() };
        assert_eq!(
            run(&strict, &[0.5, 0.9, 0.7], 1),
            [0, 0, 1],
            "a score must exceed the threshold"
        );
        let none = NonMaxSuppression { max_output_boxes: Arg::Static(0), ..layer() };
        assert!(run(&none, &[0.5, 0.9, 0.7], 1).is_empty());
        let first = NonMaxSuppression { top_k_box_limit: 1, ..layer() };
        assert_eq!(run(&first, &[0.5, 0.9, 0.7], 1), [0, 0, 1]);
    }

    #[test]
    fn classes_are_apart_and_come_by_score() {
        assert_eq!(run(&layer(), &[0.9, 0.1, 0.8, 0.2, 0.0, 0.95], 2), [0, 1, 2, 0, 0, 0, 0, 1, 1]);
    }

    #[test]
    fn shapes_must_fit() {
        let boxes = Tensor::of(vec![1, 2, 4], vec![0f32; 8]).unwrap();
        let scores = Tensor::of(vec![1, 3, 1], vec![0f32; 3]).unwrap();
        let error = non_max_suppression(&layer(), &[&boxes, &scores]).unwrap_err();
        assert_eq!(error, EvalError::Shapes(vec![1, 2, 4], vec![1, 3, 1]));
    }
}
