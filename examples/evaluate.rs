//! Evaluates a model on the CPU: the network of TensorRT layers that it becomes, on the test data
//! beside it.
//!
//! ```text
//! cargo run --example evaluate models/digits/model.onnx
//! ```

#![allow(clippy::print_stdout, reason = "the example shows what it computed")]

use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::verify::{self, data};
use onnx2plan::{Error, Kind, Result, eval, onnx, pipeline};
use std::path::PathBuf;

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    let path = path.ok_or_else(|| Error::new(Kind::Usage, "name a model"))?;

    let model = onnx::load(&path)?;
    let names: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
    // What a library can do decides which layers there are; no library is loaded here.
    let caps = Caps::modern();
    let network = pipeline::prepare(&model, &Fitted::standard(caps), caps)?.network;

    for folder in data::beside(&path) {
        let set = data::read(&folder)?;
        // The data by the names of the network's inputs, in the types that the network takes.
        let inputs = verify::inputs(&network, &names, &set)?;
        let outputs = eval::run(&network, &inputs)?;
        println!("{}", folder.display());
        for (output, tensor) in network.outputs.iter().zip(outputs) {
            let (name, dtype, dims) = (&output.name, tensor.dtype(), tensor.dims());
            let numbers = tensor.to_f32s().unwrap_or_default();
            let start: Vec<_> = numbers.iter().take(4).collect();
            println!("  {name}: {dtype}{dims:?}, starts with {start:?}");
        }
    }
    Ok(())
}
