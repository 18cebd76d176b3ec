//! The rule of Slice.

use super::InferError;
use super::ctx::{Ctx, Result, axis, count, ensure, rank, scalar_element};
use super::elements::{can_track, tracked};
use crate::network::layer::{Arg, SampleMode, Slice};
use crate::network::{Dim, Shape, ValueType};

pub(super) fn slice(ctx: &Ctx<'_>, layer: &Slice) -> Result {
    let named = [
        ("start", layer.start.input()),
        ("size", layer.size.input()),
        ("stride", layer.stride.input()),
        ("fill", layer.fill),
    ];
    let [data] = ctx.inputs_and(&named)?;
    let axes = data.shape.rank();
    let start = list(ctx, "start", &layer.start, axes)?;
    let stride = list(ctx, "stride", &layer.stride, axes)?;
    let shape = match &layer.size {
        Arg::Static(sizes) => {
            count("size", sizes.len(), axes)?;
            ensure(sizes.iter().all(|&n| n >= 0), || InferError::Value {
                what: "size",
                actual: format!("{sizes:?}"),
                expected: "0 or more on each axis".into(),
            })?;
            sizes.iter().map(|&n| Dim::Known(n)).collect()
        }
        Arg::Input(at) => {
            let sizes = ctx.sizes("size", *at)?;
            count("size", sizes.rank(), axes)?;
            sizes
        }
    };
    let fill = fill(ctx, layer, data)?;
    let (Some(start), Some(stride)) = (start, stride) else {
        return Ok(ValueType::new(data.dtype, shape));
    };
    if layer.mode == SampleMode::StrictBounds {
        for ((size, out), (start, stride)) in
            data.shape.iter().zip(shape.iter()).zip(start.iter().zip(&stride))
        {
            if let [Some(size), Some(out), Some(start), Some(stride)] =
                [size, out, start, stride].map(Dim::known)
            {
                check_bounds(size, out, start, stride)?;
            }
        }
    }
    let elements = data.elements.as_deref().and_then(|all| {
        let (Some(start), Some(stride)) = (start.first(), stride.first()) else {
            return Some(all.to_vec());
        };
        let positions = positions(&shape, start, stride)?;
        positions.map(|at| pick(all, at?, layer.mode, fill.as_ref())).collect()
    });
    Ok(tracked(data.dtype, shape, elements))
}

/// The entries of an attribute, one per axis, where they are known.
fn list(
    ctx: &Ctx<'_>,
    what: &'static str,
    arg: &Arg<Vec<i64>>,
    axes: usize,
) -> Result<Option<Vec<Dim>>> {
    match arg {
        Arg::Static(values) => {
            count(what, values.len(), axes)?;
            Ok(Some(values.iter().map(|&n| Dim::Known(n)).collect()))
        }
        Arg::Input(at) => {
            let (actual, elements) = ctx.vector(what, *at)?;
            count(what, actual, axes)?;
            Ok(elements.map(<[Dim]>::to_vec))
        }
    }
}

/// The tracked value for elements outside the data.
fn fill(ctx: &Ctx<'_>, layer: &Slice, data: &ValueType) -> Result<Option<Dim>> {
    let Some(at) = layer.fill else { return Ok(Some(Dim::Known(0))) };
    ensure(layer.mode == SampleMode::Fill, || InferError::Value {
        what: "the mode of a slice with a fill value",
        actual: format!("{:?}", layer.mode),
        expected: "Fill".into(),
    })?;
    let value = ctx.arg("fill", at)?;
    ctx.same_type(data, value)?;
    rank("fill", value, 0)?;
    Ok(scalar_element(value).cloned())
}

/// A slice that reads only what is there must not leave the axis.
fn check_bounds(size: i64, out: i64, start: i64, stride: i64) -> Result<()> {
    if out == 0 {
        return Ok(());
    }
    let last = stride.saturating_mul(out - 1).saturating_add(start);
    let inside = |at: i64| (0..size).contains(&at);
    ensure(inside(start) && inside(last), || InferError::Bounds { first: start, last, size })
}

/// Where the elements of a vector's slice lie in the data; entries are `None` on overflow.
fn positions(
    shape: &Shape,
    start: &Dim,
    stride: &Dim,
) -> Option<impl Iterator<Item = Option<i64>> + use<>> {
    axis(shape, 0).ok()?;
    let out = i64::try_from(can_track(shape)?).ok()?;
    let (start, stride) = (start.known()?, stride.known()?);
    Some((0..out).map(move |i| stride.checked_mul(i)?.checked_add(start)))
}

/// The element at `at`, which may lie outside the data.
fn pick(all: &[Dim], at: i64, mode: SampleMode, fill: Option<&Dim>) -> Option<Dim> {
    let count = i64::try_from(all.len()).ok()?;
    let inside = match mode {
        _ if (0..count).contains(&at) => at,
        SampleMode::StrictBounds => return None,
        SampleMode::Fill => return fill.cloned(),
        SampleMode::Wrap => at.checked_rem_euclid(count)?,
        SampleMode::Clamp => at.clamp(0, count.checked_sub(1).filter(|&last| last >= 0)?),
        SampleMode::Reflect => {
            // The data and its mirror image without the outermost elements repeat with this period.
            let period = (2 * count - 2).max(1);
            let at = at.checked_rem_euclid(period)?;
            at.min(period - at)
        }
    };
    all.get(usize::try_from(inside).ok()?).cloned()
}
