//! `onnx2plan MODEL`: read, import, optimise, build, write.

use super::build::BuildArguments;
use super::environment::{Environment, LibraryArguments};
use super::import::ImportArguments;
use super::output::Output;
use super::proof::{Claim, ProofArguments};
use super::reference::Subject;
use crate::emit::Emitted;
use crate::error::{Error, Kind, Result};
use crate::files::{self, Hashing};
use crate::network::{Layer, LayerKind, Network};
use crate::onnx::Model;
use crate::pipeline::profile::{self, End, Planned};
use crate::pipeline::{self, Prepared};
use crate::report::manifest::File;
use crate::trt::{self, BuildOptions, Library};
use crate::verify::data;
use crate::zoo::recipe;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, clap::Args)]
pub(super) struct Arguments {
    /// The ONNX model
    #[arg(value_name = "MODEL")]
    model: Option<PathBuf>,
    /// Where to write the plan [default: the model's name with `.plan`]; the manifest goes beside
    /// it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print what happened as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    build: BuildArguments,
    #[command(flatten)]
    proof: ProofArguments,
    #[command(flatten)]
    import: ImportArguments,
    #[command(flatten)]
    library: LibraryArguments,
}

/// What happened, for `--json`.
#[derive(Debug, Serialize)]
struct Outcome {
    plan: PathBuf,
    manifest: PathBuf,
    plan_bytes: u64,
    layers: usize,
    seconds: Seconds,
    peak_rss_bytes: Option<u64>,
    targets: Vec<String>,
    library: String,
    passes: BTreeMap<&'static str, usize>,
    guesses: Vec<String>,
    notes: Vec<String>,
    verification: &'static str,
}

#[derive(Debug, Serialize)]
struct Seconds {
    import: f64,
    optimise: f64,
    build: f64,
    write: f64,
}

/// What a build left in a temporary file.
struct Built {
    file: tempfile::NamedTempFile,
    sha256: String,
    bytes: u64,
    emitted: Emitted,
    build: Duration,
    write: Duration,
}

pub(super) fn run(
    arguments: &Arguments,
    environment: &Environment,
    output: &mut Output,
) -> Result<()> {
    let Some(model_path) = arguments.model.as_deref() else {
        return Err(Error::new(Kind::Usage, "no model given").with_hint("run `onnx2plan --help`"));
    };
    let plan_path = arguments.output.clone().unwrap_or_else(|| model_path.with_extension("plan"));
    if plan_path == model_path {
        let message = format!("the plan would overwrite the model `{}`", plan_path.display());
        return Err(Error::new(Kind::Usage, message).with_hint("name another file with `--output`"));
    }
    let library = environment.library(&arguments.library, output)?;
    let device = arguments.proof.device(&library)?;
    output.start("import");
    let start = Instant::now();
    let (model, part) = arguments.import.part.load(model_path)?;
    let read = start.elapsed();
    let options = arguments.build.network(arguments.import.options(&model)?, library.caps())?;
    let prepared =
        pipeline::prepare(&model, &options).map_err(|error| error.in_model(model_path))?;
    output.done(&format!(
        "{}: {} layers",
        model_path.display(),
        prepared.network.live_layers().len()
    ));
    for note in &prepared.notes {
        output.note(note);
    }
    for (pass, count) in &prepared.passes {
        output.detail(&format!("pass {pass} changed {count} layers"));
    }
    let planned = arguments
        .import
        .profiles
        .plan(&prepared.network, &data_beside(model_path, &model, &prepared.network)?)?;
    for unsaid in arguments.import.profiles.unsaid() {
        output.note(&unsaid);
    }
    let guesses = profile::guesses(&planned);
    for guess in &guesses {
        output.note(&format!("guessed: {guess}"));
    }

    super::unless_cancelled()?;
    output.start("build");
    let profiles = planned.iter().flat_map(Planned::profiles).collect();
    let building = arguments.build.options(profiles, output.is_verbose());
    // The model is hashed meanwhile: with gigabytes of weights that takes as long as reading them.
    let (built, model_files) = std::thread::scope(|scope| {
        let hash = scope.spawn(|| files::describe_model(model_path, &model.external));
        let built = build(&library, &prepared, building.clone(), &plan_path);
        (
            built,
            hash.join()
                .unwrap_or_else(|_| Err(Error::new(Kind::Internal, "hashing the model failed"))),
        )
    });
    let built = built.map_err(|error| explained(error, &prepared.network).in_model(model_path))?;
    let model_files = model_files?;
    output.done(&format!("{} for {}", library.version(), target_text(&arguments.build.targets())));

    super::unless_cancelled()?;
    let inputs: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
    let claim = Claim {
        library: &library,
        plan: built.file.as_file(),
        subject: Subject {
            path: model_path,
            part: part.as_ref(),
            inputs: &inputs,
            network: &prepared.network,
        },
        profiles: &arguments.import.profiles,
        log: arguments.build.options(Vec::new(), output.is_verbose()).log,
    };
    let proof = arguments.proof.prove(&claim, device, environment, output)?;

    super::unless_cancelled()?;
    output.start("write");
    let plan = File { name: files::name(&plan_path), bytes: built.bytes, sha256: built.sha256 };
    let guessed = guesses.iter().map(|guess| format!("guessed: {guess}"));
    let notes = prepared.notes.iter().cloned().chain(guessed).collect();
    let (from, to) = arguments.import.part.ends();
    let options = recipe::options(&options, &building, from, to);
    let described = trt::Built {
        library: &library,
        options: &building,
        network: &prepared.network,
        emitted: &built.emitted,
    };
    let mut manifest = described.manifest(model_files, plan, options, notes);
    proof.verdict.clone_into(&mut manifest.verification);
    let manifest_path = files::persist_plan(built.file, &plan_path, &manifest)?;
    output.done(&format!("{} ({} bytes) and its manifest", plan_path.display(), built.bytes));
    if proof.verdict == "not run" {
        output.warning(&format!("the plan was not run, no numbers were compared: {}", proof.text));
    }

    if !arguments.json {
        output.data(&plan_path.display().to_string())?;
        return proof.error.map_or(Ok(()), |error| Err(error.in_model(model_path)));
    }
    output.json(&Outcome {
        plan: plan_path,
        manifest: manifest_path,
        plan_bytes: built.bytes,
        layers: built.emitted.layers.len(),
        seconds: Seconds {
            import: (read + prepared.import_time).as_secs_f64(),
            optimise: prepared.optimise_time.as_secs_f64(),
            build: built.build.as_secs_f64(),
            write: built.write.as_secs_f64(),
        },
        peak_rss_bytes: files::peak_rss_bytes(),
        targets: arguments.build.targets(),
        library: library.version().to_string(),
        passes: prepared.passes.iter().copied().collect(),
        guesses,
        notes: prepared.notes,
        verification: proof.verdict,
    })?;
    proof.error.map_or(Ok(()), |error| Err(error.in_model(model_path)))
}

