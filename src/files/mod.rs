//! Files that appear whole or not at all, hashed on the way.

pub(crate) mod place;
pub(crate) mod store;

use crate::error::{Error, Kind, Result};
use crate::report::manifest::{File, Manifest};
use crate::timings::{self, stage};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tempfile::NamedTempFile;

/// Temporary files that a process which must exit at once takes away.
static TEMPORARIES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
/// How the names of temporary files begin.
const TEMPORARY: &str = ".onnx2plan-";
/// How long what a killed process left is let be, in case its owner still lives, where nothing else
/// tells.
const STALE: Duration = Duration::from_hours(24);
/// How long a file is let be that nobody has locked, for its owner may be about to.
const NEW: Duration = Duration::from_secs(2);

/// A temporary file in the folder of `path`, which is made where it is missing. The file vanishes
/// unless it is [persisted](persist), which may only replace a file.
pub(crate) fn temporary_beside(path: &Path) -> Result<NamedTempFile> {
    // As any program would create it.
    temporary(path, 0o666)
}

/// As [`temporary_beside`], for its owner alone to read.
pub(crate) fn private_temporary(path: &Path) -> Result<NamedTempFile> {
    temporary(path, 0o600)
}

fn temporary(path: &Path, mode: u32) -> Result<NamedTempFile> {
    place::replaceable(path)?;
    let folder = folder(path);
    std::fs::create_dir_all(folder).map_err(|error| cannot_write(path, error))?;
    clear(folder);
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    let file = builder.tempfile_in(folder).map_err(|error| cannot_write(path, error))?;
    // As long as its owner lives it is nobody's to clear away. Without locks, only its age tells.
    let _ = file.as_file().try_lock();
    TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner).push(file.path().to_owned());
    Ok(file)
}

/// Removes the temporary files that killed processes left in a folder; done once for each.
fn clear(folder: &Path) {
    static CLEARED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if !CLEARED.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned()) {
        return;
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
            && (is_stale(&entry) || is_left(&entry))
        {
            // Litter that cannot be removed is no reason to fail.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether a temporary file or folder is so old that its owner cannot live any more.
fn is_stale(entry: &std::fs::DirEntry) -> bool {
    age(entry).is_some_and(|age| age > STALE)
}

/// Whether a temporary file was left by a process that was killed: nobody holds its lock.
fn is_left(entry: &std::fs::DirEntry) -> bool {
    let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
    is_file && age(entry).is_some_and(|age| age > NEW) && is_unlocked(&entry.path())
}

/// Whether a file is there that nobody has locked.
fn is_unlocked(path: &Path) -> bool {
    std::fs::File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

fn age(entry: &std::fs::DirEntry) -> Option<Duration> {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    modified.ok().and_then(|time| time.elapsed().ok())
}

/// Removes the temporary files of this process, for an exit that drops nothing.
pub(crate) fn remove_temporaries() {
    for path in TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        // It is gone already if it got its name.
        let _ = std::fs::remove_file(path);
    }
}

/// Syncs a temporary file and gives it its name.
pub(crate) fn persist(file: NamedTempFile, path: &Path) -> Result<()> {
    file.as_file().sync_all().map_err(|error| cannot_write(path, error))?;
    file.persist(path).map(drop).map_err(|error| cannot_write(path, error.error))
}

/// Gives a plan in a temporary file its name and puts its manifest beside it, whose path this
/// returns.
///
/// At no moment does a manifest stand beside a plan that it does not describe, whoever else writes
/// one there, and a disk that is full leaves both as they were: all that takes room is done before
/// the first name is given.
pub(crate) fn persist_plan(
    file: NamedTempFile,
    path: &Path,
    manifest: &Manifest,
) -> Result<PathBuf> {
    let beside = place::manifest_of(path);
    let mut described = temporary_beside(&beside)?;
    // At once: the serializer writes token by token.
    let text =
        serde_json::to_string_pretty(manifest).map_err(|error| cannot_write(path, error.into()))?;
    writeln!(described, "{text}").map_err(|error| cannot_write(&beside, error))?;
    let sync = || {
        let mut files = [(&file, path), (&described, &beside)].into_iter();
        files.try_for_each(|(file, path)| {
            file.as_file().sync_all().map_err(|error| cannot_write(path, error))
        })
    };
    stage("sync", sync)?;
    let _alone = locked_folder(path);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(cannot_write(&beside, error));
        }
        _ => {}
    }
    persist(file, path)?;
    persist(described, &beside)?;
    Ok(beside)
}

