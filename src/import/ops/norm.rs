//! Normalizations, and `Dropout`.

use crate::import::build::axes::{along, rounded};
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{
    ElementWiseOperation as Ew, Lrn, Normalization, PaddingMode, Pooling, PoolingType,
    ReduceOperation, Scale, ScaleMode, UnaryOperation as Un,
};
use crate::network::{Dim, ValueId, Values};
use crate::onnx::{Node, dtype_from_onnx};
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

/// Attributes of `BatchNormalization` that act in training only, or not at all.
const MOMENTUM: &[&str] = &["momentum", "consumed_inputs"];

pub(super) const OPS: &[Op] = &[
    onnx("BatchNormalization", 1..=6, "X scale B mean var", batch_norm_test_flag)
        .ignoring(MOMENTUM),
    onnx("BatchNormalization", 7..=8, "X scale B mean var", batch_norm_spatial).ignoring(MOMENTUM),
    onnx("BatchNormalization", 9..=13, "X scale B mean var", |ctx, node| {
        batch_norm(ctx, node, true)
    })
    .ignoring(MOMENTUM),
    onnx("BatchNormalization", 14..=NOW, "X scale B input_mean input_var", batch_norm_mode)
        .ignoring(MOMENTUM),
    onnx("Dropout", 1..=6, "data", dropout_test_flag).ignoring(&["ratio", "consumed_inputs"]),
    onnx("Dropout", 7..=9, "data", |ctx, node| dropout(ctx, node, None)).ignoring(&["ratio"]),
    onnx("Dropout", 10..=11, "data", |ctx, node| dropout(ctx, node, Some(DType::Bool)))
        .ignoring(&["ratio"]),
    onnx("Dropout", 12..=NOW, "data ratio? training_mode?", dropout_mode).ignoring(&["seed"]),
    onnx("GroupNormalization", 18..=20, "X scale bias", |ctx, node| group_norm(ctx, node, true)),
    onnx("GroupNormalization", 21..=NOW, "X scale bias", |ctx, node| group_norm(ctx, node, false)),
    onnx("InstanceNormalization", 1..=NOW, "input scale B", instance_norm)
        .ignoring(&["consumed_inputs"]),
    onnx("LRN", 1..=NOW, "X", lrn),
    // Before opset 17 it is ONNX Runtime's own, which writes it without a domain.
    onnx("LayerNormalization", 1..=NOW, "X Scale B?", layer_norm),
    onnx("LpNormalization", 1..=NOW, "input", lp_norm),
    onnx("MeanVarianceNormalization", 9..=NOW, "X", mean_variance),
    onnx("RMSNormalization", 23..=NOW, "X scale", rms_norm),
    // ONNX Runtime's name for it.
    onnx("SimplifiedLayerNormalization", 1..=NOW, "X scale", rms_norm),
];

/// Whether somebody uses the output at this position.
pub(super) fn wanted(node: &Node, at: usize) -> bool {
    node.outputs.get(at).is_some_and(|name| !name.is_empty())
}

/// `BatchNormalization` before opset 7, where `is_test` must say that nobody trains.
fn batch_norm_test_flag(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    not_training(node.attrs.int_or("is_test", 0)? == 0)?;
    batch_norm_spatial(ctx, node)
}

/// `BatchNormalization` with `spatial`: where it is 0, each activation has coefficients of its own.
fn batch_norm_spatial(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let spatial = node.attrs.int_or("spatial", 1)? != 0;
    batch_norm(ctx, node, spatial)
}

/// `BatchNormalization` with `training_mode`, which must be 0.
fn batch_norm_mode(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    not_training(node.attrs.int_or("training_mode", 0)? != 0)?;
    batch_norm(ctx, node, true)
}

fn not_training(training: bool) -> Result<(), OpError> {
    if training { Err(OpError::Feature("training mode")) } else { Ok(()) }
}

