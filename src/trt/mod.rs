//! TensorRT: finding and loading a library, and building plans with it.
//!
//! The program links no TensorRT. A library is opened at run time ([`find`], [`Library`]) and
//! driven by the copy of the C++ shim whose headers fit it; only `ffi` crosses to C++. [`Builder`]
//! takes a network as an `emit::Sink` and writes the plan.

mod builder;
mod convert;
mod device;
mod ffi;
pub mod find;
mod job;
mod layers;
pub mod library;
pub mod log;
pub mod options;
mod runtime;
mod sink;
pub mod version;

#[cfg(test)]
pub(crate) mod tests;

pub use builder::{Builder, build};
pub use device::{Device, DeviceInfo};
pub use find::{FindOptions, Tried};
pub use job::is_building;
pub use library::Library;
pub use log::{LogSink, Severity};
pub use options::{BuildOptions, BuildStats, Flag};
pub use runtime::{Engine, IoTensor, POISONS, Session};
pub use version::Version;
