//! `Resize` and `Upsample`: data sampled on another grid along some axes.
//!
//! What TensorRT's Resize says becomes one; the rest is computed axis by axis (see
//! [`resample`](crate::import::build::resample)): from fixed sizes by fixed indices and weights,
//! else by indices and weights computed at run time.

use super::elementwise::truncate;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::build::resample::{Coordinates, Grid, Kernel, OpenGrid, Real};
use crate::import::error::OpError;
use crate::network::layer::{
    CoordinateTransformation, ElementWiseOperation as Ew, InterpolationMode, Resize, ResizeOutput,
    ResizeRoundMode, ResizeSelector, UnaryOperation,
};
use crate::network::{Dim, ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("Resize", 10..=10, "X scales", |ctx, node| first_resize(ctx, node, 1)),
    onnx("Resize", 11..=NOW, "X roi? scales? sizes?", resize),
    onnx("Upsample", 1..=6, "X", upsample_image),
    onnx("Upsample", 7..=8, "X", upsample_attribute),
    onnx("Upsample", 9..=NOW, "X scales", |ctx, node| first_resize(ctx, node, 1)),
];

/// What the attributes say.
struct Options {
    mode: InterpolationMode,
    coordinates: Coordinates,
    rounding: ResizeRoundMode,
    /// Whether an axis that shrinks is rounded up instead.
    shrinks_upwards: bool,
    cubic_coeff: f32,
    exclude_outside: bool,
    antialias: bool,
    extrapolation: f32,
}

impl Options {
    /// How positions on an axis are rounded, as far as its scale is known.
    fn rounding_of(&self, axis: Option<&Axis>) -> ResizeRoundMode {
        let shrinks = axis.and_then(Axis::known_scale).is_some_and(|scale| scale < 1.0);
        if self.shrinks_upwards && shrinks { ResizeRoundMode::Ceil } else { self.rounding }
    }
}

/// One axis: the output's size, and the scale where it is given or known.
struct Axis {
    size: ValueId,
    scale: Option<Real>,
    /// The part of the input that is sampled, for `tf_crop_and_resize`; 0 to 1 is all of it.
    roi: (Real, Real),
}

impl Axis {
    fn known_scale(&self) -> Option<f64> {
        self.scale.and_then(Real::known)
    }
}

/// All of an axis.
const WHOLE: (Real, Real) = (Real::Known(0.0), Real::Known(1.0));

/// `Upsample` before opset 7: `[N, C, H, W]` by a factor for each of the last two axes.
fn upsample_image(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let factor = |name: &str| {
        node.attrs
            .float(name)?
            .ok_or_else(|| OpError::invalid(format!("attribute `{name}` is missing")))
    };
    let scales = [1.0, 1.0, factor("height_scale")?, factor("width_scale")?];
    upsample(ctx, node, &scales.map(|scale| Real::Known(scale.into())))
}

/// `Upsample` with its scales as an attribute.
fn upsample_attribute(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let scales = node
        .attrs
        .floats("scales")?
        .ok_or_else(|| OpError::invalid("attribute `scales` is missing"))?;
    let scales: Vec<Real> = scales.iter().map(|&scale| Real::Known(scale.into())).collect();
    upsample(ctx, node, &scales)
}

/// `Upsample` and the first `Resize`, with their scales as an input.
fn first_resize(ctx: &mut Ctx<'_>, node: &Node, at: usize) -> Result<Values, OpError> {
    ctx.check_sizes_from(at)?;
    let scales = reals(ctx, ctx.input(at)?)?;
    upsample(ctx, node, &scales)
}

/// Before opset 11 positions are x / scale, rounded down, or up where an axis shrinks: so say the
/// numbers of ONNX's node tests, where its text is silent.
fn upsample(ctx: &mut Ctx<'_>, node: &Node, scales: &[Real]) -> Result<Values, OpError> {
    let options = Options {
        mode: mode(node)?,
        coordinates: Coordinates::Asymmetric,
        rounding: ResizeRoundMode::Floor,
        shrinks_upwards: true,
        cubic_coeff: -0.75,
        exclude_outside: false,
        antialias: false,
        extrapolation: 0.0,
    };
    let every: Vec<usize> = (0..ctx.rank(ctx.input(0)?)).collect();
    let axes = axes_by_scale(ctx, scales, &every, &[])?;
    Ok(smallvec![resized(ctx, &options, &axes)?])
}