/// x · scale/√(var + ε) + (B − mean·scale/√(var + ε)). Becomes Scale where the coefficients are
/// known and the data has rank 4 or more, else two ElementWise layers.
fn batch_norm(ctx: &mut Ctx<'_>, node: &Node, spatial: bool) -> Result<Values, OpError> {
    not_training((1..node.outputs.len()).any(|at| wanted(node, at)))?;
    let x = ctx.input(0)?;
    let epsilon = f64::from(node.attrs.float_or("epsilon", 1e-5)?);
    let (dtype, rank) = (ctx.dtype(x), ctx.rank(x));
    if rank < 2 {
        return Err(OpError::Rank { what: "input `X`", rank, supported: "2 or more" });
    }
    let folded = folded_batch_norm(ctx, dtype, epsilon)?;
    if let (Some((scale, shift)), true, true) = (&folded, spatial, rank >= 4) {
        let (scale, shift) = (Some(scale.clone()), Some(shift.clone()));
        let layer = Scale { mode: ScaleMode::Channel, shift, scale, power: None, channel_axis: 1 };
        return Ok(smallvec![ctx.add(layer, &[x])?]);
    }
    let (scale, shift) = match folded {
        Some((scale, shift)) => (ctx.constant_value(scale), ctx.constant_value(shift)),
        None => computed_batch_norm(ctx, dtype, epsilon)?,
    };
    let place =
        |ctx: &mut Ctx<'_>, value| if spatial { along(ctx, value, 1, rank) } else { Ok(value) };
    let (scale, shift) = (place(ctx, scale)?, place(ctx, shift)?);
    let scaled = ctx.binary(Ew::Prod, x, scale)?;
    Ok(smallvec![ctx.binary(Ew::Sum, scaled, shift)?])
}

/// Factor and summand, computed in `f64` and rounded once; `None` where a coefficient is no
/// constant.
fn folded_batch_norm(
    ctx: &Ctx<'_>,
    dtype: DType,
    epsilon: f64,
) -> Result<Option<(Tensor, Tensor)>, OpError> {
    let mut lists = Vec::with_capacity(4);
    let mut dims = Vec::new();
    for at in 1..=4 {
        let value = ctx.input(at)?;
        let Some(tensor) = ctx.constant(value) else { return Ok(None) };
        let Some(values) = tensor.to_f32s() else {
            return Err(OpError::DType {
                what: "a coefficient",
                dtype: tensor.dtype(),
                supported: "floating point",
            });
        };
        lists.push(values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
        dims = tensor.dims().to_vec();
    }
    let [scale, bias, mean, variance] = lists.as_slice() else { return Ok(None) };
    let factors: Vec<f64> =
        scale.iter().zip(variance).map(|(s, v)| s / (v + epsilon).sqrt()).collect();
    let summands: Vec<f64> =
        bias.iter().zip(mean).zip(&factors).map(|((b, m), f)| b - m * f).collect();
    Ok(Some((rounded(dtype, dims.clone(), &factors)?, rounded(dtype, dims, &summands)?)))
}

/// Factor and summand as layers, computed in `f32`.
fn computed_batch_norm(
    ctx: &mut Ctx<'_>,
    dtype: DType,
    epsilon: f64,
) -> Result<(ValueId, ValueId), OpError> {
    let mut coefficient = |at| {
        let value = ctx.input(at)?;
        ctx.cast(value, DType::F32)
    };
    let (scale, bias, mean, variance) =
        (coefficient(1)?, coefficient(2)?, coefficient(3)?, coefficient(4)?);
    let variance = ctx.binary_scalar(Ew::Sum, variance, epsilon)?;
    let deviation = ctx.unary(Un::Sqrt, variance)?;
    let factor = ctx.binary(Ew::Div, scale, deviation)?;
    let offset = ctx.binary(Ew::Prod, mean, factor)?;
    let summand = ctx.binary(Ew::Sub, bias, offset)?;
    Ok((ctx.cast(factor, dtype)?, ctx.cast(summand, dtype)?))
}

/// `InstanceNormalization`. Becomes Normalization over the spatial axes.
fn instance_norm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, scale, bias) = (ctx.input(0)?, ctx.input(1)?, ctx.input(2)?);
    let epsilon = node.attrs.float_or("epsilon", 1e-5)?;
    Ok(smallvec![instance_norm_of(ctx, x, [scale, bias], epsilon)?])
}

/// (x − mean) / √(variance + ε) · scale + bias of each channel, with one scale and bias per
/// channel.
pub(super) fn instance_norm_of(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    [scale, bias]: [ValueId; 2],
    epsilon: f32,
) -> Result<ValueId, OpError> {
    let rank = ctx.rank(x);
    if rank < 3 {
        return Err(OpError::Rank { what: "input `input`", rank, supported: "3 or more" });
    }
    let (scale, bias) = (along(ctx, scale, 1, rank)?, along(ctx, bias, 1, rank)?);
    let layer = Normalization { epsilon, axes: (2..rank).collect(), groups: 1 };
    ctx.add(layer, &[x, scale, bias])
}

