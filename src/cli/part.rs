//! `--outputs`, `--from`, `--to`: a part of a model instead of all of it.

use crate::error::{Error, Kind, Result};
use crate::onnx::part::{Feed, Part, Whole};
use crate::onnx::{self, Model};
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct PartArguments {
    /// Keep only these outputs; NAME=NEW renames one
    #[arg(long, value_name = "NAME[=NEW]", value_delimiter = ',', conflicts_with = "to")]
    outputs: Vec<String>,
    /// Convert only what comes behind these tensors, which become inputs
    #[arg(long, value_name = "TENSOR", value_delimiter = ',')]
    from: Vec<String>,
    /// Convert only what these tensors need, which become the outputs
    #[arg(long, value_name = "TENSOR", value_delimiter = ',')]
    to: Vec<String>,
}

impl PartArguments {
    /// The model, or the part of it, and the part as a file.
    ///
    /// # Errors
    /// As [`onnx::load`] and [`Whole::part`].
    pub(super) fn load(&self, path: &Path) -> Result<(Model, Option<Part>)> {
        if self.outputs.is_empty() && self.from.is_empty() && self.to.is_empty() {
            return Ok((onnx::load(path)?, None));
        }
        let whole = Whole::open(path)?;
        let from: Vec<_> = self.from.iter().map(|name| (name.as_str(), Feed::Declared)).collect();
        let wanted = if self.outputs.is_empty() { &self.to } else { &self.outputs };
        let mut to: Vec<&str> = wanted.iter().map(|text| renamed(text).0).collect();
        if to.is_empty() {
            to = whole.outputs();
        }
        let mut outputs = self.outputs.iter().map(|text| renamed(text).0);
        if let Some(name) = outputs.find(|name| !whole.outputs().contains(name)) {
            return Err(Error::new(Kind::Usage, format!("the model has no output `{name}`"))
                .with_hint("`--to` makes an output of a tensor inside the model"));
        }
        let part = whole.part(&from, &to).map_err(|error| error.in_model(path))?;
        Ok((part.model().map_err(|error| error.in_model(path))?, Some(part)))
    }

    /// New names of outputs.
    pub(super) fn names(&self) -> BTreeMap<String, String> {
        let texts = self.outputs.iter().chain(&self.to);
        texts.filter_map(|text| Some((renamed(text).0.to_owned(), renamed(text).1?.to_owned()))).collect()
    }
}

/// `NAME` or `NAME=NEW`.
fn renamed(text: &str) -> (&str, Option<&str>) {
    text.rsplit_once('=').map_or((text, None), |(name, new)| (name, Some(new)))
}
