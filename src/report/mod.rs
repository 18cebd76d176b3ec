//! What happened, as plain data that serializes, and the views of it.
//!
//! [`model`] and [`zoo`] are the two reports that `docs/report-schema.md` describes. [`render`]
//! makes pages of them; a view takes nothing but the JSON, so that a report read back from a file
//! looks like a fresh one.

pub mod causes;
pub mod diff;
pub mod environment;
pub mod filters;
pub mod github;
pub mod histogram;
pub mod junit;
pub mod latency;
pub mod limit;
pub mod manifest;
pub mod merge;
pub mod model;
pub mod pages;
pub mod precision;
pub mod read;
pub mod render;
pub mod sarif;
#[cfg(test)]
pub(crate) mod schema;
pub mod verification;
pub mod zoo;

pub use environment::Environment;
pub use manifest::Manifest;
pub use verification::Verification;

/// Name and version of this program, as reports and manifests give it.
pub fn producer() -> String {
    format!("onnx2plan {}", env!("CARGO_PKG_VERSION"))
}
