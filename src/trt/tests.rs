//! Builds with a real TensorRT.

use super::*;
use crate::emit::sink::{Handle, Label, Made, Sink};
use crate::network::LayerKind;
use crate::network::layer::{self, Arg, Equation};
use crate::network::profile::{Profile, Range};
use crate::provision;
use crate::recipe::{ComputeCapability, Level, Recipe};
use crate::tensor::{DType, Tensor};
use crate::{Error, Kind};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

/// The library that `ONNX2PLAN_TENSORRT` names, else TensorRT-RTX, fetched once into the target
/// folder.
fn library() -> Library {
    static FOUND: LazyLock<Library> = LazyLock::new(|| Library::open(&library_path()).unwrap());
    FOUND.clone()
}

/// Its file.
pub(crate) fn library_path() -> PathBuf {
    let named = std::env::var_os(find::VARIABLE).filter(|path| !path.is_empty());
    let path = named.map_or_else(fetched, PathBuf::from);
    if path.is_dir() { path.join("libtensorrt_rtx.so.1") } else { path }
}

/// The cache that all tests share; another process that fills it is waited for.
fn fetched() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().nth(3).expect("tests run from target/PROFILE/deps");
    let options = provision::Options {
        cache: target.join("onnx2plan-cache"),
        ..provision::Options::default()
    };
    provision::install(&provision::TENSORRT_RTX, &options, &mut |_| ControlFlow::Continue(()))
        .unwrap()
}

fn options() -> BuildOptions {
    targeting(&[ComputeCapability::new(8, 9), ComputeCapability::new(12, 0)])
}

fn targeting(targets: &[ComputeCapability]) -> BuildOptions {
    let targets = targets.to_vec();
    let recipe = Recipe { targets, ..Recipe::default() };
    BuildOptions { recipe, ..BuildOptions::default() }
}

/// A builder that names layers after their kind and number, and a short way to call it.
struct Net(Builder, usize);

impl Net {
    fn new(options: BuildOptions) -> Self {
        Self(Builder::new(&library(), options).unwrap(), 0)
    }

    fn input(&mut self, name: &str, dtype: DType, dims: &[i64]) -> Handle {
        let names: Vec<Option<&str>> = dims.iter().map(|&dim| (dim < 0).then_some("N")).collect();
        self.0.input(name, dtype, dims, &names).unwrap().handle
    }

    fn name(&mut self, kind: &str) -> String {
        self.1 += 1;
        format!("{kind}_{}", self.1)
    }

    fn many(&mut self, kind: &LayerKind, inputs: &[Handle]) -> Result<Vec<Made>, String> {
        let name = self.name(kind.name());
        let label = Label { name: &name, metadata: "test" };
        self.0.layer(label, kind, inputs, &[]).map_err(|refused| refused.message)
    }

    /// Adds a layer that has one output, which must be of this type and shape.
    fn add(
        &mut self,
        kind: impl Into<LayerKind>,
        inputs: &[Handle],
        dtype: DType,
        dims: &[i64],
    ) -> Handle {
        let kind = kind.into();
        let made = self.many(&kind, inputs).unwrap_or_else(|message| panic!("{kind:?}: {message}"));
        assert_eq!(made.len(), 1, "{kind:?}");
        assert_eq!((made[0].dtype, made[0].dims.as_deref()), (Some(dtype), Some(dims)), "{kind:?}");
        made[0].handle
    }

    fn constant(&mut self, tensor: Tensor) -> Handle {
        let dims: Vec<i64> = tensor.dims().iter().map(|&dim| dim.try_into().unwrap()).collect();
        let dtype = tensor.dtype();
        self.add(layer::Constant { weights: tensor }, &[], dtype, &dims)
    }

    fn output(&mut self, tensor: Handle, name: &str, dtype: DType) {
        self.0.output(tensor, name, dtype).unwrap();
    }

    fn build(self) -> Result<Vec<u8>, Error> {
        let mut plan = Vec::new();
        let stats = self.0.build(&mut plan, &AtomicBool::new(false))?;
        assert_eq!(stats.plan_bytes, plan.len() as u64);
        Ok(plan)
    }
}

