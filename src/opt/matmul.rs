//! A transpose of the last two axes in front of a matrix product becomes the product's own.

use crate::network::edit::Editor;
use crate::network::layer::{MatrixMultiply, MatrixOperation};
use crate::network::{LayerKind, Network, ValueId};

pub(super) fn run(network: &mut Network) -> usize {
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    let mut changed = 0;
    for id in layers {
        let layer = editor.network().layer(id);
        let LayerKind::MatrixMultiply(product) = &layer.kind else { continue };
        let (mut product, mut inputs) = (product.clone(), layer.inputs.clone());
        let MatrixMultiply { op0, op1 } = &mut product;
        let mut count = 0;
        for (op, input) in [op0, op1].into_iter().zip(&mut inputs) {
            let flipped = match op {
                MatrixOperation::None => MatrixOperation::Transpose,
                MatrixOperation::Transpose => MatrixOperation::None,
                MatrixOperation::Vector => continue,
            };
            if let Some(source) = transposed(editor.network(), *input) {
                (*op, *input) = (flipped, source);
                count += 1;
            }
        }
        if count > 0 {
            editor.change(id, product.into(), &inputs);
            changed += count;
        }
    }
    editor.finish();
    changed
}

/// What a value is the transpose of, if a Shuffle does nothing else than swap its last two axes.
fn transposed(network: &Network, value: ValueId) -> Option<ValueId> {
    let layer = network.layer(network.maker(value)?);
    let LayerKind::Shuffle(shuffle) = &layer.kind else { return None };
    let parts = (&shuffle.first_transpose, &shuffle.reshape, &shuffle.second_transpose);
    let ((Some(permutation), None, None) | (None, None, Some(permutation))) = parts else {
        return None;
    };
    let rank = permutation.len();
    let mut swapped: Vec<usize> = (0..rank).collect();
    if rank < 2 {
        return None;
    }
    swapped.swap(rank - 2, rank - 1);
    (*permutation == swapped).then(|| layer.inputs.first().copied())?
}
