//! Whether agreement with the data proves anything.
//!
//! An output that is the same whatever goes in agrees with its reference although everything before
//! its last layer may be wrong: a network with random weights whose signal dies, a dead branch, an
//! output of zeros. Such an output is found by other inputs: those of another data set, else inputs
//! that are moved more and more.

use super::compare::{self, compare_within};
use super::data::{self, DataSet};
use super::random;
use crate::network::{LayerKind, Network, Output, ValueId};
use crate::onnx::Constant;
use crate::report::Verification;
use crate::report::verification::Judgment;
use crate::tensor::{DType, Tensor};
use half::{bf16, f16};
use std::collections::{BTreeSet, HashSet};

/// Computes the outputs, in the model's order and types, of inputs in the model's types.
pub(super) type Compute<'a> = dyn FnMut(&DataSet) -> crate::error::Result<Vec<Tensor>> + 'a;

const ZERO: &str = "all elements are 0, and stay so when the inputs move a little";
const UNMOVED: &str = "no element moves out of the tolerance when the inputs change";

/// Judges outputs vacuous that agree with all data sets and are tested by none of them. `inputs`
/// are the model's. Only outputs of real numbers are: an index or a class may well stay what it is.
pub(super) fn judge(
    network: &Network,
    inputs: &[&str],
    sets: &[DataSet],
    verifications: &mut [Verification],
    compute: &mut Compute<'_>,
) {
    let outputs = Outputs { network, inputs, sets };
    let agrees = |at: &usize| {
        let judged = |of: &Verification| of.outputs.get(*at).is_some_and(|output| output.agrees);
        verifications.iter().all(judged)
    };
    let open = (0..network.outputs.len()).filter(agrees);
    let open = open.filter(|&at| outputs.is_computed(at) && !outputs.varies_with_data(at));
    for (at, why) in outputs.unmoved(open.collect(), compute) {
        for output in verifications.iter_mut().filter_map(|of| of.outputs.get_mut(at)) {
            output.judged(Judgment::Vacuous);
            output.untested = Some(why.to_owned());
        }
    }
    verifications.iter_mut().for_each(Verification::conclude);
}

/// What the data says of a network's outputs.
struct Outputs<'a> {
    network: &'a Network,
    inputs: &'a [&'a str],
    sets: &'a [DataSet],
}

impl Outputs<'_> {
    /// What a data set expects of an output.
    fn expected<'s>(&self, set: &'s DataSet, at: usize) -> Option<&'s Constant> {
        let names: Vec<&str> = self.network.outputs.iter().map(|output| &*output.name).collect();
        data::in_order(&set.outputs, &names).get(at).copied().flatten()
    }

    fn all_expected(&self, at: usize) -> Vec<&Tensor> {
        let expected = self.sets.iter().filter_map(|set| self.expected(set, at)?.tensor().ok());
        expected.collect()
    }

    /// Whether an output has real numbers that are computed from numbers that go in.
    fn is_computed(&self, at: usize) -> bool {
        let real = |output: &Output| {
            let dtype = self.network.value(output.value).ty.dtype;
            matches!(dtype, DType::F32 | DType::F16 | DType::BF16)
        };
        let filled = self.all_expected(at).iter().any(|tensor| !tensor.is_empty());
        let fed = |name: &str| {
            let all = self.sets.iter().flat_map(|set| set.tensors(self.inputs));
            all.into_iter().any(|(fed, tensor)| fed == name && !tensor.is_empty())
        };
        filled && self.network.outputs.get(at).is_some_and(real) && self.is_driven(at, &fed)
    }

    /// Whether it is 0 throughout, in every data set, where one number says too little.
    fn is_zero(&self, at: usize) -> bool {
        let expected = self.all_expected(at);
        let zero = |tensor: &&Tensor| compare::numbers(tensor).iter().all(|&number| number == 0.0);
        expected.iter().any(|tensor| tensor.len() > 1) && expected.iter().all(zero)
    }

    /// Whether two data sets expect different numbers for inputs of the same shapes.
    fn varies_with_data(&self, at: usize) -> bool {
        let Some((first, others)) = self.sets.split_first() else { return false };
        let Some(expected) = self.expected(first, at) else { return false };
        others
            .iter()
            .filter_map(|set| self.expected(set, at)?.tensor().ok())
            .any(|other| other.dims() == expected.dims() && !is_within(other, expected, first))
    }

    /// Which of these outputs stay what they are however the inputs move, and zeros where they move
    /// a little. Where the network does not take other inputs, nothing is claimed.
    fn unmoved(
        &self,
        mut open: Vec<usize>,
        compute: &mut Compute<'_>,
    ) -> Vec<(usize, &'static str)> {
        let Some(set) = self.sets.first() else { return Vec::new() };
        let (mut moved, mut found) = (BTreeSet::new(), Vec::new());
        for way in Way::ALL {
            let (inputs, names) = self.moved(set, way);
            if open.is_empty() || names.is_empty() {
                continue;
            }
            let Ok(outputs) = compute(&DataSet::of_inputs(&inputs)) else { return Vec::new() };
            moved.extend(names);
            open.retain(|&at| {
                let expected = self.expected(set, at);
                outputs.get(at).zip(expected).is_some_and(|(a, e)| is_within(a, e, set))
            });
            found.extend(open.extract_if(.., |at| self.is_zero(*at)).map(|at| (at, ZERO)));
        }
        found.extend(open.into_iter().map(|at| (at, UNMOVED)));
        found.retain(|(at, _)| self.is_driven(*at, &|name| moved.contains(name)));
        found
    }

    /// Whether an output is computed from the numbers of such an input.
    fn is_driven(&self, at: usize, by: &dyn Fn(&str) -> bool) -> bool {
        let value = self.network.outputs.get(at).map(|output| output.value);
        let drivers = value.map(|value| drivers(self.network, value)).unwrap_or_default();
        drivers.iter().any(|&input| by(&self.network.value(input).name))
    }

    /// All inputs, as far as they can be moved, and the names of those that were.
    fn moved(&self, set: &DataSet, way: Way) -> (Vec<(String, Tensor)>, Vec<String>) {
        let mut names = Vec::new();
        let sized = |name: &str| {
            let of = self.network.inputs.iter().map(|&input| self.network.value(input));
            of.filter(|value| *value.name == *name).any(|value| value.ty.elements.is_some())
        };
        let move_one = |(name, tensor): (&str, &Tensor)| {
            let moved = way.moved(tensor).filter(|moved| moved != tensor && !sized(name));
            if moved.is_some() {
                names.push(name.to_owned());
            }
            (name.to_owned(), moved.unwrap_or_else(|| tensor.clone()))
        };
        let inputs = set.tensors(self.inputs).into_iter().map(move_one).collect();
        (inputs, names)
    }
}

