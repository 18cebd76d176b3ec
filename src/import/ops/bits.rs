//! Whole numbers as bits, as far as arithmetic can say it: exact, but with more layers than bits
//! deserve.
//!
//! TensorRT computes with `i32` and `i64`. Numbers of 8 bits and all that is made of them on the
//! way fit in `f32`.

use super::quantize::{from_real, real};
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{
    ElementWiseOperation as Ew, Gather, GatherMode, ReduceOperation, UnaryOperation as Un,
};
use crate::network::{ValueId, Values};
use crate::onnx::{Node, dtype_from_onnx};
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("BitCast", 26..=NOW, "input", bit_cast),
    onnx("BitShift", 11..=NOW, "X Y", bit_shift),
    onnx("BitwiseAnd", 18..=NOW, "A B", |ctx, _| bitwise(ctx, Ew::Min)),
    onnx("BitwiseNot", 18..=NOW, "X", bitwise_not),
    onnx("BitwiseOr", 18..=NOW, "A B", |ctx, _| bitwise(ctx, Ew::Max)),
    onnx("BitwiseXor", 18..=NOW, "A B", |ctx, _| bitwise(ctx, Ew::Sub)),
];

/// Whole numbers of a type that has bits here, in a type that TensorRT computes with.
#[derive(Debug, Clone, Copy)]
struct Bits {
    dtype: DType,
    /// How many.
    count: u32,
    signed: bool,
}

impl Bits {
    fn of(ctx: &Ctx<'_>, x: ValueId) -> Result<Self, OpError> {
        let dtype = ctx.dtype(x);
        let (count, signed) = match dtype {
            DType::U8 => (8, false),
            DType::I8 => (8, true),
            DType::I32 => (32, true),
            DType::I64 => (64, true),
            _ => {
                return Err(OpError::DType {
                    what: "the input",
                    dtype,
                    supported: "u8, i8, i32, i64",
                });
            }
        };
        Ok(Self { dtype, count, signed })
    }

    fn small(self) -> bool {
        self.count == 8
    }

    /// The numbers ready for arithmetic.
    fn open(self, ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
        if self.small() { real(ctx, x) } else { Ok(x) }
    }

    /// The way back; what lies outside the type loses its higher bits.
    fn close(self, ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
        if !self.small() {
            return Ok(x);
        }
        let low = if self.signed { 128.0 } else { 0.0 };
        let raised = ctx.binary_scalar(Ew::Sum, x, low)?;
        let turns = ctx.binary_scalar(Ew::Prod, raised, 1.0 / 256.0)?;
        let turns = ctx.unary(Un::Floor, turns)?;
        let beyond = ctx.binary_scalar(Ew::Prod, turns, 256.0)?;
        let inside = ctx.binary(Ew::Sub, x, beyond)?;
        from_real(ctx, inside, self.dtype)
    }

    /// The powers of two that one element can shift by, from 2^0 on; of the sign bit, the lowest
    /// number there is.
    fn powers(self, ctx: &mut Ctx<'_>) -> ValueId {
        let small =
            |bit: u32| if self.signed && bit == 7 { -128f32 } else { f32::from(1u8 << bit) };
        let bits = 0..self.count;
        ctx.constant_value(match self.dtype {
            DType::I64 => Tensor::vector(&bits.map(|bit| 1i64 << bit).collect::<Vec<_>>()),
            DType::I32 => Tensor::vector(&bits.map(|bit| 1i32 << bit).collect::<Vec<_>>()),
            _ => Tensor::vector(&bits.map(small).collect::<Vec<_>>()),
        })
    }

    /// ⌊x / 2^n⌋ for fixed n from 0 to one less than there are bits, in the last axis.
    fn shifted_right(self, ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
        if self.small() {
            let halves = halves(ctx);
            let quotients = ctx.binary(Ew::Prod, x, halves)?;
            return ctx.unary(Un::Floor, quotients);
        }
        let powers = self.powers(ctx);
        let quotients = divide_down(ctx, x, powers)?;
        // The last power is negative as a number: of such a shift only the sign is left.
        let sign = sign_bits(ctx, x)?;
        let zero = ctx.filled(self.dtype, 0.0, 0)?;
        let last = ctx.binary(Ew::Less, powers, zero)?;
        ctx.select(last, sign, quotients)
    }

