//! From a checked network to the calls that make it.
//!
//! [`emit`] walks the layers in order, gives each a unique name and its ONNX sites as metadata,
//! flattens loops and conditionals, and checks that the sink sees the same types and shapes as we
//! do. [`trace`] is a sink that writes text.

mod control;
mod names;
pub mod sink;
pub mod trace;

pub use sink::{Handle, Label, Made, Refused, Sink};

use crate::error::said::Said;
use crate::error::{Error, Kind, Problem, Result};
use crate::network::{Block, Dim, Layer, LayerId, LayerKind, Network, ValueId};
use crate::site::Site;
use crate::tensor::DType;
use crate::valid::Checked;
use names::Names;
use smallvec::SmallVec;
use std::collections::HashMap;

/// What emitting gives besides the calls.
#[derive(Debug, Clone, Default)]
pub struct Emitted {
    /// Each layer made, in order.
    pub layers: Vec<Named>,
}

/// How many nodes a message names.
const NAMED: usize = 3;

impl Emitted {
    /// The error of a back end that knows layers by their names, with the ONNX nodes behind those
    /// that it names.
    #[must_use]
    pub fn place(&self, error: Error) -> Error {
        let said: Vec<&str> =
            error.notes().iter().map(String::as_str).chain([error.message()]).collect();
        let named = self
            .layers
            .iter()
            .filter(|layer| said.iter().any(|said| names::mentions(said, &layer.name)));
        let mut sites: Vec<&Site> = Vec::new();
        for site in named.filter_map(|layer| layer.sites.first()) {
            if !sites.contains(&site) {
                sites.push(site);
            }
        }
        if sites.is_empty() {
            return error.with_note("TensorRT does not say at which node");
        }
        let notes: Vec<String> =
            sites.iter().take(NAMED).map(|site| format!("at {site}")).collect();
        notes.into_iter().fold(error, Error::with_note)
    }
}

/// A layer that was made.
#[derive(Debug, Clone)]
pub struct Named {
    /// TensorRT's name for it.
    pub name: String,
    /// TensorRT's name of its kind.
    pub kind: &'static str,
    /// The ONNX sites behind it.
    pub sites: Vec<Site>,
}

/// Makes a network in a sink.
///
/// # Errors
/// [`Kind::TensorRt`] where the sink refuses a call, with the ONNX nodes behind the layer;
/// [`Kind::Internal`] where the sink infers another type or shape than we did.
pub fn emit(network: &Checked, sink: &mut dyn Sink) -> Result<Emitted> {
    let mut emitter = Emitter {
        network,
        sink,
        handles: HashMap::new(),
        names: Names::default(),
        emitted: Emitted::default(),
    };
    emitter.inputs()?;
    emitter.block(&network.body)?;
    emitter.outputs()?;
    Ok(emitter.emitted)
}

struct Emitter<'a> {
    network: &'a Network,
    sink: &'a mut dyn Sink,
    /// What the sink calls each value made so far.
    handles: HashMap<ValueId, Handle>,
    names: Names,
    emitted: Emitted,
}