/// The folder of a file, locked until it is dropped: for a few renames, so that whoever else wants
/// it waits. Where the system has no such lock, two that write one plan at a time can still mix it
/// up.
fn locked_folder(path: &Path) -> Option<std::fs::File> {
    let folder = std::fs::File::open(folder(path)).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Writes a text, whole or not at all.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<()> {
    write(path, text.as_bytes())
}

/// Writes a file, whole or not at all, into a folder that is made where it is missing.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = temporary_beside(path)?;
    file.write_all(bytes).map_err(|error| cannot_write(path, error))?;
    persist(file, path)
}

pub(crate) fn cannot_write(path: &Path, error: io::Error) -> Error {
    Error::new(Kind::Environment, format!("cannot write `{}`", path.display())).with_source(error)
}

/// The path with something added to its last part: `model.plan` and `.json` give `model.plan.json`.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The last part of a path.
pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Bytes that this user can still write to the disk of a path, which need not exist yet.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|path| path.exists())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// Name, size and hash of a file.
pub(crate) fn describe(path: &Path) -> Result<File> {
    let cannot_read = |error| {
        Error::new(Kind::Environment, format!("cannot read `{}`", path.display()))
            .with_source(error)
    };
    let mut file = std::fs::File::open(path).map_err(cannot_read)?;
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).map_err(cannot_read)?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { break };
        hash.update(read);
        bytes += read.len() as u64;
    }
    Ok(File { name: name(path), bytes, sha256: crate::hash::finish(hash) })
}

/// A model's file, and each file with its external data under its path below the model's folder.
pub(crate) fn describe_model(model: &Path, external: &[PathBuf]) -> Result<(File, Vec<File>)> {
    let folder = model.parent().unwrap_or(Path::new(""));
    let below = |path: &Path| {
        let parts = path.strip_prefix(folder).unwrap_or(path).components();
        let plain = parts.filter(|part| matches!(part, Component::Normal(_)));
        plain.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
    };
    // One file can be named in several ways, such as `w.bin` and `./w.bin`, and is hashed once.
    let files: BTreeMap<String, &PathBuf> =
        external.iter().map(|path| (below(path), path)).collect();
    let described = files.into_iter().map(|(name, path)| Ok(File { name, ..describe(path)? }));
    Ok((describe(model)?, described.collect::<Result<_>>()?))
}

/// A writer that hashes and counts what passes.
pub(crate) struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Hashing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// The writer, the hash in hexadecimal and the number of bytes.
    pub(crate) fn finish(self) -> (W, String, u64) {
        (self.inner, crate::hash::finish(self.hash), self.bytes)
    }
}

