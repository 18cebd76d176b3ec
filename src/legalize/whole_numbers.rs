//! Layers of whole numbers where the library has them for real ones only.
//!
//! TensorRT 8 refuses Relu, Neg, Abs, TopK and Resize of `i32` (comments of its `NvInfer.h`; TopK
//! by its messages). All stand-ins are exact for every `i32`, also where an `f32` is not.

use super::insert::{Insert, binary, internal};
use crate::error::Result;
use crate::infer::MAX_RANK;
use crate::network::edit::Editor;
use crate::network::layer::{
    ActivationType, Arg, Cast, ElementWiseOperation as Op, Fill, FillOperation, Gather, GatherMode,
    Reduce, ReduceOperation, SampleMode, Slice, TopK, TopKOperation, UnaryOperation, Unsqueeze,
};
use crate::network::{Caps, Dim, LayerKind, Network, ValueId, Values};
use crate::tensor::DType;
use smallvec::smallvec;

/// Rewrites what `caps` lack.
///
/// # Errors
/// `Internal` where a rewrite does not hold together.
pub(super) fn run(network: &mut Network, caps: Caps) -> Result<()> {
    if caps.whole_numbers {
        return Ok(());
    }
    let layers = network.live_layers();
    let mut editor = Editor::new(network);
    for id in layers {
        let mut insert = Insert::before(&mut editor, id);
        if let Some(values) = rewritten(&mut insert)? {
            insert.replace_layer(&values);
        }
    }
    editor.finish();
    Ok(())
}

/// Whether the library has no such layer of whole numbers. An `i8` is one unless Quantize made it.
pub(super) fn is_lacking(network: &Network, kind: &LayerKind, inputs: &[ValueId]) -> bool {
    let Some(&x) = inputs.first() else { return false };
    let quantized = || {
        let maker = network.maker(x).map(|maker| &network.layer(maker).kind);
        matches!(maker, Some(LayerKind::Quantize(_)))
    };
    let whole = match network.value(x).ty.dtype {
        DType::I8 => !quantized(),
        dtype => dtype.is_int(),
    };
    whole
        && match kind {
            LayerKind::Activation(_)
            | LayerKind::Pooling(_)
            | LayerKind::Resize(_)
            | LayerKind::TopK(_) => true,
            LayerKind::Unary(of) => of.operation != UnaryOperation::Sign,
            LayerKind::ElementWise(of) => of.operation == Op::Pow,
            _ => false,
        }
}

/// What stands for the layer's outputs; `None` where the layer stays.
fn rewritten(insert: &mut Insert<'_, '_>) -> Result<Option<Values>> {
    let (kind, inputs) = (insert.layer().kind.clone(), insert.layer().inputs.clone());
    let Some(&x) = inputs.first() else { return Ok(None) };
    if !is_lacking(insert.editor.network(), &kind, &inputs) {
        return Ok(None);
    }
    let value = match &kind {
        LayerKind::Activation(of) if of.kind == ActivationType::Relu => {
            let zero = insert.number(x, 0.0)?;
            binary(insert, Op::Max, x, zero)?
        }
        LayerKind::Unary(of) if of.operation == UnaryOperation::Neg => negated(insert, x)?,
        LayerKind::Unary(of) if of.operation == UnaryOperation::Abs => {
            let negative = negated(insert, x)?;
            binary(insert, Op::Max, x, negative)?
        }
        LayerKind::Pooling(_) | LayerKind::Resize(_) => copied(insert, &kind, &inputs)?,
        LayerKind::TopK(of) if of.k == Arg::Static(1) => return extreme(insert, of, x).map(Some),
        LayerKind::TopK(of) => return ranked(insert, of, &inputs),
        _ => return Ok(None),
    };
    Ok(Some(smallvec![value]))
}

/// 0 − x, which wraps around as −x does.
fn negated(insert: &mut Insert<'_, '_>, x: ValueId) -> Result<ValueId> {
    let zero = insert.number(x, 0.0)?;
    binary(insert, Op::Sub, zero, x)
}

/// A layer that copies elements, of the upper and of the lower 16 bits: `f32` holds both. It holds
/// 8 bits as they are.
fn copied(insert: &mut Insert<'_, '_>, kind: &LayerKind, inputs: &[ValueId]) -> Result<ValueId> {
    let [x, others @ ..] = inputs else { return Err(internal(insert.layer(), &"no data")) };
    let dtype = insert.editor.network().value(*x).ty.dtype;
    let copy = |insert: &mut Insert<'_, '_>, value| {
        let real = insert.add(Cast { to: DType::F32 }, &[value])?;
        let copy = insert.add(kind.clone(), &[&[real], others].concat())?;
        insert.add(Cast { to: dtype }, &[copy])
    };
    if dtype.bits() == 8 {
        return copy(insert, *x);
    }
    let unit = insert.number(*x, 65536.0)?;
    let upper = binary(insert, Op::FloorDiv, *x, unit)?;
    let multiple = binary(insert, Op::Prod, upper, unit)?;
    let lower = binary(insert, Op::Sub, *x, multiple)?;
    let (upper, lower) = (copy(insert, upper)?, copy(insert, lower)?);
    let multiple = binary(insert, Op::Prod, upper, unit)?;
    binary(insert, Op::Sum, multiple, lower)
}

