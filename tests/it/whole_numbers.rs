//! Whole numbers stay whole: none of their digits is lost on the way through types that hold fewer.

use crate::support::Model;
use onnx2plan::eval;
use onnx2plan::network::Caps;
use onnx2plan::pipeline::{self, Options};
use onnx2plan::tensor::Tensor;

/// What a model computes on a library of today, and what is prepared for one of TensorRT 8 from narrower inputs.
fn run(model: &Model, options: Options, inputs: &[Tensor]) -> Vec<Tensor> {
    let network = pipeline::prepare(&model.read().unwrap(), &options).unwrap().network;
    eval::run(&network, inputs).unwrap()
}

fn modern(model: &Model, inputs: &[Tensor]) -> Tensor {
    run(model, Options::new(Caps::modern()), inputs).remove(0)
}

/// `y = Pow(x, e)` of inputs.
fn power(x: &str, e: &str) -> Model {
    Model::new(15).input("x", x).input("e", e).node("Pow", "x e", "y").output("y", "")
}

#[test]
fn a_known_exponent_multiplies() {
    let square = Model::new(15).input("x", "i64[3]").init("e", &[], &[2i64]).node("Pow", "x e", "y").output("y", "");
    let x = Tensor::vector(&[3_037_000_499i64, -70_000, 12]);
    assert_eq!(modern(&square, &[x]), Tensor::vector(&[9_223_372_030_926_249_001i64, 4_900_000_000, 144]));

    let known = Model::new(15).input("x", "i64[2]").init("k", &[2], &[5001i64, -4097]).init("e", &[1], &[3f32]);
    let known = known.node("Pow", "k e", "p").node("Add", "p x", "y").output("y", "");
    let x = Tensor::vector(&[0i64, 0]);
    assert_eq!(modern(&known, &[x]), Tensor::vector(&[125_075_015_001i64, -68_769_820_673]));
}

#[test]
fn an_exponent_of_the_run_says_how_often() {
    let x = Tensor::vector(&[5001i64, 7, -3, 0, 2, 10]);
    let e = Tensor::vector(&[2i64, 9, 39, 0, 62, 1]);
    let expected = [25_010_001i64, 40_353_607, -4_052_555_153_018_976_267, 1, 1 << 62, 10];
    assert_eq!(modern(&power("i64[6]", "i64[6]"), &[x, e]), Tensor::vector(&expected));

    // The base's type is the result's; operands broadcast.
    let x = Tensor::of(vec![2, 1], vec![46_340i32, -7]).unwrap();
    let e = Tensor::vector(&[2i64, 1]);
    let expected = Tensor::of(vec![2, 2], vec![2_147_395_600i32, 46_340, 49, -7]).unwrap();
    assert_eq!(modern(&power("i32[2, 1]", "i64[2]"), &[x, e]), expected);
}

#[test]
fn a_negative_exponent_leaves_one_or_nothing() {
    let x = Tensor::vector(&[1i64, -1, -1, 2, -5, 0]);
    let e = Tensor::vector(&[-3i64, -3, -4, -1, -2, -1]);
    assert_eq!(modern(&power("i64[6]", "i64[6]"), &[x, e]), Tensor::vector(&[1i64, -1, 1, 0, 0, 0]));
    // Of exponents beyond all bits, the parity counts.
    let x = Tensor::vector(&[-1i64, -1, 1, 0, -1]);
    let e = Tensor::vector(&[i64::MAX, i64::MAX - 1, i64::MIN, 1 << 40, i64::MIN + 1]);
    assert_eq!(modern(&power("i64[5]", "i64[5]"), &[x, e]), Tensor::vector(&[-1i64, 1, 1, 0, -1]));
}

#[test]
fn a_real_exponent_is_whole_or_rounds_towards_zero() {
    let x = Tensor::vector(&[5001i32, 10, -1, -1, 2, 2]);
    let e = Tensor::vector(&[2f32, 0.5, 3.0, 1e10, -1.0, 30.0]);
    assert_eq!(modern(&power("i32[6]", "f32[6]"), &[x, e]), Tensor::vector(&[25_010_001i32, 3, -1, 1, 0, 1 << 30]));
}

#[test]
fn all_boxes_are_asked_for_by_the_largest_number() {
    for most in [i64::MAX, 1 << 31, 1 << 32] {
        for fixed in [None, Some(4)] {
            let model = Model::new(17).input("boxes", "f32[1, 3, 4]").input("scores", "f32[1, 1, 3]");
            let model = model.init("most", &[1], &[most]).init("iou", &[1], &[0.5f32]);
            let model = model.node("NonMaxSuppression", "boxes scores most iou", "y").output("y", "");
            let boxes = vec![0f32, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.9, 5.0, 5.0, 6.0, 6.0];
            let boxes = Tensor::of(vec![1, 3, 4], boxes).unwrap();
            let scores = Tensor::of(vec![1, 1, 3], vec![0.5f32, 0.9, 0.7]).unwrap();
            let mut options = Options::new(Caps::modern());
            options.import.nms_fixed = fixed;
            let found = run(&model, options, &[boxes, scores]).remove(0);
            assert_eq!(&found.to_i64s().unwrap()[..6], [0, 0, 1, 0, 0, 2], "{most}, {fixed:?}");
        }
    }
}
