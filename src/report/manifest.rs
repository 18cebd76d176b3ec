//! The manifest beside a plan: what the plan was made from, with what, and what it holds.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the manifest's form; it rises when a field changes its meaning or goes.
pub const SCHEMA: u32 = 2;

/// `model.plan.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// Name and version of this program.
    pub producer: String,
    /// The model file.
    pub model: File,
    /// The files with the model's external data, by name; their names are relative to the model's
    /// folder, with `/`.
    #[serde(default)]
    pub external: Vec<File>,
    /// The plan file.
    pub plan: File,
    /// Name and version of the TensorRT library.
    pub library: String,
    /// Compute capabilities the plan was built for, such as `sm89`; empty for the library's
    /// portable default.
    pub targets: Vec<String>,
    /// Inputs in the model's order.
    pub inputs: Vec<Binding>,
    /// Outputs in the model's order.
    pub outputs: Vec<Binding>,
    /// For each layer of the network, its name and the ONNX nodes behind it.
    pub layers: Vec<Layer>,
    /// Options that decide on the plan.
    pub options: Options,
    /// What the user should know about the conversion.
    pub notes: Vec<String>,
    /// Whether the plan was run and compared with a reference: `verified`, `differs` or `not run`.
    pub verification: String,
}

/// A file by name, size and contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Name without folder.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the contents, in hexadecimal.
    pub sha256: String,
}

/// An input or output of the plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Binding {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: String,
    /// Its sizes: numbers, or names and expressions where only the run knows.
    pub shape: Vec<String>,
    /// Smallest, likeliest and largest shape, for inputs with a size that only the run knows: one
    /// entry per profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<[Vec<i64>; 3]>,
    /// Smallest, likeliest and largest values, for inputs that hold sizes: one entry per profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<[Vec<i64>; 3]>,
}

/// A layer and where it came from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Layer {
    /// TensorRT's name for it.
    pub name: String,
    /// The ONNX nodes behind it.
    pub nodes: Vec<String>,
}

/// Options that decide on the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Whether `f32` products may be computed in TF32.
    pub tf32: bool,
    /// 0 for the fastest build to 5 for the fastest plan; absent for TensorRT's own choice.
    pub optimization_level: Option<u8>,
    /// What recurrent operators became: `loop`, `layer`, or `auto` for the layer where it computes
    /// the same for all inputs.
    #[serde(default)]
    pub rnn: String,
    /// Inputs made constant, as on the command line: `axes=[0,2]`.
    #[serde(default)]
    pub freeze: Vec<String>,
    /// Optimisation passes left out.
    pub without_passes: Vec<String>,
    /// How the model was imported; absent in manifests of versions that did not say it.
    #[serde(default)]
    pub import: Option<Import>,
}

/// What shaped the network besides the model: with it, the same network can be made again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Tensors of the model that became inputs; empty where the model's own inputs are.
    pub from: Vec<String>,
    /// Tensors of the model that became the outputs; empty where the model's own outputs are.
    pub to: Vec<String>,
    /// New names of outputs, by the model's names.
    pub names: BTreeMap<String, String>,
    /// Sizes that became fixed, by name.
    pub sizes: BTreeMap<String, i64>,
    /// The smallest and the largest that sizes were promised to be, by name: tests of sizes that
    /// this decides are gone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ranges: BTreeMap<String, [i64; 2]>,
    /// Inputs made constant, by name.
    pub frozen: Vec<Frozen>,
    /// How many rows every NonMaxSuppression gives; as many as it finds where there is no number.
    pub nms_fixed: Option<usize>,
    /// The most iterations of a Loop that collects values and has no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_trip: Option<u32>,
}

/// An input made constant. Its value may be as large as the model's weights: the manifest holds a
/// small one, and of every one the hash, by which it is known where it comes from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// Name of the input.
    pub name: String,
    /// Its element type.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its elements as `--freeze` reads them, row by row; absent where they are too many, or of a
    /// type that it does not read.
    pub values: Option<Vec<String>>,
    /// SHA-256 of its elements as bytes, little-endian, in hexadecimal.
    pub sha256: String,
}
