//! Resizing an axis exactly as ONNX says: of known size by fixed indices or a matrix of weights, of
//! unknown size by indices and weights computed at run time.

use super::axes::along;
use super::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::ValueId;
use crate::network::layer::{
    ElementWiseOperation as Ew, Gather, GatherMode, MatrixMultiply, MatrixOperation,
    ReduceOperation, ResizeRoundMode, UnaryOperation,
};
use crate::tensor::{DType, Tensor};

/// ONNX's `coordinate_transformation_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    TfHalfPixelForNn,
    TfCropAndResize,
}

/// How an axis is sampled.
#[derive(Debug, Clone, Copy)]
pub(in crate::import) struct Grid {
    pub axis: usize,
    /// Size of the input.
    pub input: usize,
    /// Size of the output.
    pub output: usize,
    /// As given, or output by input size.
    pub scale: f64,
    /// Sampled part of the input, for [`Coordinates::TfCropAndResize`].
    pub roi: (f64, f64),
    pub coordinates: Coordinates,
}

/// How samples are weighed: by distance, linearly or with the cubic kernel of this coefficient.
#[derive(Debug, Clone, Copy)]
pub(in crate::import) struct Kernel {
    pub cubic: Option<f64>,
    /// Whether the kernel is widened where the data shrinks.
    pub antialias: bool,
    /// Whether samples outside the data do not count; otherwise the outermost repeat.
    pub exclude_outside: bool,
}

/// The most weights computed for one axis.
const MOST_WEIGHTS: usize = 1 << 24;

impl Grid {
    /// Where the output elements lie in the input.
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "sizes are far below 2^52"
    )]
    fn positions(&self) -> impl Iterator<Item = f64> {
        let Self { input, output, scale, roi: (start, end), coordinates, .. } = *self;
        let (input, last) = (input as f64, input as f64 - 1.0);
        // Not whole where the scale is given and does not fit.
        let length = scale * input;
        let single = output == 1;
        (0..output).map(move |x| {
            let x = x as f64;
            match coordinates {
                Coordinates::PytorchHalfPixel | Coordinates::AlignCorners if single => 0.0,
                Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => (x + 0.5) / scale - 0.5,
                Coordinates::HalfPixelSymmetric => {
                    input / 2.0 * (1.0 - output as f64 / length) + (x + 0.5) / scale - 0.5
                }
                Coordinates::AlignCorners => x * last / (length - 1.0),
                Coordinates::Asymmetric => x / scale,
                Coordinates::TfHalfPixelForNn => (x + 0.5) / scale,
                Coordinates::TfCropAndResize if single => 0.5 * (start + end) * last,
                Coordinates::TfCropAndResize => {
                    start * last + x * (end - start) * last / (length - 1.0)
                }
            }
        })
    }

    fn check(&self, weights: usize) -> Result<(), OpError> {
        if self.input == 0 || self.output == 0 || weights > MOST_WEIGHTS {
            let (input, output) = (self.input, self.output);
            let value = format!("resized from {input} to {output}");
            return Err(OpError::Value {
                what: "an axis",
                value,
                supported: "sizes above 0 and below 4096",
            });
        }
        Ok(())
    }

    /// The nearest elements, by a Gather.
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "rounded, and clamped to the axis"
    )]
    pub(in crate::import) fn pick(
        &self,
        ctx: &mut Ctx<'_>,
        data: ValueId,
        rounding: ResizeRoundMode,
    ) -> Result<ValueId, OpError> {
        self.check(self.output)?;
        let last = i64::try_from(self.input - 1).unwrap_or(i64::MAX);
        let nearest = |position: f64| {
            // In single precision, where a scale of ⅓ reaches whole numbers.
            let at = position as f32;
            let at = match rounding {
                ResizeRoundMode::HalfUp => (at + 0.5).floor(),
                ResizeRoundMode::HalfDown => (at - 0.5).ceil(),
                ResizeRoundMode::Floor => at.floor(),
                ResizeRoundMode::Ceil => at.ceil(),
            };
            (at as i64).clamp(0, last)
        };
        let indices: Vec<i64> = self.positions().map(nearest).collect();
        let indices = ctx.i64s(&indices);
        ctx.gather(data, indices, self.axis)
    }

    /// Weighted sums of elements, by a MatrixMultiply.
    pub(in crate::import) fn weigh(
        &self,
        ctx: &mut Ctx<'_>,
        data: ValueId,
        kernel: &Kernel,
    ) -> Result<ValueId, OpError> {
        self.check(self.input.saturating_mul(self.output))?;
        let mut rows = Vec::with_capacity(self.input * self.output);
        for position in self.positions() {
            rows.extend(kernel.row(position, self.scale, self.input));
        }
        let matrix = ctx.constant_value(Tensor::of(vec![self.output, self.input], rows)?);
        apply(ctx, data, matrix, self.axis)
    }

    /// A fixed value where a cropping grid lies outside the data.
    pub(in crate::import) fn extrapolate(
        &self,
        ctx: &mut Ctx<'_>,
        data: ValueId,
        value: f32,
    ) -> Result<ValueId, OpError> {
        if self.coordinates != Coordinates::TfCropAndResize {
            return Ok(data);
        }
        #[expect(
            clippy::as_conversions,
            clippy::cast_precision_loss,
            reason = "sizes are far below 2^52"
        )]
        let last = self.input as f64 - 1.0;
        let outside: Vec<bool> =
            self.positions().map(|position| position < 0.0 || position > last).collect();
        if !outside.contains(&true) {
            return Ok(data);
        }
        let mut dims = vec![1; ctx.rank(data)];
        if let Some(size) = dims.get_mut(self.axis) {
            *size = self.output;
        }
        let outside = ctx.constant_value(Tensor::of_bools(dims, outside)?);
        let value = ctx.scalar(ctx.dtype(data), value.into())?;
        ctx.select(outside, value, data)
    }
}