/// `GroupNormalization`, see [`group_norm_of`].
///
/// Until opset 20 scale and bias have one element per group, from 21 one per channel.
fn group_norm(ctx: &mut Ctx<'_>, node: &Node, by_group: bool) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let groups = group_count(node, "num_groups")?;
    let epsilon = node.attrs.float_or("epsilon", 1e-5)?;
    let stash = stash_type(node)?;
    let mut per_channel = |at| {
        let value = ctx.input(at)?;
        if by_group { spread_groups(ctx, value, x, groups) } else { Ok(value) }
    };
    let coefficients = [per_channel(1)?, per_channel(2)?];
    Ok(smallvec![group_norm_of(ctx, x, coefficients, groups, (epsilon, stash))?])
}

/// The attribute that counts groups.
pub(super) fn group_count(node: &Node, name: &str) -> Result<i64, OpError> {
    let count = node.attrs.int(name)?;
    let count = count.ok_or_else(|| OpError::invalid(format!("attribute `{name}` is missing")))?;
    if count < 1 {
        return Err(OpError::invalid(format!("attribute `{name}` is {count}")));
    }
    Ok(count)
}

/// (x − mean) / √(variance + ε) · scale + bias over groups of channels, with one scale and bias per
/// channel. Becomes Normalization with groups; with a single group, or where ε comes with another
/// type than `f32` to compute in, layers over all axes but the batch.
pub(super) fn group_norm_of(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    [scale, bias]: [ValueId; 2],
    count: i64,
    (epsilon, stash): (f32, DType),
) -> Result<ValueId, OpError> {
    let rank = ctx.rank(x);
    if rank < 3 {
        return Err(OpError::Rank { what: "input `X`", rank, supported: "3 or more" });
    }
    let groups = usize::try_from(count)
        .map_err(|_| OpError::invalid(format!("{count} groups are too many")))?;
    let (scale, bias) = (along(ctx, scale, 1, rank)?, along(ctx, bias, 1, rank)?);
    if groups == 1 || stash != DType::F32 {
        let (grouped, back) = split_groups(ctx, x, groups)?;
        let axes = (2..ctx.rank(grouped)).collect();
        let standard = standardize(ctx, grouped, axes, stash, epsilon.into())?.y;
        let y = ctx.reshape_dims(standard, &back.0, &back.1)?;
        return scale_and_shift(ctx, y, scale, Some(bias));
    }
    let layer = Normalization { epsilon, axes: (2..rank).collect(), groups };
    ctx.add(layer, &[x, scale, bias])
}

/// One coefficient per channel from one per group.
fn spread_groups(
    ctx: &mut Ctx<'_>,
    value: ValueId,
    x: ValueId,
    groups: i64,
) -> Result<ValueId, OpError> {
    let channels = ctx.size_of(x, 1)?;
    if let Some(channels) = ctx.known(channels).filter(|channels| channels % groups != 0) {
        return Err(OpError::invalid(format!(
            "{channels} channels do not divide into {groups} groups"
        )));
    }
    let (count, each) = (ctx.number(groups), ctx.compute(Ew::FloorDiv, channels, groups)?);
    let column = ctx.unsqueeze(value, vec![1])?;
    let spread = ctx.expand(column, &[count, each])?;
    ctx.reshape_to(spread, &[channels])
}

/// Sizes with the `i64[1]` value of each: see [`Ctx::reshape_dims`].
type Sizes = (Vec<Dim>, Vec<ValueId>);

/// `[N, groups, C / groups, spatial…]`, and the sizes to go back.
fn split_groups(ctx: &mut Ctx<'_>, x: ValueId, groups: usize) -> Result<(ValueId, Sizes), OpError> {
    let back = ctx.shape(x).to_vec();
    let parts = (0..back.len()).map(|axis| ctx.size_of(x, axis)).collect::<Result<Vec<_>, _>>()?;
    let by = Dim::from(groups);
    let channels = back.get(1).and_then(|channels| channels.floor_div(&by));
    let channels = channels.ok_or_else(|| OpError::invalid("the data has no channels"))?;
    let count = ctx.i64s(&[by.known().unwrap_or(i64::MAX)]);
    let part = parts.get(1).copied().ok_or_else(|| OpError::invalid("the data has no channels"))?;
    let part = ctx.binary(Ew::Div, part, count)?;
    let (mut dims, mut sizes) = (back.clone(), parts.clone());
    dims.splice(1..2, [by, channels]);
    sizes.splice(1..2, [count, part]);
    Ok((ctx.reshape_dims(x, &dims, &sizes)?, (back, parts)))
}

