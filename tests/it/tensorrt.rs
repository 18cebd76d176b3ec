//! A TensorRT for the tests: the one `ONNX2PLAN_TENSORRT` names, else TensorRT-RTX, fetched once
//! into the target folder.

use crate::golden;
use onnx2plan::emit::emit;
use onnx2plan::profiles::{self, Data};
use onnx2plan::recipe::sizes::Request;
use onnx2plan::trt::find::VARIABLE;
use onnx2plan::trt::{BuildOptions, Builder, Library};
use onnx2plan::valid::Checked;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

/// The program under test, which finds its TensorRT and nothing of the user's.
///
/// # Panics
/// If TensorRT is missing and cannot be fetched.
pub(crate) fn onnx2plan() -> Command {
    let mut command = without_tensorrt();
    command.env(VARIABLE, library_path());
    command
}

/// The program under test, with no TensorRT, an empty cache, and no leave to download one.
pub(crate) fn without_tensorrt() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onnx2plan"));
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ONNX2PLAN_"))
    {
        command.env_remove(name);
    }
    command
        .env("ONNX2PLAN_CACHE", "/dev/null/none")
        .env("ONNX2PLAN_OFFLINE", "1")
        .env("RUST_BACKTRACE", "0");
    command
}

/// The cache that the tests fill and keep.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("onnx2plan-cache")
}

/// The library, or the folder that holds it.
fn library_path() -> &'static Path {
    static PATH: LazyLock<Result<PathBuf, String>> =
        LazyLock::new(|| match std::env::var_os(VARIABLE) {
            Some(path) if !path.is_empty() => Ok(path.into()),
            _ => set_up(),
        });
    PATH.as_deref().unwrap_or_else(|problem| panic!("{problem}"))
}

/// Runs `onnx2plan setup`, which waits for other processes that do the same; gives the folder it
/// prints.
pub(crate) fn set_up() -> Result<PathBuf, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onnx2plan"));
    let output = command.args(["setup", "--quiet"]).env("ONNX2PLAN_CACHE", cache()).output();
    let output = output.map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "these tests need TensorRT: name one with {VARIABLE}, or let pip fetch it.\n{said}"
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().into())
}

/// ONNX Runtime's library, fetched once into the cache of the tests.
///
/// # Panics
/// If it cannot be fetched.
pub(crate) fn onnx_runtime() -> PathBuf {
    static PATH: LazyLock<PathBuf> = LazyLock::new(|| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onnx2plan"));
        let output = command
            .args(["setup", "--reference", "--quiet"])
            .env("ONNX2PLAN_CACHE", cache())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end());
        let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let library = files.find(|path| {
            path.file_name().unwrap().to_string_lossy().starts_with("libonnxruntime.so")
        });
        library.expect("the folder holds the library")
    });
    PATH.clone()
}

/// The library, loaded.
///
/// # Panics
/// As [`onnx2plan`].
pub(crate) fn library() -> Library {
    let path = library_path();
    let path = if path.is_dir() { path.join("libtensorrt_rtx.so.1") } else { path.to_owned() };
    Library::open(&path).unwrap_or_else(|error| panic!("{error}"))
}

/// Builds a plan for the shapes that are guessed where nothing is said.
///
/// Not for targets of its own: TensorRT-RTX fails where two threads build for different ones at
/// once.
fn build(network: &Checked) -> onnx2plan::Result<Vec<u8>> {
    let profiles = profiles::plan(network, &Request::default(), &Data::default())?.profiles();
    let options = BuildOptions { profiles, ..BuildOptions::default() };
    let mut builder = Builder::new(&library(), options)?;
    emit(network, &mut builder)?;
    let mut plan = Vec::new();
    builder.build(&mut plan, &AtomicBool::new(false))?;
    Ok(plan)
}

/// What TensorRT-RTX refuses, and in which words; the end of a limit should not go unnoticed
/// either.
const REFUSED: &[(&str, &str)] = &[
    // Nothing says what the shape may be, and the guess is wrong.
    ("layout/reshape_computed", "at opt (shape = [1, 1]) reshape of 24 elements to [1, 1]"),
    // Without a GPU, TensorRT-RTX has neither NonMaxSuppression nor NonZero.
    ("boxes/suppression", "has no runners that implement it"),
    ("gather/places", "has no runners that implement it"),
    ("unique/unique", "has no runners that implement it"),
];

#[test]
fn tensorrt_builds_every_golden_network() {
    let wrong: Vec<String> = golden::cases()
        .filter_map(|(name, case)| {
            let refusal =
                REFUSED.iter().find(|(refused, _)| *refused == name).map(|(_, words)| *words);
            match (build(&golden::networks(&name, case).1), refusal) {
                (Ok(plan), None) if plan.starts_with(b"vtrt") => None,
                (Ok(plan), None) => {
                    Some(format!("{name}: the plan starts with {:?}", plan.get(..4)))
                }
                (Ok(_), Some(_)) => {
                    Some(format!("{name}: it is built by now: remove it from the list"))
                }
                (Err(error), Some(words)) if error.to_string().contains(words) => None,
                (Err(error), _) => Some(format!("{name}: {error}")),
            }
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
