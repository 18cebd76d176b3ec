//! Zoo reports read back from their folders.

use super::model::SCHEMA;
use super::zoo::{Report, Shard};
use crate::error::{Error, Kind, Result};
use serde_json::Value;
use std::path::{Component, Path, PathBuf};

/// The file of a folder that holds a report.
const REPORT: &str = "report.json";
/// More shards than any zoo has: a broken report must not make us list for hours what it lacks.
const MOST_SHARDS: usize = 100_000;

/// A zoo's report that was written before.
#[derive(Debug, Clone)]
pub struct Saved {
    /// The path by which the user calls it.
    pub path: PathBuf,
    /// The folder with its pages.
    pub folder: PathBuf,
    /// What `report.json` says.
    pub report: Report,
}

/// Reads the report of a zoo: a folder with `report.json`, or that file itself.
///
/// # Errors
/// [`Kind::Usage`] for what is no zoo's report, or one of another schema.
pub fn zoo(path: &Path) -> Result<Saved> {
    let file = file(path);
    let value = json(&file)?;
    expect(&value, "zoo", &file)?;
    let report: Report =
        serde_json::from_value(value).map_err(|error| broken(&file).with_source(error))?;
    let is_none =
        |shard: &&Shard| shard.count > MOST_SHARDS || !(1..=shard.count).contains(&shard.index);
    if let Some(shard) = report.shards.iter().find(is_none) {
        return Err(broken(&file).with_note(format!("there can be no shard {shard}")));
    }
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    Ok(Saved { path: path.to_owned(), folder, report })
}

impl Saved {
    /// The files that it was read from, and those that its pages are.
    pub fn files(&self) -> Vec<PathBuf> {
        let pages = self.report.models.iter().filter_map(|model| model.page.as_ref());
        let pages = pages.map(|page| self.folder.join(page).with_file_name(REPORT));
        std::iter::once(file(&self.path)).chain(pages).collect()
    }

    /// The report behind a model's page; `None` where the folder does not hold it.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a page outside the folder, or one that is no model's report.
    pub fn page(&self, page: &str) -> Result<Option<Value>> {
        if !Path::new(page).components().all(|part| matches!(part, Component::Normal(_))) {
            let message =
                format!("`{}` has a page outside its folder: `{page}`", self.path.display());
            return Err(Error::new(Kind::Usage, message));
        }
        let file = self.folder.join(page).with_file_name(REPORT);
        if !file.is_file() {
            return Ok(None);
        }
        let value = json(&file)?;
        expect(&value, "model", &file)?;
        Ok(Some(value))
    }
}

/// The file with the report that a path names.
fn file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(REPORT) } else { path.to_owned() }
}

fn json(file: &Path) -> Result<Value> {
    let text = std::fs::read(file).map_err(|error| {
        Error::new(Kind::Usage, format!("cannot read `{}`", file.display())).with_source(error)
    })?;
    let mut value =
        serde_json::from_slice(&text).map_err(|error| broken(file).with_source(error))?;
    with_verdicts(&mut value);
    Ok(value)
}

/// Older reports say only whether something agrees. What does not differs, for all they know.
fn with_verdicts(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(with_verdicts),
        Value::Object(fields) => {
            fields.values_mut().for_each(with_verdicts);
            if let Some(agrees) = fields.get("agrees").and_then(Value::as_bool)
                && !fields.contains_key("max_absolute")
            {
                let verdict = if agrees { "agrees" } else { "differs" };
                fields.entry("verdict").or_insert_with(|| verdict.into());
            }
        }
        _ => {}
    }
}

/// Whether this is a report of that kind that this program can read.
fn expect(value: &Value, kind: &str, file: &Path) -> Result<()> {
    let (schema, found) = (value.get("schema"), value.get("kind").and_then(Value::as_str));
    if found != Some(kind) {
        let found = found.map_or_else(|| "nothing".to_owned(), |found| format!("`{found}`"));
        return Err(broken(file).with_note(format!("its `kind` is {found}, not `{kind}`")));
    }
    if schema.and_then(Value::as_u64) != Some(SCHEMA.into()) {
        let schema = schema.unwrap_or(&Value::Null);
        let message =
            format!("`{}` has schema {schema}; this program reads schema {SCHEMA}", file.display());
        return Err(Error::new(Kind::Usage, message)
            .with_hint("use the version of onnx2plan that wrote it"));
    }
    Ok(())
}

fn broken(file: &Path) -> Error {
    Error::new(Kind::Usage, format!("`{}` is no report", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("report.json"), text).unwrap();
        let error = zoo(folder.path()).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        error.to_string().replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn what_is_no_report_is_refused() {
        assert_eq!(refusal("{}"), "`report.json` is no report\n  its `kind` is nothing, not `zoo`");
        assert_eq!(
            refusal(r#"{"kind": "model"}"#),
            "`report.json` is no report\n  its `kind` is `model`, not `zoo`"
        );
        assert_eq!(
            refusal(r#"{"kind": "zoo", "schema": 2}"#),
            "`report.json` has schema 2; this program reads schema 1\n\n\
             hint: use the version of onnx2plan that wrote it"
        );
        assert!(
            refusal("[").starts_with("`report.json` is no report\n  cause: EOF"),
            "{}",
            refusal("[")
        );
        let sample =
            include_str!("../../tests/report/zoo.json").replace("\"index\": 2", "\"index\": 3");
        assert_eq!(refusal(&sample), "`report.json` is no report\n  there can be no shard 3/2");
        assert!(
            zoo(Path::new("/nonexistent"))
                .unwrap_err()
                .message()
                .starts_with("cannot read `/nonexistent")
        );
    }
}
