//! Images put together from parts or scaled: `Col2Im`, `MaxUnpool`, `ImageScaler`.

use crate::import::build::axes::{Cut, along, cut, whole};
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::build::pads::{int, sizes, whole_list};
use crate::import::error::OpError;
use crate::network::Values;
use crate::network::layer::{
    ElementWiseOperation as Ew, Gather, GatherMode, ReduceOperation, SampleMode, Scatter,
    ScatterMode,
};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("Col2Im", 18..=NOW, "input image_shape block_shape", col2im),
    onnx("ImageScaler", 1..=NOW, "input", image_scaler),
    onnx("MaxUnpool", 9..=NOW, "X I output_shape?", max_unpool),
];

/// The most places that blocks cover in all.
const MOST_PLACES: i64 = 1 << 24;

/// `ImageScaler`, an experiment of the first opset that files still have: x · scale + bias, with a
/// bias per channel of `[N, C, H, W]`. Becomes Scale.
fn image_scaler(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (scale, bias) =
        (node.attrs.float_or("scale", 1.0)?, node.attrs.floats("bias")?.unwrap_or_default());
    let x = ctx.input(0)?;
    if ctx.rank(x) != 4 {
        return Err(OpError::Rank { what: "input `input`", rank: ctx.rank(x), supported: "4" });
    }
    let scaled = ctx.binary_scalar(Ew::Prod, x, scale.into())?;
    if bias.is_empty() {
        return Ok(smallvec![scaled]);
    }
    let bias = ctx.constant_value(Tensor::vector(bias));
    let bias = ctx.cast(bias, ctx.dtype(x))?;
    let bias = along(ctx, bias, 1, 4)?;
    Ok(smallvec![ctx.binary(Ew::Sum, scaled, bias)?])
}

/// How blocks lie on an image along one axis.
#[derive(Debug, Clone, Copy)]
struct Axis {
    image: i64,
    block: i64,
    stride: i64,
    dilation: i64,
    pad: i64,
    /// Number of blocks.
    count: i64,
}

impl Axis {
    /// The block whose element `tap` lies at this place of the image.
    fn block_at(&self, tap: i64, place: i64) -> Option<i64> {
        let start = place + self.pad - tap * self.dilation;
        let at = start / self.stride;
        (start >= 0 && start % self.stride == 0 && at < self.count).then_some(at)
    }
}

fn axes(ctx: &Ctx<'_>, node: &Node) -> Result<Vec<Axis>, OpError> {
    let (image, block) = (ctx.ints(1)?.unwrap_or_default(), ctx.ints(2)?.unwrap_or_default());
    let rank = image.len();
    let small = |list: &[i64]| list.iter().all(|size| (1..=1 << 20).contains(size));
    if block.len() != rank || rank == 0 || !small(&image) || !small(&block) {
        return Err(OpError::invalid(format!("blocks of {block:?} on an image of {image:?}")));
    }
    let (strides, dilations) = (sizes(node, "strides", rank)?, sizes(node, "dilations", rank)?);
    let pads = whole_list(node, "pads", 2 * rank)?;
    let (before, behind) = pads.split_at(rank);
    let mut axes = Vec::with_capacity(rank);
    for (((&image, &block), (&stride, &dilation)), (&pad, &behind)) in
        image.iter().zip(&block).zip(strides.iter().zip(&dilations)).zip(before.iter().zip(behind))
    {
        let (stride, dilation) = (int(stride), int(dilation));
        let room = image + pad + behind - dilation * (block - 1) - 1;
        let count = if room < 0 { 0 } else { room / stride + 1 };
        axes.push(Axis { image, block, stride, dilation, pad, count });
    }
    Ok(axes)
}

/// Coordinates of element `at` of data of these sizes.
fn coordinates(mut at: i64, sizes: impl DoubleEndedIterator<Item = i64>) -> Vec<i64> {
    let mut out = Vec::new();
    for size in sizes.rev() {
        out.push(at % size.max(1));
        at /= size.max(1);
    }
    out.reverse();
    out
}

