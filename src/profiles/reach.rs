//! How far whole numbers reach once sizes are known: the positions 0 to 255 that a network counts
//! off, and the table with 64 rows from which it gathers by them.
//!
//! Only what is certain is followed. Numbers from the user's data are not.

use crate::network::layer::{
    Arg, ElementWiseOperation, Fill, FillOperation, Gather, GatherMode, SampleMode, Slice,
};
use crate::network::{Dim, Layer, LayerKind, MAX_TRACKED, Network, ValueId, ValueType};
use crate::tensor::DType;
use std::collections::BTreeMap;

/// The smallest and the largest element of a value, which holds both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reach {
    min: i64,
    max: i64,
}

impl Reach {
    /// Whether numbers of this type reach so far without wrapping around.
    fn holds_in(self, dtype: DType) -> bool {
        match dtype {
            DType::I64 | DType::Bool => true,
            DType::I32 => i32::try_from(self.min).is_ok() && i32::try_from(self.max).is_ok(),
            _ => false,
        }
    }
}

/// What is known of the values seen so far.
#[derive(Debug, Default)]
pub(super) struct Reaches(BTreeMap<ValueId, Reach>);

impl Reaches {
    /// Follows numbers through a layer whose types are known; says what of it cannot be.
    pub(super) fn follow(&mut self, network: &Network, layer: &Layer) -> Option<String> {
        if let Some((&output, reach)) = layer.outputs.first().zip(self.through(network, layer))
            && reach.holds_in(network.value(output).ty.dtype)
        {
            self.0.insert(output, reach);
        }
        match &layer.kind {
            LayerKind::Gather(gather) => self.beyond(network, layer, gather),
            _ => None,
        }
    }

    /// Indices outside the data.
    fn beyond(&self, network: &Network, layer: &Layer, gather: &Gather) -> Option<String> {
        let [data, indices] = &layer.inputs[..] else { return None };
        let of = |id: &ValueId| &network.value(*id).ty;
        if gather.mode != GatherMode::Default || sizes(of(indices))?.contains(&0) {
            return None;
        }
        let size = of(data).shape.get(gather.axis)?.known()?;
        let Reach { min, max } = self.of(network, *indices)?;
        let index = if max >= size { max } else { Some(min).filter(|&min| min < 0)? };
        Some(format!("index {index} is outside an axis of size {size}"))
    }

    fn of(&self, network: &Network, id: ValueId) -> Option<Reach> {
        self.0.get(&id).copied().or_else(|| extremes(numbers(network.value(id))?))
    }

    fn through(&self, network: &Network, layer: &Layer) -> Option<Reach> {
        let input = |at: usize| self.of(network, *layer.inputs.get(at)?);
        match &layer.kind {
            LayerKind::Constant(constant) if constant.weights.len() <= MAX_TRACKED => {
                extremes(constant.weights.to_i64s()?)
            }
            LayerKind::Fill(fill) => counted(network, layer, fill),
            LayerKind::Identity
            | LayerKind::Shuffle(_)
            | LayerKind::Squeeze(_)
            | LayerKind::Unsqueeze(_) => input(0),
            LayerKind::Slice(slice) => {
                input(0).filter(|_| repeats(network, layer, slice) == Some(true))
            }
            LayerKind::ElementWise(element_wise) => {
                combined(element_wise.operation, input(0)?, input(1)?)
            }
            LayerKind::Select => match input(0)? {
                Reach { min: 1, max: 1 } => input(1),
                Reach { min: 0, max: 0 } => input(2),
                _ => None,
            },
            _ => None,
        }
    }
}

fn extremes(numbers: Vec<i64>) -> Option<Reach> {
    Some(Reach { min: numbers.iter().copied().min()?, max: numbers.into_iter().max()? })
}

/// The tracked elements, where all are known.
fn numbers(value: &crate::network::Value) -> Option<Vec<i64>> {
    value.ty.elements.as_deref()?.iter().map(Dim::known).collect()
}

fn sizes(ty: &ValueType) -> Option<Vec<i64>> {
    ty.shape.iter().map(Dim::known).collect()
}

/// The entries of an attribute.
fn list(network: &Network, layer: &Layer, arg: &Arg<Vec<i64>>) -> Option<Vec<i64>> {
    match arg {
        Arg::Static(list) => Some(list.clone()),
        Arg::Input(at) => numbers(network.value(*layer.inputs.get(*at)?)),
    }
}

/// Start, start + step, and so on: a row of numbers.
fn counted(network: &Network, layer: &Layer, fill: &Fill) -> Option<Reach> {
    let (Arg::Input(start), Arg::Input(step)) = (&fill.alpha, &fill.beta) else { return None };
    let first = |at: &usize| numbers(network.value(*layer.inputs.get(*at)?))?.first().copied();
    let [count] = sizes(&network.value(*layer.outputs.first()?).ty)?[..] else { return None };
    if fill.operation != FillOperation::Linspace || count < 1 {
        return None;
    }
    let start = first(start)?;
    let last = first(step)?.checked_mul(count - 1)?.checked_add(start)?;
    Some(Reach { min: start.min(last), max: start.max(last) })
}

/// Whether a slice takes the whole of each axis, or repeats the one element that it has.
fn repeats(network: &Network, layer: &Layer, slice: &Slice) -> Option<bool> {
    let of = |id: Option<&ValueId>| sizes(&network.value(*id?).ty);
    let (from, to) = (of(layer.inputs.first())?, of(layer.outputs.first())?);
    let (start, stride) =
        (list(network, layer, &slice.start)?, list(network, layer, &slice.stride)?);
    let mut axes = from.iter().zip(&to).zip(start.iter().zip(&stride));
    let whole = |((from, to), (start, stride)): ((&i64, &i64), (&i64, &i64))| {
        *start == 0 && (from == to && *stride == 1 || *from == 1 && *stride == 0)
    };
    Some(slice.mode == SampleMode::StrictBounds && axes.all(whole))
}

/// An operation on all elements alike. Where both operands vary, only comparisons can be certain.
fn combined(operation: ElementWiseOperation, a: Reach, b: Reach) -> Option<Reach> {
    use ElementWiseOperation as Op;
    let one = |reach: Reach| (reach.min == reach.max).then_some(reach.min);
    let truth = |always: bool, never: bool| {
        (always || never).then_some(Reach { min: always.into(), max: always.into() })
    };
    let shifted = |reach: Reach, by: i64| {
        Some(Reach { min: reach.min.checked_add(by)?, max: reach.max.checked_add(by)? })
    };
    match operation {
        Op::Sum => one(b).map_or_else(|| shifted(b, one(a)?), |by| shifted(a, by)),
        Op::Sub => shifted(a, one(b)?.checked_neg()?),
        Op::Less => truth(a.max < b.min, a.min >= b.max),
        Op::Greater => truth(a.min > b.max, a.max <= b.min),
        _ => None,
    }
}
