//! What the rules see of a layer: the types of its operands, and the checks that many kinds share.

use super::InferError;
use crate::network::{Demand, Dim, Network, Shape, Symbol, ValueId, ValueType};
use crate::tensor::DType;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};

/// The most axes a tensor of TensorRT has (`nvinfer1::Dims::MAX_DIMS`).
pub const MAX_RANK: usize = 8;

/// What a rule gives: for most kinds, the type of the one output.
pub(super) type Result<T = ValueType> = std::result::Result<T, InferError>;

/// One layer in the making.
pub(super) struct Ctx<'n> {
    pub(super) network: &'n Network,
    /// TensorRT's name of the kind.
    pub(super) kind: &'static str,
    /// Types of the operands.
    pub(super) types: SmallVec<[&'n ValueType; 4]>,
    /// Sizes that had to be equal, though they are other expressions.
    pub(super) demands: RefCell<Vec<Demand>>,
    /// The number of the next size that is made up.
    next_made_up: Cell<u64>,
}

impl<'n> Ctx<'n> {
    pub(super) fn new(network: &'n Network, kind: &'static str, inputs: &[ValueId]) -> Self {
        Self {
            network,
            kind,
            types: inputs.iter().map(|&id| &network.value(id).ty).collect(),
            demands: RefCell::default(),
            next_made_up: Cell::new(network.next_made_up),
        }
    }

    /// The operands, which must be `N`.
    pub(super) fn inputs<const N: usize>(&self) -> Result<[&'n ValueType; N]> {
        self.inputs_and(&[])
    }

