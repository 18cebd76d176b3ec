//! Whether a plan that was just built is right: run here, where a GPU can run it.

use super::environment::Environment;
use super::machine::Loaded;
use super::output::Output;
use super::profiles::ProfileArguments;
use super::reference::{ReferenceArguments, Subject};
use crate::error::{Error, Kind, Result};
use crate::mapped;
use crate::trt::{Device, Library, LogSink};
use crate::verify;
use std::fs::File;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct ProofArguments {
    /// Run the plan and compare its outputs with a reference [default: where this machine can]
    #[arg(long)]
    verify: bool,
    /// Do not run the plan
    #[arg(long, conflicts_with = "verify")]
    no_verify: bool,
}

/// What is known of a plan's numbers.
pub(super) struct Proof {
    /// `verified`, `differs` or `not run`, for manifests and `--json`.
    pub(super) verdict: &'static str,
    /// On one line, what it was compared with, or why it was not.
    pub(super) text: String,
    /// What differs, if anything.
    pub(super) error: Option<Error>,
}

/// A plan to prove, with what it came from.
pub(super) struct Claim<'a> {
    pub(super) library: &'a Library,
    pub(super) plan: &'a File,
    pub(super) subject: Subject<'a>,
    pub(super) profiles: &'a ProfileArguments,
    pub(super) log: LogSink,
}

impl ProofArguments {
    /// The GPU to run the plan on; why there is none, where the user leaves it open. Asked before
    /// anything is built.
    ///
    /// # Errors
    /// [`Kind::Environment`] where the plan shall be run and no GPU can.
    pub(super) fn device(&self, library: &Library) -> Result<Result<Device, String>> {
        if self.no_verify {
            return Ok(Err("`--no-verify` says so".to_owned()));
        }
        match Device::open().and_then(|device| device.fits(library).map(|()| device)) {
            Ok(device) => Ok(Ok(device)),
            Err(error) if self.verify => Err(error),
            Err(error) => Ok(Err(error.message().to_owned())),
        }
    }

    /// Runs the plan on the model's test data, or on drawn inputs where ONNX Runtime is there.
    ///
    /// # Errors
    /// Whatever TensorRT and CUDA say of the run; [`Kind::Environment`] where the plan shall be run
    /// and there is nothing to compare with. Numbers that differ are in the [`Proof`].
    pub(super) fn prove(
        &self,
        claim: &Claim<'_>,
        device: std::result::Result<Device, String>,
        environment: &Environment,
        output: &mut Output,
    ) -> Result<Proof> {
        let not_run = |text: String| Proof { verdict: "not run", text, error: None };
        let device = match device {
            Ok(device) => device,
            Err(why) => return Ok(not_run(why)),
        };
        let sets =
            match ReferenceArguments::default().sets(&claim.subject, claim.profiles, environment) {
                Ok(sets) => sets,
                Err(error) if error.kind() == Kind::Environment && !self.verify => {
                    return Ok(not_run(error.message().to_owned()));
                }
                Err(error) => return Err(error),
            };
        output.start("verify");
        let plan = mapped::map(claim.plan).map_err(|error| {
            Error::new(Kind::Environment, "cannot read the plan back").with_source(error)
        })?;
        let mut loaded = Loaded::load(claim.library, &device, &plan, &claim.log)?;
        let network = claim.subject.network;
        let judged = sets.iter().map(|set| loaded.judge(network, claim.subject.inputs, set));
        let judged = judged.collect::<Result<Vec<_>>>()?;
        let text = format!("{} data sets on {}", judged.len(), device.info()?.name);
        output.done(&text);
        let error = judged.iter().find_map(verify::mismatch);
        Ok(Proof { verdict: if error.is_none() { "verified" } else { "differs" }, text, error })
    }
}
