//! `--color`: read before all else, so that help and errors about the line follow it, too.

use clap::{ColorChoice, ValueEnum};
use std::ffi::OsString;

/// Takes the last `--color` of a command line. Whether its value is one is checked with the rest of
/// the line.
pub(super) fn set(line: &[OsString]) {
    let Some(choice) = said(line) else { return };
    match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

fn said(line: &[OsString]) -> Option<ColorChoice> {
    let mut said = None;
    let mut words = line.iter().skip(1).filter_map(|word| word.to_str()).peekable();
    while let Some(word) = words.next() {
        match word.strip_prefix("--color") {
            Some("") => said = words.peek().copied(),
            Some(value) if value.starts_with('=') => said = value.get(1..),
            _ => {}
        }
    }
    ColorChoice::from_str(said?, false).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_color_counts() {
        let said = |line: &str| {
            let line: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            said(&line)
        };
        assert_eq!(said("onnx2plan --color always --help"), Some(ColorChoice::Always));
        assert_eq!(said("onnx2plan --color=always --color never"), Some(ColorChoice::Never));
        assert_eq!(said("onnx2plan --color=blue"), None);
        assert_eq!(said("onnx2plan --colors=always --color"), None);
    }
}
