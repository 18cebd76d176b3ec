//! Convolutions and transposed convolutions.

use super::quantize::{exact_sum, real};
use crate::import::build::axes::{Cut, along, cut, whole};
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::build::pads::{
    AutoPad, Pads, Window, from_image, sizes, spatial_rank, to_image, whole_list,
};
use crate::import::error::OpError;
use crate::network::layer::{
    Arg, Convolution, Deconvolution, ElementWiseOperation as Ew, PaddingMode, SampleMode,
};
use crate::network::{Dim, ValueId, Values};
use crate::onnx::Node;
use crate::tensor::Tensor;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("Conv", 1..=NOW, "X W B?", conv),
    onnx("ConvInteger", 10..=NOW, "x w x_zero_point? w_zero_point?", conv_integer),
    onnx("ConvTranspose", 1..=NOW, "X W B?", conv_transpose),
];

/// `Conv` over 1 to 3 spatial axes. Becomes Convolution; one spatial axis gets a second of size 1.
fn conv(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, w, bias) = (ctx.input(0)?, ctx.input(1)?, ctx.maybe(2));
    Ok(smallvec![convolve(ctx, node, x, w, bias)?])
}

/// `ConvInteger`: Convolution in `f32` of the numbers less their zero points, see [`exact_sum`].
fn conv_integer(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, w) = (real(ctx, ctx.input(0)?)?, real(ctx, ctx.input(1)?)?);
    let x = less_zero_point(ctx, x, ctx.maybe(2), 1)?;
    let w = less_zero_point(ctx, w, ctx.maybe(3), 0)?;
    let summed = (1..ctx.rank(w)).collect();
    Ok(smallvec![exact_sum(ctx, x, w, summed, &|ctx, x| convolve(ctx, node, x, w, None))?])
}

/// Data less its zero point, of which there is one, or one for each index of `axis`.
pub(super) fn less_zero_point(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    zero_point: Option<ValueId>,
    axis: usize,
) -> Result<ValueId, OpError> {
    let Some(zero_point) = zero_point else { return Ok(x) };
    let zero_point = real(ctx, zero_point)?;
    let zero_point = along(ctx, zero_point, axis, ctx.rank(x))?;
    ctx.binary(Ew::Sub, x, zero_point)
}

/// The convolution a node describes, of any operands.
pub(super) fn convolve(
    ctx: &mut Ctx<'_>,
    node: &Node,
    x: ValueId,
    w: ValueId,
    bias: Option<ValueId>,
) -> Result<ValueId, OpError> {
    let kernel = kernel_sizes(ctx, node, x, w)?;
    let window = Window::of(ctx, node, x, kernel)?;
    convolve_window(ctx, [x, w], bias, window, group(node)?)
}

/// The convolution with a window whose kernel is that of `w`.
pub(super) fn convolve_window(
    ctx: &mut Ctx<'_>,
    [x, w]: [ValueId; 2],
    bias: Option<ValueId>,
    mut window: Window,
    groups: usize,
) -> Result<ValueId, OpError> {
    let rank = ctx.rank(x);
    let maps = known_size(ctx, w, 0)?;
    check_channels(ctx, x, w, groups)?;
    let x = window.crop(ctx, x)?;
    let x = window.settle(ctx, x)?;
    let x = to_image(ctx, x)?;
    window.widen();
    let mut inputs = vec![x];
    let weights = weights(ctx, w, &mut inputs)?;
    let (fixed_bias, late_bias) = split_bias(ctx, bias);
    let y = ctx.add(layer(window, maps, groups, weights, fixed_bias), &inputs)?;
    let y = from_image(ctx, y, rank)?;
    add_bias(ctx, y, late_bias)
}

fn layer(
    window: Window,
    maps: usize,
    groups: usize,
    weights: Arg<Tensor>,
    bias: Option<Tensor>,
) -> Convolution {
    let (pre_padding, post_padding, padding_mode) = window.padding();
    Convolution {
        maps,
        kernel: window.kernel,
        stride: window.stride,
        pre_padding,
        post_padding,
        padding_mode,
        dilation: window.dilation,
        groups,
        weights,
        bias: bias.map(Arg::Static),
    }
}

