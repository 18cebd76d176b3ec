//! Whether the numbers are right: inputs, reference, comparison.
//!
//! [`on_cpu`] evaluates a network of TensorRT layers on the CPU. That judges the conversion, not
//! the plan, and whatever prints the result has to say so. [`on_gpu`] runs the plan.

pub mod boundary;
pub mod by_layer;
pub mod compare;
pub mod data;
mod digits;
pub mod draw;
pub mod gpu;
mod limits;
pub mod locate;
pub mod npz;
pub mod random;
pub mod reference;
pub mod rounding;
pub mod steps;
mod vacuous;

#[cfg(test)]
mod tests;

use crate::error::{Error, Kind, Result};
use crate::eval;
use crate::network::Network;
use crate::report::Verification;
use crate::report::latency::Latency;
use crate::report::verification::{Candidate, Judgment, OutputComparison};
use crate::tensor::{DType, Tensor};
use crate::trt::Engine;
use data::DataSet;
use limits::Limits;
use rounding::{Measured, Spread};
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

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
    let measure = || Measured::new(network, &fed, exact.clone(), &outputs, false);
    judge(Candidate::Cpu, set, &computed, &outputs, &measure)
}

/// Evaluates a network on several data sets, and says where agreement with all of them proves
/// nothing.
///
/// # Errors
/// As [`on_cpu`].
pub fn all_on_cpu(
    network: &Network,
    inputs: &[&str],
    sets: &[DataSet],
) -> Result<Vec<Verification>> {
    let each = sets.iter().map(|set| on_cpu(network, inputs, set));
    let mut verifications = each.collect::<Result<Vec<_>>>()?;
    let mut compute = |set: &DataSet| {
        let outputs = eval::run(network, &self::inputs(network, inputs, set)?)?;
        let each = outputs.into_iter().zip(declared(network));
        each.map(|(tensor, (name, to))| boundary::leave(name, tensor, to)).collect()
    };
    vacuous::judge(network, inputs, sets, &mut verifications, &mut compute);
    Ok(verifications)
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
    let evaluated = OnceCell::new();
    let measure = || {
        let fed = self::inputs(network, inputs, set)?;
        let fed = evaluated.get_or_init(|| fed);
        Measured::new(network, fed, eval::run(network, fed)?, &outputs, tf32)
    };
    let mut verification = judge(Candidate::Gpu, set, &computed, &outputs, &measure)?;
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
        output.judged(Judgment::Differs);
        output.incomparable = Some(fault.to_owned());
    }
    verification.conclude();
    verification.deterministic = Some(ran.unsteady.is_empty());
    Ok(verification)
}

