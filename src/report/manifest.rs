//! The manifest beside a plan: what the plan was made from, with what, and what it holds.

use super::precision::Certificate;
use super::verification::Judgment;
use crate::recipe::Recipe;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the manifest's form; it rises when a field changes its meaning or goes.
pub const SCHEMA: u32 = 3;

/// `model.plan.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// How the plan was made.
    pub options: Made,
    /// What the user should know about the conversion.
    pub notes: Vec<String>,
    /// The types that layers compute in, where they were chosen, with the proof.
    #[serde(default)]
    pub precision: Option<Certificate>,
    /// What was changed in the network because TensorRT failed to build it.
    #[serde(default)]
    pub mends: Vec<Mended>,
    /// Whether the plan was run and compared with a reference.
    pub verification: Verdict,
}

/// What is known of a plan's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Verdict {
    /// It was run, and every output agrees with the reference.
    #[serde(rename = "verified")]
    Verified,
    /// It was run, and rounding alone moves the numbers too far to say.
    #[serde(rename = "undetermined")]
    Undetermined,
    /// It was run, and agrees with data that test nothing.
    #[serde(rename = "vacuous")]
    Vacuous,
    /// It was run, and numbers differ.
    #[serde(rename = "differs")]
    Differs,
    /// Nobody ran it.
    #[serde(rename = "not run")]
    NotRun,
}

impl From<Judgment> for Verdict {
    /// What the comparison of a plan that was run says.
    fn from(judgment: Judgment) -> Self {
        match judgment {
            Judgment::Agrees => Self::Verified,
            Judgment::Vacuous => Self::Vacuous,
            Judgment::Undetermined => Self::Undetermined,
            Judgment::Differs => Self::Differs,
        }
    }
}

/// A file by name, size and contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct File {
    /// Name without folder.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the contents, in hexadecimal.
    pub sha256: String,
}

/// An input or output of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Binding {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: String,
    /// Its sizes: numbers, or names and expressions where only the run knows.
    pub shape: Vec<String>,
    /// The first of `profiles`.
    pub profile: Option<[Vec<i64>; 3]>,
    /// Smallest, likeliest and largest shape, for inputs with a size that only the run knows: one
    /// entry per profile.
    pub profiles: Vec<[Vec<i64>; 3]>,
    /// Smallest, likeliest and largest values, for inputs that hold sizes: one entry per profile.
    pub values: Vec<[Vec<i64>; 3]>,
}

/// A change to a network that TensorRT fails to build, with which it builds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Mended {
    /// The name of the mend.
    pub name: String,
    /// The ONNX nodes at which TensorRT failed.
    pub nodes: Vec<String>,
    /// What was done there.
    pub does: String,
    /// What TensorRT said when it failed.
    pub reason: String,
    /// What it costs in the plan.
    pub costs: String,
}

impl Mended {
    /// All of it on a line.
    pub fn line(&self) -> String {
        let Self { name, nodes, does, reason, costs } = self;
        let nodes = nodes.join(", ");
        format!("mended ({name}): {does}: {nodes}. TensorRT failed: {reason} It costs {costs}")
    }
}

/// A layer and where it came from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Layer {
    /// TensorRT's name for it.
    pub name: String,
    /// The ONNX nodes behind it.
    pub nodes: Vec<String>,
}

/// How the plan was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Made {
    /// The recipe with which it comes about again: nothing is left to be guessed.
    #[serde(flatten)]
    pub recipe: Recipe,
    /// The smallest and the largest that sizes were promised to be, by name: tests of sizes that
    /// this decides are gone.
    pub ranges: BTreeMap<String, [i64; 2]>,
    /// Inputs made constant.
    pub frozen: Vec<Frozen>,
}

/// An input made constant. Its value may be as large as the model's weights: the recipe holds a
/// small one, and of every one this is the hash, by which it is known where it comes from
/// elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Frozen {
    /// Name of the input.
    pub name: String,
    /// Its element type.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// SHA-256 of its elements as bytes, little-endian, in hexadecimal.
    pub sha256: String,
}
