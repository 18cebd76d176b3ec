//! Signals and their frequencies: Fourier transforms as products with fixed matrices, and fixed
//! windows and filters.

use crate::import::build::axes::{along, rounded};
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{
    ElementWiseOperation as Ew, Gather, GatherMode, MatrixMultiply, MatrixOperation,
    UnaryOperation as Un,
};
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
    onnx("HannWindow", 17..=NOW, "size", |ctx, node| {
        window(ctx, node, |turn| (PI * turn).sin().powi(2))
    }),
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
        Some(list) => Err(OpError::invalid(format!(
            "input `{}` is {list:?}, not one number",
            ctx.input_name(at)
        ))),
    }
}

/// The same as a size above 0.
fn fixed_size(ctx: &Ctx<'_>, at: usize) -> Result<Option<usize>, OpError> {
    let Some(number) = fixed(ctx, at)? else { return Ok(None) };
    let size = usize::try_from(number).ok().filter(|&size| size > 0);
    size.map(Some)
        .ok_or_else(|| OpError::invalid(format!("input `{}` is {number}", ctx.input_name(at))))
}

fn required_size(ctx: &Ctx<'_>, at: usize) -> Result<usize, OpError> {
    fixed_size(ctx, at)?
        .ok_or_else(|| OpError::invalid(format!("input `{}` is missing", ctx.input_name(at))))
}

/// The length that the node's input at this position holds.
fn length_input(ctx: &mut Ctx<'_>, at: usize) -> Result<Option<ValueId>, OpError> {
    let Some(list) = ctx.maybe_numbers(at)? else { return Ok(None) };
    ctx.check_sizes_from(at)?;
    match list[..] {
        [length] if ctx.known(length).is_none_or(|length| length > 0) => Ok(Some(length)),
        _ => fixed_size(ctx, at).map(|_| None),
    }
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
    /// Whether only the frequencies up to half the length stand on the complex side, the others
    /// being their mirror.
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

    /// What each given number adds to each number of the result:
    /// `[given · parts, elements · numbers]`.
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
                    let (sin, cos) =
                        if self.inverse { angle.sin_cos() } else { (-angle).sin_cos() };
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

    /// How often an element counts: not at all beyond the length; twice where it stands for its
    /// mirror too.
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
        let (elements, numbers) = self.result();
        let matrix = rounded(
            ctx.dtype(x),
            vec![self.given * self.parts, elements * numbers],
            &self.matrix()?,
        )?;
        let matrix = ctx.constant_value(matrix);
        let size =
            |size| i64::try_from(size).map_err(|_| OpError::invalid(format!("a size of {size}")));
        let elements = ctx.number(size(elements)?);
        multiplied(ctx, x, matrix, elements, size(numbers)?)
    }
}

/// The last two axes of a value as a row, times a matrix: these many elements of so many numbers.
fn multiplied(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    matrix: ValueId,
    elements: ValueId,
    numbers: i64,
) -> Result<ValueId, OpError> {
    let rank = ctx.rank(x);
    let sizes = ctx.sizes(x)?;
    let (outer, inner) = sizes.split_at(rank.saturating_sub(2));
    let row = ctx.product(inner)?;
    let (one, numbers) = (ctx.number(1), ctx.number(numbers));
    // A row of one keeps the product a matrix whatever the rank.
    let rows: Vec<ValueId> = outer.iter().copied().chain([one, row]).collect();
    let rows = ctx.reshape_to(x, &rows)?;
    let matrix = ctx.lead(matrix, rank)?;
    let product = MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::None };
    let product = ctx.add(product, &[rows, matrix])?;
    let result: Vec<ValueId> = outer.iter().copied().chain([elements, numbers]).collect();
    ctx.reshape_to(product, &result)
}

/// A [`Transform`] of a length that only the run knows: its matrix is computed then.
#[derive(Debug, Clone, Copy)]
struct OpenTransform {
    /// `i64[1]`, as in a [`Transform`].
    given: ValueId,
    length: ValueId,
    parts: usize,
    inverse: bool,
    onesided: bool,
}