/// A real number: known, or `f32[1]` of the run.
#[derive(Debug, Clone, Copy)]
pub(in crate::import) enum Real {
    Known(f64),
    Run(ValueId),
}

impl Real {
    pub(in crate::import) fn known(self) -> Option<f64> {
        match self {
            Real::Known(number) => Some(number),
            Real::Run(_) => None,
        }
    }

    pub(in crate::import) fn value(self, ctx: &mut Ctx<'_>) -> Result<ValueId, OpError> {
        match self {
            Real::Known(number) => ctx.filled(DType::F32, number, 1),
            Real::Run(value) => Ok(value),
        }
    }
}

/// How an axis is sampled where its sizes or its scale are known only at run time.
#[derive(Debug, Clone, Copy)]
pub(in crate::import) struct OpenGrid {
    pub(in crate::import) axis: usize,
    /// Size of the output.
    pub(in crate::import) output: ValueId,
    /// Where it is not given, it is output by input size.
    pub(in crate::import) scale: Option<Real>,
    /// Sampled part of the input, for [`Coordinates::TfCropAndResize`].
    pub(in crate::import) roi: (Real, Real),
    pub(in crate::import) coordinates: Coordinates,
}

impl OpenGrid {
    /// The size of the input: `f32[1]`.
    fn input(&self, ctx: &mut Ctx<'_>, data: ValueId) -> Result<ValueId, OpError> {
        let size = ctx.size_of(data, self.axis)?;
        ctx.cast(size, DType::F32)
    }

    /// The scale: `f32[1]`.
    fn scale(&self, ctx: &mut Ctx<'_>, data: ValueId) -> Result<ValueId, OpError> {
        if let Some(scale) = self.scale {
            return scale.value(ctx);
        }
        let (input, output) = (self.input(ctx, data)?, ctx.cast(self.output, DType::F32)?);
        ctx.binary(Ew::Div, output, input)
    }

