//! Looking for a TensorRT library, in the places and the order that the documentation promises.

use super::library::Library;
use super::version::Version;
use crate::{Error, Kind};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment variable that names a library or its folder.
pub const VARIABLE: &str = "ONNX2PLAN_TENSORRT";

/// Names of the libraries, the one that needs no GPU first.
const LIBRARIES: [&str; 6] = [
    "libtensorrt_rtx.so.1",
    "libtensorrt_rtx.so",
    "libnvinfer.so.11",
    "libnvinfer.so.10",
    "libnvinfer.so.8",
    "libnvinfer.so",
];
/// Where an SDK or a wheel keeps its libraries, below the folder that people name.
const SUBFOLDERS: [&str; 3] = ["", "lib", "targets/x86_64-linux-gnu/lib"];
/// Python packages that hold a TensorRT library.
const PACKAGES: [&str; 3] = ["tensorrt_rtx_libs", "tensorrt_rtx", "tensorrt_libs"];

/// Where to look.
#[derive(Debug, Clone, Default)]
pub struct FindOptions {
    /// What the user asked for with `--tensorrt`: a library file, or a folder that holds one.
    pub path: Option<PathBuf>,
    /// What [`VARIABLE`] says, in the same way.
    pub variable: Option<PathBuf>,
    /// The folder that `onnx2plan setup` filled, if it did.
    pub cache: Option<PathBuf>,
}

impl FindOptions {
    /// The environment's options: `path` and `cache` are up to the caller.
    pub fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = variable(VARIABLE).filter(|value| !value.is_empty());
        Self { variable: set.map(PathBuf::from), ..Self::default() }
    }
}

/// One place that was looked at, and what was there.
#[derive(Debug)]
pub struct Tried {
    /// Why it was looked at: `--tensorrt`, `ONNX2PLAN_TENSORRT`, `system libraries`,
    /// `python packages`, `cache`.
    pub source: &'static str,
    /// The library or, where no library was found, the folder.
    pub path: PathBuf,
    /// The version that was found, or why it cannot be used.
    pub outcome: Result<Version, Error>,
}

/// The first library that can be used, and every place that was looked at on the way.
///
/// A library that the user asked for, by option or variable, is the only one tried: using another
/// one silently would be a surprise. `python_path` gives the folders in which Python looks for
/// packages; it may take a while, and is only called where the answer matters.
pub fn find(
    options: &FindOptions,
    python_path: impl FnOnce() -> Vec<PathBuf>,
) -> (Option<Library>, Vec<Tried>) {
    let mut tried = Vec::new();
    let asked = [("--tensorrt", &options.path), (VARIABLE, &options.variable)];
    if let Some((source, path)) =
        asked.iter().find_map(|(source, path)| path.as_ref().map(|path| (*source, path)))
    {
        return (try_path(source, path, &mut tried), tried);
    }
    let found = LIBRARIES
        .iter()
        .find_map(|name| attempt("system libraries", Path::new(name), &mut tried))
        .or_else(|| {
            packages(&python_path()).find_map(|path| try_path("python packages", &path, &mut tried))
        })
        .or_else(|| try_path("cache", options.cache.as_deref()?, &mut tried));
    (found, tried)
}

/// Tries a library file, or the libraries in a folder.
fn try_path(source: &'static str, path: &Path, tried: &mut Vec<Tried>) -> Option<Library> {
    if !path.is_dir() {
        return attempt(source, path, tried);
    }
    let before = tried.len();
    let found = SUBFOLDERS
        .iter()
        .flat_map(|folder| LIBRARIES.map(|name| path.join(folder).join(name)))
        .filter(|file| file.exists())
        .find_map(|file| attempt(source, &file, tried));
    if tried.len() == before {
        let message = format!("`{}` holds no libtensorrt_rtx.so or libnvinfer.so", path.display());
        tried.push(Tried {
            source,
            path: path.to_owned(),
            outcome: Err(Error::new(Kind::Environment, message)),
        });
    }
    found
}

fn attempt(source: &'static str, path: &Path, tried: &mut Vec<Tried>) -> Option<Library> {
    let (library, outcome) = match Library::open(path) {
        Ok(library) => {
            let version = library.version();
            (Some(library), Ok(version))
        }
        Err(error) => (None, Err(error)),
    };
    tried.push(Tried { source, path: path.to_owned(), outcome });
    library
}

/// Folders of installed packages that may hold a library.
fn packages(python_path: &[PathBuf]) -> impl Iterator<Item = PathBuf> {
    python_path
        .iter()
        .flat_map(|site| PACKAGES.map(|package| site.join(package)))
        .filter(|path| path.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_asks_for_is_the_only_place_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let options = FindOptions {
            path: Some(folder.path().to_owned()),
            variable: Some("/nowhere/libnvinfer.so".into()),
            ..FindOptions::default()
        };
        let problem = |options: &FindOptions| match find(options, || {
            panic!("nobody wants to know where Python looks")
        }) {
            (None, tried) if tried.len() == 1 => {
                tried[0].outcome.as_ref().unwrap_err().message().to_owned()
            }
            (found, tried) => panic!("{found:?} {tried:?}"),
        };
        let expected =
            format!("`{}` holds no libtensorrt_rtx.so or libnvinfer.so", folder.path().display());
        assert_eq!(problem(&options), expected);
        let options = FindOptions { path: None, ..options };
        assert_eq!(problem(&options), "`/nowhere/libnvinfer.so` cannot be opened");
    }

    #[test]
    fn a_file_that_is_no_tensorrt_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("lib")).unwrap();
        std::fs::write(folder.path().join("lib/libnvinfer.so.10"), "no library").unwrap();
        let options =
            FindOptions { path: Some(folder.path().to_owned()), ..FindOptions::default() };
        let (found, tried) = find(&options, Vec::new);
        assert!(found.is_none());
        assert_eq!(tried.len(), 1);
        assert_eq!(tried[0].path, folder.path().join("lib/libnvinfer.so.10"));

        let error = Library::open(Path::new("libc.so.6")).unwrap_err();
        assert_eq!(error.message(), "`libc.so.6` is no TensorRT library");
    }

    #[test]
    fn without_a_wish_all_places_are_looked_at_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("tensorrt_libs");
        std::fs::create_dir(&package).unwrap();
        std::fs::write(package.join("libnvinfer.so.10"), "no library").unwrap();
        let options = FindOptions { cache: Some("/nowhere".into()), ..FindOptions::default() };
        let (found, tried) = find(&options, || vec!["/nowhere".into(), folder.path().to_owned()]);
        let mut sources: Vec<&str> = tried.iter().map(|place| place.source).collect();
        sources.dedup();
        assert!(
            ["system libraries", "python packages", "cache"].starts_with(&sources),
            "{sources:?}"
        );
        assert!(sources.len() == 3 || found.is_some());
    }
}
