//! Turns ONNX models into TensorRT serialized plans, and proves that the plans compute what the
//! models say.

pub mod cli;
pub mod convert;
pub mod emit;
pub mod error;
pub mod eval;
mod files;
mod hash;
pub mod import;
pub mod infer;
pub mod legalize;
mod mapped;
pub mod network;
pub mod onnx;
pub mod opt;
pub mod pipeline;
pub mod profiles;
pub mod provision;
pub mod recipe;
pub mod report;
pub mod site;
pub mod tensor;
pub mod trt;
pub mod valid;
pub mod verify;
pub mod zoo;

pub use error::{Error, Kind, Problem, Result};
