//! Each kind of layer with each type that the network's rules allow: TensorRT 8 gets types that it
//! has, or the user is told.

use super::*;
use crate::network::layer::{
    CoordinateTransformation, Einsum, Equation, GridSample, InterpolationMode, Lrn, OneHot,
    Pooling, PoolingType, Resize, ResizeOutput, ResizeRoundMode, ResizeSelector, ReverseSequence,
    Scatter, ScatterMode,
};
use std::collections::BTreeSet;

const TYPES: [DType; 12] = [
    DType::F32,
    DType::F16,
    DType::BF16,
    DType::I8,
    DType::U8,
    DType::I32,
    DType::I64,
    DType::Bool,
    DType::F8E4M3,
    DType::I4,
    DType::F4E2M1,
    DType::F8E8M0,
];

/// Kinds with blocks, with operands of fixed types, or of TensorRT 8 alone: other tests convert
/// them.
const ELSEWHERE: [&str; 4] = ["Conditional", "Loop", "NonMaxSuppression", "Rnn"];

/// Types that other libraries compute with, too.
const COMMON: [&str; 6] = ["f32 ", "f16 ", "bf16 ", "i32 ", "i64 ", "bool "];

/// What of these TensorRT 8 does not get: quantized types but `i8`, and powers of whole numbers,
/// which import multiplies out.
const REFUSED: [&str; 11] = [
    "bf16 Cast",
    "bf16 Quantize",
    "bool Cast",
    "f16 Cast",
    "f16 Quantize",
    "f32 Cast",
    "f32 Quantize",
    "i32 Cast",
    "i32 ElementWise",
    "i64 Cast",
    "i64 ElementWise",
];

/// A layer to be, and the shapes of its operands: data has the type at hand, indices the other.
struct Sample {
    kind: LayerKind,
    data: Vec<Vec<usize>>,
    indices: Vec<Tensor>,
    conditions: usize,
}

fn sample(kind: impl Into<LayerKind>, data: &[&[usize]]) -> Sample {
    let data = data.iter().map(|dims| dims.to_vec()).collect();
    Sample { kind: kind.into(), data, indices: Vec::new(), conditions: 0 }
}

fn indexed(kind: impl Into<LayerKind>, data: &[&[usize]], indices: Tensor) -> Sample {
    Sample { indices: vec![indices], ..sample(kind, data) }
}

fn samples(dtype: DType) -> Vec<Sample> {
    let mut all = calculations(dtype);
    all.extend(moves());
    all.extend(windows(dtype));
    all
}

fn calculations(dtype: DType) -> Vec<Sample> {
    use ActivationType as A;
    use ElementWiseOperation as E;
    use UnaryOperation as U;
    let mut all = Vec::new();
    let square: &[usize] = &[2, 3];
    for kind in [A::Relu, A::Sigmoid, A::Clip, A::Elu, A::GeluErf, A::GeluTanh, A::Softplus] {
        all.push(sample(Activation { kind, alpha: 0.5, beta: 1.0 }, &[square]));
    }
    for operation in [
        E::Sum,
        E::Prod,
        E::Max,
        E::Min,
        E::Sub,
        E::Div,
        E::Pow,
        E::FloorDiv,
        E::And,
        E::Or,
        E::Xor,
        E::Equal,
        E::Greater,
        E::Less,
    ] {
        all.push(sample(ew(operation), &[square, &[1, 3]]));
    }
    for operation in
        [U::Exp, U::Abs, U::Neg, U::Sign, U::Not, U::Round, U::Floor, U::Erf, U::IsInf, U::IsNan]
    {
        all.push(sample(Unary { operation }, &[square]));
    }
    for operation in [ReduceOperation::Sum, ReduceOperation::Max, ReduceOperation::Prod] {
        all.push(sample(Reduce { operation, axes: vec![1], keep_dims: true }, &[square]));
    }
    all.extend(TYPES.map(|to| sample(Cast { to }, &[square])));
    let operation = CumulativeOperation::Sum;
    let running = Cumulative { operation, axis: 1, exclusive: false, reverse: true };
    let (op0, op1) = (MatrixOperation::None, MatrixOperation::Transpose);
    all.extend([
        sample(running, &[square]),
        sample(MatrixMultiply { op0, op1 }, &[square, square]),
        sample(
            Einsum { equation: Equation::parse("ij,kj->ik", &[2, 2]).unwrap() },
            &[square, square],
        ),
        sample(SoftMax { axis: 0 }, &[&[3]]),
        sample(LayerKind::ParametricRelu, &[square, &[1, 3]]),
        sample(Lrn { window: 3, alpha: 1.0, beta: 0.5, k: 1.0 }, &[&[1, 4, 2, 2]]),
        sample(
            Normalization { epsilon: 1e-3, axes: vec![1], groups: 1 },
            &[square, square, square],
        ),
        sample(
            Normalization { epsilon: 1e-3, axes: vec![2], groups: 2 },
            &[&[1, 4, 3], &[1, 4, 1], &[1, 4, 1]],
        ),
        sample(Constant { weights: numbers_of(dtype, square) }, &[]),
        Sample { conditions: 1, ..sample(LayerKind::Select, &[square, square]) },
    ]);
    for k in [1, 2] {
        all.push(sample(
            TopK { operation: TopKOperation::Min, k: Arg::Static(k), axis: 0 },
            &[&[4]],
        ));
    }
    all
}

