//! Whether a network can be what it is once the sizes that only the run knows have values.

use super::reach::Reaches;
use crate::error::{Kind, Problem};
use crate::infer;
use crate::network::{Block, Dim, Layer, LayerKind, Network, Symbol, ValueId, ValueType};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Values for what only the run knows.
#[derive(Debug, Clone, Default)]
pub(super) struct Point {
    /// The sizes.
    pub(super) sizes: BTreeMap<Symbol, i64>,
    /// Elements of inputs that hold sizes.
    pub(super) values: BTreeMap<ValueId, Vec<i64>>,
}

/// The layers that do not hold at a point, in order. What depends on data, and branches that need
/// not be taken, are left out: nothing is known of them.
pub(super) fn problems_at(network: &Network, point: &Point) -> Vec<Problem> {
    settled(network, point).1
}

/// The network with the sizes that it has at a point, and the layers that do not hold there.
pub(super) fn settled(network: &Network, point: &Point) -> (Network, Vec<Problem>) {
    let mut network = network.clone();
    for id in network.values.ids() {
        let ty = at_point(&network.value(id).ty, point);
        network.values[id].ty = ty;
    }
    for (&id, values) in &point.values {
        network.values[id].ty.elements =
            Some(values.iter().map(|&value| Dim::from(value)).collect());
    }
    let body = network.body.clone();
    let mut problems = Vec::new();
    block(&mut network, &body, &mut Reaches::default(), &mut problems);
    (network, problems)
}

fn at_point(ty: &ValueType, point: &Point) -> ValueType {
    let at = |dim: &Dim| {
        dim.eval(&|symbol| point.sizes.get(symbol).copied()).map_or_else(|| dim.clone(), Dim::from)
    };
    let elements =
        ty.elements.as_ref().map(|elements| elements.iter().map(at).collect::<Arc<[Dim]>>());
    ValueType { dtype: ty.dtype, shape: ty.shape.iter().map(at).collect(), elements }
}

/// Whether what is inside a layer is certain to be computed: a branch need not be taken, and a loop
/// may have no iteration.
fn is_entered(network: &Network, layer: &Layer) -> bool {
    match &layer.kind {
        LayerKind::Conditional(_) => false,
        LayerKind::Loop(of) => {
            let count = layer.inputs.first().filter(|_| of.counted && !of.while_result);
            let elements = count.and_then(|&count| network.value(count).ty.elements.as_deref());
            let count = elements.and_then(|elements| elements.first()?.known());
            count.is_some_and(|count| count > 0)
        }
        _ => true,
    }
}