/// Pieces from this size on are hashed by a second thread while they are written.
const WORTH_A_THREAD_BYTES: usize = 1 << 20;

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let Self { inner, hash, .. } = self;
        if data.len() < WORTH_A_THREAD_BYTES {
            inner.write_all(data)?;
            hash.update(data);
        } else {
            let here = timings::here();
            let hash = || {
                timings::as_thread(here.as_ref(), "hash of the plan", || {
                    stage("hash plan", || hash.update(data));
                });
            };
            std::thread::scope(|scope| {
                scope.spawn(hash);
                inner.write_all(data)
            })?;
        }
        self.bytes += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;
    use crate::report::manifest::{Made, SCHEMA, Verdict};

    #[test]
    fn a_file_is_described_by_size_and_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.plan");
        let mut file = temporary_beside(&path).unwrap();
        file.write_all(b"abc").unwrap();
        assert!(!path.exists());
        persist(file, &path).unwrap();
        let described = describe(&path).unwrap();
        assert_eq!((described.name.as_str(), described.bytes), ("a.plan", 3));
        assert_eq!(
            described.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(with_suffix(&path, ".json"), folder.path().join("a.plan.json"));
    }

    #[test]
    fn leftovers_of_killed_processes_go_and_others_after_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let hour = Duration::from_hours(1);
        let mut owned = Vec::new();
        for (name, age, lives) in [
            (".onnx2plan-old", 25 * hour, true),
            (".onnx2plan-left", hour, false),
            (".onnx2plan-new", Duration::ZERO, false),
            (".onnx2plan-young", 23 * hour, true),
            ("other", 99 * hour, false),
        ] {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(std::time::SystemTime::now() - age).unwrap();
            if lives {
                file.lock().unwrap();
                owned.push(file);
            }
        }
        write_text(&folder.path().join("text"), "").unwrap();
        let names =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(
            names.collect::<BTreeSet<_>>(),
            [".onnx2plan-new", ".onnx2plan-young", "other", "text"].map(Into::into).into()
        );
    }

    #[test]
    fn a_link_is_replaced_and_what_it_leads_to_stays() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["input_0.pb", "other"].map(|name| folder.path().join(name));
        std::fs::write(&other, "kept").unwrap();
        std::os::unix::fs::symlink("other", &path).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&other).unwrap(), b"kept");
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    fn manifest(plan: File) -> Manifest {
        let options = Made { recipe: Recipe::default(), ranges: BTreeMap::new(), frozen: vec![] };
        Manifest {
            schema: SCHEMA,
            producer: String::new(),
            model: plan.clone(),
            external: Vec::new(),
            plan,
            library: String::new(),
            targets: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            layers: Vec::new(),
            options,
            notes: Vec::new(),
            mends: Vec::new(),
            precision: None,
            verification: Verdict::NotRun,
        }
    }

    /// Four that write one plan at a time, again and again.
    #[test]
    fn a_plan_and_its_manifest_are_of_one_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.plan");
        let write = &|text: String| {
            let mut file = temporary_beside(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let plan = describe(file.path()).unwrap();
            persist_plan(file, &path, &manifest(plan)).unwrap();
        };
        for round in 0..50 {
            std::thread::scope(|scope| {
                for writer in 0..4 {
                    scope.spawn(move || write(format!("{round} {writer}")));
                }
            });
            let manifest = std::fs::read(place::manifest_of(&path)).unwrap();
            let manifest: Manifest = serde_json::from_slice(&manifest).unwrap();
            assert_eq!(manifest.plan.sha256, describe(&path).unwrap().sha256, "round {round}");
        }
    }

    #[test]
    fn external_data_is_named_from_the_models_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        for name in ["m.onnx", "w.bin", "sub/v.bin"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let external = ["w.bin", "./w.bin", "sub/v.bin"].map(|name| folder.path().join(name));
        let (model, external) = describe_model(&folder.path().join("m.onnx"), &external).unwrap();
        assert_eq!(model.name, "m.onnx");
        assert_eq!(
            external.iter().map(|file| &*file.name).collect::<Vec<_>>(),
            ["sub/v.bin", "w.bin"]
        );
        assert_eq!(
            external[1],
            File { name: "w.bin".to_owned(), ..describe(&folder.path().join("w.bin")).unwrap() }
        );
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let plan = file.join("a.plan");
        let error = temporary_beside(&plan).unwrap_err();
        assert_eq!(error.kind(), Kind::Environment);
        let expected = format!("cannot write `{}`", plan.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}
