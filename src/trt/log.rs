//! TensorRT's log lines on their way to whoever works with TensorRT at the moment.
//!
//! A TensorRT library has one logger for the whole process. Lines come on the thread that called
//! TensorRT, where `route` says who wants them; lines from TensorRT's own threads go to whoever was
//! last.

use super::ffi;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// How grave a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Something failed.
    Error,
    /// Something may be wrong.
    Warning,
    /// What happens.
    Info,
    /// Every detail.
    Verbose,
}

/// Takes log lines, from any thread.
pub type LogSink = Arc<Take>;
type Take = dyn Fn(Severity, &str) + Send + Sync;

thread_local! {
    static CURRENT: RefCell<Option<LogSink>> = const { RefCell::new(None) };
}
static LAST: Mutex<Option<Weak<Take>>> = Mutex::new(None);

/// Ends the routing when dropped.
pub(super) struct Route(Option<LogSink>);

/// Sends the log lines of this thread to `sink` until the result is dropped.
pub(super) fn route(sink: &LogSink) -> Route {
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::downgrade(sink));
    Route(CURRENT.replace(Some(sink.clone())))
}

impl Drop for Route {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Called by the shim for each line. Never panics: its caller cannot unwind.
pub(super) fn log_line(severity: ffi::Severity, message: &[u8]) {
    let severity = match severity {
        ffi::Severity::InternalError | ffi::Severity::Error => Severity::Error,
        ffi::Severity::Warning => Severity::Warning,
        ffi::Severity::Info => Severity::Info,
        _ => Severity::Verbose,
    };
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let sink =
            CURRENT.try_with(|current| current.borrow().clone()).ok().flatten().or_else(|| {
                LAST.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.upgrade()
            });
        if let Some(sink) = sink {
            sink(severity, String::from_utf8_lossy(message).trim_end());
        }
    }));
}
