//! Compiles what is not Rust: the ONNX messages in `proto/`, and `cpp/` once per set of TensorRT
//! headers.

use std::path::{Path, PathBuf};
use std::process::Command;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    compile_proto()?;
    compile_bridge()
}

/// Turns `proto/onnx.proto` into Rust, with a protobuf compiler in Rust: nobody has to install
/// `protoc`.
fn compile_proto() -> Result<(), Failure> {
    println!("cargo::rerun-if-changed=proto/onnx.proto");
    let files = protox::compile(["proto/onnx.proto"], ["proto"])?;
    prost_build::Config::new()
        // Shared slices: decoding a mapped file copies no weights.
        .bytes(["."])
        // Rarely there, and large: attributes are the most frequent message.
        .boxed(".onnx.AttributeProto.t")
        .boxed(".onnx.AttributeProto.tp")
        .boxed(".onnx.AttributeProto.sparse_tensor")
        .disable_comments(["."])
        .compile_fds(files)?;
    Ok(())
}

/// The bridge and one copy of the shim per header set, each a wrapper file of its own in a single
/// archive.
fn compile_bridge() -> Result<(), Failure> {
    println!("cargo::rerun-if-changed=cpp");
    println!("cargo::rerun-if-changed=src/trt/ffi.rs");
    println!("cargo::rerun-if-env-changed=TENSORRT_ROOT");

    let mut build = cxx_build::bridge("src/trt/ffi.rs");
    build.std("c++20").include("cpp").files(["cpp/shim.cpp", "cpp/rtx17.cpp", "cpp/trt114.cpp"]);
    // As system headers, so that warnings are ours alone; deprecated calls are the price of one
    // source for all versions.
    build
        .flag("-isystem")
        .flag(tensorrt_headers()?)
        .flag_if_supported("-Wno-deprecated-declarations");
    if let Some(root) = std::env::var_os("TENSORRT_ROOT") {
        let include = Path::new(&root).join("include");
        println!("cargo::rerun-if-changed={}", include.display());
        build.file("cpp/sdk.cpp").define("ONNX2PLAN_SDK", None).flag("-isystem").flag(include);
    }
    build.try_compile("onnx2plan_trt")?;
    Ok(())
}

/// The folder that holds `TRT-RTX-1.7`, `TRT-Enterprise-11.4` and a stand-in for CUDA's header.
///
/// They come with a crate that is fetched for its headers and never compiled; see
/// `cpp/tensorrt-headers/Cargo.toml`.
fn tensorrt_headers() -> Result<PathBuf, Failure> {
    println!("cargo::rerun-if-env-changed=ONNX2PLAN_TENSORRT_HEADERS");
    if let Some(folder) = std::env::var_os("ONNX2PLAN_TENSORRT_HEADERS") {
        return Ok(folder.into());
    }
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "metadata",
            "--locked",
            "--format-version=1",
            "--manifest-path=cpp/tensorrt-headers/Cargo.toml",
        ])
        .output()?;
    if !output.status.success() {
        return Err(format!(
            "cargo cannot fetch the headers: {}",
            String::from_utf8_lossy(&output.stderr)
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
