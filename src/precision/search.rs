//! The largest set of units in the cheap type that holds the bound.
//!
//! The units are ranked by what their own error does to the outputs. From the top, twice as many
//! each time, they go back to `f32` until the bound holds; then those that went back needlessly
//! return, in halves. Each step computes the whole network as it would be built.

use super::assign::Plan;
use super::data::Label;
use super::rebuild::rebuild;
use super::survey::{Survey, apart, unit};
use super::units::Units;
use crate::error::{Error, Kind, Result};
use crate::network::Network;
use crate::tensor::{DType, Tensor};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Computes a network of the chosen types as it will be built, on inputs of the network as it was
/// before.
pub type Evaluate<'a> = dyn FnMut(Network, &[Tensor]) -> Result<Vec<Tensor>> + 'a;

/// Inputs, with the outputs that they should give.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub label: Label,
    pub inputs: Vec<Tensor>,
    pub expected: Vec<Tensor>,
}

/// The share of the bound that the search goes for, so that other data have room.
const SHARE: f64 = 0.7;

/// A network with what its types are chosen by.
pub(super) struct Search<'a, 'e> {
    pub network: &'a Network,
    pub units: &'a Units,
    pub cheap: DType,
    pub(super) ends: DType,
    /// The types that nobody may change.
    pub fixed: Vec<Option<DType>>,
    pub bound: f64,
    pub evaluate: &'a mut Evaluate<'e>,
    /// The data that decide.
    pub sets: Vec<Set>,
    /// Units in `f32` of which nobody knows whether they have to be: the time was up.
    pub untried: Vec<usize>,
    /// Units in `f32` because nothing else holds.
    pub given_up: HashSet<usize>,
    pub clock: Clock,
}

/// The time that the search may take, and what it did with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub start: Instant,
    pub budget: Duration,
    /// How long the last run took.
    last: Duration,
    pub runs: usize,
    pub cut_short: bool,
}

impl Clock {
    pub(super) fn new(budget: Duration) -> Self {
        Self { start: Instant::now(), budget, last: Duration::ZERO, runs: 0, cut_short: false }
    }

    /// Whether there is time for another run; noted where there is none.
    pub(super) fn has_time(&mut self) -> bool {
        let has = self.start.elapsed() + self.last <= self.budget;
        self.cut_short |= !has;
        has
    }
}

/// What came of a search.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The type of each unit.
    pub types: Vec<DType>,
    /// How far each output is off.
    pub errors: Vec<f64>,
    /// The own error of each unit in the cheap type.
    pub own: Vec<f64>,
    /// Whether there was a unit whose type could be chosen.
    pub had_choice: bool,
    /// Units that are in `f32` because their numbers come near the end of the type.
    pub near: Vec<bool>,
    /// Units that are in `f32` because there was no time to try them.
    pub untried: HashSet<usize>,
}

impl Search<'_, '_> {
    /// The outputs of the network as it is.
    pub(super) fn reference(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let plan = self.plan(&vec![DType::F32; self.units.len()], DType::F32);
        let (network, _) = rebuild(self.network, &plan);
        self.computed(network, inputs)
    }

    fn plan(&self, types: &[DType], ends: DType) -> Plan {
        Plan::new(self.network, self.units, types, ends)
    }

    fn computed(&mut self, network: Network, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let start = Instant::now();
        let outputs = (self.evaluate)(network, inputs);
        self.clock.last = start.elapsed();
        self.clock.runs += 1;
        outputs
    }

    /// How far each output is off with these types, on some data. A network that has no numbers
    /// there is off without end.
    pub(super) fn errors(
        &mut self,
        types: &[DType],
        Set { inputs, expected, .. }: &Set,
    ) -> Result<Vec<f64>> {
        let (network, _) = rebuild(self.network, &self.plan(types, self.ends));
        match self.computed(network, inputs) {
            Ok(outputs) => Ok(outputs.iter().zip(expected).map(|(a, e)| apart(a, e)).collect()),
            Err(error) if matches!(error.kind(), Kind::Cancelled | Kind::Internal) => Err(error),
            Err(_) => Ok(vec![f64::INFINITY; expected.len()]),
        }
    }

