//! Dimensions: known numbers, symbols, and expressions over symbols.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, Deref, DerefMut, Mul, Sub};
use std::sync::Arc;

/// Size of one axis, or one element of a shape tensor.
///
/// Expressions are kept as polynomials in normal form, so that equal ones compare equal: `(N + 1) · 2 − 2` is `2·N`.
/// Arithmetic on known numbers saturates; `valid` refuses sizes that no tensor can have.
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

/// The most terms and factors of a [simple](Dim::is_simple) expression, those in nested expressions included.
const MAX_PARTS: usize = 128;

/// What a polynomial is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Atom {
    /// A size known only at run time, by the name of the ONNX `dim_param` or one made up for an unnamed axis.
    Symbol(Arc<str>),
    /// Quotient rounded towards minus infinity.
    FloorDiv(Dim, Dim),
    /// The larger of the two.
    Max(Dim, Dim),
    /// The smaller of the two.
    Min(Dim, Dim),
}

impl Dim {
    /// A dimension known only at run time.
    pub fn symbol(name: impl Into<Arc<str>>) -> Self {
        Self::atom(Atom::Symbol(name.into()))
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

    /// The name, if this is a symbol alone.
    pub fn as_symbol(&self) -> Option<&str> {
        let Dim::Expr(poly) = self else { return None };
        let mut terms = poly.0.iter();
        match (terms.next(), terms.next()) {
            (Some((product, 1)), None) => match product.as_slice() {
                [Atom::Symbol(name)] => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether this is certainly 0 or more, whatever the symbols, which are sizes, turn out to be.
    pub fn is_nonnegative(&self) -> bool {
        match self {
            Dim::Known(n) => *n >= 0,
            Dim::Expr(poly) => poly.0.iter().all(|(product, &c)| c > 0 && product.iter().all(Atom::is_nonnegative)),
        }
    }

    /// Whether this is short enough to compute with. A product of two simple expressions is made quickly, whatever the
    /// model; one that is not simple should become a symbol.
    pub fn is_simple(&self) -> bool {
        self.parts_left(MAX_PARTS).is_some()
    }

    /// What is left of a number of parts after this expression took its own.
    fn parts_left(&self, mut left: usize) -> Option<usize> {
        let Dim::Expr(poly) = self else { return left.checked_sub(1) };
        for product in poly.0.keys() {
            left = left.checked_sub(1)?;
            for atom in product {
                left = match atom {
                    Atom::Symbol(_) => left.checked_sub(1)?,
                    Atom::FloorDiv(a, b) | Atom::Max(a, b) | Atom::Min(a, b) => b.parts_left(a.parts_left(left)?)?,
                };
            }
        }
        Some(left)
    }

    /// Quotient rounded towards minus infinity; `None` for a division by the number 0.
    pub fn floor_div(&self, by: &Dim) -> Option<Dim> {
        match (self, by) {
            (_, Dim::Known(0)) => None,
            (_, Dim::Known(1)) => Some(self.clone()),
            (Dim::Known(a), Dim::Known(b)) => Some(Dim::Known(floor_div(*a, *b))),
            (a, b) if a == b => Some(Dim::Known(1)),
            (Dim::Expr(a), _) => a.exact_div(by).or_else(|| Some(Self::atom(Atom::FloorDiv(self.clone(), by.clone())))),
            _ => Some(Self::atom(Atom::FloorDiv(self.clone(), by.clone()))),
        }
    }

    /// Quotient rounded towards plus infinity; `None` for a division by the number 0.
    pub fn ceil_div(&self, by: &Dim) -> Option<Dim> {
        let zero = Dim::Known(0);
        Some(&zero - &(&zero - self).floor_div(by)?)
    }

    /// The larger of the two.
    #[must_use]
    pub fn maximum(&self, other: &Dim) -> Dim {
        match (self, other) {
            (Dim::Known(a), Dim::Known(b)) => Dim::Known(*a.max(b)),
            (a, b) if a == b => a.clone(),
            (a, b) => Self::atom(Atom::Max(a.min_by_order(b).clone(), a.max_by_order(b).clone())),
        }
    }

    /// The smaller of the two.
    #[must_use]
    pub fn minimum(&self, other: &Dim) -> Dim {
        match (self, other) {
            (Dim::Known(a), Dim::Known(b)) => Dim::Known(*a.min(b)),
            (a, b) if a == b => a.clone(),
            (a, b) => Self::atom(Atom::Min(a.min_by_order(b).clone(), a.max_by_order(b).clone())),
        }
    }

    /// The value once every symbol has one; `None` where a symbol has none or a divisor is 0.
    pub fn eval(&self, value: &dyn Fn(&str) -> Option<i64>) -> Option<i64> {
        let Dim::Expr(poly) = self else { return self.known() };
        let mut sum = 0i64;
        for (product, coefficient) in &poly.0 {
            let mut term = *coefficient;
            for atom in product {
                let factor = match atom {
                    Atom::Symbol(name) => value(name)?,
                    Atom::FloorDiv(a, b) => match (a.eval(value)?, b.eval(value)?) {
                        (_, 0) => return None,
                        (a, b) => floor_div(a, b),
                    },
                    Atom::Max(a, b) => a.eval(value)?.max(b.eval(value)?),
                    Atom::Min(a, b) => a.eval(value)?.min(b.eval(value)?),
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

    // Operands of commutative atoms stand in one order, so that max(a, b) is max(b, a).
    fn min_by_order<'a>(&'a self, other: &'a Dim) -> &'a Dim {
        if self <= other { self } else { other }
    }
    fn max_by_order<'a>(&'a self, other: &'a Dim) -> &'a Dim {
        if self <= other { other } else { self }
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
    fn is_nonnegative(&self) -> bool {
        match self {
            Atom::Symbol(_) => true,
            Atom::FloorDiv(a, b) | Atom::Min(a, b) => a.is_nonnegative() && b.is_nonnegative(),
            Atom::Max(a, b) => a.is_nonnegative() || b.is_nonnegative(),
        }
    }
}

impl Poly {
    /// The quotient, where every term divides by `by` without remainder.
    fn exact_div(&self, by: &Dim) -> Option<Dim> {
        let divisor = by.terms();
        let mut divisor = divisor.0.iter();
        let (Some((factors, coefficient)), None) = (divisor.next(), divisor.next()) else { return None };
        let mut out = Poly::default();
        for (product, c) in &self.0 {
            if c % coefficient != 0 {
                return None;
            }
            let mut rest = product.clone();
            for factor in factors {
                let at = rest.iter().position(|atom| atom == factor)?;
                rest.remove(at);
            }
            out.0.insert(rest, c / coefficient);
        }
        Some(Dim::from_terms(out))
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
            let entry = sum.0.entry(product).or_default();
            *entry = entry.saturating_add(coefficient);
        }
        Dim::from_terms(sum)
    }
}

impl Sub for &Dim {
    type Output = Dim;
    fn sub(self, other: &Dim) -> Dim {
        self + &(other * &Dim::Known(-1))
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
                let entry = out.0.entry(product).or_default();
                *entry = entry.saturating_add(c.saturating_mul(*d));
            }
        }
        Dim::from_terms(out)
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
        let Dim::Expr(poly) = self else { return write!(f, "{}", self.known().unwrap_or_default()) };
        // The constant term comes first in the map and reads best last.
        let (constant, products): (Vec<_>, Vec<_>) = poly.0.iter().partition(|(product, _)| product.is_empty());
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

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Atom::Symbol(name) => f.write_str(name),
            Atom::FloorDiv(a, b) => write!(f, "⌊({a})/({b})⌋"),
            Atom::Max(a, b) => write!(f, "max({a}, {b})"),
            Atom::Min(a, b) => write!(f, "min({a}, {b})"),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn n() -> Dim {
        Dim::symbol("N")
    }

    #[test]
    fn expressions_have_one_form() {
        let two = Dim::Known(2);
        let a = &(&(&n() + &Dim::Known(1)) * &two) - &two;
        assert_eq!(a, &n() * &two);
        assert_eq!(a.to_string(), "2·N");
        assert_eq!((&n() - &n()), Dim::Known(0));
        assert_eq!((&n() * &Dim::symbol("M")), (&Dim::symbol("M") * &n()));
        assert_eq!(n().maximum(&Dim::Known(3)), Dim::Known(3).maximum(&n()));
    }

    #[test]
    fn division_cancels_where_it_is_exact() {
        let four_n = &n() * &Dim::Known(4);
        assert_eq!(four_n.floor_div(&n()), Some(Dim::Known(4)));
        assert_eq!(four_n.floor_div(&Dim::Known(2)), Some(&n() * &Dim::Known(2)));
        let odd = &n() + &Dim::Known(1);
        assert_eq!(odd.floor_div(&Dim::Known(2)).unwrap().to_string(), "⌊(N + 1)/(2)⌋");
        assert_eq!(odd.floor_div(&Dim::Known(0)), None);
        assert_eq!(Dim::Known(-7).floor_div(&Dim::Known(2)), Some(Dim::Known(-4)));
        assert_eq!(Dim::Known(7).ceil_div(&Dim::Known(2)), Some(Dim::Known(4)));
    }

    #[test]
    fn evaluates_with_values_for_symbols() {
        let d = (&(&n() * &n()) - &Dim::Known(3)).floor_div(&Dim::Known(2)).unwrap();
        assert_eq!(d.eval(&|name| (name == "N").then_some(4)), Some(6));
        assert_eq!(d.eval(&|_| None), None);
        assert_eq!(n().eval(&|_| Some(i64::MAX)), Some(i64::MAX));
    }

    #[test]
    fn sizes_are_never_negative() {
        let one = Dim::Known(1);
        assert!((&n() + &one).is_nonnegative());
        assert!(!(&n() - &one).is_nonnegative());
        assert!((&n() - &one).maximum(&Dim::Known(0)).is_nonnegative());
        assert_eq!(n().as_symbol(), Some("N"));
        assert_eq!((&n() + &one).as_symbol(), None);
    }

    #[test]
    fn simple_expressions_are_short() {
        let symbols = |from: i32, count: i32| {
            (from..from + count).fold(Dim::Known(0), |sum, i| &sum + &Dim::symbol(format!("n{i}")))
        };
        assert!(symbols(0, 64).is_simple());
        assert!(!symbols(0, 65).is_simple());
        assert!(!(&symbols(0, 8) * &symbols(8, 8)).is_simple());
        let mut nested = n();
        for i in 0..40 {
            nested = (&nested + &Dim::Known(i)).maximum(&nested);
        }
        assert!(!nested.is_simple());
    }

    #[test]
    fn absurd_sizes_saturate() {
        let huge = Dim::Known(i64::MAX);
        assert_eq!(&huge * &huge, huge);
        assert_eq!(Shape(vec![huge.clone(), Dim::Known(0)]).volume(), Dim::Known(0));
    }
}
