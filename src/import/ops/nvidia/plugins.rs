//! Plugins with the meaning of one of ONNX's operators, or of a few layers.

use super::candidates::flag;
use super::plugin;
use crate::import::build::axes;
use crate::import::build::ctx::Ctx;
use crate::import::build::numbers::MAX_SIZE;
use crate::import::build::op::Op;
use crate::import::error::OpError;
use crate::import::ops::norm::{group_count, group_norm_of, instance_norm_of};
use crate::import::ops::regions::{modulated_deform_conv, roi_align_by};
use crate::network::layer::{
    ActivationType, ElementWiseOperation as Ew, GridSample, InterpolationMode, ReduceOperation,
    SampleMode,
};
use crate::network::{Dim, ValueId, Values};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

const DEFORM: &str = "input offset mask weight bias?";
const ATTENTION: &str =
    "value spatial_shapes level_start_index sampling_locations attention_weights";

/// The same, for messages.
const ATTENTION_INPUTS: [&str; 5] = [
    "input `value`",
    "input `spatial_shapes`",
    "input `level_start_index`",
    "input `sampling_locations`",
    "input `attention_weights`",
];

pub(crate) const OPS: &[Op] = &[
    plugin("GroupNormalizationPlugin", "input scale bias", group_norm),
    plugin("InstanceNormalization_TRT", "input scale? bias?", instance_norm),
    plugin("MMCVModulatedDeformConv2d", DEFORM, modulated_deform_conv),
    plugin("ModulatedDeformConv2d", DEFORM, modulated_deform_conv),
    plugin("MultiscaleDeformableAttnPlugin_TRT", ATTENTION, deformable_attention),
    plugin("ROIAlign_TRT", "X rois batch_indices", roi_align),
];

/// `GroupNormalizationPlugin`: scale and bias of each channel.
fn group_norm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let groups = group_count(node, "num_groups")?;
    let epsilon = node.attrs.float_or("eps", 1e-5)?;
    let (x, scale, bias) = (ctx.input(0)?, ctx.input(1)?, ctx.input(2)?);
    // They are f32 whatever the data are.
    let dtype = ctx.dtype(x);
    let (scale, bias) = (ctx.cast(scale, dtype)?, ctx.cast(bias, dtype)?);
    Ok(smallvec![group_norm_of(ctx, x, [scale, bias], groups, (epsilon, DType::F32))?])
}

/// `InstanceNormalization_TRT`: scale and bias are attributes, or inputs since version 3; then
/// LeakyRelu if asked for.
fn instance_norm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let epsilon = node.attrs.float_or("epsilon", 1e-5)?;
    let alpha = node.attrs.float_or("alpha", 0.0)?;
    let relu = node.attrs.int_or("relu", 0)? != 0;
    let x = ctx.input(0)?;
    let coefficients = [coefficient(ctx, node, 1, "scales")?, coefficient(ctx, node, 2, "bias")?];
    let y = instance_norm_of(ctx, x, coefficients, epsilon)?;
    let y = match (relu, alpha == 0.0) {
        (false, _) => y,
        (true, true) => ctx.activation(ActivationType::Relu, 0.0, 0.0, y)?,
        (true, false) => ctx.activation(ActivationType::LeakyRelu, alpha, 0.0, y)?,
    };
    Ok(smallvec![y])
}

/// One number for each channel: an input, or else an attribute.
fn coefficient(
    ctx: &mut Ctx<'_>,
    node: &Node,
    at: usize,
    attribute: &'static str,
) -> Result<ValueId, OpError> {
    let written = node.attrs.floats(attribute)?;
    let value = match (ctx.maybe(at), written) {
        (Some(value), None) => value,
        (None, Some(values)) => ctx.constant_value(Tensor::vector(values)),
        (given, _) => {
            let which = if given.is_some() { "both" } else { "neither" };
            let or = if given.is_some() { "and" } else { "nor" };
            return Err(OpError::invalid(format!(
                "{which} attribute {or} input `{attribute}` given"
            )));
        }
    };
    // They are f32 whatever the data are.
    let dtype = ctx.dtype(ctx.input(0)?);
    ctx.cast(value, dtype)
}

/// `ROIAlign_TRT`: `RoiAlign` with numbers for its modes.
fn roi_align(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let bin = if flag(node, "mode", true)? { ReduceOperation::Avg } else { ReduceOperation::Max };
    roi_align_by(ctx, node, flag(node, "coordinate_transformation_mode", true)?, bin)
}

