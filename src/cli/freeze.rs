//! `--freeze` and `--freeze-from`: inputs that become constants, by a value that is written out or by test data.

use crate::error::Result;
use crate::import;
use crate::import::freeze::{self, Frozen};
use crate::onnx::Model;
use crate::tensor::{DType, Tensor};
use crate::verify::data;
use crate::zoo::freezing;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The largest input that `--freeze-from` takes for a shape, axes or bounds.
const MOST_ELEMENTS: usize = 64;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct FreezeArguments {
    /// Make an input a constant, as in `axes=[0,2]` or `k=5`; without a value, the one in --freeze-from
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = freeze::parse)]
    freeze: Vec<Frozen>,
    /// A folder with input_0.pb, …: source of values for --freeze; alone, freezes short lists of whole numbers
    #[arg(long, value_name = "FOLDER")]
    freeze_from: Option<PathBuf>,
}

impl FreezeArguments {
    /// The constants for a model's inputs.
    ///
    /// # Errors
    /// Those of [`freeze::constants`]; whatever [`data::read`] says.
    pub(super) fn options(&self, model: &Model) -> Result<import::Options> {
        let given = self.data(model)?;
        let mut freeze = freeze::constants(&self.freeze, model, &given)?;
        if self.freeze.is_empty() {
            freeze.extend(given.into_iter().filter(|(_, tensor)| is_list_of_whole_numbers(tensor)));
        }
        Ok(import::Options { freeze, ..import::Options::default() })
    }

    /// The test data for each input that has some.
    fn data(&self, model: &Model) -> Result<BTreeMap<String, Tensor>> {
        let Some(folder) = &self.freeze_from else { return Ok(BTreeMap::new()) };
        Ok(freezing::agreed(model, &[data::read(folder)?]))
    }
}

fn is_list_of_whole_numbers(tensor: &Tensor) -> bool {
    (tensor.dtype().is_int() || tensor.dtype() == DType::Bool)
        && tensor.dims().len() <= 1
        && tensor.len() <= MOST_ELEMENTS
}