impl Emitter<'_> {
    fn inputs(&mut self) -> Result<()> {
        for &input in &self.network.inputs {
            let value = self.network.value(input);
            let dims: Vec<i64> =
                value.ty.shape.iter().map(|dim| dim.known().unwrap_or(-1)).collect();
            let texts: Vec<Option<String>> = value
                .ty
                .shape
                .iter()
                .map(|dim| dim.known().is_none().then(|| dim.to_string()))
                .collect();
            let dim_names: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
            let site = Site::tensor("main", "input", &value.name);
            let made = self
                .sink
                .input(&value.name, value.ty.dtype, &dims, &dim_names)
                .map_err(|refused| refusal(&[site], "input", &value.name, &refused))?;
            self.handles.insert(input, made.handle);
            self.names.reserve(&value.name);
        }
        for output in &self.network.outputs {
            self.names.reserve(&output.name);
        }
        Ok(())
    }

    fn outputs(&mut self) -> Result<()> {
        for output in &self.network.outputs {
            let handle = self.handle(output.value)?;
            let dtype = self.network.value(output.value).ty.dtype;
            self.sink.output(handle, &output.name, dtype).map_err(|refused| {
                refusal(std::slice::from_ref(&output.site), "output", &output.name, &refused)
            })?;
        }
        Ok(())
    }

    fn block(&mut self, block: &Block) -> Result<()> {
        for &id in &block.layers {
            let layer = self.network.layer(id);
            match &layer.kind {
                LayerKind::Loop(of) => self.emit_loop(layer, of)?,
                LayerKind::Conditional(of) => self.emit_conditional(layer, of)?,
                _ => self.layer(id)?,
            }
        }
        Ok(())
    }

    fn layer(&mut self, id: LayerId) -> Result<()> {
        let layer = self.network.layer(id);
        let inputs =
            layer.inputs.iter().map(|&input| self.handle(input)).collect::<Result<Vec<_>>>()?;
        let name = self.name(layer);
        let metadata = metadata(&layer.sites);
        let types: SmallVec<[DType; 2]> =
            layer.outputs.iter().map(|&value| self.network.value(value).ty.dtype).collect();
        let made = self
            .sink
            .layer(Label { name: &name, metadata: &metadata }, &layer.kind, &inputs, &types)
            .map_err(|refused| refusal(&layer.sites, layer.kind.name(), &name, &refused))?;
        if made.len() != layer.outputs.len() {
            let message = format!(
                "{} gave {} outputs, not {}",
                layer.kind.name(),
                made.len(),
                layer.outputs.len()
            );
            return Err(Error::new(Kind::Internal, message));
        }
        for (made, &output) in made.iter().zip(&layer.outputs) {
            self.made(layer, output, made)?;
        }
        Ok(())
    }

    /// Notes what the sink made for a value, after comparing the sink's opinion of it with ours.
    fn made(&mut self, layer: &Layer, value: ValueId, made: &Made) -> Result<()> {
        let ty = &self.network.value(value).ty;
        let same_type = made.dtype.is_none_or(|dtype| dtype == ty.dtype);
        let same_shape = made.dims.as_ref().is_none_or(|dims| agrees(dims, &ty.shape));
        if !(same_type && same_shape) {
            let theirs = made.dtype.map_or_else(String::new, |dtype| dtype.to_string());
            let message = format!(
                "TensorRT infers {theirs}{:?} for a {} layer, we infer {}{}",
                made.dims.as_deref().unwrap_or_default(),
                layer.kind.name(),
                ty.dtype,
                ty.shape
            );
            let problems = layer
                .sites
                .iter()
                .take(1)
                .map(|site| Problem::new(Kind::Internal, site.clone(), &*message));
            return Err(Error::of_problems("inconsistent shapes at", problems.collect())
                .with_hint("this is a bug in onnx2plan: please report it with the model"));
        }
        self.handles.insert(value, made.handle);
        Ok(())
    }

    fn handle(&self, value: ValueId) -> Result<Handle> {
        let missing =
            || Error::new(Kind::Internal, format!("{value:?} is used before it is emitted"));
        self.handles.get(&value).copied().ok_or_else(missing)
    }

    /// A unique name for a layer, and its entry in the map from layers to sites.
    fn name(&mut self, layer: &Layer) -> String {
        let base = layer.sites.first().map_or_else(String::new, Site::label);
        let name = self.names.unique(&base);
        let (kind, sites) = (layer.kind.name(), layer.sites.to_vec());
        self.emitted.layers.push(Named { name: name.clone(), kind, sites });
        name
    }
}

/// Whether sizes as a sink sees them can be those of a shape: −1 and symbols agree with everything.
fn agrees(theirs: &[i64], ours: &[Dim]) -> bool {
    theirs.len() == ours.len()
        && theirs
            .iter()
            .zip(ours)
            .all(|(&theirs, ours)| theirs < 0 || ours.known().is_none_or(|ours| ours == theirs))
}

/// What a layer's metadata says: the ONNX nodes behind it, as many as TensorRT takes. The manifest
/// names them all.
fn metadata(sites: &[Site]) -> String {
    let mut text = String::new();
    for (at, site) in sites.iter().enumerate() {
        let next = names::shorten(&format!("{} [{}]", site.label(), site.place().op));
        if at == 0 {
            text = next;
        } else if text.len() + next.len() < names::LONGEST {
            text.extend([" + ", &next]);
        } else {
            return format!("{text} + {} more", sites.len() - at);
        }
    }
    text
}

fn refusal(sites: &[Site], kind: &str, name: &str, refused: &Refused) -> Error {
    let mut labels: Vec<String> =
        sites.iter().take(NAMED).map(|site| format!("`{}`", site.label())).collect();
    if sites.len() > NAMED {
        labels.push(format!("{} more", sites.len() - NAMED));
    }
    let what = match labels.as_slice() {
        [] => String::new(),
        labels => format!("the layer made from {}", labels.join(" and ")),
    };
    let mut error = Error::new(Kind::TensorRt, format!("TensorRT refused {what}"))
        .with_note(format!("layer `{name}` ({kind})"))
        .with_said(Said::new(&refused.message));
    if let Some(site) = sites.first() {
        let place = site.place();
        let at = place.index.map_or_else(String::new, |index| format!(", node {index}"));
        error = error.with_note(format!("at graph `{}`{at}", place.graph));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_names_the_nodes_as_long_as_they_fit() {
        let node = |name: &str| Site::node("main", 0, name, "Conv", 17, "y");
        let text = metadata(&[node("a"), node("b")]);
        assert_eq!(text, "a [Conv] + b [Conv]");
        let long = metadata(&[node("a"), node(&"b".repeat(5000)), node("c")]);
        assert_eq!(long, "a [Conv] + 2 more");
    }
}
