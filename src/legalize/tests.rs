use super::*;
use crate::eval;
use crate::infer;
use crate::network::layer::{
    Activation, Arg, Cast, Concatenation, Constant, Convolution, Deconvolution, Dequantize,
    ElementWise, ElementWiseOperation, Fill, FillOperation, Gather, GatherMode, Loop, LoopOutput,
    Normalization, PaddingMode, Quantize, Reduce, ReduceOperation, Reshape, SampleMode, Shuffle,
    Slice, SoftMax, Squeeze, TopK, TopKOperation, Unsqueeze,
};
use crate::network::{Block, Dim, Output, Shape, ValueId, ValueType};
use crate::site::Site;
use crate::tensor::Tensor;
use crate::valid;
use crate::verify::compare::compare;

mod eight;

/// A network in the making.
#[derive(Default)]
struct Net {
    network: Network,
    body: Block,
}

impl Net {
    fn input(&mut self, dtype: DType, dims: &[usize]) -> ValueId {
        let name = format!("x{}", self.network.inputs.len());
        self.network.add_input(
            &name,
            ValueType::new(dtype, dims.iter().map(|&size| Dim::from(size)).collect()),
        )
    }

    fn add(&mut self, kind: impl Into<LayerKind>, inputs: &[ValueId]) -> ValueId {
        let site = Site::node("main", self.body.layers.len(), "n", "Op", 17, "y");
        infer::add(&mut self.network, &mut self.body, kind.into(), inputs, &[site]).unwrap()[0]
    }

    fn constant(&mut self, weights: Tensor) -> ValueId {
        self.add(Constant { weights }, &[])
    }

    fn output(&mut self, value: ValueId) {
        let name = format!("y{}", self.network.outputs.len());
        let site = Site::tensor("main", "output", &name);
        self.network.outputs.push(Output {
            name: name.as_str().into(),
            value,
            declared: None,
            site,
        });
    }

    /// The network before and after.
    fn legalized(self) -> (Network, Network) {
        self.legalized_for(Caps::modern())
    }

    fn legalized_for(mut self, caps: Caps) -> (Network, Network) {
        self.network.body = self.body;
        let before = valid::check(self.network).unwrap().into_inner();
        let mut after = before.clone();
        legalize(&mut after, caps).unwrap();
        (before, valid::check(after).unwrap().into_inner())
    }
}

fn ew(operation: ElementWiseOperation) -> ElementWise {
    ElementWise { operation }
}

/// Kinds of layers with the type of their first output: `Cast i32`.
fn kinds(network: &Network) -> Vec<String> {
    let text = |id| {
        let layer = network.layer(id);
        format!("{} {}", layer.kind.name(), network.value(layer.outputs[0]).ty.dtype)
    };
    network.live_layers().into_iter().map(text).collect()
}

/// Whether TensorRT takes `u8` here: inputs, their casts, and outputs made by casts.
fn keeps_u8_at_the_border(network: &Network) -> bool {
    let is_u8 = |value: &ValueId| network.value(*value).ty.dtype == DType::U8;
    let is_output = |value: &ValueId| network.outputs.iter().any(|output| output.value == *value);
    network.live_layers().into_iter().all(|id| {
        let layer = network.layer(id);
        let cast = matches!(layer.kind, LayerKind::Cast(_) | LayerKind::Identity);
        let reads = layer
            .inputs
            .iter()
            .all(|input| !is_u8(input) || cast && network.inputs.contains(input));
        let makes = layer.outputs.iter().all(|output| !is_u8(output) || cast && is_output(output));
        reads && makes
    })
}

fn assert_same_numbers((before, after): (Network, Network), inputs: &[Tensor]) {
    assert_eq!(
        eval::run(&before, inputs).unwrap(),
        eval::run(&after, inputs).unwrap(),
        "{before}\n{after}"
    );
}

