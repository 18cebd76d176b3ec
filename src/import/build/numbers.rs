//! Shape arithmetic for handlers: whole numbers that are known now or computed at run time.
//!
//! A number is an `i64[1]` value. What is known folds to a constant as it is added, so one formula
//! serves fixed and dynamic shapes.

use super::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::layer::{
    Arg, ElementWiseOperation as Ew, Fill, FillOperation, Reshape, SampleMode, Shuffle, Slice,
};
use crate::network::{Dim, LayerKind, Symbol, ValueId, Values};
use crate::tensor::DType;

/// The first element, the number of elements and the step of a slice, one number per axis.
#[derive(Debug, Default)]
pub(in crate::import) struct Steps {
    pub start: Vec<ValueId>,
    pub size: Vec<ValueId>,
    pub stride: Vec<ValueId>,
}

impl Steps {
    /// Adds an axis.
    pub(in crate::import) fn push(&mut self, start: ValueId, size: ValueId, stride: ValueId) {
        self.start.push(start);
        self.size.push(size);
        self.stride.push(stride);
    }

    /// Changes what is taken of an axis.
    pub(in crate::import) fn set(&mut self, axis: usize, start: ValueId, size: ValueId) {
        for (list, number) in [(&mut self.start, start), (&mut self.size, size)] {
            if let Some(entry) = list.get_mut(axis) {
                *entry = number;
            }
        }
    }
}

/// Largest size of an axis in TensorRT; `INT_MAX` and more as the end of a slice mean the end of
/// the axis.
pub(in crate::import) const MAX_SIZE: i64 = 0x7fff_ffff;

/// The most numbers that are computed one by one.
const MOST_NUMBERS: usize = 4096;

