//! An entry of a listing: keys with their values, each with its place in the file.
//!
//! Nothing here knows what a key of a recipe means. Each key is tried on its own, so that all
//! mistakes of a file are found at once, and what an entry leaves unsaid is filled in by key.

use super::mistakes::Mistakes;
use crate::convert::On;
use crate::error::alike::nearest;
use crate::recipe::Recipe;
use crate::report::limit::Limit;
use crate::report::zoo::{Effort, Status};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The keys of an entry that are not its recipe's.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(super) struct Words {
    pub(super) path: Option<String>,
    pub(super) name: Option<String>,
    pub(super) expected: Option<Status>,
    pub(super) skip: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) on: Option<On>,
    pub(super) freeze_from_data: Option<bool>,
    pub(super) tolerance: Option<Allowed>,
    pub(super) metric: Option<Vec<Limit>>,
    pub(super) verify: Option<Effort>,
    pub(super) timeout: Option<NonZeroU64>,
    pub(super) memory: Option<NonZeroU32>,
}

/// How far a number may be off.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table with `absolute` and `relative`")]
pub(super) struct Allowed {
    pub(super) absolute: f64,
    pub(super) relative: f64,
}

/// The keys that only a model can have.
const OF_ONE_MODEL: [&str; 4] = ["path", "name", "expected", "skip"];

/// What is said of a model, or of all.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    /// Where it begins.
    pub(super) start: usize,
    /// Whether something in it was wrong, and left out.
    pub(super) flawed: bool,
    pub(super) words: Words,
    /// Its recipe's keys.
    pub(super) recipe: Map<String, Value>,
    places: BTreeMap<String, usize>,
}

/// The names of the keys of something that serializes as a table.
fn keys<T: Serialize + Default>() -> Vec<String> {
    match serde_json::to_value(T::default()) {
        Ok(Value::Object(fields)) => fields.into_iter().map(|(key, _)| key).collect(),
        _ => Vec::new(),
    }
}

impl Entry {
    /// Reads a table. What is wrong with it is noted, and left out.
    pub(super) fn read(start: usize, table: &DeTable<'_>, mistakes: &mut Mistakes<'_>) -> Self {
        let (words, recipe) = (keys::<Words>(), keys::<Recipe>());
        let mut entry = Self { start, ..Self::default() };
        let mut said = Map::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let good = if words.iter().any(|word| word == name) {
                check::<Words>(value, &|value| json!({ name: value }), mistakes)
            } else if recipe.iter().any(|word| word == name) {
                check::<Recipe>(value, &|value| json!({ name: value }), mistakes)
            } else {
                mistakes.add(key.span().start, unknown(name, words.iter().chain(&recipe)));
                None
            };
            let Some(value) = good else {
                entry.flawed = true;
                continue;
            };
            entry.places.insert(name.to_owned(), value_at(table, name));
            let to =
                if recipe.iter().any(|word| word == name) { &mut entry.recipe } else { &mut said };
            to.insert(name.to_owned(), value);
        }
        entry.words = serde_json::from_value(Value::Object(said)).unwrap_or_default();
        entry
    }

    /// Takes over what the defaults say and it does not; tags add up.
    pub(super) fn complete(&mut self, defaults: &Self) {
        for (key, value) in &defaults.recipe {
            if !self.recipe.contains_key(key) {
                self.recipe.insert(key.clone(), value.clone());
                self.places.extend(defaults.at(key).map(|at| (key.clone(), at)));
            }
        }
        let (words, more) = (&mut self.words, &defaults.words);
        words.tags.extend(
            more.tags.iter().filter(|tag| !words.tags.contains(tag)).cloned().collect::<Vec<_>>(),
        );
        words.on = words.on.or(more.on);
        words.freeze_from_data = words.freeze_from_data.or(more.freeze_from_data);
        words.verify = words.verify.or(more.verify);
        words.tolerance = words.tolerance.or(more.tolerance);
        words.metric = words.metric.take().or_else(|| more.metric.clone());
        words.timeout = words.timeout.or(more.timeout);
        words.memory = words.memory.or(more.memory);
    }

    /// The place of a key's value.
    pub(super) fn at(&self, key: &str) -> Option<usize> {
        self.places.get(key).copied()
    }

    /// The keys in it that only a model can have, and where they are.
    pub(super) fn of_one_model(&self) -> impl Iterator<Item = (&'static str, usize)> {
        OF_ONE_MODEL.into_iter().filter_map(|key| Some((key, self.at(key)?)))
    }

    /// Where it says which model it is about: at its name, else at its path.
    pub(super) fn model_at(&self) -> usize {
        self.at("name").or(self.at("path")).unwrap_or(self.start)
    }
}

/// What is said of a key that nobody knows.
fn unknown<'k>(name: &str, known: impl Iterator<Item = &'k String>) -> String {
    let mut known: Vec<&String> = known.collect();
    known.sort();
    if let Some(meant) = nearest(name, known.iter().map(|key| key.as_str())) {
        return format!("unknown key `{name}`: did you mean `{meant}`?");
    }
    let known: Vec<String> = known.into_iter().map(|key| format!("`{key}`")).collect();
    format!("unknown key `{name}`, expected one of {}", known.join(", "))
}

fn value_at(table: &DeTable<'_>, name: &str) -> usize {
    table.get(name).map_or(0, |value| value.span().start)
}

/// A value, if `T` takes it where `wrap` puts it. Else the smallest parts of it that are wrong are
/// noted.
fn check<T: DeserializeOwned>(
    value: &Spanned<DeValue<'_>>,
    wrap: &dyn Fn(Value) -> Value,
    mistakes: &mut Mistakes<'_>,
) -> Option<Value> {
    let Some(plain) = plain(value.get_ref()) else {
        mistakes.add(value.span().start, "a number that is too large");
        return None;
    };
    let why = serde_json::from_value::<T>(wrap(plain.clone())).err();
    let Some(why) = why else { return Some(plain) };
    let mut inside = false;
    match value.get_ref() {
        DeValue::Array(items) => {
            for item in items {
                inside |= check::<T>(item, &|item| wrap(json!([item])), mistakes).is_none();
            }
        }
        DeValue::Table(table) => {
            for (key, item) in table {
                let key = key.get_ref().as_ref();
                let alone = |item| wrap(json!({ key: item }));
                let wrong = serde_json::from_value::<T>(alone(plain.get(key).cloned())).err();
                // Where other keys are missing, this one is not what is wrong.
                let wrong = wrong.is_some_and(|why| !why.to_string().starts_with("missing field"));
                inside |= wrong && check::<T>(item, &|item| alone(Some(item)), mistakes).is_none();
            }
        }
        _ => {}
    }
    if !inside {
        mistakes.add_of_serde(value.span().start, &why.to_string());
    }
    None
}

/// A value without the places of its parts; `None` where JSON has no such number.
fn plain(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => json!(text),
        DeValue::Integer(number) => {
            json!(i64::from_str_radix(number.as_str(), number.radix()).ok()?)
        }
        DeValue::Float(number) => {
            Value::Number(serde_json::Number::from_f64(number.as_str().parse().ok()?)?)
        }
        DeValue::Boolean(value) => json!(value),
        DeValue::Datetime(time) => json!(time.to_string()),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| plain(item.get_ref())).collect::<Option<_>>()?)
        }
        DeValue::Table(table) => {
            let fields = table
                .iter()
                .map(|(key, value)| Some((key.get_ref().to_string(), plain(value.get_ref())?)));
            Value::Object(fields.collect::<Option<_>>()?)
        }
    })
}
