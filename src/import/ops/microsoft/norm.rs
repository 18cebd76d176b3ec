//! Normalizations with what comes before and behind them.

use super::fused::{channels_first, channels_last};
use super::row;
use crate::import::build::axes::along;
use crate::import::build::ctx::Ctx;
use crate::import::build::op::Op;
use crate::import::error::OpError;
use crate::import::ops::activation::swish_of;
use crate::import::ops::norm::{
    LayerNorm, group_count, group_norm_of, layer_norm_of, rms_norm_of, wanted,
};
use crate::network::layer::{ElementWiseOperation as Ew, ReduceOperation};
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::DType;
use smallvec::smallvec;

const EMBED: &str = "input_ids segment_ids? word_embedding position_embedding segment_embedding? \
                     gamma beta mask? position_ids?";

pub(in crate::import::ops) const OPS: &[Op] = &[
    row("EmbedLayerNormalization", EMBED, embed_layer_norm).ignoring(&["mask_index_type"]),
    row("GroupNorm", "X gamma beta", group_norm),
    row("SkipGroupNorm", "X gamma beta skip bias?", skip_group_norm),
    row("SkipLayerNormalization", "input skip gamma beta? bias?", skip_layer_norm),
    row("SkipSimplifiedLayerNormalization", "input skip gamma bias?", skip_rms_norm),
];

/// `SkipLayerNormalization`: `LayerNormalization` of input + skip + bias, and that sum.
fn skip_layer_norm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let epsilon = node.attrs.float_or("epsilon", 1e-12)?;
    let bias = ctx.maybe(4);
    let sum = skipped(ctx, bias)?;
    let (gamma, beta) = (ctx.input(2)?, ctx.maybe(3));
    let inner = wanted(node, 1) || wanted(node, 2);
    let mut outputs = over_last_axis(ctx, sum, [Some(gamma), beta], epsilon, inner)?;
    // Without mean and deviation their places hold what nobody takes.
    outputs.resize(3, sum);
    outputs.push(sum);
    Ok(outputs)
}

/// `SkipSimplifiedLayerNormalization`: `RMSNormalization` of input + skip + bias, and that sum.
fn skip_rms_norm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let epsilon = node.attrs.float_or("epsilon", 1e-12)?;
    if wanted(node, 1) {
        return Err(OpError::Feature("the output `mean` of a norm that takes none"));
    }
    let bias = ctx.maybe(3);
    let sum = skipped(ctx, bias)?;
    let axis = last_axis(ctx, sum)?;
    let gamma = ctx.input(2)?;
    let [y, inverse] = rms_norm_of(ctx, sum, gamma, axis, (epsilon, DType::F32))?;
    Ok(smallvec![y, sum, inverse, sum])
}

/// The first two inputs and the bias added up.
fn skipped(ctx: &mut Ctx<'_>, bias: Option<ValueId>) -> Result<ValueId, OpError> {
    let (input, skip) = (ctx.input(0)?, ctx.input(1)?);
    let sum = ctx.binary(Ew::Sum, input, skip)?;
    bias.map_or(Ok(sum), |bias| ctx.binary(Ew::Sum, sum, bias))
}

fn last_axis(ctx: &Ctx<'_>, x: ValueId) -> Result<usize, OpError> {
    let rank = ctx.rank(x);
    rank.checked_sub(1).ok_or(OpError::Rank { what: "the data", rank, supported: "1 or more" })
}

fn over_last_axis(
    ctx: &mut Ctx<'_>,
    x: ValueId,
    [gamma, beta]: [Option<ValueId>; 2],
    epsilon: f32,
    inner: bool,
) -> Result<Values, OpError> {
    let axis = last_axis(ctx, x)?;
    let gamma = gamma.ok_or_else(|| OpError::invalid("input `gamma` is missing"))?;
    layer_norm_of(ctx, x, gamma, beta, &LayerNorm { axis, epsilon, stash: DType::F32, inner })
}

