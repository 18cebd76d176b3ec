//! Images sampled between their elements at positions that the run computes: `RoiAlign`,
//! `DeformConv`.

use crate::import::build::ctx::Ctx;
use crate::import::build::numbers::Steps;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::build::pads::{int, sizes, whole_list};
use crate::import::error::OpError;
use crate::network::layer::{
    ElementWiseOperation as Ew, Gather, GatherMode, MatrixMultiply, MatrixOperation,
    ReduceOperation, SampleMode, UnaryOperation as Un,
};
use crate::network::{Dim, ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("DeformConv", 19..=NOW, "X W offset B? mask?", deform_conv),
    onnx("RoiAlign", 10..=15, "X rois batch_indices", |ctx, node| roi_align(ctx, node, false)),
    onnx("RoiAlign", 16..=NOW, "X rois batch_indices", |ctx, node| {
        let half = match node.attrs.string_or("coordinate_transformation_mode", "half_pixel")? {
            "half_pixel" => true,
            "output_half_pixel" => false,
            other => {
                let what = "attribute `coordinate_transformation_mode`";
                return Err(OpError::invalid(format!("{what} is `{other}`")));
            }
        };
        roi_align(ctx, node, half)
    }),
];

/// The two elements around each position along an axis, and how much of each.
struct Neighbors {
    /// `i64` indices inside the axis.
    places: [ValueId; 2],
    /// `f32` weights.
    weights: [ValueId; 2],
}

/// Weights as 0 where a condition does not hold.
fn only_where(ctx: &mut Ctx<'_>, condition: ValueId, weights: ValueId) -> Result<ValueId, OpError> {
    let zero = ctx.filled(DType::F32, 0.0, 0)?;
    ctx.select(condition, weights, zero)
}

/// Of an axis of this size (`i64[1]`), with what lies outside as 0.
fn neighbors(ctx: &mut Ctx<'_>, positions: ValueId, size: ValueId) -> Result<Neighbors, OpError> {
    let floor = ctx.unary(Un::Floor, positions)?;
    let above = ctx.binary(Ew::Sub, positions, floor)?;
    let one = ctx.filled(DType::F32, 1.0, 0)?;
    let below = ctx.binary(Ew::Sub, one, above)?;
    let next = ctx.binary_scalar(Ew::Sum, floor, 1.0)?;
    let last = ctx.compute(Ew::Sub, size, 1)?;
    let real_last = ctx.cast(last, DType::F32)?;
    let mut side = |place: ValueId, weight: ValueId| -> Result<(ValueId, ValueId), OpError> {
        let raised = ctx.binary_scalar(Ew::Max, place, 0.0)?;
        let inside = ctx.binary(Ew::Min, raised, real_last)?;
        let same = ctx.binary(Ew::Equal, inside, place)?;
        let weight = only_where(ctx, same, weight)?;
        Ok((ctx.cast(inside, DType::I64)?, weight))
    };
    let (low, high) = (side(floor, below)?, side(next, above)?);
    Ok(Neighbors { places: [low.0, high.0], weights: [low.1, high.1] })
}

/// `[A, B, H, W]` as rows of B numbers, one per image and position, in this order.
fn rows_of_pixels(ctx: &mut Ctx<'_>, images: ValueId) -> Result<ValueId, OpError> {
    let last = ctx.transpose(images, vec![0, 2, 3, 1])?;
    let depth = ctx.size_of(images, 1)?;
    if let Some(depth) = ctx.known(depth) {
        return ctx.reshape(last, vec![-1, depth]);
    }
    let sizes = ctx.sizes(last)?;
    let rows = ctx.product(sizes.get(..3).unwrap_or_default())?;
    ctx.reshape_to(last, &[rows, depth])
}

