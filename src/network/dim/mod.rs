//! Dimensions: known numbers, symbols, and expressions over symbols.
//!
//! # Normal form
//!
//! An expression is a sum of products of atoms with whole coefficients. Rewriting keeps to these
//! rules, so that sizes that are equal for every value of their symbols usually compare equal:
//!
//! - Quotients by a number have a numerator with a positive leading term, from which every multiple
//!   of the divisor is taken out, and hold no quotient by a number as their only term:
//!   `⌊(⌊t/2⌋ + 3)/4⌋` is `⌊(t + 6)/8⌋`.
//! - There is no minimum: `min(a, b)` is `−max(−a, −b)`.
//! - A maximum holds no maximum as a term of its own, no operand that another is certain to reach,
//!   and nothing that all its operands share: `max(a + 1, max(a, b))` is `max(a + 1, b)`, and
//!   `max(a + c, b + c)` is `c + max(a, b)`.
//!
//! What is certain of an order is in `bounds`.

mod bounds;
mod rewrite;
mod solution;
mod symbol;
#[cfg(test)]
mod tests;

pub use solution::Solution;
pub use symbol::Symbol;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{Add, Deref, DerefMut, Mul, Neg, Sub};
use std::sync::Arc;

/// Size of one axis, or one element of a shape tensor.
///
/// Expressions are in [normal form](self): `(N + 1) · 2 − 2` is `2·N`. Arithmetic on known numbers
/// saturates; `valid` refuses sizes that no tensor can have.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dim {
    /// A number.
    Known(i64),
    /// A polynomial with at least one symbol.
    Expr(Arc<Poly>),
}

/// A sum of products of atoms with whole coefficients, none of them 0.
///
/// The empty product is the constant term.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Poly(BTreeMap<Vec<Atom>, i64>);

/// The most terms and factors of a [simple](Dim::is_simple) expression, those in nested expressions
/// included.
const MAX_PARTS: usize = 128;
/// Coefficients of a simple expression are smaller, so that none is a saturated one.
const MAX_COEFFICIENT: u64 = 1 << 62;

/// What a polynomial is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Atom {
    /// A size known only at run time.
    Symbol(Symbol),
    /// Quotient rounded toward minus infinity.
    FloorDiv(Dim, Dim),
    /// The largest of two or more, in rising order.
    Max(Vec<Dim>),
}

