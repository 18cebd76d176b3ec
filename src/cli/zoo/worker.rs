//! `onnx2plan worker`: the process that does a zoo's jobs.

use crate::cli::environment::{Environment, LibraryArguments};
use crate::cli::output::Output;
use crate::error::Result;
use crate::report;
use crate::trt::Device;
use crate::zoo::attempt::Machine;
use crate::zoo::job::On;
use crate::zoo::worker;
use std::io;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, value_enum)]
    on: On,
    /// ONNX Runtime's library
    #[arg(long)]
    reference: Option<PathBuf>,
    #[command(flatten)]
    library: LibraryArguments,
}

pub(crate) fn run(arguments: &Arguments, environment: &Environment, output: &mut Output) -> Result<()> {
    let library = environment.library(&arguments.library, output)?;
    let device = match arguments.on {
        On::Cpu => None,
        On::Gpu => Some(Device::open()?),
        On::Auto => Device::open().ok().filter(|device| device.fits(&library).is_ok()),
    };
    let reports = report::Environment::here(Some(library.version().to_string()));
    let environment = with_gpu(reports, device.as_ref())?;
    let reference = arguments.reference.clone();
    let machine = Machine { library, device, reference, environment };
    worker::serve(io::stdin().lock(), &mut io::stdout().lock(), &machine)
}

/// The environment with what the GPU says of itself.
///
/// # Errors
/// Whatever CUDA says.
pub(crate) fn with_gpu(environment: report::Environment, device: Option<&Device>) -> Result<report::Environment> {
    let Some(device) = device else { return Ok(environment) };
    let info = device.info()?;
    let gpu = report::environment::Gpu {
        name: info.name,
        compute_capability: format!("{}.{}", info.compute_capability / 10, info.compute_capability % 10),
        memory_bytes: info.memory_bytes as u64,
    };
    Ok(report::Environment { gpu: Some(gpu), driver: Some(format!("CUDA {}", info.driver)), ..environment })
}
