//! Layers with random attributes and operands, most of which make no sense: whatever they are,
//! nothing panics, and what has a value has the type that `infer` promised.

use super::*;
use crate::infer;
use crate::network::layer::*;
use crate::network::{Block, Dim, Network, Shape, ValueType};
use crate::tensor::DType;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A small generator of whole numbers, the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 0
    }

    /// A size or axis: nearly always small.
    fn size(&mut self) -> usize {
        match self.below(60) {
            0 => usize::MAX,
            1 => 1 << 40,
            _ => self.below(4),
        }
    }

    fn step(&mut self) -> i64 {
        match self.below(60) {
            0 => i64::MIN,
            1 => i64::MAX,
            _ => i64::try_from(self.below(6)).unwrap() - 2,
        }
    }

    fn real(&mut self) -> f64 {
        self.pick(&[0.0, 0.5, 1.0, 2.0, -1.0, 1e30, f64::NAN, f64::INFINITY])
    }

    fn list<T>(&mut self, len: usize, mut entry: impl FnMut(&mut Self) -> T) -> Vec<T> {
        // Now and then the length is wrong.
        let len = if self.below(40) == 0 { self.below(6) } else { len };
        (0..len).map(|_| entry(self)).collect()
    }

    fn dims(&mut self, rank: usize) -> Vec<usize> {
        (0..rank).map(|_| self.pick(&[0, 1, 1, 2, 2, 3, 4, 4])).collect()
    }

    fn tensor(&mut self, dtype: DType, dims: &[usize]) -> Tensor {
        let count = dims.iter().product();
        let values: Vec<f32> =
            (0..count).map(|_| self.pick(&[0.0f32, 1.0, 2.0, 3.0, -1.0, 1.0])).collect();
        let tensor = Tensor::of(dims.to_vec(), values).unwrap();
        layer(&Cast { to: dtype }.into(), &[&tensor]).map_or(tensor, |mut cast| cast.remove(0))
    }

    fn float(&mut self) -> DType {
        self.pick(&[DType::F32, DType::F32, DType::F16, DType::BF16])
    }

    fn any(&mut self) -> DType {
        use DType::{BF16, Bool, F4E2M1, F8E4M3, F16, F32, I4, I8, I32, I64, U8};
        self.pick(&[F32, F16, BF16, I8, U8, I32, I64, Bool, F8E4M3, I4, F4E2M1])
    }

    fn mode(&mut self) -> SampleMode {
        use SampleMode::{Clamp, Fill, Reflect, StrictBounds, Wrap};
        self.pick(&[StrictBounds, Wrap, Clamp, Fill, Reflect])
    }

    fn padding(&mut self) -> PaddingMode {
        use PaddingMode::{
            CaffeRoundDown, CaffeRoundUp, ExplicitRoundDown, ExplicitRoundUp, SameLower, SameUpper,
        };
        self.pick(&[
            ExplicitRoundDown,
            ExplicitRoundDown,
            ExplicitRoundUp,
            SameUpper,
            SameLower,
            CaffeRoundDown,
            CaffeRoundUp,
        ])
    }
}

/// A layer of the kind with this number, with operands.
fn random_layer(kind: usize, r: &mut Random) -> Option<(LayerKind, Vec<Tensor>)> {
    let rank = r.below(5);
    let dims = r.dims(rank);
    let axis = if rank == 0 { r.size() } else { r.below(rank + 1).min(r.size()) };
    Some(match kind {
        0..=9 => pointwise(kind, r, &dims),
        10..=19 => moving(kind, r, &dims, axis),
        20..=26 => indexed(kind, r, &dims, axis),
        27..=31 => windowed(kind, r),
        32..=40 => reducing(kind, r, &dims, axis),
        _ => return None,
    })
}

