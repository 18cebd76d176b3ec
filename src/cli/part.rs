//! `--outputs`, `--from`, `--to`: a part of a model instead of all of it.

use crate::error::{Error, Kind, Result};
use crate::onnx::part::{Feed, Part, Whole};
use crate::onnx::{self, Model};
use crate::report::manifest::Import;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct PartArguments {
    /// Keep only these outputs; NAME=NEW renames one
    #[arg(long, value_name = "NAME[=NEW]", value_delimiter = ',', conflicts_with = "to")]
    outputs: Vec<Wanted>,
    /// Convert only what comes behind these tensors, which become inputs
    #[arg(long, value_name = "TENSOR", value_delimiter = ',')]
    from: Vec<String>,
    /// Convert only what these tensors need, which become the outputs
    #[arg(long, value_name = "TENSOR", value_delimiter = ',')]
    to: Vec<Wanted>,
}

/// A tensor that becomes an output, and its name as one.
#[derive(Debug, Clone)]
struct Wanted {
    tensor: String,
    renamed: Option<String>,
}

impl From<&str> for Wanted {
    /// Reads `NAME` or `NAME=NEW`.
    fn from(text: &str) -> Self {
        let (tensor, renamed) =
            text.rsplit_once('=').map_or((text, None), |(tensor, new)| (tensor, Some(new)));
        Self { tensor: tensor.to_owned(), renamed: renamed.map(str::to_owned) }
    }
}

impl PartArguments {
    /// Those of a plan, by its manifest.
    pub(super) fn recorded(import: &Import) -> Self {
        let wanted = |tensor: &String| Wanted {
            tensor: tensor.clone(),
            renamed: import.names.get(tensor).cloned(),
        };
        Self {
            outputs: Vec::new(),
            from: import.from.clone(),
            to: import.to.iter().map(wanted).collect(),
        }
    }

    /// The model, or the part of it, and the part as a file.
    ///
    /// # Errors
    /// As [`onnx::load`] and [`Whole::part`].
    pub(super) fn load(&self, path: &Path) -> Result<(Model, Option<Part>)> {
        let mut to: Vec<&str> = self.wanted().map(|wanted| wanted.tensor.as_str()).collect();
        if self.from.is_empty() && to.is_empty() {
            return Ok((onnx::load(path)?, None));
        }
        let whole = Whole::open(path)?;
        let from: Vec<_> = self.from.iter().map(|name| (name.as_str(), Feed::Declared)).collect();
        if to.is_empty() {
            to = whole.outputs();
        }
        let unknown = |wanted: &&Wanted| !whole.outputs().contains(&wanted.tensor.as_str());
        if let Some(Wanted { tensor, .. }) = self.outputs.iter().find(unknown) {
            return Err(Error::new(Kind::Usage, format!("the model has no output `{tensor}`"))
                .with_hint("`--to` makes an output of a tensor inside the model"));
        }
        let part = whole.part(&from, &to).map_err(|error| error.in_model(path))?;
        Ok((part.model().map_err(|error| error.in_model(path))?, Some(part)))
    }

    /// New names of outputs.
    pub(super) fn names(&self) -> BTreeMap<String, String> {
        self.wanted()
            .filter_map(|wanted| Some((wanted.tensor.clone(), wanted.renamed.clone()?)))
            .collect()
    }

    /// The tensors where the part begins and ends; empty where the model does.
    pub(super) fn ends(&self) -> (Vec<String>, Vec<String>) {
        (self.from.clone(), self.wanted().map(|wanted| wanted.tensor.clone()).collect())
    }

    fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        self.outputs.iter().chain(&self.to)
    }
}
