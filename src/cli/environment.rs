//! The environment variables, read once, and the search for a TensorRT library that they steer.

use super::output::Output;
use super::setup;
use crate::error::{Error, Kind, Result};
use crate::provision::python::Python;
use crate::provision::{self, ONNX_RUNTIME, TENSORRT_RTX};
use crate::trt::Library;
use crate::trt::find::{self, FindOptions, Tried};
use std::ffi::OsString;
use std::path::PathBuf;

/// What the environment says.
pub(super) struct Environment {
    variables: fn(&str) -> Option<OsString>,
    /// `ONNX2PLAN_OFFLINE`: never download.
    pub(super) offline: bool,
    /// `ONNX2PLAN_PYTHON`: the interpreter whose pip is used.
    pub(super) python: Option<PathBuf>,
}

/// Where to take TensorRT from, as several commands let the user say it.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "TensorRT library")]
pub(super) struct LibraryArguments {
    /// A TensorRT library, or a folder that contains one
    #[arg(long, value_name = "PATH")]
    pub(super) tensorrt: Option<PathBuf>,
    /// Do not download anything (same as ONNX2PLAN_OFFLINE=1)
    #[arg(long)]
    pub(super) offline: bool,
    /// Use this TensorRT-RTX wheel instead of downloading one
    #[arg(long, value_name = "FILE")]
    pub(super) wheel: Option<PathBuf>,
}

impl Environment {
    pub(super) fn read() -> Self {
        let variables = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            variables,
            offline: variables("ONNX2PLAN_OFFLINE").is_some_and(|value| value != "0"),
            python: variables("ONNX2PLAN_PYTHON").map(PathBuf::from),
        }
    }

    /// The user's cache folder.
    pub(super) fn cache(&self) -> Result<PathBuf> {
        provision::cache_dir(self.variables)
    }

    /// Where results of zoos are kept.
    pub(super) fn results(&self) -> Result<PathBuf> {
        Ok(self.cache()?.join("zoo"))
    }

    /// Every place where a library may be, and the first that can be used. `path_of` has Python say
    /// where its packages are.
    pub(super) fn find(
        &self,
        tensorrt: Option<&PathBuf>,
        path_of: impl FnOnce(&Python) -> Vec<PathBuf>,
    ) -> (Option<Library>, Vec<Tried>) {
        let cache = self.cache().ok();
        let named =
            FindOptions { path: tensorrt.cloned(), ..FindOptions::from_env(self.variables) };
        // What is damaged is not loaded. It is not looked for where a library is named.
        let whole = |cache: &PathBuf| provision::sound(&TENSORRT_RTX, cache);
        let in_cache = cache.as_ref().filter(|_| named.path.is_none() && named.variable.is_none());
        let options = FindOptions { cache: in_cache.and_then(whole), ..named };
        let python = Python { cache, ..self.interpreter() };
        find::find(&options, || path_of(&python))
    }

    /// The interpreter whose packages and pip matter.
    pub(super) fn interpreter(&self) -> Python {
        let program = self.python.clone().unwrap_or_else(|| "python3".into());
        Python { program, cache: None, variable: self.variables }
    }

    /// A library to build with: one that is there, else TensorRT-RTX fetched now.
    pub(super) fn library(
        &self,
        arguments: &LibraryArguments,
        output: &mut Output,
    ) -> Result<Library> {
        let (library, tried) = match &arguments.wheel {
            // Who names a wheel wants the library in it.
            Some(_) => (None, Vec::new()),
            None => self.find(arguments.tensorrt.as_ref(), Python::search_path),
        };
        if let Some(library) = library {
            return Ok(library);
        }
        if arguments.tensorrt.is_some()
            || (self.variables)(find::VARIABLE).is_some() && arguments.wheel.is_none()
        {
            return Err(nothing_found(&tried));
        }
        let folder = setup::install(self, &TENSORRT_RTX, arguments, false, output)?;
        Library::open(&folder.join(LIBRARY))
    }

    /// ONNX Runtime's library: what `ORT_DYLIB_PATH` names, else the one that `setup --reference`
    /// fetched.
    pub(super) fn reference(&self) -> Result<PathBuf> {
        if let Some(path) = (self.variables)("ORT_DYLIB_PATH") {
            return Ok(path.into());
        }
        let cache = self.cache()?;
        provision::sound(&ONNX_RUNTIME, &cache).map(|folder| folder.join(REFERENCE)).ok_or_else(
            || {
                let why = match provision::installed(&ONNX_RUNTIME, &cache) {
                    Some(_) => "no test data, and ONNX Runtime in the cache is damaged",
                    None => "no test data, and no ONNX Runtime",
                };
                Error::new(Kind::Environment, format!("there is no reference: {why}")).with_hint(
                    "name a data set with `--data FOLDER`, or run `onnx2plan setup --reference`",
                )
            },
        )
    }
}

/// ONNX Runtime's file in the folder that `provision` fills.
const REFERENCE: &str = "libonnxruntime.so.1.31.1";
/// The library's file in the folder that `provision` fills.
const LIBRARY: &str = "libtensorrt_rtx.so.1";

/// The user named a library and it cannot be used: fetching another one would not be what was asked
/// for.
fn nothing_found(tried: &[Tried]) -> Error {
    let mut error = Error::new(Kind::Environment, "no usable TensorRT library");
    for tried in tried {
        if let Err(reason) = &tried.outcome {
            error = error.with_note(format!(
                "{} ({}): {}",
                tried.path.display(),
                tried.source,
                reason.message()
            ));
        }
    }
    error.with_hint(
        "leave `--tensorrt` and ONNX2PLAN_TENSORRT away to use TensorRT-RTX, which is fetched \
         where it is missing",
    )
}
