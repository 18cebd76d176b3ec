//! Where TensorRT fails to build: the smallest part at which it does.

use super::output::{Output, counted};
use crate::convert::failing::{self, Limit};
use crate::convert::{Conversion, Source, reproducer};
use crate::error::Error;
use crate::trt::Library;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Where a build fails")]
pub(super) struct FailingArguments {
    /// Seconds in which to look for the nodes at which TensorRT fails, by building parts of the
    /// network; 0 does not look
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    locate: u32,
    /// Write what TensorRT fails at to this folder: a model that shows it, and how
    #[arg(long, value_name = "FOLDER")]
    reproducer: Option<PathBuf>,
}

/// What there is to do about nodes at which TensorRT fails.
const HINT: &str = "`--reproducer FOLDER` writes these nodes as a model, to report them to NVIDIA";

/// Why there is no model of them.
const ALONE: &str = "no model of it was written: TensorRT builds the nodes once they are a model of \
                     their own";

impl FailingArguments {
    /// The files that a reproducer would replace.
    pub(super) fn writes(&self) -> Vec<PathBuf> {
        self.reproducer.iter().flat_map(|folder| reproducer::writes(folder)).collect()
    }

    /// The error of a build with the nodes at which it fails, where TensorRT names none.
    pub(super) fn explain(
        &self,
        error: Error,
        library: &Library,
        (source, conversion): (&Source, &Conversion),
        output: &mut Output,
    ) -> Error {
        if self.locate == 0 || !failing::is_wanted(&error) || super::cancelled() {
            return error;
        }
        output.start("locate");
        let deadline = Instant::now() + Duration::from_secs(self.locate.into());
        let limit = Limit { deadline, cancel: &super::CANCELLED };
        let mut tried = 0;
        let found = conversion.failing(library, &error, limit, &mut |layers| {
            tried += 1;
            output.status(&format!("part {tried}, {}", counted(layers, "layer")));
        });
        let Some(found) = found else {
            output.done("nothing was found");
            return error.with_note("no part of the network was found to fail alone");
        };
        output.done(&format!("{} of {}", found.layers(), counted(found.of, "layer")));
        let written = self.reproducer.as_ref().zip(error.said()).map(|(folder, said)| {
            let made = conversion.reproducer(library, source, (&found, said), limit)?;
            made.map(|made| made.write(folder).map(|()| folder)).transpose()
        });
        let told = match written {
            None => None,
            Some(Ok(Some(folder))) => Some(format!("written as a model: {}", folder.display())),
            Some(Ok(None)) => Some(ALONE.to_owned()),
            Some(Err(why)) => Some(format!("no model of it was written: {}", why.message())),
        };
        let hint = error.hint().map_or_else(|| HINT.to_owned(), |hint| format!("{hint}; {HINT}"));
        let error = found.lines().into_iter().chain(told.clone()).fold(error, Error::with_note);
        if told.is_none() { error.with_hint(hint) } else { error }
    }
}
