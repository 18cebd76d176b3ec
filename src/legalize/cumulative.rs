//! Running sums of 1, 2, 4, … neighbors: after log₂ n steps each element has met all before it.
//!
//! A step adds the sums of the step before to themselves, shifted, with zeros where nothing is. So
//! whole numbers stay exact and wrap around as any sum does, an infinity or a NaN reaches only what
//! comes behind it, and memory is that of the data. A product with a triangle of ones would take
//! fewer layers, but n² numbers, would round whole numbers, and would make 0·∞ of what is not
//! summed.

use super::insert::{Insert, binary, internal};
use crate::error::Result;
use crate::network::layer::{Arg, Cumulative, ElementWiseOperation, SampleMode, Slice};
use crate::network::{Dim, LayerKind, Network, ValueId};

/// The longest axis that is summed where only the run knows how long it is: 30 steps. TensorRT's
/// tensors have less than 2³¹ elements, and a shift by 2³⁰ would count past that.
const MOST: i64 = 1 << 30;

/// The running sums of `x`.
///
/// # Errors
/// `Internal` where the axis is outside the data.
pub(super) fn sums(insert: &mut Insert<'_, '_>, of: &Cumulative, x: ValueId) -> Result<ValueId> {
    let length = longest(insert.editor.network(), x, of.axis);
    let (size, whole) = whole(insert, x)?;
    let shifted = |insert: &mut Insert<'_, '_>, value, by: i64| {
        let mut start = vec![0; insert.editor.network().value(x).ty.shape.rank()];
        let stride = vec![1; start.len()];
        let place = start
            .get_mut(of.axis)
            .ok_or_else(|| internal(insert.layer(), &"an axis outside the data"))?;
        *place = if of.reverse { by } else { -by };
        let slice = Slice {
            start: Arg::Static(start),
            size: size.clone(),
            stride: Arg::Static(stride),
            mode: SampleMode::Fill,
            fill: None,
        };
        insert.add(slice, &[&[value], whole.as_slice()].concat())
    };
    let mut sum = if of.exclusive { shifted(insert, x, 1)? } else { x };
    let mut step = 1;
    while step < length {
        let earlier = shifted(insert, sum, step)?;
        sum = binary(insert, ElementWiseOperation::Sum, sum, earlier)?;
        step *= 2;
    }
    // A layer stands for nothing less than a layer: its output may be the network's.
    if sum == x { insert.add(LayerKind::Identity, &[x]) } else { Ok(sum) }
}

/// How long an axis is, or at most is promised to be.
fn longest(network: &Network, x: ValueId, axis: usize) -> i64 {
    let promised = |symbol: &_| network.ranges.get(symbol).copied().unwrap_or([0, MOST]);
    let length = network.value(x).ty.shape.get(axis);
    length.map_or(0, |length| length.range(&promised)[1]).min(MOST)
}

/// All sizes of `x`, and the input that says them where only the run knows some.
fn whole(insert: &mut Insert<'_, '_>, x: ValueId) -> Result<(Arg<Vec<i64>>, Vec<ValueId>)> {
    let known = insert.editor.network().value(x).ty.shape.iter().map(Dim::known).collect();
    Ok(match known {
        Some(sizes) => (Arg::Static(sizes), Vec::new()),
        None => (Arg::Input(1), vec![insert.add(LayerKind::Shape, &[x])?]),
    })
}
