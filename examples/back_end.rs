//! A back end of one's own: a sink that counts the calls that make a network.
//!
//! ```text
//! cargo run --example back_end models/digits/model.onnx
//! ```
//!
//! A sink that makes something returns what it made of each tensor: a handle by which later calls
//! name it, and its type and sizes, which `emit` compares with its own.

#![allow(clippy::print_stdout, reason = "the example shows what it counted")]

use onnx2plan::emit::emit;
use onnx2plan::emit::sink::{ConditionalHandle, Handle, Label, LoopHandle, Made, Refused, Sink};
use onnx2plan::import::Fitted;
use onnx2plan::network::layer::LoopIterator;
use onnx2plan::network::{Caps, LayerKind};
use onnx2plan::tensor::DType;
use onnx2plan::{Error, Kind, Result, onnx, pipeline};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    let path = path.ok_or_else(|| Error::new(Kind::Usage, "name a model"))?;
    let caps = Caps::modern();
    let prepared = pipeline::prepare(&onnx::load(&path)?, &Fitted::standard(caps), caps)?;

    let mut counter = Counter::default();
    emit(&prepared.network, &mut counter)?;
    for (call, count) in counter.calls {
        println!("{count:>6} {call}");
    }
    Ok(())
}

/// How often each call was made.
#[derive(Default)]
struct Counter {
    calls: BTreeMap<&'static str, usize>,
    /// The last handle that was given out; tensors, loops and conditionals share the numbers.
    last: u32,
}

impl Counter {
    /// Counts a call and gives a handle for what it makes.
    fn count(&mut self, call: &'static str) -> u32 {
        *self.calls.entry(call).or_default() += 1;
        self.next()
    }

    fn next(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    /// Counts a call that makes a tensor. A counter has no opinion on its type and sizes.
    fn tensor(&mut self, call: &'static str) -> Made {
        made(self.count(call))
    }
}

fn made(handle: u32) -> Made {
    Made { handle: Handle(handle), dtype: None, dims: None }
}

impl Sink for Counter {
    fn input(&mut self, _: &str, _: DType, _: &[i64], _: &[Option<&str>]) -> Result<Made, Refused> {
        Ok(self.tensor("input"))
    }

    fn layer(
        &mut self,
        _: Label<'_>,
        kind: &LayerKind,
        _: &[Handle],
        types: &[DType],
    ) -> Result<Vec<Made>, Refused> {
        self.count(kind.name());
        Ok(types.iter().map(|_| made(self.next())).collect())
    }

    fn output(&mut self, _: Handle, _: &str, _: DType) -> Result<(), Refused> {
        self.count("output");
        Ok(())
    }

    fn loop_begin(&mut self, _: Label<'_>) -> Result<LoopHandle, Refused> {
        Ok(LoopHandle(self.count("loop")))
    }

    fn loop_count(&mut self, _: LoopHandle, _: Handle) -> Result<(), Refused> {
        self.count("loop: count");
        Ok(())
    }

    fn loop_while(&mut self, _: LoopHandle, _: Handle) -> Result<(), Refused> {
        self.count("loop: condition");
        Ok(())
    }

    fn loop_iterator(
        &mut self,
        _: LoopHandle,
        _: Handle,
        _: &LoopIterator,
    ) -> Result<Made, Refused> {
        Ok(self.tensor("loop: iterator"))
    }

    fn loop_recurrence(&mut self, _: LoopHandle, _: Handle) -> Result<Made, Refused> {
        Ok(self.tensor("loop: recurrence"))
    }

    fn loop_next(&mut self, _: Handle, _: Handle) -> Result<(), Refused> {
        self.count("loop: next value");
        Ok(())
    }

    fn loop_last_value(&mut self, _: Label<'_>, _: LoopHandle, _: Handle) -> Result<Made, Refused> {
        Ok(self.tensor("loop: last value"))
    }

    fn loop_collect(
        &mut self,
        _: Label<'_>,
        _: LoopHandle,
        _: Handle,
        _: usize,
        _: bool,
        _: Handle,
    ) -> Result<Made, Refused> {
        Ok(self.tensor("loop: all values"))
    }

    fn conditional_begin(&mut self, _: Label<'_>, _: Handle) -> Result<ConditionalHandle, Refused> {
        Ok(ConditionalHandle(self.count("conditional")))
    }

    fn conditional_input(&mut self, _: ConditionalHandle, _: Handle) -> Result<Made, Refused> {
        Ok(self.tensor("conditional: input"))
    }

    fn conditional_output(
        &mut self,
        _: Label<'_>,
        _: ConditionalHandle,
        _: Handle,
        _: Handle,
    ) -> Result<Made, Refused> {
        Ok(self.tensor("conditional: output"))
    }
}
