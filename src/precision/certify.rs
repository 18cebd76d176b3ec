//! What the choice of types came to, for manifests and reports.

use super::assign::Plan;
use super::data::{Label, said};
use super::quantize::Narrowed;
use super::search::{Found, Search};
use super::{names, units::Units};
use crate::network::{Layer, LayerId, LayerKind, Network};
use crate::recipe::precision::{Eight, Quantized};
use crate::report::precision::{Certificate, Counts, NodeType, OutputError};
use crate::site::Site;
use crate::tensor::DType;
use std::collections::{HashMap, HashSet};

/// How far the outputs are off on data that did not decide.
#[derive(Debug)]
pub(super) struct Checked {
    /// The data.
    pub on: Vec<Label>,
    /// How far each output is off there, at worst.
    pub off: Vec<f64>,
}

/// The certificate of what was found, and checked if there were data for it.
pub(super) fn certificate(
    search: &Search<'_, '_>,
    found: &Found,
    checked: Option<&Checked>,
) -> Certificate {
    let (network, units) = (search.network, search.units);
    let plan = Plan::new(network, units, &found.types, search.ends);
    let eights = eights(search, found);
    let output = |(at, (name, chosen)): (usize, (&str, &f64))| OutputError {
        name: name.to_owned(),
        chosen: *chosen,
        checked: checked.and_then(|checked| checked.off.get(at)).copied(),
    };
    let outputs = names(network).zip(&found.errors).enumerate();
    Certificate {
        within: search.bound,
        chosen_on: said(search.sets.iter().map(|set| &set.label)),
        checked_on: said(checked.iter().flat_map(|checked| &checked.on)),
        outputs: outputs.map(output).collect(),
        layers: counts(network, &plan, &eights),
        runs: search.clock.runs,
        seconds: search.clock.start.elapsed().as_secs_f64(),
        cut_short: search.clock.cut_short,
        nodes: nodes(search, found, &plan, &eights),
    }
}

/// The type that a layer computes real numbers in; `None` where it computes none, or moves them.
fn computes(network: &Network, plan: &Plan, id: LayerId) -> Option<DType> {
    let layer = network.layer(id);
    if is_aside(&layer.kind) || !gives_f32(network, layer) {
        return None;
    }
    Some(plan.layer(id).map_or_else(
        || layer.outputs.first().map_or(DType::F32, |&value| plan.made(network, value)),
        |(_, dtype)| dtype,
    ))
}

fn gives_f32(network: &Network, layer: &Layer) -> bool {
    layer.outputs.iter().any(|&value| network.value(value).ty.dtype == DType::F32)
}

/// Whether a layer computes nothing: its type is a matter of where it stands.
fn is_aside(kind: &LayerKind) -> bool {
    matches!(
        kind,
        LayerKind::Constant(_)
            | LayerKind::Cast(_)
            | LayerKind::Loop(_)
            | LayerKind::Conditional(_)
            | LayerKind::Fill(_)
            | LayerKind::Quantize(_)
            | LayerKind::Dequantize(_)
    )
}

/// The types of 8 bits, by the nodes that multiply in them.
type Eights = HashMap<String, Eight>;

fn eights(search: &Search<'_, '_>, found: &Found) -> Eights {
    let chosen = found.quantized.iter().flat_map(Narrowed::recipe);
    let all = search.given.iter().cloned().chain(chosen);
    all.map(|Quantized { name, to, .. }| (name, to)).collect()
}

fn counts(network: &Network, plan: &Plan, eights: &Eights) -> Counts {
    let mut counts = Counts::default();
    for id in network.live_layers() {
        let Some(dtype) = computes(network, plan, id) else { continue };
        match eight(network.layer(id), eights) {
            Some(Eight::Int8) => counts.int8 += 1,
            Some(Eight::Fp8) => counts.fp8 += 1,
            None => match dtype {
                DType::F16 => counts.f16 += 1,
                DType::BF16 => counts.bf16 += 1,
                _ => counts.f32 += 1,
            },
        }
    }
    counts
}

/// The type of 8 bits that a layer multiplies in, if so.
fn eight(layer: &Layer, eights: &Eights) -> Option<Eight> {
    if !matches!(layer.kind, LayerKind::Convolution(_) | LayerKind::MatrixMultiply(_)) {
        return None;
    }
    let site = layer.sites.iter().find(|site| site.place().index.is_some())?;
    eights.get(&site.label()).copied()
}

/// A row for each node whose layers compute.
fn nodes(search: &Search<'_, '_>, found: &Found, plan: &Plan, eights: &Eights) -> Vec<NodeType> {
    let (network, units) = (search.network, search.units);
    let mut seen: HashSet<&Site> = HashSet::new();
    let mut rows = Vec::new();
    for id in network.live_layers() {
        let Some(dtype) = computes(network, plan, id) else { continue };
        let eight = eight(network.layer(id), eights);
        let reason = reason(search, found, plan, (units, id, dtype));
        let own = units.of(id).and_then(|at| found.own.get(at)).copied();
        for site in network.layer(id).sites.iter().filter(|site| site.place().index.is_some()) {
            if !seen.insert(site) {
                continue;
            }
            let node = site.label();
            let narrowed = found.quantized.as_ref();
            let why_not = narrowed.and_then(|of| of.why_not(&node)).map(str::to_owned);
            let (own, reason) = match eight {
                Some(_) => (narrowed.and_then(|of| of.own(&node)), None),
                None => (own, why_not.or_else(|| reason.clone())),
            };
            rows.push(NodeType {
                op: site.place().op.clone(),
                dtype: eight.map_or_else(|| dtype.to_string(), |eight| eight.to_string()),
                error: own.filter(|own| own.is_finite() && *own > 0.0),
                reason,
                node,
            });
        }
    }
    rows
}

/// Why a layer is in another type than the cheap one.
fn reason(
    search: &Search<'_, '_>,
    found: &Found,
    plan: &Plan,
    (units, id, dtype): (&Units, LayerId, DType),
) -> Option<String> {
    if dtype == search.cheap {
        return None;
    }
    if let Some(why) = plan.stays.get(&id) {
        return Some((*why).to_owned());
    }
    let at = units.of(id)?;
    let own = found.own.get(at).copied().unwrap_or_default();
    let text = if search.given_up.contains(&at) {
        "no other type holds the bound"
    } else if search.fixed.get(at).is_some_and(Option::is_some) {
        "`--keep` says so"
    } else if found.types.get(at) == Some(&search.cheap) {
        "it only moves numbers of this type"
    } else if found.near.get(at) == Some(&true) {
        "its numbers come near the end of f16"
    } else if found.untried.contains(&at) {
        "it was not tried: the time was up"
    } else if own.is_infinite() {
        "it overflows, or has no number where there is one"
    } else if own >= 0.5 {
        "its numbers are lost: too small, too near each other, or too many"
    } else {
        "its rounding moves the outputs too far"
    };
    Some(text.to_owned())
}