    /// The same on all data that decide.
    fn measure(&mut self, types: &[DType]) -> Result<Vec<f64>> {
        let mut worst = vec![0f64; self.network.outputs.len()];
        let sets = std::mem::take(&mut self.sets);
        let mut result = Ok(());
        for set in &sets {
            match self.errors(types, set) {
                Ok(errors) => {
                    worst
                        .iter_mut()
                        .zip(errors)
                        .for_each(|(worst, error)| *worst = worst.max(error));
                }
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
            if most(&worst) > self.bound {
                break;
            }
        }
        self.sets = sets;
        result.map(|()| worst)
    }

    /// Looks for the largest set in the cheap type.
    ///
    /// # Errors
    /// Whatever stands in the way of computing the network as it is; [`Kind::Mismatch`] where the
    /// types that nobody may change do not hold the bound.
    pub(super) fn run(&mut self) -> Result<Found> {
        let start: Vec<DType> =
            self.fixed.iter().map(|fixed| fixed.unwrap_or(self.cheap)).collect();
        let plan = self.plan(&start, self.ends);
        let mut survey = Survey::default();
        for set in &self.sets {
            survey.look(self.network, &plan, self.cheap, &set.inputs)?;
        }
        let own = survey.own(self.network, self.units, &plan);
        let near = if self.cheap == DType::F16 {
            survey.near_the_end(self.network, self.units, &plan)
        } else {
            vec![false; self.units.len()]
        };
        let scores = survey.scores(self.network, self.units, &plan, self.cheap);
        let free = |at: usize| plan.choices.contains(&at) && self.fixed.get(at) == Some(&None);
        let mut ranked: Vec<usize> = (0..self.units.len()).filter(|&at| free(at)).collect();
        let (mut types, had_choice) = (start, !ranked.is_empty());
        for &at in ranked.iter().filter(|&&at| near[at]) {
            types[at] = DType::F32;
        }
        ranked.retain(|&at| !near[at]);
        ranked.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        self.untried.clear();
        let (types, errors) = self.take_back(types, &ranked)?;
        let untried = std::mem::take(&mut self.untried).into_iter().collect();
        Ok(Found { types, errors, own, had_choice, near, untried })
    }

    /// Takes units back until the bound holds, then gives back those that need not be.
    fn take_back(
        &mut self,
        mut types: Vec<DType>,
        ranked: &[usize],
    ) -> Result<(Vec<DType>, Vec<f64>)> {
        let aim = self.aim();
        let mut errors = self.measure(&types)?;
        let mut taken = 0;
        while most(&errors) > aim && taken < ranked.len() {
            // Out of time: all of them.
            let next = if self.clock.has_time() { (2 * taken).max(1) } else { ranked.len() };
            for &at in ranked.iter().take(next).skip(taken) {
                types[at] = DType::F32;
            }
            taken = next.min(ranked.len());
            errors = self.measure(&types)?;
        }
        if most(&errors) > self.bound {
            return Err(self.stuck(&types, &errors));
        }
        let taken = ranked.get(..taken).unwrap_or_default();
        self.give_back(types, errors, taken)
    }

    /// Gives units back to the cheap type, the least important first, in ever smaller parts.
    fn give_back(
        &mut self,
        mut types: Vec<DType>,
        mut errors: Vec<f64>,
        taken: &[usize],
    ) -> Result<(Vec<DType>, Vec<f64>)> {
        let aim = self.aim();
        let mut left: Vec<usize> = taken.iter().rev().copied().collect();
        let mut size = left.len() / 2;
        while size > 0 {
            let mut kept = Vec::new();
            for (at, part) in left.chunks(size).enumerate() {
                if !self.clock.has_time() {
                    // Of parts that did not hold, only those of one unit say something of it.
                    let rest = left.iter().skip(at * size);
                    self.untried.extend(rest.chain(kept.iter().filter(|_| size > 1)));
                    return Ok((types, errors));
                }
                let mut tried = types.clone();
                for &at in part {
                    tried[at] = self.cheap;
                }
                let off = self.measure(&tried)?;
                if most(&off) <= aim {
                    (types, errors) = (tried, off);
                } else {
                    kept.extend_from_slice(part);
                }
            }
            left = kept;
            size = if size == 1 { 0 } else { size.min(left.len()).div_ceil(2) };
        }
        Ok((types, errors))
    }

    /// Moves units that are in `f32` to another cheap type, as many as hold the bound.
    pub(super) fn widen(&mut self, found: &mut Found, to: DType) -> Result<()> {
        let narrow = |&at: &usize| found.types[at] == DType::F32 && self.fixed[at].is_none();
        let left: Vec<usize> = (0..self.units.len()).filter(narrow).collect();
        let cheap = std::mem::replace(&mut self.cheap, to);
        let types = std::mem::take(&mut found.types);
        let errors = std::mem::take(&mut found.errors);
        let widened = self.widened(types, errors, &left);
        self.cheap = cheap;
        (found.types, found.errors) = widened?;
        Ok(())
    }

    fn widened(
        &mut self,
        types: Vec<DType>,
        errors: Vec<f64>,
        left: &[usize],
    ) -> Result<(Vec<DType>, Vec<f64>)> {
        if left.is_empty() || !self.clock.has_time() {
            return Ok((types, errors));
        }
        let mut tried = types.clone();
        for &at in left {
            tried[at] = self.cheap;
        }
        let off = self.measure(&tried)?;
        if most(&off) <= self.aim() {
            Ok((tried, off))
        } else {
            self.give_back(types, errors, left)
        }
    }

    /// What the search goes for: a share of the bound, but no less than rounding once comes to.
    fn aim(&self) -> f64 {
        let once = if self.ends == DType::F32 { 0.0 } else { unit(self.ends) };
        (SHARE * self.bound).max(once).min(self.bound)
    }

    /// The error for types that nobody may change and that do not hold the bound.
    fn stuck(&self, types: &[DType], errors: &[f64]) -> Error {
        let outputs = self.network.outputs.iter().zip(errors);
        let mut error = Error::new(
            Kind::Mismatch,
            format!("no choice of types keeps the outputs within {}", self.bound),
        );
        for (output, off) in outputs.filter(|(_, off)| **off > self.bound) {
            error = error.with_note(format!("output `{}` is off by {}", output.name, share(*off)));
        }
        let kept = types.iter().zip(&self.units.all).zip(&self.fixed);
        let kept = kept.filter(|((dtype, _), fixed)| fixed.is_some() && **dtype != DType::F32);
        for ((dtype, sites), _) in kept.take(8) {
            if let Some(site) = sites.first() {
                error = error.with_note(format!("{site} is kept in {dtype}"));
            }
        }
        error.with_hint("give other layers a type with `--keep`, or another bound with `--within`")
    }
}

/// The largest error.
pub(super) fn most(errors: &[f64]) -> f64 {
    errors.iter().copied().fold(0.0, f64::max)
}

/// An error as messages say it.
pub(super) fn share(error: f64) -> String {
    if error.is_finite() {
        format!("{error:.1e} of its largest number")
    } else {
        "no number".to_owned()
    }
}
