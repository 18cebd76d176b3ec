//! The largest set of units in the cheap type that holds the bound.
//!
//! The units are ranked by what their own error does to the outputs. From the top they go back to
//! `f32` until the bound holds; then those that went back needlessly return. Each step computes the
//! whole network as it would be built.

use super::assign::Plan;
use super::data::Label;
use super::largest::{Goal, Outcome, Trial, give_back, largest};
use super::quantize::{self, Narrowed};
use super::rebuild::rebuild;
use super::survey::{Survey, apart, unit};
use super::units::Units;
use crate::error::{Error, Kind, Result};
use crate::network::Network;
use crate::recipe::precision::Quantized;
use crate::tensor::{DType, Tensor};
use std::collections::{BTreeSet, HashSet};
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
pub(super) const SHARE: f64 = 0.7;
/// The same for TensorRT 8, whose kernels may sum products of `f16` in `f16`: outputs were off by up
/// to 2.6 times as much as computed here (seen).
pub(super) const SHARE_OF_TENSORRT_8: f64 = 0.35;

/// A network with what its types are chosen by.
pub(super) struct Search<'a, 'e> {
    pub network: &'a Network,
    pub units: &'a Units,
    pub cheap: DType,
    pub(super) ends: DType,
    /// The types that nobody may change.
    pub fixed: Vec<Option<DType>>,
    /// The products that the recipe says are of 8 bits.
    pub given: &'a [Quantized],
    pub bound: f64,
    /// The share of the bound that the search goes for.
    pub share: f64,
    pub evaluate: &'a mut Evaluate<'e>,
    /// The data that decide.
    pub sets: Vec<Set>,
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

    /// Whether there is time for so many runs more; noted where there is none.
    pub(super) fn has_time(&mut self, runs: usize) -> bool {
        let has = self.has_time_for(runs);
        self.cut_short |= !has;
        has
    }

    /// Whether so many runs take no more than what is left.
    pub(super) fn has_time_for(&self, runs: usize) -> bool {
        let left = self.budget.saturating_sub(self.start.elapsed());
        u32::try_from(runs).is_ok_and(|runs| self.last.saturating_mul(runs) <= left)
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
    /// The products that take operands of 8 bits, where that was asked for.
    pub quantized: Option<Narrowed>,
}

/// Units that go from their types to `f32`.
struct Types<'s, 'a, 'e> {
    search: &'s mut Search<'a, 'e>,
    base: Vec<DType>,
}

impl Types<'_, '_, '_> {
    fn without(&self, back: &BTreeSet<usize>) -> Vec<DType> {
        let types = self.base.iter().enumerate();
        types.map(|(at, &of)| if back.contains(&at) { DType::F32 } else { of }).collect()
    }
}

impl Trial for Types<'_, '_, '_> {
    fn measure(&mut self, without: &BTreeSet<usize>) -> Result<Vec<f64>> {
        let network = self.search.typed(&self.without(without))?;
        self.search.measure(&network)
    }

    fn has_time(&mut self) -> bool {
        self.search.clock.has_time(self.search.sets.len())
    }
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

    /// The network in these types, with the products that the recipe says are of 8 bits.
    pub(super) fn typed(&self, types: &[DType]) -> Result<Network> {
        let (mut network, _) = rebuild(self.network, &self.plan(types, self.ends));
        quantize::apply(&mut network, self.given)?;
        Ok(network)
    }

    /// Whether the user says the type of a node.
    pub(super) fn is_kept(&self, node: &str) -> bool {
        let unit = self.units.named(node).filter(|at| !self.given_up.contains(at));
        unit.and_then(|at| self.fixed.get(at)).is_some_and(Option::is_some)
    }

    /// The network that was found.
    ///
    /// # Errors
    /// Where weights cannot be computed.
    pub(super) fn built(&self, found: &Found) -> Result<Network> {
        let mut network = self.typed(&found.types)?;
        if let Some(quantized) = &found.quantized {
            quantized.insert(&mut network);
        }
        Ok(network)
    }

    /// How far each output of a network is off on some data. A network that has no numbers there is
    /// off without end.
    pub(super) fn errors(
        &mut self,
        network: Network,
        Set { inputs, expected, .. }: &Set,
    ) -> Result<Vec<f64>> {
        match self.computed(network, inputs) {
            Ok(outputs) => Ok(outputs.iter().zip(expected).map(|(a, e)| apart(a, e)).collect()),
            Err(error) if matches!(error.kind(), Kind::Cancelled | Kind::Internal) => Err(error),
            Err(_) => Ok(vec![f64::INFINITY; expected.len()]),
        }
    }

    /// The same for all data that decide.
    pub(super) fn measure(&mut self, network: &Network) -> Result<Vec<f64>> {
        let mut worst = vec![0f64; self.network.outputs.len()];
        let sets = std::mem::take(&mut self.sets);
        let mut result = Ok(());
        for set in &sets {
            match self.errors(network.clone(), set) {
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
        let narrows = start.iter().any(|dtype| *dtype != DType::F32);
        for set in self.sets.iter().filter(|_| narrows) {
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
        let goal = self.goal();
        let mut trial = Types { search: self, base: types };
        let outcome = largest(&mut trial, &ranked, goal)?;
        let types = trial.without(&outcome.without);
        if most(&outcome.errors) > self.bound {
            return Err(self.stuck(&types, &outcome.errors));
        }
        let untried = outcome.untried.into_iter().collect();
        let quantized = None;
        Ok(Found { types, errors: outcome.errors, own, had_choice, near, untried, quantized })
    }

    /// Moves units that are in `f32` to another cheap type, as many as hold the bound.
    pub(super) fn widen(&mut self, found: &mut Found, to: DType) -> Result<()> {
        let narrow = |&at: &usize| found.types[at] == DType::F32 && self.fixed[at].is_none();
        let left: Vec<usize> = (0..self.units.len()).filter(narrow).collect();
        if left.is_empty() || !self.clock.has_time(self.sets.len()) {
            return Ok(());
        }
        let goal = self.goal();
        let mut base = found.types.clone();
        for &at in &left {
            base[at] = to;
        }
        let mut trial = Types { search: self, base };
        let off = trial.measure(&BTreeSet::new())?;
        if most(&off) <= goal.aim {
            (found.types, found.errors) = (trial.base, off);
            return Ok(());
        }
        let without = left.iter().copied().collect();
        let errors = std::mem::take(&mut found.errors);
        let outcome = Outcome { without, errors, untried: Vec::new() };
        let outcome = give_back(&mut trial, outcome, &left, goal)?;
        found.types = trial.without(&outcome.without);
        found.errors = outcome.errors;
        Ok(())
    }

    /// What the search goes for: a share of the bound, but no less than rounding once comes to.
    pub(super) fn goal(&self) -> Goal {
        let once = if self.ends == DType::F32 { 0.0 } else { unit(self.ends) };
        Goal { aim: (self.share * self.bound).max(once).min(self.bound), bound: self.bound }
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
