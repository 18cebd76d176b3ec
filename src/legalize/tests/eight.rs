//! What TensorRT 8 lacks has an equal there.

use super::*;
use crate::network::layer::{
    Cumulative, CumulativeOperation, MatrixMultiply, MatrixOperation, Scale, ScaleMode, Unary,
};
use crate::verify::boundary;

mod kinds;

/// An input with sizes that only the run knows, by name.
fn open(net: &mut Net, dtype: DType, names: &[&str]) -> ValueId {
    let size = |name: &&str| name.parse().map_or_else(|_| Dim::named(*name), Dim::Known);
    let ty = ValueType::new(dtype, names.iter().map(size).collect());
    net.network.add_input(&format!("x{}", net.network.inputs.len()), ty)
}

/// Whole numbers, the largest and the smallest among them.
fn whole(dims: &[usize]) -> Tensor {
    let some = [7, i32::MAX, -3, 7, i32::MIN, 0, 16_777_217, 16_777_216, -3, i32::MAX - 1, 65_536];
    let count = dims.iter().product();
    Tensor::of(dims.to_vec(), some.into_iter().cycle().take(count).collect()).unwrap()
}

fn networks_of(net: Net) -> (Network, Network) {
    net.legalized_for(Caps::eight())
}

#[test]
fn running_sums_of_any_length_are_exact() {
    for (exclusive, reverse) in [(false, false), (true, false), (false, true), (true, true)] {
        for names in [["n", "3"], ["n", "t"], ["2", "t"], ["2", "3"]] {
            for axis in [0, 1] {
                let mut net = Net::default();
                let (x, y) =
                    (open(&mut net, DType::I32, &names), open(&mut net, DType::F32, &names));
                let operation = CumulativeOperation::Sum;
                for value in [x, y] {
                    let sum = Cumulative { operation, axis, exclusive, reverse };
                    let sum = net.add(sum, &[value]);
                    net.output(sum);
                }
                let networks = networks_of(net);
                assert!(!networks.1.to_string().contains("Cumulative"), "{}", networks.1);
                let real = [1.0, f32::INFINITY, 0.5, 2.0, -1.0, 4.0];
                let real = Tensor::of(vec![2, 3], real.to_vec()).unwrap();
                assert_same_numbers(networks, &[whole(&[2, 3]), real]);
            }
        }
    }
}

#[test]
fn running_sums_take_as_many_steps_as_are_promised() {
    let steps = |most: Option<i64>| {
        let mut net = Net::default();
        let x = open(&mut net, DType::F32, &["t"]);
        let symbol = net.network.value(x).ty.shape[0].as_symbol().unwrap().clone();
        net.network.ranges.extend(most.map(|most| (symbol, [1, most])));
        let operation = CumulativeOperation::Sum;
        let y = Cumulative { operation, axis: 0, exclusive: false, reverse: false };
        let y = net.add(y, &[x]);
        net.output(y);
        kinds(&networks_of(net).1).iter().filter(|kind| *kind == "Slice f32").count()
    };
    assert_eq!([steps(Some(100)), steps(None)], [7, 30]);
}

#[test]
fn whole_numbers_are_turned_round_and_cut_off() {
    let mut net = Net::default();
    let x = open(&mut net, DType::I32, &["n"]);
    let relu = net.add(Activation { kind: ActivationType::Relu, alpha: 0.0, beta: 0.0 }, &[x]);
    net.output(relu);
    for operation in [UnaryOperation::Neg, UnaryOperation::Abs, UnaryOperation::Sign] {
        let y = net.add(Unary { operation }, &[x]);
        net.output(y);
    }
    let networks = networks_of(net);
    let kinds = kinds(&networks.1);
    assert_eq!(kinds.iter().filter(|kind| kind.starts_with("Unary")).count(), 1, "{kinds:?}");
    assert!(!kinds.contains(&"Activation i32".to_owned()), "{kinds:?}");
    assert_same_numbers(networks, &[whole(&[11])]);
}

#[test]
fn the_largest_whole_numbers_are_found_exactly() {
    for operation in [TopKOperation::Max, TopKOperation::Min] {
        for names in [["n", "m", "2"], ["4", "3", "2"]] {
            for axis in 0..3 {
                let mut net = Net::default();
                let x = open(&mut net, DType::I32, &names);
                for k in [Arg::Static(1), Arg::Static(2), Arg::Input(1)] {
                    let late = (k == Arg::Input(1)).then(|| net.constant(Tensor::scalar(2i64)));
                    let inputs: Vec<ValueId> = std::iter::once(x).chain(late).collect();
                    let site = Site::node("main", 9, "top", "TopK", 17, "y");
                    let top: LayerKind = TopK { operation, k, axis }.into();
                    let (network, body) = (&mut net.network, &mut net.body);
                    let outputs = infer::add(network, body, top, &inputs, &[site]).unwrap();
                    outputs.into_iter().for_each(|value| net.output(value));
                }
                let networks = networks_of(net);
                let top = |id| match networks.1.layer(id).kind {
                    LayerKind::TopK(_) => Some(networks.1.layer(id).inputs[0]),
                    _ => None,
                };
                let tops: Vec<_> = networks.1.live_layers().into_iter().filter_map(top).collect();
                let real = |&value: &ValueId| networks.1.value(value).ty.dtype == DType::F32;
                assert!(tops.len() == 3 && tops.iter().all(real), "{}", networks.1);
                assert_same_numbers(networks, &[whole(&[4, 3, 2])]);
            }
        }
    }
}

