//! Pooling over windows and over everything.

use super::quantize::{from_real, real};
use crate::import::build::axes::{Cut, along, cut, whole};
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::build::pads::{Pads, Window, from_image, int, sizes, spatial_rank, to_image};
use crate::import::error::OpError;
use crate::network::layer::{
    ElementWiseOperation as Ew, PaddingMode, Pooling, PoolingType, ReduceOperation, SampleMode,
    UnaryOperation as Un,
};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("AveragePool", 1..=NOW, "X", average_pool),
    onnx("GlobalAveragePool", 1..=NOW, "X", |ctx, _| global(ctx, ReduceOperation::Avg)),
    onnx("GlobalLpPool", 1..=1, "X", |ctx, node| global_lp(ctx, float_p(node)?)),
    onnx("GlobalLpPool", 2..=NOW, "X", |ctx, node| global_lp(ctx, whole_p(node)?)),
    onnx("GlobalMaxPool", 1..=NOW, "X", |ctx, _| global(ctx, ReduceOperation::Max)),
    onnx("LpPool", 1..=1, "X", |ctx, node| lp_pool(ctx, node, float_p(node)?)),
    onnx("LpPool", 2..=NOW, "X", |ctx, node| lp_pool(ctx, node, whole_p(node)?)),
    onnx("MaxPool", 1..=NOW, "X", max_pool),
];

/// `MaxPool`. Becomes Pooling; dilated windows become a maximum of strided slices, and so do those
/// whose places are wanted. 8-bit numbers are pooled in `f32`.
fn max_pool(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let wants_places = node.outputs.get(1).is_some_and(|name| !name.is_empty());
    let column_major = node.attrs.int_or("storage_order", 0)? != 0;
    let x = ctx.input(0)?;
    let dtype = ctx.dtype(x);
    let x = if dtype.is_float() { x } else { real(ctx, x)? };
    if !wants_places {
        let y = max_pool_of(ctx, node, x)?;
        return Ok(smallvec![if dtype.is_float() { y } else { from_real(ctx, y, dtype)? }]);
    }
    let (plan, x) = Plan::of(ctx, node, x)?;
    let [y, places] = plan.arg_max(ctx, x, column_major)?;
    Ok(smallvec![if dtype.is_float() { y } else { from_real(ctx, y, dtype)? }, places])
}

/// The same of floating-point data in the place of the node's input, without places.
pub(super) fn max_pool_of(ctx: &mut Ctx<'_>, node: &Node, x: ValueId) -> Result<ValueId, OpError> {
    let (plan, x) = Plan::of(ctx, node, x)?;
    if plan.dilated() {
        let lowest = ctx.scalar(ctx.dtype(x), f64::NEG_INFINITY)?;
        return plan.fold_taps(ctx, x, Ew::Max, lowest);
    }
    plan.pool(ctx, x, PoolingType::Max, true)
}

/// `AveragePool`. Becomes Pooling; dilated windows become a sum of strided slices, divided by what
/// each window counts.
///
/// With `count_include_pad` a window counts the padding of `pads`, but not what `ceil_mode` adds
/// behind it.
fn average_pool(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    Ok(smallvec![average_pool_of(ctx, node, x)?])
}

/// The same of a value in the place of the node's input.
pub(super) fn average_pool_of(
    ctx: &mut Ctx<'_>,
    node: &Node,
    x: ValueId,
) -> Result<ValueId, OpError> {
    let (mut plan, mut x) = Plan::of(ctx, node, x)?;
    let include = node.attrs.int_or("count_include_pad", 0)? != 0;
    if plan.dilated() {
        let zero = ctx.scalar(ctx.dtype(x), 0.0)?;
        let sums = plan.fold_taps(ctx, x, Ew::Sum, zero)?;
        return plan.divided(ctx, sums, include);
    }
    if include && plan.overhangs(ctx)? {
        x = plan.pad_with_zeros(ctx, x)?;
        return plan.pool(ctx, x, PoolingType::Average, true);
    }
    plan.pool(ctx, x, PoolingType::Average, !include)
}

