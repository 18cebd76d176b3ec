//! The `onnx2plan` command.
fn main() {}
