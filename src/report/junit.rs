//! A zoo's report as JUnit XML, which CI systems show as tests.

use super::zoo::{ModelReport, Report, Status};
use crate::error::{Error, Kind, Result};
use crate::shown::{escaped, lines};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// `junit.xml`: one test for each model.
///
/// # Errors
/// [`Kind::Internal`] where it cannot be written.
pub fn text(report: &Report) -> Result<String> {
    let mut junit = quick_junit::Report::new("onnx2plan zoo");
    junit.set_time(duration(report.seconds));
    let mut suite = TestSuite::new("zoo");
    suite.set_time(duration(report.seconds));
    suite.add_test_cases(report.models.iter().map(case));
    junit.add_test_suite(suite);
    let text = junit
        .to_string()
        .map_err(|error| Error::new(Kind::Internal, "cannot write junit.xml").with_source(error))?;
    // Jenkins' schema knows this attribute for suites, and not for what holds them, which comes
    // first.
    let skipped = report
        .models
        .iter()
        .filter(|model| model.status == Status::Skipped && model.as_expected)
        .count();
    Ok(text.replacen(&format!(" skipped=\"{skipped}\""), "", 1))
}

fn case(model: &ModelReport) -> TestCase {
    let mut status = match (model.status, model.as_expected) {
        (Status::Skipped, true) => TestCaseStatus::skipped(),
        (_, true) => TestCaseStatus::success(),
        // What JUnit calls a failure is an answer, an error is none.
        (
            Status::Differs
            | Status::Undetermined
            | Status::Unjudged
            | Status::Vacuous
            | Status::Unsupported
            | Status::Invalid
            | Status::Verified
            | Status::Evaluated,
            false,
        ) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        (Status::Failed | Status::Crashed | Status::Timeout | Status::Skipped, false) => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
    };
    let expected =
        model.expectation().map_or_else(String::new, |expected| format!(", expected {expected}"));
    let stale = model.stale().map_or_else(String::new, |stale| format!("; {stale}"));
    let reason = model.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    if !model.as_expected || model.status == Status::Skipped {
        status
            .set_message(lines(&format!("{}{expected}{reason}", model.status)))
            .set_type(model.status.to_string());
        let details = model.details.clone().or_else(|| model.hint.clone());
        let again = model.command.as_ref().map(|command| format!("again: {command}"));
        let told: Vec<String> = details.into_iter().chain(again).collect();
        if !told.is_empty() {
            status.set_description(lines(&told.join("\n\n")));
        }
    }
    let mut case = TestCase::new(escaped(&model.name), status);
    let seconds = &model.seconds;
    let parts = [seconds.import, seconds.build, seconds.verify];
    case.set_classname(escaped(&model.path)).set_time(duration(parts.into_iter().flatten().sum()));
    if model.as_expected && model.status != Status::Skipped {
        case.set_system_out(lines(&format!("{}{expected}{reason}{stale}", model.status)));
    }
    case
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
