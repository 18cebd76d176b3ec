//! What a report was made with: the library, the GPU, the machine.

use serde::{Deserialize, Serialize};

/// The machine and its libraries. Holds no name of the host and no path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Environment {
    /// Name and version of the TensorRT library.
    pub library: Option<String>,
    /// The GPU that ran plans.
    pub gpu: Option<Gpu>,
    /// Version of the driver.
    pub driver: Option<String>,
    /// Name, version and architecture of the system.
    pub os: String,
    /// Model name of the processor.
    pub cpu: String,
}

/// A GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gpu {
    /// As the driver calls it.
    pub name: String,
    /// `9.0`.
    pub compute_capability: String,
    /// All its memory, in bytes.
    pub memory_bytes: u64,
}

impl Environment {
    /// This machine, with a library and no GPU.
    pub fn here(library: Option<String>) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let release = read("/etc/os-release");
        let name = value(&release, "PRETTY_NAME", '=').unwrap_or(std::env::consts::OS);
        let kernel = read("/proc/sys/kernel/osrelease");
        let kernel = if kernel.trim().is_empty() {
            String::new()
        } else {
            format!(", Linux {}", kernel.trim())
        };
        let cpu = read("/proc/cpuinfo");
        Self {
            library,
            gpu: None,
            driver: None,
            os: format!("{name}{kernel}, {}", std::env::consts::ARCH),
            cpu: value(&cpu, "model name", ':').unwrap_or("unknown").to_owned(),
        }
    }
}

/// One environment for reports that are joined, and a note on each field that they disagree on.
///
/// Such a field is absent; of systems and processors all are named.
pub fn joined(all: &[Environment]) -> (Environment, Vec<String>) {
    let mut notes = Vec::new();
    let mut note = |what: &str, values: &[String]| {
        if values.len() > 1 {
            notes.push(format!("the parts differ in {what}: {}", values.join("; ")));
        }
    };
    let (os, cpu) = (distinct(all, |each| each.os.clone()), distinct(all, |each| each.cpu.clone()));
    note("the system", &os);
    note("the processor", &cpu);
    let mut same = |what: &str, text: fn(&Environment) -> Option<&str>| {
        let values = distinct(all, |each| text(each).unwrap_or("none").to_owned());
        note(what, &values);
        values.len() == 1
    };
    let library = same("the library", |each| each.library.as_deref());
    let gpu = same("the GPU", |each| each.gpu.as_ref().map(|gpu| gpu.name.as_str()));
    let driver = same("the driver", |each| each.driver.as_deref());
    let first = all.first();
    let environment = Environment {
        library: first.filter(|_| library).and_then(|first| first.library.clone()),
        gpu: first.filter(|_| gpu).and_then(|first| first.gpu.clone()),
        driver: first.filter(|_| driver).and_then(|first| first.driver.clone()),
        os: os.join("; "),
        cpu: cpu.join("; "),
    };
    (environment, notes)
}

/// The different values of a field, in the order in which they come.
fn distinct(all: &[Environment], field: impl Fn(&Environment) -> String) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for value in all.iter().map(field) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// The environment of a model's report that was written as JSON.
pub fn of_page(page: &serde_json::Value) -> Option<Environment> {
    serde_json::from_value(page.get("environment")?.clone()).ok()
}

/// What stands behind a key on a line of its own.
fn value<'t>(text: &'t str, key: &str, separator: char) -> Option<&'t str> {
    let lines = text.lines().filter_map(|line| line.split_once(separator));
    let found = lines.into_iter().find(|(found, _)| found.trim() == key)?;
    Some(found.1.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_key() {
        assert_eq!(
            value("NAME=x\nPRETTY_NAME=\"Some OS 1\"\n", "PRETTY_NAME", '='),
            Some("Some OS 1")
        );
        assert_eq!(value("model name\t: A CPU\n", "model name", ':'), Some("A CPU"));
        assert_eq!(value("", "NAME", '='), None);
        assert!(Environment::here(None).os.ends_with(std::env::consts::ARCH));
    }

    #[test]
    fn what_environments_disagree_on_is_noted() {
        let gpu =
            Gpu { name: "G".to_owned(), compute_capability: "9.0".to_owned(), memory_bytes: 1 };
        let one = Environment {
            gpu: Some(gpu),
            cpu: "A".to_owned(),
            ..Environment::here(Some("TensorRT".to_owned()))
        };
        let other = Environment { gpu: None, cpu: "B".to_owned(), ..one.clone() };
        assert_eq!(joined(&[one.clone(), one.clone()]), (one.clone(), Vec::new()));
        let (both, notes) = joined(&[one.clone(), other]);
        assert_eq!((both.library, both.gpu, both.cpu.as_str()), (one.library, None, "A; B"));
        assert_eq!(
            notes,
            ["the parts differ in the processor: A; B", "the parts differ in the GPU: G; none"]
        );
    }
}
