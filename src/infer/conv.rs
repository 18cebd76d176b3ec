//! Rules of convolution and deconvolution.

use super::InferError;
use super::ctx::{Ctx, Result, ensure, float, positive, rank};
use super::window::{Window, image};
use crate::network::layer::{Arg, Convolution, Deconvolution};
use crate::network::{Dim, Shape, ValueType};
use crate::tensor::Tensor;

pub(super) fn convolution(ctx: &Ctx<'_>, layer: &Convolution) -> Result {
    slide(ctx, layer, Way::There)
}

pub(super) fn deconvolution(ctx: &Ctx<'_>, Deconvolution(layer): &Deconvolution) -> Result {
    slide(ctx, layer, Way::Back)
}

/// Which way the kernel of a convolution leads.
#[derive(Clone, Copy)]
enum Way {
    /// From the places under a window to one.
    There,
    /// From one to those: a transposed convolution.
    Back,
}

fn slide(ctx: &Ctx<'_>, layer: &Convolution, way: Way) -> Result {
    let named = [
        ("the kernel", layer.weights.input()),
        ("the bias", layer.bias.as_ref().and_then(Arg::input)),
    ];
    let [data] = ctx.inputs_and(&named)?;
    float("data", data)?;
    let window = Window {
        size: &layer.kernel,
        stride: &layer.stride,
        dilation: Some(&layer.dilation),
        pre: &layer.pre_padding,
        post: &layer.post_padding,
        mode: layer.padding_mode,
    };
    let (batch, channels, spatial) = window.check(data)?;
    let maps = Dim::from(layer.maps);
    positive("maps", [&layer.maps])?;
    let kernel = weights(ctx, "the kernel", &layer.weights, data)?;
    let maps_per_group = group("maps", &maps, layer.groups)?;
    group("channels", channels, layer.groups)?;
    let size = |axis: usize| kernel.get(axis).cloned().unwrap_or(Dim::Known(0));
    let (taken, leading) = match way {
        Way::There => (&size(1) * &layer.groups.into(), [maps.clone(), size(1)]),
        Way::Back => (size(0), [size(0), maps_per_group]),
    };
    ensure(ctx.unify(channels, &taken).is_some(), || InferError::Channels {
        channels: channels.clone(),
        taken,
    })?;
    check_kernel(ctx, &kernel, leading, &layer.kernel)?;
    check_bias(ctx, layer.bias.as_ref(), data, &maps)?;
    let out = window.axes().zip(spatial).map(|(axis, size)| match way {
        Way::There => axis.fit(size),
        Way::Back => axis.cover(size),
    });
    Ok(ValueType::new(data.dtype, image(batch, maps, out)?))
}

/// Shape of weights, which have the data's type.
fn weights(
    ctx: &Ctx<'_>,
    what: &'static str,
    arg: &Arg<Tensor>,
    data: &ValueType,
) -> Result<Shape> {
    let ty = match arg {
        Arg::Static(tensor) => &ValueType::new(tensor.dtype(), Shape::of(tensor.dims())),
        Arg::Input(at) => ctx.arg(what, *at)?,
    };
    ctx.same_type(data, ty)?;
    Ok(ty.shape.clone())
}

/// Size of one of `groups` equal parts.
fn group(what: &'static str, total: &Dim, groups: usize) -> Result<Dim> {
    positive("groups", [&groups])?;
    let error = || InferError::Groups { what, count: total.clone(), groups };
    let by = Dim::from(groups);
    if let (Dim::Known(total), Dim::Known(by)) = (total, &by) {
        ensure(total.checked_rem(*by) == Some(0), error)?;
    }
    total.floor_div(&by).ok_or_else(error)
}

/// Checks a kernel's shape: two sizes of channels, then the window.
fn check_kernel(ctx: &Ctx<'_>, kernel: &Shape, channels: [Dim; 2], window: &[usize]) -> Result<()> {
    let expected: Shape = channels.into_iter().chain(window.iter().map(|&n| n.into())).collect();
    let fits = kernel.rank() == expected.rank()
        && kernel.iter().zip(expected.iter()).all(|(a, b)| ctx.unify(a, b).is_some());
    ensure(fits, || InferError::Shape { what: "the kernel", actual: kernel.clone(), expected })
}

/// Checks for one bias per output channel.
fn check_bias(
    ctx: &Ctx<'_>,
    bias: Option<&Arg<Tensor>>,
    data: &ValueType,
    maps: &Dim,
) -> Result<()> {
    let Some(bias) = bias else { return Ok(()) };
    let shape = weights(ctx, "the bias", bias, data)?;
    rank("the bias", &ValueType::new(data.dtype, shape.clone()), 1)?;
    shape.iter().try_for_each(|size| ctx.equal(size, maps).map(drop))
}
