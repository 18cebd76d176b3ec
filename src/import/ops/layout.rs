//! The same elements in another shape or order, repeated, or one behind the other.

use crate::import::build::ctx::Ctx;
use crate::import::build::numbers::Steps;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::dim::product;
use crate::network::layer::{ElementWiseOperation as Ew, Reshape, SampleMode, Shuffle};
use crate::network::{Dim, ValueId, Values};
use crate::onnx::Node;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("Concat", 1..=3, "inputs*", |ctx, node| concat(ctx, node.attrs.int_or("axis", 1)?)),
    onnx("Concat", 4..=NOW, "inputs*", |ctx, node| concat(ctx, required(node, "axis")?)),
    onnx("DepthToSpace", 1..=NOW, "input", depth_to_space),
    onnx("Expand", 8..=NOW, "input shape", expand),
    onnx("Flatten", 1..=NOW, "input", flatten),
    onnx("Reshape", 1..=4, "data", reshape_attribute).ignoring(&["consumed_inputs"]),
    onnx("Reshape", 5..=NOW, "data shape", reshape),
    onnx("SpaceToDepth", 1..=NOW, "input", space_to_depth),
    onnx("Squeeze", 1..=12, "data", |ctx, node| squeeze(ctx, node.attrs.ints("axes")?)),
    onnx("Squeeze", 13..=NOW, "data axes?", |ctx, _| {
        let axes = ctx.ints(1)?;
        squeeze(ctx, axes.as_deref())
    }),
    onnx("Tile", 1..=5, "input tiles axis", tile_axis),
    onnx("Tile", 6..=NOW, "input repeats", tile),
    onnx("Transpose", 1..=NOW, "data", transpose),
    onnx("Unsqueeze", 1..=12, "data", |ctx, node| unsqueeze(ctx, node.attrs.ints("axes")?)),
    onnx("Unsqueeze", 13..=NOW, "data axes", |ctx, _| {
        let axes = ctx.ints(1)?;
        unsqueeze(ctx, axes.as_deref())
    }),
];

fn required(node: &Node, name: &str) -> Result<i64, OpError> {
    node.attrs.int(name)?.ok_or_else(|| OpError::invalid(format!("attribute `{name}` is missing")))
}

/// `Concat`. Becomes Concatenation.
fn concat(ctx: &mut Ctx<'_>, axis: i64) -> Result<Values, OpError> {
    let operands = ctx.all_inputs()?;
    let first = operands.first().ok_or_else(|| OpError::invalid("has no inputs"))?;
    let axis = ctx.axis(axis, ctx.rank(*first))?;
    Ok(smallvec![ctx.concat(&operands, axis)?])
}

/// `Reshape` with its shape as an attribute.
fn reshape_attribute(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let shape = node
        .attrs
        .ints("shape")?
        .ok_or_else(|| OpError::invalid("attribute `shape` is missing"))?;
    let shape = ctx.i64s(shape);
    Ok(smallvec![reshape_like(ctx, data, shape, false)?])
}

/// `Reshape`. Becomes Shuffle: with a fixed shape where placeholders and one −1 can say it, else
/// with a shape from a tensor.
fn reshape(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, shape) = (ctx.input(0)?, ctx.input(1)?);
    let allow_zero = node.attrs.int_or("allowzero", 0)? != 0;
    Ok(smallvec![reshape_like(ctx, data, shape, allow_zero)?])
}

fn reshape_like(
    ctx: &mut Ctx<'_>,
    data: ValueId,
    shape: ValueId,
    allow_zero: bool,
) -> Result<ValueId, OpError> {
    let dims = ctx
        .elements(shape)
        .map(|sizes| shape_of_sizes(ctx.shape(data), &sizes, allow_zero))
        .transpose()?;
    if let Some(reshape) = dims.and_then(|dims| Reshape::between(ctx.shape(data), &dims)) {
        return ctx.add(Shuffle { reshape: Some(reshape), ..Shuffle::default() }, &[data]);
    }
    let reshape = Some(Reshape::Input { zero_is_placeholder: !allow_zero });
    ctx.add(Shuffle { reshape, ..Shuffle::default() }, &[data, shape])
}