    /// The size that scale and input give, which need not be whole: `f32[1]`.
    fn length(&self, ctx: &mut Ctx<'_>, data: ValueId) -> Result<ValueId, OpError> {
        let Some(scale) = self.scale else { return ctx.cast(self.output, DType::F32) };
        let (scale, input) = (scale.value(ctx)?, self.input(ctx, data)?);
        ctx.binary(Ew::Prod, scale, input)
    }

    /// Where the output elements lie in the input: `f32[output]`.
    fn positions(&self, ctx: &mut Ctx<'_>, data: ValueId) -> Result<ValueId, OpError> {
        match self.coordinates {
            Coordinates::Asymmetric => self.scaled(ctx, data, 0.0, 0.0),
            Coordinates::HalfPixel => self.scaled(ctx, data, 0.5, 0.5),
            Coordinates::TfHalfPixelForNn => self.scaled(ctx, data, 0.5, 0.0),
            Coordinates::PytorchHalfPixel => {
                let positions = self.scaled(ctx, data, 0.5, 0.5)?;
                let zero = ctx.scalar(DType::F32, 0.0)?;
                self.unless_single(ctx, zero, positions)
            }
            Coordinates::HalfPixelSymmetric => {
                let scaled = self.scaled(ctx, data, 0.5, 0.0)?;
                let (output, length) =
                    (ctx.cast(self.output, DType::F32)?, self.length(ctx, data)?);
                let part = ctx.binary(Ew::Div, output, length)?;
                let one = ctx.filled(DType::F32, 1.0, 1)?;
                let missing = ctx.binary(Ew::Sub, one, part)?;
                let input = self.input(ctx, data)?;
                let half = ctx.binary_scalar(Ew::Prod, input, 0.5)?;
                let shift = ctx.binary(Ew::Prod, half, missing)?;
                let shifted = ctx.binary(Ew::Sum, shift, scaled)?;
                ctx.binary_scalar(Ew::Sub, shifted, 0.5)
            }
            Coordinates::AlignCorners => {
                let one = ctx.filled(DType::F32, 1.0, 1)?;
                let positions = self.spread(ctx, data, one)?;
                let zero = ctx.scalar(DType::F32, 0.0)?;
                self.unless_single(ctx, zero, positions)
            }
            Coordinates::TfCropAndResize => {
                let input = self.input(ctx, data)?;
                let last = ctx.binary_scalar(Ew::Sub, input, 1.0)?;
                let (start, end) = (self.roi.0.value(ctx)?, self.roi.1.value(ctx)?);
                let part = ctx.binary(Ew::Sub, end, start)?;
                let distances = self.spread(ctx, data, part)?;
                let first = ctx.binary(Ew::Prod, start, last)?;
                let positions = ctx.binary(Ew::Sum, first, distances)?;
                let both = ctx.binary(Ew::Sum, start, end)?;
                let middle = ctx.binary_scalar(Ew::Prod, both, 0.5)?;
                let middle = ctx.binary(Ew::Prod, middle, last)?;
                self.unless_single(ctx, middle, positions)
            }
        }
    }

    /// 0, 1, … as `f32`.
    fn counter(&self, ctx: &mut Ctx<'_>) -> Result<ValueId, OpError> {
        let counter = ctx.count_up(self.output)?;
        ctx.cast(counter, DType::F32)
    }

    /// (x + before) / scale − after.
    fn scaled(
        &self,
        ctx: &mut Ctx<'_>,
        data: ValueId,
        before: f64,
        after: f64,
    ) -> Result<ValueId, OpError> {
        let counter = self.counter(ctx)?;
        let centers = ctx.binary_scalar(Ew::Sum, counter, before)?;
        let scale = self.scale(ctx, data)?;
        let scaled = ctx.binary(Ew::Div, centers, scale)?;
        ctx.binary_scalar(Ew::Sub, scaled, after)
    }

