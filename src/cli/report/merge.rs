//! `onnx2plan report merge`: the reports of shards become one.

use crate::cli::output::{Output, counted};
use crate::cli::zoo::ending::EndingArguments;
use crate::error::{Error, Kind, Result};
use crate::files::place;
use crate::report::merge;
use crate::report::read::{self, Saved};
use crate::zoo::folder;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Reports of shards: folders, or their report.json
    #[arg(required = true, value_name = "PART")]
    parts: Vec<PathBuf>,
    /// Folder for the merged report and its pages
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    #[command(flatten)]
    ending: EndingArguments,
    /// Print the merged report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<()> {
    output.start("merge");
    // A run that was killed leaves a folder without the report, which is written last.
    let is_whole = |part: &&PathBuf| !part.is_dir() || part.join("report.json").is_file();
    let (whole, broken): (Vec<&PathBuf>, Vec<&PathBuf>) =
        arguments.parts.iter().partition(is_whole);
    let broken = broken
        .into_iter()
        .map(|part| format!("`{}` holds no report: its run did not end", part.display()));
    let mut lacks: Vec<String> = broken.collect();
    if whole.is_empty() {
        let error = Error::new(Kind::Usage, "there is no report to join");
        return Err(lacks.into_iter().fold(error, Error::with_note));
    }
    let parts = whole.into_iter().map(|part| read::zoo(part)).collect::<Result<Vec<_>>>()?;
    let (mut report, models) = merge::merge(&parts)?;
    let names = || models.iter().map(|(model, _)| model.name.as_str());
    place::pages_apart(names())?;
    let writes = folder::writes(&arguments.output, names());
    place::spare(|| parts.iter().flat_map(Saved::files).collect(), &writes)?;
    report.notes.extend(lacks.iter().cloned());
    let missing = report.missing();
    if !missing.is_empty() {
        lacks.insert(0, merge::lacks(&missing));
    }
    for (model, page) in &models {
        folder::write_model(&arguments.output, model, page)
            .map_err(|error| misshapen(error, &model.name))?;
    }
    let pages = models.iter().map(|(model, page)| (model.name.as_str(), page));
    folder::write(&arguments.output, &report, pages)?;
    output.done(&format!(
        "{} of {}: {}",
        counted(report.models.len(), "model"),
        counted(parts.len(), "part"),
        report.summary()
    ));
    if arguments.json {
        output.json(&report)?;
    }
    arguments.ending.end_whole(&report, &lacks, output)
}

/// A page that was read from a file, and that no view can be made of, is that file's fault.
fn misshapen(error: Error, model: &str) -> Error {
    if error.kind() != Kind::Internal {
        return error;
    }
    let message = format!("the part that holds model `{model}` has a broken report on it");
    let notes = error
        .notes()
        .iter()
        .fold(Error::new(Kind::Usage, message), |error, note| error.with_note(note.clone()));
    notes.with_hint("run that part again")
}
