//! `zoo.toml`, a listing: which models a zoo has, how each is converted and judged, and how it is
//! expected to end.
//!
//! `docs/zoo-listing.md` says what may stand in one. `entry` is its form, `paths` finds the models
//! of an entry, `settings` makes options of what it says, `mistakes` shows what is wrong with it,
//! line by line.

mod entry;
mod mistakes;
mod paths;
#[cfg(test)]
mod schema;
mod settings;

#[cfg(test)]
mod tests;

use super::discover::{Found, shown};
use super::job::{Job, Settings};
use crate::error::alike::nearest;
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::network::Caps;
use crate::report::manifest::File;
use crate::report::zoo::Place;
use entry::Entry;
use mistakes::Mistakes;
use paths::{Claims, Folder};
use std::collections::HashMap;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Whether a path names a listing.
pub fn is_one(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

/// The models that a listing has, sorted by name, and the file that said so. `standard` holds
/// where it says nothing.
///
/// # Errors
/// [`Kind::Usage`] for a file that cannot be read, and with everything that is wrong with it.
pub fn read(path: &Path, standard: &Settings, caps: Caps) -> Result<(Vec<Job>, File)> {
    let cannot_read = |error| {
        Error::new(Kind::Usage, format!("cannot read `{}`", path.display())).with_source(error)
    };
    let text = std::fs::read_to_string(path).map_err(cannot_read)?;
    let folder = Folder::new(path).map_err(cannot_read)?;
    let mut mistakes = Mistakes::new(path, &text);
    let jobs = match DeTable::parse(&text) {
        Ok(table) => jobs(table.get_ref(), &folder, (standard, caps), &mut mistakes),
        Err(error) => {
            mistakes.syntax(&error);
            Vec::new()
        }
    };
    mistakes.finish()?;
    let (name, sha256) = (files::name(path), crate::hash::sha256(&text));
    Ok((jobs, File { name, bytes: text.len() as u64, sha256 }))
}

/// The defaults, and the entries of models.
fn entries(table: &DeTable<'_>, mistakes: &mut Mistakes<'_>) -> (Entry, Vec<Entry>) {
    let (mut defaults, mut models) = (Entry::default(), Vec::new());
    let read = |value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes<'_>| {
        let table = value.get_ref().as_table();
        if table.is_none() {
            mistakes.add(value.span().start, "here stands a table: `[defaults]` or `[[model]]`");
        }
        table.map(|table| Entry::read(value.span().start, table, mistakes))
    };
    for (key, value) in table {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("defaults", _) => defaults = read(value, mistakes).unwrap_or_default(),
            ("model", DeValue::Array(items)) => {
                models.extend(items.iter().filter_map(|item| read(item, mistakes)));
            }
            ("model", _) => {
                mistakes.add(value.span().start, "models are written as [[model]]");
            }
            (other, _) => {
                let known = match nearest(other, ["defaults", "model"]) {
                    Some(meant) => format!(": did you mean `{meant}`?"),
                    None => ", expected one of `defaults`, `model`".to_owned(),
                };
                mistakes.add(key.span().start, format!("unknown key `{other}`{known}"));
            }
        }
    }
    (defaults, models)
}

fn jobs(
    table: &DeTable<'_>,
    folder: &Folder,
    standard: (&Settings, Caps),
    mistakes: &mut Mistakes<'_>,
) -> Vec<Job> {
    let (defaults, mut entries) = entries(table, mistakes);
    for (key, at) in defaults.of_one_model() {
        mistakes.add(at, format!("`{key}` belongs in a [[model]]; it cannot be a default"));
    }
    let listed = table.get("model").map(Spanned::get_ref);
    if listed.is_none_or(|models| models.as_array().is_some_and(|array| array.is_empty())) {
        mistakes.add(0, "there is no model: write [[model]], and below it a `path`");
    }
    for entry in &mut entries {
        entry.complete(&defaults);
    }
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut jobs = Vec::new();
    for (at, found) in claims(folder, &entries, mistakes) {
        let Some(entry) = entries.get(at) else { continue };
        let job = job(entry, found, standard, mistakes);
        let place = entry.model_at();
        let other = names.insert(job.name.clone(), place).filter(|other| *other != place);
        if let Some(other) = other {
            let line = mistakes.line(other);
            mistakes
                .add(place, format!("the name `{}` is taken: line {line} gives it too", job.name));
        }
        jobs.push(job);
    }
    jobs.sort_by(|a, b| a.name.cmp(&b.name));
    jobs
}

/// The models of all entries, each with the place of its entry in the list.
fn claims(folder: &Folder, entries: &[Entry], mistakes: &mut Mistakes<'_>) -> Vec<(usize, Found)> {
    let mut claims = Claims::default();
    for (at, entry) in entries.iter().enumerate() {
        let (Some(path), Some(place)) = (&entry.words.path, entry.at("path")) else {
            if !entry.flawed {
                mistakes.add(entry.start, "a [[model]] needs a `path`: a file, or a glob");
            }
            continue;
        };
        let matches = match folder.find(path) {
            Ok(matches) => matches,
            Err(why) => {
                mistakes.add(place, why);
                continue;
            }
        };
        if let (Some(name), count @ 2..) = (entry.at("name"), matches.found.len()) {
            mistakes.add(
                name,
                format!("one name for {count} models: name files, not a glob, in `path`"),
            );
        }
        for (model, other) in claims.claim(at, matches) {
            let line = mistakes.line(entries.get(other).map_or(0, Entry::model_at));
            mistakes.add(place, format!("`{model}` is listed twice: line {line} has it too"));
        }
    }
    claims.into_found()
}

/// What to do about a model of an entry.
fn job(
    entry: &Entry,
    found: Found,
    (standard, caps): (&Settings, Caps),
    mistakes: &mut Mistakes<'_>,
) -> Job {
    let words = &entry.words;
    let place = |at: usize| Place { file: shown(mistakes.path()), line: mistakes.line(at) };
    let expected_at = entry.at("expected").map(place);
    let job = Job::new(found, settings::settings(entry, standard, caps, mistakes));
    Job {
        name: words.name.clone().unwrap_or(job.name),
        expected: words.expected,
        expected_at,
        skip: words.skip.clone(),
        tags: words.tags.clone(),
        timeout_seconds: words.timeout.map(std::num::NonZero::get),
        memory_bytes: words.memory.map(|mib| u64::from(mib.get()) << 20),
        ..job
    }
}
