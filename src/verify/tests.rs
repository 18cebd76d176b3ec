use super::compare::compare;
use super::data::{DataSet, Entry};
use super::rounding::Moved;
use super::*;
use crate::network::layer::{
    Activation, ActivationType, Constant as ConstantLayer, ElementWise, ElementWiseOperation,
};
use crate::network::{Block, Dim, LayerKind, Output, ValueId, ValueType};
use crate::onnx::Constant;
use crate::report::verification::Statistics;
use crate::site::Site;
use crate::tensor::DType;
use half::f16;
use std::path::PathBuf;

fn f32s(values: &[f32]) -> Tensor {
    Tensor::vector(values)
}

fn statistics(actual: &Tensor, expected: &Tensor) -> Statistics {
    compare("y", actual, &Constant::Tensor(expected.clone())).statistics.unwrap()
}

#[test]
fn elements_are_judged_by_the_tolerance_of_their_type() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    let of_f16 = |value: f32| Tensor::vector(&[f16::from_f32(value)]);
    let cases: &[(&str, Tensor, Tensor, usize, usize)] = &[
        ("equal", f32s(&[1.0, -2.0]), f32s(&[1.0, -2.0]), 0, 0),
        ("within", f32s(&[1.0005]), f32s(&[1.0]), 0, 0),
        ("outside", f32s(&[1.01, 1.0]), f32s(&[1.0, 1.0]), 1, 0),
        ("near zero", f32s(&[9e-6]), f32s(&[0.0]), 0, 0),
        ("not near zero", f32s(&[2e-5]), f32s(&[0.0]), 1, 0),
        ("NaN on both sides", f32s(&[nan]), f32s(&[nan]), 0, 0),
        ("NaN on one side", f32s(&[nan, 1.0]), f32s(&[1.0, nan]), 2, 2),
        ("infinities", f32s(&[inf, -inf, inf]), f32s(&[inf, -inf, -inf]), 1, 1),
        ("half", of_f16(1.003), of_f16(1.0), 0, 0),
        ("f64 reference", f32s(&[0.1]), Tensor::vector(&[0.1f64]), 0, 0),
        ("whole numbers", Tensor::vector(&[i64::MAX, 3]), Tensor::vector(&[i64::MAX - 1, 3]), 1, 0),
        ("empty", f32s(&[]), f32s(&[]), 0, 0),
    ];
    for (name, actual, expected, mismatches, special) in cases {
        let statistics = statistics(actual, expected);
        assert_eq!(
            (statistics.mismatches, statistics.special_mismatches),
            (*mismatches, *special),
            "{name}"
        );
    }
}

#[test]
fn statistics_say_how_far_and_where() {
    let actual = Tensor::of(vec![2, 2], vec![1.0f32, 2.0, 3.5, 4.0]).unwrap();
    let expected = Tensor::of(vec![2, 2], vec![1.0f32, 2.0, 3.0, 4.0]).unwrap();
    let statistics = statistics(&actual, &expected);
    assert_eq!((statistics.elements, statistics.mismatches), (4, 1));
    assert_eq!((statistics.max_absolute, statistics.mean_absolute), (0.5, 0.125));
    assert!((statistics.max_relative - 0.5 / 3.0).abs() < 1e-12);
    assert!((statistics.cosine.unwrap() - 31.5 / (33.25f64 * 30.0).sqrt()).abs() < 1e-12);
    let worst = statistics.worst.unwrap();
    assert_eq!(
        (worst.index.as_slice(), &*worst.actual, &*worst.expected),
        (&[1, 0][..], "3.5", "3")
    );
}

#[test]
fn what_cannot_be_compared_does_not_agree() {
    let strings =
        Constant::Strings { dims: vec![1], values: [bytes::Bytes::from_static(b"a")].into() };
    let cases = [
        (Constant::Tensor(f32s(&[1.0, 2.0])), "has shape [1], but the reference has [2]"),
        (Constant::Tensor(Tensor::vector(&[1i32])), "computed as f32, but the reference is i32"),
        (strings, "the reference holds elements of type string"),
    ];
    for (expected, why) in cases {
        let comparison = compare("y", &f32s(&[1.0]), &expected);
        assert_eq!((comparison.agrees, comparison.incomparable.as_deref()), (false, Some(why)));
    }
}

/// y = max(x, 0)
fn relu() -> Network {
    activation(ActivationType::Relu)
}