fn pointwise(kind: usize, r: &mut Random, dims: &[usize]) -> (LayerKind, Vec<Tensor>) {
    let dtype = r.any();
    // Some axes broadcast.
    let other: Vec<usize> =
        dims.iter().map(|&d| if r.below(4) == 0 { r.pick(&[1, 2]) } else { d }).collect();
    let x = r.tensor(dtype, dims);
    match kind {
        0 | 1 => {
            use ActivationType as A;
            let kind = r.pick(&[
                A::Relu,
                A::Sigmoid,
                A::Elu,
                A::Selu,
                A::Softplus,
                A::Clip,
                A::HardSigmoid,
                A::GeluErf,
                A::GeluTanh,
            ]);
            (Activation { kind, alpha: r.real() as f32, beta: r.real() as f32 }.into(), vec![x])
        }
        2 => (Cast { to: r.any() }.into(), vec![x]),
        3..=5 => {
            use ElementWiseOperation as E;
            let operation = r.pick(&[
                E::Sum,
                E::Prod,
                E::Max,
                E::Min,
                E::Sub,
                E::Div,
                E::Pow,
                E::FloorDiv,
                E::And,
                E::Xor,
                E::Equal,
                E::Less,
            ]);
            (ElementWise { operation }.into(), vec![x, r.tensor(dtype, &other)])
        }
        6 => (LayerKind::ParametricRelu, vec![x, r.tensor(dtype, &other)]),
        7 => (LayerKind::Select, vec![r.tensor(DType::Bool, &other), x, r.tensor(dtype, dims)]),
        8 => {
            use UnaryOperation as U;
            let operation = r.pick(&[
                U::Exp,
                U::Sqrt,
                U::Abs,
                U::Neg,
                U::Not,
                U::Sign,
                U::Round,
                U::IsInf,
                U::IsNan,
                U::Erf,
            ]);
            (Unary { operation }.into(), vec![x])
        }
        _ => {
            let axis = r.flag().then(|| r.size());
            let scale =
                r.tensor(DType::F32, &dims.get(axis.unwrap_or(9)).map_or(vec![], |&d| vec![d]));
            if r.flag() {
                let to = r.pick(&[DType::I8, DType::F8E4M3, DType::I4, DType::F4E2M1]);
                (Quantize { axis, to }.into(), vec![r.tensor(DType::F32, dims), scale])
            } else {
                (Dequantize { axis, to: DType::F32 }.into(), vec![x, scale])
            }
        }
    }
}

fn moving(kind: usize, r: &mut Random, dims: &[usize], axis: usize) -> (LayerKind, Vec<Tensor>) {
    let dtype = r.any();
    let x = r.tensor(dtype, dims);
    let rank = dims.len();
    match kind {
        10 => {
            let mut others = vec![x];
            for _ in 0..r.below(3) {
                let mut dims = dims.to_vec();
                dims.iter_mut().skip(axis).take(1).for_each(|d| *d = r.below(4));
                others.push(r.tensor(dtype, &dims));
            }
            (Concatenation { axis }.into(), others)
        }
        11 | 12 => {
            let order = |r: &mut Random| {
                let mut order: Vec<usize> = (0..rank).collect();
                if rank > 1 {
                    order.swap(r.below(rank), r.below(rank));
                }
                order.truncate(if r.below(40) == 0 { 1 } else { rank });
                r.flag().then_some(order)
            };
            let (first_transpose, second_transpose) = (order(r), order(r));
            let reshape = r.flag().then(|| {
                let sizes = dims.iter().map(|&d| i64::try_from(d).unwrap());
                let dims =
                    sizes.map(|d| if r.below(4) == 0 { r.pick(&[-1, 0, 1]) } else { d }).collect();
                Reshape::Static { dims, zero_is_placeholder: r.flag() }
            });
            (Shuffle { first_transpose, reshape, second_transpose }.into(), vec![x])
        }
        13..=15 => {
            let fixed =
                |r: &mut Random, entry: fn(&mut Random) -> i64| Arg::Static(r.list(rank, entry));
            let size = |r: &mut Random| {
                if r.below(50) == 0 { r.step() } else { i64::try_from(r.below(5)).unwrap() }
            };
            let (start, size, stride) =
                (fixed(r, Random::step), fixed(r, size), fixed(r, Random::step));
            let fill = r.flag().then_some(1);
            (
                Slice { start, size, stride, mode: r.mode(), fill }.into(),
                vec![x, r.tensor(dtype, &[])],
            )
        }
        16 => (Squeeze { axes: vec![axis] }.into(), vec![x]),
        17 => (Unsqueeze { axes: r.list(1, Random::size) }.into(), vec![x]),
        18 => (r.pick(&[LayerKind::Shape, LayerKind::Identity, LayerKind::NonZero]), vec![x]),
        _ => {
            let dims = Arg::Static(r.list(rank, Random::size));
            let (alpha, beta) = (Arg::Static(r.real()), Arg::Static(r.real()));
            let operation = r.pick(&[
                FillOperation::Linspace,
                FillOperation::Linspace,
                FillOperation::RandomUniform,
            ]);
            let dtype = r.pick(&[DType::F32, DType::I32, DType::I64]);
            (Fill { operation, dims, alpha, beta, dtype }.into(), vec![])
        }
    }
}

