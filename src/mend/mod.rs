//! Changes to a network that keep its numbers, for what TensorRT fails to build.
//!
//! One file per mend, or per two that differ in little. Whoever uses one says at which layers
//! TensorRT fails, and builds again to see whether it helped.

mod barrier;
mod selected;
mod unrolled;

use crate::error::{Error, Kind, Problem, Result};
use crate::network::{LayerId, Network};
use crate::site::Site;
use std::collections::BTreeSet;

/// A way to change layers at which TensorRT fails.
#[derive(Debug, Clone, Copy)]
pub struct Mend {
    /// Its name.
    pub name: &'static str,
    /// What it does to the network.
    pub does: &'static str,
    /// What it costs in the plan.
    pub costs: &'static str,
    change: Change,
}

/// Changes these layers; says how many places were changed.
type Change = fn(&mut Network, &BTreeSet<LayerId>) -> Result<usize>;

/// All mends, the cheapest first.
pub const ALL: [Mend; 4] = [barrier::COPIES, barrier::MAXIMA, selected::MEND, unrolled::MEND];

impl Mend {
    /// The network with these layers changed; `None` where there is nothing to change.
    ///
    /// # Errors
    /// [`Kind::Internal`] where a change does not hold together.
    pub fn apply(&self, network: &Network, layers: &BTreeSet<LayerId>) -> Result<Option<Network>> {
        let mut mended = network.clone();
        let changed = (self.change)(&mut mended, layers)?;
        mended.compact();
        Ok((changed > 0).then_some(mended))
    }
}

/// The error for a change that does not hold together.
fn internal(sites: &[Site], error: &dyn std::fmt::Display) -> Error {
    let problem = |site: &Site| Problem::new(Kind::Internal, site.clone(), error.to_string());
    Error::of_problems("cannot mend", sites.first().map(problem).into_iter().collect())
}
