//! `onnx2plan zoo`: many models, each in a worker process; and the worker itself.

use super::build::BuildArguments;
use super::environment::{Environment, LibraryArguments};
use super::output::Output;
use crate::error::{Error, Kind, Result};
use crate::report::zoo::{ModelReport, Status};
use crate::trt::Device;
use crate::zoo::attempt::Machine;
use crate::zoo::job::{Job, On, Options};
use crate::zoo::pool::{self, Limits};
use crate::zoo::{discover, worker};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Models, or folders that are searched for them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Where outputs are computed
    #[arg(long, value_enum, default_value = "auto")]
    on: On,
    /// Models worked on at once [default: one per processor]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Seconds for one model
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    /// Memory that a worker may hold, in MiB
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    /// Make inputs constants, of the test data's values, where a model does not convert otherwise
    #[arg(long)]
    freeze_from_data: bool,
    #[command(flatten)]
    build: BuildArguments,
    /// Print what came of each model as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    library: LibraryArguments,
}

/// What came of the zoo, for `--json`.
#[derive(Debug, Serialize)]
struct Outcome<'a> {
    library: String,
    counts: BTreeMap<Status, usize>,
    models: &'a [ModelReport],
}

pub(super) fn run(arguments: &Arguments, environment: &Environment, output: &mut Output) -> Result<()> {
    // Found, or fetched, once: workers are told where it is.
    let library = environment.library(&arguments.library, output)?;
    let options = Options {
        on: arguments.on,
        targets: arguments.build.target.clone(),
        tf32: !arguments.build.no_tf32,
        optimization_level: arguments.build.optimization_level,
        recurrent: arguments.build.recurrent(library.caps())?,
        freeze: arguments.freeze_from_data,
        without_passes: arguments.build.without_pass.clone(),
    };
    let jobs: Vec<Job> = discover::models(&arguments.paths)?
        .into_iter()
        .map(|found| Job { name: found.name, model: found.model, data: found.data, options: options.clone() })
        .collect();
    if jobs.is_empty() {
        return Err(Error::new(Kind::Usage, "no model was found").with_hint("models are files that end in .onnx"));
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let limits = Limits {
        jobs: arguments.jobs.unwrap_or(cores),
        timeout: Duration::from_secs(arguments.timeout),
        memory_bytes: arguments.memory.map(|mib| mib << 20),
    };
    let program = std::env::current_exe()
        .map_err(|error| Error::new(Kind::Environment, "cannot find the program's own file").with_source(error))?;
    let command = || {
        let mut command = Command::new(&program);
        command.arg("worker").arg("--on").arg(on_text(arguments.on)).arg("--tensorrt").arg(library.path());
        // CUDA otherwise loads every kernel of the builder, which takes seconds and gigabytes.
        if std::env::var_os("CUDA_MODULE_LOADING").is_none() {
            command.env("CUDA_MODULE_LOADING", "LAZY");
        }
        command
    };
    output.start("zoo");
    let shown = &*output;
    let tell = |report: &ModelReport| {
        shown.item(&format!("{:<11} {}  {}", report.status.to_string(), report.name, report.reason));
    };
    let reports = pool::run(&jobs, &limits, &command, &super::CANCELLED, &tell)?;
    let mut counts = BTreeMap::new();
    for report in &reports {
        *counts.entry(report.status).or_insert(0) += 1;
    }
    let text: Vec<String> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
    output.done(&format!("{} models: {}", reports.len(), text.join(", ")));
    if arguments.json {
        output.json(&Outcome { library: library.version().to_string(), counts, models: &reports })?;
    }
    Ok(())
}

fn on_text(on: On) -> &'static str {
    match on {
        On::Gpu => "gpu",
        On::Cpu => "cpu",
        On::Auto => "auto",
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct WorkerArguments {
    #[arg(long, value_enum)]
    on: On,
    #[command(flatten)]
    library: LibraryArguments,
}

pub(super) fn work(arguments: &WorkerArguments, environment: &Environment, output: &mut Output) -> Result<()> {
    let library = environment.library(&arguments.library, output)?;
    let device = match arguments.on {
        On::Cpu => None,
        On::Gpu => Some(Device::open()?),
        On::Auto => Device::open().ok(),
    };
    worker::serve(io::stdin().lock(), &mut io::stdout().lock(), &Machine { library, device })
}
