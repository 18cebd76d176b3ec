//! Pooling over windows and over everything.

use super::axes::{Cut, Size, along, cut, rounded};
use super::pads::{Pads, Window, ceil_div, from_image, int, sizes, spatial_rank, to_image};
use super::quantize::{from_real, real};
use crate::import::ctx::Ctx;
use crate::import::error::OpError;
use crate::import::registry::{NOW, Op, onnx};
use crate::network::layer::Pooling;
use crate::network::layer::conv::{PaddingMode, PoolingType};
use crate::network::layer::math::{ElementWiseOperation as Ew, ReduceOperation, UnaryOperation as Un};
use crate::network::{Dim, ValueId, Values};
use crate::onnx::Node;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("AveragePool", 1..=NOW, "X", average_pool),
    onnx("GlobalAveragePool", 1..=NOW, "X", |ctx, _| global(ctx, ReduceOperation::Avg)),
    onnx("GlobalLpPool", 1..=1, "X", |ctx, node| global_lp(ctx, float_p(node)?)),
    onnx("GlobalLpPool", 2..=NOW, "X", |ctx, node| global_lp(ctx, whole_p(node)?)),
    onnx("GlobalMaxPool", 1..=NOW, "X", |ctx, _| global(ctx, ReduceOperation::Max)),
    onnx("LpPool", 1..=1, "X", |ctx, node| lp_pool(ctx, node, float_p(node)?)),
    onnx("LpPool", 2..=NOW, "X", |ctx, node| lp_pool(ctx, node, whole_p(node)?)),
    onnx("MaxPool", 1..=NOW, "X", max_pool).ignoring(&["storage_order"]),
];

/// `MaxPool`. Becomes Pooling; dilated windows become a maximum of strided slices. 8-bit numbers are pooled in `f32`.
fn max_pool(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    if node.outputs.get(1).is_some_and(|name| !name.is_empty()) {
        return Err(OpError::Feature("output `Indices`"));
    }
    let x = ctx.input(0)?;
    let dtype = ctx.dtype(x);
    let x = if dtype.is_float() { x } else { real(ctx, x)? };
    let (plan, x) = Plan::of(ctx, node, x)?;
    let y = if plan.dilated() {
        let lowest = ctx.scalar(ctx.dtype(x), f64::NEG_INFINITY)?;
        plan.fold_taps(ctx, x, Ew::Max, lowest)?
    } else {
        plan.pool(ctx, x, PoolingType::Max, true)?
    };
    Ok(smallvec![if dtype.is_float() { y } else { from_real(ctx, y, dtype)? }])
}

/// `AveragePool`. Becomes Pooling; dilated windows become a sum of strided slices, divided by what each window counts.
///
/// With `count_include_pad` a window counts the padding of `pads`, but not what `ceil_mode` adds behind it.
fn average_pool(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let (mut plan, mut x) = Plan::of(ctx, node, x)?;
    let include = node.attrs.int_or("count_include_pad", 0)? != 0;
    if plan.dilated() {
        return Ok(smallvec![plan.average_taps(ctx, x, include)?]);
    }
    if include && plan.overhangs() {
        x = plan.pad_with_zeros(ctx, x)?;
        return Ok(smallvec![plan.pool(ctx, x, PoolingType::Average, true)?]);
    }
    Ok(smallvec![plan.pool(ctx, x, PoolingType::Average, !include)?])
}

