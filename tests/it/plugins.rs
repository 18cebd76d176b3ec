//! Nodes that TensorRT has plugins for compute what the plugins compute.

mod plain;

use crate::support::Model;
use half::f16;
use onnx2plan::Kind;
use onnx2plan::eval;
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::pipeline;
use onnx2plan::tensor::{DType, Tensor};
use plain::{Batched, Draw, Efficient, Kept};

fn run(model: &Model, inputs: &[Tensor]) -> Vec<Tensor> {
    let fitted = Fitted::standard(Caps::modern());
    let network =
        pipeline::prepare(&model.read().unwrap(), &fitted, Caps::modern()).unwrap().network;
    eval::run(&network, inputs).unwrap()
}

fn reals(tensor: &Tensor) -> Vec<f32> {
    tensor.to_f32s().unwrap().into_owned()
}

/// Three boxes of one image: the second overlaps the first by 0.8, the third none.
fn boxes() -> Tensor {
    let boxes = vec![0.0f32, 0.0, 10.0, 10.0, 0.0, 0.0, 10.0, 8.0, 20.0, 20.0, 30.0, 30.0];
    Tensor::of(vec![1, 3, 4], boxes).unwrap()
}

/// Scores of two classes.
fn scores() -> Tensor {
    Tensor::of(vec![1, 3, 2], vec![0.9f32, 0.2, 0.8, 0.7, 0.1, 0.6]).unwrap()
}

fn efficient(iou: f32, agnostic: i64) -> Vec<Tensor> {
    let model = Model::new(17)
        .input("boxes", "f32[1, 3, 4]")
        .input("scores", "f32[1, 3, 2]")
        .node("EfficientNMS_TRT", "boxes scores", "count kept best labels")
        .attr("score_threshold", 0.5)
        .attr("iou_threshold", iou)
        .attr("max_output_boxes", 5)
        .attr("class_agnostic", agnostic);
    let model =
        ["count", "kept", "best", "labels"].iter().fold(model, |m, name| m.output(name, ""));
    run(&model, &[boxes(), scores()])
}

#[test]
fn efficient_nms_drops_boxes_of_a_class_that_reach_the_threshold() {
    let outputs = efficient(0.5, 0);
    // 0.8 of class 0 goes, 0.7 of class 1 stays.
    assert_eq!(outputs[0].to_i64s().unwrap(), [3]);
    assert_eq!(reals(&outputs[2]), [0.9, 0.7, 0.6, 0.0, 0.0]);
    assert_eq!(outputs[3].to_i64s().unwrap(), [0, 1, 1, 0, 0]);
    assert_eq!(reals(&outputs[1])[4..8], [0.0, 0.0, 10.0, 8.0]);
    assert_eq!(reals(&outputs[1])[12..], [0.0; 8]);

    let outputs = efficient(0.5, 1);
    assert_eq!(outputs[0].to_i64s().unwrap(), [2]);
    assert_eq!(reals(&outputs[2]), [0.9, 0.6, 0.0, 0.0, 0.0]);

    // ONNX's operator drops what is beyond the threshold; the plugin also what is at it.
    let outputs = efficient(0.9, 0);
    assert_eq!(reals(&outputs[2]), [0.9, 0.8, 0.7, 0.6, 0.0]);
}

#[test]
fn batched_nms_fills_up_with_class_minus_one() {
    let model = Model::new(17)
        .input("boxes", "f32[1, 3, 4]")
        .input("scores", "f32[1, 3, 2]")
        .node("BatchedNMSDynamic_TRT", "boxes scores", "count kept best labels")
        .attr("backgroundLabelId", 1)
        .attr("numClasses", 2)
        .attr("topK", 3)
        .attr("keepTopK", 3)
        .attr("scoreThreshold", 0.8)
        .attr("iouThreshold", 0.5)
        .attr("clipBoxes", 1);
    let model =
        ["count", "kept", "best", "labels"].iter().fold(model, |m, name| m.output(name, ""));
    let outputs = run(&model, &[boxes(), scores()]);
    // 0.8 is not beyond the threshold.
    assert_eq!(outputs[0].to_i64s().unwrap(), [1]);
    assert_eq!(reals(&outputs[1])[..4], [0.0, 0.0, 1.0, 1.0]);
    assert_eq!(reals(&outputs[2]), [0.9, 0.0, 0.0]);
    assert_eq!(reals(&outputs[3]), [0.0, -1.0, -1.0]);
}

