//! Panics as errors: a bug that was not foreseen ends with a sentence, as one that was.

use super::{Error, Kind, Result};
use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::{Mutex, PoisonError};

/// What the first thread said that panicked, and where; who waits for it learns only that it did.
static FIRST: Mutex<Option<String>> = Mutex::new(None);

/// Has panics say nothing by themselves, unless a backtrace is asked for with `RUST_BACKTRACE`.
pub(crate) fn quiet() {
    let loud = take_hook();
    set_hook(Box::new(move |info| {
        note(info);
        if Backtrace::capture().status() == BacktraceStatus::Captured {
            loud(info);
        }
    }));
}

fn note(info: &PanicHookInfo<'_>) {
    let said = text(info.payload());
    let said = info.location().map_or_else(|| said.to_owned(), |at| format!("{said} ({at})"));
    FIRST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(said);
}

/// What `work` gives; a panic in it, or in a thread that it waits for, is an error.
///
/// # Errors
/// Those of `work`; [`Kind::Internal`] for a panic.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let first = FIRST.lock().unwrap_or_else(PoisonError::into_inner).take();
        let said = first.unwrap_or_else(|| text(&*payload).to_owned());
        Err(Error::new(Kind::Internal, format!("this is a bug in onnx2plan: {said}"))
            .with_hint("please report it, with the model if you can"))
    })
}

/// What was said.
fn text(payload: &(dyn Any + Send)) -> &str {
    let said = payload.downcast_ref::<&str>().copied();
    said.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_a_sentence() {
        let broken: Result<()> = caught(|| panic!("list {} is short", 7));
        let error = broken.unwrap_err();
        assert_eq!(error.kind().exit_code(), 70);
        assert_eq!(error.message(), "this is a bug in onnx2plan: list 7 is short");
        assert_eq!(caught(|| Ok(5)).unwrap(), 5);
    }
}
