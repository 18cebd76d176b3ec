//! Turns ONNX models into TensorRT serialized plans, and proves that the plans compute what the
//! models say.
//!
//! This is the library behind the command `onnx2plan`. It is a compiler: its source language is
//! ONNX, its intermediate form a [`network`] of TensorRT layers as plain data.
//!
//! # The pipeline
//!
//! 1. [`onnx`] reads a file into a checked graph. It knows no operator.
//! 2. [`import`] turns each node into layers, whose types and shapes [`infer`] derives; all meaning
//!    of ONNX ends here. Layers of constants are computed on the way, by [`eval`].
//! 3. [`valid`] checks the rules of the network once and hands on a proof, [`valid::Checked`].
//! 4. [`opt`] makes the network smaller and keeps its numbers.
//! 5. [`legalize`] rewrites or refuses what the loaded library lacks, as [`network::Caps`] say.
//! 6. [`valid`] checks that the rules still hold.
//! 7. [`emit`] walks the network and makes a call for each layer on a back end, an [`emit::Sink`].
//! 8. [`trt`] is the back end that has TensorRT build the plan; [`emit::trace`] writes the calls as
//!    text.
//!
//! [`pipeline`] puts the stages up to the second check in this order. Around it stand
//!
//! - [`recipe`], every option that shapes a plan, and [`profiles`], the ranges of sizes that only
//!   the run knows;
//! - [`convert`], all of it for one model: from a file and a recipe to a plan with its manifest;
//!   and [`zoo`], for many models;
//! - [`eval`], which computes a network on the CPU, and [`verify`], which compares what a plan or
//!   an evaluated network computes with a reference and finds the node at fault;
//! - [`report`], what happened, as data that serializes;
//! - [`provision`], which fetches TensorRT-RTX and ONNX Runtime; and [`cli`], the command.
//!
//! Every stage fails with an [`Error`], which names the nodes, the values and the way out.
//!
//! # Example
//!
//! A model becomes a network, whose numbers are compared with the test data beside the model. That
//! needs neither a GPU nor a TensorRT library:
//!
//! ```
//! use onnx2plan::import::Fitted;
//! use onnx2plan::network::Caps;
//! use onnx2plan::verify::{self, data};
//! use onnx2plan::{onnx, pipeline};
//! use std::path::Path;
//!
//! # fn main() -> onnx2plan::Result<()> {
//! let path = Path::new("models/digits/model.onnx");
//! let model = onnx::load(path)?;
//! let caps = Caps::modern();
//! let prepared = pipeline::prepare(&model, &Fitted::standard(caps), caps)?;
//!
//! let inputs: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
//! let folders = data::beside(path);
//! assert_eq!(folders.len(), 1);
//! for folder in folders {
//!     let verification = verify::on_cpu(&prepared.network, &inputs, &data::read(&folder)?)?;
//!     assert!(verification.agrees, "{:?}", verify::mismatch(&verification));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The repository's `examples/` go on from here: `convert` writes a plan with its manifest,
//! `evaluate` prints what a network computes, `back_end` implements a sink.

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
mod memory;
pub mod mend;
pub mod network;
pub mod onnx;
pub mod opt;
pub mod pipeline;
pub mod precision;
pub mod profiles;
pub mod provision;
pub mod recipe;
pub mod report;
mod shown;
pub mod shrink;
pub mod site;
pub mod tensor;
pub mod timings;
pub mod trt;
pub mod valid;
pub mod verify;
pub mod zoo;

pub use error::{Error, Kind, Problem, Result};
