//! A file as decoders read it: small things through a buffer, large ones as slices of the map.
//!
//! Reading a byte of a map brings in the pages around it, 64 KiB and more. A model's messages lie
//! between its weights, so that reading them through the map would bring in much of the weights
//! that nobody asked for.

use bytes::{Buf, Bytes};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// How much of the file is read at once.
const BUFFER_BYTES: usize = 16 << 10;
/// Bytes fields from this size on are slices of the map; smaller ones are copied.
const SHARED_FROM_BYTES: usize = 16 << 10;

/// A place in a file, or in memory, to read on from.
pub(super) struct Window {
    whole: Bytes,
    /// `None` for bytes that are no file's.
    file: Option<File>,
    /// What was read from the file, and where it begins there.
    buffer: Vec<u8>,
    start: usize,
    at: usize,
}

impl Window {
    /// Reads `map`, which is the whole of `file`.
    pub(super) fn of_file(map: Bytes, file: File) -> Self {
        Self { whole: map, file: Some(file), buffer: Vec::new(), start: 0, at: 0 }
    }

    /// Reads bytes that lie in memory.
    pub(super) fn of_bytes(whole: Bytes) -> Self {
        Self { whole, file: None, buffer: Vec::new(), start: 0, at: 0 }
    }

    /// Length of the whole, wherever the window stands.
    pub(super) fn len(&self) -> usize {
        self.whole.len()
    }

    /// Goes back to the start.
    pub(super) fn rewind(&mut self) {
        self.seek(0);
    }

    /// Bytes from `at` on: at least one where there are any, up to `most`.
    pub(super) fn peek(&mut self, at: usize, most: usize) -> &[u8] {
        self.seek(at);
        // Near the buffer's end there may be less than is wanted: read on from here.
        if self.buffered().len() < most && self.start != at {
            self.fill();
        }
        let chunk = Self::chunk(self);
        &chunk[..most.min(chunk.len())]
    }

    fn seek(&mut self, at: usize) {
        self.at = at.min(self.whole.len());
        if self.buffered().is_empty() {
            self.fill();
        }
    }

    /// Reads on from where the window stands. What cannot be read is left to the map.
    fn fill(&mut self) {
        let Some(file) = &self.file else { return };
        self.buffer.resize(BUFFER_BYTES.min(self.whole.len() - self.at), 0);
        self.start = self.at;
        let at = u64::try_from(self.at).unwrap_or(u64::MAX);
        if file.read_exact_at(&mut self.buffer, at).is_err() {
            self.buffer.clear();
        }
    }

    /// What of the buffer lies before the window.
    fn buffered(&self) -> &[u8] {
        self.at.checked_sub(self.start).and_then(|skip| self.buffer.get(skip..)).unwrap_or_default()
    }
}

impl Buf for Window {
    fn remaining(&self) -> usize {
        self.whole.len() - self.at
    }

    fn chunk(&self) -> &[u8] {
        match self.buffered() {
            [] => &self.whole[self.at..],
            buffered => buffered,
        }
    }

    fn advance(&mut self, count: usize) {
        self.seek(self.at + count);
    }

    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        let bytes = if len >= SHARED_FROM_BYTES || self.file.is_none() {
            self.whole.slice(self.at..self.at + len)
        } else {
            let mut copy = Vec::with_capacity(len);
            let mut at = self.at;
            while copy.len() < len {
                let more = self.peek(at, len - copy.len());
                if more.is_empty() {
                    break;
                }
                at += more.len();
                copy.extend_from_slice(more);
            }
            copy.into()
        };
        self.advance(len);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapped;
    use std::io::Write;

    fn window(data: &[u8]) -> Window {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(data).unwrap();
        Window::of_file(mapped::map(&file).unwrap(), file)
    }

    #[test]
    fn small_fields_are_copied_and_large_ones_shared() {
        let data: Vec<u8> = (0..200_000u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let mut window = window(&data);
        let map = window.whole.as_ptr_range();
        let mut at = 0;
        for (len, shared) in [
            (3, false),
            (16_000, false),
            (100_000, true),
            (16_383, false),
            (16_384, true),
            (1, false),
        ] {
            let bytes = window.copy_to_bytes(len);
            assert_eq!(bytes, data[at..at + len]);
            assert_eq!(map.contains(&bytes.as_ptr()), shared, "{len} bytes");
            at += len;
            assert_eq!(window.remaining(), data.len() - at);
            assert!(data[at..].starts_with(window.chunk()));
        }
        window.advance(window.remaining());
        assert!(window.chunk().is_empty());
    }

    #[test]
    fn bytes_are_seen_wherever_they_lie() {
        let data: Vec<u8> = (0..50_000u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let mut window = window(&data);
        for at in [0, 16_380, 16_384, 49_999, 3] {
            let seen = window.peek(at, 10).to_vec();
            assert_eq!(seen, data[at..data.len().min(at + 10)]);
        }
        assert!(window.peek(50_000, 10).is_empty());
        assert_eq!(Window::of_bytes(data.clone().into()).peek(7, 2), &data[7..9]);
    }
}
