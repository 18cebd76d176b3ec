//! Rules of data laid out otherwise: transposed, reshaped, joined.

use super::InferError;
use super::ctx::{Ctx, Result, axes, axis, ensure, max_rank, volume};
use super::elements::tracked;
use crate::network::layer::{Concatenation, Reshape, Shuffle, Squeeze, Unsqueeze};
use crate::network::{Dim, Shape};
use crate::tensor::DType;

pub(super) fn shuffle(ctx: &Ctx<'_>, layer: &Shuffle) -> Result {
    // The shape has no position of its own: it is the second input.
    let shape_input = matches!(layer.reshape, Some(Reshape::Input { .. })).then_some(1);
    let [data] = ctx.inputs_and(&[("the shape", shape_input)])?;
    let mut shape = transpose(&data.shape, layer.first_transpose.as_deref())?;
    match &layer.reshape {
        None => {}
        Some(Reshape::Static { dims, zero_is_placeholder }) => {
            max_rank("the output", dims.len())?;
            shape = reshape(
                ctx,
                &shape,
                &dims.iter().map(|&d| Dim::Known(d)).collect(),
                *zero_is_placeholder,
            )?;
        }
        Some(Reshape::Input { zero_is_placeholder }) => {
            shape = match ctx.vector("the shape", 1)? {
                (_, Some(elements)) => {
                    reshape(ctx, &shape, &Shape(elements.to_vec()), *zero_is_placeholder)?
                }
                (count, None) => (0..count).map(|_| ctx.fresh()).collect(),
            };
        }
    }
    let shape = transpose(&shape, layer.second_transpose.as_deref())?;
    Ok(tracked(data.dtype, shape, data.elements.as_deref().map(<[Dim]>::to_vec)))
}

fn transpose(shape: &Shape, order: Option<&[usize]>) -> Result<Shape> {
    let Some(order) = order else { return Ok(shape.clone()) };
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    let error = || InferError::Permutation { order: order.to_vec(), rank: shape.rank() };
    ensure(sorted.iter().copied().eq(0..shape.rank()), error)?;
    order.iter().map(|&from| shape.get(from).cloned().ok_or_else(error)).collect()
}

/// The shape that `to` asks for, with 0 and −1 filled in.
fn reshape(ctx: &Ctx<'_>, from: &Shape, to: &Shape, zero_is_placeholder: bool) -> Result<Shape> {
    let fits = || {
        let from = volume(from.iter()).unwrap_or_else(|| Dim::named("many"));
        InferError::Reshape { from, to: to.clone() }
    };
    let mut out = to.clone();
    let mut left_over = None;
    for (i, size) in out.iter_mut().enumerate() {
        match size {
            Dim::Known(0) if zero_is_placeholder => {
                let error =
                    || InferError::Placeholder { to: to.clone(), axis: i, rank: from.rank() };
                *size = from.get(i).ok_or_else(error)?.clone();
            }
            Dim::Known(-1) if left_over.is_none() => left_over = Some(i),
            Dim::Known(n) if *n < 0 => return Err(fits()),
            _ => {}
        }
    }
    // Equal sizes on both sides cancel first, so that quotients of sums stay simple.
    let mut inside: Vec<&Dim> = from.iter().collect();
    let mut outside: Vec<&Dim> =
        out.iter().enumerate().filter(|&(i, _)| Some(i) != left_over).map(|(_, d)| d).collect();
    outside.retain(|size| {
        match inside.iter().position(|other| other == size && size.known() != Some(0)) {
            Some(at) => {
                inside.swap_remove(at);
                false
            }
            None => true,
        }
    });
    let volumes = volume(inside).zip(volume(outside));
    let Some(left_over) = left_over else {
        let fit = volumes.is_none_or(|(inside, outside)| ctx.unify(&inside, &outside).is_some());
        return if fit { Ok(out) } else { Err(fits()) };
    };
    let Some((inside, outside)) = volumes else {
        if let Some(size) = out.get_mut(left_over) {
            *size = ctx.fresh();
        }
        return Ok(out);
    };
    if let (Dim::Known(inside), Dim::Known(outside)) = (&inside, &outside) {
        ensure(inside.checked_rem(*outside) == Some(0), fits)?;
    }
    let quotient = inside.floor_div(&outside).ok_or_else(fits)?;
    if let Some(size) = out.get_mut(left_over) {
        *size = quotient;
    }
    Ok(out)
}

pub(super) fn squeeze(ctx: &Ctx<'_>, layer: &Squeeze) -> Result {
    let [data] = ctx.inputs()?;
    axes(&layer.axes, data.shape.rank())?;
    let mut shape = Shape::default();
    for (i, size) in data.shape.iter().enumerate() {
        if layer.axes.contains(&i) {
            ctx.equal(size, &Dim::Known(1))?;
        } else {
            shape.push(size.clone());
        }
    }
    Ok(tracked(data.dtype, shape, data.elements.as_deref().map(<[Dim]>::to_vec)))
}

pub(super) fn unsqueeze(ctx: &Ctx<'_>, layer: &Unsqueeze) -> Result {
    let [data] = ctx.inputs()?;
    let rank = data.shape.rank() + layer.axes.len();
    max_rank("the output", rank)?;
    axes(&layer.axes, rank)?;
    let mut sizes = data.shape.iter().cloned();
    let shape = (0..rank)
        .filter_map(|i| if layer.axes.contains(&i) { Some(Dim::Known(1)) } else { sizes.next() });
    Ok(tracked(data.dtype, shape.collect(), data.elements.as_deref().map(<[Dim]>::to_vec)))
}

pub(super) fn concatenation(ctx: &Ctx<'_>, layer: &Concatenation) -> Result {
    let Some((&first, rest)) = ctx.types.split_first() else {
        return Err(InferError::Inputs { kind: ctx.kind, expected: "1 or more".into(), actual: 0 });
    };
    axis(&first.shape, layer.axis)?;
    let mut shape = first.shape.clone();
    for other in rest {
        ctx.same_type(first, other)?;
        ctx.same_rank(first, other)?;
        for (i, (sum, size)) in shape.iter_mut().zip(other.shape.iter()).enumerate() {
            if i != layer.axis {
                *sum = ctx.equal(sum, size)?;
            } else if sum.is_simple() {
                // A longer sum becomes a symbol anyway.
                *sum = &*sum + size;
            }
        }
    }
    let elements = ctx.types.iter().map(|ty| ty.elements.as_deref()).collect::<Option<Vec<_>>>();
    Ok(tracked(first.dtype, shape, elements.map(|parts| parts.concat())))
}

pub(super) fn shape(ctx: &Ctx<'_>) -> Result {
    let [data] = ctx.inputs()?;
    Ok(tracked(DType::I64, Shape::of(&[data.shape.rank()]), Some(data.shape.to_vec())))
}
