//! The cache folder: one folder per package and version, whole or absent.
//!
//! A finished folder gets its [`Marker`] before it is put in place. `<package>.lock` keeps
//! processes from doing the same work twice; where a file system has no locks, [`files::store`]
//! alone keeps the cache whole.

use super::fault::Fault;
use super::{Event, Fetched, Notify, Package, tell, wheel};
use crate::files;
use crate::files::store::WorkFolder;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// File in a package's folder that says what belongs there.
const MARKER: &str = "onnx2plan.json";
/// How often a waiting process looks at the lock.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// One file taken from a wheel.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// What belongs in a package's folder, written after all of it.
#[derive(Serialize, Deserialize)]
struct Marker {
    wheel_sha256: String,
    files: Vec<Member>,
}

/// How closely a folder is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Sizes,
    Hashes,
}

/// The package's folder, if every member is there as its marker describes it.
pub(super) fn whole(package: &Package, cache: &Path, depth: Depth) -> Option<PathBuf> {
    let folder = cache.join(name(package));
    let marker: Marker = serde_json::from_slice(&fs::read(folder.join(MARKER)).ok()?).ok()?;
    let is_whole = |name: &str| {
        let path = folder.join(name);
        marker.files.iter().find(|member| member.name == name).is_some_and(|member| {
            fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() == member.bytes)
                && (depth == Depth::Sizes
                    || files::describe(&path).is_ok_and(|found| found.sha256 == member.sha256))
        })
    };
    let mut names = package.members.iter().map(|member| wheel::last_name(member));
    (marker.wheel_sha256 == package.sha256 && names.all(is_whole)).then_some(folder)
}

/// As [`whole`] with every byte hashed, but files that were hashed before, and that the system says
/// nobody has touched since, are not read again.
pub(super) fn sound(package: &Package, cache: &Path) -> Option<PathBuf> {
    let folder = whole(package, cache, Depth::Sizes)?;
    let known = known(cache, &name(package));
    let now = state(package, &folder)?;
    if fs::read(&known).is_ok_and(|before| before == now.as_bytes()) {
        return Some(folder);
    }
    let folder = whole(package, cache, Depth::Hashes)?;
    // In somebody else's cache it may not be allowed; then they are hashed every time.
    let _ = files::write_text(&known, &now);
    Some(folder)
}

/// The file that says of which files of a package every byte was found good.
fn known(cache: &Path, name: &str) -> PathBuf {
    cache.join(format!("{name}.sound"))
}

/// What changes when somebody changes a file of a package, or puts another in its place.
fn state(package: &Package, folder: &Path) -> Option<String> {
    let of_file = |member: &&str| {
        let found = fs::metadata(folder.join(wheel::last_name(member))).ok()?;
        let (device, number, bytes) = (found.dev(), found.ino(), found.len());
        let modified = format!("{}.{:09}", found.mtime(), found.mtime_nsec());
        let changed = format!("{}.{:09}", found.ctime(), found.ctime_nsec());
        Some(format!("{device} {number} {bytes} {modified} {changed} {member}\n"))
    };
    let files = package.members.iter().map(of_file).collect::<Option<String>>()?;
    Some(format!("{}\n{files}", package.sha256))
}

/// The folders of packages, of any version, that hold what their markers say and nothing else.
pub(super) fn fetched(packages: &[&Package], cache: &Path) -> Vec<Fetched> {
    let is_package = |name: &str| {
        packages.iter().any(|package| {
            name.strip_prefix(package.folder).is_some_and(|rest| rest.starts_with('-'))
        })
    };
    let names = fs::read_dir(cache).into_iter().flatten().flatten();
    let fetched = names.filter_map(|entry| {
        let name = entry.file_name().into_string().ok().filter(|name| is_package(name))?;
        let path = entry.path().join(MARKER);
        // Nothing but a file may be read here: reading anything else may not end.
        fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let marker: Marker = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        let is_ours =
            |file: &str| file == MARKER || marker.files.iter().any(|member| member.name == file);
        let placed = files::store::Store::placed(cache, &name, is_ours)?;
        Some(Fetched { name, bytes: placed.bytes })
    });
    let mut fetched: Vec<Fetched> = fetched.collect();
    fetched.sort();
    fetched
}

/// Takes a package's folder away.
pub(super) fn remove(cache: &Path, name: &str) -> io::Result<()> {
    // It says nothing without the package.
    let _ = fs::remove_file(known(cache, name));
    files::store::Store::open(cache)?.remove(name)
}

/// What the package's folder is called.
fn name(package: &Package) -> String {
    format!("{}-{}", package.folder, package.version)
}

/// A cache folder that can be written to.
pub(super) struct Store<'a> {
    package: &'a Package,
    cache: &'a Path,
    folders: files::store::Store,
}

impl<'a> Store<'a> {
    /// Makes the folder where it is missing, and clears away what killed processes left.
    pub(super) fn open(package: &'a Package, cache: &'a Path) -> Result<Self, Fault> {
        let folders =
            files::store::Store::open(cache).map_err(|e| Fault::write(&cache.join("tmp"), e))?;
        Ok(Self { package, cache, folders })
    }

    /// A folder for this process alone, removed when dropped.
    pub(super) fn work_folder(&self) -> Result<WorkFolder, Fault> {
        self.folders.work_folder().map_err(|e| Fault::write(&self.folders.tmp(), e))
    }

    /// Waits until no other process installs the package; held until the file is dropped.
    pub(super) fn lock(&self, notify: &mut Notify<'_>) -> Result<File, Fault> {
        let path = self.cache.join(format!("{}.lock", name(self.package)));
        let file = File::create(&path).map_err(|e| Fault::write(&path, e))?;
        loop {
            match file.try_lock() {
                // An error means a file system without locks: see the head of this file.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
                Err(TryLockError::WouldBlock) => {
                    tell(notify, Event::Waiting)?;
                    std::thread::sleep(LOCK_POLL);
                }
            }
        }
    }

    /// Turns the folder `unpacked`, which holds `files`, into the package's folder, and returns
    /// that.
    pub(super) fn publish(&self, unpacked: &Path, files: Vec<Member>) -> Result<PathBuf, Fault> {
        let marker = Marker { wheel_sha256: self.package.sha256.to_owned(), files };
        write_marker(&unpacked.join(MARKER), &marker).map_err(|e| Fault::write(unpacked, e))?;
        let name = name(self.package);
        let home = self.folders.place(&name);
        // Whatever stands there is damaged, for `installed` did not take it.
        self.folders.remove(&name).map_err(|e| Fault::write(&home, e))?;
        if self.folders.publish(unpacked, &name).map_err(|e| Fault::write(&home, e))? {
            return Ok(home);
        }
        // Without locks, another process may have come first.
        whole(self.package, self.cache, Depth::Sizes)
            .ok_or_else(|| Fault::write(&home, io::ErrorKind::AlreadyExists.into()))
    }
}

fn write_marker(path: &Path, marker: &Marker) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(&serde_json::to_vec_pretty(marker)?)?;
    file.sync_all()
}
