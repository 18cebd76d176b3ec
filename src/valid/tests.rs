use super::check;
use crate::error::Kind;
use crate::infer::add;
use crate::network::layer::{
    Conditional, ElementWise, ElementWiseOperation, Loop, LoopOutput, Unary, UnaryOperation,
};
use crate::network::{
    Block, Dim, Layer, LayerKind, Maker, Network, Output, Shape, ValueId, ValueType,
};
use crate::site::Site;
use crate::tensor::DType;

fn f32s(dims: &[usize]) -> ValueType {
    ValueType::new(DType::F32, Shape::of(dims))
}

fn site() -> Site {
    Site::node("main", 0, "node", "Op", 17, "y")
}

fn negate() -> LayerKind {
    Unary { operation: UnaryOperation::Neg }.into()
}

/// A network with an input `x`, and what `body` makes of it as output `y`.
fn network(
    ty: ValueType,
    body: impl FnOnce(&mut Network, &mut Block, ValueId) -> ValueId,
) -> Network {
    let mut network = Network::default();
    let x = network.add_input("x", ty);
    let mut block = Block::default();
    let value = body(&mut network, &mut block, x);
    network.body = block;
    network.outputs.push(Output {
        name: "y".into(),
        value,
        declared: None,
        site: Site::tensor("main", "output", "y"),
    });
    network
}

fn negated(network: &mut Network, block: &mut Block, x: ValueId) -> ValueId {
    add(network, block, negate(), &[x], &[site()]).unwrap()[0]
}

/// A layer of this kind without inputs, whatever is wrong with it.
fn raw(
    network: &mut Network,
    block: &mut Block,
    kind: LayerKind,
    outputs: Vec<ValueType>,
) -> ValueId {
    let layer = network.add_layer(kind, &[], &[site()], outputs);
    block.layers.push(layer);
    network.layer(layer).outputs[0]
}

/// Compares kind and text of the error.
fn refuses(network: Network, kind: Kind, text: &str) {
    let error = check(network).unwrap_err();
    let actual = error.problems().first().map_or(error.message(), |problem| &problem.message);
    assert_eq!((error.kind(), actual), (kind, text));
}

#[test]
fn a_right_network_passes_and_comes_back() {
    let checked = check(network(f32s(&[2, 3]), negated)).unwrap();
    assert_eq!(checked.outputs.len(), 1);
    assert_eq!(checked.into_inner().body.layers.len(), 1);
}

#[test]
fn names_are_unique_and_outputs_there() {
    let mut none = network(f32s(&[2]), negated);
    none.outputs.clear();
    refuses(none, Kind::Invalid, "the network has no outputs");
    let mut twice = network(f32s(&[2]), negated);
    twice.outputs.push(twice.outputs[0].clone());
    refuses(twice, Kind::Invalid, "another output has the same name");
    let mut inputs = network(f32s(&[2]), negated);
    inputs.add_input("x", f32s(&[1]));
    refuses(inputs, Kind::Invalid, "another input has the same name");
}

#[test]
fn ids_and_order_are_checked() {
    let broken = |breaks: fn(&mut Network), text| {
        let mut network = network(f32s(&[2]), |network, block, x| {
            let y = negated(network, block, x);
            negated(network, block, y)
        });
        breaks(&mut network);
        refuses(network, Kind::Internal, text);
    };
    broken(|n| n.body.layers.reverse(), "value %1 is used before it is made");
    broken(|n| n.body.layers.push(n.body.layers[0]), "layer %0, a Unary, is listed twice");
    broken(|n| n.inputs.push(n.inputs[0]), "input value %0 is made twice");
    broken(|n| n.body.params.push(n.inputs[0]), "the outermost block has parameters or results");
    broken(|n| n.layers[n.body.layers[0]].sites.clear(), "layer %0, a Unary, has no site");
    broken(
        |n| n.layers[n.body.layers[0]].outputs = n.layers[n.body.layers[1]].outputs.clone(),
        "value %2 says it is made by Layer(%1), but it is made by Layer(%0)",
    );
    broken(
        |n| {
            let dead = n.values[n.inputs[0]].clone();
            n.outputs[0].value = n.values.add(dead);
        },
        "value %3 is used before it is made",
    );
    broken(
        |n| {
            let mut other = n.clone();
            n.outputs[0].value = other.add_param("far", f32s(&[1]));
        },
        "value %3 is not among the network's 3",
    );
    broken(
        |n| {
            let Layer { kind, .. } = n.layer(n.body.layers[0]).clone();
            n.body.layers[0] = n.clone().add_layer(kind, &[], &[], []);
        },
        "layer %2 is not among the network's 2",
    );
}

/// A conditional whose branches are made by `branch`.
fn conditional(
    network: &mut Network,
    block: &mut Block,
    x: ValueId,
    mut branch: impl FnMut(&mut Network, &mut Block) -> ValueId,
) -> ValueId {
    let kind = ElementWise { operation: ElementWiseOperation::Less }.into();
    let condition = add(network, block, kind, &[x, x], &[site()]).unwrap()[0];
    let mut nested = || {
        let mut inner = Block::default();
        let result = branch(network, &mut inner);
        inner.results.push(result);
        inner
    };
    let (then_block, else_block) = (nested(), nested());
    let kind = Conditional { then_block, else_block }.into();
    add(network, block, kind, &[condition], &[site()]).unwrap()[0]
}

