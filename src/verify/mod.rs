//! Whether the numbers are right: inputs, reference, comparison.
//!
//! [`on_cpu`] evaluates a network of TensorRT layers on the CPU. That judges the conversion, not
//! the plan, and whatever prints the result has to say so. [`on_gpu`] runs the plan.

pub mod boundary;
pub mod by_layer;
pub mod compare;
pub mod data;
pub mod draw;
pub mod gpu;
pub mod locate;
pub mod npz;
pub mod random;
pub mod reference;
pub mod rounding;

#[cfg(test)]
mod tests;

use crate::error::{Error, Kind, Result};
use crate::eval;
use crate::network::Network;
use crate::report::Verification;
use crate::report::latency::Latency;
use crate::report::verification::{Candidate, OutputComparison};
use crate::tensor::{DType, Tensor};
use crate::trt::Engine;
use data::DataSet;
use rounding::Spread;
use std::collections::HashMap;

/// Evaluates a network on the inputs of a data set and compares every output with the data set's.
///
/// `inputs` are the names of the model's inputs in the model's order, those included that the
/// network does not have because they were frozen.
///
/// # Errors
/// Data that does not fit the model ([`Kind::Usage`]), types that no network takes
/// ([`Kind::Unsupported`]), layers that cannot be evaluated. Numbers that differ are no error here:
/// see [`mismatch`].
pub fn on_cpu(network: &Network, inputs: &[&str], set: &DataSet) -> Result<Verification> {
    let (fed, outputs) = (self::inputs(network, inputs, set)?, declared(network));
    let exact = eval::run(network, &fed)?;
    let computed = outputs.iter().map(|(name, _)| *name).zip(exact.iter().cloned()).collect();
    let spreads = || rounding::spreads(network, &fed, exact.clone(), &outputs, false);
    judge(Candidate::Cpu, set, &computed, &outputs, &spreads)
}

/// The inputs of a network from a data set, in the network's types. `inputs` are the model's, as
/// for [`on_cpu`].
///
/// # Errors
/// [`Kind::Usage`] where one is missing or does not fit, [`Kind::Unsupported`] for types that no
/// network takes.
pub fn inputs(network: &Network, inputs: &[&str], set: &DataSet) -> Result<Vec<Tensor>> {
    let values = network.inputs.iter().map(|&input| network.value(input));
    values
        .map(|value| boundary::enter(&value.name, given(set, inputs, &value.name)?, value.ty.dtype))
        .collect()
}

/// Runs a plan twice on the inputs of a data set and compares every output with the data set's.
///
/// `inputs` as for [`on_cpu`]; `network` is what the plan was built of, in which products may be
/// computed in TF32 where `tf32` says so.
///
/// # Errors
/// As [`on_cpu`]; whatever TensorRT and CUDA say.
pub fn on_gpu(
    engine: &mut Engine,
    (network, tf32): (&Network, bool),
    inputs: &[&str],
    set: &DataSet,
) -> Result<Verification> {
    let fed = fed(engine, inputs, set)?;
    let ran = gpu::run(engine, &fed)?;
    let outputs = declared(network);
    let computed =
        ran.outputs.iter().map(|(name, tensor)| (name.as_str(), tensor.clone())).collect();
    let spreads = || {
        let fed = self::inputs(network, inputs, set)?;
        rounding::spreads(network, &fed, eval::run(network, &fed)?, &outputs, tf32)
    };
    let mut verification = judge(Candidate::Gpu, set, &computed, &outputs, &spreads)?;
    for output in &mut verification.outputs {
        let unwritten = ran.unwritten.iter().find(|(name, _)| *name == output.name);
        output.unwritten = unwritten.map_or(0, |(_, count)| *count);
        let fault = if output.unwritten > 0 {
            "has elements that the plan did not write"
        } else if ran.unsteady.contains(&output.name) {
            "differs between two runs"
        } else {
            continue;
        };
        output.agrees = false;
        output.incomparable = Some(fault.to_owned());
    }
    verification.agrees = verification.outputs.iter().all(|output| output.agrees);
    verification.deterministic = Some(ran.unsteady.is_empty());
    Ok(verification)
}

/// How long a plan takes on the inputs of a data set. `inputs` as for [`on_cpu`].
///
/// # Errors
/// As [`on_gpu`].
pub fn time_on_gpu(engine: &mut Engine, inputs: &[&str], set: &DataSet) -> Result<Latency> {
    let fed = fed(engine, inputs, set)?;
    gpu::time(engine, &fed)
}

/// What a data set holds for the inputs of a plan.
fn fed(engine: &Engine, inputs: &[&str], set: &DataSet) -> Result<Vec<(String, Tensor)>> {
    let names =
        engine.bindings().iter().filter(|binding| binding.input).map(|binding| &binding.name);
    names.map(|name| Ok((name.clone(), given(set, inputs, name)?.clone()))).collect()
}

/// The names of a network's outputs in the model's order, with the model's type where the network's
/// is another.
pub fn declared(network: &Network) -> Vec<(&str, Option<DType>)> {
    network.outputs.iter().map(|output| (&*output.name, output.declared)).collect()
}