/// The four weighted neighbors of each position: rows picked by image, y and x, which broadcast to
/// one shape.
fn corners(
    ctx: &mut Ctx<'_>,
    images: ValueId,
    image: ValueId,
    y: &Neighbors,
    x: &Neighbors,
) -> Result<Vec<ValueId>, OpError> {
    let rows = rows_of_pixels(ctx, images)?;
    let (height, width) = (ctx.size_of(images, 2)?, ctx.size_of(images, 3)?);
    let first = ctx.binary(Ew::Prod, image, height)?;
    let mut corners = Vec::with_capacity(4);
    for (y_place, y_weight) in y.places.into_iter().zip(y.weights) {
        let line = ctx.binary(Ew::Sum, first, y_place)?;
        let line = ctx.binary(Ew::Prod, line, width)?;
        for (x_place, x_weight) in x.places.into_iter().zip(x.weights) {
            let place = ctx.binary(Ew::Sum, line, x_place)?;
            let picked = ctx.add(
                Gather { mode: GatherMode::Default, axis: 0, element_wise_dims: 0 },
                &[rows, place],
            )?;
            let weight = ctx.binary(Ew::Prod, y_weight, x_weight)?;
            let weight = ctx.cast(weight, ctx.dtype(picked))?;
            let weight = ctx.unsqueeze(weight, vec![ctx.rank(weight)])?;
            corners.push(ctx.binary(Ew::Prod, picked, weight)?);
        }
    }
    Ok(corners)
}

/// One value from several.
fn folded(ctx: &mut Ctx<'_>, values: &[ValueId], operation: Ew) -> Result<ValueId, OpError> {
    let (&first, rest) =
        values.split_first().ok_or_else(|| OpError::invalid("nothing to combine"))?;
    rest.iter().try_fold(first, |sum, &value| ctx.binary(operation, sum, value))
}

fn size_attribute(
    node: &Node,
    name: &'static str,
    default: i64,
    least: i64,
) -> Result<i64, OpError> {
    let size = node.attrs.int_or(name, default)?;
    if (least..=1 << 16).contains(&size) {
        return Ok(size);
    }
    Err(OpError::invalid(format!("attribute `{name}` is {size}")))
}

/// Column `at` of the regions: `f32[regions, 1]`.
fn column(ctx: &mut Ctx<'_>, regions: ValueId, at: i64) -> Result<ValueId, OpError> {
    let (zero, one, at) = (ctx.number(0), ctx.number(1), ctx.number(at));
    let count = ctx.size_of(regions, 0)?;
    let mut steps = Steps::default();
    steps.push(zero, count, one);
    steps.push(at, one, one);
    ctx.slice(regions, &steps, SampleMode::StrictBounds, None)
}

/// What [`roi_align`] does along an axis.
#[derive(Clone, Copy)]
struct Bins {
    /// How many.
    count: i64,
    /// Positions in each.
    samples: i64,
    scale: f64,
    half_pixel: bool,
}

impl Bins {
    /// Where the bins start between two columns of the regions, and how far they reach:
    /// `f32[regions, 1]`.
    fn edges(
        self,
        ctx: &mut Ctx<'_>,
        start: ValueId,
        end: ValueId,
    ) -> Result<(ValueId, ValueId), OpError> {
        let shift = if self.half_pixel { 0.5 } else { 0.0 };
        let mut edge = |column: ValueId| {
            let scaled = ctx.binary_scalar(Ew::Prod, column, self.scale)?;
            ctx.binary_scalar(Ew::Sub, scaled, shift)
        };
        let (start, end) = (edge(start)?, edge(end)?);
        let mut extent = ctx.binary(Ew::Sub, end, start)?;
        if !self.half_pixel {
            extent = ctx.binary_scalar(Ew::Max, extent, 1.0)?;
        }
        Ok((start, extent))
    }

    /// The positions of all samples: `f32[regions, count · samples]`.
    fn positions(
        self,
        ctx: &mut Ctx<'_>,
        start: ValueId,
        end: ValueId,
    ) -> Result<ValueId, OpError> {
        let (start, extent) = self.edges(ctx, start, end)?;
        let total = self.count * self.samples;
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "at most 2^32")]
        let (all, steps) = (total as f64, ctx.number(total));
        let steps = ctx.count_up(steps)?;
        let steps = ctx.cast(steps, DType::F32)?;
        let centers = ctx.binary_scalar(Ew::Sum, steps, 0.5)?;
        let parts = ctx.binary_scalar(Ew::Div, centers, all)?;
        let distances = ctx.binary(Ew::Prod, extent, parts)?;
        ctx.binary(Ew::Sum, start, distances)
    }
}

