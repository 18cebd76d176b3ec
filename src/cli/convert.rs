//! `onnx2plan MODEL`: read, import, optimize, build, prove, write.

use super::environment::{Environment, LibraryArguments};
use super::failing::FailingArguments;
use super::output::{self, Output, counted};
use super::proof::ProofArguments;
use super::recipe::{self, RecipeArguments};
use super::timings::{self as told, TimingsArguments};
use crate::convert::{Built, Conversion, ModelFiles, Source, files_of};
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::files::place::{self, Place};
use crate::memory;
use crate::profiles::{self, Data, of_data};
use crate::recipe::ComputeCapability;
use crate::recipe::sizes::End;
use crate::report::manifest::{Manifest, Mended, Verdict};
use crate::report::precision::Certificate;
use crate::shown;
use crate::timings::{self, Stage, Timings, stage};
use crate::trt::{Library, LogSink};
use crate::verify::data;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct Arguments {
    /// ONNX models; the first that fails ends the command
    #[arg(value_name = "MODEL")]
    models: Vec<PathBuf>,
    /// Where to write the plan, or a folder for it; its manifest is written next to it. `-` writes
    /// the plan alone to stdout [default: the model's name with `.plan`]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print a summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    recipe: RecipeArguments,
    #[command(flatten)]
    proof: ProofArguments,
    #[command(flatten)]
    failing: FailingArguments,
    #[command(flatten)]
    timings: TimingsArguments,
    #[command(flatten)]
    library: LibraryArguments,
}

/// Models and where their plans go.
type Places<'a> = Vec<(&'a Path, Place)>;

/// What happened, for `--json`.
#[derive(Debug, Serialize)]
struct Converted {
    #[serde(serialize_with = "shown::path")]
    plan: PathBuf,
    /// `None` where the plan went to where nothing can stand beside it.
    manifest: Option<String>,
    plan_bytes: u64,
    layers: usize,
    seconds: Seconds,
    /// Where the time went, if the user asked for it.
    timings: Option<Vec<Stage>>,
    peak_rss_bytes: Option<u64>,
    targets: Vec<String>,
    library: String,
    passes: BTreeMap<String, usize>,
    guesses: Vec<String>,
    notes: Vec<String>,
    precision: Option<Certificate>,
    mends: Vec<Mended>,
    verification: Verdict,
}

#[derive(Debug, Default, Serialize)]
struct Seconds {
    import: f64,
    /// Under the name that it has had from the first version on.
    #[serde(rename = "optimise")]
    optimize: f64,
    build: f64,
    write: f64,
}

impl Converted {
    /// Takes over what was recorded.
    fn took(&mut self, timings: &Timings, stages: &[Stage], wanted: bool) {
        let sum = |name: &str| {
            stages.iter().filter(|of| of.name == name).map(|of| of.seconds).sum::<f64>()
        };
        let write = stages.iter().map(|stage| stage.seconds_of("write")).sum();
        self.seconds = Seconds {
            import: sum("read") + sum("import"),
            optimize: sum("optimize") + sum("legalize"),
            build: sum("build") - write,
            write,
        };
        self.timings = wanted.then(|| stages.to_vec());
        // Where stages are timed, the process's own peak is forgotten between them.
        self.peak_rss_bytes = self.peak_rss_bytes.max(timings.peak_rss_bytes());
    }
}

pub(super) fn run(
    arguments: &Arguments,
    environment: &Environment,
    output: &mut Output,
) -> Result<()> {
    arguments.recipe.check()?;
    let (places, traces) = arguments.places()?;
    let mut converted = Vec::with_capacity(places.len());
    let mut failed = None;
    for (index, (model, place)) in places.iter().enumerate() {
        let timings = arguments.timings.start();
        let ended =
            timings.record(|| one(arguments, (model, place), environment, &mut converted, output));
        let stages = timings.stages();
        if let Some(done) = converted.get_mut(index) {
            done.took(&timings, &stages, arguments.timings.are_wanted());
        }
        let told = traces.get(index).map_or(Ok(()), |to| told::tell(&stages, model, to, output));
        if let Err(error) = ended.and(told) {
            let left = places.len() - index - 1;
            let error = if left == 0 { error } else { error.with_note(not_tried(left)) };
            failed = Some(error);
            break;
        }
    }
    if arguments.json {
        match &converted[..] {
            [only] if places.len() == 1 => output.json(only)?,
            [] if places.len() == 1 => {}
            all => output.json(&all)?,
        }
    }
    failed.map_or(Ok(()), Err)
}

fn not_tried(models: usize) -> String {
    format!("{} not tried; `onnx2plan zoo` goes on after a failure", counted(models, "model"))
}

