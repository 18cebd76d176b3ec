//! `--verify`, `--no-verify`: whether a plan that was just built is run.

use super::environment::Environment;
use super::output::Output;
use super::reference;
use crate::convert::{Conversion, Proof, Source};
use crate::error::{Kind, Result};
use crate::trt::{Device, Library, LogSink};
use crate::verify::draw::Extent;
use std::fs::File;

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Proof")]
pub(super) struct ProofArguments {
    /// Run the plan and compare its outputs with a reference, or fail [default: if this machine
    /// can]
    #[arg(long)]
    verify: bool,
    /// Do not run the plan
    #[arg(long, conflicts_with = "verify")]
    no_verify: bool,
}

impl ProofArguments {
    /// Whether the plan is run and compared, if that can be.
    pub(super) fn compares(&self) -> bool {
        !self.no_verify
    }

    /// The GPU to run the plan on; why there is none, where the user leaves it open. Asked before
    /// anything is built.
    ///
    /// # Errors
    /// [`Kind::Environment`] where the plan shall be run and no GPU can.
    pub(super) fn device(&self, library: &Library) -> Result<std::result::Result<Device, String>> {
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
    /// In place of the device stands why the plan cannot be run.
    ///
    /// # Errors
    /// Those of [`Conversion::prove`]; [`Kind::Environment`] where the plan shall be run and there
    /// is nothing to compare with.
    pub(super) fn prove(
        &self,
        (source, conversion): (&Source, &Conversion),
        (plan, log): (&File, &LogSink),
        (library, device): (&Library, std::result::Result<Device, String>),
        environment: &Environment,
        output: &mut Output,
    ) -> Result<Proof> {
        let device = match device {
            Ok(device) => device,
            Err(why) => return Ok(Proof::none(why)),
        };
        let sets = match reference::beside_or_drawn(source, conversion, Extent::FULL, environment) {
            Err(error) if error.kind() == Kind::Environment && !self.verify => {
                return Ok(Proof::none(error.message().to_owned()));
            }
            sets => sets?,
        };
        output.start("verify");
        let reference = environment.reference().ok();
        let data = (&*sets, reference.as_deref());
        let proof = conversion.prove(source, (library, &device), plan, data, log)?;
        output.done(&proof.text);
        Ok(proof)
    }
}
