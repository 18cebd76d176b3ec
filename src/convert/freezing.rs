//! Which inputs are made constants, because TensorRT wants to know at build time what a model is
//! fed at run time.

use crate::onnx::Model;
use crate::tensor::{DType, Tensor};
use crate::verify::data::{self, DataSet};
use std::collections::BTreeMap;
use std::fmt;

/// How much is frozen. Each level is tried only where the one before does not convert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Freezing {
    /// Nothing.
    Nothing,
    /// Whole numbers and booleans that could be a shape, axes, bounds: at most a vector of 64, and
    /// not the first input.
    SmallIntegers,
    /// All numbers of that size; a first input of real numbers only if it is a scalar, such as the
    /// start of a Range.
    SmallNumbers,
    /// And larger whole numbers and booleans.
    Integers,
}

impl Freezing {
    /// All levels, the least first.
    pub const ALL: [Self; 4] =
        [Self::Nothing, Self::SmallIntegers, Self::SmallNumbers, Self::Integers];

    /// Whether the input at this position is frozen to this value.
    fn takes(self, at: usize, tensor: &Tensor) -> bool {
        let small = tensor.dims().len() <= 1 && tensor.len() <= 64;
        let real = !(tensor.dtype().is_int() || tensor.dtype() == DType::Bool);
        match self {
            Self::Nothing => false,
            Self::SmallIntegers => small && !real && at > 0,
            Self::SmallNumbers => small && (!real || at > 0 || tensor.dims().is_empty()),
            Self::Integers => !real || small && at > 0,
        }
    }

    /// The inputs that become constants. Data sets that differ in them cannot share a plan: then
    /// nothing is frozen.
    pub fn of(self, model: &Model, sets: &[DataSet]) -> BTreeMap<String, Tensor> {
        let names: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
        let picks = |set: &DataSet| -> BTreeMap<String, Tensor> {
            let taken = given(&names, set).filter(|&(at, _, tensor)| self.takes(at, tensor));
            taken.map(|(_, name, tensor)| (name.to_owned(), tensor.clone())).collect()
        };
        let mut picked = sets.iter().map(picks);
        let first = picked.next().unwrap_or_default();
        if picked.all(|other| other == first) { first } else { BTreeMap::new() }
    }

    /// The levels worth trying for a model, each with the constants it makes; none makes everything
    /// a constant.
    pub fn levels(model: &Model, sets: &[DataSet]) -> Vec<(Self, BTreeMap<String, Tensor>)> {
        let mut levels: Vec<(Self, BTreeMap<String, Tensor>)> = Vec::new();
        for level in Self::ALL {
            let frozen = level.of(model, sets);
            // With everything constant there is nothing left to convert; a few operators have small
            // inputs only.
            let all = level == Self::Integers && frozen.len() == model.graph.inputs.len();
            if !all && levels.last().is_none_or(|(_, before)| *before != frozen) {
                levels.push((level, frozen));
            }
        }
        levels
    }
}

/// What a data set holds for these inputs, in order: position, name and data of each that has some.
fn given<'s>(
    names: &'s [&str],
    set: &'s DataSet,
) -> impl Iterator<Item = (usize, &'s str, &'s Tensor)> {
    let named = names.iter().zip(data::in_order(&set.inputs, names)).enumerate();
    named.filter_map(|(at, (name, data))| Some((at, *name, data?.tensor().ok()?)))
}

/// The data of each input that all sets have, and have the same of.
pub fn agreed(model: &Model, sets: &[DataSet]) -> BTreeMap<String, Tensor> {
    let names: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
    let of = |set| {
        given(&names, set).map(|(_, name, tensor)| (name.to_owned(), tensor.clone())).collect()
    };
    let mut all = sets.iter().map(of);
    let mut agreed: BTreeMap<String, Tensor> = all.next().unwrap_or_default();
    for other in all {
        let other: BTreeMap<String, Tensor> = other;
        agreed.retain(|name, tensor| other.get(name) == Some(tensor));
    }
    agreed
}

impl fmt::Display for Freezing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::SmallIntegers => "small integers",
            Self::SmallNumbers => "small numbers",
            Self::Integers => "integers",
        })
    }
}