    /// x · part · (input − 1) / (length − 1), in the order in which ONNX Runtime rounds.
    fn spread(&self, ctx: &mut Ctx<'_>, data: ValueId, part: ValueId) -> Result<ValueId, OpError> {
        let (counter, input, length) =
            (self.counter(ctx)?, self.input(ctx, data)?, self.length(ctx, data)?);
        let (to, from) =
            (ctx.binary_scalar(Ew::Sub, input, 1.0)?, ctx.binary_scalar(Ew::Sub, length, 1.0)?);
        let parts = ctx.binary(Ew::Prod, counter, part)?;
        let grown = ctx.binary(Ew::Prod, parts, to)?;
        ctx.binary(Ew::Div, grown, from)
    }

    /// Positions, or another where the output has one element.
    fn unless_single(
        &self,
        ctx: &mut Ctx<'_>,
        single: ValueId,
        positions: ValueId,
    ) -> Result<ValueId, OpError> {
        let one = ctx.number(1);
        let is_single = ctx.binary(Ew::Equal, self.output, one)?;
        ctx.select(is_single, single, positions)
    }

    /// Whole numbers as indices that stay inside the data.
    fn held(&self, ctx: &mut Ctx<'_>, data: ValueId, indices: ValueId) -> Result<ValueId, OpError> {
        let size = ctx.size_of(data, self.axis)?;
        let last = ctx.compute(Ew::Sub, size, 1)?;
        let indices = ctx.binary(Ew::Min, indices, last)?;
        ctx.compute(Ew::Max, indices, 0)
    }

    /// The elements at these indices, or the outermost beyond them.
    fn take(&self, ctx: &mut Ctx<'_>, data: ValueId, indices: ValueId) -> Result<ValueId, OpError> {
        let indices = ctx.cast(indices, DType::I64)?;
        let indices = self.held(ctx, data, indices)?;
        ctx.add(
            Gather { mode: GatherMode::Default, axis: self.axis, element_wise_dims: 0 },
            &[data, indices],
        )
    }

    /// The nearest elements.
    pub(in crate::import) fn pick(
        &self,
        ctx: &mut Ctx<'_>,
        data: ValueId,
        rounding: ResizeRoundMode,
    ) -> Result<ValueId, OpError> {
        let positions = self.positions(ctx, data)?;
        let (shift, round) = match rounding {
            ResizeRoundMode::HalfUp => (0.5, UnaryOperation::Floor),
            ResizeRoundMode::HalfDown => (-0.5, UnaryOperation::Ceil),
            ResizeRoundMode::Floor => (0.0, UnaryOperation::Floor),
            ResizeRoundMode::Ceil => (0.0, UnaryOperation::Ceil),
        };
        let shifted = ctx.binary_scalar(Ew::Sum, positions, shift)?;
        let nearest = ctx.unary(round, shifted)?;
        self.take(ctx, data, nearest)
    }

    /// Weighted sums of elements.
    pub(in crate::import) fn weigh(
        &self,
        ctx: &mut Ctx<'_>,
        data: ValueId,
        kernel: &Kernel,
    ) -> Result<ValueId, OpError> {
        match kernel {
            Kernel { cubic: None, antialias: false, .. } => self.blend(ctx, data),
            _ => self.weigh_all(ctx, data, kernel),
        }
    }

    /// Weighted sums of the two neighbors.
    fn blend(&self, ctx: &mut Ctx<'_>, data: ValueId) -> Result<ValueId, OpError> {
        let positions = self.positions(ctx, data)?;
        let below = ctx.unary(UnaryOperation::Floor, positions)?;
        let weight = ctx.binary(Ew::Sub, positions, below)?;
        let weight = ctx.cast(weight, ctx.dtype(data))?;
        let weight = along(ctx, weight, self.axis, ctx.rank(data))?;
        let above = ctx.binary_scalar(Ew::Sum, below, 1.0)?;
        let (low, high) = (self.take(ctx, data, below)?, self.take(ctx, data, above)?);
        let difference = ctx.binary(Ew::Sub, high, low)?;
        let part = ctx.binary(Ew::Prod, difference, weight)?;
        ctx.binary(Ew::Sum, low, part)
    }

