//! What decides, what checks, and what the certificate says of both.

use crate::support::Model;
use onnx2plan::import::Fitted;
use onnx2plan::network::{Caps, Network};
use onnx2plan::precision::{self, Choice, Data, Inputs, Label};
use onnx2plan::tensor::Tensor;
use onnx2plan::{Error, Kind, Result, eval, pipeline};
use serde_json::json;

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
    let mut fitted = Fitted::standard(Caps::modern());
    fitted.recipe = serde_json::from_value(options).unwrap();
    let prepared = pipeline::prepare(&model.read().unwrap(), &fitted, Caps::modern()).unwrap();
    precision::choose(&prepared.optimized.unwrap(), &fitted.recipe, data, true, evaluate)
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
