//! Products in 8 bits: which, with what scales, and how they are written into the network.
//!
//! The rest of the network has its types by then. `products` finds what can be quantized, the
//! numbers of the data are counted (`histogram`) and give scales (`scales`), `insert` writes
//! Quantize and Dequantize, and `narrow` looks for the largest set of nodes that holds the bound.

mod histogram;
mod insert;
mod narrow;
mod products;
mod scales;

pub(super) use narrow::{Calibrated, Narrowed, Quantizer};

use crate::error::Result;
use crate::network::Network;
use crate::recipe::precision::Quantized;
use insert::Prepared;
use std::collections::HashMap;

/// Writes the products that a recipe names into a network whose types are right, and says what the
/// user should know.
///
/// # Errors
/// Where weights cannot be computed.
pub(super) fn apply(network: &mut Network, quantized: &[Quantized]) -> Result<Vec<String>> {
    let (nodes, _) = products::find(network);
    let mut nodes: HashMap<String, _> =
        nodes.into_iter().map(|node| (node.site.label(), node)).collect();
    let (mut prepared, mut notes) = (Vec::new(), Vec::new());
    for Quantized { name, to, scales } in quantized {
        let Some(node) = nodes.remove(name) else {
            let named = quantized.iter().filter(|of| of.name == *name).count();
            let no = if named > 1 { "no other node" } else { "no node" };
            notes.push(format!("`--quantize {name}`: {no} of that name has a product to quantize"));
            continue;
        };
        let count = node.operands().count();
        if count != scales.len() {
            let given = scales.len();
            let operands = if count == 1 { "operand" } else { "operands" };
            notes.push(format!(
                "`--quantize {name}`: the node has {count} {operands} to quantize, not {given}"
            ));
            continue;
        }
        let types = node.operands().map(|of| network.value(of.value).ty.dtype);
        if let Some((scale, dtype)) =
            scales.iter().zip(types).find(|(scale, dtype)| !scales::is_held(**scale, *dtype))
        {
            notes.push(format!("`--quantize {name}`: {dtype} has no scale {scale}"));
            continue;
        }
        prepared.push(Prepared::new(node, scales.clone(), *to)?);
    }
    insert::insert(network, &prepared);
    Ok(notes)
}

/// A node as a recipe says it.
fn quantized(prepared: &Prepared) -> Quantized {
    let scales = prepared.scales.clone();
    Quantized { name: prepared.node.site.label(), to: prepared.to, scales }
}