fn indexed(kind: usize, r: &mut Random, dims: &[usize], axis: usize) -> (LayerKind, Vec<Tensor>) {
    let dtype = r.any();
    let x = r.tensor(dtype, dims);
    let index_type = r.pick(&[DType::I32, DType::I64]);
    let index_rank = r.below(3);
    let other = if r.flag() { dims.to_vec() } else { r.dims(index_rank) };
    let at = r.tensor(index_type, &other);
    match kind {
        20..=22 => {
            let mode = r.pick(&[GatherMode::Default, GatherMode::Element, GatherMode::Nd]);
            let element_wise_dims = if r.below(3) == 0 { r.size() } else { 0 };
            (Gather { mode, axis, element_wise_dims }.into(), vec![x, at])
        }
        23 => {
            let mode = r.pick(&[ScatterMode::Element, ScatterMode::Nd]);
            let updates = if r.flag() { other } else { r.dims(index_rank) };
            (Scatter { mode, axis }.into(), vec![x, at, r.tensor(dtype, &updates)])
        }
        24 => {
            let depth = r.tensor(DType::I64, &[]);
            (OneHot { axis }.into(), vec![at, r.tensor(dtype, &[2]), depth])
        }
        25 => {
            let lengths = r.tensor(DType::I64, &dims[..dims.len().min(1)]);
            (ReverseSequence { batch_axis: 0, sequence_axis: axis }.into(), vec![x, lengths])
        }
        _ => {
            let operation = r.pick(&[TopKOperation::Max, TopKOperation::Min]);
            (TopK { operation, k: Arg::Static(r.size()), axis }.into(), vec![x])
        }
    }
}

fn windowed(kind: usize, r: &mut Random) -> (LayerKind, Vec<Tensor>) {
    let dtype = r.float();
    let spatial = r.pick(&[2, 2, 2, 3]);
    let groups = r.pick(&[1, 1, 2, 0]);
    let (channels, maps) = (groups.max(1) * r.below(3), groups.max(1) * r.below(3));
    let mut dims = vec![r.below(3), channels];
    dims.extend((0..spatial).map(|_| 2 + r.below(4)));
    let x = r.tensor(dtype, &dims);
    let kernel = r.list(spatial, |r| 1 + r.below(2));
    let positive = |r: &mut Random| r.size().max(1);
    let (stride, dilation) = (r.list(spatial, positive), r.list(spatial, positive));
    let (pre_padding, post_padding) =
        (r.list(spatial, Random::size), r.list(spatial, Random::size));
    let padding_mode = r.padding();
    let bias = r.flag().then(|| Arg::Static(r.tensor(dtype, &[maps])));
    match kind {
        27..=29 => {
            let back = kind == 29;
            let (rows, columns) = if back { (channels, maps) } else { (maps, channels) };
            let weights = Arg::Static(
                r.tensor(dtype, &[&[rows, columns / groups.max(1)], kernel.as_slice()].concat()),
            );
            let layer = Convolution {
                maps,
                kernel,
                stride,
                pre_padding,
                post_padding,
                padding_mode,
                dilation,
                groups,
                weights,
                bias,
            };
            (if back { Deconvolution(layer).into() } else { layer.into() }, vec![x])
        }
        _ => {
            let kind =
                r.pick(&[PoolingType::Max, PoolingType::Average, PoolingType::MaxAverageBlend]);
            let average_count_excludes_padding = r.flag();
            let layer = Pooling {
                kind,
                window: kernel,
                stride,
                pre_padding,
                post_padding,
                padding_mode,
                blend: 0.5,
                average_count_excludes_padding,
            };
            (layer.into(), vec![x])
        }
    }
}

