//! Losses of a classification: what the true class of each sample costs.

use super::norm::wanted;
use super::softmax::logarithmic;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::{NOW, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::{
    ElementWiseOperation as Ew, Gather, GatherMode, ReduceOperation, UnaryOperation as Un,
};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

pub(super) const OPS: &[Op] = &[
    onnx("NegativeLogLikelihoodLoss", 12..=NOW, "input target weight?", negative_log_likelihood),
    onnx("SoftmaxCrossEntropyLoss", 12..=NOW, "scores labels weights?", softmax_cross_entropy),
];

/// `NegativeLogLikelihoodLoss`: a Gather of the true classes, negated, weighted and reduced.
fn negative_log_likelihood(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    Ok(smallvec![loss(ctx, node, x)?])
}

/// `SoftmaxCrossEntropyLoss`: the same of the logarithms of the softmax, which are the second
/// output.
fn softmax_cross_entropy(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let scores = ctx.input(0)?;
    class_axis(ctx, scores)?;
    let x = logarithmic(ctx, scores, 1)?;
    let loss = loss(ctx, node, x)?;
    Ok(if wanted(node, 1) { smallvec![loss, x] } else { smallvec![loss] })
}

fn class_axis(ctx: &Ctx<'_>, x: ValueId) -> Result<(), OpError> {
    match ctx.rank(x) {
        rank @ (0 | 1) => {
            Err(OpError::Rank { what: "the first input", rank, supported: "2 or more" })
        }
        _ => Ok(()),
    }
}

/// The loss of logarithms of probabilities `x`, `[N, C, …]`, with the node's classes `[N, …]` and
/// weights `[C]`.
///
/// A sample of the class `ignore_index` costs 0 and weighs 0. The mean divides by the sum of the
/// weights.
fn loss(ctx: &mut Ctx<'_>, node: &Node, x: ValueId) -> Result<ValueId, OpError> {
    class_axis(ctx, x)?;
    let (dtype, rank) = (ctx.dtype(x), ctx.rank(x));
    let mut target = ctx.cast(ctx.input(1)?, DType::I64)?;
    if ctx.rank(target) + 1 != rank {
        let (have, want) = (ctx.rank(target), rank - 1);
        return Err(OpError::invalid(format!(
            "the classes have rank {have}, but the data asks for {want}"
        )));
    }
    let (zero, one) = (ctx.filled(dtype, 0.0, rank - 1)?, ctx.filled(dtype, 1.0, rank - 1)?);
    let mut ignored = None;
    if let Some(index) = node.attrs.int("ignore_index")? {
        let index = ctx.i64s(&[index]);
        let is_ignored = ctx.binary(Ew::Equal, target, index)?;
        // The class may be none that the data has.
        let first = ctx.i64s(&[0]);
        target = ctx.select(is_ignored, first, target)?;
        ignored = Some(is_ignored);
    }
    let columns = ctx.unsqueeze(target, vec![1])?;
    let picked = ctx
        .add(Gather { mode: GatherMode::Element, axis: 1, element_wise_dims: 0 }, &[x, columns])?;
    let picked = ctx.squeeze(picked, vec![1])?;
    let mut costs = ctx.unary(Un::Neg, picked)?;
    let mut weights = None;
    if let Some(of_class) = ctx.maybe(2) {
        let gather = Gather { mode: GatherMode::Default, axis: 0, element_wise_dims: 0 };
        let of_sample = ctx.add(gather, &[of_class, target])?;
        costs = ctx.binary(Ew::Prod, costs, of_sample)?;
        weights = Some(of_sample);
    }
    if let Some(ignored) = ignored {
        costs = ctx.select(ignored, zero, costs)?;
        weights = Some(ctx.select(ignored, zero, weights.unwrap_or(one))?);
    }
    reduced(ctx, node, costs, weights)
}

/// The costs of all samples as the attribute `reduction` says.
fn reduced(
    ctx: &mut Ctx<'_>,
    node: &Node,
    costs: ValueId,
    weights: Option<ValueId>,
) -> Result<ValueId, OpError> {
    let all: Vec<_> = (0..ctx.rank(costs)).collect();
    match (node.attrs.string_or("reduction", "mean")?, weights) {
        ("none", _) => Ok(costs),
        ("sum", _) => ctx.reduce(ReduceOperation::Sum, costs, all, false),
        ("mean", None) => ctx.reduce(ReduceOperation::Avg, costs, all, false),
        ("mean", Some(weights)) => {
            let cost = ctx.reduce(ReduceOperation::Sum, costs, all.clone(), false)?;
            let weight = ctx.reduce(ReduceOperation::Sum, weights, all, false)?;
            ctx.binary(Ew::Div, cost, weight)
        }
        (other, _) => Err(OpError::invalid(format!("attribute `reduction` is `{other}`"))),
    }
}
