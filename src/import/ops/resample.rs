//! Resizing an axis of known size exactly as ONNX says, by indices or by a matrix of weights.

use crate::import::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::ValueId;
use crate::network::layer::MatrixMultiply;
use crate::network::layer::math::MatrixOperation;
use crate::network::layer::resample::ResizeRoundMode;
use crate::tensor::Tensor;

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
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
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
    #[expect(clippy::cast_possible_truncation, reason = "rounded, and clamped to the axis")]
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
        #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
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

fn multiply(ctx: &mut Ctx<'_>, a: ValueId, b: ValueId, op1: MatrixOperation) -> Result<ValueId, OpError> {
    ctx.add(MatrixMultiply { op0: MatrixOperation::None, op1 }, &[a, b])
}

impl Kernel {
    /// The weight of each of `size` elements at this position.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "positions lie near the axis")]
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
