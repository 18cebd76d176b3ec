//! Fetches NVIDIA's TensorRT-RTX and ONNX Runtime for the user, with the user's own `pip`, and
//! unpacks it into the user's cache.
//!
//! The index, the proxy and the certificates are whatever the user told pip; what arrives is held
//! to a SHA-256 written here. [`install`] is the way in. This module loads nothing and prints
//! nothing: it gives a folder to whoever asks, and tells its caller how it goes through [`Event`]s.
//!
//! `pip` runs pip, `wheel` checks and unpacks the file, `store` keeps the cache folder whole;
//! `python` knows where packages are that the user installed without us.

mod fault;
mod pip;
pub mod python;
mod store;
mod wheel;

use crate::{Error, Kind, Result};
use fault::Fault;
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use store::Store;

/// A wheel that onnx2plan knows how to fetch, and what of it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    /// What people call it: `TensorRT-RTX`.
    pub title: &'static str,
    /// What its folder in the cache is called, before the version: `tensorrt-rtx`.
    pub folder: &'static str,
    /// What the package index calls it.
    pub name: &'static str,
    /// The one version that is taken.
    pub version: &'static str,
    /// SHA-256 of the wheel, in lower-case hexadecimal.
    pub sha256: &'static str,
    /// Size of the wheel in bytes.
    pub wheel_bytes: u64,
    /// Size of `members` in bytes.
    pub unpacked_bytes: u64,
    /// Options that make pip choose this wheel, whichever Python runs it.
    pub select: &'static [&'static str],
    /// Files of the wheel that are kept, side by side in one folder: libraries and the license.
    pub members: &'static [&'static str],
    /// The license in one line, for the user to see before anything is fetched.
    pub license: &'static str,
}

/// NVIDIA's TensorRT-RTX library, which builds and runs plans.
pub const TENSORRT_RTX: Package = Package {
    title: "TensorRT-RTX",
    folder: "tensorrt-rtx",
    name: "tensorrt-rtx-cu13-libs",
    version: "1.7.1.116",
    sha256: "e3fd45fed001240d63304e77a2d4006319b839994237cb294b6e7ad72acaabcd",
    wheel_bytes: 95_153_708,
    unpacked_bytes: 234_060_209,
    select: &["--platform", "manylinux_2_28_x86_64"],
    members: &[
        "tensorrt_rtx_libs/libtensorrt_rtx.so.1",
        "tensorrt_rtx_cu13_libs-1.7.1.116.dist-info/licenses/LICENSE.txt",
    ],
    license: "TensorRT-RTX is NVIDIA's, under the NVIDIA Software License Agreement (LICENSE.txt \
              beside the library); \
              downloading or using it means accepting that agreement",
};

/// ONNX Runtime, the reference where a model brings no data of its own.
pub const ONNX_RUNTIME: Package = Package {
    title: "ONNX Runtime",
    folder: "onnxruntime",
    name: "onnxruntime",
    version: "1.31.1",
    sha256: "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
    wheel_bytes: 23_760_988,
    unpacked_bytes: 29_353_273,
    select: &[
        "--platform",
        "manylinux_2_28_x86_64",
        "--platform",
        "manylinux_2_27_x86_64",
        "--python-version",
        "3.12",
        "--implementation",
        "cp",
        "--abi",
        "cp312",
    ],
    members: &["onnxruntime/capi/libonnxruntime.so.1.31.1", "onnxruntime/LICENSE"],
    license: "ONNX Runtime is Microsoft's, under the MIT license (LICENSE beside the library)",
};

/// Where to install from and to.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The cache folder, see [`cache_dir`]; made where it is missing.
    pub cache: PathBuf,
    /// Never download.
    pub offline: bool,
    /// Trust what is installed only after reading every byte of it, as [`verify`] does.
    pub thorough: bool,
    /// A wheel that the user downloaded, taken in place of a download.
    pub wheel: Option<PathBuf>,
    /// The Python whose pip downloads; otherwise `python3`, then `python`.
    pub python: Option<PathBuf>,
}

/// How an installation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A line that the user should see.
    Notice(&'a str),
    /// Another process is setting up the same package; repeated until it is done.
    Waiting,
    /// Part of the work, so many bytes in.
    Progress {
        /// What is being done.
        phase: Phase,
        /// Bytes behind us.
        done_bytes: u64,
        /// Bytes of the whole phase.
        total_bytes: u64,
    },
}

/// The parts of an installation, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// pip downloads the wheel.
    Downloading,
    /// The wheel's SHA-256 is computed.
    Checking,
    /// The members are written into the cache.
    Unpacking,
}

