//! Values from elsewhere for a recipe: of inputs that it makes constants, and what a plan's
//! manifest says of these.

use crate::error::{Error, Kind, Result};
use crate::hash;
use crate::import::Fitted;
use crate::network::Caps;
use crate::onnx::Model;
use crate::recipe::Recipe;
use crate::report::manifest::Frozen;
use crate::tensor::{DType, Tensor};
use crate::verify::data;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The largest input that a folder is taken to give a shape, axes or bounds for.
const MOST_ELEMENTS: usize = 64;

/// What a recipe leaves to be found elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// A folder with input_0.pb, …: values of constants that the recipe only names. Where it names
    /// none, short lists of whole numbers become constants.
    pub folder: Option<PathBuf>,
    /// What the manifest of a plan says of each constant.
    pub recorded: Vec<Frozen>,
    /// The ranges of sizes that the network of a plan was made for.
    pub ranges: Option<BTreeMap<String, [i64; 2]>>,
}

impl Given {
    /// Fits a recipe to a model and a library.
    ///
    /// # Errors
    /// Those of [`Fitted::new`]; whatever [`data::read`] says; [`Kind::Usage`] for other values
    /// than a plan was made with.
    pub fn fit(&self, recipe: &Recipe, model: &Model, caps: Caps) -> Result<Fitted> {
        let given = self.data(model)?;
        let written = |name: &str| {
            recipe.freeze.iter().any(|frozen| frozen.name == name && frozen.literal.is_some())
        };
        let lacks = |frozen: &&Frozen| !written(&frozen.name) && !given.contains_key(&frozen.name);
        if let Some(frozen) = self.recorded.iter().find(lacks) {
            return Err(unlike(frozen, "the manifest does not hold the value of"));
        }
        let mut fitted = Fitted::new(recipe, model, &given, caps)?;
        let is_other = |frozen: &&Frozen| {
            fitted.constants.get(&frozen.name).is_none_or(|tensor| {
                tensor.dims() != frozen.shape || hash::sha256(tensor.bytes()) != frozen.sha256
            })
        };
        if let Some(frozen) = self.recorded.iter().find(is_other) {
            return Err(unlike(frozen, "the plan was made with another value of"));
        }
        if recipe.freeze.is_empty() {
            let lists = given.into_iter().filter(|(_, tensor)| is_list_of_whole_numbers(tensor));
            fitted.constants.extend(lists);
        }
        if let Some(ranges) = &self.ranges {
            fitted.ranges.clone_from(ranges);
        }
        Ok(fitted)
    }

    /// The test data for each input that has some.
    fn data(&self, model: &Model) -> Result<BTreeMap<String, Tensor>> {
        let Some(folder) = &self.folder else { return Ok(BTreeMap::new()) };
        let set = data::read(folder)?;
        let names: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
        let tensors = set.tensors(&names).into_iter();
        Ok(tensors.map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect())
    }
}

/// A constant whose value cannot be that of the plan.
fn unlike(frozen: &Frozen, why: &str) -> Error {
    let Frozen { name, dtype, shape, .. } = frozen;
    Error::new(
        Kind::Usage,
        format!("{why} input `{name}` ({dtype}{shape:?}), which is constant in the plan"),
    )
    .with_hint("name the folder with the data it was made with: `--freeze-from FOLDER`")
}

fn is_list_of_whole_numbers(tensor: &Tensor) -> bool {
    (tensor.dtype().is_int() || tensor.dtype() == DType::Bool)
        && tensor.dims().len() <= 1
        && tensor.len() <= MOST_ELEMENTS
}