fn ramp(dims: &[usize]) -> Tensor {
    let count: usize = dims.iter().product();
    Tensor::of(dims.to_vec(), (0u16..).take(count).map(|i| f32::from(i) / 100.0).collect()).unwrap()
}

fn shuffle(dims: &[i64]) -> layer::Shuffle {
    let reshape = Some(layer::Reshape::Static { dims: dims.to_vec(), zero_is_placeholder: true });
    layer::Shuffle { reshape, ..layer::Shuffle::default() }
}

fn convolution(weights: Arg<Tensor>, bias: Option<Arg<Tensor>>) -> layer::Convolution {
    layer::Convolution {
        maps: 8,
        kernel: vec![3, 3],
        stride: vec![2, 2],
        pre_padding: vec![1, 1],
        post_padding: vec![1, 0],
        padding_mode: layer::PaddingMode::ExplicitRoundDown,
        dilation: vec![1, 1],
        groups: 1,
        weights,
        bias,
    }
}

fn resize(output: layer::ResizeOutput) -> layer::Resize {
    layer::Resize {
        output,
        mode: layer::InterpolationMode::Linear,
        coordinate_transformation: layer::CoordinateTransformation::HalfPixel,
        selector_for_single_pixel: layer::ResizeSelector::Formula,
        nearest_rounding: layer::ResizeRoundMode::Floor,
        cubic_coeff: -0.75,
        exclude_outside: false,
    }
}

fn relu() -> layer::Activation {
    layer::Activation { kind: layer::ActivationType::Relu, alpha: 0.0, beta: 0.0 }
}

/// Convolution, activation, scale, resize, shuffle, and a loop over the pixels, for batches of 1 to
/// 16.
fn vision(options: BuildOptions) -> Net {
    let range = Range {
        input: "x".into(),
        min: vec![1, 3, 16, 17],
        opt: vec![4, 3, 16, 17],
        max: vec![16, 3, 16, 17],
    };
    let profiles = vec![Profile { inputs: vec![range], values: Vec::new() }];
    let mut net = Net::new(BuildOptions { profiles, ..options });
    let x = net.input("x", DType::F32, &[-1, 3, 16, 17]);
    let (kernel, bias) = (ramp(&[8, 3, 3, 3]), ramp(&[8]));
    let y = net.add(
        convolution(Arg::Static(kernel), Some(Arg::Static(bias))),
        &[x],
        DType::F32,
        &[-1, 8, 8, 8],
    );
    let y = net.add(relu(), &[y], DType::F32, &[-1, 8, 8, 8]);
    let scale = layer::Scale {
        mode: layer::ScaleMode::Channel,
        shift: Some(ramp(&[8])),
        scale: Some(ramp(&[8])),
        power: None,
        channel_axis: 1,
    };
    let y = net.add(scale, &[y], DType::F32, &[-1, 8, 8, 8]);
    let y = net.add(
        resize(layer::ResizeOutput::Scales(vec![1.0, 1.0, 0.5, 0.5])),
        &[y],
        DType::F32,
        &[-1, 8, 4, 4],
    );
    let y = net.add(shuffle(&[0, 8, 16]), &[y], DType::F32, &[-1, 8, 16]);
    let transpose =
        layer::Shuffle { first_transpose: Some(vec![2, 0, 1]), ..layer::Shuffle::default() };
    let steps = net.add(transpose, &[y], DType::F32, &[16, -1, 8]);
    let mean =
        layer::Reduce { operation: layer::ReduceOperation::Avg, axes: vec![2], keep_dims: false };
    let start = net.add(mean, &[y], DType::F32, &[-1, 8]);
    scan(&mut net, steps, start);
    net
}

