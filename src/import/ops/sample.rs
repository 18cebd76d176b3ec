//! Images sampled at given positions.

use crate::import::build::axes::along;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{
    ElementWiseOperation as Ew, Gather, GatherMode, GridSample, InterpolationMode, MatrixMultiply,
    MatrixOperation, SampleMode, UnaryOperation,
};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("AffineGrid", 20..=NOW, "theta size", affine_grid),
    onnx("GridSample", 16..=19, "X grid", |ctx, node| {
        grid_sample(ctx, node, ["bilinear", "bicubic"])
    }),
    onnx("GridSample", 20..=NOW, "X grid", |ctx, node| grid_sample(ctx, node, ["linear", "cubic"])),
];

/// `GridSample` of images `[N, C, H, W]` or volumes `[N, C, D, H, W]`. Becomes GridSample;
/// reflected positions are computed before it.
fn grid_sample(
    ctx: &mut Ctx<'_>,
    node: &Node,
    [linear, cubic]: [&str; 2],
) -> Result<Values, OpError> {
    let (mut data, grid) = (ctx.input(0)?, ctx.input(1)?);
    let rank = ctx.rank(data);
    if !(4..=5).contains(&rank) {
        return Err(OpError::Rank { what: "input `X`", rank, supported: "4 or 5" });
    }
    let interpolation = match node.attrs.string_or("mode", linear)? {
        "nearest" => InterpolationMode::Nearest,
        mode if mode == linear => InterpolationMode::Linear,
        mode if mode == cubic => InterpolationMode::Cubic,
        other => return Err(OpError::invalid(format!("attribute `mode` is `{other}`"))),
    };
    if interpolation == InterpolationMode::Cubic && rank != 4 {
        return Err(OpError::Rank {
            what: "input `X`",
            rank,
            supported: "4 where attribute `mode` is cubic",
        });
    }
    let align_corners = node.attrs.int_or("align_corners", 0)? != 0;
    let mut grid = ctx.cast(grid, ctx.dtype(data))?;
    let sample_mode = match node.attrs.string_or("padding_mode", "zeros")? {
        "zeros" => SampleMode::Fill,
        "border" => SampleMode::Clamp,
        "reflection" => {
            grid = reflect(ctx, grid)?;
            if interpolation == InterpolationMode::Cubic {
                (data, grid) = framed(ctx, data, grid, align_corners)?;
            }
            SampleMode::Clamp
        }
        other => return Err(OpError::invalid(format!("attribute `padding_mode` is `{other}`"))),
    };
    Ok(smallvec![ctx.add(GridSample { interpolation, align_corners, sample_mode }, &[data, grid])?])
}

/// Positions mirrored at −1 and 1 until they lie between: with t = (x + 1) mod 4, 1 − |t − 2|.
///
/// −1 and 1 are where ONNX mirrors whatever `align_corners` is; an element beyond them is then one
/// at the border.
fn reflect(ctx: &mut Ctx<'_>, grid: ValueId) -> Result<ValueId, OpError> {
    let raised = ctx.binary_scalar(Ew::Sum, grid, 1.0)?;
    let periods = ctx.binary_scalar(Ew::Div, raised, 4.0)?;
    let periods = ctx.unary(UnaryOperation::Floor, periods)?;
    let whole = ctx.binary_scalar(Ew::Prod, periods, 4.0)?;
    let phase = ctx.binary(Ew::Sub, raised, whole)?;
    let centered = ctx.binary_scalar(Ew::Sub, phase, 2.0)?;
    let distance = ctx.unary(UnaryOperation::Abs, centered)?;
    let one = ctx.filled(ctx.dtype(grid), 1.0, ctx.rank(grid))?;
    ctx.binary(Ew::Sub, one, distance)
}

/// How far the cubic kernel reaches beyond an image from a position in it.
const REACH: i64 = 2;

/// The image with a frame of its own reflection, as wide as the cubic kernel reaches, and the same
/// positions in it.
///
/// Elements are mirrored at the outermost ones' centers with `align_corners`, else at their outer
/// edges. An axis from −1 to 1 has so many steps, before and after: positions shrink by their
/// quotient.
fn framed(
    ctx: &mut Ctx<'_>,
    data: ValueId,
    grid: ValueId,
    align_corners: bool,
) -> Result<(ValueId, ValueId), OpError> {
    let missing = i64::from(align_corners);
    let mut framed = data;
    let mut shrinks = Vec::new();
    for axis in (2..ctx.rank(data)).rev() {
        let size = ctx.size_of(data, axis)?;
        let steps = ctx.compute(Ew::Sub, size, missing)?;
        let grown = ctx.compute(Ew::Sum, size, 2 * REACH)?;
        let places = ctx.count_up(grown)?;
        let places = ctx.compute(Ew::Sub, places, REACH)?;
        // There and back; one element is its own mirror.
        let period = ctx.compute(Ew::Prod, steps, 2)?;
        let period = ctx.compute(Ew::Max, period, 1)?;
        let turns = ctx.binary(Ew::FloorDiv, places, period)?;
        let turns = ctx.binary(Ew::Prod, turns, period)?;
        let there = ctx.binary(Ew::Sub, places, turns)?;
        let back = ctx.compute(Ew::Sub, period, 1 - missing)?;
        let back = ctx.binary(Ew::Sub, back, there)?;
        let places = ctx.binary(Ew::Min, there, back)?;
        framed = ctx.add(
            Gather { mode: GatherMode::Default, axis, element_wise_dims: 0 },
            &[framed, places],
        )?;
        let steps_after = ctx.compute(Ew::Sub, grown, missing)?;
        let (before, after) = (ctx.cast(steps, DType::F32)?, ctx.cast(steps_after, DType::F32)?);
        shrinks.push(ctx.binary(Ew::Div, before, after)?);
    }
    let shrinks = ctx.concat(&shrinks, 0)?;
    let shrinks = ctx.cast(shrinks, ctx.dtype(grid))?;
    Ok((framed, ctx.binary(Ew::Prod, grid, shrinks)?))
}

