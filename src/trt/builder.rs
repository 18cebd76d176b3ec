//! A network on its way to a plan.

#![allow(unsafe_code, reason = "TensorRT keeps the addresses of weights; see `Builder::constant`")]

use super::convert::{from_ffi, refused, to_ffi};
use super::ffi;
use super::job::Job;
use super::library::Library;
use super::log::{self, LogSink, Severity};
use super::options::{BuildOptions, BuildStats, Flag};
use crate::emit::{Emitted, Handle, Label, Made, Refused, emit};
use crate::error::said::{Said, plain};
use crate::mapped;
use crate::network::Caps;
use crate::network::profile::{Profile, Range};
use crate::tensor::{DType, Tensor};
use crate::timings::stage;
use crate::valid::Checked;
use crate::{Error, Kind, Result};
use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// TensorRT's last warnings and errors.
type Warnings = Arc<Mutex<Vec<String>>>;

/// How many of TensorRT's last warnings go into the error of a failed build.
const KEPT_WARNINGS: usize = 5;

/// Builds the plan of a network and writes it to `to`; setting `cancel` stops that.
///
/// # Errors
/// Those of [`Builder::new`], [`crate::emit::emit`] and [`Builder::build`].
pub fn build(
    library: &Library,
    network: &Checked,
    mut options: BuildOptions,
    to: &mut (dyn io::Write + Send),
    cancel: &AtomicBool,
) -> Result<Emitted> {
    options.flags.extend(BuildOptions::flags_for(network, library.caps()));
    let mut builder = stage("start TensorRT", || Builder::new(library, options))?;
    let emitted = stage("emit", || emit(network, &mut builder))?;
    match stage("TensorRT", || builder.build(to, cancel)) {
        Err(error) if error.kind() == Kind::TensorRt => Err(emitted.place(error)),
        built => built.map(|_| emitted),
    }
}

/// An error with TensorRT's words in short, and in full as a note.
pub(super) fn said(what: &str, said: &str) -> Error {
    let plain = plain(said);
    let error = Error::new(Kind::TensorRt, format!("{what}: {plain}"));
    let words = Said::new(said);
    error.with_said(if plain == words.text { words.in_message() } else { words })
}

/// Plans of networks with so many weights are taken at once. In pieces TensorRT needs buffers of 64
/// MiB, which costs more than it saves where the plan is not much larger.
const MOST_AT_ONCE_BYTES: usize = 64 << 20;

/// A [`Sink`](crate::emit::Sink) that builds a plan.
pub struct Builder {
    network: cxx::UniquePtr<ffi::Network>,
    library: Library,
    profiles: Vec<Profile>,
    log: LogSink,
    warnings: Warnings,
    /// What TensorRT reads until the plan is built.
    held: Vec<Bytes>,
    /// Type and sizes of each tensor, by its handle.
    tensors: Vec<(DType, Vec<i64>)>,
    /// Names of the network's inputs.
    pub(super) inputs: Vec<String>,
    /// Inputs and outputs: TensorRT makes neither an output once more.
    pub(super) pinned: Vec<Handle>,
    /// Of each loop, by its handle.
    pub(super) loops: Vec<Scope>,
    /// Of each conditional, by its handle.
    pub(super) conditionals: Vec<Scope>,
    /// Of the current layer.
    label: Scope,
    /// How many parts have been named.
    parts: usize,
    /// Whether each layer is told the types of its outputs.
    pub(super) constrained: bool,
}

/// A label from which the parts of a layer take theirs.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    name: String,
    metadata: String,
}

impl From<Label<'_>> for Scope {
    fn from(label: Label<'_>) -> Self {
        Self { name: label.name.to_owned(), metadata: label.metadata.to_owned() }
    }
}

impl Builder {
    /// An empty network in `library`.
    ///
    /// # Errors
    /// Kind `Environment`: the library needs a driver that is not there. Kind `TensorRt`: it
    /// refuses an option.
    pub fn new(library: &Library, options: BuildOptions) -> Result<Self> {
        let warnings = Warnings::default();
        let log = listening(options.log.clone(), warnings.clone());
        let route = log::route(&log);
        let mut network = library.new_network().map_err(|error| with_warnings(error, &warnings))?;
        configure(network.pin_mut(), &options).map_err(|why| {
            Error::new(Kind::TensorRt, format!("{} refuses {why}", library.version()))
        })?;
        drop(route);
        Ok(Self {
            network,
            library: library.clone(),
            profiles: options.profiles,
            log,
            warnings,
            held: Vec::new(),
            tensors: Vec::new(),
            inputs: Vec::new(),
            pinned: Vec::new(),
            loops: Vec::new(),
            conditionals: Vec::new(),
            label: Scope::default(),
            parts: 0,
            constrained: options.flags.contains(&Flag::ObeyPrecisionConstraints),
        })
    }