/// A loop whose body is only a matrix product and an activation: what TensorRT-RTX rejects unless
/// asked for types.
fn scan(net: &mut Net, steps: Handle, start: Handle) {
    let count = net.constant(Tensor::scalar(16i64));
    let weights = net.constant(ramp(&[8, 8]));
    let label = Label { name: "scan", metadata: "test" };
    let loop_ = net.0.loop_begin(label).unwrap();
    net.0.loop_count(loop_, count).unwrap();
    let step = net
        .0
        .loop_iterator(loop_, steps, &layer::LoopIterator { axis: 0, reverse: false })
        .unwrap();
    assert_eq!(step.dims.as_deref(), Some(&[-1, 8][..]));
    let state = net.0.loop_recurrence(loop_, start).unwrap();
    let product = layer::MatrixMultiply {
        op0: layer::MatrixOperation::None,
        op1: layer::MatrixOperation::Transpose,
    };
    let next = net.add(product, &[state.handle, weights], DType::F32, &[-1, 8]);
    let sum = layer::ElementWise { operation: layer::ElementWiseOperation::Sum };
    let next = net.add(sum, &[next, step.handle], DType::F32, &[-1, 8]);
    let tanh = layer::Activation { kind: layer::ActivationType::Tanh, ..relu() };
    let next = net.add(tanh, &[next], DType::F32, &[-1, 8]);
    net.0.loop_next(state.handle, next).unwrap();
    let last = net.0.loop_last_value(Label { name: "last", ..label }, loop_, state.handle).unwrap();
    let all =
        net.0.loop_collect(Label { name: "all", ..label }, loop_, next, 1, false, count).unwrap();
    assert_eq!(all.dims.as_deref(), Some(&[-1, 16, 8][..]));
    net.output(last.handle, "last", DType::F32);
    net.output(all.handle, "all", DType::F32);
}

#[test]
fn a_network_with_a_loop_becomes_a_plan() {
    let plan = vision(options()).build().unwrap();
    assert_eq!(&plan[..4], b"vtrt");
    assert!(plan.len() > 10_000);
}

#[test]
fn a_second_build_gives_the_same_plan_and_logs() {
    let plan = vision(options()).build().unwrap();
    let logged = Arc::new(Mutex::new(0));
    let count = logged.clone();
    let log: LogSink = Arc::new(move |_, _| *count.lock().unwrap() += 1);
    let again = vision(BuildOptions { log, ..options() }).build().unwrap();
    // TensorRT-RTX 1.7 now and then swaps two numbers of its own, where its threads race.
    assert_eq!(again.len(), plan.len());
    assert!(again.iter().zip(&plan).filter(|(a, b)| a != b).count() <= 16);
    assert!(*logged.lock().unwrap() > 0);
}

#[test]
fn builders_in_parallel_keep_their_logs_apart() {
    let run = |level| {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = lines.clone();
        let log: LogSink =
            Arc::new(move |_, _| seen.lock().unwrap().push(std::thread::current().id()));
        let mut options = BuildOptions { log, ..options() };
        options.recipe.optimization_level = Level::try_from(level).ok();
        vision(options).build().unwrap();
        assert!(lines.lock().unwrap().iter().all(|&id| id == std::thread::current().id()));
    };
    std::thread::scope(|scope| {
        scope.spawn(|| run(1));
        scope.spawn(|| run(3));
    });
}

#[test]
fn a_build_can_be_cancelled_and_a_full_disk_is_reported() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let cancel = Arc::new(AtomicBool::new(false));
    let error = vision(options()).0.build(&mut Full, &cancel).unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Environment, "the plan cannot be written"));
    cancel.store(true, Ordering::Relaxed);
    let error = vision(options()).0.build(&mut Vec::new(), &cancel).unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Cancelled, "the build was stopped"));
}

