//! Which keys a query sees, as numbers to add to its scores.

use super::ctx::Ctx;
use super::numbers::Steps;
use crate::import::error::OpError;
use crate::network::ValueId;
use crate::network::layer::{ElementWiseOperation as Ew, SampleMode};
use crate::tensor::DType;

/// The most positions that a query sees before and behind its own; `None` where there is no bound.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::import) struct Window {
    pub(in crate::import) left: Option<i64>,
    pub(in crate::import) right: Option<i64>,
}

impl Window {
    /// The same without any key behind the query's own position.
    pub(in crate::import) fn causal(self) -> Self {
        Self { right: Some(0), ..self }
    }
}

/// What decides on the keys besides the window.
#[derive(Debug)]
pub(in crate::import) struct Keys {
    /// Keys that came before the first query, `[batch, heads, length, size]`.
    pub(in crate::import) past: Option<ValueId>,
    /// Trues or summands, broadcast to `[batch, heads, queries, keys]`; keys that it lacks are
    /// hidden.
    pub(in crate::import) mask: Option<ValueId>,
    /// How many keys of each sample count; the last query is at the last of them.
    pub(in crate::import) filled: Option<ValueId>,
}

/// What is added to the scores.
#[derive(Debug)]
pub(in crate::import) struct Bias {
    /// Broadcasts to the scores but for the last axis, which is complete; −∞ hides a key.
    pub(in crate::import) value: ValueId,
    /// Whether there may be queries that see no key.
    pub(in crate::import) may_hide_all: bool,
}

/// The bias of all queries `q` and keys `k`, both of rank 4; `None` where each query sees every
/// key.
pub(in crate::import) fn bias(
    ctx: &mut Ctx<'_>,
    q: ValueId,
    k: ValueId,
    keys: &Keys,
    window: Window,
) -> Result<Option<Bias>, OpError> {
    let (dtype, count) = (ctx.dtype(q), ctx.size_of(k, 2)?);
    let mask = keys.mask.map(|mask| summands(ctx, mask, dtype, count)).transpose()?;
    let may_hide_all = mask.is_some() || keys.filled.is_some() || window.left.is_some();
    let visible = visible(ctx, q, count, keys, window)?;
    let value = match (mask, visible) {
        (None, None) => return Ok(None),
        (Some(mask), None) => mask,
        (mask, Some(visible)) => {
            let mask = mask.map_or_else(|| ctx.scalar(dtype, 0.0), Ok)?;
            let hidden = ctx.scalar(dtype, f64::NEG_INFINITY)?;
            ctx.select(visible, mask, hidden)?
        }
    };
    Ok(Some(Bias { value, may_hide_all }))
}

/// The mask as summands of the queries' type, with −∞ for keys that it lacks.
fn summands(
    ctx: &mut Ctx<'_>,
    mask: ValueId,
    dtype: DType,
    count: ValueId,
) -> Result<ValueId, OpError> {
    let (zero, hidden) = (ctx.scalar(dtype, 0.0)?, ctx.scalar(dtype, f64::NEG_INFINITY)?);
    let mask = match ctx.dtype(mask) {
        DType::Bool => ctx.select(mask, zero, hidden)?,
        own if own.is_float() => ctx.cast(mask, dtype)?,
        other => {
            return Err(OpError::DType {
                what: "input `attn_mask`",
                dtype: other,
                supported: "bool, floating point",
            });
        }
    };
    let mut sizes = ctx.sizes(mask)?;
    let last = sizes.last_mut().ok_or(OpError::Rank {
        what: "input `attn_mask`",
        rank: 0,
        supported: "1 or more",
    })?;
    *last = count;
    let rank = sizes.len();
    let steps =
        Steps { start: vec![ctx.number(0); rank], stride: vec![ctx.number(1); rank], size: sizes };
    ctx.slice(mask, &steps, SampleMode::Fill, Some(hidden))
}

/// Trues where the window and the number of filled keys let a query see a key; `None` for
/// everywhere.
fn visible(
    ctx: &mut Ctx<'_>,
    q: ValueId,
    count: ValueId,
    keys: &Keys,
    window: Window,
) -> Result<Option<ValueId>, OpError> {
    let filled = keys.filled.map(|filled| per_sample(ctx, filled)).transpose()?;
    let columns = ctx.count_up(count)?;
    let mut rules = Vec::new();
    if window.left.is_some() || window.right.is_some() {
        let own = positions(ctx, q, keys.past, filled)?;
        if let Some(right) = window.right {
            let end = ctx.compute(Ew::Sum, own, right.saturating_add(1))?;
            rules.push(ctx.binary(Ew::Less, columns, end)?);
        }
        if let Some(left) = window.left {
            let before = ctx.compute(Ew::Sum, own, left.saturating_neg().saturating_sub(1))?;
            rules.push(ctx.binary(Ew::Greater, columns, before)?);
        }
    }
    if let Some(filled) = filled {
        rules.push(ctx.binary(Ew::Less, columns, filled)?);
    }
    let mut all = None;
    for rule in rules {
        all = Some(all.map_or(Ok(rule), |all| ctx.binary(Ew::And, all, rule))?);
    }
    Ok(all)
}

/// One number per sample as `i64[batch, 1, 1, 1]`.
fn per_sample(ctx: &mut Ctx<'_>, numbers: ValueId) -> Result<ValueId, OpError> {
    if ctx.rank(numbers) != 1 {
        return Err(OpError::Rank {
            what: "input `nonpad_kv_seqlen`",
            rank: ctx.rank(numbers),
            supported: "1",
        });
    }
    let numbers = ctx.cast(numbers, DType::I64)?;
    ctx.unsqueeze(numbers, vec![1, 2, 3])
}

/// Each query's own position among the keys, `i64[…, queries, 1]`.
fn positions(
    ctx: &mut Ctx<'_>,
    q: ValueId,
    past: Option<ValueId>,
    filled: Option<ValueId>,
) -> Result<ValueId, OpError> {
    let count = ctx.size_of(q, 2)?;
    let rows = ctx.count_up(count)?;
    let rows = ctx.unsqueeze(rows, vec![1])?;
    let first = match (past, filled) {
        (Some(past), _) => ctx.size_of(past, 2)?,
        (None, Some(filled)) => ctx.binary(Ew::Sub, filled, count)?,
        (None, None) => return Ok(rows),
    };
    ctx.binary(Ew::Sum, rows, first)
}
