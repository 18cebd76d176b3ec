//! What a worker is asked to do.

use super::discover::{Found, shown};
use crate::import::Recurrent;
use crate::import::freeze::Frozen;
use crate::pipeline::profile::asked::Asked;
use crate::report::verification::Tolerance;
use crate::report::zoo::{ModelReport, Place, Status};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU32;
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
    /// Where it says so.
    pub expected_at: Option<Place>,
    /// Why nobody shall try it.
    pub skip: Option<String>,
    /// From the manifest.
    pub tags: Vec<String>,
    /// Its own limit of time, where the manifest gives one.
    pub timeout_seconds: Option<u64>,
    /// Its own limit of memory, where the manifest gives one.
    pub memory_bytes: Option<u64>,
}

impl Job {
    /// A model of which no manifest says anything.
    pub fn new(found: Found, options: Options) -> Self {
        Self {
            path: shown(&found.model),
            name: found.name,
            model: found.model,
            data: found.data,
            options,
            expected: None,
            expected_at: None,
            skip: None,
            tags: Vec::new(),
            timeout_seconds: None,
            memory_bytes: None,
        }
    }
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
    /// The most iterations of a Loop that collects values and has no limit of its own.
    pub max_trip: Option<NonZeroU32>,
    /// Whether inputs that TensorRT must know at build time are made constants of the test data's
    /// values.
    pub freeze_from_data: bool,
    /// Optimisation passes left out.
    pub without_passes: Vec<String>,
    /// Inputs that are made constants in any case.
    pub freeze: Vec<Frozen>,
    /// What is said of sizes that are known only at run time.
    pub sizes: Asked,
    /// How far real numbers may be off, where that is not what is usual for their type.
    pub tolerance: Option<Tolerance>,
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
    /// Whether the worker can do no further job: once a kernel has failed, CUDA answers nothing any
    /// more.
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
