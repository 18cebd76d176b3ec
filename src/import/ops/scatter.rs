//! Data with some elements replaced, or combined with others.

use super::gather::{axis_of, wrap_index_vectors};
use crate::import::build::axes::{along, whole};
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{
    ElementWiseOperation as Ew, Gather, GatherMode, ReduceOperation, SampleMode, Scatter,
    ScatterMode,
};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("Scatter", 9..=10, "data indices updates", scatter_elements),
    onnx("ScatterElements", 11..=NOW, "data indices updates", scatter_elements),
    onnx("ScatterND", 11..=NOW, "data indices updates", scatter_nd),
];

/// How an update is combined with what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reduction {
    Add,
    Mul,
    Max,
    Min,
}

impl Reduction {
    /// Of two elements.
    fn both(self) -> Ew {
        match self {
            Reduction::Add => Ew::Sum,
            Reduction::Mul => Ew::Prod,
            Reduction::Max => Ew::Max,
            Reduction::Min => Ew::Min,
        }
    }

    /// Of many elements.
    fn all(self) -> ReduceOperation {
        match self {
            Reduction::Add => ReduceOperation::Sum,
            Reduction::Mul => ReduceOperation::Prod,
            Reduction::Max => ReduceOperation::Max,
            Reduction::Min => ReduceOperation::Min,
        }
    }

    /// The element that changes nothing; whole numbers take the nearest they have.
    fn neutral(self) -> f64 {
        match self {
            Reduction::Add => 0.0,
            Reduction::Mul => 1.0,
            Reduction::Max => f64::NEG_INFINITY,
            Reduction::Min => f64::INFINITY,
        }
    }

    /// The updates where they go here, combined along an axis.
    fn table(
        self,
        ctx: &mut Ctx<'_>,
        here: ValueId,
        updates: ValueId,
        axis: usize,
    ) -> Result<ValueId, OpError> {
        let neutral = ctx.filled(ctx.dtype(updates), self.neutral(), ctx.rank(updates))?;
        let table = ctx.select(here, updates, neutral)?;
        ctx.reduce(self.all(), table, vec![axis], false)
    }
}

/// The attribute `reduction`; `None` for plain replacement.
///
/// The extremes came with opset 18, but PyTorch writes them before, and nobody reads them
/// otherwise.
fn reduction(ctx: &mut Ctx<'_>, node: &Node) -> Result<Option<Reduction>, OpError> {
    let name = node.attrs.string_or("reduction", "none")?;
    let reduction = match name {
        "none" => return Ok(None),
        "add" => Reduction::Add,
        "mul" => Reduction::Mul,
        "max" => Reduction::Max,
        "min" => Reduction::Min,
        other => return Err(OpError::invalid(format!("attribute `reduction` is `{other}`"))),
    };
    if node.opset < 18 && matches!(reduction, Reduction::Max | Reduction::Min) {
        ctx.note(format!(
            "attribute `reduction` is `{name}`, which ONNX has from opset 18 on; \
             taken as meant there"
        ));
    }
    Ok(Some(reduction))
}

/// Whether no two updates go to one place.
fn updates_differ(indices: &Tensor, element_axis: Option<usize>) -> bool {
    let numbers = indices.to_i64s().unwrap_or_default();
    let dims = indices.dims();
    let mut places: Vec<Vec<i64>> = match element_axis {
        Some(axis) => {
            numbers.iter().enumerate().map(|(at, &index)| place(at, index, dims, axis)).collect()
        }
        None => {
            numbers.chunks(dims.last().copied().unwrap_or(1).max(1)).map(<[i64]>::to_vec).collect()
        }
    };
    places.sort_unstable();
    places.windows(2).all(|pair| pair.first() != pair.last())
}

/// Coordinates of element `at` of a tensor of these dimensions, with that of `axis` replaced by
/// `index`.
fn place(mut at: usize, index: i64, dims: &[usize], axis: usize) -> Vec<i64> {
    let mut out: Vec<i64> = dims
        .iter()
        .rev()
        .map(|&size| {
            let coordinate = at % size.max(1);
            at /= size.max(1);
            i64::try_from(coordinate).unwrap_or(i64::MAX)
        })
        .collect();
    out.reverse();
    if let Some(coordinate) = out.get_mut(axis) {
        *coordinate = index;
    }
    out
}