/// `Col2Im` of known shapes: for each place of the image the elements of all blocks that cover it
/// are gathered, and added. Where a block does not reach stands the 0 behind the data.
fn col2im(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let axes = axes(ctx, node)?;
    let all = |of: fn(&Axis) -> i64| axes.iter().map(of).fold(1i64, i64::saturating_mul);
    let (taps, blocks, places) =
        (all(|axis| axis.block), all(|axis| axis.count), all(|axis| axis.image));
    let [_, rows, columns] = &ctx.shape(data)[..] else {
        return Err(OpError::Rank { what: "input `input`", rank: ctx.rank(data), supported: "3" });
    };
    let fits = rows.known().is_none_or(|rows| rows % taps == 0)
        && columns.known().is_none_or(|size| size == blocks);
    if !fits {
        return Err(OpError::invalid(format!(
            "{rows} rows of {columns} for {taps} elements of {blocks} blocks"
        )));
    }
    if taps.saturating_mul(places) > MOST_PLACES {
        let (what, value) = ("the image", format!("of {places} elements under blocks of {taps}"));
        return Err(OpError::Value { what, value, supported: "a product up to 2^24" });
    }
    let mut indices = Vec::new();
    for tap in 0..taps {
        let tap_at = coordinates(tap, axes.iter().map(|axis| axis.block));
        for place in 0..places {
            let place_at = coordinates(place, axes.iter().map(|axis| axis.image));
            let each = axes.iter().zip(tap_at.iter().zip(&place_at));
            let block = each
                .map(|(axis, (&tap, &place))| axis.block_at(tap, place).map(|at| (at, axis.count)));
            let block = block.collect::<Option<Vec<_>>>();
            let block =
                block.map(|at| at.into_iter().fold(0, |index, (at, count)| index * count + at));
            indices.push(block.map_or(taps * blocks, |block| tap * blocks + block));
        }
    }
    let dims = [taps, places].map(|n| usize::try_from(n).unwrap_or(0));
    let indices = ctx.constant_value(Tensor::of(dims.to_vec(), indices)?);
    let (batch, rows) = (ctx.size_of(data, 0)?, ctx.size_of(data, 1)?);
    let channels = ctx.compute(Ew::FloorDiv, rows, taps)?;
    let flat = ctx.number(taps * blocks);
    let flat = ctx.reshape_to(data, &[batch, channels, flat])?;
    let padded = cut(ctx, flat, &[Cut::ALL, Cut::ALL, Cut::grown(0, 1)], None)?;
    let gather = Gather { mode: GatherMode::Default, axis: 2, element_wise_dims: 0 };
    let covering = ctx.add(gather, &[padded, indices])?;
    let summed = ctx.reduce(ReduceOperation::Sum, covering, vec![2], false)?;
    let image: Vec<i64> = axes.iter().map(|axis| axis.image).collect();
    let shape: Vec<_> = [batch, channels].into_iter().chain(ctx.fixed_numbers(&image)).collect();
    Ok(smallvec![ctx.reshape_to(summed, &shape)?])
}

/// `MaxUnpool`: the elements scattered into zeros. What `output_shape` adds to the shape that the
/// attributes give lies behind it, as in ONNX's own test; ONNX Runtime reads the places in the
/// larger shape instead.
fn max_unpool(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, indices) = (ctx.input(0)?, ctx.input(1)?);
    let rank = ctx.rank(x).saturating_sub(2);
    let kernel = sizes(node, "kernel_shape", rank)?;
    let strides = sizes(node, "strides", rank)?;
    let pads = whole_list(node, "pads", 2 * rank)?;
    let mut full = ctx.sizes(x)?;
    for (axis, (&kernel, &stride)) in kernel.iter().zip(&strides).enumerate() {
        let pad =
            pads.get(axis).copied().unwrap_or(0) + pads.get(axis + rank).copied().unwrap_or(0);
        if let Some(size) = full.get_mut(axis + 2) {
            let last = ctx.compute(Ew::Sub, *size, 1)?;
            let last = ctx.compute(Ew::Prod, last, int(stride))?;
            *size = ctx.compute(Ew::Sum, last, int(kernel) - pad)?;
        }
    }
    if full.iter().any(|&size| ctx.known(size).is_some_and(|size| size < 0)) {
        return Err(OpError::invalid("the unpooled shape has a size below 0"));
    }
    let zero = ctx.scalar(ctx.dtype(x), 0.0)?;
    let count = ctx.product(&full)?;
    let zeros = ctx.expand(zero, &[count])?;
    let (places, elements) = (ctx.reshape(indices, vec![-1])?, ctx.reshape(x, vec![-1])?);
    let places = ctx.cast(places, DType::I64)?;
    let scattered =
        ctx.add(Scatter { mode: ScatterMode::Element, axis: 0 }, &[zeros, places, elements])?;
    let unpooled = ctx.reshape_to(scattered, &full)?;
    let Some(wanted) = ctx.maybe_numbers(2)? else { return Ok(smallvec![unpooled]) };
    if wanted.len() != full.len() {
        return Err(OpError::invalid(format!(
            "input `output_shape` has {} sizes, not {}",
            wanted.len(),
            full.len()
        )));
    }
    let mut steps = whole(ctx, unpooled)?;
    for (axis, &size) in wanted.iter().enumerate() {
        let start = ctx.number(0);
        steps.set(axis, start, size);
    }
    Ok(smallvec![ctx.slice(unpooled, &steps, SampleMode::Fill, None)?])
}
