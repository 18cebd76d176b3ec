//! Signals and their frequencies: Fourier transforms as products with fixed matrices, and fixed windows and filters.

use super::axes::{along, rounded};
use crate::import::ctx::Ctx;
use crate::import::error::OpError;
use crate::import::registry::{NOW, Op, onnx};
use crate::network::layer::data::GatherMode;
use crate::network::layer::math::{ElementWiseOperation as Ew, MatrixOperation};
use crate::network::layer::{Gather, MatrixMultiply};
use crate::network::{ValueId, Values};
use crate::onnx::{Node, dtype_from_onnx};
use crate::tensor::DType;
use smallvec::smallvec;
use std::f64::consts::{PI, TAU};

const MEL: &str = "num_mel_bins dft_length sample_rate lower_edge_hertz upper_edge_hertz";

pub(super) const OPS: &[Op] = &[
    onnx("BlackmanWindow", 17..=NOW, "size", |ctx, node| {
        window(ctx, node, |turn| 0.42 - 0.5 * (TAU * turn).cos() + 0.08 * (2.0 * TAU * turn).cos())
    }),
    onnx("DFT", 17..=19, "input dft_length?", |ctx, node| {
        let axis = node.attrs.int_or("axis", 1)?;
        dft(ctx, node, axis)
    }),
    onnx("DFT", 20..=NOW, "input dft_length? axis?", |ctx, node| {
        let axis = fixed(ctx, 2)?.unwrap_or(-2);
        dft(ctx, node, axis)
    }),
    onnx("HammingWindow", 17..=NOW, "size", |ctx, node| {
        window(ctx, node, |turn| 25.0 / 46.0 - 21.0 / 46.0 * (TAU * turn).cos())
    }),
    onnx("HannWindow", 17..=NOW, "size", |ctx, node| window(ctx, node, |turn| (PI * turn).sin().powi(2))),
    onnx("MelWeightMatrix", 17..=NOW, MEL, mel_weight_matrix),
    onnx("STFT", 17..=NOW, "signal frame_step window? frame_length?", stft),
];

/// The most numbers in a matrix made here.
const MOST_NUMBERS: usize = 1 << 24;

/// The whole number that the node's input at this position holds.
fn fixed(ctx: &Ctx<'_>, at: usize) -> Result<Option<i64>, OpError> {
    match ctx.ints(at)?.as_deref() {
        None => Ok(None),
        Some(&[number]) => Ok(Some(number)),
        Some(list) => Err(OpError::invalid(format!("input `{}` is {list:?}, not one number", ctx.input_name(at)))),
    }
}

/// The same as a size above 0.
fn fixed_size(ctx: &Ctx<'_>, at: usize) -> Result<Option<usize>, OpError> {
    let Some(number) = fixed(ctx, at)? else { return Ok(None) };
    let size = usize::try_from(number).ok().filter(|&size| size > 0);
    size.map(Some).ok_or_else(|| OpError::invalid(format!("input `{}` is {number}", ctx.input_name(at))))
}

fn required_size(ctx: &Ctx<'_>, at: usize) -> Result<usize, OpError> {
    fixed_size(ctx, at)?.ok_or_else(|| OpError::invalid(format!("input `{}` is missing", ctx.input_name(at))))
}

/// A size as a factor; those that a constant can have are exact.
fn real_size(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}

/// A Fourier transform of signals whose last axis is 1 for real numbers, 2 for complex ones.
#[derive(Debug, Clone, Copy)]
struct Transform {
    /// Elements of the signal that are given.
    given: usize,
    /// Elements that are transformed: the rest is 0.
    length: usize,
    /// 1 or 2.
    parts: usize,
    inverse: bool,
    /// Whether only the frequencies up to half the length stand on the complex side, the others being their mirror.
    onesided: bool,
}

impl Transform {
    /// Number of frequencies that are different in a real signal.
    fn half(&self) -> usize {
        self.length / 2 + 1
    }