/// Of positions that may lie one beyond an axis, which then count as its border; those further out
/// are 0.
fn neighbors_near(
    ctx: &mut Ctx<'_>,
    positions: ValueId,
    size: ValueId,
) -> Result<Neighbors, OpError> {
    let length = ctx.cast(size, DType::F32)?;
    let last = ctx.binary_scalar(Ew::Sub, length, 1.0)?;
    let raised = ctx.binary_scalar(Ew::Max, positions, 0.0)?;
    let held = ctx.binary(Ew::Min, raised, last)?;
    let mut neighbors = neighbors(ctx, held, size)?;
    let least = ctx.filled(DType::F32, -1.0, 0)?;
    let below = ctx.binary(Ew::Less, positions, least)?;
    let above = ctx.binary(Ew::Greater, positions, length)?;
    let far = ctx.binary(Ew::Or, below, above)?;
    let near = ctx.unary(Un::Not, far)?;
    for weight in &mut neighbors.weights {
        *weight = only_where(ctx, near, *weight)?;
    }
    Ok(neighbors)
}

/// `RoiAlign`. With a fixed number of samples per bin: four Gathers of weighted neighbors, and the
/// mean or maximum of each bin. The maximum is that of the weighted neighbors, not of their sum.
/// For a number that depends on the regions see
/// [`adaptive`].
fn roi_align(ctx: &mut Ctx<'_>, node: &Node, half_pixel: bool) -> Result<Values, OpError> {
    let bin = match node.attrs.string_or("mode", "avg")? {
        "avg" => ReduceOperation::Avg,
        "max" => ReduceOperation::Max,
        other => return Err(OpError::invalid(format!("attribute `mode` is `{other}`"))),
    };
    roi_align_by(ctx, node, half_pixel, bin)
}

/// The same with what becomes of the samples of a bin, whatever the node says of it.
pub(super) fn roi_align_by(
    ctx: &mut Ctx<'_>,
    node: &Node,
    half_pixel: bool,
    bin: ReduceOperation,
) -> Result<Values, OpError> {
    let (images, regions, image) = (ctx.input(0)?, ctx.input(1)?, ctx.input(2)?);
    if ctx.rank(images) != 4 || ctx.rank(regions) != 2 {
        return Err(OpError::invalid("input `X` is not of rank 4, or input `rois` not of rank 2"));
    }
    let (rows, columns) =
        (size_attribute(node, "output_height", 1, 1)?, size_attribute(node, "output_width", 1, 1)?);
    let samples = size_attribute(node, "sampling_ratio", 0, 0)?;
    let joint = if bin == ReduceOperation::Max { Ew::Max } else { Ew::Sum };
    let scale = f64::from(node.attrs.float_or("spatial_scale", 1.0)?);
    let regions = ctx.cast(regions, DType::F32)?;
    if samples == 0 {
        let (y, x) = (
            Bins { count: rows, samples, scale, half_pixel },
            Bins { count: columns, samples, scale, half_pixel },
        );
        return Ok(smallvec![adaptive(ctx, y, x, bin == ReduceOperation::Max)?]);
    }
    let mut along = |count, [start, end]: [i64; 2], axis, place| {
        let (start, end) = (column(ctx, regions, start)?, column(ctx, regions, end)?);
        let positions = Bins { count, samples, scale, half_pixel }.positions(ctx, start, end)?;
        let positions = ctx.unsqueeze(positions, vec![place])?;
        let size = ctx.size_of(images, axis)?;
        neighbors_near(ctx, positions, size)
    };
    let (y, x) = (along(rows, [1, 3], 2, 2)?, along(columns, [0, 2], 3, 1)?);
    let image = ctx.cast(image, DType::I64)?;
    let image = ctx.unsqueeze(image, vec![1, 2])?;
    let corners = corners(ctx, images, image, &y, &x)?;
    let sampled = folded(ctx, &corners, joint)?;
    let (count, depth) = (ctx.size_of(regions, 0)?, ctx.size_of(images, 1)?);
    let inner = ctx.fixed_numbers(&[rows, samples, columns, samples]);
    let shape: Vec<ValueId> = [count].into_iter().chain(inner).chain([depth]).collect();
    let bins = ctx.reshape_to(sampled, &shape)?;
    let pooled = ctx.reduce(bin, bins, vec![2, 4], false)?;
    Ok(smallvec![ctx.transpose(pooled, vec![0, 3, 1, 2])?])
}

