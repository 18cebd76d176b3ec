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
/// then takes back what need not be left out. Where the aim is out of reach, or the time is up
/// before it is reached, the first that held the bound is taken; where nothing held that, all are
/// left out.
///
/// # Errors
/// Those of [`Trial::measure`].
pub(super) fn largest(trial: &mut dyn Trial, ranked: &[usize], goal: Goal) -> Result<Outcome> {
    let mut found = Outcome { errors: trial.measure(&BTreeSet::new())?, ..Outcome::default() };
    let (mut taken, mut held) = (0, None);
    while most(&found.errors) > goal.aim {
        if most(&found.errors) <= goal.bound {
            held.get_or_insert_with(|| found.clone());
        }
        let has_time = taken < ranked.len() && trial.has_time();
        if taken == ranked.len() || held.is_some() && !has_time {
            return Ok(held.unwrap_or(found));
        }
        // Out of time: all of them.
        let next = if has_time { (2 * taken).max(1) } else { ranked.len() };
        found.without.extend(ranked.iter().take(next).skip(taken));
        taken = next.min(ranked.len());
        found.errors = trial.measure(&found.without)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Things that each add an error to the one output, and how many measures there is time for.
    struct Sums<'s> {
        errors: &'s [f64],
        left: usize,
    }

    impl Trial for Sums<'_> {
        fn measure(&mut self, without: &BTreeSet<usize>) -> Result<Vec<f64>> {
            self.left = self.left.saturating_sub(1);
            let kept = self.errors.iter().enumerate().filter(|(at, _)| !without.contains(at));
            Ok(vec![kept.map(|(_, error)| error).sum()])
        }

        fn has_time(&mut self) -> bool {
            self.left > 0
        }
    }

    fn found(errors: &[f64], left: usize) -> (Vec<usize>, f64, usize) {
        let mut ranked: Vec<usize> = (0..errors.len()).collect();
        ranked.sort_by(|&a, &b| errors[b].total_cmp(&errors[a]));
        let goal = Goal { aim: 0.7, bound: 1.0 };
        let outcome = largest(&mut Sums { errors, left }, &ranked, goal).unwrap();
        let off = most(&outcome.errors);
        (outcome.without.into_iter().collect(), off, outcome.untried.len())
    }

    #[test]
    fn no_more_is_left_out_than_has_to_be() {
        assert_eq!(found(&[0.1, 0.2, 0.1], 100), (vec![], 0.4, 0));
        // The two largest go, in two steps, and neither comes back.
        let errors = [0.25, 0.8, 0.0625, 0.9, 0.0, 0.0, 0.0625, 0.125];
        assert_eq!(found(&errors, 100), (vec![1, 3], 0.5, 0));
    }

    #[test]
    fn what_held_the_bound_is_kept_when_the_time_is_up() {
        // All of them are off by 0.75: the bound holds, the aim does not.
        assert_eq!(found(&[0.25, 0.25, 0.25], 1), (vec![], 0.75, 0));
        // Nothing held before the time was up.
        assert_eq!(found(&[0.6, 0.6, 0.6, 0.1], 1), (vec![0, 1, 2, 3], 0.0, 4));
    }
}
