//! A GPU through CUDA's driver, which is loaded at run time.

#![allow(unsafe_code, reason = "the driver's interface is C")]

use super::library::{Library, driver};
use crate::error::{Error, Kind, Result};
use crate::recipe::ComputeCapability;
use cudarc::driver::sys::{CUevent_flags, CUgraphInstantiate_flags, CUstreamCaptureMode};
use cudarc::driver::{
    CudaContext, CudaEvent, CudaGraph, CudaSlice, CudaStream, DevicePtr, DriverError, sys,
};
use std::sync::Arc;

/// The first GPU that CUDA shows, with a stream of its own.
#[derive(Debug, Clone)]
pub struct Device {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
}

/// What is worth telling of a GPU.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DeviceInfo {
    /// NVIDIA's name for it.
    pub name: String,
    /// Which instructions it has: 9.0 for Hopper.
    pub compute_capability: ComputeCapability,
    /// Memory in bytes.
    pub memory_bytes: usize,
    /// The CUDA version that the driver offers: `13.0`.
    pub driver: String,
}

impl Device {
    /// Opens the GPU.
    ///
    /// # Errors
    /// [`Kind::Environment`] where there is no driver or no GPU.
    pub fn open() -> Result<Self> {
        driver().map_err(|missing| {
            Error::new(Kind::Environment, "no GPU can be used").with_note(missing)
        })?;
        let context = CudaContext::new(0).map_err(|error| failed("open the GPU", error))?;
        let stream = context.new_stream().map_err(|error| failed("make a stream", error))?;
        // There is one stream only: nothing has to wait for another.
        // SAFETY: every access to device memory here is ordered by that stream, and waited for
        // before memory is freed.
        unsafe { context.disable_event_tracking() };
        Ok(Self { context, stream })
    }

    /// Name, capability, memory, driver.
    pub fn info(&self) -> Result<DeviceInfo> {
        let asked = |error| failed("ask the GPU what it is", error);
        let (major, minor) = self.context.compute_capability().map_err(asked)?;
        let number = |n| u32::try_from(n).unwrap_or_default();
        let mut version = 0;
        // SAFETY: the call writes one number.
        unsafe { sys::cuDriverGetVersion(&raw mut version) }.result().map_err(asked)?;
        Ok(DeviceInfo {
            name: self.context.name().map_err(asked)?,
            compute_capability: ComputeCapability::new(number(major), number(minor)),
            memory_bytes: self.context.total_mem().map_err(asked)?,
            driver: format!("{}.{}", version / 1000, version % 1000 / 10),
        })
    }

    /// Whether plans of a library run here.
    ///
    /// # Errors
    /// [`Kind::Environment`] where the library does not know the GPU.
    pub fn fits(&self, library: &Library) -> Result<()> {
        let info = self.info()?;
        // TensorRT-RTX is for workstations: it refuses the GPUs of data centers since Hopper.
        if library.version().rtx && matches!(info.compute_capability.number(), 90 | 100 | 103) {
            let message = format!(
                "{} does not run on {} (compute capability {})",
                library.version(),
                info.name,
                info.compute_capability.dotted()
            );
            return Err(Error::new(Kind::Environment, message)
                .with_hint("TensorRT itself does: name its library with `--tensorrt`"));
        }
        Ok(())
    }

    /// Makes the GPU's context that of this thread, as TensorRT expects it.
    pub(super) fn bind(&self) -> Result<()> {
        self.context.bind_to_thread().map_err(|error| failed("use the GPU", error))
    }

    /// The stream as TensorRT takes it.
    pub(super) fn stream(&self) -> usize {
        self.stream.cu_stream().addr()
    }

    /// Memory of at least one byte, so that it has an address.
    pub(super) fn allocate(&self, bytes: usize) -> Result<DeviceMemory> {
        let memory = self.stream.alloc_zeros::<u8>(bytes.max(1));
        let memory = memory.map_err(|error| failed(&format!("allocate {bytes} bytes"), error))?;
        Ok(DeviceMemory { memory, bytes })
    }

    /// Waits for everything that was enqueued.
    pub(super) fn wait(&self) -> Result<()> {
        self.stream.synchronize().map_err(|error| failed("run the plan", error))
    }

    /// Whether the GPU still does what this process asks.
    pub fn answers(&self) -> bool {
        self.wait().is_ok()
    }

    /// A point in the stream's time.
    pub(super) fn event(&self) -> Result<CudaEvent> {
        let event = self.stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT));
        event.map_err(|error| failed("record an event", error))
    }

    /// What `enqueue` puts into the stream, as a graph that can be launched again.
    pub(super) fn capture(
        &self,
        enqueue: impl FnOnce() -> Result<()>,
    ) -> Result<Option<CudaGraph>> {
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.stream
            .begin_capture(mode)
            .map_err(|error| failed("begin to capture a graph", error))?;
        let enqueued = enqueue();
        let flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
        let graph = self.stream.end_capture(flags);
        enqueued?;
        graph.map_err(|error| failed("capture a graph", error))
    }
}

/// Memory of the GPU.
pub(super) struct DeviceMemory {
    memory: CudaSlice<u8>,
    bytes: usize,
}

impl DeviceMemory {
    /// Where it is.
    pub(super) fn address(&self) -> u64 {
        self.memory.device_ptr(self.memory.stream()).0
    }

    /// How much was asked for.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes these bytes to its start.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let stream = self.memory.stream().clone();
        let mut place = self.memory.try_slice_mut(..bytes.len()).ok_or_else(too_long)?;
        if bytes.is_empty() {
            return Ok(());
        }
        stream.memcpy_htod(bytes, &mut place).map_err(|error| failed("copy to the GPU", error))
    }

    /// Its first `count` bytes.
    pub(super) fn read(&self, count: usize) -> Result<Vec<u8>> {
        let place = self.memory.try_slice(..count).ok_or_else(too_long)?;
        if count == 0 {
            return Ok(Vec::new());
        }
        self.memory.stream().clone_dtoh(&place).map_err(|error| failed("copy from the GPU", error))
    }
}

fn too_long() -> Error {
    Error::new(Kind::Internal, "a tensor is larger than the memory set aside for it")
}

/// What the driver says of a call that failed. A GPU on which a plan crashed answers nothing from
/// then on.
pub(super) fn failed(what: &str, error: DriverError) -> Error {
    Error::new(Kind::TensorRt, format!("CUDA cannot {what}")).with_source(error)
}
