//! Whether a plan that was just built is right: run here, where a GPU can run it.

use super::{Conversion, Loaded, Source};
use crate::error::{Error, Kind, Result};
use crate::mapped;
use crate::report::Verification;
use crate::report::manifest::Verdict;
use crate::trt::{Device, Library, LogSink};
use crate::verify;
use crate::verify::data::DataSet;
use std::fs::File;
use std::path::Path;

/// What is known of a plan's numbers.
#[derive(Debug)]
pub struct Proof {
    /// How each data set compares.
    pub verifications: Vec<Verification>,
    /// On one line, what the plan was compared with, or why it was not.
    pub text: String,
}

impl Proof {
    /// No numbers were compared.
    pub fn none(why: String) -> Self {
        Self { verifications: Vec::new(), text: why }
    }

    /// What manifests say.
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.verifications.iter().map(|verification| verification.verdict);
        verdicts.max().map_or(Verdict::NotRun, Verdict::from)
    }

    /// Why the plan is not proven right, if it is not.
    pub fn objection(&self) -> Option<Error> {
        verify::objection(&self.verifications)
    }
}

fn counted(sets: usize) -> String {
    if sets == 1 { "1 data set".to_owned() } else { format!("{sets} data sets") }
}

impl Conversion {
    /// Runs a plan in a file on data sets and compares. `reference` is ONNX Runtime's library,
    /// where there is one: see [`Source::judged`].
    ///
    /// # Errors
    /// Whatever TensorRT and CUDA say of the run. Numbers that differ are in the [`Proof`].
    pub fn prove(
        &self,
        source: &Source,
        gpu: (&Library, &Device),
        plan: &File,
        (sets, reference): (&[DataSet], Option<&Path>),
        log: &LogSink,
    ) -> Result<Proof> {
        let plan = mapped::map(plan).map_err(|error| {
            Error::new(Kind::Environment, "cannot read the plan back").with_source(error)
        })?;
        let mut loaded = Loaded::load(gpu, &plan, log)?;
        let mut sets = sets.to_vec();
        for set in &mut sets {
            set.within = self.fitted.recipe.bound();
        }
        let mut judge = |sets: &[DataSet]| loaded.judge(self, &source.inputs(), sets);
        let verifications = source.judged(reference, &sets, &mut judge)?;
        let text = format!("{} on {}", counted(verifications.len()), gpu.1.info()?.name);
        Ok(Proof { verifications, text })
    }
}