fn mode(node: &Node) -> Result<InterpolationMode, OpError> {
    match node.attrs.string_or("mode", "nearest")? {
        "nearest" => Ok(InterpolationMode::Nearest),
        "linear" | "bilinear" => Ok(InterpolationMode::Linear),
        "cubic" if node.opset >= 11 => Ok(InterpolationMode::Cubic),
        other => Err(OpError::invalid(format!("attribute `mode` is `{other}`"))),
    }
}

fn options(node: &Node) -> Result<Options, OpError> {
    let attrs = &node.attrs;
    let coordinates = match attrs.string_or("coordinate_transformation_mode", "half_pixel")? {
        "half_pixel" => Coordinates::HalfPixel,
        "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "align_corners" => Coordinates::AlignCorners,
        "asymmetric" => Coordinates::Asymmetric,
        "tf_half_pixel_for_nn" => Coordinates::TfHalfPixelForNn,
        "tf_crop_and_resize" => Coordinates::TfCropAndResize,
        other => {
            return Err(OpError::invalid(format!(
                "attribute `coordinate_transformation_mode` is `{other}`"
            )));
        }
    };
    let rounding = match attrs.string_or("nearest_mode", "round_prefer_floor")? {
        "round_prefer_floor" => ResizeRoundMode::HalfDown,
        "round_prefer_ceil" => ResizeRoundMode::HalfUp,
        "floor" => ResizeRoundMode::Floor,
        "ceil" => ResizeRoundMode::Ceil,
        other => return Err(OpError::invalid(format!("attribute `nearest_mode` is `{other}`"))),
    };
    Ok(Options {
        mode: mode(node)?,
        coordinates,
        rounding,
        shrinks_upwards: false,
        cubic_coeff: attrs.float_or("cubic_coeff_a", -0.75)?,
        exclude_outside: attrs.int_or("exclude_outside", 0)? != 0,
        antialias: attrs.int_or("antialias", 0)? != 0,
        extrapolation: attrs.float_or("extrapolation_value", 0.0)?,
    })
}

