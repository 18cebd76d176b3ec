//! Holds the code to the table "Who may import whom" of `docs/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Modules that all others may use, and that use only each other.
const COMMON: [&str; 8] =
    ["error", "hash", "mapped", "memory", "shown", "site", "tensor", "timings"];

#[test]
fn modules_import_only_what_the_table_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = table(&fs::read_to_string(root.join("docs/architecture.md")).unwrap());
    let modules = modules(&fs::read_to_string(root.join("src/lib.rs")).unwrap());

    let listed: BTreeSet<_> = table.keys().map(String::as_str).chain(COMMON).collect();
    let declared: BTreeSet<_> = modules.iter().map(String::as_str).collect();
    assert_eq!(listed, declared, "the table and src/lib.rs list different modules");

    let mut broken = Vec::new();
    for module in &modules {
        let allowed = table.get(module);
        for (file, imported) in imports(root, module) {
            let common = COMMON.contains(&imported.as_str());
            let listed = allowed.is_some_and(|allowed| {
                allowed.contains("everything") || allowed.contains(&imported)
            });
            if imported != *module && !common && !listed {
                broken.push(format!("{file}: `{module}` may not import `{imported}`"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What each module may import, by the table's rows.
fn table(document: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows = document.lines().skip_while(|line| *line != "| module | may import |").skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|row| {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let names = |cell: &str| {
                cell.split(',').map(|name| name.trim().trim_matches('`').to_owned()).collect()
            };
            (cells[1].trim_matches('`').to_owned(), names(cells[2]))
        })
        .collect()
}

/// The modules that the library declares.
fn modules(library: &str) -> Vec<String> {
    let declared = |line: &str| {
        let name =
            line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';')?;
        Some(name.to_owned())
    };
    library.lines().filter_map(declared).collect()
}

/// Each file of a module with each module that it names; tests may name what they like.
fn imports(root: &Path, module: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    sources(&root.join(format!("src/{module}.rs")), &mut files);
    sources(&root.join(format!("src/{module}")), &mut files);
    assert!(!files.is_empty(), "`{module}` has no files");
    let mut found = Vec::new();
    for (path, text) in files {
        let file = Path::new(&path).strip_prefix(root).unwrap().display().to_string();
        found.extend(named(&text).into_iter().map(|name| (file.clone(), name)));
    }
    found
}

/// The sources at a path, without tests.
fn sources(path: &Path, out: &mut Vec<(String, String)>) {
    let name = path.file_name().unwrap().to_string_lossy();
    if path.is_dir() && name != "tests" {
        for entry in fs::read_dir(path).unwrap() {
            sources(&entry.unwrap().path(), out);
        }
    } else if path.is_file() && name.ends_with(".rs") && name != "tests.rs" {
        out.push((path.display().to_string(), fs::read_to_string(path).unwrap()));
    }
}

/// The modules that a source names behind `crate::`. What the crate re-exports at its root comes
/// from `error`.
fn named(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let paths = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((group, _)) => group.split(',').collect(),
            None => vec![rest],
        };
        for path in paths {
            let name: String =
                path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let root = name.starts_with(char::is_uppercase);
            names.insert(if root { "error".to_owned() } else { name });
        }
    }
    names
}

#[test]
fn names_are_found_wherever_they_stand() {
    let source = "use crate::{Error, valid::Checked};\n    //! crate::doc\nfn f(x: \
                  crate::eval::X) { crate::hash::y() }\n\
                  #[cfg(test)]\nmod tests { use crate::import; }";
    assert_eq!(named(source).into_iter().collect::<Vec<_>>(), ["error", "eval", "hash", "valid"]);
}
