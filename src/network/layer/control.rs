//! Layers with nested blocks. `emit` flattens them into TensorRT's loop and conditional layers.

use super::super::Block;
use super::attributes::{Attributes, Describe};

/// A loop: `nvinfer1::ILoop` with its trip limit, iterator, recurrence and output layers.
///
/// Inputs, in order: the trip count (`i32` or `i64` of rank 0) if [`Loop::counted`]; one value per
/// iterator; one initial value per recurrence; one length (rank 0) per output that is concatenated.
///
/// [`Block::params`] of the body: one slice per iterator, then the current value of each
/// recurrence.
/// [`Block::results`]: the condition to take part (`bool` of rank 0) if [`Loop::while_result`],
/// the next value of each recurrence, then one value per output whose kind is not
/// [`LoopOutput::LastValue`].
///
/// The layer's outputs are those of [`Loop::outputs`], in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Loop {
    /// Whether the first input limits the number of iterations.
    pub counted: bool,
    /// Whether that limit is the user's and not the model's: what a loop gives that would go on is
    /// then cut short.
    pub capped: bool,
    /// Whether the first result decides on the iteration that computes it: where it is false, that
    /// iteration changes nothing and is the last.
    pub while_result: bool,
    /// Slices handed to each iteration.
    pub iterators: Vec<LoopIterator>,
    /// Number of values carried from one iteration to the next.
    pub recurrences: usize,
    /// What leaves the loop.
    pub outputs: Vec<LoopOutput>,
    /// What one iteration does.
    pub body: Block,
}

/// A value cut into slices, one per iteration: `nvinfer1::IIteratorLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct LoopIterator {
    /// The axis that is cut; it vanishes in the slice.
    pub axis: usize,
    /// Whether the last slice comes first.
    pub reverse: bool,
}

/// A value that leaves a loop: `nvinfer1::ILoopOutputLayer`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum LoopOutput {
    /// The final value of the recurrence at this position.
    LastValue(usize),
    /// The results of all iterations side by side along a new axis, first iteration first.
    Concatenate {
        /// Where the new axis stands.
        axis: usize,
    },
    /// The same, last iteration first.
    Reverse {
        /// Where the new axis stands.
        axis: usize,
    },
}

/// One of two blocks, by a condition: `nvinfer1::IIfConditional`. Input: the condition, `bool` of
/// rank 0.
///
/// The blocks have no parameters and equally many results, alike in type and shape; those are the
/// layer's outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Conditional {
    /// Runs where the condition holds.
    pub then_block: Block,
    /// Runs where it does not.
    pub else_block: Block,
}

impl Describe for Loop {
    fn describe(&self, to: &mut Attributes) {
        let Self { counted, capped, while_result, iterators, recurrences, outputs, body: _ } = self;
        to.flag("counted", *counted);
        to.flag("capped", *capped);
        to.flag("while", *while_result);
        for LoopIterator { axis, reverse } in iterators {
            to.named(if *reverse { "iterator reverse axis" } else { "iterator axis" }, axis);
        }
        to.unless("recurrences", recurrences, &0);
        for output in outputs {
            match output {
                LoopOutput::LastValue(of) => to.named("out last", of),
                LoopOutput::Concatenate { axis } => to.named("out concatenate axis", axis),
                LoopOutput::Reverse { axis } => to.named("out reverse axis", axis),
            }
        }
    }
}

impl Describe for Conditional {
    fn describe(&self, _: &mut Attributes) {
        let Self { then_block: _, else_block: _ } = self;
    }
}
