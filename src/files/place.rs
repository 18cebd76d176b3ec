//! Where outputs go: never over what was read, and never in the place of what is no file.

use super::{cannot_write, persist_plan, private_temporary, temporary_beside, with_suffix};
use crate::error::{Error, Kind, Result};
use crate::report::manifest::Manifest;
use crate::report::pages;
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Seek, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How many links to links the system follows.
const MOST_LINKS: usize = 40;

/// Where a plan goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// To whoever reads this process's output.
    Stdout,
    /// Into a pipe, a device or a file that a process has open, such as `/dev/stdout`.
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
        if stream.is_ok_and(|kind| kind.is_fifo() || kind.is_char_device()) || is_descriptor(path) {
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
            // In a folder that all users share.
            _ => private_temporary(&std::env::temp_dir().join("plan")),
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
                // Behind what a shell's `>>` found in the file; to a pipe it is all the same.
                let to = OpenOptions::new().append(true).open(path);
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
    let what = match found {
        _ if is_descriptor(path) => "an open file of a process",
        found if found.is_file() => return Ok(()),
        found if found.is_dir() => "a folder",
        _ => "no regular file",
    };
    let message = format!("cannot write `{}`: it is {what}", path.display());
    Err(Error::new(Kind::Environment, message))
}

/// Whether a path, or the link at it, is one to a file that a process has open: `/dev/stdout`
/// is, and whoever replaced that would take it away from everybody.
fn is_descriptor(path: &Path) -> bool {
    let mut path = spot(path);
    for _ in 0..MOST_LINKS {
        let folder = path.parent().unwrap_or(Path::new(""));
        if folder.starts_with("/proc") && folder.ends_with("fd") {
            return true;
        }
        let Ok(to) = std::fs::read_link(&path) else { return false };
        path = spot(&folder.join(to));
    }
    false
}

/// Whether no output would replace an input, whatever names, links or hard links lead to it. Where
/// no output is there yet, the inputs are not asked for.
///
/// # Errors
/// [`Kind::Usage`] with both.
pub(crate) fn spare(inputs: impl FnOnce() -> Vec<PathBuf>, outputs: &[PathBuf]) -> Result<()> {
    let there: HashMap<_, _> =
        outputs.iter().filter_map(|path| Some((identity(path)?, path))).collect();
    if there.is_empty() {
        return Ok(());
    }
    for input in inputs() {
        if let Some(output) = identity(&input).and_then(|known| there.get(&known)) {
            let (input, output) = (input.display(), output.display());
            let message = format!("writing `{output}` would overwrite the input `{input}`");
            return Err(Error::new(Kind::Usage, message)
                .with_hint("name another place for what is written"));
        }
    }
    Ok(())
}

/// Whether each of these models has a page of its own in a report.
///
/// # Errors
/// [`Kind::Usage`] with two models whose pages would be one.
pub(crate) fn pages_apart<'a>(models: impl Iterator<Item = &'a str>) -> Result<()> {
    apart(models.map(|name| (name, pages::path(name).into())))
}

/// Whether each of these files, with the model that it is written for, has a place of its own.
///
/// # Errors
/// [`Kind::Usage`] with two models whose files would be one, or one in the place of a folder of the
/// other's.
pub(crate) fn apart<'a>(files: impl Iterator<Item = (&'a str, PathBuf)>) -> Result<()> {
    let usage = |message| {
        Error::new(Kind::Usage, message)
            .with_hint("rename a model, or give it another `name` in a listing")
    };
    let mut known: HashMap<PathBuf, &str> = HashMap::new();
    for (model, path) in files {
        let shown = path.display().to_string();
        match known.insert(path, model) {
            None => {}
            Some(other) if other == model => {
                return Err(usage(format!("two models are called `{model}`")));
            }
            Some(other) => {
                let message = format!("models `{other}` and `{model}` would both write `{shown}`");
                return Err(usage(message));
            }
        }
    }
    for (path, model) in &known {
        let mut folders = path.ancestors().skip(1);
        let file = folders.find_map(|folder| known.get_key_value(folder));
        if let Some((file, other)) = file {
            let (path, file) = (path.display(), file.display());
            let message = format!(
                "models `{other}` and `{model}` would write `{file}` and `{path}`, and a file is \
                 no folder"
            );
            return Err(usage(message));
        }
    }
    Ok(())
}

