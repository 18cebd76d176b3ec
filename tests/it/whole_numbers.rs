//! Whole numbers stay whole: none of their digits is lost on the way through types that hold fewer.

use crate::support::Model;
use crate::tensorrt::onnx_runtime;
use onnx2plan::convert::Source;
use onnx2plan::eval;
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::pipeline;
use onnx2plan::recipe::Part;
use onnx2plan::tensor::Tensor;
use std::num::NonZeroU16;

/// What a model computes.
fn run(model: &Model, fitted: &Fitted, inputs: &[Tensor]) -> Vec<Tensor> {
    let network =
        pipeline::prepare(&model.read().unwrap(), fitted, Caps::modern()).unwrap().network;
    eval::run(&network, inputs).unwrap()
}

fn modern(model: &Model, inputs: &[Tensor]) -> Tensor {
    run(model, &Fitted::standard(Caps::modern()), inputs).remove(0)
}

/// `y = Pow(x, e)` of inputs.
fn power(x: &str, e: &str) -> Model {
    Model::new(15).input("x", x).input("e", e).node("Pow", "x e", "y").output("y", "")
}

#[test]
fn a_known_exponent_multiplies() {
    let square = Model::new(15)
        .input("x", "i64[3]")
        .init("e", &[], &[2i64])
        .node("Pow", "x e", "y")
        .output("y", "");
    let x = Tensor::vector(&[3_037_000_499i64, -70_000, 12]);
    assert_eq!(
        modern(&square, &[x]),
        Tensor::vector(&[9_223_372_030_926_249_001i64, 4_900_000_000, 144])
    );

    let known = Model::new(15).input("x", "i64[2]").init("k", &[2], &[5001i64, -4097]).init(
        "e",
        &[1],
        &[3f32],
    );
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
    assert_eq!(
        modern(&power("i64[6]", "i64[6]"), &[x, e]),
        Tensor::vector(&[1i64, -1, 1, 0, 0, 0])
    );
    // Of exponents beyond all bits, the parity counts.
    let x = Tensor::vector(&[-1i64, -1, 1, 0, -1]);
    let e = Tensor::vector(&[i64::MAX, i64::MAX - 1, i64::MIN, 1 << 40, i64::MIN + 1]);
    assert_eq!(modern(&power("i64[5]", "i64[5]"), &[x, e]), Tensor::vector(&[-1i64, 1, 1, 0, -1]));
}

#[test]
fn a_real_exponent_is_whole_or_rounds_towards_zero() {
    let x = Tensor::vector(&[5001i32, 10, -1, -1, 2, 2]);
    let e = Tensor::vector(&[2f32, 0.5, 3.0, 1e10, -1.0, 30.0]);
    assert_eq!(
        modern(&power("i32[6]", "f32[6]"), &[x, e]),
        Tensor::vector(&[25_010_001i32, 3, -1, 1, 0, 1 << 30])
    );
}

#[test]
fn all_boxes_are_asked_for_by_the_largest_number() {
    for most in [i64::MAX, 1 << 31, 1 << 32] {
        for fixed in [None, Some(4)] {
            let model =
                Model::new(17).input("boxes", "f32[1, 3, 4]").input("scores", "f32[1, 1, 3]");
            let model = model.init("most", &[1], &[most]).init("iou", &[1], &[0.5f32]);
            let model =
                model.node("NonMaxSuppression", "boxes scores most iou", "y").output("y", "");
            let boxes = vec![0f32, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.9, 5.0, 5.0, 6.0, 6.0];
            let boxes = Tensor::of(vec![1, 3, 4], boxes).unwrap();
            let scores = Tensor::of(vec![1, 1, 3], vec![0.5f32, 0.9, 0.7]).unwrap();
            let mut fitted = Fitted::standard(Caps::modern());
            fitted.recipe.nms_fixed = fixed.and_then(NonZeroU16::new);
            let found = run(&model, &fitted, &[boxes, scores]).remove(0);
            assert_eq!(&found.to_i64s().unwrap()[..6], [0, 0, 1, 0, 0, 2], "{most}, {fixed:?}");
        }
    }
}

#[test]
fn sums_of_products_are_exact() {
    let sums = |a: &str, b: &str, equation: &str, inputs: &[Tensor]| {
        let model = Model::new(17).input("a", a).input("b", b);
        modern(&model.node("Einsum", "a b", "y").attr("equation", equation).output("y", ""), inputs)
    };
    let a = Tensor::of(vec![2, 2], vec![16_777_217i64, 3, 5, 33_554_433]).unwrap();
    let b = Tensor::of(vec![2, 2], vec![3i64, 5, 7, 1]).unwrap();
    let expected = vec![50_331_672i64, 83_886_088, 234_881_046, 33_554_458];
    let expected = Tensor::of(vec![2, 2], expected).unwrap();
    assert_eq!(sums("i64[2, 2]", "i64[2, 2]", "ij,jk->ik", &[a.clone(), b.clone()]), expected);
    let expected = Tensor::vector(&[167_772_170i64, 201_326_598]);
    assert_eq!(sums("i64[2, 2]", "i64[2, 2]", "ii,ji->i", &[a, b]), expected);
}

