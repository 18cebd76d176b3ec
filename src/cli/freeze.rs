//! `--freeze` and `--freeze-from`: inputs that become constants, by a value that is written out or
//! by test data.

use crate::error::{Error, Kind, Result};
use crate::hash;
use crate::import;
use crate::import::freeze::{self, Frozen};
use crate::onnx::Model;
use crate::report::manifest;
use crate::tensor::{DType, Tensor};
use crate::verify::data;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The largest input that `--freeze-from` takes for a shape, axes or bounds.
const MOST_ELEMENTS: usize = 64;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct FreezeArguments {
    /// Make an input a constant, as in `axes=[0,2]` or `k=5`; without a value, the one in
    /// --freeze-from
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = freeze::parse)]
    freeze: Vec<Frozen>,
    /// A folder with input_0.pb, …: source of values for --freeze; alone, freezes short lists of
    /// whole numbers
    #[arg(long, value_name = "FOLDER")]
    pub(super) freeze_from: Option<PathBuf>,
    /// What the manifest of a plan says of each constant
    #[arg(skip)]
    recorded: Vec<manifest::Frozen>,
}

impl FreezeArguments {
    /// Those of a plan, by its manifest; `data` is a folder with the values that it does not hold.
    pub(super) fn recorded(recorded: &[manifest::Frozen], data: Option<PathBuf>) -> Self {
        let constant = |manifest::Frozen { name, shape, values, .. }: &manifest::Frozen| {
            Frozen::new(name.clone(), shape.clone(), values.clone())
        };
        Self {
            freeze: recorded.iter().map(constant).collect(),
            freeze_from: data,
            recorded: recorded.to_vec(),
        }
    }

    /// The constants for a model's inputs.
    ///
    /// # Errors
    /// Those of [`freeze::constants`]; whatever [`data::read`] says; [`Kind::Usage`] for other
    /// values than a plan was made with.
    pub(super) fn options(&self, model: &Model) -> Result<import::Options> {
        let given = self.data(model)?;
        let lacks = |frozen: &&manifest::Frozen| {
            frozen.values.is_none() && !given.contains_key(&frozen.name)
        };
        if let Some(frozen) = self.recorded.iter().find(lacks) {
            return Err(unlike(frozen, "the manifest does not hold the value of"));
        }
        let mut freeze = freeze::constants(&self.freeze, model, &given)?;
        let is_other = |frozen: &&manifest::Frozen| {
            freeze.get(&frozen.name).is_none_or(|tensor| {
                tensor.dims() != frozen.shape || hash::sha256(tensor.bytes()) != frozen.sha256
            })
        };
        if let Some(frozen) = self.recorded.iter().find(is_other) {
            return Err(unlike(frozen, "the plan was made with another value of"));
        }
        if self.freeze.is_empty() {
            freeze.extend(given.into_iter().filter(|(_, tensor)| is_list_of_whole_numbers(tensor)));
        }
        Ok(import::Options { freeze, ..import::Options::default() })
    }

    /// The test data for each input that has some.
    fn data(&self, model: &Model) -> Result<BTreeMap<String, Tensor>> {
        let Some(folder) = &self.freeze_from else { return Ok(BTreeMap::new()) };
        let set = data::read(folder)?;
        let names: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
        let found = names.iter().zip(data::in_order(&set.inputs, &names));
        Ok(found
            .filter_map(|(name, data)| Some(((*name).to_owned(), data?.tensor().ok()?.clone())))
            .collect())
    }
}

/// A constant whose value cannot be that of the plan.
fn unlike(frozen: &manifest::Frozen, why: &str) -> Error {
    let manifest::Frozen { name, dtype, shape, .. } = frozen;
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
