//! What happened, as plain data that serializes.

pub mod manifest;
pub mod verification;

pub use manifest::Manifest;
pub use verification::Verification;