fn moves() -> Vec<Sample> {
    let square: &[usize] = &[2, 3];
    let list = |values: &[i64]| Tensor::vector(values);
    let slice = |size| Slice {
        start: Arg::Static(vec![0, -1]),
        size,
        stride: Arg::Static(vec![1, 1]),
        mode: SampleMode::Fill,
        fill: None,
    };
    let gather = |mode| Gather { mode, axis: 1, element_wise_dims: 0 };
    let scatter = Scatter { mode: ScatterMode::Element, axis: 1 };
    let grid = Tensor::of(vec![2, 1], vec![0i64, 2]).unwrap();
    vec![
        sample(Concatenation { axis: 0 }, &[square, square]),
        sample(LayerKind::Identity, &[square]),
        sample(LayerKind::Shape, &[square]),
        sample(LayerKind::NonZero, &[square]),
        sample(Squeeze { axes: vec![1] }, &[&[2, 1]]),
        sample(Unsqueeze { axes: vec![0] }, &[square]),
        sample(Shuffle { first_transpose: Some(vec![1, 0]), ..Shuffle::default() }, &[square]),
        sample(slice(Arg::Static(vec![2, 4])), &[square]),
        indexed(slice(Arg::Input(1)), &[square], list(&[2, 4])),
        indexed(gather(GatherMode::Default), &[square], list(&[2, 0])),
        indexed(gather(GatherMode::Element), &[square], grid.clone()),
        indexed(ReverseSequence { batch_axis: 1, sequence_axis: 0 }, &[square], list(&[1, 2, 1])),
        Sample {
            indices: vec![list(&[1, 0]), Tensor::scalar(2i64)],
            ..sample(OneHot { axis: 1 }, &[&[2]])
        },
        indexed(scatter, &[square, &[2, 1]], grid),
    ]
}

fn windows(dtype: DType) -> Vec<Sample> {
    let image: &[usize] = &[1, 2, 4, 4];
    let convolution = |bias| Convolution {
        maps: 2,
        kernel: vec![2, 2],
        stride: vec![1, 1],
        pre_padding: vec![0, 0],
        post_padding: vec![0, 0],
        padding_mode: PaddingMode::ExplicitRoundDown,
        dilation: vec![1, 1],
        groups: 1,
        weights: Arg::Static(numbers_of(dtype, &[2, 2, 2, 2])),
        bias,
    };
    let bias = Some(Arg::Static(numbers_of(dtype, &[2])));
    let resize = |mode| Resize {
        output: ResizeOutput::Sizes(vec![1, 2, 8, 8]),
        mode,
        coordinate_transformation: CoordinateTransformation::Asymmetric,
        selector_for_single_pixel: ResizeSelector::Formula,
        nearest_rounding: ResizeRoundMode::Floor,
        cubic_coeff: -0.75,
        exclude_outside: false,
    };
    let pooling = |kind| Pooling {
        kind,
        window: vec![2, 2],
        stride: vec![2, 2],
        pre_padding: vec![0, 0],
        post_padding: vec![0, 0],
        padding_mode: PaddingMode::ExplicitRoundDown,
        blend: 0.0,
        average_count_excludes_padding: true,
    };
    let interpolation = InterpolationMode::Linear;
    let grid = GridSample { interpolation, align_corners: false, sample_mode: SampleMode::Fill };
    let scale = Scale {
        mode: ScaleMode::Channel,
        shift: Some(numbers_of(dtype, &[2])),
        scale: None,
        power: None,
        channel_axis: 1,
    };
    let fill = |alpha| Fill {
        operation: FillOperation::Linspace,
        dims: Arg::Static(vec![2]),
        alpha: Arg::Static(alpha),
        beta: Arg::Static(1.0),
        dtype,
    };
    let mut all = vec![
        sample(convolution(None), &[image]),
        sample(convolution(bias), &[image]),
        sample(Deconvolution(convolution(None)), &[image]),
        sample(resize(InterpolationMode::Nearest), &[image]),
        sample(resize(InterpolationMode::Linear), &[image]),
        sample(pooling(PoolingType::Max), &[image]),
        sample(pooling(PoolingType::Average), &[image]),
        sample(grid, &[image, &[1, 2, 2, 2]]),
        sample(scale, &[image]),
        sample(fill(3.0), &[]),
        sample(Dequantize { axis: Some(1), to: DType::F32 }, &[&[2, 3], &[3]]),
    ];
    for to in [DType::I8, DType::I4, DType::F8E4M3] {
        all.push(sample(Quantize { axis: None, to }, &[&[2, 2], &[]]));
    }
    all
}

