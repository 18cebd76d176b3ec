//! The recipe of a command, and where the values of its constants come from.

use crate::convert::Given;
use crate::error::Result;
use crate::import::Fitted;
use crate::network::Caps;
use crate::onnx::Model;
use crate::recipe::Recipe;
use std::path::PathBuf;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct RecipeArguments {
    #[command(flatten)]
    pub(super) recipe: Recipe,
    /// A folder with input_0.pb, …, that supplies values for --freeze; without --freeze, freezes
    /// all inputs that are short lists of whole numbers
    #[arg(long, value_name = "FOLDER")]
    pub(super) freeze_from: Option<PathBuf>,
}

impl RecipeArguments {
    /// The recipe for a model.
    ///
    /// # Errors
    /// Those of [`Given::fit`].
    pub(super) fn fit(&self, model: &Model, caps: Caps) -> Result<Fitted> {
        let given = Given { folder: self.freeze_from.clone(), ..Given::default() };
        given.fit(&self.recipe, model, caps)
    }
}
