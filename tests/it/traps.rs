//! Where ONNX and TensorRT differ: models of a few numbers that come out otherwise where the
//! difference is overlooked.

use crate::support::Model;
use half::f16;
use onnx2plan::eval;
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::pipeline;
use onnx2plan::tensor::Tensor;

/// A model, its first input's shape and numbers, and the numbers of its outputs one behind the
/// other.
struct Trap {
    name: &'static str,
    model: fn() -> Model,
    dims: &'static [usize],
    input: &'static [f32],
    expected: &'static [f32],
}

#[test]
fn no_trap_is_fallen_into() {
    let traps = [RESIZE, SHUFFLE, REGIONS, CONVOLUTION, RECURRENT, CONTROL].concat();
    let wrong: Vec<String> = traps.into_iter().filter_map(check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(trap: &Trap) -> Option<String> {
    let Trap { name, model, dims, input, expected } = trap;
    let prepared = model().read().and_then(|model| {
        pipeline::prepare(&model, &Fitted::standard(Caps::modern()), Caps::modern())
    });
    let network = prepared.unwrap_or_else(|error| panic!("{name}: {error}")).network;
    let data = Tensor::of(dims.to_vec(), input.to_vec()).unwrap();
    let outputs = eval::run(&network, &[data]).unwrap_or_else(|error| panic!("{name}: {error}"));
    let found: Vec<f32> =
        outputs.iter().flat_map(|output| output.to_f32s().unwrap().into_owned()).collect();
    let near = found.len() == expected.len()
        && found.iter().zip(*expected).all(|(a, b)| (a - b).abs() < 2e-6);
    (!near).then(|| format!("{name}: {found:?}, not {expected:?}"))
}

/// `Resize` of a row to another size.
fn resize(mode: &str, coordinates: &str, size: i64) -> Model {
    Model::new(18)
        .input("x", "f32[1, 1, 1, 3]")
        .init("sizes", &[4], &[1, 1, 1, size])
        .node("Resize", "x - - sizes", "y")
        .attr("mode", mode)
        .attr("coordinate_transformation_mode", coordinates)
        .output("y", "")
}

/// `Resize` of opset 10 by a scale below 1.
fn shrunk() -> Model {
    let model = Model::new(10).input("x", "f32[1, 1, 2, 4]");
    let model = model.init("scales", &[4], &[1f32, 1.0, 0.6, 0.6]);
    model.node("Resize", "x scales", "y").output("y", "")
}

const RESIZE: &[&Trap] = &[
    &Trap {
        name: "the first Resize rounds up where it shrinks",
        model: shrunk,
        dims: &[1, 1, 2, 4],
        input: &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
        expected: &[1.0, 3.0],
    },
    &Trap {
        // TensorRT's own default is asymmetric.
        name: "positions are those of half pixels",
        model: || {
            let model =
                Model::new(13).input("x", "f32[1, 1, 1, 2]").init("sizes", &[4], &[1i64, 1, 1, 4]);
            model.node("Resize", "x - - sizes", "y").attr("mode", "linear").output("y", "")
        },
        dims: &[1, 1, 1, 2],
        input: &[0.0, 4.0],
        expected: &[0.0, 1.0, 3.0, 4.0],
    },
    &Trap {
        name: "one element is the first for pytorch_half_pixel",
        model: || resize("linear", "pytorch_half_pixel", 1),
        dims: &[1, 1, 1, 3],
        input: &[5.0, 6.0, 7.0],
        expected: &[5.0],
    },
    &Trap {
        name: "one element is the center for half_pixel",
        model: || resize("linear", "half_pixel", 1),
        dims: &[1, 1, 1, 3],
        input: &[5.0, 6.0, 7.0],
        expected: &[6.0],
    },
    &Trap {
        name: "one element is the first for align_corners",
        model: || resize("linear", "align_corners", 1),
        dims: &[1, 1, 1, 3],
        input: &[5.0, 6.0, 7.0],
        expected: &[5.0],
    },
    &Trap {
        // Positions ¾ and 2¼; half pixels less one half, rounded up, is this only for
        // `round_prefer_floor`.
        name: "tf_half_pixel_for_nn rounds as nearest_mode says",
        model: || {
            let rounded = |model: Model, mode: &str| {
                model
                    .node("Resize", "x - - sizes", mode)
                    .attr("mode", "nearest")
                    .attr("nearest_mode", mode)
                    .attr("coordinate_transformation_mode", "tf_half_pixel_for_nn")
                    .output(mode, "")
            };
            let model =
                Model::new(11).input("x", "f32[1, 1, 1, 3]").init("sizes", &[4], &[1i64, 1, 1, 2]);
            ["round_prefer_floor", "floor", "ceil"].into_iter().fold(model, rounded)
        },
        dims: &[1, 1, 1, 3],
        input: &[0.0, 1.0, 2.0],
        expected: &[1.0, 2.0, 0.0, 2.0, 1.0, 2.0],
    },
    &Trap {
        // Positions ½ and 2½.
        name: "ties are rounded as nearest_mode says",
        model: || {
            let rounded = |model: Model, mode: &str| {
                model
                    .node("Resize", "x - - sizes", mode)
                    .attr("nearest_mode", mode)
                    .output(mode, "")
            };
            let model =
                Model::new(13).input("x", "f32[1, 1, 1, 4]").init("sizes", &[4], &[1i64, 1, 1, 2]);
            ["round_prefer_floor", "round_prefer_ceil"].into_iter().fold(model, rounded)
        },
        dims: &[1, 1, 1, 4],
        input: &[0.0, 1.0, 2.0, 3.0],
        expected: &[0.0, 2.0, 1.0, 3.0],
    },
    &Trap {
        name: "positions before opset 11 are asymmetric",
        model: || {
            let model = Model::new(10).input("x", "f32[1, 1, 1, 2]").init(
                "scales",
                &[4],
                &[1f32, 1.0, 1.0, 2.0],
            );
            model.node("Resize", "x scales", "y").attr("mode", "linear").output("y", "")
        },
        dims: &[1, 1, 1, 2],
        input: &[0.0, 4.0],
        expected: &[0.0, 2.0, 4.0, 4.0],
    },
    &Trap {
        // ⌊3 · 1.5⌋ is 4, and 4 / 3 is not 1.5.
        name: "positions follow the scale, not the sizes",
        model: || {
            Model::new(13)
                .input("x", "f32[1, 1, 1, 3]")
                .init("scales", &[4], &[1f32, 1.0, 1.0, 1.5])
                .node("Resize", "x - scales", "y")
                .attr("mode", "linear")
                .attr("coordinate_transformation_mode", "asymmetric")
                .output("y", "")
        },
        dims: &[1, 1, 1, 3],
        input: &[0.0, 3.0, 6.0],
        expected: &[0.0, 2.0, 4.0, 6.0],
    },
    &Trap {
        name: "resized axes need not be the last",
        model: || {
            Model::new(18)
                .input("x", "f32[2, 1, 1, 2]")
                .init("sizes", &[1], &[4i64])
                .node("Resize", "x - - sizes", "y")
                .attr("mode", "linear")
                .attr("axes", [0])
                .output("y", "")
        },
        dims: &[2, 1, 1, 2],
        input: &[0.0, 10.0, 4.0, 14.0],
        expected: &[0.0, 10.0, 1.0, 11.0, 3.0, 13.0, 4.0, 14.0],
    },
];

fn reshape(shape: &[i64; 2], allow_zero: i64) -> Model {
    let model = Model::new(17).input("x", "f32[2, 3]").init("shape", &[2], shape);
    model.node("Reshape", "x shape", "y").attr("allowzero", allow_zero)
}

/// The sizes of `y`, then the data as it came.
fn shape_of(model: Model) -> Model {
    let model = model
        .node("Shape", "y", "sizes")
        .node("Cast", "sizes", "out")
        .attr("to", 1)
        .output("out", "");
    model.node("Identity", "x", "same").output("same", "")
}

const SHUFFLE: &[&Trap] = &[
    &Trap {
        name: "0 copies a size",
        model: || shape_of(reshape(&[0, -1], 0)),
        dims: &[2, 3],
        input: &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        expected: &[2.0, 3.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    },
    &Trap {
        name: "0 is a size where allowzero says so",
        model: || {
            let model = Model::new(17).input("x", "f32[2, 3]").init("shape", &[2], &[3i64, 0]);
            let model = model.init("from", &[1], &[0i64]).init("to", &[1], &[0i64]).init(
                "axis",
                &[1],
                &[1i64],
            );
            shape_of(
                model
                    .node("Slice", "x from to axis", "none")
                    .node("Reshape", "none shape", "y")
                    .attr("allowzero", 1),
            )
        },
        dims: &[2, 3],
        input: &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        expected: &[3.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    },
    &Trap {
        name: "Flatten at axis 0 makes one row, at a negative axis counts from the end",
        model: || {
            let model = Model::new(13)
                .input("x", "f32[2, 3, 2]")
                .node("Flatten", "x", "row")
                .attr("axis", 0);
            let model =
                model.node("Flatten", "x", "last").attr("axis", -1).node("Shape", "row", "a");
            let model =
                model.node("Shape", "last", "b").node("Concat", "a b", "sizes").attr("axis", 0);
            model
                .node("Cast", "sizes", "out")
                .attr("to", 1)
                .output("out", "")
                .node("Identity", "x", "z")
                .output("z", "")
        },
        dims: &[2, 3, 2],
        input: &[0.0; 12],
        expected: &[
            1.0, 12.0, 6.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
        ],
    },
];

/// A convolution of a row with a kernel of two taps, 1 and 10.
fn convolution(kind: &str) -> Model {
    let model = Model::new(17).input("x", "f32[1, 1, 3]").init("w", &[1, 1, 2], &[1f32, 10.0]);
    model.node(kind, "x w", "y").output("y", "")
}

fn transposed() -> Model {
    let model =
        Model::new(17).input("x", "f32[1, 1, 2]").init("w", &[1, 1, 3], &[1f32, 10.0, 100.0]);
    model.node("ConvTranspose", "x w", "y").attr("strides", [2]).output("y", "")
}

/// The largest of a region that begins in front of the first element.
fn region(samples: i64) -> Model {
    let model = Model::new(16).input("x", "f32[1, 1, 2, 2]");
    let model = model.init("rois", &[1, 4], &[0f32, 0.0, 0.6, 0.6]).init("images", &[1], &[0i64]);
    let model = model.node("RoiAlign", "x rois images", "y").attr("mode", "max");
    model.attr("sampling_ratio", samples).output("y", "")
}

const REGIONS: &[&Trap] = &[
    &Trap {
        name: "a sample at the border has neighbors that weigh 0",
        model: || region(1),
        dims: &[1, 1, 2, 2],
        input: &[-1.0, -2.0, -3.0, -4.0],
        expected: &[0.0],
    },
    &Trap {
        name: "so have samples of which the region decides how many there are",
        model: || region(0),
        dims: &[1, 1, 2, 2],
        input: &[-1.0, -2.0, -3.0, -4.0],
        expected: &[0.0],
    },
];

const CONVOLUTION: &[&Trap] = &[
    &Trap {
        name: "SAME_UPPER pads an odd element behind",
        model: || convolution("Conv").attr("auto_pad", "SAME_UPPER"),
        dims: &[1, 1, 3],
        input: &[1.0, 2.0, 3.0],
        expected: &[21.0, 32.0, 3.0],
    },
    &Trap {
        name: "SAME_LOWER pads an odd element in front",
        model: || convolution("Conv").attr("auto_pad", "SAME_LOWER"),
        dims: &[1, 1, 3],
        input: &[1.0, 2.0, 3.0],
        expected: &[10.0, 21.0, 32.0],
    },
    &Trap {
        // TensorRT's formula gives a padding of −1.
        name: "SAME of windows smaller than their step pads nothing",
        model: || {
            let model =
                Model::new(17).input("x", "f32[1, 1, 1, 4]").init("w", &[1, 1, 1, 1], &[1f32]);
            let model = model.node("Conv", "x w", "y").attr("auto_pad", "SAME_LOWER");
            model.attr("strides", [1, 2]).output("y", "")
        },
        dims: &[1, 1, 1, 4],
        input: &[1.0, 2.0, 3.0, 4.0],
        expected: &[1.0, 3.0],
    },
    &Trap {
        name: "VALID has no padding whatever pads say",
        model: || convolution("Conv").attr("auto_pad", "VALID").attr("pads", [5, 5]),
        dims: &[1, 1, 3],
        input: &[1.0, 2.0, 3.0],
        expected: &[21.0, 32.0],
    },
    &Trap {
        name: "pads list what is in front of all axes first",
        model: || {
            let model =
                Model::new(17).input("x", "f32[1, 1, 1, 1]").init("w", &[1, 1, 1, 1], &[1f32]);
            model.node("Conv", "x w", "y").attr("pads", [1, 0, 0, 2]).output("y", "")
        },
        dims: &[1, 1, 1, 1],
        input: &[7.0],
        expected: &[0.0, 0.0, 0.0, 7.0, 0.0, 0.0],
    },
    &Trap {
        // One element is cropped, and what `output_padding` added is left: nothing but the bias.
        name: "output_shape may leave no more than what is added",
        model: || {
            let model = Model::new(17)
                .input("x", "f32[1, 1, 1]")
                .init("w", &[1, 1, 1], &[10f32])
                .init("b", &[1], &[5f32]);
            let model = model.node("ConvTranspose", "x w b", "y").attr("strides", [3]);
            model.attr("output_padding", [1]).attr("output_shape", [1]).output("y", "")
        },
        dims: &[1, 1, 1],
        input: &[1.0],
        expected: &[5.0],
    },
    &Trap {
        name: "negative pads crop",
        model: || convolution("Conv").attr("pads", [-1, 1]),
        dims: &[1, 1, 3],
        input: &[1.0, 2.0, 3.0],
        expected: &[32.0, 3.0],
    },
    &Trap {
        name: "step and dilation of one axis stay on that axis",
        model: || {
            let model =
                Model::new(17).input("x", "f32[1, 1, 5]").init("w", &[1, 1, 2], &[1f32, 10.0]);
            model
                .node("Conv", "x w", "y")
                .attr("dilations", [2])
                .attr("strides", [2])
                .output("y", "")
        },
        dims: &[1, 1, 5],
        input: &[1.0, 2.0, 3.0, 4.0, 5.0],
        expected: &[31.0, 53.0],
    },
    &Trap {
        name: "a transposed kernel has the data's channels first",
        model: || {
            let model = Model::new(17).input("x", "f32[1, 2, 1, 1]").init(
                "w",
                &[2, 2, 1, 1],
                &[1f32, 2.0, 3.0, 4.0],
            );
            model.node("ConvTranspose", "x w", "y").output("y", "")
        },
        dims: &[1, 2, 1, 1],
        input: &[1.0, 10.0],
        expected: &[31.0, 42.0],
    },
    &Trap {
        name: "groups of a transposed kernel see their own channels",
        model: || {
            let model = Model::new(17).input("x", "f32[1, 2, 1, 1]").init(
                "w",
                &[2, 2, 1, 1],
                &[1f32, 2.0, 3.0, 4.0],
            );
            model.node("ConvTranspose", "x w", "y").attr("group", 2).output("y", "")
        },
        dims: &[1, 2, 1, 1],
        input: &[1.0, 10.0],
        expected: &[1.0, 2.0, 30.0, 40.0],
    },
    &Trap {
        name: "output_padding adds behind",
        model: || transposed().attr("output_padding", [1]),
        dims: &[1, 1, 2],
        input: &[1.0, 2.0],
        expected: &[1.0, 10.0, 102.0, 20.0, 200.0, 0.0],
    },
    &Trap {
        name: "output_padding takes back what pads crop behind",
        model: || transposed().attr("output_padding", [1]).attr("pads", [1, 1]),
        dims: &[1, 1, 2],
        input: &[1.0, 2.0],
        expected: &[10.0, 102.0, 20.0, 200.0],
    },
    &Trap {
        name: "output_shape crops an odd element in front",
        model: || transposed().attr("output_shape", [4]),
        dims: &[1, 1, 2],
        input: &[1.0, 2.0],
        expected: &[10.0, 102.0, 20.0, 200.0],
    },
    &Trap {
        name: "output_shape with SAME_UPPER crops an odd element behind",
        model: || transposed().attr("output_shape", [4]).attr("auto_pad", "SAME_UPPER"),
        dims: &[1, 1, 2],
        input: &[1.0, 2.0],
        expected: &[1.0, 10.0, 102.0, 20.0],
    },
    &Trap {
        name: "negative pads of a transposed convolution grow its output",
        model: || transposed().attr("pads", [-1, 1]),
        dims: &[1, 1, 2],
        input: &[1.0, 2.0],
        expected: &[0.0, 1.0, 10.0, 102.0, 20.0],
    },
];

/// A recurrent operator of one step or more, with a state of one number; weights and biases are
/// those of its gates.
fn recurrent<const N: usize>(op: &str, inputs: &str, w: [f32; N], r: [f32; N], b: &[f32]) -> Model {
    let gates = i64::try_from(N).unwrap();
    let outputs = if op == "LSTM" { "y h c" } else { "y h" };
    let model = Model::new(14)
        .input("x", "f32[T, 1, 1]")
        .init("w", &[1, gates, 1], &w)
        .init("r", &[1, gates, 1], &r)
        .init("b", &[1, 2 * gates], b)
        .init("h0", &[1, 1, 1], &[0.5f32])
        .init("c0", &[1, 1, 1], &[2f32])
        .init("p", &[1, 3], &[0f32, 1.0, 0.0])
        .node(op, &format!("x w r b - {inputs}"), outputs)
        .attr("hidden_size", 1);
    outputs.split(' ').skip(1).fold(model, |model, output| model.output(output, ""))
}

const RECURRENT: &[&Trap] = &[
    &Trap {
        // ONNX Runtime's numbers: the data is quantized over all steps, the state in each.
        name: "quantized LSTM computes in whole numbers",
        model: || {
            let w = [200u8, 30, 128, 90, 10, 128, 255, 60, 100, 140, 160, 20, 250, 77, 5, 128];
            let r = [10u8, 128, 255, 60, 128, 100, 140, 160, 90, 200, 30, 128, 20, 250, 77, 5];
            let b = [
                0.25f32, -0.5, 0.75, 1.0, -1.0, 0.5, 0.25, -0.25, 0.5, 0.25, -0.25, 0.0, 1.0,
                -0.75, 0.25, 0.5,
            ];
            let operator = "com.microsoft.DynamicQuantizeLSTM";
            Model::new(17)
                .opset("com.microsoft", 1)
                .input("x", "f32[3, 1, 2]")
                .init("w", &[1, 2, 8], &w)
                .init("r", &[1, 2, 8], &r)
                .init("b", &[1, 16], &b)
                .init("ws", &[1], &[0.01f32])
                .init("wz", &[1], &[128u8])
                .init("rs", &[1, 8], &[0.02f32, 0.01, 0.015, 0.005].repeat(2))
                .init("rz", &[1, 8], &[120u8; 8])
                .node(operator, "x w r b - - - - ws wz rs rz", "y")
                .attr("hidden_size", 2)
                .output("y", "")
        },
        dims: &[3, 1, 2],
        input: &[1.0, -0.5, 0.25, 2.0, -1.5, 0.75],
        expected: &[0.394_433, -0.066_444_9, 0.334_554_7, 0.013_686_6, 0.128_338_7, 0.402_361_3],
    },
    &Trap {
        // i = σ(100), o = σ(0), f = σ(−100), ĉ = tanh(1/2): any other order of the gates gives
        // other numbers.
        name: "gates of LSTM are i, o, f, c",
        model: || recurrent("LSTM", "h0 c0", [100.0, 0.0, -100.0, 0.5], [0.0; 4], &[0.0; 8]),
        dims: &[1, 1, 1],
        input: &[1.0],
        expected: &[0.215_904_1, 0.462_117_16],
    },
    &Trap {
        // ĉ = tanh(1/4 + 1/4).
        name: "LSTM has a bias of its own for the state",
        model: || {
            let bias = [100.0, 0.0, -100.0, 0.25, 0.0, 0.0, 0.0, 0.25];
            recurrent("LSTM", "h0 c0", [0.0; 4], [0.0; 4], &bias)
        },
        dims: &[1, 1, 1],
        input: &[1.0],
        expected: &[0.215_904_1, 0.462_117_16],
    },
    &Trap {
        // o = σ(C₁) with C₁ = tanh(1/2); with C₀ = 2 it would be σ(2).
        name: "the output gate peeks at the new cell state",
        model: || recurrent("LSTM", "h0 c0 p", [100.0, 0.0, -100.0, 0.5], [0.0; 4], &[0.0; 8]),
        dims: &[1, 1, 1],
        input: &[1.0],
        expected: &[0.264_921_36, 0.462_117_16],
    },
    &Trap {
        // f = 1 − i = 1/2, whatever f's own weights say.
        name: "input_forget ties the forget gate to the input gate",
        model: || {
            recurrent("LSTM", "h0 c0", [0.0, 100.0, 100.0, 0.0], [0.0; 4], &[0.0; 8])
                .attr("input_forget", 1)
        },
        dims: &[1, 1, 1],
        input: &[1.0],
        expected: &[0.761_594, 1.0],
    },
    &Trap {
        // Gates are clipped to 1/2, the cell state of 2 is not.
        name: "clip does not reach the cell state",
        model: || {
            recurrent("LSTM", "h0 c0", [-100.0, 100.0, 100.0, 0.0], [0.0; 4], &[0.0; 8])
                .attr("clip", 0.5)
        },
        dims: &[1, 1, 1],
        input: &[1.0],
        expected: &[0.527_131_3, 1.244_918_7],
    },
    &Trap {
        // z = σ(100) keeps the state.
        name: "the update gate of GRU keeps the old state",
        model: || recurrent("GRU", "h0", [100.0, 0.0, 3.0], [0.0; 3], &[0.0; 6]),
        dims: &[1, 1, 1],
        input: &[1.0],
        expected: &[0.5],
    },
    &Trap {
        // z = 0, r = 1/2: ĥ = tanh(r·H·2 + 1) = tanh(1.5).
        name: "the reset gate of GRU comes before the product and spares the bias",
        model: || {
            recurrent(
                "GRU",
                "h0",
                [-100.0, 0.0, 0.0],
                [0.0, 0.0, 2.0],
                &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
            )
        },
        dims: &[1, 1, 1],
        input: &[1.0],
        expected: &[0.905_148_3],
    },
    &Trap {
        // ĥ = tanh(r·(H·2 + 1)) = tanh(1).
        name: "linear_before_reset also resets the bias",
        model: || {
            let model = recurrent(
                "GRU",
                "h0",
                [-100.0, 0.0, 0.0],
                [0.0, 0.0, 2.0],
                &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
            );
            model.attr("linear_before_reset", 1)
        },
        dims: &[1, 1, 1],
        input: &[1.0],
        expected: &[0.761_594],
    },
    &Trap {
        name: "RNN is tanh where nothing is said",
        model: || recurrent("RNN", "h0", [0.5], [1.0], &[0.0; 2]),
        dims: &[1, 1, 1],
        input: &[1.0],
        expected: &[0.761_594],
    },
    &Trap {
        // Tanh takes no alpha: 1/2 is LeakyRelu's.
        name: "an alpha goes to the next function that has one",
        model: || {
            let model = recurrent("GRU", "h0", [-100.0, 0.0, -1.0], [0.0; 3], &[0.0; 6]);
            model.attr("activations", ["Tanh", "LeakyRelu"]).attr("activation_alpha", [0.5f32])
        },
        dims: &[1, 1, 1],
        input: &[1.0],
        expected: &[-1.5],
    },
];

#[test]
fn a_zero_and_a_left_over_size_exclude_each_other() {
    let model = reshape(&[0, -1], 1).output("y", "").read().unwrap();
    let error =
        pipeline::prepare(&model, &Fitted::standard(Caps::modern()), Caps::modern()).unwrap_err();
    assert!(error.to_string().contains("allowzero"), "{error}");
}

#[test]
fn first_states_that_are_left_out_have_the_type_of_the_data() {
    let half = |model: Model, name: &str, dims: &[i64], values: &[f32]| {
        let model = model.init(&format!("{name}32"), dims, values);
        model.node("Cast", &format!("{name}32"), name).attr("to", 10)
    };
    let model = Model::new(14).input("x", "f16[T, 1, 1]");
    let model = half(model, "w", &[1, 4, 1], &[100.0, 0.0, -100.0, 0.5]);
    let model = half(model, "r", &[1, 4, 1], &[0.0; 4]);
    let model = model.node("LSTM", "x w r", "y h c").attr("hidden_size", 1).output("h", "");
    let prepared = pipeline::prepare(
        &model.read().unwrap(),
        &Fitted::standard(Caps::modern()),
        Caps::modern(),
    )
    .unwrap();
    let data = Tensor::of(vec![1, 1, 1], vec![f16::ONE]).unwrap();
    let outputs = eval::run(&prepared.network, &[data]).unwrap();
    assert!((outputs[0].to_f32s().unwrap()[0] - 0.2159).abs() < 1e-3);
}

/// Behind what there is, its sum: in each iteration a column more.
fn grown(iterations: i64) -> Model {
    let body = Model::new(17)
        .input("i", "i64[]")
        .input("go", "bool[]")
        .input("before", "f32[?, ?]")
        .init("axis", &[1], &[1i64])
        .node("Identity", "go", "go_on")
        .node("ReduceSum", "before axis", "sum")
        .node("Concat", "before sum", "after")
        .attr("axis", 1i64)
        .output("go_on", "bool[]")
        .output("after", "f32[?, ?]");
    let model = Model::new(17).input("x", "f32[1, 1]").init("count", &[], &[iterations]);
    model.node("Loop", "count - x", "y").attr("body", body).output("y", "")
}

const CONTROL: &[&Trap] = &[&Trap {
    name: "a loop whose state grows has as many iterations as it says",
    model: || grown(20),
    dims: &[1, 1],
    input: &[1.0],
    expected: &[
        1.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0,
        8192.0, 16384.0, 32768.0, 65536.0, 131_072.0, 262_144.0, 524_288.0,
    ],
}];

/// A plan finds inputs and outputs by name, ONNX Runtime by position.
#[test]
fn every_output_has_a_name_of_its_own() {
    let model = Model::new(17).input("x", "f32[2]").node("Neg", "x", "y").node("Abs", "x", "y_2");
    let model =
        model.output("y", "").output("y", "").output("y_2", "").output("x", "").read().unwrap();
    let prepared =
        pipeline::prepare(&model, &Fitted::standard(Caps::modern()), Caps::modern()).unwrap();
    let names: Vec<&str> = prepared.network.outputs.iter().map(|output| &*output.name).collect();
    assert_eq!(names, ["y", "y_3", "y_2", "x_2"]);
    let notes = [
        "output `y` is listed more than once: the plan gives it as `y_3`",
        "output `x` has the name of an input: the plan gives it as `x_2`",
    ];
    assert_eq!(prepared.notes, notes);
    let x = Tensor::vector(&[1f32, -2.0]);
    let outputs = eval::run(&prepared.network, &[x]).unwrap();
    let found: Vec<_> =
        outputs.iter().map(|output| output.to_f32s().unwrap().into_owned()).collect();
    assert_eq!(found, [[-1.0, 2.0], [-1.0, 2.0], [1.0, 2.0], [1.0, -2.0]]);
}

/// A scale that gives no whole length does not count where corners are aligned: 5 elements become 3,
/// of which the one in the middle is the third.
#[test]
fn nearest_elements_are_found_by_whole_lengths_where_corners_are_aligned() {
    let model = Model::new(13)
        .input("x", "f32[1, 1, 1, 5]")
        .init("scales", &[4], &[1f32, 1.0, 1.0, 0.7])
        .node("Resize", "x - scales", "y")
        .attr("coordinate_transformation_mode", "align_corners")
        .attr("nearest_mode", "floor")
        .output("y", "");
    let caps = Caps::modern();
    let network =
        pipeline::prepare(&model.read().unwrap(), &Fitted::standard(caps), caps).unwrap().network;
    let x = Tensor::of(vec![1, 1, 1, 5], vec![0f32, 1.0, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!(*eval::run(&network, &[x]).unwrap()[0].to_f32s().unwrap(), [0.0, 2.0, 4.0]);
}
