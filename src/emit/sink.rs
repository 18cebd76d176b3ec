//! What a back end offers to [`emit`](super::emit): one call per TensorRT call.

use crate::network::LayerKind;
use crate::network::layer::LoopIterator;
use crate::tensor::DType;

/// Names a tensor on the sink's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle(pub u32);

/// Names a loop on the sink's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopHandle(pub u32);

/// Names a conditional on the sink's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConditionalHandle(pub u32);

/// A tensor as the sink sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The sink's name for it.
    pub handle: Handle,
    /// Its type according to the sink; `None` where the sink has no opinion.
    pub dtype: Option<DType>,
    /// Its sizes according to the sink, −1 where only the run knows; `None` where the sink has no
    /// opinion.
    pub dims: Option<Vec<i64>>,
}

/// A sink refused a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// The sink's own words.
    pub message: String,
}

/// What to call a layer.
#[derive(Debug, Clone, Copy)]
pub struct Label<'a> {
    /// Unique in the network, at most 4,095 bytes.
    pub name: &'a str,
    /// The ONNX nodes behind it.
    pub metadata: &'a str,
}

/// A back end that takes a network call by call.
///
/// Calls come in an order in which operands are made before they are used. Loops and conditionals
/// come flattened: what is called between their calls and uses their tensors belongs to their body.
pub trait Sink {
    /// An input of the network; a size of −1 is known only at run time and then has a name.
    fn input(
        &mut self,
        name: &str,
        dtype: DType,
        dims: &[i64],
        dim_names: &[Option<&str>],
    ) -> Result<Made, Refused>;

    /// A layer without nested blocks. `types` are those of its outputs, for sinks that have to be
    /// told.
    fn layer(
        &mut self,
        label: Label<'_>,
        kind: &LayerKind,
        inputs: &[Handle],
        types: &[DType],
    ) -> Result<Vec<Made>, Refused>;

    /// Makes a tensor an output of the network under this name.
    fn output(&mut self, tensor: Handle, name: &str, dtype: DType) -> Result<(), Refused>;

    /// Starts a loop.
    fn loop_begin(&mut self, label: Label<'_>) -> Result<LoopHandle, Refused>;

    /// Limits the number of iterations by a count from outside.
    fn loop_count(&mut self, of: LoopHandle, count: Handle) -> Result<(), Refused>;

    /// Goes on while a tensor of the body is true.
    fn loop_while(&mut self, of: LoopHandle, condition: Handle) -> Result<(), Refused>;

    /// Cuts a tensor from outside into slices, one per iteration.
    fn loop_iterator(
        &mut self,
        of: LoopHandle,
        over: Handle,
        how: &LoopIterator,
    ) -> Result<Made, Refused>;

    /// Carries a value from iteration to iteration; gives its current value.
    fn loop_recurrence(&mut self, of: LoopHandle, initial: Handle) -> Result<Made, Refused>;

    /// Says what the next value of a recurrence is.
    fn loop_next(&mut self, recurrence: Handle, next: Handle) -> Result<(), Refused>;

    /// Takes the final value of a recurrence out of the loop.
    fn loop_last_value(
        &mut self,
        label: Label<'_>,
        of: LoopHandle,
        recurrence: Handle,
    ) -> Result<Made, Refused>;

    /// Takes the values of all iterations out of the loop, side by side along a new axis.
    fn loop_collect(
        &mut self,
        label: Label<'_>,
        of: LoopHandle,
        value: Handle,
        axis: usize,
        reverse: bool,
        length: Handle,
    ) -> Result<Made, Refused>;

    /// Starts a conditional.
    fn conditional_begin(
        &mut self,
        label: Label<'_>,
        condition: Handle,
    ) -> Result<ConditionalHandle, Refused>;

    /// Brings a tensor from outside into a conditional; branches use what this gives.
    fn conditional_input(&mut self, of: ConditionalHandle, value: Handle) -> Result<Made, Refused>;

    /// Takes one of two tensors out of a conditional.
    fn conditional_output(
        &mut self,
        label: Label<'_>,
        of: ConditionalHandle,
        then_value: Handle,
        else_value: Handle,
    ) -> Result<Made, Refused>;
}
