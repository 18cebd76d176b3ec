//! Compiles what is not Rust: the ONNX messages in `proto/`, and `cpp/` once per set of TensorRT
//! headers.

#[path = "build/headers.rs"]
mod headers;

use std::path::{Path, PathBuf};

type Failure = Box<dyn std::error::Error>;

fn main() {
    if let Err(error) = compile() {
        // Cargo shows such lines, and nothing else, and fails.
        for line in error.to_string().lines() {
            println!("cargo::error={line}");
        }
    }
}

fn compile() -> Result<(), Failure> {
    refuse_other_systems()?;
    compile_proto()?;
    // docs.rs has no network to fetch headers from, and links nothing.
    if std::env::var_os("DOCS_RS").is_none() {
        compile_bridge()?;
    }
    Ok(())
}

/// Says so where nothing could work, instead of in a hundred errors of compilers.
fn refuse_other_systems() -> Result<(), Failure> {
    let system = std::env::var("CARGO_CFG_TARGET_OS")?;
    if system != "linux" {
        return Err(format!(
            "onnx2plan cannot be built for {system}: it supports Linux only, because it loads \
             TensorRT's Linux libraries; on Windows, use it in WSL 2"
        )
        .into());
    }
    Ok(())
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

    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?);
    let mut build = cxx_build::bridge("src/trt/ffi.rs");
    build.std("c++20").include("cpp").files(["cpp/shim.cpp", "cpp/rtx17.cpp", "cpp/trt114.cpp"]);
    // As system headers, so that warnings are ours alone; deprecated calls are the price of one
    // source for all versions.
    build
        .flag("-isystem")
        .flag(headers::folder(&out)?)
        .flag_if_supported("-Wno-deprecated-declarations");
    if let Some(root) = std::env::var_os("TENSORRT_ROOT") {
        let include = Path::new(&root).join("include");
        println!("cargo::rerun-if-changed={}", include.display());
        build.file("cpp/sdk.cpp").define("ONNX2PLAN_SDK", None).flag("-isystem").flag(include);
    }
    build.try_compile("onnx2plan_trt")?;
    Ok(())
}
