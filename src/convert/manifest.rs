//! What the manifest says of a plan.

use super::{Conversion, ModelFiles};
use crate::emit::{Emitted, Named};
use crate::import::Fitted;
use crate::network::profile::Range;
use crate::network::{Profile, ValueId};
use crate::report::manifest::{Binding, File, Frozen, Layer, Made, Manifest, SCHEMA, Verdict};
use crate::site::Site;
use crate::tensor::Tensor;
use crate::trt::Library;
use crate::valid::Checked;

/// The manifest of a plan of this conversion, which was not run yet.
pub(super) fn manifest(
    conversion: &Conversion,
    library: &Library,
    (model, external): ModelFiles,
    (plan, emitted): (&File, &Emitted),
) -> Manifest {
    let layer = |named: &Named| Layer {
        name: named.name.clone(),
        nodes: named.sites.iter().map(Site::label).collect(),
    };
    let (inputs, outputs) = bindings(conversion.network(), &conversion.profiles());
    let Fitted { recipe, constants, ranges, .. } = &conversion.fitted;
    Manifest {
        schema: SCHEMA,
        producer: crate::report::producer(),
        model,
        external,
        plan: plan.clone(),
        library: library.version().to_string(),
        targets: recipe.targets.iter().map(ToString::to_string).collect(),
        inputs,
        outputs,
        layers: emitted.layers.iter().map(layer).collect(),
        options: Made {
            recipe: conversion.settled(),
            ranges: ranges.clone(),
            frozen: constants.iter().map(frozen).collect(),
        },
        notes: conversion.notes(),
        precision: conversion.certificate.clone(),
        mends: conversion.mends.clone(),
        verification: Verdict::NotRun,
    }
}

fn frozen((name, tensor): (&String, &Tensor)) -> Frozen {
    Frozen {
        name: name.clone(),
        dtype: tensor.dtype().to_string(),
        shape: tensor.dims().to_vec(),
        sha256: crate::hash::sha256(tensor.bytes()),
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
    let ranges = |pick: fn(&Profile) -> &Vec<Range>| -> Vec<[Vec<i64>; 3]> {
        let ranges = profiles.iter().flat_map(pick).filter(|range| range.input == name);
        ranges.map(|range| [range.min.clone(), range.opt.clone(), range.max.clone()]).collect()
    };
    Binding {
        name: name.to_owned(),
        dtype: ty.dtype.to_string(),
        shape: ty.shape.iter().map(ToString::to_string).collect(),
        profile: ranges(|profile| &profile.inputs).into_iter().next(),
        profiles: ranges(|profile| &profile.inputs),
        values: ranges(|profile| &profile.values),
    }
}