/// Infers a block's layers once more, with known sizes.
fn block(network: &mut Network, of: &Block, reaches: &mut Reaches, problems: &mut Vec<Problem>) {
    for &id in &of.layers {
        let layer = network.layer(id).clone();
        let mut inside = Vec::new();
        for nested in layer.kind.blocks() {
            block(network, nested, reaches, &mut inside);
        }
        if is_entered(network, &layer) {
            problems.append(&mut inside);
        }
        let wrong = match infer::outputs(network, &layer.kind, &layer.inputs) {
            Err(error) => Some(error.to_string()),
            Ok(types) => {
                let negative = types
                    .iter()
                    .flat_map(|ty| ty.shape.iter())
                    .find(|dim| dim.known().is_some_and(|n| n < 0));
                let negative =
                    negative.map(|size| format!("the output has an axis of size {size}"));
                for (&output, ty) in layer.outputs.iter().zip(types) {
                    learn(&mut network.values[output].ty, &ty);
                }
                negative.or_else(|| reaches.follow(network, &layer))
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
    if new
        .elements
        .as_ref()
        .is_some_and(|elements| elements.iter().all(|element| element.known().is_some()))
    {
        ty.elements.clone_from(&new.elements);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::layer::{
        Conditional, ElementWise, ElementWiseOperation, Loop, Reshape, Shuffle,
    };
    use crate::network::{Output, Shape};
    use crate::site::Site;
    use crate::tensor::DType;

    fn site() -> Site {
        Site::node("main", 0, "node", "Op", 17, "y")
    }

    fn f32s(dims: &[Dim]) -> ValueType {
        ValueType::new(DType::F32, dims.iter().cloned().collect())
    }

    /// a[N] + b[M] in this block
    fn sum(network: &mut Network, block: &mut Block, inputs: &[ValueId]) -> ValueId {
        let sum = ElementWise { operation: ElementWiseOperation::Sum };
        infer::add(network, block, sum.into(), inputs, &[site()]).unwrap()[0]
    }

    fn messages(
        network: &Network,
        sizes: &[(&str, i64)],
        values: &[(ValueId, &[i64])],
    ) -> Vec<String> {
        let point = Point {
            sizes: sizes
                .iter()
                .map(|(name, size)| (Symbol::Named((*name).into()), *size))
                .collect(),
            values: values.iter().map(|(id, values)| (*id, values.to_vec())).collect(),
        };
        problems_at(network, &point).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn sizes_must_broadcast_unless_a_branch_need_not_be_taken() {
        let mut network = Network::default();
        let a = network.add_input("a", f32s(&[Dim::named("N")]));
        let b = network.add_input("b", f32s(&[Dim::named("M")]));
        let choice = network.add_input("choice", ValueType::new(DType::Bool, Shape::default()));
        let mut branches = [Block::default(), Block::default()];
        for branch in &mut branches {
            let result = sum(&mut network, branch, &[a, b]);
            branch.results.push(result);
        }
        let [then_block, else_block] = branches;
        let mut body = Block::default();
        let kind = Conditional { then_block, else_block }.into();
        let value = infer::add(&mut network, &mut body, kind, &[choice], &[site()]).unwrap()[0];
        network.outputs.push(Output { name: "y".into(), value, declared: None, site: site() });
        network.body = body;
        assert_eq!(messages(&network, &[("N", 3), ("M", 4)], &[]), Vec::<String>::new());

        let mut body = std::mem::take(&mut network.body);
        sum(&mut network, &mut body, &[a, b]);
        network.body = body;
        assert_eq!(messages(&network, &[("N", 3), ("M", 1)], &[]), Vec::<String>::new());
        assert_eq!(
            messages(&network, &[("N", 3), ("M", 4)], &[]),
            ["axes of size 3 and 4 do not broadcast"]
        );
    }

    #[test]
    fn sizes_must_broadcast_in_a_loop_that_certainly_runs() {
        let mut network = Network::default();
        let a = network.add_input("a", f32s(&[Dim::named("N")]));
        let b = network.add_input("b", f32s(&[Dim::named("M")]));
        let count = network.add_input("count", ValueType::new(DType::I64, Shape::default()));
        let mut body = Block::default();
        let _ = sum(&mut network, &mut body, &[a, b]);
        let (iterators, outputs) = (Vec::new(), Vec::new());
        let (counted, capped, while_result) = (true, false, false);
        let of = Loop { counted, capped, while_result, iterators, recurrences: 0, outputs, body };
        let mut body = Block::default();
        infer::add(&mut network, &mut body, of.into(), &[count], &[site()]).unwrap();
        network.body = body;
        let sizes = [("N", 3), ("M", 4)];
        assert_eq!(messages(&network, &sizes, &[(count, &[0])]), Vec::<String>::new());
        assert_eq!(messages(&network, &sizes, &[]), Vec::<String>::new());
        assert_eq!(
            messages(&network, &sizes, &[(count, &[2])]),
            ["axes of size 3 and 4 do not broadcast"]
        );
    }

    #[test]
    fn values_decide_on_shapes() {
        let mut network = Network::default();
        let x = network.add_input("x", f32s(&[Dim::named("N"), Dim::Known(4)]));
        let shape = network.add_input("shape", ValueType::new(DType::I64, Shape::of(&[2])));
        let mut body = Block::default();
        let kind = Shuffle {
            reshape: Some(Reshape::Input { zero_is_placeholder: false }),
            ..Shuffle::default()
        };
        infer::add(&mut network, &mut body, kind.into(), &[x, shape], &[site()]).unwrap();
        network.body = body;
        assert_eq!(messages(&network, &[("N", 2)], &[(shape, &[4, 2])]), Vec::<String>::new());
        assert_eq!(
            messages(&network, &[("N", 2)], &[(shape, &[4, 3])]),
            ["reshape of 8 elements to [4, 3]"]
        );
    }
}
