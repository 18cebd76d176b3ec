//! One step of an optimizer: plain arithmetic on parameters and gradients.

use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{ElementWiseOperation as Ew, UnaryOperation as Un};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use smallvec::SmallVec;

const DOMAIN: &str = "ai.onnx.preview.training";

pub(super) const OPS: &[Op] = &[
    onnx("Adagrad", 1..=NOW, "R T inputs*", adagrad).of(DOMAIN),
    onnx("Adam", 1..=NOW, "R T inputs*", adam).of(DOMAIN),
    onnx("Momentum", 1..=NOW, "R T inputs*", momentum).of(DOMAIN),
];

/// Applies `step` to each optimized tensor with what belongs to it: the inputs are `N` lists of
/// equal length, the outputs `M` lists.
fn each<const N: usize, const M: usize>(
    ctx: &mut Ctx<'_>,
    mut step: impl FnMut(&mut Ctx<'_>, [ValueId; N]) -> Result<[ValueId; M], OpError>,
) -> Result<Values, OpError> {
    let all = ctx.all_inputs()?;
    let lists = all.get(2..).unwrap_or_default();
    if lists.is_empty() || lists.len() % N != 0 {
        let count = lists.len();
        return Err(OpError::invalid(format!(
            "{count} tensors do not divide into {N} lists of equal length"
        )));
    }
    let count = lists.len() / N;
    let mut rows = Vec::with_capacity(count);
    for at in 0..count {
        let own: Values = lists.iter().skip(at).step_by(count).copied().collect();
        let own = <[ValueId; N]>::try_from(own.as_slice())
            .map_err(|_| OpError::invalid("a list is too short"))?;
        rows.push(step(ctx, own)?);
    }
    Ok((0..M)
        .flat_map(|list| rows.iter().filter_map(move |row| row.get(list)).copied())
        .collect::<SmallVec<_>>())
}

/// The update count in the type of the learning rate.
fn update_count(ctx: &mut Ctx<'_>) -> Result<ValueId, OpError> {
    let (rate, count) = (ctx.input(0)?, ctx.input(1)?);
    ctx.cast(count, ctx.dtype(rate))
}

/// a + factor · b
fn plus(ctx: &mut Ctx<'_>, a: ValueId, factor: f64, b: ValueId) -> Result<ValueId, OpError> {
    let scaled = ctx.binary_scalar(Ew::Prod, b, factor)?;
    ctx.binary(Ew::Sum, a, scaled)
}

/// share · a + (1 − share) · b
fn blend(ctx: &mut Ctx<'_>, share: f64, a: ValueId, b: ValueId) -> Result<ValueId, OpError> {
    let a = ctx.binary_scalar(Ew::Prod, a, share)?;
    plus(ctx, a, 1.0 - share, b)
}

/// 1 − base^exponent, for a base that is a number.
fn one_less_power(ctx: &mut Ctx<'_>, base: f64, exponent: ValueId) -> Result<ValueId, OpError> {
    let (dtype, rank) = (ctx.dtype(exponent), ctx.rank(exponent));
    let (base, one) = (ctx.filled(dtype, base, rank)?, ctx.filled(dtype, 1.0, rank)?);
    let power = ctx.binary(Ew::Pow, base, exponent)?;
    ctx.binary(Ew::Sub, one, power)
}

/// x − rate · direction / (√squares + ε)
fn descend(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    rate: ValueId,
    direction: ValueId,
    squares: ValueId,
    epsilon: f64,
) -> Result<ValueId, OpError> {
    let root = ctx.unary(Un::Sqrt, squares)?;
    let root = ctx.binary_scalar(Ew::Sum, root, epsilon)?;
    let far = ctx.binary(Ew::Prod, rate, direction)?;
    let far = ctx.binary(Ew::Div, far, root)?;
    ctx.binary(Ew::Sub, x, far)
}

fn number(node: &Node, name: &str, default: f32) -> Result<f64, OpError> {
    Ok(f64::from(node.attrs.float_or(name, default)?))
}

/// `Adagrad`, of tensors X, gradients G and sums of squared gradients H.
fn adagrad(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (epsilon, decay) = (number(node, "epsilon", 1e-6)?, number(node, "decay_factor", 0.0)?);
    let norm = number(node, "norm_coefficient", 0.0)?;
    let count = update_count(ctx)?;
    let slowed = ctx.binary_scalar(Ew::Prod, count, decay)?;
    let slowed = ctx.binary_scalar(Ew::Sum, slowed, 1.0)?;
    let rate = ctx.binary(Ew::Div, ctx.input(0)?, slowed)?;
    each(ctx, |ctx, [x, g, h]| {
        let g = plus(ctx, g, norm, x)?;
        let square = ctx.binary(Ew::Prod, g, g)?;
        let h = ctx.binary(Ew::Sum, h, square)?;
        Ok([descend(ctx, x, rate, g, h, epsilon)?, h])
    })
}

/// `Adam`, of tensors X, gradients G and means V of gradients and H of squared gradients.
fn adam(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (alpha, beta) = (number(node, "alpha", 0.9)?, number(node, "beta", 0.999)?);
    let (norm, epsilon) = (number(node, "norm_coefficient", 0.0)?, number(node, "epsilon", 1e-6)?);
    let kept = 1.0 - number(node, "norm_coefficient_post", 0.0)?;
    let (first_rate, count) = (ctx.input(0)?, update_count(ctx)?);
    let (of_means, of_squares) =
        (one_less_power(ctx, alpha, count)?, one_less_power(ctx, beta, count)?);
    let correction = ctx.unary(Un::Sqrt, of_squares)?;
    let rate = ctx.binary(Ew::Prod, first_rate, correction)?;
    let rate = ctx.binary(Ew::Div, rate, of_means)?;
    let later = ctx.binary_scalar(Ew::Greater, count, 0.0)?;
    let rate = ctx.select(later, rate, first_rate)?;
    each(ctx, |ctx, [x, g, v, h]| {
        let g = plus(ctx, g, norm, x)?;
        let square = ctx.binary(Ew::Prod, g, g)?;
        let (v, h) = (blend(ctx, alpha, v, g)?, blend(ctx, beta, h, square)?);
        let x = descend(ctx, x, rate, v, h, epsilon)?;
        Ok([ctx.binary_scalar(Ew::Prod, x, kept)?, v, h])
    })
}

/// `Momentum`, of tensors X, gradients G and momenta V.
fn momentum(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let required = |name: &str| {
        let value = node.attrs.float(name)?.map(f64::from);
        value.ok_or_else(|| OpError::invalid(format!("attribute `{name}` is missing")))
    };
    let (alpha, beta, norm) =
        (required("alpha")?, required("beta")?, required("norm_coefficient")?);
    let nesterov = match node.attrs.string_or("mode", "")? {
        "standard" => false,
        "nesterov" => true,
        other => return Err(OpError::invalid(format!("attribute `mode` is `{other}`"))),
    };
    let (rate, count) = (ctx.input(0)?, update_count(ctx)?);
    // The first gradient counts in full.
    let later = ctx.binary_scalar(Ew::Greater, count, 0.0)?;
    let (part, full) = (ctx.scalar(ctx.dtype(rate), beta)?, ctx.scalar(ctx.dtype(rate), 1.0)?);
    let share = ctx.select(later, part, full)?;
    each(ctx, |ctx, [x, g, v]| {
        let g = plus(ctx, g, norm, x)?;
        let own = ctx.binary(Ew::Prod, share, g)?;
        let v = plus(ctx, own, alpha, v)?;
        let direction = if nesterov { plus(ctx, g, alpha, v)? } else { v };
        let far = ctx.binary(Ew::Prod, rate, direction)?;
        Ok([ctx.binary(Ew::Sub, x, far)?, v])
    })
}
