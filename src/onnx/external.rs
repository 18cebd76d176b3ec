//! Tensor data in files beside the model.
//!
//! A model names these files itself, so a hostile one could name any file: only regular files inside the model's
//! folder are opened, after following links.

use super::file;
use super::pb;
use bytes::Bytes;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// Why external data cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExternalError {
    #[error("external data has no `location`")]
    NoLocation,
    #[error("external data has the {key} `{value}`, which is no number of bytes")]
    NoNumber { key: &'static str, value: String },
    #[error("external data file `{location}` is outside the model's folder: {why}")]
    Outside { location: String, why: &'static str },
    #[error("cannot read external data file `{location}`: {reason}")]
    Unreadable { location: String, reason: String },
    #[error("external data file `{0}` is a Git LFS pointer")]
    LfsPointer(String),
    #[error("external data is bytes {offset} to {end} of `{location}`, which has {size} bytes")]
    BehindEnd { location: String, offset: usize, end: String, size: usize },
    /// The file's error has been reported with another tensor.
    #[error("external data file `{0}` cannot be used either")]
    Again(String),
}

/// The files beside a model, each mapped once.
pub(super) struct Folder {
    path: PathBuf,
    files: HashMap<String, Result<Bytes, ExternalError>>,
}

impl Folder {
    /// The folder of a model; nothing is read yet.
    pub(super) fn new(path: &Path) -> Self {
        // A model called `model.onnx` has the parent "".
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Self { path: path.to_owned(), files: HashMap::new() }
    }

    /// The bytes that `entries` (`TensorProto.external_data`) point to: `length` of them, or `expected` where the
    /// entries do not say.
    pub(super) fn read(
        &mut self,
        entries: &[pb::StringStringEntryProto],
        expected: usize,
    ) -> Result<Bytes, ExternalError> {
        let entry = |key| entries.iter().find(|entry| entry.key() == key).map(pb::StringStringEntryProto::value);
        let number = |key| match entry(key) {
            None => Ok(None),
            Some(text) => match text.parse::<usize>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(ExternalError::NoNumber { key, value: text.to_owned() }),
            },
        };
        let location = entry("location").ok_or(ExternalError::NoLocation)?;
        let offset = number("offset")?.unwrap_or(0);
        let length = number("length")?.unwrap_or(expected);
        let bytes = self.file(location)?;
        let end = offset.checked_add(length);
        match end {
            Some(end) if end <= bytes.len() => Ok(bytes.slice(offset..end)),
            _ => Err(ExternalError::BehindEnd {
                location: location.to_owned(),
                offset,
                end: end.map_or_else(|| format!("{offset} + {length}"), |end| end.to_string()),
                size: bytes.len(),
            }),
        }
    }

    fn file(&mut self, location: &str) -> Result<Bytes, ExternalError> {
        if let Some(known) = self.files.get(location) {
            return known.clone();
        }
        let result = self.open(location);
        let kept = result.clone().map_err(|_| ExternalError::Again(location.to_owned()));
        self.files.insert(location.to_owned(), kept);
        result
    }

    fn open(&self, location: &str) -> Result<Bytes, ExternalError> {
        let outside = |why| ExternalError::Outside { location: location.to_owned(), why };
        let unreadable = |error: std::io::Error| ExternalError::Unreadable {
            location: location.to_owned(),
            reason: file::reason(&error),
        };
        for component in Path::new(location).components() {
            match component {
                Component::Normal(_) | Component::CurDir => {}
                Component::ParentDir => return Err(outside("its path has `..`")),
                Component::RootDir | Component::Prefix(_) => return Err(outside("its path is absolute")),
            }
        }
        let folder = self.path.canonicalize().map_err(unreadable)?;
        let path = folder.join(location).canonicalize().map_err(unreadable)?;
        if !path.starts_with(&folder) {
            return Err(outside("a link leads out"));
        }
        let bytes = file::map(&path).map_err(unreadable)?;
        if file::is_lfs_pointer(&bytes) {
            return Err(ExternalError::LfsPointer(location.to_owned()));
        }
        Ok(bytes)
    }
}
