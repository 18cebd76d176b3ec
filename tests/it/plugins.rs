//! Nodes that TensorRT has plugins for compute what the plugins compute.

use crate::support::Model;
use onnx2plan::Kind;
use onnx2plan::eval;
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::pipeline;
use onnx2plan::tensor::Tensor;

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