#[test]
fn unsigned_bytes_stay_at_the_border_and_wrap_around() {
    let mut net = Net::default();
    let (x, y) = (net.input(DType::U8, &[3]), net.input(DType::U8, &[3]));
    let sum = net.add(ew(ElementWiseOperation::Sum), &[x, y]);
    let ones = net.constant(Tensor::vector(&[1u8, 1, 1]));
    let more = net.add(ew(ElementWiseOperation::Sum), &[sum, ones]);
    let turned = net.add(Shuffle { first_transpose: Some(vec![0]), ..Shuffle::default() }, &[more]);
    let real = net.add(Cast { to: DType::F32 }, &[sum]);
    let less = net.add(ew(ElementWiseOperation::Less), &[sum, x]);
    for value in [turned, real, less, sum] {
        net.output(value);
    }
    let networks = net.legalized();
    assert!(keeps_u8_at_the_border(&networks.1), "{}", networks.1);
    assert_same_numbers(
        networks,
        &[Tensor::vector(&[1u8, 200, 255]), Tensor::vector(&[2u8, 100, 255])],
    );
}

#[test]
fn constants_of_bytes_are_cast_from_i32() {
    let mut net = Net::default();
    let x = net.input(DType::I8, &[2]);
    let c = net.constant(Tensor::vector(&[-1i8, 7]));
    let joined = net.add(Concatenation { axis: 0 }, &[x, c]);
    net.output(joined);
    let bytes = net.constant(Tensor::vector(&[3u8]));
    let copy = net.add(LayerKind::Identity, &[bytes]);
    net.output(copy);
    let networks = net.legalized();
    assert_eq!(
        kinds(&networks.1),
        ["Constant i32", "Cast i8", "Concatenation i8", "Constant i32", "Cast u8"]
    );
    assert_same_numbers(networks, &[Tensor::vector(&[5i8, -128])]);
}

#[test]
fn signed_bytes_compute_in_i32() {
    let mut net = Net::default();
    let x = net.input(DType::I8, &[2, 2]);
    let sum =
        net.add(Reduce { operation: ReduceOperation::Sum, axes: vec![1], keep_dims: false }, &[x]);
    let relu = net.add(Activation { kind: ActivationType::Relu, alpha: 0.0, beta: 0.0 }, &[x]);
    let top = net.add(TopK { operation: TopKOperation::Max, k: Arg::Static(1), axis: 1 }, &[x]);
    for value in [sum, relu, top] {
        net.output(value);
    }
    let networks = net.legalized();
    let computes = |text: &&String| !text.starts_with("Cast");
    let kinds: Vec<_> = kinds(&networks.1).iter().filter(computes).cloned().collect();
    assert_eq!(kinds, ["Reduce i32", "Activation i32", "TopK i32"]);
    let x = Tensor::of(vec![2, 2], vec![100i8, 100, -3, 2]).unwrap();
    assert_same_numbers(networks, &[x]);
}

#[test]
fn paddings_of_caffe_become_explicit() {
    let weights =
        Arg::Static(Tensor::of(vec![1, 1, 3, 3], (0..9u8).map(f32::from).collect()).unwrap());
    let convolution = Convolution {
        maps: 1,
        kernel: vec![3, 3],
        stride: vec![2, 2],
        pre_padding: vec![1, 0],
        post_padding: vec![0, 2],
        padding_mode: PaddingMode::CaffeRoundUp,
        dilation: vec![1, 1],
        groups: 1,
        weights,
        bias: None,
    };
    let mut net = Net::default();
    let x = net.input(DType::F32, &[1, 1, 6, 9]);
    let y = net.add(convolution, &[x]);
    net.output(y);
    let (before, after) = net.legalized();
    let text = after.to_string();
    assert!(text.contains("padding 1x0, padding_mode ExplicitRoundUp"), "{text}");
    let x = Tensor::of(vec![1, 1, 6, 9], (0..54u8).map(f32::from).collect()).unwrap();
    assert_same_numbers((before, after), &[x]);
}

#[test]
fn casts_of_quantized_types_become_layers_that_know_them() {
    let cases: &[(DType, DType, &[&str])] = &[
        (DType::F32, DType::F8E4M3, &["Constant f32", "Quantize f8e4m3"]),
        (DType::F16, DType::F8E4M3, &["Cast f32", "Constant f32", "Quantize f8e4m3"]),
        (DType::F8E4M3, DType::F32, &["Constant f32", "Dequantize f32"]),
        (DType::F8E4M3, DType::BF16, &["Constant f32", "Dequantize f32", "Cast bf16"]),
        (DType::I4, DType::I8, &["Constant f32", "Dequantize f32", "Cast i8"]),
    ];
    for &(from, to, expected) in cases {
        let mut net = Net::default();
        let x = net.input(from, &[2]);
        let y = net.add(Cast { to }, &[x]);
        net.output(y);
        assert_eq!(kinds(&net.legalized().1), expected, "{from} to {to}");
    }
}

