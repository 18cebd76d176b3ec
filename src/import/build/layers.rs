//! What handlers often say: layers by their meaning, with constants and ranks made to fit.

use super::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::layer::{
    Activation, ActivationType, Arg, Cast, Concatenation, ElementWise, ElementWiseOperation,
    Gather, GatherMode, Reduce, ReduceOperation, Reshape, SampleMode, Shuffle, Slice, Squeeze,
    Unary, UnaryOperation, Unsqueeze,
};
use crate::network::{Dim, LayerKind, ValueId, Values};
use crate::tensor::{DType, Tensor};
use half::{bf16, f16};

impl Ctx<'_> {
    /// A constant of rank 0.
    pub fn scalar(&mut self, dtype: DType, value: f64) -> Result<ValueId, OpError> {
        self.filled(dtype, value, 0)
    }

    /// A constant of one element and `rank` axes, ready to broadcast.
    pub fn filled(&mut self, dtype: DType, value: f64, rank: usize) -> Result<ValueId, OpError> {
        let tensor = one_element(dtype, value).ok_or(OpError::DType {
            what: "a constant",
            dtype,
            supported: "floating point, whole numbers, bool",
        })?;
        Ok(self.constant_value(tensor.reshaped(vec![1; rank])?))
    }

    /// A constant vector of `i64`.
    pub fn i64s(&mut self, values: &[i64]) -> ValueId {
        self.constant_value(Tensor::vector(values))
    }

    /// The value in another type; itself where it has that type.
    pub fn cast(&mut self, value: ValueId, to: DType) -> Result<ValueId, OpError> {
        if self.dtype(value) == to {
            return Ok(value);
        }
        self.add(Cast { to }, &[value])
    }

    /// A function of each element.
    pub fn unary(&mut self, operation: UnaryOperation, value: ValueId) -> Result<ValueId, OpError> {
        self.add(Unary { operation }, &[value])
    }

    /// A function of each element with parameters α and β.
    pub fn activation(
        &mut self,
        kind: ActivationType,
        alpha: f32,
        beta: f32,
        value: ValueId,
    ) -> Result<ValueId, OpError> {
        self.add(Activation { kind, alpha, beta }, &[value])
    }

    /// A function of two elements; the operand of lower rank gets leading axes of size 1.
    pub fn binary(
        &mut self,
        operation: ElementWiseOperation,
        a: ValueId,
        b: ValueId,
    ) -> Result<ValueId, OpError> {
        let operands = self.align(&[a, b])?;
        self.add(ElementWise { operation }, &operands)
    }

    /// The same with a number as the second operand.
    pub fn binary_scalar(
        &mut self,
        operation: ElementWiseOperation,
        a: ValueId,
        b: f64,
    ) -> Result<ValueId, OpError> {
        let b = self.filled(self.dtype(a), b, self.rank(a))?;
        self.add(ElementWise { operation }, &[a, b])
    }

    /// The second where the first is true, else the third; lower ranks get leading axes of size 1.
    pub fn select(
        &mut self,
        condition: ValueId,
        then: ValueId,
        otherwise: ValueId,
    ) -> Result<ValueId, OpError> {
        let operands = self.align(&[condition, then, otherwise])?;
        self.add(LayerKind::Select, &operands)
    }

    /// The values with equal rank: leading axes of size 1 are added, as ONNX broadcasting does.
    pub fn align(&mut self, values: &[ValueId]) -> Result<Values, OpError> {
        let rank = values.iter().map(|&value| self.rank(value)).max().unwrap_or(0);
        values.iter().map(|&value| self.lead(value, rank)).collect()
    }

    /// The value with leading axes of size 1 up to `rank`.
    pub fn lead(&mut self, value: ValueId, rank: usize) -> Result<ValueId, OpError> {
        let missing = rank.saturating_sub(self.rank(value));
        self.unsqueeze(value, (0..missing).collect())
    }

    /// The value with axes of size 1 at these places of the output.
    pub fn unsqueeze(&mut self, value: ValueId, axes: Vec<usize>) -> Result<ValueId, OpError> {
        if axes.is_empty() { Ok(value) } else { self.add(Unsqueeze { axes }, &[value]) }
    }

    /// The value without these axes, which have size 1.
    pub fn squeeze(&mut self, value: ValueId, axes: Vec<usize>) -> Result<ValueId, OpError> {
        if axes.is_empty() { Ok(value) } else { self.add(Squeeze { axes }, &[value]) }
    }

    /// The value with its axes in another order: output axis `i` is input axis `permutation[i]`.
    pub fn transpose(
        &mut self,
        value: ValueId,
        permutation: Vec<usize>,
    ) -> Result<ValueId, OpError> {
        if permutation.iter().copied().eq(0..self.rank(value)) {
            return Ok(value);
        }
        self.add(Shuffle { first_transpose: Some(permutation), ..Shuffle::default() }, &[value])
    }

    /// The value in a shape known up to at most one −1; 0 is a size of 0.
    pub fn reshape(&mut self, value: ValueId, dims: Vec<i64>) -> Result<ValueId, OpError> {
        let reshape = Some(Reshape::Static { dims, zero_is_placeholder: false });
        self.add(Shuffle { reshape, ..Shuffle::default() }, &[value])
    }

    /// The value in a shape of which some sizes may be symbols of the network.
    ///
    /// Sizes equal to the input's at the same place become placeholders and one more unknown size
    /// becomes −1; where that does not do, the shape is computed at run time from `parts`: one
    /// `i64[1]` per axis.
    pub fn reshape_dims(
        &mut self,
        value: ValueId,
        dims: &[Dim],
        parts: &[ValueId],
    ) -> Result<ValueId, OpError> {
        if let Some(reshape) = Reshape::between(self.shape(value), dims) {
            return self.add(Shuffle { reshape: Some(reshape), ..Shuffle::default() }, &[value]);
        }
        let shape = self.concat(parts, 0)?;
        let reshape = Some(Reshape::Input { zero_is_placeholder: false });
        self.add(Shuffle { reshape, ..Shuffle::default() }, &[value, shape])
    }

    /// Values one behind the other along an axis; a single one is itself, and all elements of a
    /// vector are the vector.
    pub fn concat(&mut self, values: &[ValueId], axis: usize) -> Result<ValueId, OpError> {
        if let [only] = values {
            return Ok(*only);
        }
        if let Some(vector) = self.vector_of(values) {
            return Ok(vector);
        }
        self.add(Concatenation { axis }, values)
    }

    /// The vector whose elements, all and in order, these are.
    fn vector_of(&self, elements: &[ValueId]) -> Option<ValueId> {
        let source = |(at, &value): (usize, &ValueId)| {
            let layer = self.network.layer(self.network.maker(value)?);
            let LayerKind::Slice(Slice { start, size, stride, .. }) = &layer.kind else {
                return None;
            };
            let is = |arg: &Arg<Vec<i64>>, n: usize| match arg.fixed().map(Vec::as_slice) {
                Some([only]) => usize::try_from(*only) == Ok(n),
                _ => false,
            };
            (is(start, at) && is(size, 1) && is(stride, 1))
                .then(|| layer.inputs.first().copied())?
        };
        let vector = source((0, elements.first()?))?;
        let is_whole = self.rank(vector) == 1 && self.size(vector, 0) == Some(elements.len());
        let all = || elements.iter().enumerate().all(|element| source(element) == Some(vector));
        (is_whole && all()).then_some(vector)
    }

    /// One number from many along some axes; with no axes the value itself.
    pub fn reduce(
        &mut self,
        operation: ReduceOperation,
        value: ValueId,
        axes: Vec<usize>,
        keep_dims: bool,
    ) -> Result<ValueId, OpError> {
        if axes.is_empty() {
            return Ok(value);
        }
        self.add(Reduce { operation, axes, keep_dims }, &[value])
    }

    /// The shape of a value: `i64[rank]`.
    pub fn shape_of(&mut self, value: ValueId) -> Result<ValueId, OpError> {
        self.add(LayerKind::Shape, &[value])
    }

    /// The size of one axis of a value: `i64[1]`.
    pub fn size_of(&mut self, value: ValueId, axis: usize) -> Result<ValueId, OpError> {
        if let Some(size) = self.shape(value).get(axis).and_then(Dim::known) {
            return Ok(self.i64s(&[size]));
        }
        let shape = self.shape_of(value)?;
        self.element(shape, axis)
    }

    /// One element of a vector, as a vector of one.
    pub fn element(&mut self, vector: ValueId, at: usize) -> Result<ValueId, OpError> {
        let start = i64::try_from(at)
            .map_err(|_| OpError::invalid(format!("index {at} is out of range")))?;
        let slice = Slice {
            start: Arg::Static(vec![start]),
            size: Arg::Static(vec![1]),
            stride: Arg::Static(vec![1]),
            mode: SampleMode::StrictBounds,
            fill: None,
        };
        self.add(slice, &[vector])
    }

    /// Whole slices of `data` along an axis by index; negative indices count from the end.
    pub fn gather(
        &mut self,
        data: ValueId,
        indices: ValueId,
        axis: usize,
    ) -> Result<ValueId, OpError> {
        let indices = self.wrap_indices(data, indices, axis)?;
        self.add(Gather { mode: GatherMode::Default, axis, element_wise_dims: 0 }, &[data, indices])
    }

    /// Indices with the axis' size added where they are negative, which TensorRT does not do.
    pub fn wrap_indices(
        &mut self,
        data: ValueId,
        indices: ValueId,
        axis: usize,
    ) -> Result<ValueId, OpError> {
        let known = self.constant(indices).and_then(|tensor| tensor.to_i64s());
        let tracked = self.elements(indices);
        if known.is_some_and(|indices| indices.iter().all(|&index| index >= 0))
            || tracked.is_some_and(|indices| indices.iter().all(Dim::is_nonnegative))
        {
            return Ok(indices);
        }
        let dtype = self.dtype(indices);
        let size = self.size_of(data, axis)?;
        let size = self.cast(size, dtype)?;
        let rank = self.rank(indices);
        let size = if rank == 0 { self.squeeze(size, vec![0])? } else { self.lead(size, rank)? };
        let zero = self.filled(dtype, 0.0, rank)?;
        let wrapped =
            self.add(ElementWise { operation: ElementWiseOperation::Sum }, &[indices, size])?;
        let negative =
            self.add(ElementWise { operation: ElementWiseOperation::Less }, &[indices, zero])?;
        self.add(LayerKind::Select, &[negative, wrapped, indices])
    }
}

/// A rank-0 tensor holding `value` rounded to the type; `None` for types that hold no plain
/// numbers.
pub(crate) fn one_element(dtype: DType, value: f64) -> Option<Tensor> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::as_conversions,
        reason = "rounding to the type is what is asked for"
    )]
    Some(match dtype {
        DType::F32 => Tensor::scalar(value as f32),
        DType::F16 => Tensor::scalar(f16::from_f64(value)),
        DType::BF16 => Tensor::scalar(bf16::from_f64(value)),
        DType::I64 => Tensor::scalar(value as i64),
        DType::I32 => Tensor::scalar(value as i32),
        DType::I8 => Tensor::scalar(value as i8),
        DType::U8 => Tensor::scalar(value as u8),
        DType::Bool => Tensor::of_bools(Vec::new(), [value != 0.0]).ok()?,
        _ => return None,
    })
}