#[test]
fn what_tensorrt_says_is_what_the_user_reads() {
    let mut net = Net::new(options());
    let x = net.input("x", DType::F32, &[1, 3, 8, 8]);
    let message = net.many(&shuffle(&[1, 5, 7]).into(), &[x]).unwrap_err();
    assert!(
        message.contains("reshape changes volume. Reshaping [1,3,8,8] to [1,5,7]"),
        "{message}"
    );
    let message = net.many(&shuffle(&[1; 9]).into(), &[x]).unwrap_err();
    assert_eq!(message, "TensorRT tensors have at most 8 dimensions, but here are 9");
    let message = net.many(&LayerKind::Select, &[x]).unwrap_err();
    assert_eq!(message, "the layer lacks input 1");
    let zero_stride = layer::Convolution {
        stride: vec![0, 0],
        ..convolution(Arg::Static(ramp(&[8, 3, 3, 3])), None)
    };
    assert!(net.many(&zero_stride.into(), &[x]).is_err());

    let options = targeting(&[ComputeCapability::new(9, 0)]);
    let error = Builder::new(&library(), options).err().unwrap();
    assert_eq!(error.kind(), Kind::TensorRt);
    assert!(
        error.message().contains(" refuses compute capabilities [90]: "),
        "{}",
        error.message()
    );
    let options = BuildOptions { flags: vec![Flag::Fp16], ..self::options() };
    let error = Builder::new(&library(), options).err().unwrap();
    assert!(
        error.message().ends_with(" refuses flag Fp16: TensorRT-RTX 1.7 has no flag FP16"),
        "{}",
        error.message()
    );
}

#[test]
fn a_profile_must_name_inputs() {
    let range = Range { input: "y".into(), min: vec![1], opt: vec![1], max: vec![1] };
    let profiles = vec![Profile { inputs: vec![range], values: Vec::new() }];
    let mut net = Net::new(BuildOptions { profiles, ..options() });
    let x = net.input("x", DType::F32, &[-1]);
    let y = net.add(relu(), &[x], DType::F32, &[-1]);
    net.output(y, "y", DType::F32);
    let error = net.build().unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Usage, "the profile names `y`, which is no input")
    );
}

#[test]
fn an_input_can_be_an_output_and_a_tensor_two() {
    let mut net = Net::new(options());
    let x = net.input("x", DType::F32, &[2]);
    let y = net.add(relu(), &[x], DType::F32, &[2]);
    for (tensor, name) in [(x, "a"), (y, "b"), (y, "c")] {
        net.output(tensor, name, DType::F32);
    }
    assert!(net.0.output(y, "d", DType::I32).is_err());
    net.build().unwrap();
}

#[test]
fn shape_values_are_part_of_the_profile() {
    let range = |input: &str, min, opt, max| Range { input: input.into(), min, opt, max };
    let profiles = vec![Profile {
        inputs: Vec::new(),
        values: vec![range("shape", vec![1, 1], vec![2, 3], vec![6, 6])],
    }];
    let mut net = Net::new(BuildOptions { profiles, ..options() });
    let x = net.input("x", DType::F32, &[6]);
    let shape = net.input("shape", DType::I64, &[2]);
    let reshape = Some(layer::Reshape::Input { zero_is_placeholder: false });
    let y = net.add(
        layer::Shuffle { reshape, ..layer::Shuffle::default() },
        &[x, shape],
        DType::F32,
        &[-1, -1],
    );
    net.output(y, "y", DType::F32);
    net.build().unwrap();
}

fn top_k(k: Arg<usize>) -> layer::TopK {
    layer::TopK { operation: layer::TopKOperation::Max, k, axis: 1 }
}

fn gather(mode: layer::GatherMode, element_wise_dims: usize) -> LayerKind {
    layer::Gather { mode, axis: 1, element_wise_dims }.into()
}

fn slice(start: Arg<Vec<i64>>, size: Arg<Vec<i64>>, stride: Arg<Vec<i64>>) -> layer::Slice {
    layer::Slice { start, size, stride, mode: layer::SampleMode::StrictBounds, fill: None }
}