#[test]
fn deformable_attention_weighs_samples_of_each_image() {
    let model = Model::new(17)
        .input("value", "f32[1, 5, 1, 1]")
        .init("sizes", &[2, 2], &[2i64, 2, 1, 1])
        .init("starts", &[2], &[0i64, 4])
        .input("places", "f32[1, 1, 1, 2, 1, 2]")
        .input("weights", "f32[1, 1, 1, 2, 1]")
        .node("MultiscaleDeformableAttnPlugin_TRT", "value sizes starts places weights", "y")
        .output("y", "");
    let of = |dims: &[usize], values: &[f32]| Tensor::of(dims.to_vec(), values.to_vec()).unwrap();
    let value = of(&[1, 5, 1, 1], &[1.0, 2.0, 3.0, 4.0, 10.0]);
    // The middle of the first image is the mean of its elements; x comes before y. In the second,
    // a quarter of the only element is within reach.
    let places = of(&[1, 1, 1, 2, 1, 2], &[0.5, 0.5, 0.0, 0.0]);
    let weights = of(&[1, 1, 1, 2, 1], &[0.5, 2.0]);
    let outputs = run(&model, &[value, places, weights]);
    assert_eq!(reals(&outputs[0]), [0.5 * 2.5 + 2.0 * 2.5]);
}

#[test]
fn other_plugins_are_called_what_they_are() {
    let model = Model::new(17)
        .opset("TRT", 1)
        .input("x", "f32[1, 4]")
        .node("TRT.PyramidROIAlign_TRT", "x", "y")
        .output("y", "f32[1, 4]");
    let fitted = Fitted::standard(Caps::modern());
    let error = pipeline::prepare(&model.read().unwrap(), &fitted, Caps::modern()).unwrap_err();
    let said = error.to_string();
    let note = "it stands for a plugin, of TensorRT's own library or of another; docs/plugins.md \
                lists those that are converted";
    assert!(said.contains("TRT.PyramidROIAlign_TRT"), "{said}");
    assert!(said.contains(note), "{said}");
}

/// What stands in the way of images of these sizes from these places on.
fn images_refused(sizes: &[i64], starts: &[i64]) -> String {
    let (rows, count) = (i64::try_from(sizes.len() / 2), i64::try_from(starts.len()));
    let model = Model::new(17)
        .input("value", "f32[1, 5, 1, 1]")
        .init("sizes", &[rows.unwrap(), 2], sizes)
        .init("starts", &[count.unwrap()], starts)
        .input("places", "f32[1, 1, 1, 2, 1, 2]")
        .input("weights", "f32[1, 1, 1, 2, 1]")
        .node("MultiscaleDeformableAttnPlugin_TRT", "value sizes starts places weights", "y")
        .output("y", "");
    let fitted = Fitted::standard(Caps::modern());
    let error = pipeline::prepare(&model.read().unwrap(), &fitted, Caps::modern()).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    error.to_string()
}

#[test]
fn images_lie_within_their_sequence() {
    let beyond = |sizes: &[i64; 2], start: i64| {
        format!(
            "an image of sizes {sizes:?} from place {start} on is not within the 5 places of input \
             `value`"
        )
    };
    for (size, start) in [
        ([2, 2], 2),
        ([i64::MAX, i64::MAX], 0),
        ([1 << 31, 1 << 31], 0),
        ([1, 1], i64::MAX),
        ([1, 1], -1),
        ([0, 1], 0),
        ([-1, -1], 0),
    ] {
        let said = images_refused(&size, &[start]);
        assert!(said.contains(&beyond(&size, start)), "{said}");
    }
    let said = images_refused(&[2, 2, 1, 1], &[0]);
    let message = "1 starts and 4 sizes: an image has one start and two sizes";
    assert!(said.contains(message), "{said}");
}

