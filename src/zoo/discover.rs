//! Finding models: `model.onnx` or any `.onnx` file below a folder, or all that match a glob, each
//! with the `test_data_set_*` beside it.

use crate::error::{Error, Kind, Result};
use crate::verify::data;
use globset::{GlobBuilder, GlobSetBuilder};
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

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

/// What makes a path a glob.
const WILD: [char; 4] = ['*', '?', '[', '{'];
/// How deep folders are searched.
const MAX_DEPTH: usize = 16;

/// The models at these paths, sorted by name: files, folders that are searched, or globs.
///
/// # Errors
/// [`Kind::Usage`] for a path that does not exist, or matches nothing; [`Kind::Environment`] for
/// one that cannot be read.
pub fn models(paths: &[PathBuf]) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for path in paths {
        if let (false, Some(pattern)) = (path.exists(), path.to_str().filter(|path| is_glob(path)))
        {
            found.extend(matching(Path::new(""), pattern, &fixed(pattern))?);
            continue;
        }
        let metadata = std::fs::metadata(path).map_err(|error| {
            Error::new(Kind::Usage, format!("cannot read `{}`", path.display())).with_source(error)
        })?;
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
            each.name = text(&each.model);
        }
    }
    Ok(found)
}

/// A path as reports show it: relative to the folder that the command runs in, where it is below
/// that.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

/// Whether a path that names no file is a glob.
pub(super) fn is_glob(path: &str) -> bool {
    path.contains(WILD)
}

/// The part of a glob in front of its first wildcard: nothing else needs to be searched.
fn fixed(pattern: &str) -> PathBuf {
    let is_fixed = |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(WILD);
    Path::new(pattern).components().take_while(is_fixed).collect()
}

/// The models whose paths below `base` match a glob, named by their paths below `root`. In it `*`
/// stands for part of a name, `**` for any number of folders.
///
/// # Errors
/// [`Kind::Usage`] for a text that is no glob, or matches nothing; those of a search.
pub(super) fn matching(base: &Path, pattern: &str, root: &Path) -> Result<Vec<Found>> {
    let usage = |message: String| Error::new(Kind::Usage, message);
    let shown = crate::shown::name(pattern);
    let glob = GlobBuilder::new(pattern.trim_start_matches("./")).literal_separator(true).build();
    // A set of one, because a single glob that is too large panics where it is compiled.
    let glob = glob.and_then(|glob| GlobSetBuilder::new().add(glob).build());
    let glob = glob.map_err(|error| usage(format!("`{shown}` is no glob: {}", error.kind())))?;
    let here = |path: &Path| {
        if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
    };
    let folder = here(&base.join(fixed(pattern)));
    let mut found = Vec::new();
    if folder.is_dir() {
        search(&here(root), &folder, 0, &mut found)?;
    }
    found.retain(|found| {
        // A folder that cannot be read: nobody can tell what in it would match.
        if !found.model.is_file() {
            return true;
        }
        let below = found.model.strip_prefix(base).unwrap_or(&found.model);
        glob.is_match(below.strip_prefix(".").unwrap_or(below))
    });
    if found.is_empty() {
        return Err(usage(format!("`{shown}` matches no file that ends in .onnx")));
    }
    found.sort_by(|a, b| a.model.cmp(&b.model));
    Ok(found)
}

/// The models below a folder, named by their paths below `root`.
fn search(root: &Path, folder: &Path, depth: usize, found: &mut Vec<Found>) -> Result<()> {
    let unreadable = |error: std::io::Error| {
        Error::new(Kind::Environment, format!("cannot read `{}`", folder.display()))
            .with_source(error)
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
        if kind.is_dir() && depth < MAX_DEPTH {
            let before = found.len();
            if search(root, &path, depth + 1, found).is_err() {
                // It is an entry of its own, which fails, and the others are not lost.
                found.truncate(before);
                found.push(model(root, &path));
            }
        } else if path.extension().is_some_and(|extension| extension == "onnx") && path.is_file() {
            found.push(model(root, &path));
        }
    }
    Ok(())
}

/// The model in a file, named by its path below `root`.
pub(super) fn model(root: &Path, path: &Path) -> Found {
    let below = path.strip_prefix(root).unwrap_or(path);
    let named = if below.file_name().is_some_and(|name| name == "model.onnx") {
        below.parent()
    } else {
        None
    };
    let name = match named {
        // The folder of the model was named itself.
        Some(name) if name == Path::new("") => {
            root.file_name().map_or_else(|| below.into(), PathBuf::from)
        }
        Some(name) => name.to_owned(),
        None => below.with_extension(""),
    };
    Found { name: text(&name), model: path.to_owned(), data: data::beside(path) }
}

/// A path as a name: bytes that are no text are written out, so that two paths have two names.
fn text(path: &Path) -> String {
    let mut name = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        name.push_str(chunk.valid());
        name.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &[Found]) -> Vec<&str> {
        found.iter().map(|found| found.name.as_str()).collect()
    }

    #[test]
    fn names_that_are_no_text_differ() {
        use std::ffi::OsStr;
        let dir = tempfile::tempdir().unwrap();
        for name in [&b"a\xff.onnx"[..], b"a\xfe.onnx"] {
            std::fs::write(dir.path().join(OsStr::from_bytes(name)), "").unwrap();
        }
        assert_eq!(names(&models(&[dir.path().to_owned()]).unwrap()), ["a\\xfe", "a\\xff"]);
    }

    /// A folder whose path is too long for the system to read it, as one is that nobody may read.
    #[test]
    fn a_folder_that_cannot_be_read_is_an_entry() {
        let dir = tempfile::tempdir().unwrap();
        let script = "n=$(printf '%0255d' 0); for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do \
                      mkdir $n && cd -P $n || exit 1; done";
        let mut made = std::process::Command::new("sh");
        made.args(["-c", script]).current_dir(dir.path());
        assert!(made.status().unwrap().success());
        std::fs::write(dir.path().join("a.onnx"), "").unwrap();
        let found = matching(dir.path(), "**/*.onnx", dir.path()).unwrap();
        let [folder, model] = &found[..] else { panic!("{found:?}") };
        assert!(model.name == "a" && folder.name.starts_with("000"), "{found:?}");
        let error = crate::onnx::load(&folder.model).unwrap_err();
        let expected = format!("cannot read `{}`: File name too long", folder.model.display());
        assert_eq!((error.message(), error.kind()), (&*expected, Kind::Environment));
    }

    #[test]
    fn globs_name_models_below_their_first_wildcard() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["zoo/a/model.onnx", "zoo/b/model.onnx", "zoo/b/deep/c.onnx"] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let models = |pattern: &str| models(&[dir.path().join(pattern)]);
        assert_eq!(names(&models("zoo/*/model.onnx").unwrap()), ["a", "b"]);
        assert_eq!(names(&models("zoo/**/*.onnx").unwrap()), ["a", "b", "b/deep/c"]);
        assert_eq!(names(&models("*/b/**").unwrap()), ["zoo/b", "zoo/b/deep/c"]);
        let error = models("zoo/x*").unwrap_err();
        assert!(
            error.kind() == Kind::Usage
                && error.message().ends_with("/zoo/x*` matches no file that ends in .onnx")
        );
        for base in [dir.path().to_owned(), dir.path().join("."), dir.path().join("zoo/..")] {
            assert_eq!(
                names(&matching(&base, "./zoo/{a,b}/*.onnx", &base).unwrap()),
                ["zoo/a", "zoo/b"]
            );
        }
    }
}
