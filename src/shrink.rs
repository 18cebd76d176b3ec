//! The smallest part of a network that still does something, such as to fail in a builder.
//!
//! First what comes behind is cut off, then what comes in front, by halves; then layers are left
//! out one by one, those inside of loops and branches last. Each part is tried once.

use crate::network::cut::{cut, inside, steps};
use crate::network::{Cut, LayerId, Network};
use std::collections::{BTreeSet, HashMap};

/// What came of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// It does what the whole does.
    Same,
    /// It does not, or something else.
    Other,
    /// Nothing is known, for there is no time left to try it.
    Stopped,
}

/// The smallest part that was found.
#[derive(Debug, Clone)]
pub struct Smallest {
    /// The part. It was tried.
    pub part: Cut,
    /// How many parts were tried.
    pub tried: usize,
    /// Whether no smaller part was left to try.
    pub complete: bool,
}

/// Looks for the smallest part of a network that does the same as the whole, which is not tried
/// once more: it is what is found where no part does. `None` where nothing leaves the network.
pub fn smallest(network: &Network, trial: &mut dyn FnMut(&Cut) -> Tried) -> Option<Smallest> {
    let none = BTreeSet::new();
    let all = steps(network);
    let whole = cut(network, &all.iter().copied().collect(), &none)?;
    let known = HashMap::from([((whole.layers, whole.inside), true)]);
    let mut search = Search { network, trial, known, tried: 0, stopped: false };
    let range = search.narrow(&all);
    let mut kept = search.drop(range, |search, kept| search.is_same(kept, &none));
    // What computes sizes for others came along.
    kept = cut(network, &kept, &none)?.layers;
    let within: BTreeSet<LayerId> = inside(network, &kept).into_iter().collect();
    let left = search.drop(within.clone(), |search, left| {
        search.is_same(&kept, &within.difference(left).copied().collect())
    });
    let without: BTreeSet<LayerId> = within.difference(&left).copied().collect();
    let part = cut(network, &kept, &without)?;
    Some(Smallest { part, tried: search.tried, complete: !search.stopped })
}

struct Search<'s> {
    network: &'s Network,
    trial: &'s mut dyn FnMut(&Cut) -> Tried,
    known: HashMap<(BTreeSet<LayerId>, BTreeSet<LayerId>), bool>,
    tried: usize,
    stopped: bool,
}

impl Search<'_> {
    fn is_same(&mut self, layers: &BTreeSet<LayerId>, without: &BTreeSet<LayerId>) -> bool {
        if self.stopped || layers.is_empty() {
            return false;
        }
        let Some(part) = cut(self.network, layers, without) else { return false };
        let key = (part.layers.clone(), part.inside.clone());
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        let same = match (self.trial)(&part) {
            Tried::Same => true,
            Tried::Other => false,
            Tried::Stopped => {
                self.stopped = true;
                return false;
            }
        };
        self.tried += 1;
        self.known.insert(key, same);
        same
    }

    /// The layers from the last at which it can start to the first at which it can end.
    fn narrow(&mut self, all: &[LayerId]) -> BTreeSet<LayerId> {
        let part = |from: usize, to: usize| -> BTreeSet<LayerId> {
            all.get(from..to).unwrap_or_default().iter().copied().collect()
        };
        let none = BTreeSet::new();
        let (mut short, mut end) = (0, all.len());
        while end - short > 1 {
            let middle = short.midpoint(end);
            if self.is_same(&part(0, middle), &none) { end = middle } else { short = middle }
        }
        let (mut start, mut late) = (0, end);
        while late - start > 1 {
            let middle = start.midpoint(late);
            if self.is_same(&part(middle, end), &none) { start = middle } else { late = middle }
        }
        part(start, end)
    }

    /// Leaves out as many as can be, in halves, quarters and so on, the last ones first.
    fn drop(
        &mut self,
        mut kept: BTreeSet<LayerId>,
        mut holds: impl FnMut(&mut Self, &BTreeSet<LayerId>) -> bool,
    ) -> BTreeSet<LayerId> {
        let mut size = kept.len().div_ceil(2);
        while size > 0 && !self.stopped {
            let before = kept.len();
            let order: Vec<LayerId> = kept.iter().copied().rev().collect();
            for chunk in order.chunks(size) {
                let left: BTreeSet<LayerId> =
                    kept.iter().copied().filter(|id| !chunk.contains(id)).collect();
                if holds(self, &left) {
                    kept = left;
                }
            }
            // One that could not go before others went may go now.
            let again = size == 1 && kept.len() < before;
            size = if again { 1 } else { size / 2 };
        }
        kept
    }
}
