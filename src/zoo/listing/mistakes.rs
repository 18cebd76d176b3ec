//! What is wrong with a listing, with file, line and column.

use crate::error::{Error, Kind, Result};
use std::path::Path;

/// Mistakes as they are found.
#[derive(Debug)]
pub(super) struct Mistakes<'t> {
    path: &'t Path,
    text: &'t str,
    found: Vec<(usize, String)>,
}

impl<'t> Mistakes<'t> {
    /// None yet.
    pub(super) fn new(path: &'t Path, text: &'t str) -> Self {
        Self { path, text, found: Vec::new() }
    }

    /// The file.
    pub(super) fn path(&self) -> &'t Path {
        self.path
    }

    /// Something at this byte is wrong. Said of several models of one entry it counts once.
    pub(super) fn add(&mut self, at: usize, what: impl Into<String>) {
        let mistake = (at, what.into());
        if !self.found.contains(&mistake) {
            self.found.push(mistake);
        }
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
        self.add(at, message);
    }

    /// The line at this byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.position(at).0
    }

    /// Line and column, in characters, from 1.
    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }

    /// An error where there are any.
    ///
    /// # Errors
    /// [`Kind::Usage`] with all of them, in the order of the file.
    pub(super) fn finish(mut self) -> Result<()> {
        self.found.sort();
        let place = |(at, what): &(usize, String)| {
            let (line, column) = self.position(*at);
            format!("{}:{line}:{column}: {what}", self.path.display())
        };
        match &self.found[..] {
            [] => Ok(()),
            [only] => {
                let line = self.line(only.0);
                let text = self.text.lines().nth(line - 1).unwrap_or_default().trim();
                let error = Error::new(Kind::Usage, place(only));
                Err(if text.is_empty() {
                    error
                } else {
                    error.with_note(format!("{line} | {text}"))
                })
            }
            several => {
                let message =
                    format!("{} things are wrong with `{}`", several.len(), self.path.display());
                Err(several.iter().fold(Error::new(Kind::Usage, message), |error, each| {
                    error.with_note(place(each))
                }))
            }
        }
    }
}
