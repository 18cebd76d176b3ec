//! How far rounding alone moves a network's outputs.
//!
//! A plan and its reference round in other places and sum in other orders. What that may come to is
//! a property of the network and the data, so it is measured: the network is evaluated several
//! times with [results rounded at random](eval::Rounding), and the spread of each output element is
//! what rounding can do to it. It is measured only where outputs are further apart than is usual
//! for their type.

use super::{boundary, compare, digits};
use crate::error::Result;
use crate::eval::{self, Rounding};
use crate::network::{LayerKind, Network};
use crate::report::verification::{self, OutputComparison, Statistics};
use crate::tensor::{DType, Tensor};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many runs there are; more of them where few elements lie beyond what those before have
/// shown, because of few runs the extremes of many elements are not seen.
pub const RUNS: [usize; 3] = [5, 10, 20];

/// The most elements that more runs may explain: so many, or this share of all.
const FEW: usize = 3;
const FEW_OF_ALL: f64 = 0.05;

/// A network that takes longer than this for a run is not measured.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many times its spread an element may be off. Both sides round: the difference of two numbers
/// of the same spread reaches further than either, and of few runs the largest is not the limit.
const MARGIN: f64 = 4.0;

/// An element that moves by more than this share of itself has less than one and a half digits.
const LOST: f64 = 0.03;

/// The most elements without digits, as a share of all, of an output that can be compared: real
/// numbers pass through 0, where none has digits; whole numbers do not.
const MOST_LOST_REAL: f64 = 0.5;
const MOST_LOST_WHOLE: f64 = 0.03;

/// How far rounding moves the elements of an output.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    numbers: Vec<f64>,
    /// How far each has moved at most.
    by: Vec<f64>,
    /// Whether numbers go up and down in steps on their way.
    steps: bool,
    said: verification::Rounding,
}

impl Spread {
    /// How far each element may be off for rounding, given how far it is: a few times its own
    /// spread, or the usual one of its like. Where there are steps, the element of its like that is
    /// off by most may be off by the largest spread among them, the next by the next, and so on. So
    /// if one in a thousand lands on another step in the runs, one in a thousand may have, and no
    /// more.
    pub fn allows(&self, off: &[f64]) -> Vec<f64> {
        let lent = Lent::of(&self.numbers, &self.by);
        let each = self.numbers.iter().zip(&self.by);
        let mut allowed: Vec<f64> =
            each.map(|(number, own)| MARGIN * own.max(lent.to(*number))).collect();
        if !self.steps {
            return allowed;
        }
        let mut like: HashMap<i32, Vec<usize>> = HashMap::new();
        for (at, number) in self.numbers.iter().enumerate() {
            if lent.0.contains_key(&size(*number)) {
                like.entry(size(*number)).or_default().push(at);
            }
        }
        let of = |numbers: &[f64], at: usize| numbers.get(at).copied().unwrap_or_default();
        for mut group in like.into_values() {
            let mut spreads: Vec<f64> = group.iter().map(|&at| of(&self.by, at)).collect();
            spreads.retain(|by| by.is_finite());
            spreads.sort_by(|a, b| b.total_cmp(a));
            group.sort_by(|&a, &b| of(off, b).total_cmp(&of(off, a)));
            for (at, spread) in group.into_iter().zip(spreads) {
                if let Some(allowed) = allowed.get_mut(at) {
                    *allowed = allowed.max(spread);
                }
            }
        }
        allowed
    }

    /// Whether what is left of an output's digits can be compared, given how far it is off at most,
    /// as a share of its [scale](Tensor::scale): where that is little, both sides show digits.
    pub fn determines(&self, off: f64) -> bool {
        self.said.determined || off <= LOST && self.by.iter().all(|by| by.is_finite())
    }

    /// What reports say of it.
    pub fn said(&self) -> verification::Rounding {
        self.said.clone()
    }
}

/// What elements of like size lend each other. Where one lands on the other side of a rounding
/// step, another may have in other runs; but what is large, or an index, says nothing of the rest.
struct Lent(HashMap<i32, f64>);

impl Lent {
    fn of(numbers: &[f64], spread: &[f64]) -> Self {
        let mut groups: HashMap<i32, (usize, f64, bool)> = HashMap::new();
        for (number, by) in numbers.iter().zip(spread).filter(|(_, by)| by.is_finite()) {
            let group = groups.entry(size(*number)).or_insert((0, 0.0, true));
            *group = (group.0 + 1, group.1 + by * by, group.2 && is_whole(*number));
        }
        let lent = groups.into_iter().filter(|(_, (_, _, whole))| !whole);
        Self(lent.map(|(at, (count, sum, _))| (at, share_of(sum, count).sqrt())).collect())
    }

    fn to(&self, number: f64) -> f64 {
        self.0.get(&size(number)).copied().unwrap_or_default()
    }
}

/// The power of 10 of a number.
#[allow(clippy::cast_possible_truncation, reason = "an exponent of f64 is small; 0 has the least")]
fn size(number: f64) -> i32 {
    number.abs().log10().floor() as i32
}

fn is_whole(number: f64) -> bool {
    number.fract() == 0.0
}

fn share(count: usize, of: usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a count in a share")]
    let count = count as f64;
    share_of(count, of)
}

#[allow(clippy::cast_precision_loss, reason = "a count in a mean")]
fn share_of(sum: f64, count: usize) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}

