//! Quantization: layers where TensorRT has them (signed numbers, zero point 0), arithmetic in `f32`
//! elsewhere.
//!
//! TensorRT holds `u8` at the network's boundary only. What is quantized to `u8` and used again is
//! therefore taken from before its conversion: see [`real`].

use super::conv::{convolve, less_zero_point};
use super::elementwise::truncate;
use super::matmul::multiply;
use crate::import::build::axes::along;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{ANY_DOMAIN, NOW, Op, onnx, with_lists};
use crate::import::build::operand::Operand;
use crate::import::error::OpError;
use crate::network::layer::{
    Dequantize, ElementWiseOperation as Ew, Gather, GatherMode, Quantize, ReduceOperation,
    UnaryOperation as Un,
};
use crate::network::{Layer, LayerKind, ValueId, Values};
use crate::onnx::{Node, dtype_from_onnx};
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

const LINEAR_CONV: &str = "x x_scale x_zero_point w w_scale w_zero_point y_scale y_zero_point B?";
const LINEAR_MATMUL: &str = "a a_scale a_zero_point b b_scale b_zero_point y_scale y_zero_point";

pub(super) const OPS: &[Op] = &[
    onnx("DequantizeLinear", 10..=12, "x x_scale x_zero_point?", |ctx, node| {
        dequantize(ctx, node, Scales::One)
    })
    .wide(),
    onnx("DequantizeLinear", 13..=NOW, "x x_scale x_zero_point?", dequantize_along).wide(),
    onnx("DequantizeLinear", 1..=NOW, "x x_scale x_zero_point?", dequantize_along)
        .of("com.microsoft")
        .wide(),
    onnx("DynamicQuantizeLinear", 11..=NOW, "x", dynamic),
    onnx("QLinearConv", 10..=NOW, LINEAR_CONV, linear_conv),
    onnx("QLinearMatMul", 10..=NOW, LINEAR_MATMUL, linear_matmul),
    with_lists("QuantizeLinear", 10..=12, "x y_scale y_zero_point?", |ctx, node| {
        quantize(ctx, node, Scales::One)
    })
    .wide(),
    with_lists("QuantizeLinear", 13..=NOW, "x y_scale y_zero_point?", quantize_along).wide(),
    with_lists("QuantizeLinear", 1..=NOW, "x y_scale y_zero_point?", quantize_along)
        .of("com.microsoft")
        .wide(),
    // What ModelOpt writes where ONNX's operators had no such type yet; of what is dequantized, the
    // type is that of the data.
    onnx("TRT_FP8DequantizeLinear", 1..=NOW, "x scale", dequantize_along).of(ANY_DOMAIN),
    onnx("TRT_INT4DequantizeLinear", 1..=NOW, "x scale", dequantize_along).of(ANY_DOMAIN),
    with_lists("TRT_FP8QuantizeLinear", 1..=NOW, "x scale", |ctx, node| {
        quantize_to(ctx, node, Scales::of(ctx, node)?, DType::F8E4M3)
    })
    .of(ANY_DOMAIN),
    with_lists("TRT_INT4QuantizeLinear", 1..=NOW, "x scale", |ctx, node| {
        quantize_to(ctx, node, Scales::of(ctx, node)?, DType::I4)
    })
    .of(ANY_DOMAIN),
];

/// How scale and zero point vary over the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scales {
    /// One for all.
    One,
    /// One for each index of an axis.
    Along(usize),
    /// One for each run of so many elements along an axis, at each place of the other axes.
    Blocks { axis: usize, size: i64 },
}

impl Scales {
    /// What attributes `axis` and `block_size` say.
    fn of(ctx: &Ctx<'_>, node: &Node) -> Result<Self, OpError> {
        let (x, scale) = (ctx.input(0)?, ctx.input(1)?);
        let block = node.attrs.int_or("block_size", 0)?;
        let axis = node.attrs.int_or("axis", 1)?;
        let (rank, ranks) = (ctx.rank(x), ctx.rank(scale));
        match block {
            0 if ranks == 0 || ranks == 1 && ctx.size(scale, 0) == Some(1) => Ok(Self::One),
            0 if ranks == 1 && rank == 1 => Ok(Self::Along(0)),
            0 if ranks == 1 => ctx.axis(axis, rank).map(Self::Along),
            1.. if ranks == rank => Ok(Self::Blocks { axis: ctx.axis(axis, rank)?, size: block }),
            _ => Err(OpError::invalid(format!(
                "attribute `block_size` is {block} with a scale of rank {ranks}"
            ))),
        }
    }

