//! Nodes of NVIDIA's own: plugins of TensorRT, which become layers of the same meaning, so that
//! they need no plugin library; and operators that ModelOpt writes.
//!
//! They are known by their names, whatever the domain.

pub(super) mod batched;
mod candidates;
pub(super) mod efficient;
pub(super) mod plugins;

use crate::import::build::op::{ANY_DOMAIN, NOW, OfValues, Op, onnx};

/// A row for a plugin. Its version and its namespace say nothing of what it computes.
const fn plugin(name: &'static str, inputs: &'static str, handler: OfValues) -> Op {
    onnx(name, 1..=NOW, inputs, handler)
        .of(ANY_DOMAIN)
        .ignoring(&["plugin_namespace", "plugin_version"])
}
