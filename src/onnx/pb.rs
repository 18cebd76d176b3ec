//! The ONNX messages as `build.rs` generates them from `proto/onnx.proto`.

#![allow(missing_docs, unreachable_pub, dead_code, clippy::all, clippy::pedantic, reason = "generated; holds all of the format")]

include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