/// The sizes with every 0 that copies replaced, and −1 too where what is left over has an
/// expression.
fn shape_of_sizes(data: &[Dim], sizes: &[Dim], allow_zero: bool) -> Result<Vec<Dim>, OpError> {
    let (zero, rest) = (Dim::Known(0), Dim::Known(-1));
    if allow_zero && sizes.contains(&zero) && sizes.contains(&rest) {
        return Err(OpError::invalid(
            "the shape has both 0 and -1 although attribute `allowzero` is 1",
        ));
    }
    let copied = |(axis, size): (usize, &Dim)| match data.get(axis) {
        _ if allow_zero || *size != zero => Ok(size.clone()),
        Some(size) => Ok(size.clone()),
        None => Err(OpError::invalid(format!(
            "the shape has 0 at axis {axis}, which the data of rank {} lacks",
            data.len()
        ))),
    };
    let mut dims = sizes.iter().enumerate().map(copied).collect::<Result<Vec<_>, _>>()?;
    if let Some(at) = dims.iter().position(|dim| *dim == rest) {
        let all = product(data);
        let others = product(dims.iter().filter(|dim| **dim != rest));
        let left_over =
            if all.is_simple() && others.is_simple() { all.exact_div(&others) } else { None };
        if let (Some(left_over), Some(dim)) = (left_over, dims.get_mut(at)) {
            *dim = left_over;
        }
    }
    Ok(dims)
}

/// `Flatten`: the axes before `axis` become one, and those from it on. Becomes Shuffle.
fn flatten(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let rank = ctx.rank(data);
    let axis = node.attrs.int_or("axis", 1)?;
    // One past the last axis is allowed, but counting from the end starts at the last.
    let at = if i64::try_from(rank) == Ok(axis) { rank } else { ctx.axis(axis, rank)? };
    let sizes = ctx.sizes(data)?;
    let (outer, inner) = sizes.split_at(at);
    let (outer, inner) = (ctx.product(outer)?, ctx.product(inner)?);
    Ok(smallvec![ctx.reshape_to(data, &[outer, inner])?])
}

/// `Transpose`. Becomes Shuffle.
fn transpose(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let rank = ctx.rank(data);
    let order = match node.attrs.ints("perm")? {
        Some(order) => order.iter().map(|&axis| ctx.axis(axis, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).rev().collect(),
    };
    Ok(smallvec![ctx.transpose(data, order)?])
}

/// Non-negative axes in rising order.
fn sorted_axes(ctx: &Ctx<'_>, axes: &[i64], rank: usize) -> Result<Vec<usize>, OpError> {
    let mut out = axes.iter().map(|&axis| ctx.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
    out.sort_unstable();
    Ok(out)
}

/// Whether a size is at least 2 or divisible by a number above 1, whatever the symbols turn out to
/// be.
fn never_one(size: &Dim) -> bool {
    let divides = |by: &Dim| size.floor_div(by).is_some_and(|part| &part * by == *size);
    (size - &Dim::Known(2)).is_nonnegative() || (2..=8).map(Dim::Known).any(|by| divides(&by))
}

/// `Squeeze`. Becomes Squeeze. Without axes it must be known of all sizes whether they are 1, as
/// those go.
fn squeeze(ctx: &mut Ctx<'_>, axes: Option<&[i64]>) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let axes = if let Some(axes) = axes {
        sorted_axes(ctx, axes, ctx.rank(data))?
    } else {
        let mut axes = Vec::new();
        for (axis, size) in ctx.shape(data).iter().enumerate() {
            match size.known() {
                Some(1) => axes.push(axis),
                Some(_) => {}
                None if never_one(size) => {}
                None => return Err(ctx.open_size("which sizes are 1", data, axis)),
            }
        }
        axes
    };
    Ok(smallvec![ctx.squeeze(data, axes)?])
}

/// `Unsqueeze`. Becomes Unsqueeze; negative axes count in the output.
fn unsqueeze(ctx: &mut Ctx<'_>, axes: Option<&[i64]>) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let axes = axes.ok_or_else(|| OpError::invalid("attribute `axes` is missing"))?;
    let axes = sorted_axes(ctx, axes, ctx.rank(data) + axes.len())?;
    Ok(smallvec![ctx.unsqueeze(data, axes)?])
}

/// `Expand`. Becomes Slice with stride 0 along repeated axes.
fn expand(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (data, shape) = (ctx.input(0)?, ctx.input(1)?);
    let sizes = ctx.numbers(shape)?;
    Ok(smallvec![ctx.expand(data, &sizes)?])
}

/// `Tile`. Becomes Slice that wraps around.
fn tile(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let (data, repeats) = (ctx.input(0)?, ctx.input(1)?);
    let repeats = ctx.numbers(repeats)?;
    if repeats.len() != ctx.rank(data) {
        let (rank, count) = (ctx.rank(data), repeats.len());
        return Err(OpError::invalid(format!(
            "input `repeats` has {count} elements for data of rank {rank}"
        )));
    }
    Ok(smallvec![repeat(ctx, data, &repeats)?])
}

/// `Tile` before opset 6: along one axis.
fn tile_axis(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let rank = ctx.rank(data);
    let scalar = |ctx: &Ctx<'_>, at: usize| -> Result<i64, OpError> {
        let tensor = ctx.constant_input(at)?;
        let whole = tensor
            .as_ref()
            .and_then(crate::tensor::Tensor::to_i64s)
            .and_then(|all| all.first().copied());
        whole.ok_or_else(|| {
            OpError::invalid(format!("input `{}` holds no whole number", ctx.input_name(at)))
        })
    };
    let (tiles, axis) = (scalar(ctx, 1)?, scalar(ctx, 2)?);
    let axis = ctx.axis(axis, rank)?;
    let repeats: Vec<_> =
        (0..rank).map(|i| ctx.number(if i == axis { tiles } else { 1 })).collect();
    Ok(smallvec![repeat(ctx, data, &repeats)?])
}