/// Of 1,000 products of the largest numbers, f32 rounds the sum.
#[test]
fn integers_of_eight_bits_are_multiplied_exactly() {
    const COUNT: usize = 1000;
    let count = i32::try_from(COUNT).unwrap();
    let row: Vec<u8> = (0..COUNT).map(|at| if at == 0 { 254 } else { 255 }).collect();
    let exact = 255 * 255 * (count - 1) + 254 * 255;
    let known = Model::new(10).input("a", "u8[1, 1000]").init("b", &[1000, 1], &[255u8; COUNT]);
    let late = Model::new(10).input("a", "u8[1, 1000]").input("b", "u8[1000, 1]");
    let (a, b) =
        (Tensor::of(vec![1, COUNT], row.clone()), Tensor::of(vec![COUNT, 1], vec![255u8; COUNT]));
    let inputs = [a.unwrap(), b.unwrap()];
    let expected = Tensor::of(vec![1, 1], vec![exact]).unwrap();
    let product = |model: Model| model.node("MatMulInteger", "a b", "y").output("y", "");
    assert_eq!(modern(&product(known), &inputs[..1]), expected);
    assert_eq!(modern(&product(late), &inputs), expected);

    let filter =
        Model::new(10).input("x", "u8[1, 1000, 1]").init("w", &[1, 1000, 1], &[255u8; COUNT]);
    let filter = filter.node("ConvInteger", "x w", "y").output("y", "");
    let x = Tensor::of(vec![1, COUNT, 1], row).unwrap();
    assert_eq!(modern(&filter, &[x]), Tensor::of(vec![1, 1, 1], vec![exact]).unwrap());
}

#[test]
fn a_range_may_span_more_than_its_type() {
    let model = Model::new(17).input("start", "i32[]").input("limit", "i32[]").init(
        "delta",
        &[],
        &[-(1i32 << 30)],
    );
    let model = model.node("Range", "start limit delta", "y").output("y", "");
    let inputs = [Tensor::scalar(i32::MAX - 6), Tensor::scalar(i32::MIN)];
    let expected = [2_147_483_641i32, 1_073_741_817, -7, -1_073_741_831];
    assert_eq!(modern(&model, &inputs), Tensor::vector(&expected));
}

/// ONNX leaves open which whole number it is.
#[test]
fn nothing_has_a_mean() {
    for shape in ["i64[0, 2]", "i64[N, 2]"] {
        let model = Model::new(17).input("x", shape).node("ReduceMean", "x", "y");
        let model = model.attr("axes", [0]).attr("keepdims", 0).output("y", "");
        let mean =
            |rows: usize, x: Vec<i64>| modern(&model, &[Tensor::of(vec![rows, 2], x).unwrap()]);
        assert_eq!(mean(0, Vec::new()).dims(), [2]);
        if shape.contains('N') {
            assert_eq!(mean(2, vec![1, -5, 4, -8]), Tensor::vector(&[2i64, -6]));
        }
    }
}

/// ONNX Runtime saturates such products on processors without VNNI unless it is told not to.
#[test]
fn the_reference_sums_products_of_8_bits_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::new(13)
        .input("a", "u8[2, 64]")
        .init("b", &[64, 1], &[127i8; 64])
        .node("MatMulInteger", "a b", "y")
        .output("y", "");
    let source = Source::open(&model.write(folder.path()), &Part::default()).unwrap();
    let mut reference = source.reference(&onnx_runtime()).unwrap();
    let a = Tensor::of(vec![2, 64], vec![255u8; 128]).unwrap();
    let outputs = reference.run(&[("a".to_owned(), a)]).unwrap();
    assert_eq!(outputs[0].1.to_i64s().unwrap(), [64 * 255 * 127; 2]);
}

/// What lies between two whole numbers of 8 bits is rounded towards zero.
#[test]
fn whole_numbers_are_resized_as_reals() {
    let model = |dtype: &str| {
        Model::new(13)
            .input("x", &format!("{dtype}[1, 1, 1, 2]"))
            .init("scales", &[4], &[1f32, 1.0, 1.0, 2.0])
            .node("Resize", "x - scales", "y")
            .attr("mode", "linear")
            .output("y", "")
    };
    let x = Tensor::of(vec![1, 1, 1, 2], vec![10u8, 13]).unwrap();
    assert_eq!(modern(&model("u8"), &[x]).to_i64s().unwrap(), [10, 10, 12, 13]);
    let x = Tensor::of(vec![1, 1, 1, 2], vec![-13i8, -10]).unwrap();
    assert_eq!(modern(&model("i8"), &[x]).to_i64s().unwrap(), [-13, -12, -10, -10]);
}
