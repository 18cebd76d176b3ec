//! The order of the stages, from a model file to a network ready to emit.

use crate::error::Result;
use crate::import::{self, Fitted, Imported};
use crate::legalize;
use crate::network::{Caps, Network};
use crate::onnx::Model;
use crate::opt;
use crate::precision::{self, Applied};
use crate::recipe::{Pass, Recipe};
use crate::timings::stage;
use crate::valid::{self, Checked};

/// A network ready to emit, and how it came about.
#[derive(Debug)]
pub struct Prepared {
    /// The network.
    pub network: Checked,
    /// Things the user should know that are no errors.
    pub notes: Vec<String>,
    /// The network before its types were changed, where the recipe asks for that.
    pub optimized: Option<Network>,
    /// Those of the notes that are about the types.
    pub type_notes: Vec<String>,
    /// What the optimization passes did.
    pub passes: opt::Log,
}

/// Makes the network that TensorRT shall build.
///
/// # Errors
/// Every problem of the first stage that has any, all at once.
pub fn prepare(model: &Model, fitted: &Fitted, caps: Caps) -> Result<Prepared> {
    let Imported { network, notes } = stage("import", || import_model(model, fitted))?;
    let (optimized, passes) =
        stage("optimize", || optimize(network, &fitted.recipe.without_passes))?;
    let kept = fitted.recipe.bound().map(|_| optimized.clone());
    let (network, told) = stage("legalize", || typed(optimized, &fitted.recipe, caps))?;
    Ok(Prepared {
        network,
        notes: notes.into_iter().chain(told.iter().cloned()).collect(),
        optimized: kept,
        type_notes: told,
        passes,
    })
}

/// Imports a model with constants folded on the way.
pub fn import_model(model: &Model, fitted: &Fitted) -> Result<Imported> {
    let folder = opt::fold::Folder::default();
    import::import(model, fitted, &|kind, inputs, outputs| folder.fold(kind, inputs, outputs))
}

/// From the imported network to the one that is emitted: check, optimize, legalize, check.
pub fn finish(network: Network, without: &[Pass], caps: Caps) -> Result<(Checked, opt::Log)> {
    let (network, passes) = optimize(network, without)?;
    Ok((legal(network, caps)?, passes))
}

/// Checks and optimizes an imported network.
fn optimize(network: Network, without: &[Pass]) -> Result<(Network, opt::Log)> {
    let mut network = stage("check", || valid::check(network))?.into_inner();
    let passes =
        opt::optimize(&mut network, without, &mut |pass, network| check_after(pass, network))?;
    Ok((network, passes))
}

/// An optimized network in the types of a recipe, ready to emit, and what the user should know of
/// the types.
///
/// # Errors
/// Those of [`legal`].
pub fn typed(network: Network, recipe: &Recipe, caps: Caps) -> Result<(Checked, Vec<String>)> {
    match precision::apply(&network, recipe, caps)? {
        None => Ok((legal(network, caps)?, Vec::new())),
        Some(Applied { network, notes }) => Ok((legal(network, caps)?, notes)),
    }
}

/// An optimized network as a library can build it.
///
/// # Errors
/// What the library lacks.
pub fn legal(mut network: Network, caps: Caps) -> Result<Checked> {
    legalize::legalize(&mut network, caps)?;
    valid::check(network)
}

/// In debug builds, charges a broken rule to the pass that broke it.
fn check_after(pass: Pass, network: &Network) -> Result<()> {
    if cfg!(debug_assertions) {
        valid::check(network.clone())
            .map_err(|error| error.with_note(format!("found after the pass `{pass}`")))?;
    }
    Ok(())
}