impl OpenTransform {
    /// The same with fixed lengths, if they are.
    fn fixed(&self, ctx: &Ctx<'_>) -> Option<Transform> {
        let size = |number| usize::try_from(ctx.known(number)?).ok();
        let Self { parts, inverse, onesided, .. } = *self;
        Some(Transform {
            given: size(self.given)?,
            length: size(self.length)?,
            parts,
            inverse,
            onesided,
        })
    }

    /// Applies it to the last but one axis of a value.
    fn apply(&self, ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
        if let Some(fixed) = self.fixed(ctx) {
            return fixed.apply(ctx, x);
        }
        let half = ctx.compute(Ew::FloorDiv, self.length, 2)?;
        let half = ctx.compute(Ew::Sum, half, 1)?;
        let elements = if self.onesided && !self.inverse { half } else { self.length };
        let numbers = if self.onesided && self.inverse { 1 } else { 2 };
        let (from, to) = (ctx.count_up(self.given)?, ctx.count_up(elements)?);
        let from = ctx.unsqueeze(from, vec![1])?;
        // Reduced first: the angle stays exact however long the signal is.
        let turns = ctx.binary(Ew::Prod, from, to)?;
        let whole = ctx.binary(Ew::FloorDiv, turns, self.length)?;
        let whole = ctx.binary(Ew::Prod, whole, self.length)?;
        let rest = ctx.binary(Ew::Sub, turns, whole)?;
        let (cos, sin) = self.cos_sin(ctx, rest)?;
        let length = ctx.cast(self.length, DType::F32)?;
        let weight = self.weight(ctx, from, half, length)?;
        let mut weighed = |value| {
            let value = ctx.binary(Ew::Prod, value, weight)?;
            ctx.unsqueeze(value, vec![1, 3])
        };
        let (cos, sin) = (weighed(cos)?, weighed(sin)?);
        // (1 or i) · (cos + i sin), as in a fixed matrix.
        let negative = ctx.unary(Un::Neg, sin)?;
        let mut part = |real, imaginary| {
            if numbers == 1 { Ok(real) } else { ctx.concat(&[real, imaginary], 3) }
        };
        let (first, second) = (part(cos, sin)?, part(negative, cos)?);
        let matrix = if self.parts == 1 { first } else { ctx.concat(&[first, second], 1)? };
        let (parts, width) = (
            i64::try_from(self.parts).unwrap_or(i64::MAX),
            ctx.compute(Ew::Prod, elements, numbers)?,
        );
        let rows = ctx.compute(Ew::Prod, self.given, parts)?;
        let matrix = ctx.reshape_to(matrix, &[rows, width])?;
        let matrix = ctx.cast(matrix, ctx.dtype(x))?;
        multiplied(ctx, x, matrix, elements, numbers)
    }

    /// Cosine and sine of so many parts of a turn, each one by the length; of the same turn
    /// backwards unless inverse.
    ///
    /// From an angle within a quarter of the turn: so what should be 0 or 1 is just that.
    fn cos_sin(&self, ctx: &mut Ctx<'_>, parts: ValueId) -> Result<(ValueId, ValueId), OpError> {
        let quarters = ctx.compute(Ew::Prod, parts, 4)?;
        let quarter = ctx.binary(Ew::FloorDiv, quarters, self.length)?;
        let whole = ctx.binary(Ew::Prod, quarter, self.length)?;
        let rest = ctx.binary(Ew::Sub, quarters, whole)?;
        let (rest, length) = (ctx.cast(rest, DType::F32)?, ctx.cast(self.length, DType::F32)?);
        let part = ctx.binary(Ew::Div, rest, length)?;
        let angle = ctx.binary_scalar(Ew::Prod, part, PI / 2.0)?;
        let (cos, sin) = (ctx.unary(Un::Cos, angle)?, ctx.unary(Un::Sin, angle)?);
        // An odd quarter swaps them; the second and third negate the cosine, the third and fourth
        // the sine.
        let half = ctx.compute(Ew::FloorDiv, quarter, 2)?;
        let even = ctx.compute(Ew::Prod, half, 2)?;
        let odd = ctx.binary(Ew::Greater, quarter, even)?;
        let second_half = ctx.compute(Ew::Greater, half, 0)?;
        let turned = ctx.binary(Ew::Xor, odd, second_half)?;
        let (minus_cos, minus_sin) = (ctx.unary(Un::Neg, cos)?, ctx.unary(Un::Neg, sin)?);
        let along = ctx.select(odd, sin, cos)?;
        let along_negated = ctx.select(odd, minus_sin, minus_cos)?;
        let across = ctx.select(odd, cos, sin)?;
        let across_negated = ctx.select(odd, minus_cos, minus_sin)?;
        let cos = ctx.select(turned, along_negated, along)?;
        let (late, early) =
            if self.inverse { (across_negated, across) } else { (across, across_negated) };
        Ok((cos, ctx.select(second_half, late, early)?))
    }