    /// Elements of the result, and its numbers per element.
    fn result(&self) -> (usize, usize) {
        match (self.onesided, self.inverse) {
            (true, true) => (self.length, 1),
            (true, false) => (self.half(), 2),
            (false, _) => (self.length, 2),
        }
    }

    /// What each given number adds to each number of the result: `[given · parts, elements · numbers]`.
    fn matrix(&self) -> Result<Vec<f64>, OpError> {
        let (elements, numbers) = self.result();
        let rows = self.given.saturating_mul(self.parts);
        let volume = rows.saturating_mul(elements).saturating_mul(numbers);
        if self.length == 0 || volume > MOST_NUMBERS {
            let value = format!("of {} elements to {elements}", self.given);
            return Err(OpError::Value {
                what: "a Fourier transform",
                value,
                supported: "its matrix up to 2^24 numbers",
            });
        }
        let mirrored = self.onesided && self.inverse;
        let mut matrix = Vec::with_capacity(volume);
        for from in 0..self.given {
            let weight = self.weight(from, mirrored);
            for part in 0..self.parts {
                for to in 0..elements {
                    // Reduced first: the angle stays exact however long the signal is.
                    let angle = TAU * real_size(from * to % self.length) / real_size(self.length);
                    let (sin, cos) = if self.inverse { angle.sin_cos() } else { (-angle).sin_cos() };
                    // (1 or i) · (cos + i sin)
                    let (real, imaginary) = if part == 0 { (cos, sin) } else { (-sin, cos) };
                    matrix.push(weight * real);
                    if numbers == 2 {
                        matrix.push(weight * imaginary);
                    }
                }
            }
        }
        Ok(matrix)
    }

    /// How often an element counts: not at all beyond the length; twice where it stands for its mirror too.
    fn weight(&self, at: usize, mirrored: bool) -> f64 {
        let scale = if self.inverse { 1.0 / real_size(self.length) } else { 1.0 };
        match mirrored {
            false if at >= self.length => 0.0,
            true if at >= self.half() => 0.0,
            true if at > 0 && at * 2 != self.length => 2.0 * scale,
            _ => scale,
        }
    }

    /// Applies it to the last but one axis of a value.
    fn apply(&self, ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
        let (dtype, rank) = (ctx.dtype(x), ctx.rank(x));
        let (elements, numbers) = self.result();
        let matrix = rounded(dtype, vec![self.given * self.parts, elements * numbers], &self.matrix()?)?;
        let matrix = ctx.constant_value(matrix);
        let mut shape = ctx.sizes(x)?;
        shape.truncate(rank.saturating_sub(2));
        let sized = |ctx: &mut Ctx<'_>, sizes: &[usize]| -> Result<Vec<ValueId>, OpError> {
            let number = |&size| i64::try_from(size).map_err(|_| OpError::invalid(format!("a size of {size}")));
            let sizes = sizes.iter().map(number).collect::<Result<Vec<_>, _>>()?;
            Ok(shape.iter().copied().chain(ctx.fixed_numbers(&sizes)).collect())
        };
        // A row of one keeps the product a matrix whatever the rank.
        let rows = sized(ctx, &[1, self.given * self.parts])?;
        let rows = ctx.reshape_to(x, &rows)?;
        let matrix = ctx.lead(matrix, rank)?;
        let product = MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::None };
        let product = ctx.add(product, &[rows, matrix])?;
        let result = sized(ctx, &[elements, numbers])?;
        ctx.reshape_to(product, &result)
    }
}

/// 1 for real numbers, 2 for complex ones: the size of the last axis.
fn parts(ctx: &Ctx<'_>, x: ValueId) -> Result<usize, OpError> {
    let last = ctx.rank(x).checked_sub(1).and_then(|last| ctx.size(x, last));
    match last {
        Some(parts @ 1..=2) => Ok(parts),
        Some(other) => Err(OpError::invalid(format!("the last axis has size {other}, not 1 or 2"))),
        None => Err(OpError::Feature("a last axis of unknown size")),
    }
}

