//! In which types a plan computes, and what says that this is good enough.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The types that were chosen for a plan, with their proof.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Certificate {
    /// How far an output may be off, as a share of its largest number.
    pub within: f64,
    /// The data that decided.
    pub chosen_on: String,
    /// The data that did not.
    pub checked_on: String,
    /// How far the outputs are off, in the model's order.
    pub outputs: Vec<OutputError>,
    /// Layers that compute with real numbers, and how many of them in which type.
    pub layers: Counts,
    /// How often the network was evaluated, and for how long.
    pub runs: usize,
    /// Seconds that the choice took.
    pub seconds: f64,
    /// Whether the search ended because its time was up; fewer layers may be in the cheap type than
    /// could be.
    pub cut_short: bool,
    /// The type of each node whose layers compute with real numbers, in the model's order.
    pub nodes: Vec<NodeType>,
}

/// How far an output is off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OutputError {
    /// Its name.
    pub name: String,
    /// On the data that decided, as a share of its largest number.
    pub chosen: f64,
    /// On the data that did not; absent where there were none.
    pub checked: Option<f64>,
}

/// How many layers compute in which type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    /// In `f32`.
    pub f32: usize,
    /// In `f16`.
    pub f16: usize,
    /// In `bf16`.
    pub bf16: usize,
    /// Products of `int8` operands; absent where there are none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub int8: usize,
    /// Products of `fp8` operands (E4M3), likewise.
    #[serde(default, skip_serializing_if = "is_none")]
    pub fp8: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { f32, f16, bf16, int8, fp8 } = self;
        for (count, dtype) in [(int8, "int8"), (fp8, "fp8")] {
            if *count > 0 {
                write!(f, "{count} {} in {dtype}, ", plural(*count, "product", "products"))?;
            }
        }
        let layers = plural(*f16, "layer", "layers");
        write!(f, "{f16} {layers} in f16, {bf16} in bf16, {f32} in f32")
    }
}

fn plural<'w>(count: usize, one: &'w str, more: &'w str) -> &'w str {
    if count == 1 { one } else { more }
}

/// The type of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeType {
    /// The node, by its name.
    pub node: String,
    /// Its operator.
    pub op: String,
    /// The type that its layers compute in.
    pub dtype: String,
    /// How far its results are off in the cheap type where its operands are right but for their
    /// rounding, as a share of the largest; absent where that was not measured, or is no number.
    pub error: Option<f64>,
    /// Why it is not in the cheap type.
    pub reason: Option<String>,
}