    /// The first `N` operands; all further ones, and only those, must be `named` by attributes.
    pub(super) fn inputs_and<const N: usize>(
        &self,
        named: &[(&'static str, Option<usize>)],
    ) -> Result<[&'n ValueType; N]> {
        let actual = self.types.len();
        let mut free = actual.saturating_sub(N);
        for (i, &(what, at)) in named.iter().enumerate() {
            let Some(at) = at else { continue };
            if at < N || at >= actual {
                return Err(InferError::NoSuchInput { kind: self.kind, what, at, actual });
            }
            if named.iter().take(i).all(|(_, earlier)| *earlier != Some(at)) {
                free = free.saturating_sub(1);
            }
        }
        let first = self.types.get(..N).and_then(|types| types.try_into().ok());
        match first {
            Some(first) if free == 0 => Ok(first),
            _ => {
                let expected = N + named.iter().filter(|(_, at)| at.is_some()).count();
                Err(InferError::Inputs { kind: self.kind, expected: expected.to_string(), actual })
            }
        }
    }

    /// The operand that holds attribute `what`.
    pub(super) fn arg(&self, what: &'static str, at: usize) -> Result<&'n ValueType> {
        let actual = self.types.len();
        self.types.get(at).copied().ok_or(InferError::NoSuchInput {
            kind: self.kind,
            what,
            at,
            actual,
        })
    }

    /// A size known only at run time, of which no layer so far has anything.
    pub(super) fn fresh(&self) -> Dim {
        let number = self.next_made_up.get();
        self.next_made_up.set(number + 1);
        Symbol::MadeUp { number, from: self.kind }.into()
    }

    /// One size for two that must be equal: the known one, else the first. `None` where they cannot
    /// be equal.
    pub(super) fn unify(&self, a: &Dim, b: &Dim) -> Option<Dim> {
        if a.differs_from(b) {
            return None;
        }
        self.demand(a, b, false);
        Some(if a.known().is_none() && b.known().is_some() { b } else { a }.clone())
    }

    fn demand(&self, a: &Dim, b: &Dim, unless_one: bool) {
        if a != b {
            self.demands.borrow_mut().push(Demand { sizes: [a.clone(), b.clone()], unless_one });
        }
    }

    /// Size of an axis made from two, of which one may be 1.
    pub(super) fn broadcast(&self, a: &Dim, b: &Dim) -> Result<Dim> {
        let (a, b) = match (a, b) {
            (a, b) if a == b => return Ok(a.clone()),
            (Dim::Known(1), other) | (other, Dim::Known(1)) => return Ok(other.clone()),
            pair => pair,
        };
        let one = Dim::Known(1);
        ensure(!a.differs_from(b) || !a.differs_from(&one) || !b.differs_from(&one), || {
            InferError::Broadcast { a: a.clone(), b: b.clone() }
        })?;
        self.demand(a, b, true);
        Ok(match (a, b) {
            (known @ Dim::Known(_), _) | (_, known @ Dim::Known(_)) => known.clone(),
            // Equal, or 1 on one side: the larger is right in all cases.
            (a, b) => a.maximum(b),
        })
    }

    /// The shape made from two of one rank.
    pub(super) fn broadcast_shapes(&self, a: &Shape, b: &Shape) -> Result<Shape> {
        a.iter().zip(b.iter()).map(|(a, b)| self.broadcast(a, b)).collect()
    }

    /// One size for two that must be equal.
    pub(super) fn equal(&self, a: &Dim, b: &Dim) -> Result<Dim> {
        self.unify(a, b).ok_or_else(|| InferError::Sizes { a: a.clone(), b: b.clone() })
    }

    /// The whole numbers in a vector of `i32` or `i64`: one of `rank` entries, if the rank is
    /// given.
    ///
    /// `None` where they are not tracked. The number of entries must be known either way.
    pub(super) fn vector(
        &self,
        what: &'static str,
        at: usize,
    ) -> Result<(usize, Option<&'n [Dim]>)> {
        let ty = self.arg(what, at)?;
        index(what, ty)?;
        rank(what, ty, 1)?;
        let count = ty.shape.first().and_then(Dim::size).ok_or(InferError::UnknownRank { what })?;
        max_rank(what, count)?;
        Ok((count, ty.elements.as_deref().filter(|elements| elements.len() == count)))
    }

    /// The sizes in a vector of `i32` or `i64`; fresh symbols where they are not tracked.
    pub(super) fn sizes(&self, what: &'static str, at: usize) -> Result<Shape> {
        let (count, elements) = self.vector(what, at)?;
        let Some(elements) = elements else {
            return Ok((0..count).map(|_| self.fresh()).collect());
        };
        elements.iter().map(|size| not_negative(what, size)).collect()
    }

    /// The size in a scalar of `i32` or `i64`; a fresh symbol where it is not tracked.
    pub(super) fn size(&self, what: &'static str, at: usize) -> Result<Dim> {
        let ty = self.arg(what, at)?;
        index(what, ty)?;
        rank(what, ty, 0)?;
        match scalar_element(ty) {
            Some(size) => not_negative(what, size),
            None => Ok(self.fresh()),
        }
    }

    /// Checks that two operands have the same type.
    pub(super) fn same_type(&self, a: &ValueType, b: &ValueType) -> Result<()> {
        ensure(a.dtype == b.dtype, || InferError::Types { kind: self.kind, a: a.dtype, b: b.dtype })
    }

    /// Checks that two operands have the same rank.
    pub(super) fn same_rank(&self, a: &ValueType, b: &ValueType) -> Result<()> {
        let (a, b) = (a.shape.rank(), b.shape.rank());
        ensure(a == b, || InferError::Ranks { kind: self.kind, a, b })
    }
}

/// `Err` of what `error` makes, unless `holds`.
pub(super) fn ensure(holds: bool, error: impl FnOnce() -> InferError) -> Result<()> {
    if holds { Ok(()) } else { Err(error()) }
}

/// The tracked element of a scalar.
pub(super) fn scalar_element(ty: &ValueType) -> Option<&Dim> {
    ty.elements.as_deref().filter(|_| ty.shape.rank() == 0)?.first()
}

fn not_negative(what: &'static str, size: &Dim) -> Result<Dim> {
    ensure(size.known().is_none_or(|n| n >= 0), || InferError::Value {
        what,
        actual: size.to_string(),
        expected: "0 or more".into(),
    })?;
    Ok(size.clone())
}

fn check_type(
    holds: bool,
    what: &'static str,
    ty: &ValueType,
    expected: &'static str,
) -> Result<()> {
    ensure(holds, || InferError::Type { what, actual: ty.dtype, expected })
}

/// Checks for a floating-point type.
pub(super) fn float(what: &'static str, ty: &ValueType) -> Result<()> {
    check_type(ty.dtype.is_float(), what, ty, "floating point")
}

/// Checks for a type with arithmetic.
pub(super) fn number(what: &'static str, ty: &ValueType) -> Result<()> {
    check_type(
        ty.dtype.is_float() || ty.dtype.is_int(),
        what,
        ty,
        "floating point or whole numbers",
    )
}

/// Checks for a type that indices and sizes have.
pub(super) fn index(what: &'static str, ty: &ValueType) -> Result<()> {
    check_type(matches!(ty.dtype, DType::I32 | DType::I64), what, ty, "i32 or i64")
}

/// Checks for `bool`.
pub(super) fn boolean(what: &'static str, ty: &ValueType) -> Result<()> {
    check_type(ty.dtype == DType::Bool, what, ty, "bool")
}

/// Checks for a type that a TensorRT network can hold.
pub(super) fn in_tensorrt(what: &'static str, actual: DType) -> Result<()> {
    let expected = "one that TensorRT has";
    ensure(actual.in_tensorrt(), || InferError::Type { what, actual, expected })
}

/// Checks for exactly this rank.
pub(super) fn rank(what: &'static str, ty: &ValueType, expected: usize) -> Result<()> {
    let actual = ty.shape.rank();
    ensure(actual == expected, || InferError::Rank { what, actual, expected: expected.to_string() })
}

/// Checks for at least this rank.
pub(super) fn min_rank(what: &'static str, ty: &ValueType, least: usize) -> Result<()> {
    let actual = ty.shape.rank();
    ensure(actual >= least, || InferError::Rank {
        what,
        actual,
        expected: format!("{least} or more"),
    })
}

/// Checks that a rank is one that TensorRT has.
pub(super) fn max_rank(what: &'static str, actual: usize) -> Result<()> {
    ensure(actual <= MAX_RANK, || InferError::Rank {
        what,
        actual,
        expected: format!("{MAX_RANK} or less"),
    })
}

/// The size along an axis, which must exist.
pub(super) fn axis(shape: &Shape, axis: usize) -> Result<&Dim> {
    shape.get(axis).ok_or(InferError::Axis { axis, rank: shape.rank() })
}

/// Checks that axes rise and exist.
pub(super) fn axes(axes: &[usize], rank: usize) -> Result<()> {
    let rising = axes.windows(2).all(|pair| pair.first() < pair.last());
    let inside = axes.last().is_none_or(|&last| last < rank);
    ensure(rising && inside, || InferError::Axes { axes: axes.to_vec(), rank })
}

/// Checks that a list has this many entries.
pub(super) fn count(what: &'static str, actual: usize, expected: usize) -> Result<()> {
    ensure(actual == expected, || InferError::Count {
        what,
        actual: actual.into(),
        expected: expected.into(),
    })
}

/// Checks that an attribute, or each entry of it, is at least 1.
pub(super) fn positive<'a>(
    what: &'static str,
    values: impl IntoIterator<Item = &'a usize>,
) -> Result<()> {
    ensure(values.into_iter().all(|&n| n > 0), || InferError::Value {
        what,
        actual: "0".into(),
        expected: "1 or more".into(),
    })
}

/// The product of sizes; `None` where it is too long an expression.
pub(super) fn volume<'d>(sizes: impl IntoIterator<Item = &'d Dim>) -> Option<Dim> {
    sizes
        .into_iter()
        .try_fold(Dim::Known(1), |product, size| Some(&product * size).filter(Dim::is_simple))
}

/// Checks that `small`, of the rank of `data`, broadcasts to it and does not enlarge it.
pub(super) fn broadcasts_to(small: &Shape, data: &Shape) -> Result<()> {
    let fits = |(small, data): (&Dim, &Dim)| *small == Dim::Known(1) || !small.differs_from(data);
    match small.iter().zip(data.iter()).find(|&pair| !fits(pair)) {
        Some((a, b)) => Err(InferError::Broadcast { a: a.clone(), b: b.clone() }),
        None => Ok(()),
    }
}