/// Checks that the weights take as many channels as the data has.
fn check_channels(ctx: &Ctx<'_>, x: ValueId, w: ValueId, group: usize) -> Result<(), OpError> {
    let (Some(channels), Some(maps), Some(per_group)) =
        (ctx.size(x, 1), ctx.size(w, 0), ctx.size(w, 1))
    else {
        return Ok(());
    };
    if per_group.checked_mul(group) == Some(channels) {
        return Ok(());
    }
    Err(OpError::Channels { channels, per_group, group, maps })
}

/// Sizes of the kernel's spatial axes: those of W, which `kernel_shape` may but repeat.
fn kernel_sizes(ctx: &Ctx<'_>, node: &Node, x: ValueId, w: ValueId) -> Result<Vec<usize>, OpError> {
    let count = spatial_rank(ctx, "input `X`", x)?;
    if ctx.rank(w) != count + 2 {
        let (x, w) = (ctx.rank(x), ctx.rank(w));
        return Err(OpError::invalid(format!(
            "input `X` has rank {x}, but input `W` has rank {w}"
        )));
    }
    let own = (2..count + 2).map(|axis| known_size(ctx, w, axis)).collect::<Result<Vec<_>, _>>()?;
    if node.attrs.has("kernel_shape") {
        let said = sizes(node, "kernel_shape", count)?;
        if said != own {
            return Err(OpError::invalid(format!(
                "attribute `kernel_shape` is {said:?}, but input `W` has a kernel of {own:?}"
            )));
        }
    }
    Ok(own)
}

pub(super) fn known_size(ctx: &Ctx<'_>, w: ValueId, axis: usize) -> Result<usize, OpError> {
    ctx.size(w, axis).ok_or_else(|| ctx.open_size("the kernel's shape", w, axis))
}

fn group(node: &Node) -> Result<usize, OpError> {
    let group = node.attrs.int_or("group", 1)?;
    let positive = usize::try_from(group).ok().filter(|&group| group > 0);
    positive.ok_or_else(|| {
        OpError::invalid(format!("attribute `group` is {group}, not a positive number"))
    })
}

/// The kernel as weights where it is known, else as the layer's next input; always with two spatial
/// axes or more.
fn weights(
    ctx: &mut Ctx<'_>,
    w: ValueId,
    inputs: &mut Vec<ValueId>,
) -> Result<Arg<Tensor>, OpError> {
    if let Some(tensor) = ctx.constant(w) {
        let mut dims = tensor.dims().to_vec();
        dims.resize(dims.len().max(4), 1);
        return Ok(Arg::Static(tensor.reshaped(dims)?));
    }
    inputs.push(to_image(ctx, w)?);
    Ok(Arg::Input(inputs.len() - 1))
}

/// A bias the layer can have as weights, or one that is added behind it.
fn split_bias(ctx: &Ctx<'_>, bias: Option<ValueId>) -> (Option<Tensor>, Option<ValueId>) {
    let fixed = bias.and_then(|bias| ctx.constant(bias));
    let late = bias.filter(|_| fixed.is_none());
    (fixed, late)
}

pub(super) fn add_bias(
    ctx: &mut Ctx<'_>,
    y: ValueId,
    bias: Option<ValueId>,
) -> Result<ValueId, OpError> {
    let Some(bias) = bias else { return Ok(y) };
    let bias = along(ctx, bias, 1, ctx.rank(y))?;
    ctx.binary(Ew::Sum, y, bias)
}

