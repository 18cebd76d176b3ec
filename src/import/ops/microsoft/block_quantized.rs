//! Weights of 2, 4 or 8 bits with a scale for each block, as constants of the data's type.

use super::packed::{Blocks, Codes, constant, dimension, integer, middle, width_of};
use super::row;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::Op;
use crate::import::error::OpError;
use crate::network::layer::{ElementWiseOperation as Ew, MatrixMultiply, MatrixOperation};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::{DType, Tensor, volume};
use smallvec::smallvec;

pub(in crate::import::ops) const OPS: &[Op] = &[
    row("GatherBlockQuantized", "data indices scales zero_points?", gather).wide(),
    row("MatMulBnb4", "A B absmax", matmul_bnb4).ignoring(&["training_mode"]),
    row("MatMulNBits", "A B scales zero_points? g_idx? bias?", matmul_n_bits)
        .ignoring(&["accuracy_level"]),
];

/// `MatMulNBits`: A · Wᵀ + bias, where W[n, k] = (B[n, k] − zero point) · scale of k's block;
/// `g_idx` says which block that is where it is not k / `block_size`. Becomes MatrixMultiply.
fn matmul_n_bits(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (columns, depth) = (dimension(node, "N")?, dimension(node, "K")?);
    let size = dimension(node, "block_size")?;
    let bits = width_of("attribute `bits`", integer(node, "bits", Some(4))?)?;
    if node.attrs.int_or("weight_prepacked", 0)? != 0 {
        return Err(OpError::Feature("an order of weights that only one kernel knows"));
    }
    let packed_zeros = ctx.maybe(3).is_some_and(|zeros| ctx.dtype(zeros) == DType::U8);
    if ctx.maybe(4).is_some() && (bits != 4 || packed_zeros) {
        // ONNX Runtime's CPU kernel reads the codes as of 4 bits, and no such zero points.
        return Err(OpError::Feature("input `g_idx` with other codes than of 4 bits around 8"));
    }
    let a = ctx.input(0)?;
    let count = depth.div_ceil(size);
    let row = count.checked_mul(size).ok_or_else(|| OpError::invalid("a row too long"))?;
    let codes = Codes::read(ctx, 1, bits, row)?;
    codes.expect("B", columns)?;
    let scales = numbers(ctx, 2, columns, count)?;
    let zeros = match ctx.maybe(3) {
        None => None,
        Some(zeros) if ctx.dtype(zeros) == DType::U8 => {
            let codes = Codes::read(ctx, 3, bits, count)?;
            codes.expect("zero_points", columns)?;
            Some(codes.all())
        }
        Some(_) => Some(numbers(ctx, 3, columns, count)?),
    };
    let blocks = groups(ctx, depth, size, count)?;
    let middle = middle(bits);
    let elements = volume(&[columns, depth])
        .ok_or_else(|| OpError::invalid("more weights than there can be"))?;
    let mut weights = Vec::with_capacity(elements);
    for column in 0..columns {
        for (at, &block) in blocks.iter().enumerate() {
            let place = column * count + block;
            let zero = zeros.as_ref().map_or(middle, |zeros| entry(zeros, place));
            weights.push((codes.at(column, at) - zero) * entry(&scales, place));
        }
    }
    let weights = constant(ctx, ctx.dtype(a), vec![columns, depth], weights)?;
    let product = times(ctx, a, weights)?;
    Ok(smallvec![match ctx.maybe(5) {
        Some(bias) => ctx.binary(Ew::Sum, product, bias)?,
        None => product,
    }])
}

/// An element that the sizes checked before promise.
fn entry(list: &[f32], at: usize) -> f32 {
    list.get(at).copied().unwrap_or(0.0)
}

/// The real numbers at an input, of which there must be as many as rows times columns.
fn numbers(ctx: &Ctx<'_>, at: usize, rows: usize, columns: usize) -> Result<Vec<f32>, OpError> {
    let name = ctx.input_name(at);
    let numbers = ctx.floats(at)?.unwrap_or_default();
    if rows.checked_mul(columns) != Some(numbers.len()) {
        return Err(OpError::invalid(format!(
            "input `{name}` has {} elements, not {rows} times {columns}",
            numbers.len()
        )));
    }
    Ok(numbers)
}

/// The block of each of `depth` weights of a row.
fn groups(ctx: &Ctx<'_>, depth: usize, size: usize, count: usize) -> Result<Vec<usize>, OpError> {
    let Some(groups) = ctx.ints(4)? else {
        return Ok((0..depth).map(|at| at / size).collect());
    };
    let inside = |&group: &i64| usize::try_from(group).ok().filter(|&group| group < count);
    let groups: Option<Vec<_>> = groups.iter().take(depth).map(inside).collect();
    groups.filter(|groups| groups.len() == depth).ok_or_else(|| {
        OpError::invalid(format!("input `g_idx` does not name one of {count} blocks for each row"))
    })
}

/// The product with a matrix of weights, one row for each column of the result.
fn times(ctx: &mut Ctx<'_>, a: ValueId, weights: ValueId) -> Result<ValueId, OpError> {
    let rank = ctx.rank(a);
    if rank < 2 {
        return Err(OpError::Rank { what: "input `A`", rank, supported: "2 or more" });
    }
    let weights = ctx.lead(weights, rank)?;
    let product = MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::Transpose };
    ctx.add(product, &[a, weights])
}

