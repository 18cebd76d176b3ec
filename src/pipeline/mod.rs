//! The order of the stages, from a model file to a network ready to emit.

pub mod profile;

use crate::error::Result;
use crate::import::{self, Imported, Recurrent};
use crate::legalize;
use crate::network::{Caps, Network};
use crate::onnx::Model;
use crate::opt;
use crate::tensor::Tensor;
use crate::valid::{self, Checked};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What decides on the network besides the model.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the TensorRT library can do.
    pub caps: Caps,
    /// Optimisation passes to leave out, by name.
    pub without_passes: Vec<String>,
    /// How the model is imported.
    pub import: import::Options,
}

impl Options {
    /// What holds where the user says nothing.
    pub fn new(caps: Caps) -> Self {
        let recurrent = if caps.rnn { Recurrent::Auto } else { Recurrent::Loop };
        let import = import::Options { recurrent, ..import::Options::default() };
        Self { caps, without_passes: Vec::new(), import }
    }

    /// The same with inputs made constants.
    #[must_use]
    pub fn freezing(mut self, inputs: BTreeMap<String, Tensor>) -> Self {
        self.import.freeze = inputs;
        self
    }
}

/// A network ready to emit, and how it came about.
#[derive(Debug)]
pub struct Prepared {
    /// The network.
    pub network: Checked,
    /// Things the user should know that are no errors.
    pub notes: Vec<String>,
    /// What the optimisation passes did.
    pub passes: opt::Log,
    /// Time to import the model.
    pub import_time: Duration,
    /// Time to optimise and legalize the network.
    pub optimise_time: Duration,
}

/// Makes the network that TensorRT shall build.
///
/// # Errors
/// Every problem of the first stage that has any, all at once.
pub fn prepare(model: &Model, options: &Options) -> Result<Prepared> {
    let start = Instant::now();
    let Imported { network, notes } = import_model(model, &options.import)?;
    let import_time = start.elapsed();

    let start = Instant::now();
    let (network, passes) = finish(network, options)?;
    Ok(Prepared { network, notes, passes, import_time, optimise_time: start.elapsed() })
}

/// Imports a model with constants folded on the way.
pub fn import_model(model: &Model, options: &import::Options) -> Result<Imported> {
    let folder = opt::fold::Folder::default();
    import::import(model, options, &|kind, inputs, outputs| folder.fold(kind, inputs, outputs))
}

/// From the imported network to the one that is emitted: check, optimise, legalize, check.
pub fn finish(network: Network, options: &Options) -> Result<(Checked, opt::Log)> {
    let mut network = valid::check(network)?.into_inner();
    let passes = opt::optimise(&mut network, &options.without_passes, &mut |pass, network| {
        check_after(pass, network)
    })?;
    legalize::legalize(&mut network, options.caps)?;
    Ok((valid::check(network)?, passes))
}

/// In debug builds, charges a broken rule to the pass that broke it.
fn check_after(pass: &str, network: &Network) -> Result<()> {
    if cfg!(debug_assertions) {
        valid::check(network.clone())
            .map_err(|error| error.with_note(format!("found after the pass `{pass}`")))?;
    }
    Ok(())
}

/// Reads the name of an optimisation pass.
///
/// # Errors
/// Another text; it says which passes there are.
pub fn parse_pass(text: &str) -> Result<String, String> {
    let names: Vec<_> = opt::PASSES.iter().map(|pass| pass.name).collect();
    if names.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!("the passes are {}", names.join(", ")))
    }
}
