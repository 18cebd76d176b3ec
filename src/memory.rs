//! How much memory data may take: one budget for the process, and what is held of it.
//!
//! A few bytes of a model can ask for any amount of memory. Tensors that are computed, read or
//! drawn are counted here as long as they live, and whoever is about to make one asks first. Maps
//! of files are not counted: the system takes their memory back when it needs it.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is held now, in bytes.
static HELD: AtomicUsize = AtomicUsize::new(0);
/// What may be held, in bytes; 0 until it is known.
static BUDGET: AtomicUsize = AtomicUsize::new(0);

/// The budget from which on more of it decides on nothing that lasts: every limit that is a share
/// of the budget has a most of its own, and has reached it.
const DECISIVE: usize = 4 << 30;
/// The budget where the system does not say how much memory there is.
const UNKNOWN: usize = 8 << 30;

/// Memory that is held until this is dropped.
#[derive(Debug)]
pub(crate) struct Held(usize);

impl Held {
    /// Counts memory that was taken.
    pub(crate) fn new(bytes: usize) -> Self {
        HELD.fetch_add(bytes, Ordering::Relaxed);
        Self(bytes)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// Sets how much may be held.
pub(crate) fn limit(bytes: usize) {
    BUDGET.store(bytes.max(1), Ordering::Relaxed);
}

/// How much may be held: what was [set](limit), else half of the machine's memory.
pub(crate) fn budget() -> usize {
    let set = BUDGET.load(Ordering::Relaxed);
    if set > 0 {
        return set;
    }
    let half = of_machine().map_or(UNKNOWN, |bytes| bytes / 2);
    limit(half);
    half
}

/// The budget, as far as it decides on what a model becomes or why it is refused.
pub(crate) fn decisive() -> usize {
    budget().min(DECISIVE)
}

/// How much of the budget is left.
pub(crate) fn left() -> usize {
    budget().saturating_sub(HELD.load(Ordering::Relaxed))
}

/// What the process may take of the machine's memory: all of it, or what its control group may.
pub(crate) fn of_machine() -> Option<usize> {
    let all = kibibytes(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")?;
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().filter_map(|line| group_limit(Path::new("/sys/fs/cgroup"), line));
    limits.chain([usize::try_from(all).unwrap_or(usize::MAX)]).min()
}

/// The most memory this process ever held, in bytes, where the system says so.
pub(crate) fn peak_rss_bytes() -> Option<u64> {
    kibibytes(&std::fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Starts to count [`peak_rss_bytes`] anew, where the system lets it.
pub(crate) fn forget_peak_rss() {
    // A system without it reports the peak over all models: too much, never too little.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// An amount of memory in one of the texts in which the system tells of it, in bytes.
pub(crate) fn kibibytes(text: &str, what: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(what))?;
    let count: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(count.saturating_mul(1024))
}

/// The smallest limit of the groups that a line of `/proc/self/cgroup` names, of either version:
/// each lies in the one before.
fn group_limit(root: &Path, line: &str) -> Option<usize> {
    let (_, rest) = line.split_once(':')?;
    let (root, file, group) = match rest.split_once(':')? {
        ("", group) => (root.to_owned(), "memory.max", group),
        ("memory", group) => (root.join("memory"), "memory.limit_in_bytes", group),
        _ => return None,
    };
    // In a container the group may be mounted as the root.
    let group = root.join(group.trim_start_matches('/'));
    let groups = group.ancestors().take_while(|group| group.starts_with(&root));
    let limits = groups.filter_map(|group| std::fs::read_to_string(group.join(file)).ok());
    limits.filter_map(|text| text.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_group_counts() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("a/memory.max", "5000\n");
        put("a/b/memory.max", "max\n");
        put("memory/memory.limit_in_bytes", "7000\n");
        put("memory/c/memory.limit_in_bytes", "9223372036854771712\n");
        let limit = |line| group_limit(root.path(), line);
        assert_eq!(limit("0::/a/b"), Some(5000));
        assert_eq!(limit("4:memory:/c"), Some(7000));
        assert_eq!(limit("4:memory:/gone"), Some(7000));
        assert_eq!((limit("3:cpuset:/c"), limit("0::/"), limit("x")), (None, None, None));
        assert!(of_machine().unwrap() > 1 << 20);
    }
}