/// What each element of an axis weighs in each bin where the bins decide how many samples they
/// have: as many as make steps of at most one element. All are `f32[regions, bins, elements]` but
/// for the last.
struct Reach {
    /// The sum over the samples, divided by their number.
    mean: ValueId,
    /// The largest and the smallest of a sample next to the element; 0 where there is none.
    most: ValueId,
    least: ValueId,
    /// 0 where there is a sample next to the element, else [`FAR`].
    distance: ValueId,
    /// Whether some sample has a neighbor of weight 0, as at either end of the axis and beyond it,
    /// or there is none: `bool[regions, bins]`.
    open: ValueId,
}

/// More than any element's magnitude matters at.
const FAR: f64 = 1e30;

/// Samples are more than half an element apart, unless there is but one: so many at most lie within
/// one element of another, and one more for rounding.
const NEAR: i64 = 5;

impl Reach {
    fn of(
        ctx: &mut Ctx<'_>,
        bins: Bins,
        [start, end]: [ValueId; 2],
        size: ValueId,
    ) -> Result<Self, OpError> {
        let (start, extent) = bins.edges(ctx, start, end)?;
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "at most 2^16")]
        let bin = ctx.binary_scalar(Ew::Div, extent, bins.count as f64)?;
        let samples = ctx.unary(Un::Ceil, bin)?;
        let at_least_one = ctx.binary_scalar(Ew::Max, samples, 1.0)?;
        let step = ctx.binary(Ew::Div, bin, at_least_one)?;
        let places = ctx.number(bins.count);
        let places = ctx.count_up(places)?;
        let places = ctx.cast(places, DType::F32)?;
        let distances = ctx.binary(Ew::Prod, bin, places)?;
        let firsts = ctx.binary(Ew::Sum, start, distances)?;
        let half_step = ctx.binary_scalar(Ew::Prod, step, 0.5)?;
        let firsts = ctx.binary(Ew::Sum, firsts, half_step)?;
        // Regions, bins, elements, samples near an element.
        let length = ctx.cast(size, DType::F32)?;
        let last = ctx.binary_scalar(Ew::Sub, length, 1.0)?;
        let elements = ctx.count_up(size)?;
        let elements = ctx.cast(elements, DType::F32)?;
        let elements = ctx.unsqueeze(elements, vec![0, 1, 3])?;
        let [first, each, count] =
            [(firsts, vec![2, 3]), (step, vec![2, 3]), (samples, vec![2, 3])]
                .map(|(value, axes)| ctx.unsqueeze(value, axes));
        let (first, each, count) = (first?, each?, count?);
        let before = ctx.binary_scalar(Ew::Sub, elements, 1.0)?;
        let before = ctx.binary(Ew::Sub, before, first)?;
        let nearest = ctx.binary(Ew::Div, before, each)?;
        let nearest = ctx.unary(Un::Ceil, nearest)?;
        let nearest = ctx.binary_scalar(Ew::Max, nearest, 0.0)?;
        let near = ctx.number(NEAR);
        let near = ctx.count_up(near)?;
        let near = ctx.cast(near, DType::F32)?;
        let at = ctx.binary(Ew::Sum, nearest, near)?;
        let distance = ctx.binary(Ew::Prod, at, each)?;
        let position = ctx.binary(Ew::Sum, first, distance)?;
        let zero = ctx.filled(DType::F32, 0.0, 4)?;
        let (counts, inside) = (ctx.binary(Ew::Less, at, count)?, within(ctx, position, length)?);
        let held = ctx.binary(Ew::Max, position, zero)?;
        let held = ctx.binary(Ew::Min, held, last)?;
        let apart = ctx.binary(Ew::Sub, held, elements)?;
        let apart = ctx.unary(Un::Abs, apart)?;
        let one = ctx.filled(DType::F32, 1.0, 4)?;
        let height = ctx.binary(Ew::Sub, one, apart)?;
        let beyond = ctx.binary(Ew::Less, height, zero)?;
        let next_to = ctx.unary(Un::Not, beyond)?;
        let touches = ctx.binary(Ew::And, counts, inside)?;
        let touches = ctx.binary(Ew::And, touches, next_to)?;
        let weights = ctx.select(touches, height, zero)?;
        let sum = ctx.reduce(ReduceOperation::Sum, weights, vec![3], false)?;
        let divisor = ctx.unsqueeze(at_least_one, vec![2])?;
        let mean = ctx.binary(Ew::Div, sum, divisor)?;
        let most = ctx.reduce(ReduceOperation::Max, weights, vec![3], false)?;
        let far = ctx.filled(DType::F32, FAR, 4)?;
        let least = ctx.select(touches, height, far)?;
        let least = ctx.reduce(ReduceOperation::Min, least, vec![3], false)?;
        let far = ctx.filled(DType::F32, FAR, 3)?;
        let zero = ctx.filled(DType::F32, 0.0, 3)?;
        let none = ctx.binary(Ew::Equal, least, far)?;
        let (least, distance) = (ctx.select(none, zero, least)?, ctx.select(none, far, zero)?);
        // The outermost samples are the first to leave the axis.
        let steps = ctx.binary_scalar(Ew::Sub, samples, 1.0)?;
        let distance_to_last = ctx.binary(Ew::Prod, steps, step)?;
        let lasts = ctx.binary(Ew::Sum, firsts, distance_to_last)?;
        let (first_in, last_in) =
            (ctx.binary_scalar(Ew::Greater, firsts, 0.0)?, ctx.binary(Ew::Less, lasts, last)?);
        let some = ctx.binary_scalar(Ew::Greater, samples, 0.0)?;
        let both = ctx.binary(Ew::And, first_in, last_in)?;
        let closed = ctx.binary(Ew::And, both, some)?;
        let open = ctx.unary(Un::Not, closed)?;
        Ok(Self { mean, most, least, distance, open })
    }
}