/// `Resize`. Becomes Resize, or per axis a Gather (nearest) or a product with a matrix of weights.
fn resize(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let rank = ctx.rank(data);
    let options = options(node)?;
    let listed = match node.attrs.ints("axes")? {
        Some(axes) => {
            axes.iter().map(|&axis| ctx.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?
        }
        None => (0..rank).collect(),
    };
    let cropping = options.coordinates == Coordinates::TfCropAndResize;
    let roi = if cropping { reals(ctx, ctx.input(1)?)? } else { Vec::new() };
    if cropping && roi.len() != 2 * listed.len() {
        return Err(OpError::invalid(format!(
            "input `roi` has {} elements for {} axes",
            roi.len(),
            listed.len()
        )));
    }
    let policy = node.attrs.string_or("keep_aspect_ratio_policy", "stretch")?;
    let mut axes = match (given(ctx, 2), given(ctx, 3)) {
        (Some(scales), None) => {
            ctx.check_sizes_from(2)?;
            let scales = reals(ctx, scales)?;
            axes_by_scale(ctx, &scales, &listed, &roi)?
        }
        (None, Some(sizes)) => {
            ctx.check_sizes_from(3)?;
            let sizes = ctx.numbers(sizes)?;
            let mut axes = axes_by_size(ctx, &sizes, &listed, &roi)?;
            keep_aspect_ratio(ctx, &mut axes, &listed, policy)?;
            axes
        }
        (scales, _) => {
            let both = if scales.is_some() { "both" } else { "neither" };
            return Err(OpError::invalid(format!("{both} of inputs `scales` and `sizes` given")));
        }
    };
    if options.mode == InterpolationMode::Nearest
        && options.coordinates == Coordinates::AlignCorners
    {
        // Corners are aligned by the lengths of tensors, as ONNX Runtime, PyTorch and TensorRT do it.
        // For the other modes ONNX's tests take what scales give, which need not be whole.
        for axis in &mut axes {
            axis.scale = None;
        }
    }
    Ok(smallvec![resized(ctx, &options, &axes)?])
}

/// The input, unless it is left out or empty, which before opset 13 was the way to leave it out.
fn given(ctx: &Ctx<'_>, at: usize) -> Option<ValueId> {
    ctx.maybe(at).filter(|&value| ctx.size(value, 0) != Some(0))
}

/// The elements of a list of real numbers.
fn reals(ctx: &mut Ctx<'_>, list: ValueId) -> Result<Vec<Real>, OpError> {
    let elements = ctx.vector_elements(list)?;
    elements
        .into_iter()
        .map(|element| match ctx.known_real(element) {
            Some(number) => Ok(Real::Known(number.into())),
            None => Ok(Real::Run(ctx.cast(element, DType::F32)?)),
        })
        .collect()
}

/// Axes that stay as they are.
fn unchanged(ctx: &mut Ctx<'_>) -> Result<Vec<Axis>, OpError> {
    let sizes = ctx.sizes(ctx.input(0)?)?;
    Ok(sizes
        .into_iter()
        .map(|size| Axis { size, scale: Some(Real::Known(1.0)), roi: WHOLE })
        .collect())
}

fn check_count(name: &str, count: usize, axes: usize) -> Result<(), OpError> {
    let message = || OpError::invalid(format!("`{name}` has {count} elements for {axes} axes"));
    (count == axes).then_some(()).ok_or_else(message)
}

/// Output sizes are ⌊input · scale⌋, whatever the region is: the specification's text says
/// otherwise, but no implementation does, ONNX's own among them.
fn axes_by_scale(
    ctx: &mut Ctx<'_>,
    scales: &[Real],
    listed: &[usize],
    roi: &[Real],
) -> Result<Vec<Axis>, OpError> {
    check_count("scales", scales.len(), listed.len())?;
    let mut axes = unchanged(ctx)?;
    for (at, (&axis, &scale)) in listed.iter().zip(scales).enumerate() {
        let Some(entry) = axes.get_mut(axis) else { continue };
        if let Some(scale) = scale.known().filter(|scale| !scale.is_finite() || *scale <= 0.0) {
            return Err(OpError::invalid(format!("a scale is {scale}")));
        }
        entry.roi = region(roi, at, listed.len());
        entry.scale = Some(scale);
        entry.size = scaled_size(ctx, entry.size, scale)?;
    }
    Ok(axes)
}

fn region(roi: &[Real], at: usize, count: usize) -> (Real, Real) {
    (roi.get(at).copied().unwrap_or(WHOLE.0), roi.get(count + at).copied().unwrap_or(WHOLE.1))
}

/// ⌊size · scale⌋, in single precision as everybody computes it.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the product of floats, rounded down"
)]
fn scaled_size(ctx: &mut Ctx<'_>, size: ValueId, scale: Real) -> Result<ValueId, OpError> {
    if let Some(scale) = scale.known() {
        if let Some(size) = ctx.known(size) {
            return Ok(ctx.number((size as f32 * scale as f32).floor() as i64));
        }
        let parts = scale * f64::from(PARTS);
        if parts.fract() == 0.0 && parts < 1e6 {
            let enlarged = ctx.compute(Ew::Prod, size, parts as i64)?;
            return ctx.compute(Ew::FloorDiv, enlarged, PARTS.into());
        }
    }
    let (size, scale) = (ctx.cast(size, DType::F32)?, scale.value(ctx)?);
    let product = ctx.binary(Ew::Prod, size, scale)?;
    let product = ctx.unary(UnaryOperation::Floor, product)?;
    ctx.cast(product, DType::I64)
}

/// Scales that are quotients by this number, such as 1.5, have exact products with unknown sizes.
const PARTS: i32 = 256;

