//! What computed outputs are compared with: test data, or inputs with ONNX Runtime's outputs.

use super::environment::Environment;
use super::profiles::ProfileArguments;
use crate::error::Result;
use crate::onnx::part::Part;
use crate::pipeline::profile;
use crate::valid::Checked;
use crate::verify::data::{self, DataSet};
use crate::verify::draw::{self, Shapes};
use crate::verify::npz;
use crate::verify::reference::Reference;
use crate::zoo::attempt::shapes_of;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ReferenceArguments {
    /// A folder with input_0.pb, … and output_0.pb, … [default: every test_data_set_N beside the
    /// model]
    #[arg(long, value_name = "FOLDER")]
    data: Vec<PathBuf>,
    /// An archive of NumPy arrays named like the model's inputs; ONNX Runtime gives the outputs
    #[arg(long, value_name = "FILE.npz", conflicts_with = "data")]
    inputs: Option<PathBuf>,
    /// Seeds of the inputs that are drawn where there is no data; ONNX Runtime then gives the
    /// outputs [default: 0,1]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    seed: Vec<u64>,
}

/// The model that is judged.
pub(super) struct Subject<'a> {
    /// Its file.
    pub(super) path: &'a Path,
    /// The part of it that was taken, if not all.
    pub(super) part: Option<&'a Part>,
    /// Names of its inputs, in order.
    pub(super) inputs: &'a [&'a str],
    /// What it became.
    pub(super) network: &'a Checked,
}

impl ReferenceArguments {
    /// The data sets named or found beside the model, else drawn ones with ONNX Runtime's outputs,
    /// at the smallest, the likeliest and the largest shapes of every profile.
    pub(super) fn sets(
        &self,
        subject: &Subject<'_>,
        profiles: &ProfileArguments,
        environment: &Environment,
    ) -> Result<Vec<DataSet>> {
        if let Some(archive) = &self.inputs {
            let inputs = npz::read(archive, subject.inputs)?;
            let what = format!("ONNX Runtime, inputs of {}", archive.display());
            return Ok(vec![draw::referred(&mut subject.reference(environment)?, what, inputs)?]);
        }
        let folders =
            if self.data.is_empty() { data::beside(subject.path) } else { self.data.clone() };
        if !folders.is_empty() {
            return folders.iter().map(|folder| data::read(folder)).collect();
        }
        let mut reference = subject.reference(environment)?;
        let planned = profiles.plan(subject.network, &[])?;
        let samples = profile::samples(&planned, subject.network);
        let seeds = if self.seed.is_empty() { &draw::SEEDS[..] } else { &self.seed };
        let shapes: Vec<Shapes<'_>> = samples.iter().map(shapes_of).collect();
        draw::all(subject.network, &shapes, seeds, &mut reference)
    }
}

impl Subject<'_> {
    fn reference(&self, environment: &Environment) -> Result<Reference> {
        let library = environment.reference()?;
        match self.part {
            None => Reference::open(&library, self.path),
            Some(part) => Reference::of_bytes(&library, "the part of the model", &part.bytes()?),
        }
    }
}
