//! Whether a network can be what it is once the sizes that only the run knows have values.

use crate::error::{Kind, Problem};
use crate::infer;
use crate::network::{Block, Dim, LayerKind, Network, ValueId, ValueType};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Values for what only the run knows.
#[derive(Debug, Clone, Default)]
pub struct Point {
    /// Sizes by name.
    pub sizes: BTreeMap<String, i64>,
    /// Elements of inputs that hold sizes.
    pub values: BTreeMap<ValueId, Vec<i64>>,
}

/// The layers that do not hold at a point, in order. What depends on data, and branches that need not be taken, are
/// left out: nothing is known of them.
pub fn problems_at(network: &Network, point: &Point) -> Vec<Problem> {
    let mut network = network.clone();
    for id in network.values.ids() {
        let ty = at_point(&network.value(id).ty, point);
        network.values[id].ty = ty;
    }
    for (&id, values) in &point.values {
        network.values[id].ty.elements = Some(values.iter().map(|&value| Dim::from(value)).collect());
    }
    let body = network.body.clone();
    let mut problems = Vec::new();
    block(&mut network, &body, &mut problems);
    problems
}

fn at_point(ty: &ValueType, point: &Point) -> ValueType {
    let at = |dim: &Dim| dim.eval(&|name| point.sizes.get(name).copied()).map_or_else(|| dim.clone(), Dim::from);
    let elements = ty.elements.as_ref().map(|elements| elements.iter().map(at).collect::<Arc<[Dim]>>());
    ValueType { dtype: ty.dtype, shape: ty.shape.iter().map(at).collect(), elements }
}

/// Infers a block's layers once more, with known sizes.
fn block(network: &mut Network, of: &Block, problems: &mut Vec<Problem>) {
    for &id in &of.layers {
        let layer = network.layer(id).clone();
        let mut inside = Vec::new();
        for nested in layer.kind.blocks() {
            block(network, nested, &mut inside);
        }
        if !matches!(layer.kind, LayerKind::Conditional(_)) {
            problems.append(&mut inside);
        }
        let wrong = match infer::outputs(network, &layer.kind, &layer.inputs) {
            Err(error) => Some(error.to_string()),
            Ok(types) => {
                let negative =
                    types.iter().flat_map(|ty| ty.shape.iter()).find(|dim| dim.known().is_some_and(|n| n < 0));
                let negative = negative.map(|size| format!("the output has an axis of size {size}"));
                for (&output, ty) in layer.outputs.iter().zip(types) {
                    learn(&mut network.values[output].ty, &ty);
                }
                negative
            }
        };
        if let (Some(wrong), Some(site)) = (wrong, layer.sites.first()) {
            problems.push(Problem::new(Kind::Usage, site.clone(), wrong));
        }
    }
}

/// Takes over what the second type knows and the first does not.
fn learn(ty: &mut ValueType, new: &ValueType) {
    for (dim, new) in ty.shape.iter_mut().zip(new.shape.iter()) {
        if new.known().is_some() {
            *dim = new.clone();
        }
    }
    if new.elements.as_ref().is_some_and(|elements| elements.iter().all(|element| element.known().is_some())) {
        ty.elements.clone_from(&new.elements);
    }
}
