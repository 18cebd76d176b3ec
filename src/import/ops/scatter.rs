//! Data with some elements replaced, or combined with others.

use super::gather::{axis_of, wrap_index_vectors};
use crate::import::ctx::Ctx;
use crate::import::error::OpError;
use crate::import::registry::{NOW, Op, onnx};
use crate::network::layer::data::{GatherMode, ScatterMode};
use crate::network::layer::math::{ElementWiseOperation as Ew, ReduceOperation};
use crate::network::layer::{Gather, Scatter};
use crate::network::{Dim, ValueId, Values};
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
}

/// The attribute `reduction`; `None` for plain replacement.
fn reduction(node: &Node) -> Result<Option<Reduction>, OpError> {
    Ok(match node.attrs.string_or("reduction", "none")? {
        "none" => None,
        "add" => Some(Reduction::Add),
        "mul" => Some(Reduction::Mul),
        "max" if node.opset >= 18 => Some(Reduction::Max),
        "min" if node.opset >= 18 => Some(Reduction::Min),
        other => return Err(OpError::invalid(format!("attribute `reduction` is `{other}`"))),
    })
}

/// Whether no two updates go to one place.
fn updates_differ(indices: &Tensor, element_axis: Option<usize>) -> bool {
    let numbers = indices.to_i64s().unwrap_or_default();
    let dims = indices.dims();
    let mut places: Vec<Vec<i64>> = match element_axis {
        Some(axis) => numbers.iter().enumerate().map(|(at, &index)| place(at, index, dims, axis)).collect(),
        None => numbers.chunks(dims.last().copied().unwrap_or(1).max(1)).map(<[i64]>::to_vec).collect(),
    };
    places.sort_unstable();
    places.windows(2).all(|pair| pair.first() != pair.last())
}

/// Coordinates of element `at` of a tensor of these dimensions, with that of `axis` replaced by `index`.
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

/// `ScatterElements`, and `Scatter` as it was called first. Becomes Scatter; negative indices are wrapped.
///
/// With a reduction, known indices that differ gather what is there and combine it with the updates before; others
/// need sizes that are known and not too large.
fn scatter_elements(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, indices, updates) = (ctx.input(0)?, ctx.input(1)?, ctx.input(2)?);
    let axis = axis_of(ctx, node, 0, data)?;
    let indices = ctx.wrap_indices(data, indices, axis)?;
    let gather = Gather { mode: GatherMode::Element, axis, element_wise_dims: 0 };
    let scatter = Scatter { mode: ScatterMode::Element, axis };
    scatter_with(ctx, node, [data, indices, updates], gather, scatter)
}

/// `ScatterND`. Becomes Scatter; negative indices are wrapped. Reductions as for `ScatterElements`.
fn scatter_nd(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, indices, updates) = (ctx.input(0)?, ctx.input(1)?, ctx.input(2)?);
    let indices = wrap_index_vectors(ctx, data, indices, 0)?;
    let gather = Gather { mode: GatherMode::Nd, axis: 0, element_wise_dims: 0 };
    let scatter = Scatter { mode: ScatterMode::Nd, axis: 0 };
    scatter_with(ctx, node, [data, indices, updates], gather, scatter)
}

fn scatter_with(
    ctx: &mut Ctx<'_>,
    node: &Node,
    [data, indices, updates]: [ValueId; 3],
    gather: Gather,
    scatter: Scatter,
) -> Result<Values, OpError> {
    let Some(operation) = reduction(node)? else {
        return Ok(smallvec![ctx.add(scatter, &[data, indices, updates])?]);
    };
    let element_axis = (scatter.mode == ScatterMode::Element).then_some(scatter.axis);
    if ctx.constant(indices).is_some_and(|indices| updates_differ(&indices, element_axis)) {
        let current = ctx.add(gather, &[data, indices])?;
        let updates = ctx.binary(operation.both(), current, updates)?;
        return Ok(smallvec![ctx.add(scatter, &[data, indices, updates])?]);
    }
    let rows = match element_axis {
        Some(axis) => Rows::of_elements(ctx, data, indices, axis)?,
        None => Rows::of_vectors(ctx, data, indices)?,
    };
    Ok(smallvec![rows.reduced(ctx, operation, data, updates)?])
}

/// The data as rows, and the row that each update goes to: `i64[updates]`.
struct Rows {
    count: i64,
    /// Elements in a row.
    length: i64,
    updates: i64,
    places: ValueId,
}

