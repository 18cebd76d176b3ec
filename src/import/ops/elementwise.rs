//! Functions of one or several elements without parameters: arithmetic, comparison, logic,
//! rounding, conversion.

use super::quantize::{convert, from_real, real, saturates};
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx, with_lists};
use crate::import::build::operand::Operand;
use crate::import::error::OpError;
use crate::network::layer::{ElementWiseOperation as Ew, UnaryOperation as Un};
use crate::network::{LayerKind, ValueId, Values};
use crate::onnx::{Node, dtype_from_onnx};
use crate::tensor::DType;
use smallvec::smallvec;

/// Attributes of the first opsets that said how to broadcast, or which buffers to reuse.
const CONSUMED: &[&str] = &["consumed_inputs"];

pub(super) const OPS: &[Op] = &[
    onnx("Abs", 1..=NOW, "X", |ctx, _| unary(ctx, Un::Abs)).ignoring(CONSUMED),
    onnx("Acos", 7..=NOW, "input", |ctx, _| unary(ctx, Un::Acos)),
    onnx("Acosh", 9..=NOW, "input", |ctx, _| unary(ctx, Un::Acosh)),
    onnx("Add", 1..=6, "A B", |ctx, node| first_binary(ctx, node, Ew::Sum)).ignoring(CONSUMED),
    onnx("Add", 7..=NOW, "A B", |ctx, _| binary(ctx, Ew::Sum)),
    onnx("And", 1..=6, "A B", |ctx, node| first_binary(ctx, node, Ew::And)),
    onnx("And", 7..=NOW, "A B", |ctx, _| binary(ctx, Ew::And)),
    onnx("Asin", 7..=NOW, "input", |ctx, _| unary(ctx, Un::Asin)),
    onnx("Asinh", 9..=NOW, "input", |ctx, _| unary(ctx, Un::Asinh)),
    onnx("Atan", 7..=NOW, "input", |ctx, _| unary(ctx, Un::Atan)),
    onnx("Atanh", 9..=NOW, "input", |ctx, _| unary(ctx, Un::Atanh)),
    onnx("Cast", 6..=NOW, "input", cast).ignoring(&["round_mode"]),
    onnx("CastLike", 15..=NOW, "input target_type", cast_like).ignoring(&["round_mode"]),
    onnx("Ceil", 1..=NOW, "X", |ctx, _| unary(ctx, Un::Ceil)).ignoring(CONSUMED),
    onnx("Cos", 7..=NOW, "input", |ctx, _| unary(ctx, Un::Cos)),
    onnx("Cosh", 9..=NOW, "input", |ctx, _| unary(ctx, Un::Cosh)),
    onnx("Div", 1..=6, "A B", |ctx, node| first_binary(ctx, node, Ew::Div)).ignoring(CONSUMED),
    onnx("Div", 7..=NOW, "A B", |ctx, _| binary(ctx, Ew::Div)),
    onnx("Equal", 1..=6, "A B", |ctx, node| first_binary(ctx, node, Ew::Equal)),
    onnx("Equal", 7..=NOW, "A B", |ctx, _| binary(ctx, Ew::Equal)),
    onnx("Erf", 9..=NOW, "input", |ctx, _| unary(ctx, Un::Erf)),
    onnx("Exp", 1..=NOW, "input", |ctx, _| unary(ctx, Un::Exp)).ignoring(CONSUMED),
    onnx("Floor", 1..=NOW, "X", |ctx, _| unary(ctx, Un::Floor)).ignoring(CONSUMED),
    onnx("Greater", 1..=6, "A B", |ctx, node| first_binary(ctx, node, Ew::Greater)),
    onnx("Greater", 7..=NOW, "A B", |ctx, _| binary(ctx, Ew::Greater)),
    onnx("GreaterOrEqual", 12..=NOW, "A B", |ctx, _| or_equal(ctx, Ew::Greater)),
    with_lists("Identity", 1..=NOW, "input", identity),
    onnx("IsInf", 10..=NOW, "X", is_inf),
    onnx("IsNaN", 9..=NOW, "X", |ctx, _| unary(ctx, Un::IsNan)),
    onnx("Less", 1..=6, "A B", |ctx, node| first_binary(ctx, node, Ew::Less)),
    onnx("Less", 7..=NOW, "A B", |ctx, _| binary(ctx, Ew::Less)),
    onnx("LessOrEqual", 12..=NOW, "A B", |ctx, _| or_equal(ctx, Ew::Less)),
    onnx("Log", 1..=NOW, "input", |ctx, _| unary(ctx, Un::Log)).ignoring(CONSUMED),
    onnx("Max", 1..=NOW, "data_0 data*", |ctx, _| variadic(ctx, Ew::Max)).ignoring(CONSUMED),
    onnx("Mean", 1..=NOW, "data_0 data*", mean).ignoring(CONSUMED),
    onnx("Min", 1..=NOW, "data_0 data*", |ctx, _| variadic(ctx, Ew::Min)).ignoring(CONSUMED),
    onnx("Mod", 10..=NOW, "A B", modulo),
    onnx("Mul", 1..=6, "A B", |ctx, node| first_binary(ctx, node, Ew::Prod)).ignoring(CONSUMED),
    onnx("Mul", 7..=NOW, "A B", |ctx, _| binary(ctx, Ew::Prod)),
    onnx("Neg", 1..=NOW, "X", |ctx, _| unary(ctx, Un::Neg)).ignoring(CONSUMED),
    onnx("Not", 1..=NOW, "X", |ctx, _| unary(ctx, Un::Not)),
    onnx("Or", 1..=6, "A B", |ctx, node| first_binary(ctx, node, Ew::Or)),
    onnx("Or", 7..=NOW, "A B", |ctx, _| binary(ctx, Ew::Or)),
    onnx("Pow", 1..=6, "X Y", |ctx, node| first_binary(ctx, node, Ew::Pow)),
    onnx("Reciprocal", 1..=NOW, "X", |ctx, _| unary(ctx, Un::Recip)).ignoring(CONSUMED),
    onnx("Round", 11..=NOW, "X", |ctx, _| unary(ctx, Un::Round)),
    onnx("Sign", 9..=NOW, "input", |ctx, _| unary(ctx, Un::Sign)),
    onnx("Sin", 7..=NOW, "input", |ctx, _| unary(ctx, Un::Sin)),
    onnx("Sinh", 9..=NOW, "input", |ctx, _| unary(ctx, Un::Sinh)),
    onnx("Sqrt", 1..=NOW, "X", |ctx, _| unary(ctx, Un::Sqrt)).ignoring(CONSUMED),
    onnx("Sub", 1..=6, "A B", |ctx, node| first_binary(ctx, node, Ew::Sub)).ignoring(CONSUMED),
    onnx("Sub", 7..=NOW, "A B", |ctx, _| binary(ctx, Ew::Sub)),
    onnx("Sum", 1..=NOW, "data_0 data*", |ctx, _| variadic(ctx, Ew::Sum)).ignoring(CONSUMED),
    onnx("Tan", 7..=NOW, "input", |ctx, _| unary(ctx, Un::Tan)),
    onnx("Where", 9..=NOW, "condition X Y", select),
    onnx("Xor", 1..=6, "A B", |ctx, node| first_binary(ctx, node, Ew::Xor)),
    onnx("Xor", 7..=NOW, "A B", |ctx, _| binary(ctx, Ew::Xor)),
];

