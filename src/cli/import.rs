//! The options that decide on what is imported: which part of a model, with which sizes and constants.

use super::freeze::FreezeArguments;
use super::part::PartArguments;
use super::profiles::ProfileArguments;
use crate::error::Result;
use crate::import;
use crate::onnx::Model;
use std::num::NonZeroU16;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct ImportArguments {
    #[command(flatten)]
    pub(super) profiles: ProfileArguments,
    #[command(flatten)]
    pub(super) part: PartArguments,
    #[command(flatten)]
    freeze: FreezeArguments,
    /// Give NonMaxSuppression N rows whatever it finds, so that its output has a fixed size: those it does not need
    /// hold -1, those beyond N are lost
    #[arg(long, value_name = "N")]
    nms_fixed: Option<NonZeroU16>,
}

impl ImportArguments {
    /// The options for a model.
    ///
    /// # Errors
    /// Names and values that do not fit the model.
    pub(super) fn options(&self, model: &Model) -> Result<import::Options> {
        Ok(import::Options {
            sizes: self.profiles.fixed(model)?,
            names: self.part.names(),
            nms_fixed: self.nms_fixed.map(|rows| rows.get().into()),
            ..self.freeze.options(model)?
        })
    }
}
