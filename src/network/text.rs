//! The text form of a network: total, ordered, stable. Golden files and `inspect --layers` show it.
//!
//! ```text
//! in  %0 "x": f32[N, 3, 224, 224]
//! %2: f32[N, 64, 112, 112] = Convolution(%0) { maps: 64, … }  # conv1
//! out "y" = %2
//! ```

use super::{Block, LayerKind, Network, ValueId};
use std::fmt;

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &input in &self.inputs {
            writeln!(f, "in  {input:?} {:?}: {}", self.value(input).name, self.ty(input))?;
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
            writeln!(f, "{indent}param {param:?}: {}", self.ty(param))?;
        }
        for &id in &block.layers {
            let layer = self.layer(id);
            let outputs: Vec<_> =
                layer.outputs.iter().map(|&v| format!("{v:?}: {}", self.ty(v))).collect();
            let inputs: Vec<_> = layer.inputs.iter().map(|v| format!("{v:?}")).collect();
            let sites: Vec<_> = layer.sites.iter().map(crate::site::Site::label).collect();
            let name = layer.kind.name();
            write!(f, "{indent}{} = {name}({})", outputs.join(", "), inputs.join(", "))?;
            writeln!(f, "{}  # {}", attributes(&layer.kind), sites.join(" + "))?;
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

/// The attributes of a layer, as its struct is written; nested blocks are left to the caller.
pub fn attributes(kind: &LayerKind) -> String {
    let text = match kind {
        LayerKind::Conditional(_) => return String::new(),
        LayerKind::Loop(l) => {
            let capped = if l.capped { ", capped: true" } else { "" };
            return format!(
                " {{ counted: {}{capped}, while_result: {}, iterators: {:?}, recurrences: {}, \
                 outputs: {:?} }}",
                l.counted, l.while_result, l.iterators, l.recurrences, l.outputs
            );
        }
        other => format!("{other:?}"),
    };
    // `Cast(Cast { to: F16 })` says its name twice; keep the braces.
    text.find('{').map_or_else(String::new, |at| format!(" {}", text[at..].trim_end_matches(')')))
}