/// What [`standardize`] gives.
struct Standard {
    /// Of the data's type.
    y: ValueId,
    mean: ValueId,
    inverse_deviation: ValueId,
}

/// (x − mean) / √(variance + ε) over some axes, as layers that compute in `stash`.
fn standardize(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    axes: Vec<usize>,
    stash: DType,
    epsilon: f64,
) -> Result<Standard, OpError> {
    let wide = ctx.cast(x, stash)?;
    let mean = ctx.reduce(ReduceOperation::Avg, wide, axes.clone(), true)?;
    let centered = ctx.binary(Ew::Sub, wide, mean)?;
    let inverse_deviation = inverse_root_mean_square(ctx, centered, axes, epsilon)?;
    let y = ctx.binary(Ew::Prod, centered, inverse_deviation)?;
    Ok(Standard { y: ctx.cast(y, ctx.dtype(x))?, mean, inverse_deviation })
}

/// 1 / √(mean of squares + ε).
fn inverse_root_mean_square(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    axes: Vec<usize>,
    epsilon: f64,
) -> Result<ValueId, OpError> {
    let squares = ctx.binary(Ew::Prod, x, x)?;
    let mean = ctx.reduce(ReduceOperation::Avg, squares, axes, true)?;
    let mean = ctx.binary_scalar(Ew::Sum, mean, epsilon)?;
    let root = ctx.unary(Un::Sqrt, mean)?;
    ctx.unary(Un::Recip, root)
}

fn scale_and_shift(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    scale: ValueId,
    shift: Option<ValueId>,
) -> Result<ValueId, OpError> {
    let scaled = ctx.binary(Ew::Prod, x, scale)?;
    shift.map_or(Ok(scaled), |shift| ctx.binary(Ew::Sum, scaled, shift))
}

/// The attribute `stash_type`: what mean and variance are computed in.
fn stash_type(node: &Node) -> Result<DType, OpError> {
    let code = node.attrs.int_or("stash_type", 1)?;
    match dtype_from_onnx(code) {
        Some(DType::F64) => Ok(DType::F32),
        Some(dtype) if dtype.is_float() => Ok(dtype),
        _ => Err(OpError::invalid(format!(
            "attribute `stash_type` is {code}, which is no floating-point type"
        ))),
    }
}

/// `LayerNormalization`, see [`layer_norm_of`].
fn layer_norm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, scale, bias) = (ctx.input(0)?, ctx.input(1)?, ctx.maybe(2));
    let axis = ctx.axis(node.attrs.int_or("axis", -1)?, ctx.rank(x))?;
    let norm = LayerNorm {
        axis,
        epsilon: node.attrs.float_or("epsilon", 1e-5)?,
        stash: stash_type(node)?,
        inner: wanted(node, 1) || wanted(node, 2),
    };
    layer_norm_of(ctx, x, scale, bias, &norm)
}

/// What a layer normalization is besides its operands.
pub(super) struct LayerNorm {
    /// The first of the normalized axes.
    pub(super) axis: usize,
    pub(super) epsilon: f32,
    /// What mean and deviation are computed in.
    pub(super) stash: DType,
    /// Whether mean and 1 / deviation are wanted too.
    pub(super) inner: bool,
}

/// (x − mean) / √(variance + ε) · scale + bias over all axes from one on. Becomes Normalization
/// where scale and bias have exactly the normalized axes' sizes and nobody wants mean or deviation;
/// else layers that follow the definition.
pub(super) fn layer_norm_of(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    scale: ValueId,
    bias: Option<ValueId>,
    norm: &LayerNorm,
) -> Result<Values, OpError> {
    let &LayerNorm { axis, epsilon, stash, inner } = norm;
    let rank = ctx.rank(x);
    let axes: Vec<_> = (axis..rank).collect();
    let scale = ctx.lead(scale, rank)?;
    let bias = bias.map(|bias| ctx.lead(bias, rank)).transpose()?;
    let fits = |value: ValueId| fits_axes(ctx.shape(x), ctx.shape(value), axis);
    if stash == DType::F32 && !inner && fits(scale) && bias.is_none_or(fits) {
        let bias = bias.map_or_else(|| zeros_like(ctx, scale), Ok)?;
        let layer = Normalization { epsilon, axes, groups: 1 };
        return Ok(smallvec![ctx.add(layer, &[x, scale, bias])?]);
    }
    let standard = standardize(ctx, x, axes, stash, epsilon.into())?;
    let y = scale_and_shift(ctx, standard.y, scale, bias)?;
    Ok(smallvec![y, standard.mean, standard.inverse_deviation])
}

