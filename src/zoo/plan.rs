//! Where the plan of a job is written, if the user wants it.

#[cfg(doc)]
use crate::error::Kind;
use crate::error::Result;
use crate::files::{self, place};
use crate::report::manifest::{File, Manifest};
use bytes::Bytes;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

/// The most bytes of one part of a model's name in the path of its plan.
const MOST_BYTES: usize = 200;

/// A plan and what its manifest says.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The plan.
    pub bytes: Bytes,
    /// Its manifest.
    pub manifest: Manifest,
}

impl Plan {
    /// Writes the plan of the model with this name, and its manifest, below a folder: each whole or
    /// not at all.
    ///
    /// # Errors
    /// [`Kind::Environment`] for files that cannot be written; [`Kind::Usage`] where one of `reads`
    /// would be overwritten.
    pub(super) fn write(&self, folder: &Path, name: &str, reads: &[PathBuf]) -> Result<()> {
        let writes = writes(folder, name);
        place::spare(|| reads.to_vec(), &writes)?;
        let [path, _] = writes;
        let mut file = files::temporary_beside(&path)?;
        file.write_all(&self.bytes).map_err(|error| files::cannot_write(&path, error))?;
        let plan = File { name: files::name(&path), ..self.manifest.plan.clone() };
        files::persist_plan(file, &path, &Manifest { plan, ..self.manifest.clone() }).map(drop)
    }
}

/// Where the plan of the model with this name goes, and its manifest.
pub fn writes(folder: &Path, name: &str) -> [PathBuf; 2] {
    let plan = folder.join(path(name));
    let manifest = place::manifest_of(&plan);
    [plan, manifest]
}

/// Whether each of these models has a plan of its own below a folder.
///
/// # Errors
/// [`Kind::Usage`] with two models whose plans would be one.
pub fn apart<'a>(folder: &Path, models: impl Iterator<Item = &'a str>) -> Result<()> {
    place::apart(models.flat_map(|name| writes(folder, name).map(|path| (name, path))))
}

/// The path of a model's plan below a folder, which it does not leave: its name, where that is a
/// plain path.
fn path(name: &str) -> PathBuf {
    let parts = Path::new(name).components().filter(|part| matches!(part, Component::Normal(_)));
    let parts = parts.map(|part| part.as_os_str().to_string_lossy());
    let plain: Vec<String> = parts
        .map(|part| part.get(..part.floor_char_boundary(MOST_BYTES)).unwrap_or_default().to_owned())
        .collect();
    let plain = plain.join("/");
    if plain == name && !name.is_empty() {
        return files::with_suffix(Path::new(name), ".plan");
    }
    // Two names may look alike once something is left out.
    format!("{plain}-{}.plan", crate::hash::short(name)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_lie_where_names_say_but_never_outside() {
        for name in ["digits", "light/resnet50", "a b/ü.v2", "..."] {
            assert_eq!(path(name), Path::new(&format!("{name}.plan")));
        }
        let long = "x".repeat(300);
        let odd = ["/etc/passwd", "../a", "a/../b", "a//b", "./a", "a/", "..", "", &long];
        let paths: Vec<PathBuf> = odd.iter().map(|name| path(name)).collect();
        for (name, path) in odd.iter().zip(&paths) {
            assert!(
                path.components().all(|part| matches!(part, Component::Normal(_))),
                "{name}: {}",
                path.display()
            );
            assert!(path.file_name().unwrap().len() < 220, "{name}");
            assert_eq!(paths.iter().filter(|other| *other == path).count(), 1, "{name}");
        }
        assert_eq!(path("../a"), Path::new("a-61b4c98b.plan"));
    }
}
