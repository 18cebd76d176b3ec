//! Why a package cannot be had, and what its user can do about it.

use super::{Options, Package};
use crate::{Error, Kind};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// What went wrong; [`Fault::explain`] adds which package it was and the way out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("it is not in `{}`, and downloading is switched off (`--offline` or \
             ONNX2PLAN_OFFLINE)", .cache.display())]
    Offline { cache: PathBuf },
    #[error("there is no Python whose pip could download it (tried {tried})")]
    NoPython { tried: String, source: io::Error },
    #[error("Python has no pip to download it with")]
    NoPip,
    #[error("cannot tell whether pip has ended")]
    LostPip { source: io::Error },
    #[error("pip ended with {status}")]
    Pip { status: ExitStatus, said: Vec<String> },
    #[error("pip ended well, but left no wheel")]
    NoWheel { said: Vec<String> },
    #[error("cannot read `{}`", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` has {actual} bytes, but the wheel has {expected}", .path.display())]
    WrongSize { path: PathBuf, expected: u64, actual: u64 },
    #[error("`{}` has SHA-256 {actual}, but the wheel has {expected}", .path.display())]
    WrongHash { path: PathBuf, expected: String, actual: String },
    #[error("the wheel is refused: {0}")]
    Archive(ArchiveFault),
    #[error("the disk is full")]
    Full { said: Vec<String> },
    #[error("cannot write to `{}`", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("stopped")]
    Cancelled,
}

/// What is wrong with a wheel as a zip file.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArchiveFault {
    #[error("{0}")]
    Zip(zip::result::ZipError),
    #[error("its entry `{0}` leads out of the folder")]
    Escapes(String),
    #[error("its entry `{0}` is encrypted")]
    Encrypted(String),
    #[error("its entry `{0}` is neither a file nor a folder")]
    Special(String),
    #[error("its entries take {bytes} bytes, more than the limit of {limit}")]
    TooLarge { bytes: u128, limit: u64 },
    #[error("its entry `{0}` is missing")]
    Missing(String),
    #[error("its entry `{name}` is damaged: {why}")]
    Damaged { name: String, why: io::Error },
    #[error("its entry `{name}` should have {expected} bytes, but has {actual}")]
    Length { name: String, expected: u64, actual: u64 },
}

/// The text of a fault holds what is wrong with the wheel, which is therefore no source of it.
impl From<ArchiveFault> for Fault {
    fn from(fault: ArchiveFault) -> Self {
        Self::Archive(fault)
    }
}

impl Fault {
    /// A failure to write `path`.
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Fault::Full { said: Vec::new() }
            }
            _ => Fault::Write { path: path.to_owned(), source },
        }
    }

    /// The error as the user sees it.
    pub(super) fn explain(self, package: &Package, options: &Options) -> Error {
        let kind =
            if matches!(self, Fault::Cancelled) { Kind::Cancelled } else { Kind::Environment };
        let mut error = Error::new(
            kind,
            format!("cannot set up {} {}: {self}", package.title, package.version),
        );
        if let Some(hint) = self.hint(package) {
            error = error.with_hint(hint);
        }
        if let Fault::Full { .. } = self {
            // While a download is unpacked, the wheel lies beside it.
            let wheel_bytes = if options.wheel.is_some() { 0 } else { package.wheel_bytes };
            let needed_bytes = wheel_bytes + package.unpacked_bytes;
            error = error
                .with_note(format!("`{}` needs {needed_bytes} bytes", options.cache.display()));
        }
        match self {
            Fault::Pip { said, .. } | Fault::NoWheel { said } | Fault::Full { said, .. } => {
                said.into_iter().fold(error, |error, line| error.with_note(format!("pip: {line}")))
            }
            Fault::NoPython { source, .. }
            | Fault::LostPip { source }
            | Fault::Read { source, .. }
            | Fault::Write { source, .. } => error.with_source(source),
            _ => error,
        }
    }

    fn hint(&self, package: &Package) -> Option<String> {
        let by_hand = || {
            let Package { name, version, select, .. } = package;
            let pip =
                format!("python3 -m pip download --no-deps {} {name}=={version}", select.join(" "));
            format!("download it yourself with `{pip}`, then run `onnx2plan setup --wheel FILE`")
        };
        match self {
            Fault::Cancelled => None,
            Fault::Full { .. } => {
                Some("free that much, or set ONNX2PLAN_CACHE to a folder on another disk".into())
            }
            Fault::Write { .. } => Some(WRITABLE.into()),
            Fault::NoPython { .. } => Some(format!(
                "install Python with pip, or name one with ONNX2PLAN_PYTHON; or {}",
                by_hand()
            )),
            Fault::NoPip => Some(format!(
                "install pip, or name another Python with ONNX2PLAN_PYTHON; or {}",
                by_hand()
            )),
            Fault::Pip { .. } => {
                Some(format!("see that pip reaches its package index; or {}", by_hand()))
            }
            _ => Some(by_hand()),
        }
    }
}

const WRITABLE: &str = "set ONNX2PLAN_CACHE to a folder that you can write to";

/// The error for a process that has no cache folder.
pub(super) fn no_home() -> Error {
    let message =
        "there is no cache folder: none of ONNX2PLAN_CACHE, XDG_CACHE_HOME and HOME is set";
    Error::new(Kind::Environment, message).with_hint(WRITABLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::TENSORRT_RTX;
    use std::fs::File;
    use std::io::Write;

    #[test]
    fn a_full_disk_says_how_much_it_takes() {
        let error =
            File::options().write(true).open("/dev/full").unwrap().write_all(b"data").unwrap_err();
        let options =
            Options { cache: "cache".into(), wheel: Some("file".into()), ..Options::default() };
        assert_eq!(
            Fault::write(Path::new("cache/tmp/file"), error)
                .explain(&TENSORRT_RTX, &options)
                .to_string(),
            "cannot set up TensorRT-RTX 1.7.1.116: the disk is full\n  `cache` needs 234060209 \
             bytes\n\n\
             hint: free that much, or set ONNX2PLAN_CACHE to a folder on another disk"
        );
    }
}
