//! Files as shared bytes.

use super::window::Window;
use crate::error::{Error, Kind};
use crate::mapped;
use bytes::Bytes;
use std::fs::File;
use std::io;
use std::path::Path;

/// Maps the regular file at `path`.
pub(super) fn map(path: &Path) -> io::Result<Bytes> {
    mapped::map(&regular(path)?)
}

/// Maps the regular file at `path` for a decoder.
pub(super) fn open(path: &Path) -> io::Result<Window> {
    let file = regular(path)?;
    Ok(Window::of_file(mapped::map(&file)?, file))
}

fn regular(path: &Path) -> io::Result<File> {
    // Asked before opening: opening a pipe would wait for its other end.
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        // A zoo has a folder in the place of the models that it cannot see there: this says why.
        std::fs::read_dir(path)?;
    }
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    File::open(path)
}

/// The error for a file named by the user that [`map`] could not map.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::InvalidInput => Kind::Usage,
        _ => Kind::Environment,
    };
    Error::new(kind, format!("cannot read `{}`: {}", path.display(), reason(error)))
}

/// What the system says, without its number.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// How the stand-in begins that Git LFS leaves where the real file was not fetched.
pub(super) const LFS_POINTER_START: &[u8] = b"version https://git-lfs";

/// Whether the file is a stand-in that Git LFS leaves where the real file was not fetched.
pub(super) fn is_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.starts_with(LFS_POINTER_START)
}

/// The way out for [`is_lfs_pointer`].
pub(super) const LFS_HINT: &str = "`git lfs pull` fetches the file itself";
