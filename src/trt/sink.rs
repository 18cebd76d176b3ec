//! [`Builder`] as a sink: inputs, outputs, loops and conditionals.

use super::builder::{Builder, Scope};
use super::convert::{int, refused, to_ffi};
use super::ffi::{self, NO_TENSOR};
use crate::emit::sink::{ConditionalHandle, Handle, Label, LoopHandle, Made, Refused, Sink};
use crate::network::LayerKind;
use crate::network::layer::LoopIterator;
use crate::tensor::DType;

impl Sink for Builder {
    fn input(
        &mut self,
        name: &str,
        dtype: DType,
        dims: &[i64],
        dim_names: &[Option<&str>],
    ) -> Result<Made, Refused> {
        let dtype = to_ffi(dtype)?;
        let outputs = self.call(|network| network.add_input(name, dtype, dims))?;
        let made = self.made_one(outputs)?;
        for (index, name) in dim_names.iter().enumerate() {
            if let Some(name) = name {
                let index = int(index)?;
                self.call(|network| network.set_dimension_name(made.handle.0, index, name))?;
            }
        }
        self.inputs.push(name.to_owned());
        self.pinned.push(made.handle);
        Ok(made)
    }

    fn layer(
        &mut self,
        label: Label<'_>,
        kind: &LayerKind,
        inputs: &[Handle],
        types: &[DType],
    ) -> Result<Vec<Made>, Refused> {
        self.set_label(label.into());
        let mut outputs = self.add(kind, inputs)?;
        self.constrain(kind, &mut outputs, types)?;
        let mut made = self.made(outputs)?;
        // Behind sizes and places that are i32, `legalize` has put a cast to it, which is none
        // there.
        let sizes = matches!(kind, LayerKind::Shape | LayerKind::NonZero);
        let otherwise = sizes && !self.caps().int64_sizes
            || types.contains(&DType::I8) && !self.caps().names_quantized;
        if otherwise {
            for made in &mut made {
                made.dtype = None;
            }
        }
        Ok(made)
    }

    fn output(&mut self, tensor: Handle, name: &str, dtype: DType) -> Result<(), Refused> {
        let (actual, _) = self.tensor(tensor)?;
        let chosen = self.constrained || (dtype == DType::I8 && !self.caps().names_quantized);
        if *actual != dtype && !chosen {
            return Err(refused(format!("the output is {actual}, not {dtype}")));
        }
        let tensor = if self.pinned.contains(&tensor) { self.copy(tensor, name)? } else { tensor };
        self.pinned.push(tensor);
        self.call(|network| network.set_tensor_name(tensor.0, name))?;
        self.call(|network| network.mark_output(tensor.0))?;
        if chosen {
            let dtype = to_ffi(dtype)?;
            self.call(|network| network.set_tensor_type(tensor.0, dtype))?;
        }
        Ok(())
    }

    fn loop_begin(&mut self, label: Label<'_>) -> Result<LoopHandle, Refused> {
        self.set_label(label.into());
        let handle = self.call(ffi::Network::add_loop)?;
        self.loops.push(label.into());
        Ok(LoopHandle(handle))
    }

    fn loop_count(&mut self, of: LoopHandle, count: Handle) -> Result<(), Refused> {
        self.label_loop_part(of, "count")?;
        self.call(|network| network.add_trip_limit(of.0, count.0, ffi::TripLimitKind::Count))
    }

    fn loop_while(&mut self, of: LoopHandle, condition: Handle) -> Result<(), Refused> {
        self.label_loop_part(of, "while")?;
        self.call(|network| network.add_trip_limit(of.0, condition.0, ffi::TripLimitKind::While))
    }

    fn loop_iterator(
        &mut self,
        of: LoopHandle,
        over: Handle,
        how: &LoopIterator,
    ) -> Result<Made, Refused> {
        self.label_loop_part(of, "iterator")?;
        let axis = int(how.axis)?;
        let outputs = self.call(|network| network.add_iterator(of.0, over.0, axis, how.reverse))?;
        self.made_one(outputs)
    }

