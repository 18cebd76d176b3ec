//! Sizes that must be equal for a network to run at all.

use super::dim::Solution;
use super::{Dim, Symbol};
use crate::site::Site;
use std::collections::HashSet;

/// Two sizes that a layer needs to be equal, though they are other expressions.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// The sizes.
    pub sizes: [Dim; 2],
    /// The layer's first site.
    pub site: Site,
    /// Whether the layer is sure to run: it stands in no branch and no loop.
    pub certain: bool,
}

/// What the layers of a network demand of its sizes, each demand once.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    all: Vec<Fact>,
    seen: HashSet<[Dim; 2]>,
}

impl Facts {
    /// Notes a demand. Sizes that depend on data say nothing of those that a user gives, but make types comparable.
    pub fn add(&mut self, sizes: [Dim; 2], site: &Site, certain: bool) {
        let [a, b] = &sizes;
        if a != b && self.seen.insert(sizes.clone()) {
            self.all.push(Fact { sizes, site: site.clone(), certain });
        }
    }

    /// Every demand, in the order of the layers.
    pub fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.all.iter()
    }

    /// The demands that surely hold and are over sizes of inputs alone.
    pub fn over_inputs(&self) -> impl Iterator<Item = &Fact> {
        let of_inputs = |symbol: &Symbol| symbol.number().is_none();
        self.iter().filter(move |fact| fact.certain && fact.sizes.iter().all(|dim| dim.all_symbols(&of_inputs)))
    }

    /// What may stand for what, where all of them hold.
    pub fn solution(&self) -> Solution {
        let mut solution = Solution::default();
        for Fact { sizes: [a, b], .. } in &self.all {
            solution.add(a, b);
        }
        solution
    }
}
