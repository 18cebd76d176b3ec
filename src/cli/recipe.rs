//! The recipe of a command, and where the values of its constants come from.

use super::output::Output;
use crate::convert::{Conversion, Given, Source};
use crate::error::{Error, Kind, Result};
use crate::import::Fitted;
use crate::network::Caps;
use crate::onnx::Model;
use crate::recipe::precision::Calibration;
use crate::recipe::{NETWORK, Recipe, TYPES};
use crate::verify::data::{self, DataSet};
use crate::verify::npz;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, clap::Args)]
pub(super) struct RecipeArguments {
    #[command(flatten)]
    pub(super) recipe: Recipe,
    /// A folder with input_0.pb, …, that supplies values for --freeze; without --freeze, freezes
    /// all inputs that are short lists of whole numbers
    #[arg(long, value_name = "FOLDER", help_heading = NETWORK)]
    pub(super) freeze_from: Option<PathBuf>,
    /// Data that --precision chooses types by: a NumPy archive with an array for each input, a
    /// folder of such archives, or one with input_0.pb, … [default: the test data beside the model,
    /// else drawn inputs]
    #[arg(long, value_name = "FILE.npz|FOLDER", help_heading = TYPES)]
    pub(super) calibrate: Option<PathBuf>,
}

impl RecipeArguments {
    /// Refuses what means nothing, before anything is done.
    ///
    /// # Errors
    /// [`Kind::Usage`].
    pub(super) fn check(&self) -> Result<()> {
        self.unused()
    }

    /// The recipe for a model.
    ///
    /// # Errors
    /// Those of [`Given::fit`].
    pub(super) fn fit(&self, model: &Model, caps: Caps) -> Result<Fitted> {
        let given = Given { folder: self.freeze_from.clone(), ..Given::default() };
        given.fit(&self.recipe, model, caps)
    }

    /// Refuses what says how types are chosen where none are.
    fn unused(&self) -> Result<()> {
        let Recipe { keep, within, budget, calibration, .. } = &self.recipe;
        if *calibration != Calibration::default() && self.recipe.precision.eight().is_none() {
            let message = "`--calibration` means nothing where no scales are looked for";
            let hint = "`--precision int8` and `--precision fp8` look for scales";
            return Err(Error::new(Kind::Usage, message).with_hint(hint));
        }
        let options = [
            (within.is_some(), "--within"),
            (!keep.is_empty(), "--keep"),
            (self.calibrate.is_some(), "--calibrate"),
            (budget.is_some(), "--budget"),
        ];
        match options.iter().find(|(given, _)| *given) {
            Some((_, option)) if self.recipe.bound().is_none() => {
                let message = format!("`{option}` means nothing while all layers compute in f32");
                let hint = "name a type with `--precision`";
                Err(Error::new(Kind::Usage, message).with_hint(hint))
            }
            _ => Ok(()),
        }
    }

    /// The data to choose types by: what the user names, else what is beside the model.
    ///
    /// # Errors
    /// Whatever [`data::read`] and [`npz::read`] say.
    pub(super) fn calibration(&self, source: &Source) -> Result<Vec<DataSet>> {
        let Some(path) = &self.calibrate else { return source.data_beside() };
        let inputs = source.inputs();
        if !path.is_dir() {
            return Ok(vec![archive(path, &inputs)?]);
        }
        let entries = std::fs::read_dir(path).map_err(|error| {
            let message = format!("cannot read `{}`", path.display());
            Error::new(Kind::Usage, message).with_source(error)
        })?;
        let mut archives: Vec<PathBuf> =
            entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        archives.retain(|path| path.extension().is_some_and(|extension| extension == "npz"));
        archives.sort();
        if archives.is_empty() {
            let set = data::read_inputs(path).map_err(|error| match error.kind() {
                Kind::Usage => {
                    let message = format!("`{}` holds no data to choose types by", path.display());
                    let hint = "a NumPy archive `*.npz` with an array for each input, or \
                                input_0.pb, input_1.pb, …";
                    Error::new(Kind::Usage, message).with_hint(hint)
                }
                _ => error,
            });
            return Ok(vec![set?]);
        }
        archives.iter().map(|path| archive(path, &inputs)).collect()
    }
}

/// The inputs of an archive as a data set.
fn archive(path: &Path, inputs: &[&str]) -> Result<DataSet> {
    let named = npz::read(path, inputs)?.into_iter();
    let named = named.filter_map(|entry| {
        let tensor = entry.data.tensor().ok()?.clone();
        Some((entry.name, tensor))
    });
    let set = DataSet::of_inputs(&named.collect::<Vec<_>>());
    Ok(DataSet { path: path.to_owned(), label: path.display().to_string(), ..set })
}

/// Chooses types where the recipe asks for that, and tells of it.
pub(super) fn choose(
    conversion: &mut Conversion,
    source: &Source,
    sets: impl FnOnce() -> Result<Vec<DataSet>>,
    output: &mut Output,
) -> Result<()> {
    let recipe = &conversion.fitted.recipe;
    if recipe.bound().is_none() {
        return Ok(());
    }
    output.start("types");
    conversion.choose(source, &sets()?, &super::CANCELLED)?;
    if let Some(found) = &conversion.certificate {
        output.done(&format!(
            "{}; outputs within {} on {}",
            found.layers, found.within, found.chosen_on
        ));
        if found.cut_short {
            output.warning("the time for choosing types was up: `--budget` gives it more");
        }
    }
    for note in &conversion.prepared.type_notes {
        output.note(note);
    }
    Ok(())
}
