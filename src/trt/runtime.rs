//! A plan on the GPU: load, bind, run, read back.

#![allow(unsafe_code, reason = "TensorRT and CUDA take addresses")]

use super::convert::from_ffi;
use super::device::{Device, DeviceMemory, failed};
use super::ffi;
use super::library::Library;
use super::log::{self, LogSink};
use crate::error::{Error, Kind, Result};
use crate::report::latency::Timing;
use crate::tensor::{DType, Tensor, volume};
use std::pin::Pin;

/// A plan, loaded by the library that built it: `nvinfer1::ICudaEngine` with one
/// `IExecutionContext`.
#[allow(clippy::struct_field_names, reason = "TensorRT's engine is part of ours")]
pub struct Engine {
    inner: cxx::UniquePtr<ffi::Engine>,
    device: Device,
    log: LogSink,
    bindings: Vec<IoTensor>,
}

/// An input or output of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoTensor {
    /// Its name.
    pub name: String,
    /// Whether it goes in.
    pub input: bool,
    /// Whether its data lies in host memory: the values of shape tensors do.
    pub host: bool,
    /// Its element type.
    pub dtype: DType,
    /// Its sizes; −1 where only the run knows.
    pub dims: Vec<i64>,
}

/// What an output's memory is filled with before a run. Of no type are all bytes of an element one
/// of these, and never of both in two runs, unless nobody wrote it.
pub const POISONS: [u8; 2] = [0xA5, 0x5A];

impl Engine {
    /// Loads a plan.
    ///
    /// # Errors
    /// [`Kind::TensorRt`] with TensorRT's own words, for instance where another version or another
    /// GPU built the plan.
    pub fn load(library: &Library, device: &Device, plan: &[u8], log: &LogSink) -> Result<Self> {
        device.bind()?;
        let _route = log::route(log);
        let mut engine = library.new_engine(plan)?;
        let bindings = engine.pin_mut().bindings().map_err(|error| refused("the plan", &error))?;
        let binding = |binding: ffi::Binding| {
            let dtype = from_ffi(binding.dtype).ok_or_else(|| {
                Error::new(Kind::TensorRt, format!("`{}` has an unknown type", binding.name))
            })?;
            let ffi::Binding { name, input, host, dims, .. } = binding;
            Ok(IoTensor { name, input, host, dtype, dims })
        };
        let bindings = bindings.into_iter().map(binding).collect::<Result<_>>()?;
        Ok(Self { inner: engine, device: device.clone(), log: log.clone(), bindings })
    }

    /// Inputs and outputs, as the plan lists them.
    pub fn bindings(&self) -> &[IoTensor] {
        &self.bindings
    }

