//! Squeeze, Unsqueeze and neighboring Shuffles become one Shuffle; those that change nothing
//! vanish.

use crate::infer;
use crate::network::dim::Solution;
use crate::network::edit::Editor;
use crate::network::layer::{Reshape, Shuffle};
use crate::network::{Dim, LayerId, LayerKind, Network, ValueId};

pub(super) fn run(network: &mut Network) -> usize {
    let layers = network.live_layers();
    let known = network.facts.solution();
    let mut editor = Editor::new(network);
    let mut changed = 0;
    for id in layers {
        changed += usize::from(as_shuffle(&mut editor, id));
        while merge_into(&mut editor, id, &known) {
            changed += 1;
        }
        changed += usize::from(drop_if_idle(&mut editor, id));
    }
    editor.finish();
    changed
}

/// Turns a Squeeze or Unsqueeze whose shape placeholders can say into a Shuffle.
fn as_shuffle(editor: &mut Editor<'_>, id: LayerId) -> bool {
    let network = editor.network();
    let layer = network.layer(id);
    if !matches!(layer.kind, LayerKind::Squeeze(_) | LayerKind::Unsqueeze(_)) {
        return false;
    }
    let (Some(&input), Some(&output)) = (layer.inputs.first(), layer.outputs.first()) else {
        return false;
    };
    let shape = |value: ValueId| &network.value(value).ty.shape;
    let Some(reshape) = Reshape::between(shape(input), shape(output)) else { return false };
    editor.change(id, Shuffle { reshape: Some(reshape), ..Shuffle::default() }.into(), &[input]);
    true
}

/// Merges the Shuffle in front of this one into it, where nothing else takes its output.
fn merge_into(editor: &mut Editor<'_>, id: LayerId, known: &Solution) -> bool {
    let Some((front_id, input, merged)) = merged(editor, id, known) else { return false };
    let sites = editor.network().layer(front_id).sites.clone();
    editor.change(id, merged.into(), &[input]);
    editor.add_sites(id, &sites);
    editor.remove(front_id);
    true
}

fn merged(
    editor: &Editor<'_>,
    id: LayerId,
    known: &Solution,
) -> Option<(LayerId, ValueId, Shuffle)> {
    let network = editor.network();
    let (middle, back) = static_shuffle(network, id)?;
    if editor.sole_user(middle) != Some(id) {
        return None;
    }
    let front_id = network.maker(middle)?;
    let (input, front) = static_shuffle(network, front_id)?;
    let output = network.layer(id).outputs.first().copied()?;
    let between = compose(front.second_transpose.as_deref(), back.first_transpose.as_deref());
    let merged = match (&front.reshape, &back.reshape) {
        (_, None) => Shuffle {
            first_transpose: front.first_transpose.clone(),
            reshape: front.reshape.clone(),
            second_transpose: compose(between.as_deref(), back.second_transpose.as_deref()),
        },
        (None, Some(_)) => Shuffle {
            first_transpose: compose(front.first_transpose.as_deref(), between.as_deref()),
            reshape: back.reshape.clone(),
            second_transpose: back.second_transpose.clone(),
        },
        (Some(_), Some(_)) if between.is_none() => {
            let from = permuted(&network.value(input).ty.shape, front.first_transpose.as_deref())?;
            let to = unpermuted(&network.value(output).ty.shape, back.second_transpose.as_deref())?;
            Shuffle {
                first_transpose: front.first_transpose.clone(),
                reshape: Some(Reshape::between(&from, &to)?),
                second_transpose: back.second_transpose.clone(),
            }
        }
        _ => return None,
    };
    // What is left over for −1 is a quotient, which one step may round otherwise than two did.
    let inferred = infer::outputs(network, &merged.clone().into(), &[input]).ok()?;
    infer::agrees(&network.value(output).ty, inferred.first()?, known)
        .then_some((front_id, input, merged))
}

/// Removes a Shuffle that changes nothing, unless its output leaves the network.
fn drop_if_idle(editor: &mut Editor<'_>, id: LayerId) -> bool {
    let network = editor.network();
    if editor.is_removed(id) {
        return false;
    }
    let Some((input, shuffle)) = static_shuffle(network, id) else { return false };
    let Some(&output) = network.layer(id).outputs.first() else { return false };
    let same_shape = network.value(input).ty.shape == network.value(output).ty.shape;
    let transposes =
        compose(shuffle.first_transpose.as_deref(), shuffle.second_transpose.as_deref());
    let moves = if shuffle.reshape.is_some() {
        shuffle.first_transpose.is_some() || shuffle.second_transpose.is_some()
    } else {
        transposes.is_some()
    };
    if moves || !same_shape || editor.is_pinned(output) {
        return false;
    }
    editor.replace(output, input);
    editor.remove(id);
    true
}

/// A Shuffle whose shape is known at build time, with its input.
fn static_shuffle(network: &Network, id: LayerId) -> Option<(ValueId, Shuffle)> {
    let layer = network.layer(id);
    match &layer.kind {
        LayerKind::Shuffle(shuffle) if !matches!(shuffle.reshape, Some(Reshape::Input { .. })) => {
            Some((*layer.inputs.first()?, shuffle.clone()))
        }
        _ => None,
    }
}

/// One permutation that does what two do one after the other; `None` for the one that changes
/// nothing.
fn compose(first: Option<&[usize]>, second: Option<&[usize]>) -> Option<Vec<usize>> {
    let both: Vec<usize> = match (first, second) {
        (None, None) => return None,
        (Some(one), None) | (None, Some(one)) => one.to_vec(),
        (Some(first), Some(second)) => {
            second.iter().filter_map(|&axis| first.get(axis).copied()).collect()
        }
    };
    (!both.iter().copied().eq(0..both.len())).then_some(both)
}

fn permuted(dims: &[Dim], permutation: Option<&[usize]>) -> Option<Vec<Dim>> {
    match permutation {
        None => Some(dims.to_vec()),
        Some(permutation) => permutation.iter().map(|&axis| dims.get(axis).cloned()).collect(),
    }
}

fn unpermuted(dims: &[Dim], permutation: Option<&[usize]>) -> Option<Vec<Dim>> {
    let Some(permutation) = permutation else { return Some(dims.to_vec()) };
    let mut out = dims.to_vec();
    for (dim, &axis) in dims.iter().zip(permutation) {
        *out.get_mut(axis)? = dim.clone();
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutations_compose_and_cancel() {
        let nhwc: &[usize] = &[0, 2, 3, 1];
        let nchw: &[usize] = &[0, 3, 1, 2];
        assert_eq!(compose(Some(nhwc), Some(nchw)), None);
        assert_eq!(compose(Some(nhwc), Some(nhwc)), Some(vec![0, 3, 1, 2]));
        assert_eq!(compose(None, Some(&[0, 1])), None);
        let dims: Vec<Dim> = [2i64, 3, 5, 7].map(Dim::from).to_vec();
        let there = permuted(&dims, Some(nhwc)).unwrap();
        assert_eq!(unpermuted(&there, Some(nhwc)), Some(dims));
    }
}