/// Whether numbers are so near each other that one set of them would be judged right for the other.
fn is_within(actual: &Tensor, expected: &Constant, set: &DataSet) -> bool {
    let tolerance = set.tolerance.unwrap_or_else(|| compare::scaled(actual.dtype(), expected));
    compare_within("", actual, expected, tolerance, None).agrees
}

/// The inputs of a network whose numbers, not just sizes, a value is computed from.
pub(super) fn drivers(network: &Network, value: ValueId) -> Vec<ValueId> {
    let mut seen = HashSet::from([value]);
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        let Some(maker) = network.maker(value) else { continue };
        let layer = network.layer(maker);
        if matches!(layer.kind, LayerKind::Shape) {
            continue;
        }
        // What a loop or a branch computes may come from any value around it.
        if !layer.kind.blocks().is_empty() {
            return network.inputs.clone();
        }
        open.extend(layer.inputs.iter().filter(|&&input| seen.insert(input)));
    }
    network.inputs.iter().copied().filter(|input| seen.contains(input)).collect()
}

/// How inputs move.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// By up to a quarter of themselves.
    Near,
    /// To another place, with the other sign.
    Turned,
    /// To numbers that have nothing to do with them.
    Drawn,
}

impl Way {
    const ALL: [Self; 3] = [Self::Near, Self::Turned, Self::Drawn];

    /// Where a tensor moves to; `None` for types that do not move. Whole numbers keep to those that
    /// there are: an index stays within its table, a mask has both values.
    fn moved(self, tensor: &Tensor) -> Option<Tensor> {
        let dims = tensor.dims().to_vec();
        match tensor.dtype() {
            DType::F32 => Tensor::of(dims, self.reals(tensor)?).ok(),
            DType::F16 => {
                let reals = self.reals(tensor)?.into_iter().map(f16::from_f32);
                Tensor::of(dims, reals.collect()).ok()
            }
            DType::BF16 => {
                let reals = self.reals(tensor)?.into_iter().map(bf16::from_f32);
                Tensor::of(dims, reals.collect()).ok()
            }
            DType::I64 => Tensor::of(dims, self.turned(tensor.to_i64s()?)).ok(),
            DType::I32 => {
                let narrow = |value: i64| i32::try_from(value).ok();
                let values = self.turned(tensor.to_i64s()?).into_iter().map(narrow);
                Tensor::of(dims, values.collect::<Option<Vec<i32>>>()?).ok()
            }
            DType::Bool => {
                let values = self.turned(tensor.bools()?.to_vec());
                Tensor::of_bools(dims, values.into_iter().map(|value| value != 0)).ok()
            }
            _ => None,
        }
    }

    fn reals(self, tensor: &Tensor) -> Option<Vec<f32>> {
        let values = tensor.to_f32s()?;
        let drawn = random::tensor_of(DType::F32, tensor.dims(), 0)?;
        let drawn = drawn.to_f32s()?;
        let largest = values.iter().filter(|value| value.is_finite());
        let largest = largest.fold(0f32, |largest, value| largest.max(value.abs()));
        Some(match self {
            Self::Near => {
                let near =
                    |(value, by): (&f32, &f32)| value * by.clamp(-1.0, 1.0).mul_add(0.25, 1.0);
                values.iter().zip(drawn.iter()).map(near).collect()
            }
            Self::Turned => self.turned(values.iter().map(|value| -value).collect()),
            Self::Drawn => drawn.iter().map(|by| by * (1.0 + largest)).collect(),
        })
    }

    fn turned<T>(self, mut values: Vec<T>) -> Vec<T> {
        let by = if matches!(self, Self::Near) { 1 } else { values.len() / 3 + 1 };
        let by = by.checked_rem(values.len()).unwrap_or(0);
        values.rotate_left(by);
        values
    }
}