    /// Number of optimization profiles; at least 1.
    pub fn profiles(&mut self) -> Result<usize> {
        let count = self.call("its profiles", ffi::Engine::profiles)?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// Smallest, likeliest and largest shape of an input in a profile.
    pub fn profile_shapes(&mut self, input: &str, profile: usize) -> Result<[Vec<i64>; 3]> {
        let at = i32::try_from(profile).unwrap_or(i32::MAX);
        let mut end =
            |end| self.call("its profiles", |engine| engine.profile_shape(input, at, end));
        Ok([end(ffi::ProfileEnd::Min)?, end(ffi::ProfileEnd::Opt)?, end(ffi::ProfileEnd::Max)?])
    }

    /// The first profile that allows the shapes of these inputs.
    ///
    /// # Errors
    /// [`Kind::Usage`] where there is none.
    pub fn fitting_profile(&mut self, inputs: &[(String, Tensor)]) -> Result<usize> {
        let free = |binding: &&IoTensor| binding.input && binding.dims.iter().any(|&size| size < 0);
        let free: Vec<String> =
            self.bindings.iter().filter(free).map(|binding| binding.name.clone()).collect();
        let shapes: Vec<(&str, Vec<i64>)> = inputs
            .iter()
            .filter(|(name, _)| free.contains(name))
            .map(|(name, tensor)| {
                let dims =
                    tensor.dims().iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX));
                (name.as_str(), dims.collect())
            })
            .collect();
        'profiles: for profile in 0..self.profiles()?.max(1) {
            for (name, dims) in &shapes {
                let [min, _, max] = self.profile_shapes(name, profile)?;
                let allowed = dims
                    .iter()
                    .zip(min.iter().zip(&max))
                    .all(|(size, (min, max))| (min..=max).contains(&size));
                if !allowed {
                    continue 'profiles;
                }
            }
            return Ok(profile);
        }
        let shapes: Vec<String> =
            shapes.iter().map(|(name, dims)| format!("`{name}` {dims:?}")).collect();
        Err(Error::new(
            Kind::Usage,
            format!("no profile of the plan allows the shapes {}", shapes.join(", ")),
        )
        .with_hint("build the plan with `--min`, `--opt` and `--max` that include them"))
    }

    /// Copies inputs to the GPU, sets their shapes, and makes room for the outputs.
    ///
    /// Inputs are found by name and must have the plan's types.
    ///
    /// # Errors
    /// [`Kind::Usage`] for an input that is missing or of another type; [`Kind::TensorRt`] for
    /// shapes that the profile does not allow.
    pub fn bind(&mut self, inputs: &[(String, Tensor)], profile: usize) -> Result<Session<'_>> {
        self.device.bind()?;
        let (stream, at) = (self.device.stream(), i32::try_from(profile).unwrap_or(i32::MAX));
        if self.profiles()? > 1 {
            self.call("the profile", |engine| engine.select_profile(at, stream))?;
            self.device.wait()?;
        }
        let mut buffers = Vec::with_capacity(self.bindings.len());
        for binding in self.bindings.clone().into_iter().filter(|binding| binding.input) {
            buffers.push(self.bind_input(binding, inputs)?);
        }
        self.call("the shapes", ffi::Engine::infer_shapes)?;
        for binding in self.bindings.clone().into_iter().filter(|binding| !binding.input) {
            buffers.push(self.bind_output(binding)?);
        }
        Ok(Session { engine: self, buffers })
    }

    fn bind_input(&mut self, binding: IoTensor, inputs: &[(String, Tensor)]) -> Result<Buffer> {
        let name = &binding.name;
        let (_, tensor) = inputs.iter().find(|(given, _)| given == name).ok_or_else(|| {
            Error::new(Kind::Usage, format!("there is no data for input `{name}`"))
        })?;
        if tensor.dtype() != binding.dtype {
            let message = format!(
                "input `{name}` is {}, but {} was given for it",
                binding.dtype,
                tensor.dtype()
            );
            return Err(Error::new(Kind::Usage, message));
        }
        let dims: Vec<i64> =
            tensor.dims().iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX)).collect();
        let mut memory = Memory::allocate(&self.device, binding.host, tensor.bytes().len())?;
        memory.write(tensor.bytes())?;
        let what = format!("shape {dims:?} of input `{name}`");
        self.call(&what, |engine| engine.set_shape(name, &dims))?;
        self.set_address(name, &memory)?;
        Ok(Buffer { binding, memory, late: false })
    }

    fn bind_output(&mut self, binding: IoTensor) -> Result<Buffer> {
        let name = &binding.name;
        let what = format!("the shape of output `{name}`");
        let dims = self.call(&what, |engine| engine.shape(name))?;
        let known: Option<Vec<usize>> =
            dims.iter().map(|&size| usize::try_from(size).ok()).collect();
        let (bytes, late) = match known {
            Some(dims) => (volume(&dims).and_then(|count| binding.dtype.bytes_for(count)), false),
            None => {
                let most = self.call(&what, |engine| engine.most_output_bytes(name))?;
                (usize::try_from(most).ok(), true)
            }
        };
        let too_large = || {
            Error::new(Kind::TensorRt, format!("TensorRT cannot bound the size of output `{name}`"))
        };
        let memory = Memory::allocate(&self.device, binding.host, bytes.ok_or_else(too_large)?)?;
        if late {
            let (address, bytes) = (memory.address(), memory.bytes() as u64);
            self.call(&what, |engine| {
                // SAFETY: the session that gets the memory borrows the engine, so the memory
                // outlives every run.
                unsafe { engine.set_output_memory(name, address, bytes) }
            })?;
        } else {
            self.set_address(name, &memory)?;
        }
        Ok(Buffer { binding, memory, late })
    }

    fn set_address(&mut self, name: &str, memory: &Memory) -> Result<()> {
        let address = memory.address();
        self.call(&format!("memory of `{name}`"), |engine| {
            // SAFETY: the session that gets the memory borrows the engine, so the memory outlives
            // every run; it was allocated for the tensor's type and shape, on the side that the
            // binding says.
            unsafe { engine.set_address(name, address) }
        })
    }

    fn call<T>(
        &mut self,
        what: &str,
        call: impl FnOnce(Pin<&mut ffi::Engine>) -> std::result::Result<T, cxx::Exception>,
    ) -> Result<T> {
        let _route = log::route(&self.log);
        call(self.inner.pin_mut()).map_err(|error| refused(what, &error))
    }
}

fn refused(what: &str, error: &cxx::Exception) -> Error {
    super::builder::said(&format!("TensorRT refuses {what}"), error.what())
}

/// A plan with data of one shape, ready to run.
pub struct Session<'e> {
    engine: &'e mut Engine,
    buffers: Vec<Buffer>,
}

struct Buffer {
    binding: IoTensor,
    memory: Memory,
    /// Whether the shape is known only after the run.
    late: bool,
}

