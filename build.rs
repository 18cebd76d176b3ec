//! Compiles what is not Rust: the ONNX messages in `proto/`.

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    compile_proto()
}

/// Turns `proto/onnx.proto` into Rust, with a protobuf compiler in Rust: nobody has to install `protoc`.
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