    /// How often each element counts, as in [`Transform::weight`]: `f32[given, 1]`.
    fn weight(
        &self,
        ctx: &mut Ctx<'_>,
        from: ValueId,
        half: ValueId,
        length: ValueId,
    ) -> Result<ValueId, OpError> {
        let mirrored = self.onesided && self.inverse;
        let (one, zero) = (ctx.filled(DType::F32, 1.0, 2)?, ctx.filled(DType::F32, 0.0, 2)?);
        let scale = if self.inverse { ctx.binary(Ew::Div, one, length)? } else { one };
        let end = if mirrored { half } else { self.length };
        let counts = ctx.binary(Ew::Less, from, end)?;
        let weight = ctx.select(counts, scale, zero)?;
        if !mirrored {
            return Ok(weight);
        }
        let twice = ctx.compute(Ew::Prod, from, 2)?;
        let middle = ctx.binary(Ew::Equal, twice, self.length)?;
        let first = ctx.compute(Ew::Equal, from, 0)?;
        let alone = ctx.binary(Ew::Or, middle, first)?;
        let double = ctx.binary_scalar(Ew::Prod, weight, 2.0)?;
        ctx.select(alone, weight, double)
    }
}

/// 1 for real numbers, 2 for complex ones: the size of the last axis.
fn parts(ctx: &Ctx<'_>, x: ValueId) -> Result<usize, OpError> {
    let last = ctx.rank(x).checked_sub(1).and_then(|last| ctx.size(x, last));
    match last {
        Some(parts @ 1..=2) => Ok(parts),
        Some(other) => Err(OpError::invalid(format!("the last axis has size {other}, not 1 or 2"))),
        None => Err(ctx.open_size("whether numbers are complex", x, ctx.rank(x).saturating_sub(1))),
    }
}

/// `DFT`: a MatrixMultiply with sines and cosines along an axis.
fn dft(ctx: &mut Ctx<'_>, node: &Node, axis: i64) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let rank = ctx.rank(x);
    let axis = ctx.axis(axis, rank)?;
    if axis + 1 == rank {
        return Err(OpError::invalid(format!(
            "axis {axis} is the one of real and imaginary parts"
        )));
    }
    let given = ctx.size_of(x, axis)?;
    let inverse = node.attrs.int_or("inverse", 0)? != 0;
    let onesided = node.attrs.int_or("onesided", 0)? != 0;
    let length = match length_input(ctx, 1)? {
        Some(length) => length,
        None if inverse && onesided => {
            let last = ctx.compute(Ew::Sub, given, 1)?;
            ctx.compute(Ew::Prod, last, 2)?
        }
        None => given,
    };
    let transform = OpenTransform { given, length, parts: parts(ctx, x)?, inverse, onesided };
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(axis, rank - 2);
    let moved = ctx.transpose(x, order.clone())?;
    let result = transform.apply(ctx, moved)?;
    Ok(smallvec![ctx.transpose(result, order)?])
}

