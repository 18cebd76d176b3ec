//! An error on one line, the same on every machine, for lists and reports.

use crate::error::said::plain;
use crate::error::{Error, Kind};

/// The longest reason, in characters.
const MOST_CHARACTERS: usize = 160;

/// The first thing an error says.
pub fn reason(error: &Error) -> String {
    let said = error.said().filter(|said| said.is_told());
    let text = match (error.problems(), said) {
        ([problem, ..], _) => format!("{}: {}", problem.site.place().op, problem.message),
        ([], Some(said)) => format!("TensorRT: {}", essence(&plain(&said.text))),
        ([], None) if error.kind() == Kind::TensorRt => {
            format!("TensorRT: {}", essence(error.message()))
        }
        ([], None) => without_path(error.message()),
    };
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(MOST_CHARACTERS).collect()
}

/// Whether a stage failed only because an input is not known at build time.
pub fn wants_constants(error: &Error) -> bool {
    !error.problems().is_empty() && error.problems().iter().all(|problem| problem.wants_constant)
}

/// A message without the file it leads with, which lies elsewhere on every machine.
fn without_path(message: &str) -> String {
    let path = message.strip_prefix('`').and_then(|rest| rest.split_once("` "));
    path.map_or_else(|| message.to_owned(), |(_, rest)| rest.to_owned())
}

/// What TensorRT says without about which layer it says so.
fn essence(said: &str) -> &str {
    let said = said
        .strip_prefix("node 0 -> ")
        .and_then(|rest| rest.split_once(": "))
        .map_or(said, |(_, rest)| rest);
    said.trim()
}
