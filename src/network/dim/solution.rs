//! Sizes with what they are known to be equal to put in their place.

use super::{Atom, Dim, Symbol};

/// The most replacements; a comparison tries them all.
const MOST: usize = 256;

/// Replacements of atoms that make equal what equations say is equal.
#[derive(Debug, Clone, Default)]
pub struct Solution(Vec<(Atom, Dim)>);

impl Solution {
    /// Takes in that two dimensions are equal, if one of them, or an atom of it, can stand for the
    /// rest.
    pub fn add(&mut self, a: &Dim, b: &Dim) {
        let (a, b) = (self.apply(a), self.apply(b));
        if self.0.len() == MOST {
            return;
        }
        let difference = &a - &b;
        if let Some((atom, rest)) = solved(&difference) {
            for (_, replacement) in &mut self.0 {
                *replacement = replacement.replaced(&atom, &rest);
            }
            self.0.push((atom, rest));
        }
    }

    /// The dimension with all that is known put in.
    pub fn apply(&self, dim: &Dim) -> Dim {
        if dim.known().is_some() {
            return dim.clone();
        }
        self.0.iter().fold(dim.clone(), |dim, (atom, replacement)| dim.replaced(atom, replacement))
    }
}

impl Dim {
    /// What this, which is 0, says that a symbol of it is, for each of which it says that. Sums of
    /// sizes, which can always be, come first.
    pub fn solutions(&self) -> Vec<(Symbol, Dim)> {
        let Dim::Expr(poly) = self else { return Vec::new() };
        let mut found = Vec::new();
        for (product, &coefficient) in &poly.0 {
            let [atom @ Atom::Symbol(symbol)] = product.as_slice() else { continue };
            let rest = self - &(&Dim::Known(coefficient) * &Dim::atom(atom.clone()));
            let Some(size) = rest.exact_div(&Dim::Known(coefficient.saturating_neg())) else {
                continue;
            };
            if !size.contains(atom) {
                found.push((symbol.clone(), size));
            }
        }
        found.sort_by_key(|(_, size)| !size.is_nonnegative());
        found
    }

    /// The same with a symbol replaced.
    #[must_use]
    pub fn with(&self, symbol: &Symbol, by: &Dim) -> Dim {
        self.replaced(&Atom::Symbol(symbol.clone()), by)
    }
}

/// An atom that a sum which is 0 makes equal to the rest of it, divided by what stands before the
/// atom: the last in order, so that sizes of data give way to sizes of inputs, and quotients and
/// maxima to both.
fn solved(sum: &Dim) -> Option<(Atom, Dim)> {
    let Dim::Expr(poly) = sum else { return None };
    let lone = |(product, coefficient): (&Vec<Atom>, &i64)| match product.as_slice() {
        [atom] => Some((atom.clone(), *coefficient)),
        _ => None,
    };
    let mut candidates: Vec<_> = poly.0.iter().filter_map(lone).collect();
    candidates.sort();
    candidates.into_iter().rev().find_map(|(atom, factor)| {
        let rest = sum - &(&Dim::Known(factor) * &Dim::atom(atom.clone()));
        let rest = rest.exact_div(&Dim::Known(factor.checked_neg()?))?;
        (!rest.contains(&atom)).then_some((atom, rest))
    })
}