/// Compares what a node gives with what each image should have: boxes, scores and classes, and
/// `filler` for the class of what is not needed.
fn assert_chosen(
    outputs: &[Tensor],
    images: &[Vec<Kept>],
    capacity: usize,
    filler: i64,
    seed: u32,
) {
    let counts: Vec<i64> = images.iter().map(|kept| i64::try_from(kept.len()).unwrap()).collect();
    assert_eq!(outputs[0].to_i64s().unwrap(), counts, "seed {seed}");
    let (boxes, scores) = (reals(&outputs[1]), reals(&outputs[2]));
    let classes: Vec<i64> = match outputs[3].to_i64s() {
        Some(classes) => classes,
        None => reals(&outputs[3]).iter().map(|&class| class as i64).collect(),
    };
    let close = |a: f32, b: f32| (a - b).abs() <= 1e-5 * b.abs().max(1.0);
    for (image, kept) in images.iter().enumerate() {
        for at in 0..capacity {
            let place = image * capacity + at;
            let (corners, score) = (&boxes[4 * place..4 * place + 4], scores[place]);
            let Some(kept) = kept.get(at) else {
                let empty = (corners, score, classes[place]);
                assert_eq!(empty, (&[0.0; 4][..], 0.0, filler), "seed {seed}");
                continue;
            };
            assert_eq!(classes[place], i64::try_from(kept.class).unwrap(), "seed {seed}");
            assert!(close(score, kept.score), "seed {seed}: {score}, not {}", kept.score);
            for (&a, b) in corners.iter().zip(kept.corners) {
                assert!(close(a, b), "seed {seed}: {corners:?}, not {:?}", kept.corners);
            }
        }
    }
}

/// Drawn boxes and scores: how many of each, and how they are laid out.
struct Drawn {
    batch: usize,
    count: usize,
    classes: usize,
    /// Boxes of each class, or one for all.
    own: usize,
    boxes: Vec<f32>,
    scores: Vec<f32>,
}

impl Drawn {
    fn new(draw: &mut Draw, centers: bool, scale: f32) -> Self {
        let (batch, count, classes) = (1 + draw.below(3), 4 + draw.below(20), 1 + draw.below(4));
        let own = if draw.below(2) == 0 { 1 } else { classes };
        let boxes = draw.boxes(batch * count * own, centers, scale);
        let scores = (0..batch * count * classes).map(|_| draw.next()).collect();
        Self { batch, count, classes, own, boxes, scores }
    }

    /// The candidates of an image, with corners as `corners` makes them of its boxes, by place.
    fn candidates(&self, image: usize, corners: &dyn Fn([f32; 4]) -> [f32; 4]) -> Vec<Kept> {
        let mut all = Vec::new();
        for at in 0..self.count {
            for class in 0..self.classes {
                let place = (image * self.count + at) * self.own + class.min(self.own - 1);
                let numbers = self.boxes[4 * place..4 * place + 4].try_into().unwrap();
                let score = self.scores[(image * self.count + at) * self.classes + class];
                all.push(Kept { score, class, corners: corners(numbers) });
            }
        }
        all
    }

    fn tensors(&self) -> [Tensor; 2] {
        let Self { batch, count, classes, own, .. } = *self;
        [
            Tensor::of(vec![batch, count, own, 4], self.boxes.clone()).unwrap(),
            Tensor::of(vec![batch, count, classes], self.scores.clone()).unwrap(),
        ]
    }

    fn model(&self, op: &str) -> Model {
        let Self { count, classes, own, .. } = self;
        Model::new(17)
            .input("boxes", &format!("f32[N, {count}, {own}, 4]"))
            .input("scores", &format!("f32[N, {count}, {classes}]"))
            .node(op, "boxes scores", "count kept best labels")
    }
}

fn with_outputs(model: Model) -> Model {
    ["count", "kept", "best", "labels"].iter().fold(model, |model, name| model.output(name, ""))
}