    /// A product with the matrix of weights of all elements, and of as many copies of the outermost
    /// as the kernel can reach, unless those do not count.
    fn weigh_all(
        &self,
        ctx: &mut Ctx<'_>,
        data: ValueId,
        kernel: &Kernel,
    ) -> Result<ValueId, OpError> {
        let positions = self.positions(ctx, data)?;
        let positions = ctx.unsqueeze(positions, vec![1])?;
        let scale = self.scale(ctx, data)?;
        let shrink =
            if kernel.antialias { Some(ctx.binary_scalar(Ew::Min, scale, 1.0)?) } else { None };
        let size = ctx.size_of(data, self.axis)?;
        let (samples, columns) = if kernel.exclude_outside {
            (data, ctx.count_up(size)?)
        } else {
            let border = kernel.border(ctx, shrink)?;
            let borders = ctx.compute(Ew::Prod, border, 2)?;
            let count = ctx.binary(Ew::Sum, size, borders)?;
            let columns = ctx.count_up(count)?;
            let columns = ctx.binary(Ew::Sub, columns, border)?;
            (self.take(ctx, data, columns)?, columns)
        };
        let columns = ctx.cast(columns, DType::F32)?;
        let distances = ctx.binary(Ew::Sub, columns, positions)?;
        let mut distances = ctx.unary(UnaryOperation::Abs, distances)?;
        if let Some(shrink) = shrink {
            distances = ctx.binary(Ew::Prod, distances, shrink)?;
        }
        let mut weights = kernel.weights(ctx, distances)?;
        if kernel.antialias || kernel.exclude_outside {
            let sums = ctx.reduce(ReduceOperation::Sum, weights, vec![1], true)?;
            weights = ctx.binary(Ew::Div, weights, sums)?;
        }
        apply(ctx, samples, weights, self.axis)
    }

    /// A fixed value where a cropping grid lies outside the data.
    pub(in crate::import) fn extrapolate(
        &self,
        ctx: &mut Ctx<'_>,
        [from, to]: [ValueId; 2],
        value: f32,
    ) -> Result<ValueId, OpError> {
        if self.coordinates != Coordinates::TfCropAndResize {
            return Ok(to);
        }
        let positions = self.positions(ctx, from)?;
        let input = self.input(ctx, from)?;
        let last = ctx.binary_scalar(Ew::Sub, input, 1.0)?;
        let zero = ctx.filled(DType::F32, 0.0, 1)?;
        let before = ctx.binary(Ew::Less, positions, zero)?;
        let behind = ctx.binary(Ew::Greater, positions, last)?;
        let outside = ctx.binary(Ew::Or, before, behind)?;
        let outside = along(ctx, outside, self.axis, ctx.rank(to))?;
        let value = ctx.scalar(ctx.dtype(to), value.into())?;
        ctx.select(outside, value, to)
    }
}

/// Sums along an axis, weighed by the rows of a matrix.
fn apply(
    ctx: &mut Ctx<'_>,
    data: ValueId,
    matrix: ValueId,
    axis: usize,
) -> Result<ValueId, OpError> {
    let matrix = ctx.cast(matrix, ctx.dtype(data))?;
    let rank = ctx.rank(data);
    if rank == 1 {
        let row = ctx.unsqueeze(data, vec![0])?;
        let product = multiply(ctx, row, matrix, MatrixOperation::Transpose)?;
        return ctx.squeeze(product, vec![0]);
    }
    let matrix = ctx.lead(matrix, rank)?;
    if axis + 2 == rank {
        return multiply(ctx, matrix, data, MatrixOperation::None);
    }
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(axis, rank - 1);
    let moved = ctx.transpose(data, order.clone())?;
    let product = multiply(ctx, moved, matrix, MatrixOperation::Transpose)?;
    ctx.transpose(product, order)
}

