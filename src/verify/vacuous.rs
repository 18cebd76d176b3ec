//! Whether agreement with the data proves anything.
//!
//! An output that is the same whatever goes in agrees with its reference although everything before
//! its last layer may be wrong: a network with random weights whose signal dies, a dead branch, an
//! output of zeros. Such an output is found by other inputs: those of another data set, else inputs
//! that are moved more and more.

use super::compare::{self, compare_within};
use super::data::{self, DataSet};
use super::random;
use crate::network::{LayerKind, Network, Output, ValueId, sizing};
use crate::onnx::Constant;
use crate::report::Verification;
use crate::report::verification::Judgment;
use crate::tensor::{DType, Tensor};
use std::collections::HashSet;

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
    let outputs = Outputs::new(network, inputs, sets);
    let agrees = |at: &usize| {
        let judged = |of: &Verification| of.outputs.get(*at).is_some_and(|output| output.agrees);
        verifications.iter().all(judged)
    };
    let computed = outputs.computed();
    let open = (0..network.outputs.len()).filter(agrees);
    let open = open.filter(|at| computed.contains(at) && !outputs.varies_with_data(*at));
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
    /// What each data set expects of each output.
    expected: Vec<Vec<Option<&'a Constant>>>,
}

impl<'a> Outputs<'a> {
    fn new(network: &'a Network, inputs: &'a [&'a str], sets: &'a [DataSet]) -> Self {
        let names: Vec<&str> = network.outputs.iter().map(|output| &*output.name).collect();
        let expected = sets.iter().map(|set| data::in_order(&set.outputs, &names));
        Self { network, inputs, sets, expected: expected.collect() }
    }

    /// What the data sets expect of an output.
    fn expected(&self, at: usize) -> impl Iterator<Item = &'a Constant> {
        self.expected.iter().filter_map(move |set| set.get(at).copied().flatten())
    }

    fn tensors(&self, at: usize) -> impl Iterator<Item = &'a Tensor> {
        self.expected(at).filter_map(|expected| expected.tensor().ok())
    }

    /// The outputs with real numbers that are computed from numbers that go in.
    fn computed(&self) -> HashSet<usize> {
        let fed = self.sets.iter().flat_map(|set| set.tensors(self.inputs));
        let fed = fed.filter(|(_, tensor)| !tensor.is_empty()).map(|(name, _)| name.to_owned());
        let reached = self.reached(&fed.collect());
        let is_computed = |(at, output): (usize, &Output)| {
            let dtype = self.network.value(output.value).ty.dtype;
            let real = matches!(dtype, DType::F32 | DType::F16 | DType::BF16);
            let filled = self.tensors(at).any(|tensor| !tensor.is_empty());
            (real && filled && reached.contains(&output.value)).then_some(at)
        };
        self.network.outputs.iter().enumerate().filter_map(is_computed).collect()
    }

    /// Whether it is 0 throughout, in every data set, where one number says too little.
    fn is_zero(&self, at: usize) -> bool {
        let zero = |tensor: &Tensor| compare::numbers(tensor).iter().all(|&number| number == 0.0);
        self.tensors(at).any(|tensor| tensor.len() > 1) && self.tensors(at).all(zero)
    }

    /// Whether two data sets expect different numbers for inputs of the same shapes.
    fn varies_with_data(&self, at: usize) -> bool {
        let (mut others, first) = (self.tensors(at).skip(1), self.expected(at).next());
        let (Some(first), Some(set)) = (first, self.sets.first()) else { return false };
        others.any(|other| other.dims() == first.dims() && !is_within(other, first, set))
    }

    /// Which of these outputs stay what they are however the inputs move, and zeros where they move
    /// a little. Where the network does not take other inputs, nothing is claimed.
    fn unmoved(
        &self,
        mut open: Vec<usize>,
        compute: &mut Compute<'_>,
    ) -> Vec<(usize, &'static str)> {
        let Some(set) = self.sets.first() else { return Vec::new() };
        let (mut moved, mut found) = (HashSet::new(), Vec::new());
        for way in Way::ALL {
            if open.is_empty() {
                break;
            }
            let (inputs, names) = self.moved(set, way);
            if names.is_empty() {
                continue;
            }
            let Ok(outputs) = compute(&DataSet::of_inputs(&inputs)) else { return Vec::new() };
            moved.extend(names);
            open.retain(|&at| {
                let pair = outputs.get(at).zip(self.expected(at).next());
                pair.is_some_and(|(actual, expected)| is_within(actual, expected, set))
            });
            found.extend(open.extract_if(.., |at| self.is_zero(*at)).map(|at| (at, ZERO)));
        }
        found.extend(open.into_iter().map(|at| (at, UNMOVED)));
        let reached = self.reached(&moved);
        let output = |at: usize| self.network.outputs.get(at).map(|output| output.value);
        found.retain(|(at, _)| output(*at).is_some_and(|value| reached.contains(&value)));
        found
    }

    /// The values that are computed from the numbers, not just the sizes, of these inputs.
    fn reached(&self, names: &HashSet<String>) -> HashSet<ValueId> {
        let inputs = self.network.inputs.iter().copied();
        let named = |id: &ValueId| names.contains(&*self.network.value(*id).name);
        reached(self.network, inputs.filter(named).collect())
    }

    /// All inputs, as far as they can be moved, and the names of those that were. One that says
    /// sizes stays: with another the network is another.
    fn moved(&self, set: &DataSet, way: Way) -> (Vec<(String, Tensor)>, Vec<String>) {
        let sizes = sizing::holding_sizes(self.network).into_iter();
        let sizes: HashSet<&str> = sizes.map(|input| &*self.network.value(input).name).collect();
        let mut names = Vec::new();
        let move_one = |(name, tensor): (&str, &Tensor)| {
            let moved = way.moved(tensor).filter(|moved| moved != tensor && !sizes.contains(name));
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

/// These values, and all that are computed from their numbers. What a loop or a branch gives may
/// come from any value around it.
pub(super) fn reached(network: &Network, from: HashSet<ValueId>) -> HashSet<ValueId> {
    let mut reached = from;
    if reached.is_empty() {
        return reached;
    }
    for id in network.live_layers() {
        let layer = network.layer(id);
        let takes = layer.inputs.iter().any(|input| reached.contains(input));
        let takes = takes && !matches!(layer.kind, LayerKind::Shape);
        if takes || !layer.kind.blocks().is_empty() {
            reached.extend(&layer.outputs);
        }
    }
    reached
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
            dtype @ (DType::F32 | DType::F16 | DType::BF16) => {
                Tensor::of_reals(dtype, dims, self.reals(tensor)?).ok()
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
