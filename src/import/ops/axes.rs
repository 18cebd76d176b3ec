//! What several families say about axes: boxes of a value, counters, vectors along one axis.

use crate::import::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::layer::data::{Fill, FillOperation, SampleMode};
use crate::network::layer::math::ElementWiseOperation as Ew;
use crate::network::layer::{Arg, Slice};
use crate::network::{Dim, ValueId};
use crate::tensor::{DType, Tensor};
use half::{bf16, f16};

/// Size of a [`Cut`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// So many elements.
    Fixed(i64),
    /// As many as the input has, and so many more (fewer where negative).
    Grown(i64),
}

/// What [`cut`] takes of one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) start: i64,
    pub(super) size: Size,
    pub(super) stride: i64,
}

impl Cut {
    /// The whole axis.
    pub(super) const ALL: Cut = Cut { start: 0, size: Size::Grown(0), stride: 1 };

    /// The axis with elements added before and behind it, or taken away where negative.
    pub(super) fn grown(before: i64, behind: i64) -> Cut {
        Cut { start: before.saturating_neg(), size: Size::Grown(before.saturating_add(behind)), stride: 1 }
    }
}

/// A strided box of a value of any size; outside of the data lies `fill` (rank 0, the data's type), or zeros.
pub(super) fn cut(ctx: &mut Ctx<'_>, x: ValueId, cuts: &[Cut], fill: Option<ValueId>) -> Result<ValueId, OpError> {
    if cuts.iter().all(|&cut| cut == Cut::ALL) {
        return Ok(x);
    }
    let mut inputs = vec![x];
    let size = if let Some(sizes) = static_sizes(ctx.shape(x), cuts) {
        Arg::Static(sizes)
    } else {
        inputs.push(run_time_sizes(ctx, x, cuts)?);
        Arg::Input(1)
    };
    let fill = fill.map(|fill| {
        inputs.push(fill);
        inputs.len() - 1
    });
    let start = Arg::Static(cuts.iter().map(|cut| cut.start).collect());
    let stride = Arg::Static(cuts.iter().map(|cut| cut.stride).collect());
    ctx.add(Slice { start, size, stride, mode: SampleMode::Fill, fill }, &inputs)
}

fn static_sizes(shape: &[Dim], cuts: &[Cut]) -> Option<Vec<i64>> {
    let size = |(dim, cut): (&Dim, &Cut)| match cut.size {
        Size::Fixed(size) => Some(size),
        Size::Grown(by) => dim.known()?.checked_add(by),
    };
    shape.iter().zip(cuts).map(size).collect()
}

fn run_time_sizes(ctx: &mut Ctx<'_>, x: ValueId, cuts: &[Cut]) -> Result<ValueId, OpError> {
    let mut parts = Vec::with_capacity(cuts.len());
    for (axis, cut) in cuts.iter().enumerate() {
        parts.push(match cut.size {
            Size::Fixed(size) => ctx.i64s(&[size]),
            Size::Grown(by) => {
                let size = ctx.size_of(x, axis)?;
                let by = ctx.i64s(&[by]);
                ctx.binary(Ew::Sum, size, by)?
            }
        });
    }
    ctx.concat(&parts, 0)
}

/// The numbers 0, 1, … along one axis of `like`; the other axes have size 1.
pub(super) fn counter(ctx: &mut Ctx<'_>, like: ValueId, axis: usize, dtype: DType) -> Result<ValueId, OpError> {
    let rank = ctx.rank(like);
    let (dims, inputs) = match ctx.size(like, axis) {
        Some(size) => (Arg::Static(vec![size]), Vec::new()),
        None => (Arg::Input(0), vec![ctx.size_of(like, axis)?]),
    };
    let fill =
        Fill { operation: FillOperation::Linspace, dims, alpha: Arg::Static(0.0), beta: Arg::Static(1.0), dtype };
    let numbers = ctx.add(fill, &inputs)?;
    along(ctx, numbers, axis, rank)
}

/// A vector as a value of `rank` axes, laid along one of them; a scalar becomes one element.
pub(super) fn along(ctx: &mut Ctx<'_>, vector: ValueId, axis: usize, rank: usize) -> Result<ValueId, OpError> {
    match ctx.rank(vector) {
        0 => ctx.lead(vector, rank),
        1 => ctx.unsqueeze(vector, (0..rank).filter(|&i| i != axis).collect()),
        _ => Ok(vector),
    }
}

/// The value with the elements of one axis in reverse order.
pub(super) fn reversed(ctx: &mut Ctx<'_>, x: ValueId, axis: usize) -> Result<ValueId, OpError> {
    let rank = ctx.rank(x);
    let per_axis = |on: i64, off: i64| (0..rank).map(|i| if i == axis { on } else { off }).collect::<Vec<_>>();
    let stride = Arg::Static(per_axis(-1, 1));
    let mode = SampleMode::StrictBounds;
    if let Some(dims) = ctx.shape(x).iter().map(Dim::known).collect::<Option<Vec<_>>>() {
        let last = dims.get(axis).map_or(0, |size| (size - 1).max(0));
        let slice = Slice { start: Arg::Static(per_axis(last, 0)), size: Arg::Static(dims), stride, mode, fill: None };
        return ctx.add(slice, &[x]);
    }
    let (size, mask, shift) = (ctx.shape_of(x)?, ctx.i64s(&per_axis(1, 0)), ctx.i64s(&per_axis(-1, 0)));
    let start = ctx.binary(Ew::Prod, size, mask)?;
    let start = ctx.binary(Ew::Sum, start, shift)?;
    ctx.add(Slice { start: Arg::Input(1), size: Arg::Input(2), stride, mode, fill: None }, &[x, start, size])
}

/// A tensor of a floating-point type from numbers rounded to it.
pub(super) fn rounded(dtype: DType, dims: Vec<usize>, values: &[f64]) -> Result<Tensor, OpError> {
    #[allow(clippy::cast_possible_truncation, reason = "rounding to the nearest f32 is what is asked for")]
    Ok(match dtype {
        DType::F32 => Tensor::of(dims, values.iter().map(|&x| x as f32).collect())?,
        DType::F16 => Tensor::of(dims, values.iter().map(|&x| f16::from_f64(x)).collect())?,
        DType::BF16 => Tensor::of(dims, values.iter().map(|&x| bf16::from_f64(x)).collect())?,
        _ => return Err(OpError::DType { what: "data", dtype, supported: "f32, f16, bf16" }),
    })
}
