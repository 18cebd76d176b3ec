//! Resizing an axis exactly as ONNX says: of known size by fixed indices or a matrix of weights, of unknown size by
//! indices and weights computed at run time.

use crate::import::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::ValueId;
use crate::network::layer::data::GatherMode;
use crate::network::layer::math::{ElementWiseOperation as Ew, MatrixOperation, UnaryOperation};
use crate::network::layer::resample::ResizeRoundMode;
use crate::network::layer::{Gather, MatrixMultiply};
use crate::tensor::{DType, Tensor};

/// ONNX's `coordinate_transformation_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coordinates {
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
pub(super) struct Grid {
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
pub(super) struct Kernel {
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
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
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
                Coordinates::TfCropAndResize => start * last + x * (end - start) * last / (length - 1.0),
            }
        })
    }

    fn check(&self, weights: usize) -> Result<(), OpError> {
        if self.input == 0 || self.output == 0 || weights > MOST_WEIGHTS {
            let (input, output) = (self.input, self.output);
            let value = format!("resized from {input} to {output}");
            return Err(OpError::Value { what: "an axis", value, supported: "sizes above 0 and below 4096" });
        }
        Ok(())
    }

    /// The nearest elements, by a Gather.
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounded, and clamped to the axis")]
    pub(super) fn pick(&self, ctx: &mut Ctx<'_>, data: ValueId, rounding: ResizeRoundMode) -> Result<ValueId, OpError> {
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
    pub(super) fn weigh(&self, ctx: &mut Ctx<'_>, data: ValueId, kernel: &Kernel) -> Result<ValueId, OpError> {
        self.check(self.input.saturating_mul(self.output))?;
        let mut rows = Vec::with_capacity(self.input * self.output);
        for position in self.positions() {
            rows.extend(kernel.row(position, self.scale, self.input));
        }
        let matrix = ctx.constant_value(Tensor::of(vec![self.output, self.input], rows)?);
        let matrix = ctx.cast(matrix, ctx.dtype(data))?;
        let rank = ctx.rank(data);
        if rank == 1 {
            let row = ctx.unsqueeze(data, vec![0])?;
            let product = multiply(ctx, row, matrix, MatrixOperation::Transpose)?;
            return ctx.squeeze(product, vec![0]);
        }
        let matrix = ctx.lead(matrix, rank)?;
        if self.axis + 2 == rank {
            return multiply(ctx, matrix, data, MatrixOperation::None);
        }
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(self.axis, rank - 1);
        let moved = ctx.transpose(data, order.clone())?;
        let product = multiply(ctx, moved, matrix, MatrixOperation::Transpose)?;
        ctx.transpose(product, order)
    }

    /// A fixed value where a cropping grid lies outside the data.
    pub(super) fn extrapolate(&self, ctx: &mut Ctx<'_>, data: ValueId, value: f32) -> Result<ValueId, OpError> {
        if self.coordinates != Coordinates::TfCropAndResize {
            return Ok(data);
        }
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
        let last = self.input as f64 - 1.0;
        let outside: Vec<bool> = self.positions().map(|position| position < 0.0 || position > last).collect();
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

/// How an axis of unknown size is sampled: by a known scale, computed at run time.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenGrid {
    pub(super) axis: usize,
    /// Size of the output.
    pub(super) output: ValueId,
    pub(super) scale: f64,
    pub(super) coordinates: Coordinates,
}

impl OpenGrid {
    /// Where the output elements lie in the input: `f32[output]`.
    fn positions(&self, ctx: &mut Ctx<'_>) -> Result<ValueId, OpError> {
        let centre = |shifted: bool| if shifted { 0.5 } else { 0.0 };
        let before = centre(self.coordinates != Coordinates::Asymmetric);
        let after = centre(matches!(self.coordinates, Coordinates::HalfPixel | Coordinates::PytorchHalfPixel));
        let counter = ctx.count_up(self.output)?;
        let counter = ctx.cast(counter, DType::F32)?;
        let centres = ctx.binary_scalar(Ew::Sum, counter, before)?;
        let scaled = ctx.binary_scalar(Ew::Div, centres, self.scale)?;
        let positions = ctx.binary_scalar(Ew::Sub, scaled, after)?;
        if self.coordinates != Coordinates::PytorchHalfPixel {
            return Ok(positions);
        }
        let single = ctx.number(1);
        let single = ctx.binary(Ew::Equal, self.output, single)?;
        let zero = ctx.scalar(DType::F32, 0.0)?;
        ctx.select(single, zero, positions)
    }

    /// Whole `f32` positions as indices that stay inside the data.
    fn indices(&self, ctx: &mut Ctx<'_>, data: ValueId, positions: ValueId) -> Result<ValueId, OpError> {
        let size = ctx.size_of(data, self.axis)?;
        let last = ctx.compute(Ew::Sub, size, 1)?;
        let indices = ctx.cast(positions, DType::I64)?;
        let indices = ctx.binary(Ew::Min, indices, last)?;
        ctx.compute(Ew::Max, indices, 0)
    }

    fn take(&self, ctx: &mut Ctx<'_>, data: ValueId, positions: ValueId) -> Result<ValueId, OpError> {
        let indices = self.indices(ctx, data, positions)?;
        ctx.add(Gather { mode: GatherMode::Default, axis: self.axis, element_wise_dims: 0 }, &[data, indices])
    }

    /// The nearest elements.
    pub(super) fn pick(&self, ctx: &mut Ctx<'_>, data: ValueId, rounding: ResizeRoundMode) -> Result<ValueId, OpError> {
        let positions = self.positions(ctx)?;
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

    /// Weighted sums of the two neighbours.
    pub(super) fn blend(&self, ctx: &mut Ctx<'_>, data: ValueId) -> Result<ValueId, OpError> {
        let positions = self.positions(ctx)?;
        let below = ctx.unary(UnaryOperation::Floor, positions)?;
        let weight = ctx.binary(Ew::Sub, positions, below)?;
        let weight = ctx.cast(weight, ctx.dtype(data))?;
        let (axis, rank) = (self.axis, ctx.rank(data));
        let weight = ctx.unsqueeze(weight, (0..rank).filter(|&other| other != axis).collect())?;
        let above = ctx.binary_scalar(Ew::Sum, below, 1.0)?;
        let (low, high) = (self.take(ctx, data, below)?, self.take(ctx, data, above)?);
        let difference = ctx.binary(Ew::Sub, high, low)?;
        let part = ctx.binary(Ew::Prod, difference, weight)?;
        ctx.binary(Ew::Sum, low, part)
    }
}

fn multiply(ctx: &mut Ctx<'_>, a: ValueId, b: ValueId, op1: MatrixOperation) -> Result<ValueId, OpError> {
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