#[test]
fn nested_blocks_see_outward_only() {
    let outward = network(f32s(&[]), |network, block, x| {
        conditional(network, block, x, |network, inner| negated(network, inner, x))
    });
    assert!(check(outward).is_ok());
    let mut leaked = None;
    let inward = network(f32s(&[]), |network, block, x| {
        conditional(network, block, x, |network, inner| *leaked.insert(negated(network, inner, x)));
        leaked.unwrap()
    });
    refuses(inward, Kind::Internal, "value %3 is used outside the block that makes it");
}

#[test]
fn deep_nesting_is_refused() {
    fn nest(network: &mut Network, block: &mut Block, x: ValueId, depth: usize) -> ValueId {
        if depth == 0 {
            return negated(network, block, x);
        }
        let mut body = Block::default();
        let result = nest(network, &mut body, x, depth - 1);
        let param = network.add_param("p", network.value(x).ty.clone());
        body.params.push(param);
        body.results.push(result);
        let trip = crate::network::layer::Constant { weights: crate::tensor::Tensor::scalar(1i32) };
        let trip = add(network, block, trip.into(), &[], &[site()]).unwrap()[0];
        let kind = Loop {
            counted: true,
            capped: false,
            while_result: false,
            iterators: Vec::new(),
            recurrences: 1,
            outputs: vec![LoopOutput::LastValue(0)],
            body,
        };
        add(network, block, kind.into(), &[trip, x], &[site()]).unwrap()[0]
    }
    assert!(check(network(f32s(&[2]), |network, block, x| nest(network, block, x, 64))).is_ok());
    let deep = network(f32s(&[2]), |network, block, x| nest(network, block, x, 65));
    refuses(deep, Kind::Unsupported, "blocks are nested more than 64 deep");
}

#[test]
fn stored_types_are_the_inferred_ones() {
    let retyped = |ty: ValueType, text| {
        let mut network = network(f32s(&[2, 3]), negated);
        let value = network.outputs[0].value;
        network.values[value].ty = ty;
        refuses(network, Kind::Internal, text);
    };
    retyped(f32s(&[2, 4]), "Unary gives f32[2, 3], but %1 is stored as f32[2, 4]");
    retyped(
        ValueType::new(DType::F16, Shape::of(&[2, 3])),
        "Unary gives f32[2, 3], but %1 is stored as f16[2, 3]",
    );
    let wrong =
        network(f32s(&[2]), |network, block, _| raw(network, block, negate(), vec![f32s(&[2])]));
    refuses(wrong, Kind::Internal, "Unary takes 1 inputs but has 0");
    let extra = network(f32s(&[2]), |network, block, x| {
        let value = raw(network, block, negate(), vec![f32s(&[2]), f32s(&[2])]);
        let Some(Maker::Layer(layer)) = network.values.get(value).map(|value| value.maker) else {
            return value;
        };
        network.layers[layer].inputs.push(x);
        value
    });
    refuses(extra, Kind::Internal, "Unary has 2 outputs but gives 1");
}

#[test]
fn renumbering_does_not_change_what_is_known() {
    let mut network = network(f32s(&[2]), |network, block, x| {
        negated(network, block, x);
        let indices = add(network, block, LayerKind::NonZero, &[x], &[site()]).unwrap()[0];
        add(network, block, LayerKind::Shape, &[indices], &[site()]).unwrap()[0]
    });
    network.compact();
    assert_eq!(network.body.layers.len(), 2);
    assert!(check(network).is_ok());
}

#[test]
fn what_no_tensorrt_holds_is_refused() {
    let refused =
        |ty: ValueType, text: &str| refuses(network(ty, |_, _, x| x), Kind::Unsupported, text);
    refused(
        ValueType::new(DType::F64, Shape::of(&[2])),
        "`x`, f64[2], has a type that TensorRT does not have",
    );
    refused(
        f32s(&[1; 9]),
        "`x`, f32[1, 1, 1, 1, 1, 1, 1, 1, 1], has 9 axes, but TensorRT has at most 8",
    );
    refused(
        f32s(&[1 << 31]),
        "`x`, f32[2147483648], has an axis of size 2147483648, but sizes are from 0 to 2147483647",
    );
    refused(
        ValueType::new(DType::I8, Shape(vec![Dim::Known(-1)])),
        "`x`, i8[-1], has an axis of size -1, but sizes are from 0 to 2147483647",
    );
    let n = Dim::named("N");
    refused(
        ValueType::new(DType::F32, Shape(vec![n, Dim::Known(1 << 20), Dim::Known(1 << 20)])),
        "`x`, f32[N, 1048576, 1048576], takes at least 4398046511104 bytes, but the most is \
         1099511627775",
    );
    assert!(check(network(f32s(&[1 << 20, 1 << 20, 0]), |_, _, x| x)).is_ok());
}

#[test]
fn all_problems_of_types_come_at_once() {
    let mut network = network(f32s(&[2]), |network, block, x| {
        negated(network, block, x);
        negated(network, block, x)
    });
    for layer in network.body.layers.clone() {
        let output = network.layer(layer).outputs[0];
        network.values[output].ty = f32s(&[7]);
    }
    let error = check(network).unwrap_err();
    let messages: Vec<_> =
        error.problems().iter().map(|problem| problem.message.as_str()).collect();
    let expected = [
        "Unary gives f32[2], but %1 is stored as f32[7]",
        "Unary gives f32[2], but %2 is stored as f32[7]",
    ];
    assert_eq!(messages, expected);
}
