//! Where TensorRT fails to build: the smallest part at which it does, and mends for it.

use super::output::{Output, counted};
use crate::convert::failing::{self, Failing, Limit};
use crate::convert::{Conversion, Source, reproducer};
use crate::error::Error;
use crate::trt::Library;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Where a build fails")]
pub(super) struct FailingArguments {
    /// Seconds in which to look for the nodes at which TensorRT fails, by building parts of the
    /// network, and for a mend; 0 does not look
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    locate: u32,
    /// Leave the network as it is where TensorRT fails to build it
    #[arg(long)]
    no_mend: bool,
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

    /// Gets ready to mend a model. The time counts from the first failure on.
    pub(super) fn begin(&self) -> Mending<'_> {
        Mending { arguments: self, deadline: None }
    }
}

/// The mending of one model.
pub(super) struct Mending<'a> {
    arguments: &'a FailingArguments,
    deadline: Option<Instant>,
}

impl Mending<'_> {
    /// Mends a network that TensorRT failed to build, so that building it again is worth it.
    ///
    /// # Errors
    /// The error of the build, with the nodes at which it fails, where nothing helps.
    pub(super) fn mend(
        &mut self,
        error: Error,
        library: &Library,
        (source, conversion): (&Source, &mut Conversion),
        output: &mut Output,
    ) -> Result<(), Error> {
        let FailingArguments { locate, no_mend, .. } = *self.arguments;
        if locate == 0 || !failing::is_wanted(&error) || super::cancelled() {
            return Err(error);
        }
        let budget = Duration::from_secs(locate.into());
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + budget);
        let limit = Limit { deadline, cancel: &super::CANCELLED };
        let Some(found) = find(&error, library, conversion, limit, output) else {
            return Err(error.with_note("no part of the network was found to fail alone"));
        };
        let error = found.lines().into_iter().fold(error, Error::with_note);
        let error = self.reproduce(error, library, (source, conversion, &found), limit);
        if no_mend {
            return Err(error);
        }
        output.start("mend");
        let mended = conversion.mend(library, &found, limit);
        let Some(mended) = mended else {
            let tried =
                conversion.mends.iter().map(|mended| format!("did not help: {}", mended.line()));
            return Err(tried.fold(error, Error::with_note).with_note("no mend helps"));
        };
        output.done(&mended.name);
        output.warning(&mended.line());
        Ok(())
    }

    /// Writes what fails as a model, if that is wanted.
    fn reproduce(
        &self,
        error: Error,
        library: &Library,
        (source, conversion, found): (&Source, &Conversion, &Failing),
        limit: Limit<'_>,
    ) -> Error {
        let Some((folder, said)) = self.arguments.reproducer.as_ref().zip(error.said()) else {
            let hint = error.hint().map_or_else(|| HINT.to_owned(), |own| format!("{own}; {HINT}"));
            return error.with_hint(hint);
        };
        let made = conversion.reproducer(library, source, (found, said), limit);
        let written = made.and_then(|made| made.map(|made| made.write(folder)).transpose());
        error.with_note(match written {
            Ok(Some(())) => format!("written as a model: {}", folder.display()),
            Ok(None) => ALONE.to_owned(),
            Err(why) => format!("no model of it was written: {}", why.message()),
        })
    }
}

/// Looks for the smallest part that fails.
fn find(
    error: &Error,
    library: &Library,
    conversion: &Conversion,
    limit: Limit<'_>,
    output: &mut Output,
) -> Option<Failing> {
    output.start("locate");
    let mut tried = 0;
    let found = conversion.failing(library, error, limit, &mut |layers| {
        tried += 1;
        output.status(&format!("part {tried}, {}", counted(layers, "layer")));
    });
    output.done(&found.as_ref().map_or_else(
        || "nothing was found".to_owned(),
        |found| format!("TensorRT fails at {} of {}", found.layers(), counted(found.of, "layer")),
    ));
    found
}
