//! TensorRT: finding and loading a library, and building plans with it.
//!
//! The program links no TensorRT. A library is opened at run time ([`find`], [`Library`]) and driven by the copy of the
//! C++ shim whose headers fit it; only [`ffi`] crosses to C++.

mod ffi;
pub mod find;
mod job;
pub mod library;
pub mod log;
pub mod version;

pub use library::Library;
pub use log::Severity;
pub use version::Version;
