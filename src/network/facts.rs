//! Sizes that must be equal for a network to run at all.

use super::dim::Solution;
use super::{Dim, Symbol};
use crate::site::Site;
use std::collections::HashSet;
use std::fmt;

/// The most demands that a message names.
const MOST_NAMED: usize = 3;

/// Two sizes that a layer needs to be equal, though they are other expressions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Demand {
    /// The sizes.
    pub sizes: [Dim; 2],
    /// Whether they need not be equal where one of them is 1, as where one axis broadcasts to the
    /// other.
    pub unless_one: bool,
}

impl Demand {
    fn is_broken(&self, size: &dyn Fn(&Symbol) -> Option<i64>) -> bool {
        let [a, b] = self.sizes.each_ref().map(|dim| dim.eval(size));
        match (a, b) {
            (Some(a), Some(b)) => a != b && !(self.unless_one && (a == 1 || b == 1)),
            _ => false,
        }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = &self.sizes;
        // A size that must be a number is one that the exporter wrote down.
        if let [(symbol, Dim::Known(size))] = &(a - b).solutions()[..] {
            let why = "it is a constant in the model; export it with dynamic sizes";
            return write!(f, "works only at {symbol} = {size}: {why}");
        }
        let (left, right) = if b.as_symbol().is_some() { (b, a) } else { (a, b) };
        write!(f, "the model needs {left} = {right}")
    }
}

/// A demand, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// What is demanded.
    pub demand: Demand,
    /// The layer's first site.
    pub site: Site,
    /// Whether the layer is sure to run: it stands in no branch and no loop.
    pub certain: bool,
}

/// What the layers of a network demand of its sizes, each demand once.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    all: Vec<Fact>,
    seen: HashSet<Demand>,
}

impl Facts {
    /// Notes a demand.
    pub fn add(&mut self, demand: Demand, site: &Site, certain: bool) {
        let [a, b] = &demand.sizes;
        if a != b && self.seen.insert(demand.clone()) {
            self.all.push(Fact { demand, site: site.clone(), certain });
        }
    }

    /// The demands that a user's sizes decide on: of layers that are sure to run, over sizes of
    /// inputs alone.
    pub fn over_inputs(&self) -> impl Iterator<Item = &Fact> {
        let of_input = |symbol: &Symbol| symbol.number().is_none();
        let over_inputs =
            move |fact: &&Fact| fact.demand.sizes.iter().flat_map(Dim::symbols).all(of_input);
        self.all.iter().filter(|fact| fact.certain).filter(over_inputs)
    }

    /// The demands that sizes break, a line each, with the node:
    /// `the model needs total = past + seq`.
    pub fn broken(&self, size: &dyn Fn(&Symbol) -> Option<i64>) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for Fact { demand, site, .. } in
            self.over_inputs().filter(|fact| fact.demand.is_broken(size))
        {
            let line = format!("{demand} ({site})");
            if lines.len() < MOST_NAMED && !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }

    /// What may stand for what, where all of them hold.
    pub fn solution(&self) -> Solution {
        let mut solution = Solution::default();
        for Fact { demand: Demand { sizes: [a, b], unless_one }, .. } in &self.all {
            if !unless_one {
                solution.add(a, b);
            }
        }
        solution
    }
}