/// The one largest or smallest is found among whole numbers, its place among 0 and 1.
fn extreme(insert: &mut Insert<'_, '_>, of: &TopK, x: ValueId) -> Result<Values> {
    let operation = match of.operation {
        TopKOperation::Max => ReduceOperation::Max,
        TopKOperation::Min => ReduceOperation::Min,
    };
    let best = insert.add(Reduce { operation, axes: vec![of.axis], keep_dims: true }, &[x])?;
    let is_best = binary(insert, Op::Equal, x, best)?;
    let is_best = insert.add(Cast { to: DType::F32 }, &[is_best])?;
    let top = TopK { operation: TopKOperation::Max, ..of.clone() };
    let found = insert.add_all(top, &[is_best])?;
    Ok(found.get(1).map_or_else(Values::new, |&place| smallvec![best, place]))
}

/// The most elements along an axis that are ranked by comparing each with each.
pub(super) const MOST_RANKED: usize = 4096;

/// Each element's rank, the number of those that come before it, is exact in `f32` as long as the
/// axis has less than 2²⁴ elements, and no two are equal. It takes n² comparisons.
///
/// `None` where there is no axis left to compare along, or too many elements along one.
fn ranked(insert: &mut Insert<'_, '_>, of: &TopK, inputs: &[ValueId]) -> Result<Option<Values>> {
    let [x, others @ ..] = inputs else { return Ok(None) };
    let shape = &insert.editor.network().value(*x).ty.shape;
    let count = shape.get(of.axis).and_then(Dim::size);
    if shape.rank() >= MAX_RANK || count.is_some_and(|count| count > MOST_RANKED) {
        return Ok(None);
    }
    // Behind an element's axis stands that of its rivals.
    let [own, rival] = [of.axis + 1, of.axis];
    let sides = |insert: &mut Insert<'_, '_>, x| -> Result<[ValueId; 2]> {
        let mut side = |axis| insert.add(Unsqueeze { axes: vec![axis] }, &[x]);
        Ok([side(rival)?, side(own)?])
    };
    let places = places(insert, *x, of.axis)?;
    let [other, one] = sides(insert, *x)?;
    let [other_place, place] = sides(insert, places)?;
    let better = match of.operation {
        TopKOperation::Max => Op::Greater,
        TopKOperation::Min => Op::Less,
    };
    let better = binary(insert, better, other, one)?;
    let same = binary(insert, Op::Equal, other, one)?;
    let earlier = binary(insert, Op::Less, other_place, place)?;
    let first = binary(insert, Op::And, same, earlier)?;
    let before = binary(insert, Op::Or, better, first)?;
    let before = insert.add(Cast { to: DType::F32 }, &[before])?;
    let count = Reduce { operation: ReduceOperation::Sum, axes: vec![own], keep_dims: false };
    let rank = insert.add(count, &[before])?;
    let top = TopK { operation: TopKOperation::Min, ..of.clone() };
    let found = insert.add_all(top, &[&[rank], others].concat())?;
    let Some(&place) = found.get(1) else { return Ok(None) };
    let gather = Gather { mode: GatherMode::Element, axis: of.axis, element_wise_dims: 0 };
    let best = insert.add(gather, &[*x, place])?;
    Ok(Some(smallvec![best, place]))
}

/// 0, 1, 2, … along an axis of `x`, in its rank.
fn places(insert: &mut Insert<'_, '_>, x: ValueId, axis: usize) -> Result<ValueId> {
    let rank = insert.editor.network().value(x).ty.shape.rank();
    let shape = insert.add(LayerKind::Shape, &[x])?;
    let at = i64::try_from(axis).map_err(|error| internal(insert.layer(), &error))?;
    let size = Slice {
        start: Arg::Static(vec![at]),
        size: Arg::Static(vec![1]),
        stride: Arg::Static(vec![1]),
        mode: SampleMode::StrictBounds,
        fill: None,
    };
    let size = insert.add(size, &[shape])?;
    let fill = Fill {
        operation: FillOperation::Linspace,
        dims: Arg::Input(0),
        alpha: Arg::Static(0.0),
        beta: Arg::Static(1.0),
        dtype: DType::F32,
    };
    let places = insert.add(fill, &[size])?;
    let axes: Vec<usize> = (0..rank).filter(|&other| other != axis).collect();
    if axes.is_empty() { Ok(places) } else { insert.add(Unsqueeze { axes }, &[places]) }
}