/// A function of three elements.
fn activation(kind: ActivationType) -> Network {
    let mut network = Network::default();
    let x =
        network.add_input("x", ValueType::new(DType::F32, [Dim::Known(3)].into_iter().collect()));
    let site = Site::tensor("main", "output", "y");
    let kind = Activation { kind, alpha: 0.0, beta: 0.0 }.into();
    let mut body = Block::default();
    let value = crate::infer::add(&mut network, &mut body, kind, &[x], std::slice::from_ref(&site))
        .unwrap()[0];
    network.body = body;
    network.outputs.push(Output { name: "y".into(), value, declared: None, site });
    network
}

fn set(inputs: &[f32], outputs: &[f32]) -> DataSet {
    let entry = |values| Entry { name: String::new(), data: Constant::Tensor(f32s(values)) };
    DataSet {
        path: PathBuf::from("data"),
        inputs: vec![entry(inputs)],
        outputs: vec![entry(outputs)],
        ..DataSet::of_inputs(&[])
    }
}

#[test]
fn a_network_is_evaluated_and_judged() {
    let good = on_cpu(&relu(), &["x"], &set(&[-1.0, 0.0, 2.0], &[0.0, 0.0, 2.0])).unwrap();
    assert!(good.agrees && mismatch(&good).is_none());

    let bad = on_cpu(&relu(), &["x"], &set(&[-1.0, 0.0, 2.0], &[0.0, 0.5, 2.0])).unwrap();
    let error = mismatch(&bad).unwrap();
    assert_eq!(error.kind(), Kind::Mismatch);
    assert_eq!(
        error.to_string(),
        "output `y` differs from the reference in `data`\n  \
         `y` f32[3]: 1 of 3 elements differ, max error 5.000e-1, relative 1.000e0; worst at [1]: \
         0, expected 0.5"
    );
}

#[test]
fn missing_data_is_named() {
    let mut empty = set(&[], &[]);
    empty.inputs.clear();
    let error = on_cpu(&relu(), &["x"], &empty).unwrap_err();
    assert_eq!(error.to_string(), "`data` has no data for input `x`");
}

/// (x + by) − by, which loses the digits of x that `by` has no room for.
fn cancelling(by: f32) -> Network {
    with_constants([(ElementWiseOperation::Sum, by), (ElementWiseOperation::Sub, by)])
}

/// Arithmetic of x, of three elements, and constants.
fn with_constants(steps: [(ElementWiseOperation, f32); 2]) -> Network {
    let mut network = Network::default();
    let shape = [Dim::Known(3)].into_iter().collect();
    let mut value = network.add_input("x", ValueType::new(DType::F32, shape));
    let site = Site::tensor("main", "output", "y");
    let mut body = Block::default();
    for (operation, by) in steps {
        let mut add = |kind: LayerKind, inputs: &[ValueId]| {
            let sites = std::slice::from_ref(&site);
            crate::infer::add(&mut network, &mut body, kind, inputs, sites).unwrap()[0]
        };
        let constant = add(ConstantLayer { weights: f32s(&[by; 3]) }.into(), &[]);
        value = add(ElementWise { operation }.into(), &[value, constant]);
    }
    network.body = body;
    network.outputs.push(Output { name: "y".into(), value, declared: None, site });
    network
}

/// What rounding does to a network decides how far its numbers may be off, and nothing else does.
#[test]
fn what_rounding_explains_is_not_wrong() {
    let x = [0.3, 1.7, -2.2];
    let judged = |by: f32, expected: [f32; 3]| {
        let verification = on_cpu(&cancelling(by), &["x"], &set(&x, &expected)).unwrap();
        let rounding = verification.outputs[0].rounding.clone();
        (verification.agrees, rounding, mismatch(&verification))
    };
    // In f32, numbers beyond 100,000 are 1/128 apart.
    let (agrees, rounding, _) = judged(100_000.5, [0.305, 1.704, -2.205]);
    assert!(agrees, "{rounding:?}");
    let rounding = rounding.unwrap();
    assert!((1e-3..3e-2).contains(&rounding.spread) && rounding.determined, "{rounding:?}");
    // The same difference is wrong where nothing is lost.
    assert!(!judged(0.7, [0.305, 1.704, -2.205]).0);
    let (agrees, _, error) = judged(100_000.5, [0.3, 1.7, -2.0]);
    assert!(!agrees);
    let text = error.unwrap().to_string();
    assert!(text.contains("1 of 3 elements differ"), "{text}");
    // Of 10 million nothing is left below 1.
    let (agrees, rounding, error) = judged(10_000_000.5, [0.9, 1.1, -2.9]);
    assert!(!agrees && !rounding.unwrap().determined);
    let text = error.unwrap().to_string();
    let expected = "output `y` has too few digits to compare with the reference in `data`\n  \
     `y` f32[3]: rounding alone moves ";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.ends_with("; most digits are lost in `y` (output)"), "{text}");
}