/// `LpPool`: the p-th root of the sum of |x|^p, which is a mean times the window's size.
fn lp_pool(ctx: &mut Ctx<'_>, node: &Node, p: f64) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let (plan, x) = Plan::of(ctx, node, x)?;
    let powers = power(ctx, x, p)?;
    let sum = if plan.dilated() || plan.overhangs(ctx)? {
        let zero = ctx.scalar(ctx.dtype(x), 0.0)?;
        plan.fold_taps(ctx, powers, Ew::Sum, zero)?
    } else {
        let mean = plan.pool(ctx, powers, PoolingType::Average, false)?;
        ctx.binary_scalar(
            Ew::Prod,
            mean,
            plan.window.kernel.iter().map(|&k| real_size(k)).product(),
        )?
    };
    Ok(smallvec![root(ctx, sum, p)?])
}

/// `GlobalAveragePool`, `GlobalMaxPool`. Become Reduce over the spatial axes.
fn global(ctx: &mut Ctx<'_>, operation: ReduceOperation) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let axes = (2..ctx.rank(x)).collect();
    Ok(smallvec![ctx.reduce(operation, x, axes, true)?])
}

/// `GlobalLpPool`: the p-th root of the sum of |x|^p over the spatial axes.
fn global_lp(ctx: &mut Ctx<'_>, p: f64) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let axes = (2..ctx.rank(x)).collect();
    let powers = power(ctx, x, p)?;
    let sum = ctx.reduce(ReduceOperation::Sum, powers, axes, true)?;
    Ok(smallvec![root(ctx, sum, p)?])
}

fn float_p(node: &Node) -> Result<f64, OpError> {
    positive_p(node.attrs.float_or("p", 2.0)?.into())
}

fn whole_p(node: &Node) -> Result<f64, OpError> {
    let p = node.attrs.int_or("p", 2)?;
    positive_p(i32::try_from(p).map_or(f64::INFINITY, f64::from))
}

fn positive_p(p: f64) -> Result<f64, OpError> {
    if p > 0.0 && p.is_finite() {
        return Ok(p);
    }
    Err(OpError::Value { what: "attribute `p`", value: p.to_string(), supported: "above 0" })
}

#[allow(clippy::float_cmp, reason = "1 and 2 are exact")]
fn power(ctx: &mut Ctx<'_>, x: ValueId, p: f64) -> Result<ValueId, OpError> {
    if p == 2.0 {
        return ctx.binary(Ew::Prod, x, x);
    }
    let magnitude = ctx.unary(Un::Abs, x)?;
    if p == 1.0 { Ok(magnitude) } else { ctx.binary_scalar(Ew::Pow, magnitude, p) }
}

#[allow(clippy::float_cmp, reason = "1 and 2 are exact")]
fn root(ctx: &mut Ctx<'_>, x: ValueId, p: f64) -> Result<ValueId, OpError> {
    if p == 2.0 {
        return ctx.unary(Un::Sqrt, x);
    }
    if p == 1.0 { Ok(x) } else { ctx.binary_scalar(Ew::Pow, x, 1.0 / p) }
}

/// A pool's window over data whose sizes may be known only at run time.
struct Plan {
    window: Window,
    axes: Vec<Axis>,
    ceil: bool,
    /// Whether no window can start in the padding behind the data, which TensorRT would keep and
    /// ONNX drops.
    starts_inside: bool,
}

impl Plan {
    /// The plan of a node over `x`, and `x` cropped where padding is negative.
    fn of(ctx: &mut Ctx<'_>, node: &Node, x: ValueId) -> Result<(Self, ValueId), OpError> {
        let count = spatial_rank(ctx, "input `X`", x)?;
        if !node.attrs.has("kernel_shape") {
            return Err(OpError::invalid("attribute `kernel_shape` is missing"));
        }
        let kernel = sizes(node, "kernel_shape", count)?;
        let mut window = Window::of(ctx, node, x, kernel)?;
        let x = window.crop(ctx, x)?;
        let ceil = node.attrs.int_or("ceil_mode", 0)? != 0;
        let (mut axes, mut starts_inside) = (Vec::with_capacity(count), true);
        for at in 0..count {
            let axis = Axis::of(ctx, &window, x, at, ceil)?;
            if let Pads::Explicit { post, .. } = &window.pads {
                let post = post.get(at).copied().unwrap_or_default();
                starts_inside &=
                    ctx.known(axis.size).is_some() || post + axis.stride <= axis.extent;
            }
            axes.push(axis);
        }
        Ok((Self { window, axes, ceil, starts_inside }, x))
    }

