//! One build as TensorRT sees it: where the plan goes, and whether to go on.

use crate::timings::{self, Here, stage};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many builds this process has TensorRT do now.
static BUILDS: AtomicUsize = AtomicUsize::new(0);

/// Whether TensorRT is building: a process that ends meanwhile takes the ground from under threads
/// of its.
pub fn is_building() -> bool {
    BUILDS.load(Ordering::SeqCst) > 0
}

/// Counts as a build until it is dropped.
struct Counted;

impl Counted {
    fn new() -> Self {
        BUILDS.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        BUILDS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Takes the plan in pieces, from whichever thread TensorRT writes.
pub(super) struct Job<'a> {
    to: Mutex<To<'a>>,
    cancel: &'a AtomicBool,
    phases: Option<Phases>,
    _counted: Counted,
}

/// The phases that TensorRT is in.
struct Phases {
    here: Here,
    /// Their names, and what they are recorded as.
    open: Mutex<Vec<(String, usize)>>,
}

struct To<'a> {
    writer: &'a mut (dyn Write + Send),
    bytes: u64,
    error: Option<io::Error>,
}

impl<'a> Job<'a> {
    pub(super) fn new(writer: &'a mut (dyn Write + Send), cancel: &'a AtomicBool) -> Self {
        Self {
            to: Mutex::new(To { writer, bytes: 0, error: None }),
            cancel,
            phases: timings::here().map(|here| Phases { here, open: Mutex::default() }),
            _counted: Counted::new(),
        }
    }

    /// Called by the shim with the next bytes of the plan; false stops the build.
    pub(super) fn write(&self, chunk: &[u8]) -> bool {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        // The caller is C++ and cannot unwind.
        match catch_unwind(AssertUnwindSafe(|| stage("write", || to.writer.write_all(chunk)))) {
            Ok(Ok(())) => {
                to.bytes += chunk.len() as u64;
                self.keep_going()
            }
            Ok(Err(error)) => {
                to.error = Some(error);
                false
            }
            Err(_) => {
                to.error = Some(io::Error::other("the writer of the plan panicked"));
                false
            }
        }
    }

    /// Called by the shim when a phase begins, which may be part of another.
    pub(super) fn phase_begins(&self, name: &[u8], parent: &[u8]) {
        let Some(phases) = &self.phases else { return };
        let (name, parent) = (String::from_utf8_lossy(name), String::from_utf8_lossy(parent));
        let mut open = phases.open.lock().unwrap_or_else(PoisonError::into_inner);
        let parent = open.iter().rev().find(|(name, _)| *name == parent).map(|(_, stage)| *stage);
        let stage = phases.here.begin(&name, parent);
        open.push((name.into_owned(), stage));
    }

    /// Called by the shim when a phase ends.
    pub(super) fn phase_ends(&self, name: &[u8]) {
        let Some(phases) = &self.phases else { return };
        let name = String::from_utf8_lossy(name);
        let mut open = phases.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = open.iter().rposition(|(known, _)| *known == name) {
            let (_, stage) = open.remove(at);
            phases.here.end(stage);
        }
    }

    /// Called by the shim after each step of the build; false stops it.
    pub(super) fn keep_going(&self) -> bool {
        !self.cancel.load(Ordering::Relaxed)
    }

    /// How many bytes were written, or why the writer failed.
    pub(super) fn finish(self) -> io::Result<u64> {
        let to = self.to.into_inner().unwrap_or_else(PoisonError::into_inner);
        match to.error {
            Some(error) => Err(error),
            None => Ok(to.bytes),
        }
    }
}
