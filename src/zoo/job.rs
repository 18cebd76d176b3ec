//! What a worker is asked to do.

use crate::import::Recurrent;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One model with everything that decides on its plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name in the zoo.
    pub name: String,
    /// The model file.
    pub model: PathBuf,
    /// Folders with its test data.
    pub data: Vec<PathBuf>,
    /// How it is converted and judged.
    pub options: Options,
}

/// How models are converted and judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Where outputs are computed.
    pub on: On,
    /// Compute capabilities to build for; empty for the library's own choice.
    pub targets: Vec<u32>,
    /// Whether `f32` products may be computed in TF32.
    pub tf32: bool,
    /// 0 for the fastest build to 5 for the fastest plan; absent for TensorRT's own choice.
    pub optimization_level: Option<u8>,
    /// What recurrent operators become.
    pub recurrent: Recurrent,
    /// Whether inputs that TensorRT must know at build time are made constants of the test data's values.
    pub freeze: bool,
    /// Optimisation passes left out.
    pub without_passes: Vec<String>,
}

/// Where outputs are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum On {
    /// The plan on the GPU.
    Gpu,
    /// The network, evaluated on the CPU.
    Cpu,
    /// The plan where a GPU can run it, else the network.
    Auto,
}