    fn dilated(&self) -> bool {
        self.window
            .dilation
            .iter()
            .zip(&self.window.kernel)
            .any(|(&dilation, &kernel)| dilation > 1 && kernel > 1)
    }

    /// Whether TensorRT's layer has these windows itself.
    fn is_layer(&self) -> bool {
        let rounds =
            self.ceil && !self.starts_inside && matches!(self.window.pads, Pads::Explicit { .. });
        !rounds && !self.window.skips()
    }

    /// Whether a last window may reach beyond the padding.
    fn overhangs(&self, ctx: &mut Ctx<'_>) -> Result<bool, OpError> {
        let Pads::Explicit { post, .. } = self.window.pads.clone() else { return Ok(false) };
        for (axis, post) in self.axes.iter().zip(post) {
            let reach = axis.reach(ctx)?;
            if self.ceil && ctx.known(reach).is_none_or(|reach| reach > post) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Applies the padding to the data; what is left is what `ceil_mode` adds.
    fn pad_with_zeros(&mut self, ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
        let Pads::Explicit { pre, post } = &mut self.window.pads else { return Ok(x) };
        let mut cuts = vec![Cut::ALL; 2];
        for ((before, behind), axis) in pre.iter_mut().zip(post).zip(&mut self.axes) {
            cuts.push(Cut::grown(*before, *behind));
            axis.size = ctx.compute(Ew::Sum, axis.size, *before + *behind)?;
            (axis.pre, axis.post) = (ctx.number(0), ctx.number(0));
            (*before, *behind) = (0, 0);
        }
        cut(ctx, x, &cuts, None)
    }

    /// The maximum or the mean of windows without dilation; a mean may leave the padding out.
    fn pool(
        &self,
        ctx: &mut Ctx<'_>,
        x: ValueId,
        kind: PoolingType,
        exclude: bool,
    ) -> Result<ValueId, OpError> {
        let mut window = self.window.clone();
        if self.is_layer() {
            let up = self.ceil && self.reach_ends(ctx, &mut window)?;
            return layer(ctx, x, window, kind, exclude, up);
        }
        let x = self.spanned(ctx, x, kind)?;
        let count = window.kernel.len();
        window.pads = Pads::Explicit { pre: vec![0; count], post: vec![0; count] };
        let volume = window.kernel.iter().map(|&k| real_size(k)).product();
        let pooled = layer(ctx, x, window, kind, false, false)?;
        if kind == PoolingType::Max {
            return Ok(pooled);
        }
        let sum = ctx.binary_scalar(Ew::Prod, pooled, volume)?;
        self.divided(ctx, sum, !exclude)
    }

    /// The data that all windows cover, from the first to the last.
    fn spanned(
        &self,
        ctx: &mut Ctx<'_>,
        x: ValueId,
        kind: PoolingType,
    ) -> Result<ValueId, OpError> {
        let mut steps = whole(ctx, x)?;
        for (at, axis) in self.axes.iter().enumerate() {
            let last = ctx.compute(Ew::Sub, axis.places, 1)?;
            let last = ctx.compute(Ew::Prod, last, axis.stride)?;
            let size = ctx.compute(Ew::Sum, last, axis.extent)?;
            let start = axis.start(ctx)?;
            steps.set(at + 2, start, size);
        }
        let outside = match kind {
            PoolingType::Max => Some(ctx.scalar(ctx.dtype(x), f64::NEG_INFINITY)?),
            _ => None,
        };
        ctx.slice(x, &steps, SampleMode::Fill, outside)
    }

    /// Sets the padding so that the last windows end with it. Answers whether TensorRT must round
    /// up to get there.
    fn reach_ends(&self, ctx: &mut Ctx<'_>, window: &mut Window) -> Result<bool, OpError> {
        let Pads::Explicit { post, .. } = &mut window.pads else { return Ok(false) };
        let mut unknown = false;
        for (axis, post) in self.axes.iter().zip(post) {
            let reach = axis.reach(ctx)?;
            match ctx.known(reach).filter(|_| ctx.known(axis.size).is_some()) {
                Some(reach) => *post = reach.max(0),
                None => unknown = true,
            }
        }
        Ok(unknown)
    }

    /// What a tap of every window along a spatial axis reads; `outside` (rank 0) stands beyond the
    /// data.
    fn tap(
        &self,
        ctx: &mut Ctx<'_>,
        x: ValueId,
        at: usize,
        tap: i64,
        outside: Option<ValueId>,
    ) -> Result<ValueId, OpError> {
        let axis = self.axis(at)?;
        let mut steps = whole(ctx, x)?;
        let start = axis.start(ctx)?;
        let start = ctx.compute(Ew::Sum, start, tap * axis.dilation)?;
        steps.set(at + 2, start, axis.places);
        if let Some(stride) = steps.stride.get_mut(at + 2) {
            *stride = ctx.number(axis.stride);
        }
        ctx.slice(x, &steps, SampleMode::Fill, outside)
    }

    fn axis(&self, at: usize) -> Result<Axis, OpError> {
        let axis = self
            .axes
            .get(at)
            .copied()
            .ok_or_else(|| OpError::invalid("a window with too few axes"))?;
        if axis.taps > 256 {
            return Err(OpError::Value {
                what: "the size of a dilated or overhanging window",
                value: axis.taps.to_string(),
                supported: "up to 256",
            });
        }
        Ok(axis)
    }

    /// Folds the taps of every window, axis by axis; `outside` (rank 0) stands beyond the data.
    fn fold_taps(
        &self,
        ctx: &mut Ctx<'_>,
        x: ValueId,
        fold: Ew,
        outside: ValueId,
    ) -> Result<ValueId, OpError> {
        let mut result = x;
        for at in 0..self.axes.len() {
            let taps = self.axis(at)?.taps;
            let mut sum = self.tap(ctx, result, at, 0, Some(outside))?;
            for tap in 1..taps {
                let slice = self.tap(ctx, result, at, tap, Some(outside))?;
                sum = ctx.binary(fold, sum, slice)?;
            }
            result = sum;
        }
        Ok(result)
    }

    /// The largest element of every window, and its place: the first one where several are.
    ///
    /// From the last axis to the first, each pass keeps the place along the axes behind it.
    fn arg_max(
        &self,
        ctx: &mut Ctx<'_>,
        x: ValueId,
        column_major: bool,
    ) -> Result<[ValueId; 2], OpError> {
        let rank = ctx.rank(x);
        let sizes = ctx.sizes(x)?;
        let lowest = ctx.scalar(ctx.dtype(x), f64::NEG_INFINITY)?;
        let mut best = x;
        let mut place: Option<ValueId> = None;
        for at in (0..self.axes.len()).rev() {
            let axis = self.axis(at)?;
            // How far apart neighbors along this axis are.
            let inner = if column_major { sizes.get(2..at + 2) } else { sizes.get(at + 3..) };
            let distance = ctx.product(inner.unwrap_or_default())?;
            let (values, inner_places) = (best, place);
            let mut found: Option<[ValueId; 2]> = None;
            for tap in 0..axis.taps {
                let value = self.tap(ctx, values, at, tap, Some(lowest))?;
                let coordinate = axis.coordinates(ctx, tap)?;
                let here = ctx.binary(Ew::Prod, coordinate, distance)?;
                let here = along(ctx, here, at + 2, rank)?;
                let here = match inner_places {
                    Some(places) => {
                        let places = self.tap(ctx, places, at, tap, None)?;
                        ctx.binary(Ew::Sum, places, here)?
                    }
                    None => here,
                };
                found = Some(match found {
                    None => [value, here],
                    Some([best, place]) => {
                        let more = ctx.binary(Ew::Greater, value, best)?;
                        [ctx.binary(Ew::Max, value, best)?, ctx.select(more, here, place)?]
                    }
                });
            }
            let [value, mut here] =
                found.ok_or_else(|| OpError::invalid("a window without elements"))?;
            if axis.taps == 1 {
                // Nothing was compared that would have spread the places over all windows.
                let shape = ctx.sizes(value)?;
                here = ctx.expand(here, &shape)?;
            }
            (best, place) = (value, Some(here));
        }
        let place = place.ok_or_else(|| OpError::invalid("a window without axes"))?;
        // Planes lie one behind the other.
        let planes = ctx.product(sizes.get(..2).unwrap_or_default())?;
        let plane = ctx.count_up(planes)?;
        let volume = ctx.product(sizes.get(2..).unwrap_or_default())?;
        let first = ctx.binary(Ew::Prod, plane, volume)?;
        let ones = ctx.fixed_numbers(&vec![1; rank - 2]);
        let shape: Vec<ValueId> = sizes.iter().take(2).copied().chain(ones).collect();
        let first = ctx.reshape_to(first, &shape)?;
        Ok([best, ctx.binary(Ew::Sum, place, first)?])
    }

    /// Sums of windows divided by how many taps of each lie in the data, or in its padding too.
    fn divided(&self, ctx: &mut Ctx<'_>, sums: ValueId, include: bool) -> Result<ValueId, OpError> {
        let (dtype, rank) = (ctx.dtype(sums), ctx.rank(sums));
        let mut result = sums;
        for at in 0..self.axes.len() {
            let counts = self.axis(at)?.counts(ctx, include)?;
            let counts = ctx.cast(counts, dtype)?;
            let counts = along(ctx, counts, at + 2, rank)?;
            result = ctx.binary(Ew::Div, result, counts)?;
        }
        Ok(result)
    }
}

/// A Pooling layer over windows without dilation.
fn layer(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    mut window: Window,
    kind: PoolingType,
    exclude: bool,
    up: bool,
) -> Result<ValueId, OpError> {
    let rank = ctx.rank(x);
    let x = to_image(ctx, x)?;
    window.widen();
    let (pre_padding, post_padding, mode) = window.padding();
    let layer = Pooling {
        kind,
        window: window.kernel,
        stride: window.stride,
        pre_padding,
        post_padding,
        padding_mode: if up { PaddingMode::ExplicitRoundUp } else { mode },
        blend: 0.0,
        average_count_excludes_padding: exclude,
    };
    let y = ctx.add(layer, &[x])?;
    from_image(ctx, y, rank)
}

/// A window along one axis; values are `i64[1]` numbers.
#[derive(Debug, Clone, Copy)]
struct Axis {
    size: ValueId,
    pre: ValueId,
    post: ValueId,
    /// How many windows there are.
    places: ValueId,
    taps: i64,
    dilation: i64,
    /// Elements from the first to the last tap, both included.
    extent: i64,
    stride: i64,
}

impl Axis {
    fn of(
        ctx: &mut Ctx<'_>,
        window: &Window,
        x: ValueId,
        at: usize,
        ceil: bool,
    ) -> Result<Self, OpError> {
        let pick = |list: &[usize]| list.get(at).map_or(1, |&n| int(n));
        let (taps, dilation, stride) =
            (pick(&window.kernel), pick(&window.dilation), pick(&window.stride));
        let extent = (taps - 1).saturating_mul(dilation) + 1;
        let size = ctx.size_of(x, at + 2)?;
        let (pre, post) = window.pads_along(ctx, at, size)?;
        let zero = ctx.number(0);
        let mut axis = Self { size, pre, post, places: zero, taps, dilation, extent, stride };
        axis.places = axis.count(ctx, ceil)?;
        if ctx.known(axis.places).is_some_and(|places| places <= 0) {
            let size = ctx.known(size).unwrap_or_default();
            return Err(OpError::invalid(format!(
                "a window over {extent} elements does not fit into {size} and padding"
            )));
        }
        Ok(axis)
    }

    /// Number of places of the window.
    fn count(&self, ctx: &mut Ctx<'_>, ceil: bool) -> Result<ValueId, OpError> {
        let size = ctx.binary(Ew::Sum, self.size, self.pre)?;
        let padded = ctx.binary(Ew::Sum, size, self.post)?;
        let room = ctx.compute(Ew::Sub, padded, self.extent)?;
        if !ceil {
            let steps = ctx.compute(Ew::FloorDiv, room, self.stride)?;
            return ctx.compute(Ew::Sum, steps, 1);
        }
        let room = ctx.compute(Ew::Sum, room, self.stride - 1)?;
        let steps = ctx.compute(Ew::FloorDiv, room, self.stride)?;
        // The last window must start in the data or in the padding before it.
        let last = ctx.compute(Ew::Sub, size, 1)?;
        let last = ctx.compute(Ew::FloorDiv, last, self.stride)?;
        let steps = ctx.binary(Ew::Min, steps, last)?;
        ctx.compute(Ew::Sum, steps, 1)
    }

    /// The padding behind the data with which the last window just ends.
    fn reach(&self, ctx: &mut Ctx<'_>) -> Result<ValueId, OpError> {
        let last = ctx.compute(Ew::Sub, self.places, 1)?;
        let last = ctx.compute(Ew::Prod, last, self.stride)?;
        let end = ctx.compute(Ew::Sum, last, self.extent)?;
        let size = ctx.binary(Ew::Sum, self.size, self.pre)?;
        ctx.binary(Ew::Sub, end, size)
    }

    /// Where the first window starts.
    fn start(&self, ctx: &mut Ctx<'_>) -> Result<ValueId, OpError> {
        let zero = ctx.number(0);
        ctx.binary(Ew::Sub, zero, self.pre)
    }

    /// Where a tap of each window lies in the data: `i64[places]`.
    fn positions(&self, ctx: &mut Ctx<'_>, tap: i64) -> Result<ValueId, OpError> {
        let places = ctx.count_up(self.places)?;
        let starts = ctx.compute(Ew::Prod, places, self.stride)?;
        let first = self.start(ctx)?;
        let first = ctx.compute(Ew::Sum, first, tap * self.dilation)?;
        ctx.binary(Ew::Sum, starts, first)
    }

    /// The same, moved into the data.
    fn coordinates(&self, ctx: &mut Ctx<'_>, tap: i64) -> Result<ValueId, OpError> {
        let positions = self.positions(ctx, tap)?;
        let last = ctx.compute(Ew::Sub, self.size, 1)?;
        let held = ctx.binary(Ew::Min, positions, last)?;
        ctx.compute(Ew::Max, held, 0)
    }

    /// How many taps of each window lie in the data, or in its padding too: `i64[places]`.
    fn counts(&self, ctx: &mut Ctx<'_>, include: bool) -> Result<ValueId, OpError> {
        let starts = self.positions(ctx, 0)?;
        let starts = ctx.unsqueeze(starts, vec![1])?;
        let taps: Vec<i64> = (0..self.taps).map(|tap| tap * self.dilation).collect();
        let taps = ctx.i64s(&taps);
        let positions = ctx.binary(Ew::Sum, starts, taps)?;
        let (first, end) = if include {
            (self.start(ctx)?, ctx.binary(Ew::Sum, self.size, self.post)?)
        } else {
            (ctx.number(0), self.size)
        };
        let first = ctx.compute(Ew::Sub, first, 1)?;
        let behind = ctx.binary(Ew::Greater, positions, first)?;
        let before = ctx.binary(Ew::Less, positions, end)?;
        let inside = ctx.binary(Ew::And, behind, before)?;
        let inside = ctx.cast(inside, DType::I64)?;
        ctx.reduce(ReduceOperation::Sum, inside, vec![1], false)
    }
}

fn real_size(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}
