//! What happened, as plain data that serializes.

pub mod manifest;

pub use manifest::Manifest;
