//! Golden files: for each case the network after import; the network after optimization where that
//! is another; and the calls that TensorRT gets where those are more than one per layer, in order.
//!
//! One file per family of operators, as in `src/import/ops`; `tests/golden/<family>/<case>.txt`.

mod activation;
mod attention;
mod bits;
mod boxes;
mod constant;
mod control;
mod conv;
mod einsum;
mod elementwise;
mod gather;
mod image;
mod layout;
mod loss;
mod matmul;
mod microsoft;
mod microsoft_attention;
mod microsoft_blocks;
mod microsoft_experts;
mod microsoft_fused;
mod microsoft_grouped;
mod microsoft_norm;
mod microsoft_qlinear;
mod microsoft_rest;
mod native;
mod norm;
mod nvidia_batched;
mod nvidia_efficient;
mod nvidia_plugins;
mod pool;
mod power;
mod quantize;
mod recurrent;
mod reduce;
mod regions;
mod resize;
mod rotary;
mod sample;
mod scan;
mod scatter;
mod sequence;
mod slice;
mod softmax;
mod spectral;
mod state;
mod training;
mod unique;

use crate::records::Records;
use crate::support::Model;
use onnx2plan::emit::{emit, trace::Trace};
use onnx2plan::eval;
use onnx2plan::import::Fitted;
use onnx2plan::import::registry;
use onnx2plan::network::{Caps, Network, ValueType};
use onnx2plan::onnx::{Constant, Node};
use onnx2plan::pipeline;
use onnx2plan::tensor::{DType, Tensor};
use onnx2plan::valid::Checked;
use onnx2plan::verify::boundary::{enter, leave};
use onnx2plan::verify::compare::compare;
use std::collections::BTreeSet;

/// A model that shows how some operators are converted.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) model: fn() -> Model,
}

/// All cases by family.
const FAMILIES: &[(&str, &[Case])] = &[
    ("activation", activation::CASES),
    ("attention", attention::CASES),
    ("bits", bits::CASES),
    ("boxes", boxes::CASES),
    ("constant", constant::CASES),
    ("control", control::CASES),
    ("conv", conv::CASES),
    ("einsum", einsum::CASES),
    ("elementwise", elementwise::CASES),
    ("gather", gather::CASES),
    ("image", image::CASES),
    ("layout", layout::CASES),
    ("loss", loss::CASES),
    ("matmul", matmul::CASES),
    ("microsoft", microsoft::CASES),
    ("microsoft_attention", microsoft_attention::CASES),
    ("microsoft_blocks", microsoft_blocks::CASES),
    ("microsoft_experts", microsoft_experts::CASES),
    ("microsoft_fused", microsoft_fused::CASES),
    ("microsoft_grouped", microsoft_grouped::CASES),
    ("microsoft_norm", microsoft_norm::CASES),
    ("microsoft_qlinear", microsoft_qlinear::CASES),
    ("microsoft_rest", microsoft_rest::CASES),
    ("native", native::CASES),
    ("norm", norm::CASES),
    ("nvidia_batched", nvidia_batched::CASES),
    ("nvidia_efficient", nvidia_efficient::CASES),
    ("nvidia_plugins", nvidia_plugins::CASES),
    ("pool", pool::CASES),
    ("power", power::CASES),
    ("quantize", quantize::CASES),
    ("recurrent", recurrent::CASES),
    ("reduce", reduce::CASES),
    ("regions", regions::CASES),
    ("resize", resize::CASES),
    ("rotary", rotary::CASES),
    ("sample", sample::CASES),
    ("scan", scan::CASES),
    ("scatter", scatter::CASES),
    ("sequence", sequence::CASES),
    ("slice", slice::CASES),
    ("softmax", softmax::CASES),
    ("spectral", spectral::CASES),
    ("state", state::CASES),
    ("training", training::CASES),
    ("unique", unique::CASES),
];

/// Every case, named `family/case`.
pub(crate) fn cases() -> impl Iterator<Item = (String, &'static Case)> {
    FAMILIES.iter().flat_map(|(family, cases)| {
        cases.iter().map(move |case| (format!("{family}/{}", case.name), case))
    })
}

/// The network of a case after import, and after optimization.
pub(crate) fn networks(name: &str, case: &Case) -> (Network, Checked) {
    let fails = |error: onnx2plan::Error| -> ! { panic!("{name}: {error}") };
    let model = (case.model)().read().unwrap_or_else(|error| fails(error));
    let fitted = Fitted::standard(Caps::modern());
    let imported = pipeline::import_model(&model, &fitted).unwrap_or_else(|error| fails(error));
    let finished = pipeline::finish(imported.network.clone(), &[], Caps::modern());
    let (finished, _) = finished.unwrap_or_else(|error| fails(error));
    (imported.network, finished)
}

#[test]
fn networks_and_calls_are_as_recorded() {
    let mut records = Records::new("golden");
    for (name, case) in cases() {
        let (imported, finished) = networks(&name, case);
        records.check(&format!("{name}.txt"), &record(&name, &imported, &finished));
    }
    records.finish();
}

/// What the file of a case holds.
fn record(name: &str, imported: &Network, finished: &Checked) -> String {
    let (before, after) = (imported.to_string(), finished.to_string());
    let after = if before == after { ": the same\n".to_owned() } else { format!("\n{after}") };
    let text = format!("# after import\n{before}\n# after optimization{after}");

    let mut trace = Trace::default();
    emit(finished, &mut trace).unwrap_or_else(|error| panic!("{name}: {error}"));
    let calls = trace.into_text();
    let layers: Vec<_> = finished.live_layers().iter().map(|&id| finished.layer(id)).collect();
    if layers.iter().any(|layer| !layer.kind.blocks().is_empty()) {
        return text + "\n# calls\n" + &calls;
    }
    let made: Vec<_> = calls.lines().filter_map(|line| line.split(" = add").nth(1)).collect();
    assert_eq!(made.len(), layers.len(), "{name}: calls are not one per layer:\n{calls}");
    for (call, layer) in made.iter().zip(layers) {
        assert!(call.starts_with(&format!("{}(", layer.kind.name())), "{name}: {call}");
    }
    text
}