    /// The axis along which they vary, if one for all its places.
    fn axis(self) -> Option<usize> {
        if let Self::Along(axis) = self { Some(axis) } else { None }
    }

    /// Whether TensorRT's layers take them: known, above 0 throughout, not in blocks, and with a
    /// zero point of 0.
    fn in_layers(self, ctx: &Ctx<'_>, scale: ValueId, zero_point: Option<ValueId>) -> bool {
        let above_zero = |tensor: Tensor| {
            tensor.to_f32s().is_some_and(|values| values.iter().all(|&value| value > 0.0))
        };
        let blocks = matches!(self, Self::Blocks { .. });
        !blocks && is_zero(ctx, zero_point) && ctx.constant(scale).is_some_and(above_zero)
    }

    /// A scale or zero point laid out to broadcast over `x`.
    fn spread(self, ctx: &mut Ctx<'_>, parameter: ValueId, x: ValueId) -> Result<ValueId, OpError> {
        match self {
            Self::One => along(ctx, parameter, 0, ctx.rank(x)),
            Self::Along(axis) => along(ctx, parameter, axis, ctx.rank(x)),
            Self::Blocks { axis, size } => {
                let places = ctx.size_of(x, axis)?;
                let places = ctx.count_up(places)?;
                let blocks = ctx.compute(Ew::FloorDiv, places, size)?;
                ctx.add(
                    Gather { mode: GatherMode::Default, axis, element_wise_dims: 0 },
                    &[parameter, blocks],
                )
            }
        }
    }

    /// The whole numbers of a zero point, laid out to broadcast over `x`; `None` where it is 0.
    fn zero_point(
        self,
        ctx: &mut Ctx<'_>,
        zero_point: Option<ValueId>,
        x: ValueId,
    ) -> Result<Option<ValueId>, OpError> {
        let Some(zero_point) = zero_point.filter(|_| !is_zero(ctx, zero_point)) else {
            return Ok(None);
        };
        let zero_point = real(ctx, zero_point)?;
        self.spread(ctx, zero_point, x).map(Some)
    }
}

/// `QuantizeLinear` with scales along `axis`, or since opset 21 for blocks of it.
fn quantize_along(ctx: &mut Ctx<'_>, node: &Node) -> Result<Vec<Operand>, OpError> {
    let scales = Scales::of(ctx, node)?;
    quantize(ctx, node, scales)
}

/// `QuantizeLinear`. Becomes Quantize for a zero point of 0 and a constant scale, but for `u8` and
/// blocks; else arithmetic.
fn quantize(ctx: &mut Ctx<'_>, node: &Node, scales: Scales) -> Result<Vec<Operand>, OpError> {
    let to = ctx.stated(2).or(output_dtype(node)?).unwrap_or(DType::U8);
    quantize_to(ctx, node, scales, to)
}

fn quantize_to(
    ctx: &mut Ctx<'_>,
    node: &Node,
    scales: Scales,
    to: DType,
) -> Result<Vec<Operand>, OpError> {
    let (x, scale, zero_point) = (ctx.input(0)?, ctx.input(1)?, ctx.maybe(2));
    saturates(node, to)?;
    let precision = match node.attrs.int_or("precision", 0)? {
        0 => ctx.dtype(scale),
        code => dtype_from_onnx(code)
            .ok_or_else(|| OpError::invalid(format!("attribute `precision` is {code}")))?,
    };
    let (x, scale) = (ctx.cast(x, precision)?, ctx.cast(scale, precision)?);
    if to != DType::U8 && !is_wide(to) && scales.in_layers(ctx, scale, zero_point) {
        let y = ctx.add(Quantize { axis: scales.axis(), to }, &[x, scale])?;
        return Ok(Operand::of([y]));
    }
    let scale = scales.spread(ctx, scale, x)?;
    let quotient = ctx.binary(Ew::Div, x, scale)?;
    let quotient = ctx.cast(quotient, DType::F32)?;
    let zero_point = scales.zero_point(ctx, zero_point, x)?;
    let y = store(ctx, quotient, zero_point, to)?;
    Ok(if is_wide(to) { vec![Operand::Wide(y, to)] } else { Operand::of([y]) })
}