    /// The bits of the numbers, 0 or 1, the lowest first in a new last axis.
    fn split(self, ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
        let column = ctx.unsqueeze(x, vec![ctx.rank(x)])?;
        let shifted = self.shifted_right(ctx, column)?;
        let half = if self.small() {
            let half = ctx.binary_scalar(Ew::Prod, shifted, 0.5)?;
            ctx.unary(Un::Floor, half)?
        } else {
            let two = ctx.filled(self.dtype, 2.0, 0)?;
            divide_down(ctx, shifted, two)?
        };
        let even = ctx.binary(Ew::Sum, half, half)?;
        ctx.binary(Ew::Sub, shifted, even)
    }
}

/// What to multiply numbers of 8 bits by to shift them right, from 2^0 down.
fn halves(ctx: &mut Ctx<'_>) -> ValueId {
    let halves: Vec<f32> = (0..8u8).map(|bit| 1.0 / f32::from(1u8 << bit)).collect();
    ctx.constant_value(Tensor::vector(&halves))
}

/// −1 for negative numbers, else 0.
fn sign_bits(ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
    let dtype = ctx.dtype(x);
    let (zero, ones) = (ctx.filled(dtype, 0.0, 0)?, ctx.filled(dtype, -1.0, 0)?);
    let negative = ctx.binary(Ew::Less, x, zero)?;
    ctx.select(negative, ones, zero)
}

/// ⌊a / b⌋ of whole numbers, b above 0. TensorRT's own FloorDiv is inexact for large numbers.
fn divide_down(ctx: &mut Ctx<'_>, a: ValueId, b: ValueId) -> Result<ValueId, OpError> {
    let quotient = ctx.binary(Ew::Div, a, b)?;
    let product = ctx.binary(Ew::Prod, quotient, b)?;
    let rest = ctx.binary(Ew::Sub, a, product)?;
    let correction = sign_bits(ctx, rest)?;
    ctx.binary(Ew::Sum, quotient, correction)
}

/// `BitwiseAnd`, `BitwiseOr`, `BitwiseXor`: the smaller, the larger or the difference of each pair
/// of bits, which are put together again. The bits take as many times the memory of the data.
fn bitwise(ctx: &mut Ctx<'_>, operation: Ew) -> Result<Values, OpError> {
    let (a, b) = (ctx.input(0)?, ctx.input(1)?);
    let bits = Bits::of(ctx, a)?;
    let (a, b) = (bits.open(ctx, a)?, bits.open(ctx, b)?);
    let operands = ctx.align(&[a, b])?;
    let split =
        operands.iter().map(|&operand| bits.split(ctx, operand)).collect::<Result<Vec<_>, _>>()?;
    let [a, b] = split[..] else { return Err(OpError::invalid("has not two inputs")) };
    let mut pairs = ctx.binary(operation, a, b)?;
    if operation == Ew::Sub {
        pairs = ctx.binary(Ew::Prod, pairs, pairs)?;
    }
    let powers = bits.powers(ctx);
    let values = ctx.binary(Ew::Prod, pairs, powers)?;
    let last = ctx.rank(values).saturating_sub(1);
    let joined = ctx.reduce(ReduceOperation::Sum, values, vec![last], false)?;
    Ok(smallvec![if bits.small() { from_real(ctx, joined, bits.dtype)? } else { joined }])
}

/// `BitwiseNot`: −1 − x; of `u8` 255 − x.
fn bitwise_not(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let bits = Bits::of(ctx, x)?;
    let x = bits.open(ctx, x)?;
    let all = ctx.filled(ctx.dtype(x), if bits.signed { -1.0 } else { 255.0 }, 0)?;
    let inverse = ctx.binary(Ew::Sub, all, x)?;
    Ok(smallvec![if bits.small() { from_real(ctx, inverse, bits.dtype)? } else { inverse }])
}