impl Dim {
    /// A size that the model names.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self::from(Symbol::Named(name.into()))
    }

    /// The number, if known.
    pub fn known(&self) -> Option<i64> {
        match self {
            Dim::Known(n) => Some(*n),
            Dim::Expr(_) => None,
        }
    }

    /// The number as a size, if known and not negative.
    pub fn size(&self) -> Option<usize> {
        self.known().and_then(|n| usize::try_from(n).ok())
    }

    /// The symbol, if this is one alone.
    pub fn as_symbol(&self) -> Option<&Symbol> {
        match self.as_atom()? {
            Atom::Symbol(symbol) => Some(symbol),
            Atom::FloorDiv(..) | Atom::Max(_) => None,
        }
    }

    /// The atom, if this is one alone.
    fn as_atom(&self) -> Option<&Atom> {
        let Dim::Expr(poly) = self else { return None };
        match poly.only_term()? {
            ([atom], 1) => Some(atom),
            _ => None,
        }
    }

    /// Every symbol of this expression.
    pub fn symbols(&self) -> BTreeSet<&Symbol> {
        let Dim::Expr(poly) = self else { return BTreeSet::new() };
        poly.0.keys().flatten().flat_map(Atom::symbols).collect()
    }

    /// The largest number of a made-up symbol in this expression.
    pub(super) fn newest(&self) -> Option<u64> {
        self.symbols().into_iter().filter_map(Symbol::number).max()
    }

    /// Whether an atom stands anywhere in this expression.
    fn contains(&self, wanted: &Atom) -> bool {
        let Dim::Expr(poly) = self else { return false };
        poly.0.keys().flatten().any(|atom| {
            atom == wanted
                || match atom {
                    Atom::Symbol(_) => false,
                    Atom::FloorDiv(a, b) => a.contains(wanted) || b.contains(wanted),
                    Atom::Max(all) => all.iter().any(|dim| dim.contains(wanted)),
                }
        })
    }

    /// Whether this is short enough to compute with. A product of two simple expressions is made
    /// quickly, whatever the model; one that is not simple should become a symbol.
    pub fn is_simple(&self) -> bool {
        self.parts_left(MAX_PARTS).is_some()
    }

    /// What is left of a number of parts after this expression took its own.
    fn parts_left(&self, mut left: usize) -> Option<usize> {
        let Dim::Expr(poly) = self else { return left.checked_sub(1) };
        for (product, coefficient) in &poly.0 {
            if coefficient.unsigned_abs() >= MAX_COEFFICIENT {
                return None;
            }
            left = left.checked_sub(1)?;
            for atom in product {
                left = match atom {
                    Atom::Symbol(_) => left.checked_sub(1)?,
                    Atom::FloorDiv(a, b) => b.parts_left(a.parts_left(left)?)?,
                    Atom::Max(all) => {
                        all.iter().try_fold(left, |left, dim| dim.parts_left(left))?
                    }
                };
            }
        }
        Some(left)
    }

    /// The value once every symbol has one; `None` where a symbol has none or a divisor is 0.
    pub fn eval(&self, value: &dyn Fn(&Symbol) -> Option<i64>) -> Option<i64> {
        let Dim::Expr(poly) = self else { return self.known() };
        let mut sum = 0i64;
        for (product, coefficient) in &poly.0 {
            let mut term = *coefficient;
            for atom in product {
                let factor = match atom {
                    Atom::Symbol(symbol) => value(symbol)?,
                    Atom::FloorDiv(a, b) => match (a.eval(value)?, b.eval(value)?) {
                        (_, 0) => return None,
                        (a, b) => floor_div(a, b),
                    },
                    Atom::Max(all) => all
                        .iter()
                        .map(|dim| dim.eval(value))
                        .try_fold(i64::MIN, |max, next| Some(max.max(next?)))?,
                };
                term = term.checked_mul(factor)?;
            }
            sum = sum.checked_add(term)?;
        }
        Some(sum)
    }

    fn atom(atom: Atom) -> Dim {
        Dim::Expr(Arc::new(Poly(BTreeMap::from([(vec![atom], 1)]))))
    }

    fn terms(&self) -> Poly {
        match self {
            Dim::Known(0) => Poly::default(),
            Dim::Known(n) => Poly(BTreeMap::from([(Vec::new(), *n)])),
            Dim::Expr(poly) => (**poly).clone(),
        }
    }

    fn from_terms(mut poly: Poly) -> Dim {
        poly.0.retain(|_, coefficient| *coefficient != 0);
        match poly.0.len() {
            0 => Dim::Known(0),
            1 if poly.0.contains_key([].as_slice()) => Dim::Known(poly.0[[].as_slice()]),
            _ => Dim::Expr(Arc::new(poly)),
        }
    }
}

impl Atom {
    fn symbols(&self) -> BTreeSet<&Symbol> {
        match self {
            Atom::Symbol(symbol) => BTreeSet::from([symbol]),
            Atom::FloorDiv(a, b) => a.symbols().into_iter().chain(b.symbols()).collect(),
            Atom::Max(all) => all.iter().flat_map(Dim::symbols).collect(),
        }
    }
}

impl Poly {
    /// The product and coefficient of a sum of one.
    fn only_term(&self) -> Option<(&[Atom], i64)> {
        let mut terms = self.0.iter();
        match (terms.next(), terms.next()) {
            (Some((product, &coefficient)), None) => Some((product, coefficient)),
            _ => None,
        }
    }

    fn add_term(&mut self, product: Vec<Atom>, coefficient: i64) {
        let entry = self.0.entry(product).or_default();
        *entry = entry.saturating_add(coefficient);
    }
}

fn floor_div(a: i64, b: i64) -> i64 {
    let quotient = a.wrapping_div(b);
    if a.wrapping_rem(b) != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient }
}

impl Add for &Dim {
    type Output = Dim;
    fn add(self, other: &Dim) -> Dim {
        if let (Dim::Known(a), Dim::Known(b)) = (self, other) {
            return Dim::Known(a.saturating_add(*b));
        }
        let mut sum = self.terms();
        for (product, coefficient) in other.terms().0 {
            sum.add_term(product, coefficient);
        }
        Dim::from_terms(sum)
    }
}

impl Sub for &Dim {
    type Output = Dim;
    fn sub(self, other: &Dim) -> Dim {
        self + &-other
    }
}

impl Neg for &Dim {
    type Output = Dim;
    fn neg(self) -> Dim {
        self * &Dim::Known(-1)
    }
}

