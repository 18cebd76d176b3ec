//! The text form of a network: total, ordered, stable. Golden files and `inspect --layers` show it.
//!
//! ```text
//! in  %0 "x": f32[N, 3, 224, 224]
//! %1: f32[N, 64, 112, 112] = Convolution(%0, kernel f32[64, 3, 7, 7] #5feceb66, stride 2x2)  # conv1
//! out "y" = %1
//! ```
//!
//! Behind the operands stand the attributes that are not the usual ones, as
//! [`LayerKind::attributes`](super::LayerKind::attributes) gives them, and behind `#` the nodes.

use super::{Block, Network, ValueId};
use crate::shown::escaped;
use std::fmt;

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &input in &self.inputs {
            let (name, ty) = (&self.value(input).name, escaped(&self.ty(input)));
            writeln!(f, "in  {input:?} {name:?}: {ty}")?;
        }
        self.fmt_block(f, &self.body, 0)?;
        for output in &self.outputs {
            writeln!(f, "out {:?} = {:?}", output.name, output.value)?;
        }
        Ok(())
    }
}

impl Network {
    /// Type and shape as text, with the elements where they are tracked: `i64[2] = [N, 3]`.
    pub fn ty(&self, value: ValueId) -> String {
        let ty = &self.value(value).ty;
        match &ty.elements {
            Some(elements) => format!("{}{} = {elements:?}", ty.dtype, ty.shape),
            None => format!("{}{}", ty.dtype, ty.shape),
        }
    }

    fn fmt_block(&self, f: &mut fmt::Formatter<'_>, block: &Block, depth: usize) -> fmt::Result {
        let indent = "  ".repeat(depth);
        for &param in &block.params {
            writeln!(f, "{indent}param {param:?}: {}", escaped(&self.ty(param)))?;
        }
        for &id in &block.layers {
            let layer = self.layer(id);
            let outputs: Vec<_> =
                layer.outputs.iter().map(|&v| format!("{v:?}: {}", self.ty(v))).collect();
            let mut inputs: Vec<_> = layer.inputs.iter().map(|v| format!("{v:?}")).collect();
            let attributes = layer.kind.attributes();
            if !attributes.is_empty() {
                inputs.push(attributes.to_string());
            }
            let sites: Vec<_> = layer.sites.iter().map(crate::site::Site::label).collect();
            let name = layer.kind.name();
            let (outputs, inputs) = (outputs.join(", "), inputs.join(", "));
            let text = format!("{outputs} = {name}({inputs})  # {}", sites.join(" + "));
            writeln!(f, "{indent}{}", escaped(&text))?;
            for nested in layer.kind.blocks() {
                writeln!(f, "{indent}  block")?;
                self.fmt_block(f, nested, depth + 2)?;
            }
        }
        if depth > 0 {
            writeln!(f, "{indent}results {:?}", block.results)?;
        }
        Ok(())
    }
}
