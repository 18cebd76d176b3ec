//! `RotaryEmbedding`.

use crate::import::build::ctx::Ctx;
use crate::import::build::heads::{head_count, required_head_count, share};
use crate::import::build::numbers::Steps;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{ElementWiseOperation as Ew, SampleMode};
use crate::network::{Dim, ValueId, Values};
use crate::onnx::Node;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("RotaryEmbedding", 23..=NOW, "X cos_cache sin_cache position_ids?", rotary_embedding),
    onnx("RotaryEmbedding", 1..=NOW, "input position_ids cos_cache sin_cache", microsoft)
        .of("com.microsoft")
        .ignoring(&["is_packed_batching", "scale"]),
];

/// `RotaryEmbedding`: pairs of elements along the last axis turned by an angle per position, as
/// layers.
fn rotary_embedding(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let sizes = ctx.sizes(x)?;
    // The axis of the heads, along which the angles do not change.
    let (x, heads) = match sizes[..] {
        [batch, length, hidden] => {
            let count = required_head_count(node, "num_heads")?;
            let size = share(ctx, hidden, count)?;
            let count = ctx.number(count);
            (ctx.reshape_to(x, &[batch, length, count, size])?, 2)
        }
        [_, _, _, _] => {
            head_count(node, "num_heads")?;
            (x, 1)
        }
        _ => return Err(OpError::Rank { what: "input `X`", rank: sizes.len(), supported: "3, 4" }),
    };
    let part = node.attrs.int_or("rotary_embedding_dim", 0)?;
    let (cos, sin) = (angles(ctx, 1, heads)?, angles(ctx, 2, heads)?);
    let half = half_of_pairs(ctx, part, x, ctx.input(1)?)?;
    let interleaved = node.attrs.int_or("interleaved", 0)? != 0;
    let y = turn(ctx, x, [cos, sin], &Pairs { half, whole: part == 0, interleaved })?;
    Ok(smallvec![ctx.reshape_to(y, &sizes)?])
}

/// ONNX Runtime's own `RotaryEmbedding`: the angles stand in tables by position. A single position
/// is that of the first token.
fn microsoft(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, positions) = (ctx.input(0)?, ctx.input(1)?);
    let (cos, sin) = (ctx.input(2)?, ctx.input(3)?);
    let count = node.attrs.int_or("num_heads", 0)?;
    let part = node.attrs.int_or("rotary_embedding_dim", 0)?;
    let sizes = ctx.sizes(x)?;
    let (x, heads, length) = match sizes[..] {
        [batch, length, hidden] => {
            let (count, size) = if part > 0 {
                let count = required_head_count(node, "num_heads")?;
                let size = share(ctx, hidden, count)?;
                (ctx.number(count), size)
            } else {
                let half = ctx.size_of(cos, 1)?;
                let size = ctx.compute(Ew::Prod, half, 2)?;
                (ctx.binary(Ew::FloorDiv, hidden, size)?, size)
            };
            (ctx.reshape_to(x, &[batch, length, count, size])?, 2, length)
        }
        [_, _, length, _] => (x, 1, length),
        _ => {
            return Err(OpError::Rank {
                what: "input `input`",
                rank: sizes.len(),
                supported: "3, 4",
            });
        }
    };
    if count < 0 {
        return Err(OpError::invalid(format!("attribute `num_heads` is {count}")));
    }
    let positions = match ctx.rank(positions) {
        1 => {
            let numbers = ctx.count_up(length)?;
            let all = ctx.binary(Ew::Sum, numbers, positions)?;
            ctx.unsqueeze(all, vec![0])?
        }
        _ => positions,
    };
    let half = half_of_pairs(ctx, part, x, cos)?;
    let interleaved = node.attrs.int_or("interleaved", 0)? != 0;
    let angles = [cos, sin].map(|table| at_positions(ctx, table, positions, heads));
    let [cos, sin] = angles;
    let y = turn(ctx, x, [cos?, sin?], &Pairs { half, whole: part == 0, interleaved })?;
    Ok(smallvec![ctx.reshape_to(y, &sizes)?])
}

/// The rows of a table of angles at `[batch, length]` positions, with the axis of the heads.
pub(super) fn at_positions(
    ctx: &mut Ctx<'_>,
    table: ValueId,
    positions: ValueId,
    heads: usize,
) -> Result<ValueId, OpError> {
    let (what, rank) = ("a table of angles", ctx.rank(table));
    if rank != 2 {
        return Err(OpError::Rank { what, rank, supported: "2" });
    }
    let rows = ctx.gather(table, positions, 0)?;
    ctx.unsqueeze(rows, vec![heads])
}

