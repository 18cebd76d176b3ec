//! A third witness, where the outputs of test data differ from those of a quantized model.
//!
//! Test data of quantized models were mostly made by ONNX Runtime as it is by default, which
//! saturates sums of products on some processors and rounds at other places than the model says. So
//! it is asked again, with exact sums and the graph as it is. If it agrees with what was computed,
//! two of three say the same, and the test data are off.

use super::Source;
use crate::error::Result;
use crate::onnx::Constant;
use crate::report::Verification;
use crate::report::verification::Judgment;
use crate::tensor::Tensor;
use crate::verify::data::{DataSet, Entry};
use crate::verify::reference::{self, Reference};
use std::path::Path;

/// Judges data sets.
type Judge<'a> = dyn FnMut(&[DataSet]) -> Result<Vec<Verification>> + 'a;

impl Source {
    /// Judges data sets, and those again whose outputs differ where ONNX Runtime, whose library is
    /// at `reference`, gives others. Without one, or for models that are not quantized, test data
    /// count as they are.
    ///
    /// # Errors
    /// What `judge` says of the data sets as they are.
    pub fn judged(
        &self,
        reference: Option<&Path>,
        sets: &[DataSet],
        judge: &mut Judge<'_>,
    ) -> Result<Vec<Verification>> {
        let mut found = judge(sets)?;
        let differs = |found: &Verification| found.verdict == Judgment::Differs;
        if !found.iter().any(differs) || !reference::is_quantized(&self.model.graph) {
            return Ok(found);
        }
        let Some(Ok(mut reference)) = reference.map(|library| self.reference(library)) else {
            return Ok(found);
        };
        for (found, set) in found.iter_mut().zip(sets).filter(|(found, _)| differs(found)) {
            let Some(again) = again(&mut reference, set, &self.inputs()) else { continue };
            let Ok(judged) = judge(std::slice::from_ref(&again)) else { continue };
            let overrules = judged.into_iter().find(|judged| !differs(judged));
            if let Some(judged) = overrules {
                let overrules = Some(std::mem::take(&mut found.reference));
                let reference = "ONNX Runtime".to_owned();
                *found = Verification { reference, overrules, ..judged };
            }
        }
        Ok(found)
    }
}

/// A data set with the outputs that a reference gives; `None` where it gives none.
fn again(reference: &mut Reference, set: &DataSet, inputs: &[&str]) -> Option<DataSet> {
    let fed: Vec<(String, Tensor)> = set
        .tensors(inputs)
        .into_iter()
        .map(|(name, tensor)| (name.to_owned(), tensor.clone()))
        .collect();
    let outputs = reference.run(&fed).ok()?.into_iter();
    let outputs =
        outputs.map(|(name, tensor)| Entry { name, data: Constant::Tensor(tensor) }).collect();
    Some(DataSet { outputs, ..set.clone() })
}
