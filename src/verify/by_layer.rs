//! How far the numbers are off inside the model, node after node.
//!
//! What the nodes compute becomes the outputs of one model, which the candidate computes as a
//! whole: errors add up on the way, as they do in the model. A tensor that is an output cannot
//! vanish in a fused layer, so a plan made for this may round in other places than the model's own.

use super::compare::compare;
use super::locate::{Candidate, Inner, computing};
use crate::error::Result;
use crate::onnx::Constant;
use crate::onnx::part::{Step, Whole};
use crate::report::verification::OutputComparison;
use crate::tensor::Tensor;

/// Most tensors that are compared: each stays in memory from where it is computed to the end of the
/// run.
const MOST: usize = 256;

/// What a node computed.
#[derive(Debug)]
pub struct Compared {
    /// The node's name.
    pub node: String,
    /// Its operator.
    pub op: String,
    /// Its first output against the reference's.
    pub comparison: OutputComparison,
}

/// Compares the first output of every node that computes floating-point numbers from the inputs, in
/// the model's order. Of more than 256 nodes, as many, evenly spread.
///
/// # Errors
/// Of the reference, of cutting, and of the candidate.
pub fn compare_nodes(
    whole: &Whole,
    inputs: &[(String, Tensor)],
    reference: &mut Inner<'_>,
    candidate: &mut dyn Candidate,
) -> Result<Vec<Compared>> {
    let nodes = computing(whole, &whole.outputs(), inputs);
    let steps = nodes.into_iter().filter_map(|at| whole.nodes().get(at));
    let steps: Vec<(&Step, &str)> =
        steps.filter_map(|step| Some((step, step.outputs.first()?.as_str()))).collect();
    let steps = spread(&steps, MOST);
    let names: Vec<&str> = steps.iter().map(|(_, name)| *name).collect();
    let expected = reference(whole, &names)?;
    let floating: Vec<_> =
        steps.into_iter().zip(expected).filter(|(_, tensor)| tensor.dtype().is_float()).collect();
    let names: Vec<&str> = floating.iter().map(|((_, name), _)| *name).collect();
    let model = whole.part(&[], &names)?.model()?;
    let needed = |name: &str| model.graph.inputs.iter().any(|info| *info.name == *name);
    let inputs: Vec<_> = inputs.iter().filter(|(name, _)| needed(name)).cloned().collect();
    let computed = candidate.run(&model, &inputs)?;
    let compared =
        floating.into_iter().zip(computed).map(|(((step, name), expected), computed)| Compared {
            node: step.name.clone(),
            op: step.op.clone(),
            comparison: compare(name, &computed, &Constant::Tensor(expected)),
        });
    Ok(compared.collect())
}

/// At most `most` of these, evenly spread, the last one among them.
fn spread<T: Clone>(all: &[T], most: usize) -> Vec<T> {
    let count = all.len().min(most);
    (1..=count).filter_map(|at| all.get(at * all.len() / count - 1)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn spreads_evenly_to_the_last() {
        let all: Vec<usize> = (0..10).collect();
        assert_eq!(spread(&all, 20), all);
        assert_eq!(spread(&all, 4), [1, 4, 6, 9]);
        assert!(spread(&all[..0], 4).is_empty());
    }
}