fn reducing(kind: usize, r: &mut Random, dims: &[usize], axis: usize) -> (LayerKind, Vec<Tensor>) {
    let dtype = r.float();
    let x = r.tensor(dtype, dims);
    match kind {
        32 => {
            use ReduceOperation as R;
            let operation = r.pick(&[R::Sum, R::Prod, R::Max, R::Min, R::Avg]);
            let any = r.any();
            (
                Reduce { operation, axes: vec![axis], keep_dims: r.flag() }.into(),
                vec![r.tensor(any, dims)],
            )
        }
        33 => {
            let layer = Cumulative {
                operation: CumulativeOperation::Sum,
                axis,
                exclusive: r.flag(),
                reverse: r.flag(),
            };
            (layer.into(), vec![x])
        }
        34 => (SoftMax { axis }.into(), vec![x]),
        35 => {
            let mut per_channel = vec![1; dims.len()];
            per_channel
                .iter_mut()
                .skip(1)
                .take(1)
                .zip(dims.iter().skip(1))
                .for_each(|(to, &d)| *to = d);
            let (scale, bias) = (r.tensor(dtype, &per_channel), r.tensor(dtype, &per_channel));
            let layer =
                Normalization { epsilon: 1e-5, axes: vec![axis], groups: r.pick(&[1, 1, 2, 0]) };
            (layer.into(), vec![x, scale, bias])
        }
        36 => {
            let coefficients = |r: &mut Random| {
                r.flag().then(|| r.tensor(dtype, &dims[dims.len().min(1)..dims.len().min(2)]))
            };
            let mode = r.pick(&[ScaleMode::Uniform, ScaleMode::Channel, ScaleMode::ElementWise]);
            let (shift, scale, power) = (coefficients(r), coefficients(r), coefficients(r));
            (Scale { mode, shift, scale, power, channel_axis: 1 }.into(), vec![x])
        }
        37 => {
            (Lrn { window: r.size(), alpha: 1.0, beta: 0.75, k: r.real() as f32 }.into(), vec![x])
        }
        38 => {
            let output = if r.flag() {
                ResizeOutput::Sizes(r.list(dims.len(), Random::size))
            } else {
                ResizeOutput::Scales(r.list(dims.len(), |r| r.real() as f32))
            };
            let layer = Resize {
                output,
                mode: r.pick(&[
                    InterpolationMode::Nearest,
                    InterpolationMode::Linear,
                    InterpolationMode::Cubic,
                ]),
                coordinate_transformation: r.pick(&[
                    CoordinateTransformation::AlignCorners,
                    CoordinateTransformation::Asymmetric,
                    CoordinateTransformation::HalfPixel,
                ]),
                selector_for_single_pixel: r
                    .pick(&[ResizeSelector::Formula, ResizeSelector::Upper]),
                nearest_rounding: r.pick(&[
                    ResizeRoundMode::HalfUp,
                    ResizeRoundMode::HalfDown,
                    ResizeRoundMode::Ceil,
                ]),
                cubic_coeff: -0.75,
                exclude_outside: r.flag(),
            };
            (layer.into(), vec![x])
        }
        39 => {
            let operation = |r: &mut Random| {
                r.pick(&[
                    MatrixOperation::None,
                    MatrixOperation::Transpose,
                    MatrixOperation::Vector,
                ])
            };
            let mut other = dims.to_vec();
            if r.flag() && other.len() > 1 {
                other.swap(dims.len() - 1, dims.len() - 2);
            }
            (
                MatrixMultiply { op0: operation(r), op1: operation(r) }.into(),
                vec![x, r.tensor(dtype, &other)],
            )
        }
        _ => {
            let (text, ranks) = r.pick(&[
                ("ij,jk->ik", &[2, 2][..]),
                ("ij->ji", &[2]),
                ("ii->i", &[2]),
                ("i,i->", &[1, 1]),
                ("bij,bjk->bki", &[3, 3]),
                ("->", &[0]),
            ]);
            let mut equation = Equation::parse(text, ranks).unwrap();
            if r.flag() {
                equation.result.extend(equation.terms[0].first());
            }
            let other = r.dims(dims.len());
            (Einsum { equation }.into(), vec![x, r.tensor(dtype, &other)])
        }
    }
}

#[test]
fn nothing_panics_and_types_are_as_inferred() {
    let mut random = Random(7);
    let mut computed = 0;
    for round in 0..24_600 {
        let Some((kind, operands)) = random_layer(round % 41, &mut random) else { continue };
        let inputs: Vec<&Tensor> = operands.iter().collect();
        let describe = || format!("round {round}: {kind:?} of {operands:?}");
        let Ok(outcome) = catch_unwind(AssertUnwindSafe(|| layer(&kind, &inputs))) else {
            panic!("{}", describe())
        };
        let mut network = Network::default();
        let types = operands.iter().map(|x| ValueType::new(x.dtype(), Shape::of(x.dims())));
        let ids: Vec<_> = types.map(|ty| network.add_input("x", ty)).collect();
        let (Ok(outputs), Ok(types)) = (&outcome, infer::outputs(&network, &kind, &ids)) else {
            continue;
        };
        computed += 1;
        for (tensor, ty) in outputs.iter().zip(&types) {
            assert_eq!(tensor.dtype(), ty.dtype, "{}", describe());
            let fits =
                |(dim, &size): (&Dim, &usize)| dim.known().is_none() || *dim == Dim::from(size);
            let alike = ty.shape.rank() == tensor.dims().len()
                && ty.shape.iter().zip(tensor.dims()).all(fits);
            assert!(alike, "{} gives {tensor:?}, inferred {}", describe(), ty.shape);
        }
    }
    assert!(computed > 4000, "only {computed} layers made sense");
}

#[test]
fn nested_blocks_need_their_network() {
    let empty = Conditional { then_block: Block::default(), else_block: Block::default() };
    let error = layer(&empty.into(), &[]).unwrap_err();
    assert_eq!(error.to_string(), "a Conditional layer cannot be evaluated without its network");
    let nothing = Loop {
        counted: false,
        capped: false,
        while_result: false,
        iterators: Vec::new(),
        recurrences: 0,
        outputs: Vec::new(),
        body: Block::default(),
    };
    assert_eq!(layer(&nothing.into(), &[]), Err(EvalError::Nested("Loop")));
}