    /// Builds the plan and writes it, in pieces as TensorRT makes them. Setting `cancel` stops the
    /// build at its next step; TensorRT 8 looks at it only at the end.
    ///
    /// # Errors
    /// Kind `Cancelled`; kind `Environment`: the plan cannot be written; kind `Usage`: a profile
    /// names no input; kind `TensorRt`: TensorRT's own first words, with its last warnings as
    /// notes.
    pub fn build(
        mut self,
        to: &mut (dyn io::Write + Send),
        cancel: &AtomicBool,
    ) -> Result<BuildStats> {
        let late = self.tensors.iter().any(|(_, dims)| dims.contains(&-1));
        if self.profiles.is_empty() && late && !self.caps().open_without_profile {
            self.profiles.push(Profile::default());
        }
        for profile in std::mem::take(&mut self.profiles) {
            self.add_profile(profile)?;
        }
        let start = Instant::now();
        let job = Job::new(to, cancel);
        let route = log::route(&self.log);
        let weights: usize = self.held.iter().map(Bytes::len).sum();
        let built = self.network.pin_mut().build(&job, weights > MOST_AT_ONCE_BYTES);
        drop(route);
        let cancelled = !job.keep_going();
        match (built, job.finish()) {
            (Err(_), _) if cancelled => Err(Error::new(Kind::Cancelled, "the build was stopped")),
            (_, Err(error)) => {
                Err(Error::new(Kind::Environment, "the plan cannot be written").with_source(error))
            }
            (Err(error), _) => {
                Err(self.failed("cannot build the plan", error.what()).while_building())
            }
            (Ok(()), Ok(plan_bytes)) => Ok(BuildStats { plan_bytes, elapsed: start.elapsed() }),
        }
    }

    fn add_profile(&mut self, profile: Profile) -> Result<()> {
        let shapes = profile.inputs.into_iter().map(|range| (range, false));
        let values = profile.values.into_iter().map(|range| (range, true));
        let mut ranges = Vec::new();
        for (Range { input, min, opt, max }, values) in shapes.chain(values) {
            // TensorRT takes ranges for inputs that do not exist, and says nothing.
            if !self.inputs.contains(&input) {
                return Err(Error::new(
                    Kind::Usage,
                    format!("the profile names `{input}`, which is no input"),
                ));
            }
            ranges.push(ffi::Range { input, values, min, opt, max });
        }
        self.call(|network| network.add_profile(&ranges))
            .map_err(|error| self.failed("refuses a profile", &error.message))
    }

    fn failed(&self, what: &str, why: &str) -> Error {
        with_warnings(said(&format!("{} {what}", self.library.version()), why), &self.warnings)
    }

    /// Calls the bridge, with log lines routed.
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(Pin<&mut ffi::Network>) -> Result<T, cxx::Exception>,
    ) -> Result<T, Refused> {
        let _route = log::route(&self.log);
        call(self.network.pin_mut()).map_err(|error| refused(error.what()))
    }

    /// Says what the layers made from now on are called.
    pub(super) fn set_label(&mut self, label: Scope) {
        self.network.pin_mut().set_label(&label.name, &label.metadata);
        self.label = label;
    }

    /// The same for a further layer that `of` needs.
    pub(super) fn set_part_label(&mut self, of: &Scope, part: &str) {
        let name = format!("{}.{part}.{}", of.name, self.parts);
        self.parts += 1;
        self.network.pin_mut().set_label(&name, &of.metadata);
    }

    /// What the library can do.
    pub(super) fn caps(&self) -> Caps {
        self.library.caps()
    }

    /// Takes note of what TensorRT made.
    pub(super) fn made(&mut self, outputs: Vec<ffi::Output>) -> Result<Vec<Made>, Refused> {
        outputs
            .into_iter()
            .map(|output| {
                let dtype = from_ffi(output.dtype)
                    .ok_or_else(|| refused("TensorRT made a tensor of an unknown type"))?;
                self.tensors.push((dtype, output.dims.clone()));
                // What was told its type may still be called by another.
                let opinion = (!self.constrained).then_some(dtype);
                Ok(Made { handle: Handle(output.tensor), dtype: opinion, dims: Some(output.dims) })
            })
            .collect()
    }

    /// The same where there is exactly one.
    pub(super) fn made_one(&mut self, outputs: Vec<ffi::Output>) -> Result<Made, Refused> {
        self.made(outputs)?.pop().ok_or_else(|| refused("TensorRT made a layer without output"))
    }

    /// Type and sizes of a tensor.
    pub(super) fn tensor(&self, handle: Handle) -> Result<&(DType, Vec<i64>), Refused> {
        let found = usize::try_from(handle.0).ok().and_then(|at| self.tensors.get(at));
        found.ok_or_else(|| refused(format!("there is no tensor {}", handle.0)))
    }

    /// The bytes of a tensor at an address that stays until the plan is built.
    pub(super) fn hold(&mut self, tensor: &Tensor) -> Result<Held, Refused> {
        let mut data = tensor.bytes().clone();
        // Slices of a file need not be aligned; a copy is, as every larger allocation.
        if !data.as_ptr().addr().is_multiple_of(tensor.dtype().bits().div_ceil(8)) {
            let copy = Bytes::copy_from_slice(&data);
            mapped::release(&data);
            data = copy;
        }
        self.held.push(data.clone());
        Ok(Held { dtype: to_ffi(tensor.dtype())?, data })
    }

    /// A constant that the current layer needs as an operand.
    pub(super) fn operand(&mut self, part: &str, tensor: &Tensor) -> Result<u32, Refused> {
        let label = self.label.clone();
        self.set_part_label(&label, part);
        let outputs = self.constant(tensor)?;
        self.set_label(label);
        Ok(self.made_one(outputs)?.handle.0)
    }

    /// A constant layer under the current label.
    pub(super) fn constant(&mut self, tensor: &Tensor) -> Result<Vec<ffi::Output>, Refused> {
        let dims = super::convert::ints(tensor.dims())?;
        let held = self.hold(tensor)?;
        let layer = ffi::Constant { dims: &dims, weights: held.weights() };
        // SAFETY: `hold` keeps the values as long as the network.
        self.call(|network| unsafe { network.add_constant(&layer) })
    }
}

