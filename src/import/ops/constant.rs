//! Data that is fixed, made by a formula, or random; and the sizes of data.

use crate::import::build::ctx::Ctx;
use crate::import::build::graph::storable;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{
    Arg, ElementWiseOperation as Ew, Fill, FillOperation, SampleMode, Slice, UnaryOperation,
};
use crate::network::{ValueId, Values};
use crate::onnx::{Constant, Node, dtype_from_onnx};
use crate::tensor::{DType, Tensor};
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("Bernoulli", 15..=NOW, "input", bernoulli).ignoring(&["seed"]),
    onnx("Constant", 1..=NOW, "", constant),
    onnx("ConstantOfShape", 9..=NOW, "input", constant_of_shape),
    onnx("EyeLike", 9..=NOW, "input", eye_like),
    onnx("RandomNormal", 1..=NOW, "", |ctx, node| random(ctx, node, &NORMAL)).ignoring(&["seed"]),
    onnx("RandomNormalLike", 1..=NOW, "input", |ctx, node| random_like(ctx, node, &NORMAL))
        .ignoring(&["seed"]),
    onnx("RandomUniform", 1..=NOW, "", |ctx, node| random(ctx, node, &UNIFORM)).ignoring(&["seed"]),
    onnx("RandomUniformLike", 1..=NOW, "input", |ctx, node| random_like(ctx, node, &UNIFORM))
        .ignoring(&["seed"]),
    onnx("Range", 11..=NOW, "start limit delta", range),
    onnx("Shape", 1..=NOW, "data", shape),
    onnx("Size", 1..=NOW, "data", size),
];

/// `Constant`. Becomes Constant; numbers and booleans only, sparse ones made dense.
fn constant(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let attrs = &node.attrs;
    let given = ["value", "sparse_value"].into_iter().find(|name| attrs.has(name));
    let tensor = if let Some(name) = given {
        attrs.tensor(name)?.map(stored).transpose()?
    } else if let Some(value) = attrs.float("value_float")? {
        Some(Tensor::scalar(value))
    } else if let Some(values) = attrs.floats("value_floats")? {
        Some(Tensor::vector(values))
    } else if let Some(value) = attrs.int("value_int")? {
        Some(Tensor::scalar(value))
    } else if let Some(values) = attrs.ints("value_ints")? {
        Some(Tensor::vector(values))
    } else if attrs.has("value_string") || attrs.has("value_strings") {
        return Err(OpError::Feature("a constant of strings"));
    } else {
        None
    };
    let tensor = tensor.ok_or_else(|| OpError::invalid("attribute `value` is missing"))?;
    Ok(smallvec![ctx.constant_value(tensor)])
}

/// The data of a tensor attribute in a type that TensorRT has.
fn stored(constant: &Constant) -> Result<Tensor, OpError> {
    let lacks = |element: &dyn std::fmt::Display| OpError::Value {
        what: "the element type of attribute `value`",
        value: element.to_string(),
        supported: "the number types that TensorRT has",
    };
    let tensor = constant.tensor().map_err(|error| lacks(&error.0))?;
    storable(tensor.clone()).map_err(|dtype| lacks(&dtype))
}

/// `ConstantOfShape`: one element, repeated by a Slice of stride 0.
fn constant_of_shape(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let value = match node.attrs.tensor("value")? {
        Some(value) => stored(value)?,
        None => Tensor::scalar(0f32),
    };
    let shape = ctx.input(0)?;
    let sizes = ctx.numbers(shape)?;
    let value = ctx.constant_value(value.reshaped(vec![1; sizes.len()])?);
    Ok(smallvec![ctx.expand(value, &sizes)?])
}

