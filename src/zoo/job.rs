//! What a worker is asked to do.

use crate::import::Recurrent;
use crate::report::zoo::{ModelReport, Status};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// One model with everything that decides on its plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name in the zoo.
    pub name: String,
    /// The model file, as reports show it.
    pub path: String,
    /// The model file.
    pub model: PathBuf,
    /// Folders with its test data.
    pub data: Vec<PathBuf>,
    /// How it is converted and judged.
    pub options: Options,
    /// How the manifest expects it to end.
    pub expected: Option<Status>,
    /// Why nobody shall try it.
    pub skip: Option<String>,
    /// From the manifest.
    pub tags: Vec<String>,
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
    pub freeze_from_data: bool,
    /// Optimisation passes left out.
    pub without_passes: Vec<String>,
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            On::Gpu => "gpu",
            On::Cpu => "cpu",
            On::Auto => "auto",
        })
    }
}

/// What came of a job, as a worker reports it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its entry in the zoo's report.
    pub model: ModelReport,
    /// Its own report.
    pub page: serde_json::Value,
    /// Whether the worker can do no further job: once a kernel has failed, CUDA answers nothing any more.
    pub spent: bool,
    /// What the zoo's report should say besides.
    pub notes: Vec<String>,
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
