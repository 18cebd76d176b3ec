//! Whether the numbers are right: inputs, reference, comparison.
//!
//! [`on_cpu`] evaluates a network of TensorRT layers on the CPU. That judges the conversion, not the plan: no plan is
//! run here, and whatever prints the result has to say so.

pub mod compare;
pub mod data;
pub mod locate;
pub mod npz;
pub mod random;
pub mod reference;

#[cfg(test)]
mod tests;

use crate::error::{Error, Kind, Result};
use crate::eval;
use crate::network::Network;
use crate::onnx::Constant;
use crate::report::Verification;
use crate::tensor::Tensor;
use data::DataSet;

/// Evaluates a network on the inputs of a data set and compares every output with the data set's.
///
/// `inputs` are the names of the model's inputs in the model's order, those included that the network does not have
/// because they were frozen.
///
/// # Errors
/// Data that does not fit the model ([`Kind::Usage`]), types that no network takes ([`Kind::Unsupported`]), layers that
/// cannot be evaluated. Numbers that differ are no error here: see [`mismatch`].
pub fn on_cpu(network: &Network, inputs: &[&str], set: &DataSet) -> Result<Verification> {
    let computed = eval::run(network, &self::inputs(network, inputs, set)?)?;

    let names: Vec<&str> = network.outputs.iter().map(|output| &*output.name).collect();
    let expected = data::in_order(&set.outputs, &names);
    let compared = names.iter().zip(&computed).zip(expected).map(|((name, actual), expected)| {
        expected.map(|expected| compare::compare(name, actual, expected)).ok_or_else(|| lacks(set, "output", name))
    });
    let outputs = compared.collect::<Result<Vec<_>>>()?;
    let agrees = outputs.iter().all(|output| output.agrees);
    Ok(Verification { candidate: "cpu", reference: set.path.display().to_string(), agrees, outputs })
}

/// The inputs of a network from a data set. `inputs` are the model's, as for [`on_cpu`].
///
/// # Errors
/// [`Kind::Usage`] where one is missing, [`Kind::Unsupported`] for types that no network takes.
pub fn inputs(network: &Network, inputs: &[&str], set: &DataSet) -> Result<Vec<Tensor>> {
    let given = data::in_order(&set.inputs, inputs);
    let names = network.inputs.iter().map(|&input| &*network.value(input).name);
    let fed = names.map(|name| {
        let found = inputs.iter().position(|input| *input == name).and_then(|at| given.get(at).copied().flatten());
        found.map_or_else(|| Err(lacks(set, "input", name)), numbers)
    });
    fed.collect()
}

fn numbers(given: &Constant) -> Result<Tensor> {
    let tensor = given.tensor().map_err(|error| Error::new(Kind::Unsupported, error.to_string()))?;
    Ok(data::at_boundary(tensor))
}

fn lacks(set: &DataSet, what: &str, name: &str) -> Error {
    Error::new(Kind::Usage, format!("`{}` has no data for {what} `{name}`", set.path.display()))
}

/// The error for outputs that differ; `None` where all agree.
pub fn mismatch(verification: &Verification) -> Option<Error> {
    let wrong: Vec<_> = verification.outputs.iter().filter(|output| !output.agrees).collect();
    let (first, count) = (wrong.first()?, wrong.len());
    let which = if count == 1 { format!("output `{}` differs", first.name) } else { format!("{count} outputs differ") };
    let mut error = Error::new(Kind::Mismatch, format!("{which} from the reference in `{}`", verification.reference));
    for output in wrong {
        error = error.with_note(summary(output));
    }
    Some(error)
}

/// One line on an output that differs: how many elements, and the worst of them.
pub fn summary(output: &crate::report::verification::OutputComparison) -> String {
    let name = &output.name;
    let Some(statistics) = &output.statistics else {
        return format!("`{name}` {}", output.incomparable.as_deref().unwrap_or_default());
    };
    let (wrong, all) = (statistics.mismatches, statistics.elements);
    let worst = statistics.worst.as_ref().map_or_else(String::new, |worst| {
        format!("; worst at {:?}: {}, expected {}", worst.index, worst.actual, worst.expected)
    });
    let error = format!("max error {:.3e}, relative {:.3e}", statistics.max_absolute, statistics.max_relative);
    format!("`{name}` {}: {wrong} of {all} elements differ, {error}{worst}", output.actual)
}