/// A function of one element. Becomes Unary; whole numbers lack some functions in TensorRT.
fn unary(ctx: &mut Ctx<'_>, operation: Un) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    Ok(smallvec![ctx.unary(operation, x)?])
}

/// A function of two elements with ONNX's broadcasting. Becomes ElementWise.
fn binary(ctx: &mut Ctx<'_>, operation: Ew) -> Result<Values, OpError> {
    let (a, b) = (ctx.input(0)?, ctx.input(1)?);
    Ok(smallvec![binary_of(ctx, operation, a, b)?])
}

/// Booleans compare as TensorRT cannot: equal means not exactly one.
fn binary_of(ctx: &mut Ctx<'_>, operation: Ew, a: ValueId, b: ValueId) -> Result<ValueId, OpError> {
    if operation == Ew::Equal && ctx.dtype(a) == DType::Bool {
        let differ = ctx.binary(Ew::Xor, a, b)?;
        return ctx.unary(Un::Not, differ);
    }
    ctx.binary(operation, a, b)
}

/// A function of two elements before opset 7: B broadcasts only where `broadcast` is 1, along A's
/// axes from `axis`.
fn first_binary(ctx: &mut Ctx<'_>, node: &Node, operation: Ew) -> Result<Values, OpError> {
    let (a, mut b) = (ctx.input(0)?, ctx.input(1)?);
    let broadcast = node.attrs.int_or("broadcast", 0)? != 0;
    let axis = node.attrs.int("axis")?;
    if let (true, Some(axis)) = (broadcast, axis) {
        let (rank, inner) = (ctx.rank(a), ctx.rank(b));
        let axis = ctx.axis(axis, rank)?;
        let behind = rank.checked_sub(axis + inner).ok_or_else(|| {
            OpError::invalid(format!(
                "attribute `axis` is {axis}, but B of rank {inner} does not fit there in rank \
                 {rank}"
            ))
        })?;
        b = ctx.unsqueeze(b, (inner..inner + behind).collect())?;
    }
    Ok(smallvec![binary_of(ctx, operation, a, b)?])
}