/// Whether positions lie on an axis of this length (`f32[1]`), or at most one element beyond it.
fn within(ctx: &mut Ctx<'_>, positions: ValueId, length: ValueId) -> Result<ValueId, OpError> {
    let least = ctx.filled(DType::F32, -1.0, 1)?;
    let below = ctx.binary(Ew::Less, positions, least)?;
    let above = ctx.binary(Ew::Greater, positions, length)?;
    let far = ctx.binary(Ew::Or, below, above)?;
    ctx.unary(Un::Not, far)
}

/// `RoiAlign` whose regions decide how many samples a bin has. That is no shape that a layer could
/// have, so the samples stay within the axes: every element of an axis has a weight in every bin.
///
/// The mean is then a product with two matrices. A maximum is that of an element times the largest
/// weight along both axes, if any is above 0; else it is that of an element times the smallest
/// weight.
fn adaptive(ctx: &mut Ctx<'_>, y: Bins, x: Bins, largest: bool) -> Result<ValueId, OpError> {
    let (images, regions, image) = (ctx.input(0)?, ctx.input(1)?, ctx.input(2)?);
    let regions = ctx.cast(regions, DType::F32)?;
    let sizes = ctx.sizes(images)?;
    let &[batch, depth, height, width] = sizes.as_slice() else {
        return Err(OpError::Rank { what: "input `X`", rank: sizes.len(), supported: "4" });
    };
    let mut reach = |bins, [start, end]: [i64; 2], size| {
        let edges = [column(ctx, regions, start)?, column(ctx, regions, end)?];
        Reach::of(ctx, bins, edges, size)
    };
    let (rows, columns) = (reach(y, [1, 3], height)?, reach(x, [0, 2], width)?);
    let image = ctx.cast(image, DType::I64)?;
    let dtype = ctx.dtype(images);
    if largest {
        let picked = ctx.gather(images, image, 0)?;
        let picked = ctx.cast(picked, DType::F32)?;
        let pooled = largest_products(ctx, picked, &rows, &columns)?;
        return ctx.cast(pooled, dtype);
    }
    let (count, across, down) =
        (ctx.size_of(regions, 0)?, ctx.number(x.count), ctx.number(y.count));
    // A region's own image, chosen by weights of 0 for all others.
    let images_at = ctx.count_up(batch)?;
    let image = ctx.unsqueeze(image, vec![1])?;
    let own = ctx.binary(Ew::Equal, image, images_at)?;
    let own = ctx.cast(own, DType::F32)?;
    let own = ctx.unsqueeze(own, vec![1, 3])?;
    let weights = ctx.unsqueeze(columns.mean, vec![2])?;
    let weights = ctx.binary(Ew::Prod, weights, own)?;
    let (lines, line) = (ctx.binary(Ew::Prod, count, across)?, ctx.binary(Ew::Prod, batch, width)?);
    let weights = ctx.reshape_to(weights, &[lines, line])?;
    let (weights, rows) = (ctx.cast(weights, dtype)?, ctx.cast(rows.mean, dtype)?);
    let turned = ctx.transpose(images, vec![0, 3, 1, 2])?;
    let inner = ctx.binary(Ew::Prod, depth, height)?;
    let turned = ctx.reshape_to(turned, &[line, inner])?;
    let plain = MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::None };
    let narrow = ctx.add(plain, &[weights, turned])?;
    let planes = ctx.binary(Ew::Prod, across, depth)?;
    let narrow = ctx.reshape_to(narrow, &[count, planes, height])?;
    let turning = MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::Transpose };
    let pooled = ctx.add(turning, &[narrow, rows])?;
    let pooled = ctx.reshape_to(pooled, &[count, across, depth, down])?;
    ctx.transpose(pooled, vec![0, 2, 3, 1])
}

