//! How far rounding alone moves a network's outputs.
//!
//! A plan and its reference round in other places and sum in other orders. What that may come to is
//! a property of the network and the data, so it is measured: the network is evaluated several
//! times with [results rounded at random](eval::Rounding), and the spread of each output element is
//! what rounding can do to it. It is measured only where outputs are further apart than is usual
//! for their type.

use super::boundary;
use crate::error::Result;
use crate::eval::{self, Rounding};
use crate::network::Network;
use crate::report::verification;
use crate::tensor::{DType, Tensor};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The most runs, and how long a network may take for those after the second.
const MOST_RUNS: usize = 6;
const PATIENCE: Duration = Duration::from_secs(20);

/// How many times its spread an element may be off. Both sides round: the difference of two numbers
/// of the same spread reaches further than either, and of few runs the largest is not the limit.
const MARGIN: f64 = 4.0;

/// Up to this share of an output's size, rounding leaves its numbers determined: one and a half
/// digits are left.
const DETERMINED: f64 = 0.03;

/// How far rounding moves the elements of an output.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    /// Of each element.
    elements: Vec<f64>,
    /// Of all: the root of the mean square.
    usual: f64,
    /// The output's own size: the root of the mean square.
    size: f64,
    runs: usize,
}

impl Spread {
    /// How far an element may be off for rounding. Where one element lands on the other side of a
    /// rounding step, another may have in other runs, so that what is usual counts for all.
    pub fn allows(&self, at: usize) -> f64 {
        MARGIN * self.elements.get(at).copied().unwrap_or_default().max(self.usual)
    }

    /// What reports say of it.
    pub fn said(&self) -> verification::Rounding {
        let share = if self.size > 0.0 { self.usual / self.size } else { 0.0 };
        verification::Rounding {
            runs: self.runs,
            spread: self.usual.min(f64::MAX),
            share: share.min(f64::MAX),
            determined: share <= DETERMINED,
        }
    }
}

/// The spread of each output, by name. `declared` are the types in which outputs leave, as for
/// [`declared`](super::declared); `tf32` says whether products of `f32` may be computed so.
///
/// # Errors
/// Those of [`eval::run`].
pub fn spreads(
    network: &Network,
    inputs: &[Tensor],
    declared: &[(&str, Option<DType>)],
    tf32: bool,
) -> Result<HashMap<String, Spread>> {
    let leave = |outputs: Vec<Tensor>| -> Result<Vec<Tensor>> {
        let each = outputs.into_iter().zip(declared);
        each.map(|(tensor, (name, to))| boundary::leave(name, tensor, *to)).collect()
    };
    let exact = leave(eval::run(network, inputs)?)?;
    let (start, mut runs) = (Instant::now(), Vec::new());
    while runs.len() < MOST_RUNS && (runs.len() < 2 || start.elapsed() < PATIENCE) {
        let mut rounding = Rounding::new(runs.len() as u64, tf32);
        runs.push(leave(eval::run_rounding(network, inputs, &mut rounding)?)?);
    }
    let spreads = exact.iter().zip(declared).enumerate();
    let named = spreads.map(|(at, (exact, (name, _)))| {
        let others: Vec<&Tensor> = runs.iter().filter_map(|run| run.get(at)).collect();
        ((*name).to_owned(), spread(exact, &others))
    });
    Ok(named.collect())
}

fn spread(exact: &Tensor, runs: &[&Tensor]) -> Spread {
    let numbers = |tensor: &Tensor| super::compare::numbers(tensor);
    let exact = numbers(exact);
    let mut elements = vec![0f64; exact.len()];
    for run in runs {
        for (element, (a, b)) in elements.iter_mut().zip(exact.iter().zip(numbers(run))) {
            let moved = (a - b).abs();
            *element = element.max(if moved.is_nan() { 0.0 } else { moved });
        }
    }
    let finite = exact.iter().copied().filter(|number| number.is_finite());
    let (usual, size) = (root_mean_square(elements.iter().copied()), root_mean_square(finite));
    Spread { elements, usual, size, runs: runs.len() }
}

#[allow(clippy::cast_precision_loss, reason = "a count in a mean")]
fn root_mean_square(numbers: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) =
        numbers.fold((0usize, 0f64), |(count, sum), number| (count + 1, sum + number * number));
    if count == 0 { 0.0 } else { (sum / count as f64).sqrt() }
}