/// The type that attribute `dtype` names; `f64` is computed in `f32`.
fn dtype(node: &Node, default: DType) -> Result<DType, OpError> {
    let Some(code) = node.attrs.int("dtype")? else { return Ok(default) };
    match dtype_from_onnx(code) {
        Some(DType::F64) => Ok(DType::F32),
        Some(dtype) if dtype.in_tensorrt() => Ok(dtype),
        Some(dtype) => Err(OpError::DType {
            what: "attribute `dtype`",
            dtype,
            supported: "the types TensorRT has",
        }),
        None => {
            Err(OpError::invalid(format!("attribute `dtype` is {code}, which is no number type")))
        }
    }
}

/// `EyeLike`: where column − row is k.
fn eye_like(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let like = ctx.input(0)?;
    let dtype = dtype(node, ctx.dtype(like))?;
    let k = node.attrs.int_or("k", 0)?;
    let [rows, columns] = ctx.sizes(like)?[..] else {
        return Err(OpError::Rank { what: "input `input`", rank: ctx.rank(like), supported: "2" });
    };
    let row = ctx.count_up(rows)?;
    let row = ctx.compute(Ew::Sum, row, k)?;
    let row = ctx.unsqueeze(row, vec![1])?;
    let column = ctx.count_up(columns)?;
    let eye = ctx.binary(Ew::Equal, row, column)?;
    Ok(smallvec![ctx.cast(eye, dtype)?])
}

/// `Range`: start + i·delta for i below ⌈(limit − start) / delta⌉. Becomes Fill.
fn range(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let dtype = ctx.dtype(ctx.input(0)?);
    let stash = node.attrs.int_or("stash_type", 1)?;
    let narrow = matches!(dtype, DType::F16 | DType::BF16);
    if narrow && stash != 1 {
        return Err(OpError::Value {
            what: "attribute `stash_type`",
            value: stash.to_string(),
            supported: "1 (float)",
        });
    }
    let mut parts = [ctx.input(0)?, ctx.input(1)?, ctx.input(2)?];
    for part in &mut parts {
        *part = ctx.as_scalar(*part)?;
        *part = ctx.cast(*part, if narrow { DType::F32 } else { dtype })?;
    }
    let [start, limit, delta] = parts;
    if ctx.constant(delta).and_then(|delta| delta.to_i64s()).is_some_and(|delta| delta == [0]) {
        return Err(OpError::invalid("input `delta` is 0"));
    }
    let step = ctx.unsqueeze(delta, vec![0])?;
    let count = if dtype.is_int() {
        // The span of the type's own numbers need not be one of them.
        let (start, limit) = (ctx.cast(start, DType::I64)?, ctx.cast(limit, DType::I64)?);
        let span = ctx.binary(Ew::Sub, limit, start)?;
        let (span, step) = (ctx.unsqueeze(span, vec![0])?, ctx.cast(step, DType::I64)?);
        ctx.ceil_div(span, step)?
    } else {
        let span = ctx.binary(Ew::Sub, limit, start)?;
        let count = ctx.binary(Ew::Div, span, delta)?;
        let count = ctx.unary(UnaryOperation::Ceil, count)?;
        let count = ctx.cast(count, DType::I64)?;
        ctx.unsqueeze(count, vec![0])?
    };
    let count = ctx.at_least_zero(count)?;
    let values = ctx.linspace(count, start, step)?;
    Ok(smallvec![ctx.cast(values, dtype)?])
}