/// Whether more runs may explain what is left of an output: few elements, or any where numbers go
/// up and down in steps, of which a single one moves all that follows.
pub(super) fn may_be_explained(output: &OutputComparison, network: &Network) -> bool {
    let few =
        |of: &Statistics| of.mismatches <= FEW || share(of.mismatches, of.elements) <= FEW_OF_ALL;
    output.statistics.as_ref().is_some_and(few) || has_steps(network)
}

fn has_steps(network: &Network) -> bool {
    let mut layers = network.live_layers().into_iter().map(|id| &network.layer(id).kind);
    layers.any(|kind| matches!(kind, LayerKind::Quantize(_)))
}

/// How far rounding moves the outputs of a network, measured run by run.
#[derive(Debug)]
pub struct Measured<'a> {
    network: &'a Network,
    inputs: &'a [Tensor],
    tf32: bool,
    /// The types in which outputs leave.
    declared: &'a [(&'a str, Option<DType>)],
    outputs: Vec<Moved>,
    runs: usize,
}

impl<'a> Measured<'a> {
    /// Of `exact`, the outputs for these inputs. `declared` are the types in which they leave, as
    /// for [`declared`](super::declared); `tf32` says whether products of `f32` may be computed so.
    ///
    /// # Errors
    /// Outputs that cannot leave in their types.
    pub fn new(
        network: &'a Network,
        inputs: &'a [Tensor],
        exact: Vec<Tensor>,
        declared: &'a [(&'a str, Option<DType>)],
        tf32: bool,
    ) -> Result<Self> {
        let mut measured = Self { network, inputs, tf32, declared, outputs: Vec::new(), runs: 0 };
        let exact = measured.leave(exact)?;
        measured.outputs = exact.iter().map(Moved::new).collect();
        Ok(measured)
    }

    fn leave(&self, outputs: Vec<Tensor>) -> Result<Vec<Tensor>> {
        let each = outputs.into_iter().zip(self.declared);
        each.map(|(tensor, (name, to))| boundary::leave(name, tensor, *to)).collect()
    }

    /// The network.
    pub fn network(&self) -> &Network {
        self.network
    }

    /// Runs until there are this many; `false` for a network that takes too long.
    ///
    /// # Errors
    /// Those of [`eval::run`].
    pub fn run(&mut self, runs: usize) -> Result<bool> {
        while self.runs < runs {
            let start = Instant::now();
            let mut rounding = Rounding::new(self.runs as u64, self.tf32);
            let outputs = eval::run_rounding(self.network, self.inputs, &mut rounding)?;
            let outputs = self.leave(outputs)?;
            for (moved, output) in self.outputs.iter_mut().zip(outputs) {
                moved.take(&output);
            }
            self.runs += 1;
            if start.elapsed() > PATIENCE {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The spread of each output, by name.
    ///
    /// # Errors
    /// Those of [`eval::run`].
    pub fn spreads(&self) -> Result<HashMap<String, Spread>> {
        let steps = has_steps(self.network);
        let each = self.declared.iter().zip(&self.outputs);
        let named =
            each.map(|((name, _), moved)| ((*name).to_owned(), moved.spread(self.runs, steps)));
        let mut named: HashMap<String, Spread> = named.collect();
        if named.values().any(|spread| !spread.said.determined) {
            let mut rounding = Rounding::new(0, self.tf32);
            let node = digits::lost_in(self.network, self.inputs, &mut rounding)?;
            for spread in named.values_mut().filter(|spread| !spread.said.determined) {
                spread.said.lost_in.clone_from(&node);
            }
        }
        Ok(named)
    }
}

/// An output, and how far each element has moved at most.
#[derive(Debug)]
pub(super) struct Moved {
    numbers: Vec<f64>,
    by: Vec<f64>,
}

impl Moved {
    pub(super) fn new(exact: &Tensor) -> Self {
        let numbers = compare::numbers(exact);
        Self { by: vec![0.0; numbers.len()], numbers }
    }

    /// Another run.
    #[allow(clippy::float_cmp, reason = "equal infinities are what is asked for")]
    pub(super) fn take(&mut self, run: &Tensor) {
        let run = compare::numbers(run);
        for (by, (a, b)) in self.by.iter_mut().zip(self.numbers.iter().zip(run)) {
            let stays = *a == b || a.is_nan() && b.is_nan();
            // A number that rounding makes none, or one that it makes of none, moves without end.
            let moved = if stays { 0.0 } else { (a - b).abs() };
            *by = by.max(if moved.is_nan() { f64::INFINITY } else { moved });
        }
    }

    pub(super) fn spread(&self, runs: usize, steps: bool) -> Spread {
        let Self { numbers, by } = self;
        let endless = by.iter().any(|by| by.is_infinite());
        let lost = numbers.iter().zip(by).filter(|&(n, by)| *by > LOST * n.abs()).count();
        let most = if numbers.iter().all(|number| is_whole(*number)) {
            MOST_LOST_WHOLE
        } else {
            MOST_LOST_REAL
        };
        let lost = share(lost, numbers.len());
        let finite = by.iter().filter(|by| by.is_finite());
        let usual = share_of(finite.map(|by| by * by).sum(), by.len()).sqrt();
        let said = verification::Rounding {
            runs,
            spread: usual.min(f64::MAX),
            lost,
            determined: lost <= most && !endless,
            lost_in: None,
        };
        Spread { numbers: numbers.clone(), by: by.clone(), steps, said }
    }
}