/// `STFT`: the frames gathered, weighed by the window and transformed. The signal may have any
/// length.
fn stft(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let signal = ctx.input(0)?;
    let signal = if ctx.rank(signal) == 2 { ctx.unsqueeze(signal, vec![2])? } else { signal };
    if ctx.rank(signal) != 3 {
        return Err(OpError::Rank {
            what: "input `signal`",
            rank: ctx.rank(signal),
            supported: "2 or 3",
        });
    }
    let step =
        length_input(ctx, 1)?.ok_or_else(|| OpError::invalid("input `frame_step` is missing"))?;
    let window = ctx.maybe(2);
    let of_window = window.map(|window| ctx.size_of(window, 0)).transpose()?;
    let length = match length_input(ctx, 3)?.or(of_window) {
        Some(length) => length,
        None => ctx.size_of(signal, 1)?,
    };
    if let (Some(frame), Some(window)) =
        (ctx.known(length), of_window.and_then(|size| ctx.known(size)))
        && frame != window
    {
        return Err(OpError::invalid(format!(
            "frames have {frame} elements, input `window` has {window}"
        )));
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
    let transform = OpenTransform {
        given: length,
        length,
        parts: parts(ctx, signal)?,
        inverse: false,
        onesided,
    };
    Ok(smallvec![transform.apply(ctx, weighed)?])
}

/// `[batch, signal, parts]` as `[batch, frames, length, parts]`; what does not fill a frame is left
/// out.
fn frames(
    ctx: &mut Ctx<'_>,
    signal: ValueId,
    length: ValueId,
    step: ValueId,
) -> Result<ValueId, OpError> {
    let size = ctx.size_of(signal, 1)?;
    let room = ctx.binary(Ew::Sub, size, length)?;
    let steps = ctx.binary(Ew::FloorDiv, room, step)?;
    let count = ctx.compute(Ew::Sum, steps, 1)?;
    let count = ctx.at_least_zero(count)?;
    let starts = ctx.count_up(count)?;
    let starts = ctx.binary(Ew::Prod, starts, step)?;
    let starts = ctx.unsqueeze(starts, vec![1])?;
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
        None => Err(OpError::invalid(format!(
            "attribute `output_datatype` is {code}, which is no number type"
        ))),
    }
}

/// `BlackmanWindow`, `HammingWindow`, `HannWindow` of a known size: a constant, from the part of a
/// turn that each place stands for.
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

/// `MelWeightMatrix` of known inputs: a constant of triangles, whose corners lie equally far apart
/// in mel.
fn mel_weight_matrix(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (bands, length, rate) =
        (required_size(ctx, 0)?, required_size(ctx, 1)?, required_size(ctx, 2)?);
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
        let hertz = 700.0
            * ((low + real_size(at) * (high - low) / real_size(bands + 2)) / 2595.0 * 10f64.ln())
                .exp_m1();
        (real_size(length + 1) * hertz / real_size(rate)).floor()
    };
    let mut matrix = vec![0.0; frequencies * bands];
    for band in 0..bands {
        let (left, center, right) = (corner(band), corner(band + 1), corner(band + 2));
        if left > center
            || right >= real_size(frequencies) + 1.0
            || center >= real_size(frequencies)
        {
            return Err(OpError::invalid(format!(
                "band {band} ends at {right} of {frequencies} frequencies"
            )));
        }
        for (at, row) in matrix.chunks_exact_mut(bands).enumerate() {
            if let Some(weight) = row.get_mut(band) {
                *weight = triangle(real_size(at), left, center, right);
            }
        }
    }
    let matrix = rounded(output_type(node)?, vec![frequencies, bands], &matrix)?;
    Ok(smallvec![ctx.constant_value(matrix)])
}

/// The height over `at` of a triangle that rises from `left` to 1 at the center and falls to
/// `right`.
fn triangle(at: f64, left: f64, center: f64, right: f64) -> f64 {
    if at >= center && at < right {
        (right - at) / (right - center)
    } else if at >= left && at <= center {
        if left < center { (at - left) / (center - left) } else { 1.0 }
    } else {
        0.0
    }
}