/// A distribution, and the attributes that hold its parameters with their defaults.
struct Distribution {
    operation: FillOperation,
    alpha: (&'static str, f32),
    beta: (&'static str, f32),
}

const NORMAL: Distribution = Distribution {
    operation: FillOperation::RandomNormal,
    alpha: ("mean", 0.0),
    beta: ("scale", 1.0),
};
const UNIFORM: Distribution = Distribution {
    operation: FillOperation::RandomUniform,
    alpha: ("low", 0.0),
    beta: ("high", 1.0),
};

/// `RandomNormal`, `RandomUniform`. Becomes Fill, whose numbers are TensorRT's own.
fn random(ctx: &mut Ctx<'_>, node: &Node, of: &Distribution) -> Result<Values, OpError> {
    let shape = node
        .attrs
        .ints("shape")?
        .ok_or_else(|| OpError::invalid("attribute `shape` is missing"))?;
    let sizes = ctx.fixed_numbers(shape);
    let dtype = dtype(node, DType::F32)?;
    Ok(smallvec![random_of(ctx, node, of, &sizes, dtype)?])
}

/// `RandomNormalLike`, `RandomUniformLike`. Becomes Fill, whose numbers are TensorRT's own.
fn random_like(ctx: &mut Ctx<'_>, node: &Node, of: &Distribution) -> Result<Values, OpError> {
    let like = ctx.input(0)?;
    let dtype = dtype(node, ctx.dtype(like))?;
    let sizes = ctx.sizes(like)?;
    Ok(smallvec![random_of(ctx, node, of, &sizes, dtype)?])
}

fn random_of(
    ctx: &mut Ctx<'_>,
    node: &Node,
    of: &Distribution,
    sizes: &[ValueId],
    dtype: DType,
) -> Result<ValueId, OpError> {
    let parameter = |(name, default): (&str, f32)| {
        node.attrs.float_or(name, default).map(|x| Arg::Static(x.into()))
    };
    let (alpha, beta) = (parameter(of.alpha)?, parameter(of.beta)?);
    if !dtype.is_float() {
        return Err(OpError::DType {
            what: "attribute `dtype`",
            dtype,
            supported: "floating point",
        });
    }
    ctx.note(
        "random numbers are TensorRT's own: they differ from those of other runtimes, \
              whatever the seed",
    );
    let mut inputs = Values::new();
    let dims = ctx.sizes_arg(sizes, &mut inputs)?;
    // TensorRT draws f32 and f16 only.
    let drawn = if dtype == DType::F16 { dtype } else { DType::F32 };
    let values =
        ctx.add(Fill { operation: of.operation, dims, alpha, beta, dtype: drawn }, &inputs)?;
    ctx.cast(values, dtype)
}

/// `Bernoulli`: 1 where a uniform random number is below the probability.
fn bernoulli(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let probability = ctx.input(0)?;
    let dtype = dtype(node, ctx.dtype(probability))?;
    let probability = ctx.cast(probability, DType::F32)?;
    let sizes = ctx.sizes(probability)?;
    let drawn = random_of(ctx, node, &UNIFORM, &sizes, DType::F32)?;
    let hit = ctx.binary(Ew::Less, drawn, probability)?;
    Ok(smallvec![ctx.cast(hit, dtype)?])
}

/// `Shape`. Becomes Shape, and a Slice for a part of it; out-of-range ends are clamped.
fn shape(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let rank =
        i64::try_from(ctx.rank(data)).map_err(|_| OpError::invalid("the rank is out of range"))?;
    let clamp = |at: i64| if at < 0 { at.saturating_add(rank).max(0) } else { at.min(rank) };
    let start = clamp(node.attrs.int_or("start", 0)?);
    let end = clamp(node.attrs.int_or("end", rank)?);
    let shape = ctx.shape_of(data)?;
    if (start, end) == (0, rank) {
        return Ok(smallvec![shape]);
    }
    let slice = Slice {
        start: Arg::Static(vec![start]),
        size: Arg::Static(vec![(end - start).max(0)]),
        stride: Arg::Static(vec![1]),
        mode: SampleMode::StrictBounds,
        fill: None,
    };
    Ok(smallvec![ctx.add(slice, &[shape])?])
}

/// `Size`: the product of the shape.
fn size(ctx: &mut Ctx<'_>, _: &Node) -> Result<Values, OpError> {
    let data = ctx.input(0)?;
    let sizes = ctx.sizes(data)?;
    let product = ctx.product(&sizes)?;
    Ok(smallvec![ctx.as_scalar(product)?])
}
