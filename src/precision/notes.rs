//! What is told of constants that lost numbers.

use super::rebuild::Converted;

/// The most constants that are named.
const MOST_NAMED: usize = 5;

/// A line for each of the constants that lost most.
pub(super) fn of_constants(told: &[Converted]) -> Vec<String> {
    let lost = |of: &&Converted| of.fate.beyond + of.fate.vanished;
    let mut worst: Vec<&Converted> = told.iter().filter(|of| lost(of) > 0).collect();
    worst.sort_by_key(|of| std::cmp::Reverse(lost(of)));
    let more = worst.len().saturating_sub(MOST_NAMED);
    let mut notes: Vec<String> = worst.into_iter().take(MOST_NAMED).map(line).collect();
    if more > 0 {
        notes.push(format!("{more} other nodes have constants that the cheap type does not hold"));
    }
    let subnormal: usize = told.iter().map(|of| of.fate.subnormal).sum();
    let all: usize = told.iter().map(|of| of.fate.count).sum();
    if subnormal > 0 {
        notes.push(format!("{subnormal} of {all} constants are subnormal in the cheap type"));
    }
    notes
}

fn line(of: &Converted) -> String {
    let Converted { site, to, fate } = of;
    let mut parts = Vec::new();
    if fate.beyond > 0 {
        parts.push(format!("{} are beyond {to}, and became its largest number", fate.beyond));
    }
    if fate.vanished > 0 {
        parts.push(format!("{} are too small for {to}, and became 0", fate.vanished));
    }
    format!("of the {} constants of {site}, {}", fate.count, parts.join("; "))
}