fn axes_by_size(
    ctx: &mut Ctx<'_>,
    sizes: &[ValueId],
    listed: &[usize],
    roi: &[Real],
) -> Result<Vec<Axis>, OpError> {
    check_count("sizes", sizes.len(), listed.len())?;
    let mut axes = unchanged(ctx)?;
    for (at, (&axis, &size)) in listed.iter().zip(sizes).enumerate() {
        let Some(entry) = axes.get_mut(axis) else { continue };
        entry.scale = ratio(ctx, entry.size, size).map(Real::Known);
        entry.roi = region(roi, at, listed.len());
        entry.size = size;
    }
    Ok(axes)
}

/// Output size by input size, where that is known: also of symbols, where it is a whole number.
fn ratio(ctx: &Ctx<'_>, input: ValueId, output: ValueId) -> Option<f64> {
    let (input, output) = (ctx.dim(input)?, ctx.dim(output)?);
    if let (Some(input), Some(output)) = (input.size(), output.size()) {
        return Some(float(output) / float(input));
    }
    let times = output.floor_div(&input)?;
    (&times * &input == output).then(|| times.size().map(float)).flatten()
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
fn float(size: usize) -> f64 {
    size as f64
}

/// One scale for all listed axes, the smallest or the largest of theirs.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "a size; infinity saturates"
)]
fn keep_aspect_ratio(
    ctx: &mut Ctx<'_>,
    axes: &mut [Axis],
    listed: &[usize],
    policy: &str,
) -> Result<(), OpError> {
    let (pick, run): (fn(f64, f64) -> f64, Ew) = match policy {
        "stretch" => return Ok(()),
        "not_larger" => (f64::min, Ew::Min),
        "not_smaller" => (f64::max, Ew::Max),
        other => {
            return Err(OpError::invalid(format!(
                "attribute `keep_aspect_ratio_policy` is `{other}`"
            )));
        }
    };
    let data = ctx.input(0)?;
    let known: Option<Vec<f64>> = listed
        .iter()
        .map(|&axis| axes.get(axis)?.known_scale().filter(|_| ctx.size(data, axis).is_some()))
        .collect();
    let scale = match known {
        Some(known) => known.into_iter().reduce(pick).map(Real::Known),
        None => {
            let mut scale = None;
            for &axis in listed {
                let Some(entry) = axes.get(axis) else { continue };
                let input = ctx.size_of(data, axis)?;
                let (input, output) =
                    (ctx.cast(input, DType::F32)?, ctx.cast(entry.size, DType::F32)?);
                let own = ctx.binary(Ew::Div, output, input)?;
                scale = Some(match scale {
                    Some(scale) => ctx.binary(run, scale, own)?,
                    None => own,
                });
            }
            scale.map(Real::Run)
        }
    };
    let Some(scale) = scale else { return Ok(()) };
    for &axis in listed {
        let input = ctx.size_of(data, axis)?;
        let Some(entry) = axes.get_mut(axis) else { continue };
        entry.scale = Some(scale);
        entry.size = match (scale, ctx.size(data, axis)) {
            (Real::Known(scale), Some(size)) => {
                ctx.number((scale * float(size) + 0.5).floor() as i64)
            }
            _ => {
                let (input, scale) = (ctx.cast(input, DType::F32)?, scale.value(ctx)?);
                let scaled = ctx.binary(Ew::Prod, input, scale)?;
                let raised = ctx.binary_scalar(Ew::Sum, scaled, 0.5)?;
                let rounded = ctx.unary(UnaryOperation::Floor, raised)?;
                ctx.cast(rounded, DType::I64)?
            }
        };
    }
    Ok(())
}

/// Whole numbers of 8 bits between their neighbors are rounded towards zero.
fn resized(ctx: &mut Ctx<'_>, options: &Options, axes: &[Axis]) -> Result<ValueId, OpError> {
    let data = ctx.input(0)?;
    let dtype = ctx.dtype(data);
    if options.mode == InterpolationMode::Nearest || dtype.is_float() {
        return resized_as(ctx, data, options, axes);
    }
    if options.mode == InterpolationMode::Cubic || !matches!(dtype, DType::I8 | DType::U8) {
        let supported = "floating point, 8 bits where attribute `mode` is `linear`, or any type \
                         where it is `nearest`";
        return Err(OpError::DType { what: "input `X`", dtype, supported });
    }
    let reals = ctx.cast(data, DType::F32)?;
    let between = resized_as(ctx, reals, options, axes)?;
    let whole = truncate(ctx, between)?;
    ctx.cast(whole, dtype)
}

