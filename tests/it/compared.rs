//! Holds `docs/compared.md` to what `--help` says, and to the options that the others have.

use crate::tensorrt::without_tensorrt;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A row of a table.
struct Row {
    theirs: String,
    ours: String,
    verdict: String,
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The rows below a heading of the second level, by those of the third.
fn rows(document: &str, heading: &str) -> Vec<(String, Row)> {
    let section = document.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let mut below = String::new();
    let mut rows = Vec::new();
    for line in section.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            title.clone_into(&mut below);
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", theirs, ours, verdict, because, ""] = cells[..]
            && let Some(theirs) = theirs.strip_prefix('`').and_then(|cell| cell.strip_suffix('`'))
        {
            assert!(["better", "has", "no"].contains(&verdict), "{line}");
            assert!(verdict != "better" || !because.is_empty(), "{line}");
            let [theirs, ours, verdict] = [theirs, ours, verdict].map(str::to_owned);
            rows.push((below.clone(), Row { theirs, ours, verdict }));
        }
    }
    rows
}

fn help(words: &[&str]) -> String {
    let output = without_tensorrt().args(words).arg("--help").output().unwrap();
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_ours_exists() {
    let whole = help(&[]);
    let commands: BTreeSet<String> = whole
        .lines()
        .skip_while(|line| *line != "Commands:")
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
    let mut options = BTreeSet::new();
    let texts = ["convert", "inspect", "verify", "time", "zoo"].map(|command| help(&[command]));
    for text in texts.iter().chain([&whole]) {
        let words = text.split([' ', '\n', ',', '=']).filter(|word| word.starts_with("--"));
        options.extend(words.map(|word| word.trim_end_matches(['.', ';', ':']).to_owned()));
    }
    let document = read("docs/compared.md");
    for (_, row) in rows(&document, "trtexec").into_iter().chain(rows(&document, "Polygraphy")) {
        for ours in row.ours.split('`').skip(1).step_by(2) {
            let exists = match ours.strip_prefix("onnx2plan ") {
                Some("MODEL") => true,
                Some(command) => commands.contains(command),
                None => options.contains(ours),
            };
            assert!(exists, "`{ours}`, for `{}`, is in no help", row.theirs);
        }
    }
}

#[test]
fn every_option_and_subcommand_has_its_row() {
    let document = read("docs/compared.md");
    for (heading, list) in [("trtexec", "trtexec-11.1.txt"), ("Polygraphy", "polygraphy.txt")] {
        let listed: Vec<String> =
            read(&format!("tests/compared/{list}")).lines().map(str::to_owned).collect();
        let rows = rows(&document, heading);
        let current = rows.iter().filter(|(below, _)| below != "Options of older versions");
        let mut found: Vec<String> = current.clone().map(|(_, row)| row.theirs.clone()).collect();
        found.sort();
        assert_eq!(found, listed);

        let mut counts = BTreeMap::new();
        current.for_each(|(_, row)| *counts.entry(row.verdict.as_str()).or_insert(0) += 1);
        let [better, has, no] = ["better", "has", "no"].map(|verdict| counts[verdict]);
        let kind = if heading == "trtexec" { "options" } else { "subcommands" };
        let headline = format!("| {kind} of {heading} | {better} | {has} | {no} |");
        assert!(document.contains(&headline), "{headline}");
    }
}

/// Every option of trtexec that is none here is answered, and with what the table says.
#[test]
fn options_of_the_table_are_answered() {
    let document = read("docs/compared.md");
    for (_, row) in rows(&document, "trtexec") {
        let named: Vec<&str> = row.ours.split('`').skip(1).step_by(2).collect();
        if named.contains(&row.theirs.as_str()) || row.theirs == "--profile" {
            continue;
        }
        let output = without_tensorrt().args(["model.onnx", &row.theirs]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let answer = format!("error: `{}` is a word of trtexec: ", row.theirs);
        assert!(said.starts_with(&answer), "`{}`: {said}", row.theirs);
        let options: Vec<&&str> = named.iter().filter(|name| name.starts_with("--")).collect();
        let told = options.iter().any(|option| said.contains(**option));
        assert!(
            options.is_empty() || told || said.contains("onnx2plan "),
            "{said} not {options:?}"
        );
    }
}
