//! Folders that appear whole or not at all, in a home that any number of processes share.
//!
//! Work happens in `tmp/` on the same disk. A finished folder is renamed into place and a broken
//! one is renamed away, so nobody ever sees half of one.

use super::{NEW, TEMPORARY, age, is_stale, is_unlocked};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tempfile::TempDir;

/// The home of such folders.
#[derive(Debug)]
pub(crate) struct Store {
    home: PathBuf,
}

/// The file of a work folder that its owner has locked.
const LOCK: &str = ".lock";

/// A folder for one process alone, removed when dropped.
#[derive(Debug)]
pub(crate) struct WorkFolder {
    folder: TempDir,
    _lock: fs::File,
}

impl WorkFolder {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Whether a work folder was left by a process that was killed: nobody holds its lock.
fn is_left(entry: &fs::DirEntry) -> bool {
    age(entry).is_some_and(|age| age > NEW) && is_unlocked(&entry.path().join(LOCK))
}

/// A folder in its place.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) name: String,
    /// Size of its files.
    pub(crate) bytes: u64,
    /// When a file came into it or it was [used](Store::note_use) for the last time.
    pub(crate) used: SystemTime,
}

impl Store {
    /// Makes the home where it is missing, and clears away what killed processes left.
    pub(crate) fn open(home: &Path) -> io::Result<Self> {
        let store = Self { home: home.to_owned() };
        let tmp = store.tmp();
        fs::create_dir_all(&tmp)?;
        // What is cleared away and removed there would be somewhere else.
        if fs::symlink_metadata(&tmp)?.is_symlink() {
            return Err(io::Error::other(format!("`{}` is a link", tmp.display())));
        }
        // Litter that cannot be removed is no reason to fail.
        for entry in fs::read_dir(&tmp).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
                && (is_stale(&entry) || is_left(&entry))
            {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Ok(store)
    }

    /// The folder of that name in a home, if it is nothing but a folder of files that `is_ours`
    /// knows by name. Whatever else stands there, a link for one, somebody else has put there.
    pub(crate) fn placed(
        home: &Path,
        name: &str,
        is_ours: impl Fn(&str) -> bool,
    ) -> Option<Placed> {
        let folder = home.join(name);
        let found = fs::symlink_metadata(&folder).ok().filter(fs::Metadata::is_dir)?;
        let mut bytes = 0;
        for entry in fs::read_dir(&folder).ok()? {
            let entry = entry.ok()?;
            let file = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            if !entry.file_name().to_str().is_some_and(&is_ours) {
                return None;
            }
            bytes += file.len();
        }
        Some(Placed { name: name.to_owned(), bytes, used: found.modified().ok()? })
    }

    /// Notes that the folder of that name was used just now, if it is one.
    pub(crate) fn note_use(&self, name: &str) -> io::Result<()> {
        let place = self.place(name);
        if !fs::symlink_metadata(&place)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        fs::File::open(place)?.set_modified(SystemTime::now())
    }

    /// Where all of it is.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Where folders are made.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.home.join("tmp")
    }

    /// Where the folder of that name is, once it is there.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// A folder for this process alone, removed when dropped.
    pub(crate) fn work_folder(&self) -> io::Result<WorkFolder> {
        let folder = TempDir::with_prefix_in(TEMPORARY, self.tmp())?;
        let lock = fs::File::create_new(folder.path().join(LOCK))?;
        // As long as its owner lives it is nobody's to clear away. Without locks, only age tells.
        let _ = lock.try_lock();
        Ok(WorkFolder { folder, _lock: lock })
    }

    /// Puts a finished folder in its place; false where another stands there, which stays.
    pub(crate) fn publish(&self, finished: &Path, name: &str) -> io::Result<bool> {
        let place = self.place(name);
        match fs::rename(finished, &place) {
            Ok(()) => Ok(true),
            Err(_) if place.is_dir() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes a folder away, if it is there.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        let work = self.work_folder()?;
        match fs::rename(self.place(name), work.path().join("removed")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_finish_a_folder_wins() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        let publish = |text: &str| {
            let work = store.work_folder().unwrap();
            let folder = work.path().join("made");
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("text"), text).unwrap();
            store.publish(&folder, "name").unwrap()
        };
        let read = || fs::read_to_string(store.place("name").join("text")).ok();
        assert_eq!((publish("one"), read()), (true, Some("one".to_owned())));
        assert_eq!((publish("two"), read()), (false, Some("one".to_owned())));
        store.remove("name").unwrap();
        store.remove("name").unwrap();
        assert_eq!(read(), None);
        assert_eq!((publish("two"), read()), (true, Some("two".to_owned())));
        assert_eq!(fs::read_dir(store.tmp()).unwrap().count(), 0, "nothing is left of the work");
        assert!(store.publish(&home.path().join("missing"), "other").is_err());
    }

    #[test]
    fn work_folders_of_killed_processes_go() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        let [alive, new, left, unlocked] = [(); 4].map(|()| store.work_folder().unwrap());
        let keep = |work: WorkFolder| work.folder.keep();
        let old = |path: &Path| {
            let folder = fs::File::open(path).unwrap();
            folder.set_modified(SystemTime::now() - 2 * NEW).unwrap();
        };
        let [new, left, unlocked] = [new, left, unlocked].map(keep);
        // Of a system without locks, where only age tells.
        fs::remove_file(unlocked.join(LOCK)).unwrap();
        [alive.path(), &left, &unlocked].into_iter().for_each(old);
        Store::open(home.path()).unwrap();
        let there = [alive.path(), &new, &left, &unlocked].map(Path::exists);
        assert_eq!(there, [true, true, false, true]);
    }
}
