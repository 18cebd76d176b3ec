//! Rules of the layers in [`layer::data`](crate::network::layer::data), but for Shuffle and its
//! kin, and Slice.

use super::InferError;
use super::ctx::{
    Ctx, Result, axis, ensure, float, in_tensorrt, index, min_rank, number, positive, rank,
    scalar_element,
};
use super::elements::{binary, can_track, tracked};
use crate::network::layer::Arg;
use crate::network::layer::data::{
    Concatenation, Constant, Fill, FillOperation, Gather, GatherMode, OneHot, ReverseSequence,
    Scatter, ScatterMode, TopK,
};
use crate::network::layer::math::ElementWiseOperation;
use crate::network::{Dim, Shape, ValueType};
use crate::tensor::{DType, Tensor};
use smallvec::{SmallVec, smallvec};

/// The largest `k` of a [`TopK`] layer, in every TensorRT so far.
const MAX_TOP_K: i64 = 3840;

pub(super) fn constant(ctx: &Ctx<'_>, layer: &Constant) -> Result {
    let [] = ctx.inputs()?;
    in_tensorrt("the data", layer.weights.dtype())?;
    Ok(constant_type(&layer.weights))
}

/// Type of a value that holds this data.
pub fn constant_type(weights: &Tensor) -> ValueType {
    let shape = Shape::of(weights.dims());
    // Only small tensors are read: this may be gigabytes.
    let elements = can_track(&shape).and_then(|_| weights.to_i64s());
    tracked(weights.dtype(), shape, elements.map(|all| all.into_iter().map(Dim::Known).collect()))
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

pub(super) fn non_zero(ctx: &Ctx<'_>) -> Result {
    let [data] = ctx.inputs()?;
    Ok(ValueType::new(DType::I64, Shape(vec![data.shape.rank().into(), ctx.fresh()])))
}

pub(super) fn fill(ctx: &Ctx<'_>, layer: &Fill) -> Result {
    let named = [
        ("dims", layer.dims.input()),
        ("alpha", layer.alpha.input()),
        ("beta", layer.beta.input()),
    ];
    let [] = ctx.inputs_and(&named)?;
    let shape = match &layer.dims {
        Arg::Static(dims) => Shape::of(dims),
        Arg::Input(at) => ctx.sizes("the shape", *at)?,
    };
    let probe = ValueType::new(layer.dtype, Shape::default());
    in_tensorrt("the result", layer.dtype)?;
    let linspace = layer.operation == FillOperation::Linspace;
    match layer.dtype {
        DType::I32 | DType::I64 if linspace => {}
        _ => float("the result", &probe)?,
    }
    let (start, step) = match (&layer.alpha, &layer.beta) {
        (Arg::Static(alpha), Arg::Static(beta)) => (whole(*alpha), whole(*beta)),
        (Arg::Input(alpha), Arg::Input(beta)) => {
            let (alpha, beta) = (ctx.arg("alpha", *alpha)?, ctx.arg("beta", *beta)?);
            ctx.same_type(alpha, &probe)?;
            ctx.same_type(beta, &probe)?;
            rank("alpha", alpha, 0)?;
            rank("beta", beta, usize::from(linspace))?;
            if let (true, [steps]) = (linspace, beta.shape.as_slice()) {
                ctx.equal(steps, &shape.rank().into())?;
            }
            (
                scalar_element(alpha).cloned(),
                beta.elements.as_deref().and_then(|steps| steps.first().cloned()),
            )
        }
        _ => {
            return Err(InferError::Value {
                what: "beta",
                actual: "given another way than alpha".into(),
                expected: "given the same way".into(),
            });
        }
    };
    let elements = start.zip(step.or_else(|| shape.is_empty().then_some(Dim::Known(0)))).and_then(
        |(start, step)| {
            (0..can_track(&shape)?)
                .map(|i| {
                    let distance = binary(ElementWiseOperation::Prod, &i.into(), &step)?;
                    binary(ElementWiseOperation::Sum, &start, &distance)
                })
                .collect()
        },
    );
    Ok(tracked(layer.dtype, shape, elements.filter(|_| linspace)))
}

/// A whole number that is exact in floating point.
fn whole(x: f64) -> Option<Dim> {
    #[expect(clippy::cast_possible_truncation, reason = "used only where whole and small")]
    let number = Dim::Known(x as i64);
    (x.fract() == 0.0 && x.abs() < 2f64.powi(53)).then_some(number)
}

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

pub(super) fn top_k(ctx: &Ctx<'_>, layer: &TopK) -> Result<SmallVec<[ValueType; 2]>> {
    let [data] = ctx.inputs_and(&[("k", layer.k.input())])?;
    number("data", data)?;
    let mut shape = data.shape.clone();
    let k = match layer.k {
        Arg::Static(k) => {
            positive("k", [&k])?;
            k.into()
        }
        Arg::Input(at) => ctx.size("k", at)?,
    };
    let along = axis(&data.shape, layer.axis)?;
    let most = along.known().unwrap_or(MAX_TOP_K).min(MAX_TOP_K);
    ensure(k.known().is_none_or(|k| k <= most), || InferError::Value {
        what: "k",
        actual: k.to_string(),
        expected: format!("at most {most}"),
    })?;
    if let Some(size) = shape.get_mut(layer.axis) {
        *size = k;
    }
    Ok(smallvec![ValueType::new(data.dtype, shape.clone()), ValueType::new(DType::I32, shape)])
}
