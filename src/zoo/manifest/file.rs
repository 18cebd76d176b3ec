//! The form of a manifest.

use crate::import::Recurrent;
use crate::report::zoo::Status;
use crate::zoo::job::On;
use serde::Deserialize;
use std::num::{NonZeroU32, NonZeroU64};
use toml::Spanned;

/// A text whose place is known.
pub(super) type Text = Spanned<String>;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct File {
    #[serde(default)]
    pub(super) defaults: Entry,
    #[serde(default)]
    pub(super) model: Vec<Spanned<Entry>>,
}

/// What is said of a model, or of all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct Entry {
    pub(super) path: Option<Text>,
    pub(super) name: Option<Text>,
    pub(super) expected: Option<Spanned<Status>>,
    pub(super) skip: Option<Text>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) on: Option<On>,
    pub(super) targets: Option<Vec<Text>>,
    pub(super) tf32: Option<bool>,
    pub(super) optimization_level: Option<Spanned<u8>>,
    pub(super) rnn: Option<Spanned<Recurrent>>,
    pub(super) max_trip: Option<NonZeroU32>,
    pub(super) without_passes: Option<Vec<Text>>,
    pub(super) freeze: Option<Vec<Text>>,
    pub(super) freeze_from_data: Option<bool>,
    pub(super) min: Option<Text>,
    pub(super) opt: Option<Text>,
    pub(super) max: Option<Text>,
    pub(super) dim: Option<Vec<Text>>,
    pub(super) shape: Option<Text>,
    pub(super) profile: Option<Vec<Profile>>,
    pub(super) strict_profiles: Option<bool>,
    pub(super) tolerance: Option<Spanned<Allowed>>,
    pub(super) timeout: Option<NonZeroU64>,
    pub(super) memory: Option<NonZeroU32>,
}

/// One of several profiles.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct Profile {
    pub(super) min: Option<Text>,
    pub(super) opt: Option<Text>,
    pub(super) max: Option<Text>,
    pub(super) dim: Option<Vec<Text>>,
}

/// How far a number may be off.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `absolute` and `relative`")]
pub(super) struct Allowed {
    pub(super) absolute: f64,
    pub(super) relative: f64,
}

/// Takes over the fields that are absent.
macro_rules! complete {
    ($entry:ident, $defaults:ident: $($field:ident)*) => {
        $(if $entry.$field.is_none() { $entry.$field.clone_from(&$defaults.$field); })*
    };
}

impl Entry {
    /// Takes over what the defaults say and it does not; tags add up.
    pub(super) fn complete(&mut self, defaults: &Self) {
        if let (Some(tags), Some(more)) = (&mut self.tags, &defaults.tags) {
            tags.extend(more.iter().filter(|tag| !tags.contains(tag)).cloned().collect::<Vec<_>>());
        }
        complete!(self, defaults: tags on targets tf32 optimization_level rnn max_trip
            without_passes freeze freeze_from_data min opt max dim shape profile strict_profiles
            tolerance timeout memory);
    }

    /// The keys in it that only a model can have, and where they are.
    pub(super) fn of_one_model(&self) -> Vec<(&'static str, usize)> {
        let text = |text: &Option<Text>| text.as_ref().map(|text| text.span().start);
        let keys = [
            ("path", text(&self.path)),
            ("name", text(&self.name)),
            ("expected", self.expected.as_ref().map(|expected| expected.span().start)),
            ("skip", text(&self.skip)),
        ];
        keys.into_iter().filter_map(|(key, at)| Some((key, at?))).collect()
    }

    /// Where it begins to say which model it is about: at its name, else at its path.
    pub(super) fn at(&self) -> usize {
        self.name.as_ref().or(self.path.as_ref()).map_or(0, |text| text.span().start)
    }
}
