//! `Pow`. TensorRT has it for real numbers only; powers of whole numbers are products, which lose
//! no digits.

use super::elementwise::truncate;
use super::quantize::real;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{ElementWiseOperation as Ew, UnaryOperation as Un};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[onnx("Pow", 7..=NOW, "X Y", pow)];

/// Bits of an exponent that say all: with more, only powers of −1, 0 and 1 are in the range of
/// `i64`.
const BITS: u32 = 6;

/// From here on every `f32` is whole and even, as the number itself is.
const EVEN: f64 = 16_777_216.0;

/// `Pow`: the exponent may have another type than the base, which is the result's.
fn pow(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (x, y) = (ctx.input(0)?, ctx.input(1)?);
    let dtype = ctx.dtype(x);
    if dtype.is_float() {
        let y = ctx.cast(y, dtype)?;
        return Ok(smallvec![ctx.binary(Ew::Pow, x, y)?]);
    }
    if !matches!(dtype, DType::I64 | DType::I32) {
        return Err(OpError::DType {
            what: "input `X`",
            dtype,
            supported: "floating point, i64, i32",
        });
    }
    let y = match ctx.dtype(y) {
        DType::I64 | DType::I32 => y,
        DType::U8 | DType::I8 => {
            let y = real(ctx, y)?;
            ctx.cast(y, DType::I32)?
        }
        _ => return Ok(smallvec![by_real(ctx, x, y)?]),
    };
    Ok(smallvec![by_whole(ctx, x, y)?])
}

/// A whole number to a real exponent: the same as to a whole one where it is whole, else truncated.
fn by_real(ctx: &mut Ctx<'_>, x: ValueId, y: ValueId) -> Result<ValueId, OpError> {
    let y = ctx.cast(y, DType::F32)?;
    let exponent = truncate(ctx, y)?;
    let exponent = ctx.binary_scalar(Ew::Max, exponent, -EVEN)?;
    let exponent = ctx.binary_scalar(Ew::Min, exponent, EVEN)?;
    let exponent = ctx.cast(exponent, DType::I32)?;
    let product = by_whole(ctx, x, exponent)?;
    let floor = ctx.unary(Un::Floor, y)?;
    let whole = ctx.binary(Ew::Equal, floor, y)?;
    if ctx.constant(whole).is_some_and(|whole| whole.bytes().iter().all(|&truth| truth != 0)) {
        return Ok(product);
    }
    ctx.note("powers with an exponent that is not whole are computed in f32");
    let base = ctx.cast(x, DType::F32)?;
    let power = ctx.binary(Ew::Pow, base, y)?;
    let power = ctx.cast(power, ctx.dtype(x))?;
    ctx.select(whole, product, power)
}

/// A whole number to a whole exponent. Where that is negative the result is that of ±1, or 0.
fn by_whole(ctx: &mut Ctx<'_>, x: ValueId, y: ValueId) -> Result<ValueId, OpError> {
    let only =
        |tensor: Tensor| tensor.to_i64s().filter(|values| values.len() == 1)?.first().copied();
    if let Some(exponent) = ctx.constant(y).and_then(only)
        && let Ok(exponent @ 1..) = u32::try_from(exponent)
        && exponent < 1 << BITS
    {
        let x = ctx.lead(x, ctx.rank(y))?;
        return repeated(ctx, x, exponent);
    }
    let dtype = ctx.dtype(x);
    let magnitude = ctx.unary(Un::Abs, y)?;
    let (_, odd) = halved(ctx, magnitude)?;
    // What no exponent of so many bits can say is as good as the largest of its parity.
    let parity = ctx.binary_scalar(Ew::Sum, odd, 62.0)?;
    let large = ctx.binary_scalar(Ew::Greater, magnitude, 63.0)?;
    let exponent = ctx.select(large, parity, magnitude)?;
    let exponent = ctx.cast(exponent, dtype)?;
    let power = by_bits(ctx, x, exponent)?;

    let negative = ctx.binary_scalar(Ew::Less, y, 0.0)?;
    let size = ctx.unary(Un::Abs, x)?;
    let unit = ctx.binary_scalar(Ew::Equal, size, 1.0)?;
    let other = ctx.unary(Un::Not, unit)?;
    let vanishes = ctx.binary(Ew::And, negative, other)?;
    let zero = ctx.filled(dtype, 0.0, ctx.rank(power))?;
    ctx.select(vanishes, zero, power)
}

/// x·x·…: squares, and products of those that the exponent's bits name.
fn repeated(ctx: &mut Ctx<'_>, x: ValueId, exponent: u32) -> Result<ValueId, OpError> {
    let (mut square, mut rest, mut power) = (x, exponent, None);
    loop {
        if rest % 2 == 1 {
            power = Some(power.map_or(Ok(square), |power| ctx.binary(Ew::Prod, power, square))?);
        }
        rest /= 2;
        match power {
            Some(power) if rest == 0 => return Ok(power),
            _ => square = ctx.binary(Ew::Prod, square, square)?,
        }
    }
}

/// The same for exponents that the run knows, each from 0 to 63.
fn by_bits(ctx: &mut Ctx<'_>, x: ValueId, exponent: ValueId) -> Result<ValueId, OpError> {
    let (mut square, mut rest) = (x, exponent);
    let mut power = ctx.filled(ctx.dtype(x), 1.0, 0)?;
    for bit in 0..BITS {
        let (half, odd) = halved(ctx, rest)?;
        let odd = ctx.cast(odd, DType::Bool)?;
        let product = ctx.binary(Ew::Prod, power, square)?;
        power = ctx.select(odd, product, power)?;
        rest = half;
        if bit + 1 < BITS {
            square = ctx.binary(Ew::Prod, square, square)?;
        }
    }
    Ok(power)
}

/// Half of a whole number, towards 0, and what is left of it.
fn halved(ctx: &mut Ctx<'_>, whole: ValueId) -> Result<(ValueId, ValueId), OpError> {
    let half = ctx.binary_scalar(Ew::Div, whole, 2.0)?;
    let even = ctx.binary_scalar(Ew::Prod, half, 2.0)?;
    Ok((half, ctx.binary(Ew::Sub, whole, even)?))
}
