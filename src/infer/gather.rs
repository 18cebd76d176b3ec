//! Rules of layers that pick, place and number data by index.

use super::InferError;
use super::ctx::{Ctx, Result, axis, ensure, index, min_rank, rank};
use super::elements::tracked;
use crate::network::layer::{Gather, GatherMode, OneHot, ReverseSequence, Scatter, ScatterMode};
use crate::network::{Dim, Shape, ValueType};
use crate::tensor::DType;

pub(super) fn gather(ctx: &Ctx<'_>, layer: &Gather) -> Result {
    let [data, indices] = ctx.inputs()?;
    index("indices", indices)?;
    let batch = layer.element_wise_dims;
    for shape in [&data.shape, &indices.shape] {
        ensure(batch <= shape.rank(), || InferError::Axis { axis: batch, rank: shape.rank() })?;
    }
    let leading = data.shape.iter().zip(indices.shape.iter()).take(batch);
    let mut shape = leading.map(|(a, b)| ctx.equal(a, b)).collect::<Result<Shape>>()?;
    match layer.mode {
        GatherMode::Default => {
            axis(&data.shape, layer.axis)?;
            ensure(batch <= layer.axis, || InferError::Axis { axis: layer.axis, rank: batch })?;
            shape.extend(data.shape.iter().take(layer.axis).skip(batch).cloned());
            shape.extend(indices.shape.iter().skip(batch).cloned());
            shape.extend(data.shape.iter().skip(layer.axis + 1).cloned());
        }
        GatherMode::Element => {
            axis(&data.shape, layer.axis)?;
            ctx.same_rank(data, indices)?;
            check_inside(&data.shape, &indices.shape, layer.axis)?;
            shape = indices.shape.clone();
        }
        GatherMode::Nd => {
            let depth = index_depth(data, indices, batch)?;
            let outer = indices.shape.rank().saturating_sub(1);
            shape.extend(indices.shape.iter().take(outer).skip(batch).cloned());
            shape.extend(data.shape.iter().skip(batch + depth).cloned());
        }
    }
    let by_element = layer.mode != GatherMode::Nd && batch == 0;
    let elements = data.elements.as_deref().zip(indices.elements.as_deref()).filter(|_| by_element);
    let elements = elements.and_then(|(data, indices)| {
        indices.iter().map(|i| data.get(i.size()?).cloned()).collect::<Option<Vec<_>>>()
    });
    Ok(tracked(data.dtype, shape, elements))
}

/// Element-wise indices must not reach beyond the data along the other axes.
fn check_inside(data: &Shape, indices: &Shape, along: usize) -> Result<()> {
    let beyond = |a: &Dim, b: &Dim| a.known().zip(b.known()).is_some_and(|(a, b)| b > a);
    match data
        .iter()
        .zip(indices.iter())
        .enumerate()
        .find(|&(i, (a, b))| i != along && beyond(a, b))
    {
        Some((_, (a, b))) => Err(InferError::Value {
            what: "the size of indices",
            actual: b.to_string(),
            expected: format!("at most the data's {a}"),
        }),
        None => Ok(()),
    }
}

/// The number of axes that the last axis of the indices picks from, behind `batch` axes.
fn index_depth(data: &ValueType, indices: &ValueType, batch: usize) -> Result<usize> {
    min_rank("indices", indices, batch + 1)?;
    let depth = indices.shape.last().and_then(Dim::size);
    let depth = depth.ok_or(InferError::UnknownRank { what: "an index vector" })?;
    let most = data.shape.rank().saturating_sub(batch);
    ensure((1..=most).contains(&depth), || InferError::Value {
        what: "the length of an index vector",
        actual: depth.to_string(),
        expected: format!("1 to {most}"),
    })?;
    Ok(depth)
}

pub(super) fn scatter(ctx: &Ctx<'_>, layer: &Scatter) -> Result {
    let [data, indices, updates] = ctx.inputs()?;
    index("indices", indices)?;
    ctx.same_type(data, updates)?;
    let expected = match layer.mode {
        ScatterMode::Element => {
            axis(&data.shape, layer.axis)?;
            ctx.same_rank(data, indices)?;
            check_inside(&data.shape, &indices.shape, layer.axis)?;
            indices.shape.clone()
        }
        ScatterMode::Nd => {
            let depth = index_depth(data, indices, 0)?;
            let outer = indices.shape.rank().saturating_sub(1);
            indices.shape.iter().take(outer).chain(data.shape.iter().skip(depth)).cloned().collect()
        }
    };
    let actual = &updates.shape;
    let fits = actual.rank() == expected.rank()
        && actual.iter().zip(expected.iter()).all(|(a, b)| ctx.unify(a, b).is_some());
    ensure(fits, || InferError::Shape { what: "the updates", actual: actual.clone(), expected })?;
    Ok(ValueType::new(data.dtype, data.shape.clone()))
}

pub(super) fn one_hot(ctx: &Ctx<'_>, layer: &OneHot) -> Result {
    let [indices, values, _] = ctx.inputs()?;
    index("indices", indices)?;
    rank("the values", values, 1)?;
    values.shape.iter().try_for_each(|size| ctx.equal(size, &Dim::Known(2)).map(drop))?;
    let most = indices.shape.rank();
    ensure(layer.axis <= most, || InferError::Axis { axis: layer.axis, rank: most + 1 })?;
    let mut shape = indices.shape.clone();
    shape.insert(layer.axis, ctx.size("the depth", 2)?);
    Ok(ValueType::new(values.dtype, shape))
}

pub(super) fn reverse_sequence(ctx: &Ctx<'_>, layer: &ReverseSequence) -> Result {
    let [data, lengths] = ctx.inputs()?;
    let batch = axis(&data.shape, layer.batch_axis)?;
    axis(&data.shape, layer.sequence_axis)?;
    ensure(layer.batch_axis != layer.sequence_axis, || InferError::Axes {
        axes: vec![layer.batch_axis, layer.sequence_axis],
        rank: data.shape.rank(),
    })?;
    index("the lengths", lengths)?;
    rank("the lengths", lengths, 1)?;
    lengths.shape.iter().try_for_each(|size| ctx.equal(size, batch).map(drop))?;
    Ok(ValueType::new(data.dtype, data.shape.clone()))
}

pub(super) fn non_zero(ctx: &Ctx<'_>) -> Result {
    let [data] = ctx.inputs()?;
    Ok(ValueType::new(DType::I64, Shape(vec![data.shape.rank().into(), ctx.fresh()])))
}
