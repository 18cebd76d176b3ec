//! Sizes that follow from others, because the network runs nowhere else: `total = past + seq`.

use super::Plan;
use crate::network::{Dim, Symbol};

/// A size that follows from others.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tie {
    pub(super) symbol: Symbol,
    /// What it equals; none of its symbols follows from others.
    pub(super) size: Dim,
}

impl Plan<'_> {
    /// Finds what the network demands of sizes that the user did not give, and has them follow from
    /// the rest.
    pub(super) fn tie(&mut self) {
        for fact in self.network.facts.over_inputs() {
            let [a, b] = fact.demand.sizes.each_ref().map(|dim| self.put_in(dim));
            if let Some(tie) = (&a - &b)
                .solutions()
                .into_iter()
                .find_map(|(symbol, size)| self.fitting(symbol, size))
            {
                for earlier in &mut self.ties {
                    earlier.size = earlier.size.with(&tie.symbol, &tie.size);
                }
                self.ties.push(tie);
                self.follow();
            }
        }
    }

    /// The dimension with every size that follows from others replaced.
    fn put_in(&self, dim: &Dim) -> Dim {
        self.ties.iter().fold(dim.clone(), |dim, tie| dim.with(&tie.symbol, &tie.size))
    }

    /// A tie of a size that nobody gave to one that has three possible values in rising order, the
    /// data's among them.
    fn fitting(&self, symbol: Symbol, size: Dim) -> Option<Tie> {
        let (slot, range) = (self.symbols.get(&symbol)?, self.range_of(&size)?);
        let covers = |[min, _, max]: [i64; 3]| range[0] <= min && max <= range[2];
        let possible = range[0] >= 0 && range.is_sorted() && slot.data.is_none_or(covers);
        (!slot.given && possible).then_some(Tie { symbol, size })
    }

    /// The smallest, likeliest and largest value of an expression.
    fn range_of(&self, size: &Dim) -> Option<[i64; 3]> {
        let at = |end: usize| size.eval(&|symbol| Some(self.symbols.get(symbol)?.range[end]));
        Some([at(0)?, at(1)?, at(2)?])
    }

    /// Moves the sizes that follow from others to where these are now.
    pub(super) fn follow(&mut self) {
        for tie in self.ties.clone() {
            if let (Some(range), Some(slot)) =
                (self.range_of(&tie.size), self.symbols.get_mut(&tie.symbol))
            {
                slot.range = range;
            }
        }
    }

    /// Whether a size follows from others.
    pub(super) fn is_tied(&self, symbol: &Symbol) -> bool {
        self.ties.iter().any(|tie| tie.symbol == *symbol)
    }
}
