//! The worker's side: jobs in, reports out, a line of JSON each.

use super::attempt::{self, Machine};
use super::job::Job;
use crate::error::{Error, Kind, Result};
use std::io::{self, BufRead, Write};

/// Does the jobs that come in until there are no more.
///
/// # Errors
/// [`Kind::Usage`] for a line that is no job; [`Kind::Environment`] where the other side is gone.
pub fn serve(input: impl BufRead, output: &mut impl Write, machine: &Machine) -> Result<()> {
    let gone = |error: io::Error| Error::new(Kind::Environment, "the other side is gone").with_source(error);
    for line in input.lines() {
        let job: Job = serde_json::from_str(&line.map_err(gone)?)
            .map_err(|error| Error::new(Kind::Usage, "a line is no job").with_source(error))?;
        let outcome = attempt::run(&job, machine);
        serde_json::to_writer(&mut *output, &outcome)
            .map_err(io::Error::from)
            .and_then(|()| output.write_all(b"\n"))
            .and_then(|()| output.flush())
            .map_err(gone)?;
        if outcome.spent {
            break;
        }
    }
    Ok(())
}
