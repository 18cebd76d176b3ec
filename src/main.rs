//! The `onnx2plan` command: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    onnx2plan::cli::main()
}
