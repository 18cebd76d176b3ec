//! What several families say about axes: boxes of a value, counters, vectors along one axis.

use super::ctx::Ctx;
use super::numbers::Steps;
use crate::import::error::OpError;
use crate::network::ValueId;
use crate::network::layer::{ElementWiseOperation as Ew, SampleMode};
use crate::tensor::{DType, Tensor};
use half::{bf16, f16};

/// What [`cut`] takes of one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) struct Cut {
    start: i64,
    /// How many elements more than there are (fewer where negative).
    more: i64,
}

impl Cut {
    /// The whole axis.
    pub(in crate::import) const ALL: Cut = Cut { start: 0, more: 0 };

    /// The axis with elements added before and behind it, or taken away where negative.
    pub(in crate::import) fn grown(before: i64, behind: i64) -> Cut {
        Cut { start: before.saturating_neg(), more: before.saturating_add(behind) }
    }
}

/// A box of a value of any size; outside of the data lies `fill` (rank 0, the data's type), or
/// zeros.
pub(in crate::import) fn cut(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    cuts: &[Cut],
    fill: Option<ValueId>,
) -> Result<ValueId, OpError> {
    let mut steps = Steps::default();
    for (axis, cut) in cuts.iter().enumerate() {
        let mut size = ctx.size_of(x, axis)?;
        if cut.more != 0 {
            size = ctx.compute(Ew::Sum, size, cut.more)?;
        }
        let (start, stride) = (ctx.number(cut.start), ctx.number(1));
        steps.push(start, size, stride);
    }
    ctx.slice(x, &steps, SampleMode::Fill, fill)
}

/// Steps that take the whole of a value.
pub(in crate::import) fn whole(ctx: &mut Ctx<'_>, data: ValueId) -> Result<Steps, OpError> {
    let mut steps = Steps::default();
    for size in ctx.sizes(data)? {
        let (start, stride) = (ctx.number(0), ctx.number(1));
        steps.push(start, size, stride);
    }
    Ok(steps)
}

/// The numbers 0, 1, … along one axis of `like`, as `i64`; the other axes have size 1.
pub(in crate::import) fn counter(
    ctx: &mut Ctx<'_>,
    like: ValueId,
    axis: usize,
) -> Result<ValueId, OpError> {
    let size = ctx.size_of(like, axis)?;
    let numbers = ctx.count_up(size)?;
    along(ctx, numbers, axis, ctx.rank(like))
}

/// A vector as a value of `rank` axes, laid along one of them; a scalar becomes one element.
pub(in crate::import) fn along(
    ctx: &mut Ctx<'_>,
    vector: ValueId,
    axis: usize,
    rank: usize,
) -> Result<ValueId, OpError> {
    match ctx.rank(vector) {
        0 => ctx.lead(vector, rank),
        1 => ctx.unsqueeze(vector, (0..rank).filter(|&i| i != axis).collect()),
        _ => Ok(vector),
    }
}

/// The value with the elements of one axis in reverse order.
pub(in crate::import) fn reversed(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    axis: usize,
) -> Result<ValueId, OpError> {
    let mut steps = Steps::default();
    for (at, size) in ctx.sizes(x)?.into_iter().enumerate() {
        let start = if at == axis { ctx.compute(Ew::Sub, size, 1)? } else { ctx.number(0) };
        let stride = ctx.number(if at == axis { -1 } else { 1 });
        steps.push(start, size, stride);
    }
    ctx.slice(x, &steps, SampleMode::StrictBounds, None)
}

/// A tensor of a floating-point type from numbers rounded to it.
pub(in crate::import) fn rounded(
    dtype: DType,
    dims: Vec<usize>,
    values: &[f64],
) -> Result<Tensor, OpError> {
    #[allow(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "rounding to the nearest f32 is what is asked for"
    )]
    Ok(match dtype {
        DType::F32 => Tensor::of(dims, values.iter().map(|&x| x as f32).collect())?,
        DType::F16 => Tensor::of(dims, values.iter().map(|&x| f16::from_f64(x)).collect())?,
        DType::BF16 => Tensor::of(dims, values.iter().map(|&x| bf16::from_f64(x)).collect())?,
        _ => return Err(OpError::DType { what: "data", dtype, supported: "f32, f16, bf16" }),
    })
}