/// The maximum of [`adaptive`] for regions with images `[regions, depth, height, width]` of their
/// own.
fn largest_products(
    ctx: &mut Ctx<'_>,
    images: ValueId,
    rows: &Reach,
    columns: &Reach,
) -> Result<ValueId, OpError> {
    let high = ctx.binary_scalar(Ew::Max, images, 0.0)?;
    let low = ctx.unary(Un::Abs, images)?;
    // [regions, 1, depth, height, width] by [regions, columns, 1, 1, width], then
    // [regions, columns, 1, depth, height] by [regions, 1, rows, 1, height].
    let stages = [(columns, vec![1], vec![2, 3]), (rows, vec![2], vec![1, 3])];
    let (mut most, mut least) = (high, low);
    for (reach, of_data, of_weights) in stages {
        let mut weighed = |data: ValueId, weights: ValueId| {
            let (data, weights) = (
                ctx.unsqueeze(data, of_data.clone())?,
                ctx.unsqueeze(weights, of_weights.clone())?,
            );
            ctx.binary(Ew::Prod, data, weights)
        };
        let (high, low) = (weighed(most, reach.most)?, weighed(least, reach.least)?);
        let distance = ctx.unsqueeze(reach.distance, of_weights)?;
        let low = ctx.binary(Ew::Sum, low, distance)?;
        most = ctx.reduce(ReduceOperation::Max, high, vec![4], false)?;
        least = ctx.reduce(ReduceOperation::Min, low, vec![4], false)?;
    }
    // [regions, columns, rows, depth]
    let (across, down) =
        (ctx.unsqueeze(columns.open, vec![2, 3])?, ctx.unsqueeze(rows.open, vec![1, 3])?);
    let open = ctx.binary(Ew::Or, across, down)?;
    let zero = ctx.filled(DType::F32, 0.0, 4)?;
    let least = ctx.select(open, zero, least)?;
    let negated = ctx.binary(Ew::Sub, zero, least)?;
    let positive = ctx.binary(Ew::Greater, most, zero)?;
    let pooled = ctx.select(positive, most, negated)?;
    ctx.transpose(pooled, vec![0, 3, 2, 1])
}

/// The most elements of a kernel of a [`deform_conv`]: a layer's constant has a number for each.
const MOST_TAPS: i64 = 1 << 16;

/// The fixed sizes of a [`deform_conv`].
struct Deform {
    /// Input channels, those of the kernel, output channels.
    channels: [i64; 3],
    /// Height and width of the kernel.
    kernel: [i64; 2],
    groups: i64,
    /// Groups of channels with offsets of their own.
    offsets: i64,
}

