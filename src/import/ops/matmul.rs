//! Products of matrices, and determinants: `MatMul`, `Gemm`, `Det`.

use super::conv::less_zero_point;
use super::quantize::{Ranged, exact_sum, ranged, real};
use crate::import::build::axes::rounded;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{
    ElementWiseOperation as Ew, MatrixMultiply, MatrixOperation, ReduceOperation,
};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("Det", 11..=NOW, "X", determinant),
    onnx("Gemm", 1..=6, "A B C", gemm).ignoring(&["broadcast"]),
    onnx("Gemm", 7..=10, "A B C", gemm),
    onnx("Gemm", 11..=NOW, "A B C?", gemm),
    onnx("MatMul", 1..=NOW, "A B", matmul),
    onnx("MatMulInteger", 10..=NOW, "A B a_zero_point? b_zero_point?", matmul_integer),
];

/// `Det` of matrices up to 6 by 6: a product for each permutation, added with its sign. Nothing is
/// divided, so that no pivot can be 0.
fn determinant(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let rank = ctx.rank(x);
    let size = rank.checked_sub(2).and_then(|axis| ctx.size(x, axis));
    let size = size.filter(|&size| (1..=6).contains(&size) && ctx.size(x, rank - 1) == Some(size));
    let size = size.ok_or(OpError::Feature(
        "a determinant of anything but square matrices of known size up to 6",
    ))?;
    let mut signed = vec![(Vec::new(), 1.0)];
    for row in 0..size {
        signed =
            signed.into_iter().flat_map(|(columns, sign)| placed(row, &columns, sign)).collect();
    }
    let places = signed
        .iter()
        .flat_map(|(columns, _)| columns.iter().zip(0..).map(|(&column, row)| row * size + column));
    let places: Vec<i64> = places.filter_map(|place| i64::try_from(place).ok()).collect();
    let places = Tensor::of(vec![signed.len(), size], places)?;
    let places = ctx.constant_value(places);
    let signs: Vec<f64> = signed.iter().map(|(_, sign)| *sign).collect();
    let signs = ctx.constant_value(rounded(ctx.dtype(x), vec![signs.len()], &signs)?);
    let mut shape = ctx.sizes(x)?;
    shape.truncate(rank - 2);
    shape.push(
        ctx.number(i64::try_from(size * size).map_err(|_| OpError::invalid("a matrix too large"))?),
    );
    let flat = ctx.reshape_to(x, &shape)?;
    let terms = ctx.gather(flat, places, rank - 2)?;
    let products = ctx.reduce(ReduceOperation::Prod, terms, vec![rank - 1], false)?;
    let products = ctx.binary(Ew::Prod, products, signs)?;
    Ok(smallvec![ctx.reduce(ReduceOperation::Sum, products, vec![rank - 2], false)?])
}

/// The permutations of one more number: it goes before each of the others, or behind them all.
pub(super) fn placed(number: usize, others: &[usize], sign: f64) -> Vec<(Vec<usize>, f64)> {
    let at_each = (0..=others.len()).rev().scan(-sign, |sign, at| {
        *sign = -*sign;
        let mut columns = others.to_vec();
        columns.insert(at, number);
        Some((columns, *sign))
    });
    at_each.collect()
}

/// `MatMul`. Becomes MatrixMultiply; whole numbers become products summed by Reduce, which is
/// exact.
fn matmul(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (a, b) = (ctx.input(0)?, ctx.input(1)?);
    Ok(smallvec![multiply(ctx, a, b)?])
}

/// `MatMulInteger`: MatrixMultiply in `f32` of the numbers less their zero points, see
/// [`exact_sum`].
fn matmul_integer(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (a, b) = (real(ctx, ctx.input(0)?)?, real(ctx, ctx.input(1)?)?);
    // One zero point per row of A or per column of B.
    let a = less_zero_point(ctx, a, ctx.maybe(2), ctx.rank(a).saturating_sub(2))?;
    let b = less_zero_point(ctx, b, ctx.maybe(3), ctx.rank(b).saturating_sub(1))?;
    let summed = vec![ctx.rank(b).saturating_sub(2)];
    Ok(smallvec![exact_sum(ctx, a, b, summed, &|ctx, a| multiply(ctx, a, b))?])
}