/// The same in the type of the data.
fn resized_as(
    ctx: &mut Ctx<'_>,
    data: ValueId,
    options: &Options,
    axes: &[Axis],
) -> Result<ValueId, OpError> {
    let changed: Vec<usize> =
        (0..axes.len()).filter(|&axis| changes(ctx, data, axes, axis)).collect();
    if changed.is_empty() {
        return Ok(data);
    }
    let grids: Option<Vec<Grid>> =
        changed.iter().map(|&axis| grid(ctx, options, data, axes, axis)).collect();
    if let Some(layer) = layer(ctx, options, axes, &changed, grids.as_deref())? {
        return layered(ctx, data, layer, axes, &changed);
    }
    let kernel = kernel(options);
    let mut value = data;
    for &axis in &changed {
        value = match (grid(ctx, options, data, axes, axis), kernel) {
            (Some(grid), kernel) => {
                value = match kernel {
                    Some(kernel) => grid.weigh(ctx, value, &kernel)?,
                    None => grid.pick(ctx, value, options.rounding_of(axes.get(axis)))?,
                };
                grid.extrapolate(ctx, value, options.extrapolation)?
            }
            (None, kernel) => {
                let grid = open_grid(options, axes, axis)?;
                let sampled = match kernel {
                    Some(kernel) => grid.weigh(ctx, value, &kernel)?,
                    None => pick_open(ctx, options, &grid, value, axes.get(axis))?,
                };
                grid.extrapolate(ctx, [value, sampled], options.extrapolation)?
            }
        };
    }
    Ok(value)
}

/// The nearest elements, rounded one way or the other where the run knows whether an axis shrinks.
fn pick_open(
    ctx: &mut Ctx<'_>,
    options: &Options,
    grid: &OpenGrid,
    data: ValueId,
    axis: Option<&Axis>,
) -> Result<ValueId, OpError> {
    let Some(Axis { scale: Some(Real::Run(scale)), .. }) = axis.filter(|_| options.shrinks_upwards)
    else {
        return grid.pick(ctx, data, options.rounding_of(axis));
    };
    let one = ctx.filled(DType::F32, 1.0, 1)?;
    let shrinks = ctx.binary(Ew::Less, *scale, one)?;
    let up = grid.pick(ctx, data, ResizeRoundMode::Ceil)?;
    let down = grid.pick(ctx, data, options.rounding)?;
    ctx.select(shrinks, up, down)
}

fn changes(ctx: &Ctx<'_>, data: ValueId, axes: &[Axis], axis: usize) -> bool {
    let all = |(start, end): (Real, Real)| start.known() == Some(0.0) && end.known() == Some(1.0);
    let whole = |entry: &Axis| entry.known_scale() == Some(1.0) && all(entry.roi);
    !axes.get(axis).is_some_and(|entry| {
        whole(entry) && ctx.dim(entry.size).as_ref() == ctx.shape(data).get(axis)
    })
}

/// The sampling of an axis whose sizes are known.
fn grid(
    ctx: &Ctx<'_>,
    options: &Options,
    data: ValueId,
    axes: &[Axis],
    axis: usize,
) -> Option<Grid> {
    let entry = axes.get(axis)?;
    let (input, output) = (ctx.size(data, axis)?, usize::try_from(ctx.known(entry.size)?).ok()?);
    let roi = (entry.roi.0.known()?, entry.roi.1.known()?);
    Some(Grid {
        axis,
        input,
        output,
        scale: entry.known_scale()?,
        roi,
        coordinates: options.coordinates,
    })
}

/// The sampling of an axis of which something is known only at run time.
fn open_grid(options: &Options, axes: &[Axis], axis: usize) -> Result<OpenGrid, OpError> {
    let entry = axes.get(axis).ok_or_else(|| OpError::invalid("an axis too few"))?;
    Ok(OpenGrid {
        axis,
        output: entry.size,
        scale: entry.scale,
        roi: entry.roi,
        coordinates: options.coordinates,
    })
}

