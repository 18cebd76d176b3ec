//! The options that decide on what is imported: which part of a model, with which sizes and
//! constants.

use super::freeze::FreezeArguments;
use super::part::PartArguments;
use super::profiles::ProfileArguments;
use crate::error::Result;
use crate::import;
use crate::onnx::Model;
use crate::report::manifest::{Binding, Import};
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct ImportArguments {
    #[command(flatten)]
    pub(super) profiles: ProfileArguments,
    #[command(flatten)]
    pub(super) part: PartArguments,
    #[command(flatten)]
    freeze: FreezeArguments,
    /// Give NonMaxSuppression N rows whatever it finds, so that its output has a fixed size: those
    /// it does not need hold -1, those beyond N are lost
    #[arg(long, value_name = "N")]
    nms_fixed: Option<NonZeroU16>,
    /// Allow N iterations to a Loop that collects values and has no limit of its own: TensorRT must
    /// know how many those are at most, and what goes on after N is cut off
    #[arg(long, value_name = "N")]
    max_trip: Option<NonZeroU32>,
}

impl ImportArguments {
    /// Those of a plan, by its manifest. `data` is a folder with the values of inputs made constant
    /// that it does not hold.
    pub(super) fn recorded(
        import: &Import,
        inputs: &[Binding],
        data: Option<PathBuf>,
    ) -> Result<Self, String> {
        let rows = |rows: usize| {
            let fixed = u16::try_from(rows).ok().and_then(NonZeroU16::new);
            fixed.ok_or_else(|| format!("`nms_fixed` is {rows}, not 1 to {}", u16::MAX))
        };
        let most = |most| NonZeroU32::new(most).ok_or_else(|| "`max_trip` is 0".to_owned());
        Ok(Self {
            profiles: ProfileArguments::recorded(import, inputs),
            part: PartArguments::recorded(import),
            freeze: FreezeArguments::recorded(&import.frozen, data),
            nms_fixed: import.nms_fixed.map(rows).transpose()?,
            max_trip: import.max_trip.map(most).transpose()?,
        })
    }

    /// The folder of `--freeze-from`.
    pub(super) fn freeze_from(&self) -> Option<&PathBuf> {
        self.freeze.freeze_from.as_ref()
    }

    /// The options for a model.
    ///
    /// # Errors
    /// Names and values that do not fit the model.
    pub(super) fn options(&self, model: &Model) -> Result<import::Options> {
        Ok(import::Options {
            sizes: self.profiles.fixed(model)?,
            ranges: self.profiles.ranges(model),
            names: self.part.names(),
            nms_fixed: self.nms_fixed.map(|rows| rows.get().into()),
            max_trip: self.max_trip.map(NonZeroU32::get),
            ..self.freeze.options(model)?
        })
    }
}