/// Converts a model, and adds what happened, whatever the numbers are.
fn one(
    arguments: &Arguments,
    (model, place): (&Path, &Place),
    environment: &Environment,
    converted: &mut Vec<Converted>,
    output: &mut Output,
) -> Result<()> {
    let open = || environment.library(&arguments.library, output);
    let library = stage("open library", open)?;
    let device = arguments.proof.device(&library)?;
    let (source, mut conversion) = arguments.import(model, &library, output)?;
    super::unless_cancelled()?;
    let log = output::log_sink(output.is_verbose());
    let mut mending = arguments.failing.begin();
    let (built, files) = loop {
        match build(&library, &source, &conversion, place, log.clone(), output) {
            Ok(built) => break built,
            Err(error) => mending
                .mend(error, &library, (&source, &mut conversion), output)
                .map_err(|error| error.in_model(model))?,
        }
    };
    super::unless_cancelled()?;
    let (of, file) = ((&source, &conversion), built.to.as_file());
    let prove = || arguments.proof.prove(of, (file, &log), (&library, device), environment, output);
    let proof = stage("prove", prove)?;
    super::unless_cancelled()?;
    let manifest =
        Manifest { verification: proof.verdict(), ..conversion.manifest(&library, files, &built) };
    output.start("write");
    let is_file = matches!(place, Place::File(_));
    let written = Written { place: place.clone(), built, manifest };
    let done = stage("persist", || written.persist(&conversion, output))?;
    if proof.verifications.is_empty() {
        let why = &proof.text;
        output.warning(&format!("the plan was not run, and no numbers were compared: {why}"));
    }
    if is_file && !arguments.json {
        output.data(&done.plan.display().to_string())?;
    }
    converted.push(done);
    proof.objection().map_or(Ok(()), |error| Err(error.in_model(model)))
}

impl Arguments {
    /// The models.
    pub(super) fn models(&self) -> &[PathBuf] {
        &self.models
    }

    /// The models and where their plans go, and where their traces go, if the user asked for any:
    /// not in the place of what is read.
    fn places(&self) -> Result<(Places<'_>, Vec<PathBuf>)> {
        let usage = |message| Error::new(Kind::Usage, message);
        if self.models.is_empty() {
            return Err(usage("no model given".into()).with_hint("run `onnx2plan --help`"));
        }
        let stdout = self.output.as_deref() == Some(Path::new("-"));
        if stdout && self.models.len() > 1 {
            return Err(usage("several plans would go to stdout".into())
                .with_hint("convert them one at a time"));
        }
        if stdout && self.json {
            return Err(usage("the plan and `--json` both want stdout".into())
                .with_hint("name a file with `--output`"));
        }
        let mut places: Places<'_> = Vec::with_capacity(self.models.len());
        for model in &self.models {
            not_a_folder(model)?;
            let place = Place::of(&self.plan(model))?;
            if places.iter().any(|(_, other)| place::is_same(other.path(), place.path())) {
                let plan = place.path().display();
                return Err(usage(format!("two models would write `{plan}`"))
                    .with_hint("convert them one at a time"));
            }
            places.push((model, place));
        }
        // Before the first plan is written: it must not be what another model reads.
        let traces = self.timings.files(places.iter().map(|(_, place)| place))?;
        let plans = places.iter().flat_map(|(_, place)| place.files());
        let others = self.failing.writes().into_iter().chain(traces.clone());
        let writes: Vec<PathBuf> = plans.chain(others).collect();
        place::spare(|| self.reads(), &writes)?;
        Ok((places, traces))
    }

    /// Where the plan of a model goes.
    fn plan(&self, model: &Path) -> PathBuf {
        let beside = model.with_extension("plan");
        match &self.output {
            None => beside,
            Some(folder) if self.models.len() > 1 || folder.is_dir() => {
                beside.file_name().map_or_else(|| folder.clone(), |name| folder.join(name))
            }
            Some(file) => file.clone(),
        }
    }

    /// All files that the command reads.
    fn reads(&self) -> Vec<PathBuf> {
        let named = [&self.recipe.freeze_from, &self.recipe.calibrate].into_iter().flatten();
        let named = named.flat_map(|path| place::with_contents(path));
        let of_models = self.models.iter().flat_map(|model| files_of(model, &data::beside(model)));
        of_models.chain(named).collect()
    }

    /// Shapes and values of the test data beside the model. Where nothing is compared with them,
    /// they are no more than hints: what cannot be read is none.
    fn hints(
        &self,
        source: &Source,
        conversion: &Conversion,
        output: &mut Output,
    ) -> Result<Vec<End>> {
        match data_beside(source, conversion) {
            Err(error) if !self.proof.compares() => {
                output.warning(&format!("the sizes are guessed without data: {}", error.message()));
                Ok(Vec::new())
            }
            hints => hints,
        }
    }