fn repeat(ctx: &mut Ctx<'_>, data: ValueId, repeats: &[ValueId]) -> Result<ValueId, OpError> {
    let mut steps = Steps::default();
    for (axis, &times) in repeats.iter().enumerate() {
        let size = ctx.size_of(data, axis)?;
        let size = ctx.product(&[size, times])?;
        let (start, stride) = (ctx.number(0), ctx.number(1));
        steps.push(start, size, stride);
    }
    ctx.slice(data, &steps, SampleMode::Wrap, None)
}

/// The sizes of the node's image `[N, C, H, W]`, and the edge of its blocks.
fn image(ctx: &mut Ctx<'_>, node: &Node) -> Result<(ValueId, [ValueId; 4], i64), OpError> {
    let data = ctx.input(0)?;
    let block = required(node, "blocksize")?;
    if !(1..=crate::import::build::numbers::MAX_SIZE).contains(&block) {
        return Err(OpError::invalid(format!("attribute `blocksize` is {block}")));
    }
    let sizes = ctx.sizes(data)?;
    let rank = OpError::Rank { what: "input `input`", rank: sizes.len(), supported: "4" };
    Ok((data, sizes.try_into().map_err(|_| rank)?, block))
}

/// Whether channels are ordered depth, column, row; the other order is column, row, depth.
fn depth_first(node: &Node) -> Result<bool, OpError> {
    match node.attrs.string_or("mode", "DCR")? {
        "DCR" => Ok(true),
        "CRD" => Ok(false),
        other => {
            Err(OpError::invalid(format!("attribute `mode` is `{other}`, not `DCR` or `CRD`")))
        }
    }
}

/// A size divided by the edge or area of a block.
fn divided(ctx: &mut Ctx<'_>, size: ValueId, by: i64) -> Result<ValueId, OpError> {
    match ctx.known(size) {
        Some(size) if by == 0 || size % by != 0 => Err(OpError::invalid(format!(
            "an axis of size {size} does not divide into blocks of {by}"
        ))),
        _ => ctx.compute(Ew::FloorDiv, size, by),
    }
}

/// `DepthToSpace`: a Shuffle into blocks and one that puts them in their places.
fn depth_to_space(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, [n, c, h, w], block) = image(ctx, node)?;
    let depth_first = depth_first(node)?;
    let edge = ctx.number(block);
    let depth = divided(ctx, c, block.saturating_mul(block))?;
    let (split, order) = if depth_first {
        ([n, edge, edge, depth, h, w], vec![0, 3, 4, 1, 5, 2])
    } else {
        ([n, depth, edge, edge, h, w], vec![0, 1, 4, 2, 5, 3])
    };
    let blocks = ctx.reshape_to(data, &split)?;
    let placed = ctx.transpose(blocks, order)?;
    let (height, width) = (ctx.product(&[h, edge])?, ctx.product(&[w, edge])?);
    Ok(smallvec![ctx.reshape_to(placed, &[n, depth, height, width])?])
}

/// `SpaceToDepth`: the inverse of `DepthToSpace`.
fn space_to_depth(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (data, [n, c, h, w], block) = image(ctx, node)?;
    let order = if depth_first(node)? { vec![0, 3, 5, 1, 2, 4] } else { vec![0, 1, 3, 5, 2, 4] };
    let edge = ctx.number(block);
    let (height, width) = (divided(ctx, h, block)?, divided(ctx, w, block)?);
    let blocks = ctx.reshape_to(data, &[n, c, height, edge, width, edge])?;
    let stacked = ctx.transpose(blocks, order)?;
    let depth = ctx.product(&[c, edge, edge])?;
    Ok(smallvec![ctx.reshape_to(stacked, &[n, depth, height, width])?])
}