fn kernel(options: &Options) -> Option<Kernel> {
    let (antialias, exclude_outside) = (options.antialias, options.exclude_outside);
    match options.mode {
        InterpolationMode::Nearest => None,
        InterpolationMode::Linear => Some(Kernel { cubic: None, antialias, exclude_outside }),
        InterpolationMode::Cubic => {
            Some(Kernel { cubic: Some(options.cubic_coeff.into()), antialias, exclude_outside })
        }
    }
}

/// TensorRT's Resize, without its output, where it computes what the node says.
///
/// It derives scales from sizes, so the node's own must be just those.
fn layer(
    ctx: &Ctx<'_>,
    options: &Options,
    axes: &[Axis],
    changed: &[usize],
    grids: Option<&[Grid]>,
) -> Result<Option<Resize>, OpError> {
    use CoordinateTransformation as To;
    use Coordinates as From;
    let data = ctx.input(0)?;
    let most = match options.mode {
        InterpolationMode::Nearest => 8,
        InterpolationMode::Linear => 3,
        InterpolationMode::Cubic => 2,
    };
    let shrinks =
        |&axis: &usize| axes.get(axis).and_then(Axis::known_scale).is_none_or(|scale| scale < 1.0);
    let is_whole =
        |&axis: &usize| axes.get(axis).is_some_and(|entry| whole(ctx, data, entry, axis));
    let blurs = options.antialias && changed.iter().any(shrinks);
    let nearest = options.mode == InterpolationMode::Nearest;
    let turns = options.shrinks_upwards && nearest && changed.iter().any(shrinks);
    if changed.len() > most || blurs || turns || !changed.iter().all(is_whole) {
        return Ok(None);
    }
    let mut rounding = options.rounding;
    let (transformation, selector) = match options.coordinates {
        From::HalfPixel | From::HalfPixelSymmetric => (To::HalfPixel, ResizeSelector::Formula),
        From::PytorchHalfPixel => (To::HalfPixel, ResizeSelector::Upper),
        From::AlignCorners => (To::AlignCorners, ResizeSelector::Upper),
        From::Asymmetric => (To::Asymmetric, ResizeSelector::Formula),
        // ⌈x − ½⌉ is x rounded to the nearest, ½ down.
        From::TfHalfPixelForNn if nearest && rounding == ResizeRoundMode::HalfDown => {
            rounding = ResizeRoundMode::Ceil;
            (To::HalfPixel, ResizeSelector::Formula)
        }
        From::TfHalfPixelForNn | From::TfCropAndResize => return Ok(None),
    };
    let sure = changed
        .iter()
        .all(|&axis| axes.get(axis).is_some_and(|entry| rounds_surely(options, entry)));
    // Rounding that single precision may turn over is done here, where that is possible.
    if nearest && grids.is_some() && !(sure && ctx.dtype(data).is_float()) {
        return Ok(None);
    }
    Ok(Some(Resize {
        output: ResizeOutput::Input,
        mode: options.mode,
        coordinate_transformation: transformation,
        selector_for_single_pixel: selector,
        nearest_rounding: rounding,
        cubic_coeff: options.cubic_coeff,
        exclude_outside: options.exclude_outside && options.mode == InterpolationMode::Cubic,
    }))
}

/// Whether single precision, with or without fused multiplication, cannot change which element is
/// nearest.
fn rounds_surely(options: &Options, entry: &Axis) -> bool {
    // From 41 on, x · (1/x) need not be 1.
    let Some(scale) = entry.known_scale().filter(|scale| scale.fract() == 0.0 && *scale <= 32.0)
    else {
        return false;
    };
    let to_nearest =
        matches!(options.rounding, ResizeRoundMode::HalfUp | ResizeRoundMode::HalfDown);
    match options.coordinates {
        Coordinates::Asymmetric => true,
        Coordinates::AlignCorners | Coordinates::TfCropAndResize => false,
        // Positions are halves away from where rounding jumps, or at odd multiples of 1/(2·scale)
        // around it.
        Coordinates::TfHalfPixelForNn => !to_nearest || scale % 2.0 == 0.0,
        _ => to_nearest || scale % 2.0 == 0.0,
    }
}