    /// Reads the model and makes its network, for shapes that are planned.
    fn import(
        &self,
        model: &Path,
        library: &Library,
        output: &mut Output,
    ) -> Result<(Source, Conversion)> {
        output.start("import");
        let source = Source::open(model, &self.recipe.recipe.part)?;
        let fitted = self.recipe.fit(&source.model, library.caps())?;
        let mut conversion = Conversion::new(&source, fitted, library.caps())
            .map_err(|error| error.in_model(model))?;
        let layers = conversion.network().live_layers().len();
        output.done(&format!("{}: {}", model.display(), counted(layers, "layer")));
        let about_types = &conversion.prepared.type_notes;
        for note in conversion.prepared.notes.iter().filter(|note| !about_types.contains(note)) {
            output.note(note);
        }
        for (pass, count) in &conversion.prepared.passes {
            output.detail(&format!("pass {pass} changed {}", counted(*count, "layer")));
        }
        conversion.plan(&Data::hints(self.hints(&source, &conversion, output)?))?;
        for unsaid in self.recipe.recipe.sizes.unsaid() {
            output.note(&unsaid);
        }
        for guess in profiles::guesses(&conversion.planned) {
            output.note(&format!("guessed: {guess}"));
        }
        let sets = || self.recipe.calibration(&source);
        recipe::choose(&mut conversion, &source, sets, output)
            .map_err(|error| error.in_model(model))?;
        Ok((source, conversion))
    }
}

/// Builds the plan into a temporary file beside its place. The model is hashed meanwhile: with
/// gigabytes of weights that takes as long as reading them.
fn build(
    library: &Library,
    source: &Source,
    conversion: &Conversion,
    place: &Place,
    log: LogSink,
    output: &mut Output,
) -> Result<(Built<NamedTempFile>, ModelFiles)> {
    output.start("build");
    let (built, files) = std::thread::scope(|scope| {
        let here = timings::here();
        let hash =
            move || timings::as_thread(here.as_ref(), "hash of the model", || source.files());
        let hash = scope.spawn(hash);
        let to = place.draft().map(|file| (files::name(place.path()), file));
        let built = to.and_then(|to| conversion.build(library, to, log, &super::CANCELLED));
        let failed = || Error::new(Kind::Internal, "hashing the model failed");
        (built, hash.join().unwrap_or_else(|_| Err(failed())))
    });
    let built = built?;
    let targets = &conversion.fitted.recipe.targets;
    output.done(&format!("{} for {}", library.version(), target_text(targets)));
    Ok((built, files?))
}

/// A plan that is about to get its name.
struct Written {
    place: Place,
    built: Built<NamedTempFile>,
    manifest: Manifest,
}

impl Written {
    /// Puts the plan in its place, with its manifest.
    fn persist(self, conversion: &Conversion, output: &mut Output) -> Result<Converted> {
        let Self { place, built: Built { to, file, emitted }, manifest } = self;
        let beside = place.take(to, &manifest)?;
        let plan = place.path().to_owned();
        let with = if beside.is_some() { "and its manifest" } else { "without a manifest" };
        output.done(&format!("{} ({} bytes) {with}", plan.display(), file.bytes));
        let prepared = &conversion.prepared;
        let passes = prepared.passes.iter();
        Ok(Converted {
            plan,
            manifest: beside.map(|path| path.display().to_string()),
            plan_bytes: file.bytes,
            layers: emitted.layers.len(),
            seconds: Seconds::default(),
            timings: None,
            peak_rss_bytes: memory::peak_rss_bytes(),
            targets: manifest.targets,
            library: manifest.library,
            passes: passes.map(|(pass, count)| (pass.to_string(), *count)).collect(),
            guesses: profiles::guesses(&conversion.planned),
            notes: prepared.notes.clone(),
            precision: manifest.precision,
            mends: manifest.mends,
            verification: manifest.verification,
        })
    }
}

/// Refuses a folder where a model is asked for.
///
/// # Errors
/// [`Kind::Usage`] for a folder.
pub(super) fn not_a_folder(model: &Path) -> Result<()> {
    if !model.is_dir() {
        return Ok(());
    }
    let shown = model.display();
    Err(Error::new(Kind::Usage, format!("`{shown}` is a folder, not a model"))
        .with_hint(format!("`onnx2plan zoo {shown}` takes every model in it")))
}

/// Shapes and values of the test data beside a model.
pub(super) fn data_beside(source: &Source, conversion: &Conversion) -> Result<Vec<End>> {
    let names = source.inputs();
    let sets = source.data_beside()?.into_iter();
    Ok(sets.map(|set| of_data(conversion.network(), &set.tensors(&names))).collect())
}

fn target_text(targets: &[ComputeCapability]) -> String {
    if targets.is_empty() {
        return "Ampere and later".to_owned();
    }
    targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
