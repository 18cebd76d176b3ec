//! The models of `models/layers`: one per section of what TensorRT's five oldest layers do, with
//! the numbers it gives.
//!
//! Each is taken through the whole conversion, evaluated on the CPU and built. `docs/layers.md` is
//! what came of it, with the layers that it became: a change of either fails.

mod table;

use crate::conformance::case::{build, input_names};
use crate::python::python;
use crate::records::{self, check_file};
use crate::tensorrt;
use onnx2plan::convert::reason::reason;
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::onnx::Model;
use onnx2plan::pipeline::{self, Prepared};
use onnx2plan::recipe::RnnForm;
use onnx2plan::trt::Library;
use onnx2plan::verify::{self, data::DataSet};
use onnx2plan::{Error, onnx};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A model with its data.
struct Section {
    name: String,
    model: Model,
    set: DataSet,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/layers")
}

/// The folders with a model, sorted.
fn folders(root: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> =
        paths.filter(|path| path.join("model.onnx").is_file()).collect();
    folders.sort();
    folders
}

fn sections() -> Vec<Section> {
    let read = |path: &PathBuf| Section {
        name: path.file_name().unwrap().to_str().unwrap().to_owned(),
        model: onnx::load(&path.join("model.onnx")).unwrap_or_else(|error| panic!("{error}")),
        set: verify::data::read(&path.join("test_data_set_0"))
            .unwrap_or_else(|error| panic!("{error}")),
    };
    folders(&folder()).iter().map(read).collect()
}

