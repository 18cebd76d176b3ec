//! Transposed convolutions with a stride and a dilation, of which TensorRT computes one at a time:
//! zeros between the taps of the kernel take the dilation's place.

use super::insert::{Insert, internal};
use crate::error::Result;
use crate::network::edit::Editor;
use crate::network::layer::{Arg, Convolution, Deconvolution, Reshape, SampleMode, Shuffle, Slice};
use crate::network::{LayerKind, Network, ValueId};
use crate::tensor::Tensor;

/// Rewrites every such layer.
pub(super) fn run(network: &mut Network) -> Result<()> {
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for id in layers {
        let LayerKind::Deconvolution(Deconvolution(of)) = &editor.network().layer(id).kind else {
            continue;
        };
        let one = |list: &[usize]| list.iter().all(|&n| n == 1);
        if one(&of.stride) || one(&of.dilation) {
            continue;
        }
        let mut of = of.clone();
        let mut insert = Insert::before(&mut editor, id);
        let mut inputs = insert.layer().inputs.clone();
        let spread = of
            .kernel
            .iter()
            .zip(&of.dilation)
            .map(|(&k, &d)| k.saturating_sub(1).saturating_mul(d) + 1);
        let spread: Vec<usize> = spread.collect();
        match &mut of.weights {
            Arg::Static(weights) => {
                let stuffed = stuffed(weights, &of.dilation, &spread);
                *weights = stuffed
                    .ok_or_else(|| internal(insert.layer(), &"a kernel that is too large"))?;
            }
            Arg::Input(at) => {
                let kernel = inputs
                    .get_mut(*at)
                    .ok_or_else(|| internal(insert.layer(), &"a kernel that is missing"))?;
                *kernel = stuffed_late(&mut insert, *kernel, &of, &spread)?;
            }
        }
        of.dilation = vec![1; spread.len()];
        of.kernel = spread;
        let value = insert.add(Deconvolution(of), &inputs)?;
        insert.replace_layer(&[value]);
    }
    editor.finish();
    Ok(())
}

/// A kernel with zeros between its taps; `None` where it would be too large to hold.
fn stuffed(kernel: &Tensor, dilation: &[usize], spread: &[usize]) -> Option<Tensor> {
    let (channels, taps) = kernel.dims().split_at_checked(2)?;
    let width = kernel.dtype().bytes_for(1)?;
    let dims = [channels, spread].concat();
    let mut bytes = vec![0; kernel.dtype().bytes_for(crate::tensor::volume(&dims)?)?];
    for (at, element) in kernel.bytes().chunks_exact(width).enumerate() {
        // The element's place, from its innermost axis outwards.
        let (mut rest, mut place, mut step) = (at, 0, 1);
        for axis in (0..taps.len()).rev() {
            place += rest % taps[axis] * dilation.get(axis)? * step;
            rest /= taps[axis];
            step *= spread.get(axis)?;
        }
        let from = (place + rest * step) * width;
        bytes.get_mut(from..from + width)?.copy_from_slice(element);
    }
    Tensor::new(kernel.dtype(), dims, bytes.into()).ok()
}

/// The same for a kernel that the run knows: each tap gets an axis of its own, which zeros fill up.
fn stuffed_late(
    insert: &mut Insert<'_, '_>,
    kernel: ValueId,
    of: &Convolution,
    spread: &[usize],
) -> Result<ValueId> {
    let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let channels = channels(insert, kernel)
        .ok_or_else(|| internal(insert.layer(), &"a kernel of unknown shape"))?;
    let channels = channels.map(signed).to_vec();
    let (mut apart, mut filled, mut joined) =
        (channels.clone(), channels.clone(), channels.clone());
    for (&taps, &distance) in of.kernel.iter().zip(&of.dilation) {
        apart.extend([signed(taps), 1]);
        filled.extend([signed(taps), signed(distance)]);
        joined.push(signed(taps).saturating_mul(signed(distance)));
    }
    let cut: Vec<i64> = channels.into_iter().chain(spread.iter().map(|&n| signed(n))).collect();
    let reshape = |dims| Shuffle {
        reshape: Some(Reshape::Static { dims, zero_is_placeholder: false }),
        ..Shuffle::default()
    };
    let slice = |size: Vec<i64>, mode| Slice {
        start: Arg::Static(vec![0; size.len()]),
        stride: Arg::Static(vec![1; size.len()]),
        size: Arg::Static(size),
        mode,
        fill: None,
    };
    let value = insert.add(reshape(apart), &[kernel])?;
    let value = insert.add(slice(filled, SampleMode::Fill), &[value])?;
    let value = insert.add(reshape(joined), &[value])?;
    insert.add(slice(cut, SampleMode::StrictBounds), &[value])
}

/// The channels that a kernel takes and those that a group of it gives. The first are as many as
/// the data has.
fn channels(insert: &Insert<'_, '_>, kernel: ValueId) -> Option<[usize; 2]> {
    let network = insert.editor.network();
    let size = |value: ValueId, axis: usize| network.value(value).ty.shape.get(axis)?.size();
    let of_data = || size(*insert.layer().inputs.first()?, 1);
    Some([size(kernel, 0).or_else(of_data)?, size(kernel, 1)?])
}
