//! Layers of constants computed at build time.

use crate::eval;
use crate::memory;
use crate::network::{LayerKind, ValueType};
use crate::tensor::Tensor;
use std::cell::Cell;

/// The most bytes that folding one layer may add to the weights.
const MOST_GROWTH_BYTES: usize = 1 << 20;
/// The most bytes that folding may add to the weights of one model, however many layers it has.
const MOST_TOTAL_GROWTH_BYTES: usize = 64 << 20;
/// The largest output that is computed here; what is larger, TensorRT folds with less memory.
const MOST_OUTPUT_BYTES: usize = 16 << 20;

/// The most bytes that may be held by what is folded.
const MOST_MADE_BYTES: usize = 1 << 30;
/// The share of the budget for memory that this may take: one in so many.
const SHARE_OF_BUDGET: usize = 4;

/// Computes layers of constants within a budget.
#[derive(Debug, Default)]
pub struct Folder {
    grown_bytes: Cell<usize>,
    made_bytes: Cell<usize>,
}

impl Folder {
    /// The outputs of a layer whose inputs are these constants; `None` where it is better left to
    /// TensorRT.
    pub fn fold(
        &self,
        kind: &LayerKind,
        inputs: &[&Tensor],
        outputs: &[ValueType],
    ) -> Option<Vec<Tensor>> {
        // The pair of Quantize and Dequantize is what makes a layer run in few bits. Of those that
        // share a byte, TensorRT takes pairs only.
        let shared = |tensor: &&Tensor| tensor.dtype().bits() < 8 && tensor.len() % 2 == 1;
        if matches!(kind, LayerKind::Dequantize(_)) && !inputs.first().is_some_and(shared) {
            return None;
        }
        let output_bytes = outputs.iter().map(bytes).sum::<Option<usize>>()?;
        let input_bytes: usize = inputs.iter().map(|tensor| tensor.bytes().len()).sum();
        let growth = output_bytes.saturating_sub(input_bytes);
        let total = self.grown_bytes.get().saturating_add(growth);
        let made = self.made_bytes.get().saturating_add(output_bytes);
        if made > MOST_MADE_BYTES.min(memory::budget() / SHARE_OF_BUDGET)
            || output_bytes > MOST_OUTPUT_BYTES
            || growth > MOST_GROWTH_BYTES
            || total > MOST_TOTAL_GROWTH_BYTES
        {
            return None;
        }
        let folded = eval::layer(kind, inputs).ok()?;
        self.grown_bytes.set(total);
        self.made_bytes.set(made);
        Some(folded.into_vec())
    }
}

/// Size of a value in bytes, where its shape is known.
fn bytes(ty: &ValueType) -> Option<usize> {
    let dims = ty.shape.known()?;
    ty.dtype.bytes_for(crate::tensor::volume(&dims)?)
}
