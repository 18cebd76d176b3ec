//! What is certain of the order of two dimensions, whatever their symbols, which are sizes, turn
//! out to be.
//!
//! A proof replaces an atom by a bound of it until only products of sizes are left, all with
//! positive coefficients:
//!
//! - a maximum that is subtracted by each of its operands in turn, one that is added by any one of
//!   them;
//! - a quotient `⌊a/n⌋` that is subtracted by `a/n`, one that is added by `(a − n + 1)/n`.
//!
//! No proof is not the opposite of one.

use super::{Atom, Dim, Symbol};

/// The most expressions that one proof looks at.
const MOST_STEPS: usize = 64;

impl Dim {
    /// Whether this is certainly 0 or more.
    pub fn is_nonnegative(&self) -> bool {
        proven(self, &mut MOST_STEPS.clone())
    }

    /// Whether this is certainly 1 or more.
    pub fn is_positive(&self) -> bool {
        (self - &Dim::Known(1)).is_nonnegative()
    }

    /// Whether this is certainly no larger than another.
    pub fn at_most(&self, other: &Dim) -> bool {
        (other - self).is_nonnegative()
    }

    /// Whether this is certainly smaller than another.
    pub fn less_than(&self, other: &Dim) -> bool {
        (other - self).is_positive()
    }

    /// The smallest and the largest that this can be where symbols, which are sizes, are within
    /// these ranges; the ends of `i64` stand for no limit.
    pub fn range(&self, of: &dyn Fn(&Symbol) -> [i64; 2]) -> [i64; 2] {
        let Dim::Expr(poly) = self else { return [self.known().unwrap_or_default(); 2] };
        poly.0.iter().fold([0, 0], |sum, (product, &coefficient)| {
            let term =
                product.iter().fold([coefficient; 2], |term, atom| times(term, atom.range(of)));
            [sum[0].saturating_add(term[0]), sum[1].saturating_add(term[1])]
        })
    }

    /// Whether the two certainly differ.
    pub fn differs_from(&self, other: &Dim) -> bool {
        self.less_than(other) || other.less_than(self)
    }
}

impl Atom {
    fn range(&self, of: &dyn Fn(&Symbol) -> [i64; 2]) -> [i64; 2] {
        match self {
            Atom::Symbol(symbol) => of(symbol),
            Atom::FloorDiv(a, Dim::Known(by)) if *by > 0 => {
                a.range(of).map(|end| super::floor_div(end, *by))
            }
            Atom::FloorDiv(..) => [i64::MIN, i64::MAX],
            Atom::Max(all) => {
                let ranges = all.iter().map(|dim| dim.range(of));
                ranges.fold([i64::MIN; 2], |[low, high], [min, max]| [low.max(min), high.max(max)])
            }
        }
    }
}

/// All products of numbers of two ranges lie in this one.
fn times(a: [i64; 2], b: [i64; 2]) -> [i64; 2] {
    let ends = a.map(|x| b.map(|y| x.saturating_mul(y)));
    let all = ends.iter().flatten().copied();
    [all.clone().min().unwrap_or(i64::MIN), all.max().unwrap_or(i64::MAX)]
}

fn proven(dim: &Dim, steps: &mut usize) -> bool {
    let poly = match dim {
        Dim::Known(n) => return *n >= 0,
        Dim::Expr(poly) => poly,
    };
    let Some(left) = steps.checked_sub(1) else { return false };
    *steps = left;
    let size = |atom: &Atom, steps: &mut usize| match atom {
        Atom::Symbol(_) => true,
        _ => proven_atom(atom, steps),
    };
    let positive =
        |product: &[Atom], steps: &mut usize| product.iter().all(|atom| size(atom, steps));
    if poly.0.iter().all(|(product, &coefficient)| coefficient > 0 && positive(product, steps)) {
        return true;
    }
    // Bounds of an atom are bounds of a term only where its other factors are not negative.
    for (product, &coefficient) in &poly.0 {
        let subtracted = coefficient < 0;
        for (at, atom) in product.iter().enumerate() {
            let mut others = product.clone();
            others.remove(at);
            if matches!(atom, Atom::Symbol(_)) || !positive(&others, steps) {
                continue;
            }
            let factor = super::Poly([(others, coefficient)].into());
            let factor = Dim::from_terms(factor);
            let rest = dim - &(&factor * &Dim::atom(atom.clone()));
            let with = |bound: &Dim| &rest + &(&factor * bound);
            let holds = match atom {
                Atom::Max(all) if subtracted => {
                    all.iter().all(|operand| proven(&with(operand), steps))
                }
                Atom::Max(all) => all.iter().any(|operand| proven(&with(operand), steps)),
                Atom::FloorDiv(a, Dim::Known(by)) if *by > 0 => {
                    let by_more = &rest * &Dim::Known(*by);
                    let bound = if subtracted { a.clone() } else { a - &Dim::Known(by - 1) };
                    proven(&(&by_more + &(&factor * &bound)), steps)
                }
                Atom::FloorDiv(..) | Atom::Symbol(_) => false,
            };
            if holds {
                return true;
            }
        }
    }
    false
}

/// Whether a quotient or maximum is 0 or more.
fn proven_atom(atom: &Atom, steps: &mut usize) -> bool {
    match atom {
        Atom::Symbol(_) => true,
        Atom::FloorDiv(a, b) => proven(a, steps) && proven(b, steps),
        Atom::Max(all) => all.iter().any(|operand| proven(operand, steps)),
    }
}
