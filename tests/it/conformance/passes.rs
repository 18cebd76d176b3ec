//! Every optimization pass keeps the numbers: the network without passes, with all of them, and
//! with each left out.

use onnx2plan::network::{Caps, Network};
use onnx2plan::onnx::Constant;
use onnx2plan::opt::{self, PASSES};
use onnx2plan::pipeline;
use onnx2plan::recipe::Pass;
use onnx2plan::tensor::Tensor;
use onnx2plan::valid::Checked;
use onnx2plan::verify::compare::compare;
use onnx2plan::{Result, eval};

/// The passes that compute with constants, which rounds anew; all others move data and join layers.
const ROUND: [Pass; 2] = [Pass::ConvScale, Pass::Scale];

/// What differs between the passes that are run and others, if anything.
///
/// `finished` is the network after the passes in `log`. A pass that changed nothing in it is not
/// left out: the network would be the same.
pub(super) fn disagreement(
    imported: &Network,
    finished: &Checked,
    log: &opt::Log,
    caps: Caps,
    inputs: &[Tensor],
) -> Result<Option<String>> {
    if log.is_empty() {
        return Ok(None);
    }
    let all = eval::run(finished, inputs)?;
    let rounds = |log: &opt::Log| log.iter().any(|(name, _)| ROUND.contains(name));
    for without_passes in left_out(log) {
        let without = without_passes.iter().map(Pass::to_string).collect::<Vec<_>>().join(", ");
        let (network, other_log) = pipeline::finish(imported.clone(), &without_passes, caps)?;
        let exact = !rounds(log) && !rounds(&other_log);
        let fewer = eval::run(&network, inputs)?;
        for ((all, fewer), output) in all.iter().zip(&fewer).zip(&network.outputs) {
            let comparison = compare(&output.name, all, &Constant::Tensor(fewer.clone()));
            if !comparison.agrees || exact && all.bytes() != fewer.bytes() {
                let text =
                    format!("output `{}` is {all:?}, but {fewer:?} without {without}", output.name);
                return Ok(Some(text));
            }
        }
    }
    Ok(None)
}

/// The passes to leave out, run by run: all of them, then each of those that changed something.
fn left_out(log: &opt::Log) -> Vec<Vec<Pass>> {
    let mut runs = vec![PASSES.iter().map(|pass| pass.name).collect()];
    if log.len() > 1 {
        runs.extend(log.iter().map(|(name, _)| vec![*name]));
    }
    runs
}