/// `ConvTranspose` over 1 to 3 spatial axes. Becomes Deconvolution; what `output_padding` or a
/// large `output_shape` adds beyond the kernel's reach is zeros from a Slice, and the bias comes
/// behind it.
fn conv_transpose(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, w, bias) = (ctx.input(0)?, ctx.input(1)?, ctx.maybe(2));
    let rank = ctx.rank(x);
    let shape = node.attrs.ints("output_shape")?.filter(|shape| !shape.is_empty());
    if let Some(shape) = shape
        && (2..rank).any(|axis| ctx.size(x, axis).is_none())
    {
        let y = uncropped_transpose(ctx, node, x, w)?;
        let y = fit(ctx, node, y, shape)?;
        return Ok(smallvec![add_bias(ctx, y, bias)?]);
    }
    let kernel = kernel_sizes(ctx, node, x, w)?;
    let (window, grown) = transposed_window(ctx, node, x, kernel)?;
    let grows = grown.iter().any(|&cut| cut != Cut::ALL);
    let (fixed_bias, late_bias) = if grows { (None, bias) } else { split_bias(ctx, bias) };
    let y = deconvolve(ctx, node, [x, w], window, fixed_bias)?;
    let y = cut(ctx, y, &grown, None)?;
    Ok(smallvec![add_bias(ctx, y, late_bias)?])
}

/// All that the windows of a transposed convolution reach.
pub(super) fn uncropped_transpose(
    ctx: &mut Ctx<'_>,
    node: &Node,
    x: ValueId,
    w: ValueId,
) -> Result<ValueId, OpError> {
    let kernel = kernel_sizes(ctx, node, x, w)?;
    let window = Window {
        stride: sizes(node, "strides", kernel.len())?,
        dilation: sizes(node, "dilations", kernel.len())?,
        ..Window::plain(kernel)
    };
    deconvolve(ctx, node, [x, w], window, None)
}

/// Deconvolution over 1 to 3 spatial axes.
fn deconvolve(
    ctx: &mut Ctx<'_>,
    node: &Node,
    [x, w]: [ValueId; 2],
    mut window: Window,
    bias: Option<Tensor>,
) -> Result<ValueId, OpError> {
    let groups = group(node)?;
    let maps = known_size(ctx, w, 1)?.checked_mul(groups);
    let maps = maps.ok_or_else(|| {
        OpError::invalid(format!("attribute `group` is {groups}, which is too large"))
    })?;
    let image = to_image(ctx, x)?;
    window.widen();
    let mut inputs = vec![image];
    let weights = weights(ctx, w, &mut inputs)?;
    let y = ctx.add(Deconvolution(layer(window, maps, groups, weights, bias)), &inputs)?;
    from_image(ctx, y, ctx.rank(x))
}

/// The output in a shape, where it depends on sizes of the run how much is cropped: what lacks is
/// zeros behind it.
fn fit(ctx: &mut Ctx<'_>, node: &Node, y: ValueId, shape: &[i64]) -> Result<ValueId, OpError> {
    let count = ctx.rank(y) - 2;
    let upper = AutoPad::of(node)? == AutoPad::SameUpper;
    let output_padding = whole_list(node, "output_padding", count)?;
    whole_list(node, "pads", 2 * count)?;
    if shape.len() != count {
        return Err(OpError::invalid(format!(
            "attribute `output_shape` is {shape:?}, not {count} numbers"
        )));
    }
    let mut steps = whole(ctx, y)?;
    for (at, (&wanted, added)) in shape.iter().zip(output_padding).enumerate() {
        let size = ctx.size_of(y, at + 2)?;
        let beyond = ctx.compute(Ew::Sum, size, added.saturating_sub(wanted))?;
        let beyond = ctx.at_least_zero(beyond)?;
        let half = ctx.compute(Ew::FloorDiv, beyond, 2)?;
        let start = if upper { half } else { ctx.binary(Ew::Sub, beyond, half)? };
        let wanted = ctx.number(wanted);
        steps.set(at + 2, start, wanted);
    }
    ctx.slice(y, &steps, SampleMode::Fill, None)
}