/// `GreaterOrEqual`, `LessOrEqual`: strictly so, or equal. (The negated opposite would be true for
/// NaN.)
fn or_equal(ctx: &mut Ctx<'_>, strict: Ew) -> Result<Values, OpError> {
    let (a, b) = (ctx.input(0)?, ctx.input(1)?);
    let strictly = ctx.binary(strict, a, b)?;
    let equal = ctx.binary(Ew::Equal, a, b)?;
    Ok(smallvec![ctx.binary(Ew::Or, strictly, equal)?])
}

/// `Sum`, `Max`, `Min`: folded from the left; one operand is itself.
fn variadic(ctx: &mut Ctx<'_>, operation: Ew) -> Result<Values, OpError> {
    Ok(smallvec![fold(ctx, operation)?])
}

fn fold(ctx: &mut Ctx<'_>, operation: Ew) -> Result<ValueId, OpError> {
    let operands = ctx.all_inputs()?;
    let mut result = ctx.input(0)?;
    for &operand in operands.iter().skip(1) {
        result = ctx.binary(operation, result, operand)?;
    }
    if operands.len() == 1 { ctx.add(LayerKind::Identity, &[result]) } else { Ok(result) }
}

/// `Mean`: the sum divided once, at the end.
fn mean(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let count = u32::try_from(ctx.inputs.len()).map_err(|_| OpError::invalid("too many inputs"))?;
    let sum = fold(ctx, Ew::Sum)?;
    Ok(smallvec![ctx.binary_scalar(Ew::Div, sum, count.into())?])
}

/// `Mod`: the remainder takes B's sign, or A's with `fmod`.
fn modulo(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (a, b) = (ctx.input(0)?, ctx.input(1)?);
    let fmod = node.attrs.int_or("fmod", 0)? != 0;
    let dtype = ctx.dtype(a);
    if !matches!(dtype, DType::U8 | DType::I8) {
        return Ok(smallvec![remainder(ctx, a, b, fmod)?]);
    }
    let (a, b) = (real(ctx, a)?, real(ctx, b)?);
    let (a, b) = (ctx.cast(a, DType::I32)?, ctx.cast(b, DType::I32)?);
    let rest = remainder(ctx, a, b, fmod)?;
    let rest = ctx.cast(rest, DType::F32)?;
    Ok(smallvec![from_real(ctx, rest, dtype)?])
}

