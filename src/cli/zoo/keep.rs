//! What a zoo leaves behind besides its report: plans for the user, and results for the next run.

use crate::cli;
use crate::cli::environment::Environment;
use crate::cli::output::Output;
use crate::error::{Error, Kind, Result};
use crate::zoo::cache;
use crate::zoo::cache::tidy::{self, Entries, Limits, Removed};
use crate::zoo::job::{self, Job};
use crate::zoo::plan;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Plans and results to keep")]
pub(super) struct KeepArguments {
    /// Write NAME.plan and NAME.plan.json of each good model to this folder
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Folder that keeps results for later runs [default: `zoo` in the cache folder]
    #[arg(long, value_name = "FOLDER")]
    cache: Option<PathBuf>,
    /// Convert every model again, and keep no results
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
    /// At the end, remove results that no zoo has used for this many days; 0 for never
    #[arg(long, value_name = "DAYS", default_value_t = 30, conflicts_with = "no_cache")]
    cache_days: u64,
    /// At the end, remove the least recently used results until the rest fits in this many MiB; 0
    /// for no limit
    #[arg(long, value_name = "MIB", default_value_t = 20480, conflicts_with = "no_cache")]
    cache_size: u64,
}

/// The folders that workers write to.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    output: Option<PathBuf>,
    cache: Option<PathBuf>,
}

impl KeepArguments {
    /// Where plans and their manifests go.
    ///
    /// # Errors
    /// [`Kind::Usage`] for two models with one plan.
    pub(super) fn plans(&self, jobs: &[Job]) -> Result<Vec<PathBuf>> {
        let Some(folder) = &self.output else { return Ok(Vec::new()) };
        plan::apart(folder, job::names(jobs))?;
        Ok(job::names(jobs).flat_map(|name| plan::writes(folder, name)).collect())
    }

    /// Removes from the cache what is not worth its room any more.
    pub(super) fn tidy(&self, folders: &Folders, output: &mut Output) {
        let Some(folder) = &folders.cache else { return };
        let (days, size) = (self.cache_days, self.cache_size);
        let limits = Limits {
            unused: (days > 0).then(|| Duration::from_secs(days.saturating_mul(24 * 60 * 60))),
            bytes: (size > 0).then(|| size.saturating_mul(1 << 20)),
        };
        match tidy::tidy(folder, &limits) {
            Ok(Removed { unused, beyond }) => {
                let mut note = |entries: Entries, why: &str| {
                    if entries.count > 0 {
                        output.note(&format!(
                            "removed from the cache: {}, {why}",
                            cli::cache::results(entries)
                        ));
                    }
                };
                note(unused, &format!("not used for {days} days"));
                note(beyond, &format!("for which {size} MiB are too few"));
            }
            Err(error) => output.warning(&error.to_string()),
        }
    }

    /// The folders, made where they are missing. Without a cache that was asked for things go on,
    /// with a warning.
    ///
    /// # Errors
    /// [`Kind::Environment`] for a folder that the user names and that cannot be written to.
    pub(super) fn folders(
        &self,
        environment: &Environment,
        output: &mut Output,
    ) -> Result<Folders> {
        if let Some(folder) = &self.output {
            std::fs::create_dir_all(folder).map_err(|error| {
                Error::new(Kind::Environment, format!("cannot write to `{}`", folder.display()))
                    .with_source(error)
            })?;
        }
        let cache = match &self.cache {
            Some(folder) => cache::prepare(folder).map(|()| Some(folder.clone()))?,
            None if self.no_cache => None,
            None => {
                let usable = environment
                    .results()
                    .and_then(|folder| cache::prepare(&folder).map(|()| folder));
                usable
                    .map_err(|error| {
                        output.warning(&format!("results are not kept: {}", error.message()));
                    })
                    .ok()
            }
        };
        Ok(Folders { output: self.output.clone(), cache })
    }
}

impl Folders {
    /// Tells a worker of them.
    pub(super) fn tell(&self, command: &mut Command) {
        for (option, folder) in [("--output", &self.output), ("--cache", &self.cache)] {
            if let Some(folder) = folder {
                command.arg(option).arg(folder);
            }
        }
    }
}
