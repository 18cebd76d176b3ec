//! The forms of ONNX Runtime's attention masks, as numbers to add to the scores.

use crate::import::build::ctx::Ctx;
use crate::import::build::numbers::Steps;
use crate::import::error::OpError;
use crate::network::ValueId;
use crate::network::layer::{ElementWiseOperation as Ew, SampleMode};
use crate::tensor::DType;

/// What decides which keys a query sees.
pub(super) struct Mask {
    /// Whole numbers above 0 for the keys that count: `[batch, keys]` or `[batch, queries, keys]`.
    /// Or `[batch]` numbers of keys; twice as many are the ends of the keys and their starts.
    pub(super) keys: Option<ValueId>,
    /// What is added to the score of a key that does not count.
    pub(super) filter: f32,
    /// Whether a query sees no key behind its own place.
    pub(super) causal: bool,
}

/// The sizes that a mask is for, as numbers.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) batch: ValueId,
    pub(super) queries: ValueId,
    /// All keys, those of the past too.
    pub(super) keys: ValueId,
    /// Keys that came before the first query.
    pub(super) past: ValueId,
}

/// Summands in `f32` that broadcast to `[batch, heads, queries, keys]`; `None` where every query
/// sees every key.
pub(super) fn summands(
    ctx: &mut Ctx<'_>,
    mask: &Mask,
    sizes: Sizes,
) -> Result<Option<ValueId>, OpError> {
    let zero = ctx.filled(DType::F32, 0.0, 4)?;
    let mut sum = None;
    if let Some(keys) = mask.keys {
        let counts = counting(ctx, keys, sizes)?;
        let filter = ctx.filled(DType::F32, mask.filter.into(), 4)?;
        sum = Some(ctx.select(counts, zero, filter)?);
    }
    if mask.causal
        && let Some(visible) = behind(ctx, sizes)?
    {
        let lowest = ctx.filled(DType::F32, f32::MIN.into(), 4)?;
        sum = Some(ctx.select(visible, sum.unwrap_or(zero), lowest)?);
    }
    Ok(sum)
}

/// Trues for the keys that count.
fn counting(ctx: &mut Ctx<'_>, mask: ValueId, sizes: Sizes) -> Result<ValueId, OpError> {
    let axes = match ctx.rank(mask) {
        1 => return within(ctx, mask, sizes),
        2 => vec![1, 2],
        3 => vec![1],
        rank => {
            let what = "the mask of the keys";
            return Err(OpError::Rank { what, rank, supported: "1, 2, 3" });
        }
    };
    let mask = ctx.unsqueeze(mask, axes)?;
    let zero = ctx.filled(ctx.dtype(mask), 0.0, 4)?;
    ctx.binary(Ew::Greater, mask, zero)
}

/// Trues from the start to before the end that a list has for each sample.
fn within(ctx: &mut Ctx<'_>, list: ValueId, sizes: Sizes) -> Result<ValueId, OpError> {
    let list = ctx.cast(list, DType::I64)?;
    let length = ctx.size_of(list, 0)?;
    let ends = part(ctx, list, None, sizes.batch)?;
    let columns = ctx.count_up(sizes.keys)?;
    let before = ctx.binary(Ew::Less, columns, ends)?;
    let (have, batch) = (ctx.dim(length), ctx.dim(sizes.batch));
    if have.is_some() && have == batch {
        return Ok(before);
    }
    // Starts follow only where there are as many of them as ends.
    let twice = ctx.compute(Ew::Prod, sizes.batch, 2)?;
    let both = ctx.binary(Ew::Equal, length, twice)?;
    let both = ctx.cast(both, DType::I64)?;
    let starts = part(ctx, list, Some(sizes.batch), sizes.batch)?;
    let starts = ctx.binary(Ew::Prod, starts, both)?;
    let starts = ctx.compute(Ew::Sub, starts, 1)?;
    let from = ctx.binary(Ew::Greater, columns, starts)?;
    ctx.binary(Ew::And, before, from)
}

/// So many elements of a list, 0 where it ends before, as `[count, 1, 1, 1]`.
fn part(
    ctx: &mut Ctx<'_>,
    list: ValueId,
    start: Option<ValueId>,
    count: ValueId,
) -> Result<ValueId, OpError> {
    let mut steps = Steps::default();
    let (start, stride) = (start.unwrap_or_else(|| ctx.number(0)), ctx.number(1));
    steps.push(start, count, stride);
    let part = ctx.slice(list, &steps, SampleMode::Fill, None)?;
    ctx.unsqueeze(part, vec![1, 2, 3])
}

/// Trues for the keys up to each query's own place; `None` where that is all of them.
///
/// The last query sees all keys, which matters only where there are more or fewer of them than
/// places of queries.
fn behind(ctx: &mut Ctx<'_>, sizes: Sizes) -> Result<Option<ValueId>, OpError> {
    if ctx.known(sizes.queries) == Some(1) {
        return Ok(None);
    }
    let rows = ctx.count_up(sizes.queries)?;
    let rows = ctx.unsqueeze(rows, vec![1])?;
    let mut own = ctx.binary(Ew::Sum, rows, sizes.past)?;
    let end = ctx.binary(Ew::Sum, sizes.past, sizes.queries)?;
    let (end, keys) = (ctx.dim(end), ctx.dim(sizes.keys));
    if end.is_none() || end != keys {
        let last = ctx.compute(Ew::Sub, sizes.queries, 1)?;
        let last = ctx.binary(Ew::Equal, rows, last)?;
        let last = ctx.cast(last, DType::I64)?;
        let more = ctx.binary(Ew::Prod, last, sizes.keys)?;
        own = ctx.binary(Ew::Sum, own, more)?;
    }
    let end = ctx.compute(Ew::Sum, own, 1)?;
    let columns = ctx.count_up(sizes.keys)?;
    ctx.binary(Ew::Less, columns, end).map(Some)
}
