//! `onnx2plan cache`: what the cache holds, and how to remove that.

use super::environment::Environment;
use super::output::{Output, counted};
use super::plan::size;
use super::table;
use crate::error::Result;
use crate::provision::{self, Fetched, python};
use crate::zoo::cache::tidy::{self, Entries, Limits};
use comfy_table::{Table, presets};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the path of the cache folder
    Dir,
    /// Show what the cache contains, and its size
    Size(SizeArguments),
    /// Remove the results of zoos
    Clean(CleanArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct SizeArguments {
    /// Show only the results kept with `zoo --cache FOLDER`
    #[arg(long, value_name = "FOLDER")]
    cache: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct CleanArguments {
    /// Remove only the results kept with `zoo --cache FOLDER`
    #[arg(long, value_name = "FOLDER", conflicts_with = "libraries")]
    cache: Option<PathBuf>,
    /// Also remove the downloaded libraries
    #[arg(long)]
    libraries: bool,
}

/// What a cache holds.
#[derive(Debug, Serialize)]
struct Held {
    /// Where results of zoos are.
    folder: PathBuf,
    results: Entries,
    libraries: Vec<Fetched>,
}

pub(super) fn run(command: &Command, environment: &Environment, output: &mut Output) -> Result<()> {
    match command {
        Command::Dir => output.data(&environment.cache()?.display().to_string()),
        Command::Size(arguments) => {
            let held = held(arguments.cache.as_deref(), environment)?;
            if arguments.json { output.json(&held) } else { output.data(&held.text()) }
        }
        Command::Clean(arguments) => clean(arguments, environment, output),
    }
}

fn held(own: Option<&Path>, environment: &Environment) -> Result<Held> {
    Ok(match own {
        Some(folder) => {
            Held { folder: folder.to_owned(), results: tidy::held(folder), libraries: Vec::new() }
        }
        None => {
            let (cache, folder) = (environment.cache()?, environment.results()?);
            Held { results: tidy::held(&folder), libraries: provision::fetched(&cache), folder }
        }
    })
}

fn clean(arguments: &CleanArguments, environment: &Environment, output: &mut Output) -> Result<()> {
    let Held { folder, libraries, .. } = held(arguments.cache.as_deref(), environment)?;
    let removed = tidy::tidy(&folder, &Limits::NOTHING)?.unused;
    let mut lines = vec![format!("removed {}", results(removed))];
    if arguments.cache.is_none() {
        let cache = environment.cache()?;
        python::forget(&cache);
        for library in libraries.iter().filter(|_| arguments.libraries) {
            provision::remove(library, &cache)?;
            lines.push(format!("removed {}, {}", library.name, size(library.bytes)));
        }
    }
    output.data(&lines.join("\n"))
}

impl Held {
    fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let folder = self.folder.display().to_string();
        table.add_row([
            "results of zoos",
            &self.results.count.to_string(),
            &size(self.results.bytes),
            &folder,
        ]);
        for library in &self.libraries {
            table.add_row([&*library.name, "", &size(library.bytes), ""]);
        }
        table::lines(&table)
    }
}

/// Results, as texts speak of them.
pub(super) fn results(entries: Entries) -> String {
    let Entries { count, bytes } = entries;
    format!("{}, {}", counted(count, "result"), size(bytes))
}
