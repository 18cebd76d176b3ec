//! Finding models: `model.onnx` or any `.onnx` file below a folder, each with the `test_data_set_*` beside it.

use crate::error::{Error, Kind, Result};
use crate::verify::data;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A model that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path below the place where the search began, without `/model.onnx` or `.onnx`.
    pub name: String,
    /// The file.
    pub model: PathBuf,
    /// Folders with its test data.
    pub data: Vec<PathBuf>,
}

/// How deep folders are searched.
const MAX_DEPTH: usize = 16;

/// The models at these paths, sorted by name: files, or folders that are searched.
///
/// # Errors
/// [`Kind::Usage`] for a path that does not exist; [`Kind::Environment`] for one that cannot be read.
pub fn models(paths: &[PathBuf]) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for path in paths {
        let metadata = std::fs::metadata(path)
            .map_err(|error| Error::new(Kind::Usage, format!("cannot read `{}`", path.display())).with_source(error))?;
        if metadata.is_dir() {
            search(path, path, 0, &mut found)?;
        } else {
            let root = path.parent().unwrap_or(Path::new(""));
            found.push(model(root, path));
        }
    }
    found.sort_by(|a, b| (&a.name, &a.model).cmp(&(&b.name, &b.model)));
    found.dedup_by(|a, b| a.model == b.model);
    // Below different places two models may be called the same: each name is used once.
    let counts = found.iter().fold(HashMap::new(), |mut counts: HashMap<String, usize>, each| {
        *counts.entry(each.name.clone()).or_default() += 1;
        counts
    });
    for each in &mut found {
        if counts.get(&each.name).is_some_and(|&count| count > 1) {
            each.name = each.model.display().to_string();
        }
    }
    Ok(found)
}

/// A path as reports show it: relative to the folder that the command runs in, where it is below that.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

/// The models below a folder, named by their paths below `root`.
pub(super) fn search(root: &Path, folder: &Path, depth: usize, found: &mut Vec<Found>) -> Result<()> {
    let unreadable = |error: std::io::Error| {
        Error::new(Kind::Environment, format!("cannot read `{}`", folder.display())).with_source(error)
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
        if kind.is_dir() && depth < MAX_DEPTH {
            search(root, &path, depth + 1, found)?;
        } else if path.extension().is_some_and(|extension| extension == "onnx") && path.is_file() {
            found.push(model(root, &path));
        }
    }
    Ok(())
}

/// The model in a file, named by its path below `root`.
pub(super) fn model(root: &Path, path: &Path) -> Found {
    let below = path.strip_prefix(root).unwrap_or(path);
    let named = if below.file_name().is_some_and(|name| name == "model.onnx") { below.parent() } else { None };
    let name = match named {
        // The folder of the model was named itself.
        Some(name) if name == Path::new("") => root.file_name().map_or_else(|| below.into(), PathBuf::from),
        Some(name) => name.to_owned(),
        None => below.with_extension(""),
    };
    Found { name: name.display().to_string(), model: path.to_owned(), data: data::beside(path) }
}
