//! `TRT_Resize`.

use super::{choice, naturals};
use crate::import::build::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::layer::{
    CoordinateTransformation, InterpolationMode, Resize, ResizeOutput, ResizeRoundMode,
    ResizeSelector,
};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use smallvec::smallvec;

/// `TRT_Resize`. Becomes Resize.
pub(super) fn resize(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let modes = [
        ("NEAREST", InterpolationMode::Nearest),
        ("LINEAR", InterpolationMode::Linear),
        ("CUBIC", InterpolationMode::Cubic),
    ];
    let transformations = [
        ("ALIGN_CORNERS", CoordinateTransformation::AlignCorners),
        ("ASYMMETRIC", CoordinateTransformation::Asymmetric),
        ("HALF_PIXEL", CoordinateTransformation::HalfPixel),
    ];
    let selectors = [("FORMULA", ResizeSelector::Formula), ("UPPER", ResizeSelector::Upper)];
    let roundings = [
        ("HALF_UP", ResizeRoundMode::HalfUp),
        ("HALF_DOWN", ResizeRoundMode::HalfDown),
        ("FLOOR", ResizeRoundMode::Floor),
        ("CEIL", ResizeRoundMode::Ceil),
    ];
    let data = ctx.input(0)?;
    let mut inputs = smallvec![data];
    let layer = Resize {
        output: output(ctx, node, data, &mut inputs)?,
        mode: choice(node, "resize_mode", &modes, "NEAREST")?,
        coordinate_transformation: choice(
            node,
            "coordinate_transformation",
            &transformations,
            "ASYMMETRIC",
        )?,
        selector_for_single_pixel: choice(
            node,
            "selector_for_single_pixel",
            &selectors,
            "FORMULA",
        )?,
        nearest_rounding: choice(node, "nearest_rounding", &roundings, "FLOOR")?,
        cubic_coeff: node.attrs.float_or("cubic_coeff", -0.75)?,
        exclude_outside: node.attrs.int_or("exclude_outside", 0)? != 0,
    };
    Ok(smallvec![ctx.add(layer, &inputs)?])
}

/// The output's size: from one of `shape`, `scales` and the input, or else the data's.
fn output(
    ctx: &Ctx<'_>,
    node: &Node,
    data: ValueId,
    inputs: &mut Values,
) -> Result<ResizeOutput, OpError> {
    let (sizes, scales) = (naturals(node, "shape")?, node.attrs.floats("scales")?);
    match (sizes, scales, ctx.maybe(1)) {
        (Some(sizes), None, None) => Ok(ResizeOutput::Sizes(sizes)),
        (None, Some(scales), None) => Ok(ResizeOutput::Scales(scales.to_vec())),
        (None, None, Some(shape)) => {
            let known = ctx.constant(shape).and_then(|shape| shape.to_i64s());
            let sizes = known.and_then(|sizes| {
                sizes.into_iter().map(|size| usize::try_from(size).ok()).collect()
            });
            Ok(sizes.map_or_else(
                || {
                    inputs.push(shape);
                    ResizeOutput::Input
                },
                ResizeOutput::Sizes,
            ))
        }
        (None, None, None) => {
            let unchanged = || ResizeOutput::Scales(vec![1.0; ctx.rank(data)]);
            Ok(ctx.shape(data).known().map_or_else(unchanged, ResizeOutput::Sizes))
        }
        _ => Err(OpError::invalid(
            "more than one of attributes `shape` and `scales` and input `shape` given",
        )),
    }
}
