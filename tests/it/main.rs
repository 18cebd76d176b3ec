//! Integration tests: one binary, one link.
#![allow(clippy::print_stderr, clippy::cast_precision_loss, reason = "tests report, and make data from indices")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod conformance;
mod errors;
mod golden;
mod imports;
mod provision;
mod python;
mod records;
mod support;
mod tensorrt;
