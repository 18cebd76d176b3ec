//! Opening a TensorRT library and making sure that what drives it fits it.

#![allow(unsafe_code, reason = "a library is code that nobody has checked")]

use super::ffi::{self, HeaderSet};
use super::version::Version;
use crate::network::caps::Caps;
use crate::network::{LayerKind, Network};
use crate::site::Site;
use crate::{Error, Kind, Result};
use libloading::os::unix as dl;
use std::ffi::{c_int, c_uint};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A TensorRT library, opened and known to fit the shim. It is never closed.
#[derive(Debug, Clone)]
pub struct Library {
    path: PathBuf,
    version: Version,
    set: HeaderSet,
    create_builder: usize,
    create_runtime: Option<usize>,
}

impl Library {
    /// Opens the library file at `path`; a name without folder is searched as the system's loader
    /// does.
    ///
    /// # Errors
    /// Kind `Environment`: there is no such library, it is no TensorRT, or its version fits no
    /// headers that are built in.
    pub fn open(path: &Path) -> Result<Self> {
        let library = open_library(path)?;
        let version = version(&library).ok_or_else(|| {
            Error::new(Kind::Environment, format!("`{}` is no TensorRT library", path.display()))
                .with_hint(
                    "name libtensorrt_rtx.so, libnvinfer.so, or the folder that holds one of them",
                )
        })?;
        let set = version.header_set().ok_or_else(|| refuse(path, version))?;
        // SAFETY: only its address is taken here.
        let create_builder =
            unsafe { library.get::<unsafe extern "C" fn()>(b"createInferBuilder_INTERNAL") }
                .map_err(|error| {
                    Error::new(
                        Kind::Environment,
                        format!("`{}` ({version}) cannot build plans", path.display()),
                    )
                    .with_hint(
                        "runtime-only libraries, such as libnvinfer_lean.so, have no builder",
                    )
                    .with_source(error)
                })?
                .into_raw() as usize;
        // SAFETY: only its address is taken here.
        let create_runtime =
            unsafe { library.get::<unsafe extern "C" fn()>(b"createInferRuntime_INTERNAL") };
        let create_runtime = create_runtime.ok().map(|function| function.into_raw() as usize);
        // TensorRT's own threads and static objects outlive any use we could wait for.
        std::mem::forget(library);
        Ok(Self { path: path.to_owned(), version, set, create_builder, create_runtime })
    }

    /// The file, as it was named to [`Library::open`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version, by its own account.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The first layer that this library builds only where there is a GPU: TensorRT-RTX builds
    /// ahead of time what has no output of a size of its own.
    pub fn lacks_device_for(&self, network: &Network) -> Option<Site> {
        let wants =
            |kind: &LayerKind| matches!(kind, LayerKind::NonMaxSuppression(_) | LayerKind::NonZero);
        let layers = network
            .live_layers()
            .into_iter()
            .map(|id| network.layer(id))
            .filter(|_| self.version().rtx);
        layers.filter(|layer| wants(&layer.kind)).find_map(|layer| layer.sites.first().cloned())
    }

    /// What networks for it may hold.
    pub fn caps(&self) -> Caps {
        // What the headers lack cannot be called, whatever the library has.
        let headers = Version::from_number(ffi::header_version(self.set)).unwrap_or(self.version);
        headers.caps()
    }

    /// A builder with an empty network.
    pub(super) fn new_network(&self) -> Result<cxx::UniquePtr<ffi::Network>> {
        if !self.version.rtx {
            driver().map_err(|missing| {
                Error::new(
                    Kind::Environment,
                    format!("{} needs an NVIDIA driver to build plans", self.version),
                )
                .with_note(missing)
                .with_hint("TensorRT-RTX builds plans on machines without a GPU")
            })?;
        }
        // SAFETY: `open` has matched the header set with the library's version, and the library is
        // never closed.
        unsafe { ffi::new_network(self.set, self.create_builder) }.map_err(|error| {
            super::builder::said(&format!("{} cannot make a builder", self.version), error.what())
        })
    }
}

impl Library {
    /// An engine for a plan that this version built, on the GPU whose context the thread has.
    pub(super) fn new_engine(&self, plan: &[u8]) -> Result<cxx::UniquePtr<ffi::Engine>> {
        let path = self.path.display();
        let create_runtime = self.create_runtime.ok_or_else(|| {
            Error::new(Kind::Environment, format!("`{path}` ({}) cannot run plans", self.version))
        })?;
        // SAFETY: `open` has matched the header set with the library's version, and the library is
        // never closed.
        unsafe { ffi::new_engine(self.set, create_runtime, plan) }.map_err(|error| {
            Error::new(
                Kind::TensorRt,
                format!("{} cannot load the plan: {}", self.version, error.what()),
            )
        })
    }
}

fn open_library(path: &Path) -> Result<dl::Library> {
    // SAFETY: initializers run; the user, or the search order we document, chose the file.
    unsafe { dl::Library::open(Some(path), dl::RTLD_NOW | dl::RTLD_LOCAL) }.map_err(|error| {
        Error::new(Kind::Environment, format!("`{}` cannot be opened", path.display()))
            .with_source(error)
    })
}

fn version(library: &dl::Library) -> Option<Version> {
    let call = |name: &[u8]| {
        // SAFETY: the functions of these names take nothing and return an `int32_t` in every
        // TensorRT there is.
        unsafe {
            library.get::<unsafe extern "C" fn() -> c_int>(name).ok().map(|function| function())
        }
    };
    let version = Version::from_number(call(b"getInferLibVersion")?)?;
    let build = call(b"getInferLibBuildVersion").and_then(|build| u32::try_from(build).ok());
    Some(Version { build, ..version })
}

fn refuse(path: &Path, version: Version) -> Error {
    let mut drives = "TensorRT-RTX 1.5 to 1.7 and TensorRT 11".to_owned();
    if let Some(sdk) = Version::of_sdk() {
        drives = format!("{drives}, and {sdk} or later of the same major version");
    }
    Error::new(
        Kind::Environment,
        format!("`{}` is {version}, which this onnx2plan cannot drive", path.display()),
    )
    .with_note(format!("it drives {drives}"))
    .with_hint(format!(
        "use one of these, or build onnx2plan with TENSORRT_ROOT naming the SDK of {version} \
             (8.6, 10.x or 11.x)"
    ))
}

/// Whether an NVIDIA driver is there, with a GPU.
pub fn has_driver() -> bool {
    driver().is_ok()
}

/// Looks for CUDA's driver. Without one, builders of TensorRT 8 to 11 crash instead of failing.
pub(super) fn driver() -> Result<(), String> {
    static DRIVER: OnceLock<Result<(), String>> = OnceLock::new();
    DRIVER
        .get_or_init(|| {
            let path = Path::new("libcuda.so.1");
            let library =
                open_library(path).map_err(|_| "libcuda.so.1 cannot be opened".to_owned())?;
            // SAFETY: the driver's documented signature.
            let status = unsafe {
                library
                    .get::<unsafe extern "C" fn(c_uint) -> c_int>(b"cuInit")
                    .map(|initialize| initialize(0))
            };
            std::mem::forget(library);
            match status {
                Ok(0) => Ok(()),
                Ok(status) => Err(format!("cuInit failed with CUDA error {status}")),
                Err(_) => Err("libcuda.so.1 has no cuInit".to_owned()),
            }
        })
        .clone()
}
