//! `onnx2plan worker`: the process that does a zoo's jobs.

use crate::cli::environment::{Environment, LibraryArguments};
use crate::cli::output::Output;
use crate::convert::{Machine, On, with_gpu};
use crate::error::{Error, Kind, Result};
use crate::memory;
use crate::trt::Device;
use crate::zoo::cache::{Cache, Maker};
use crate::zoo::worker::Worker;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, value_enum)]
    on: On,
    /// ONNX Runtime's library
    #[arg(long)]
    reference: Option<PathBuf>,
    /// The process that started this one
    #[arg(long)]
    parent: u32,
    /// Where results are kept
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Where plans that are good are written
    #[arg(long)]
    output: Option<PathBuf>,
    #[command(flatten)]
    library: LibraryArguments,
}

pub(crate) fn run(
    arguments: &Arguments,
    environment: &Environment,
    output: &mut Output,
) -> Result<()> {
    let start = Instant::now();
    end_with(arguments.parent)?;
    let mut reports = reports()?;
    let library = environment.library(&arguments.library, output)?;
    let device = match arguments.on {
        On::Cpu => None,
        On::Gpu => Some(Device::open()?),
        On::Auto => Device::open().ok().filter(|device| device.fits(&library).is_ok()),
    };
    let machine = Machine::new(Some(library), device, arguments.reference.clone())?;
    let cache = arguments.cache.as_deref().map(|folder| open(folder, &machine)).transpose()?;
    let output = arguments.output.clone();
    let worker = Worker { machine, cache, output, data_bytes: memory::budget(), start };
    worker.serve(io::stdin().lock(), &mut reports)
}

/// Where reports go: what was stdout. What libraries print goes to stderr from here on, and stands
/// in no report's way.
///
/// # Errors
/// [`Kind::Environment`] where the system has no descriptor left.
fn reports() -> Result<File> {
    let cannot = |error: io::Error| {
        Error::new(Kind::Environment, "cannot set stdout apart for reports").with_source(error)
    };
    let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(cannot)?;
    rustix::stdio::dup2_stdout(io::stderr()).map_err(|error| cannot(error.into()))?;
    Ok(stdout.into())
}

/// Has the system end this process when its parent dies: it would finish its model for nobody.
///
/// To the system the parent is the thread that started this process, which in a pool ends after its
/// last worker.
///
/// # Errors
/// [`Kind::Environment`] where the parent is gone already.
fn end_with(parent: u32) -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        let gone = || Error::new(Kind::Environment, "the process that started this worker is gone");
        let signal = Some(rustix::process::Signal::KILL);
        rustix::process::set_parent_process_death_signal(signal)
            .map_err(|error| gone().with_source(error))?;
        // It may have died just before.
        if std::os::unix::process::parent_id() != parent {
            return Err(gone());
        }
    }
    Ok(())
}

/// The cache of results with this library, on this machine.
///
/// # Errors
/// [`Kind::Environment`] for a folder that cannot be written to.
fn open(folder: &Path, machine: &Machine) -> Result<Cache> {
    let Machine { environment, reference, .. } = machine;
    // TensorRT itself builds for the GPU that is there, also where outputs are computed on the CPU.
    let there = if environment.gpu.is_none() { Device::open().ok() } else { None };
    let environment = with_gpu(environment.clone(), there.as_ref())?;
    Cache::open(folder, Maker::here(&environment)?, reference.clone())
}