/// Whether two paths are one place in one folder, whatever links lead to that.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    one == other || spot(one) == spot(other)
}

/// A path from the root, without links to its folder, where that is there.
pub(crate) fn spot(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = whole.parent().and_then(|folder| folder.canonicalize().ok());
    folder.zip(whole.file_name()).map_or(whole.clone(), |(folder, name)| folder.join(name))
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
            let error = spare(|| vec![at("x"), at("m.onnx")], &[at("y"), at(name)]).unwrap_err();
            let expected = format!(
                "writing `{}` would overwrite the input `{}`",
                at(name).display(),
                at("m.onnx").display()
            );
            assert_eq!((error.message(), error.kind()), (&*expected, Kind::Usage));
        }
        let inputs = || vec![at("m.onnx"), at("gone")];
        assert!(spare(inputs, &[at("other"), at("gone")]).is_ok());
        assert!(spare(|| panic!("nothing is there"), &[at("gone")]).is_ok());
    }

    #[test]
    fn each_model_has_files_of_its_own() {
        let found = |files: &[(&'static str, &str)]| {
            let files = files.iter().map(|(model, path)| (*model, PathBuf::from(path)));
            apart(files).map_err(|error| error.to_string())
        };
        let refused = |message: &str| {
            let hint = "rename a model, or give it another `name` in a listing";
            Err(format!("{message}\n\nhint: {hint}"))
        };
        assert_eq!(found(&[("a", "o/a"), ("a", "o/a.json"), ("b", "o/b")]), Ok(()));
        assert_eq!(found(&[("a", "o/a"), ("a", "o/a")]), refused("two models are called `a`"));
        assert_eq!(
            found(&[("../a", "o/a"), ("b", "o/a")]),
            refused("models `../a` and `b` would both write `o/a`")
        );
        assert_eq!(
            found(&[("b", "o/a/b/c"), ("a", "o/a")]),
            refused("models `a` and `b` would write `o/a` and `o/a/b/c`, and a file is no folder")
        );
    }

    #[test]
    fn paths_to_one_place_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        symlink("sub", at("link")).unwrap();
        assert!(is_same(&at("sub/x"), &at("link/x")) && is_same(&at("sub/x"), &at("./sub/x")));
        assert!(is_same(Path::new("./x"), Path::new("x")));
        // A link in the place of a file is replaced itself.
        symlink("sub/x", at("y")).unwrap();
        assert!(!is_same(&at("sub/x"), &at("y")) && !is_same(&at("sub/x"), &at("x")));
    }

    #[test]
    fn descriptors_are_streams() {
        let folder = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(folder.path().join("file")).unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&file);
        symlink(format!("/dev/fd/{number}"), folder.path().join("one")).unwrap();
        symlink("one", folder.path().join("two")).unwrap();
        let paths = [
            format!("/dev/fd/{number}").into(),
            format!("/proc/{}/fd/{number}", std::process::id()).into(),
            folder.path().join("two"),
        ];
        for path in paths {
            let shown = path.display();
            assert_eq!(Place::of(&path).unwrap(), Place::Stream(path.clone()), "{shown}");
            let expected = format!("cannot write `{shown}`: it is an open file of a process");
            assert_eq!(replaceable(&path).unwrap_err().message(), expected);
        }
        symlink("file", folder.path().join("link")).unwrap();
        let link = folder.path().join("link");
        assert_eq!(Place::of(&link).unwrap(), Place::File(link));
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
