//! Where outputs differ, the first wrong node is found: faults are planted in the candidate, one at
//! a time.

use crate::support::Model as Builder;
use crate::tensorrt::onnx_runtime;
use onnx2plan::import::Fitted;
use onnx2plan::network::layer::ElementWiseOperation;
use onnx2plan::network::{Caps, LayerKind, Network};
use onnx2plan::onnx::attrs::{Attr, Attrs};
use onnx2plan::onnx::part::Whole;
use onnx2plan::onnx::{self, Constant, Model};
use onnx2plan::pipeline;
use onnx2plan::profiles::{self, Data, exactly};
use onnx2plan::recipe::Recipe;
use onnx2plan::tensor::Tensor;
use onnx2plan::trt::find::{self, FindOptions};
use onnx2plan::trt::{self, BuildOptions, Device, Engine, LogSink};
use onnx2plan::valid::Checked;
use onnx2plan::verify::data::DataSet;
use onnx2plan::verify::locate::{Inner, Located, lines, locate};
use onnx2plan::verify::{self, gpu, reference};
use onnx2plan::{Error, Kind, Result, eval};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A small network with convolutions, a recurrent layer, a branch, and a shape computed at run
/// time.
fn model() -> Builder {
    Builder::new(17)
        .input("x", "f32[N, 2, 6, 6]")
        .weights("w1", &[4, 2, 3, 3])
        .weights("w2", &[4, 4, 3, 3])
        .init("sizes", &[4], &[1f32, 1.0, 1.5, 1.5])
        .init("tail", &[1], &[36i64])
        .init("first", &[], &[0i64])
        .init("zero", &[1], &[0i64])
        .weights("w", &[1, 12, 36])
        .weights("r", &[1, 12, 3])
        .weights("b", &[1, 24])
        .weights("w3", &[3, 5])
        .node("Conv", "x w1", "c1")
        .attr("pads", [1, 1, 1, 1])
        .node("Relu", "c1", "r1")
        .node("Conv", "r1 w2", "c2")
        .attr("pads", [1, 1, 1, 1])
        .node("Add", "r1 c2", "sum")
        .node("AveragePool", "sum", "pooled")
        .attr("kernel_shape", [3, 3])
        .attr("pads", [1, 1, 1, 1])
        .attr("strides", [2, 2])
        .node("Resize", "pooled - sizes", "large")
        .attr("mode", "nearest")
        .attr("coordinate_transformation_mode", "half_pixel")
        .attr("nearest_mode", "round_prefer_floor")
        .node("MaxPool", "large", "peaks")
        .attr("kernel_shape", [2, 2])
        .attr("pads", [1, 1, 1, 1])
        .node("Shape", "peaks", "shape")
        .node("Gather", "shape first", "batch")
        .node("Unsqueeze", "batch zero", "batch1")
        .init("minus", &[1], &[-1i64])
        .node("Concat", "batch1 minus tail", "rows")
        .attr("axis", 0)
        .node("Cast", "peaks", "peaks_again")
        .attr("to", 1)
        .node("Flatten", "peaks_again", "flat")
        .init("from", &[1], &[0i64])
        .init("to", &[1], &[72i64])
        .init("along", &[1], &[1i64])
        .node("Slice", "flat from to along", "cut")
        .node("Reshape", "cut rows", "steps")
        .node("Transpose", "steps", "by_step")
        .attr("perm", [1, 0, 2])
        .node("LSTM", "by_step w r b", "hidden")
        .attr("hidden_size", 3)
        .node("Squeeze", "hidden along", "states")
        .node("Tanh", "states", "squashed")
        .node("MatMul", "squashed w3", "product")
        .node("Sub", "product states_mean", "y")
        .node("ReduceMean", "squashed", "states_mean")
        .attr("axes", [2])
        .output("y", "")
}

/// What a candidate does wrong: to the model it converts, or to its network.
struct Fault {
    name: &'static str,
    model: fn(&mut Model),
    network: fn(&mut Network),
    /// The nodes that have to be found.
    nodes: &'static [&'static str],
}

fn nothing_of_model(_: &mut Model) {}
fn nothing_of_network(_: &mut Network) {}

