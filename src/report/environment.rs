//! What a report was made with: the library, the GPU, the machine.

use serde::{Deserialize, Serialize};

/// The machine and its libraries. Holds no name of the host and no path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
        let kernel = if kernel.trim().is_empty() { String::new() } else { format!(", Linux {}", kernel.trim()) };
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
        assert_eq!(value("NAME=x\nPRETTY_NAME=\"Some OS 1\"\n", "PRETTY_NAME", '='), Some("Some OS 1"));
        assert_eq!(value("model name\t: A CPU\n", "model name", ':'), Some("A CPU"));
        assert_eq!(value("", "NAME", '='), None);
        assert!(Environment::here(None).os.ends_with(std::env::consts::ARCH));
    }
}