/// What a data set holds for an input of the model.
fn given<'s>(set: &'s DataSet, inputs: &[&str], name: &str) -> Result<&'s Tensor> {
    let data = data::in_order(&set.inputs, inputs);
    let found = inputs
        .iter()
        .position(|input| *input == name)
        .and_then(|at| data.get(at).copied().flatten());
    let found = found.ok_or_else(|| lacks(set, "input", name))?;
    found.tensor().map_err(|error| Error::new(Kind::Unsupported, error.to_string()))
}

/// How far rounding moves each output, measured when it is wanted.
type Spreads<'a> = dyn Fn() -> Result<Option<HashMap<String, Spread>>> + 'a;

/// Compares what was computed, by name, with what a data set says of these outputs. Where they are
/// further apart than usual, and nobody said how far they may be, rounding is asked.
fn judge(
    candidate: Candidate,
    set: &DataSet,
    computed: &HashMap<&str, Tensor>,
    outputs: &[(&str, Option<DType>)],
    spreads: &Spreads<'_>,
) -> Result<Verification> {
    let within = |spreads: &HashMap<String, Spread>| -> Result<Vec<OutputComparison>> {
        let names: Vec<&str> = outputs.iter().map(|(name, _)| *name).collect();
        let expected = data::in_order(&set.outputs, &names);
        let compared = outputs.iter().zip(expected).map(|(&(name, declared), expected)| {
            let expected = expected.ok_or_else(|| lacks(set, "output", name))?;
            let missing =
                || Error::new(Kind::Internal, format!("output `{name}` was not computed"));
            let actual = computed.get(name).cloned().ok_or_else(missing)?;
            let actual = boundary::leave(name, actual, declared)?;
            let standard = compare::tolerance(actual.dtype());
            // Elements that must be equal stay so.
            let said = set.tolerance.or_else(|| compare::share(expected, set.within?, standard));
            let tolerance = said.filter(|_| standard.relative > 0.0).unwrap_or(standard);
            Ok(compare::compare_within(name, &actual, expected, tolerance, spreads.get(name)))
        });
        compared.collect()
    };
    let mut outputs = within(&HashMap::new())?;
    let apart = |output: &OutputComparison| !output.agrees && output.statistics.is_some();
    // What the network cannot be evaluated for differs as it did.
    if set.tolerance.is_none()
        && set.within.is_none()
        && outputs.iter().any(apart)
        && let Ok(Some(mut spreads)) = spreads()
    {
        spreads
            .retain(|name, _| outputs.iter().any(|output| output.name == *name && apart(output)));
        outputs = within(&spreads)?;
    }
    let agrees = outputs.iter().all(|output| output.agrees);
    Ok(Verification {
        candidate,
        reference: set.path.display().to_string(),
        agrees,
        deterministic: None,
        outputs,
    })
}

fn lacks(set: &DataSet, what: &str, name: &str) -> Error {
    Error::new(Kind::Usage, format!("`{}` has no data for {what} `{name}`", set.path.display()))
}

/// The error for outputs that differ; `None` where all agree.
pub fn mismatch(verification: &Verification) -> Option<Error> {
    let wrong: Vec<_> = verification.outputs.iter().filter(|output| !output.agrees).collect();
    let (first, count) = (wrong.first()?, wrong.len());
    let lost = wrong.iter().all(|output| is_undetermined(output));
    let which = match (count, lost) {
        (1, false) => format!("output `{}` differs from", first.name),
        (_, false) => format!("{count} outputs differ from"),
        (1, true) => format!("output `{}` has too few digits to compare with", first.name),
        (_, true) => format!("{count} outputs have too few digits to compare with"),
    };
    let mut error = Error::new(
        Kind::Mismatch,
        format!("{which} the reference in `{}`", verification.reference),
    );
    for output in wrong {
        error = error.with_note(summary(output));
    }
    Some(error)
}

/// Whether no element is further off than rounding explains, which leaves too few digits, however.
fn is_undetermined(output: &OutputComparison) -> bool {
    let within = output.statistics.as_ref().is_some_and(|statistics| statistics.mismatches == 0);
    within && output.incomparable.is_none() && output.rounding.is_some_and(|of| !of.determined)
}

/// One line on an output that differs: how many elements, and the worst of them.
pub fn summary(output: &OutputComparison) -> String {
    let name = &output.name;
    let (None, Some(statistics)) = (&output.incomparable, &output.statistics) else {
        return format!("`{name}` {}", output.incomparable.as_deref().unwrap_or_default());
    };
    let (wrong, all) = (statistics.mismatches, statistics.elements);
    let worst = statistics.worst.as_ref().map_or_else(String::new, |worst| {
        format!("; worst at {:?}: {}, expected {}", worst.index, worst.actual, worst.expected)
    });
    if let Some(rounding) = output.rounding.filter(|_| is_undetermined(output)) {
        return format!(
            "`{name}` {}: rounding alone moves {:.0} % of its elements by more than 3 % of themselves",
            output.actual,
            100.0 * rounding.lost
        );
    }
    let error = format!(
        "max error {:.3e}, relative {:.3e}",
        statistics.max_absolute, statistics.max_relative
    );
    format!("`{name}` {}: {wrong} of {all} elements differ, {error}{worst}", output.actual)
}
