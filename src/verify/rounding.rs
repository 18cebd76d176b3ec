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
use crate::network::Network;
use crate::report::verification;
use crate::tensor::{DType, Tensor};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many runs there are.
const RUNS: usize = 5;

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
    /// How far each element may be off for it.
    allowed: Vec<f64>,
    said: verification::Rounding,
}

impl Spread {
    /// How far an element may be off for rounding.
    pub fn allows(&self, at: usize) -> f64 {
        self.allowed.get(at).copied().unwrap_or_default()
    }

    /// What reports say of it.
    pub fn said(&self) -> verification::Rounding {
        self.said.clone()
    }

    /// From what an output is, and what it was in runs that were rounded at random.
    pub(super) fn of(exact: &Tensor, runs: &[&Tensor]) -> Self {
        let numbers = compare::numbers(exact);
        let mut spread = vec![0f64; numbers.len()];
        for run in runs {
            let run = compare::numbers(run);
            for (spread, (a, b)) in spread.iter_mut().zip(numbers.iter().zip(run)) {
                let moved = (a - b).abs();
                *spread = spread.max(if moved.is_nan() { 0.0 } else { moved });
            }
        }
        let lent = Lent::of(&numbers, &spread);
        let lost = numbers.iter().zip(&spread).filter(|&(n, by)| *by > LOST * n.abs()).count();
        let most = if numbers.iter().all(|number| is_whole(*number)) {
            MOST_LOST_WHOLE
        } else {
            MOST_LOST_REAL
        };
        let lost = share(lost, numbers.len());
        let usual = share_of(spread.iter().map(|by| by * by).sum(), spread.len()).sqrt();
        let said = verification::Rounding {
            runs: runs.len(),
            spread: usual.min(f64::MAX),
            lost,
            determined: lost <= most,
            lost_in: None,
        };
        let allowed =
            numbers.iter().zip(&spread).map(|(number, own)| MARGIN * own.max(lent.to(*number)));
        Self { allowed: allowed.collect(), said }
    }
}

/// What elements of like size lend each other. Where one lands on the other side of a rounding
/// step, another may have in other runs; but what is large, or an index, says nothing of the rest.
struct Lent(HashMap<i32, f64>);

impl Lent {
    fn of(numbers: &[f64], spread: &[f64]) -> Self {
        let mut groups: HashMap<i32, (usize, f64, bool)> = HashMap::new();
        for (number, by) in numbers.iter().zip(spread) {
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

/// The spread of each output, by name; `None` for a network that takes too long. `exact` are its
/// outputs for these inputs. `declared` are the types in which outputs leave, as for
/// [`declared`](super::declared); `tf32` says whether products of `f32` may be computed so.
///
/// # Errors
/// Those of [`eval::run`].
pub fn spreads(
    network: &Network,
    inputs: &[Tensor],
    exact: Vec<Tensor>,
    declared: &[(&str, Option<DType>)],
    tf32: bool,
) -> Result<Option<HashMap<String, Spread>>> {
    let leave = |outputs: Vec<Tensor>| -> Result<Vec<Tensor>> {
        let each = outputs.into_iter().zip(declared);
        each.map(|(tensor, (name, to))| boundary::leave(name, tensor, *to)).collect()
    };
    let exact = leave(exact)?;
    let mut runs = Vec::with_capacity(RUNS);
    for seed in 0..RUNS {
        let start = Instant::now();
        let mut rounding = Rounding::new(seed as u64, tf32);
        runs.push(leave(eval::run_rounding(network, inputs, &mut rounding)?)?);
        if start.elapsed() > PATIENCE {
            return Ok(None);
        }
    }
    let spreads = exact.iter().zip(declared).enumerate();
    let named = spreads.map(|(at, (exact, (name, _)))| {
        let others: Vec<&Tensor> = runs.iter().filter_map(|run| run.get(at)).collect();
        ((*name).to_owned(), Spread::of(exact, &others))
    });
    let mut named: HashMap<String, Spread> = named.collect();
    if named.values().any(|spread| !spread.said.determined) {
        let node = digits::lost_in(network, inputs, &mut Rounding::new(0, tf32))?;
        for spread in named.values_mut().filter(|spread| !spread.said.determined) {
            spread.said.lost_in.clone_from(&node);
        }
    }
    Ok(Some(named))
}
