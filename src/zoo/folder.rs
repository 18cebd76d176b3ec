//! The folder of a zoo's report: the report and its views, and a folder for each model.

use crate::error::{Error, Kind, Result};
use crate::files;
use crate::report::render::{self, About};
use crate::report::zoo::{ModelReport, Report};
use crate::report::{junit, pages, sarif};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The files that the report on models of these names makes or replaces.
pub fn writes<'a>(folder: &Path, names: impl Iterator<Item = &'a str>) -> Vec<PathBuf> {
    let of_models = names.map(|name| folder.join(pages::path(name)));
    let homes = of_models.chain([folder.join("report.html")]);
    let texts = homes.flat_map(|home| {
        ["report.html", "report.md", "report.json"].map(|name| home.with_file_name(name))
    });
    texts.chain(["junit.xml", "report.sarif"].map(|name| folder.join(name))).collect()
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
pub fn write_model(folder: &Path, model: &ModelReport, page: &Value) -> Result<()> {
    let Some(path) = &model.page else { return Ok(()) };
    let home = folder.join(path);
    for (name, text) in render::files(About::Model, page)? {
        files::write_text(&home.with_file_name(name), &text)?;
    }
    Ok(())
}

/// Writes the report and all views of it but the models' own: `report.json` last, so that it stands
/// for a whole folder. `pages` are the models' own reports, by name.
///
/// # Errors
/// [`Kind::Environment`] for files that cannot be written.
pub fn write<'a>(
    folder: &Path,
    report: &Report,
    pages: impl Iterator<Item = (&'a str, &'a Value)>,
) -> Result<()> {
    files::write_text(&folder.join("junit.xml"), &junit::text(report)?)?;
    let pages: HashMap<&str, &Value> = pages.collect();
    let log = sarif::log(report, |model: &ModelReport| pages.get(model.name.as_str()).copied());
    files::write_text(&folder.join("report.sarif"), &format!("{log:#}\n"))?;
    for (name, text) in render::files(About::Zoo, report)?.into_iter().rev() {
        files::write_text(&folder.join(name), &text)?;
    }
    Ok(())
}