const FAULTS: &[Fault] = &[
    Fault {
        name: "a corrupted weight",
        model: |model| change_constant(model, "w2", |bytes| bytes[7] ^= 0x40),
        network: nothing_of_network,
        nodes: &["`Conv_c2` (Conv)"],
    },
    Fault {
        name: "swapped gates",
        // The rows of W are those of the gates i, o, f and c.
        model: |model| change_constant(model, "w", |bytes| bytes.rotate_left(3 * 36 * 4)),
        network: nothing_of_network,
        nodes: &["`LSTM_hidden` (LSTM)"],
    },
    Fault {
        name: "padding on the wrong side",
        model: |model| change_attribute(model, "pooled", "pads", &Attr::Ints(vec![0, 1, 2, 1])),
        network: nothing_of_network,
        nodes: &["`AveragePool_pooled` (AveragePool)"],
    },
    Fault {
        name: "another rounding mode",
        model: |model| {
            change_attribute(
                model,
                "large",
                "nearest_mode",
                &Attr::String(b"ceil".as_slice().into()),
            );
        },
        network: nothing_of_network,
        nodes: &["`Resize_large` (Resize)"],
    },
    Fault {
        name: "another operation",
        model: nothing_of_model,
        network: |network| {
            for id in network.live_layers() {
                let at = network.layers[id].sites.iter().any(|site| site.place().name == "Sub_y");
                if let (true, LayerKind::ElementWise(layer)) = (at, &mut network.layers[id].kind) {
                    layer.operation = ElementWiseOperation::Sum;
                }
            }
        },
        nodes: &["`Sub_y` (Sub)"],
    },
    Fault {
        name: "wrong only together, as a bad fusion is",
        model: |model| {
            let has =
                |output: &str| model.graph.nodes.iter().any(|node| *node.outputs[0] == *output);
            if has("c1") && has("c2") {
                change_constant(model, "w2", |bytes| bytes[7] ^= 0x40);
            }
        },
        network: nothing_of_network,
        nodes: &["`Conv_c1` (Conv)", "`Relu_r1` (Relu)", "`Conv_c2` (Conv)"],
    },
];

/// Changes the bytes of an initializer, where the model has it.
fn change_constant(model: &mut Model, name: &str, change: fn(&mut [u8])) {
    for initializer in
        model.graph.initializers.iter_mut().filter(|initializer| *initializer.name == *name)
    {
        let tensor = initializer.tensor.tensor().unwrap();
        let mut bytes = tensor.bytes().to_vec();
        change(&mut bytes);
        let changed = Tensor::new(tensor.dtype(), tensor.dims().to_vec(), bytes.into()).unwrap();
        initializer.tensor = Constant::Tensor(changed);
    }
}

/// Changes an attribute of the node with this output, where the model has it.
fn change_attribute(model: &mut Model, output: &str, name: &str, value: &Attr) {
    for node in model.graph.nodes.iter_mut().filter(|node| *node.outputs[0] == *output) {
        let of = |(at, old): (&str, &Attr)| {
            (at.to_owned(), if at == name { value.clone() } else { old.clone() })
        };
        node.attrs = Attrs::new(node.attrs.iter().map(of).collect::<Vec<_>>());
    }
}

/// Converts a model with a fault.
fn convert(model: &Model, fault: Option<&Fault>, caps: Caps) -> Result<Checked> {
    let mut model = model.clone();
    if let Some(fault) = fault {
        (fault.model)(&mut model);
    }
    let mut network = pipeline::import_model(&model, &Fitted::standard(caps))?.network;
    if let Some(fault) = fault {
        (fault.network)(&mut network);
    }
    Ok(pipeline::finish(network, &[], caps)?.0)
}

/// Converts a model with a fault, and evaluates it.
fn run(model: &Model, inputs: &[(String, Tensor)], fault: Option<&Fault>) -> Result<Vec<Tensor>> {
    let network = convert(model, fault, Caps::modern())?;
    let names: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
    eval::run(&network, &verify::inputs(&network, &names, &DataSet::of_inputs(inputs))?)
}

fn inputs() -> Vec<(String, Tensor)> {
    let values = (0..3 * 2 * 36).map(|i| (i * 7 % 23) as f32 / 8.0 - 1.25).collect();
    vec![("x".to_owned(), Tensor::of(vec![3, 2, 6, 6], values).unwrap())]
}

fn find(whole: &Whole, fault: &Fault, reference: &mut Inner<'_>) -> Option<Located> {
    let mut candidate =
        |model: &Model, inputs: &[(String, Tensor)]| run(model, inputs, Some(fault));
    locate(whole, (&["y"], None), &inputs(), reference, &mut candidate)
        .unwrap_or_else(|error| panic!("{}: {error}", fault.name))
}

/// The evaluator without a fault, for tensors inside the model.
fn evaluated(whole: &Whole, names: &[&str]) -> Result<Vec<Tensor>> {
    run(&whole.part(&[], names)?.model()?, &inputs(), None)
}

#[test]
fn planted_faults_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let whole = Whole::open(&model().write(dir.path())).unwrap();
    for fault in FAULTS {
        let located = find(&whole, fault, &mut evaluated)
            .unwrap_or_else(|| panic!("{}: nothing found", fault.name));
        assert_eq!(located.fault.nodes, fault.nodes, "{}", fault.name);
        assert!(located.fault.parts_run < 20, "{}: {} parts", fault.name, located.fault.parts_run);
    }
}