impl Section {
    fn prepare(&self, library: &Library) -> Prepared {
        let prepared =
            pipeline::prepare(&self.model, &Fitted::standard(library.caps()), library.caps());
        prepared.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// What differs from the section's numbers, if anything does.
    fn evaluate(&self, prepared: &Prepared) -> Option<Error> {
        let verification = verify::on_cpu(&prepared.network, &input_names(&self.model), &self.set);
        verify::mismatch(&verification.unwrap_or_else(|error| panic!("{}: {error}", self.name)))
    }

    /// Why no plan can be built, if none can.
    fn build(&self, prepared: &Prepared, library: &Library) -> Option<Error> {
        build(
            &prepared.network,
            &input_names(&self.model),
            std::slice::from_ref(&self.set),
            library,
        )
        .err()
    }
}

#[test]
fn every_section_gives_its_numbers() {
    let library = tensorrt::library();
    let recorded = table::Recorded::read();
    let mut rows = Vec::new();
    let mut wrong = Vec::new();
    for section in sections() {
        let prepared = section.prepare(&library);
        if let Some(error) = section.evaluate(&prepared) {
            wrong.push(format!("{}: {error}", section.name));
        }
        let built = section
            .build(&prepared, &library)
            .map_or_else(|| "builds".to_owned(), |error| reason(&error));
        rows.push(table::Row {
            form: table::form(&section.model),
            layers: table::layers(&prepared.network),
            evaluator: "agrees".into(),
            rtx: built,
            trt8: recorded.of(&section.name),
            section: section.name,
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/layers.md");
    if let Some(difference) = check_file(&document, &table::document(&rows)) {
        panic!("{difference}\n\n{}", records::HOW);
    }
}

/// Sections that are one layer, however many nodes say it, with what the layer must say.
const ONE_LAYER: &[(&str, &str)] = &[
    (
        "shuffle-combined",
        "Shuffle first_transpose [0, 2, 1, 3], reshape [1, 4, 5, 3], second_transpose [0, 2, 1, 3]",
    ),
    ("shuffle-first-transpose", "Shuffle first_transpose [0, 2, 1, 3]"),
    ("shuffle-reshape-zero", "Shuffle reshape [1, 3, 20]"),
    ("shuffle-shape-constant", "Shuffle reshape [1, 4, 5, 3]"),
    ("shuffle-shape-input", "Shuffle reshape from input 1, zero_is_placeholder"),
    ("convolution-groups", "Convolution kernel f32[2, 1, 3, 3], groups 2"),
    ("convolution-set-input", "Convolution maps 1, kernel from input 1, kernel_size 3x3"),
    ("resize-shape-input", "Resize sizes from input 1, Nearest, Asymmetric"),
    ("resize-shape-computed", "Resize scales [2.0, 2.0, 2.0, 2.0], Nearest, Asymmetric"),
];

#[test]
fn what_is_one_layer_becomes_one_layer() {
    let library = tensorrt::library();
    for section in sections() {
        let Some((_, expected)) = ONE_LAYER.iter().find(|(name, _)| *name == section.name) else {
            continue;
        };
        let layers = table::layers(&section.prepare(&library).network);
        let of_kind: Vec<&String> = layers
            .iter()
            .filter(|layer| layer.split(' ').next() == expected.split(' ').next())
            .collect();
        assert_eq!(of_kind, [expected], "{}", section.name);
    }
}

/// Recurrent sections that TensorRT's own layer does not compute, and why.
const LOOPS: &[(&str, &str)] = &[
    ("rnn-bidirectional-lstm", "its data has a size known only at run time"),
    ("rnn-direction", "its data has a size known only at run time"),
    ("rnn-gru-options", "its data has a size known only at run time"),
    ("rnn-layers", "its data has a size known only at run time"),
    ("rnn-lstm-options", "its data has a size known only at run time"),
    ("rnn-sequence-lengths", "its data has a size known only at run time"),
];

/// TensorRT 8.x still has a recurrent layer. No library runs here, but the layer can be evaluated.
#[test]
fn recurrent_sections_give_their_numbers_with_the_layer_too() {
    let mut fitted = Fitted::standard(Caps::eight());
    fitted.recipe.rnn = RnnForm::Layer;
    for section in sections().into_iter().filter(|section| section.name.starts_with("rnn-")) {
        let prepared = pipeline::prepare(&section.model, &fitted, Caps::eight())
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(section.evaluate(&prepared).is_none(), "{}", section.name);
        let layers = table::layers(&prepared.network);
        match LOOPS.iter().find(|(name, _)| *name == section.name) {
            None => {
                assert!(
                    layers.iter().any(|layer| layer.starts_with("Rnn")),
                    "{}: {layers:?}",
                    section.name
                );
                assert!(
                    !layers.iter().any(|layer| layer.starts_with("MatrixMultiply")),
                    "{}: {layers:?}",
                    section.name
                );
            }
            Some((_, why)) => assert!(
                prepared.notes.iter().all(|note| note.ends_with(why)),
                "{:?}",
                prepared.notes
            ),
        }
    }
}

/// No library of TensorRT 8 runs here, but what it lacks is rewritten, and what results can be
/// evaluated.
#[test]
fn every_section_gives_its_numbers_within_tensorrt_8() {
    for section in sections() {
        let prepared =
            pipeline::prepare(&section.model, &Fitted::standard(Caps::eight()), Caps::eight());
        let prepared = prepared.unwrap_or_else(|error| panic!("{}: {error}", section.name));
        let wrong = section.evaluate(&prepared);
        assert!(
            wrong.is_none(),
            "{}: {}",
            section.name,
            wrong.map(|error| error.to_string()).unwrap_or_default()
        );
    }
}

#[test]
fn the_models_are_what_their_generator_writes() {
    let made = tempfile::tempdir().unwrap();
    let mut command = Command::new(python());
    command.arg("-B").arg(folder().join("generate.py")).arg(made.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = |root: &Path| {
        folders(root).iter().map(|path| path.file_name().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&folder()), names(made.path()));
    for kept in folders(&folder()) {
        let fresh = made.path().join(kept.file_name().unwrap());
        // Outputs may differ in their last bits between machines; that they are right, another test
        // says.
        for file in ["model.onnx", "test_data_set_0/input_0.pb", "test_data_set_0/input_1.pb"] {
            let (kept, fresh) = (fs::read(kept.join(file)).ok(), fs::read(fresh.join(file)).ok());
            assert!(kept == fresh, "{file} of {} differs", made.path().display());
        }
    }
}