#[test]
fn efficient_nms_chooses_as_the_plugin_does() {
    for seed in 0..60 {
        let mut draw = Draw(seed);
        let (centers, sigmoid) = (draw.below(2) == 1, draw.below(2) == 1);
        let drawn = Drawn::new(&mut draw, centers, 1.0);
        let limit = [0.0, 0.3, 0.7, 1.0][draw.below(4)];
        let logit = |p: f32| if p <= 0.0 { f32::MIN } else { (p / (1.0 - p)).ln() };
        let options = Efficient {
            limit: if sigmoid { logit(limit) } else { limit },
            iou: [0.2, 0.5, 0.8][draw.below(3)],
            most: [2, 9, 120][draw.below(3)],
            agnostic: draw.below(2) == 1,
        };
        let background = [-1, 0, 9][draw.below(3)];
        let model = drawn
            .model("EfficientNMS_TRT")
            .attr("score_threshold", limit)
            .attr("iou_threshold", options.iou)
            .attr("max_output_boxes", i64::try_from(options.most).unwrap())
            .attr("background_class", background)
            .attr("score_activation", i64::from(sigmoid))
            .attr("class_agnostic", i64::from(options.agnostic))
            .attr("box_coding", i64::from(centers));
        let corners = |[x, y, w, h]: [f32; 4]| {
            if centers {
                [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0]
            } else {
                [x, y, w, h]
            }
        };
        let images = (0..drawn.batch).map(|image| {
            let mut candidates = drawn.candidates(image, &corners);
            candidates.retain(|of| i64::try_from(of.class).unwrap() != background);
            let mut kept = options.chosen(candidates);
            for of in kept.iter_mut().filter(|_| sigmoid) {
                of.score = 1.0 / (1.0 + (-of.score).exp());
            }
            kept
        });
        let images: Vec<Vec<Kept>> = images.collect();
        let outputs = run(&with_outputs(model), &drawn.tensors());
        assert_chosen(&outputs, &images, options.most, 0, seed);
    }
}

#[test]
fn batched_nms_chooses_as_the_plugin_does() {
    for seed in 0..60 {
        let mut draw = Draw(seed);
        let (normalized, caffe) = (draw.below(2) == 1, draw.below(2) == 1);
        let drawn = Drawn::new(&mut draw, false, if normalized { 1.0 } else { 50.0 });
        let options = Batched {
            limit: [0.0, 0.3, 0.7][draw.below(3)],
            iou: [0.2, 0.5, 0.8][draw.below(3)],
            top: [3, 4096][draw.below(2)],
            most: [2, 9][draw.below(2)],
            more: match (normalized, caffe) {
                (true, _) => [0.0; 2],
                (false, true) => [1.0; 2],
                (false, false) => [0.0, 1.0],
            },
        };
        let (background, clip) = ([-1, 0, 9][draw.below(3)], draw.below(2) == 1);
        let model = drawn
            .model("BatchedNMSDynamic_TRT")
            .attr("scoreThreshold", options.limit)
            .attr("iouThreshold", options.iou)
            .attr("topK", i64::try_from(options.top).unwrap())
            .attr("keepTopK", i64::try_from(options.most).unwrap())
            .attr("backgroundLabelId", background)
            .attr("isNormalized", i64::from(normalized))
            .attr("clipBoxes", i64::from(clip))
            .attr("caffeSemantics", i64::from(caffe));
        let images = (0..drawn.batch).map(|image| {
            let mut candidates = drawn.candidates(image, &|corners| corners);
            candidates.retain(|of| i64::try_from(of.class).unwrap() != background);
            let mut kept = options.chosen(&candidates, drawn.classes);
            for of in kept.iter_mut().filter(|_| clip) {
                of.corners = of.corners.map(|number| number.clamp(0.0, 1.0));
            }
            kept
        });
        let images: Vec<Vec<Kept>> = images.collect();
        let outputs = run(&with_outputs(model), &drawn.tensors());
        assert_chosen(&outputs, &images, options.most, -1, seed);
    }
}

#[test]
fn anchors_are_moved_as_their_coding_says() {
    let anchors = [0.5f32, 0.5, 0.2, 0.4];
    let model = |coding: i64| {
        let model = Model::new(17)
            .input("boxes", "f32[1, 1, 4]")
            .input("scores", "f32[1, 1, 1]")
            .init("anchors", &[1, 1, 4], &anchors)
            .node("EfficientNMS_TRT", "boxes scores anchors", "count kept best labels")
            .attr("max_output_boxes", 1)
            .attr("box_coding", coding);
        with_outputs(model)
    };
    let moves = Tensor::of(vec![1, 1, 4], vec![0.5f32, -0.25, 0.0, 2f32.ln()]).unwrap();
    let score = Tensor::of(vec![1, 1, 1], vec![0.9f32]).unwrap();
    let kept = |coding| reals(&run(&model(coding), &[moves.clone(), score.clone()])[1]);
    let expected = |numbers: [f32; 4], found: Vec<f32>| {
        let near = found.iter().zip(numbers).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(near, "{found:?}, not {numbers:?}");
    };
    // Center (0.5 + 0.5·0.2, 0.5 − 0.25·0.4), size (0.2·1, 0.4·2).
    expected([0.5, 0.0, 0.7, 0.8], kept(1));
    // The anchor's corners are (0.2, 0.4) and (0.5, 0.5), those of the moves (0, −0.25) and
    // (0.5, ln 2).
    expected([0.2, 0.15, 1.0, 0.5 + 2f32.ln()], kept(0));
}

