//! What is wrong with a listing, with file, line and column.

use crate::error::alike::nearest;
use crate::error::{Error, Kind, Result};
use std::collections::BTreeSet;
use std::iter;
use std::path::Path;

/// Mistakes as they are found.
#[derive(Debug)]
pub(super) struct Mistakes<'t> {
    path: &'t Path,
    text: &'t str,
    /// Where each line begins.
    lines: Vec<usize>,
    found: BTreeSet<(usize, String)>,
}

/// The most mistakes that are shown.
const MOST_SHOWN: usize = 100;

impl<'t> Mistakes<'t> {
    /// None yet.
    pub(super) fn new(path: &'t Path, text: &'t str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { path, text, lines: iter::once(0).chain(ends).collect(), found: BTreeSet::new() }
    }

    /// The file.
    pub(super) fn path(&self) -> &'t Path {
        self.path
    }

    /// Something at this byte is wrong. Said of several models of one entry it counts once.
    pub(super) fn add(&mut self, at: usize, what: impl Into<String>) {
        self.found.insert((at, what.into()));
    }

    /// The file is no TOML.
    pub(super) fn syntax(&mut self, error: &toml::de::Error) {
        self.add_of_serde(error.span().map_or(0, |span| span.start), error.message());
    }

    /// A value is not what its key wants: what serde says, in the words of a listing.
    pub(super) fn add_of_serde(&mut self, at: usize, message: &str) {
        let mut message = message.lines().collect::<Vec<_>>().join(", ");
        for (word, ours) in [
            ("unknown field", "unknown key"),
            ("unknown variant", "unknown value"),
            ("missing field", "missing key"),
        ] {
            if let Some(rest) = message.strip_prefix(word) {
                message = format!("{ours}{rest}");
            }
        }
        let mut quoted = message.split('`').skip(1).step_by(2);
        let value = quoted.next().filter(|_| message.starts_with("unknown"));
        if let Some(meant) = value.and_then(|value| nearest(value, quoted)) {
            message = format!("{message}; did you mean `{meant}`?");
        }
        self.add(at, message);
    }

    /// The line at this byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.position(at).0
    }

    /// Line and column, in characters, from 1.
    fn position(&self, at: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|&start| start <= at);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = self.text.get(start..at).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// An error where there are any.
    ///
    /// # Errors
    /// [`Kind::Usage`] with all of them, in the order of the file.
    pub(super) fn finish(self) -> Result<()> {
        let place = |(at, what): &(usize, String)| {
            let (line, column) = self.position(*at);
            format!("{}:{line}:{column}: {what}", self.path.display())
        };
        match (self.found.first(), self.found.len()) {
            (None, _) => Ok(()),
            (Some(only), 1) => {
                let line = self.line(only.0);
                let text = self.text.lines().nth(line - 1).unwrap_or_default().trim();
                let error = Error::new(Kind::Usage, place(only));
                Err(if text.is_empty() {
                    error
                } else {
                    error.with_note(format!("{line} | {text}"))
                })
            }
            (Some(_), count) => {
                let message = format!("{count} things are wrong with `{}`", self.path.display());
                let shown = self.found.iter().take(MOST_SHOWN).map(place);
                let more = count.checked_sub(MOST_SHOWN).filter(|&more| more > 0);
                let more = more.map(|more| format!("and {more} more"));
                Err(shown.chain(more).fold(Error::new(Kind::Usage, message), Error::with_note))
            }
        }
    }
}