/// What comes out of a network after `enter` and before `leave`, on these inputs.
fn run_narrow(network: &Network, inputs: &[Tensor]) -> Vec<Tensor> {
    let fed = network.inputs.iter().zip(inputs).map(|(&input, tensor)| {
        boundary::enter("x", tensor, network.value(input).ty.dtype).unwrap()
    });
    let outputs = eval::run(network, &fed.collect::<Vec<_>>()).unwrap();
    let outputs = network.outputs.iter().zip(outputs);
    outputs.map(|(output, y)| boundary::leave("y", y, output.declared).unwrap()).collect()
}

#[test]
fn constants_of_small_types_become_their_numbers() {
    for (dtype, to) in [
        (DType::I4, DType::F32),
        (DType::I4, DType::F16),
        (DType::F8E4M3, DType::F32),
        (DType::F4E2M1, DType::BF16),
    ] {
        let mut net = Net::default();
        let data = eval::layer(&Cast { to: dtype }.into(), &[&numbers(&[3, 4])]).unwrap();
        let data = net.constant(data[0].clone());
        let scale = net.constant(Tensor::vector(&[0.5f32, 2.0, 1.0, 0.25]));
        let y = net.add(Dequantize { axis: Some(1), to }, &[data, scale]);
        net.output(y);
        let (before, after) = networks_of(net);
        assert_eq!(kinds(&after).len(), 1, "{after}");
        assert_eq!(eval::run(&before, &[]).unwrap(), run_narrow(&after, &[]), "{after}");
    }
}

#[test]
fn weights_stay_quantized_where_the_data_are() {
    for quantized in [true, false] {
        let mut net = Net::default();
        let x = net.input(DType::F32, &[2, 3]);
        let scale = net.constant(Tensor::scalar(0.5f32));
        let small = net.add(Quantize { axis: None, to: DType::I8 }, &[x, scale]);
        let data = net.add(Dequantize { axis: None, to: DType::F32 }, &[small, scale]);
        let data =
            if quantized { data } else { net.add(ew(ElementWiseOperation::Sum), &[data, x]) };
        let weights = net.constant(Tensor::of(vec![4, 3], (0..12i8).collect()).unwrap());
        let weights = net.add(Dequantize { axis: None, to: DType::F32 }, &[weights, scale]);
        let turned = Shuffle { first_transpose: Some(vec![1, 0]), ..Shuffle::default() };
        let weights = net.add(turned, &[weights]);
        let product = MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::None };
        let y = net.add(product, &[data, weights]);
        net.output(y);
        let networks = networks_of(net);
        let dequantized =
            kinds(&networks.1).iter().filter(|kind| *kind == "Dequantize f32").count();
        assert_eq!(dequantized, if quantized { 2 } else { 1 }, "{}", networks.1);
        assert_same_numbers(networks, &[numbers(&[2, 3])]);
    }
}

#[test]
fn scales_of_open_sizes_become_sums_and_products() {
    let mut net = Net::default();
    let x = open(&mut net, DType::F32, &["n", "2", "3", "2"]);
    let cases = [
        (ScaleMode::ElementWise, 2, 6),
        (ScaleMode::ElementWise, 1, 12),
        (ScaleMode::Channel, 2, 3),
        (ScaleMode::Channel, 1, 2),
        (ScaleMode::Uniform, 1, 1),
    ];
    for (mode, channel_axis, count) in cases {
        let of = |add: f32| Some(Tensor::vector(&vec![add; count]));
        let (shift, scale, power) = (of(3.0), of(0.5), of(2.0));
        let parts = Scale { mode, shift, scale, power, channel_axis };
        for kind in [parts.clone(), Scale { shift: None, power: None, ..parts }] {
            let y = net.add(kind, &[x]);
            net.output(y);
        }
    }
    let networks = networks_of(net);
    let left = kinds(&networks.1).iter().filter(|kind| *kind == "Scale f32").count();
    assert_eq!(left, 4, "{}", networks.1);
    assert_same_numbers(networks, &[numbers(&[2, 2, 3, 2])]);
}

#[test]
fn constants_of_bool_are_cast() {
    let mut net = Net::default();
    let x = net.input(DType::Bool, &[2]);
    let c = net.constant(Tensor::of_bools(vec![2], [true, false]).unwrap());
    let y = net.add(ew(ElementWiseOperation::And), &[x, c]);
    net.output(y);
    let networks = networks_of(net);
    assert_eq!(kinds(&networks.1), ["Constant i32", "Cast bool", "ElementWise bool"]);
    assert_same_numbers(networks, &[Tensor::of_bools(vec![2], [true, true]).unwrap()]);
}

#[test]
fn numbers_that_do_not_fit_are_told_by_name() {
    let mut net = Net::default();
    let x = net.input(DType::I64, &[1]);
    let c = net.constant(Tensor::vector(&[1i64 << 40]));
    let y = net.add(ew(ElementWiseOperation::Sum), &[x, c]);
    net.output(y);
    net.network.body = net.body;
    let error = legalize(&mut net.network, Caps::eight()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(
        error.to_string().contains("holds 1099511627776, but this TensorRT has no i64"),
        "{error}"
    );
}
