//! What computed outputs are compared with: test data, or inputs with ONNX Runtime's outputs.

use super::environment::Environment;
use crate::convert::{Conversion, Source};
use crate::error::{Error, Kind, Result};
use crate::profiles::Data;
use crate::verify::data::{self, DataSet};
use crate::verify::draw::{self, Extent};
use crate::verify::npz;
use crate::verify::steps;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Data to compare with")]
pub(super) struct ReferenceArguments {
    /// A folder with input_0.pb, … and output_0.pb, … [default: every test_data_set_N next to the
    /// model]
    #[arg(long, value_name = "FOLDER")]
    data: Vec<PathBuf>,
    /// A NumPy archive (.npz) with an array for each input, by name; ONNX Runtime computes the
    /// expected outputs
    #[arg(long, value_name = "FILE.npz", conflicts_with = "data")]
    inputs: Option<PathBuf>,
    /// Draw random inputs with these seeds instead of taking test data; ONNX Runtime computes the
    /// expected outputs [default: 0,1 if there is no test data]
    #[arg(long, value_name = "N", value_delimiter = ',', conflicts_with_all = ["data", "inputs"])]
    seed: Vec<u64>,
    /// If inputs are drawn, draw them in the likeliest shapes only, with one seed
    #[arg(long, conflicts_with = "seed")]
    quick: bool,
    /// Let the model generate: after each data set N more steps, of which each takes what the one
    /// before gave, as ONNX Runtime computes it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    steps: Option<u16>,
}

impl ReferenceArguments {
    /// The files and folders that are named.
    pub(super) fn names(&self) -> impl Iterator<Item = &PathBuf> {
        self.data.iter().chain(&self.inputs)
    }

    /// The data sets named or found beside the model, else drawn ones with ONNX Runtime's outputs,
    /// at the smallest, the likeliest and the largest shapes of every profile.
    ///
    /// # Errors
    /// Whatever [`data::read`], [`npz::read`] and ONNX Runtime say.
    pub(super) fn sets(
        &self,
        source: &Source,
        conversion: &mut Conversion,
        environment: &Environment,
    ) -> Result<Vec<DataSet>> {
        let mut sets = self.first(source, conversion, environment)?;
        if let Some(steps) = self.steps {
            let mut reference = source.reference(&environment.reference()?)?;
            let inputs = source.inputs();
            for first in std::mem::take(&mut sets) {
                let more = steps::following(&mut reference, &first, &inputs, steps.into())?;
                sets.push(first);
                sets.extend(more);
            }
        }
        Ok(sets)
    }

    /// The same without further steps.
    fn first(
        &self,
        source: &Source,
        conversion: &mut Conversion,
        environment: &Environment,
    ) -> Result<Vec<DataSet>> {
        if let Some(archive) = &self.inputs {
            let inputs = npz::read(archive, &source.inputs())?;
            let what = format!("ONNX Runtime, inputs of {}", archive.display());
            let mut reference = source.reference(&environment.reference()?)?;
            return Ok(vec![draw::referred(&mut reference, what, inputs)?]);
        }
        if !self.data.is_empty() {
            return self.data.iter().map(|folder| named(source, folder)).collect();
        }
        if self.seed.is_empty() {
            let sets = source.data_beside()?;
            if !sets.is_empty() {
                return Ok(sets);
            }
        }
        conversion.plan(&Data::default())?;
        let usual = if self.quick { Extent::QUICK } else { Extent::FULL };
        let seeds = if self.seed.is_empty() { usual.seeds } else { &self.seed };
        conversion
            .drawn(Extent { seeds, ..usual }, &mut source.reference(&environment.reference()?)?)
    }
}

/// A data set that the user names.
fn named(source: &Source, folder: &Path) -> Result<DataSet> {
    source.data(data::read(folder)?).ok_or_else(|| {
        let folder = folder.display();
        let message = format!("`{folder}` does not name all inputs and outputs of the part");
        Error::new(Kind::Usage, message)
            .with_hint("without `--data`, ONNX Runtime gives the outputs for drawn inputs")
    })
}

/// The test data beside a model, else inputs drawn in the shapes that are planned.
///
/// # Errors
/// Whatever [`data::read`] and ONNX Runtime say.
pub(super) fn beside_or_drawn(
    source: &Source,
    conversion: &Conversion,
    extent: Extent<'_>,
    environment: &Environment,
) -> Result<Vec<DataSet>> {
    let sets = source.data_beside()?;
    if sets.is_empty() {
        return conversion.drawn(extent, &mut source.reference(&environment.reference()?)?);
    }
    Ok(sets)
}