/// What the truncated quotient leaves of `a`, with the sign of `b`, or of `a` with `fmod`.
fn remainder(ctx: &mut Ctx<'_>, a: ValueId, b: ValueId, fmod: bool) -> Result<ValueId, OpError> {
    let floating = ctx.dtype(a).is_float();
    let quotient = ctx.binary(Ew::Div, a, b)?;
    let quotient = if ctx.dtype(a).is_float() { truncate(ctx, quotient)? } else { quotient };
    let product = ctx.binary(Ew::Prod, quotient, b)?;
    let mut remainder = ctx.binary(Ew::Sub, a, product)?;
    if floating {
        remainder = remainder_of_infinity(ctx, a, b, remainder)?;
    }
    if fmod {
        return Ok(remainder);
    }
    // The quotient is truncated: a remainder of the other sign than B's is one B short.
    let zero = ctx.filled(ctx.dtype(a), 0.0, 0)?;
    let negative = ctx.binary(Ew::Less, remainder, zero)?;
    let b_negative = ctx.binary(Ew::Less, b, zero)?;
    let positive = ctx.binary(Ew::Greater, remainder, zero)?;
    let b_positive = ctx.binary(Ew::Greater, b, zero)?;
    let below = ctx.binary(Ew::And, negative, b_positive)?;
    let above = ctx.binary(Ew::And, positive, b_negative)?;
    let off = ctx.binary(Ew::Or, below, above)?;
    let moved = ctx.binary(Ew::Sum, remainder, b)?;
    ctx.select(off, moved, remainder)
}

/// The remainder where B may be infinite: then A, unless that is infinite as well. (The product is
/// 0 · ∞.)
fn remainder_of_infinity(
    ctx: &mut Ctx<'_>,
    a: ValueId,
    b: ValueId,
    remainder: ValueId,
) -> Result<ValueId, OpError> {
    let (a_infinite, b_infinite) = (ctx.unary(Un::IsInf, a)?, ctx.unary(Un::IsInf, b)?);
    let a_finite = ctx.unary(Un::Not, a_infinite)?;
    let whole = ctx.binary(Ew::And, a_finite, b_infinite)?;
    ctx.select(whole, a, remainder)
}

/// Towards zero: the floor of what is positive, the ceiling of what is negative.
pub(super) fn truncate(ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
    let floor = ctx.unary(Un::Floor, x)?;
    let ceil = ctx.unary(Un::Ceil, x)?;
    let zero = ctx.filled(ctx.dtype(x), 0.0, ctx.rank(x))?;
    let negative = ctx.binary(Ew::Less, x, zero)?;
    ctx.select(negative, ceil, floor)
}

/// `IsInf`. Becomes Unary; one sign alone is a comparison with that infinity.
fn is_inf(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let negative = node.attrs.int_or("detect_negative", 1)? != 0;
    let positive = node.attrs.int_or("detect_positive", 1)? != 0;
    let zero = ctx.filled(ctx.dtype(x), 0.0, ctx.rank(x))?;
    let infinite = ctx.unary(Un::IsInf, x)?;
    let side = match (negative, positive) {
        (true, true) => return Ok(smallvec![infinite]),
        (true, false) => ctx.binary(Ew::Less, x, zero)?,
        (false, true) => ctx.binary(Ew::Greater, x, zero)?,
        (false, false) => ctx.filled(DType::Bool, 0.0, ctx.rank(x))?,
    };
    Ok(smallvec![ctx.binary(Ew::And, infinite, side)?])
}

/// `Where`. Becomes Select.
fn select(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (condition, x, y) = (ctx.input(0)?, ctx.input(1)?, ctx.input(2)?);
    Ok(smallvec![ctx.select(condition, x, y)?])
}

/// `Identity`: the value itself, or the sequence or optional value.
fn identity(ctx: &mut Ctx<'_>, _: &Node) -> Result<Vec<Operand>, OpError> {
    match ctx.operand(0) {
        operand @ (Operand::List(_) | Operand::Nothing) => Ok(vec![operand]),
        _ => Ok(Operand::of([ctx.input(0)?])),
    }
}

/// `Cast`. Becomes Cast, or nothing where the type is the same; `f64` is computed in `f32`. See
/// [`convert`] for types of few bits.
fn cast(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
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
    saturates(node, to)?;
    Ok(smallvec![convert(ctx, x, to)?])
}

/// `CastLike`: a Cast to the second input's type.
fn cast_like(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, like) = (ctx.input(0)?, ctx.input(1)?);
    let to = ctx.dtype(like);
    saturates(node, to)?;
    Ok(smallvec![convert(ctx, x, to)?])
}