/// Which elements of a head are turned together.
pub(super) struct Pairs {
    /// How many pairs there are.
    pub(super) half: ValueId,
    /// Whether they are all of the head; else its end stays as it is.
    pub(super) whole: bool,
    /// Whether the two of a pair are neighbors; else they are `half` apart.
    pub(super) interleaved: bool,
}

/// (a, b) becomes (cos·a − sin·b, sin·a + cos·b) for each pair along the last of four axes.
pub(super) fn turn(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    [cos, sin]: [ValueId; 2],
    &Pairs { half, whole, interleaved }: &Pairs,
) -> Result<ValueId, OpError> {
    let (zero, one) = (ctx.number(0), ctx.number(1));
    let (second, stride) = if interleaved { (one, ctx.number(2)) } else { (half, one) };
    let a = last_axis(ctx, x, [zero, half, stride])?;
    let b = last_axis(ctx, x, [second, half, stride])?;
    let real = turned(ctx, Ew::Sub, [cos, a], [sin, b])?;
    let imaginary = turned(ctx, Ew::Sum, [sin, a], [cos, b])?;
    let pairs = if interleaved {
        let (real, imaginary) = (ctx.unsqueeze(real, vec![4])?, ctx.unsqueeze(imaginary, vec![4])?);
        let pairs = ctx.concat(&[real, imaginary], 4)?;
        let mut sizes = ctx.sizes(x)?;
        sizes.truncate(3);
        sizes.push(ctx.compute(Ew::Prod, half, 2)?);
        ctx.reshape_to(pairs, &sizes)?
    } else {
        ctx.concat(&[real, imaginary], 3)?
    };
    if whole {
        return Ok(pairs);
    }
    let (turned, all) = (ctx.compute(Ew::Prod, half, 2)?, ctx.size_of(x, 3)?);
    let left = ctx.binary(Ew::Sub, all, turned)?;
    let rest = last_axis(ctx, x, [turned, left, one])?;
    if ctx.size(rest, 3) == Some(0) { Ok(pairs) } else { ctx.concat(&[pairs, rest], 3) }
}

/// How many pairs of each head are turned; `part` counts their elements, and 0 means all.
///
/// Heads of unknown size are as large as the table of angles says.
pub(super) fn half_of_pairs(
    ctx: &mut Ctx<'_>,
    part: i64,
    x: ValueId,
    cache: ValueId,
) -> Result<ValueId, OpError> {
    let size = ctx.size(x, 3).and_then(|size| i64::try_from(size).ok());
    let half = ctx.shape(cache).last().and_then(Dim::known);
    let turned = match (part, size, half) {
        (0, Some(size), _) => size,
        (0, None, Some(half)) => half.saturating_mul(2),
        (0, None, None) => {
            let last = ctx.rank(cache).saturating_sub(1);
            return ctx.size_of(cache, last);
        }
        (part, ..) => part,
    };
    let size = size.unwrap_or(turned);
    if turned < 0 || turned > size || turned % 2 != 0 {
        return Err(OpError::invalid(format!(
            "{turned} elements of heads of size {size} make no pairs"
        )));
    }
    Ok(ctx.number(turned / 2))
}

/// A cache as `[batch, length, half]`, picked by position where there are positions, with the axis
/// of the heads.
fn angles(ctx: &mut Ctx<'_>, at: usize, heads: usize) -> Result<ValueId, OpError> {
    let cache = ctx.input(at)?;
    let cache = match ctx.maybe(3) {
        Some(positions) => ctx.gather(cache, positions, 0)?,
        None => cache,
    };
    if ctx.rank(cache) != 3 {
        let rank = ctx.rank(cache);
        return Err(OpError::Rank {
            what: "a cache",
            rank,
            supported: "2 with `position_ids`, 3 without",
        });
    }
    ctx.unsqueeze(cache, vec![heads])
}

/// Elements of the last of four axes: where they begin, how many they are, and how far apart.
fn last_axis(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    [start, size, stride]: [ValueId; 3],
) -> Result<ValueId, OpError> {
    let mut steps = Steps::default();
    for axis in 0..3 {
        let (start, size, stride) = (ctx.number(0), ctx.size_of(x, axis)?, ctx.number(1));
        steps.push(start, size, stride);
    }
    steps.push(start, size, stride);
    ctx.slice(x, &steps, SampleMode::Fill, None)
}

/// The sum or difference of two products.
fn turned(
    ctx: &mut Ctx<'_>,
    operation: Ew,
    a: [ValueId; 2],
    b: [ValueId; 2],
) -> Result<ValueId, OpError> {
    let a = ctx.binary(Ew::Prod, a[0], a[1])?;
    let b = ctx.binary(Ew::Prod, b[0], b[1])?;
    ctx.binary(operation, a, b)
}
