//! A wheel on disk: is it the right one, and what is in it.
//!
//! A wheel is a zip file. It has passed the hash before it is opened as one, but is read as if it
//! had not.

use super::fault::{ArchiveFault, Fault};
use super::store::Member;
use super::{Event, Notify, Package, Phase, tell};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Component, Path};
use zip::ZipArchive;
use zip::result::ZipError;

/// Most bytes that all entries of a wheel may take.
const LIMIT_BYTES: u64 = 2 << 30;
/// Bytes read at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Checks that the file `wheel` is the package's, then writes the package's members into the new
/// folder `into`.
pub(super) fn unpack(
    package: &Package,
    wheel: &Path,
    into: &Path,
    notify: &mut Notify<'_>,
) -> Result<Vec<Member>, Fault> {
    let file = check(package, wheel, notify)?;
    let mut archive = ZipArchive::new(file).map_err(ArchiveFault::Zip)?;
    survey(&archive)?;
    fs::create_dir(into).map_err(|e| Fault::write(into, e))?;
    let (mut done_bytes, total_bytes) = (0, package.unpacked_bytes);
    let mut progress = |bytes| {
        done_bytes += bytes;
        tell(notify, Event::Progress { phase: Phase::Unpacking, done_bytes, total_bytes })
    };
    package.members.iter().map(|name| extract(&mut archive, name, into, &mut progress)).collect()
}

/// The file of a wheel, at its start, if its size and hash are the package's.
pub(super) fn check(
    package: &Package,
    path: &Path,
    notify: &mut Notify<'_>,
) -> Result<File, Fault> {
    let unreadable = |source| Fault::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(unreadable)?;
    let (expected, actual) = (package.wheel_bytes, file.metadata().map_err(unreadable)?.len());
    if actual != expected {
        return Err(Fault::WrongSize { path: path.to_owned(), expected, actual });
    }
    let mut done_bytes = 0;
    let actual = digest(&mut file, unreadable, |chunk| {
        done_bytes += chunk.len() as u64;
        tell(notify, Event::Progress { phase: Phase::Checking, done_bytes, total_bytes: expected })
    })?;
    if actual != package.sha256 {
        return Err(Fault::WrongHash {
            path: path.to_owned(),
            expected: package.sha256.to_owned(),
            actual,
        });
    }
    file.rewind().map_err(unreadable)?;
    Ok(file)
}

/// Looks at every entry before any is unpacked: a wheel with one bad entry is not to be trusted
/// with the others.
fn survey(archive: &ZipArchive<File>) -> Result<(), ArchiveFault> {
    let mut total = 0;
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(ArchiveFault::Zip)?;
        let name = entry.name().map_err(ArchiveFault::Zip)?.into_owned();
        total += u128::from(entry.size());
        if !stays_inside(&name) {
            return Err(ArchiveFault::Escapes(name));
        }
        if entry.encrypted() {
            return Err(ArchiveFault::Encrypted(name));
        }
        if !is_plain(entry.unix_mode()) {
            return Err(ArchiveFault::Special(name));
        }
    }
    if total > u128::from(LIMIT_BYTES) {
        return Err(ArchiveFault::TooLarge { bytes: total, limit: LIMIT_BYTES });
    }
    Ok(())
}

fn stays_inside(name: &str) -> bool {
    !name.contains(['\\', '\0'])
        && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Whether a Unix mode is a regular file's or a folder's; tools that are not Unix's leave the type
/// out.
fn is_plain(mode: Option<u32>) -> bool {
    const TYPE: u32 = 0o170_000;
    matches!(mode.unwrap_or(0) & TYPE, 0 | 0o100_000 | 0o040_000)
}

/// Writes the entry `name` into the folder `into` under its last name; `progress` is told the bytes
/// of each chunk.
fn extract(
    archive: &mut ZipArchive<File>,
    name: &str,
    into: &Path,
    progress: &mut dyn FnMut(u64) -> Result<(), Fault>,
) -> Result<Member, Fault> {
    let short = last_name(name);
    let path = into.join(short);
    let mut entry = archive.by_name(name).map_err(|e| match e {
        ZipError::FileNotFound => ArchiveFault::Missing(name.to_owned()),
        other => ArchiveFault::Zip(other),
    })?;
    let expected = entry.size();
    let mut file = File::create_new(&path).map_err(|e| Fault::write(&path, e))?;
    let mut bytes = 0;
    let damaged = |why| ArchiveFault::Damaged { name: name.to_owned(), why }.into();
    let sha256 = digest(&mut entry, damaged, |chunk| {
        bytes += chunk.len() as u64;
        file.write_all(chunk).map_err(|e| Fault::write(&path, e))?;
        progress(chunk.len() as u64)
    })?;
    // The zip crate stops an entry that is longer than it claims, but not one that is shorter.
    if bytes != expected {
        return Err(ArchiveFault::Length { name: name.to_owned(), expected, actual: bytes }.into());
    }
    // The rename must not reach the disk before the contents.
    file.sync_all().map_err(|e| Fault::write(&path, e))?;
    Ok(Member { name: short.to_owned(), bytes, sha256 })
}

/// What an entry is called once it is unpacked.
pub(super) fn last_name(entry: &str) -> &str {
    entry.rsplit('/').next().unwrap_or(entry)
}

/// Reads to the end, hands on every chunk and returns the SHA-256 of all; `fault` tells what a
/// failed read means.
fn digest<E>(
    from: &mut dyn Read,
    fault: impl Fn(io::Error) -> E,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<String, E> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(fault(e)),
        };
        let chunk = buffer.get(..count).unwrap_or_default();
        if chunk.is_empty() {
            return Ok(crate::hash::finish(hash));
        }
        hash.update(chunk);
        each(chunk)?;
    }
}