/// `DFT`: a MatrixMultiply with sines and cosines along an axis of known size.
fn dft(ctx: &mut Ctx<'_>, node: &Node, axis: i64) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let rank = ctx.rank(x);
    let axis = ctx.axis(axis, rank)?;
    if axis + 1 == rank {
        return Err(OpError::invalid(format!("axis {axis} is the one of real and imaginary parts")));
    }
    let given = ctx.size(x, axis).ok_or(OpError::Feature("a signal of unknown length"))?;
    let inverse = node.attrs.int_or("inverse", 0)? != 0;
    let onesided = node.attrs.int_or("onesided", 0)? != 0;
    let length = match fixed_size(ctx, 1)? {
        Some(length) => length,
        None if inverse && onesided => given.saturating_sub(1) * 2,
        None => given,
    };
    let transform = Transform { given, length, parts: parts(ctx, x)?, inverse, onesided };
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(axis, rank - 2);
    let moved = ctx.transpose(x, order.clone())?;
    let result = transform.apply(ctx, moved)?;
    Ok(smallvec![ctx.transpose(result, order)?])
}

/// `STFT`: the frames gathered, weighed by the window and transformed. The signal may have any length.
fn stft(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let signal = ctx.input(0)?;
    let signal = if ctx.rank(signal) == 2 { ctx.unsqueeze(signal, vec![2])? } else { signal };
    if ctx.rank(signal) != 3 {
        return Err(OpError::Rank { what: "input `signal`", rank: ctx.rank(signal), supported: "2 or 3" });
    }
    let step = i64::try_from(required_size(ctx, 1)?).map_err(|_| OpError::Feature("this frame step"))?;
    let window = ctx.maybe(2);
    let of_window = window.and_then(|window| ctx.size(window, 0));
    let length = match fixed_size(ctx, 3)?.or(of_window) {
        Some(length) => length,
        None => ctx.size(signal, 1).ok_or(OpError::Feature("a frame of unknown length"))?,
    };
    if window.is_some() && of_window != Some(length) {
        return Err(OpError::invalid(format!("frames have {length} elements, input `window` has another number")));
    }
    let frames = frames(ctx, signal, length, step)?;
    let weighed = match window {
        Some(window) => {
            let window = along(ctx, window, 2, 4)?;
            ctx.binary(Ew::Prod, frames, window)?
        }
        None => frames,
    };
    let onesided = node.attrs.int_or("onesided", 1)? != 0;
    let transform = Transform { given: length, length, parts: parts(ctx, signal)?, inverse: false, onesided };
    Ok(smallvec![transform.apply(ctx, weighed)?])
}

/// `[batch, signal, parts]` as `[batch, frames, length, parts]`; what does not fill a frame is left out.
fn frames(ctx: &mut Ctx<'_>, signal: ValueId, length: usize, step: i64) -> Result<ValueId, OpError> {
    let length = i64::try_from(length).map_err(|_| OpError::Feature("a frame of this length"))?;
    let size = ctx.size_of(signal, 1)?;
    let room = ctx.compute(Ew::Sub, size, length)?;
    let steps = ctx.compute(Ew::FloorDiv, room, step)?;
    let count = ctx.compute(Ew::Sum, steps, 1)?;
    let count = ctx.at_least_zero(count)?;
    let starts = ctx.count_up(count)?;
    let starts = ctx.compute(Ew::Prod, starts, step)?;
    let starts = ctx.unsqueeze(starts, vec![1])?;
    let length = ctx.number(length);
    let within = ctx.count_up(length)?;
    let places = ctx.binary(Ew::Sum, starts, within)?;
    ctx.add(Gather { mode: GatherMode::Default, axis: 1, element_wise_dims: 0 }, &[signal, places])
}

