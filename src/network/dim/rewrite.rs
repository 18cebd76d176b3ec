//! Quotients and maxima in [normal form](super).

use super::{Atom, Dim, Poly, floor_div};
use std::collections::{BTreeMap, BTreeSet};

/// Maxima of more operands are not joined with the maxima in them.
const MOST_OPERANDS: usize = 8;
/// The most terms of a quotient of two sums.
const MOST_TERMS: usize = 32;

impl Dim {
    /// Quotient rounded toward minus infinity; `None` for a division by the number 0.
    pub fn floor_div(&self, by: &Dim) -> Option<Dim> {
        match (self, by) {
            (_, Dim::Known(0)) => None,
            (Dim::Known(a), Dim::Known(b)) => Some(Dim::Known(floor_div(*a, *b))),
            (_, Dim::Known(by)) => Some(by_number(self, *by)),
            (a, b) => a.exact_div(b).or_else(|| Some(by_expression(a, b))),
        }
    }

    /// Quotient rounded toward plus infinity; `None` for a division by the number 0.
    pub fn ceil_div(&self, by: &Dim) -> Option<Dim> {
        Some(-&(-self).floor_div(by)?)
    }

    /// The quotient, where division leaves no remainder whatever the symbols turn out to be. The
    /// divisor is not 0.
    pub fn exact_div(&self, by: &Dim) -> Option<Dim> {
        let (mut rest, divisor) = (self.terms(), by.terms());
        let (lead, coefficient) = leading(&divisor)?;
        let mut quotient = Poly::default();
        while let Some((product, c)) = leading(&rest) {
            if c.checked_rem(coefficient)? != 0 || quotient.0.len() == MOST_TERMS {
                return None;
            }
            let factors = without(product, lead)?;
            let term = Poly(BTreeMap::from([(factors.clone(), c / coefficient)]));
            quotient.add_term(factors, c / coefficient);
            let next = &Dim::from_terms(rest.clone()) - &(&Dim::from_terms(term) * by);
            // A coefficient that saturated would never go.
            if leading(&next.terms()) == Some((product, c)) {
                return None;
            }
            rest = next.terms();
        }
        Some(Dim::from_terms(quotient))
    }

    /// The larger of the two.
    #[must_use]
    pub fn maximum(&self, other: &Dim) -> Dim {
        match (self, other) {
            (Dim::Known(a), Dim::Known(b)) => Dim::Known(*a.max(b)),
            (a, b) => largest(a.operands().into_iter().chain(b.operands()).collect()),
        }
    }

    /// The smaller of the two.
    #[must_use]
    pub fn minimum(&self, other: &Dim) -> Dim {
        match (self, other) {
            (Dim::Known(a), Dim::Known(b)) => Dim::Known(*a.min(b)),
            (a, b) => -&(-a).maximum(&-b),
        }
    }

    /// The same with an atom of this expression replaced, in nested expressions too.
    #[must_use]
    pub fn replaced(&self, old: &Atom, new: &Dim) -> Dim {
        let Dim::Expr(poly) = self else { return self.clone() };
        let mut sum = Dim::Known(0);
        for (product, &coefficient) in &poly.0 {
            let mut term = Dim::Known(coefficient);
            for atom in product {
                term = &term * &atom.replaced(old, new);
            }
            sum = &sum + &term;
        }
        sum
    }

    /// What this is the maximum of: the operands of the only maximum among its terms, with the rest
    /// added to each.
    fn operands(&self) -> Vec<Dim> {
        match self.extreme() {
            Some(("max", operands)) if operands.len() < MOST_OPERANDS => operands,
            _ => vec![self.clone()],
        }
    }
}

impl Atom {
    fn replaced(&self, old: &Atom, new: &Dim) -> Dim {
        let same = || Dim::atom(self.clone());
        match self {
            _ if self == old => new.clone(),
            Atom::Symbol(_) => same(),
            Atom::FloorDiv(a, b) => {
                a.replaced(old, new).floor_div(&b.replaced(old, new)).unwrap_or_else(same)
            }
            Atom::Max(all) => {
                let mut all = all.iter().map(|dim| dim.replaced(old, new));
                let first = all.next().unwrap_or_else(same);
                all.fold(first, |max, dim| max.maximum(&dim))
            }
        }
    }
}

/// The term of the highest degree; of several the last in order.
fn leading(poly: &Poly) -> Option<(&[Atom], i64)> {
    let lead = poly.0.iter().max_by_key(|(product, _)| (product.len(), *product));
    lead.map(|(product, &coefficient)| (product.as_slice(), coefficient))
}

/// A product without some of its factors, if it has them all.
fn without(product: &[Atom], factors: &[Atom]) -> Option<Vec<Atom>> {
    let mut rest = product.to_vec();
    for factor in factors {
        let at = rest.iter().position(|atom| atom == factor)?;
        rest.remove(at);
    }
    Some(rest)
}