/// Squares of 600 pixels, whose areas `f16` does not hold.
#[test]
fn large_boxes_in_half_precision_are_compared() {
    let boxes = [0.0f32, 0.0, 600.0, 600.0, 250.0, 0.0, 850.0, 600.0];
    let half = |values: &[f32], dims: Vec<usize>| {
        Tensor::of(dims, values.iter().map(|&value| f16::from_f32(value)).collect()).unwrap()
    };
    for (op, iou, count) in
        [("EfficientNMS_TRT", "iou_threshold", 2), ("BatchedNMSDynamic_TRT", "iouThreshold", 2)]
    {
        for (limit, count) in [(0.5f32, count), (0.4, 1)] {
            let model = Model::new(17)
                .input("boxes", "f16[1, 2, 1, 4]")
                .input("scores", "f16[1, 2, 1]")
                .node(op, "boxes scores", "count kept best labels")
                .attr(iou, limit)
                .attr("max_output_boxes", 2);
            let model = if op.starts_with('B') { model.attr("clipBoxes", 0) } else { model };
            let inputs = [half(&boxes, vec![1, 2, 1, 4]), half(&[0.9, 0.8], vec![1, 2, 1])];
            let outputs = run(&with_outputs(model), &inputs);
            assert_eq!(outputs[0].to_i64s().unwrap(), [count], "{op} {limit}");
            assert_eq!(outputs[1].dtype(), DType::F16);
        }
    }
}

/// Scales and biases are in `f32` whatever the data are.
#[test]
fn norms_take_half_precision() {
    let model = Model::new(17)
        .input("x", "f16[1, 2, 1, 2]")
        .init("scale", &[2], &[2.0f32, 1.0])
        .init("bias", &[2], &[0.0f32, 10.0])
        .node("GroupNormalizationPlugin", "x scale bias", "grouped")
        .attr("num_groups", 2)
        .attr("eps", 0.0)
        .node("InstanceNormalization_TRT", "x", "each")
        .attr("scales", [2.0, 1.0])
        .attr("bias", [0.0, 10.0])
        .attr("epsilon", 0.0)
        .output("grouped", "")
        .output("each", "");
    let x = [1.0f32, 3.0, 5.0, 9.0].map(f16::from_f32).to_vec();
    let outputs = run(&model, &[Tensor::of(vec![1, 2, 1, 2], x).unwrap()]);
    for output in outputs {
        assert_eq!(reals(&output), [-2.0, 2.0, 9.0, 11.0]);
    }
}

#[test]
fn shapes_that_do_not_fit_are_told() {
    let refused = |boxes: &str, scores: &str| {
        let model = Model::new(17)
            .input("boxes", boxes)
            .input("scores", scores)
            .node("EfficientNMS_TRT", "boxes scores", "count kept best labels")
            .attr("background_class", 0);
        let fitted = Fitted::standard(Caps::modern());
        let model = with_outputs(model).read().unwrap();
        pipeline::prepare(&model, &fitted, Caps::modern()).unwrap_err().to_string()
    };
    let fit = "they are [batch, count, 4], with an axis of size 1 or of classes before the last or \
               none, and [batch, count, classes]";
    for (boxes, scores, said) in [
        ("f32[1, 5, 4]", "f32[1, 6, 2]", fit),
        ("f32[1, 5, 7]", "f32[1, 5, 2]", fit),
        ("f32[1, 5, 3, 4]", "f32[1, 5, 2]", fit),
        ("f32[5, 4]", "f32[1, 5, 2]", "input `boxes` has rank 2; supported: 3 and 4"),
        ("f32[1, 5, 4]", "f32[5, 2]", "input `scores` has rank 2; supported: 3"),
        ("f32[1, 0, 4]", "f32[1, 0, 2]", "the number of boxes is 0; supported: 1 or more"),
        (
            "f32[1, 5, 4]",
            "f32[1, 5, 1099511627776]",
            "the number of classes is 1099511627776; supported: 1 to 65536",
        ),
    ] {
        let found = refused(boxes, scores);
        assert!(found.contains(said), "{found}");
    }
}
