//! Trained networks of this repository in fewer bits: what they say of their data stays the same,
//! and how often they are right.

use onnx2plan::convert::{Conversion, Source};
use onnx2plan::eval;
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::profiles;
use onnx2plan::recipe::Part;
use onnx2plan::tensor::Tensor;
use onnx2plan::verify::data::{self, DataSet};
use onnx2plan::verify::npz;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

const NAMES: [&str; 3] = ["digits", "residual", "encoder"];

fn source(name: &str) -> Source {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    Source::open(&models.join(name).join("model.onnx"), &Part::default()).unwrap()
}

/// A model with its types chosen by these data.
fn chosen(source: &Source, precision: &str, sets: &[DataSet]) -> Conversion {
    let mut fitted = Fitted::standard(Caps::modern());
    fitted.recipe = serde_json::from_value(json!({ "precision": precision })).unwrap();
    let mut conversion = Conversion::new(source, fitted, Caps::modern()).unwrap();
    conversion.plan(&profiles::Data::default()).unwrap();
    conversion.choose(source, sets, &AtomicBool::new(false)).unwrap();
    conversion
}

/// The inputs of a data set, in the model's order.
fn inputs(source: &Source, set: &DataSet) -> Vec<Tensor> {
    set.tensors(&source.inputs()).into_iter().map(|(_, tensor)| tensor.clone()).collect()
}

/// The class with the largest number, for each sample.
fn classes(conversion: &Conversion, inputs: &[Tensor]) -> Vec<usize> {
    let network = conversion.network();
    let narrow = network.inputs.iter().zip(inputs).map(|(&input, tensor)| {
        let kind = onnx2plan::network::layer::Cast { to: network.value(input).ty.dtype };
        eval::layer(&kind.into(), &[tensor]).unwrap().remove(0)
    });
    let outputs = eval::run(network, &narrow.collect::<Vec<_>>()).unwrap();
    let count = *outputs[0].dims().last().unwrap();
    let values = outputs[0].to_f32s().unwrap();
    let largest = |row: &[f32]| (0..count).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
    values.chunks(count).map(largest).collect()
}

#[test]
fn classes_stay_the_same() {
    for (name, products) in NAMES.into_iter().zip([2, 12, 12]) {
        let source = source(name);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name);
        let set = data::read(&folder.join("test_data_set_0")).unwrap();
        let exact = chosen(&source, "f32", std::slice::from_ref(&set));
        let expected = classes(&exact, &inputs(&source, &set));
        for precision in ["f16", "int8"] {
            let of = chosen(&source, precision, std::slice::from_ref(&set));
            let counts = of.certificate.as_ref().unwrap().layers;
            if precision == "int8" {
                assert!(counts.int8 >= products, "{name}: {counts}");
            }
            assert_eq!(classes(&of, &inputs(&source, &set)), expected, "{name} in {precision}");
        }
    }
}

/// The archives of a folder as data sets.
fn archives(folder: &Path, source: &Source) -> Vec<DataSet> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let entries = npz::read(path, &source.inputs()).unwrap().into_iter();
        let tensors = entries.map(|of| (of.name, of.data.tensor().unwrap().clone()));
        DataSet::of_inputs(&tensors.collect::<Vec<_>>())
    };
    paths.iter().map(read).collect()
}

/// The numbers of a NumPy file of `i64`.
fn labels(path: &Path) -> Vec<usize> {
    let bytes = fs::read(path).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let numbers = bytes[header..].as_chunks::<8>().0.iter();
    numbers.map(|number| i64::from_le_bytes(*number).try_into().unwrap()).collect()
}

/// Prints how often each network is right in each type. `train.py --samples FOLDER/NAME` of each
/// writes the samples; the variable names the folder.
#[test]
#[ignore = "needs samples, and minutes"]
fn accuracy_of_trained_networks() {
    let folder = PathBuf::from(std::env::var_os("ONNX2PLAN_SAMPLES").unwrap());
    for name in NAMES {
        let (source, folder) = (source(name), folder.join(name));
        let calibrate = archives(&folder.join("calibrate"), &source);
        let evaluate = archives(&folder.join("evaluate"), &source);
        let labels = labels(&folder.join("labels.npy"));
        for precision in ["f32", "f16", "bf16", "int8", "fp8"] {
            let of = chosen(&source, precision, &calibrate);
            let classes = evaluate.iter().flat_map(|set| classes(&of, &inputs(&source, set)));
            let right = classes.zip(&labels).filter(|(class, label)| class == *label).count();
            let counts = of.certificate.as_ref().map(|of| format!("; {}", of.layers));
            let (all, counts) = (labels.len(), counts.unwrap_or_default());
            println!("{name} in {precision}: {right} of {all} right{counts}");
        }
    }
}
