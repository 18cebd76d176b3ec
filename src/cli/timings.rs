//! `--timings`: where the time of a conversion went, as a table and for a browser's tracer.

use super::output::Output;
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::files::place::{self, Place};
use crate::shown;
use crate::timings::{Stage, Timings, trace};
use comfy_table::{CellAlignment, Table, presets};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, clap::Args)]
pub(super) struct TimingsArguments {
    /// Show how long each stage takes and how much memory it needs, and write that to a file for a
    /// browser's tracer: Perfetto, chrome://tracing [default: the plan's name with `.trace.json`]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    #[allow(clippy::option_option, reason = "how clap says that a value may be left out")]
    timings: Option<Option<PathBuf>>,
}

impl TimingsArguments {
    /// Starts to record.
    pub(super) fn start(&self) -> Timings {
        Timings::start(self.are_wanted())
    }

    pub(super) fn are_wanted(&self) -> bool {
        self.timings.is_some()
    }

    /// The traces of plans that go to these places.
    ///
    /// # Errors
    /// [`Kind::Usage`] for several traces in one file, or one that has no name;
    /// [`Kind::Environment`] where something else than a file is in the way.
    pub(super) fn files<'a>(
        &self,
        plans: impl Iterator<Item = &'a Place> + Clone,
    ) -> Result<Vec<PathBuf>> {
        let Some(named) = &self.timings else { return Ok(Vec::new()) };
        let written = plans.clone().flat_map(Place::files);
        let files = plans.map(|plan| match (named, plan) {
            (Some(file), _) => Ok(file.clone()),
            (None, Place::File(plan)) => Ok(files::with_suffix(plan, ".trace.json")),
            (None, _) => {
                Err(Error::new(Kind::Usage, "there is no plan to write the timings beside")
                    .with_hint("name a file with `--timings=FILE`"))
            }
        });
        let files = files.collect::<Result<Vec<_>>>()?;
        if named.is_some() && files.len() > 1 {
            return Err(Error::new(Kind::Usage, "the timings of several models want one file")
                .with_hint("`--timings` alone writes a file beside each plan"));
        }
        for plan in written {
            if let Some(file) = files.iter().find(|file| place::is_same(file, &plan)) {
                let message = format!("the timings and the plan both want `{}`", file.display());
                return Err(Error::new(Kind::Usage, message)
                    .with_hint("name another file with `--timings=FILE`"));
            }
        }
        files.iter().try_for_each(|file| place::replaceable(file))?;
        Ok(files)
    }
}

/// Shows what was recorded of a model and writes it to a file.
///
/// # Errors
/// [`Kind::Environment`] where the file cannot be written.
pub(super) fn tell(stages: &[Stage], model: &Path, file: &Path, output: &Output) -> Result<()> {
    let trace = trace::of(&model.display().to_string(), stages);
    files::write_text(file, &format!("{}\n", shown::json(&trace.to_string())))?;
    table(stages).lines().for_each(|line| output.item(line));
    Ok(())
}

/// A row for each stage; those of one name within one other are one.
fn table(stages: &[Stage]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["stage", "seconds", "peak MiB"]);
    add(&mut table, &stages.iter().collect::<Vec<_>>(), 0);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    super::table::lines(&table)
}

fn add(table: &mut Table, stages: &[&Stage], depth: usize) {
    let mut names: Vec<&str> = Vec::new();
    for stage in stages {
        if !names.contains(&&*stage.name) {
            names.push(&stage.name);
        }
    }
    for name in names {
        let same: Vec<&Stage> = stages.iter().copied().filter(|of| of.name == name).collect();
        let count = if same.len() == 1 { String::new() } else { format!(" ×{}", same.len()) };
        let seconds: f64 = same.iter().map(|stage| stage.seconds).sum();
        let peak = same.iter().filter_map(|stage| stage.peak_rss_bytes).max();
        let peak = peak.map_or_else(String::new, |bytes| (bytes >> 20).to_string());
        let indent = "  ".repeat(depth);
        let name = shown::escaped(name);
        table.add_row([format!("{indent}{name}{count}"), format!("{seconds:.4}"), peak]);
        let inside: Vec<&Stage> = same.iter().flat_map(|stage| &stage.stages).collect();
        add(table, &inside, depth + 1);
    }
}
