//! What a zoo's report means for the process: its exit code, and what CI systems are told.

use crate::cli::output::{Output, counted};
use crate::error::{Error, Kind, Result};
use crate::report::github;
use crate::report::render::{self, About};
use crate::report::zoo::{ModelReport, Report, Status};
use std::io::Write;
use std::path::PathBuf;

/// What makes the process end with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FailOn {
    /// A model does not end as expected
    Unexpected,
    /// A model is better than expected, so the expectation can be tightened
    Improved,
    /// Never fail
    Never,
    Unjudged,
    Undetermined,
    Vacuous,
    Differs,
    Unsupported,
    Invalid,
    Failed,
    Crashed,
    Timeout,
    Skipped,
}

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Exit code and CI")]
pub(crate) struct EndingArguments {
    /// When to fail; a status counts unless it is expected
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "WHAT",
        default_value = "unexpected"
    )]
    fail_on: Vec<FailOn>,
    /// Write annotations for GitHub Actions to stdout, and a summary to $GITHUB_STEP_SUMMARY
    #[arg(long)]
    github: bool,
}

impl EndingArguments {
    /// Tells CI, and makes an error of what is wrong: of several exit codes the largest counts.
    ///
    /// # Errors
    /// An error of the gravest model's kind; [`Kind::Environment`] for a summary that cannot be
    /// written.
    pub(crate) fn end(&self, report: &Report, output: &mut Output) -> Result<()> {
        if self.github {
            tell_github(report, output)?;
        }
        let wrong: Vec<&ModelReport> =
            report.models.iter().filter(|model| self.counts(model)).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        let codes = wrong.iter().map(|model| model.exit_code);
        let gravest = codes.max_by_key(|code| gravity(*code)).unwrap_or_default();
        let mut counts: Vec<String> = Vec::new();
        for status in Status::ALL {
            let count = wrong.iter().filter(|model| model.status == status).count();
            if count > 0 {
                counts.push(format!("{count} {status}"));
            }
        }
        let all = counted(report.models.len(), "model");
        let are = if wrong.len() == 1 { "is" } else { "are" };
        let message =
            format!("{} of {all} {are} not as expected: {}", wrong.len(), counts.join(", "));
        let stale = wrong
            .iter()
            .filter_map(|model| Some(format!("`{}` got better: {}", model.name, model.stale()?)));
        Err(stale.fold(Error::new(kind(gravest), message), Error::with_note))
    }

    /// The same for a report that should be a whole one, with what it lacks.
    ///
    /// # Errors
    /// Those of [`Self::end`]; [`Kind::Environment`] where something is lacking, unless nothing
    /// shall fail.
    pub(crate) fn end_whole(
        &self,
        report: &Report,
        lacks: &[String],
        output: &mut Output,
    ) -> Result<()> {
        let ended = self.end(report, output);
        let [first, more @ ..] = lacks else { return ended };
        if self.fail_on.contains(&FailOn::Never) {
            return ended;
        }
        let error = more.iter().fold(Error::new(Kind::Environment, first), Error::with_note);
        let error =
            ended.err().into_iter().fold(error, |error, ended| error.with_note(ended.message()));
        Err(error.with_hint("run what is missing, and merge again"))
    }

    fn counts(&self, model: &ModelReport) -> bool {
        let wrong = |on: &FailOn| match on {
            FailOn::Unexpected => !model.as_expected,
            FailOn::Improved => model.improved,
            FailOn::Never => false,
            FailOn::Unjudged => !model.as_expected && model.status == Status::Unjudged,
            FailOn::Undetermined => !model.as_expected && model.status == Status::Undetermined,
            FailOn::Vacuous => !model.as_expected && model.status == Status::Vacuous,
            FailOn::Differs => !model.as_expected && model.status == Status::Differs,
            FailOn::Unsupported => !model.as_expected && model.status == Status::Unsupported,
            FailOn::Invalid => !model.as_expected && model.status == Status::Invalid,
            FailOn::Failed => !model.as_expected && model.status == Status::Failed,
            FailOn::Crashed => !model.as_expected && model.status == Status::Crashed,
            FailOn::Timeout => !model.as_expected && model.status == Status::Timeout,
            FailOn::Skipped => {
                model.expected != Some(Status::Skipped) && model.status == Status::Skipped
            }
        };
        self.fail_on.iter().any(wrong)
    }
}

/// Numbers that nobody can judge are less grave than wrong ones, and what failed is graver still.
fn gravity(exit_code: u8) -> u8 {
    let light = [0, Kind::Vacuous.exit_code(), Kind::Undetermined.exit_code()];
    let at = (0..).zip(light).find(|(_, code)| *code == exit_code);
    at.map_or(exit_code.saturating_add(3), |(at, _)| at)
}

/// The kind of error with an exit code. A model may be good and yet not as expected: that is as if
/// numbers differed.
fn kind(exit_code: u8) -> Kind {
    let kinds = [
        Kind::Usage,
        Kind::Invalid,
        Kind::Unsupported,
        Kind::TensorRt,
        Kind::Environment,
        Kind::Undetermined,
        Kind::Vacuous,
        Kind::Internal,
    ];
    kinds.into_iter().find(|kind| kind.exit_code() == exit_code).unwrap_or(Kind::Mismatch)
}

fn tell_github(report: &Report, output: &mut Output) -> Result<()> {
    let annotations = github::annotations(report);
    if !annotations.is_empty() {
        output.commands(&annotations)?;
    }
    let Some(path) =
        std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from)
    else {
        return Ok(());
    };
    let [_, (_, markdown), _] = render::files(About::Zoo, report)?;
    let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
    file.and_then(|mut file| file.write_all(markdown.as_bytes())).map_err(|error| {
        Error::new(Kind::Environment, format!("cannot write `{}`", path.display()))
            .with_source(error)
    })
}
