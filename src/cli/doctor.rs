//! `onnx2plan doctor`: what is on this machine, what would be used, whether that is enough, and
//! what to do next.

use super::environment::{Environment, LibraryArguments};
use super::output::Output;
use crate::error::Result;
use crate::files;
use crate::provision::{self, ONNX_RUNTIME, Package, TENSORRT_RTX};
use crate::report::filters;
use crate::trt::find::Tried;
use crate::trt::{self, Device};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

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
    verdict: String,
    /// The command to run next.
    next: String,
    library: Option<String>,
    gpu: Option<String>,
    gpu_driver: bool,
    /// ONNX Runtime's library.
    reference: Option<PathBuf>,
    python: Option<PathBuf>,
    /// Whether that Python has pip; `None` where it was not asked for its packages.
    pip: Option<bool>,
    cache: Option<PathBuf>,
    cached: bool,
    /// Names of packages in the cache whose files are not as they were unpacked.
    damaged: Vec<&'static str>,
    disk_free_bytes: Option<u64>,
    offline: bool,
    tried: Vec<Place>,
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
    let cache = environment.cache().ok();
    let mut pip = None;
    let ((library, tried), whole) = std::thread::scope(|scope| {
        // Every byte is hashed here, meanwhile: a damaged library is what a doctor should notice.
        let whole = scope.spawn(|| {
            let whole = |package: &Package| cache.as_ref().and_then(|it| state(package, it));
            PACKAGES.map(|package| (package, whole(package)))
        });
        // Nothing remembered: what is wrong with that is for a doctor to notice, too.
        let found = environment.find(arguments.library.tensorrt.as_ref(), |python| {
            let folders = python.search_path_asked_anew();
            pip = Some(folders.iter().any(|folder| folder.join("pip").is_dir()));
            folders
        });
        (found, whole.join().unwrap_or(PACKAGES.map(|package| (package, None))))
    });
    let is_whole = |wanted: bool| move |(_, whole): &&(_, _)| *whole == Some(wanted);
    let damaged = whole.iter().filter(is_whole(false)).map(|(package, _)| package.title).collect();
    let cached = whole.iter().filter(is_whole(true)).any(|(it, _)| it.name == TENSORRT_RTX.name);
    let gpu_driver = trt::library::has_driver();
    let device = gpu_driver.then(|| Device::open().and_then(|device| device.info()).ok()).flatten();
    let mut diagnosis = Diagnosis {
        version: env!("CARGO_PKG_VERSION"),
        verdict: String::new(),
        next: String::new(),
        library: library
            .map(|library| format!("{} at {}", library.version(), library.path().display())),
        gpu: device.map(|info| {
            let (capability, driver) = (info.compute_capability, info.driver);
            format!("{} ({capability}), driver for CUDA {driver}", info.name)
        }),
        gpu_driver,
        reference: environment.reference().ok().filter(|path| path.is_file()),
        python: environment.interpreter().file(),
        pip,
        disk_free_bytes: cache.as_deref().and_then(files::free_bytes),
        cached,
        damaged,
        cache,
        offline: arguments.library.offline || environment.offline,
        tried: tried.iter().map(place).collect(),
    };
    let (verdict, next) = judged(&diagnosis, arguments.library.tensorrt.as_deref());
    (diagnosis.verdict, diagnosis.next) = (verdict.into(), next.into());
    diagnosis
}

/// The packages that may be in the cache.
const PACKAGES: [&Package; 2] = [&TENSORRT_RTX, &ONNX_RUNTIME];

/// Whether a package is as it was unpacked; `None` where it is not in the cache.
fn state(package: &Package, cache: &Path) -> Option<bool> {
    provision::installed(package, cache)?;
    Some(provision::verify(package, cache).is_some())
}

fn place(tried: &Tried) -> Place {
    Place {
        source: tried.source,
        path: tried.path.clone(),
        version: tried.outcome.as_ref().ok().map(ToString::to_string),
        problem: tried.outcome.as_ref().err().map(|error| error.message().to_owned()),
    }
}

/// What a diagnosis comes to, and what to do next.
fn judged(found: &Diagnosis, named: Option<&Path>) -> (&'static str, &'static str) {
    const BRING: &str = "onnx2plan setup --wheel FILE";
    let room = TENSORRT_RTX.wheel_bytes + TENSORRT_RTX.unpacked_bytes;
    if found.library.is_some() {
        return match (&found.reference, &found.gpu) {
            (None, _) => (
                "ready to convert; without ONNX Runtime, only models with test data are checked",
                "onnx2plan setup --reference",
            ),
            (_, None) if found.gpu_driver => (
                "there is a GPU driver, but the GPU cannot be used: plans are not run",
                "nvidia-smi",
            ),
            (_, None) => (
                "ready: plans are built and networks checked here; only a GPU can run a plan",
                "onnx2plan verify model.onnx --on cpu",
            ),
            _ => ("ready: plans are built, run and checked here", "onnx2plan model.onnx"),
        };
    }
    if named.is_some() {
        return ("not ready: the library that was named cannot be used", "onnx2plan doctor");
    }
    if found.cache.is_none() {
        return ("not ready: there is no home folder", "export ONNX2PLAN_CACHE=FOLDER");
    }
    if found.disk_free_bytes.is_some_and(|free| free < room) {
        return (
            "not ready: TensorRT-RTX does not fit on the disk",
            "export ONNX2PLAN_CACHE=FOLDER",
        );
    }
    if found.offline {
        return ("not ready: no TensorRT library, and downloads are forbidden", BRING);
    }
    if found.python.is_none() || found.pip == Some(false) {
        return ("not ready: no TensorRT library, and no Python with pip to fetch one", BRING);
    }
    ("not ready yet: the first conversion downloads TensorRT-RTX", "onnx2plan setup")
}

fn text(found: &Diagnosis) -> String {
    let mut out = format!("onnx2plan {}\n", found.version);
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(out, "{key:>12}  {value}");
    };
    let shown = |path: &PathBuf| path.display().to_string();
    let library = found.library.as_deref();
    line("will use", library.unwrap_or("TensorRT-RTX, once it is fetched"));
    let gpu = if found.gpu_driver { "a driver, but no GPU that can be used" } else { "none" };
    line("GPU", found.gpu.as_deref().unwrap_or(gpu));
    let fetched = || format!("none; {} can be fetched", ONNX_RUNTIME.version);
    line("ONNX Runtime", &found.reference.as_ref().map_or_else(fetched, shown));
    let pip = if found.pip == Some(false) { ", without pip" } else { "" };
    let python = found.python.as_ref().map_or_else(|| "none".into(), shown);
    line("Python", &format!("{python}{pip}"));
    line("cache", &found.cache.as_ref().map_or_else(|| "none: no home folder".into(), shown));
    if let Some(free) = found.disk_free_bytes {
        #[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
        line("disk", &format!("{} free for the cache", filters::bytes(free as f64)));
    }
    let cached = if found.cached { "in the cache, verified" } else { "not in the cache" };
    line("wheel", &format!("{} {}: {cached}", TENSORRT_RTX.title, TENSORRT_RTX.version));
    for title in &found.damaged {
        line("damaged", &format!("{title} in the cache; it is not loaded, but fetched anew"));
    }
    let how = if found.offline { "forbidden" } else { "allowed, with your own pip" };
    line("downloads", how);
    for place in &found.tried {
        let what = place.version.as_ref().or(place.problem.as_ref()).map_or("", String::as_str);
        line("tried", &format!("{} ({}): {what}", place.path.display(), place.source));
    }
    format!("{out}\n{}\nnext: {}\n", found.verdict, found.next)
}
