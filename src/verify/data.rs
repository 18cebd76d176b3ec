//! Test data in the layout of ONNX: `test_data_set_N/input_M.pb` and `output_M.pb` beside the
//! model.

use crate::error::{Error, Kind, Result};
use crate::onnx::{self, Constant};
use crate::report::Verification;
use crate::report::limit::Limit;
use crate::report::model::{Fed, Made};
use crate::report::verification::Tolerance;
use crate::tensor::{DType, Tensor};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The most files of one kind that are read from a folder.
const MAX_FILES: usize = 10_000;

/// Inputs and the outputs they should give.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// The folder it comes from, or what was drawn; for messages.
    pub path: PathBuf,
    /// What reports call it: `test_data_set_0`; `max, seed 0`.
    pub label: String,
    /// Where the outputs come from, for reports: the folder's name; `ONNX Runtime`.
    pub source: String,
    /// How far real numbers may be off, where that is not [what is
    /// usual](super::compare::TOLERANCES).
    pub tolerance: Option<Tolerance>,
    /// Limits that count in place of that.
    pub limits: Vec<Limit>,
    /// How far they may be off where nobody says so but the types were chosen by a bound: a share
    /// of the largest number of each output.
    pub within: Option<f64>,
    /// What goes in.
    pub inputs: Vec<Entry>,
    /// What should come out.
    pub outputs: Vec<Entry>,
}

impl DataSet {
    /// Inputs alone.
    pub fn of_inputs(inputs: &[(String, Tensor)]) -> Self {
        let entry = |(name, tensor): &(String, Tensor)| Entry {
            name: name.clone(),
            data: Constant::Tensor(tensor.clone()),
        };
        Self {
            path: PathBuf::new(),
            label: String::new(),
            source: String::new(),
            tolerance: None,
            limits: Vec::new(),
            within: None,
            inputs: inputs.iter().map(entry).collect(),
            outputs: Vec::new(),
        }
    }
}

impl DataSet {
    /// Each of these inputs with the tensor that the data has for it.
    pub fn tensors<'a>(&'a self, inputs: &[&'a str]) -> Vec<(&'a str, &'a Tensor)> {
        let found = inputs.iter().copied().zip(in_order(&self.inputs, inputs));
        found.filter_map(|(name, data)| Some((name, data?.tensor().ok()?))).collect()
    }

    /// What it says of a part of the model, by name: the part's inputs, and its outputs under the
    /// names that they get there. `None` where it does not have them all; by position nothing is
    /// known of a part.
    pub fn of_part(&self, inputs: &[&str], outputs: &[(&str, &str)]) -> Option<Self> {
        let find = |entries: &[Entry], (name, new): (&str, &str)| {
            let entry = entries.iter().find(|entry| entry.name == name)?;
            Some(Entry { name: new.to_owned(), data: entry.data.clone() })
        };
        Some(Self {
            inputs: inputs
                .iter()
                .map(|name| find(&self.inputs, (name, name)))
                .collect::<Option<_>>()?,
            outputs: outputs.iter().map(|of| find(&self.outputs, *of)).collect::<Option<_>>()?,
            ..self.clone()
        })
    }

    /// How reports show a comparison with this data.
    pub fn made<'a>(&'a self, verification: &'a Verification) -> Made<'a> {
        let fed = |entry: &Entry| Fed {
            name: entry.name.clone(),
            dtype: entry.data.element().to_string(),
            shape: entry.data.dims().to_vec(),
        };
        Made {
            label: &self.label,
            reference: &self.source,
            inputs: self.inputs.iter().map(fed).collect(),
            verification,
        }
    }
}

/// One tensor of a data set.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The name in the file; may be empty.
    pub name: String,
    /// The data.
    pub data: Constant,
}

/// The folders `test_data_set_0`, `test_data_set_1`, … beside a model, in order.
pub fn beside(model: &Path) -> Vec<PathBuf> {
    let folder = model.parent().unwrap_or(Path::new(""));
    (0..MAX_FILES)
        .map(|n| folder.join(format!("test_data_set_{n}")))
        .take_while(|path| path.is_dir())
        .collect()
}

/// Reads a folder with `input_0.pb`, … and `output_0.pb`, ….
///
/// # Errors
/// [`Kind::Environment`] where there are no outputs to compare with, and for a file that is no
/// tensor; whatever else [`onnx::read_tensor`] says of a file.
pub fn read(folder: &Path) -> Result<DataSet> {
    let set = read_any(folder)?;
    if set.outputs.is_empty() {
        let message = format!("`{}` holds no output_0.pb to compare with", folder.display());
        return Err(Error::new(Kind::Environment, message));
    }
    Ok(set)
}

