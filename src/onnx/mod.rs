//! Bytes into a checked, sorted, named graph.
//!
//! [`load`] maps a model file and answers a [`Model`]: names defined once and before use, opset versions resolved,
//! local functions inlined, external data found, constants as shared bytes. A file that breaks ONNX's rules is
//! answered with all the rules it breaks. Nothing here knows what an operator means, or anything of TensorRT.
//!
//! Start at [`model`] for the result, and at `read` for how it is made.

pub mod attrs;
pub mod constant;
pub mod model;

#[allow(unused)]
mod pb;

pub use attrs::{Attr, AttrError, Attrs};
pub use constant::{Constant, ElementType, UnsupportedElement, dtype_from_onnx};
pub use model::{DimSpec, Graph, Initializer, Model, Node, ValueInfo, ValueType};

use crate::error::{Error, Kind, Result};
use bytes::Bytes;
use std::path::Path;

/// Reads the model file at `path`.
///
/// The file stays mapped as long as any of its constants lives, and must not be changed meanwhile. External data is
/// looked for in the file's folder.
///
/// Errors: [`Kind::Usage`] where there is no such file, [`Kind::Environment`] where it cannot be read,
/// [`Kind::Invalid`] where it is no ONNX model or breaks ONNX's rules (with all of its problems), and
/// [`Kind::Unsupported`] for the few legal things that cannot be represented.
pub fn load(path: &Path) -> Result<Model> {
    Err(Error::new(Kind::Internal, format!("cannot read `{}` yet", path.display())))
}

/// Reads a model from `bytes`; `folder` is where its external data is looked for.
///
/// Errors as [`load`].
pub fn decode(bytes: Bytes, folder: &Path) -> Result<Model> {
    let _ = bytes;
    load(folder)
}

/// Reads a tensor from a file of its own, as ONNX test data comes (`input_0.pb`), with its name, which may be empty.
///
/// Errors as [`load`]; [`Kind::Unsupported`] where the file holds a sequence or an optional value.
pub fn read_tensor(path: &Path) -> Result<(String, Constant)> {
    Err(Error::new(Kind::Internal, format!("cannot read `{}` yet", path.display())))
}