/// `ScatterElements`, and `Scatter` as it was called first. Becomes Scatter; negative indices are
/// wrapped.
///
/// With a reduction, known indices that differ gather what is there and combine it with the updates
/// before; others make a table.
fn scatter_elements(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, indices, updates) = (ctx.input(0)?, ctx.input(1)?, ctx.input(2)?);
    let axis = axis_of(ctx, node, 0, data)?;
    let reduction = reduction(ctx, node)?;
    check_reach(ctx, [data, indices], axis, reduction)?;
    let indices = ctx.wrap_indices(data, indices, axis)?;
    let gather = Gather { mode: GatherMode::Element, axis, element_wise_dims: 0 };
    let scatter = Scatter { mode: ScatterMode::Element, axis };
    let operands = [data, indices, updates];
    Ok(smallvec![match reduction.filter(|_| !differ(ctx, indices, Some(axis))) {
        None => scattered(ctx, reduction, operands, gather, scatter)?,
        Some(reduction) => reduced_elements(ctx, reduction, operands, axis)?,
    }])
}

/// `ScatterND`. Becomes Scatter; negative indices are wrapped. Reductions as for `ScatterElements`.
fn scatter_nd(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, indices, updates) = (ctx.input(0)?, ctx.input(1)?, ctx.input(2)?);
    let reduction = reduction(ctx, node)?;
    let indices = wrap_index_vectors(ctx, data, indices, 0)?;
    let gather = Gather { mode: GatherMode::Nd, axis: 0, element_wise_dims: 0 };
    let scatter = Scatter { mode: ScatterMode::Nd, axis: 0 };
    let operands = [data, indices, updates];
    Ok(smallvec![match reduction.filter(|_| !differ(ctx, indices, None)) {
        None => scattered(ctx, reduction, operands, gather, scatter)?,
        Some(reduction) => reduced_rows(ctx, reduction, operands)?,
    }])
}

/// Whether the indices are known, and no two updates go to one place.
fn differ(ctx: &Ctx<'_>, indices: ValueId, element_axis: Option<usize>) -> bool {
    ctx.constant(indices).is_some_and(|indices| updates_differ(&indices, element_axis))
}

/// Checks that the indices reach no further than the data along every other axis; and where updates
/// replace, along their own, so that TensorRT takes them: more would replace some element twice.
fn check_reach(
    ctx: &Ctx<'_>,
    [data, indices]: [ValueId; 2],
    axis: usize,
    reduction: Option<Reduction>,
) -> Result<(), OpError> {
    for (at, (have, wanted)) in ctx.shape(data).iter().zip(ctx.shape(indices).iter()).enumerate() {
        let (Some(have), Some(wanted)) = (have.known(), wanted.known()) else { continue };
        if wanted <= have {
            continue;
        }
        let value = format!("of size {wanted} along axis {at}, where input `data` has {have}");
        if at != axis {
            return Err(OpError::invalid(format!("input `indices` is {value}")));
        }
        if reduction.is_none() {
            let supported = "up to the data's size, so that no element is replaced twice";
            return Err(OpError::Value { what: "input `indices`", value, supported });
        }
    }
    Ok(())
}

/// Updates of which no two go to one place, combined with what is there.
fn scattered(
    ctx: &mut Ctx<'_>,
    reduction: Option<Reduction>,
    [data, indices, updates]: [ValueId; 3],
    gather: Gather,
    scatter: Scatter,
) -> Result<ValueId, OpError> {
    let updates = match reduction {
        None => updates,
        Some(reduction) => {
            let current = ctx.add(gather, &[data, indices])?;
            ctx.binary(reduction.both(), current, updates)?
        }
    };
    ctx.add(scatter, &[data, indices, updates])
}

/// The most elements of a table, where its sizes are known.
const MOST_PAIRS: i64 = 1 << 26;

