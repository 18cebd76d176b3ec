//! Where outputs are computed: a plan on the GPU, or the network on the CPU.

use super::environment::{Environment, LibraryArguments};
use super::output::Output;
use crate::error::Result;
use crate::network::{Caps, Network};
use crate::onnx::Model;
use crate::pipeline;
use crate::pipeline::profile::{self, Request};
use crate::report::Verification;
use crate::report::latency::Latency;
use crate::tensor::Tensor;
use crate::trt::{self, BuildOptions, Device, Engine, Library, LogSink};
use crate::valid::Checked;
use crate::verify::locate::Candidate;
use crate::verify::{self, data::DataSet, gpu};
use crate::zoo::job::On;

/// Who computes.
pub(super) enum Machine {
    /// The evaluator.
    Cpu,
    /// Plans of this library on this GPU.
    Gpu(Library, Device),
}

/// What every text about an evaluated network has to say.
pub(super) const NOT_THE_PLAN: &str = "evaluated on the CPU: the plan itself was not run";

impl Machine {
    /// Who is to compute. Where the user leaves it open, the GPU does if it can.
    ///
    /// # Errors
    /// [`Kind::Environment`](crate::Kind::Environment) where the GPU is wanted and cannot be used.
    pub(super) fn choose(
        on: On,
        arguments: &LibraryArguments,
        environment: &Environment,
        output: &mut Output,
    ) -> Result<Self> {
        if on == On::Cpu || on == On::Auto && !trt::library::has_driver() {
            return Ok(Self::Cpu);
        }
        let library = environment.library(arguments, output)?;
        match Device::open().and_then(|device| device.fits(&library).map(|()| device)) {
            Ok(device) => Ok(Self::Gpu(library, device)),
            Err(error) if on == On::Auto => {
                output.warning(&format!("the plan cannot be run here: {}", error.message()));
                Ok(Self::Cpu)
            }
            Err(error) => Err(error),
        }
    }

    /// What networks may hold.
    pub(super) fn caps(&self) -> Caps {
        match self {
            Self::Cpu => Caps::modern(),
            Self::Gpu(library, _) => library.caps(),
        }
    }

    /// What every text about the numbers has to say, if anything.
    pub(super) fn caveat(&self) -> Option<&'static str> {
        matches!(self, Self::Cpu).then_some(NOT_THE_PLAN)
    }
}

/// A plan that is about to be judged.
pub(super) struct Loaded {
    engine: Engine,
}

impl Loaded {
    /// Builds a plan and loads it.
    pub(super) fn build(
        library: &Library,
        device: &Device,
        network: &Checked,
        options: BuildOptions,
    ) -> Result<Self> {
        let log = options.log.clone();
        let mut plan = Vec::new();
        trt::build(library, network, options, &mut plan, &super::CANCELLED)?;
        Self::load(library, device, &plan, &log)
    }

    /// Loads a plan that was built before.
    pub(super) fn load(
        library: &Library,
        device: &Device,
        plan: &[u8],
        log: &LogSink,
    ) -> Result<Self> {
        Ok(Self { engine: Engine::load(library, device, plan, log)? })
    }

    /// Judges one data set.
    pub(super) fn judge(
        &mut self,
        network: &Network,
        inputs: &[&str],
        set: &DataSet,
    ) -> Result<Verification> {
        verify::on_gpu(&mut self.engine, inputs, &verify::declared(network), set)
    }

    /// Times the plan on a data set.
    pub(super) fn time(&mut self, inputs: &[&str], set: &DataSet) -> Result<Latency> {
        verify::time_on_gpu(&mut self.engine, inputs, set)
    }
}

/// Converts parts of a model, builds their plans and runs them, for the search for a wrong node.
pub(super) fn on_gpu<'a>(
    library: &'a Library,
    device: &'a Device,
    options: &'a pipeline::Options,
    build: BuildOptions,
) -> impl Candidate + 'a {
    move |model: &Model, inputs: &[(String, Tensor)]| {
        let names: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
        let mut options = options.clone();
        options.import.freeze.retain(|name, _| names.contains(&name.as_str()));
        let network = pipeline::prepare(model, &options)?.network;
        let profiles = profile::plan(&network, &Request::exactly(&network, inputs))?.profiles();
        let mut loaded =
            Loaded::build(library, device, &network, BuildOptions { profiles, ..build.clone() })?;
        gpu::compute(&mut loaded.engine, &network, inputs)
    }
}