/// Whether whole numbers in `f32` stand for those of a type.
fn is_wide(dtype: DType) -> bool {
    matches!(dtype, DType::I16 | DType::U16 | DType::U4)
}

/// `DequantizeLinear` with scales along `axis`, or since opset 21 for blocks of it.
fn dequantize_along(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let scales = Scales::of(ctx, node)?;
    dequantize(ctx, node, scales)
}

/// `DequantizeLinear`. Becomes Dequantize for a zero point of 0 and a constant scale, but for `u8`,
/// `i32` and blocks; else (x − zero point) · scale in `f32`.
fn dequantize(ctx: &mut Ctx<'_>, node: &Node, scales: Scales) -> Result<Values, OpError> {
    let (x, scale, zero_point) = (ctx.input(0)?, ctx.input(1)?, ctx.maybe(2));
    let to = output_dtype(node)?.unwrap_or(ctx.dtype(scale));
    let stated = ctx.stated(0).unwrap_or(ctx.dtype(x));
    let signed = !matches!(stated, DType::U8 | DType::I32) && !is_wide(stated);
    if signed && scales.in_layers(ctx, scale, zero_point) {
        let scale = ctx.cast(scale, to)?;
        return Ok(smallvec![ctx.add(Dequantize { axis: scales.axis(), to }, &[x, scale])?]);
    }
    let mut x = real(ctx, x)?;
    if let Some(zero_point) = scales.zero_point(ctx, zero_point, x)? {
        x = ctx.binary(Ew::Sub, x, zero_point)?;
    }
    let scale = ctx.cast(scale, DType::F32)?;
    let scale = scales.spread(ctx, scale, x)?;
    let y = ctx.binary(Ew::Prod, x, scale)?;
    Ok(smallvec![ctx.cast(y, to)?])
}

/// The attribute `output_dtype`, where it says something.
fn output_dtype(node: &Node) -> Result<Option<DType>, OpError> {
    match node.attrs.int_or("output_dtype", 0)? {
        0 => Ok(None),
        code => match dtype_from_onnx(code) {
            Some(dtype) => Ok(Some(dtype)),
            None => Err(OpError::invalid(format!(
                "attribute `output_dtype` is {code}, which is no number type"
            ))),
        },
    }
}

/// Whether a zero point is left out, or known to be 0 throughout.
fn is_zero(ctx: &Ctx<'_>, zero_point: Option<ValueId>) -> bool {
    let zero = |tensor: Tensor| tensor.bytes().iter().all(|&byte| byte == 0);
    zero_point.is_none_or(|value| ctx.constant(value).is_some_and(zero))
}

/// The whole numbers of a quantized value, in `f32`. TensorRT converts `u8` from and to floating
/// point only, and `i8` by Quantize and Dequantize only.
pub(super) fn real(ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
    if let Some(tensor) = ctx.constant(x)
        && let Some(values) = tensor.to_i64s()
    {
        #[allow(
            clippy::as_conversions,
            clippy::cast_precision_loss,
            reason = "the numbers have 8 bits, or are rounded as a Cast would"
        )]
        let values = values.into_iter().map(|value| value as f32).collect();
        return Ok(ctx.constant_value(Tensor::of(tensor.dims().to_vec(), values)?));
    }
    match ctx.dtype(x) {
        DType::I8 | DType::I4 | DType::F8E4M3 | DType::F4E2M1 => {
            let one = ctx.scalar(DType::F32, 1.0)?;
            ctx.add(Dequantize { axis: None, to: DType::F32 }, &[x, one])
        }
        _ => before_conversion(ctx, x).map_or_else(|| ctx.cast(x, DType::F32), Ok),
    }
}