/// Values that TensorRT may read until the plan is built.
pub(super) struct Held {
    dtype: ffi::DType,
    data: Bytes,
}

impl Held {
    /// No values; TensorRT still wants to know their type.
    pub(super) fn none(dtype: DType) -> Result<Self, Refused> {
        Ok(Self { dtype: to_ffi(dtype)?, data: Bytes::new() })
    }

    pub(super) fn weights(&self) -> ffi::Weights<'_> {
        ffi::Weights { dtype: self.dtype, data: &self.data }
    }

    /// One of `count` equal parts of the values, one behind the other.
    pub(super) fn part(&self, at: usize, count: usize) -> ffi::Weights<'_> {
        let size = self.data.len() / count.max(1);
        let data = self
            .data
            .get(size.saturating_mul(at)..)
            .and_then(|rest| rest.get(..size))
            .unwrap_or_default();
        ffi::Weights { dtype: self.dtype, data }
    }
}

fn configure(mut network: Pin<&mut ffi::Network>, options: &BuildOptions) -> Result<(), String> {
    let because = |what: String| move |error: cxx::Exception| format!("{what}: {}", error.what());
    let (recipe, tf32) = (&options.recipe, ffi::BuilderFlag::Tf32);
    network.as_mut().set_flag(tf32, !recipe.no_tf32).map_err(because("flag Tf32".to_owned()))?;
    for &flag in &options.flags {
        network.as_mut().set_flag(flag.into(), true).map_err(because(format!("flag {flag:?}")))?;
    }
    let targets: Vec<u32> = recipe.targets.iter().map(|target| target.number()).collect();
    if !targets.is_empty() {
        let what = because(format!("compute capabilities {targets:?}"));
        network.as_mut().set_compute_capabilities(&targets).map_err(what)?;
    }
    if let Some(level) = recipe.optimization_level.map(u8::from) {
        let what = because(format!("optimization level {level}"));
        network.as_mut().set_optimization_level(level.into()).map_err(what)?;
    }
    if let Some(mib) = recipe.workspace {
        let what = because(format!("a workspace of {mib} MiB"));
        network.as_mut().set_workspace_limit(u64::from(mib.get()) << 20).map_err(what)?;
    }
    Ok(())
}

/// Passes the log on, and keeps the last warnings.
fn listening(log: LogSink, warnings: Warnings) -> LogSink {
    Arc::new(move |severity, message| {
        if severity <= Severity::Warning {
            let mut warnings = warnings.lock().unwrap_or_else(PoisonError::into_inner);
            if warnings.len() == KEPT_WARNINGS {
                warnings.remove(0);
            }
            warnings.push(message.to_owned());
        }
        log(severity, message);
    })
}

fn with_warnings(error: Error, warnings: &Warnings) -> Error {
    warnings.lock().unwrap_or_else(PoisonError::into_inner).iter().fold(error, Error::with_note)
}