#[test]
fn numbers_survive_the_way_through_eight_bits() {
    let mut net = Net::default();
    let x = net.input(DType::F32, &[4]);
    let small = net.add(Cast { to: DType::F8E4M3 }, &[x]);
    let back = net.add(Cast { to: DType::F32 }, &[small]);
    net.output(back);
    assert_same_numbers(net.legalized(), &[Tensor::vector(&[0.1f32, -3.0, 1000.0, 0.0])]);
}

#[test]
fn casts_without_an_equal_are_reported() {
    let mut net = Net::default();
    let x = net.input(DType::F32, &[2]);
    let y = net.add(Cast { to: DType::I4 }, &[x]);
    net.output(y);
    net.network.body = net.body;
    let error = legalize(&mut net.network, Caps::modern()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(
        error
            .to_string()
            .starts_with("this TensorRT cannot build `n` (Op, opset 17): it casts no f32 to i4\n"),
        "{error}"
    );
}

#[test]
fn groups_become_an_axis() {
    let mut net = Net::default();
    let x = net.input(DType::F32, &[2, 4, 3]);
    let [scale, bias] = [1.5, -0.25].map(|first| {
        let values = (0..4u8).map(|at| first + f32::from(at)).collect();
        net.constant(Tensor::of(vec![1, 4, 1], values).unwrap())
    });
    let y = net.add(Normalization { epsilon: 1e-5, axes: vec![2], groups: 2 }, &[x, scale, bias]);
    net.output(y);
    let (before, after) = net.legalized_for(Caps::eight());
    assert!(after.to_string().contains("axes [2, 3], epsilon 1e-5)"), "{after}");
    let x =
        Tensor::of(vec![2, 4, 3], (0..24u8).map(|at| f32::from(at * 7 % 24)).collect()).unwrap();
    let [before, after] =
        [before, after].map(|network| eval::run(&network, std::slice::from_ref(&x)).unwrap());
    let compared = compare("y", &after[0], &crate::onnx::Constant::Tensor(before[0].clone()));
    assert!(compared.agrees, "{compared:?}");
}

/// Numbers from −2 to 2.
fn numbers(dims: &[usize]) -> Tensor {
    let count = dims.iter().product::<usize>();
    let values =
        (0u8..17).map(|at| f32::from(at * 7 % 17) / 4.0 - 2.0).cycle().take(count).collect();
    Tensor::of(dims.to_vec(), values).unwrap()
}

fn deconvolution(
    kernel: &[usize],
    stride: &[usize],
    dilation: &[usize],
    weights: Arg<Tensor>,
) -> Deconvolution {
    Deconvolution(Convolution {
        maps: 6,
        kernel: kernel.to_vec(),
        stride: stride.to_vec(),
        pre_padding: vec![1; kernel.len()],
        post_padding: vec![0; kernel.len()],
        padding_mode: PaddingMode::ExplicitRoundDown,
        dilation: dilation.to_vec(),
        groups: 2,
        weights,
        bias: None,
    })
}

#[test]
fn zeros_between_the_taps_take_the_place_of_a_dilation() {
    let cases: [(&[usize], &[usize], &[usize]); 3] = [
        (&[3, 2], &[2, 1], &[1, 3]),
        (&[3, 3], &[3, 2], &[2, 1]),
        (&[2, 3, 2], &[2, 2, 2], &[2, 3, 2]),
    ];
    for (kernel, stride, dilation) in cases {
        let weights = numbers(&[&[4, 3], kernel].concat());
        let data = [&[2, 4, 3, 4, 2][..2 + kernel.len()]].concat();
        for late in [false, true] {
            let mut net = Net::default();
            let mut inputs = vec![net.input(DType::F32, &data)];
            let argument = if late { Arg::Input(1) } else { Arg::Static(weights.clone()) };
            if late {
                inputs.push(net.input(DType::F32, weights.dims()));
            }
            let y = net.add(deconvolution(kernel, stride, dilation, argument), &inputs);
            net.output(y);
            let networks = net.legalized();
            let dilated = |id| match &networks.1.layer(id).kind {
                LayerKind::Deconvolution(Deconvolution(of)) => of.dilation.iter().any(|&n| n != 1),
                _ => false,
            };
            assert!(!networks.1.live_layers().into_iter().any(dilated), "{}", networks.1);
            let inputs = [numbers(&data), weights.clone()];
            assert_same_numbers(networks, &inputs[..=usize::from(late)]);
        }
    }
}

#[test]
fn constants_are_met_before_an_axis_goes() {
    let mut net = Net::default();
    let x = net.input(DType::F32, &[2, 3, 6, 1]);
    let weights = Arg::Static(numbers(&[4, 3, 2, 1]));
    let Deconvolution(of) = deconvolution(&[2, 1], &[1, 1], &[1, 1], weights);
    let c = net.add(Convolution { maps: 4, groups: 1, pre_padding: vec![0, 0], ..of }, &[x]);
    let row = net.add(Squeeze { axes: vec![3] }, &[c]);
    let three = net.constant(Tensor::of(vec![1, 1, 1], vec![3f32]).unwrap());
    let each = net.constant(numbers(&[1, 4, 1]));
    let sum = net.add(ew(ElementWiseOperation::Sum), &[three, row]);
    let product = net.add(ew(ElementWiseOperation::Prod), &[sum, each]);
    let less = net.add(ew(ElementWiseOperation::Sub), &[product, three]);
    let other = net.add(ew(ElementWiseOperation::Div), &[three, row]);
    for value in [less, other] {
        net.output(value);
    }
    let networks = net.legalized();
    let text = networks.1.to_string();
    assert!(!text.contains("f32[2, 4, 5] = ElementWise"), "{text}");
    assert_same_numbers(networks, &[numbers(&[2, 3, 6, 1])]);
}

/// A constant that repeats the data stays where it is.
#[test]
fn constants_that_enlarge_are_met_after_an_axis_went() {
    let mut net = Net::default();
    let x = net.input(DType::F32, &[1, 3, 2, 1]);
    let weights = Arg::Static(numbers(&[4, 3, 2, 1]));
    let Deconvolution(of) = deconvolution(&[2, 1], &[1, 1], &[1, 1], weights);
    let c = net.add(Convolution { maps: 4, groups: 1, pre_padding: vec![0, 0], ..of }, &[x]);
    let row = net.add(Squeeze { axes: vec![3] }, &[c]);
    let five = net.constant(numbers(&[1, 1, 5]));
    let sum = net.add(ew(ElementWiseOperation::Sum), &[row, five]);
    net.output(sum);
    let networks = net.legalized();
    let text = networks.1.to_string();
    assert!(text.contains("f32[1, 4, 5] = ElementWise"), "{text}");
    assert_same_numbers(networks, &[numbers(&[1, 3, 2, 1])]);
}

#[test]
fn single_elements_are_normalized_to_their_bias() {
    let mut net = Net::default();
    let x = net.input(DType::F32, &[2, 3, 1]);
    let (scale, bias) = (net.constant(numbers(&[1, 3, 1])), net.constant(numbers(&[1, 3, 1])));
    for groups in [1, 3] {
        let y = net.add(Normalization { epsilon: 1e-5, axes: vec![2], groups }, &[x, scale, bias]);
        net.output(y);
    }
    let networks = net.legalized();
    assert!(!networks.1.to_string().contains("Normalization"), "{}", networks.1);
    assert_same_numbers(networks, &[numbers(&[2, 3, 1])]);
}

#[test]
fn layers_get_the_axes_they_want() {
    let mut net = Net::default();
    let (x, single) = (net.input(DType::F32, &[5]), net.input(DType::F32, &[]));
    let soft = net.add(SoftMax { axis: 0 }, &[x]);
    let site = Site::node("main", 9, "top", "TopK", 17, "y");
    let top: LayerKind = TopK { operation: TopKOperation::Max, k: Arg::Static(2), axis: 0 }.into();
    let top = infer::add(&mut net.network, &mut net.body, top, &[x], &[site]).unwrap();
    let scale = net.constant(Tensor::scalar(0.5f32));
    let small = net.add(Quantize { axis: None, to: DType::I8 }, &[single, scale]);
    let back = net.add(Dequantize { axis: None, to: DType::F32 }, &[small, scale]);
    for value in [soft, top[1], back] {
        net.output(value);
    }
    let networks = net.legalized();
    let narrow =
        networks.1.live_layers().into_iter().map(|id| networks.1.layer(id)).find(|layer| {
            let rank = networks.1.value(layer.outputs[0]).ty.shape.rank();
            match layer.kind {
                LayerKind::TopK(_) | LayerKind::SoftMax(_) => rank < 2,
                LayerKind::Quantize(_) | LayerKind::Dequantize(_) => rank < 1,
                _ => false,
            }
        });
    assert!(narrow.is_none(), "{}", networks.1);
    assert_same_numbers(networks, &[numbers(&[5]), Tensor::scalar(1.3f32)]);
}

#[test]
fn sizes_come_from_whole_numbers() {
    let mut net = Net::default();
    let count = net.input(DType::F32, &[1]);
    let count = net.add(Cast { to: DType::I64 }, &[count]);
    let (start, step) = (net.constant(Tensor::scalar(0f32)), net.constant(Tensor::vector(&[1f32])));
    let (operation, dtype) = (FillOperation::Linspace, DType::F32);
    let fill =
        Fill { operation, dims: Arg::Input(2), alpha: Arg::Input(0), beta: Arg::Input(1), dtype };
    let y = net.add(fill, &[start, step, count]);
    net.output(y);
    net.network.body = net.body;
    let error = legalize(&mut net.network, Caps::modern()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    let says = "its sizes depend on input `x0`, which is f32, but must depend on whole numbers only
";
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn counts_of_truths_are_sizes() {
    for (dtype, keep_dims) in [(DType::I64, true), (DType::I32, false)] {
        let mut net = Net::default();
        let x = net.input(DType::F32, &[2, 3]);
        let zero = net.constant(Tensor::of(vec![1, 1], vec![0f32]).unwrap());
        let holds = net.add(ElementWise { operation: ElementWiseOperation::Greater }, &[x, zero]);
        let numbers = net.add(Cast { to: dtype }, &[holds]);
        let sum = Reduce { operation: ReduceOperation::Sum, axes: vec![0, 1], keep_dims };
        let count = net.add(sum, &[numbers]);
        let flat = Reshape::Static { dims: vec![1], zero_is_placeholder: false };
        let flat = Shuffle { reshape: Some(flat), ..Shuffle::default() };
        let size = net.add(flat, &[count]);
        let (start, step) =
            (net.constant(Tensor::scalar(0f32)), net.constant(Tensor::vector(&[1f32])));
        let (alpha, beta) = (Arg::Input(0), Arg::Input(1));
        let (operation, dtype) = (FillOperation::Linspace, DType::F32);
        let fill = Fill { operation, dims: Arg::Input(2), alpha, beta, dtype };
        let y = net.add(fill, &[start, step, size]);
        net.output(y);
        net.output(count);
        let data = Tensor::of(vec![2, 3], vec![1f32, -1.0, 2.0, 0.0, -3.0, 5.0]).unwrap();
        assert_same_numbers(net.legalized(), &[data]);
    }
}

#[test]
fn kernels_tell_how_many_channels_data_has() {
    let mut net = Net::default();
    let shape = ["N", "C", "H"].map(Dim::named).into_iter().chain([Dim::Known(1)]).collect();
    let x = net.network.add_input("x", ValueType::new(DType::F32, shape));
    let weights = Tensor::of(vec![2, 3, 1, 1], vec![1f32, -2.0, 0.5, 3.0, 1.0, -1.0]).unwrap();
    let kind = Deconvolution(Convolution {
        maps: 3,
        kernel: vec![1, 1],
        stride: vec![1, 1],
        pre_padding: vec![0, 0],
        post_padding: vec![0, 0],
        padding_mode: PaddingMode::ExplicitRoundDown,
        dilation: vec![1, 1],
        groups: 1,
        weights: Arg::Static(weights),
        bias: None,
    });
    let y = net.add(kind, &[x]);
    net.output(y);
    let networks = net.legalized();
    assert_eq!(kinds(&networks.1), ["Shuffle f32", "Deconvolution f32"]);
    let reads = networks.1.layer(networks.1.body.layers[1]).inputs[0];
    assert_eq!(networks.1.ty(reads), "f32[N, 2, H, 1]");
    assert_same_numbers(
        networks,
        &[Tensor::of(vec![1, 2, 2, 1], vec![1f32, 2.0, 3.0, 4.0]).unwrap()],
    );
}

/// A loop over the rows of a value that adds what `taken` makes of its data and the row's number.
fn over_rows(net: &mut Net, x: ValueId, taken: impl Fn(&mut Net, ValueId) -> ValueId) -> ValueId {
    let count = net.add(LayerKind::Shape, &[x]);
    let first = net.constant(Tensor::scalar(0i64));
    let count = net
        .add(Gather { mode: GatherMode::Default, axis: 0, element_wise_dims: 0 }, &[count, first]);
    let (zero, one) = (first, net.constant(Tensor::scalar(1i64)));
    let none = net.constant(Tensor::of(vec![1, 3], vec![0f32; 3]).unwrap());
    let outside = std::mem::take(&mut net.body);
    let ty = |net: &Net, value| ValueType { elements: None, ..net.network.value(value).ty.clone() };
    let (number, sum) = (ty(net, zero), ty(net, none));
    let (number, sum) = (net.network.add_param("i", number), net.network.add_param("s", sum));
    let row = taken(net, number);
    let next = net.add(ew(ElementWiseOperation::Sum), &[sum, row]);
    let after = net.add(ew(ElementWiseOperation::Sum), &[number, one]);
    let mut body = std::mem::replace(&mut net.body, outside);
    (body.params, body.results) = (vec![number, sum], vec![after, next]);
    let repeat = Loop {
        counted: true,
        capped: false,
        while_result: false,
        iterators: Vec::new(),
        recurrences: 2,
        outputs: vec![LoopOutput::LastValue(1)],
        body,
    };
    net.add(repeat, &[count, zero, none])
}

#[test]
fn rows_that_a_loop_slices_are_picked_by_index() {
    let mut net = Net::default();
    let shape = ["n"].map(Dim::named).into_iter().chain([Dim::Known(3)]).collect();
    let x = net.network.add_input("x", ValueType::new(DType::F32, shape));
    let zero = net.constant(Tensor::vector(&[0i64]));
    let sum = over_rows(&mut net, x, |net, number| {
        let start = net.add(Unsqueeze { axes: vec![0] }, &[number]);
        let start = net.add(Concatenation { axis: 0 }, &[start, zero]);
        let slice = Slice {
            start: Arg::Input(1),
            size: Arg::Static(vec![1, 3]),
            stride: Arg::Static(vec![1, 1]),
            mode: SampleMode::StrictBounds,
            fill: None,
        };
        net.add(slice, &[x, start])
    });
    net.output(sum);
    let networks = net.legalized();
    let late = |id| match &networks.1.layer(id).kind {
        LayerKind::Slice(slice) => slice.start.input().is_some(),
        _ => false,
    };
    assert!(!networks.1.live_layers().into_iter().any(late), "{}", networks.1);
    assert_same_numbers(networks, &[numbers(&[4, 3])]);
}

#[test]
fn data_tell_how_many_channels_a_kernel_takes() {
    let open = Dim::named("C");
    let cases = [
        ([Dim::Known(2), open.clone()], [2, 2, 1, 1], false),
        ([open, Dim::Known(2)], [4, 2, 1, 1], true),
    ];
    for (sizes, dims, transposed) in cases {
        let mut net = Net::default();
        let x = net.input(DType::F32, &[1, 4, 3, 1]);
        let shape = sizes.into_iter().chain([Dim::Known(1), Dim::Known(1)]).collect();
        let w = net.network.add_input("w", ValueType::new(DType::F32, shape));
        let Deconvolution(of) = deconvolution(&[1, 1], &[1, 1], &[1, 1], Arg::Input(1));
        let maps = if transposed { 4 } else { 2 };
        let of = Convolution { maps, pre_padding: vec![0, 0], ..of };
        let kind: LayerKind = if transposed { Deconvolution(of).into() } else { of.into() };
        let y = net.add(kind, &[x, w]);
        net.output(y);
        let networks = net.legalized();
        let kernel = networks.1.layer(networks.1.body.layers[1]).inputs[1];
        assert_eq!(networks.1.value(kernel).ty.shape, Shape::of(&dims));
        assert_same_numbers(networks, &[numbers(&[1, 4, 3, 1]), numbers(&dims)]);
    }
}