/// The most positions of an [`affine_grid`] that are fixed.
const MOST_POSITIONS: usize = 1 << 24;

/// `AffineGrid`: theta times the positions of a grid, which are fixed where its size is.
fn affine_grid(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (theta, size) = (ctx.input(0)?, ctx.input(1)?);
    let align_corners = node.attrs.int_or("align_corners", 0)? != 0;
    let size = ctx.numbers(size)?;
    let axes = size.len().saturating_sub(2);
    if !(2..=3).contains(&axes) {
        return Err(OpError::invalid(format!("input `size` has {} sizes, not 4 or 5", size.len())));
    }
    let spatial = size.get(2..).unwrap_or_default();
    let positions = match spatial.iter().map(|&n| ctx.known(n)).collect::<Option<Vec<_>>>() {
        Some(known) => fixed_positions(ctx, &known, align_corners)?,
        None => positions(ctx, spatial, align_corners)?,
    };
    let positions = ctx.cast(positions, ctx.dtype(theta))?;
    let product = MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::None };
    let grid = ctx.add(product, &[theta, positions])?;
    let grid = ctx.transpose(grid, vec![0, 2, 1])?;
    let coordinates = ctx.number(i64::try_from(axes).unwrap_or_default());
    let mut shape = vec![ctx.size_of(theta, 0)?];
    shape.extend(spatial.iter().copied().chain([coordinates]));
    Ok(smallvec![ctx.reshape_to(grid, &shape)?])
}

/// Positions as a constant: `f32[1, axes + 1, count]`.
fn fixed_positions(
    ctx: &mut Ctx<'_>,
    spatial: &[i64],
    align_corners: bool,
) -> Result<ValueId, OpError> {
    let wrong = || OpError::invalid(format!("input `size` ends in {spatial:?}"));
    let spatial: Vec<usize> = spatial.iter().filter_map(|&n| usize::try_from(n).ok()).collect();
    let count =
        crate::tensor::volume(&spatial).filter(|count| (1..=MOST_POSITIONS).contains(count));
    let count = count.ok_or_else(wrong)?;
    let rows = homogeneous(&spatial, count, align_corners);
    Ok(ctx.constant_value(Tensor::of(vec![1, spatial.len() + 1, count], rows)?))
}

/// The same, computed at run time.
fn positions(
    ctx: &mut Ctx<'_>,
    spatial: &[ValueId],
    align_corners: bool,
) -> Result<ValueId, OpError> {
    let one = ctx.number(1);
    let count = ctx.product(spatial)?;
    let mut rows = Vec::new();
    for (axis, &size) in spatial.iter().enumerate().rev() {
        let at = ctx.count_up(size)?;
        let at = ctx.cast(at, DType::F32)?;
        let twice = ctx.binary_scalar(Ew::Prod, at, 2.0)?;
        let length = ctx.cast(size, DType::F32)?;
        let parts = if align_corners {
            let steps = ctx.binary_scalar(Ew::Sub, length, 1.0)?;
            ctx.binary(Ew::Div, twice, steps)?
        } else {
            let centers = ctx.binary_scalar(Ew::Sum, twice, 1.0)?;
            ctx.binary(Ew::Div, centers, length)?
        };
        let coordinates = ctx.binary_scalar(Ew::Sub, parts, 1.0)?;
        let coordinates = along(ctx, coordinates, axis, spatial.len())?;
        let coordinates = ctx.expand(coordinates, spatial)?;
        rows.push(ctx.reshape_to(coordinates, &[one, one, count])?);
    }
    let ones = ctx.filled(DType::F32, 1.0, 3)?;
    rows.push(ctx.expand(ones, &[one, one, count])?);
    ctx.concat(&rows, 1)
}

/// Coordinates of every grid point, one row per coordinate from the innermost axis out, and a row
/// of ones.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "sizes are far below 2^52"
)]
fn homogeneous(spatial: &[usize], count: usize, align_corners: bool) -> Vec<f32> {
    let coordinate = |at: usize, size: usize| {
        let (at, size) = (at as f64, size as f64);
        (if align_corners { at * 2.0 / (size - 1.0) - 1.0 } else { (at * 2.0 + 1.0) / size - 1.0 })
            as f32
    };
    let mut rows = Vec::with_capacity((spatial.len() + 1) * count);
    let mut inner = 1;
    for &size in spatial.iter().rev() {
        rows.extend((0..count).map(|point| coordinate(point / inner % size, size)));
        inner *= size;
    }
    rows.extend(std::iter::repeat_n(1.0, count));
    rows
}
