//! Turns ONNX models into TensorRT serialized plans, and proves that the plans compute what the models say.

pub mod emit;
pub mod error;
pub mod network;
pub mod site;
pub mod tensor;
pub mod trt;

pub use error::{Error, Kind, Problem, Result};