#[test]
fn whole_numbers_are_exact() {
    let wrong = on_cpu(&cancelling(4096.0), &["x"], &set(&[1.0, 2.0, 3.0], &[1.0, 2.1, 3.0]));
    let rounding = wrong.unwrap().outputs[0].rounding.clone().unwrap();
    assert!(rounding.spread.abs() < f64::EPSILON && rounding.determined);
}

/// What rounding explains of an output: its elements in a run as they are, and in runs where they
/// are rounded at random.
fn within(expected: &Tensor, exact: &Tensor, runs: &[&Tensor]) -> (usize, bool) {
    let mut moved = Moved::new(exact);
    for run in runs {
        moved.take(run);
    }
    let spread = moved.spread(runs.len(), true);
    let expected = Constant::Tensor(expected.clone());
    let tolerance = compare::tolerance(exact.dtype());
    let found = compare::compare_within("y", exact, &expected, tolerance, Some(&spread));
    (found.statistics.unwrap().mismatches, found.rounding.unwrap().determined)
}

#[test]
fn large_elements_excuse_no_small_ones() {
    // Boxes that rounding moves by 0.3, beside scores that it hardly moves.
    let exact = f32s(&[550.2, 612.7, 0.91, 0.13]);
    let run = f32s(&[550.5, 612.4, 0.9101, 0.1299]);
    assert_eq!(within(&f32s(&[550.9, 612.1, 0.9102, 0.1299]), &exact, &[&run]), (0, true));
    assert_eq!(within(&f32s(&[550.2, 612.7, 0.5, 0.1]), &exact, &[&run]).0, 2);
}

#[test]
fn elements_of_like_size_lend_each_other() {
    // In one run the first lands on the other side of a step, in another the second may.
    let exact = f32s(&[1.25, 1.5, 1.75, 2.25]);
    let run = f32s(&[1.5, 1.5, 1.75, 2.25]);
    assert_eq!(within(&f32s(&[1.25, 1.75, 1.75, 2.25]), &exact, &[&run]).0, 0);
}

#[test]
fn as_many_elements_may_be_a_step_off_as_land_on_another() {
    let exact: Vec<f32> = (0..1000u16).map(|at| 1.0 + 0.001 * f32::from(at)).collect();
    let off = |count: usize, from: usize| {
        let mut moved = exact.clone();
        moved.iter_mut().skip(from).take(count).for_each(|value| *value += 0.5);
        f32s(&moved)
    };
    let run = off(2, 0);
    let missed = |count: usize| within(&off(count, 500), &f32s(&exact), &[&run]).0;
    assert_eq!([1, 2, 3, 100].map(missed), [0, 0, 1, 98]);
}

#[test]
fn an_output_that_is_off_by_little_shows_digits() {
    let exact = f32s(&[100.0, 0.5, -0.25, 0.125]);
    let run = f32s(&[130.0, 0.6, -0.35, 0.225]);
    let judged = |first: f32| {
        let mut moved = Moved::new(&exact);
        moved.take(&run);
        let expected = Constant::Tensor(f32s(&[first, 0.5, -0.25, 0.125]));
        let tolerance = compare::tolerance(DType::F32);
        compare::compare_within("y", &exact, &expected, tolerance, Some(&moved.spread(1, false)))
            .verdict
    };
    assert_eq!(judged(102.0), Judgment::Agrees);
    assert_eq!(judged(110.0), Judgment::Undetermined);
}

#[test]
fn small_results_of_a_sigmoid_are_as_exact_as_large_ones() {
    // Sigmoid of −17 is 4.1e-8, and 0 where it is computed as a half and the rest.
    let verdict = |x: f32, y: f32| {
        let set = set(&[x, 0.0, 2.0], &[y, 0.5, 0.880_797]);
        on_cpu(&activation(ActivationType::Sigmoid), &["x"], &set).unwrap().verdict
    };
    assert_eq!(verdict(-17.0, 0.0), Judgment::Agrees);
    assert_eq!(verdict(-17.0, 1e-4), Judgment::Differs);
    let all = set(&[-17.0; 3], &[1e-8; 3]);
    let found = on_cpu(&activation(ActivationType::Sigmoid), &["x"], &all).unwrap();
    assert_eq!(found.verdict, Judgment::Undetermined);
}

