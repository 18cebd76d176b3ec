//! A plan on the GPU, run in a way that shows what it leaves out.
//!
//! Before each of two runs the outputs' memory is filled with a byte of its own: an element that
//! holds that byte both times was not written, and one that holds anything else twice must hold the
//! same.

use super::boundary;
use crate::error::{Error, Kind, Result};
use crate::network::{Network, Output};
use crate::report::latency::Latency;
use crate::tensor::{DType, Tensor};
use crate::trt::{Engine, POISONS, Session};

/// Runs before those that are timed.
const WARMUP: usize = 10;

/// What a plan computed.
#[derive(Debug)]
pub struct Ran {
    /// Name and data of each output.
    pub outputs: Vec<(String, Tensor)>,
    /// Outputs with elements that the plan did not write, and how many.
    pub unwritten: Vec<(String, usize)>,
    /// Outputs with elements that differ between two runs.
    pub unsteady: Vec<String>,
}

/// Runs a plan twice on these inputs, which are in the model's types.
///
/// # Errors
/// Numbers that do not fit the plan's types ([`Kind::Usage`]); whatever TensorRT and CUDA say.
pub fn run(engine: &mut Engine, inputs: &[(String, Tensor)]) -> Result<Ran> {
    let mut session = session(engine, inputs)?;
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
        let unwritten = elements().filter(|&element| left(element)).count();
        if unwritten > 0 {
            ran.unwritten.push((name.clone(), unwritten));
        } else if a != b {
            ran.unsteady.push(name.clone());
        }
        ran.outputs.push((name, a));
    }
    Ok(ran)
}

/// What a network's plan computes from these inputs, which are in the model's types: its outputs in
/// the model's order and types.
///
/// # Errors
/// As [`run`].
pub fn compute(
    engine: &mut Engine,
    network: &Network,
    inputs: &[(String, Tensor)],
) -> Result<Vec<Tensor>> {
    let ran = run(engine, inputs)?;
    let output = |wanted: &Output| {
        let found = ran.outputs.iter().find(|(name, _)| *name == *wanted.name);
        let missing =
            || Error::new(Kind::Internal, format!("output `{}` was not computed", wanted.name));
        let (name, tensor) = found.ok_or_else(missing)?;
        boundary::leave(name, tensor.clone(), wanted.declared)
    };
    network.outputs.iter().map(output).collect()
}

/// Times a plan on these inputs, which are in the model's types: for a second or so, at least 10
/// and at most 200 runs.
///
/// # Errors
/// As [`run`].
pub fn time(engine: &mut Engine, inputs: &[(String, Tensor)]) -> Result<Latency> {
    let mut session = session(engine, inputs)?;
    let once_ms = session.time(WARMUP, 1)?.quantile(0.5);
    let fitting = [200, 100, 50, 20].into_iter().find(|&runs| once_ms * f32::from(runs) < 1000.0);
    let runs = usize::from(fitting.unwrap_or(10_u8));
    Ok(Latency { stream: session.time(WARMUP, runs)?, graph: session.time_graph(WARMUP, runs)? })
}

/// A session of the plan with these inputs, which are in the model's types.
fn session<'e>(engine: &'e mut Engine, inputs: &[(String, Tensor)]) -> Result<Session<'e>> {
    let types: Vec<(String, DType)> =
        engine.bindings().iter().map(|binding| (binding.name.clone(), binding.dtype)).collect();
    let enter = |(name, tensor): &(String, Tensor)| {
        let dtype = types.iter().find(|(known, _)| known == name).map(|(_, dtype)| *dtype);
        let tensor = dtype
            .map_or_else(|| Ok(tensor.clone()), |dtype| boundary::enter(name, tensor, dtype))?;
        Ok((name.clone(), tensor))
    };
    let inputs = inputs.iter().map(enter).collect::<Result<Vec<_>>>()?;
    let profile = engine.fitting_profile(&inputs)?;
    engine.bind(&inputs, profile)
}
