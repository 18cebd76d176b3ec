//! What the report on a model says of its network.

use crate::emit::{self, trace::Trace};
use crate::error::Result;
use crate::network::Profile;
use crate::pipeline::profile::Planned;
use crate::report::model::{Binding, Layer, LayerError};
use crate::site::Site;
use crate::trt;
use crate::valid::Checked;
use crate::verify::trace::Traced;

/// Inputs and outputs in the model's order, with the ranges of each profile.
pub fn bindings(network: &Checked, planned: &[Planned]) -> (Vec<Binding>, Vec<Binding>) {
    let profiles: Vec<Profile> = planned.iter().flat_map(Planned::profiles).collect();
    let (inputs, outputs) = trt::bindings(network, &profiles);
    (
        inputs.into_iter().map(Binding::from).collect(),
        outputs.into_iter().map(Binding::from).collect(),
    )
}

/// Every layer as TensorRT gets it, with its name, kind and ONNX nodes.
///
/// # Errors
/// Those of [`emit::emit`].
pub fn layers(network: &Checked) -> Result<Vec<Layer>> {
    let emitted = emit::emit(network, &mut Trace::default())?;
    let layer = |named: emit::Named| Layer {
        name: named.name,
        kind: named.kind.to_owned(),
        nodes: named.sites.iter().map(Site::label).collect(),
    };
    Ok(emitted.layers.into_iter().map(layer).collect())
}

/// How what a node computes compares, with the layer it became; `None` where type or shape differ.
pub fn error_of(traced: &Traced, layers: &[Layer]) -> Option<LayerError> {
    let statistics = traced.comparison.statistics.as_ref()?;
    let layer = layers.iter().rfind(|layer| layer.nodes.contains(&traced.node));
    Some(LayerError {
        layer: layer.map_or_else(String::new, |layer| layer.name.clone()),
        node: traced.node.clone(),
        op: traced.op.clone(),
        agrees: traced.comparison.agrees,
        max_absolute: statistics.max_absolute,
        max_relative: statistics.max_relative,
        cosine: statistics.cosine,
    })
}
