//! Loops and conditionals, run through whole networks.

use super::*;
use crate::error::Kind;
use crate::eval::{run, run_with};
use crate::network::layer::{ElementWise, ElementWiseOperation, LoopIterator};
use crate::network::{Dim, Output, Shape, ValueType};
use crate::site::Site;

fn ty(dtype: DType, dims: &[usize]) -> ValueType {
    ValueType::new(dtype, Shape::of(dims))
}

fn site() -> Site {
    Site::node("main", 0, "loop", "Loop", 17, "out")
}

fn binary(
    network: &mut Network,
    operation: ElementWiseOperation,
    a: ValueId,
    b: ValueId,
    ty: ValueType,
) -> LayerId {
    network.add_layer(ElementWise { operation }.into(), &[a, b], &[site()], [ty])
}

/// Sums the columns of `x` while the sum is below `limit`: inputs trips, x, start, length, limit;
/// outputs the sum and all sums, in iteration order or reversed.
fn summing(counted: bool, while_result: bool, reverse: bool) -> Network {
    let mut network = Network::default();
    let trips = network.add_input("trips", ty(DType::I64, &[]));
    let x = network.add_input("x", ty(DType::F32, &[2, 3]));
    let start = network.add_input("start", ty(DType::F32, &[2]));
    let length = network.add_input("length", ty(DType::I64, &[]));
    let limit = network.add_input("limit", ty(DType::F32, &[]));
    let slice = network.add_param("slice", ty(DType::F32, &[2]));
    let sum = network.add_param("sum", ty(DType::F32, &[2]));
    let next = binary(&mut network, ElementWiseOperation::Sum, slice, sum, ty(DType::F32, &[2]));
    let index = network.add_layer(
        crate::network::layer::Constant { weights: Tensor::scalar(0i64) }.into(),
        &[],
        &[site()],
        [ty(DType::I64, &[])],
    );
    let first = network.add_layer(
        Gather { mode: GatherMode::Default, axis: 0, element_wise_dims: 0 }.into(),
        &[sum, network.layer(index).outputs[0]],
        &[site()],
        [ty(DType::F32, &[])],
    );
    let first_value = network.layer(first).outputs[0];
    let below =
        binary(&mut network, ElementWiseOperation::Less, first_value, limit, ty(DType::Bool, &[]));
    let [next_value, below_value] = [next, below].map(|id| network.layer(id).outputs[0]);
    let mut results = if while_result { vec![below_value] } else { vec![] };
    results.extend([next_value, next_value]);
    let all =
        if reverse { LoopOutput::Reverse { axis: 0 } } else { LoopOutput::Concatenate { axis: 1 } };
    let l = Loop {
        counted,
        capped: false,
        while_result,
        iterators: vec![LoopIterator { axis: 1, reverse }],
        recurrences: 1,
        outputs: vec![LoopOutput::LastValue(0), all],
        body: Block { params: vec![slice, sum], layers: vec![next, index, first, below], results },
    };
    let inputs = [trips, x, start, length];
    let types = [
        ty(DType::F32, &[2]),
        ValueType::new(DType::F32, Shape(vec![Dim::Known(2), Dim::named("n")])),
    ];
    let outer = network.add_layer(l.into(), &inputs[usize::from(!counted)..], &[site()], types);
    network.body.layers.push(outer);
    for &value in &network.layer(outer).outputs.clone() {
        network.outputs.push(Output { name: "out".into(), value, declared: None, site: site() });
    }
    network
}

fn evaluate(network: &Network, trips: i64, length: i64, limit: f32) -> Result<Vec<Tensor>> {
    let x = Tensor::of(vec![2, 3], vec![1f32, 2.0, 3.0, 10.0, 20.0, 30.0]).unwrap();
    let start = Tensor::vector(&[0f32, 0.0]);
    run(network, &[Tensor::scalar(trips), x, start, Tensor::scalar(length), Tensor::scalar(limit)])
}

fn reals(dims: &[usize], values: &[f32]) -> Tensor {
    Tensor::of(dims.to_vec(), values.to_vec()).unwrap()
}