/// The numbers that the codes of 4-bit floating point mean.
const FP4: [f32; 16] = [
    0.0,
    0.005_208_333_3,
    0.666_666_7,
    1.0,
    0.333_333_34,
    0.5,
    0.166_666_67,
    0.25,
    -0.0,
    -0.005_208_333_3,
    -0.666_666_7,
    -1.0,
    -0.333_333_34,
    -0.5,
    -0.166_666_67,
    -0.25,
];

/// The same of codes that stand for equal parts of a normal distribution.
const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// `MatMulBnb4`: A · Wᵀ. W has N rows of K numbers out of a table of 16, each times the scale of
/// its block; blocks run over all rows.
fn matmul_bnb4(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (rows, columns) = (dimension(node, "N")?, dimension(node, "K")?);
    let size = dimension(node, "block_size")?;
    let table = match integer(node, "quant_type", None)? {
        0 => FP4,
        1 => NF4,
        other => {
            return Err(OpError::invalid(format!("attribute `quant_type` is {other}")));
        }
    };
    if node.attrs.int_or("transB", 1)? == 0 {
        // The backward pass. ONNX Runtime's CPU kernel does not compute it.
        let (what, value) = ("attribute `transB`", "0".to_owned());
        return Err(OpError::Value { what, value, supported: "1" });
    }
    let a = ctx.input(0)?;
    let count = volume(&[rows, columns])
        .ok_or_else(|| OpError::invalid("more weights than there can be"))?;
    let codes = ctx.constant_input(1)?.ok_or_else(|| OpError::invalid("input `B` is missing"))?;
    if codes.dtype() != DType::U8 || codes.len() != count.div_ceil(2) {
        return Err(OpError::invalid(format!(
            "input `B` has {} elements of {}, not {} of u8",
            codes.len(),
            codes.dtype(),
            count.div_ceil(2)
        )));
    }
    let scales = numbers(ctx, 2, 1, count.div_ceil(size))?;
    // The first of two stands in the high bits.
    let both = codes.bytes().iter().flat_map(|&byte| [byte >> 4, byte & 15]);
    let weights = both.take(count).enumerate().map(|(at, code)| {
        table.get(usize::from(code)).copied().unwrap_or(0.0) * entry(&scales, at / size)
    });
    let weights = constant(ctx, ctx.dtype(a), vec![rows, columns], weights.collect())?;
    Ok(smallvec![times(ctx, a, weights)?])
}

/// `GatherBlockQuantized`: `Gather` from a table of codes, each less its zero point and times the
/// scale of its block. Becomes Gather.
fn gather(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let bits = width_of("attribute `bits`", integer(node, "bits", Some(4))?)?;
    for (at, what) in [(0, "input `data`"), (3, "input `zero_points`")] {
        if let Some(dtype) = ctx.stated(at)
            && !matches!(dtype, DType::U8 | DType::I4 | DType::U4)
        {
            return Err(OpError::DType { what, dtype, supported: "u8, i4, u4" });
        }
    }
    let size = integer(node, "block_size", Some(128))?;
    let size = usize::try_from(size).ok().filter(|&size| size > 0);
    let size =
        size.ok_or_else(|| OpError::invalid("attribute `block_size` is no positive number"))?;
    let data = ctx.constant_input(0)?.ok_or_else(|| OpError::invalid("input `data` is missing"))?;
    let bytes = data.dtype() == DType::U8;
    let (bits, zero) = if bytes { (bits, middle(bits)) } else { (4, 0.0) };
    let dims = logical(&data, if bytes { 8 / bits } else { 1 })?;
    let (rank, along) = (dims.len(), integer(node, "quantize_axis", Some(1))?);
    let blocks = Blocks::new(&dims, ctx.axis(along, rank)?, size)?;
    let axis = ctx.axis(integer(node, "gather_axis", Some(0))?, rank)?;
    let codes = codes_of(&data, bits, dims.last().copied().unwrap_or(1))?;
    let scales = numbers(ctx, 2, 1, blocks.count())?;
    let zeros = match ctx.constant_input(3)? {
        Some(zeros) => Some(codes_of(&zeros, bits, blocks.last())?)
            .filter(|zeros| zeros.len() == blocks.count()),
        None => Some(vec![zero; blocks.count()]),
    };
    let zeros =
        zeros.ok_or_else(|| OpError::invalid("input `zero_points` has not one for each scale"))?;
    let all = codes.into_iter().enumerate().map(|(at, code)| {
        let block = blocks.of(at);
        (code - entry(&zeros, block)) * entry(&scales, block)
    });
    let scale = ctx.input(2)?;
    let table = constant(ctx, ctx.dtype(scale), dims, all.collect())?;
    let indices = ctx.input(1)?;
    Ok(smallvec![ctx.gather(table, indices, axis)?])
}

/// All codes of a tensor; those of a type that TensorRT lacks are real numbers by now.
fn codes_of(tensor: &Tensor, bits: usize, row: usize) -> Result<Vec<f32>, OpError> {
    match tensor.values::<f32>() {
        Some(numbers) => Ok(numbers.into_owned()),
        None => Ok(Codes::of(tensor, bits, row)?.all()),
    }
}

/// The dimensions of data of which so many codes stand in one element.
fn logical(data: &Tensor, each: usize) -> Result<Vec<usize>, OpError> {
    let mut dims = data.dims().to_vec();
    let last =
        dims.last_mut().ok_or_else(|| OpError::invalid("input `data` is a single number"))?;
    *last = last.checked_mul(each).ok_or_else(|| OpError::invalid("input `data` is too large"))?;
    Ok(dims)
}
