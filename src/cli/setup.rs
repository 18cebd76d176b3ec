//! `onnx2plan setup`: fetch TensorRT-RTX or ONNX Runtime ahead of their first use.

use super::environment::{Environment, LibraryArguments};
use super::output::Output;
use crate::error::Result;
use crate::provision::{self, Event, ONNX_RUNTIME, Options, Package, Phase, TENSORRT_RTX};
use std::ops::ControlFlow;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Download ONNX Runtime, which `verify` compares with, instead of TensorRT-RTX
    #[arg(long)]
    reference: bool,
    /// Use this wheel instead of downloading one
    #[arg(long, value_name = "FILE")]
    wheel: Option<PathBuf>,
    /// Do not download anything (same as ONNX2PLAN_OFFLINE=1)
    #[arg(long)]
    offline: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    environment: &Environment,
    output: &mut Output,
) -> Result<()> {
    let library = LibraryArguments {
        tensorrt: None,
        offline: arguments.offline,
        wheel: arguments.wheel.clone(),
    };
    let package = if arguments.reference { &ONNX_RUNTIME } else { &TENSORRT_RTX };
    let folder = install(environment, package, &library, true, output)?;
    output.data(&folder.display().to_string())
}

/// Makes sure that a package is in the cache; gives its folder.
pub(super) fn install(
    environment: &Environment,
    package: &Package,
    arguments: &LibraryArguments,
    thorough: bool,
    output: &mut Output,
) -> Result<PathBuf> {
    let options = Options {
        cache: environment.cache()?,
        offline: arguments.offline || environment.offline,
        thorough,
        wheel: arguments.wheel.clone(),
        python: environment.python.clone(),
    };
    let mut shown = None;
    let folder = provision::install(package, &options, &mut |event| {
        show(output, &mut shown, &event);
        if super::cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if shown.is_some() {
        output.done(&format!("{} {}", package.title, package.version));
    }
    Ok(folder)
}

fn show(output: &mut Output, shown: &mut Option<&'static str>, event: &Event<'_>) {
    let (name, progress) = match event {
        Event::Notice(text) => return output.note(text),
        Event::Waiting => ("waiting", None),
        Event::Progress { phase, done_bytes, total_bytes } => {
            let name = match phase {
                Phase::Downloading => "download",
                Phase::Checking => "check",
                Phase::Unpacking => "unpack",
            };
            (name, Some((*done_bytes, *total_bytes)))
        }
    };
    if *shown != Some(name) {
        output.start(name);
        *shown = Some(name);
    }
    if let Some((done, total)) = progress {
        output.progress(done, total);
    }
}