/// Runs a plan on several data sets, and says where agreement with all of them proves nothing.
///
/// # Errors
/// As [`on_gpu`].
pub fn all_on_gpu(
    engine: &mut Engine,
    of: (&Network, bool),
    inputs: &[&str],
    sets: &[DataSet],
) -> Result<Vec<Verification>> {
    let each = sets.iter().map(|set| on_gpu(engine, of, inputs, set));
    let mut verifications = each.collect::<Result<Vec<_>>>()?;
    let mut compute = |set: &DataSet| {
        let fed = fed(engine, inputs, set)?;
        gpu::compute(engine, of.0, &fed)
    };
    vacuous::judge(of.0, inputs, sets, &mut verifications, &mut compute);
    Ok(verifications)
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

/// What measures how far rounding moves each output, made when it is wanted.
type Measure<'m, 'a> = dyn Fn() -> Result<Measured<'a>> + 'm;

/// Compares what was computed, by name, with what a data set says of these outputs. Where they are
/// further apart than usual, and nobody said how far they may be, rounding is asked.
fn judge(
    candidate: Candidate,
    set: &DataSet,
    computed: &HashMap<&str, Tensor>,
    outputs: &[(&str, Option<DType>)],
    measure: &Measure<'_, '_>,
) -> Result<Verification> {
    let names: Vec<&str> = outputs.iter().map(|(name, _)| *name).collect();
    limits::check(&set.limits, &names)?;
    let within = |spreads: &HashMap<String, Spread>| -> Result<Vec<OutputComparison>> {
        let expected = data::in_order(&set.outputs, &names);
        let compared = outputs.iter().zip(expected).map(|(&(name, declared), expected)| {
            let expected = expected.ok_or_else(|| lacks(set, "output", name))?;
            let missing =
                || Error::new(Kind::Internal, format!("output `{name}` was not computed"));
            let actual = computed.get(name).cloned().ok_or_else(missing)?;
            let actual = boundary::leave(name, actual, declared)?;
            let standard = compare::scaled(actual.dtype(), expected);
            // Elements that must be equal stay so.
            let limits = Limits::of(&set.limits, name);
            let given = limits.tolerance(set.tolerance);
            let said = given.or_else(|| compare::share(expected, set.within?, standard));
            let tolerance = said.filter(|_| standard.relative > 0.0).unwrap_or(standard);
            let spread = spreads.get(name);
            let mut compared = compare::compare_within(name, &actual, expected, tolerance, spread);
            limits.judge(&mut compared, (&actual, expected), given.is_some());
            Ok(compared)
        });
        compared.collect()
    };
    let mut outputs = within(&HashMap::new())?;
    let is_open = |output: &OutputComparison| Limits::of(&set.limits, &output.name).is_empty();
    // What the network cannot be evaluated for differs as it did.
    if set.tolerance.is_none()
        && set.within.is_none()
        && outputs.iter().any(|output| apart(output) && is_open(output))
        && let Ok(measured) = measure()
    {
        outputs = by_rounding(outputs, (&is_open, measured), &within)?;
    }
    Ok(Verification::new(candidate, set.path.display().to_string(), outputs))
}

/// Whether the elements of an output are further apart than is usual.
fn apart(output: &OutputComparison) -> bool {
    !output.agrees && output.statistics.is_some()
}

/// Compares all outputs, by how far rounding moves those that are named.
type Within<'a> = dyn Fn(&HashMap<String, Spread>) -> Result<Vec<OutputComparison>> + 'a;

/// Compares outputs again, by how far rounding moves those of which nobody said how far they may be
/// off; what cannot be measured stays as it was.
fn by_rounding(
    mut outputs: Vec<OutputComparison>,
    (is_open, mut measured): (&dyn Fn(&OutputComparison) -> bool, Measured<'_>),
    within: &Within<'_>,
) -> Result<Vec<OutputComparison>> {
    let open = outputs.iter().filter(|output| apart(output) && is_open(output));
    let names: HashSet<String> = open.map(|output| output.name.clone()).collect();
    for runs in rounding::RUNS {
        let Ok(true) = measured.run(runs) else { break };
        let Ok(mut spreads) = measured.spreads() else { break };
        spreads.retain(|name, _| names.contains(name));
        outputs = within(&spreads)?;
        let is_near = |output: &OutputComparison| {
            output.verdict == Judgment::Differs
                && is_open(output)
                && rounding::may_be_explained(output, measured.network())
        };
        if !outputs.iter().any(is_near) {
            break;
        }
    }
    Ok(outputs)
}

fn lacks(set: &DataSet, what: &str, name: &str) -> Error {
    Error::new(Kind::Usage, format!("`{}` has no data for {what} `{name}`", set.path.display()))
}

/// The error for the gravest of several comparisons; `None` where all agree.
pub fn objection(verifications: &[Verification]) -> Option<Error> {
    let gravest = verifications.iter().map(|verification| verification.verdict).max()?;
    let found = verifications.iter().find(|verification| verification.verdict == gravest)?;
    mismatch(found)
}

/// The error for outputs that are not proven right; `None` where all agree.
pub fn mismatch(verification: &Verification) -> Option<Error> {
    let wrong: Vec<_> = verification.outputs.iter().filter(|output| !output.agrees).collect();
    let gravest =
        wrong.iter().filter(|output| output.verdict == verification.verdict).collect::<Vec<_>>();
    let (first, count) = (gravest.first()?, gravest.len());
    let (subject, one) = match count {
        1 => (format!("output `{}`", first.name), true),
        _ => (format!("{count} outputs"), false),
    };
    let reference = format!("the reference in `{}`", verification.reference);
    let s = |many: &str, single: &str| if one { single } else { many }.to_owned();
    let (kind, message) = match verification.verdict {
        Judgment::Agrees => return None,
        Judgment::Differs => {
            (Kind::Mismatch, format!("{subject} {} {reference}", s("differ from", "differs from")))
        }
        Judgment::Undetermined => {
            let has = s("have", "has");
            let message = format!("{subject} {has} too few digits to compare with {reference}");
            (Kind::Undetermined, message)
        }
        Judgment::Vacuous => {
            let agree = s("agree", "agrees");
            let message = format!("{subject} {agree} with {reference}, which proves nothing");
            (Kind::Vacuous, message)
        }
    };
    let error = wrong
        .into_iter()
        .fold(Error::new(kind, message), |error, output| error.with_note(summary(output)));
    Some(match verification.verdict {
        Judgment::Vacuous => error.with_hint(
            "verify with inputs on which the output depends: as a `test_data_set_0` beside the \
             model, or with `--data` or `--inputs`",
        ),
        _ => error,
    })
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
    if let Some(why) = &output.untested {
        return format!("`{name}` {}: {why}", output.actual);
    }
    if let Some(failed) = output.metrics.iter().find(|measure| !measure.holds) {
        return format!("`{name}` {}: {failed}", output.actual);
    }
    let undetermined = output.verdict == Judgment::Undetermined;
    if let Some(rounding) = output.rounding.as_ref().filter(|_| undetermined) {
        let lost = rounding
            .lost_in
            .as_ref()
            .map_or_else(String::new, |node| format!("; most digits are lost in {node}"));
        return format!(
            "`{name}` {}: rounding alone moves {:.0} % of its elements by more than 3 % of themselves{lost}",
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