/// Emits the network into TensorRT and builds the plan into a temporary file beside its place.
fn build(
    library: &Library,
    prepared: &Prepared,
    options: BuildOptions,
    plan_path: &Path,
) -> Result<Built> {
    let file = files::temporary_beside(plan_path)?;
    let start = Instant::now();
    let mut writer = Hashing::new(file);
    let emitted = trt::build(library, &prepared.network, options, &mut writer, &super::CANCELLED)?;
    let built = start.elapsed();
    let (file, sha256, bytes, write) = writer.finish();
    Ok(Built { file, sha256, bytes, emitted, build: built.saturating_sub(write), write })
}

/// How many conditionals and loops a message names.
const MOST_BRANCHES: usize = 3;

/// Names the nodes behind layers that TensorRT-RTX cannot build without a GPU, where it failed for
/// want of them.
fn explained(error: Error, network: &Network) -> Error {
    if !error.message().contains("no runners that implement it") {
        return at_branches(error, network);
    }
    let layers = network.live_layers();
    let layers: Vec<_> = layers.into_iter().map(|id| network.layer(id)).collect();
    let suppresses = |layer: &&&Layer| matches!(layer.kind, LayerKind::NonMaxSuppression(_));
    let lacking =
        layers.iter().filter(|layer| matches!(layer.kind, LayerKind::NonZero) || suppresses(layer));
    let sites = lacking.flat_map(|layer| &layer.sites);
    let error = sites
        .fold(error, |error, site| error.with_note(format!("not built without a GPU: {site}")));
    if layers.iter().any(|layer| suppresses(&layer)) {
        return error.with_hint(
            "build on a machine with a GPU; `--nms-fixed N` gives NonMaxSuppression a form for \
             any machine",
        );
    }
    error.with_hint("build on a machine with a GPU")
}

/// Names the conditionals and loops of a network that TensorRT does not build, and the sizes that
/// are known no sooner than at run time: it fails inside at some that it builds where they are
/// fixed.
fn at_branches(error: Error, network: &Network) -> Error {
    let layers = network.live_layers();
    let layers = layers.into_iter().map(|id| network.layer(id));
    let branches =
        layers.filter(|layer| matches!(layer.kind, LayerKind::Conditional(_) | LayerKind::Loop(_)));
    let mut notes: Vec<String> = Vec::new();
    for site in branches.filter_map(|layer| layer.sites.first()) {
        let note = format!("the network branches or loops at {site}");
        if !notes.contains(&note) && notes.len() < MOST_BRANCHES {
            notes.push(note);
        }
    }
    if error.kind() != Kind::TensorRt || notes.is_empty() {
        return error;
    }
    let error = notes.into_iter().fold(error, Error::with_note);
    let sizes = network.inputs.iter().flat_map(|&input| network.value(input).ty.shape.iter());
    let mut open: Vec<String> = Vec::new();
    for size in sizes.filter(|size| size.known().is_none()) {
        let option = format!("`--dim {size}=SIZE`");
        if !open.contains(&option) {
            open.push(option);
        }
    }
    error.with_hint(match open.as_slice() {
        [] => "a condition that is fixed with `--freeze` needs no branches".to_owned(),
        open => {
            format!(
                "TensorRT builds more where sizes are fixed: {}; or conditions, with `--freeze`",
                open.join(" ")
            )
        }
    })
}

/// Shapes and values of the test data beside a model.
pub(super) fn data_beside(path: &Path, model: &Model, network: &Network) -> Result<Vec<End>> {
    let names: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
    let of_set =
        |folder: &PathBuf| Ok(profile::of_data(network, &data::read(folder)?.tensors(&names)));
    data::beside(path).iter().map(of_set).collect()
}

fn target_text(targets: &[String]) -> String {
    if targets.is_empty() { "Ampere and later".to_owned() } else { targets.join(", ") }
}