/// Every element combined with all updates that go there: from a table with the data's axis beside
/// that of the updates, in which what goes elsewhere is neutral.
fn reduced_elements(
    ctx: &mut Ctx<'_>,
    by: Reduction,
    [data, indices, updates]: [ValueId; 3],
    axis: usize,
) -> Result<ValueId, OpError> {
    let sizes = ctx.sizes(data)?;
    let rows = *sizes.get(axis).ok_or(OpError::Rank {
        what: "input `data`",
        rank: 0,
        supported: "1 or more",
    })?;
    let pairs = ctx.sizes(indices)?;
    let pairs = ctx.product(&pairs)?;
    check_table(ctx, rows, pairs)?;
    let rank = ctx.rank(data);
    let places = ctx.unsqueeze(indices, vec![axis])?;
    let updates = ctx.unsqueeze(updates, vec![axis])?;
    let rows = ctx.count_up(rows)?;
    let rows = ctx.cast(rows, ctx.dtype(places))?;
    let rows = along(ctx, rows, axis, rank + 1)?;
    let here = ctx.binary(Ew::Equal, rows, places)?;
    let combined = by.table(ctx, here, updates, axis + 1)?;
    // Along the other axes the updates may end before the data does.
    let steps = whole(ctx, data)?;
    let neutral = ctx.scalar(ctx.dtype(data), by.neutral())?;
    let combined = ctx.slice(combined, &steps, SampleMode::Fill, Some(neutral))?;
    ctx.binary(by.both(), data, combined)
}

/// The same for index vectors, which name rows: a table of rows by updates.
fn reduced_rows(
    ctx: &mut Ctx<'_>,
    by: Reduction,
    [data, indices, updates]: [ValueId; 3],
) -> Result<ValueId, OpError> {
    let sizes = ctx.sizes(data)?;
    let outer = ctx
        .rank(indices)
        .checked_sub(1)
        .ok_or_else(|| OpError::invalid("input `indices` has rank 0"))?;
    let depth = ctx
        .size(indices, outer)
        .ok_or(OpError::Feature("input `indices` with vectors of unknown length"))?;
    if depth > sizes.len() {
        return Err(OpError::invalid("index vectors are longer than the data's rank"));
    }
    let (named, row) = sizes.split_at(depth);
    let places = ctx.cast(indices, DType::I64)?;
    let mut strides = Vec::with_capacity(depth);
    for axis in 1..=depth {
        strides.push(ctx.product(named.get(axis..).unwrap_or_default())?);
    }
    let places = if strides.is_empty() {
        places
    } else {
        let strides = ctx.concat(&strides, 0)?;
        ctx.binary(Ew::Prod, places, strides)?
    };
    let places = ctx.reduce(ReduceOperation::Sum, places, vec![outer], false)?;
    let places = ctx.reshape(places, vec![-1])?;
    let mut count = ctx.sizes(indices)?;
    count.truncate(outer);
    let (rows, length, count) = (ctx.product(named)?, ctx.product(row)?, ctx.product(&count)?);
    let pairs = ctx.binary(Ew::Prod, count, length)?;
    check_table(ctx, rows, pairs)?;
    let rows = ctx.count_up(rows)?;
    let rows = ctx.unsqueeze(rows, vec![1])?;
    let here = ctx.binary(Ew::Equal, rows, places)?;
    let here = ctx.unsqueeze(here, vec![2])?;
    let one = ctx.number(1);
    let updates = ctx.reshape_to(updates, &[one, count, length])?;
    let combined = by.table(ctx, here, updates, 1)?;
    let combined = ctx.reshape_to(combined, &sizes)?;
    ctx.binary(by.both(), data, combined)
}

fn check_table(ctx: &Ctx<'_>, rows: ValueId, pairs: ValueId) -> Result<(), OpError> {
    let (Some(rows), Some(pairs)) = (ctx.known(rows), ctx.known(pairs)) else { return Ok(()) };
    if rows.saturating_mul(pairs) <= MOST_PAIRS {
        return Ok(());
    }
    let value = format!("of {pairs} updates to {rows} rows");
    Err(OpError::Value { what: "a reduction", value, supported: "their product up to 2^26" })
}