impl Deform {
    /// Of data and kernel in so many groups, with offsets in so many.
    fn of(ctx: &Ctx<'_>, [x, w]: [ValueId; 2], groups: i64, offsets: i64) -> Result<Self, OpError> {
        for (what, value) in [("input `X`", x), ("input `W`", w)] {
            if ctx.rank(value) != 4 {
                return Err(OpError::Rank { what, rank: ctx.rank(value), supported: "4" });
            }
        }
        let size = |axis: usize| {
            let size = ctx.shape(w).get(axis).and_then(Dim::known);
            size.ok_or_else(|| ctx.open_size("the kernel's shape", w, axis))
        };
        let (maps, per_group, height, width) = (size(0)?, size(1)?, size(2)?, size(3)?);
        // Data of an unknown number of channels has as many as the kernel takes.
        let channels =
            ctx.shape(x).get(1).and_then(Dim::known).unwrap_or(per_group.saturating_mul(groups));
        let kernel = [height, width];
        if height.checked_mul(width).is_none_or(|taps| taps > MOST_TAPS) {
            return Err(OpError::Value {
                what: "the size of the kernel",
                value: format!("{height} · {width}"),
                supported: "65536 elements",
            });
        }
        if per_group.checked_mul(groups) != Some(channels)
            || maps % groups != 0
            || channels % offsets != 0
        {
            return Err(OpError::invalid(format!(
                "{channels} channels, {groups} groups of {per_group} to {maps} channels, \
                 {offsets} groups of offsets"
            )));
        }
        Ok(Self { channels: [channels, per_group, maps], kernel, groups, offsets })
    }

    fn taps(&self) -> i64 {
        self.kernel.iter().product()
    }

    /// Where the taps lie along an axis without offsets: `f32[taps, rows, 1]` or
    /// `f32[taps, 1, columns]`.
    fn taps_along(
        &self,
        ctx: &mut Ctx<'_>,
        axis: usize,
        places: ValueId,
        [stride, dilation, pad]: [i64; 3],
    ) -> Result<ValueId, OpError> {
        let [height, width] = self.kernel;
        let tap = |at: i64| if axis == 0 { at / width } else { at % width };
        let taps: Vec<i64> = (0..height * width).map(|at| tap(at) * dilation - pad).collect();
        let taps = ctx.i64s(&taps);
        let taps = ctx.unsqueeze(taps, vec![1, 2])?;
        let starts = ctx.count_up(places)?;
        let starts = ctx.compute(Ew::Prod, starts, stride)?;
        let starts = if axis == 0 { ctx.unsqueeze(starts, vec![1])? } else { starts };
        let positions = ctx.binary(Ew::Sum, taps, starts)?;
        ctx.cast(positions, DType::F32)
    }
}

/// `DeformConv` of images: what the taps reach, sampled between the elements, times the kernel as a
/// matrix.
fn deform_conv(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, w, offset) = (ctx.input(0)?, ctx.input(1)?, ctx.input(2)?);
    let groups = size_attribute(node, "group", 1, 1)?;
    let offsets = size_attribute(node, "offset_group", 1, 1)?;
    let form = Deform::of(ctx, [x, w], groups, offsets)?;
    let kernel = form.kernel;
    if node.attrs.ints("kernel_shape")?.is_some_and(|shape| shape != kernel) {
        return Err(OpError::invalid(format!(
            "attribute `kernel_shape` is not that of input `W`, {kernel:?}"
        )));
    }
    let (strides, dilations) = (sizes(node, "strides", 2)?, sizes(node, "dilations", 2)?);
    let steps = steps(&strides, &dilations, &whole_list(node, "pads", 4)?);
    let inputs = DeformInputs { x, w, offset, mask: ctx.maybe(4), bias: ctx.maybe(3) };
    Ok(smallvec![deformed(ctx, &form, &inputs, steps)?])
}

/// `ModulatedDeformConv2d` of TensorRT's plugins: the same by other names.
pub(super) fn modulated_deform_conv(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, offset, mask, w) = (ctx.input(0)?, ctx.input(1)?, ctx.input(2)?, ctx.input(3)?);
    let groups = size_attribute(node, "group", 1, 1)?;
    let offsets = size_attribute(node, "deformable_group", 1, 1)?;
    let form = Deform::of(ctx, [x, w], groups, offsets)?;
    let (strides, dilations) = (sizes(node, "stride", 2)?, sizes(node, "dilation", 2)?);
    let steps = steps(&strides, &dilations, &whole_list(node, "padding", 2)?);
    let inputs = DeformInputs { x, w, offset, mask: Some(mask), bias: ctx.maybe(4) };
    Ok(smallvec![deformed(ctx, &form, &inputs, steps)?])
}

