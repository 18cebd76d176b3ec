//! The largest set of things, ranked by the harm they do, that keeps the outputs within a bound.

use super::search::most;
use crate::error::Result;
use std::collections::BTreeSet;

/// What is tried.
pub(super) trait Trial {
    /// How far each output is off without these.
    ///
    /// # Errors
    /// What stands in the way of computing the network.
    fn measure(&mut self, without: &BTreeSet<usize>) -> Result<Vec<f64>>;

    /// Whether there is time for another try.
    fn has_time(&mut self) -> bool;
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    /// What is left out.
    pub without: BTreeSet<usize>,
    /// How far each output is off.
    pub errors: Vec<f64>,
    /// What is left out without having been tried: the time was up.
    pub untried: Vec<usize>,
}

/// How far outputs may be off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal {
    /// What is tried to hold.
    pub aim: f64,
    /// What must hold: no less than that.
    pub bound: f64,
}

/// Leaves out those that do most harm, twice as many each time, until the outputs hold the aim;
/// then takes back what need not be left out. Where not even all of them do for the bound, all are
/// left out.
///
/// # Errors
/// Those of [`Trial::measure`].
pub(super) fn largest(trial: &mut dyn Trial, ranked: &[usize], goal: Goal) -> Result<Outcome> {
    let mut found = Outcome { errors: trial.measure(&BTreeSet::new())?, ..Outcome::default() };
    let mut taken = 0;
    while most(&found.errors) > goal.aim && taken < ranked.len() {
        // Out of time: all of them.
        let next = if trial.has_time() { (2 * taken).max(1) } else { ranked.len() };
        found.without.extend(ranked.iter().take(next).skip(taken));
        taken = next.min(ranked.len());
        found.errors = trial.measure(&found.without)?;
    }
    if most(&found.errors) > goal.bound {
        return Ok(found);
    }
    give_back(trial, found, ranked.get(..taken).unwrap_or_default(), goal)
}

/// Takes back what was left out, the least harmful first, in ever smaller parts.
///
/// # Errors
/// Those of [`Trial::measure`].
pub(super) fn give_back(
    trial: &mut dyn Trial,
    mut found: Outcome,
    ranked: &[usize],
    Goal { aim, .. }: Goal,
) -> Result<Outcome> {
    let mut left: Vec<usize> = ranked.iter().rev().copied().collect();
    let mut size = left.len() / 2;
    while size > 0 {
        let mut kept = Vec::new();
        for (at, part) in left.chunks(size).enumerate() {
            if !trial.has_time() {
                // Of parts that did not hold, only those of one say something of it.
                let rest = left.iter().skip(at * size);
                found.untried.extend(rest.chain(kept.iter().filter(|_| size > 1)));
                return Ok(found);
            }
            let without: BTreeSet<usize> =
                found.without.iter().filter(|at| !part.contains(at)).copied().collect();
            let off = trial.measure(&without)?;
            if most(&off) <= aim {
                (found.without, found.errors) = (without, off);
            } else {
                kept.extend_from_slice(part);
            }
        }
        left = kept;
        size = if size == 1 { 0 } else { size.min(left.len()).div_ceil(2) };
    }
    Ok(found)
}
