//! Text from files on its way to a terminal, a log or a report.
//!
//! Names in a model may hold anything: escape sequences that rewrite the screen, marks that turn
//! the direction of writing, line breaks behind which a command for a CI system stands. What is
//! shown of them passes through here. Files for other programs, such as manifests, hold the names
//! as they are.

use std::fmt::Write;
use std::path::Path;

/// The most characters of a name.
const MOST_OF_A_NAME: usize = 200;
/// The most characters of a line that says something.
const MOST_OF_A_LINE: usize = 2000;

/// Whether a character shows as nothing but itself.
pub(crate) fn is_plain(character: char) -> bool {
    let hidden = matches!(
        character,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' // marks of direction; no space
        | '\u{2028}'..='\u{202e}' // separators of lines; embeddings and overrides
        | '\u{2060}'..='\u{206f}' // isolates, and other marks that nobody sees
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' // a mark of byte order; annotations
        | '\u{e0000}'..='\u{e0fff}' // tags and selectors
    );
    let nobodys =
        u32::from(character) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&character);
    !character.is_control() && !hidden && !nobodys
}

/// A text on one line, with everything written out that is no plain character.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        push(&mut out, character);
    }
    out
}

/// As [`lines`], on one line, cut to the length that somebody reads.
pub(crate) fn line(text: &str) -> String {
    lines(&cut(text, MOST_OF_A_LINE))
}

/// As [`escaped`], cut to the length of a name that somebody reads.
pub(crate) fn name(text: &str) -> String {
    cut(text, MOST_OF_A_NAME)
}

/// Text of many lines, where each is what it is, and none a command for a CI system.
pub(crate) fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        // GitHub takes what follows `::` at the beginning of a line.
        let command = line.trim_start().strip_prefix("::");
        let line = match command {
            Some(rest) => format!("{}\\u{{3a}}:{rest}", &line[..line.len() - rest.len() - 2]),
            None => line.to_owned(),
        };
        line.chars().for_each(|character| push(&mut out, character));
    }
    out
}

/// Whether `[` behind this text would begin a command: GitHub's and Azure's `##[`, Azure's
/// `##vso[`, `##teamcity[`, which are obeyed wherever they stand in a line.
fn begins_a_command(text: &str) -> bool {
    text.trim_end_matches(|each: char| each.is_ascii_alphanumeric()).ends_with("##")
}

/// JSON with what a terminal or a CI system would obey written out: it is the same value.
pub(crate) fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units = [0; 2];
    for character in text.chars() {
        // Only texts in it can hold a command.
        let is_command = character == '[' && begins_a_command(&out);
        if character == '\n' || is_plain(character) && !is_command {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut units) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// The texts in a value, each as [`lines`] shows it, but with no length of its own.
pub(crate) fn value(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => *text = lines(text),
        serde_json::Value::Array(values) => values.iter_mut().for_each(self::value),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(self::value),
        _ => {}
    }
}

/// A path in JSON, which holds nothing but Unicode.
pub(crate) fn path<S: serde::Serializer>(path: impl AsRef<Path>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.as_ref().display())
}

fn push(out: &mut String, character: char) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '[' if begins_a_command(out) => out.push_str("\\u{5b}"),
        _ if is_plain(character) => out.push(character),
        _ => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        }
    }
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => escaped(text.get(..end).unwrap_or_default()) + "…",
        None => escaped(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_plain_characters_is_shown() {
        for (text, shown) in [
            ("conv/1:0", "conv/1:0"),
            ("größe 層 \u{1f600} a\\b", "größe 層 \u{1f600} a\\b"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{1b}]0;t\u{7}\u{9b}2J\u{7f}", "\\u{1b}]0;t\\u{7}\\u{9b}2J\\u{7f}"),
            ("\u{202e}x\u{2066}\u{200f}\u{feff}", "\\u{202e}x\\u{2066}\\u{200f}\\u{feff}"),
            ("\u{fffe}\u{ffff}\u{1fffe}\u{fdd0}", "\\u{fffe}\\u{ffff}\\u{1fffe}\\u{fdd0}"),
        ] {
            assert_eq!((&*line(text), &*escaped(text)), (shown, shown));
        }
        assert_eq!(name(&"ä".repeat(70_000)).chars().count(), MOST_OF_A_NAME + 1);
        assert_eq!(line(&"ä".repeat(70_000)).chars().count(), MOST_OF_A_LINE + 1);
    }

    #[test]
    fn no_line_is_a_command() {
        for (text, shown) in [
            ("a::b\n  c: d", "a::b\n  c: d"),
            (
                "::error::x\n\u{a0} ::stop-commands::y",
                "\\u{3a}:error::x\n\u{a0} \\u{3a}:stop-commands::y",
            ),
            ("x ##[error]y\u{1b}", "x ##\\u{5b}error]y\\u{1b}"),
            ("##vso[task.complete]", "##vso\\u{5b}task.complete]"),
            ("a##teamcity[message]", "a##teamcity\\u{5b}message]"),
            ("# [a] ## b[c] #x[d]", "# [a] ## b[c] #x[d]"),
        ] {
            assert_eq!(lines(text), shown);
            let mut shown_value = serde_json::json!({ "a": [text] });
            value(&mut shown_value);
            assert_eq!(shown_value, serde_json::json!({ "a": [shown] }));
            if !text.contains('\n') {
                assert_eq!([line(text), name(text), escaped(text)], [shown; 3]);
            }
        }
        assert_eq!((&*line("::error::x"), &*line(" ::x")), ("\\u{3a}:error::x", " \\u{3a}:x"));
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let original = serde_json::json!({ "a\u{9b}": "##[##vso[\u{202e}\u{e0041}\n\u{7f}" });
        let text = json(&serde_json::to_string_pretty(&original).unwrap());
        assert!(text.chars().all(|each| each == '\n' || is_plain(each)), "{text}");
        assert!(!text.contains("##[") && !text.contains("##vso["), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), original);
    }
}