/// Stride, dilation and padding of each of two axes.
fn steps(strides: &[usize], dilations: &[usize], pads: &[i64]) -> [[i64; 3]; 2] {
    [0, 1].map(|axis| {
        let pick = |list: &[usize]| list.get(axis).map_or(1, |&n| int(n));
        [pick(strides), pick(dilations), pads.get(axis).copied().unwrap_or(0)]
    })
}

/// What a [`deform_conv`] takes.
struct DeformInputs {
    x: ValueId,
    w: ValueId,
    offset: ValueId,
    mask: Option<ValueId>,
    bias: Option<ValueId>,
}

/// The layers of a [`deform_conv`], with stride, dilation and padding of each axis.
fn deformed(
    ctx: &mut Ctx<'_>,
    form: &Deform,
    &DeformInputs { x, w, offset, mask, bias }: &DeformInputs,
    steps: [[i64; 3]; 2],
) -> Result<ValueId, OpError> {
    let [channels, per_group, maps] = form.channels;
    let [batch, _, rows, columns] = ctx.sizes(offset)?[..] else {
        return Err(OpError::Rank {
            what: "input `offset`",
            rank: ctx.rank(offset),
            supported: "4",
        });
    };
    let (groups, taps) = (ctx.number(form.offsets), ctx.number(form.taps()));
    let two = ctx.number(2);
    let moves = ctx.cast(offset, DType::F32)?;
    let moves = ctx.reshape_to(moves, &[batch, groups, taps, two, rows, columns])?;
    let mut along = |axis: usize, places| -> Result<Neighbors, OpError> {
        let regular = form.taps_along(ctx, axis, places, steps[axis])?;
        let at = ctx.scalar(DType::I64, if axis == 0 { 0.0 } else { 1.0 })?;
        let shift = ctx.add(
            Gather { mode: GatherMode::Default, axis: 3, element_wise_dims: 0 },
            &[moves, at],
        )?;
        let positions = ctx.binary(Ew::Sum, shift, regular)?;
        let size = ctx.size_of(x, axis + 2)?;
        neighbors(ctx, positions, size)
    };
    let (y, across) = (along(0, rows)?, along(1, columns)?);
    let images = ctx.compute(Ew::Prod, batch, form.offsets)?;
    let image = ctx.count_up(images)?;
    let one = ctx.number(1);
    let image = ctx.reshape_to(image, &[batch, groups, one, one, one])?;
    let (height, width) = (ctx.size_of(x, 2)?, ctx.size_of(x, 3)?);
    let depth = ctx.number(channels / form.offsets);
    let grouped = ctx.reshape_to(x, &[images, depth, height, width])?;
    let corners = corners(ctx, grouped, image, &y, &across)?;
    let mut sampled = folded(ctx, &corners, Ew::Sum)?;
    if let Some(mask) = mask {
        let mask = ctx.reshape_to(mask, &[batch, groups, taps, rows, columns, one])?;
        sampled = ctx.binary(Ew::Prod, sampled, mask)?;
    }
    // Channels before taps, as in the kernel.
    let sampled = ctx.transpose(sampled, vec![0, 1, 5, 2, 3, 4])?;
    let places = ctx.binary(Ew::Prod, rows, columns)?;
    let (parts, inner) = (ctx.number(form.groups), ctx.number(per_group * form.taps()));
    let sampled = ctx.reshape_to(sampled, &[batch, parts, inner, places])?;
    let kernel =
        ctx.reshape(w, vec![1, form.groups, maps / form.groups, per_group * form.taps()])?;
    let product = MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::None };
    let product = ctx.add(product, &[kernel, sampled])?;
    let maps = ctx.number(maps);
    let mut result = ctx.reshape_to(product, &[batch, maps, rows, columns])?;
    if let Some(bias) = bias {
        let bias = crate::import::build::axes::along(ctx, bias, 1, 4)?;
        result = ctx.binary(Ew::Sum, result, bias)?;
    }
    Ok(result)
}