/// The way back from [`real`]: whole numbers in `f32`, inside the range of `to`, as `i8` or `u8`.
pub(super) fn from_real(ctx: &mut Ctx<'_>, x: ValueId, to: DType) -> Result<ValueId, OpError> {
    if to == DType::I8 {
        let one = ctx.scalar(DType::F32, 1.0)?;
        return ctx.add(Quantize { axis: None, to }, &[x, one]);
    }
    ctx.cast(x, to)
}

/// Up to here `f32` holds every whole number.
const EXACT: f32 = 16_777_216.0;

/// A sum of products of data and weights, whole numbers from −255 to 255 in `f32`, as `i32`.
///
/// `product` computes it in `f32`, which is exact as long as no sum can pass 2^24. Where the
/// weights are so many that one could, the data is cut into its lowest four bits and the rest: each
/// of the two sums is then 16 times as small. `summed` are the weights' axes that are summed over.
pub(super) fn exact_sum(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    w: ValueId,
    summed: Vec<usize>,
    product: &dyn Fn(&mut Ctx<'_>, ValueId) -> Result<ValueId, OpError>,
) -> Result<ValueId, OpError> {
    let weight = largest_weight(ctx, w, summed)?;
    if weight.is_some_and(|weight| weight * 255.0 <= EXACT) {
        let sum = product(ctx, x)?;
        return ctx.cast(sum, DType::I32);
    }
    if weight.is_none_or(|weight| weight * 16.0 > EXACT) {
        ctx.note("sums beyond 2^28 may be rounded: they are computed in f32");
    }
    let scaled = ctx.binary_scalar(Ew::Prod, x, 1.0 / 16.0)?;
    let high = ctx.unary(Un::Floor, scaled)?;
    let raised = ctx.binary_scalar(Ew::Prod, high, 16.0)?;
    let low = ctx.binary(Ew::Sub, x, raised)?;
    let mut sums = [high, low];
    for part in &mut sums {
        let sum = product(ctx, *part)?;
        *part = ctx.cast(sum, DType::I32)?;
    }
    let [high, low] = sums;
    let high = ctx.binary_scalar(Ew::Prod, high, 16.0)?;
    ctx.binary(Ew::Sum, high, low)
}

/// The largest sum of magnitudes of the weights that make one sum of products; `None` where even
/// their number is known only at run time.
fn largest_weight(
    ctx: &mut Ctx<'_>,
    w: ValueId,
    summed: Vec<usize>,
) -> Result<Option<f32>, OpError> {
    if ctx.constant(w).is_some() {
        let sizes = ctx.unary(Un::Abs, w)?;
        let sums = ctx.reduce(ReduceOperation::Sum, sizes, summed.clone(), false)?;
        if let Some(sums) = ctx.constant(sums) {
            return Ok(sums.to_f32s().map(|sums| sums.iter().copied().fold(0.0, f32::max)));
        }
    }
    let count = summed.into_iter().try_fold(255f32, |count, axis| {
        let size = u16::try_from(ctx.size(w, axis)?).ok()?;
        Some(count * f32::from(size))
    });
    Ok(count)
}

/// Refuses `saturate` = 0, which TensorRT lacks; it says something of 8-bit floating point only.
pub(super) fn saturates(node: &Node, to: DType) -> Result<(), OpError> {
    if node.attrs.int_or("saturate", 1)? == 0 && to == DType::F8E4M3 {
        return Err(OpError::Value {
            what: "attribute `saturate`",
            value: "0".into(),
            supported: "1",
        });
    }
    Ok(())
}

/// The numbers of an `f8e8m0` tensor, in `f32`: 2^(byte − 127), and NaN for 255.
fn powers_of_two(tensor: &Tensor) -> Result<Tensor, OpError> {
    let power = |&byte: &u8| {
        if byte == u8::MAX { f32::NAN } else { (f32::from(byte) - 127.0).exp2() }
    };
    let powers = tensor.bytes().iter().map(power).collect();
    Ok(Tensor::of(tensor.dims().to_vec(), powers)?)
}

/// ONNX's Cast: a Cast, or Quantize and Dequantize with a scale of 1 for the types that TensorRT
/// converts only so.
pub(super) fn convert(ctx: &mut Ctx<'_>, x: ValueId, to: DType) -> Result<ValueId, OpError> {
    let from = ctx.dtype(x);
    let lacks =
        |what, dtype| Err(OpError::DType { what, dtype, supported: "the types TensorRT converts" });
    if from == to {
        return Ok(x);
    }
    let x = match from {
        DType::F8E4M3 | DType::F4E2M1 | DType::I4 => real(ctx, x)?,
        DType::F8E8M0 => match ctx.constant(x).map(|powers| powers_of_two(&powers)) {
            Some(powers) => ctx.constant_value(powers?),
            None => return lacks("the input", from),
        },
        _ => x,
    };
    let numbers = match to {
        DType::F8E4M3 | DType::F4E2M1 => ctx.cast(x, DType::F32)?,
        DType::I4 => nibbles(ctx, x)?,
        DType::F8E8M0 => return lacks("the output", to),
        _ if to == DType::I8 && from == DType::I4 => return from_real(ctx, x, to),
        _ => return ctx.cast(x, to),
    };
    let one = ctx.scalar(DType::F32, 1.0)?;
    ctx.add(Quantize { axis: None, to }, &[numbers, one])
}

/// Numbers as `i4` has them, in `f32`: truncated, and of what does not fit the lowest 4 bits.
fn nibbles(ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
    let wide =
        if matches!(ctx.dtype(x), DType::I64 | DType::I32) { x } else { ctx.cast(x, DType::F32)? };
    let whole = if ctx.dtype(wide).is_int() { wide } else { truncate(ctx, wide)? };
    let raised = ctx.binary_scalar(Ew::Sum, whole, 8.0)?;
    let turns = ctx.binary_scalar(Ew::FloorDiv, raised, 16.0)?;
    let beyond = ctx.binary_scalar(Ew::Prod, turns, 16.0)?;
    let inside = ctx.binary(Ew::Sub, whole, beyond)?;
    ctx.cast(inside, DType::F32)
}

/// The `f32` value that a Cast made `x` from, where it holds the same numbers: whole ones from 0 to
/// 255.
fn before_conversion(ctx: &Ctx<'_>, x: ValueId) -> Option<ValueId> {
    let cast = maker(ctx, x)?;
    let source = *cast.inputs.first().filter(|_| matches!(cast.kind, LayerKind::Cast(_)))?;
    if ctx.dtype(x) != DType::U8 || ctx.dtype(source) != DType::F32 {
        return None;
    }
    let raised = limited(ctx, source, Ew::Min, 255.0)?;
    let inner = limited(ctx, raised, Ew::Max, 0.0)?;
    is_whole(ctx, inner, 8).then_some(source)
}

fn maker<'a>(ctx: &'a Ctx<'_>, value: ValueId) -> Option<&'a Layer> {
    Some(ctx.network.layer(ctx.network.maker(value)?))
}

/// The first operand of an ElementWise layer whose second is this number.
#[allow(clippy::float_cmp, reason = "limits are whole numbers")]
fn limited(ctx: &Ctx<'_>, value: ValueId, operation: Ew, limit: f32) -> Option<ValueId> {
    let layer = maker(ctx, value)?;
    let (LayerKind::ElementWise(kind), [first, second]) = (&layer.kind, layer.inputs.as_slice())
    else {
        return None;
    };
    let constant = ctx.constant(*second)?;
    (kind.operation == operation && constant.to_f32s()?.iter().all(|&v| v == limit))
        .then_some(*first)
}

/// Whether a value is known to hold whole numbers, looking back over at most `depth` layers.
fn is_whole(ctx: &Ctx<'_>, value: ValueId, depth: usize) -> bool {
    let (Some(layer), Some(depth)) = (maker(ctx, value), depth.checked_sub(1)) else {
        return false;
    };
    let all = |operands: &[ValueId]| operands.iter().all(|&operand| is_whole(ctx, operand, depth));
    match &layer.kind {
        LayerKind::Constant(constant) => constant
            .weights
            .to_f32s()
            .is_some_and(|values| values.iter().all(|value| value.fract() == 0.0)),
        LayerKind::Unary(unary) => unary.operation == Un::Round,
        LayerKind::Cast(_) => layer.inputs.iter().all(|&operand| ctx.dtype(operand).is_int()),
        LayerKind::ElementWise(kind) => {
            matches!(kind.operation, Ew::Sum | Ew::Max | Ew::Min) && all(&layer.inputs)
        }
        LayerKind::Unsqueeze(_) => all(&layer.inputs),
        _ => false,
    }
}

/// saturate(round(x) + zero point) of `f32` values in `to`; floating-point types round by
/// themselves. The zero point is in `f32` too, ready to broadcast.
fn store(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    zero_point: Option<ValueId>,
    to: DType,
) -> Result<ValueId, OpError> {
    let one = ctx.scalar(DType::F32, 1.0)?;
    let rounds = matches!(to, DType::F8E4M3 | DType::F4E2M1);
    let whole = if rounds { x } else { ctx.unary(Un::Round, x)? };
    let moved = match zero_point {
        Some(zero_point) => ctx.binary(Ew::Sum, whole, zero_point)?,
        None => whole,
    };
    match to {
        DType::U8 => {
            let clipped = clipped(ctx, moved, [0.0, 255.0])?;
            ctx.cast(clipped, DType::U8)
        }
        DType::I8 | DType::I4 | DType::F8E4M3 | DType::F4E2M1 => {
            ctx.add(Quantize { axis: None, to }, &[moved, one])
        }
        DType::I16 => clipped(ctx, moved, [-32_768.0, 32_767.0]),
        DType::U16 => clipped(ctx, moved, [0.0, 65_535.0]),
        DType::U4 => clipped(ctx, moved, [0.0, 15.0]),
        dtype => {
            let what = "the result of a quantization";
            Err(OpError::DType {
                what,
                dtype,
                supported: "i8, u8, i16, u16, f8e4m3, i4, u4, f4e2m1",
            })
        }
    }
}

/// Numbers moved into a range.
fn clipped(ctx: &mut Ctx<'_>, x: ValueId, [low, high]: [f64; 2]) -> Result<ValueId, OpError> {
    let raised = ctx.binary_scalar(Ew::Max, x, low)?;
    ctx.binary_scalar(Ew::Min, raised, high)
}

/// What quantized data means, in `f32`: (x − zero point) · scale, one of each for all data.
pub(super) fn meant(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    scale: ValueId,
    zero_point: Option<ValueId>,
) -> Result<ValueId, OpError> {
    let mut whole = real(ctx, x)?;
    if let Some(zero_point) = Scales::One.zero_point(ctx, zero_point, whole)? {
        whole = ctx.binary(Ew::Sub, whole, zero_point)?;
    }
    let scale = Scales::One.spread(ctx, scale, whole)?;
    ctx.binary(Ew::Prod, whole, scale)
}

/// The way back: saturate(round(x / scale) + zero point), of the zero point's type, or of the one
/// given where that is left out.
pub(super) fn said(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    scale: ValueId,
    zero_point: Option<ValueId>,
    dtype: DType,
) -> Result<ValueId, OpError> {
    let to = zero_point.map_or(dtype, |zero_point| ctx.dtype(zero_point));
    let scale = Scales::One.spread(ctx, scale, x)?;
    let quotient = ctx.binary(Ew::Div, x, scale)?;
    let zero_point = Scales::One.zero_point(ctx, zero_point, quotient)?;
    store(ctx, quotient, zero_point, to)
}

/// `DynamicQuantizeLinear`, of all data at once.
fn dynamic(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let Ranged { y, scale, zero_point } = ranged(ctx, x, (0..ctx.rank(x)).collect(), false)?;
    Ok(smallvec![y, scale, zero_point])
}

/// Data in `u8`, with scales and zero points from its own range.
pub(super) struct Ranged {
    /// The data.
    pub(super) y: ValueId,
    pub(super) scale: ValueId,
    /// In `u8` too.
    pub(super) zero_point: ValueId,
}

/// Quantizes data by its range along some axes, which is made to hold 0.
pub(super) fn ranged(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    axes: Vec<usize>,
    keep_dims: bool,
) -> Result<Ranged, OpError> {
    let largest = ctx.reduce(ReduceOperation::Max, x, axes.clone(), keep_dims)?;
    let smallest = ctx.reduce(ReduceOperation::Min, x, axes, keep_dims)?;
    let largest = ctx.binary_scalar(Ew::Max, largest, 0.0)?;
    let smallest = ctx.binary_scalar(Ew::Min, smallest, 0.0)?;
    let range = ctx.binary(Ew::Sub, largest, smallest)?;
    let step = ctx.binary_scalar(Ew::Div, range, 255.0)?;
    // Data of nothing but zeros has no range; any scale then says the same.
    let (zero, one) = (ctx.scalar(DType::F32, 0.0)?, ctx.scalar(DType::F32, 1.0)?);
    let flat = ctx.binary(Ew::Equal, step, zero)?;
    let scale = ctx.select(flat, one, step)?;
    let below = ctx.binary(Ew::Div, smallest, scale)?;
    let above = ctx.binary(Ew::Sub, zero, below)?;
    let zero_point = store(ctx, above, None, DType::U8)?;
    let quotient = ctx.binary(Ew::Div, x, scale)?;
    let shift = real(ctx, zero_point)?;
    let y = store(ctx, quotient, Some(shift), DType::U8)?;
    Ok(Ranged { y, scale, zero_point })
}

/// `QLinearConv`: a Convolution in `f32` of the numbers less their zero points, scaled and
/// quantized again; exact for sums up to 2^24.
fn linear_conv(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let x = real(ctx, x)?;
    Ok(smallvec![linear_conv_of(ctx, node, x)?])
}

/// The same of whole numbers in `f32` in the place of the node's first input.
pub(super) fn linear_conv_of(
    ctx: &mut Ctx<'_>,
    node: &Node,
    x: ValueId,
) -> Result<ValueId, OpError> {
    let w = real(ctx, ctx.input(3)?)?;
    let x = less_zero_point(ctx, x, ctx.maybe(2), 1)?;
    let w = less_zero_point(ctx, w, ctx.maybe(5), 0)?;
    let bias = ctx.maybe(8).map(|bias| real(ctx, bias)).transpose()?;
    let sum = convolve(ctx, node, x, w, bias)?;
    requantize(ctx, sum, 1, 1)
}

/// `QLinearMatMul`: a MatrixMultiply in `f32` of the numbers less their zero points, scaled and
/// quantized again; exact for sums up to 2^24.
fn linear_matmul(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (a, b) = (real(ctx, ctx.input(0)?)?, real(ctx, ctx.input(3)?)?);
    // One scale and zero point per row of A or per column of B.
    let a = less_zero_point(ctx, a, ctx.maybe(2), ctx.rank(a).saturating_sub(2))?;
    let b = less_zero_point(ctx, b, ctx.maybe(5), ctx.rank(b).saturating_sub(1))?;
    let product = multiply(ctx, a, b)?;
    let rank = ctx.rank(product);
    Ok(smallvec![requantize(ctx, product, rank.saturating_sub(2), rank.saturating_sub(1))?])
}

/// A sum of products in the output's scale and zero point (inputs 6 and 7); the operands' scales
/// (inputs 1 and 4) may vary along the axes given.
fn requantize(
    ctx: &mut Ctx<'_>,
    sum: ValueId,
    first: usize,
    second: usize,
) -> Result<ValueId, OpError> {
    let rank = ctx.rank(sum);
    let mut factor = |at, axis| {
        let scale = ctx.input(at)?;
        let scale = ctx.cast(scale, DType::F32)?;
        along(ctx, scale, axis, rank)
    };
    let (left, right, out) = (factor(1, first)?, factor(4, second)?, factor(6, 0)?);
    let scale = ctx.binary(Ew::Prod, left, right)?;
    let scale = ctx.binary(Ew::Div, scale, out)?;
    let scaled = ctx.binary(Ew::Prod, sum, scale)?;
    let zero_point = ctx.input(7)?;
    let to = ctx.dtype(zero_point);
    let zero_point = Scales::One.zero_point(ctx, Some(zero_point), sum)?;
    store(ctx, scaled, zero_point, to)
}