/// Reads a folder with `input_0.pb`, …, whether or not it has outputs.
///
/// # Errors
/// [`Kind::Usage`] where there are no inputs; whatever [`onnx::read_tensor`] says of a file.
pub fn read_inputs(folder: &Path) -> Result<DataSet> {
    let set = read_any(folder)?;
    if set.inputs.is_empty() {
        let message = format!("`{}` holds no input_0.pb", folder.display());
        return Err(Error::new(Kind::Usage, message));
    }
    Ok(set)
}

fn read_any(folder: &Path) -> Result<DataSet> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(DataSet {
        path: folder.to_owned(),
        label: name.clone(),
        source: name,
        tolerance: None,
        limits: Vec::new(),
        within: None,
        inputs: entries(folder, "input")?,
        outputs: entries(folder, "output")?,
    })
}

fn entries(folder: &Path, kind: &str) -> Result<Vec<Entry>> {
    (0..MAX_FILES)
        .map(|n| folder.join(format!("{kind}_{n}.pb")))
        .take_while(|path| path.is_file())
        .map(|path| match onnx::read_tensor(&path) {
            Ok((name, data)) => Ok(Entry { name, data }),
            // The model is none the worse for it.
            Err(error) if error.kind() == Kind::Invalid => {
                let message = format!("cannot read the test data `{}`", path.display());
                let note = [error.message()].into_iter().map(str::to_owned);
                let note = note.chain(error.causes_text()).collect::<Vec<_>>().join(": ");
                Err(Error::new(Kind::Environment, message).with_note(note))
            }
            Err(error) => Err(error),
        })
        .collect()
}

/// The entries in the order of `names`: by name where every entry has one of them, or every name an
/// entry; else by position.
///
/// A name without an entry gets `None`.
pub fn in_order<'e>(entries: &'e [Entry], names: &[&str]) -> Vec<Option<&'e Constant>> {
    let mut seen = HashSet::new();
    let known = |name: &str| entries.iter().any(|entry| entry.name == name);
    let named = entries.iter().all(|entry| seen.insert(&entry.name))
        && (entries.iter().all(|entry| names.contains(&entry.name.as_str()))
            || names.iter().all(|name| known(name)));
    let find = |(at, name): (usize, &&str)| {
        let entry =
            if named { entries.iter().find(|entry| entry.name == **name) } else { entries.get(at) };
        entry.map(|entry| &entry.data)
    };
    names.iter().enumerate().map(find).collect()
}

/// A tensor as a network takes it: `f64` is rounded to `f32`.
pub fn at_boundary(tensor: &Tensor) -> Tensor {
    let rounded = || Tensor::of(tensor.dims().to_vec(), tensor.to_f32s()?.into_owned()).ok();
    match tensor.dtype() {
        DType::F64 => rounded().unwrap_or_else(|| tensor.clone()),
        _ => tensor.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_name_or_else_by_position() {
        let entry = |name: &str, value: i64| Entry {
            name: name.into(),
            data: Constant::Tensor(Tensor::scalar(value)),
        };
        let values = |entries: &[Entry], names: &[&str]| -> Vec<Option<i64>> {
            let value = |data: &Constant| data.tensor().unwrap().to_i64s().unwrap()[0];
            in_order(entries, names).into_iter().map(|data| data.map(value)).collect()
        };
        assert_eq!(values(&[entry("b", 2), entry("a", 1)], &["a", "b"]), [Some(1), Some(2)]);
        assert_eq!(values(&[entry("b", 2)], &["a", "b"]), [None, Some(2)]);
        assert_eq!(values(&[entry("", 2), entry("a", 1)], &["a", "b"]), [Some(2), Some(1)]);
        assert_eq!(
            values(&[entry("x", 7), entry("x", 8)], &["a", "b", "c"]),
            [Some(7), Some(8), None]
        );
    }

    #[test]
    fn a_folder_without_outputs_is_no_reference() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path()).unwrap_err();
        assert!(error.message().ends_with("holds no output_0.pb to compare with"));
        assert!(beside(&folder.path().join("model.onnx")).is_empty());
        std::fs::create_dir(folder.path().join("test_data_set_0")).unwrap();
        assert_eq!(beside(&folder.path().join("model.onnx")).len(), 1);
    }
}
