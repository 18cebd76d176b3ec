//! Types and sizes: that `infer` agrees with what is stored, and that a TensorRT could hold it.

use super::HEADLINE;
use crate::error::{Error, Kind, Problem, Result};
use crate::infer::{self, MAX_RANK};
use crate::network::dim::Solution;
use crate::network::{Block, Dim, Layer, Network, ValueId, ValueType};
use crate::site::Site;

/// The longest axis: TensorRT's kernels count in 32 bits.
const MAX_SIZE: i64 = i32::MAX as i64;
/// More than any device has, so that sizes in bytes never overflow.
const MAX_BYTES: u128 = 1 << 40;

/// Checks every value, and every layer's outputs against `infer`; reports all that is wrong.
pub(super) fn check(network: &Network) -> Result<()> {
    let mut problems = Vec::new();
    let known = network.facts.solution();
    for &input in &network.inputs {
        let site = Site::tensor("main", "input", &network.value(input).name);
        check_value(network, input, &site, &mut problems);
    }
    for id in network.live_layers() {
        check_layer(network, network.layer(id), &known, &mut problems);
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::of_problems(HEADLINE, problems)) }
}

fn check_layer(network: &Network, layer: &Layer, known: &Solution, problems: &mut Vec<Problem>) {
    // A layer without a site did not get past `handles`.
    let Some(site) = layer.sites.first() else { return };
    let internal = |message| Problem::new(Kind::Internal, site.clone(), message);
    for block in layer.kind.blocks() {
        let Block { params, layers: _, results: _ } = block;
        for &param in params {
            check_value(network, param, site, problems);
            if network.value(param).ty.elements.is_some() {
                problems.push(internal(format!(
                    "parameter {param:?} claims elements that hold in every iteration"
                )));
            }
        }
    }
    let inferred = match infer::outputs(network, &layer.kind, &layer.inputs) {
        Ok(inferred) => inferred,
        Err(error) => return problems.push(internal(error.to_string())),
    };
    if inferred.len() != layer.outputs.len() {
        let (has, should) = (layer.outputs.len(), inferred.len());
        return problems
            .push(internal(format!("{} has {has} outputs but gives {should}", layer.kind.name())));
    }
    for (&output, inferred) in layer.outputs.iter().zip(&inferred) {
        if infer::agrees(&network.value(output).ty, inferred, known) {
            check_value(network, output, site, problems);
        } else {
            let (stored, kind) = (&network.value(output).ty, layer.kind.name());
            problems.push(internal(format!(
                "{kind} gives {}, but {output:?} is stored as {}",
                text(inferred),
                text(stored)
            )));
        }
    }
}

/// Checks that a TensorRT could hold the value.
fn check_value(network: &Network, id: ValueId, site: &Site, problems: &mut Vec<Problem>) {
    let value = network.value(id);
    if let Err(why) = holdable(&value.ty) {
        let message = format!("`{}`, {}, {why}", value.name, text(&value.ty));
        problems.push(Problem::new(Kind::Unsupported, site.clone(), message));
    }
}

fn text(ty: &ValueType) -> String {
    let elements =
        ty.elements.as_ref().map_or_else(String::new, |elements| format!(" = {elements:?}"));
    format!("{}{}{elements}", ty.dtype, ty.shape)
}

fn holdable(ty: &ValueType) -> std::result::Result<(), String> {
    if !ty.dtype.in_tensorrt() {
        return Err("has a type that TensorRT does not have".into());
    }
    if ty.shape.rank() > MAX_RANK {
        return Err(format!("has {} axes, but TensorRT has at most {MAX_RANK}", ty.shape.rank()));
    }
    if let Some(size) =
        ty.shape.iter().filter_map(Dim::known).find(|size| !(0..=MAX_SIZE).contains(size))
    {
        return Err(format!("has an axis of size {size}, but sizes are from 0 to {MAX_SIZE}"));
    }
    let sizes = ty.shape.iter().filter_map(Dim::size);
    let bits = sizes.fold(ty.dtype.bits() as u128, |bits, size| bits.saturating_mul(size as u128));
    if bits / 8 >= MAX_BYTES {
        return Err(format!(
            "takes at least {} bytes, but the most is {}",
            bits / 8,
            MAX_BYTES - 1
        ));
    }
    Ok(())
}