impl Mul for &Dim {
    type Output = Dim;
    fn mul(self, other: &Dim) -> Dim {
        if let (Dim::Known(a), Dim::Known(b)) = (self, other) {
            return Dim::Known(a.saturating_mul(*b));
        }
        let right = other.terms();
        let mut out = Poly::default();
        for (p, c) in self.terms().0 {
            for (q, d) in &right.0 {
                let mut product = [p.as_slice(), q.as_slice()].concat();
                product.sort();
                out.add_term(product, c.saturating_mul(*d));
            }
        }
        Dim::from_terms(out)
    }
}

impl From<Symbol> for Dim {
    fn from(symbol: Symbol) -> Self {
        Self::atom(Atom::Symbol(symbol))
    }
}
impl From<i64> for Dim {
    fn from(n: i64) -> Self {
        Dim::Known(n)
    }
}
impl From<usize> for Dim {
    fn from(n: usize) -> Self {
        Dim::Known(i64::try_from(n).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Dim::Expr(poly) = self else {
            return write!(f, "{}", self.known().unwrap_or_default());
        };
        if let Some((name, operands)) = self.extreme() {
            let operands: Vec<_> = operands.iter().map(ToString::to_string).collect();
            return write!(f, "{name}({})", operands.join(", "));
        }
        // The constant term comes first in the map and reads best last.
        let (constant, products): (Vec<_>, Vec<_>) =
            poly.0.iter().partition(|(product, _)| product.is_empty());
        for (i, (product, &coefficient)) in products.into_iter().chain(constant).enumerate() {
            let sign = match (i, coefficient < 0) {
                (0, true) => "-",
                (0, false) => "",
                (_, true) => " - ",
                (_, false) => " + ",
            };
            f.write_str(sign)?;
            let mut factors: Vec<String> = product.iter().map(ToString::to_string).collect();
            if coefficient.unsigned_abs() != 1 || factors.is_empty() {
                factors.insert(0, coefficient.unsigned_abs().to_string());
            }
            f.write_str(&factors.join("·"))?;
        }
        Ok(())
    }
}

impl Dim {
    /// A sum with one maximum as the maximum or minimum of sums, which reads better:
    /// `x + 1 − max(1, x)` is `min(1, x)`.
    fn extreme(&self) -> Option<(&'static str, Vec<Dim>)> {
        let Dim::Expr(poly) = self else { return None };
        let mut found = poly.0.iter().filter_map(|(product, coefficient)| {
            match (product.as_slice(), coefficient) {
                ([Atom::Max(all)], 1) => Some(("max", product, all)),
                ([Atom::Max(all)], -1) => Some(("min", product, all)),
                _ => None,
            }
        });
        let (Some((name, product, all)), None) = (found.next(), found.next()) else { return None };
        let mut rest = (**poly).clone();
        rest.0.remove(product);
        let rest = Dim::from_terms(rest);
        let operands = all.iter().map(|dim| if name == "max" { &rest + dim } else { &rest - dim });
        Some((name, operands.collect()))
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Atom::Symbol(symbol) => symbol.fmt(f),
            Atom::FloorDiv(a, b) => write!(f, "⌊({a})/({b})⌋"),
            Atom::Max(_) => Dim::atom(self.clone()).fmt(f),
        }
    }
}

impl fmt::Debug for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Sizes of all axes; empty for a scalar. The rank is always known.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(pub Vec<Dim>);

impl Shape {
    /// A shape of known sizes.
    pub fn of(dims: &[usize]) -> Self {
        Self(dims.iter().map(|&d| d.into()).collect())
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// All sizes, if every one is known.
    pub fn known(&self) -> Option<Vec<usize>> {
        self.0.iter().map(Dim::size).collect()
    }

    /// Number of elements.
    pub fn volume(&self) -> Dim {
        product(&self.0)
    }
}

/// The product of dimensions; 1 for none.
pub fn product<'a>(dims: impl IntoIterator<Item = &'a Dim>) -> Dim {
    dims.into_iter().fold(Dim::Known(1), |n, d| &n * d)
}

impl Deref for Shape {
    type Target = Vec<Dim>;
    fn deref(&self) -> &Vec<Dim> {
        &self.0
    }
}
impl DerefMut for Shape {
    fn deref_mut(&mut self) -> &mut Vec<Dim> {
        &mut self.0
    }
}
impl FromIterator<Dim> for Shape {
    fn from_iter<I: IntoIterator<Item = Dim>>(dims: I) -> Self {
        Self(dims.into_iter().collect())
    }
}
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}
impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
