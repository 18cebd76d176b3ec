//! `onnx2plan MODEL`: read, import, optimise, build, write.

use super::environment::{Environment, LibraryArguments};
use super::freeze::FreezeArguments;
use super::output::Output;
use super::part::PartArguments;
use super::profiles::ProfileArguments;
use crate::emit::{self, Emitted};
use crate::error::{Error, Kind, Result};
use crate::files::{self, Hashing};
use crate::import::{self, Recurrent};
use crate::network::Profile;
use crate::network::profile::Range;
use crate::onnx::Model;
use crate::pipeline::profile::{End, Planned};
use crate::pipeline::{self, Prepared};
use crate::report::manifest::{self, Binding, File, Layer, Manifest};
use crate::trt::{BuildOptions, Builder, Library, Severity};
use crate::verify::data;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, clap::Args)]
pub(super) struct Arguments {
    /// The ONNX model
    #[arg(value_name = "MODEL")]
    model: Option<PathBuf>,
    /// Where to write the plan [default: the model's name with `.plan`]; the manifest goes beside it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Compute capabilities to build for, such as sm89,sm120 [default: portable, Ampere and later]
    #[arg(long, value_name = "SM", value_delimiter = ',', value_parser = parse_target)]
    target: Vec<u32>,
    /// Compute f32 products in full f32, not in TF32 with its 10 bits of mantissa
    #[arg(long)]
    no_tf32: bool,
    /// What recurrent operators become: TensorRT 8.x still has a layer of its own for many of them
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    rnn: RecurrentForm,
    /// Leave out an optimisation pass
    #[arg(long, value_name = "NAME", value_parser = parse_pass)]
    without_pass: Vec<String>,
    /// Print what happened as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    profiles: ProfileArguments,
    #[command(flatten)]
    part: PartArguments,
    #[command(flatten)]
    freeze: FreezeArguments,
    #[command(flatten)]
    library: LibraryArguments,
}

/// What recurrent operators become.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum RecurrentForm {
    /// The layer where the library has it and it computes the same for all inputs, else a loop
    #[default]
    Auto,
    /// A loop
    Loop,
    /// The layer wherever it computes the same for sequences that are not empty, else a loop
    Layer,
}

impl RecurrentForm {
    /// What it means for a library.
    fn with(self, library: &Library) -> Result<Recurrent> {
        match (self, library.caps().rnn) {
            (Self::Auto, true) => Ok(Recurrent::Auto),
            (Self::Layer, true) => Ok(Recurrent::Layer),
            (Self::Layer, false) => {
                let message = format!("{} has no recurrent layer: only TensorRT 8.x has", library.version());
                Err(Error::new(Kind::Usage, message).with_hint("leave `--rnn` out, and loops take its place"))
            }
            (Self::Loop, _) | (Self::Auto, false) => Ok(Recurrent::Loop),
        }
    }
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

/// What the plan was compared with: nothing runs it here.
const UNVERIFIED: &str = "not run";

/// What a build left in a temporary file.
struct Built {
    file: tempfile::NamedTempFile,
    sha256: String,
    bytes: u64,
    emitted: Emitted,
    build: Duration,
    write: Duration,
}

pub(super) fn run(arguments: &Arguments, environment: &Environment, output: &mut Output) -> Result<()> {
    let Some(model_path) = arguments.model.as_deref() else {
        return Err(Error::new(Kind::Usage, "no model given").with_hint("run `onnx2plan --help`"));
    };
    let plan_path = arguments.output.clone().unwrap_or_else(|| model_path.with_extension("plan"));
    if plan_path == model_path {
        let message = format!("the plan would overwrite the model `{}`", plan_path.display());
        return Err(Error::new(Kind::Usage, message).with_hint("name another file with `--output`"));
    }
    let library = environment.library(&arguments.library, output)?;
    output.start("import");
    let start = Instant::now();
    let (model, _) = arguments.part.load(model_path)?;
    let read = start.elapsed();
    let options = pipeline::Options {
        caps: library.caps(),
        without_passes: arguments.without_pass.clone(),
        import: import::Options {
            sizes: arguments.profiles.fixed(&model)?,
            names: arguments.part.names(),
            recurrent: arguments.rnn.with(&library)?,
            ..arguments.freeze.options(&model)?
        },
    };
    let prepared = pipeline::prepare(&model, &options).map_err(|error| error.in_model(model_path))?;
    output.done(&format!("{}: {} layers", model_path.display(), prepared.network.live_layers().len()));
    for note in &prepared.notes {
        output.note(note);
    }
    for (pass, count) in &prepared.passes {
        output.detail(&format!("pass {pass} changed {count} layers"));
    }
    let planned = arguments.profiles.plan(&prepared.network, &likely(model_path, &model)?)?;
    let guesses = guesses(&planned);
    for guess in &guesses {
        output.note(&format!("guessed: {guess}"));
    }

    super::unless_cancelled()?;
    output.start("build");
    // The model is hashed meanwhile: with gigabytes of weights that takes as long as reading them.
    let (built, model_file) = std::thread::scope(|scope| {
        let hash = scope.spawn(|| files::describe(model_path));
        let built = build(arguments, &library, &prepared, &planned, &plan_path, output);
        (built, hash.join().unwrap_or_else(|_| Err(Error::new(Kind::Internal, "hashing the model failed"))))
    });
    let (built, model_file) = (built.map_err(|error| error.in_model(model_path))?, model_file?);
    output.done(&format!("{} for {}", library.version(), target_text(&arguments.targets())));

    super::unless_cancelled()?;
    output.start("write");
    let manifest_path = files::with_suffix(&plan_path, ".json");
    let plan = File { name: files::name(&plan_path), bytes: built.bytes, sha256: built.sha256.clone() };
    let manifest = manifest(arguments, &library, &prepared, &planned, &built, model_file, plan);
    files::persist(built.file, &plan_path)?;
    files::write_json(&manifest_path, &manifest)?;
    output.done(&format!("{} ({} bytes) and its manifest", plan_path.display(), built.bytes));
    output.warning("the plan was not run: no numbers were compared");

    if !arguments.json {
        return output.data(&plan_path.display().to_string());
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
        targets: arguments.targets(),
        library: library.version().to_string(),
        passes: prepared.passes.iter().copied().collect(),
        guesses,
        notes: prepared.notes,
        verification: UNVERIFIED,
    })
}