/// ONNX Runtime's `MatMulIntegerToFloat`: the same scaled, plus a bias.
pub(super) fn matmul_integer_to_float(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (a, b) = (real(ctx, ctx.input(0)?)?, real(ctx, ctx.input(1)?)?);
    let a = less_zero_point(ctx, a, ctx.maybe(4), ctx.rank(a).saturating_sub(2))?;
    let b = less_zero_point(ctx, b, ctx.maybe(5), ctx.rank(b).saturating_sub(1))?;
    scaled_product(ctx, [a, b], [ctx.input(2)?, ctx.input(3)?], ctx.maybe(6))
}

/// ONNX Runtime's `DynamicQuantizeMatMul`: the same of data that is quantized by its own range.
pub(super) fn dynamic_matmul(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let Ranged { y, scale, zero_point } = ranged(ctx, x, (0..ctx.rank(x)).collect(), false)?;
    let a = real(ctx, y)?;
    let a = less_zero_point(ctx, a, Some(zero_point), 0)?;
    let b = real(ctx, ctx.input(1)?)?;
    let b = less_zero_point(ctx, b, ctx.maybe(3), ctx.rank(b).saturating_sub(1))?;
    scaled_product(ctx, [a, b], [scale, ctx.input(2)?], ctx.maybe(4))
}

/// The exact product of whole numbers times both scales, that of B one number or one for each
/// column, plus a bias.
pub(super) fn scaled_product(
    ctx: &mut Ctx<'_>,
    [a, b]: [ValueId; 2],
    [a_scale, b_scale]: [ValueId; 2],
    bias: Option<ValueId>,
) -> Result<Values, OpError> {
    let summed = vec![ctx.rank(b).saturating_sub(2)];
    let sum = exact_sum(ctx, a, b, summed, &|ctx, a| multiply(ctx, a, b))?;
    let sum = ctx.cast(sum, DType::F32)?;
    let scale = ctx.binary(Ew::Prod, a_scale, b_scale)?;
    let scaled = ctx.binary(Ew::Prod, sum, scale)?;
    Ok(smallvec![match bias {
        Some(bias) => ctx.binary(Ew::Sum, scaled, bias)?,
        None => scaled,
    }])
}

/// The matrix product with ONNX's rules for ranks: leading axes of size 1 are added, vectors have
/// no second axis.
pub(super) fn multiply(ctx: &mut Ctx<'_>, a: ValueId, b: ValueId) -> Result<ValueId, OpError> {
    for (what, value) in [("input `A`", a), ("input `B`", b)] {
        if ctx.rank(value) == 0 {
            return Err(OpError::Rank { what, rank: 0, supported: "1 or more" });
        }
    }
    let rank = ctx.rank(a).max(ctx.rank(b));
    let operation = |vector| if vector { MatrixOperation::Vector } else { MatrixOperation::None };
    let (op0, op1) = (operation(ctx.rank(a) == 1), operation(ctx.rank(b) == 1));
    // A vector has the batch axes of the other operand, and one axis more.
    let lead = |ctx: &mut Ctx<'_>, value, op| {
        ctx.lead(value, if op == MatrixOperation::Vector { rank.saturating_sub(1) } else { rank })
    };
    let (a, b) = (lead(ctx, a, op0)?, lead(ctx, b, op1)?);
    product(ctx, a, op0, b, op1)
}