/// Whether a coefficient has known sizes, the data's from `axis` on and 1 before.
fn fits_axes(data: &[Dim], coefficient: &[Dim], axis: usize) -> bool {
    let fits = |(i, (data, own)): (usize, (&Dim, &Dim))| {
        if i < axis { *own == Dim::Known(1) } else { own.known().is_some() && own == data }
    };
    data.iter().zip(coefficient).enumerate().all(fits)
}

/// Zeros in the shape of a value of known shape.
fn zeros_like(ctx: &mut Ctx<'_>, value: ValueId) -> Result<ValueId, OpError> {
    let dims = ctx.shape(value).known().ok_or(OpError::Feature("a scale of unknown shape"))?;
    let bytes = crate::tensor::volume(&dims).and_then(|count| ctx.dtype(value).bytes_for(count));
    let bytes = bytes
        .filter(|&bytes| bytes <= MAX_ZEROS)
        .ok_or(OpError::Feature("a scale of more than 1 GiB"))?;
    Ok(ctx.constant_value(Tensor::new(ctx.dtype(value), dims, vec![0; bytes].into())?))
}

/// More zeros than any real bias has.
const MAX_ZEROS: usize = 1 << 30;

/// `RMSNormalization`, see [`rms_norm_of`]. Its second output, 1 / √(…), only
/// `SimplifiedLayerNormalization` has.
fn rms_norm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, scale) = (ctx.input(0)?, ctx.input(1)?);
    let axis = ctx.axis(node.attrs.int_or("axis", -1)?, ctx.rank(x))?;
    let epsilon = node.attrs.float_or("epsilon", 1e-5)?;
    let [y, inverse] = rms_norm_of(ctx, x, scale, axis, (epsilon, stash_type(node)?))?;
    Ok(smallvec![y, inverse])
}

/// x / √(mean of squares + ε) · scale over all axes from one on, and 1 / √(…), as layers that
/// compute in the type given with ε.
pub(super) fn rms_norm_of(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    scale: ValueId,
    axis: usize,
    (epsilon, stash): (f32, DType),
) -> Result<[ValueId; 2], OpError> {
    let axes = (axis..ctx.rank(x)).collect();
    let wide = ctx.cast(x, stash)?;
    let inverse = inverse_root_mean_square(ctx, wide, axes, epsilon.into())?;
    let normal = ctx.binary(Ew::Prod, wide, inverse)?;
    let normal = ctx.cast(normal, ctx.dtype(scale))?;
    Ok([ctx.binary(Ew::Prod, normal, scale)?, inverse])
}

/// `LpNormalization`: x / ‖x‖ along an axis; 0 where the norm is 0.
fn lp_norm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let axis = ctx.axis(node.attrs.int_or("axis", -1)?, ctx.rank(x))?;
    let norm = match node.attrs.int_or("p", 2)? {
        1 => {
            let magnitude = ctx.unary(Un::Abs, x)?;
            ctx.reduce(ReduceOperation::Sum, magnitude, vec![axis], true)?
        }
        2 => {
            let squares = ctx.binary(Ew::Prod, x, x)?;
            let sum = ctx.reduce(ReduceOperation::Sum, squares, vec![axis], true)?;
            ctx.unary(Un::Sqrt, sum)?
        }
        p => {
            return Err(OpError::Value {
                what: "attribute `p`",
                value: p.to_string(),
                supported: "1, 2",
            });
        }
    };
    let (zero, one) = (ctx.scalar(ctx.dtype(x), 0.0)?, ctx.scalar(ctx.dtype(x), 1.0)?);
    let is_zero = ctx.binary(Ew::Equal, norm, zero)?;
    let divisor = ctx.select(is_zero, one, norm)?;
    Ok(smallvec![ctx.binary(Ew::Div, x, divisor)?])
}

