//! What the manifest says of a plan that was just built.

use super::{BuildOptions, Library};
use crate::emit::{Emitted, Named};
use crate::network::profile::Range;
use crate::network::{Profile, ValueId};
use crate::report::manifest::{Binding, File, Layer, Manifest, Options, SCHEMA};
use crate::site::Site;
use crate::valid::Checked;

/// A plan that was just built: with what, of which network.
pub struct Built<'a> {
    /// What built it.
    pub library: &'a Library,
    /// What TensorRT was told.
    pub options: &'a BuildOptions,
    /// The network.
    pub network: &'a Checked,
    /// What became of its layers.
    pub emitted: &'a Emitted,
}

impl Built<'_> {
    /// The manifest of the plan, which was not run yet. `model` is the model's file and those with
    /// its external data.
    pub fn manifest(
        &self,
        model: (File, Vec<File>),
        plan: File,
        options: Options,
        notes: Vec<String>,
    ) -> Manifest {
        let network = self.network;
        let layer = |named: &Named| Layer {
            name: named.name.clone(),
            nodes: named.sites.iter().map(Site::label).collect(),
        };
        let (model, external) = model;
        let (inputs, outputs) = bindings(network, &self.options.profiles);
        Manifest {
            schema: SCHEMA,
            producer: crate::report::producer(),
            model,
            external,
            plan,
            library: self.library.version().to_string(),
            targets: self.options.targets.iter().map(|target| format!("sm{target}")).collect(),
            inputs,
            outputs,
            layers: self.emitted.layers.iter().map(layer).collect(),
            options,
            notes,
            verification: "not run".to_owned(),
        }
    }
}

/// Inputs and outputs in the model's order; inputs with their ranges in each profile.
pub fn bindings(network: &Checked, profiles: &[Profile]) -> (Vec<Binding>, Vec<Binding>) {
    let inputs = network
        .inputs
        .iter()
        .map(|&input| binding(network, profiles, &network.value(input).name, input));
    let outputs =
        network.outputs.iter().map(|output| binding(network, &[], &output.name, output.value));
    (inputs.collect(), outputs.collect())
}

fn binding(network: &Checked, profiles: &[Profile], name: &str, value: ValueId) -> Binding {
    let ty = &network.value(value).ty;
    let ranges = |pick: fn(&Profile) -> &Vec<Range>| {
        let ranges = profiles.iter().flat_map(pick).filter(|range| range.input == name);
        ranges.map(|range| [range.min.clone(), range.opt.clone(), range.max.clone()]).collect()
    };
    Binding {
        name: name.to_owned(),
        dtype: ty.dtype.to_string(),
        shape: ty.shape.iter().map(ToString::to_string).collect(),
        profiles: ranges(|profile| &profile.inputs),
        values: ranges(|profile| &profile.values),
    }
}
