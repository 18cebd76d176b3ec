//! `onnx2plan report diff`: what got worse or better between two runs.

use crate::cli::output::Output;
use crate::cli::table;
use crate::error::{Error, Kind, Result};
use crate::report::diff::{self, Diff, Thresholds};
use crate::report::{read, render};
use crate::shown::{line, name};
use comfy_table::{Table, presets};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The old report: a folder or its report.json
    old: PathBuf,
    /// The new report, in the same way
    new: PathBuf,
    /// Largest allowed growth of an output's error, as a factor
    #[arg(long, value_name = "FACTOR", default_value = "2", value_parser = parse_factor)]
    max_error: f64,
    /// Largest allowed growth of a plan's latency, as a factor
    #[arg(long, value_name = "FACTOR", default_value = "1.1", value_parser = parse_factor)]
    max_latency: f64,
    /// Largest allowed growth of the build time, as a factor
    #[arg(long, value_name = "FACTOR", default_value = "2", value_parser = parse_factor)]
    max_build: f64,
    /// Largest allowed growth of a plan's size, as a factor
    #[arg(long, value_name = "FACTOR", default_value = "1.1", value_parser = parse_factor)]
    max_size: f64,
    /// Print the result as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print Markdown, for a comment on a pull request
    #[arg(long)]
    markdown: bool,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<()> {
    let [old, new] = [&arguments.old, &arguments.new].map(|path| read::zoo(path));
    let thresholds = Thresholds {
        error: arguments.max_error,
        latency: arguments.max_latency,
        build: arguments.max_build,
        size: arguments.max_size,
    };
    let diff = diff::diff(&old?.report, &new?.report, thresholds);
    if arguments.json {
        output.json(&diff)?;
    } else if arguments.markdown {
        output.data(&render::diff(&diff)?)?;
    } else {
        output.data(&text(&diff))?;
    }
    if diff.worse.is_empty() {
        return Ok(());
    }
    let error = Error::new(Kind::Mismatch, diff.summary());
    Err(error.with_hint("if this is meant, take the new report as the old one from now on"))
}

/// A factor by which a number may grow.
fn parse_factor(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if (1.0..=f64::MAX).contains(&factor) => Ok(factor),
        _ => Err("a factor is a number from 1 on, as in 1.5".to_owned()),
    }
}

/// A row for each change; what is in one report only; what else differs; the summary.
fn text(diff: &Diff) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["", "model", "what", "before", "now"]);
    for row in diff.rows() {
        let cells = [row.name, row.what, row.old, row.new].map(|cell| name(&cell));
        table.add_row(std::iter::once(row.turn.to_string()).chain(cells));
    }
    let mut lines: Vec<String> = Vec::new();
    if !diff.changes.is_empty() {
        lines.push(table::lines(&table));
    }
    for (what, entries) in [("added", &diff.added), ("removed", &diff.removed)] {
        lines.extend(
            entries
                .iter()
                .map(|entry| format!(" {what}: {} ({})", name(&entry.name), entry.status)),
        );
    }
    lines.extend(diff.notes.iter().map(|note| format!(" note: {}", line(note))));
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.push(diff.summary());
    lines.join("\n")
}
