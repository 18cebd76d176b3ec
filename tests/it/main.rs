//! Integration tests: one binary, one link.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "test data is small"
)]
#![allow(clippy::print_stderr, reason = "long tests say how they go")]

mod cache;
mod cli;
mod compared;
mod conformance;
mod dynamic;
mod errors;
mod exports;
mod failing;
mod foreign_text;
mod golden;
mod imports;
mod layers;
mod listing;
mod locate;
mod memory;
mod mutants;
mod odd_files;
mod open;
mod outputs;
mod plans;
mod plugins;
mod precision;
mod profiles;
mod provision;
mod python;
mod python_path;
mod records;
mod recurrent;
mod report;
mod shards;
mod steps;
mod support;
mod tensorrt;
mod timings;
mod traps;
mod unknown;
mod whole_numbers;
mod witness;
mod zoo;
