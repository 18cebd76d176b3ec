//! A sink that writes each call as a line of text: what golden files hold. What a layer's
//! attributes are stands in the text of the network.

use super::sink::{ConditionalHandle, Handle, Label, LoopHandle, Made, Refused, Sink};
use crate::network::LayerKind;
use crate::network::layer::{LoopIterator, RnnOperation};
use crate::tensor::DType;

/// Writes calls down. Has no opinion on types and shapes.
#[derive(Debug, Default)]
pub struct Trace {
    text: String,
    handles: u32,
    scopes: u32,
}

impl Trace {
    /// The calls so far, a line each.
    pub fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn make(&mut self) -> Made {
        self.handles += 1;
        Made { handle: Handle(self.handles), dtype: None, dims: None }
    }

    /// A line `t7 = call`.
    fn made(&mut self, call: &str) -> Made {
        let made = self.make();
        self.line(&format!("t{} = {call}", made.handle.0));
        made
    }

    fn scope(&mut self) -> u32 {
        self.scopes += 1;
        self.scopes
    }
}

fn tensors(handles: &[Handle]) -> String {
    handles.iter().map(|handle| format!("t{}", handle.0)).collect::<Vec<_>>().join(", ")
}

/// How many outputs a layer of this kind has.
fn output_count(kind: &LayerKind) -> usize {
    match kind {
        LayerKind::Rnn(layer) if layer.operation == RnnOperation::Lstm => 3,
        LayerKind::TopK(_) | LayerKind::NonMaxSuppression(_) | LayerKind::Rnn(_) => 2,
        _ => 1,
    }
}

impl Sink for Trace {
    fn input(
        &mut self,
        name: &str,
        dtype: DType,
        dims: &[i64],
        names: &[Option<&str>],
    ) -> Result<Made, Refused> {
        let sizes: Vec<String> = dims
            .iter()
            .zip(names)
            .map(|(size, name)| name.map_or_else(|| size.to_string(), str::to_owned))
            .collect();
        Ok(self.made(&format!("input {name:?} {dtype}[{}]", sizes.join(", "))))
    }

    fn layer(
        &mut self,
        label: Label<'_>,
        kind: &LayerKind,
        inputs: &[Handle],
        _: &[DType],
    ) -> Result<Vec<Made>, Refused> {
        let made: Vec<Made> = (0..output_count(kind)).map(|_| self.make()).collect();
        let handles: Vec<Handle> = made.iter().map(|made| made.handle).collect();
        let (made_text, kind) = (tensors(&handles), kind.name());
        self.line(&format!("{made_text} = add{kind}({})  {:?}", tensors(inputs), label.name));
        Ok(made)
    }

    fn output(&mut self, tensor: Handle, name: &str, dtype: DType) -> Result<(), Refused> {
        self.line(&format!("output t{} {name:?} {dtype}", tensor.0));
        Ok(())
    }

    fn loop_begin(&mut self, label: Label<'_>) -> Result<LoopHandle, Refused> {
        let scope = self.scope();
        self.line(&format!("loop{scope} = addLoop()  {:?}", label.name));
        Ok(LoopHandle(scope))
    }

    fn loop_count(&mut self, of: LoopHandle, count: Handle) -> Result<(), Refused> {
        self.line(&format!("loop{}.addTripLimit(t{}, count)", of.0, count.0));
        Ok(())
    }

    fn loop_while(&mut self, of: LoopHandle, condition: Handle) -> Result<(), Refused> {
        self.line(&format!("loop{}.addTripLimit(t{}, while)", of.0, condition.0));
        Ok(())
    }

    fn loop_iterator(
        &mut self,
        of: LoopHandle,
        over: Handle,
        how: &LoopIterator,
    ) -> Result<Made, Refused> {
        Ok(self.made(&format!(
            "loop{}.addIterator(t{}, axis {}, reverse {})",
            of.0, over.0, how.axis, how.reverse
        )))
    }

    fn loop_recurrence(&mut self, of: LoopHandle, initial: Handle) -> Result<Made, Refused> {
        Ok(self.made(&format!("loop{}.addRecurrence(t{})", of.0, initial.0)))
    }

    fn loop_next(&mut self, recurrence: Handle, next: Handle) -> Result<(), Refused> {
        self.line(&format!("t{}.setInput(1, t{})", recurrence.0, next.0));
        Ok(())
    }

    fn loop_last_value(
        &mut self,
        label: Label<'_>,
        of: LoopHandle,
        recurrence: Handle,
    ) -> Result<Made, Refused> {
        Ok(self.made(&format!(
            "loop{}.addLoopOutput(t{}, last value)  {:?}",
            of.0, recurrence.0, label.name
        )))
    }

    fn loop_collect(
        &mut self,
        label: Label<'_>,
        of: LoopHandle,
        value: Handle,
        axis: usize,
        reverse: bool,
        length: Handle,
    ) -> Result<Made, Refused> {
        let kind = if reverse { "reverse" } else { "concatenate" };
        let (value, length) = (value.0, length.0);
        Ok(self.made(&format!(
            "loop{}.addLoopOutput(t{value}, {kind}, axis {axis}, length t{length})  {:?}",
            of.0, label.name
        )))
    }

    fn conditional_begin(
        &mut self,
        label: Label<'_>,
        condition: Handle,
    ) -> Result<ConditionalHandle, Refused> {
        let scope = self.scope();
        self.line(&format!("if{scope} = addIfConditional(t{})  {:?}", condition.0, label.name));
        Ok(ConditionalHandle(scope))
    }

    fn conditional_input(&mut self, of: ConditionalHandle, value: Handle) -> Result<Made, Refused> {
        Ok(self.made(&format!("if{}.addInput(t{})", of.0, value.0)))
    }

    fn conditional_output(
        &mut self,
        label: Label<'_>,
        of: ConditionalHandle,
        then_value: Handle,
        else_value: Handle,
    ) -> Result<Made, Refused> {
        Ok(self.made(&format!(
            "if{}.addOutput(t{}, t{})  {:?}",
            of.0, then_value.0, else_value.0, label.name
        )))
    }
}