impl Session<'_> {
    /// Fills the memory of all outputs with one byte.
    pub fn poison(&mut self, byte: u8) -> Result<()> {
        for buffer in self.buffers.iter_mut().filter(|buffer| !buffer.binding.input) {
            let bytes = vec![byte; buffer.memory.bytes()];
            buffer.memory.write(&bytes)?;
        }
        Ok(())
    }

    /// Runs the plan once and waits for it.
    ///
    /// # Errors
    /// [`Kind::TensorRt`] where the run fails. After a crash on the GPU nothing else can run in
    /// this process.
    pub fn run(&mut self) -> Result<()> {
        self.enqueue()?;
        self.engine.device.wait()
    }

    /// The outputs of the last run, in the plan's order.
    pub fn outputs(&mut self) -> Result<Vec<(String, Tensor)>> {
        let mut outputs = Vec::new();
        for buffer in self.buffers.iter().filter(|buffer| !buffer.binding.input) {
            let (name, dtype) = (&buffer.binding.name, buffer.binding.dtype);
            let dims = self
                .engine
                .call(&format!("the shape of output `{name}`"), |engine| engine.shape(name))?;
            let dims: Option<Vec<usize>> =
                dims.iter().map(|&size| usize::try_from(size).ok()).collect();
            let bytes = dims.as_deref().and_then(volume).and_then(|count| dtype.bytes_for(count));
            let unknown = || {
                Error::new(
                    Kind::TensorRt,
                    format!("TensorRT does not tell the shape of output `{name}`"),
                )
            };
            let data = buffer.memory.read(bytes.ok_or_else(unknown)?)?;
            let tensor = Tensor::new(dtype, dims.unwrap_or_default(), data.into());
            outputs.push((
                name.clone(),
                tensor.map_err(|error| Error::new(Kind::Internal, error.to_string()))?,
            ));
        }
        Ok(outputs)
    }

    /// Whether the run can be captured in a CUDA graph: shapes that only the run knows come by a
    /// call to the host.
    fn is_capturable(&self) -> bool {
        self.buffers.iter().all(|buffer| !buffer.late)
    }

    /// Runs `runs` times after `warmup` runs, each run between two events.
    pub fn time(&mut self, warmup: usize, runs: usize) -> Result<Timing> {
        for _ in 0..warmup {
            self.enqueue()?;
        }
        let runs_ms = self.timed(runs, Self::enqueue)?;
        Ok(Timing { warmup, runs_ms })
    }

    /// The same with the run captured in a CUDA graph; `None` where it cannot be.
    pub fn time_graph(&mut self, warmup: usize, runs: usize) -> Result<Option<Timing>> {
        if !self.is_capturable() {
            return Ok(None);
        }
        let device = self.engine.device.clone();
        // A plan may refuse to be captured: loops and conditionals wait for the host.
        let Ok(Some(graph)) = device.capture(|| self.enqueue()) else { return Ok(None) };
        let launch = || graph.launch().map_err(|error| failed("launch a graph", error));
        for _ in 0..warmup {
            launch()?;
        }
        let runs_ms = self.timed(runs, |_| launch())?;
        Ok(Some(Timing { warmup, runs_ms }))
    }

    fn timed(
        &mut self,
        runs: usize,
        mut one: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<Vec<f32>> {
        let device = self.engine.device.clone();
        let mut events = Vec::with_capacity(runs);
        for _ in 0..runs {
            let start = device.event()?;
            one(self)?;
            events.push((start, device.event()?));
        }
        device.wait()?;
        let elapsed = events.iter().map(|(start, end)| start.elapsed_ms(end));
        elapsed
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| failed("measure time", error))
    }

    fn enqueue(&mut self) -> Result<()> {
        let stream = self.engine.device.stream();
        self.engine.call("to run", |engine| {
            // SAFETY: the stream is of the device whose context `bind` made current, and `bind`
            // gave every tensor memory.
            unsafe { engine.enqueue(stream) }
        })
    }
}

impl Drop for Session<'_> {
    /// Memory is freed only when nothing uses it any more.
    fn drop(&mut self) {
        let _ = self.engine.device.wait();
    }
}

/// Memory on the side where TensorRT wants a tensor.
enum Memory {
    Device(DeviceMemory),
    /// In units of 8 bytes, so that every type is aligned.
    Host(Vec<u64>, usize),
}

impl Memory {
    fn allocate(device: &Device, host: bool, bytes: usize) -> Result<Self> {
        if host {
            Ok(Self::Host(vec![0; bytes.div_ceil(8).max(1)], bytes))
        } else {
            device.allocate(bytes).map(Self::Device)
        }
    }

    fn address(&self) -> u64 {
        match self {
            Self::Device(memory) => memory.address(),
            Self::Host(memory, _) => memory.as_ptr().expose_provenance() as u64,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Device(memory) => memory.bytes(),
            Self::Host(_, bytes) => *bytes,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Device(memory) => memory.write(bytes),
            Self::Host(memory, _) => {
                let place = bytemuck::cast_slice_mut::<u64, u8>(memory);
                let place = place.get_mut(..bytes.len());
                place
                    .map(|place| place.copy_from_slice(bytes))
                    .ok_or_else(|| Error::new(Kind::Internal, "too much data"))
            }
        }
    }

    fn read(&self, count: usize) -> Result<Vec<u8>> {
        match self {
            Self::Device(memory) => memory.read(count),
            Self::Host(memory, _) => {
                let bytes = bytemuck::cast_slice::<u64, u8>(memory).get(..count);
                bytes
                    .map(<[u8]>::to_vec)
                    .ok_or_else(|| Error::new(Kind::Internal, "a tensor is larger than its memory"))
            }
        }
    }
}