/// The same with plans in the evaluator's place.
#[test]
#[ignore = "needs a GPU; ONNX2PLAN_TENSORRT names the library"]
fn planted_faults_are_found_in_plans() {
    let (library, _) = find::find(&FindOptions::from_env(|name| std::env::var_os(name)), Vec::new);
    let (library, device) = (library.unwrap(), Device::open().unwrap());
    device.fits(&library).unwrap();
    let quiet: LogSink = Arc::new(|_, _| ());
    let run = |model: &Model, inputs: &[(String, Tensor)], fault: Option<&Fault>| {
        let network = convert(model, fault, library.caps())?;
        let profiles =
            profiles::plan(&network, &exactly(&network, inputs), &Data::default())?.profiles();
        let mut recipe = Recipe::default();
        recipe.no_tf32 = true;
        recipe.optimization_level = "0".parse().ok();
        let options = BuildOptions { recipe, profiles, log: quiet.clone(), ..Default::default() };
        let mut plan = Vec::new();
        trt::build(&library, &network, options, &mut plan, &AtomicBool::new(false))?;
        gpu::compute(&mut Engine::load(&library, &device, &plan, &quiet)?, &network, inputs)
    };
    let dir = tempfile::tempdir().unwrap();
    let whole = Whole::open(&model().write(dir.path())).unwrap();
    let mut right = |model: &Model, inputs: &[(String, Tensor)]| run(model, inputs, None);
    assert!(
        locate(&whole, (&["y"], None), &inputs(), &mut evaluated, &mut right).unwrap().is_none()
    );
    for fault in FAULTS {
        let mut wrong =
            |model: &Model, inputs: &[(String, Tensor)]| run(model, inputs, Some(fault));
        let located =
            locate(&whole, (&["y"], None), &inputs(), &mut evaluated, &mut wrong).unwrap();
        let located = located.unwrap_or_else(|| panic!("{}: nothing found", fault.name));
        assert_eq!(located.fault.nodes, fault.nodes, "{}", fault.name);
        println!(
            "{}: {} found in {} parts",
            fault.name,
            fault.nodes.join(", "),
            located.fault.parts_run
        );
    }
}

#[test]
fn without_a_fault_nothing_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let whole = Whole::open(&model().write(dir.path())).unwrap();
    let harmless =
        Fault { name: "none", model: nothing_of_model, network: nothing_of_network, nodes: &[] };
    assert!(find(&whole, &harmless, &mut evaluated).is_none());
}

/// A candidate that cannot compute the model a second time does not agree with the reference.
#[test]
fn what_cannot_be_computed_again_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let whole = Whole::open(&model().write(dir.path())).unwrap();
    let mut candidate =
        |_: &Model, _: &[(String, Tensor)]| Err(Error::new(Kind::TensorRt, "no memory"));
    let error =
        locate(&whole, (&["y"], None), &inputs(), &mut evaluated, &mut candidate).unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::TensorRt, "no memory"));
}

/// The reproducer alone shows the fault, and only to the candidate that has it.
#[test]
fn the_wrong_node_becomes_a_model_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let whole = Whole::open(&model().write(dir.path())).unwrap();
    let fault = &FAULTS[1];
    let library = onnx_runtime();
    let mut inner =
        |whole: &Whole, names: &[&str]| reference::inner(&library, whole, &inputs(), names);
    let mut located = find(&whole, fault, &mut inner).unwrap();
    let folder = dir.path().join("lstm");
    std::fs::create_dir_all(folder.join("test_data_set_0")).unwrap();
    for (path, bytes) in located.files().unwrap() {
        std::fs::write(folder.join(path), bytes).unwrap();
    }
    located.fault.reproducer = Some(folder.display().to_string());
    let said = lines(&located.fault);
    assert_eq!(said[0], "first wrong node: `LSTM_hidden` (LSTM); its inputs are the reference's");
    assert!(said[1].starts_with("`hidden` f32[2, 1, 3, 3]: "), "{said:?}");
    assert_eq!(said[2], format!("written as a model with its data: {}", folder.display()));

    let small = onnx::load(&folder.join("model.onnx")).unwrap();
    let operators: Vec<&str> = small.graph.nodes.iter().map(|node| node.op.as_str()).collect();
    let given: Vec<&str> = small.graph.inputs.iter().map(|info| &*info.name).collect();
    let constants: Vec<&str> =
        small.graph.initializers.iter().map(|initializer| &*initializer.name).collect();
    assert_eq!(
        (&operators[..], &given[..], &constants[..]),
        (&["LSTM"][..], &["by_step"][..], &["w", "r", "b"][..])
    );
    for (fault, agrees) in [(None, true), (Some(fault), false)] {
        let (name, input) = read(&folder.join("test_data_set_0/input_0.pb"));
        let computed = run(&small, &[(name, input)], fault).unwrap();
        let (name, expected) = read(&folder.join("test_data_set_0/output_0.pb"));
        let comparison = verify::compare::compare(&name, &computed[0], &Constant::Tensor(expected));
        assert_eq!(comparison.agrees, agrees);
    }
}

fn read(path: &Path) -> (String, Tensor) {
    let (name, constant) = onnx::read_tensor(path).unwrap();
    (name, constant.tensor().unwrap().clone())
}
