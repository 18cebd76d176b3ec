//! `zoo.toml`: which models a zoo has, how each is converted and judged, and how it is expected to
//! end.
//!
//! `docs/zoo-manifest.md` says what may stand in one. `file` is its form, `paths` finds the models
//! of an entry, `settings` makes options of what it says, `mistakes` shows what is wrong with it,
//! line by line.

mod file;
mod mistakes;
mod paths;
mod settings;

#[cfg(test)]
mod tests;

use super::discover::{Found, shown};
use super::job::{Job, Options};
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::network::Caps;
use crate::report::manifest;
use crate::report::zoo::Place;
use file::{Entry, File};
use mistakes::Mistakes;
use paths::{Claims, Folder};
use std::collections::HashMap;
use std::path::Path;
use toml::Spanned;

/// Whether a path names a manifest.
pub fn is_one(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

/// The models that a manifest lists, sorted by name, and the file that said so. `standard` holds
/// where it says nothing.
///
/// # Errors
/// [`Kind::Usage`] for a file that cannot be read, and with everything that is wrong with it.
pub fn read(path: &Path, standard: &Options, caps: Caps) -> Result<(Vec<Job>, manifest::File)> {
    let cannot_read = |error| {
        Error::new(Kind::Usage, format!("cannot read `{}`", path.display())).with_source(error)
    };
    let text = std::fs::read_to_string(path).map_err(cannot_read)?;
    let folder = Folder::new(path).map_err(cannot_read)?;
    let mut mistakes = Mistakes::new(path, &text);
    let jobs = match toml::from_str::<File>(&text) {
        Ok(file) => jobs(file, &folder, (standard, caps), &mut mistakes),
        Err(error) => {
            mistakes.syntax(&error);
            Vec::new()
        }
    };
    mistakes.finish()?;
    let (name, sha256) = (files::name(path), crate::hash::sha256(&text));
    Ok((jobs, manifest::File { name, bytes: text.len() as u64, sha256 }))
}

fn jobs(
    file: File,
    folder: &Folder,
    options: (&Options, Caps),
    mistakes: &mut Mistakes<'_>,
) -> Vec<Job> {
    let File { defaults, model: mut entries } = file;
    for (key, at) in defaults.of_one_model() {
        mistakes.add(at, format!("`{key}` belongs into a [[model]]: it is no default"));
    }
    if entries.is_empty() {
        mistakes.add(0, "there is no model: write [[model]], and below it a `path`");
    }
    for entry in &mut entries {
        entry.as_mut().complete(&defaults);
    }
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut jobs = Vec::new();
    for (at, found) in claims(folder, &entries, mistakes) {
        let Some(entry) = entries.get(at).map(Spanned::get_ref) else { continue };
        let job = job(entry, found, options, mistakes);
        let other = names.insert(job.name.clone(), entry.at()).filter(|other| *other != entry.at());
        if let Some(other) = other {
            let line = mistakes.line(other);
            mistakes.add(
                entry.at(),
                format!("the name `{}` is taken: line {line} gives it too", job.name),
            );
        }
        jobs.push(job);
    }
    jobs.sort_by(|a, b| a.name.cmp(&b.name));
    jobs
}

/// The models of all entries, each with the place of its entry in the list.
fn claims(
    folder: &Folder,
    entries: &[Spanned<Entry>],
    mistakes: &mut Mistakes<'_>,
) -> Vec<(usize, Found)> {
    let mut claims = Claims::default();
    for (at, spanned) in entries.iter().enumerate() {
        let entry = spanned.get_ref();
        let Some(path) = &entry.path else {
            mistakes.add(spanned.span().start, "a [[model]] needs a `path`: a file, or a glob");
            continue;
        };
        let matches = match folder.find(path.get_ref()) {
            Ok(matches) => matches,
            Err(why) => {
                mistakes.add(path.span().start, why);
                continue;
            }
        };
        if let (Some(name), 2..) = (&entry.name, matches.found.len()) {
            let count = matches.found.len();
            mistakes.add(
                name.span().start,
                format!("one name for {count} models: name files, not a glob, in `path`"),
            );
        }
        for (model, other) in claims.claim(at, matches) {
            let line = mistakes.line(entries.get(other).map_or(0, |other| other.get_ref().at()));
            mistakes.add(
                path.span().start,
                format!("`{model}` is listed twice: line {line} has it too"),
            );
        }
    }
    claims.into_found()
}

/// What to do about a model of an entry.
fn job(
    entry: &Entry,
    found: Found,
    (standard, caps): (&Options, Caps),
    mistakes: &mut Mistakes<'_>,
) -> Job {
    let expected = entry.expected.as_ref();
    let place = |at: usize| Place { file: shown(mistakes.path()), line: mistakes.line(at) };
    let expected_at = expected.map(|expected| place(expected.span().start));
    let job = Job::new(found, settings::options(entry, standard, caps, mistakes));
    Job {
        name: entry.name.as_ref().map_or(job.name, |name| name.get_ref().clone()),
        expected: expected.map(|expected| *expected.get_ref()),
        expected_at,
        skip: entry.skip.as_ref().map(|why| why.get_ref().clone()),
        tags: entry.tags.clone().unwrap_or_default(),
        timeout_seconds: entry.timeout.map(std::num::NonZero::get),
        memory_bytes: entry.memory.map(|mib| u64::from(mib.get()) << 20),
        ..job
    }
}
