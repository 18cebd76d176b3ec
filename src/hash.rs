//! SHA-256 as text, the one hash this program uses.

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The finished hash in hexadecimal.
pub(crate) fn finish(hash: Sha256) -> String {
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The hash of some bytes in hexadecimal.
pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    finish(Sha256::new_with_prefix(bytes))
}

/// The first digits of that hash: enough to tell apart names that look alike.
pub(crate) fn short(bytes: impl AsRef<[u8]>) -> String {
    let mut hash = sha256(bytes);
    hash.truncate(8);
    hash
}
