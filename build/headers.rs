//! Finds the C++ headers of TensorRT, which the crate `trtx-sys` carries.
//!
//! A scratch package depends on that crate, and cargo fetches it and says where it lies. That needs
//! no network where cargo's cache holds the crate.

use crate::Failure;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the folder with the headers, instead of asking cargo.
const VARIABLE: &str = "ONNX2PLAN_TENSORRT_HEADERS";
const MANIFEST: &str = include_str!("../cpp/tensorrt-headers/package.toml");
const LOCK: &str = include_str!("../cpp/tensorrt-headers/package.lock");

/// The folder that holds `TRT-RTX-1.7`, `TRT-Enterprise-11.4` and a stand-in for CUDA's header.
pub(crate) fn folder(out: &Path) -> Result<PathBuf, Failure> {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    if let Some(folder) = std::env::var_os(VARIABLE) {
        return Ok(folder.into());
    }
    let package = out.join("tensorrt-headers");
    write_package(&package)?;
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--locked", "--format-version=1", "--manifest-path"])
        .arg(package.join("Cargo.toml"))
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "cargo cannot fetch the headers of TensorRT: {said}\n\
             Without a network, set {VARIABLE} to the folder `TensorRT-Headers` of the crate \
             trtx-sys 0.9.1."
        )
        .into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let manifest = metadata["packages"]
        .as_array()
        .and_then(|packages| packages.iter().find(|package| package["name"] == "trtx-sys"))
        .and_then(|package| package["manifest_path"].as_str())
        .ok_or("`cargo metadata` does not list trtx-sys")?;
    Ok(Path::new(manifest).with_file_name("TensorRT-Headers"))
}

/// Writes the scratch package, with an empty crate for each one that its manifest patches.
fn write_package(folder: &Path) -> Result<(), Failure> {
    write_crate(folder, MANIFEST)?;
    fs::write(folder.join("Cargo.lock"), LOCK)?;
    for package in LOCK.split("[[package]]").skip(1) {
        // What comes from nowhere and needs nothing is a patched crate: the lock's lines on it,
        // its name and version, are all that a manifest needs.
        let is_empty = !package.contains("source = ") && !package.contains("dependencies = ");
        if let Some(name) = package.split('"').nth(1).filter(|_| is_empty) {
            write_crate(&folder.join("empty").join(name), &format!("[package]{package}"))?;
        }
    }
    Ok(())
}

/// Writes a crate of this manifest and no code.
fn write_crate(folder: &Path, manifest: &str) -> Result<(), Failure> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/lib.rs"), "")?;
    Ok(())
}
