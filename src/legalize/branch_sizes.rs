//! Numbers that come out of branches and say sizes. TensorRT-RTX fails at such a number, but knows
//! the sizes of what comes out: each number leaves as the length of a vector of zeros.

use super::insert::{Insert, internal};
use crate::error::Result;
use crate::infer;
use crate::network::edit::Editor;
use crate::network::layer::{Arg, Concatenation, Conditional, Constant, SampleMode, Slice};
use crate::network::{Block, Dim, Layer, LayerId, LayerKind, Network, ValueId, Values, sizing};
use crate::tensor::{DType, Tensor};

/// The largest number that becomes a vector, where it is known: larger ones are bounds that no size
/// reaches, such as the end of a Slice.
const MOST_ZEROS: i64 = 1 << 20;

/// Rewrites conditionals that give vectors of sizes. Others stay: single numbers, such as −1, and
/// sizes that come out of a conditional inside a branch.
pub(super) fn run(network: &mut Network) -> Result<()> {
    let holding = sizing::values_holding_sizes(network);
    let mut changed = false;
    for id in network.live_layers() {
        let layer = network.layer(id).clone();
        let LayerKind::Conditional(of) = &layer.kind else { continue };
        let counts: Vec<Option<usize>> = layer
            .outputs
            .iter()
            .enumerate()
            .map(|(at, output)| holding.contains(output).then(|| count(network, of, at)).flatten())
            .collect();
        if counts.iter().any(Option::is_some) {
            rewrite(network, id, &layer, of, &counts)?;
            changed = true;
        }
    }
    if changed {
        network.compact();
    }
    Ok(())
}

/// How many numbers both branches give at this place, where that and that each is a size are known.
fn count(network: &Network, of: &Conditional, at: usize) -> Option<usize> {
    let sizes = |block: &Block| {
        let ty = &network.value(*block.results.get(at)?).ty;
        let elements = ty.elements.as_deref()?;
        let fits = ty.dtype == DType::I64 && ty.shape.rank() == 1 && !elements.is_empty();
        let is_size = |element: &Dim| {
            element.is_nonnegative() && element.known().is_none_or(|size| size <= MOST_ZEROS)
        };
        (fits && elements.iter().all(is_size)).then_some(elements.len())
    };
    let (then, other) = (sizes(&of.then_block)?, sizes(&of.else_block)?);
    (then == other).then_some(then)
}

/// Replaces a conditional by one that gives vectors for some of its outputs; `counts` says for
/// which and how many.
fn rewrite(
    network: &mut Network,
    id: LayerId,
    layer: &Layer,
    of: &Conditional,
    counts: &[Option<usize>],
) -> Result<()> {
    let mut sized = of.clone();
    for block in [&mut sized.then_block, &mut sized.else_block] {
        let results = std::mem::take(&mut block.results);
        for (result, count) in results.into_iter().zip(counts) {
            match count {
                None => block.results.push(result),
                Some(count) => {
                    for at in 0..*count {
                        let vector = vector(network, block, layer, result, at)?;
                        block.results.push(vector);
                    }
                }
            }
        }
    }
    let mut editor = Editor::new(network);
    let mut insert = Insert::before(&mut editor, id);
    let mut made = insert.add_all(sized, &layer.inputs)?.into_iter();
    let mut values = Vec::with_capacity(counts.len());
    for count in counts {
        let parts: Values = made.by_ref().take(count.unwrap_or(1)).collect();
        values.push(match count {
            None => parts.first().copied().ok_or_else(|| internal(layer, &"a lost output"))?,
            Some(_) => lengths(&mut insert, &parts)?,
        });
    }
    insert.replace_layer(&values);
    editor.finish();
    Ok(())
}

/// Zeros, as many as the number at this place of some says, at the end of a block.
fn vector(
    network: &mut Network,
    block: &mut Block,
    layer: &Layer,
    numbers: ValueId,
    at: usize,
) -> Result<ValueId> {
    let mut add = |kind: LayerKind, inputs: &[ValueId]| {
        let outputs = infer::add(network, block, kind, inputs, &layer.sites);
        let outputs = outputs.map_err(|error| internal(layer, &error))?;
        outputs.first().copied().ok_or_else(|| internal(layer, &"a layer without output"))
    };
    let start = i64::try_from(at).map_err(|error| internal(layer, &error))?;
    let slice = |start, size, stride| Slice {
        start: Arg::Static(vec![start]),
        size,
        stride: Arg::Static(vec![stride]),
        mode: SampleMode::StrictBounds,
        fill: None,
    };
    let number = add(slice(start, Arg::Static(vec![1]), 1).into(), &[numbers])?;
    let zero = add(Constant { weights: Tensor::vector(&[0f32]) }.into(), &[])?;
    add(slice(0, Arg::Input(1), 0).into(), &[zero, number])
}

/// The lengths of vectors, one behind the other.
fn lengths(insert: &mut Insert<'_, '_>, vectors: &[ValueId]) -> Result<ValueId> {
    let lengths: Values = vectors
        .iter()
        .map(|&vector| insert.add(LayerKind::Shape, &[vector]))
        .collect::<Result<_>>()?;
    match lengths.as_slice() {
        &[length] => Ok(length),
        all => insert.add(Concatenation { axis: 0 }, all),
    }
}
