//! What decides, what checks, and what the certificate says of both.

use crate::support::Model;
use onnx2plan::convert::{Conversion, Source};
use onnx2plan::import::Fitted;
use onnx2plan::network::{Caps, Network};
use onnx2plan::precision::{self, Choice, Data, Inputs, Label};
use onnx2plan::profiles;
use onnx2plan::recipe::Part;
use onnx2plan::report::precision::Certificate;
use onnx2plan::tensor::Tensor;
use onnx2plan::verify::data::DataSet;
use onnx2plan::{Error, Kind, Result, eval, pipeline};
use serde_json::json;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Loses `x` where that is small, and computes something else beside it.
fn losing() -> Model {
    Model::new(17)
        .input("x", "f32[2]")
        .init("big", &[2], &[2000f32, 2000.0])
        .init("bigger", &[2], &[2000.5f32, 2000.5])
        .node("Tanh", "x", "t")
        .node("Add", "x big", "u")
        .node("Sub", "u bigger", "y")
        .output("t", "")
        .output("y", "")
}

fn inputs(source: &str, values: [f32; 2]) -> Inputs {
    let label = Label { source: source.to_owned(), seed: None };
    Inputs { label, tensors: vec![Tensor::vector(&values)] }
}

fn computed(network: Network, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let network = pipeline::legal(network, Caps::modern())?;
    eval::run(&network, inputs)
}

/// What is chosen for a model with these options.
fn choose(
    model: &Model,
    options: serde_json::Value,
    data: &Data,
    evaluate: &mut precision::Evaluate<'_>,
) -> Result<Choice> {
    choose_for(Caps::modern(), model, options, data, evaluate)
}

fn choose_for(
    caps: Caps,
    model: &Model,
    options: serde_json::Value,
    data: &Data,
    evaluate: &mut precision::Evaluate<'_>,
) -> Result<Choice> {
    let mut fitted = Fitted::standard(Caps::modern());
    fitted.recipe = serde_json::from_value(options).unwrap();
    let prepared = pipeline::prepare(&model.read().unwrap(), &fitted, Caps::modern()).unwrap();
    precision::choose(&prepared.optimized.unwrap(), &fitted.recipe, data, caps, evaluate)
}

#[test]
fn the_certificate_names_what_decided_and_what_checked() {
    let data = Data {
        chosen: vec![inputs("usual", [1000.0, 900.0])],
        fresh: vec![
            inputs("small", [1.0, 2.0]),
            inputs("refused", [7.0, 7.0]),
            inputs("large", [1100.0, 800.0]),
        ],
        ..Data::default()
    };
    let mut evaluate = |network: Network, inputs: &[Tensor]| {
        if inputs[0] == Tensor::vector(&[7f32, 7.0]) {
            return Err(Error::new(Kind::Usage, "no such data"));
        }
        computed(network, inputs)
    };
    let found = choose(&losing(), json!({ "precision": "f16" }), &data, &mut evaluate).unwrap();
    let found = found.certificate;
    assert_eq!((&*found.chosen_on, &*found.checked_on), ("usual; small", "large"));
    assert!(found.outputs.iter().all(|output| output.checked.is_some()), "{found:?}");

    // Nothing is left to check.
    let data = Data { fresh: vec![inputs("refused", [7.0, 7.0])], ..data };
    let found = choose(&losing(), json!({ "precision": "f16" }), &data, &mut evaluate).unwrap();
    let found = found.certificate;
    assert_eq!((&*found.chosen_on, &*found.checked_on), ("usual", "no other data"));
    assert!(found.outputs.iter().all(|output| output.checked.is_none()), "{found:?}");
}

/// The certificate for a model in `f16` whose input `i` has these data, in order.
fn certified(model: &Model, data: &[Tensor]) -> Certificate {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::open(&model.write(folder.path()), &Part::default()).unwrap();
    let mut fitted = Fitted::standard(Caps::modern());
    fitted.recipe = serde_json::from_value(json!({ "precision": "f16" })).unwrap();
    let mut conversion = Conversion::new(&source, fitted, Caps::modern()).unwrap();
    conversion.plan(&profiles::Data::default()).unwrap();
    let set = |(at, tensor): (usize, &Tensor)| DataSet {
        label: format!("set {at}"),
        ..DataSet::of_inputs(&[("i".to_owned(), tensor.clone())])
    };
    let sets: Vec<DataSet> = data.iter().enumerate().map(set).collect();
    conversion.choose(&source, &sets, &AtomicBool::new(false)).unwrap();
    conversion.certificate.unwrap()
}

/// Looks rows up by `i` of this type.
fn rows(ty: &str) -> Model {
    Model::new(17)
        .input("i", ty)
        .weights("w", &[8, 16])
        .node("Gather", "w i", "g")
        .node("Tanh", "g", "y")
        .output("y", "")
}

#[test]
fn data_check_where_they_can_be_moved() {
    let moved = "set 0 with its numbers moved, seeds 2";
    for (model, data) in [
        (
            rows("i32[24]"),
            Tensor::vector(&std::array::from_fn::<i32, 24, _>(|at| i32::try_from(at % 7).unwrap())),
        ),
        (rows("i64[7]"), Tensor::vector(&[0i64, 1, 2, 3, 4, 5, 6])),
    ] {
        let found = certified(&model, &[data]);
        assert_eq!(found.chosen_on, "set 0");
        assert!(found.checked_on.starts_with(moved), "{}", found.checked_on);
        assert!(found.outputs[0].checked.is_some());
    }
    for data in [Tensor::vector(&[3i64]), Tensor::vector(&[3i64, 3])] {
        let found = certified(&rows(&format!("i64[{}]", data.len())), &[data]);
        assert_eq!(found.checked_on, "no other data");
        assert_eq!(found.outputs[0].checked, None);
    }
}