fn multiply(
    ctx: &mut Ctx<'_>,
    a: ValueId,
    b: ValueId,
    op1: MatrixOperation,
) -> Result<ValueId, OpError> {
    ctx.add(MatrixMultiply { op0: MatrixOperation::None, op1 }, &[a, b])
}

impl Kernel {
    /// The weight of each of `size` elements at this position.
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "positions lie near the axis"
    )]
    fn row(&self, position: f64, scale: f64, size: usize) -> Vec<f32> {
        let shrink = if self.antialias { scale.min(1.0) } else { 1.0 };
        let reach = if self.cubic.is_some() { 2.0 } else { 1.0 } / shrink;
        let last = i64::try_from(size).unwrap_or(i64::MAX) - 1;
        let mut row = vec![0f64; size];
        let mut sum = 0.0;
        for at in ((position - reach).floor() as i64)..=((position + reach).ceil() as i64) {
            let weight = self.weight((at as f64 - position) * shrink);
            if self.exclude_outside && !(0..=last).contains(&at) {
                continue;
            }
            let inside = usize::try_from(at.clamp(0, last)).unwrap_or(0);
            if let Some(total) = row.get_mut(inside) {
                *total += weight;
                sum += weight;
            }
        }
        let whole = if (self.antialias || self.exclude_outside) && sum != 0.0 { sum } else { 1.0 };
        row.into_iter().map(|weight| (weight / whole) as f32).collect()
    }

    /// How many elements beyond the axis the kernel can reach from a position near it: `i64[1]`.
    fn border(&self, ctx: &mut Ctx<'_>, shrink: Option<ValueId>) -> Result<ValueId, OpError> {
        let reach = if self.cubic.is_some() { 2.0 } else { 1.0 };
        let reach = ctx.filled(DType::F32, reach, 1)?;
        let reach = match shrink {
            Some(shrink) => ctx.binary(Ew::Div, reach, shrink)?,
            None => reach,
        };
        let reach = ctx.unary(UnaryOperation::Ceil, reach)?;
        let reach = ctx.cast(reach, DType::I64)?;
        ctx.compute(Ew::Sum, reach, 1)
    }

    /// The kernel at distances of the run.
    fn weights(&self, ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
        let Some(a) = self.cubic else {
            let one = ctx.filled(DType::F32, 1.0, 1)?;
            let height = ctx.binary(Ew::Sub, one, x)?;
            return ctx.binary_scalar(Ew::Max, height, 0.0);
        };
        let mut polynomial = |factors: &[f64]| {
            let (&first, rest) = factors
                .split_first()
                .ok_or_else(|| OpError::invalid("a polynomial without factors"))?;
            let highest = ctx.binary_scalar(Ew::Prod, x, first)?;
            rest.iter().enumerate().try_fold(highest, |sum, (at, &factor)| {
                let sum = ctx.binary_scalar(Ew::Sum, sum, factor)?;
                if at + 1 < rest.len() { ctx.binary(Ew::Prod, sum, x) } else { Ok(sum) }
            })
        };
        let near = polynomial(&[a + 2.0, -(a + 3.0), 0.0, 1.0])?;
        let far = polynomial(&[a, -5.0 * a, 8.0 * a, -4.0 * a])?;
        let (one, two, zero) = (
            ctx.filled(DType::F32, 1.0, 2)?,
            ctx.filled(DType::F32, 2.0, 2)?,
            ctx.filled(DType::F32, 0.0, 2)?,
        );
        let inner = ctx.binary(Ew::Less, x, one)?;
        let outer = ctx.binary(Ew::Less, x, two)?;
        let far = ctx.select(outer, far, zero)?;
        ctx.select(inner, near, far)
    }

    /// The kernel at this distance.
    fn weight(&self, distance: f64) -> f64 {
        let x = distance.abs();
        match self.cubic {
            None => (1.0 - x).max(0.0),
            Some(a) if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
            Some(a) if x < 2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
            Some(_) => 0.0,
        }
    }
}