/// `⌊a/by⌋`, for a number that is not 0.
fn by_number(a: &Dim, by: i64) -> Dim {
    if by < 0 {
        // No number is the positive of the smallest.
        return by
            .checked_neg()
            .map_or_else(|| by_expression(a, &Dim::Known(by)), |by| by_number(&-a, by));
    }
    // What divides without remainder leaves the quotient, as do whole multiples in the constant
    // term.
    let (mut whole, mut rest) = (Poly::default(), Poly::default());
    for (product, coefficient) in a.terms().0 {
        if product.is_empty() {
            whole.add_term(Vec::new(), floor_div(coefficient, by));
            rest.add_term(product, coefficient.rem_euclid(by));
        } else if coefficient % by == 0 {
            whole.add_term(product, coefficient / by);
        } else {
            rest.add_term(product, coefficient);
        }
    }
    let (whole, rest) = (Dim::from_terms(whole), Dim::from_terms(rest));
    &whole + &remaining_quotient(&rest, by)
}

/// `⌊a/by⌋`, where no term of `a` is a multiple of `by`, which is positive.
fn remaining_quotient(a: &Dim, by: i64) -> Dim {
    let Dim::Expr(poly) = a else {
        return Dim::Known(floor_div(a.known().unwrap_or_default(), by));
    };
    // ⌊−a/n⌋ is −⌈a/n⌉.
    if leading(poly).is_some_and(|(_, coefficient)| coefficient < 0) {
        return -&by_number(&(&-a + &Dim::Known(by - 1)), by);
    }
    // A factor that all terms but the constant share with the divisor: ⌊(g·a + c)/(g·n)⌋ is ⌊(a +
    // ⌊c/g⌋)/n⌋.
    let shared =
        poly.0.iter().filter(|(product, _)| !product.is_empty()).fold(by, |g, (_, &c)| gcd(g, c));
    if shared > 1 {
        let divided =
            poly.0.iter().map(|(product, &c)| (product.clone(), floor_div(c, shared))).collect();
        return by_number(&Dim::from_terms(Poly(divided)), by / shared);
    }
    // ⌊(⌊a/m⌋ + c)/n⌋ is ⌊(a + c·m)/(m·n)⌋.
    let constant = poly.0.get([].as_slice()).copied().unwrap_or_default();
    let inner = (a - &Dim::Known(constant)).as_atom().cloned();
    if let Some(Atom::FloorDiv(numerator, Dim::Known(inner_by))) = inner
        && inner_by > 0
        && let (Some(both), Some(shift)) =
            (by.checked_mul(inner_by), constant.checked_mul(inner_by))
    {
        return by_number(&(&numerator + &Dim::Known(shift)), both);
    }
    Dim::atom(Atom::FloorDiv(a.clone(), Dim::Known(by)))
}

fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.saturating_abs(), b.saturating_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// `⌊a/by⌋`, for a divisor of which only the run knows that it is not 0: terms that it divides
/// leave the quotient.
fn by_expression(a: &Dim, by: &Dim) -> Dim {
    let (mut whole, mut rest) = (Dim::Known(0), Poly::default());
    for (product, coefficient) in a.terms().0 {
        let term = Dim::from_terms(Poly(BTreeMap::from([(product.clone(), coefficient)])));
        match term.exact_div(by) {
            Some(quotient) => whole = &whole + &quotient,
            None => rest.add_term(product, coefficient),
        }
    }
    match Dim::from_terms(rest) {
        Dim::Known(0) => whole,
        rest => &whole + &Dim::atom(Atom::FloorDiv(rest, by.clone())),
    }
}

/// The largest of some dimensions, of which there is at least one.
fn largest(all: BTreeSet<Dim>) -> Dim {
    let mut kept: Vec<Dim> = Vec::new();
    for dim in all {
        if kept.iter().any(|other| dim.at_most(other)) {
            continue;
        }
        kept.retain(|other| !other.at_most(&dim));
        kept.push(dim);
    }
    if let [only] = kept.as_slice() {
        return only.clone();
    }
    let shared = shared(&kept);
    let mut operands: Vec<Dim> = kept.iter().map(|dim| dim - &shared).collect();
    operands.sort();
    &shared + &Dim::atom(Atom::Max(operands))
}

/// What can be taken out of all operands of a maximum: of each product the smallest coefficient.
fn shared(all: &[Dim]) -> Dim {
    let all: Vec<Poly> = all.iter().map(Dim::terms).collect();
    let products: BTreeSet<&Vec<Atom>> = all.iter().flat_map(|poly| poly.0.keys()).collect();
    let smallest = |product: &Vec<Atom>| {
        all.iter().map(|poly| poly.0.get(product).copied().unwrap_or(0)).min()
    };
    let shared = products
        .into_iter()
        .map(|product| (product.clone(), smallest(product).unwrap_or(0)))
        .collect();
    Dim::from_terms(Poly(shared))
}