#[test]
fn data_sets_that_do_not_decide_check() {
    let data: Vec<Tensor> = (0..12).map(|at| Tensor::vector(&[at % 8, at % 5, 1i64])).collect();
    let found = certified(&rows("i64[3]"), &data);
    assert_eq!(found.chosen_on, "set 0; set 1; set 2; set 3");
    let held = "set 6; set 7; set 8; set 9; set 10; set 11; set 0 with its numbers moved, seed";
    assert!(found.checked_on.starts_with(held), "{}", found.checked_on);
    let two = certified(&rows("i64[3]"), &data[..2]);
    assert_eq!(two.chosen_on, "set 0");
    assert!(two.checked_on.starts_with("set 1; set 0 with"), "{}", two.checked_on);
}

/// Computes, and takes longer than a second the first time.
fn slow() -> impl FnMut(Network, &[Tensor]) -> Result<Vec<Tensor>> {
    let mut first = true;
    move |network, inputs| {
        if std::mem::take(&mut first) {
            std::thread::sleep(Duration::from_millis(1100));
        }
        computed(network, inputs)
    }
}

#[test]
fn what_there_was_no_time_for_is_said() {
    let options = json!({ "precision": "f16", "budget": 1 });
    let data = Data { chosen: vec![inputs("small", [1.0, 2.0])], ..Data::default() };
    let error = choose(&losing(), options.clone(), &data, &mut slow()).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    assert_eq!(
        error.to_string(),
        "the time was up before a layer was found that can compute in f16 and keep the outputs \
         within 0.01\n  \
         `Tanh_t` (Tanh): it was not tried: the time was up\n  \
         `Add_u` (Add): it was not tried: the time was up\n  \
         `Sub_y` (Sub): it was not tried: the time was up\n\n\
         hint: `--budget` gives the choice more time"
    );

    let chosen = vec![inputs("usual", [1000.0, 900.0])];
    let fresh = vec![inputs("small", [1.0, 2.0]), inputs("smaller", [0.1, 0.2])];
    let data = Data { chosen, fresh, ..Data::default() };
    let error = choose(&losing(), options, &data, &mut slow()).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    let error = error.to_string();
    let message = "the types that keep the outputs within 0.01 do not on other data, and the time \
                   to look for others was up\n  output `y` is off by ";
    assert!(error.starts_with(message), "{error}");
    assert!(error.ends_with("hint: `--budget` gives the choice more time"), "{error}");
}

#[test]
fn the_last_data_may_come_near_the_bound() {
    let data = Data {
        chosen: vec![inputs("usual", [1000.0, 900.0])],
        fresh: vec![inputs("small", [1.0, 2.0])],
        ..Data::default()
    };
    let within = |bound: f64| {
        let options = json!({ "precision": "f16", "within": bound });
        choose(&losing(), options, &data, &mut computed)
    };
    let free = within(1.0).unwrap().certificate;
    let off = free.outputs.iter().filter_map(|output| output.checked).fold(0.0, f64::max);
    let near = within(off / 0.9).unwrap().certificate;
    assert_eq!((&*near.checked_on, near.layers.f16), ("small", free.layers.f16));
    assert_eq!(within(off / 1.1).unwrap_err().kind(), Kind::Mismatch);
}

#[test]
fn what_nothing_else_holds_for_is_said() {
    let options = json!({ "precision": "auto" });
    let chosen = vec![inputs("usual", [1000.0, 900.0])];
    let fresh = vec![inputs("small", [1.0, 2.0])];
    let data = Data { chosen, fresh, ..Data::default() };
    let found = choose(&losing(), options, &data, &mut computed).unwrap();
    assert_eq!(found.certificate.layers.f16, 0);
    for node in &found.certificate.nodes {
        assert_eq!(node.reason.as_deref(), Some("no other type holds the bound"), "{node:?}");
    }
}

#[test]
fn outputs_without_elements_are_no_reason_to_refuse() {
    let model = Model::new(17).input("x", "f32[0, 3]").node("Tanh", "x", "y").output("y", "");
    let empty = Inputs {
        label: Label { source: "empty".to_owned(), seed: None },
        tensors: vec![Tensor::of(vec![0, 3], Vec::<f32>::new()).unwrap()],
    };
    let data = Data { chosen: vec![empty], ..Data::default() };
    choose(&model, json!({ "precision": "f16" }), &data, &mut computed).unwrap();
}

#[test]
fn tensorrt_8_leaves_more_of_the_bound() {
    let data = Data { chosen: vec![inputs("usual", [0.3, 0.7])], ..Data::default() };
    let model = Model::new(17)
        .input("x", "f32[2]")
        .node("Exp", "x", "a")
        .node("Sin", "a", "b")
        .node("Tanh", "b", "y")
        .output("y", "");
    let layers = |caps, within: f64| {
        let options = json!({ "precision": "f16", "within": within });
        choose_for(caps, &model, options, &data, &mut computed).unwrap().certificate
    };
    let free = layers(Caps::modern(), 1.0);
    let off = free.outputs[0].chosen;
    assert!(free.layers.f16 == 3 && off > 0.0, "{free:?}");
    // Half of the bound is within 70 % of it, and not within 35 %.
    let (modern, eight) = (layers(Caps::modern(), 2.0 * off), layers(Caps::eight(), 2.0 * off));
    assert_eq!(modern.layers.f16, 3);
    assert!(eight.outputs[0].chosen < off, "{eight:?}");
}
