//! What a zoo leaves behind besides its report: plans for the user, and results for the next run.

use crate::cli::environment::Environment;
use crate::cli::output::Output;
use crate::error::{Error, Kind, Result};
use crate::zoo::cache;
use std::path::PathBuf;
use std::process::Command;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct KeepArguments {
    /// Write the plan and the manifest of each model that is good to NAME.plan and NAME.plan.json in this folder
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Where results are kept, for models that come again [default: `zoo` in the cache folder]
    #[arg(long, value_name = "FOLDER")]
    cache: Option<PathBuf>,
    /// Do every model anew, and keep no results
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
}

/// The folders that workers write to.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    output: Option<PathBuf>,
    cache: Option<PathBuf>,
}

impl KeepArguments {
    /// The folders, made where they are missing. Without a cache that was asked for things go on, with a warning.
    ///
    /// # Errors
    /// [`Kind::Environment`] for a folder that the user names and that cannot be written to.
    pub(super) fn folders(&self, environment: &Environment, output: &mut Output) -> Result<Folders> {
        if let Some(folder) = &self.output {
            std::fs::create_dir_all(folder).map_err(|error| {
                Error::new(Kind::Environment, format!("cannot write to `{}`", folder.display())).with_source(error)
            })?;
        }
        let cache = match &self.cache {
            Some(folder) => cache::prepare(folder).map(|()| Some(folder.clone()))?,
            None if self.no_cache => None,
            None => {
                let folder = environment.cache().map(|folder| folder.join("zoo"));
                let usable = folder.and_then(|folder| cache::prepare(&folder).map(|()| folder));
                usable.map_err(|error| output.warning(&format!("results are not kept: {}", error.message()))).ok()
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