/// `BitShift`: a product with a power of two, whose higher bits are lost, or a quotient rounded
/// down.
///
/// Distances below 0 or beyond the type's bits leave nothing but the sign of what is shifted right.
fn bit_shift(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, distance) = (ctx.input(0)?, ctx.input(1)?);
    let bits = Bits::of(ctx, x)?;
    let left = match node.attrs.string("direction")? {
        Some("LEFT") => true,
        Some("RIGHT") => false,
        other => {
            return Err(OpError::invalid(format!(
                "attribute `direction` is {other:?}, not `LEFT` or `RIGHT`"
            )));
        }
    };
    let (x, distance) = (bits.open(ctx, x)?, bits.open(ctx, distance)?);
    // Shifted right by all but one of its bits, a signed number leaves its sign too.
    let most = if bits.signed && !left { bits.count - 2 } else { bits.count - 1 };
    let dtype = ctx.dtype(x);
    let (zero, most) = (ctx.filled(dtype, 0.0, 0)?, ctx.filled(dtype, f64::from(most), 0)?);
    let below = ctx.binary(Ew::Less, distance, zero)?;
    let above = ctx.binary(Ew::Greater, distance, most)?;
    let outside = ctx.binary(Ew::Or, below, above)?;
    let place = ctx.select(outside, zero, distance)?;
    let place = ctx.cast(place, DType::I32)?;
    let factors = if bits.small() && !left { halves(ctx) } else { bits.powers(ctx) };
    let factor = ctx.add(
        Gather { mode: GatherMode::Default, axis: 0, element_wise_dims: 0 },
        &[factors, place],
    )?;
    let (shifted, rest) = match (left, bits.small()) {
        (true, _) => (ctx.binary(Ew::Prod, x, factor)?, zero),
        (false, true) => {
            let quotient = ctx.binary(Ew::Prod, x, factor)?;
            (ctx.unary(Un::Floor, quotient)?, sign_bits(ctx, x)?)
        }
        (false, false) => (divide_down(ctx, x, factor)?, sign_bits(ctx, x)?),
    };
    let y = ctx.select(outside, rest, shifted)?;
    Ok(smallvec![bits.close(ctx, y)?])
}

/// `BitCast` of constants, and between types in which it is arithmetic: those of 8 bits.
fn bit_cast(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let code =
        node.attrs.int("to")?.ok_or_else(|| OpError::invalid("attribute `to` is missing"))?;
    let to = match dtype_from_onnx(code) {
        Some(DType::F64) => DType::F32,
        Some(dtype) if dtype.in_tensorrt() => dtype,
        Some(dtype) => {
            return Err(OpError::DType {
                what: "attribute `to`",
                dtype,
                supported: "the types TensorRT has",
            });
        }
        None => {
            return Err(OpError::invalid(format!(
                "attribute `to` is {code}, which is no number type"
            )));
        }
    };
    let from = ctx.dtype(x);
    if from == to {
        return Ok(smallvec![x]);
    }
    if from.bits() != to.bits() {
        return Err(OpError::DType {
            what: "the input",
            dtype: from,
            supported: "types as wide as the result's",
        });
    }
    if let Some(tensor) = ctx.constant(x) {
        let same = Tensor::new(to, tensor.dims().to_vec(), tensor.bytes().clone())?;
        return Ok(smallvec![ctx.constant_value(same)]);
    }
    let numbers = match (from, to) {
        (DType::Bool, DType::U8 | DType::I8) => ctx.cast(x, DType::F32)?,
        (DType::U8, DType::I8) | (DType::I8, DType::U8) => real(ctx, x)?,
        _ => {
            return Err(OpError::DType {
                what: "the input",
                dtype: from,
                supported: "constants, bool, u8, i8",
            });
        }
    };
    let bits = Bits { dtype: to, count: 8, signed: to == DType::I8 };
    Ok(smallvec![bits.close(ctx, numbers)?])
}
