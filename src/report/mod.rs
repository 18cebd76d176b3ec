//! What happened, as plain data that serializes.

pub mod latency;
pub mod manifest;
pub mod verification;
pub mod zoo;

pub use manifest::Manifest;
pub use verification::Verification;
