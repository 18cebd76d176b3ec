//! What came of a model in a zoo.

use super::verification::OutputComparison;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// How a model ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// A plan was built, run on a GPU, and every output agrees with the reference.
    Verified,
    /// A plan was built; the network evaluated on the CPU agrees with the reference. The plan was not run.
    Evaluated,
    /// Numbers differ from the reference.
    Differs,
    /// The model holds what cannot be converted.
    Unsupported,
    /// The model breaks ONNX's rules.
    Invalid,
    /// TensorRT refused, or something on this machine is missing.
    Failed,
    /// The worker died.
    Crashed,
    /// The worker took too long and was ended.
    Timeout,
    /// Nobody tried.
    Skipped,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Verified => "verified",
            Status::Evaluated => "evaluated",
            Status::Differs => "differs",
            Status::Unsupported => "unsupported",
            Status::Invalid => "invalid",
            Status::Failed => "failed",
            Status::Crashed => "crashed",
            Status::Timeout => "timeout",
            Status::Skipped => "skipped",
        })
    }
}

/// One model of a zoo.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelReport {
    /// Its name in the zoo.
    pub name: String,
    /// The model file.
    pub path: PathBuf,
    /// How it ended.
    pub status: Status,
    /// Why, on one line; empty where the numbers agree.
    pub reason: String,
    /// The whole error, as a terminal would show it; empty where there is none.
    pub details: String,
    /// Inputs that were made constants, because TensorRT wants to know them at build time.
    pub frozen: Vec<String>,
    /// Where the time went.
    pub seconds: Seconds,
    /// The most memory that the worker held meanwhile.
    pub peak_rss_bytes: Option<u64>,
    /// Size of the plan; 0 where none was built.
    pub plan_bytes: u64,
    /// Layers of the network; 0 where there is none.
    pub layers: usize,
    /// How the outputs compare, over all data sets.
    pub outputs: Vec<OutputComparison>,
    /// Whether a second, fresh worker was given the model because the first one died.
    pub retried: bool,
}

/// Seconds per stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Reading, importing and optimising.
    pub import: f64,
    /// Building the plan.
    pub build: f64,
    /// Computing and comparing.
    pub verify: f64,
}
