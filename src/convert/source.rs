//! A model as it was read: all of it, or the part that a recipe takes.

use crate::error::{Error, Kind, Result};
use crate::files;
use crate::files::place::with_contents;
use crate::onnx::part::{Feed, Part, Whole};
use crate::onnx::{self, Model};
use crate::recipe::{self, Wanted};
use crate::report::manifest::File;
use crate::timings::stage;
use crate::verify::data::{self, DataSet};
use crate::verify::reference::Reference;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A model as it was read.
#[derive(Debug)]
pub struct Source {
    /// Its file.
    pub path: PathBuf,
    /// The model, or the part of it that was taken.
    pub model: Model,
    /// What was taken, by names of tensors.
    pub wanted: recipe::Part,
    part: Option<Part>,
    /// New names of outputs.
    names: BTreeMap<String, String>,
}

/// The model's file, and those with its external data.
pub type ModelFiles = (File, Vec<File>);

impl Source {
    /// Reads a model, or a part of one.
    ///
    /// # Errors
    /// As [`onnx::load`] and [`Whole::part`]; [`Kind::Usage`] for an output that the model does
    /// not have.
    pub fn open(path: &Path, wanted: &recipe::Part) -> Result<Self> {
        let (model, wanted, part) = stage("read", || load(path, wanted))?;
        let names = wanted.names();
        Ok(Self { path: path.to_owned(), model, wanted, part, names })
    }

    /// Names of the inputs, in order.
    pub fn inputs(&self) -> Vec<&str> {
        self.model.graph.inputs.iter().map(|info| &*info.name).collect()
    }

    /// A data set of the model, as far as it says something of what was read: of a part, only one
    /// that names all inputs and outputs of the part does.
    pub fn data(&self, set: DataSet) -> Option<DataSet> {
        if self.part.is_none() {
            return Some(set);
        }
        let outputs = self.model.graph.outputs.iter().map(|info| {
            let name = &*info.name;
            (name, self.names.get(name).map_or(name, String::as_str))
        });
        set.of_part(&self.inputs(), &outputs.collect::<Vec<_>>())
    }

    /// The data sets beside the model that say something of what was read.
    ///
    /// # Errors
    /// Those of [`data::read`].
    pub fn data_beside(&self) -> Result<Vec<DataSet>> {
        let sets = data::beside(&self.path);
        let sets = sets.iter().map(|folder| data::read(folder).map(|set| self.data(set)));
        sets.filter_map(Result::transpose).collect()
    }

    /// All files that are read of the model: its own, external data, and the test data beside it.
    pub fn reads(&self) -> Vec<PathBuf> {
        let own = std::iter::once(&self.path).chain(&self.model.external).cloned();
        let data = data::beside(&self.path);
        own.chain(data.iter().flat_map(|folder| with_contents(folder))).collect()
    }

    /// What was read, to cut parts out of it.
    ///
    /// # Errors
    /// As [`Whole::open`].
    pub fn whole(&self) -> Result<Whole> {
        self.part.as_ref().map_or_else(|| Whole::open(&self.path), |part| Ok(part.whole()))
    }

    /// ONNX Runtime with this model.
    ///
    /// # Errors
    /// As [`Reference::open`].
    pub fn reference(&self, library: &Path) -> Result<Reference> {
        match &self.part {
            None => Reference::open(library, &self.path, &self.model),
            Some(part) => {
                let bytes = part.bytes()?;
                Reference::of_bytes(library, "the part of the model", &bytes, &self.model)
            }
        }
    }

    /// The model's files by name, size and contents.
    ///
    /// # Errors
    /// [`Kind::Environment`] for files that cannot be read.
    pub fn files(&self) -> Result<ModelFiles> {
        stage("hash model", || files::describe_model(&self.path, &self.model.external))
    }
}

/// The files of a model with test data in these folders, as far as they can be told without reading
/// the model: a broken one names no external data.
pub fn files_of(model: &Path, data: &[PathBuf]) -> Vec<PathBuf> {
    let external = onnx::external_files(model).unwrap_or_default();
    let data = data.iter().flat_map(|folder| with_contents(folder));
    std::iter::once(model.to_owned()).chain(external).chain(data).collect()
}

fn load(path: &Path, wanted: &recipe::Part) -> Result<(Model, recipe::Part, Option<Part>)> {
    if wanted.is_all() {
        return Ok((onnx::load(path)?, wanted.clone(), None));
    }
    let whole = Whole::open(path)?;
    let wanted = tensors(wanted, &whole).map_err(|error| error.in_model(path))?;
    let from: Vec<_> = wanted.from.iter().map(|name| (name.as_str(), Feed::Declared)).collect();
    let mut to: Vec<&str> = wanted.wanted().map(|wanted| wanted.tensor.as_str()).collect();
    if to.is_empty() {
        to = whole.outputs();
    }
    let unknown = |wanted: &&Wanted| !whole.outputs().contains(&wanted.tensor.as_str());
    if let Some(Wanted { tensor, .. }) = wanted.outputs.iter().find(unknown) {
        return Err(Error::new(Kind::Usage, format!("the model has no output `{tensor}`"))
            .with_hint("to make a tensor inside the model an output, use `--to`"));
    }
    let part = whole.part(&from, &to).map_err(|error| error.in_model(path))?;
    Ok((part.model().map_err(|error| error.in_model(path))?, wanted, Some(part)))
}

/// The same part, with tensors in place of the nodes that it names.
fn tensors(wanted: &recipe::Part, whole: &Whole) -> Result<recipe::Part> {
    let mut named = wanted.clone();
    for name in named.from.iter_mut().chain(named.to.iter_mut().map(|to| &mut to.tensor)) {
        *name = whole.tensor(name)?;
    }
    Ok(named)
}
