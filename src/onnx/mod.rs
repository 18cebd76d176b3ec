//! Bytes into a checked, sorted, named graph.
//!
//! [`load`] maps a model file and answers a [`Model`]: names defined once and before use, opset
//! versions resolved, local functions inlined, external data found, constants as shared bytes. A
//! file that breaks ONNX's rules is answered with all the rules it breaks. Nothing here knows what
//! an operator means, or anything of TensorRT.
//!
//! Start at [`mod@model`] for the result, and at `read` for how it is made.

#![warn(clippy::as_conversions)]

pub mod attrs;
pub mod constant;
pub mod model;
pub mod part;

mod data;
mod external;
mod file;
mod functions;
mod pb;
mod read;
mod read_attrs;
mod sort;
mod window;
mod wire;
mod write;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use attrs::{Attr, AttrError, Attrs};
pub use constant::{Constant, ElementType, UnsupportedElement, dtype_from_onnx};
pub use model::{DimSpec, Graph, Initializer, Model, Node, ValueInfo, ValueType};
pub use write::tensor_bytes;

use crate::error::{Error, Kind, Result};
use crate::timings::stage;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use window::Window;

/// The largest protobuf message: its writers count bytes in 31 bits.
const MAX_FILE_BYTES: usize = 0x7fff_ffff;

/// Reads the model file at `path`.
///
/// The file stays mapped as long as any of its constants lives, and must not be changed meanwhile.
/// External data is looked for in the file's folder.
///
/// Errors: [`Kind::Usage`] where there is no such file, [`Kind::Environment`] where it cannot be
/// read, [`Kind::Invalid`] where it is no ONNX model or breaks ONNX's rules (with all of its
/// problems), and [`Kind::Unsupported`] for the few legal things that cannot be represented.
pub fn load(path: &Path) -> Result<Model> {
    let file = file::open(path).map_err(|error| file::unreadable(path, &error))?;
    model(file, path.parent().unwrap_or(Path::new(""))).map_err(|error| error.in_model(path))
}

/// The files that hold the external data of the model at `path`, whether or not they are there.
/// This is cheap: neither they nor weights in the model are read.
///
/// Errors as [`load`], where the file cannot be read or is not whole; what else is wrong with a
/// model is not looked for.
pub fn external_files(path: &Path) -> Result<Vec<PathBuf>> {
    let mut file = file::open(path).map_err(|error| file::unreadable(path, &error))?;
    let locations = wire::locations(&mut file, wire::Message::Model)
        .map_err(|error| undecodable("an ONNX model").with_source(error).in_model(path))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let inside = locations.iter().filter(|location| external::stays_inside(location).is_ok());
    Ok(inside.map(|location| folder.join(location)).collect())
}

/// Reads a model from `bytes`; `folder` is where its external data is looked for.
///
/// Errors as [`load`].
pub fn decode(bytes: Bytes, folder: &Path) -> Result<Model> {
    model(Window::of_bytes(bytes), folder)
}

fn model(file: Window, folder: &Path) -> Result<Model> {
    let decode = || message::<pb::ModelProto>(file, wire::Message::Model, "an ONNX model");
    let proto = stage("decode", decode)?;
    stage("resolve", || read::model(&proto, folder))
}

/// Reads a tensor from a file of its own, as ONNX test data comes (`input_0.pb`), with its name,
/// which may be empty.
///
/// Errors as [`load`]; [`Kind::Unsupported`] where the file holds a sequence or an optional value.
pub fn read_tensor(path: &Path) -> Result<(String, Constant)> {
    let mut file = file::open(path).map_err(|error| file::unreadable(path, &error))?;
    // Field 1 as a run of bytes.
    let begins_packed = file.peek(0, 1) == [0x0a];
    let proto: pb::TensorProto =
        message(file, wire::Message::Tensor, "a tensor").map_err(|error| error.in_model(path))?;
    let shown = path.display();
    if data::is_other_value(&proto, begins_packed) {
        let message =
            format!("`{shown}` holds a sequence or an optional value, which is not supported");
        return Err(Error::new(Kind::Unsupported, message));
    }
    let folder = external::Folder::new(path.parent().unwrap_or(Path::new("")));
    let tensor = data::Data::new(folder).constant(&proto);
    let tensor = tensor
        .map_err(|error| Error::new(error.kind(), format!("cannot read `{shown}`: {error}")))?;
    Ok((proto.name().to_owned(), tensor))
}

/// Decodes the message that `file` holds, in bounded memory; `what` is what errors call it.
fn message<M: prost::Message + Default>(
    mut file: Window,
    kind: wire::Message,
    what: &str,
) -> Result<M> {
    if file.len() == 0 {
        return Err(Error::new(Kind::Invalid, "the file is empty"));
    }
    if file::is_lfs_pointer(file.peek(0, file::LFS_POINTER_START.len())) {
        return Err(Error::new(
            Kind::Invalid,
            format!("the file is a Git LFS pointer, not {what}"),
        )
        .with_hint(file::LFS_HINT));
    }
    if file.len() > MAX_FILE_BYTES {
        let message =
            format!("the file has {} bytes, but protobuf ends at {MAX_FILE_BYTES}", file.len());
        return Err(
            Error::new(Kind::Invalid, message).with_hint("store the weights as external data")
        );
    }
    wire::check(&mut file, kind).map_err(|error| undecodable(what).with_source(error))?;
    file.rewind();
    M::decode(file).map_err(|error| undecodable(what).with_source(error))
}

fn undecodable(what: &str) -> Error {
    Error::new(Kind::Invalid, format!("the file is not {what}, or is damaged"))
}
