//! The settings of a model, from what its entry says in the words of the command line.

use super::entry::{Allowed, Entry};
use super::mistakes::Mistakes;
use crate::network::Caps;
use crate::recipe::Recipe;
use crate::report::verification::Tolerance;
use crate::report::zoo::Status;
use crate::zoo::job::Settings;
use serde_json::Value;

/// The settings of an entry; `standard` holds where it says nothing.
pub(super) fn settings(
    entry: &Entry,
    standard: &Settings,
    caps: Caps,
    mistakes: &mut Mistakes<'_>,
) -> Settings {
    check(entry, mistakes);
    let recipe = recipe(entry, &standard.recipe).unwrap_or_else(|why| {
        mistakes.add_of_serde(entry.model_at(), &why);
        standard.recipe.clone()
    });
    if let (Some(at), Err(error)) = (entry.at("rnn"), recipe.rnn.with(caps)) {
        mistakes.add(at, error.message());
    }
    let words = &entry.words;
    let tolerance =
        words.tolerance.map(|Allowed { absolute, relative }| Tolerance { absolute, relative });
    Settings {
        recipe,
        on: words.on.unwrap_or(standard.on),
        freeze_from_data: words.freeze_from_data.unwrap_or(standard.freeze_from_data),
        tolerance: tolerance.or(standard.tolerance),
        metric: words.metric.clone().unwrap_or_else(|| standard.metric.clone()),
        verify: words.verify.unwrap_or(standard.verify),
    }
}

/// The standard recipe with the keys of an entry in it.
fn recipe(entry: &Entry, standard: &Recipe) -> Result<Recipe, String> {
    let mut keys = serde_json::to_value(standard).map_err(|error| error.to_string())?;
    if let Value::Object(keys) = &mut keys {
        keys.extend(entry.recipe.clone());
    }
    serde_json::from_value(keys).map_err(|error| error.to_string())
}

/// What no type forbids.
fn check(entry: &Entry, mistakes: &mut Mistakes<'_>) {
    let words = &entry.words;
    let mut wrong = |key: &str, what: &str| {
        mistakes.add(entry.at(key).unwrap_or_else(|| entry.model_at()), what);
    };
    if let Some(allowed) = &words.tolerance
        && [allowed.absolute, allowed.relative].iter().any(|n| !(0.0..=f64::MAX).contains(n))
    {
        wrong("tolerance", "a tolerance is two numbers from 0 on: `absolute` and `relative`");
    }
    if words.name.as_ref().is_some_and(String::is_empty) {
        wrong("name", "a name has at least one character");
    }
    match (&words.skip, words.expected) {
        (Some(_), Some(_)) => {
            wrong("skip", "a model that is skipped ends in no way that could be `expected`");
        }
        (None, Some(Status::Skipped)) => {
            wrong("expected", "to skip a model write `skip` with the reason");
        }
        _ => {}
    }
}
