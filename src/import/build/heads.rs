//! Attention heads: how they stand in packed data, and the steps that all kinds of attention share.

use super::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::layer::{
    ElementWiseOperation as Ew, MatrixMultiply, MatrixOperation, UnaryOperation,
};
use crate::network::{ValueId, Values};
use crate::onnx::{Node, dtype_from_onnx};
use crate::tensor::DType;

/// An attribute that counts heads.
pub(in crate::import) fn head_count(node: &Node, name: &str) -> Result<Option<i64>, OpError> {
    match node.attrs.int(name)? {
        Some(count) if count < 1 => Err(OpError::invalid(format!("attribute `{name}` is {count}"))),
        count => Ok(count),
    }
}

/// The same where it must be there.
pub(in crate::import) fn required_head_count(node: &Node, name: &str) -> Result<i64, OpError> {
    head_count(node, name)?
        .ok_or_else(|| OpError::invalid(format!("attribute `{name}` is missing")))
}

/// `[batch, length, heads · size]` as `[batch, heads, length, size]`.
pub(in crate::import) fn split_heads(
    ctx: &mut Ctx<'_>,
    packed: ValueId,
    heads: i64,
) -> Result<ValueId, OpError> {
    let [batch, length, hidden] = ctx.sizes(packed)?[..] else {
        return Err(OpError::Rank { what: "packed heads", rank: ctx.rank(packed), supported: "3" });
    };
    let size = share(ctx, hidden, heads)?;
    let heads = ctx.number(heads);
    let split = ctx.reshape_to(packed, &[batch, length, heads, size])?;
    ctx.transpose(split, vec![0, 2, 1, 3])
}

/// A number of elements divided among heads.
pub(in crate::import) fn share(
    ctx: &mut Ctx<'_>,
    hidden: ValueId,
    heads: i64,
) -> Result<ValueId, OpError> {
    match ctx.known(hidden) {
        Some(hidden) if hidden % heads != 0 => {
            Err(OpError::invalid(format!("{hidden} elements do not divide into {heads} heads")))
        }
        _ => ctx.compute(Ew::FloorDiv, hidden, heads),
    }
}

/// The way back.
pub(in crate::import) fn join_heads(ctx: &mut Ctx<'_>, value: ValueId) -> Result<ValueId, OpError> {
    let value = ctx.transpose(value, vec![0, 2, 1, 3])?;
    let [batch, length, heads, size] = ctx.sizes(value)?[..] else {
        return Err(OpError::Rank { what: "heads", rank: ctx.rank(value), supported: "4" });
    };
    let hidden = ctx.product(&[heads, size])?;
    ctx.reshape_to(value, &[batch, length, hidden])
}

/// Keys or values, or anything else `[batch, heads, …]` of rank 4, with each head repeated for its
/// group of query heads.
pub(in crate::import) fn repeat_heads(
    ctx: &mut Ctx<'_>,
    value: ValueId,
    query_heads: ValueId,
) -> Result<ValueId, OpError> {
    let [batch, heads, length, size] = ctx.sizes(value)?[..] else {
        return Err(OpError::Rank {
            what: "keys or values",
            rank: ctx.rank(value),
            supported: "4",
        });
    };
    let (have, want) = (ctx.dim(heads), ctx.dim(query_heads));
    if have.is_some() && have == want {
        return Ok(value);
    }
    if let (Some(have), Some(want)) = (ctx.known(heads), ctx.known(query_heads))
        && (have < 1 || want % have != 0)
    {
        return Err(OpError::invalid(format!(
            "{want} query heads do not share {have} heads of keys and values"
        )));
    }
    let group = ctx.binary(Ew::FloorDiv, query_heads, heads)?;
    let column = ctx.unsqueeze(value, vec![2])?;
    let repeated = ctx.expand(column, &[batch, heads, group, length, size])?;
    ctx.reshape_to(repeated, &[batch, query_heads, length, size])
}

/// (√scale · q) · (√scale · k)ᵀ, with 1/√(size of a head) as the default scale.
pub(in crate::import) fn scaled_scores(
    ctx: &mut Ctx<'_>,
    q: ValueId,
    k: ValueId,
    scale: Option<f32>,
) -> Result<ValueId, OpError> {
    let product = MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::Transpose };
    let last = ctx.rank(q).saturating_sub(1);
    let scale = match scale {
        Some(scale) => f64::from(scale),
        None if ctx.size(q, last).is_none() => {
            let root = root_of_size(ctx, q)?;
            let root = ctx.unary(UnaryOperation::Sqrt, root)?;
            let root = ctx.cast(root, ctx.dtype(q))?;
            let (q, k) = (ctx.binary(Ew::Div, q, root)?, ctx.binary(Ew::Div, k, root)?);
            return ctx.add(product, &[q, k]);
        }
        None => default_scale(ctx, q)?,
    };
    if scale < 0.0 {
        return Err(OpError::Value {
            what: "attribute `scale`",
            value: scale.to_string(),
            supported: "0 and more",
        });
    }
    let q = ctx.binary_scalar(Ew::Prod, q, scale.sqrt())?;
    let k = ctx.binary_scalar(Ew::Prod, k, scale.sqrt())?;
    ctx.add(product, &[q, k])
}

/// √(size of a head), as one element computed by the run.
pub(in crate::import) fn root_of_size(ctx: &mut Ctx<'_>, q: ValueId) -> Result<ValueId, OpError> {
    let size = ctx.size_of(q, ctx.rank(q).saturating_sub(1))?;
    let size = ctx.cast(size, DType::F32)?;
    ctx.unary(UnaryOperation::Sqrt, size)
}

/// 1/√(size of a head), which is the last axis.
pub(in crate::import) fn default_scale(ctx: &Ctx<'_>, q: ValueId) -> Result<f64, OpError> {
    let last = ctx.rank(q).saturating_sub(1);
    let size = ctx.size(q, last).and_then(|size| u32::try_from(size).ok()).filter(|&size| size > 0);
    let size =
        size.ok_or_else(|| ctx.open_size("the size of heads without attribute `scale`", q, last))?;
    Ok(f64::from(size).sqrt().recip())
}

/// The product of two values' matrices.
pub(in crate::import) fn matrices(
    ctx: &mut Ctx<'_>,
    a: ValueId,
    b: ValueId,
) -> Result<ValueId, OpError> {
    ctx.add(MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::None }, &[a, b])
}

/// The attribute `softmax_precision`; `f64` is computed in `f32`.
pub(in crate::import) fn softmax_precision(node: &Node, default: DType) -> Result<DType, OpError> {
    let Some(code) = node.attrs.int("softmax_precision")? else { return Ok(default) };
    match dtype_from_onnx(code) {
        Some(DType::F64) => Ok(DType::F32),
        Some(dtype) if dtype.is_float() => Ok(dtype),
        _ => Err(OpError::invalid(format!(
            "attribute `softmax_precision` is {code}, which is no floating-point type"
        ))),
    }
}

/// Query, key and value, which must have the rank that all of them may have.
pub(in crate::import) fn query_key_value(
    ctx: &Ctx<'_>,
    ranks: &[usize],
    supported: &'static str,
) -> Result<Values, OpError> {
    let values: Values = (0..3).map(|at| ctx.input(at)).collect::<Result<_, _>>()?;
    let rank = ctx.rank(ctx.input(0)?);
    for (&value, what) in values.iter().zip(["the query", "the key", "the value"]) {
        if ctx.rank(value) != rank || !ranks.contains(&rank) {
            return Err(OpError::Rank { what, rank: ctx.rank(value), supported });
        }
    }
    Ok(values)
}