/// A matrix product of operands whose batch axes are aligned.
pub(super) fn product(
    ctx: &mut Ctx<'_>,
    a: ValueId,
    op0: MatrixOperation,
    b: ValueId,
    op1: MatrixOperation,
) -> Result<ValueId, OpError> {
    if !ctx.dtype(a).is_int() {
        return ctx.add(MatrixMultiply { op0, op1 }, &[a, b]);
    }
    // [.., m, k, 1] · [.., 1, k, n], summed over k.
    let (mut a, mut b) = (a, b);
    if op0 == MatrixOperation::Transpose {
        a = swap_last(ctx, a)?;
    }
    if op1 == MatrixOperation::Transpose {
        b = swap_last(ctx, b)?;
    }
    let (rank_a, rank_b) = (ctx.rank(a), ctx.rank(b));
    if op1 != MatrixOperation::Vector {
        a = ctx.unsqueeze(a, vec![rank_a])?;
    }
    if op0 != MatrixOperation::Vector {
        let before = if op1 == MatrixOperation::Vector {
            rank_b.saturating_sub(1)
        } else {
            rank_b.saturating_sub(2)
        };
        b = ctx.unsqueeze(b, vec![before])?;
    }
    let products = ctx.binary(Ew::Prod, a, b)?;
    let summed =
        ctx.rank(products).saturating_sub(if op1 == MatrixOperation::Vector { 1 } else { 2 });
    ctx.reduce(ReduceOperation::Sum, products, vec![summed], false)
}

/// The value with its last two axes exchanged.
pub(super) fn swap_last(ctx: &mut Ctx<'_>, value: ValueId) -> Result<ValueId, OpError> {
    let rank = ctx.rank(value);
    let mut order: Vec<_> = (0..rank).collect();
    if rank >= 2 {
        order.swap(rank - 1, rank - 2);
    }
    ctx.transpose(value, order)
}

/// `Gemm`, see [`gemm_of`].
fn gemm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    Ok(smallvec![gemm_of(ctx, node)?])
}

/// α·A·B + β·C. Becomes MatrixMultiply and ElementWise; α goes into B and β into C where
/// those are constant.
pub(super) fn gemm_of(ctx: &mut Ctx<'_>, node: &Node) -> Result<ValueId, OpError> {
    let (a, mut b) = (ctx.input(0)?, ctx.input(1)?);
    for (what, value) in [("input `A`", a), ("input `B`", b)] {
        if ctx.rank(value) != 2 {
            return Err(OpError::Rank { what, rank: ctx.rank(value), supported: "2" });
        }
    }
    let (alpha, beta) = (node.attrs.float_or("alpha", 1.0)?, node.attrs.float_or("beta", 1.0)?);
    let op0 = transposed(node.attrs.int_or("transA", 0)?);
    let op1 = transposed(node.attrs.int_or("transB", 0)?);
    let early = ctx.constant(b).is_some();
    if early {
        b = scaled(ctx, b, alpha)?;
    }
    let mut y = product(ctx, a, op0, b, op1)?;
    if !early {
        y = scaled(ctx, y, alpha)?;
    }
    if let Some(c) = ctx.maybe(2).filter(|_| beta != 0.0) {
        let c = scaled(ctx, c, beta)?;
        y = ctx.binary(Ew::Sum, y, c)?;
    }
    Ok(y)
}

pub(super) fn transposed(flag: i64) -> MatrixOperation {
    if flag == 0 { MatrixOperation::None } else { MatrixOperation::Transpose }
}

/// The value times a factor, which must be whole for whole numbers.
#[allow(clippy::float_cmp, reason = "exactly 1 changes nothing")]
pub(super) fn scaled(ctx: &mut Ctx<'_>, value: ValueId, factor: f32) -> Result<ValueId, OpError> {
    if factor == 1.0 {
        return Ok(value);
    }
    if ctx.dtype(value).is_int() && factor.fract() != 0.0 {
        let value = factor.to_string();
        return Err(OpError::Value {
            what: "`alpha` or `beta`",
            value,
            supported: "whole numbers for such data",
        });
    }
    ctx.binary_scalar(Ew::Prod, value, factor.into())
}
