//! Test data that ONNX Runtime itself does not confirm.

use crate::support::Model;
use crate::tensorrt::onnx_runtime;
use onnx2plan::convert::{Conversion, Source};
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::onnx::Constant;
use onnx2plan::recipe::Part;
use onnx2plan::report::Verification;
use onnx2plan::report::verification::Judgment;
use onnx2plan::tensor::Tensor;
use onnx2plan::verify;
use onnx2plan::verify::data::{DataSet, Entry};
use std::path::Path;

/// Judges a model by test data of its input `a` and output `y`.
fn judged(model: &Model, a: Tensor, y: Tensor, reference: Option<&Path>) -> Verification {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::open(&model.write(folder.path()), &Part::default()).unwrap();
    let caps = Caps::modern();
    let conversion = Conversion::new(&source, Fitted::standard(caps), caps).unwrap();
    let outputs = vec![Entry { name: "y".to_owned(), data: Constant::Tensor(y) }];
    let set = DataSet {
        path: "test_data_set_0".into(),
        outputs,
        ..DataSet::of_inputs(&[("a".to_owned(), a)])
    };
    let mut judge =
        |sets: &[DataSet]| verify::all_on_cpu(conversion.network(), &source.inputs(), sets);
    source.judged(reference, &[set], &mut judge).unwrap().remove(0)
}

#[test]
fn saturated_sums_in_test_data_do_not_count() {
    let model = Model::new(13)
        .input("a", "u8[1, 2]")
        .init("b", &[2, 1], &[127i8; 2])
        .node("MatMulInteger", "a b", "y")
        .output("y", "");
    let a = || Tensor::of(vec![1, 2], vec![255u8; 2]).unwrap();
    let y = |value: i32| Tensor::of(vec![1, 1], vec![value]).unwrap();
    let saturated = i32::from(i16::MAX);

    let found = judged(&model, a(), y(saturated), Some(&onnx_runtime()));
    assert_eq!((found.verdict, &*found.reference), (Judgment::Agrees, "ONNX Runtime"));
    assert_eq!(found.overrules.as_deref(), Some("test_data_set_0"));

    let found = judged(&model, a(), y(2 * 255 * 127), Some(&onnx_runtime()));
    assert_eq!((found.verdict, found.overrules), (Judgment::Agrees, None));

    // Without a third witness, they count.
    let found = judged(&model, a(), y(saturated), None);
    assert_eq!((found.verdict, found.overrules), (Judgment::Differs, None));
}

#[test]
fn other_test_data_count_as_they_are() {
    let model = Model::new(17).input("a", "f32[1]").node("Exp", "a", "y").output("y", "");
    let (zero, two) = (Tensor::vector(&[0f32]), Tensor::vector(&[2f32]));
    let found = judged(&model, zero, two, Some(&onnx_runtime()));
    assert_eq!((found.verdict, &*found.reference), (Judgment::Differs, "test_data_set_0"));
    assert_eq!(found.overrules, None);
}