/// Whether the scale is output by input size. Where only sizes are given, it is.
#[expect(clippy::float_cmp, reason = "a product that is not exact does not count")]
fn whole(ctx: &Ctx<'_>, data: ValueId, entry: &Axis, axis: usize) -> bool {
    let Some(scale) = entry.scale else { return true };
    let Some(scale) = scale.known() else { return false };
    let output = ctx.dim(entry.size);
    match (ctx.size(data, axis), output.as_ref().and_then(Dim::size)) {
        (Some(input), Some(output)) => {
            scale == float(output) / float(input)
                || float(input) * scale == float(output)
                || near(scale, input, output)
        }
        _ => output.is_some_and(|output| {
            let parts = Dim::from(i64::from(PARTS));
            ctx.shape(data).get(axis).is_some_and(|input| {
                scaled_exactly(scale)
                    .is_some_and(|numerator| input * &numerator == &output * &parts)
            })
        }),
    }
}

/// Whether a scale is output by input size rounded to single precision.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "compared in single precision"
)]
fn near(scale: f64, input: usize, output: usize) -> bool {
    scale as f32 == (float(output) / float(input)) as f32
}

/// The scale times [`PARTS`], where that is a whole number.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "whole and small")]
fn scaled_exactly(scale: f64) -> Option<Dim> {
    let parts = scale * f64::from(PARTS);
    (parts.fract() == 0.0 && parts < 1e6).then_some(Dim::Known(parts as i64))
}

/// The layer on data whose changed axes come last, as TensorRT wants them but for nearest.
fn layered(
    ctx: &mut Ctx<'_>,
    data: ValueId,
    mut layer: Resize,
    axes: &[Axis],
    changed: &[usize],
) -> Result<ValueId, OpError> {
    let rank = ctx.rank(data);
    let reach = match layer.mode {
        InterpolationMode::Nearest => rank,
        InterpolationMode::Linear => 3,
        InterpolationMode::Cubic => 2,
    };
    let in_place = changed.iter().all(|&axis| axis + reach >= rank);
    let kept = (0..rank).filter(|axis| !changed.contains(axis));
    let order: Vec<usize> =
        if in_place { (0..rank).collect() } else { kept.chain(changed.iter().copied()).collect() };
    let moved = ctx.transpose(data, order.clone())?;
    let ordered: Vec<&Axis> = order.iter().filter_map(|&axis| axes.get(axis)).collect();
    let mut inputs = Values::from_slice(&[moved]);
    layer.output = output(ctx, moved, &ordered, &mut inputs)?;
    let value = ctx.add(layer, &inputs)?;
    let back = (0..rank).filter_map(|axis| order.iter().position(|&from| from == axis)).collect();
    ctx.transpose(value, back)
}

/// The output's size: fixed, by scales that give just that, or from a tensor.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "checked by computing the size"
)]
#[expect(clippy::float_cmp, reason = "whole numbers")]
fn output(
    ctx: &mut Ctx<'_>,
    data: ValueId,
    axes: &[&Axis],
    inputs: &mut Values,
) -> Result<ResizeOutput, OpError> {
    let dims: Vec<Option<Dim>> = axes.iter().map(|axis| ctx.dim(axis.size)).collect();
    if let Some(sizes) = dims.iter().map(|dim| dim.as_ref().and_then(Dim::size)).collect() {
        return Ok(ResizeOutput::Sizes(sizes));
    }
    let scale = |(at, axis): (usize, &&Axis)| {
        let scale = axis.known_scale()? as f32;
        let size = dims.get(at)?.as_ref()?;
        match (ctx.size(data, at), size.size()) {
            (Some(input), Some(output)) => {
                ((input as f32 * scale).floor() == output as f32).then_some(scale)
            }
            _ => Some(scale),
        }
    };
    if let Some(scales) = axes.iter().enumerate().map(scale).collect() {
        return Ok(ResizeOutput::Scales(scales));
    }
    let sizes: Vec<ValueId> = axes.iter().map(|axis| axis.size).collect();
    inputs.push(ctx.concat(&sizes, 0)?);
    Ok(ResizeOutput::Input)
}