/// Cases without numbers to compare: random ones, or with inputs that decide whether there are any.
pub(crate) const WITHOUT_NUMBERS: [&str; 2] = ["constant/random", "layout/reshape_computed"];

#[test]
fn passes_keep_the_numbers() {
    for (name, case) in cases().filter(|(name, _)| !WITHOUT_NUMBERS.contains(&name.as_str())) {
        let (imported, finished) = networks(&name, case);
        let inputs: Vec<Tensor> =
            imported.inputs.iter().map(|&input| sample(&imported.value(input).ty)).collect();
        let run =
            |network| eval::run(network, &inputs).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (before, after) = (run(&imported), run(&finished));
        for ((before, after), output) in before.iter().zip(&after).zip(&imported.outputs) {
            assert_eq!(
                (before.dtype(), before.dims()),
                (after.dtype(), after.dims()),
                "{name}: {}",
                output.name
            );
            // A pass moves data and joins layers; it rounds nothing anew.
            assert!(
                before.bytes() == after.bytes(),
                "{name}: {} is {before:?}, then {after:?}",
                output.name
            );
        }
    }
}

/// What TensorRT 8 lacks and nothing stands in for: quantizing to types of few bits, and volumes
/// sampled at positions.
const NOT_IN_EIGHT: [&str; 3] = ["quantize/converted", "quantize/modelopt", "sample/volume"];

#[test]
fn networks_for_tensorrt_8_compute_the_same() {
    let mut lacking = Vec::new();
    for (name, case) in cases().filter(|(name, _)| !WITHOUT_NUMBERS.contains(&name.as_str())) {
        let (imported, finished) = networks(&name, case);
        let eight = match pipeline::finish(imported, &[], Caps::eight()) {
            Ok((eight, _)) => eight,
            Err(error) => {
                assert_eq!(error.kind(), onnx2plan::Kind::Unsupported, "{name}: {error}");
                lacking.push(name);
                continue;
            }
        };
        let inputs: Vec<Tensor> =
            finished.inputs.iter().map(|&input| sample(&finished.value(input).ty)).collect();
        let narrow = eight.inputs.iter().zip(&inputs);
        let narrow: Vec<Tensor> = narrow
            .map(|(&input, tensor)| enter(&name, tensor, eight.value(input).ty.dtype).unwrap())
            .collect();
        let run = |network, inputs: &[Tensor]| {
            eval::run(network, inputs).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let (expected, found) = (run(&finished, &inputs), run(&eight, &narrow));
        for ((expected, found), output) in expected.iter().zip(found).zip(&eight.outputs) {
            let found = leave(&output.name, found, output.declared).unwrap();
            let compared = compare(&output.name, &found, &Constant::Tensor(expected.clone()));
            assert!(compared.agrees, "{name}: {found:?} is not {expected:?}\n{}", *eight);
        }
        let foreign = |&id: &_| {
            eight.layer(id).outputs.iter().any(|&v| eight.value(v).ty.dtype == DType::BF16)
        };
        assert!(!eight.live_layers().iter().any(foreign), "{name}: bf16 is left\n{}", *eight);
    }
    assert_eq!(lacking, NOT_IN_EIGHT);
}

/// What sizes are in tests that only the run knows.
pub(crate) const USUAL: usize = 6;

/// A tensor of a type, where sizes that only the run knows are [`USUAL`]: whole numbers are 1,
/// others vary around 1.
pub(crate) fn sample(ty: &ValueType) -> Tensor {
    let dims: Vec<usize> = ty.shape.iter().map(|dim| dim.size().unwrap_or(USUAL)).collect();
    let count = dims.iter().product();
    let varied = |i: usize| 0.25 + 0.125 * (i % 13) as f32;
    let tensor = match ty.dtype {
        DType::F32 => Tensor::of(dims, (0..count).map(varied).collect()),
        DType::F16 => {
            Tensor::of(dims, (0..count).map(|i| half::f16::from_f32(varied(i))).collect())
        }
        DType::I64 => Tensor::of(dims, vec![1i64; count]),
        DType::I32 => Tensor::of(dims, vec![1i32; count]),
        DType::I8 => Tensor::of(dims, vec![1i8; count]),
        DType::U8 => Tensor::of(dims, vec![1u8; count]),
        DType::Bool => Tensor::of_bools(dims, (0..count).map(|i| i % 2 == 0)),
        other => panic!("no sample of {other}"),
    };
    tensor.unwrap()
}

#[test]
fn every_row_of_the_registry_has_a_case() {
    let mut shown = BTreeSet::new();
    for (_, case) in cases() {
        let model = (case.model)().read().unwrap();
        let rows = model
            .graph
            .nodes
            .iter()
            .filter_map(|node: &Node| registry::find(&node.domain, &node.op, node.opset));
        shown.extend(rows.map(|op| (op.domain, op.name, op.since)));
    }
    let lacking: Vec<_> = registry::families()
        .filter(|(_, op)| !shown.contains(&(op.domain, op.name, op.since)))
        .map(|(family, op)| format!("{family}: {} since opset {}", op.name, op.since))
        .collect();
    assert!(lacking.is_empty(), "operators without a golden case:\n{}", lacking.join("\n"));
}