impl Ctx<'_> {
    /// A known number.
    pub(in crate::import) fn number(&mut self, n: i64) -> ValueId {
        self.i64s(&[n])
    }

    /// What is known of a number.
    pub(in crate::import) fn known(&self, number: ValueId) -> Option<i64> {
        self.dim(number)?.known()
    }

    /// A number as a size: itself or an expression over the network's symbols.
    pub(in crate::import) fn dim(&self, number: ValueId) -> Option<Dim> {
        if let Some(elements) = self.elements(number) {
            return elements.first().cloned();
        }
        let (part, at) = self.part(number)?;
        self.elements(part)?.get(at).cloned()
    }

    /// Whether a number is certainly no larger than another, also as that of an iteration is below
    /// the number of iterations.
    pub(in crate::import) fn is_at_most(&self, a: &Dim, b: &Dim) -> bool {
        let gap = b - a;
        let within = |(number, count): &(Symbol, Dim)| {
            // gap = rest − number, and number is at most count − 1.
            let rest = &gap + &Dim::from(number.clone());
            let below = &rest - &(count - &Dim::Known(1));
            !rest.symbols().contains(number) && below.is_nonnegative()
        };
        gap.is_nonnegative() || self.iterations.iter().any(within)
    }

    /// What is known of a real number, an element of a vector.
    pub(in crate::import) fn known_real(&self, element: ValueId) -> Option<f32> {
        let (vector, at) =
            if self.constant(element).is_some() { (element, 0) } else { self.part(element)? };
        self.constant(vector)?.to_f32s()?.get(at).copied()
    }

    /// For an element of vectors one behind the other: the vector that it comes from, and its place
    /// there. More is known of the part than of the whole where the whole has elements that the run
    /// computes.
    fn part(&self, element: ValueId) -> Option<(ValueId, usize)> {
        let layer = |value| self.network.maker(value).map(|layer| self.network.layer(layer));
        let picked = layer(element)?;
        let LayerKind::Slice(Slice { start: Arg::Static(start), size: Arg::Static(size), .. }) =
            &picked.kind
        else {
            return None;
        };
        let ([start], [1]) = (start.as_slice(), size.as_slice()) else { return None };
        let mut at = usize::try_from(*start).ok()?;
        let joined = layer(*picked.inputs.first()?)?;
        let LayerKind::Concatenation(_) = &joined.kind else { return None };
        for &part in &joined.inputs {
            let size = self.size(part, 0)?;
            if at < size {
                return Some((part, at));
            }
            at -= size;
        }
        None
    }

    /// The elements of a scalar or vector of whole numbers.
    pub(in crate::import) fn numbers(&mut self, vector: ValueId) -> Result<Vec<ValueId>, OpError> {
        let vector = self.cast(vector, DType::I64)?;
        self.vector_elements(vector)
    }

    /// The elements of a scalar or vector, each as a vector of one.
    pub(in crate::import) fn vector_elements(
        &mut self,
        vector: ValueId,
    ) -> Result<Vec<ValueId>, OpError> {
        let vector = if self.rank(vector) == 0 { self.unsqueeze(vector, vec![0])? } else { vector };
        if self.rank(vector) != 1 {
            return Err(OpError::Rank {
                what: "a list",
                rank: self.rank(vector),
                supported: "0 or 1",
            });
        }
        let count = self.size(vector, 0).ok_or(OpError::Feature("a list of unknown length"))?;
        if count > MOST_NUMBERS {
            let (value, supported) = (format!("of {count} numbers"), "up to 4096");
            return Err(OpError::Value { what: "a list", value, supported });
        }
        (0..count).map(|at| self.element(vector, at)).collect()
    }

    /// The whole numbers of the node's input at this position, if it is there.
    pub(in crate::import) fn maybe_numbers(
        &mut self,
        at: usize,
    ) -> Result<Option<Vec<ValueId>>, OpError> {
        self.maybe(at).map(|list| self.numbers(list)).transpose()
    }

    /// Known numbers.
    pub(in crate::import) fn fixed_numbers(&mut self, list: &[i64]) -> Vec<ValueId> {
        list.iter().map(|&n| self.number(n)).collect()
    }

    /// The sizes of all axes of a value.
    pub(in crate::import) fn sizes(&mut self, value: ValueId) -> Result<Vec<ValueId>, OpError> {
        (0..self.rank(value)).map(|axis| self.size_of(value, axis)).collect()
    }

    /// The same with a fixed second operand.
    pub(in crate::import) fn compute(
        &mut self,
        operation: Ew,
        a: ValueId,
        b: i64,
    ) -> Result<ValueId, OpError> {
        let b = self.number(b);
        self.binary(operation, a, b)
    }

    /// The product; 1 for no factors.
    pub(in crate::import) fn product(&mut self, factors: &[ValueId]) -> Result<ValueId, OpError> {
        let one = self.number(1);
        factors.iter().try_fold(one, |product, &factor| match self.known(product) {
            Some(1) => Ok(factor),
            _ => self.binary(Ew::Prod, product, factor),
        })
    }

    /// The number, or 0 where it is negative.
    pub(in crate::import) fn at_least_zero(&mut self, number: ValueId) -> Result<ValueId, OpError> {
        match self.dim(number) {
            Some(dim) if dim.is_nonnegative() => Ok(number),
            _ => self.compute(Ew::Max, number, 0),
        }
    }

    /// The number, or 1 where it is less.
    pub(in crate::import) fn at_least_one(&mut self, number: ValueId) -> Result<ValueId, OpError> {
        match self.dim(number) {
            Some(dim) if dim.is_positive() => Ok(number),
            _ => self.compute(Ew::Max, number, 1),
        }
    }

    /// The quotient rounded up; the divisor is not 0.
    pub(in crate::import) fn ceil_div(
        &mut self,
        a: ValueId,
        b: ValueId,
    ) -> Result<ValueId, OpError> {
        if self.known(b) == Some(1) {
            return Ok(a);
        }
        let zero = self.number(0);
        let negated = self.binary(Ew::Sub, zero, a)?;
        let quotient = self.binary(Ew::FloorDiv, negated, b)?;
        self.binary(Ew::Sub, zero, quotient)
    }

    /// The numbers as an attribute: fixed where all are known, else a further input.
    fn list_arg(
        &mut self,
        numbers: &[ValueId],
        inputs: &mut Values,
    ) -> Result<Arg<Vec<i64>>, OpError> {
        if let Some(known) = numbers.iter().map(|&number| self.known(number)).collect() {
            return Ok(Arg::Static(known));
        }
        let list = self.concat(numbers, 0)?;
        inputs.push(list);
        Ok(Arg::Input(inputs.len() - 1))
    }

    /// A Slice; the data itself where that would take everything as it is.
    pub(in crate::import) fn slice(
        &mut self,
        data: ValueId,
        steps: &Steps,
        mode: SampleMode,
        fill: Option<ValueId>,
    ) -> Result<ValueId, OpError> {
        let whole = steps.size.iter().map(|&size| self.dim(size)).eq(self
            .shape(data)
            .iter()
            .cloned()
            .map(Some));
        let still = steps.start.iter().all(|&start| self.known(start) == Some(0));
        if whole && still && steps.stride.iter().all(|&stride| self.known(stride) == Some(1)) {
            return Ok(data);
        }
        let mut inputs = Values::from_slice(&[data]);
        let start = self.list_arg(&steps.start, &mut inputs)?;
        let size = self.list_arg(&steps.size, &mut inputs)?;
        let stride = self.list_arg(&steps.stride, &mut inputs)?;
        inputs.extend(fill);
        let fill = fill.map(|_| inputs.len() - 1);
        self.add(Slice { start, size, stride, mode, fill }, &inputs)
    }

    /// The value in this shape. Sizes that the input has at the same place and one more may be
    /// unknown without a shape computed at run time.
    pub(in crate::import) fn reshape_to(
        &mut self,
        value: ValueId,
        sizes: &[ValueId],
    ) -> Result<ValueId, OpError> {
        let dims: Option<Vec<Dim>> = sizes.iter().map(|&size| self.dim(size)).collect();
        let fixed = dims.and_then(|dims| Reshape::between(self.shape(value), &dims));
        if let Some(reshape) = fixed {
            return self.add(Shuffle { reshape: Some(reshape), ..Shuffle::default() }, &[value]);
        }
        let shape = self.concat(sizes, 0)?;
        let reshape = Some(Reshape::Input { zero_is_placeholder: false });
        self.add(Shuffle { reshape, ..Shuffle::default() }, &[value, shape])
    }

    /// The value repeated along its axes of size 1 to the shape that it and `sizes` broadcast to.
    ///
    /// A stride of 0 repeats. Where a size is known only at run time, so is whether it is 1.
    pub(in crate::import) fn expand(
        &mut self,
        value: ValueId,
        sizes: &[ValueId],
    ) -> Result<ValueId, OpError> {
        let rank = sizes.len().max(self.rank(value));
        let value = self.lead(value, rank)?;
        let missing = rank - sizes.len();
        let mut steps = Steps::default();
        for axis in 0..rank {
            let have = self.size_of(value, axis)?;
            let want = match axis.checked_sub(missing).and_then(|at| sizes.get(at)) {
                Some(&want) => want,
                None => self.number(1),
            };
            let (size, stride) = self.broadcast(have, want)?;
            let start = self.number(0);
            steps.push(start, size, stride);
        }
        self.slice(value, &steps, SampleMode::StrictBounds, None)
    }

    /// Size and stride of an axis of size `have` that is broadcast to `want`.
    fn broadcast(&mut self, have: ValueId, want: ValueId) -> Result<(ValueId, ValueId), OpError> {
        let (have_dim, want_dim) = (self.dim(have), self.dim(want));
        let known = |dim: &Option<Dim>| dim.as_ref().and_then(Dim::known);
        let (size, stride) = match (known(&have_dim), known(&want_dim)) {
            (_, Some(1)) => (have, Some(1)),
            (Some(1), _) => (want, Some(0)),
            (Some(_), None) => (have, Some(1)),
            (None, None) if have_dim.is_some() && have_dim == want_dim => (have, Some(1)),
            (Some(a), Some(b)) if a == b => (have, Some(1)),
            (Some(a), Some(b)) => {
                return Err(OpError::invalid(format!(
                    "an axis of size {a} does not broadcast to {b}"
                )));
            }
            (None, Some(_)) => (want, None),
            (None, None) => (self.binary(Ew::Max, have, want)?, None),
        };
        if let Some(stride) = stride {
            return Ok((size, self.number(stride)));
        }
        let beyond = self.compute(Ew::Sub, have, 1)?;
        Ok((size, self.compute(Ew::Min, beyond, 1)?))
    }

    /// `[0, 1, …, size − 1]` as `i64`.
    pub(in crate::import) fn count_up(&mut self, size: ValueId) -> Result<ValueId, OpError> {
        let (zero, one) = (self.scalar(DType::I64, 0.0)?, self.number(1));
        self.linspace(size, zero, one)
    }

    /// A vector of `size` elements that starts at `start` (rank 0) and rises by `step` (rank 1).
    pub(in crate::import) fn linspace(
        &mut self,
        size: ValueId,
        start: ValueId,
        step: ValueId,
    ) -> Result<ValueId, OpError> {
        let mut inputs = Values::from_slice(&[start, step]);
        let dims = self.sizes_arg(&[size], &mut inputs)?;
        let (operation, dtype) = (FillOperation::Linspace, self.dtype(start));
        self.add(
            Fill { operation, dims, alpha: Arg::Input(0), beta: Arg::Input(1), dtype },
            &inputs,
        )
    }

    /// The numbers as a shape: fixed where all are known, else a further input.
    pub(in crate::import) fn sizes_arg(
        &mut self,
        sizes: &[ValueId],
        inputs: &mut Values,
    ) -> Result<Arg<Vec<usize>>, OpError> {
        Ok(match self.list_arg(sizes, inputs)? {
            Arg::Input(at) => Arg::Input(at),
            Arg::Static(sizes) => {
                let size = |n: i64| {
                    usize::try_from(n).map_err(|_| OpError::invalid(format!("{n} is no size")))
                };
                Arg::Static(sizes.into_iter().map(size).collect::<Result<_, _>>()?)
            }
        })
    }

    /// A value of one element with rank 0.
    pub(in crate::import) fn as_scalar(&mut self, value: ValueId) -> Result<ValueId, OpError> {
        let axes = 0..self.rank(value);
        self.squeeze(value, axes.collect())
    }
}