type Case = (LayerKind, Vec<Handle>, DType, &'static [i64]);

/// Layers that take nothing but inputs: `x` f32[2, 4, 8, 8], `m` f32[3, 5], `i` i64[3, 5], `b`
/// bool[3, 5].
fn single_layers(x: Handle, m: Handle, i: Handle, b: Handle) -> Vec<Case> {
    use layer::{ElementWiseOperation as Op, UnaryOperation as Un};
    let f = DType::F32;
    let image: &[i64] = &[2, 4, 8, 8];
    let matrix: &[i64] = &[3, 5];
    let gelu = layer::Activation { kind: layer::ActivationType::GeluErf, ..relu() };
    let pooling = layer::Pooling {
        kind: layer::PoolingType::Average,
        window: vec![3, 3],
        stride: vec![2, 2],
        pre_padding: vec![1, 1],
        post_padding: vec![1, 1],
        padding_mode: layer::PaddingMode::ExplicitRoundUp,
        blend: 0.0,
        average_count_excludes_padding: true,
    };
    let cumulative = layer::Cumulative {
        operation: layer::CumulativeOperation::Sum,
        axis: 1,
        exclusive: true,
        reverse: false,
    };
    let filled = layer::Slice {
        mode: layer::SampleMode::Reflect,
        ..slice(Arg::Static(vec![-1, 4]), Arg::Static(vec![5, 3]), Arg::Static(vec![1, -1]))
    };
    let fill = |operation, dtype| layer::Fill {
        operation,
        dims: Arg::Static(vec![4]),
        alpha: Arg::Static(1.0),
        beta: Arg::Static(2.0),
        dtype,
    };
    let op = |operation| LayerKind::from(layer::ElementWise { operation });
    vec![
        (gelu.into(), vec![x], f, image),
        (layer::Cast { to: DType::F16 }.into(), vec![m], DType::F16, matrix),
        (layer::Cast { to: DType::I32 }.into(), vec![i], DType::I32, matrix),
        (layer::Concatenation { axis: 1 }.into(), vec![x, x], f, &[2, 8, 8, 8]),
        (cumulative.into(), vec![m], f, matrix),
        (
            layer::Einsum { equation: Equation::parse("ij,kj->ik", &[2, 2]).unwrap() }.into(),
            vec![m, m],
            f,
            &[3, 3],
        ),
        (op(Op::Pow), vec![m, m], f, matrix),
        (op(Op::FloorDiv), vec![i, i], DType::I64, matrix),
        (op(Op::Less), vec![m, m], DType::Bool, matrix),
        (op(Op::Xor), vec![b, b], DType::Bool, matrix),
        (fill(layer::FillOperation::Linspace, DType::I64).into(), vec![], DType::I64, &[4]),
        (fill(layer::FillOperation::RandomUniform, f).into(), vec![], f, &[4]),
        (gather(layer::GatherMode::Default, 0), vec![m, i], f, &[3, 3, 5]),
        (gather(layer::GatherMode::Element, 0), vec![m, i], f, matrix),
        (gather(layer::GatherMode::Default, 1), vec![m, i], f, matrix),
        (LayerKind::Identity, vec![i], DType::I64, matrix),
        (layer::Lrn { window: 3, alpha: 1e-4, beta: 0.75, k: 1.0 }.into(), vec![x], f, image),
        (LayerKind::NonZero, vec![b], DType::I64, &[2, -1]),
        (pooling.into(), vec![x], f, &[2, 4, 5, 5]),
        (
            layer::Reduce {
                operation: layer::ReduceOperation::Prod,
                axes: vec![0, 1],
                keep_dims: true,
            }
            .into(),
            vec![m],
            f,
            &[1, 1],
        ),
        (resize(layer::ResizeOutput::Sizes(vec![2, 4, 12, 9])).into(), vec![x], f, &[2, 4, 12, 9]),
        (LayerKind::Select, vec![b, m, m], f, matrix),
        (LayerKind::Shape, vec![x], DType::I64, &[4]),
        (filled.into(), vec![m], f, &[5, 3]),
        (layer::SoftMax { axis: 1 }.into(), vec![m], f, matrix),
        (layer::Unsqueeze { axes: vec![0, 2] }.into(), vec![m], f, &[1, 3, 1, 5]),
        (layer::Unary { operation: Un::IsNan }.into(), vec![m], DType::Bool, matrix),
        (layer::Unary { operation: Un::Not }.into(), vec![b], DType::Bool, matrix),
        (layer::Unary { operation: Un::Round }.into(), vec![m], f, matrix),
    ]
}

/// Layers that take constants: `x`, `m` and `i` as above.
fn with_operands(net: &mut Net, x: Handle, m: Handle, i: Handle) {
    let f = DType::F32;
    let image: &[i64] = &[2, 4, 8, 8];
    let kernel = net.constant(ramp(&[8, 4, 3, 3]));
    let bias = net.constant(ramp(&[8]));
    net.add(convolution(Arg::Input(1), Some(Arg::Input(2))), &[x, kernel, bias], f, &[2, 8, 4, 4]);
    let deconvolution = layer::Deconvolution(layer::Convolution {
        maps: 3,
        kernel: vec![2, 2],
        stride: vec![2, 2],
        pre_padding: vec![0, 1],
        post_padding: vec![0, 0],
        padding_mode: layer::PaddingMode::ExplicitRoundDown,
        dilation: vec![1, 1],
        groups: 1,
        weights: Arg::Static(ramp(&[4, 3, 2, 2])),
        bias: None,
    });
    net.add(deconvolution, &[x], f, &[2, 3, 16, 15]);

    let scale = net.constant(Tensor::scalar(0.5f32));
    let quantized =
        net.add(layer::Quantize { axis: None, to: DType::I8 }, &[x, scale], DType::I8, image);
    net.add(layer::Dequantize { axis: None, to: f }, &[quantized, scale], f, image);
    let (scale, bias) = (net.constant(ramp(&[1, 4, 1, 1])), net.constant(ramp(&[1, 4, 1, 1])));
    let normalization = layer::Normalization { epsilon: 1e-5, axes: vec![2, 3], groups: 2 };
    net.add(normalization, &[x, scale, bias], f, image);
    net.add(LayerKind::ParametricRelu, &[x, scale], f, image);

    let grid = net.constant(ramp(&[2, 5, 6, 2]));
    let sample = layer::GridSample {
        interpolation: layer::InterpolationMode::Linear,
        align_corners: true,
        sample_mode: layer::SampleMode::Clamp,
    };
    net.add(sample, &[x, grid], f, &[2, 4, 5, 6]);
    let sizes = net.constant(Tensor::vector(&[2i64, 4, 5, 6]));
    net.add(resize(layer::ResizeOutput::Input), &[x, sizes], f, &[2, 4, 5, 6]);

    let (values, depth) =
        (net.constant(Tensor::vector(&[0f32, 1.0])), net.constant(Tensor::scalar(7i32)));
    net.add(layer::OneHot { axis: 2 }, &[i, values, depth], f, &[3, 5, 7]);
    let lengths = net.constant(Tensor::vector(&[1i64, 2, 3]));
    net.add(layer::ReverseSequence { batch_axis: 0, sequence_axis: 1 }, &[m, lengths], f, &[3, 5]);
    net.add(layer::Scatter { mode: layer::ScatterMode::Element, axis: 1 }, &[m, i, m], f, &[3, 5]);
    let one = net.constant(ramp(&[1, 5]));
    net.add(layer::Squeeze { axes: vec![0] }, &[one], f, &[5]);

    let (start, size) =
        (net.constant(Tensor::vector(&[0i64, 1])), net.constant(Tensor::vector(&[3i64, 2])));
    let dynamic = slice(Arg::Input(1), Arg::Input(2), Arg::Static(vec![1, 2]));
    net.add(dynamic, &[m, start, size], f, &[3, 2]);
    let fill = net.constant(Tensor::scalar(9f32));
    let padded = slice(Arg::Static(vec![-1, 0]), Arg::Static(vec![5, 5]), Arg::Static(vec![1, 1]));
    let padded = layer::Slice { mode: layer::SampleMode::Fill, fill: Some(1), ..padded };
    net.add(padded, &[m, fill], f, &[5, 5]);

    let (alpha, beta) =
        (net.constant(Tensor::scalar(1i64)), net.constant(Tensor::vector(&[2i64, 3])));
    let linspace = layer::Fill {
        operation: layer::FillOperation::Linspace,
        dims: Arg::Input(0),
        alpha: Arg::Input(1),
        beta: Arg::Input(2),
        dtype: DType::I64,
    };
    net.add(linspace, &[size, alpha, beta], DType::I64, &[3, 2]);
}

#[test]
fn layers_are_taken_as_meant() {
    let mut net = Net::new(options());
    let x = net.input("x", DType::F32, &[2, 4, 8, 8]);
    let m = net.input("m", DType::F32, &[3, 5]);
    let i = net.input("i", DType::I64, &[3, 5]);
    let b = net.input("b", DType::Bool, &[3, 5]);
    for (kind, inputs, dtype, dims) in single_layers(x, m, i, b) {
        net.add(kind, &inputs, dtype, dims);
    }
    with_operands(&mut net, x, m, i);

    let made = net.many(&top_k(Arg::Static(2)).into(), &[m]).unwrap();
    assert_eq!(
        made.iter().map(|made| made.dtype.unwrap()).collect::<Vec<_>>(),
        [DType::F32, DType::I32]
    );
    let k = net.constant(Tensor::scalar(2i32));
    let made = net.many(&top_k(Arg::Input(1)).into(), &[m, k]).unwrap();
    assert_eq!(made[0].dims.as_deref(), Some(&[3, 2][..]));

    let nms = layer::NonMaxSuppression {
        format: layer::BoundingBoxFormat::CornerPairs,
        max_output_boxes: Arg::Static(10),
        iou_threshold: Arg::Static(0.5),
        score_threshold: Arg::Static(0.1),
        top_k_box_limit: 100,
    };
    let boxes = net.input("boxes", DType::F32, &[1, 20, 1, 4]);
    let scores = net.input("scores", DType::F32, &[1, 20, 2]);
    let made = net.many(&nms.into(), &[boxes, scores]).unwrap();
    assert_eq!(made[0].dims.as_deref(), Some(&[-1, 3][..]));
}

/// A conditional, every layer that a machine without GPU can build, and weights at an odd address.
#[test]
fn most_layers_build_without_a_gpu() {
    let mut net = Net::new(options());
    let x = net.input("x", DType::F32, &[2, 4, 8, 8]);
    let m = net.input("m", DType::F32, &[3, 5]);
    let i = net.input("i", DType::I64, &[3, 5]);
    let b = net.input("b", DType::Bool, &[3, 5]);
    for (kind, inputs, dtype, dims) in single_layers(x, m, i, b) {
        // Its kernels are chosen on the GPU.
        if !matches!(kind, LayerKind::NonZero) {
            net.add(kind, &inputs, dtype, dims);
        }
    }
    with_operands(&mut net, x, m, i);

    let mut bytes = vec![0u8];
    bytes.extend_from_slice(ramp(&[3, 5]).bytes());
    let odd = Tensor::new(DType::F32, vec![3, 5], bytes::Bytes::from(bytes).slice(1..)).unwrap();
    let odd = net.constant(odd);
    let condition = net.input("condition", DType::Bool, &[]);
    let label = Label { name: "if", metadata: "test" };
    let of = net.0.conditional_begin(label, condition).unwrap();
    let inside = net.0.conditional_input(of, m).unwrap().handle;
    let odd = net.0.conditional_input(of, odd).unwrap().handle;
    let sum = layer::ElementWise { operation: layer::ElementWiseOperation::Sum };
    let then_value = net.add(sum, &[inside, odd], DType::F32, &[3, 5]);
    let else_value = net.add(relu(), &[inside], DType::F32, &[3, 5]);
    let y = net
        .0
        .conditional_output(Label { name: "if.y", ..label }, of, then_value, else_value)
        .unwrap();
    net.output(y.handle, "y", DType::F32);
    net.build().unwrap();
}
