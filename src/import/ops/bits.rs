//! Whole numbers as bits, as far as arithmetic can say it.

use crate::import::ctx::Ctx;
use crate::import::error::OpError;
use crate::import::registry::{NOW, Op, onnx};
use crate::network::Values;
use crate::network::layer::math::ElementWiseOperation as Ew;
use crate::onnx::Node;
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

pub(super) const OPS: &[Op] =
    &[onnx("BitShift", 11..=NOW, "X Y", bit_shift), onnx("BitwiseNot", 18..=NOW, "X", bitwise_not)];

/// `BitShift` by fixed numbers: a product with powers of two, or a quotient rounded down.
///
/// Products wrap around, which is what shifting out does; `u8` is computed in `i32`.
fn bit_shift(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let dtype = ctx.dtype(x);
    let left = match node.attrs.string("direction")? {
        Some("LEFT") => true,
        Some("RIGHT") => false,
        other => return Err(OpError::invalid(format!("attribute `direction` is {other:?}, not `LEFT` or `RIGHT`"))),
    };
    let (wide, bits) = match dtype {
        DType::U8 => (DType::I32, 8),
        DType::I32 => (DType::I32, 32),
        DType::I64 => (DType::I64, 64),
        _ => return Err(OpError::DType { what: "input `X`", dtype, supported: "u8, i32, i64" }),
    };
    let distances = ctx.constant_input(1)?.ok_or_else(|| OpError::invalid("input `Y` is missing"))?;
    let powers = distances.to_i64s().unwrap_or_default();
    // The power of the sign bit is the lowest number there is; what lies further out is taken in the range below.
    let most = if dtype == DType::U8 { 8 } else { bits - 2 };
    let powers = powers.into_iter().map(|distance| {
        let distance = u32::try_from(distance).ok().filter(|&distance| distance <= most);
        distance.map(|distance| 1i64 << distance)
    });
    let supported = "0 to 8 for u8, 0 to 30 for i32, 0 to 62 for i64";
    let powers = powers.collect::<Option<Vec<_>>>();
    let powers = powers.ok_or(OpError::Value { what: "input `Y`", value: format!("{distances:?}"), supported })?;
    let powers = ctx.constant_value(Tensor::of(distances.dims().to_vec(), powers)?);
    let (x, powers) = (ctx.cast(x, wide)?, ctx.cast(powers, wide)?);
    let shifted = ctx.binary(if left { Ew::Prod } else { Ew::FloorDiv }, x, powers)?;
    if dtype != DType::U8 {
        return Ok(smallvec![shifted]);
    }
    let over = ctx.binary_scalar(Ew::FloorDiv, shifted, 256.0)?;
    let over = ctx.binary_scalar(Ew::Prod, over, 256.0)?;
    let kept = ctx.binary(Ew::Sub, shifted, over)?;
    Ok(smallvec![ctx.cast(kept, dtype)?])
}

/// `BitwiseNot`: −1 − x; of `u8` 255 − x.
fn bitwise_not(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let dtype = ctx.dtype(x);
    let (wide, all) = match dtype {
        DType::U8 => (DType::I32, 255.0),
        DType::I8 => (DType::I32, -1.0),
        DType::I32 | DType::I64 => (dtype, -1.0),
        _ => return Err(OpError::DType { what: "input `X`", dtype, supported: "u8, i8, i32, i64" }),
    };
    let x = ctx.cast(x, wide)?;
    let all = ctx.filled(wide, all, ctx.rank(x))?;
    let inverse = ctx.binary(Ew::Sub, all, x)?;
    Ok(smallvec![ctx.cast(inverse, dtype)?])
}