/// The most elements of the table of all rows by all updates.
const MOST_PAIRS: i64 = 1 << 26;

impl Rows {
    /// Every element is a row.
    fn of_elements(ctx: &mut Ctx<'_>, data: ValueId, indices: ValueId, axis: usize) -> Result<Self, OpError> {
        let (shape, updates) = (known_shape(ctx, data)?, known_shape(ctx, indices)?);
        let rank = shape.len();
        let wide = ctx.cast(indices, DType::I64)?;
        let mut place = None;
        for (at, stride) in strides(&shape).into_iter().enumerate() {
            let coordinate = if at == axis {
                wide
            } else {
                let size = ctx.size_of(indices, at)?;
                let counter = ctx.count_up(size)?;
                ctx.unsqueeze(counter, (0..rank).filter(|&other| other != at).collect())?
            };
            let distance = ctx.compute(Ew::Prod, coordinate, stride)?;
            place = Some(match place {
                Some(place) => ctx.binary(Ew::Sum, place, distance)?,
                None => distance,
            });
        }
        let place = place.ok_or(OpError::Rank { what: "input `data`", rank: 0, supported: "1 or more" })?;
        let places = ctx.reshape(place, vec![-1])?;
        Ok(Self { count: count(&shape), length: 1, updates: count(&updates), places })
    }

    /// Rows are what an index vector names.
    fn of_vectors(ctx: &mut Ctx<'_>, data: ValueId, indices: ValueId) -> Result<Self, OpError> {
        let (shape, updates) = (known_shape(ctx, data)?, known_shape(ctx, indices)?);
        let (&depth, outer) = updates.split_last().ok_or_else(|| OpError::invalid("input `indices` has rank 0"))?;
        let depth = usize::try_from(depth).ok().filter(|&depth| depth <= shape.len());
        let depth = depth.ok_or_else(|| OpError::invalid("index vectors are longer than the data's rank"))?;
        let (named, row) = shape.split_at(depth);
        let wide = ctx.cast(indices, DType::I64)?;
        let strides = ctx.i64s(&strides(named));
        let distances = ctx.binary(Ew::Prod, wide, strides)?;
        let places = ctx.reduce(ReduceOperation::Sum, distances, vec![outer.len()], false)?;
        let places = ctx.reshape(places, vec![-1])?;
        Ok(Self { count: count(named), length: count(row), updates: count(outer), places })
    }

    /// Every row combined with all updates that go there: from a table of rows by updates, in which what goes
    /// elsewhere is neutral.
    fn reduced(self, ctx: &mut Ctx<'_>, by: Reduction, data: ValueId, updates: ValueId) -> Result<ValueId, OpError> {
        let pairs = self.count.saturating_mul(self.length).saturating_mul(self.updates);
        if pairs > MOST_PAIRS {
            let value = format!("of {} updates to {} elements", self.updates, self.count.saturating_mul(self.length));
            return Err(OpError::Value { what: "a reduction", value, supported: "their product up to 2^26" });
        }
        let shape = known_shape(ctx, data)?;
        let rows = ctx.number(self.count);
        let rows = ctx.count_up(rows)?;
        let rows = ctx.unsqueeze(rows, vec![1])?;
        let here = ctx.binary(Ew::Equal, rows, self.places)?;
        let here = ctx.unsqueeze(here, vec![2])?;
        let updates = ctx.reshape(updates, vec![1, self.updates, self.length])?;
        let neutral = ctx.filled(ctx.dtype(data), by.neutral(), 3)?;
        let table = ctx.select(here, updates, neutral)?;
        let combined = ctx.reduce(by.all(), table, vec![1], false)?;
        let combined = ctx.reshape(combined, shape)?;
        ctx.binary(by.both(), data, combined)
    }
}

fn known_shape(ctx: &Ctx<'_>, value: ValueId) -> Result<Vec<i64>, OpError> {
    let sizes: Option<Vec<i64>> = ctx.shape(value).iter().map(Dim::known).collect();
    sizes.ok_or(OpError::Feature("a reduction with unknown sizes"))
}

fn count(shape: &[i64]) -> i64 {
    shape.iter().fold(1, |count, &size| count.saturating_mul(size))
}

/// How far apart neighbours along each axis are.
fn strides(shape: &[i64]) -> Vec<i64> {
    (1..=shape.len()).map(|axis| count(shape.get(axis..).unwrap_or_default())).collect()
}