/// The window with what it crops from the output, and how the output grows where padding is
/// negative.
fn transposed_window(
    ctx: &Ctx<'_>,
    node: &Node,
    x: ValueId,
    kernel: Vec<usize>,
) -> Result<(Window, Vec<Cut>), OpError> {
    let count = kernel.len();
    let auto = AutoPad::of(node)?;
    let (stride, dilation) = (sizes(node, "strides", count)?, sizes(node, "dilations", count)?);
    let output_padding = whole_list(node, "output_padding", count)?;
    let pads = whole_list(node, "pads", 2 * count)?;
    let mut window = Window { kernel, stride, dilation, pads: Pads::Same(PaddingMode::SameUpper) };
    let split = match (node.attrs.ints("output_shape")?.filter(|shape| !shape.is_empty()), auto) {
        (Some(shape), _) => split_to_shape(ctx, x, &window, &output_padding, shape, auto)?,
        (None, AutoPad::SameUpper | AutoPad::SameLower) => {
            let total = window.extents().into_iter().zip(window.strides()).zip(&output_padding);
            total
                .map(|((extent, stride), added)| split(auto, extent + added - stride))
                .collect::<Result<_, _>>()?
        }
        (None, AutoPad::Valid) => vec![(0, 0); count],
        (None, AutoPad::NotSet) => {
            let (pre, post) = pads.split_at(count);
            pre.iter().copied().zip(post.iter().copied()).collect()
        }
    };
    let mut grown = vec![Cut::ALL; 2];
    let (mut pre, mut post) = (Vec::new(), Vec::new());
    let sizes = ctx.shape(x).iter().skip(2).map(Dim::known);
    let windows = sizes.zip(window.extents().into_iter().zip(window.strides()));
    for (((before, behind), added), (size, of)) in
        split.into_iter().zip(output_padding).zip(windows)
    {
        let behind = behind - added;
        let full = size.map(|size| reach(size, of));
        // The layer leaves nothing to which something could be added.
        if before.min(behind) < 0 && full.is_some_and(|full| before.max(behind) >= full) {
            grown.push(Cut::grown(-before, -behind));
            pre.push(0);
            post.push(0);
            continue;
        }
        grown.push(Cut::grown((-before).max(0), (-behind).max(0)));
        pre.push(before.max(0));
        post.push(behind.max(0));
    }
    window.pads = Pads::Explicit { pre, post };
    Ok((window, grown))
}

/// Paddings that give the output these sizes.
fn split_to_shape(
    ctx: &Ctx<'_>,
    x: ValueId,
    window: &Window,
    output_padding: &[i64],
    shape: &[i64],
    auto: AutoPad,
) -> Result<Vec<(i64, i64)>, OpError> {
    let count = window.kernel.len();
    if shape.len() != count {
        return Err(OpError::invalid(format!(
            "attribute `output_shape` is {shape:?}, not {count} numbers"
        )));
    }
    let sizes = ctx.shape(x).iter().skip(2).map(Dim::known);
    let windows = window.extents().into_iter().zip(window.strides());
    let axes = sizes.zip(windows).zip(output_padding).zip(shape);
    axes.map(|(((size, (extent, stride)), added), &wanted)| {
        let size =
            size.ok_or(OpError::Feature("attribute `output_shape` with data of unknown size"))?;
        let full = reach(size, (extent, stride)).saturating_add(*added);
        split(auto, full.saturating_sub(wanted))
    })
    .collect()
}

/// The size of what windows `(extent, stride)` at so many places cover.
fn reach(size: i64, (extent, stride): (i64, i64)) -> i64 {
    size.saturating_sub(1).saturating_mul(stride).saturating_add(extent)
}

/// A total padding split in two. One missing element goes to the end; for more the specification's
/// formula and its implementations disagree.
fn split(auto: AutoPad, total: i64) -> Result<(i64, i64), OpError> {
    match total {
        0.. => Ok(auto.split(total)),
        -1 => Ok((0, -1)),
        _ => Err(OpError::Value {
            what: "the padding that the output's size asks for",
            value: total.to_string(),
            supported: "-1 or more",
        }),
    }
}
