//! `onnx2plan report merge`: the reports of shards become one.

use crate::cli::output::Output;
use crate::cli::zoo::ending::EndingArguments;
use crate::error::Result;
use crate::report::read;
use crate::zoo::{folder, merge};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Folders with reports, or their report.json
    #[arg(required = true, value_name = "PART")]
    parts: Vec<PathBuf>,
    /// Where to write the joined report, its pages and views
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    #[command(flatten)]
    ending: EndingArguments,
    /// Print the joined report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<()> {
    output.start("merge");
    let parts = arguments.parts.iter().map(|part| read::zoo(part)).collect::<Result<Vec<_>>>()?;
    let (report, outcomes) = merge::merge(&parts)?;
    for outcome in &outcomes {
        folder::write_model(&arguments.output, outcome)?;
    }
    folder::write(&arguments.output, &report, &outcomes)?;
    output.done(&format!("{} models of {} parts: {}", report.models.len(), parts.len(), report.summary()));
    if arguments.json {
        output.json(&report)?;
    }
    arguments.ending.end_whole(&report, output)
}