#[test]
fn counted_loops_concatenate() {
    let out = evaluate(&summing(true, false, false), 3, 3, 0.0).unwrap();
    assert_eq!(
        out,
        [reals(&[2], &[6.0, 60.0]), reals(&[2, 3], &[1.0, 3.0, 6.0, 10.0, 30.0, 60.0])]
    );
    let out = evaluate(&summing(true, false, false), 2, 3, 0.0).unwrap();
    assert_eq!(
        out[1],
        reals(&[2, 3], &[1.0, 3.0, 0.0, 10.0, 30.0, 0.0]),
        "what no iteration gives is 0"
    );
}

#[test]
fn reversed_iteration_counts_from_the_trip_count() {
    let out = evaluate(&summing(true, false, true), 2, 2, 0.0).unwrap();
    assert_eq!(out, [reals(&[2], &[3.0, 30.0]), reals(&[2, 2], &[3.0, 30.0, 2.0, 20.0])]);
}

#[test]
fn the_condition_decides_on_its_own_iteration() {
    for (limit, sum) in [(0.0, 0.0), (0.5, 1.0), (1.5, 3.0), (3.5, 6.0)] {
        for counted in [true, false] {
            let network = summing(counted, true, false);
            let out = evaluate(&network, 3, 3, limit);
            // Without a count nothing keeps the iterator within its data.
            if !counted && limit > 3.0 {
                assert!(
                    out.unwrap_err().to_string().contains("index 3 is outside an axis of size 3")
                );
            } else {
                assert_eq!(out.unwrap()[0], reals(&[2], &[sum, sum * 10.0]), "{limit} {counted}");
            }
        }
    }
}

#[test]
fn loops_that_cannot_run_are_errors_with_their_site() {
    let error = evaluate(&summing(true, false, false), 4, 4, 0.0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot evaluate `loop` (Loop, opset 17): index 3 is outside an axis of size 3\n  at \
         graph `main`, node 0"
    );
    let open = ValueType::new(DType::F32, Shape(vec![Dim::named("m"), Dim::named("n")]));
    let mut network = summing(true, false, false);
    network.values[network.outputs[1].value].ty = open;
    let error = evaluate(&network, -1, 0, 0.0).unwrap_err();
    let message = "the loop has no iterations, so that the shape of what it gives is unknown";
    assert_eq!((error.kind(), error.problems()[0].message.as_str()), (Kind::Unsupported, message));
}

#[test]
fn only_the_branch_taken_runs() {
    let mut network = Network::default();
    let condition = network.add_input("c", ty(DType::Bool, &[]));
    let x = network.add_input("x", ty(DType::I32, &[]));
    let sum = binary(&mut network, ElementWiseOperation::Sum, x, x, ty(DType::I32, &[]));
    let quotient = binary(&mut network, ElementWiseOperation::Div, x, x, ty(DType::I32, &[]));
    let block = |layer: LayerId, network: &Network| Block {
        layers: vec![layer],
        results: network.layer(layer).outputs.to_vec(),
        ..Block::default()
    };
    let kind =
        Conditional { then_block: block(sum, &network), else_block: block(quotient, &network) };
    let outer = network.add_layer(kind.into(), &[condition], &[site()], [ty(DType::I32, &[])]);
    network.body.layers.push(outer);
    let value = network.layer(outer).outputs[0];
    network.outputs.push(Output { name: "y".into(), value, declared: None, site: site() });
    let truth = |truth| Tensor::of_bools(vec![], [truth]).unwrap();
    let mut seen = Vec::new();
    let out = run_with(&network, &[truth(true), Tensor::scalar(0i32)], &mut |id, _| seen.push(id))
        .unwrap();
    assert_eq!(out, [Tensor::scalar(0i32)]);
    assert_eq!(seen, [condition, x, network.layer(sum).outputs[0], value]);
    let error = run(&network, &[truth(false), Tensor::scalar(0i32)]).unwrap_err();
    assert_eq!(error.problems()[0].message, "a whole number is divided by 0");
}

#[test]
fn inputs_must_fit() {
    let network = summing(true, false, false);
    let error = run(&network, &[]).unwrap_err();
    assert_eq!(error.to_string(), "the network takes 5 inputs, but there are 0");
    let x = Tensor::scalar(1f32);
    let error = run(&network, &[x.clone(), x.clone(), x.clone(), x.clone(), x]).unwrap_err();
    assert_eq!(error.to_string(), "input `trips` is f32[], but the network takes i64[]");
}