/// `MeanVarianceNormalization`: (x − mean) / (√variance + 1e-9), as layers.
fn mean_variance(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let rank = ctx.rank(x);
    let axes = node.attrs.ints("axes")?.unwrap_or(&[0, 2, 3]);
    let mut axes = axes.iter().map(|&axis| ctx.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    let mean = ctx.reduce(ReduceOperation::Avg, x, axes.clone(), true)?;
    let centered = ctx.binary(Ew::Sub, x, mean)?;
    let squares = ctx.binary(Ew::Prod, centered, centered)?;
    let variance = ctx.reduce(ReduceOperation::Avg, squares, axes, true)?;
    let deviation = ctx.unary(Un::Sqrt, variance)?;
    let deviation = ctx.binary_scalar(Ew::Sum, deviation, 1e-9)?;
    Ok(smallvec![ctx.binary(Ew::Div, centered, deviation)?])
}

/// `LRN`. Becomes LRN; what that layer cannot (an even window, another rank than 4) becomes a mean
/// of squares by Pooling across the channels, which stand in for a spatial axis.
fn lrn(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let size =
        node.attrs.int("size")?.ok_or_else(|| OpError::invalid("attribute `size` is missing"))?;
    let window = i32::try_from(size)
        .ok()
        .and_then(|size| usize::try_from(size).ok())
        .filter(|&window| window > 0);
    let window = window.ok_or_else(|| OpError::invalid(format!("attribute `size` is {size}")))?;
    let (alpha, beta) = (node.attrs.float_or("alpha", 1e-4)?, node.attrs.float_or("beta", 0.75)?);
    let k = node.attrs.float_or("bias", 1.0)?;
    // What `nvinfer1::ILRNLayer` documents as its limits.
    if ctx.rank(x) == 4 && window % 2 == 1 && window <= 15 && beta >= 0.01 && k >= 1e-5 {
        return Ok(smallvec![ctx.add(Lrn { window, alpha, beta, k }, &[x])?]);
    }
    let squares = ctx.binary(Ew::Prod, x, x)?;
    let mean = mean_over_channels(ctx, squares, window)?;
    let scaled = ctx.binary_scalar(Ew::Prod, mean, alpha.into())?;
    let base = ctx.binary_scalar(Ew::Sum, scaled, k.into())?;
    let divisor = ctx.binary_scalar(Ew::Pow, base, beta.into())?;
    Ok(smallvec![ctx.binary(Ew::Div, x, divisor)?])
}

/// The mean over `window` neighboring channels; missing ones count as 0.
fn mean_over_channels(ctx: &mut Ctx<'_>, x: ValueId, window: usize) -> Result<ValueId, OpError> {
    let rank = ctx.rank(x);
    // [N, C, …] becomes [N, 1, C, …], with two or three axes to slide over.
    let added = match rank {
        2 => vec![1, 3],
        3 | 4 => vec![1],
        rank => {
            return Err(OpError::Rank {
                what: "input `X`",
                rank,
                supported: "2 to 4, or an odd `size`",
            });
        }
    };
    let image = ctx.unsqueeze(x, added.clone())?;
    let spatial = ctx.rank(image) - 2;
    let over_channels = |first: usize, other: usize| {
        (0..spatial).map(|axis| if axis == 0 { first } else { other }).collect::<Vec<_>>()
    };
    let layer = Pooling {
        kind: PoolingType::Average,
        window: over_channels(window, 1),
        stride: over_channels(1, 1),
        pre_padding: over_channels((window - 1) / 2, 0),
        post_padding: over_channels(window / 2, 0),
        padding_mode: PaddingMode::ExplicitRoundDown,
        blend: 0.0,
        average_count_excludes_padding: false,
    };
    let mean = ctx.add(layer, &[image])?;
    ctx.squeeze(mean, added)
}

/// `Dropout` before opset 7, where `is_test` must say that nobody trains.
fn dropout_test_flag(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    not_training(node.attrs.int_or("is_test", 0)? == 0)?;
    dropout(ctx, node, None)
}

/// `Dropout` with `training_mode` as an input, which must be known and false.
fn dropout_mode(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let training = ctx.constant_input(2)?;
    not_training(
        training
            .as_ref()
            .and_then(Tensor::bools)
            .is_some_and(|flags| flags.iter().any(|&flag| flag != 0)),
    )?;
    dropout(ctx, node, Some(DType::Bool))
}

/// `Dropout` in inference: the data itself, and a mask of trues (before opset 10 of ones) in its
/// shape.
fn dropout(ctx: &mut Ctx<'_>, node: &Node, mask_type: Option<DType>) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    if !wanted(node, 1) {
        return Ok(smallvec![x]);
    }
    let same = ctx.binary(Ew::Equal, x, x)?;
    let yes = ctx.filled(DType::Bool, 1.0, ctx.rank(x))?;
    let mask = ctx.binary(Ew::Or, same, yes)?;
    Ok(smallvec![x, ctx.cast(mask, mask_type.unwrap_or(ctx.dtype(x)))?])
}
