//! Recorded texts: what a test found is compared with a file, or with `ONNX2PLAN_BLESS=1` becomes
//! the file.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// What to do about a difference.
pub(crate) const HOW: &str =
    "ONNX2PLAN_BLESS=1 records what was found: read it before you commit it";

fn bless() -> bool {
    std::env::var_os("ONNX2PLAN_BLESS").is_some_and(|value| value == "1")
}

/// Compares a text with a file, or writes the file; says how they differ.
pub(crate) fn check_file(path: &Path, text: &str) -> Option<String> {
    let shown = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).display();
    match fs::read_to_string(path) {
        Ok(recorded) if recorded == text => None,
        _ if bless() => {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            None
        }
        Ok(recorded) => Some(difference(&shown.to_string(), &recorded, text)),
        Err(_) => Some(format!("{shown} is missing; it would say:\n{text}")),
    }
}

/// A folder of recorded texts.
pub(crate) struct Records {
    folder: PathBuf,
    seen: BTreeSet<PathBuf>,
    wrong: Vec<String>,
}

impl Records {
    /// The texts in a folder of `tests/`.
    pub(crate) fn new(folder: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
        Self { folder, seen: BTreeSet::new(), wrong: Vec::new() }
    }

    /// Compares a text with its record, or records it.
    pub(crate) fn check(&mut self, name: &str, text: &str) {
        let path = self.folder.join(name);
        assert!(self.seen.insert(path.clone()), "`{name}` is recorded twice");
        self.wrong.extend(check_file(&path, text));
    }

    /// Fails if any text differs from its record, or a record belongs to no text.
    pub(crate) fn finish(mut self) {
        let mut files = Vec::new();
        list(&self.folder, &mut files);
        for path in files.into_iter().filter(|path| !self.seen.contains(path)) {
            if bless() {
                fs::remove_file(&path).unwrap();
            } else {
                self.wrong.push(format!("{} belongs to no case", path.display()));
            }
        }
        assert!(self.wrong.is_empty(), "{}\n\n{HOW}", self.wrong.join("\n"));
    }
}

fn list(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { list(&path, out) } else { out.push(path) }
    }
}

/// The lines that differ, from the first to the last such.
fn difference(name: &str, recorded: &str, found: &str) -> String {
    let (recorded, found): (Vec<_>, Vec<_>) = (recorded.lines().collect(), found.lines().collect());
    let same = recorded.iter().zip(&found).take_while(|(a, b)| a == b).count();
    let rest = recorded.len().min(found.len()) - same;
    let (a, b) = (recorded.iter().rev(), found.iter().rev());
    let end = a.zip(b).take(rest).take_while(|(a, b)| a == b).count();
    let mut text = format!("{name}, from line {}:\n", same + 1);
    for (mark, lines) in [('-', &recorded), ('+', &found)] {
        for line in &lines[same..lines.len() - end] {
            let _ = writeln!(text, "{mark} {line}");
        }
    }
    text
}

#[test]
fn a_difference_shows_the_lines_between_equal_ends() {
    assert_eq!(difference("x", "a\nb\nc\nd", "a\nB\nd"), "x, from line 2:\n- b\n- c\n+ B\n");
    assert_eq!(difference("x", "a", "a\na"), "x, from line 2:\n+ a\n");
}
