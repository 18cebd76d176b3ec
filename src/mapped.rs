//! Files mapped into memory as shared bytes.

use bytes::Bytes;
use memmap2::{Mmap, UncheckedAdvice};
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The maps that are alive, so that bytes can be traced back to theirs.
static MAPS: Mutex<Vec<Weak<Mmap>>> = Mutex::new(Vec::new());

struct Owner(Arc<Mmap>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The contents of a file, which nobody may change while they are in use.
#[allow(unsafe_code, reason = "the one memory map")]
pub(crate) fn map(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the map is read-only, and the callers ask of theirs that nobody changes the file
    // while its bytes are in use, which no program can check.
    let map = Arc::new(unsafe { Mmap::map(file)? });
    let mut maps = MAPS.lock().unwrap_or_else(PoisonError::into_inner);
    maps.retain(|map| map.strong_count() > 0);
    maps.push(Arc::downgrade(&map));
    Ok(Bytes::from_owner(Owner(map)))
}

/// Lets go of the memory behind `bytes`, if they are of a mapped file: the next to read them reads
/// the file again.
///
/// For who has copied them, so that they are not held twice.
#[allow(unsafe_code, reason = "memory of a map is given back")]
pub(crate) fn release(bytes: &[u8]) {
    let maps = MAPS.lock().unwrap_or_else(PoisonError::into_inner);
    let start = bytes.as_ptr().addr();
    for map in maps.iter().filter_map(Weak::upgrade) {
        let offset = start.wrapping_sub(map.as_ptr().addr());
        if offset < map.len() && bytes.len() <= map.len() - offset {
            // SAFETY: the pages are of a private, read-only map of a file that nobody changes: they
            // come back as they were. A failure leaves them where they are.
            let _ = unsafe {
                map.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, bytes.len())
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn released_bytes_read_as_before() {
        let mut file = tempfile::tempfile().unwrap();
        let data: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        file.write_all(&data).unwrap();
        let bytes = map(&file).unwrap();
        assert_eq!(bytes, data);
        release(&bytes[5..90_001]);
        assert_eq!(bytes, data);
        release(&data);
        assert_eq!(data[4096], bytes[4096]);
    }

    #[test]
    fn an_empty_file_has_no_bytes() {
        assert!(map(&tempfile::tempfile().unwrap()).unwrap().is_empty());
    }
}
