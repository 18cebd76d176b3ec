//! Guesses that give way, until the network can hold at every end of its ranges.

use super::sizes::{Point, problems_at};
use super::{ENDS, Plan, Slot};
use crate::error::{Error, Result};

/// No guess grows beyond this.
const LARGEST: i64 = 4096;

/// Which way a guess moves.
#[derive(Debug, Clone, Copy)]
enum Way {
    Smaller,
    Larger,
}

impl Plan<'_> {
    /// Looks whether the network can hold at each end. Guesses give way: the ends of a range move
    /// toward what is likely, and that moves where nothing but a guess says that it is.
    pub(super) fn fit(&mut self) -> Result<()> {
        if self.symbols.is_empty() && self.values.is_empty() {
            return Ok(());
        }
        for end in [1, 0, 2] {
            if !self.holds(end) && !self.give_way(end) {
                return Err(self.unfit(end));
            }
        }
        Ok(())
    }

    fn unfit(&self, end: usize) -> Error {
        let at = self.point(end);
        let mut problems = problems_at(self.network, &at);
        let point = self.describe(&at);
        for problem in &mut problems {
            problem.message = format!("at {} ({point}) {}", ENDS[end], problem.message);
        }
        let error = Error::of_problems("the profile does not fit", problems);
        let broken = self.network.facts.broken(&|symbol| at.sizes.get(symbol).copied());
        let error = broken.into_iter().fold(error, Error::with_note);
        let hint = "some of these sizes are guesses: give them with `--dim`, or `--min`, `--opt` \
                    and `--max`";
        if self.slots().any(|slot| slot.guess.is_some()) { error.with_hint(hint) } else { error }
    }

    fn holds(&self, end: usize) -> bool {
        problems_at(self.network, &self.point(end)).is_empty()
    }

    /// Moves guesses until the network can hold at an end: one of them where that is enough, else
    /// all. Whether it can.
    fn give_way(&mut self, end: usize) -> bool {
        let before = (self.symbols.clone(), self.values.clone());
        let ways: &[Way] = match end {
            0 => &[Way::Larger],
            1 => &[Way::Smaller, Way::Larger],
            _ => &[Way::Smaller],
        };
        for only in (0..self.slots().count()).map(Some).chain([None]) {
            for &way in ways {
                (self.symbols, self.values) = before.clone();
                while self.shift(end, only, way) {
                    if self.holds(end) {
                        return true;
                    }
                }
            }
        }
        // Sizes at the end of their way are no likelier than those at first.
        (self.symbols, self.values) = before;
        false
    }

    /// Moves an end of one guess, or of all; whether that changes any. A likeliest size that grows
    /// takes the largest along.
    fn shift(&mut self, end: usize, only: Option<usize>, way: Way) -> bool {
        let tied: Vec<bool> = self.symbols.keys().map(|symbol| self.is_tied(symbol)).collect();
        let mut changed = false;
        let slots = self.symbols.values_mut().chain(self.values.values_mut().flatten()).enumerate();
        let slots = slots
            .filter(|(at, _)| only.is_none_or(|only| *at == only) && tied.get(*at) != Some(&true));
        for (_, slot) in slots.filter(|(_, slot)| slot.guess.is_some()) {
            let ([min, opt, max], now) = (slot.range, slot.range[end]);
            let next = match (end, way) {
                (1, _) if slot.firm => opt,
                (1, Way::Smaller) => (opt / 2).max(min),
                (1, Way::Larger) => opt.saturating_mul(2).clamp(1, LARGEST.max(opt)),
                (0, _) => now.max(0).saturating_mul(2).clamp(1.min(opt), opt),
                _ => (now / 2).max(opt),
            };
            slot.range[end] = next;
            if end == 1 && next > opt {
                slot.range[2] = max.max(next.saturating_mul(2));
            }
            changed |= next != now;
        }
        self.follow();
        changed
    }

    fn point(&self, end: usize) -> Point {
        let elements = |slots: &Vec<Slot>| slots.iter().map(|slot| slot.range[end]).collect();
        Point {
            sizes: self
                .symbols
                .iter()
                .map(|(symbol, slot)| (symbol.clone(), slot.range[end]))
                .collect(),
            values: self.values.iter().map(|(&input, slots)| (input, elements(slots))).collect(),
        }
    }

    /// `batch = 1, sizes = [1, 1]`
    fn describe(&self, Point { sizes, values }: &Point) -> String {
        let sizes = sizes.iter().map(|(symbol, size)| format!("{symbol} = {size}"));
        let name = |&input| &self.network.value(input).name;
        let values = values.iter().map(|(input, values)| format!("{} = {values:?}", name(input)));
        sizes.chain(values).collect::<Vec<_>>().join(", ")
    }
}
