//! Tensor data in files beside the model.
//!
//! A model names these files itself, so a hostile one could name any file: only regular files
//! inside the model's folder are opened, after following links.

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
    /// By their paths without links, for one file can be named in several ways.
    maps: HashMap<PathBuf, Bytes>,
}

impl Folder {
    /// The folder of a model; nothing is read yet.
    pub(super) fn new(path: &Path) -> Self {
        // A model called `model.onnx` has the parent "".
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Self { path: path.to_owned(), files: HashMap::new(), maps: HashMap::new() }
    }

    /// The bytes that `entries` (`TensorProto.external_data`) point to: `length` of them, or
    /// `expected` where the entries do not say.
    pub(super) fn read(
        &mut self,
        entries: &[pb::StringStringEntryProto],
        expected: usize,
    ) -> Result<Bytes, ExternalError> {
        let entry = |key| {
            entries.iter().find(|entry| entry.key() == key).map(pb::StringStringEntryProto::value)
        };
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

    /// The files that were read, sorted.
    pub(super) fn read_files(&self) -> Vec<PathBuf> {
        let read = self.files.iter().filter(|(_, bytes)| bytes.is_ok());
        let mut paths: Vec<PathBuf> = read.map(|(location, _)| self.path.join(location)).collect();
        paths.sort();
        paths
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

    fn open(&mut self, location: &str) -> Result<Bytes, ExternalError> {
        let outside = |why| ExternalError::Outside { location: location.to_owned(), why };
        let unreadable = |error: std::io::Error| ExternalError::Unreadable {
            location: location.to_owned(),
            reason: file::reason(&error),
        };
        stays_inside(location).map_err(outside)?;
        let folder = self.path.canonicalize().map_err(unreadable)?;
        let path = folder.join(location).canonicalize().map_err(unreadable)?;
        if !path.starts_with(&folder) {
            return Err(outside("a link leads out"));
        }
        if let Some(known) = self.maps.get(&path) {
            return Ok(known.clone());
        }
        let bytes = file::map(&path).map_err(unreadable)?;
        if file::is_lfs_pointer(&bytes) {
            return Err(ExternalError::LfsPointer(location.to_owned()));
        }
        self.maps.insert(path, bytes.clone());
        Ok(bytes)
    }
}

/// Whether the path of a location leads nowhere but into the model's folder, links aside; else why
/// not.
pub(super) fn stays_inside(location: &str) -> Result<(), &'static str> {
    for component in Path::new(location).components() {
        match component {
            Component::Normal(_) | Component::CurDir => {}
            Component::ParentDir => return Err("its path has `..`"),
            Component::RootDir | Component::Prefix(_) => return Err("its path is absolute"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{external, floats, graph, model, problems, read_in};
    use super::super::{Model, pb};
    use super::*;
    use crate::error::Result;

    /// A folder with a model's data, beside a secret.
    fn folder() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let inside = root.path().join("net");
        std::fs::create_dir_all(inside.join("sub")).unwrap();
        std::fs::write(root.path().join("secret"), [0; 64]).unwrap();
        let data: Vec<u8> = (0..16u8).flat_map(|i| f32::from(i).to_le_bytes()).collect();
        std::fs::write(inside.join("sub/w.bin"), data).unwrap();
        std::fs::write(inside.join("lfs"), "version https://git-lfs\noid sha256:0\n").unwrap();
        std::os::unix::fs::symlink("sub/w.bin", inside.join("link_in")).unwrap();
        std::os::unix::fs::symlink("../secret", inside.join("link_out")).unwrap();
        root
    }

    fn load(root: &Path, tensors: Vec<pb::TensorProto>) -> Result<Model, crate::Error> {
        let main = pb::GraphProto { initializer: tensors, ..graph("", "w", vec![]) };
        read_in(&model(main), &root.join("net"))
    }

    #[test]
    fn files_are_mapped_once_and_sliced() {
        let root = folder();
        let tensors = vec![
            external(
                "v",
                &[2],
                &[("location", "sub/w.bin"), ("offset", "8"), ("length", "8"), ("checksum", "x")],
            ),
            external("w", &[16], &[("location", "sub/w.bin")]),
            external("z", &[0], &[("location", "./link_in"), ("offset", "64")]),
            external("u", &[2], &[("location", "./link_in"), ("offset", "8")]),
        ];
        let model = load(root.path(), tensors).unwrap();
        let tensor = |i: usize| model.graph.initializers[i].tensor.tensor().unwrap();
        assert_eq!(tensor(0).to_f32s().unwrap().as_ref(), [2.0, 3.0]);
        assert_eq!(tensor(1).bytes().slice(8..16).as_ptr(), tensor(0).bytes().as_ptr());
        assert!(tensor(2).is_empty());
        assert_eq!(tensor(3).bytes().as_ptr(), tensor(0).bytes().as_ptr(), "it is one map");
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        let root = folder();
        let pipe = root.path().join("net/pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let absolute = root.path().join("net/sub/w.bin").to_string_lossy().into_owned();
        let file = ("location", "sub/w.bin");
        let cases: [(&[(&str, &str)], &str); 14] = [
            (&[], "external data has no `location`"),
            (
                &[("location", &absolute)],
                "external data file `ABSOLUTE` is outside the model's folder: its path is absolute",
            ),
            (
                &[("location", "../secret")],
                "external data file `../secret` is outside the model's folder: its path has `..`",
            ),
            (
                &[("location", "sub/../x")],
                "external data file `sub/../x` is outside the model's folder: its path has `..`",
            ),
            (
                &[("location", "link_out")],
                "external data file `link_out` is outside the model's folder: a link leads out",
            ),
            (
                &[("location", "gone")],
                "cannot read external data file `gone`: No such file or directory",
            ),
            (
                &[("location", "sub")],
                "cannot read external data file `sub`: it is not a regular file",
            ),
            (&[("location", "")], "cannot read external data file ``: it is not a regular file"),
            (
                &[("location", "pipe")],
                "cannot read external data file `pipe`: it is not a regular file",
            ),
            (&[("location", "lfs")], "external data file `lfs` is a Git LFS pointer"),
            (
                &[file, ("offset", "-5")],
                "external data has the offset `-5`, which is no number of bytes",
            ),
            (&[file, ("length", "7")], "f32[2] takes 8 bytes, but there are 7"),
            (
                &[file, ("offset", "60")],
                "external data is bytes 60 to 68 of `sub/w.bin`, which has 64 bytes",
            ),
            (
                &[file, ("offset", "18446744073709551615")],
                "external data is bytes 18446744073709551615 to 18446744073709551615 + 8 of \
                 `sub/w.bin`, which has 64 bytes",
            ),
        ];
        for (entries, expected) in cases {
            let found = problems(load(root.path(), vec![external("w", &[2], entries)]));
            let expected = expected.replace("ABSOLUTE", &absolute);
            assert_eq!(found, [format!("`w` (initializer): {expected}")]);
        }
    }

    #[test]
    fn a_broken_file_is_reported_once() {
        let root = folder();
        let gone = [("location", "gone"), ("length", "8")];
        let tensors =
            vec![external("v", &[2], &gone), external("w", &[2], &gone), floats("u", &[3], &[0.0])];
        let found = problems(load(root.path(), tensors));
        assert_eq!(
            found,
            [
                "`v` (initializer): cannot read external data file `gone`: No such file or \
                 directory",
                "`u` (initializer): f32[3] takes 12 bytes, but there are 4",
            ]
        );
    }
}
