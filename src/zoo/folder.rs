//! The folder of a zoo's report: the report and its views, and a folder for each model.

use super::job::Outcome;
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::report::render::{self, About};
use crate::report::zoo::{ModelReport, Report};
use crate::report::{junit, sarif};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// The most characters of a model's name in the name of its folder.
const MOST_CHARACTERS: usize = 80;

/// The path of a model's page below the report's folder.
pub fn page(name: &str) -> String {
    let plain =
        |each: char| if each.is_ascii_alphanumeric() || "._-".contains(each) { each } else { '-' };
    let mut folder: String = name.chars().take(MOST_CHARACTERS).map(plain).collect();
    if folder != name || folder.starts_with('.') || folder.is_empty() {
        // Two names may look alike once characters are replaced.
        folder = format!("{}-{}", folder.trim_start_matches('.'), crate::hash::short(name));
    }
    format!("models/{folder}/report.html")
}

/// Takes away the report of an earlier run, which is not that of the pages that are about to be
/// written.
///
/// # Errors
/// [`Kind::Environment`] where it cannot be removed.
pub fn begin(folder: &Path) -> Result<()> {
    let earlier = folder.join("report.json");
    match std::fs::remove_file(&earlier) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let message =
                format!("cannot remove `{}`, the report of an earlier run", earlier.display());
            Err(Error::new(Kind::Environment, message).with_source(error))
        }
        _ => Ok(()),
    }
}

/// Writes the page of a model, and the report and page of it as Markdown and JSON.
///
/// # Errors
/// [`Kind::Environment`] for files that cannot be written.
pub fn write_model(folder: &Path, outcome: &Outcome) -> Result<()> {
    let Some(page) = &outcome.model.page else { return Ok(()) };
    let home = folder.join(page);
    for (name, text) in render::files(About::Model, &outcome.page)? {
        files::write_text(&home.with_file_name(name), &text)?;
    }
    Ok(())
}

/// Writes the report and all views of it but the models' own: `report.json` last, so that it stands
/// for a whole folder.
///
/// # Errors
/// [`Kind::Environment`] for files that cannot be written.
pub fn write(folder: &Path, report: &Report, outcomes: &[Outcome]) -> Result<()> {
    files::write_text(&folder.join("junit.xml"), &junit::text(report)?)?;
    let pages: HashMap<&str, &Value> =
        outcomes.iter().map(|each| (each.model.name.as_str(), &each.page)).collect();
    let log = sarif::log(report, |model: &ModelReport| pages.get(model.name.as_str()).copied());
    files::write_text(&folder.join("report.sarif"), &format!("{log:#}\n"))?;
    for (name, text) in render::files(About::Zoo, report)?.into_iter().rev() {
        files::write_text(&folder.join(name), &text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_plain_and_different_names() {
        assert_eq!(page("digits"), "models/digits/report.html");
        assert!(
            page("light/resnet50").starts_with("models/light-resnet50-"),
            "{}",
            page("light/resnet50")
        );
        assert_ne!(page("a/b"), page("a?b"));
        assert!(page("..").starts_with("models/-"), "{}", page(".."));
        assert!(page(&"x".repeat(300)).len() < 120);
    }
}