/// Type of a fixed result: the attribute `output_datatype`. `f64` is computed in `f32`.
fn output_type(node: &Node) -> Result<DType, OpError> {
    let code = node.attrs.int_or("output_datatype", 1)?;
    match dtype_from_onnx(code) {
        Some(DType::F64) => Ok(DType::F32),
        Some(dtype) => Ok(dtype),
        None => Err(OpError::invalid(format!("attribute `output_datatype` is {code}, which is no number type"))),
    }
}

/// `BlackmanWindow`, `HammingWindow`, `HannWindow` of a known size: a constant, from the part of a turn that each place
/// stands for.
fn window(ctx: &mut Ctx<'_>, node: &Node, height: impl Fn(f64) -> f64) -> Result<Values, OpError> {
    let size = required_size(ctx, 0)?;
    let periodic = node.attrs.int_or("periodic", 1)? != 0;
    if size > MOST_NUMBERS || size == 1 && !periodic {
        let supported = "2 (1 where it is periodic) to 2^24";
        return Err(OpError::Value { what: "input `size`", value: size.to_string(), supported });
    }
    let turn = real_size(if periodic { size } else { size - 1 });
    let heights: Vec<f64> = (0..size).map(|at| height(real_size(at) / turn)).collect();
    let window = rounded(output_type(node)?, vec![size], &heights)?;
    Ok(smallvec![ctx.constant_value(window)])
}

/// `MelWeightMatrix` of known inputs: a constant of triangles, whose corners lie equally far apart in mel.
fn mel_weight_matrix(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (bands, length, rate) = (required_size(ctx, 0)?, required_size(ctx, 1)?, required_size(ctx, 2)?);
    let edge = |at| match ctx.floats(at)?.as_deref() {
        Some(&[hertz]) if hertz >= 0.0 => Ok(f64::from(hertz)),
        _ => Err(OpError::invalid(format!("input `{}` is no frequency", ctx.input_name(at)))),
    };
    let mel = |hertz: f64| 2595.0 * (hertz / 700.0).ln_1p() / 10f64.ln();
    let (low, high) = (mel(edge(3)?), mel(edge(4)?));
    let frequencies = length / 2 + 1;
    if frequencies.saturating_mul(bands) > MOST_NUMBERS {
        return Err(OpError::Value {
            what: "the matrix",
            value: format!("{frequencies} by {bands}"),
            supported: "up to 2^24 numbers",
        });
    }
    let corner = |at: usize| {
        let hertz =
            700.0 * ((low + real_size(at) * (high - low) / real_size(bands + 2)) / 2595.0 * 10f64.ln()).exp_m1();
        (real_size(length + 1) * hertz / real_size(rate)).floor()
    };
    let mut matrix = vec![0.0; frequencies * bands];
    for band in 0..bands {
        let (left, centre, right) = (corner(band), corner(band + 1), corner(band + 2));
        if left > centre || right >= real_size(frequencies) + 1.0 || centre >= real_size(frequencies) {
            return Err(OpError::invalid(format!("band {band} ends at {right} of {frequencies} frequencies")));
        }
        for (at, row) in matrix.chunks_exact_mut(bands).enumerate() {
            if let Some(weight) = row.get_mut(band) {
                *weight = triangle(real_size(at), left, centre, right);
            }
        }
    }
    let matrix = rounded(output_type(node)?, vec![frequencies, bands], &matrix)?;
    Ok(smallvec![ctx.constant_value(matrix)])
}

/// The height over `at` of a triangle that rises from `left` to 1 at the centre and falls to `right`.
fn triangle(at: f64, left: f64, centre: f64, right: f64) -> f64 {
    if at >= centre && at < right {
        (right - at) / (right - centre)
    } else if at >= left && at <= centre {
        if left < centre { (at - left) / (centre - left) } else { 1.0 }
    } else {
        0.0
    }
}
