//! Recurrent operators of one row get units more where they have few: the numbers are those of the
//! row among others.

use crate::support::Model;
use crate::tensorrt::onnx2plan;
use onnx2plan::eval;
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::pipeline;
use onnx2plan::tensor::Tensor;

const STEPS: usize = 6;
const WIDTH: usize = 3;

/// Numbers from −1 to 1.
fn numbers(dims: &[usize]) -> Tensor {
    let count = dims.iter().product();
    let values =
        (0u8..23).map(|at| f32::from(at * 7 % 23) / 11.5 - 1.0).cycle().take(count).collect();
    Tensor::of(dims.to_vec(), values).unwrap()
}

/// The rows of an axis of so many.
fn row(tensor: &Tensor, axis: usize, at: usize) -> Tensor {
    let values = tensor.to_f32s().unwrap();
    let inner: usize = tensor.dims()[axis + 1..].iter().product();
    let size = tensor.dims()[axis];
    let mut dims = tensor.dims().to_vec();
    dims[axis] = 1;
    let kept = values
        .iter()
        .enumerate()
        .filter(|(place, _)| place / inner % size == at)
        .map(|(_, &value)| value);
    Tensor::of(dims, kept.collect()).unwrap()
}

/// All operands of an operator are inputs of the model, with so many rows.
fn model(op: &str, gates: usize, units: usize, rows: usize) -> Model {
    let shape = |dims: &[usize]| format!("f32{dims:?}");
    let mut model = Model::new(17)
        .input("x", &shape(&[STEPS, rows, WIDTH]))
        .input("w", &shape(&[2, gates * units, WIDTH]))
        .input("r", &shape(&[2, gates * units, units]))
        .input("b", &shape(&[2, 2 * gates * units]))
        .input("h", &shape(&[2, rows, units]));
    let lstm = op == "LSTM";
    if lstm {
        model = model.input("c", &shape(&[2, rows, units])).input("p", &shape(&[2, 3 * units]));
    }
    let (inputs, outputs) =
        if lstm { ("x w r b - h c p", "y yh yc") } else { ("x w r b - h", "y yh") };
    let model = model.node(op, inputs, outputs).attr("direction", "bidirectional");
    outputs.split(' ').fold(model, |model, output| model.output(output, ""))
}

fn run(model: &Model, inputs: &[Tensor]) -> (String, Vec<Tensor>) {
    let network = pipeline::prepare(
        &model.read().unwrap(),
        &Fitted::standard(Caps::modern()),
        Caps::modern(),
    )
    .unwrap()
    .network;
    (network.to_string(), eval::run(&network, inputs).unwrap())
}

#[test]
fn units_that_are_added_change_nothing() {
    for (op, gates) in [("RNN", 1), ("GRU", 3), ("LSTM", 4)] {
        for units in [1, 3, 7] {
            let operands = |x: Tensor, h: Tensor| {
                let w = numbers(&[2, gates * units, WIDTH]);
                let (r, b) =
                    (numbers(&[2, gates * units, units]), numbers(&[2, 2 * gates * units]));
                let more = if op == "LSTM" {
                    vec![h.clone(), numbers(&[2, 3 * units])]
                } else {
                    Vec::new()
                };
                [vec![x, w, r, b, h], more].concat()
            };
            let (x, h) = (numbers(&[STEPS, 2, WIDTH]), numbers(&[2, 2, units]));
            let (both, expected) =
                run(&model(op, gates, units, 2), &operands(x.clone(), h.clone()));
            let (one, found) =
                run(&model(op, gates, units, 1), &operands(row(&x, 1, 1), row(&h, 1, 1)));
            let inside = |text: &str| text.contains(&format!("f32[2, 1, {}]", gates * 8));
            assert!(inside(&one) && !inside(&both), "{op} of {units}:\n{one}");
            for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let expected = row(expected, if at == 0 { 2 } else { 1 }, 1);
                assert_eq!(found.dims(), expected.dims(), "{op} of {units}");
                let (found, expected) = (found.to_f32s().unwrap(), expected.to_f32s().unwrap());
                let near = found.iter().zip(expected.iter()).all(|(a, b)| (a - b).abs() < 1e-6);
                assert!(near, "{op} of {units}, output {at}: {found:?}, not {expected:?}");
            }
        }
    }
}

/// TensorRT-RTX fails at Elu in a loop; its formula takes its place.
#[test]
fn elu_is_a_formula_in_loops() {
    let model = Model::new(14)
        .input("x", "f32[6, 2, 3]")
        .weights("w", &[1, 24, 3])
        .weights("r", &[1, 24, 8]);
    let model = model.node("GRU", "x w r", "y").attr("activations", ["Elu", "Elu"]);
    let model = model.attr("activation_alpha", [0.5, 0.25]).output("y", "");
    let x = numbers(&[STEPS, 2, WIDTH]);
    let imported =
        pipeline::import_model(&model.read().unwrap(), &Fitted::standard(Caps::modern())).unwrap();
    let expected = eval::run(&imported.network, std::slice::from_ref(&x)).unwrap();
    let (text, found) = run(&model, &[x]);
    assert!(imported.network.to_string().contains(", Elu") && !text.contains(", Elu"), "{text}");
    let (found, expected) = (found[0].to_f32s().unwrap(), expected[0].to_f32s().unwrap());
    assert!(expected.iter().any(|&value| value < 0.0));
    assert!(
        found.iter().zip(expected.iter()).all(|(a, b)| (a - b).abs() < 1e-5),
        "{found:?}, not {expected:?}"
    );

    let dir = tempfile::tempdir().unwrap();
    let output = onnx2plan().arg("--quiet").arg(model.write(dir.path())).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn elu_beside_a_loop_keeps_what_is_no_number() {
    let model = Model::new(14)
        .input("x", "f32[6, 2, 3]")
        .input("v", "f32[4]")
        .weights("w", &[1, 24, 3])
        .weights("r", &[1, 24, 8]);
    let model = model.node("GRU", "x w r", "y").attr("activations", ["Elu", "Tanh"]);
    let model = model.node("Elu", "v", "e").attr("alpha", 2f32).output("e", "").output("y", "");
    let v = Tensor::vector(&[f32::NAN, -1.0, 200.0, f32::NEG_INFINITY]);
    let (text, found) = run(&model, &[numbers(&[STEPS, 2, WIDTH]), v]);
    assert!(!text.contains(", Elu"), "{text}");
    let found = found[0].to_f32s().unwrap();
    assert!(found[0].is_nan() && (found[1] + 1.264_241_1).abs() < 1e-6, "{found:?}");
    assert_eq!(found[2..], [200.0, -2.0]);
}
