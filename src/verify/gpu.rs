//! A plan on the GPU, run in a way that shows what it leaves out.
//!
//! Before each of two runs the outputs' memory is filled with a byte of its own: an element that holds that byte both
//! times was not written, and one that holds anything else twice must hold the same.

use super::boundary;
use crate::error::Result;
use crate::tensor::{DType, Tensor};
use crate::trt::{Engine, POISONS};

/// What a plan computed.
#[derive(Debug)]
pub struct Ran {
    /// Name and data of each output.
    pub outputs: Vec<(String, Tensor)>,
    /// Outputs with elements that the plan did not write.
    pub unwritten: Vec<String>,
    /// Outputs with elements that differ between two runs.
    pub unsteady: Vec<String>,
}

/// Runs a plan twice on these inputs, which are in the model's types.
///
/// # Errors
/// Numbers that do not fit the plan's types ([`Kind::Usage`](crate::Kind::Usage)); whatever TensorRT and CUDA say.
pub fn run(engine: &mut Engine, inputs: &[(String, Tensor)]) -> Result<Ran> {
    let types: Vec<(String, DType)> =
        engine.bindings().iter().map(|binding| (binding.name.clone(), binding.dtype)).collect();
    let enter = |(name, tensor): &(String, Tensor)| {
        let dtype = types.iter().find(|(known, _)| known == name).map(|(_, dtype)| *dtype);
        let tensor = dtype.map_or_else(|| Ok(tensor.clone()), |dtype| boundary::enter(name, tensor, dtype))?;
        Ok((name.clone(), tensor))
    };
    let inputs = inputs.iter().map(enter).collect::<Result<Vec<_>>>()?;
    let profile = engine.fitting_profile(&inputs)?;
    let mut session = engine.bind(&inputs, profile)?;
    let mut once = |poison| {
        session.poison(poison)?;
        session.run()?;
        session.outputs()
    };
    let (first, second) = (once(POISONS[0])?, once(POISONS[1])?);
    let mut ran = Ran { outputs: Vec::new(), unwritten: Vec::new(), unsteady: Vec::new() };
    for ((name, a), (_, b)) in first.into_iter().zip(second) {
        let size = (a.dtype().bits() / 8).max(1);
        let elements = || a.bytes().chunks(size).zip(b.bytes().chunks(size));
        let left = |(a, b): (&[u8], &[u8])| {
            a.iter().all(|&byte| byte == POISONS[0]) && b.iter().all(|&byte| byte == POISONS[1])
        };
        if elements().any(left) {
            ran.unwritten.push(name.clone());
        } else if a != b {
            ran.unsteady.push(name.clone());
        }
        ran.outputs.push((name, a));
    }
    Ok(ran)
}
