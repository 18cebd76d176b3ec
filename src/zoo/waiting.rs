//! Evaluation that is waited for only so long: a good plan is not lost because its numbers take too
//! long to compute.

use crate::convert::Conversion;
use crate::error::{Error, Kind, Result, bug};
use crate::report::Verification;
use crate::verify::{self, data::DataSet};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The share of its time after which a job does not wait any more.
const SHARE: f64 = 0.9;

/// How long a job of so many seconds may still wait for numbers.
pub(super) fn left(seconds: u64, start: Instant) -> Duration {
    Duration::from_secs(seconds).mul_f64(SHARE).saturating_sub(start.elapsed())
}

/// Evaluates in a thread of its own; `None` where that takes too long. The thread then goes on
/// until the process ends.
pub(super) fn evaluated(
    left: Duration,
    conversion: &Conversion,
    inputs: &[&str],
    sets: &[DataSet],
) -> Result<Option<Vec<Verification>>> {
    let (done, waiting) = channel();
    let (network, sets) = (conversion.network().clone(), sets.to_vec());
    let inputs: Vec<String> = inputs.iter().map(|&name| name.to_owned()).collect();
    std::thread::spawn(move || {
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let found = bug::caught(|| verify::all_on_cpu(&network, &inputs, &sets));
        // Nobody may wait any more.
        let _ = done.send(found);
    });
    match waiting.recv_timeout(left) {
        Ok(found) => found.map(Some),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => {
            Err(Error::new(Kind::Internal, "the evaluation ended without a result"))
        }
    }
}