/// Told of every [`Event`], several times a second while there is work; `Break` stops the
/// installation.
pub type Notify<'a> = dyn FnMut(Event<'_>) -> ControlFlow<()> + 'a;

/// The cache folder: `ONNX2PLAN_CACHE`, else `onnx2plan` under `XDG_CACHE_HOME`, else
/// `.cache/onnx2plan` under `HOME`.
///
/// `variable` looks up an environment variable; one that is empty counts as unset. With none of the
/// three the error is [`Kind::Environment`].
pub fn cache_dir(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
    let folder = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("ONNX2PLAN_CACHE")
        // The XDG base directory specification has relative paths ignored.
        .or_else(|| {
            folder("XDG_CACHE_HOME")
                .filter(|path| path.is_absolute())
                .map(|path| path.join("onnx2plan"))
        })
        .or_else(|| folder("HOME").map(|path| path.join(".cache").join("onnx2plan")))
        .ok_or_else(fault::no_home)
}

/// The folder that holds the package's members, if all are there in their full size. Reads no
/// contents: see [`verify`].
pub fn installed(package: &Package, cache: &Path) -> Option<PathBuf> {
    store::whole(package, cache, store::Depth::Sizes)
}

/// As [`installed`], but every byte is read and held to the SHA-256 taken when it was unpacked.
pub fn verify(package: &Package, cache: &Path) -> Option<PathBuf> {
    store::whole(package, cache, store::Depth::Hashes)
}

/// As [`verify`], but what was read before, and not touched since, is not read again: whoever loads
/// a package may ask every time.
pub fn sound(package: &Package, cache: &Path) -> Option<PathBuf> {
    store::sound(package, cache)
}

/// What of this module's packages a cache holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Fetched {
    /// Its folder in the cache: package and version.
    pub name: String,
    /// Size of its files.
    pub bytes: u64,
}

/// The packages in a cache, whichever version of onnx2plan fetched them.
pub fn fetched(cache: &Path) -> Vec<Fetched> {
    store::fetched(&[&TENSORRT_RTX, &ONNX_RUNTIME], cache)
}

/// Removes a package from a cache. Who has loaded it keeps it; it is fetched again once it is
/// needed.
pub fn remove(fetched: &Fetched, cache: &Path) -> Result<()> {
    store::remove(cache, &fetched.name).map_err(|error| {
        let path = cache.join(&fetched.name);
        Error::new(Kind::Environment, format!("cannot remove `{}`", path.display()))
            .with_source(error)
    })
}

/// The folder that holds the package's members, after fetching them where they are not
/// [`sound`].
///
/// Any number of processes may do this at once; one of them works and the others wait for it. A
/// folder that is incomplete or damaged is made anew. Errors are [`Kind::Environment`] and say what
/// to do by hand, or [`Kind::Cancelled`] where `notify` broke off.
pub fn install(package: &Package, options: &Options, notify: &mut Notify<'_>) -> Result<PathBuf> {
    let done = match (trusted(package, options), &options.wheel) {
        (None, _) => fetch(package, options, notify),
        (Some(folder), None) => Ok(folder),
        // Who names a wheel believes that it is good.
        (Some(folder), Some(wheel)) => wheel::check(package, wheel, notify).map(|_| folder),
    };
    done.map_err(|fault| fault.explain(package, options))
}

fn trusted(package: &Package, options: &Options) -> Option<PathBuf> {
    let look = if options.thorough { verify } else { sound };
    look(package, &options.cache)
}

fn fetch(package: &Package, options: &Options, notify: &mut Notify<'_>) -> Result<PathBuf, Fault> {
    if options.offline && options.wheel.is_none() {
        return Err(Fault::Offline { cache: options.cache.clone() });
    }
    let store = Store::open(package, &options.cache)?;
    let _lock = store.lock(notify)?;
    if let Some(folder) = trusted(package, options) {
        return Ok(folder);
    }
    tell(notify, Event::Notice(package.license))?;
    let work = store.work_folder()?;
    let wheel = match &options.wheel {
        Some(path) => path.clone(),
        None => pip::download(package, options.python.as_deref(), work.path(), notify)?,
    };
    let unpacked = work.path().join("unpacked");
    let members = wheel::unpack(package, &wheel, &unpacked, notify)?;
    store.publish(&unpacked, members)
}

/// Passes an event on, and turns `Break` into an error.
fn tell(notify: &mut Notify<'_>, event: Event<'_>) -> Result<(), Fault> {
    match notify(event) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Fault::Cancelled),
    }
}
