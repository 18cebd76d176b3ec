//! `onnx2plan report`: reports that zoos have written.

mod diff;
mod merge;

use super::output::Output;
use crate::error::Result;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Merge the reports of shards into one, as if a single run had written it
    Merge(merge::Arguments),
    /// Show what got worse or better between two reports
    Diff(diff::Arguments),
}

pub(super) fn run(command: &Command, output: &mut Output) -> Result<()> {
    match command {
        Command::Merge(arguments) => merge::run(arguments, output),
        Command::Diff(arguments) => diff::run(arguments, output),
    }
}
