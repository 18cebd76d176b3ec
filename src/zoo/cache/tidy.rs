//! Which results stay in a cache, and for how long.
//!
//! Only entries are counted and removed: folders named by a hash that hold an entry's files and
//! nothing else. An entry leaves its place as a whole, so that zoos which work at the same time
//! find all of it or nothing.

use super::{ENTRY, is_file_of_entry};
use crate::error::{Error, Kind, Result};
use crate::files::store::{Placed, Store};
use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How much stays. What was used last stays longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries not used for so long go.
    pub unused: Option<Duration>,
    /// What all entries together may take, in bytes.
    pub bytes: Option<u64>,
}

impl Limits {
    /// Nothing stays.
    pub const NOTHING: Self = Self { unused: Some(Duration::ZERO), bytes: None };
}

/// Some of a cache's entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Entries {
    /// How many.
    pub count: usize,
    /// Size of their files.
    pub bytes: u64,
}

impl Entries {
    fn add(&mut self, entry: &Placed) {
        self.count += 1;
        self.bytes += entry.bytes;
    }
}

/// What was removed from a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// What had not been used for too long.
    pub unused: Entries,
    /// What there was no room for.
    pub beyond: Entries,
}

/// What a cache holds; nothing where there is none.
pub fn held(folder: &Path) -> Entries {
    let mut held = Entries::default();
    for entry in entries(folder) {
        held.add(&entry);
    }
    held
}

/// Removes what the limits leave no room for.
///
/// # Errors
/// [`Kind::Environment`] where an entry cannot be removed; the others are, all the same.
pub fn tidy(folder: &Path, limits: &Limits) -> Result<Removed> {
    let mut removed = Removed::default();
    let mut entries = entries(folder);
    if entries.is_empty() {
        return Ok(removed);
    }
    entries.sort_by_key(|entry| Reverse(entry.used));
    let store = Store::open(folder).map_err(|error| cannot_remove(folder, error))?;
    let (now, mut kept, mut stuck) = (SystemTime::now(), 0, None);
    for entry in entries {
        // The time of one that is used right now may lie after `now`.
        let age = now.duration_since(entry.used).unwrap_or_default();
        let list = if limits.unused.is_some_and(|limit| age >= limit) {
            &mut removed.unused
        } else {
            kept += entry.bytes;
            if limits.bytes.is_none_or(|limit| kept <= limit) {
                continue;
            }
            &mut removed.beyond
        };
        match remove(&store, folder, &entry) {
            Ok(true) => list.add(&entry),
            Ok(false) => {}
            Err(error) => stuck = stuck.or(Some(error)),
        }
    }
    stuck.map_or(Ok(removed), |error| Err(cannot_remove(folder, error)))
}

fn cannot_remove(folder: &Path, error: io::Error) -> Error {
    Error::new(Kind::Environment, format!("cannot remove results from `{}`", folder.display()))
        .with_source(error)
}

/// Removes an entry unless it was used since it was looked at; says whether it did.
fn remove(store: &Store, folder: &Path, entry: &Placed) -> io::Result<bool> {
    let unused = placed(folder, &entry.name).is_some_and(|found| found.used == entry.used);
    if unused {
        store.remove(&entry.name)?;
    }
    Ok(unused)
}

fn entries(folder: &Path) -> Vec<Placed> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    names.filter_map(|name| placed(folder, name.file_name().to_str()?)).collect()
}

fn placed(folder: &Path, name: &str) -> Option<Placed> {
    let is_hash =
        name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let placed = is_hash.then(|| Store::placed(folder, name, is_file_of_entry))??;
    // It enters the cache with its entry, as a whole.
    folder.join(name).join(ENTRY).exists().then_some(placed)
}
