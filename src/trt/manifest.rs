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
    /// The manifest of the plan, which was not run yet. `model` is the model's file and those with its external data.
    pub fn manifest(&self, model: (File, Vec<File>), plan: File, options: Options, notes: Vec<String>) -> Manifest {
        let network = self.network;
        let layer =
            |named: &Named| Layer { name: named.name.clone(), nodes: named.sites.iter().map(Site::label).collect() };
        let (model, external) = model;
        Manifest {
            schema: SCHEMA,
            producer: crate::report::producer(),
            model,
            external,
            plan,
            library: self.library.version().to_string(),
            targets: self.options.targets.iter().map(|target| format!("sm{target}")).collect(),
            inputs: network.inputs.iter().map(|&input| self.binding(&network.value(input).name, input)).collect(),
            outputs: network.outputs.iter().map(|output| self.binding(&output.name, output.value)).collect(),
            layers: self.emitted.layers.iter().map(layer).collect(),
            options,
            notes,
            verification: "not run".to_owned(),
        }
    }

    /// An input or output with its ranges in each profile.
    fn binding(&self, name: &str, value: ValueId) -> Binding {
        let ty = &self.network.value(value).ty;
        let ranges = |pick: fn(&Profile) -> &Vec<Range>| {
            let ranges = self.options.profiles.iter().flat_map(pick).filter(|range| range.input == name);
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
}
