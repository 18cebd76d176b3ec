//! `onnx2plan time`: how long plans take on this machine's GPU.

use super::environment::{Environment, LibraryArguments};
use super::output::{Output, counted};
use crate::error::{Error, Kind, Result};
use crate::mapped;
use crate::report::latency::Latency;
use crate::shown::escaped;
use crate::tensor::Tensor;
use crate::trt::{Device, Engine, LogSink, Session};
use crate::verify::random;
use comfy_table::{Table, presets};
use serde::Serialize;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  onnx2plan time a.plan b.plan              which is faster on this GPU")]
pub(super) struct Arguments {
    /// Plans built by the same library; they take turns
    #[arg(required = true)]
    plans: Vec<PathBuf>,
    /// Number of rounds; each plan has one turn per round
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Measured runs per turn
    #[arg(long, value_name = "N", default_value_t = 100)]
    runs: usize,
    /// Warm-up runs per turn
    #[arg(long, value_name = "N", default_value_t = 10)]
    warmup: usize,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    library: LibraryArguments,
}

#[derive(Debug, Serialize)]
struct Timed {
    #[serde(serialize_with = "crate::shown::path")]
    plan: PathBuf,
    latency: Latency,
}

pub(super) fn run(
    arguments: &Arguments,
    environment: &Environment,
    output: &mut Output,
) -> Result<()> {
    let library = environment.library(&arguments.library, output)?;
    let device = Device::open()?;
    device.fits(&library)?;
    let quiet: LogSink = Arc::new(|_, _| ());
    output.start("load");
    let load = |path: &PathBuf| {
        let cannot = |error| {
            Error::new(Kind::Usage, format!("cannot read `{}`", path.display())).with_source(error)
        };
        let plan = mapped::map(&File::open(path).map_err(cannot)?).map_err(cannot)?;
        Engine::load(&library, &device, &plan, &quiet).map_err(|error| about(error, path))
    };
    let mut engines = arguments.plans.iter().map(load).collect::<Result<Vec<_>>>()?;
    let sessions = engines.iter_mut().zip(&arguments.plans);
    let mut sessions = sessions
        .map(|(engine, path)| bind(engine).map_err(|error| about(error, path)))
        .collect::<Result<Vec<_>>>()?;
    output.done(&format!("{} on {}", counted(sessions.len(), "plan"), device.info()?.name));

    output.start("time");
    let mut latencies: Vec<Latency> = sessions.iter().map(|_| Latency::default()).collect();
    for _ in 0..arguments.rounds {
        for (session, latency) in sessions.iter_mut().zip(&mut latencies) {
            super::unless_cancelled()?;
            latency.stream.add(&session.time(arguments.warmup, arguments.runs)?);
            if let Some(timing) = session.time_graph(arguments.warmup, arguments.runs)? {
                latency.graph.get_or_insert_default().add(&timing);
            }
        }
    }
    let (rounds, runs) = (counted(arguments.rounds, "round"), counted(arguments.runs, "run"));
    output.done(&format!("{rounds} of {runs}"));
    let plans = arguments.plans.iter().cloned();
    let outcomes: Vec<Timed> =
        plans.zip(latencies).map(|(plan, latency)| Timed { plan, latency }).collect();
    if arguments.json { output.json(&outcomes) } else { output.data(&table(&outcomes)) }
}

/// A session with drawn inputs, in the likeliest shapes of the first profile.
fn bind(engine: &mut Engine) -> Result<Session<'_>> {
    let inputs: Vec<_> =
        engine.bindings().iter().filter(|binding| binding.input).cloned().collect();
    let mut data: Vec<(String, Tensor)> = Vec::with_capacity(inputs.len());
    for binding in inputs {
        let dims = if binding.dims.iter().any(|&size| size < 0) {
            let [_, opt, _] = engine.profile_shapes(&binding.name, 0)?;
            opt
        } else {
            binding.dims
        };
        let dims: Vec<usize> =
            dims.into_iter().filter_map(|size| usize::try_from(size).ok()).collect();
        let drawn = random::tensor_of(binding.dtype, &dims, 0);
        let cannot = || {
            let message = format!(
                "no data can be drawn for input `{}` of type {}",
                binding.name, binding.dtype
            );
            Error::new(Kind::Unsupported, message)
        };
        data.push((binding.name.clone(), drawn.ok_or_else(cannot)?));
    }
    engine.bind(&data, 0)
}

fn about(error: Error, plan: &Path) -> Error {
    error.with_note(format!("in {}", plan.display()))
}

fn table(outcomes: &[Timed]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["plan", "", "median ms", "p90", "p99", "min", "runs"]);
    for Timed { plan, latency } in outcomes {
        for (how, timing) in [("stream", Some(&latency.stream)), ("graph", latency.graph.as_ref())]
        {
            let Some(timing) = timing else { continue };
            let ms = |share| format!("{:.4}", timing.quantile(share));
            table.add_row([
                escaped(&plan.display().to_string()),
                how.to_owned(),
                ms(0.5),
                ms(0.9),
                ms(0.99),
                ms(0.0),
                timing.runs_ms.len().to_string(),
            ]);
        }
    }
    super::table::lines(&table)
}