/// Numbers from −2 to 2 of a type; of one that nothing is cast to, ones.
fn numbers_of(dtype: DType, dims: &[usize]) -> Tensor {
    match eval::layer(&Cast { to: dtype }.into(), &[&numbers(dims)]) {
        Ok(made) => made[0].clone(),
        Err(_) => {
            let ones = vec![127; dims.iter().product()];
            Tensor::new(dtype, dims.to_vec(), ones.into()).unwrap()
        }
    }
}

/// The network of a sample alone, and what goes in; `None` where the network's rules forbid it.
fn network(sample: &Sample, dtype: DType, index: DType) -> Option<(Net, Vec<Tensor>)> {
    let (mut net, mut values, mut fed) = (Net::default(), Vec::new(), Vec::new());
    for _ in 0..sample.conditions {
        values.push(net.input(DType::Bool, &[1, 3]));
        fed.push(Tensor::of_bools(vec![1, 3], [true, false, true]).unwrap());
    }
    let scales = matches!(sample.kind, LayerKind::Dequantize(_) | LayerKind::Quantize(_));
    for (at, dims) in sample.data.iter().enumerate() {
        if scales && at == 1 {
            values.push(net.constant(numbers_of(DType::F32, dims)));
            continue;
        }
        values.push(net.input(dtype, dims));
        fed.push(numbers_of(dtype, dims));
    }
    let at = if matches!(sample.kind, LayerKind::OneHot(_)) { 0 } else { usize::MAX };
    for (i, tensor) in sample.indices.iter().enumerate() {
        let tensor = eval::layer(&Cast { to: index }.into(), &[tensor]).unwrap()[0].clone();
        let value = net.constant(tensor);
        let place = match (&sample.kind, i) {
            (LayerKind::Scatter(_), _) => 1,
            (_, i) if i == at => 0,
            _ => values.len(),
        };
        values.insert(place, value);
    }
    let kind = sample.kind.clone();
    infer::outputs(&net.network, &kind, &values).ok()?;
    let site = Site::node("main", 1, "n", "Op", 17, "y");
    let outputs = infer::add(&mut net.network, &mut net.body, kind, &values, &[site]).ok()?;
    outputs.into_iter().for_each(|value| net.output(value));
    net.network.body = std::mem::take(&mut net.body);
    Some((net, fed))
}

/// Whether TensorRT 8 has the type; Shape and NonZero say `i64` where it gives `i32`.
fn has(network: &Network, id: crate::network::LayerId, value: ValueId) -> bool {
    let dtype = network.value(value).ty.dtype;
    let counts = matches!(network.layer(id).kind, LayerKind::Shape | LayerKind::NonZero);
    matches!(dtype, DType::F32 | DType::F16 | DType::I32 | DType::Bool | DType::I8 | DType::U8)
        || counts && dtype == DType::I64
}

#[test]
fn every_kind_gets_types_that_tensorrt_8_has() {
    let mut seen = BTreeSet::from(ELSEWHERE);
    let mut refused = BTreeSet::new();
    for dtype in TYPES {
        for sample in samples(dtype) {
            for index in [DType::I32, DType::I64] {
                let Some((net, fed)) = network(&sample, dtype, index) else { continue };
                let what = format!("{dtype} {:?}", sample.kind);
                seen.insert(sample.kind.name());
                let before = valid::check(net.network).unwrap().into_inner();
                let mut after = before.clone();
                if let Err(error) = legalize(&mut after, Caps::eight()) {
                    assert_eq!(error.kind(), Kind::Unsupported, "{what}: {error}");
                    refused.insert(format!("{dtype} {}", sample.kind.name()));
                    continue;
                }
                let after = valid::check(after).unwrap_or_else(|error| panic!("{what}: {error}"));
                for id in after.live_layers() {
                    let layer = after.layer(id);
                    let outputs = layer.outputs.iter();
                    assert!(outputs.clone().all(|&v| has(&after, id, v)), "{what}\n{}", *after);
                    let lacking = whole_numbers::is_lacking(&after, &layer.kind, &layer.inputs);
                    assert!(!lacking, "{what}\n{}", *after);
                }
                assert_agree(&what, &before, &after, &fed);
            }
        }
    }
    assert_eq!(seen, LayerKind::NAMES.iter().copied().collect(), "kinds without a sample");
    let common = |text: &&String| COMMON.iter().any(|dtype| text.starts_with(dtype));
    let refused: Vec<_> = refused.iter().filter(common).map(String::as_str).collect();
    assert_eq!(refused, REFUSED);
}

/// Compares the numbers, as the model's types have them.
fn assert_agree(what: &str, before: &Network, after: &Network, fed: &[Tensor]) {
    let Ok(expected) = eval::run(before, fed) else { return };
    for (y, expected) in run_narrow(after, fed).into_iter().zip(expected) {
        let compared = compare("y", &y, &crate::onnx::Constant::Tensor(expected.clone()));
        assert!(compared.agrees, "{what}: {y:?} is not {expected:?}\n{after}");
    }
}