/// Emits the network into TensorRT and builds the plan into a temporary file beside its place.
fn build(
    arguments: &Arguments,
    library: &Library,
    prepared: &Prepared,
    planned: &[Planned],
    plan_path: &Path,
    output: &Output,
) -> Result<Built> {
    let file = files::temporary_beside(plan_path)?;
    let verbose = output.is_verbose();
    let options = BuildOptions {
        targets: arguments.target.clone(),
        tf32: !arguments.no_tf32,
        profiles: planned.iter().flat_map(Planned::profiles).collect(),
        log: Arc::new(move |severity, line| {
            if verbose || severity == Severity::Error {
                Output::library_line(line);
            }
        }),
        ..BuildOptions::default()
    };
    let start = Instant::now();
    let mut builder = Builder::new(library, options)?;
    let emitted = emit::emit(&prepared.network, &mut builder)?;
    let mut writer = Hashing::new(file);
    builder.build(&mut writer, &super::CANCELLED)?;
    let built = start.elapsed();
    let (file, sha256, bytes, write) = writer.finish();
    Ok(Built { file, sha256, bytes, emitted, build: built.saturating_sub(write), write })
}

fn manifest(
    arguments: &Arguments,
    library: &Library,
    prepared: &Prepared,
    planned: &[Planned],
    built: &Built,
    model: File,
    plan: File,
) -> Manifest {
    let network = &prepared.network;
    let binding = |name: &str, value| {
        let ty = &network.value(value).ty;
        let ranges = |pick: fn(&Profile) -> &Vec<Range>| {
            let ranges = planned.iter().flat_map(|planned| pick(&planned.profile)).filter(|range| range.input == name);
            ranges.map(|range| [range.min.clone(), range.opt.clone(), range.max.clone()]).collect()
        };
        Binding {
            name: name.to_owned(),
            dtype: ty.dtype.to_string(),
            shape: ty.shape.iter().map(ToString::to_string).collect(),
            profiles: ranges(|profile| &profile.inputs),
            values: ranges(|profile| &profile.values),
        }
    };
    let layer = |(name, sites): &(String, Vec<crate::site::Site>)| Layer {
        name: name.clone(),
        nodes: sites.iter().map(crate::site::Site::label).collect(),
    };
    Manifest {
        schema: manifest::SCHEMA,
        producer: format!("onnx2plan {}", env!("CARGO_PKG_VERSION")),
        model,
        plan,
        library: library.version().to_string(),
        targets: arguments.targets(),
        inputs: network.inputs.iter().map(|&input| binding(&network.value(input).name, input)).collect(),
        outputs: network.outputs.iter().map(|output| binding(&output.name, output.value)).collect(),
        layers: built.emitted.layers.iter().map(layer).collect(),
        options: manifest::Options { tf32: !arguments.no_tf32, without_passes: arguments.without_pass.clone() },
        notes: prepared
            .notes
            .iter()
            .cloned()
            .chain(guesses(planned).iter().map(|guess| format!("guessed: {guess}")))
            .collect(),
        verification: UNVERIFIED,
    }
}

impl Arguments {
    fn targets(&self) -> Vec<String> {
        self.target.iter().map(|target| format!("sm{target}")).collect()
    }
}

/// What was guessed, once where several profiles share it.
fn guesses(planned: &[Planned]) -> Vec<String> {
    let mut guesses: Vec<String> = Vec::new();
    for guess in planned.iter().flat_map(|planned| &planned.guesses) {
        if !guesses.contains(guess) {
            guesses.push(guess.clone());
        }
    }
    guesses
}

/// Shapes and values of the test data beside a model.
pub(super) fn likely(path: &Path, model: &Model) -> Result<End> {
    let Some(folder) = data::beside(path).into_iter().next() else { return Ok(End::default()) };
    let set = data::read(&folder)?;
    let names: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
    let found = names.iter().copied().zip(data::in_order(&set.inputs, &names));
    Ok(End::of(found.filter_map(|(name, data)| Some((name, data?.tensor().ok()?)))))
}

fn target_text(targets: &[String]) -> String {
    if targets.is_empty() { "Ampere and later".to_owned() } else { targets.join(", ") }
}

/// `sm89`, `89` or `8.9`.
fn parse_target(text: &str) -> Result<u32, String> {
    let digits = text.trim_start_matches("sm").trim_start_matches('_').replace('.', "");
    match digits.parse() {
        Ok(target @ 50..=999) => Ok(target),
        _ => Err("a compute capability is written like sm89".into()),
    }
}

pub(super) fn parse_pass(text: &str) -> Result<String, String> {
    let names: Vec<_> = crate::opt::PASSES.iter().map(|pass| pass.name).collect();
    if names.contains(&text) { Ok(text.to_owned()) } else { Err(format!("the passes are {}", names.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_compute_capabilities() {
        for text in ["sm89", "89", "8.9", "sm_89"] {
            assert_eq!(parse_target(text), Ok(89));
        }
        for text in ["", "sm", "ampere", "8.9.1.2"] {
            assert_eq!(parse_target(text), Err("a compute capability is written like sm89".into()));
        }
    }
}
