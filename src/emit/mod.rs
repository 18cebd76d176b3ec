//! From a checked network to the calls that make it.

pub mod sink;

pub use sink::{Handle, Label, Made, Refused, Sink};