    fn loop_recurrence(&mut self, of: LoopHandle, initial: Handle) -> Result<Made, Refused> {
        self.label_loop_part(of, "recurrence")?;
        let outputs = self.call(|network| network.add_recurrence(of.0, initial.0))?;
        self.made_one(outputs)
    }

    fn loop_next(&mut self, recurrence: Handle, next: Handle) -> Result<(), Refused> {
        self.call(|network| network.close_recurrence(recurrence.0, next.0))
    }

    fn loop_last_value(
        &mut self,
        label: Label<'_>,
        of: LoopHandle,
        recurrence: Handle,
    ) -> Result<Made, Refused> {
        self.set_label(label.into());
        let last = ffi::LoopOutputKind::LastValue;
        let outputs =
            self.call(|network| network.add_loop_output(of.0, recurrence.0, last, 0, NO_TENSOR))?;
        self.made_one(outputs)
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
        self.set_label(label.into());
        let kind =
            if reverse { ffi::LoopOutputKind::Reverse } else { ffi::LoopOutputKind::Concatenate };
        let axis = int(axis)?;
        let outputs =
            self.call(|network| network.add_loop_output(of.0, value.0, kind, axis, length.0))?;
        self.made_one(outputs)
    }

    fn conditional_begin(
        &mut self,
        label: Label<'_>,
        condition: Handle,
    ) -> Result<ConditionalHandle, Refused> {
        self.set_label(label.into());
        let handle = self.call(|network| network.add_conditional(condition.0))?;
        self.conditionals.push(label.into());
        Ok(ConditionalHandle(handle))
    }

    fn conditional_input(&mut self, of: ConditionalHandle, value: Handle) -> Result<Made, Refused> {
        let scope = scope(&self.conditionals, of.0)?;
        self.set_part_label(&scope, "input");
        let outputs = self.call(|network| network.add_conditional_input(of.0, value.0))?;
        self.made_one(outputs)
    }

    fn conditional_output(
        &mut self,
        label: Label<'_>,
        of: ConditionalHandle,
        then_value: Handle,
        else_value: Handle,
    ) -> Result<Made, Refused> {
        self.set_label(label.into());
        let outputs =
            self.call(|network| network.add_conditional_output(of.0, then_value.0, else_value.0))?;
        self.made_one(outputs)
    }
}

impl Builder {
    /// Tells a library whose types do not follow from the operands what the outputs of a layer are.
    fn constrain(
        &mut self,
        kind: &LayerKind,
        outputs: &mut [ffi::Output],
        types: &[DType],
    ) -> Result<(), Refused> {
        if !self.constrained || matches!(kind, LayerKind::Quantize(_) | LayerKind::Dequantize(_)) {
            return Ok(());
        }
        for (at, (output, &dtype)) in outputs.iter_mut().zip(types).enumerate() {
            if dtype.is_float() {
                let (tensor, at, dtype) = (output.tensor, int(at)?, to_ffi(dtype)?);
                output.dtype = self.call(|network| network.constrain(tensor, at, dtype))?;
            }
        }
        Ok(())
    }

    fn label_loop_part(&mut self, of: LoopHandle, part: &str) -> Result<(), Refused> {
        let scope = scope(&self.loops, of.0)?;
        self.set_part_label(&scope, part);
        Ok(())
    }

    /// The same data as another tensor.
    fn copy(&mut self, tensor: Handle, name: &str) -> Result<Handle, Refused> {
        self.set_label(Label { name, metadata: "" }.into());
        let outputs = self.call(|network| network.add_identity(tensor.0))?;
        Ok(self.made_one(outputs)?.handle)
    }
}

fn scope(scopes: &[Scope], at: u32) -> Result<Scope, Refused> {
    let found = usize::try_from(at).ok().and_then(|at| scopes.get(at));
    found.cloned().ok_or_else(|| refused(format!("there is no loop or conditional {at}")))
}
