//! Images sampled at given positions.

use crate::import::ctx::Ctx;
use crate::import::error::OpError;
use crate::import::registry::{NOW, Op, onnx};
use crate::network::layer::data::SampleMode;
use crate::network::layer::math::{ElementWiseOperation as Ew, MatrixOperation, UnaryOperation};
use crate::network::layer::resample::InterpolationMode;
use crate::network::layer::{GridSample, MatrixMultiply};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::Tensor;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("AffineGrid", 20..=NOW, "theta size", affine_grid),
    onnx("GridSample", 16..=19, "X grid", |ctx, node| grid_sample(ctx, node, ["bilinear", "bicubic"])),
    onnx("GridSample", 20..=NOW, "X grid", |ctx, node| grid_sample(ctx, node, ["linear", "cubic"])),
];

/// `GridSample` of images `[N, C, H, W]`. Becomes GridSample; reflected positions are computed before it.
fn grid_sample(ctx: &mut Ctx<'_>, node: &Node, [linear, cubic]: [&str; 2]) -> Result<Values, OpError> {
    let (data, grid) = (ctx.input(0)?, ctx.input(1)?);
    if ctx.rank(data) != 4 {
        return Err(OpError::Rank { what: "input `X`", rank: ctx.rank(data), supported: "4" });
    }
    let interpolation = match node.attrs.string_or("mode", linear)? {
        "nearest" => InterpolationMode::Nearest,
        mode if mode == linear => InterpolationMode::Linear,
        mode if mode == cubic => InterpolationMode::Cubic,
        other => return Err(OpError::invalid(format!("attribute `mode` is `{other}`"))),
    };
    let align_corners = node.attrs.int_or("align_corners", 0)? != 0;
    let mut grid = ctx.cast(grid, ctx.dtype(data))?;
    let sample_mode = match node.attrs.string_or("padding_mode", "zeros")? {
        "zeros" => SampleMode::Fill,
        "border" => SampleMode::Clamp,
        "reflection" if interpolation == InterpolationMode::Cubic => {
            let supported = "zeros and border where attribute `mode` is cubic";
            return Err(OpError::Value { what: "attribute `padding_mode`", value: "reflection".into(), supported });
        }
        "reflection" => {
            grid = reflect(ctx, grid)?;
            SampleMode::Clamp
        }
        other => return Err(OpError::invalid(format!("attribute `padding_mode` is `{other}`"))),
    };
    Ok(smallvec![ctx.add(GridSample { interpolation, align_corners, sample_mode }, &[data, grid])?])
}

/// Positions mirrored at −1 and 1 until they lie between: with t = (x + 1) mod 4, 1 − |t − 2|.
///
/// −1 and 1 are where ONNX mirrors whatever `align_corners` is; an element beyond them is then one at the border.
fn reflect(ctx: &mut Ctx<'_>, grid: ValueId) -> Result<ValueId, OpError> {
    let raised = ctx.binary_scalar(Ew::Sum, grid, 1.0)?;
    let periods = ctx.binary_scalar(Ew::Div, raised, 4.0)?;
    let periods = ctx.unary(UnaryOperation::Floor, periods)?;
    let whole = ctx.binary_scalar(Ew::Prod, periods, 4.0)?;
    let phase = ctx.binary(Ew::Sub, raised, whole)?;
    let centred = ctx.binary_scalar(Ew::Sub, phase, 2.0)?;
    let distance = ctx.unary(UnaryOperation::Abs, centred)?;
    let one = ctx.filled(ctx.dtype(grid), 1.0, ctx.rank(grid))?;
    ctx.binary(Ew::Sub, one, distance)
}

/// The most positions of an [`affine_grid`].
const MOST_POSITIONS: usize = 1 << 24;

/// `AffineGrid`: theta times the fixed positions of a grid whose size is known.
fn affine_grid(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let theta = ctx.input(0)?;
    let align_corners = node.attrs.int_or("align_corners", 0)? != 0;
    let size = ctx.ints(1)?.unwrap_or_default();
    let spatial: Vec<usize> = size.iter().skip(2).filter_map(|&n| usize::try_from(n).ok()).collect();
    let axes = spatial.len();
    if !(2..=3).contains(&axes) || size.len() != axes + 2 {
        return Err(OpError::invalid(format!("input `size` is {size:?}, not 4 or 5 sizes")));
    }
    let count = crate::tensor::volume(&spatial).filter(|count| (1..=MOST_POSITIONS).contains(count));
    let count = count.ok_or_else(|| OpError::invalid(format!("input `size` is {size:?}")))?;
    let positions = Tensor::of(vec![1, axes + 1, count], homogeneous(&spatial, count, align_corners))?;
    let positions = ctx.constant_value(positions);
    let positions = ctx.cast(positions, ctx.dtype(theta))?;
    let product = MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::None };
    let grid = ctx.add(product, &[theta, positions])?;
    let grid = ctx.transpose(grid, vec![0, 2, 1])?;
    let mut shape = vec![ctx.size_of(theta, 0)?];
    let innermost = size.iter().skip(2).copied().chain(i64::try_from(axes));
    shape.extend(innermost.map(|n| ctx.number(n)));
    Ok(smallvec![ctx.reshape_to(grid, &shape)?])
}

/// Coordinates of every grid point, one row per coordinate from the innermost axis out, and a row of ones.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "sizes are far below 2^52"
)]
fn homogeneous(spatial: &[usize], count: usize, align_corners: bool) -> Vec<f32> {
    let coordinate = |at: usize, size: usize| {
        let (at, size) = (at as f64, size as f64);
        (if align_corners { at * 2.0 / (size - 1.0) - 1.0 } else { (at * 2.0 + 1.0) / size - 1.0 }) as f32
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