/// `LpPool`: the p-th root of the sum of |x|^p, which is a mean times the window's size.
fn lp_pool(ctx: &mut Ctx<'_>, node: &Node, p: f64) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let (plan, x) = Plan::of(ctx, node, x)?;
    let powers = power(ctx, x, p)?;
    let sum = if plan.dilated() || plan.overhangs() {
        let zero = ctx.scalar(ctx.dtype(x), 0.0)?;
        plan.fold_taps(ctx, powers, Ew::Sum, zero)?
    } else {
        let mean = plan.pool(ctx, powers, PoolingType::Average, false)?;
        ctx.binary_scalar(Ew::Prod, mean, plan.window.kernel.iter().map(|&k| real_size(k)).product())?
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

/// A pool's window with the number of its places, where known.
struct Plan {
    window: Window,
    /// Sizes of the spatial axes.
    sizes: Vec<Option<i64>>,
    /// Places of the window along each spatial axis.
    places: Vec<Option<i64>>,
    ceil: bool,
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
        let sizes: Vec<_> = ctx.shape(x).iter().skip(2).map(Dim::known).collect();
        let mut plan = Self { window, sizes, places: vec![None; count], ceil };
        if let Some(axes) = plan.axes() {
            if ceil && axes.iter().any(|axis| axis.size.is_none() && axis.post + axis.stride > axis.extent) {
                return Err(OpError::Feature("attribute `ceil_mode` with this padding and data of unknown size"));
            }
            plan.places = axes.iter().map(|axis| axis.places(ceil)).collect();
        }
        Ok((plan, x))
    }

    /// The axes, unless the layer itself works out the padding.
    fn axes(&self) -> Option<Vec<Axis>> {
        let Pads::Explicit { pre, post } = &self.window.pads else { return None };
        let shapes = self.sizes.iter().zip(self.window.extents()).zip(self.window.strides());
        let axis = |(((&size, extent), stride), (&pre, &post))| Axis { size, extent, stride, pre, post };
        Some(shapes.zip(pre.iter().zip(post)).map(axis).collect())
    }

    fn dilated(&self) -> bool {
        self.window.dilation.iter().zip(&self.window.kernel).any(|(&dilation, &kernel)| dilation > 1 && kernel > 1)
    }

    /// Whether a last window may reach beyond the padding.
    fn overhangs(&self) -> bool {
        let beyond = |(axis, places): (Axis, &Option<i64>)| places.is_none_or(|places| axis.reach(places) > axis.post);
        self.ceil && self.axes().is_some_and(|axes| axes.into_iter().zip(&self.places).any(beyond))
    }

    /// Applies the padding to the data; what is left is what `ceil_mode` adds.
    fn pad_with_zeros(&mut self, ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
        let Pads::Explicit { pre, post } = &mut self.window.pads else { return Ok(x) };
        let mut cuts = vec![Cut::ALL; 2];
        for ((before, behind), size) in pre.iter_mut().zip(post).zip(&mut self.sizes) {
            cuts.push(Cut::grown(*before, *behind));
            *size = size.map(|size| size.saturating_add(*before + *behind));
            (*before, *behind) = (0, 0);
        }
        cut(ctx, x, &cuts, None)
    }

    /// A Pooling layer over windows without dilation.
    fn pool(&self, ctx: &mut Ctx<'_>, x: ValueId, kind: PoolingType, exclude: bool) -> Result<ValueId, OpError> {
        let rank = ctx.rank(x);
        let mut window = self.window.clone();
        let up = self.ceil && self.reach_ends(&mut window)?;
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

    /// Sets the padding so that the last windows end with it. Answers whether TensorRT must round up to get there.
    ///
    /// ONNX drops a last window that starts in the padding at the end, which TensorRT does not; where the size is unknown
    /// there can be no such window.
    fn reach_ends(&self, window: &mut Window) -> Result<bool, OpError> {
        let (Some(axes), Pads::Explicit { post, .. }) = (self.axes(), &mut window.pads) else { return Ok(false) };
        let unknown = axes.iter().any(|axis| axis.size.is_none());
        for ((axis, places), post) in axes.iter().zip(&self.places).zip(post) {
            let Some(places) = places else { continue };
            let reach = axis.reach(*places);
            if reach < 0 && unknown {
                return Err(OpError::Feature("attribute `ceil_mode` with strides larger than the window"));
            }
            *post = reach.max(0);
        }
        Ok(unknown)
    }

    /// Folds the taps of every window, axis by axis; `outside` (rank 0) stands beyond the data.
    fn fold_taps(&self, ctx: &mut Ctx<'_>, x: ValueId, fold: Ew, outside: ValueId) -> Result<ValueId, OpError> {
        let mut result = x;
        for at in 0..self.window.kernel.len() {
            let (axis, places) = self.settled(at)?;
            let taps = self.window.kernel.get(at).copied().unwrap_or(1);
            if taps > 256 {
                return Err(OpError::Value {
                    what: "the size of a dilated or overhanging window",
                    value: taps.to_string(),
                    supported: "up to 256",
                });
            }
            let dilation = self.window.dilation.get(at).map_or(1, |&d| int(d));
            let mut sum = None;
            for tap in 0..int(taps) {
                let mut cuts = vec![Cut::ALL; ctx.rank(x)];
                if let Some(one) = cuts.get_mut(at + 2) {
                    *one = Cut { start: tap * dilation - axis.pre, size: Size::Fixed(places), stride: axis.stride };
                }
                let slice = cut(ctx, result, &cuts, Some(outside))?;
                sum = Some(match sum {
                    None => slice,
                    Some(sum) => ctx.binary(fold, sum, slice)?,
                });
            }
            result = sum.unwrap_or(result);
        }
        Ok(result)
    }

    /// The mean of the taps of every window.
    fn average_taps(&self, ctx: &mut Ctx<'_>, x: ValueId, include: bool) -> Result<ValueId, OpError> {
        let (dtype, rank) = (ctx.dtype(x), ctx.rank(x));
        let zero = ctx.scalar(dtype, 0.0)?;
        let mut result = self.fold_taps(ctx, x, Ew::Sum, zero)?;
        for at in 0..self.window.kernel.len() {
            let counts = self.counts(at, include)?;
            let counts = ctx.constant_value(rounded(dtype, vec![counts.len()], &counts)?);
            let counts = along(ctx, counts, at + 2, rank)?;
            result = ctx.binary(Ew::Div, result, counts)?;
        }
        Ok(result)
    }

    /// How many taps of each window along a spatial axis lie in the data, or in its padding too.
    fn counts(&self, at: usize, include: bool) -> Result<Vec<f64>, OpError> {
        let (axis, places) = self.settled(at)?;
        let Some(size) = axis.size.filter(|_| places <= 1 << 20) else {
            return Err(OpError::Feature("dilated pooling of more than 2^20 places along one axis"));
        };
        let inside = if include { -axis.pre..size.saturating_add(axis.post) } else { 0..size };
        let taps = self.window.kernel.get(at).map_or(1, |&k| int(k));
        let dilation = self.window.dilation.get(at).map_or(1, |&d| int(d));
        let count = |place: i64| {
            let start = place * axis.stride - axis.pre;
            (0..taps).filter(|tap| inside.contains(&(start + tap * dilation))).map(|_| 1.0).sum()
        };
        Ok((0..places).map(count).collect())
    }

    fn settled(&self, at: usize) -> Result<(Axis, i64), OpError> {
        let axis = self.axes().and_then(|axes| axes.get(at).copied());
        let places = self.places.get(at).copied().flatten();
        match axis.zip(places) {
            Some((axis, 0)) => {
                let (extent, size) = (axis.extent, axis.size.unwrap_or_default());
                Err(OpError::invalid(format!("a window over {extent} elements does not fit into {size} and padding")))
            }
            Some(settled) => Ok(settled),
            None => Err(OpError::Feature("a dilated or overhanging window over data of unknown size")),
        }
    }
}

/// A window along one axis.
#[derive(Debug, Clone, Copy)]
struct Axis {
    size: Option<i64>,
    extent: i64,
    stride: i64,
    pre: i64,
    post: i64,
}

impl Axis {
    /// Number of places of the window, if the size is known; 0 where it does not fit (the layer's rule then complains).
    fn places(&self, ceil: bool) -> Option<i64> {
        let size = self.size?.saturating_add(self.pre);
        let room = size.saturating_add(self.post).saturating_sub(self.extent);
        if room < 0 {
            return Some(0);
        }
        let floor = room / self.stride + 1;
        if !ceil {
            return Some(floor);
        }
        let up = ceil_div(room, self.stride) + 1;
        // The last window must start in the data or in the padding before it.
        Some(if (up - 1).saturating_mul(self.stride) >= size { up - 1 } else { up })
    }

    /// The padding behind the data with which windows at so many places just end.
    fn reach(&self, places: i64) -> i64 {
        let end = (places - 1).saturating_mul(self.stride).saturating_add(self.extent);
        end.saturating_sub(self.size.unwrap_or(end).saturating_add(self.pre))
    }
}

fn real_size(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}
