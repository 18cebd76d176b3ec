//! What there is to build plans, to run them and to compare them with.

use crate::error::Result;
use crate::network::Caps;
use crate::report;
use crate::report::environment::Gpu;
use crate::trt::{Device, Library};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum On {
    /// Run the plan on the GPU.
    Gpu,
    /// Evaluate the network of TensorRT layers on the CPU, not the plan.
    Cpu,
    /// Run the plan if a GPU can, otherwise evaluate the network.
    Auto,
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

/// What every text about an evaluated network has to say.
const NOT_THE_PLAN: &str = "evaluated on the CPU: the plan itself was not run";

/// What conversions work with.
#[derive(Debug)]
pub struct Machine {
    /// Builds the plans. Networks are evaluated without one.
    pub library: Option<Library>,
    /// Runs them, where there is one.
    pub device: Option<Device>,
    /// ONNX Runtime's library, for models without data.
    pub reference: Option<PathBuf>,
    /// What reports say of all this.
    pub environment: report::Environment,
}

impl Machine {
    /// These libraries and this GPU.
    ///
    /// # Errors
    /// Whatever CUDA says of the GPU.
    pub fn new(
        library: Option<Library>,
        device: Option<Device>,
        reference: Option<PathBuf>,
    ) -> Result<Self> {
        let version = library.as_ref().map(|library| library.version().to_string());
        let environment = with_gpu(report::Environment::here(version), device.as_ref())?;
        Ok(Self { library, device, reference, environment })
    }

    /// What networks may hold.
    pub fn caps(&self) -> Caps {
        self.library.as_ref().map_or_else(Caps::modern, Library::caps)
    }

    /// The library that builds plans and the GPU that runs them, where both are there.
    pub fn gpu(&self) -> Option<(&Library, &Device)> {
        self.library.as_ref().zip(self.device.as_ref())
    }

    /// What every text about the numbers has to say, if anything.
    pub fn caveat(&self) -> Option<&'static str> {
        self.device.is_none().then_some(NOT_THE_PLAN)
    }
}

/// The environment with what the GPU says of itself.
///
/// # Errors
/// Whatever CUDA says.
pub fn with_gpu(
    environment: report::Environment,
    device: Option<&Device>,
) -> Result<report::Environment> {
    let Some(device) = device else { return Ok(environment) };
    let info = device.info()?;
    let gpu = Gpu {
        name: info.name,
        compute_capability: info.compute_capability.dotted(),
        memory_bytes: info.memory_bytes as u64,
    };
    let driver = Some(format!("CUDA {}", info.driver));
    Ok(report::Environment { gpu: Some(gpu), driver, ..environment })
}
