//! The models that a `path` in a listing means: a file, or all files that a glob matches.
//!
//! A listing names files that are read, and may come from elsewhere: only files inside its folder
//! are taken, after following links.

use crate::zoo::discover::{self, Found};
use std::collections::HashMap;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The folder of a listing.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    real: PathBuf,
}

/// The models of one entry.
#[derive(Debug)]
pub(super) struct Matches {
    /// Whether the file itself was named.
    pub(super) exact: bool,
    /// Each with the file that it is once links are followed.
    pub(super) found: Vec<(PathBuf, Found)>,
}

impl Folder {
    /// The folder that a listing lies in.
    pub(super) fn new(listing: &Path) -> io::Result<Self> {
        let path = listing.parent().unwrap_or(Path::new("")).to_owned();
        let real =
            if path.as_os_str().is_empty() { Path::new(".") } else { &path }.canonicalize()?;
        Ok(Self { path, real })
    }

    /// The models at a path below the folder, or those that match it as a glob.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn find(&self, pattern: &str) -> Result<Matches, String> {
        let outside = |why: &str| format!("`{pattern}` is outside the listing's folder: {why}");
        for component in Path::new(pattern).components() {
            match component {
                Component::Normal(_) | Component::CurDir => {}
                Component::ParentDir => return Err(outside("it has `..`")),
                Component::RootDir | Component::Prefix(_) => {
                    return Err(outside("it is no relative path"));
                }
            }
        }
        let file = self.path.join(pattern);
        let exact = file.is_file();
        let found = if exact {
            vec![discover::model(&self.path, &file)]
        } else if discover::is_glob(pattern) {
            discover::matching(&self.path, pattern, &self.path)
                .map_err(|error| error.message().to_owned())?
        } else if file.is_dir() {
            let all = Path::new(pattern).join("**/*.onnx");
            return Err(format!(
                "`{pattern}` is a folder: for all models below it write `{}`",
                all.display()
            ));
        } else {
            return Err(format!("there is no file `{pattern}` in the folder of the listing"));
        };
        let inside = |found: Found| match found.model.canonicalize() {
            Ok(real) if real.starts_with(&self.real) => Ok((real, found)),
            Ok(_) => Err(format!(
                "`{}` is outside the listing's folder: it is a link",
                found.model.display()
            )),
            Err(error) => Err(format!("cannot read `{}`: {error}", found.model.display())),
        };
        Ok(Matches { exact, found: found.into_iter().map(inside).collect::<Result<_, _>>()? })
    }
}

/// Which entry has which model. An entry that names the file goes before one whose glob matches it.
#[derive(Debug, Default)]
pub(super) struct Claims {
    models: HashMap<PathBuf, Claim>,
}

#[derive(Debug)]
struct Claim {
    entry: usize,
    exact: bool,
    found: Found,
}

impl Claims {
    /// Takes the models of an entry; gives those that an earlier one has as well, with that entry.
    pub(super) fn claim(&mut self, entry: usize, matches: Matches) -> Vec<(String, usize)> {
        let mut twice = Vec::new();
        for (real, found) in matches.found {
            let claim = Claim { entry, exact: matches.exact, found };
            match self.models.get(&real) {
                Some(other) if other.exact == claim.exact => {
                    twice.push((claim.found.model.display().to_string(), other.entry));
                }
                Some(other) if other.exact => {}
                _ => drop(self.models.insert(real, claim)),
            }
        }
        twice
    }

    /// The models, each with its entry, in the order of the entries.
    pub(super) fn into_found(self) -> Vec<(usize, Found)> {
        let mut found: Vec<(usize, Found)> =
            self.models.into_values().map(|claim| (claim.entry, claim.found)).collect();
        found.sort_by(|(a, x), (b, y)| (a, &x.model).cmp(&(b, &y.model)));
        found
    }
}
