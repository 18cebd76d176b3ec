//! Where outputs go: never over what was read, and never in the place of what is no file.

use super::{cannot_write, persist_plan, temporary_beside, with_suffix};
use crate::error::{Error, Kind, Result};
use crate::report::manifest::Manifest;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Seek, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Where a plan goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// To whoever reads this process's output.
    Stdout,
    /// Into a pipe or a device that has a name.
    Stream(PathBuf),
    /// Into a file, which it makes or replaces.
    File(PathBuf),
}

impl Place {
    /// The place that a path names; `-` is stdout.
    ///
    /// # Errors
    /// [`Kind::Environment`] for folders, disks and sockets; [`Kind::Usage`] for a terminal.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            if io::stdout().is_terminal() {
                let error = Error::new(Kind::Usage, "a plan is nothing for a terminal to show");
                return Err(error.with_hint("send stdout to a file or to another program"));
            }
            return Ok(Self::Stdout);
        }
        let stream = std::fs::metadata(path).map(|found| found.file_type());
        if stream.is_ok_and(|kind| kind.is_fifo() || kind.is_char_device()) {
            return Ok(Self::Stream(path.to_owned()));
        }
        replaceable(path)?;
        replaceable(&manifest_of(path))?;
        Ok(Self::File(path.to_owned()))
    }

    /// Its path; `-` for stdout.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Stdout => Path::new("-"),
            Self::Stream(path) | Self::File(path) => path,
        }
    }

    /// The files that it makes or replaces.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::File(path) => vec![path.clone(), manifest_of(path)],
            _ => Vec::new(),
        }
    }

    /// Where the plan is written until it is known to be good.
    ///
    /// # Errors
    /// [`Kind::Environment`] where no file can be made.
    pub(crate) fn draft(&self) -> Result<NamedTempFile> {
        match self {
            Self::File(path) => temporary_beside(path),
            _ => temporary_beside(&std::env::temp_dir().join("plan")),
        }
    }

    /// Gives a finished plan its place, and a manifest beside it where it has a name, whose path
    /// this returns.
    ///
    /// # Errors
    /// [`Kind::Environment`] for what cannot be written.
    pub(crate) fn take(&self, plan: NamedTempFile, manifest: &Manifest) -> Result<Option<PathBuf>> {
        match self {
            Self::File(path) => persist_plan(plan, path, manifest).map(Some),
            Self::Stdout => copy(plan, io::stdout().lock(), self.path()),
            Self::Stream(path) => {
                let to = OpenOptions::new().write(true).open(path);
                copy(plan, to.map_err(|error| cannot_write(path, error))?, path)
            }
        }
    }
}

/// Where the manifest of a plan lies.
pub(crate) fn manifest_of(plan: &Path) -> PathBuf {
    with_suffix(plan, ".json")
}

fn copy(plan: NamedTempFile, mut to: impl Write, path: &Path) -> Result<Option<PathBuf>> {
    let mut plan = plan.into_file();
    plan.rewind()
        .and_then(|()| io::copy(&mut plan, &mut to))
        .and_then(|_| to.flush())
        .map(|()| None)
        .map_err(|error| cannot_write(path, error))
}

/// Whether a file may be put at a path: nothing is there, or a file.
///
/// # Errors
/// [`Kind::Environment`] where something else is there.
pub(crate) fn replaceable(path: &Path) -> Result<()> {
    // A link is replaced, and what it leads to stays; but through a link to a device or a folder
    // somebody wants to reach that.
    let Ok(found) = std::fs::metadata(path) else { return Ok(()) };
    if found.is_file() {
        return Ok(());
    }
    let what = if found.is_dir() { "a folder" } else { "no regular file" };
    let message = format!("cannot write `{}`: it is {what}", path.display());
    Err(Error::new(Kind::Environment, message))
}

/// Whether no output would replace an input, whatever names, links or hard links lead to it.
///
/// # Errors
/// [`Kind::Usage`] with both.
pub(crate) fn spare(inputs: &[PathBuf], outputs: &[PathBuf]) -> Result<()> {
    let outputs: Vec<_> = outputs.iter().filter_map(|path| Some((path, identity(path)?))).collect();
    for input in inputs {
        let Some(known) = identity(input) else { continue };
        if let Some((output, _)) = outputs.iter().find(|(_, other)| *other == known) {
            let (input, output) = (input.display(), output.display());
            let message = format!("writing `{output}` would overwrite the input `{input}`");
            return Err(Error::new(Kind::Usage, message)
                .with_hint("name another place for what is written"));
        }
    }
    Ok(())
}

/// What two paths to one file have in common: its disk, and its number there.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// A path that was given as an input, and the files in it where it is a folder.
pub(crate) fn with_contents(path: &Path) -> Vec<PathBuf> {
    let inside = std::fs::read_dir(path).into_iter().flatten().flatten();
    std::iter::once(path.to_owned()).chain(inside.map(|entry| entry.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn inputs_are_known_by_identity() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("m.onnx"), "model").unwrap();
        std::fs::write(at("other"), "model").unwrap();
        std::fs::hard_link(at("m.onnx"), at("hard")).unwrap();
        symlink("m.onnx", at("soft")).unwrap();
        std::fs::create_dir(at("sub")).unwrap();
        for name in ["m.onnx", "sub/../m.onnx", "hard", "soft"] {
            let error = spare(&[at("x"), at("m.onnx")], &[at("y"), at(name)]).unwrap_err();
            let expected = format!(
                "writing `{}` would overwrite the input `{}`",
                at(name).display(),
                at("m.onnx").display()
            );
            assert_eq!((error.message(), error.kind()), (&*expected, Kind::Usage));
        }
        assert!(spare(&[at("m.onnx"), at("gone")], &[at("other"), at("gone")]).is_ok());
    }

    #[test]
    fn only_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        let pipe = at("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        symlink("pipe", at("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        assert_eq!(Place::of(&at("file")).unwrap(), Place::File(at("file")));
        assert_eq!(Place::of(&at("new")).unwrap(), Place::File(at("new")));
        assert_eq!(Place::of(&at("link")).unwrap(), Place::Stream(at("link")));
        for (name, what) in [("", "a folder"), ("socket", "no regular file")] {
            let error = Place::of(&at(name)).unwrap_err();
            let expected = format!("cannot write `{}`: it is {what}", at(name).display());
            assert_eq!((error.message(), error.kind()), (&*expected, Kind::Environment));
        }
        // What is no plan has no business in a pipe.
        assert!(temporary_beside(&pipe).is_err() && pipe.exists());
    }
}