/// `MultiscaleDeformableAttnPlugin_TRT`: a weighted sum of samples of several images, which stand
/// in `value` one after the other. A GridSample for each image; their sizes must be known.
fn deformable_attention(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (value, locations, weights) = (ctx.input(0)?, ctx.input(3)?, ctx.input(4)?);
    let levels = levels(ctx)?;
    for (at, supported) in [(0, "4"), (3, "6"), (4, "5")] {
        let (what, rank) = (ATTENTION_INPUTS[at], ctx.rank(ctx.input(at)?));
        if rank.to_string() != supported {
            return Err(OpError::Rank { what, rank, supported });
        }
    }
    for of in [locations, weights] {
        if let Some(count) = ctx.size(of, 3).filter(|count| *count != levels.len()) {
            let images = levels.len();
            return Err(OpError::invalid(format!(
                "{images} images, but places or weights of {count}"
            )));
        }
    }
    let ([batch, _, heads, depth], [_, queries, .., points]) =
        (&ctx.sizes(value)?[..], &ctx.sizes(weights)?[..])
    else {
        return Err(OpError::invalid("an input has another rank"));
    };
    let (batch, heads, depth) = (*batch, *heads, *depth);
    let (queries, points) = (*queries, *points);
    let images = ctx.product(&[batch, heads])?;
    let (one, two) = (ctx.number(1), ctx.number(2));
    let mut sum: Option<ValueId> = None;
    for (level, &[start, height, width]) in (0i64..).zip(&levels) {
        let mut steps = axes::whole(ctx, value)?;
        let (start, length) = (ctx.number(start), ctx.number(height * width));
        steps.set(1, start, length);
        let image = ctx.slice(value, &steps, SampleMode::StrictBounds, None)?;
        let image = ctx.transpose(image, vec![0, 2, 3, 1])?;
        let (height, width) = (ctx.number(height), ctx.number(width));
        let image = ctx.reshape_to(image, &[images, depth, height, width])?;
        let level = ctx.number(level);
        let grid = at_level(ctx, locations, level)?;
        let grid = ctx.transpose(grid, vec![0, 2, 1, 3, 4])?;
        let grid = ctx.reshape_to(grid, &[images, queries, points, two])?;
        // From 0 to 1 over an image, which GridSample counts from −1 to 1.
        let grid = ctx.binary_scalar(Ew::Prod, grid, 2.0)?;
        let grid = ctx.binary_scalar(Ew::Sub, grid, 1.0)?;
        let grid = ctx.cast(grid, ctx.dtype(value))?;
        let sample = GridSample {
            interpolation: InterpolationMode::Linear,
            align_corners: false,
            sample_mode: SampleMode::Fill,
        };
        let sampled = ctx.add(sample, &[image, grid])?;
        let weight = at_level(ctx, weights, level)?;
        let weight = ctx.transpose(weight, vec![0, 2, 1, 3])?;
        let weight = ctx.reshape_to(weight, &[images, one, queries, points])?;
        let weight = ctx.cast(weight, ctx.dtype(value))?;
        let weighed = ctx.binary(Ew::Prod, sampled, weight)?;
        let weighed = ctx.reduce(ReduceOperation::Sum, weighed, vec![3], false)?;
        sum = Some(sum.map_or(Ok(weighed), |sum| ctx.binary(Ew::Sum, sum, weighed))?);
    }
    let sum = sum.ok_or_else(|| OpError::invalid("input `spatial_shapes` has no rows"))?;
    let sum = ctx.reshape_to(sum, &[batch, heads, depth, queries])?;
    Ok(smallvec![ctx.transpose(sum, vec![0, 3, 1, 2])?])
}

/// What belongs to an image: one index of axis 3.
fn at_level(ctx: &mut Ctx<'_>, of: ValueId, level: ValueId) -> Result<ValueId, OpError> {
    let only = ctx.gather(of, level, 3)?;
    ctx.squeeze(only, vec![3])
}

/// Start, height and width of each image.
fn levels(ctx: &Ctx<'_>) -> Result<Vec<[i64; 3]>, OpError> {
    let known = |at: usize| -> Result<Vec<i64>, OpError> {
        let numbers = ctx.constant_input(at)?.and_then(|numbers| numbers.to_i64s());
        numbers.ok_or_else(|| OpError::NotConstant(ctx.input_name(at).to_owned()))
    };
    let (sizes, starts) = (known(1)?, known(2)?);
    if starts.len().checked_mul(2) != Some(sizes.len()) {
        return Err(OpError::invalid(format!(
            "{} starts and {} sizes: an image has one start and two sizes",
            starts.len(),
            sizes.len()
        )));
    }
    let length = ctx.shape(ctx.input(0)?).get(1).and_then(Dim::known).unwrap_or(MAX_SIZE);
    let levels = sizes.chunks_exact(2).zip(starts).map(|(size, start)| {
        let end = match *size {
            [height, width] if start >= 0 && height > 0 && width > 0 => {
                height.checked_mul(width).and_then(|area| area.checked_add(start))
            }
            _ => None,
        };
        match (end.filter(|end| *end <= length), size) {
            (Some(_), &[height, width]) => Ok([start, height, width]),
            _ => Err(OpError::invalid(format!(
                "an image of sizes {size:?} from place {start} on is not within the {length} \
                 places of input `value`"
            ))),
        }
    });
    levels.collect()
}
