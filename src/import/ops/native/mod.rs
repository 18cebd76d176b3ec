//! Nodes that are TensorRT's layers themselves: `TRT_Shuffle` and so on, in any domain, one file
//! per layer.
//!
//! They say what ONNX cannot. Attributes have the names and defaults of TensorRT's own;
//! `docs/native-nodes.md` has them.

mod convolution;
mod resize;
mod rnn;
mod scale;
mod shuffle;

use crate::import::build::ctx::Ctx;
use crate::import::build::op::{ANY_DOMAIN, NOW, OfValues, Op, onnx};
use crate::import::error::OpError;
use crate::network::layer::Arg;
use crate::network::{ValueId, Values};
use crate::onnx::Node;
use crate::tensor::Tensor;

pub(super) const OPS: &[Op] = &[
    native("TRT_Convolution", "input kernel bias?", convolution::convolution),
    native("TRT_Deconvolution", "input kernel bias?", convolution::deconvolution),
    native("TRT_Resize", "input shape?", resize::resize),
    native("TRT_RNNv2", "input sequence_lengths? hidden_state? cell_state? weights*", rnn::rnn),
    native("TRT_Scale", "input shift? scale? power?", scale::scale),
    native("TRT_Shuffle", "input shape?", shuffle::shuffle),
];

const fn native(name: &'static str, inputs: &'static str, handler: OfValues) -> Op {
    onnx(name, 1..=NOW, inputs, handler).of(ANY_DOMAIN)
}

/// An attribute that names one of a few choices.
fn choice<T: Copy>(
    node: &Node,
    name: &'static str,
    choices: &[(&'static str, T)],
    default: &'static str,
) -> Result<T, OpError> {
    let chosen = node.attrs.string_or(name, default)?;
    choices.iter().find(|(choice, _)| *choice == chosen).map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
        OpError::invalid(format!(
            "attribute `{name}` is `{chosen}`, not one of {}",
            names.join(", ")
        ))
    })
}

/// A list of sizes, steps or axes, none of them negative; `None` where it is left out.
fn naturals(node: &Node, name: &str) -> Result<Option<Vec<usize>>, OpError> {
    let Some(list) = node.attrs.ints(name)? else { return Ok(None) };
    let natural = |&n: &i64| i32::try_from(n).ok().and_then(|n| usize::try_from(n).ok());
    let naturals: Option<Vec<usize>> = list.iter().map(natural).collect();
    naturals.map(Some).ok_or_else(|| {
        OpError::invalid(format!(
            "attribute `{name}` is {list:?}, not numbers of 32 bits that are 0 or more"
        ))
    })
}

/// A number that is at least 1; `None` where it is left out.
fn positive(node: &Node, name: &str) -> Result<Option<usize>, OpError> {
    let Some(number) = node.attrs.int(name)? else { return Ok(None) };
    let positive = usize::try_from(number).ok().filter(|&number| number > 0);
    positive.map(Some).ok_or_else(|| {
        OpError::invalid(format!("attribute `{name}` is {number}, not a positive number"))
    })
}

/// A value as weights where it is known at build time, else as the layer's next input.
fn weights(ctx: &Ctx<'_>, value: ValueId, inputs: &mut Values) -> Arg<Tensor> {
    ctx.constant(value).map_or_else(
        || {
            inputs.push(value);
            Arg::Input(inputs.len() - 1)
        },
        Arg::Static,
    )
}