/// `EmbedLayerNormalization`: `LayerNormalization` of the rows that tables of words, positions and
/// segments have for each token, added up; how many tokens of each sample `mask` keeps; and the sum
/// of the rows.
///
/// Where no positions are given, they are 0, 1, … in each sample.
fn embed_layer_norm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let epsilon = node.attrs.float_or("epsilon", 1e-12)?;
    let ids = ctx.input(0)?;
    let [batch, length] = ctx.sizes(ids)?[..] else {
        return Err(OpError::Rank {
            what: "input `input_ids`",
            rank: ctx.rank(ids),
            supported: "2",
        });
    };
    let words = rows(ctx, 2, ids)?;
    let positions = match ctx.maybe(8) {
        Some(positions) => positions,
        None => ctx.count_up(length)?,
    };
    let places = rows(ctx, 3, positions)?;
    let mut sum = ctx.binary(Ew::Sum, words, places)?;
    match (ctx.maybe(1), ctx.maybe(4)) {
        (Some(segments), Some(_)) => {
            let segments = rows(ctx, 4, segments)?;
            sum = ctx.binary(Ew::Sum, sum, segments)?;
        }
        (Some(_), None) => {
            return Err(OpError::invalid("input `segment_ids` has no `segment_embedding`"));
        }
        (None, _) => {}
    }
    let (gamma, beta) = (ctx.input(5)?, ctx.input(6)?);
    let y = over_last_axis(ctx, sum, [Some(gamma), Some(beta)], epsilon, false)?;
    let y = y.first().copied().ok_or_else(|| OpError::invalid("a norm without a result"))?;
    if !wanted(node, 1) {
        return Ok(smallvec![y, sum, sum]);
    }
    let kept = match ctx.maybe(7) {
        Some(mask) => {
            let one = ctx.filled(ctx.dtype(mask), 1.0, 2)?;
            let kept = ctx.binary(Ew::Equal, mask, one)?;
            let kept = ctx.cast(kept, DType::I32)?;
            ctx.reduce(ReduceOperation::Sum, kept, vec![1], false)?
        }
        None => {
            let zero = ctx.filled(DType::I32, 0.0, 1)?;
            ctx.expand(zero, &[batch])?
        }
    };
    Ok(smallvec![y, kept, sum])
}

/// The rows of the table at an input.
fn rows(ctx: &mut Ctx<'_>, table: usize, indices: ValueId) -> Result<ValueId, OpError> {
    let table = ctx.input(table)?;
    if ctx.rank(table) != 2 {
        let rank = ctx.rank(table);
        return Err(OpError::Rank { what: "a table of embeddings", rank, supported: "2" });
    }
    ctx.gather(table, indices, 0)
}

/// `GroupNorm`, see [`grouped`].
fn group_norm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let x = ctx.input(0)?;
    let last = node.attrs.int_or("channels_last", 1)? != 0;
    let first = if last { channels_first(ctx, x)? } else { x };
    let y = grouped(ctx, node, first)?;
    Ok(smallvec![if last { channels_last(ctx, y)? } else { y }])
}

/// `SkipGroupNorm`: the same of X + skip + bias, and that sum. A skip without the inner axes counts
/// for all places.
fn skip_group_norm(ctx: &mut Ctx<'_>, node: &Node) -> Result<Values, OpError> {
    let (x, mut skip, bias) = (ctx.input(0)?, ctx.input(3)?, ctx.maybe(4));
    let rank = ctx.rank(x);
    let last = node.attrs.int_or("channels_last", 1)? != 0;
    if ctx.rank(skip) == 2 {
        let inner = if last { 1..rank.saturating_sub(1) } else { 2..rank };
        skip = ctx.unsqueeze(skip, inner.collect())?;
    }
    let mut sum = ctx.binary(Ew::Sum, x, skip)?;
    if let Some(bias) = bias {
        let bias = along(ctx, bias, if last { rank.saturating_sub(1) } else { 1 }, rank)?;
        sum = ctx.binary(Ew::Sum, sum, bias)?;
    }
    let first = if last { channels_first(ctx, sum)? } else { sum };
    let y = grouped(ctx, node, first)?;
    Ok(smallvec![if last { channels_last(ctx, y)? } else { y }, sum])
}

/// `GroupNormalization` of data with its channels at axis 1, times its sigmoid if `activation` is
/// 1.
fn grouped(ctx: &mut Ctx<'_>, node: &Node, x: ValueId) -> Result<ValueId, OpError> {
    let groups = group_count(node, "groups")?;
    let epsilon = node.attrs.float_or("epsilon", 1e-5)?;
    let activation = node.attrs.int_or("activation", 0)?;
    let mut coefficient = |at| {
        let value = ctx.input(at)?;
        ctx.cast(value, ctx.dtype(x))
    };
    let coefficients = [coefficient(1)?, coefficient(2)?];
    let y = group_norm_of(ctx, x, coefficients, groups, (epsilon, DType::F32))?;
    match activation {
        0 => Ok(y),
        1 => swish_of(ctx, y, 1.0),
        other => Err(OpError::Value {
            what: "attribute `activation`",
            value: other.to_string(),
            supported: "0, 1",
        }),
    }
}
