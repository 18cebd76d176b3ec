//! `onnx2plan doctor`: what is on this machine, and what would be used.

use super::environment::{Environment, LibraryArguments};
use super::output::Output;
use crate::error::Result;
use crate::provision::python::Python;
use crate::provision::{self, TENSORRT_RTX};
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    library: LibraryArguments,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Diagnosis {
    version: &'static str,
    cache: Option<PathBuf>,
    cached: bool,
    offline: bool,
    python: Option<PathBuf>,
    gpu_driver: bool,
    tried: Vec<Place>,
    library: Option<String>,
}

#[derive(Debug, Serialize)]
struct Place {
    source: &'static str,
    path: PathBuf,
    version: Option<String>,
    problem: Option<String>,
}

pub(super) fn run(
    arguments: &Arguments,
    environment: &Environment,
    output: &mut Output,
) -> Result<()> {
    let diagnosis = diagnose(arguments, environment);
    if arguments.json { output.json(&diagnosis) } else { output.data(&text(&diagnosis)) }
}

fn diagnose(arguments: &Arguments, environment: &Environment) -> Diagnosis {
    // Nothing remembered: what is wrong with that is for a doctor to notice, too.
    let path = arguments.library.tensorrt.as_ref();
    let (library, tried) = environment.find(path, Python::search_path_asked_anew);
    let cache = environment.cache().ok();
    let place = |tried: &crate::trt::find::Tried| Place {
        source: tried.source,
        path: tried.path.clone(),
        version: tried.outcome.as_ref().ok().map(ToString::to_string),
        problem: tried.outcome.as_ref().err().map(|error| error.message().to_owned()),
    };
    Diagnosis {
        version: env!("CARGO_PKG_VERSION"),
        // Every byte is hashed here: a damaged library is what a doctor should notice.
        cached: cache
            .as_ref()
            .is_some_and(|cache| provision::verify(&TENSORRT_RTX, cache).is_some()),
        cache,
        offline: arguments.library.offline || environment.offline,
        python: environment.python.clone(),
        gpu_driver: crate::trt::library::has_driver(),
        tried: tried.iter().map(place).collect(),
        library: library
            .map(|library| format!("{} at {}", library.version(), library.path().display())),
    }
}

fn text(diagnosis: &Diagnosis) -> String {
    let mut out = format!("onnx2plan {}\n", diagnosis.version);
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(out, "{key:>12}  {value}");
    };
    line(
        "cache",
        &diagnosis
            .cache
            .as_ref()
            .map_or("none: no home folder".into(), |path| path.display().to_string()),
    );
    let cached = if diagnosis.cached { "in the cache, verified" } else { "not in the cache" };
    line("wheel", &format!("{} {}: {cached}", TENSORRT_RTX.title, TENSORRT_RTX.version));
    line(
        "downloads",
        if diagnosis.offline { "forbidden" } else { "allowed, with the user's own pip" },
    );
    line(
        "GPU driver",
        if diagnosis.gpu_driver { "found" } else { "none: plans can be built, not run" },
    );
    for place in &diagnosis.tried {
        let what = match (&place.version, &place.problem) {
            (Some(version), _) => version.clone(),
            (None, Some(problem)) => problem.clone(),
            (None, None) => String::new(),
        };
        line("tried", &format!("{} ({}): {what}", place.path.display(), place.source));
    }
    match &diagnosis.library {
        Some(library) => line("will use", library),
        None => {
            line("will use", "TensorRT-RTX, fetched by the first conversion or `onnx2plan setup`");
        }
    }
    out
}
