//! Rules of the layers in [`layer::conv`](crate::network::layer::conv): windows that slide over 2
//! or 3 axes.

use super::InferError;
use super::ctx::{Ctx, Result, count, ensure, float, positive, rank};
use crate::network::layer::Arg;
use crate::network::layer::conv::{Convolution, Deconvolution, PaddingMode, Pooling};
use crate::network::{Dim, Shape, ValueType};
use crate::tensor::{DType, Tensor};

/// What the windows of all three kinds have in common; lists have one entry per spatial axis.
struct Window<'a> {
    size: &'a [usize],
    stride: &'a [usize],
    dilation: Option<&'a [usize]>,
    pre: &'a [usize],
    post: &'a [usize],
    mode: PaddingMode,
}

impl Window<'_> {
    /// Checks the lists against the data `[N, C, spatial…]`; gives its sizes.
    fn check<'d>(&self, data: &'d ValueType) -> Result<(&'d Dim, &'d Dim, &'d [Dim])> {
        let (batch, channels, spatial) = match data.shape.as_slice() {
            [batch, channels, spatial @ ..] if (2..=3).contains(&spatial.len()) => {
                (batch, channels, spatial)
            }
            other => {
                return Err(InferError::Rank {
                    what: "data",
                    actual: other.len(),
                    expected: "4 or 5".into(),
                });
            }
        };
        let axes = spatial.len();
        count("the window", self.size.len(), axes)?;
        count("stride", self.stride.len(), axes)?;
        count("pre-padding", self.pre.len(), axes)?;
        count("post-padding", self.post.len(), axes)?;
        positive("the window", self.size)?;
        positive("stride", self.stride)?;
        if let Some(dilation) = self.dilation {
            count("dilation", dilation.len(), axes)?;
            positive("dilation", dilation)?;
        }
        Ok((batch, channels, spatial))
    }

    /// Stride, padding and extent of the window (dilation included) along each axis.
    fn axes(&self) -> impl Iterator<Item = Axis> {
        (0..self.size.len()).map(|i| {
            let at = |list: &[usize]| Dim::from(list.get(i).copied().unwrap_or_default());
            let one = Dim::Known(1);
            let dilation = self.dilation.map_or(one.clone(), at);
            let extent = &(&dilation * &(&at(self.size) - &one)) + &one;
            Axis {
                stride: at(self.stride),
                pre: at(self.pre),
                post: at(self.post),
                extent,
                mode: self.mode,
            }
        })
    }
}

/// A window along one axis.
struct Axis {
    stride: Dim,
    pre: Dim,
    post: Dim,
    extent: Dim,
    mode: PaddingMode,
}

impl Axis {
    /// Number of windows that fit into `size` elements.
    fn fit(&self, size: &Dim) -> Result<Dim> {
        let caffe = matches!(self.mode, PaddingMode::CaffeRoundDown | PaddingMode::CaffeRoundUp);
        let padded = &(size + &self.pre) + if caffe { &self.pre } else { &self.post };
        let room = &padded - &self.extent;
        let error = || InferError::Window { window: self.extent.clone(), size: padded.clone() };
        let steps = match self.mode {
            PaddingMode::SameUpper | PaddingMode::SameLower => {
                return size.ceil_div(&self.stride).ok_or_else(error);
            }
            PaddingMode::ExplicitRoundDown | PaddingMode::CaffeRoundDown => {
                room.floor_div(&self.stride)
            }
            PaddingMode::ExplicitRoundUp | PaddingMode::CaffeRoundUp => room.ceil_div(&self.stride),
        };
        ensure(room.known().is_none_or(|n| n >= 0), error)?;
        Ok(&steps.ok_or_else(error)? + &Dim::Known(1))
    }

    /// Number of elements that windows at `size` places cover.
    fn cover(&self, size: &Dim) -> Result<Dim> {
        let reaches = (&self.extent - &self.stride).known().is_some_and(|n| n >= 0);
        let same = matches!(self.mode, PaddingMode::SameUpper | PaddingMode::SameLower);
        if same && reaches {
            return Ok(size * &self.stride);
        }
        let full = &(&(size - &Dim::Known(1)) * &self.stride) + &self.extent;
        let padding = if same { Dim::Known(0) } else { &self.pre + &self.post };
        let out = &full - &padding;
        ensure(out.known().is_none_or(|n| n >= 1), || InferError::Window {
            window: padding,
            size: full,
        })?;
        Ok(out)
    }
}

pub(super) fn pooling(ctx: &Ctx<'_>, layer: &Pooling) -> Result {
    let [data] = ctx.inputs()?;
    if data.dtype != DType::I8 {
        float("data", data)?;
    }
    let window = Window {
        size: &layer.window,
        stride: &layer.stride,
        dilation: None,
        pre: &layer.pre_padding,
        post: &layer.post_padding,
        mode: layer.padding_mode,
    };
    let (batch, channels, spatial) = window.check(data)?;
    let out = window.axes().zip(spatial).map(|(axis, size)| axis.fit(size));
    Ok(ValueType::new(data.dtype, image(batch, channels.clone(), out)?))
}

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

/// `[N, C, spatial…]`.
fn image(batch: &Dim, channels: Dim, spatial: impl Iterator<Item = Result<Dim>>) -> Result<Shape> {
    [Ok(batch.clone()), Ok(channels)].into_iter().chain(spatial).collect()
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