#[test]
fn indices_excuse_only_themselves() {
    let all = |value: i64| vec![value; 100];
    let (mut run, exact) = (all(7), all(7));
    run[0] = 9;
    let mut expected = run.clone();
    let of = |values: &[i64]| Tensor::vector(values);
    assert_eq!(within(&of(&expected), &of(&exact), &[&of(&run)]), (0, true));
    // Off by one where nothing moves: as whole numbers, and as such in `f32`.
    expected[1] = 8;
    assert_eq!(within(&of(&expected), &of(&exact), &[&of(&run)]).0, 1);
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let real = |values: &[i64]| f32s(&values.iter().map(|&value| value as f32).collect::<Vec<_>>());
    assert_eq!(within(&real(&expected), &real(&exact), &[&real(&run)]).0, 1);
}

#[test]
fn what_moves_as_a_whole_is_not_determined() {
    let zeros = f32s(&[0.0; 4]);
    let run = f32s(&[150.0, -160.0, 140.0, 130.0]);
    assert_eq!(within(&f32s(&[100.0; 4]), &zeros, &[&run]), (0, false));
    let bools = |value| Tensor::of_bools(vec![4], [value; 4]).unwrap();
    assert!(!within(&bools(true), &bools(false), &[&bools(true)]).1);
}

/// What is said of a network for which all of these data sets agree.
fn proven(network: &Network, sets: &[DataSet]) -> (Judgment, Option<String>, Option<String>) {
    let verifications = all_on_cpu(network, &["x"], sets).unwrap();
    let output = &verifications[0].outputs[0];
    let error = objection(&verifications).map(|error| error.to_string());
    (output.verdict, output.untested.clone(), error)
}

#[test]
fn agreement_with_zeros_proves_nothing() {
    let zeros = set(&[-1.0, -0.5, -2.0], &[0.0; 3]);
    let (verdict, why, error) = proven(&relu(), std::slice::from_ref(&zeros));
    assert_eq!(
        (verdict, why.as_deref()),
        (Judgment::Vacuous, Some("all elements are 0, and stay so when the inputs move a little"))
    );
    assert_eq!(
        error.unwrap(),
        "output `y` agrees with the reference in `data`, which proves nothing\n  \
         `y` f32[3]: all elements are 0, and stay so when the inputs move a little\n\n\
         hint: verify with inputs on which the output depends: as a `test_data_set_0` beside the \
         model, or with `--data` or `--inputs`"
    );
    let others = set(&[1.0, 0.5, -2.0], &[1.0, 0.5, 0.0]);
    assert_eq!(proven(&relu(), &[zeros, others]).0, Judgment::Agrees);
}

#[test]
fn agreement_of_what_no_input_moves_proves_nothing() {
    let steps = |by| [(ElementWiseOperation::Prod, by), (ElementWiseOperation::Sum, 1.0)];
    let ones = set(&[1.0, -2.0, 3.0], &[1.0; 3]);
    let dead = with_constants(steps(1e-9));
    let (verdict, why, _) = proven(&dead, std::slice::from_ref(&ones));
    assert_eq!(verdict, Judgment::Vacuous);
    assert_eq!(
        why.as_deref(),
        Some("no element moves out of the tolerance when the inputs change")
    );
    let alive = with_constants(steps(0.1));
    assert_eq!(proven(&alive, &[set(&[1.0, -2.0, 3.0], &[1.1, 0.8, 1.3])]).0, Judgment::Agrees);
    // A second data set of a dead network is no better; numbers that differ are wrong, however.
    assert_eq!(proven(&dead, &[ones.clone(), ones]).0, Judgment::Vacuous);
    let wrong = set(&[1.0, -2.0, 3.0], &[1.0, 1.0, 1.1]);
    assert_eq!(proven(&dead, &[wrong]).0, Judgment::Differs);
}

#[test]
fn what_no_data_could_move_is_no_fault_of_the_data() {
    // Of x only the shape is used.
    let mut network = relu();
    let layer = network.layers.ids().next().unwrap();
    let shape = ValueType::new(DType::I64, [Dim::Known(1)].into_iter().collect());
    network.layers[layer].kind = LayerKind::Shape;
    let value = network.outputs[0].value;
    network.values[value].ty = shape;
    let x = network.inputs[0];
    assert!(!vacuous::reached(&network, [x].into()).contains(&value));
}

#[test]
fn small_numbers_are_no_better_than_others() {
    let steps = [(ElementWiseOperation::Prod, 1e-7), (ElementWiseOperation::Prod, 1.0)];
    let small = with_constants(steps);
    let x = [1.0, -2.0, 3.0];
    assert_eq!(proven(&small, &[set(&x, &[1e-7, -2e-7, 3e-7])]).0, Judgment::Agrees);
    assert_eq!(proven(&small, &[set(&x, &[-1e-7, 2e-7, -3e-7])]).0, Judgment::Differs);
}
