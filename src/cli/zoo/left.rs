//! How much longer a zoo takes, from the models that are done: those of about the same size tell
//! how long one takes, and the median keeps the odd one out.

use std::time::Duration;

/// How many models of about the same size are asked.
const ASKED: usize = 9;
/// With fewer models done nothing is told.
const FEWEST: usize = 3;

/// The models that are done, and those that are not.
#[derive(Debug)]
pub(super) struct Left {
    workers: usize,
    /// Sizes in bytes.
    waiting: Vec<u64>,
    done: Vec<(u64, Duration)>,
}

impl Left {
    /// Models of these sizes, in bytes.
    pub(super) fn new(workers: usize, waiting: Vec<u64>) -> Self {
        Self { workers: workers.max(1), waiting, done: Vec::new() }
    }

    /// A model of this size is done. What came from the cache tells nothing of the others.
    pub(super) fn done(&mut self, bytes: u64, took: Duration, cached: bool) {
        if let Some(at) = self.waiting.iter().position(|&other| other == bytes) {
            self.waiting.swap_remove(at);
        }
        if !cached {
            self.done.push((bytes, took));
        }
    }

    /// How long the rest takes; `None` where too little is known.
    pub(super) fn left(&self) -> Option<Duration> {
        if self.done.len() < FEWEST {
            return None;
        }
        let sum = self.waiting.iter().map(|&bytes| self.like(bytes)).sum::<Duration>();
        let at_once = self.workers.min(self.waiting.len()).max(1);
        Some(sum / u32::try_from(at_once).unwrap_or(u32::MAX))
    }

    /// The median of the models whose sizes are nearest.
    fn like(&self, bytes: u64) -> Duration {
        let mut near = self.done.clone();
        let far = |other: u64| (other.max(1).ilog2()).abs_diff(bytes.max(1).ilog2());
        near.sort_by_key(|(other, _)| far(*other));
        near.truncate(ASKED);
        let mut took: Vec<Duration> = near.into_iter().map(|(_, took)| took).collect();
        took.sort();
        took.get(took.len() / 2).copied().unwrap_or_default()
    }
}

/// A time for people: `40 s`, `3 min`, `2 h 10 min`.
pub(super) fn words(left: Duration) -> String {
    let seconds = left.as_secs();
    match (seconds / 3600, seconds % 3600 / 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn models_of_the_same_size_tell_how_long_one_takes() {
        let mut left = Left::new(2, [vec![1000; 20], vec![1 << 30; 20]].concat());
        assert_eq!(left.left(), None);
        for _ in 0..10 {
            left.done(1000, SECOND, false);
            left.done(1 << 30, 60 * SECOND, false);
        }
        assert_eq!(left.left(), Some((10 * SECOND + 600 * SECOND) / 2));
        // One that hangs moves nothing.
        left.done(1000, 100_000 * SECOND, false);
        assert_eq!(left.left(), Some((9 * SECOND + 600 * SECOND) / 2));
        for _ in 0..9 {
            left.done(1000, Duration::ZERO, true);
        }
        assert_eq!(left.left(), Some(300 * SECOND));
    }

    #[test]
    fn the_last_model_has_one_worker() {
        let mut left = Left::new(8, vec![5; 4]);
        (0..3).for_each(|_| left.done(5, 4 * SECOND, false));
        assert_eq!(left.left(), Some(4 * SECOND));
        assert_eq!(["4 s", "2 min", "1 h 1 min"], [4, 125, 3660].map(|s| words(s * SECOND)));
    }
}
