//! Turns ONNX models into TensorRT serialized plans, and proves that the plans compute what the models say.

pub mod error;
pub mod import;
pub mod infer;
pub mod eval;
pub mod network;
pub mod onnx;
pub mod provision;
pub mod site;
pub mod tensor;
pub mod valid;
pub mod trt;

pub use error::{Error, Kind, Problem, Result};
