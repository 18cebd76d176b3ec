//! A network in the types that its layers shall compute in.
//!
//! TensorRT computes each layer in the type of its operands, so the network itself must say the
//! types: this writes them into it. Stages: `role` knows what each kind of layer can do, `units`
//! which layers belong together, `assign` gives each value a type, `rebuild` makes the network
//! anew with casts where types change. [`apply`] does that for types that are known; [`choose()`]
//! looks for them, by what they do to the numbers (`survey`, `search`). Products of 8 bits come
//! after that, in `quantize`.
//!
//! What is no number of the model's data is never touched: sizes, indices, truths, the scales of
//! quantization, the state of a loop at its border, the model's inputs and outputs.

mod assign;
mod certify;
mod choose;
mod constants;
mod data;
mod largest;
mod notes;
mod quantize;
mod rebuild;
mod role;
mod search;
mod survey;
mod units;

pub use choose::{Choice, choose};
pub use data::{Data, Inputs, Label};
pub use search::Evaluate;

use crate::error::Result;
use crate::network::{Caps, Network, Output};
use crate::recipe::Recipe;
use crate::recipe::precision::{Kept, Precision, Real};
use crate::tensor::DType;
use assign::Plan;
use units::Units;

/// A network in other types, and what the user should know of it.
#[derive(Debug)]
pub struct Applied {
    /// The network.
    pub network: Network,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Writes the types of a recipe into a network for a library of these abilities; `None` where the
/// recipe asks for none.
///
/// # Errors
/// [`Kind::Internal`](crate::error::Kind::Internal) where weights cannot be quantized.
pub fn apply(network: &Network, recipe: &Recipe, caps: Caps) -> Result<Option<Applied>> {
    if recipe.bound().is_none() {
        return Ok(None);
    }
    let units = Units::new(network);
    let policy = Policy::new(recipe, &units, caps);
    let types: Vec<DType> =
        policy.fixed.iter().map(|fixed| fixed.unwrap_or(policy.cheap)).collect();
    let plan = Plan::new(network, &units, &types, policy.ends);
    let (mut network, told) = rebuild::rebuild(network, &plan);
    let mut notes = policy.notes;
    notes.extend(notes::of_constants(&told));
    notes.extend(quantize::apply(&mut network, &recipe.quantize)?);
    Ok(Some(Applied { network, notes }))
}

/// What a recipe says of types.
struct Policy {
    /// The type of all units of which it says nothing else.
    cheap: DType,
    /// The types of the others.
    fixed: Vec<Option<DType>>,
    /// The type of inputs and outputs that are `f32` in the model.
    ends: DType,
    notes: Vec<String>,
}

impl Policy {
    fn new(recipe: &Recipe, units: &Units, caps: Caps) -> Self {
        let mut fixed = vec![None; units.len()];
        let mut notes = Vec::new();
        for kept in &recipe.keep {
            let found = kept_units(kept, units);
            if found.is_empty() {
                notes.push(format!(
                    "`--keep {}`: no layer comes from a node or operator of that name",
                    String::from(kept.clone())
                ));
            }
            for at in found {
                fixed[at] = Some(dtype(kept.dtype));
            }
        }
        let cheap = match recipe.precision {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
            // TensorRT 8 takes scales of `f32` alone, and fails at products of 8 bits beside layers
            // that were ordered to compute in `f16` (seen).
            Precision::Int8 | Precision::Fp8 if !caps.strongly_typed => DType::F32,
            Precision::F16 | Precision::Auto | Precision::Int8 | Precision::Fp8 => DType::F16,
        };
        let ends = recipe.io_precision.map_or(DType::F32, dtype);
        Self { cheap, fixed, ends, notes }
    }
}

/// The units that an option means: that of the node of this name, else those of the operator.
fn kept_units(kept: &Kept, units: &Units) -> Vec<usize> {
    match units.named(&kept.name) {
        Some(at) => vec![at],
        None => units.of_operator(&kept.name).collect(),
    }
}

fn dtype(real: Real) -> DType {
    match real {
        Real::F32 => DType::F32,
        Real::F16 => DType::F16,
        Real::Bf16 => DType::BF16,
    }
}

fn real(dtype: DType) -> Option<Real> {
    match dtype {
        DType::F32 => Some(Real::F32),
        DType::F16 => Some(Real::F16),
        DType::BF16 => Some(Real::Bf16),
        _ => None,
    }
}

/// The names of a network's outputs.
fn names(network: &Network) -> impl Iterator<Item = &str> {
    network.outputs.iter().map(|Output { name, .. }| &**name)
}
